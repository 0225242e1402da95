"""At a kink, look left and right: do the values meet, do the slopes?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from time import perf_counter
from typing import Any

from chainrule.checking import patience
from chainrule.checking.numbers import evaluate
from chainrule.core.arithmetic import add, mul, sub
from chainrule.core.expr import ZERO, Apply, Const, Expr, Sym, free_symbols, substitute
from chainrule.derivation.backward import gradient
from chainrule.derivation.simplify import simplify
from chainrule.derivation.steps import Derivation, Joint

_NEAR = Fraction(1, 10**25)
_FARTHER = Fraction(73, 10**24)
_DIGITS = 12
_TOLERANCE = 1e-9


def joints(derivation: Derivation, deadline: float = float("inf")) -> tuple[Joint, ...]:
    """The joints of functions of one variable, at kinks where it equals a number.

    Values and slopes are those of the derivation's function and of its result, 1e-25 to
    either side, at 50 digits. Where they differ a little farther out, as those of x*sin(1/x)
    or sqrt(abs(x)) do at 0, nothing is said; nor past the deadline.
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
    for i, (output, function) in enumerate(zip(d.outputs, d.functions, strict=True)):
        slope = d.result.entries[i][0] if d.layout == "numerator" else d.result.entries[0][i]
        if len(d.targets) != len(d.outputs) or len(free_symbols([function])) != 1:
            continue
        if any(len(by) != 1 for row in d.targets for t in row for _, _, by in t.terms):
            continue
        for at in sorted(set(_locations(d, deadline))):
            shifts = (-_NEAR, 0, _NEAR, -_FARTHER, _FARTHER)
            rows = [evaluate([function, slope], {d.variables[0]: at + h}) for h in shifts]
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
    for kink in derivation.kinks:
        assert isinstance(kink.where, Apply)
        if perf_counter() > deadline:
            return
        distance = simplify(sub(*kink.where.args), deadline=deadline).result
        symbols = free_symbols([distance])
        if len(symbols) != 1 or symbols[0].name != derivation.variables[0]:
            continue
        at = _root(distance, symbols[0])
        if at is not None:
            yield at


def _root(distance: Expr, x: Sym) -> Fraction | None:
    """The root of an affine expression."""
    (slope,) = gradient(distance, [x])
    slope = simplify(slope).result
    at_zero = simplify(substitute([distance], {x: ZERO})[0]).result
    if not isinstance(slope, Const) or not isinstance(at_zero, Const) or slope.value == 0:
        return None
    if simplify(sub(distance, add(mul(slope, x), at_zero))).result is ZERO:
        return -Fraction(at_zero.value) / Fraction(slope.value)
    return None
