"""The six trigonometric functions and their inverses (DLMF 4.20, 4.24)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.core.arithmetic import add, mul, neg, reciprocal, relation, square, sub
from chainrule.core.expr import MINUS_ONE, ONE, ZERO, Expr, apply
from chainrule.core.intervals import NONNEGATIVE, Interval
from chainrule.core.ops import Operator, Square
from chainrule.core.table.elementary import SQRT
from chainrule.core.table.piecewise import ABS
from chainrule.core.table.rows import unary


def _cos_not_zero(a: Expr) -> tuple[Expr, ...]:
    return (relation("!=", apply(COS, a), ZERO),)


def _sin_not_zero(a: Expr) -> tuple[Expr, ...]:
    return (relation("!=", apply(SIN, a), ZERO),)


def _within(a: Expr) -> tuple[Expr, ...]:
    return (relation(">=", a, MINUS_ONE), relation("<=", a, ONE))


def _inside(a: Expr) -> tuple[Expr, ...]:
    return (relation(">", a, MINUS_ONE), relation("<", a, ONE))


def _outside(a: Expr) -> tuple[Expr, ...]:
    return (relation(">=", apply(ABS, a), ONE),)


def _beyond(a: Expr) -> tuple[Expr, ...]:
    return (relation(">", apply(ABS, a), ONE),)


def root_of(inner: Expr) -> Expr:
    """The square root, as the derivatives of inverse functions need it."""
    return apply(SQRT, inner)


def inverse(short: str, derivative: Callable[[Expr, Expr], Expr], **columns: Any) -> None:
    """Register `arcNAME`, spelled also `aNAME`, and named so in SymPy and mpmath."""
    columns.setdefault("sympy", lambda s, a: getattr(s, f"a{short}")(a))
    columns.setdefault("mpmath", lambda m, a: getattr(m, f"a{short}")(a))
    columns.setdefault("numpy", f"np.arc{short}({{0}})")
    columns.setdefault("latex", rf"\operatorname{{arc{short}}}")
    columns.setdefault("undoes", short)
    unary(
        f"arc{short}", derivative, spellings=(f"a{short}", *columns.pop("spellings", ())), **columns
    )


SIN: Operator = unary(
    "sin", lambda n, a: apply(COS, a), values=((0, 0),), parity="odd", source="DLMF 4.20.1",
    range=Interval(-1, 1), square=Square(1, -1, "cos"),
)  # fmt: skip
COS: Operator = unary(
    "cos", lambda n, a: neg(apply(SIN, a)), values=((0, 1),), parity="even", source="DLMF 4.20.2",
    range=Interval(-1, 1), square=Square(1, -1, "sin"),
)  # fmt: skip
TAN: Operator = unary(
    "tan", lambda n, a: square(apply(SEC, a)), values=((0, 0),), parity="odd",
    spellings=("tg",), domain=_cos_not_zero, source="DLMF 4.20.3",
    quotient=("sin", "cos"), square=Square(-1, 1, "sec"),
)  # fmt: skip
CSC: Operator = unary(
    "csc", lambda n, a: neg(mul(n, apply(COT, a))), numpy="1 / np.sin({0})", spellings=("cosec",),
    parity="odd", domain=_sin_not_zero, source="DLMF 4.20.4",
    range=Interval(nonzero=True), reciprocal="sin", square=Square(1, 1, "cot"),
)  # fmt: skip
SEC: Operator = unary(
    "sec", lambda n, a: mul(n, apply(TAN, a)), numpy="1 / np.cos({0})", values=((0, 1),),
    parity="even", domain=_cos_not_zero, source="DLMF 4.20.5",
    range=Interval(nonzero=True), reciprocal="cos", square=Square(1, 1, "tan"),
)  # fmt: skip
COT: Operator = unary(
    "cot", lambda n, a: neg(square(apply(CSC, a))), numpy="1 / np.tan({0})",
    spellings=("ctg", "cotan"),
    parity="odd", domain=_sin_not_zero, source="DLMF 4.20.6",
    reciprocal="tan", quotient=("cos", "sin"), square=Square(-1, 1, "csc"),
)  # fmt: skip

inverse(
    "sin", lambda n, a: reciprocal(root_of(sub(ONE, square(a)))), latex=r"\arcsin",
    values=((0, 0),),
    parity="odd", domain=_within, smooth=_inside, source="DLMF 4.24.7",
    range=Interval(-2, 2, True, True), keeps_sign=True,
)  # fmt: skip
inverse(
    "cos", lambda n, a: neg(reciprocal(root_of(sub(ONE, square(a))))), latex=r"\arccos",
    values=((1, 0),),
    domain=_within, smooth=_inside, source="DLMF 4.24.8", range=NONNEGATIVE,
)  # fmt: skip
inverse(
    "tan", lambda n, a: reciprocal(add(ONE, square(a))), latex=r"\arctan", values=((0, 0),),
    parity="odd", spellings=("arctg", "atg"), source="DLMF 4.24.9",
    range=Interval(-2, 2, True, True), keeps_sign=True,
)  # fmt: skip
inverse(
    "csc", lambda n, a: neg(reciprocal(mul(apply(ABS, a), root_of(sub(square(a), ONE))))),
    numpy="np.arcsin(1 / {0})", parity="odd", domain=_outside, smooth=_beyond,
    spellings=("arccosec", "acosec"), source="DLMF 4.24.10, for both signs", keeps_sign=True,
)  # fmt: skip
inverse(
    "sec", lambda n, a: reciprocal(mul(apply(ABS, a), root_of(sub(square(a), ONE)))),
    numpy="np.arccos(1 / {0})", values=((1, 0),), domain=_outside, smooth=_beyond,
    source="DLMF 4.24.11, for both signs", range=NONNEGATIVE,
)  # fmt: skip


def _arccot(m: Any, a: Any) -> Any:
    return m.pi / 2 if a == 0 else m.acot(a)


# The branch with range (-pi/2, pi/2], that of SymPy, mpmath and Abramowitz & Stegun 4.4.8.
inverse(
    "cot", lambda n, a: neg(reciprocal(add(ONE, square(a)))), mpmath=_arccot,
    numpy="np.copysign(np.arctan2(1, np.abs({0})), {0} + 0.0)",
    spellings=("arcctg",), smooth=lambda a: (relation("!=", a, ZERO),), source="DLMF 4.24.12",
    range=Interval(-2, 2, nonzero=True),
)  # fmt: skip
