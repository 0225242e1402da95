"""Constant arrays, dimensions, and the scalar factors of arrays."""

from __future__ import annotations

from fractions import Fraction

from chainrule.core.arithmetic import (
    DIV,
    MUL,
    NEG,
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
from chainrule.core.shape import Dim, Shape, dimension


def row(name: str) -> Operator:
    """The row of this name, which is registered later than this is imported."""
    return lookup(name)


def zeros(shape: Shape) -> Expr:
    """The array of zeros; 0 for a scalar."""
    return filled("zeros", shape)


def ones(shape: Shape) -> Expr:
    """The array of ones; 1 for a scalar."""
    return filled("ones", shape)


def eye(dim: Dim) -> Expr:
    """The identity matrix."""
    return apply(row("eye"), size(dim))


def unit(dim: Dim, place: Expr) -> Expr:
    """The vector with 1 at `place`, else 0."""
    return apply(row("unit"), size(dim), place)


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
    return node is ZERO or (node.op is not None and node.op.name == "zeros")


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
