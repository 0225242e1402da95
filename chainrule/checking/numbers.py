"""Values of expressions at a point, by mpmath, through the operator table.

A value is a finite real number or None: outside the domain, at a pole, or beyond the
range kept here. The work for one node is bounded, whatever a text from a stranger asks
for: `9^9^9^9` is None at once.

>>> from chainrule.core.arithmetic import LN, div
>>> from chainrule.core.expr import apply, const, symbol
>>> x = symbol("x")
>>> at_point([div(x, const(4)), apply(LN, x)], {"x": -2})
[-0.5, None]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from time import perf_counter
from typing import Any

import chainrule.core.table  # noqa: F401  (fills the operator table)
from chainrule.checking import patience
from chainrule.core.expr import Apply, Const, Expr, Number, Sym, topological

# Bounds on the binary exponents of values. A result beyond the first is no number here, one
# below the second is 0. mpmath works with as many bits as an argument of exp or sin has
# before the point, and with one multiplication for each bit of an integer exponent.
_LARGEST_RESULT = 16_384
_SMALLEST_RESULT = -(1 << 40)
_LARGEST_ARGUMENT = 1_100
_LARGEST_EXPONENT = 64
_PLAIN = frozenset({"sum", "product", "fraction", "prefix", "relation", "bars", "piecewise"})


class Tape:
    """Expressions laid out in one order, to be evaluated many times.

    Attributes:
        nodes: the expressions below the roots, arguments first.
        roots, leaves, leaf_places, calls: their places; each call with its function and operands.
        deadline: when to stop, as `time.perf_counter` tells it.
        magnitude: after `run`, the greatest binary exponent of an intermediate value.
        clamped: after `run`, whether a value was given up because it was too large, or taken
            for 0 because it was too small.
        vanished: after `run`, whether something came out as 0 of operands that are none, as
            1 - erf(63) does in 100 digits: its true value may be all that counts.
    """

    def __init__(self, roots: Sequence[Expr], deadline: float = float("inf")) -> None:
        self.deadline = min(deadline, patience.limit())
        self.nodes = topological(roots)
        place = {node: i for i, node in enumerate(self.nodes)}
        self.roots = [place[root] for root in roots]
        self.leaves = [node for node in self.nodes if not isinstance(node, Apply)]
        self.leaf_places = [place[node] for node in self.leaves]
        self.calls: list[tuple[int, Any, tuple[int, ...], str]] = []
        for node in self.nodes:
            if isinstance(node, Apply):
                op = node.op
                slots = tuple(place[a] for a in node.args)
                self.calls.append((place[node], op.mpmath, slots, op.notation))
        self.magnitude = 0
        self.clamped = self.vanished = False

    def run(self, m: Any, values: Mapping[str, Any]) -> list[Any]:
        """The roots' values (None where undefined) in the mpmath context `m`.

        Raises:
            TimeoutError: past the deadline, as `time.perf_counter` tells it.
        """
        found: list[Any] = [None] * len(self.nodes)
        tops = [0] * len(self.nodes)
        self.magnitude, self.clamped, self.vanished = 0, False, False
        for place, leaf in zip(self.leaf_places, self.leaves, strict=True):
            if isinstance(leaf, Const):
                found[place], tops[place] = self._kept(m, number(m, leaf.value))
            elif isinstance(leaf, Sym) and leaf.name in values:
                found[place], tops[place] = self._kept(m, number(m, values[leaf.name]))
        for place, function, slots, notation in self.calls:
            if perf_counter() > self.deadline:
                raise TimeoutError
            operands = [found[slot] for slot in slots]
            if notation == "piecewise":
                found[place], tops[place] = branch(operands, [tops[slot] for slot in slots])
                continue
            for operand in operands:
                if operand is None:
                    break
            else:
                if notation not in _PLAIN and too_large(notation, [tops[s] for s in slots]):
                    self.clamped = True
                    continue
                try:
                    value = function(m, *operands)
                except (OverflowError, MemoryError, NotImplementedError):
                    self.clamped = True
                except Exception:  # a pole, in one of the many ways in which mpmath says so
                    pass
                else:
                    found[place], tops[place] = self._kept(m, value)
                    if tops[place] == _SMALLEST_RESULT and notation != "relation":
                        self.vanished = self.vanished or all(operands)
        return [found[place] for place in self.roots]

    def _kept(self, m: Any, value: Any) -> tuple[Any, int]:
        held, top = kept(m, value)
        if top > self.magnitude:
            if held is None:
                self.clamped = True
            else:
                self.magnitude = top
        elif top == _SMALLEST_RESULT and value:
            self.clamped = True
        return held, top


def kept(m: Any, value: Any) -> tuple[Any, int]:
    """The value if it is real, finite and in range, else None; and its binary exponent."""
    if isinstance(value, int):
        value = m.mpf(value)
    parts = getattr(value, "_mpf_", None)
    if parts is None:
        return None, 0
    _, mantissa, exponent, bits = parts
    if not mantissa:
        return (None, 0) if exponent else (value, _SMALLEST_RESULT)
    top = exponent + bits
    if top > _LARGEST_RESULT:
        return None, top
    if top < _SMALLEST_RESULT:
        return m.zero, _SMALLEST_RESULT
    return value, top


def too_large(notation: str, tops: Sequence[int]) -> bool:
    """Whether mpmath would work for long at a function of numbers with these exponents."""
    if notation in _PLAIN:
        return False
    if notation == "power":
        return tops[1] > _LARGEST_EXPONENT
    return max(tops, default=0) > _LARGEST_ARGUMENT


def context(digits: int) -> Any:
    """A fresh mpmath context (one for each task, so that threads do not meet)."""
    from mpmath.ctx_mp import MPContext

    m = MPContext()
    m.dps = digits
    return m


def evaluate(
    roots: Sequence[Expr], values: Mapping[str, Number | Any], digits: int = 50
) -> list[Any]:
    """The values of the roots as mpmath numbers; None where one is not a finite real number.

    A float among `values` is the decimal number it prints as; a name without a value makes
    what depends on it None.
    """
    return Tape(roots).run(context(digits), values)


def at_point(roots: Sequence[Expr], values: Mapping[str, Number]) -> list[float | None]:
    """The values of the roots as floats; None also where one is too large for a float."""
    out: list[float | None] = []
    for value in evaluate(roots, values, digits=30):
        try:
            number = None if value is None else float(value)
        except OverflowError:
            number = None
        out.append(None if number in (float("inf"), float("-inf")) else number)
    return out


def number(m: Any, value: Any) -> Any:
    """The number in the context `m`; a float is the decimal number it prints as."""
    if isinstance(value, Fraction):
        return m.mpf(value.numerator) / value.denominator
    if isinstance(value, float):
        return m.mpf(repr(float(value)))
    return m.mpf(value)


def branch(operands: list[Any], tops: list[int]) -> tuple[Any, int]:
    """The first branch whose condition holds; the others may well be undefined."""
    for i in range(0, len(operands) - 1, 2):
        condition = operands[i + 1]
        if condition is None:
            return None, 0
        if condition:
            return operands[i], tops[i]
    return (operands[-1], tops[-1]) if len(operands) % 2 else (None, 0)
