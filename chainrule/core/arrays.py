"""Folding constructors for vectors and matrices.

As in `chainrule.core.arithmetic`: `apply` keeps what a user wrote, these are for what we
make. They drop identities, zeros and ones, and move scalar factors and signs to the front,
where a person writes them.
"""

from __future__ import annotations

from fractions import Fraction

from chainrule.core.arithmetic import (
    DIV,
    MUL,
    NEG,
    add,
    div,
    filled,
    mul,
    neg,
    reciprocal,
    size,
    unsigned,
)
from chainrule.core.errors import UnsupportedError
from chainrule.core.expr import MINUS_ONE, ONE, ZERO, Const, Expr, Sym, apply, const
from chainrule.core.ops import Operator, lookup
from chainrule.core.shape import Dim, Shape, dimension, product_shape


def _row(name: str) -> Operator:
    return lookup(name)


def zeros(shape: Shape) -> Expr:
    """The array of zeros; 0 for a scalar."""
    return filled("zeros", shape)


def ones(shape: Shape) -> Expr:
    """The array of ones; 1 for a scalar."""
    return filled("ones", shape)


def eye(dim: Dim) -> Expr:
    """The identity matrix."""
    return apply(_row("eye"), size(dim))


def unit(dim: Dim, place: Expr) -> Expr:
    """The vector with 1 at `place`, else 0."""
    return apply(_row("unit"), size(dim), place)


def count(shape: Shape) -> Expr:
    """The number of entries.

    >>> count(("N", 3))
    mul(3, N)
    """
    product: Expr = ONE
    for dim in shape:
        product = mul(product, size(dim))
    return product


def dim_of(node: Expr) -> Dim:
    """The dimension that a scalar expression is: the inverse of `size`.

    Raises:
        UnsupportedError: it is not a sum of names and whole numbers.

    >>> dim_of(size("n") + 1 - size("m"))
    '- m + n + 1'
    """
    terms: dict[str, int] = {}
    stack: list[tuple[Expr, int]] = [(node, 1)]
    while stack:
        part, count = stack.pop()
        if isinstance(part, Const) and isinstance(part.value, int):
            terms[""] = terms.get("", 0) + count * part.value
        elif isinstance(part, Sym) and not part.shape:
            terms[part.name] = terms.get(part.name, 0) + count
        elif part.op is not None and part.op.name in ("add", "sub"):
            stack.append((part.args[0], count))
            stack.append((part.args[1], count if part.op.name == "add" else -count))
        elif part.op is not None and part.op.name == "neg":
            stack.append((part.args[0], -count))
        elif (
            part.op is not None
            and part.op.name == "mul"
            and isinstance(part.args[0], Const)
            and isinstance(part.args[0].value, int)
        ):
            stack.append((part.args[1], count * part.args[0].value))
        else:
            raise UnsupportedError(
                "a dimension is a sum of names and whole numbers", hint="write it as n, 3 or n + 1"
            )
    return dimension({name: count for name, count in terms.items() if count})


def is_op(node: Expr, *names: str) -> bool:
    """Whether the node is an application of one of these rows."""
    return node.op is not None and node.op.name in names


def is_zero(node: Expr) -> bool:
    """Whether it is the number 0 or an array of zeros."""
    return node is ZERO or is_op(node, "zeros")


def factored(node: Expr) -> tuple[Expr, Expr]:
    """A scalar factor and what it multiplies: node = factor * rest; a sign counts.

    >>> from chainrule.core.expr import symbol
    >>> factored(neg(mul(symbol("c"), symbol("x", ("n",)))))
    (neg(c), x)
    """
    factor: Expr = ONE
    while node.shape:
        if node.op is NEG:
            factor, node = neg(factor), node.args[0]
        elif node.op is MUL and not node.args[0].shape:
            factor, node = times(factor, node.args[0]), node.args[1]
        elif node.op is MUL and not node.args[1].shape:
            factor, node = times(factor, node.args[1]), node.args[0]
        elif node.op is DIV and not node.args[1].shape and node.args[0].shape:
            factor, node = times(factor, reciprocal(node.args[1])), node.args[0]
        else:
            break
    return factor, node


def times(a: Expr, b: Expr) -> Expr:
    """The product of two scalar factors: one fraction, its numbers cancelled.

    >>> from chainrule.core.expr import symbol
    >>> N = symbol("N")
    >>> times(const(-2), reciprocal(N)), times(div(const(2), N), const(Fraction(1, 2)))
    (div(-2, N), div(1, N))
    >>> times(mul(const(2), N), reciprocal(N))
    2
    """
    odd_a, a = unsigned(a)
    odd_b, b = unsigned(b)
    product = mul(a, b) if a.op is not DIV and b.op is not DIV else _fraction(a, b)
    return product if odd_a == odd_b else neg(product)


def _fraction(a: Expr, b: Expr) -> Expr:
    (p, q), (r, t) = (n.args if n.op is DIV else (n, ONE) for n in (a, b))
    over, numerator = _number(mul(p, r))
    under, denominator = _number(mul(q, t))
    if over.decimal or under.decimal or under.value == 0:
        return div(mul(p, r), mul(q, t))
    if numerator is denominator:  # where it is 0, the limit counts
        numerator = denominator = ONE
    ratio = Fraction(over.value) / under.value
    return div(mul(const(ratio.numerator), numerator), mul(const(ratio.denominator), denominator))


