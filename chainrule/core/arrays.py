"""Folding constructors for vectors and matrices.

As in `chainrule.core.arithmetic`: `apply` keeps what a user wrote, these are for what we
make. They drop identities, zeros and ones, and move scalar factors and signs to the front,
where a person writes them.
"""

from __future__ import annotations

from chainrule.core.arithmetic import DIV, MUL, NEG, add, div, filled, mul
from chainrule.core.expr import ONE, ZERO, Expr, apply, const
from chainrule.core.factors import count as count
from chainrule.core.factors import dim_of as dim_of
from chainrule.core.factors import eye as eye
from chainrule.core.factors import factored as factored
from chainrule.core.factors import is_op as is_op
from chainrule.core.factors import is_zero as is_zero
from chainrule.core.factors import ones as ones
from chainrule.core.factors import row as row
from chainrule.core.factors import scaled as scaled
from chainrule.core.factors import times as times
from chainrule.core.factors import unit as unit
from chainrule.core.factors import zeros as zeros
from chainrule.core.shape import Shape, product_shape


def hadamard(a: Expr, b: Expr) -> Expr:
    """The product element by element, with broadcasting; arrays of ones are dropped."""
    if not a.shape:
        return scaled(a, b)
    if not b.shape:
        return scaled(b, a)
    wide = broadcast_of(a, b)
    if is_zero(a) or is_zero(b):
        return zeros(wide)
    p, a = factored(a)
    q, b = factored(b)
    return scaled(times(p, q), _hadamard(a, b, wide))


def broadcast_of(a: Expr, b: Expr) -> Shape:
    """The shape of both, broadcast."""
    return apply(MUL, a, b).shape


def _hadamard(a: Expr, b: Expr, wide: Shape) -> Expr:
    for this, other in ((a, b), (b, a)):
        if other.shape != wide:
            continue
        if is_op(this, "ones"):
            return other
        # A vector spread over the rows broadcasts by itself.
        if is_op(this, "outer") and is_op(this.args[0], "ones") and not is_op(other, "outer"):
            vector = this.args[1]
            return mul(vector, other) if this is a else mul(other, vector)
        if other.op is DIV and other.args[0] is ONE and this.shape == wide:
            return div(this, other.args[1])
    if is_op(a, "outer") and is_op(b, "outer") and a.shape == b.shape:
        return outer(hadamard(a.args[0], b.args[0]), hadamard(a.args[1], b.args[1]))
    return mul(a, b)


def transpose(a: Expr) -> Expr:
    """The transpose; of a vector, the row.

    >>> from chainrule.core.expr import symbol
    >>> A, B = symbol("A", ("m", "n")), symbol("B", ("n", "k"))
    >>> transpose(transpose(A)), transpose(-A), transpose(matmul(transpose(B), transpose(A)))
    (A, neg(transpose(A)), matmul(A, B))
    """
    if not a.shape:
        return a
    factor, rest = factored(a)
    if is_op(rest, "matmul") and any(map(_turns, rest.args)):
        return scaled(factor, _reversed(rest))
    return scaled(factor, _flipped(rest))


def _flipped(a: Expr) -> Expr:
    """The transpose, of a product as it is."""
    if is_op(a, "transpose"):
        inner = a.args[0]
        return inner if len(inner.shape) == 2 else outer(inner, ones((1,)))
    if is_op(a, "eye") or (is_op(a, "diag") and len(a.shape) == 2):
        return a
    if is_op(a, "ones", "zeros"):
        return filled(str(a.op), a.shape[::-1] if len(a.shape) == 2 else (1, *a.shape))
    if is_op(a, "outer"):
        return outer(a.args[1], a.args[0])
    return apply(row("transpose"), a)


def _turns(a: Expr) -> bool:
    """Whether the transpose is shorter."""
    return len(a.shape) == 2 and is_op(a, "transpose", "diag", "outer")


