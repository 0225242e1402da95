"""Mistakes that are not made at one operation: what the whole answer is instead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

from chainrule.checking.diagnoses import DIGITS, Diagnosis, Point
from chainrule.checking.equality import shared_context
from chainrule.checking.numbers import Tape
from chainrule.checking.patience import limit
from chainrule.core.arithmetic import PI, add, div, mul, neg
from chainrule.core.expr import (
    ONE,
    ZERO,
    Apply,
    Const,
    Expr,
    Sym,
    apply,
    const,
    depends_on,
    fold,
    free_symbols,
    topological,
)
from chainrule.derivation.backward import gradient
from chainrule.derivation.simplify import simplify

_TRIGONOMETRIC = ("sin", "cos", "tan", "sec", "csc", "cot")


def whole_answer(
    f: Expr, x: Sym, right: Expr, given: Expr, points: Sequence[Point]
) -> list[tuple[int, Diagnosis]]:
    """What the answer is instead of the derivative of `f` by `x`, with ranks."""
    candidates: list[tuple[int, Diagnosis, Expr, Expr]] = [
        (21, Diagnosis("function itself"), f, given),
        (22, Diagnosis("integrated"), f, gradient(given, [x])[0]),
        (38, Diagnosis("sign"), neg(right), given),
        (40, Diagnosis("reciprocal"), mul(right, given), ONE),
    ]
    again = simplify(gradient(right, [x])[0], deadline=limit()).result
    if again is not ZERO:
        candidates.append((19, Diagnosis("differentiated twice"), again, given))
    if f not in depends_on([f], [x]):
        candidates.append((9, Diagnosis("constant differentiated to 1"), ONE, given))
        candidates.append((9, Diagnosis("constant kept"), f, given))
    others = [s for s in free_symbols([f]) if s is not x]
    total = right
    for other, slope in zip(others, gradient(f, others), strict=True):
        candidates.append((9, Diagnosis("other variable", other), slope, given))
        total = add(total, slope)
    if others:
        candidates.append((9, Diagnosis("partial derivatives added"), total, given))
    for answer in _in_degrees(f, x, right):
        candidates.append((13, Diagnosis("degrees"), answer, given))
    found = [(rank, told) for rank, told, a, b in candidates if same(a, b, points)]
    return found + _ratio(right, given, points)


def _in_degrees(f: Expr, x: Sym, right: Expr) -> Iterator[Expr]:
    """The derivative with its angles in degrees, in the ways in which that is got wrong."""

    def visit(node: Expr, args: list[Expr]) -> Expr:
        if not isinstance(node, Apply):
            return node
        scaled = node.op.name in _TRIGONOMETRIC
        return apply(node.op, mul(args[0], degrees)) if scaled else apply(node.op, *args)

    nodes = topological([right, f])
    if any(n.op is not None and n.op.name in _TRIGONOMETRIC for n in nodes):
        degrees = div(apply(PI), const(180))
        there, slope_there = fold([f, right], visit)
        yield mul(right, degrees)
        yield div(right, degrees)
        yield gradient(there, [x])[0]
        yield slope_there


def same(a: Expr, b: Expr, points: Sequence[Point]) -> bool:
    """Whether two formulas agree at the points, as far as both are defined there."""
    tape = Tape([a, b])
    m = shared_context(DIGITS)
    seen = 0
    for point in points:
        left, right = tape.run(m, point)
        if left is None or right is None:
            continue
        if abs(left - right) > rounding(m, tape, right):
            return False
        seen += 1
    return seen >= min(2, len(points)) and seen > 0


def rounding(m: Any, tape: Tape, value: Any) -> Any:
    """How far rounding may have moved a value; never so far that a mistake is hidden."""
    noise = m.ldexp(m.mpf(10) ** (6 - DIGITS), max(0, tape.magnitude))
    return min(noise, m.mpf(10) ** -12 * (1 + abs(value)))


def _ratio(right: Expr, given: Expr, points: Sequence[Point]) -> list[tuple[int, Diagnosis]]:
    """The answer is a constant times the right one, a constant more, or rounded."""
    tape = Tape([right, given])
    m = shared_context(DIGITS)
    ratios, offsets = [], []
    for point in points:
        wanted, found = tape.run(m, point)
        if wanted is not None and found is not None:
            offsets.append(found - wanted)
            if wanted:
                ratios.append(found / wanted)
    decimals = [n for n in topological([given]) if isinstance(n, Const) and n.decimal]
    close = ratios and all(abs(r - 1) < 0.006 for r in ratios)
    if close and any(Fraction(n.value).denominator > 1 for n in decimals):
        return [(8, Diagnosis("rounded"))]
    told = []
    if free_symbols([right]):
        factor, offset = _constant(m, ratios), _constant(m, offsets)
        if factor is not None and factor not in (0, 1, -1):
            told.append((39, Diagnosis("constant factor", used=const(factor))))
        if offset:
            told.append((39, Diagnosis("constant offset", used=const(offset))))
    return told


def _constant(m: Any, values: Sequence[Any]) -> Fraction | None:
    """The simple fraction that all the values are, if they are one."""
    if len(values) < 2 or abs(values[0]) > 1000:
        return None
    first = values[0]
    if any(abs(v - first) > m.mpf(10) ** -20 * (1 + abs(first)) for v in values):
        return None
    found = Fraction(str(first)).limit_denominator(1000)
    return found if abs(first * found.denominator - found.numerator) < 1e-20 else None
