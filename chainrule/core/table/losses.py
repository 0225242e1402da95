"""Softmax and its logarithm, and the losses of learning: means over examples.

All go along the last axis: over a vector, or over each row of a matrix.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.core import arrays
from chainrule.core.arithmetic import div, ln, mul, size, sub
from chainrule.core.expr import MINUS_ONE, ONE, TWO, Apply, Expr, apply
from chainrule.core.linmap import (
    Along,
    Inner,
    LinMap,
    Plus,
    Scale,
    Spread,
    Sum,
    Zero,
    compose,
    identity,
)
from chainrule.core.ops import Operator
from chainrule.core.shape import Shape
from chainrule.core.table.parts import sized
from chainrule.core.table.structural import array_only, each, needs, no_slope, structural


def _weighted(p: Expr) -> LinMap:
    """dz -> the mean of dz weighted with p, of each row."""
    if len(p.shape) == 1:
        return Inner(p.shape, (), p)
    return compose(Scale(p.shape, p.shape, p), Sum(p.shape, p.shape[:1], 1))


def _less(kept: LinMap, *taken: LinMap) -> LinMap:
    """One map less the composition of others."""
    shape = kept.codomain
    return Plus(kept.domain, shape, (kept, compose(*taken, Scale(shape, shape, MINUS_ONE))))


def _softmax_map(p: Apply, z: Expr) -> LinMap:
    scale = Scale(z.shape, z.shape, p)
    if len(z.shape) == 1:
        return _less(scale, Inner(z.shape, (), p), Along((), z.shape, p))
    return _less(scale, _weighted(p), Spread(z.shape[:1], z.shape, 1), scale)


def _log_softmax_map(node: Apply, z: Expr) -> LinMap:
    axis = 1 if len(z.shape) == 2 else None
    spread = Spread(z.shape[:-1], z.shape, axis)
    return _less(identity(z.shape), _weighted(apply(SOFTMAX, z)), spread)


def _last(m: Any, a: Any) -> Any:
    """The sums of exponentials along the last axis, which is kept with length 1."""
    total = each(m.exp, a).sum(axis=-1)
    return total[:, None] if a.ndim == 2 else total


def _logsumexp(m: Any, a: Any) -> Any:
    total = each(m.exp, a).sum(axis=-1)
    return each(m.log, total) if a.ndim == 2 else m.log(total)


SOFTMAX: Operator = structural(
    "softmax", array_only("softmax", lambda z: z.shape), (_softmax_map,), "derivative of softmax",
    lambda m, a: each(m.exp, a) / _last(m, a),
    "{h0} = np.exp({0} - {0}.max(axis=-1, keepdims=True))\n"
    "{h0} / {h0}.sum(axis=-1, keepdims=True)",
    source="Bishop 2006, eq. 4.106",
)  # fmt: skip
LOGSUMEXP: Operator = structural(
    "logsumexp", array_only("logsumexp", lambda z: z.shape[:-1]),
    (lambda n, z: _weighted(apply(SOFTMAX, z)),), "derivative of logsumexp", _logsumexp,
    "{h0} = {0}.max(axis=-1)\n"
    "{h0} + np.log(np.exp({0} - {h0}[..., None]).sum(axis=-1))",
    source="Boyd & Vandenberghe 2004, A.4.1",
)  # fmt: skip
LOG_SOFTMAX: Operator = structural(
    "log_softmax", array_only("log_softmax", lambda z: z.shape), (_log_softmax_map,),
    "derivative of log_softmax",
    lambda m, a: a - (_logsumexp(m, a)[:, None] if a.ndim == 2 else _logsumexp(m, a)),
    "{h0} = {0} - {0}.max(axis=-1, keepdims=True)\n"
    "{h0} - np.log(np.exp({h0}).sum(axis=-1, keepdims=True))",
    source="the logarithm of Bishop 2006, eq. 4.104",
)  # fmt: skip


# ---- losses


def _alike(name: str, least: int = 0) -> Callable[[Expr, Expr], Shape]:
    def shape(a: Expr, b: Expr) -> Shape:
        needs(
            a.shape == b.shape and len(a.shape) >= least, f"`{name}` needs two of one shape", a, b,
            hint="predictions and targets, entry by entry",
        )  # fmt: skip
        return ()

    return shape


def _mean(a: Expr, shape: Shape) -> LinMap:
    """dz -> <a, dz> over the number of entries."""
    return Inner(shape, (), arrays.scaled(div(ONE, arrays.count(shape)), a))


MSE: Operator = structural(
    "mse", _alike("mse"),
    (
        lambda n, a, b: _mean(arrays.scaled(TWO, sub(a, b)), a.shape),
        lambda n, a, b: _mean(arrays.scaled(TWO, sub(b, a)), a.shape),
    ),
    "derivative of the mean squared error",
    lambda _, a, b: ((a - b) ** 2).sum() / a.size if hasattr(a, "sum") else (a - b) ** 2,
    "np.mean(({0} - {1}) ** 2)", source="Bishop 2006, eq. 3.12, over N/2",
)  # fmt: skip


def _binary_by_p(node: Apply, p: Expr, y: Expr) -> LinMap:
    return _mean(div(sub(p, y), mul(p, sub(ONE, p))), p.shape)


def _binary_by_y(node: Apply, p: Expr, y: Expr) -> LinMap:
    return _mean(sub(ln(sub(ONE, p)), ln(p)), p.shape)


def _binary(m: Any, p: Any, y: Any) -> Any:
    if not hasattr(p, "sum"):
        return -(y * m.log(p) + (1 - y) * m.log(1 - p))
    return -(y * each(m.log, p) + (1 - y) * each(m.log, 1 - p)).sum() / p.size


BINARY_CROSS_ENTROPY: Operator = structural(
    "binary_cross_entropy", _alike("binary_cross_entropy"), (_binary_by_p, _binary_by_y),
    "derivative of the cross-entropy", _binary,
    # Probabilities of 0 and 1 stay finite: the least and the greatest between them count.
    "{h0} = np.finfo({0}.dtype)\n"
    "-np.mean({1} * np.log(np.maximum({0}, {h0}.tiny))"
    " + (1 - {1}) * np.log1p(-np.minimum({0}, 1 - {h0}.epsneg)))",
    source="Bishop 2006, eq. 4.90, over N",
)  # fmt: skip


def _rows(z: Expr) -> Expr:
    """The number of examples: rows of a matrix, 1 for a vector."""
    return arrays.count(z.shape[:-1])


def _cross_by_logits(node: Apply, z: Expr, y: Expr) -> LinMap:
    slope = sub(apply(SOFTMAX, z), y)
    return Inner(z.shape, (), arrays.scaled(div(ONE, _rows(z)), slope))


def _cross_by_labels(node: Apply, z: Expr, y: Expr) -> LinMap:
    return Inner(z.shape, (), arrays.scaled(div(MINUS_ONE, _rows(z)), z))


def _cross(m: Any, z: Any, y: Any) -> Any:
    losses = _logsumexp(m, z) - (z * y).sum(axis=-1)
    return losses.sum() / len(losses) if z.ndim == 2 else losses


CROSS_ENTROPY: Operator = structural(
    "cross_entropy", _alike("cross_entropy", 1), (_cross_by_logits, _cross_by_labels),
    "derivative of softmax with cross-entropy", _cross,
    # The greatest logit less the label's comes first: that difference is exact.
    "{h0} = {0}.max(axis=-1)\n"
    "np.mean({h0} - ({0} * {1}).sum(axis=-1)"
    " + np.log(np.exp({0} - {h0}[..., None]).sum(axis=-1)))",
    source="Bishop 2006, eq. 4.108 and 4.109, over N",
)  # fmt: skip


def _one_hot_shape(labels: Expr, classes: Expr) -> Shape:
    needs(len(labels.shape) == 1, "`one_hot` needs a vector of class numbers", labels)
    return (*labels.shape, *sized(classes))


def _one_hot(_: Any, labels: Any, classes: Any) -> Any:
    return (labels[:, None] == list(range(int(classes)))) * 1


ONE_HOT: Operator = structural(
    "one_hot", _one_hot_shape, (lambda n, labels, _: Zero(labels.shape, n.shape), no_slope),
    "constant between jumps", _one_hot,
    "({0}[:, None] == np.arange({1})).astype({dtype})",
)  # fmt: skip


def cross_entropy(logits: Expr, labels: Expr) -> Expr:
    """The cross-entropy; a vector of class numbers stands for the matrix with a 1 in each row.

    >>> from chainrule.core.expr import symbol
    >>> cross_entropy(symbol("Z", ("N", 3)), symbol("y", ("N",)))
    cross_entropy(Z, one_hot(y, 3))
    """
    if len(logits.shape) == 2 and labels.shape == logits.shape[:1]:
        labels = apply(ONE_HOT, labels, size(logits.shape[1]))
    return apply(CROSS_ENTROPY, logits, labels)