def _reversed(product: Expr) -> Expr:
    """(a b)' = b' a'."""
    a, b = product.args
    if len(product.shape) == 1 and len(a.shape) == 1:  # a vector from the left
        return matmul(_flipped(a), b)
    if len(a.shape) == 1:  # a column times a row
        return outer(column(b), a)
    return matmul(_flipped(b), _flipped(a))


def column(a: Expr) -> Expr:
    """The vector that a row of shape (1, n) is the transpose of.

    >>> from chainrule.core.expr import symbol
    >>> A, u = symbol("A", ("m", "n")), symbol("u", ("m",))
    >>> column(matmul(transpose(u), A))
    matmul(transpose(A), u)
    """
    factor, a = factored(a)
    behind: list[Expr] = []  # u' A B is the row of B' (A' u)
    while is_op(a, "matmul") and a.args[0].shape[:-1] == (1,) and a.shape[1] != 1:
        a, last = a.args
        behind.append(transpose(last))
    if is_op(a, "transpose") and len(a.args[0].shape) == 1:
        found = a.args[0]
    elif is_op(a, "ones", "zeros"):
        found = filled(str(a.op), a.shape[1:])
    else:
        found = apply(row("index"), a, ZERO)
    for matrix in reversed(behind):
        found = matmul(matrix, found)
    return scaled(factor, found)


def matmul(a: Expr, b: Expr) -> Expr:
    """The matrix product; identities are dropped, scalars and signs go to the front.

    >>> from chainrule.core.expr import symbol
    >>> A, x = symbol("A", ("m", "n")), symbol("x", ("n",))
    >>> matmul(eye("m"), matmul(A, -x))
    neg(matmul(A, x))
    >>> matmul(transpose(A), ones(("m",))), matmul(diag(x), x), matmul(outer(x, x), x)
    (sum(A, 0), mul(x, x), mul(dot(x, x), x))
    """
    if not (a.shape and b.shape):
        return scaled(a, b) if not a.shape else scaled(b, a)
    p, a = factored(a)
    q, b = factored(b)
    return scaled(times(p, q), _matmul(a, b))


def _matmul(a: Expr, b: Expr) -> Expr:
    wide = product_shape(a.shape, b.shape)
    if is_zero(a) or is_zero(b):
        return zeros(wide)
    if is_op(a, "eye") and b.shape == wide:
        return b
    if is_op(b, "eye") and a.shape == wide:
        return a
    ranks = len(a.shape), len(b.shape)
    folded = None
    if ranks == (2, 1):
        folded = _on_column(a, b)
    elif ranks == (1, 2):
        folded = _onrow(a, b) if a.shape[0] == b.shape[0] else None
    elif ranks == (2, 2):
        folded = _of_matrices(a, b)
    return apply(row("matmul"), a, b) if folded is None else folded


def _on_column(a: Expr, x: Expr) -> Expr | None:
    """A x, where that is shorter than as a product."""
    if a.shape[0] == 1:  # a row, and the result a number
        if is_op(a, "ones"):
            return total(x)
        return total(column(a)) if is_op(x, "ones") and is_op(a, "transpose") else None
    if is_op(a, "diag"):
        return hadamard(a.args[0], x)
    if is_op(a, "outer"):
        return scaled(dot(a.args[1], x), a.args[0])
    return total(a, 1) if is_op(x, "ones") else None


def _onrow(x: Expr, a: Expr) -> Expr | None:
    """x' A for a vector x, likewise."""
    if is_op(a, "diag"):
        return hadamard(x, a.args[0])
    if is_op(a, "outer"):
        return scaled(dot(x, a.args[0]), a.args[1])
    return total(a, 0) if is_op(x, "ones") else None


