"""From rows of the table to the operations that a person who tunes by hand would write.

A softmax and the cross-entropy beside it share one exponential; a vector of ones that only
repeats something is left to broadcasting; a product with a diagonal matrix is one with its
diagonal. The result is one more DAG, of the table's rows and a few private ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from chainrule.core import arrays
from chainrule.core.arithmetic import (
    ADD, DIV, EXP, LN, MUL, NEG, SUB, add, div, mul, neg, size, sub,
)
from chainrule.core.expr import ONE, Apply, Const, Expr, apply, const, topological
from chainrule.core.ops import Operator, lookup
from chainrule.core.shape import Shape


def private(name: str, numpy: str, shape: Callable[..., Shape] | None, arity: int = 1) -> Operator:
    """A row that only generated code has: it is neither read nor differentiated."""

    def nothing(*_: Any) -> Any:
        raise NotImplementedError(name)

    return Operator(
        name, (arity, arity), (), (), nothing, nothing, numpy, rf"\operatorname{{{name}}}", shape=shape
    )


def _kept(a: Expr) -> Shape:
    return (a.shape[0], 1) if len(a.shape) == 2 else ()


ROW_MAX = private("rowmax", "{0}.max({keep})", _kept)
ROW_SUM = private("rowsum", "{0}.sum({keep})", _kept)
COLUMN = private("column", "{0}[:, None]", lambda a: (*a.shape, 1))
FLAT = private("flat", "{0}[:, 0]", lambda a: a.shape[:1])
FULL = private("full", "np.full({shape}, {0}, {dtype})", lambda value, *dims: tuple(map(arrays.dim_of, dims)))


def full(value: Expr, shape: Shape) -> Expr:
    """The value repeated to this shape, as NumPy broadcasts; lazily: `_spread` undoes it."""
    return apply(FULL, value, *map(size, shape))


def row_max(z: Expr) -> Expr:
    """The greatest of each row, kept as a column; of a vector the greatest."""
    return apply(ROW_MAX, z)


def row_sum(z: Expr) -> Expr:
    """The sum of each row, kept as a column; of a vector the sum."""
    return apply(ROW_SUM, z)


def column(v: Expr) -> Expr:
    """A vector with a second axis of length 1, which broadcasts along the rows."""
    return apply(COLUMN, v)


class Expansion:
    """Rewrites nodes from the leaves up; equal parts stay one node.

    Attributes:
        hints: what the helpers of a softmax are called after: node, node it is of, suffix.
    """

    def __init__(self) -> None:
        self.new: dict[Expr, Expr] = {}
        self.hints: dict[Expr, tuple[Expr, str]] = {}

    def run(self, roots: Iterable[Expr]) -> None:
        """Rewrite everything below the roots; `new` has the result of each node."""
        for node in topological(roots):
            if node in self.new:
                continue
            if not isinstance(node, Apply):
                self.new[node] = node
                continue
            args = tuple(self.new[a] for a in node.args)
            rule = _RULES.get(node.op.name)
            found = rule(self, node, *args) if rule else None
            if found is None:
                found = node if args == node.args else apply(node.op, *args)
            self.new[node] = found

    def hint(self, node: Expr, of: Expr, suffix: str) -> Expr:
        """Suggest a name for a helper."""
        self.hints.setdefault(node, (of, suffix))
        return node


# ---- softmax and its relatives share one exponential


def _exponentials(e: Expansion, z: Expr) -> tuple[Expr, Expr, Expr, Expr]:
    """Greatest, difference to it, exponential of that, and the sums of these, by rows."""
    top = e.hint(row_max(z), z, "max")
    below = sub(z, top)
    raised = e.hint(apply(EXP, below), z, "exp")
    return top, below, raised, e.hint(row_sum(raised), z, "sum")


def _softmax(e: Expansion, node: Apply, z: Expr) -> Expr:
    _, _, raised, total = _exponentials(e, z)
    return e.hint(apply(DIV, raised, total), z, "softmax")


def _log_softmax(e: Expansion, node: Apply, z: Expr) -> Expr:
    _, below, _, total = _exponentials(e, z)
    return apply(SUB, e.hint(below, z, "shifted"), apply(LN, total))


def _logsumexp(e: Expansion, node: Apply, z: Expr) -> Expr:
    top, _, _, total = _exponentials(e, z)
    found = apply(ADD, top, apply(LN, total))
    return apply(FLAT, found) if found.shape else found


def _cross_entropy(e: Expansion, node: Apply, z: Expr, y: Expr) -> Expr:
    # The greatest logit less the label's comes first: that difference is exact.
    top, _, _, total = _exponentials(e, z)
    losses = apply(ADD, apply(SUB, top, row_sum(apply(MUL, z, y))), apply(LN, total))
    return apply(lookup("mean"), losses) if losses.shape else losses


def _mse(e: Expansion, node: Apply, a: Expr, b: Expr) -> Expr:
    squares = apply(lookup("pow"), sub(a, b), const(2))
    return apply(lookup("mean"), squares) if squares.shape else squares


def _silu(e: Expansion, node: Apply, z: Expr) -> Expr:
    return apply(MUL, z, apply(lookup("sigmoid"), z))


# ---- what broadcasting does by itself


def _spread(a: Expr) -> Expr:
    """What `a` repeats: a scalar, a row, or a column; itself where it repeats nothing."""
    if arrays.is_op(a, "ones"):
        return ONE
    return a.args[0] if a.op is FULL else a


def _broadcast(e: Expansion, node: Apply, a: Expr, b: Expr) -> Expr:
    """An element-wise operation, without repeating what NumPy repeats."""
    found = _folded(node.op, _spread(a), _spread(b))
    return found if found.shape == node.shape else full(found, node.shape)


def _neg(e: Expansion, node: Apply, a: Expr) -> Expr:
    return full(neg(a.args[0]), node.shape) if a.op is FULL else neg(a)


_FOLDING: dict[Operator, Callable[[Expr, Expr], Expr]] = {ADD: add, SUB: sub, MUL: mul, DIV: div}


def _folded(op: Operator, a: Expr, b: Expr) -> Expr:
    if op is MUL:
        for factor, other in ((a, b), (b, a)):
            if factor.shape or other.op is NEG:
                continue
            if factor.op is DIV and factor.args[0] is ONE and (other.shape or type(other) is Const):
                return div(other, factor.args[1])  # (1/n) a is a/n
            if factor.op is NEG and other.shape:
                return neg(_folded(MUL, factor.args[0], other))
    return _FOLDING[op](a, b)


def _outer(e: Expansion, node: Apply, a: Expr, b: Expr) -> Expr:
    if arrays.is_op(a, "ones"):
        return full(b, node.shape)
    if arrays.is_op(b, "ones"):
        return full(column(a), node.shape)
    return apply(MUL, column(a), b)


def _matmul(e: Expansion, node: Apply, a: Expr, b: Expr) -> Expr | None:
    """Products with ones are sums, products with a diagonal matrix are scalings."""
    if arrays.is_op(b, "ones") and len(b.shape) == 1 and len(a.shape) == 2 and node.shape:
        return _sum_rows(a)
    if arrays.is_op(a, "ones") and len(a.shape) == 1 and len(b.shape) == 2 and node.shape:
        return arrays.total(b, 0) if b.shape[0] != 1 else None
    if arrays.is_op(a, "diag") and len(b.shape) == 2:
        return mul(column(a.args[0]), b)
    if arrays.is_op(b, "diag") and len(a.shape) == 2:
        return mul(a, b.args[0])
    if arrays.is_op(b, "ones") and len(b.shape) == 2 and a.shape[1:] == (1,):
        return full(a, node.shape)
    if arrays.is_op(b, "ones") and b.shape[1:] == (1,) and len(a.shape) == 2:
        return row_sum(a)
    return None


def _sum_rows(a: Expr) -> Expr:
    if arrays.is_op(a, "transpose"):
        return arrays.total(a.args[0], 0)
    return arrays.total(a, 1)


_RULES: Mapping[str, Callable[..., Expr | None]] = {
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "logsumexp": _logsumexp,
    "cross_entropy": _cross_entropy,
    "mse": _mse,
    "silu": _silu,
    "add": _broadcast,
    "sub": _broadcast,
    "mul": _broadcast,
    "div": _broadcast,
    "neg": _neg,
    "outer": _outer,
    "matmul": _matmul,
}
