"""Slopes of a function through its graph, from differences of every single operation.

The differences of a whole function lose the derivative of a deep one: of ten thousand
contracting steps it is 10^-1600, of an iterated square beyond any range. The slope of each
operation, from its values beside its operands, is a number of moderate size, and their
products keep their digits at any depth. One walk, linear in the graph; no partial derivative
is read from the operator table.

>>> from chainrule.checking.numbers import context
>>> from chainrule.core.expr import symbol
>>> x = symbol("x")
>>> ((slope, lost),) = slopes(Tape([x**3]), context(50), {"x": 2}, {"x": 1}, 25)
>>> round(float(slope), 12), int(lost)
(12.0, 0)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Any

from chainrule.checking.numbers import Tape, kept, number, too_large
from chainrule.core.expr import Const, Sym


def slopes(
    tape: Tape, m: Any, values: Mapping[str, Any], direction: Mapping[str, Any], step: int
) -> list[tuple[Any, Any]]:
    """The roots' derivatives along a direction; None where a value or a slope is undefined.

    With each comes what may have been lost where an operation did not seem to change at all,
    as erf(20) does not in 100 digits.

    Args:
        tape: what is differentiated.
        m: the mpmath context; of its digits `step` are lost, and so is what is beyond `step`.
        values: of the names.
        direction: a component for each name that moves.
        step: differences are taken at 10^-step of an operand's size.

    Raises:
        TimeoutError: past the deadline of the tape.
    """
    count = len(tape.nodes)
    found: list[Any] = [None] * count
    tops = [0] * count
    moves: list[Any] = [m.zero] * count
    lost: list[Any] = [m.zero] * count
    small = m.mpf(10) ** -step
    for place, leaf in zip(tape.leaf_places, tape.leaves, strict=True):
        if isinstance(leaf, Const):
            found[place], tops[place] = kept(m, number(m, leaf.value))
        elif isinstance(leaf, Sym) and leaf.name in values:
            found[place], tops[place] = kept(m, number(m, values[leaf.name]))
            moves[place] = number(m, direction.get(leaf.name, 0))
    for place, function, slots, notation in tape.calls:
        if perf_counter() > tape.deadline:
            raise TimeoutError
        operands = [found[slot] for slot in slots]
        if notation == "piecewise":
            taken = _taken(operands)
            if taken is not None:
                slot = slots[taken]
                found[place], tops[place] = found[slot], tops[slot]
                moves[place], lost[place] = moves[slot], lost[slot]
            else:
                moves[place] = None
            continue
        if None in operands or too_large(notation, [tops[slot] for slot in slots]):
            moves[place] = None
            continue
        value, tops[place] = _value(function, m, operands)
        found[place] = value
        if value is None:
            moves[place] = None
            continue
        total = missed = m.zero
        for i, slot in enumerate(slots):
            if moves[slot] is None:
                total = None
                break
            if moves[slot] or lost[slot]:
                slope = _slope(function, m, operands, i, value, small)
                if slope is None:
                    total = None
                    break
                total += slope * moves[slot]
                if lost[slot]:
                    missed += abs(slope) * lost[slot]
                if not slope:
                    unseen = m.ldexp(m.one, tops[place] - m.prec) / _step(operands[i], small)
                    missed += unseen * abs(moves[slot])
        moves[place], lost[place] = total, missed
    return [(moves[p] if found[p] is not None else None, lost[p]) for p in tape.roots]


def _slope(
    function: Callable[..., Any], m: Any, operands: list[Any], i: int, value: Any, small: Any
) -> Any:
    """The difference quotient of an operation by its operand number `i`."""
    step = _step(operands[i], small)
    beside, _ = _value(function, m, [*operands[:i], operands[i] + step, *operands[i + 1 :]])
    return None if beside is None else (beside - value) / step


def _step(operand: Any, small: Any) -> Any:
    return abs(operand) * small or small


def _value(function: Callable[..., Any], m: Any, operands: Sequence[Any]) -> tuple[Any, int]:
    try:
        return kept(m, function(m, *operands))
    except Exception:  # a pole, in one of the many ways in which mpmath says so
        return None, 0


def _taken(operands: Sequence[Any]) -> int | None:
    """The place of the branch whose condition holds first."""
    for i in range(0, len(operands) - 1, 2):
        if operands[i + 1] is None:
            return None
        if operands[i + 1]:
            return i
    return len(operands) - 1 if len(operands) % 2 else None