def _of_matrices(a: Expr, b: Expr) -> Expr | None:
    if is_op(a, "diag") and is_op(b, "diag"):
        return diag(hadamard(a.args[0], b.args[0]))
    if is_op(b, "outer") and a.shape[0] != 1:
        return outer(matmul(a, b.args[0]), b.args[1])
    if is_op(a, "outer") and b.shape[1] != 1:
        return outer(a.args[0], matmul(transpose(b), a.args[1]))
    if a.shape[0] == 1 and is_op(b, "diag") and is_op(a, "transpose"):
        return transpose(hadamard(column(a), b.args[0]))
    if a.shape[0] == 1 and is_op(a, "ones") and b.shape[1] != 1:
        return transpose(total(b, 0))
    return None


def dot(a: Expr, b: Expr) -> Expr:
    """The sum of the products of entries; of numbers, the product.

    >>> from chainrule.core.expr import symbol
    >>> A, u = symbol("A", ("n", "n")), symbol("u", ("n",))
    >>> dot(ones(("n",)), u), dot(eye("n"), A), dot(outer(u, u), A)
    (sum(u), trace(A), dot(u, matmul(A, u)))
    """
    if not a.shape:
        return times(a, b)
    p, a = factored(a)
    q, b = factored(b)
    return times(times(p, q), _dot(a, b))


def _dot(a: Expr, b: Expr) -> Expr:
    for this, other in ((a, b), (b, a)):
        if is_zero(this):
            return ZERO
        if is_op(this, "ones"):
            return total(other)
        if is_op(this, "eye"):
            return trace(other)
        if is_op(this, "diag"):
            return dot(this.args[0], diagonal(other))
        if is_op(this, "unit"):
            return apply(row("index"), other, this.args[1])
    for this, other in ((a, b), (b, a)):
        if is_op(this, "outer") and 1 not in this.shape:
            return dot(this.args[0], matmul(other, this.args[1]))
    return apply(row("dot"), a, b)


def trace(a: Expr) -> Expr:
    """The sum of the diagonal.

    >>> from chainrule.core.expr import symbol
    >>> trace(eye("n")), trace(transpose(symbol("A", (2, 2))))
    (n, trace(A))
    """
    factor, rest = factored(a)
    if is_op(rest, "transpose"):
        rest = rest.args[0]
    if is_op(rest, "eye", "diag", "outer", "zeros"):
        return times(factor, total(diagonal(rest)))
    return times(factor, apply(row("trace"), rest))


def outer(a: Expr, b: Expr) -> Expr:
    """The matrix of all products of two vectors' entries."""
    p, a = factored(a)
    q, b = factored(b)
    if is_zero(a) or is_zero(b):
        return zeros((*a.shape, *b.shape))
    if is_op(a, "ones") and is_op(b, "ones"):
        return scaled(times(p, q), ones((*a.shape, *b.shape)))
    return scaled(times(p, q), apply(row("outer"), a, b))


def total(a: Expr, axis: int | None = None) -> Expr:
    """The sum of all entries, or over an axis.

    >>> from chainrule.core.expr import symbol
    >>> total(mul(const(2), ones(("n",))))
    mul(2, n)
    """
    if not a.shape:
        return a
    factor, rest = factored(a)
    while is_op(rest, "transpose") and (axis is None or len(rest.args[0].shape) == 2):
        a = rest = rest.args[0]
        axis = None if axis is None else 1 - axis
    if axis is not None and len(a.shape) == 1:
        axis = None
    left = () if axis is None else a.shape[:axis] + a.shape[axis + 1 :]
    if is_zero(rest):
        return zeros(left)
    if is_op(rest, "ones"):
        over = a.shape if axis is None else (a.shape[axis],)
        return scaled(times(factor, count(over)), ones(left))
    if is_op(rest, "outer"):
        first, second = rest.args
        if axis is None:
            return times(factor, times(total(first), total(second)))
        kept, summed = (second, first) if axis == 0 else (first, second)
        return scaled(times(factor, total(summed)), kept)
    if is_op(rest, "unit"):
        return factor
    if is_op(rest, "eye", "diag"):
        on = diagonal(rest)
        return scaled(factor, total(on) if axis is None else on)
    if is_op(rest, "transpose"):  # a row
        vector = rest.args[0]
        return scaled(factor, shaped(total(vector), (1,)) if axis else vector)
    args = (rest,) if axis is None else (rest, const(axis))
    return scaled(factor, apply(row("sum"), *args))


