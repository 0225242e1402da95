"""Roots and logarithms to other bases."""

from __future__ import annotations

from typing import Any

from chainrule.core.arithmetic import div, ln, mul, neg, reciprocal, relation, square
from chainrule.core.expr import ONE, TWO, ZERO, Expr, const
from chainrule.core.intervals import NONNEGATIVE, Interval
from chainrule.core.ops import Operator, register
from chainrule.core.table.rows import unary


def _positive(a: Expr) -> tuple[Expr, ...]:
    return (relation(">", a, ZERO),)


def _root_enclosure(a: Interval) -> Interval:
    return Interval(1 if a.low is not None and a.low >= 1 else 0, nonzero=a.excludes_zero)


def _real_cbrt(m: Any, a: Any) -> Any:
    return -m.cbrt(-a) if a < 0 else m.cbrt(a)


SQRT: Operator = unary(
    "sqrt", lambda n, a: reciprocal(mul(TWO, n)), rule="square root rule",
    notation="root", domain=lambda a: (relation(">=", a, ZERO),), smooth=_positive,
    values=tuple((k * k, k) for k in range(11)),
    source="DLMF 4.2.26, 4.7.7", range=NONNEGATIVE, enclosure=_root_enclosure,
)  # fmt: skip
CBRT: Operator = unary(
    "cbrt", lambda n, a: reciprocal(mul(const(3), square(n))), rule="cube root rule",
    sympy=lambda s, a: s.real_root(a, 3), mpmath=_real_cbrt, latex=r"\sqrt[3]", notation="root",
    smooth=lambda a: (relation("!=", a, ZERO),), parity="odd",
    values=((0, 0), (1, 1), (8, 2), (27, 3), (64, 4)), source="the inverse of u^3", keeps_sign=True,
)  # fmt: skip
LOG10: Operator = unary(
    "log10", lambda n, a: reciprocal(mul(a, ln(const(10)))), rule="logarithm rule",
    sympy=lambda s, a: s.log(a, 10), latex=r"\log_{10}", domain=_positive,
    spellings=("lg",), values=((1, 0), (10, 1), (100, 2), (1000, 3)), source="DLMF 4.2.17",
)  # fmt: skip
LOG2: Operator = unary(
    "log2", lambda n, a: reciprocal(mul(a, ln(TWO))), rule="logarithm rule",
    sympy=lambda s, a: s.log(a, 2), mpmath=lambda m, a: m.log(a, 2), latex=r"\log_{2}",
    domain=_positive,
    spellings=("lb",), values=((1, 0), (2, 1), (4, 2), (8, 3), (16, 4)), source="DLMF 4.2.17",
)  # fmt: skip
LOG: Operator = register(Operator(
    "logb", (2, 2),
    (
        lambda n, a, b: reciprocal(mul(a, ln(b))),
        lambda n, a, b: neg(div(ln(a), mul(b, square(ln(b))))),
    ),
    ("logarithm rule", "logarithm rule, by the base"),
    sympy=lambda s, a, b: s.log(a) / s.log(b), mpmath=lambda m, a,
    b: m.ln(a) / m.ln(b) if b else m.nan,
    numpy="np.log({0}) / np.log({1})", latex=r"\log", notation="logarithm",
    domain=lambda a, b: (*_positive(a), *((relation(">", b, ZERO), relation("!=", b, ONE)))),
    source="DLMF 4.2.18",
))  # fmt: skip
