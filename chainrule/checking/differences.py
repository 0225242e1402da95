"""Derivatives from values of functions around a point, and how far they can be trusted.

Either from differences of the functions themselves, or along their graphs from differences of
every operation (`chainrule.checking.tangents`); each estimate says how wrong it may be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import comb, prod
from typing import Any

from chainrule.checking.numbers import Tape, context
from chainrule.checking.points import Point
from chainrule.checking.tangents import slopes

# A central difference of order k with the step h = 10^-20 is wrong by about h^2 times the
# next derivative but one, and by 10^-digits / h^k through rounding; with 50 + 20 k digits
# the second is 10^-50.
STEP = 20
_DIGITS = 50
_MORE = 300  # digits, where fewer show nothing
_EXACT = 1_000  # operations whose roundings three digits cover

Shift = tuple[tuple[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value, how wrong rounding may have made it, and whether it was too large to have."""

    value: Any
    noise: Any
    clamped: bool = False


class Values:
    """Values of claims and functions at a point and around it, each computed once.

    Args:
        functions, claimed: the tapes; the first `claims` roots of the second are claims, the
            others weights.
        order: of the derivatives.
        point: where.
        step: differences are taken at 10^-step.
        closer: where the differences of the functions show nothing: along their graphs, or
            for higher derivatives with more digits.
    """

    def __init__(
        self, functions: Tape, claimed: Tape, claims: int, order: int, point: Point,
        step: int = STEP, closer: bool = False,
    ) -> None:  # fmt: skip
        self._walks = closer and order == 1
        smallest = min((abs(v) for v in point.values() if v), default=1)
        while smallest < 1 and not self._walks:
            smallest, step = smallest * 10, step + 1
        digits = _DIGITS + step * (2 if self._walks else order)
        if closer and not self._walks:
            digits += _MORE
        self.m = m = context(digits)
        self._exact = dict(point)
        self._point = {n: m.mpf(v.numerator) / v.denominator for n, v in point.items()}
        self._places = 2 * step
        self._step = m.mpf(10) ** -step
        self._rounding = m.mpf(10) ** (3 - digits)
        self._known: dict[Shift, tuple[list[Any], Any, bool]] = {}
        self._walked: dict[Shift, list[Estimate]] = {}
        self._tape = functions
        found, noise, clamped = self._run(claimed, self._point)
        if self._walks and not claimed.vanished:
            noise = m.zero  # it shows in comparison with other digits only: see `compared`
        estimates = [Estimate(value, noise, clamped) for value in found]
        self.claims = estimates[:claims]
        self.weights = found[claims:]

    def _run(self, tape: Tape, values: Mapping[str, Any]) -> tuple[list[Any], Any, bool]:
        found = tape.run(self.m, values)
        operations = max(1, len(tape.nodes) // _EXACT)
        return found, operations * self.m.ldexp(self._rounding, tape.magnitude), tape.clamped

    def _shifted(self, shift: Shift) -> tuple[list[Any], Any, bool]:
        """The functions' values at the point shifted by multiples of the step."""
        if shift not in self._known:
            values = dict(self._point)
            for name, steps in shift:
                values[name] = values.get(name, self.m.zero) + steps * self._step
            self._known[shift] = self._run(self._tape, values)
        return self._known[shift]

    def _difference(self, f: int, order: int, terms: Sequence[tuple[int, Shift]]) -> Estimate:
        scale = (2 * self._step) ** order
        total = noise = self.m.zero
        for factor, shift in terms:
            found, rounding, clamped = self._shifted(shift)
            if found[f] is None:
                return Estimate(None, noise, clamped)
            total += factor * found[f]
            noise = max(noise, rounding)
        return Estimate(total / scale, noise / scale)

    def partial(self, f: int, by: tuple[str, ...]) -> Estimate:
        """The partial derivative of function number `f` by the variables `by`."""
        if self._walks:
            return self._slope(f, ((by[0], self.m.one),))
        return self._difference(f, len(by), stencil(by))

    def along(self, f: int, directions: Sequence[Sequence[tuple[str, Any]]]) -> Estimate:
        """The derivative of function number `f` along one direction after another."""
        if any(c is None for direction in directions for _, c in direction):
            return Estimate(None, self.m.zero)
        if self._walks:
            return self._slope(f, tuple(directions[0]))
        terms = []
        for signs in product((1, -1), repeat=len(directions)):
            shift: dict[str, Any] = {}
            for sign, direction in zip(signs, directions, strict=True):
                for name, component in direction:
                    shift[name] = shift.get(name, self.m.zero) + sign * component
            terms.append((prod(signs), tuple(shift.items())))
        return self._difference(f, len(directions), terms)

    def _slope(self, f: int, direction: Shift) -> Estimate:
        """The derivative of function number `f` along its graph."""
        if direction not in self._walked:
            found = slopes(self._tape, self.m, self._exact, dict(direction), self._places)
            self._walked[direction] = [Estimate(value, lost) for value, lost in found]
        return self._walked[direction][f]


def stencil(by: tuple[str, ...]) -> list[tuple[int, Shift]]:
    """Factors and shifts of the central difference, one variable after the other."""
    counts = sorted(Counter(by).items())
    terms = []
    for picks in product(*(range(k + 1) for _, k in counts)):
        pairs = list(zip(counts, picks, strict=True))
        factor = prod((-1) ** i * comb(k, i) for (_, k), i in pairs)
        terms.append((factor, tuple((name, k - 2 * i) for (name, k), i in pairs if k != 2 * i)))
    return terms


def combined(m: Any, terms: Sequence[tuple[Any, Estimate]]) -> Estimate:
    total = noise = m.zero
    for weight, estimate in terms:
        if weight is None or estimate.value is None:
            return Estimate(None, noise, estimate.clamped)
        total += weight * estimate.value
        noise += abs(weight) * estimate.noise
    return Estimate(total, noise)


def compared(fine: Estimate, coarse: Estimate) -> Estimate:
    """The value with as much noise as it differs by from the same with fewer digits."""
    if fine.value is None or coarse.value is None:
        return Estimate(None, fine.noise, fine.clamped or fine.value is not coarse.value)
    return Estimate(fine.value, coarse.noise + 2 * abs(fine.value - coarse.value))


def shows_nothing(claimed: Estimate, numerical: Estimate) -> bool:
    """Whether noise hides what there is to compare, which is not exactly 0 on both sides."""
    if claimed.value is None or numerical.value is None:
        return False
    size = max(abs(claimed.value), abs(numerical.value))
    return bool(size and claimed.noise + numerical.noise > 1e-10 * size)


def relative_error(claimed: Estimate, numerical: Estimate) -> float | None:
    """The relative error; None where the differences or the rounding leave it open."""
    if numerical.value is None or (claimed.value is None and claimed.clamped):
        return None
    if claimed.value is None:
        return float("inf")
    noise = claimed.noise + numerical.noise
    size = max(abs(claimed.value), abs(numerical.value))
    if size <= noise:  # both are 0, as far as can be seen
        return 0.0 if noise < 1e-15 else None
    if noise > 1e-10 * size:
        return None
    gap = abs(claimed.value - numerical.value)
    return float(gap / size) if gap > noise else 0.0


def settled(a: Estimate, b: Estimate) -> bool:
    """Whether two estimates of one value agree."""
    if a.value is None or b.value is None:
        return a.value is b.value
    return bool(abs(a.value - b.value) <= 1e-10 * abs(b.value) + a.noise + b.noise)


def digits_of(value: Any) -> str:
    """A number as a witness shows it."""
    return "undefined" if value is None else f"{float(value):.6g}"
