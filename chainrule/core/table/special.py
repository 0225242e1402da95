"""The error function, the gamma function and its logarithmic derivatives."""

from __future__ import annotations

from typing import Any

from chainrule.core.arithmetic import PI, add, div, exp, mul, neg, relation, square
from chainrule.core.expr import ONE, TWO, ZERO, Apply, Const, Expr, apply
from chainrule.core.intervals import Interval
from chainrule.core.ops import Operator, register
from chainrule.core.table.elementary import SQRT
from chainrule.core.table.piecewise import FLOOR
from chainrule.core.table.rows import unary


def _no_pole(a: Expr) -> tuple[Expr, ...]:
    """The poles are 0, -1, -2, …: a is positive, or not an integer."""
    if isinstance(a, Apply) and a.op.name == "exp":
        return ()
    return (relation(">", add(relation(">", a, ZERO), relation("!=", a, apply(FLOOR, a))), ZERO),)


ERF: Operator = unary(
    "erf", lambda n, a: div(mul(TWO, exp(neg(square(a)))), apply(SQRT, apply(PI))),
    latex=r"\operatorname{erf}", numpy="np.vectorize(math.erf, otypes=[{dtype}])({0})",
    values=((0, 0),), parity="odd", source="DLMF 7.2.1", range=Interval(-1, 1, True, True),
    keeps_sign=True,
)  # fmt: skip
GAMMA: Operator = unary(
    "gamma", lambda n, a: mul(n, apply(DIGAMMA, a)), latex=r"\Gamma", spellings=("Gamma", "Γ"),
    numpy="np.vectorize(math.gamma, otypes=[{dtype}])({0})", domain=_no_pole,
    values=((1, 1), (2, 1), (3, 2), (4, 6), (5, 24)), source="DLMF 5.2.2",
    range=Interval(nonzero=True),
)  # fmt: skip
DIGAMMA: Operator = unary(
    "digamma", lambda n, a: apply(POLYGAMMA, ONE, a), latex=r"\operatorname{digamma}",
    numpy="scipy.special.digamma({0})", domain=_no_pole, source="DLMF 5.2.2, 5.15.1",
)  # fmt: skip


def _whole(k: Expr) -> tuple[Expr, ...]:
    if isinstance(k, Const) and isinstance(k.value, int) and k.value >= 0:
        return ()
    return (relation(">=", k, ZERO), relation("==", k, apply(FLOOR, k)))


def _no_order_slope(n: Apply, order: Expr, a: Expr) -> Expr:
    raise ValueError("polygamma(n, x) has no derivative by its order n, a whole number")


def _polygamma(m: Any, order: Any, a: Any) -> Any:
    if order < 0 or order != int(order):
        return m.nan
    if order > 100 or a < -1000:
        raise OverflowError("mpmath would add up too many terms")
    return m.polygamma(int(order), a)


POLYGAMMA: Operator = register(Operator(
    "polygamma", (2, 2),
    (_no_order_slope, lambda n, k, a: apply(POLYGAMMA, add(k, ONE), a)),
    ("no rule", "derivative of polygamma"),
    sympy=lambda s, k, a: s.polygamma(k, a), mpmath=_polygamma,
    numpy="np.asarray(scipy.special.polygamma({0}, {1}), {dtype})",
    latex=r"\operatorname{polygamma}",
    domain=lambda k, a: (*_whole(k), *_no_pole(a)), source="DLMF 5.15",
))  # fmt: skip
