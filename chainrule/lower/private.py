"""Rows that only generated code has: safe forms of rows of the table, and whole-row operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.core import arrays
from chainrule.core.arithmetic import ADD, div, exp, ln, mul, neg, relation, size, square, sub
from chainrule.core.expr import MINUS_ONE, ONE, ZERO, Apply, Expr, apply
from chainrule.core.linmap import Inner, LinMap
from chainrule.core.ops import Operator, lookup
from chainrule.core.shape import Shape
from chainrule.core.table import neural, piecewise  # noqa: F401  (rows that are looked up)


def _nothing(*_: Any) -> Any:
    raise NotImplementedError("a row of generated code is not evaluated elsewhere")


def private(
    name: str,
    numpy: str,
    arity: int = 1,
    shape: Callable[..., Shape] | None = None,
    partials: tuple[Callable[..., Expr], ...] = (),
    maps: tuple[Callable[..., LinMap], ...] = (),
    domain: Callable[..., tuple[Expr, ...]] = lambda *args: (),
) -> Operator:
    """A row outside the table: neither read nor printed in a derivation."""
    return Operator(
        name, (arity, arity), partials, ("",), _nothing, _nothing, numpy,
        rf"\operatorname{{{name}}}", shape=shape, maps=maps, domain=domain,
    )  # fmt: skip


# ---- where the value or the slope is known, and the formula gives 0/0 or 0 times infinity

INVERSE: Operator = private("inverse", "_inverse({0})", partials=(lambda n, a: neg(square(n)),))
"""1/x, and 0 at 0."""

RATIO: Operator = private(
    "ratio", "_ratio({0}, {1})", 2,
    partials=(lambda n, a, b: apply(INVERSE, b), lambda n, a, b: neg(apply(RATIO, n, b))),
)  # fmt: skip
"""x/y, and 0 where x is 0."""

XLOGY: Operator = private(
    "xlogy", "_xlogy({0}, {1})", 2,
    partials=(lambda n, a, b: ln(b), lambda n, a, b: apply(RATIO, a, b)),
    domain=lambda a, b: (relation(">", b, ZERO),),
)  # fmt: skip
"""x ln(y), and 0 where x is 0."""

NORM: Operator = private(
    "norm", "np.linalg.norm({0})", shape=lambda a: (),
    maps=(lambda n, a: Inner(a.shape, (), arrays.scaled(apply(INVERSE, n), a)),),
)  # fmt: skip
"""The norm with slope 0 at 0."""

ABOVE_ZERO: Operator = private(
    "above0", "np.maximum({0}, np.finfo({dtype}).tiny)", partials=(lambda n, a: ONE,)
)
"""At least the smallest normal number."""

WELL_ABOVE_ZERO: Operator = private(
    "above0", "np.maximum({0}, np.sqrt(np.finfo({dtype}).tiny))", partials=(lambda n, a: ONE,)
)
"""At least a number whose reciprocal is far from overflowing."""

BELOW_ONE: Operator = private(
    "below1", "np.minimum({0}, 1 - np.finfo({dtype}).epsneg)", partials=(lambda n, a: ONE,)
)
"""At most the greatest number below 1."""

ELU: Operator = private(
    "elu", lookup("elu").numpy, partials=(lambda n, a: exp(apply(lookup("min"), a, ZERO)),)
)
"""elu, whose slope does not compute exp(x) for positive x."""

LOG1P: Operator = private(
    "log1p", "np.log1p({0})", partials=(lambda n, a: div(ONE, apply(ADD, ONE, a)),)
)


# ---- cross-entropy of probabilities, and of the sigmoid of a logit


def _mean(a: Expr, shape: Shape) -> LinMap:
    return Inner(shape, (), arrays.scaled(div(ONE, arrays.count(shape)), a))


def _by_probability(node: Apply, p: Expr, y: Expr) -> LinMap:
    below = div(sub(ONE, y), sub(ONE, apply(BELOW_ONE, p)))
    return _mean(sub(below, div(y, apply(WELL_ABOVE_ZERO, p))), p.shape)


def _by_target(node: Apply, p: Expr, y: Expr) -> LinMap:
    below = apply(LOG1P, neg(apply(BELOW_ONE, p)))
    return _mean(sub(below, ln(apply(ABOVE_ZERO, p))), p.shape)


PROBABILITY_LOSS: Operator = private(
    "binary_cross_entropy", "", 2, lambda p, y: (), maps=(_by_probability, _by_target)
)
"""The binary cross-entropy of probabilities, which may be 0 and 1."""

LOGIT_LOSS: Operator = private(
    "binary_cross_entropy_of_logits", "", 2, lambda z, y: (),
    maps=(
        lambda n, z, y: _mean(sub(apply(lookup("sigmoid"), z), y), z.shape),
        lambda n, z, y: _mean(mul(MINUS_ONE, z), z.shape),
    ),
)  # fmt: skip
"""mean(softplus(z) - y z): the binary cross-entropy of the sigmoid of z."""


# ---- whole rows, kept as columns


def _kept(a: Expr) -> Shape:
    return (a.shape[0], 1) if len(a.shape) == 2 else ()


ROW_MAX: Operator = private("rowmax", "{0}.max({keep})", shape=_kept)
ROW_SUM: Operator = private("rowsum", "{0}.sum({keep})", shape=_kept)
COLUMN: Operator = private("column", "{0}[:, None]", shape=lambda a: (*a.shape, 1))
FLAT: Operator = private("flat", "{0}[:, 0]", shape=lambda a: a.shape[:1])
FULL: Operator = private(
    "full", "np.full({shape}, {0}, {dtype})", 3,
    lambda value, *dims: tuple(map(arrays.dim_of, dims)),
)  # fmt: skip
BASIS: Operator = private("basis", "", 2, lambda *dims: tuple(map(arrays.dim_of, dims)))
"""An array of 0 with a 1, at each place in turn along an axis in front."""

STACK: Operator = private("stack", "", 2, lambda *parts: parts[0].shape)
"""Parts of one shape, one after the other along an axis in front."""

ERFC: Operator = private("erfc", "_erfc({0})")


def full(value: Expr, shape: Shape) -> Expr:
    """The value repeated to this shape, as NumPy broadcasts."""
    return apply(FULL, value, *map(size, shape))
