"""At a kink, look left and right: do the values meet, do the slopes?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from time import perf_counter
from typing import Any

from chainrule.checking import patience
from chainrule.checking.numbers import Tape, context
from chainrule.core.arithmetic import ADD, DIV, MUL, NEG, SUB, sub
from chainrule.core.expr import Apply, Const, Expr, Sym, free_symbols, symbol
from chainrule.derivation.monomials import bits
from chainrule.derivation.simplify import simplify
from chainrule.derivation.steps import Derivation, Joint

_NEAR = Fraction(1, 10**25)
_FARTHER = Fraction(73, 10**24)
_SHIFTS = (-_NEAR, 0, _NEAR, -_FARTHER, _FARTHER)
_DIGITS = 12
_TOLERANCE = 1e-9
_MOST_VALUES = 100_000  # of parts of the functions; of more joints the first are told
_MOST_SIMPLIFIED = 60  # nodes of a condition that may be a line only when it is simplified
_MOST_BITS = 4096  # of the numbers in a line

_Line = tuple[Fraction, Fraction] | None


def joints(derivation: Derivation, deadline: float = float("inf")) -> tuple[Joint, ...]:
    """The joints of functions of one variable, at kinks where it equals a number.

    Values and slopes are those of the derivation's function and of its result, 1e-25 to
    either side, at 50 digits. Where they differ a little farther out, as those of x*sin(1/x)
    or sqrt(abs(x)) do at 0, nothing is said; nor past the deadline, nor of those that come
    after the first ones where a large function has many.
    """
    d = derivation
    if d.result.blocks or d.result.kind != "derivative" or len(d.variables) != 1 or not d.kinks:
        return ()
    found: list[Joint] = []
    try:
        with patience.until(deadline):
            found.extend(_joints(derivation, deadline))
    except TimeoutError:
        pass
    return tuple(found)


def _joints(d: Derivation, deadline: float) -> Iterator[Joint]:
    if any(len(by) != 1 for row in d.targets for t in row for _, _, by in t.terms):
        return
    if len(d.targets) != len(d.outputs):
        return
    places = sorted(set(_locations(d, deadline)))
    left = _MOST_VALUES
    for i, (output, function) in enumerate(zip(d.outputs, d.functions, strict=True)):
        slope = d.result.entries[i][0] if d.layout == "numerator" else d.result.entries[0][i]
        if not places or len(free_symbols([function])) != 1:
            continue
        tape, m = Tape([function, slope], deadline), context(50)
        for at in places:
            left -= len(_SHIFTS) * len(tape.nodes)
            if left < 0:
                return
            rows = [tape.run(m, {d.variables[0]: at + h}) for h in _SHIFTS]
            values = _rounded([row[0] for row in rows])
            slopes = _rounded([rows[i][1] for i in (0, 2, 3, 4)])
            if (
                values is not None
                and slopes is not None
                and _settled([*values[:1], *values[2:3], *slopes[:2]], [*values[3:], *slopes[2:]])
            ):
                place = at if at.denominator != 1 else at.numerator
                yield Joint(
                    output, d.variables[0], place, (values[0], values[1], values[2]),
                    (slopes[0], slopes[1]),
                )  # fmt: skip


def _rounded(values: Sequence[Any]) -> list[float] | None:
    if any(v is None for v in values):
        return None
    return [round(float(v), _DIGITS) + 0.0 for v in values]


def _settled(near: Sequence[float], farther: Sequence[float]) -> bool:
    """Whether limits are seen: one-sided values do not depend on how near they are taken."""
    return all(abs(a - b) <= _TOLERANCE * (1 + abs(a)) for a, b in zip(near, farther, strict=True))


def _locations(derivation: Derivation, deadline: float) -> Iterator[Fraction]:
    """The values of the variable at kinks `a == b` where a - b is m x + k."""
    x = symbol(derivation.variables[0])
    lines: dict[Expr, _Line] = {}
    for kink in derivation.kinks:
        assert isinstance(kink.where, Apply)
        if perf_counter() > deadline:
            return
        left, right = [_line(side, x, lines) for side in kink.where.args]
        if left is not None and right is not None:
            slope, at_zero = left[0] - right[0], left[1] - right[1]
            if slope:
                yield -at_zero / slope
        elif not _larger(kink.where, _MOST_SIMPLIFIED):
            at = _root(simplify(sub(*kink.where.args), deadline=deadline).result, x)
            if at is not None:
                yield at


def _line(root: Expr, x: Sym, known: dict[Expr, _Line]) -> _Line:
    """The slope and the value at 0 of what is a line in x as it is written; else None."""
    stack = [root]
    while stack:
        node = stack[-1]
        missing = [] if node in known else [a for a in node.args if a not in known]
        if missing:
            stack += missing
            continue
        stack.pop()
        if node not in known:
            known[node] = _line_of(node, x, [known[a] for a in node.args])
    return known[root]


def _line_of(node: Expr, x: Sym, args: Sequence[_Line]) -> _Line:
    if node is x:
        return Fraction(1), Fraction(0)
    if isinstance(node, Const):
        return (Fraction(0), Fraction(node.value)) if bits(node.value) <= _MOST_BITS else None
    if not args or any(a is None for a in args):
        return None
    lines = [a for a in args if a is not None]
    (m, k), (n, j) = lines[0], lines[-1]
    if node.op is ADD:
        found = m + n, k + j
    elif node.op is SUB:
        found = m - n, k - j
    elif node.op is NEG:
        found = -m, -k
    elif node.op is MUL and not (m and n):
        found = m * j + n * k, k * j
    elif node.op is DIV and not n and j:
        found = m / j, k / j
    else:
        return None
    return found if max(map(bits, found)) <= _MOST_BITS else None


def _larger(root: Expr, most: int) -> bool:
    """Whether there are more nodes."""
    seen, stack = {root}, [root]
    while stack and len(seen) <= most:
        below = [a for a in stack.pop().args if a not in seen]
        seen.update(below)
        stack += below
    return len(seen) > most


def _root(distance: Expr, x: Sym) -> Fraction | None:
    """The root of an expression that is a line when it is simplified."""
    line = _line(distance, x, {})
    return -line[1] / line[0] if line is not None and line[0] else None
