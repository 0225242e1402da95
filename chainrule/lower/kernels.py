"""From rows of the table to the operations that a person who tunes by hand would write.

A softmax and the cross-entropy beside it share one exponential; a vector of ones that only
repeats something is left to broadcasting; a product with a diagonal matrix is one with its
diagonal. The result is one more DAG, of the table's rows and a few private ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from chainrule.core import arrays
from chainrule.core.arithmetic import (
    ADD,
    DIV,
    EXP,
    LN,
    MUL,
    NEG,
    SUB,
    add,
    div,
    mul,
    neg,
    sub,
)
from chainrule.core.expr import HALF, ONE, ZERO, Apply, Const, Expr, apply, const, topological
from chainrule.core.ops import Operator, lookup
from chainrule.lower.private import (
    ABOVE_ZERO,
    BELOW_ONE,
    COLUMN,
    ERFC,
    FLAT,
    FULL,
    LOG1P,
    ROW_MAX,
    ROW_SUM,
    XLOGY,
    full,
)  # fmt: skip


def row_max(z: Expr) -> Expr:
    """The greatest of each row, kept as a column; of a vector the greatest."""
    return apply(ROW_MAX, z)


def row_sum(z: Expr) -> Expr:
    """The sum of each row, kept as a column; of a vector the sum."""
    return apply(ROW_SUM, z)


def column(v: Expr) -> Expr:
    """A vector with a second axis of length 1, which broadcasts along the rows."""
    return apply(COLUMN, v)


_WHOLE = frozenset({
    "softmax", "log_softmax", "logsumexp", "cross_entropy", "mse", "gelu", "silu",
    "binary_cross_entropy", "binary_cross_entropy_of_logits",
})  # fmt: skip


class Expansion:
    """Rewrites nodes from the leaves up; equal parts stay one node.

    Attributes:
        hints: what the helpers of a softmax are called after: node, node it is of, suffix.
    """

    def __init__(self) -> None:
        self.new: dict[Expr, Expr] = {}
        self.hints: dict[Expr, tuple[Expr, str]] = {}
        self.wholes: dict[Expr, tuple[Operator, tuple[Expr, ...]]] = {}
        self.rectified: dict[Expr, Expr] = {}  # argument of relu -> its value

    def run(self, roots: Iterable[Expr]) -> None:
        """Rewrite everything below the roots; `new` has the result of each node."""
        order = topological(roots)
        relu = lookup("relu")
        self.rectified = {node.args[0]: node for node in order if node.op is relu}
        new = self.new
        for node in order:
            if node in new:
                continue
            if not isinstance(node, Apply):
                new[node] = node
                continue
            args = tuple([new[a] for a in node.args])
            rule = _RULES.get(node.op.name)
            found = rule(self, node, *args) if rule else None
            if found is None:
                found = node if args == node.args else apply(node.op, *args)
            elif node.op.name in _WHOLE:
                self.wholes.setdefault(found, (node.op, args))
            new[node] = found

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
    return _mean(losses)


def _mse(e: Expansion, node: Apply, a: Expr, b: Expr) -> Expr:
    squares = apply(lookup("pow"), sub(a, b), const(2))
    return _mean(squares)


def _positive(e: Expansion, node: Apply, z: Expr, bound: Expr) -> Expr | None:
    # relu(z) > 0 is z > 0, and z is needed no longer.
    value = e.rectified.get(node.args[0])
    if bound is not ZERO or value not in e.new:
        return None
    return apply(node.op, e.new[value], ZERO)


def _gelu(e: Expansion, node: Apply, z: Expr) -> Expr:
    root = _constant("sqrt", 2)
    return mul(mul(HALF, z), apply(ERFC, neg(div(z, root))))


def _constant(name: str, value: int) -> Expr:
    return apply(lookup(name), const(value))


def _probability_loss(e: Expansion, node: Apply, p: Expr, y: Expr) -> Expr:
    above = mul(y, apply(LN, apply(ABOVE_ZERO, p)))
    below = mul(sub(ONE, y), apply(LOG1P, neg(apply(BELOW_ONE, p))))
    return neg(_mean(add(above, below)))


def _logit_loss(e: Expansion, node: Apply, z: Expr, y: Expr) -> Expr:
    return _mean(sub(apply(lookup("softplus"), z), mul(y, z)))


def _mean(a: Expr) -> Expr:
    return apply(lookup("mean"), a) if a.shape else a


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
    if node.shape:
        a, b = _spread(a), _spread(b)
    found = _special(node.op, a, b)
    if found is None:
        found = _folded(node.op, a, b)
    return found if found.shape == node.shape else full(found, node.shape)


def _neg(e: Expansion, node: Apply, a: Expr) -> Expr:
    return full(neg(a.args[0]), node.shape) if a.op is FULL else neg(a)


def _special(op: Operator, a: Expr, b: Expr) -> Expr | None:
    if op is ADD and a is ONE and arrays.is_op(b, "erf"):
        return apply(ERFC, neg(b.args[0]))  # without cancellation
    if op is MUL:
        if a.op is LN or b.op is LN:
            for x, y in ((a, b), (b, a)):
                power = x.op is not None and x.op.name == "pow"
                if y.op is LN and power and x.args[0] is y.args[0]:
                    return apply(XLOGY, x, y.args[0])  # the slope of a^b by b, 0 at a = 0
        return None
    if op is ADD and a.op is NEG and b.op is not NEG:
        op, a, b = SUB, b, a.args[0]
        found = _common_factor(op, a, b)
        return sub(a, b) if found is None else found
    if op in (ADD, SUB):
        return _common_factor(op, a, b)
    return None


def _common_factor(op: Operator, a: Expr, b: Expr) -> Expr | None:
    """a c + b c as (a + b) c, and likewise a/c, for a scalar c."""
    if a.op is b.op is DIV and a.args[1] is b.args[1] and not a.args[1].shape and a.shape:
        return div(_FOLDING[op](a.args[0], b.args[0]), a.args[1])
    if a.op is b.op is MUL and a.shape == b.shape != ():
        for factor, x in ((a.args[0], a.args[1]), (a.args[1], a.args[0])):
            for other, y in ((b.args[0], b.args[1]), (b.args[1], b.args[0])):
                if factor is other and not factor.shape:
                    return mul(factor, _FOLDING[op](x, y))
    return None


_FOLDING: dict[Operator, Callable[[Expr, Expr], Expr]] = {ADD: add, SUB: sub, MUL: mul, DIV: div}


def _folded(op: Operator, a: Expr, b: Expr) -> Expr:
    if op is not MUL:
        return _FOLDING[op](a, b)
    if (a.op is NEG and not a.shape and b.shape) or (b.op is NEG and not b.shape and a.shape):
        odd_a, a = (True, a.args[0]) if a.op is NEG else (False, a)
        odd_b, b = (True, b.args[0]) if b.op is NEG else (False, b)
        product = _product(a, b)
        return product if odd_a == odd_b else neg(product)
    return _product(a, b)


def _product(a: Expr, b: Expr) -> Expr:
    if a.op is DIV or b.op is DIV:
        for factor, other in ((a, b), (b, a)):
            reciprocal = factor.op is DIV and factor.args[0] is ONE and not factor.shape
            if reciprocal and other.op is not NEG and (other.shape or type(other) is Const):
                return div(other, factor.args[1])  # (1/n) a is a/n
    return mul(a, b)


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
    "binary_cross_entropy": _probability_loss,
    "binary_cross_entropy_of_logits": _logit_loss,
    "silu": _silu,
    "gelu": _gelu,
    ">": _positive,
    "add": _broadcast,
    "sub": _broadcast,
    "mul": _broadcast,
    "div": _broadcast,
    "neg": _neg,
    "outer": _outer,
    "matmul": _matmul,
}
