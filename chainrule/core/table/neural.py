"""Activation functions of neural networks, each in its numerically stable form."""

from __future__ import annotations

from typing import Any

from chainrule.core.arithmetic import PI, add, div, exp, mul, neg, relation, square, sub
from chainrule.core.expr import HALF, ONE, TWO, ZERO, Expr, apply
from chainrule.core.intervals import NONNEGATIVE, POSITIVE, Interval
from chainrule.core.ops import Kink, Operator, register
from chainrule.core.table.elementary import SQRT
from chainrule.core.table.piecewise import cases, indicator
from chainrule.core.table.rows import unary
from chainrule.core.table.special import ERF


def _normal_cdf(a: Expr) -> Expr:
    return mul(HALF, add(ONE, apply(ERF, div(a, apply(SQRT, TWO)))))


def _normal_density(a: Expr) -> Expr:
    return div(exp(neg(div(square(a), TWO))), apply(SQRT, mul(TWO, apply(PI))))


def _logistic(m: Any, a: Any) -> Any:
    return 1 / (1 + m.exp(-a))


SIGMOID: Operator = unary(
    "sigmoid", lambda n, a: mul(n, sub(ONE, n)), latex=r"\operatorname{sigmoid}",
    spellings=("logistic", "expit"),
    sympy=lambda s, a: 1 / (1 + s.exp(-a)), mpmath=_logistic,
    numpy="np.exp(np.minimum({0}, 0)) / (1 + np.exp(-np.abs({0})))", source="Bishop 2006, eq. 4.88",
    range=Interval(0, 1, True, True),
)  # fmt: skip
SOFTPLUS: Operator = unary(
    "softplus", lambda n, a: apply(SIGMOID, a), latex=r"\operatorname{softplus}",
    sympy=lambda s, a: s.log(1 + s.exp(a)), mpmath=lambda m, a: m.log1p(m.exp(a)),
    numpy="np.logaddexp(0, {0})", source="Dugas et al. 2001, eq. 2", range=POSITIVE,
)  # fmt: skip
RELU: Operator = unary(
    "relu", lambda n, a: indicator(relation(">", a, ZERO)), latex=r"\operatorname{relu}",
    sympy=lambda s, a: s.Max(0, a), mpmath=lambda m, a: max(a, m.mpf(0)),
    numpy="np.maximum({0}, 0)",
    kinks=lambda a: (Kink(relation("==", a, ZERO), "relu'(0) = 0"),),
    source="Glorot et al. 2011, sec. 3",
    range=NONNEGATIVE, enclosure=lambda a: a if a.positive else NONNEGATIVE,
)  # fmt: skip
LEAKY_RELU: Operator = register(Operator(
    "leaky_relu", (2, 2),
    (
        lambda n, a, slope: cases(ONE, relation(">", a, ZERO), slope),
        lambda n, a, slope: cases(ZERO, relation(">", a, ZERO), a),
    ),
    ("derivative of leaky_relu", "slope of leaky_relu"),
    sympy=lambda s, a, slope: s.Piecewise((a, a > 0), (slope * a, True)),
    mpmath=lambda m, a, slope: a if a > 0 else slope * a,
    numpy="np.where({0} > 0, {0}, {1} * {0})", latex=r"\operatorname{leaky\_relu}",
    kinks=lambda a, slope: (Kink(relation("==", a, ZERO), "leaky_relu'(0) = the slope below 0"),),
    source="Maas et al. 2013, sec. 2",
))  # fmt: skip
ELU: Operator = unary(
    "elu", lambda n, a: cases(ONE, relation(">", a, ZERO), exp(a)), latex=r"\operatorname{elu}",
    sympy=lambda s, a: s.Piecewise((a, a > 0), (s.exp(a) - 1, True)),
    mpmath=lambda m, a: a if a > 0 else m.expm1(a),
    numpy="np.where({0} > 0, {0}, np.expm1(np.minimum({0}, 0)))",
    source="Clevert et al. 2016, eq. 3, with alpha = 1: its slope at 0 is 1 from both sides",
    range=Interval(-1, None, True), keeps_sign=True,
)  # fmt: skip
GELU: Operator = unary(
    "gelu", lambda n, a: add(_normal_cdf(a), mul(a, _normal_density(a))),
    latex=r"\operatorname{gelu}",
    sympy=lambda s, a: a * (1 + s.erf(a / s.sqrt(2))) / 2, mpmath=lambda m, a: a * m.ncdf(a),
    numpy="0.5 * {0} * np.vectorize(math.erfc, otypes=[{dtype}])(-{0} / math.sqrt(2))",
    source="Hendrycks & Gimpel 2016, eq. 1",
)  # fmt: skip
SILU: Operator = unary(
    "silu", lambda n, a: mul(apply(SIGMOID, a), add(ONE, mul(a, sub(ONE, apply(SIGMOID, a))))),
    spellings=("swish",), latex=r"\operatorname{silu}",
    sympy=lambda s, a: a / (1 + s.exp(-a)), mpmath=lambda m, a: a * _logistic(m, a),
    numpy="{0} * np.exp(np.minimum({0}, 0)) / (1 + np.exp(-np.abs({0})))",
    source="Elfwing et al. 2018, eq. 1",
)  # fmt: skip