def _number(a: Expr) -> tuple[Const, Expr]:
    """The constant in front, and the rest."""
    if isinstance(a, Const):
        return a, ONE
    if a.op is MUL and isinstance(a.args[0], Const):
        return a.args[0], a.args[1]
    return ONE, a


def scaled(factor: Expr, node: Expr) -> Expr:
    """A scalar times an array; factors that the array has already are drawn together.

    >>> from chainrule.core.expr import symbol
    >>> x, N = symbol("x", ("n",)), symbol("N")
    >>> scaled(div(MINUS_ONE, N), x), scaled(div(const(2), N), mul(const(3), x))
    (neg(div(x, N)), mul(div(6, N), x))
    """
    if not node.shape:
        return times(factor, node)
    if is_zero(factor) or is_zero(node):
        return zeros(node.shape)
    own, rest = factored(node)
    factor = times(factor, own)
    negative = factor.op is NEG
    if negative:
        factor = factor.args[0]
    if factor.op is DIV and factor.args[0] in (ONE, MINUS_ONE):
        negative ^= factor.args[0] is MINUS_ONE
        product = div(rest, factor.args[1])
    else:
        product = rest if factor is ONE else mul(factor, rest)
    return neg(product) if negative else product


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
    >>> transpose(transpose(A)), transpose(neg(A)), transpose(matmul(transpose(B), transpose(A)))
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
    return apply(_row("transpose"), a)


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


def column(row: Expr) -> Expr:
    """The vector that a row of shape (1, n) is the transpose of.

    >>> from chainrule.core.expr import symbol
    >>> A, u = symbol("A", ("m", "n")), symbol("u", ("m",))
    >>> column(matmul(transpose(u), A))
    matmul(transpose(A), u)
    """
    factor, row = factored(row)
    behind: list[Expr] = []  # u' A B is the row of B' (A' u)
    while is_op(row, "matmul") and row.args[0].shape[:-1] == (1,) and row.shape[1] != 1:
        row, last = row.args
        behind.append(transpose(last))
    if is_op(row, "transpose") and len(row.args[0].shape) == 1:
        found = row.args[0]
    elif is_op(row, "ones", "zeros"):
        found = filled(str(row.op), row.shape[1:])
    else:
        found = apply(_row("index"), row, ZERO)
    for matrix in reversed(behind):
        found = matmul(matrix, found)
    return scaled(factor, found)


def matmul(a: Expr, b: Expr) -> Expr:
    """The matrix product; identities are dropped, scalars and signs go to the front.

    >>> from chainrule.core.expr import symbol
    >>> A, x = symbol("A", ("m", "n")), symbol("x", ("n",))
    >>> matmul(eye("m"), matmul(A, neg(x)))
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
        folded = _on_row(a, b) if a.shape[0] == b.shape[0] else None
    elif ranks == (2, 2):
        folded = _of_matrices(a, b)
    return apply(_row("matmul"), a, b) if folded is None else folded


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


def _on_row(x: Expr, a: Expr) -> Expr | None:
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
            return apply(_row("index"), other, this.args[1])
    for this, other in ((a, b), (b, a)):
        if is_op(this, "outer") and 1 not in this.shape:
            return dot(this.args[0], matmul(other, this.args[1]))
    return apply(_row("dot"), a, b)


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
    return times(factor, apply(_row("trace"), rest))


def outer(a: Expr, b: Expr) -> Expr:
    """The matrix of all products of two vectors' entries."""
    p, a = factored(a)
    q, b = factored(b)
    if is_zero(a) or is_zero(b):
        return zeros((*a.shape, *b.shape))
    if is_op(a, "ones") and is_op(b, "ones"):
        return scaled(times(p, q), ones((*a.shape, *b.shape)))
    return scaled(times(p, q), apply(_row("outer"), a, b))


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
    return scaled(factor, apply(_row("sum"), *args))


def diag(a: Expr) -> Expr:
    """The diagonal matrix of a vector."""
    factor, rest = factored(a)
    if is_op(rest, "ones"):
        return scaled(factor, eye(rest.shape[0]))
    return zeros(rest.shape * 2) if is_zero(rest) else scaled(factor, apply(_row("diag"), rest))


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
    return scaled(factor, apply(_row("diagonal"), rest))


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
        return scaled(factor, apply(_row("expm"), a))
    return scaled(factor, apply(_row("expm_frechet"), a, rest))


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
    return mul(factor, apply(_row("index"), rest, *[ZERO] * len(rest.shape)))


def shaped(a: Expr, shape: Shape) -> Expr:
    """An array of one entry in another shape of one entry; every other as it is.

    Products drop axes of length 1, of which the shape of a variable may have some.
    """
    if a.shape == shape:
        return a
    assert {*a.shape, *shape} == {1}, (a.shape, shape)
    return scaled(entry(a) if a.shape else a, ones(shape))
