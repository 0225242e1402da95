"""Points to compare at: in the domain, on both sides of 0 and of every kink.

The search is deterministic, seeded by a text: the same expression is always tried at the
same points. They are short decimals, so that a witness can be read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import count
from typing import Any
from zlib import crc32

from chainrule.checking.numbers import Tape, context
from chainrule.core.expr import Const, Expr, Number, free_symbols
from chainrule.core.ops import Kink

Point = dict[str, Fraction]
Side = tuple[str | bool | None, ...]

_SCALES = tuple(map(Fraction, ("2", "3/4", "5", "1/4", "20", "1/20", "200", "1/500")))
_OFFSETS = tuple(map(Fraction, ("1/2", "1/20", "3", "1/500")))
_KINKS = 64  # of more kinks than this, the sides of the first are looked at
_DIGITS = 20


class Search:
    """An iterator over points where the functions are defined and smooth.

    It goes on until `enough` points are found and both signs of every variable and all the
    regions between kinks are among them, or further tries seem to be in vain. A consumer
    that cannot use a point lowers `found` by one.

    Attributes:
        found: how many points were handed out.
        cost: node evaluations for each try.
    """

    def __init__(
        self,
        functions: Sequence[Expr],
        domain: Sequence[Expr] = (),
        kinks: Sequence[Kink] = (),
        text: str = "",
        *,
        enough: int = 5,
        first: Point | None = None,
        deadline: float = float("inf"),
    ) -> None:
        joints = [k.where for k in kinks if len(k.where.args) == 2][:_KINKS]
        self.names = [s.name for s in free_symbols([*functions, *domain])]
        self._defined, self._kinks = len(functions), len(joints)
        sides = [side for joint in joints for side in joint.args]
        self._tape = Tape([*functions, *domain, *sides], deadline)
        self._constants = _constants(self._tape.nodes)
        self._seed = crc32(text.encode())
        self._first = first
        self.enough, self.found = enough, 0
        self.cost = len(self._tape.nodes)
        self.limit = 400

    def __iter__(self) -> Iterator[Point]:
        m = context(_DIGITS)
        seen: set[Side] = set()
        everything = 2 * len(self.names) + 2**self._kinks
        patience = 12 + 6 * min(self._kinks, 10)
        for tries, point in enumerate(self._candidates()):
            done = self.found >= self.enough
            if tries >= self.limit or (done and (len(seen) == everything or tries > patience)):
                return
            sides = self._sides(m, point)
            if sides is not None and not (done and seen.issuperset(sides)):
                seen.update(sides)
                self.found += 1
                yield point

    def _sides(self, m: Any, point: Point) -> list[Side] | None:
        """On which sides of 0 and of the kinks it is; None outside the domain or at a kink."""
        values = self._tape.run(m, point)
        joints = len(values) - 2 * self._kinks
        if any(v is None for v in values[: self._defined]) or not all(
            values[self._defined : joints]
        ):
            return None
        sides: list[Side] = [(name, v > 0) for name, v in point.items() if v]
        region: list[bool | None] = []
        for i in range(self._kinks):
            left, right = values[joints + 2 * i : joints + 2 * i + 2]
            if left is None or right is None:
                region.append(None)  # a kink in a branch that is not taken here
                continue
            gap = left - right
            if abs(gap) <= 1e-9 * (abs(left) + abs(right)):
                return None
            region.append(gap > 0)
        return [*sides, tuple(region)]

    def _candidates(self) -> Iterator[Point]:
        """Points at several scales and near the constants of the expression, without end.

        All variables are positive in one of four, all negative in another; the others mix.
        """
        if self._first is not None:
            yield self._first
        if not self.names:
            yield {}
            return
        for k in count():
            yield {name: self._coordinate(k, j) for j, name in enumerate(self.names)}

    def _coordinate(self, k: int, j: int) -> Fraction:
        bits = _mixed(self._seed, k, j)
        if self._constants and k % 3 == 2:
            centre = self._constants[(bits >> 24) % len(self._constants)]
            offset = _OFFSETS[(bits >> 36) % len(_OFFSETS)] * max(Fraction(1), abs(centre))
            centre = -centre if (bits >> 48) & 1 else centre
            return _short(centre + offset * Fraction(bits % 999 - 499, 500))
        together = k % 4 < 2
        scale = _SCALES[(k // 2 if together else bits >> 40) % len(_SCALES)]
        magnitude = _short(scale * Fraction(250 + bits % 750, 1000))
        return -magnitude if (k % 2 if together else (bits >> 20) & 1) else magnitude


def _constants(nodes: Sequence[Expr]) -> list[Fraction]:
    """Constants of moderate size: kinks and ends of domains are often near one."""
    found = []
    for node in nodes:
        value = Fraction(node.value) if isinstance(node, Const) else Fraction(0)
        if Fraction(1, 10**6) < abs(value) < 10**9:
            found.append(value)
            if len(found) == 16:
                break
    return found


def _mixed(seed: int, k: int, j: int) -> int:
    """64 well-mixed bits (the finaliser of splitmix64)."""
    mask = (1 << 64) - 1
    z = (seed * 0x9E3779B97F4A7C15 + k * 0xD1B54A32D192ED03 + (j + 1) * 0x2545F4914F6CDD1D) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return z ^ (z >> 31)


def _short(value: Fraction) -> Fraction:
    """The value to four decimals, and never one that is also a kink of everything, as 0."""
    rounded = Fraction(round(value * 10_000), 10_000)
    return rounded or Fraction(7, 10_000)


def random_decimal(text: str) -> int:
    """A whole number between 250 and 1000 or between their negatives, drawn from the text."""
    bits = _mixed(crc32(text.encode()), 0, 0)
    return (250 + bits % 750) * (1 if (bits >> 20) & 1 else -1)


def as_fraction(value: Number) -> Fraction:
    """A number as typed: a float is the decimal it prints as."""
    return Fraction(repr(float(value))) if isinstance(value, float) else Fraction(value)


def in_words(point: Point) -> str:
    """`x = 2, y = -1.5`; of many variables the first."""
    parts = [f"{name} = {float(value):.6g}" for name, value in list(point.items())[:6]]
    return ", ".join(parts) + (", …" if len(point) > 6 else "")