def diag(a: Expr) -> Expr:
    """The diagonal matrix of a vector."""
    factor, rest = factored(a)
    if is_op(rest, "ones"):
        return scaled(factor, eye(rest.shape[0]))
    return zeros(rest.shape * 2) if is_zero(rest) else scaled(factor, apply(row("diag"), rest))


def diagonal(a: Expr) -> Expr:
    """The diagonal of a square matrix, as a vector."""
    factor, rest = factored(a)
    if is_op(rest, "transpose"):
        rest = rest.args[0]
    if is_zero(rest):
        return zeros(rest.shape[:1])
    if is_op(rest, "eye"):
        return scaled(factor, ones(rest.shape[:1]))
    if is_op(rest, "diag"):
        return scaled(factor, rest.args[0])
    if is_op(rest, "outer"):
        return scaled(factor, hadamard(*rest.args))
    return scaled(factor, apply(row("diagonal"), rest))


def frechet(a: Expr, direction: Expr) -> Expr:
    """The derivative of expm at `a` in this direction; what commutes with `a` goes outside.

    >>> from chainrule.core.expr import symbol
    >>> frechet(symbol("A", ("n", "n")), eye("n"))
    expm(A)
    """
    if is_zero(direction):
        return zeros(a.shape)
    factor, rest = factored(direction)
    if is_op(rest, "eye"):
        return scaled(factor, apply(row("expm"), a))
    return scaled(factor, apply(row("expm_frechet"), a, rest))


def plus(a: Expr, b: Expr) -> Expr:
    """The sum of two arrays of one shape; zeros are dropped."""
    if is_zero(a):
        return b
    if is_zero(b):
        return a
    if a.op is NEG and b.op is not NEG:
        a, b = b, a
    return add(a, b)


def spread(a: Expr, shape: Shape, axis: int | None = None) -> Expr:
    """The array repeated to a larger shape: along `axis`, or as NumPy broadcasts."""
    if a.shape == shape:
        return a
    if a.shape == (1,) and axis is None:
        a = entry(a)
    if not a.shape:
        return scaled(a, ones(shape))
    if len(a.shape) == 1:
        return outer(a, ones(shape[1:])) if axis == 1 else outer(ones(shape[:1]), a)
    if a.shape[0] == 1 and shape[0] != 1:
        a = outer(ones(shape[:1]), column(a))
    if a.shape[1] == 1 and shape[1] != 1:
        a = matmul(a, ones((1, shape[1])))
    return a


def gathered(g: Expr, shape: Shape, axis: int | None = None) -> Expr:
    """The adjoint of `spread`: the sum over what was repeated."""
    if g.shape == shape:
        return g
    if not shape:
        return total(g)
    if shape == (1,) and axis is None:
        return shaped(total(g), shape)
    if len(shape) == 1:
        return total(g, 1 if axis == 1 else 0)
    if shape[0] == 1 and g.shape[0] != 1:
        g = transpose(total(g, 0))
    if shape[1] == 1 and g.shape[1] != 1:
        g = matmul(g, ones((g.shape[1], 1)))
    return g


def entry(a: Expr) -> Expr:
    """The only entry of an array that has one."""
    factor, rest = factored(a)
    if is_op(rest, "ones", "zeros"):
        return factor if is_op(rest, "ones") else ZERO
    return mul(factor, apply(row("index"), rest, *[ZERO] * len(rest.shape)))


def shaped(a: Expr, shape: Shape) -> Expr:
    """An array of one entry in another shape of one entry; every other as it is.

    Products drop axes of length 1, of which the shape of a variable may have some.
    """
    if a.shape == shape:
        return a
    assert {*a.shape, *shape} == {1}, (a.shape, shape)
    return scaled(entry(a) if a.shape else a, ones(shape))
