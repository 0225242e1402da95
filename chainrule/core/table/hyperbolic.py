"""The six hyperbolic functions and their inverses (DLMF 4.34, 4.38)."""

from __future__ import annotations

from chainrule.core.arithmetic import add, mul, neg, reciprocal, relation, square, sub
from chainrule.core.expr import MINUS_ONE, ONE, ZERO, Expr, apply
from chainrule.core.intervals import NONNEGATIVE, Interval
from chainrule.core.ops import Operator, Square
from chainrule.core.table.piecewise import ABS
from chainrule.core.table.rows import unary
from chainrule.core.table.trigonometric import inverse, root_of


def _not_zero(a: Expr) -> tuple[Expr, ...]:
    return (relation("!=", a, ZERO),)


def _inside(a: Expr) -> tuple[Expr, ...]:
    return (relation(">", a, MINUS_ONE), relation("<", a, ONE))


def _square(constant: int, factor: int, of: str, free: bool = True) -> Square:
    return Square(constant, factor, of, free, "hyperbolic identity")


def _names(short: str) -> tuple[str, ...]:
    return (f"ar{short}",)


SINH: Operator = unary(
    "sinh", lambda n, a: apply(COSH, a), values=((0, 0),), parity="odd", source="DLMF 4.34.1",
    keeps_sign=True, square=_square(-1, 1, "cosh"),
)  # fmt: skip
COSH: Operator = unary(
    "cosh", lambda n, a: apply(SINH, a), values=((0, 1),), parity="even", source="DLMF 4.34.2",
    range=Interval(1), square=_square(1, 1, "sinh"),
)  # fmt: skip
TANH: Operator = unary(
    "tanh", lambda n, a: sub(ONE, square(n)), values=((0, 0),), parity="odd", source="DLMF 4.34.3",
    range=Interval(-1, 1, True, True), keeps_sign=True, quotient=("sinh", "cosh"),
    square=_square(1, -1, "sech", free=False),
)  # fmt: skip
CSCH: Operator = unary(
    "csch", lambda n, a: neg(mul(n, apply(COTH, a))),
    numpy="2 * np.sign({0}) * np.exp(-np.abs({0})) / -np.expm1(-2 * np.abs({0}))", parity="odd",
    latex=r"\operatorname{csch}", spellings=("cosech",), domain=_not_zero, source="DLMF 4.34.4",
    range=Interval(nonzero=True), keeps_sign=True, reciprocal="sinh",
    square=_square(-1, 1, "coth", free=False),
)  # fmt: skip
SECH: Operator = unary(
    "sech", lambda n, a: neg(mul(n, apply(TANH, a))),
    numpy="2 * np.exp(-np.abs({0})) / (1 + np.exp(-2 * np.abs({0})))", parity="even",
    latex=r"\operatorname{sech}", values=((0, 1),), source="DLMF 4.34.5",
    range=Interval(0, 1, True), reciprocal="cosh", square=_square(1, -1, "tanh", free=False),
)  # fmt: skip
COTH: Operator = unary(
    "coth", lambda n, a: neg(square(apply(CSCH, a))), numpy="1 / np.tanh({0})", parity="odd",
    domain=_not_zero, source="DLMF 4.34.6", range=Interval(nonzero=True), keeps_sign=True,
    reciprocal="tanh", quotient=("cosh", "sinh"), square=_square(1, 1, "csch", free=False),
)  # fmt: skip

inverse(
    "sinh", lambda n, a: reciprocal(root_of(add(square(a), ONE))), values=((0, 0),),
    spellings=_names("sinh"), parity="odd", source="DLMF 4.38.9", keeps_sign=True,
)  # fmt: skip
inverse(
    "cosh", lambda n, a: reciprocal(root_of(sub(square(a), ONE))), values=((1, 0),),
    spellings=_names("cosh"), domain=lambda a: (relation(">=", a, ONE),),
    smooth=lambda a: (relation(">", a, ONE),), source="DLMF 4.38.10", range=NONNEGATIVE,
)  # fmt: skip
inverse(
    "tanh", lambda n, a: reciprocal(sub(ONE, square(a))), values=((0, 0),),
    spellings=_names("tanh"), domain=_inside, parity="odd", source="DLMF 4.38.11", keeps_sign=True,
)  # fmt: skip
inverse(
    "csch", lambda n, a: neg(reciprocal(mul(apply(ABS, a), root_of(add(ONE, square(a)))))),
    numpy="np.arcsinh(1 / {0})", spellings=_names("csch"), domain=_not_zero, parity="odd",
    source="DLMF 4.38.12, for both signs", keeps_sign=True,
)  # fmt: skip
inverse(
    "sech", lambda n, a: neg(reciprocal(mul(a, root_of(sub(ONE, square(a)))))),
    numpy="np.arccosh(1 / {0})", spellings=_names("sech"), values=((1, 0),),
    domain=lambda a: (relation(">", a, ZERO), relation("<=", a, ONE)),
    smooth=lambda a: (relation("<", a, ONE),), source="DLMF 4.38.13", range=NONNEGATIVE,
)  # fmt: skip
inverse(
    "coth", lambda n, a: reciprocal(sub(ONE, square(a))), numpy="np.arctanh(1 / {0})",
    spellings=_names("coth"), domain=lambda a: (relation(">", apply(ABS, a), ONE),), parity="odd",
    source="DLMF 4.38.14", keeps_sign=True,
)  # fmt: skip
