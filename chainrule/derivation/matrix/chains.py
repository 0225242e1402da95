"""Products of matrices as chains of factors: read from expressions, written as expressions.

A product is a scalar coefficient and a chain of factors that multiply as matrices: a vector
is a column, its transpose a row; a row times a column is a scalar.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from chainrule.core import arrays
from chainrule.core.arithmetic import DIV, MUL, div, mul
from chainrule.core.expr import ONE, Apply, Expr, apply
from chainrule.core.ops import lookup
from chainrule.derivation.matrix.regions import entrywise, region

Chain = tuple[Expr, list[Expr]]


def is_column(node: Expr) -> bool:
    """Whether it multiplies as a column."""
    return len(node.shape) == 1


def is_row(node: Expr) -> bool:
    """Whether it multiplies as a row: one times a column is a scalar."""
    return len(node.shape) == 2 and node.shape[0] == 1


def flipped(factor: Expr) -> Expr:
    """The transpose of one factor; of a vector's row, the vector."""
    if is_row(factor) and of_vector(factor):
        return as_column(factor)
    if arrays.is_op(factor, "index") and is_row(factor.args[0]) and is_column(factor):
        return factor.args[0]
    if arrays.is_op(factor, "inv"):
        inner = factor.args[0]
        if arrays.is_op(inner, "transpose"):
            return apply(lookup("inv"), inner.args[0])
        if arrays.is_op(inner, "matmul"):
            chain = read(inner)[1]
            nested = any(arrays.is_op(f, "inv") for f in chain)
            if not nested and chain == reversed_chain(chain):  # symmetric, as X' X
                return factor
    return arrays.transpose(factor)


def as_column(row: Expr) -> Expr:
    """The vector that a row is the transpose of; element by element, of each part."""
    done: dict[Expr, Expr] = {}
    for node in region(row):
        if entrywise(node) and isinstance(node, Apply):
            done[node] = apply(node.op, *(done[a] for a in node.args))
        elif not node.shape:
            done[node] = node
        else:
            factors = read(node)[1]
            chain = [*(flipped(f) for f in factors[:0:-1]), arrays.column(factors[0])]
            done[node] = joined(chain)
    return done[row]


def of_vector(row: Expr) -> bool:
    """Whether a matrix of one row comes from a vector, and is not a matrix by declaration."""
    for node in region(row):
        if node.shape and not entrywise(node):
            first = read(node)[1][0]
            if arrays.is_op(first, "ones", "zeros"):
                return True
            return arrays.is_op(first, "transpose") and is_column(first.args[0])
    return False


def factored(node: Expr) -> tuple[Expr, Expr]:
    """A scalar factor and the rest, also of a longer product element by element."""
    coefficient, rest = arrays.factored(node)
    if rest.op is not MUL and rest.op is not DIV:
        return coefficient, rest
    stack = [(rest, False)]
    above: Expr = ONE
    below: Expr = ONE
    found = False
    while stack:
        part, under = stack.pop()
        if part.op is MUL or part.op is DIV:
            stack.append((part.args[1], under != (part.op is DIV)))
            stack.append((part.args[0], under))
            continue
        c, part = arrays.factored(part) if part.shape else (part, ONE)
        found = found or c is not ONE
        coefficient = div(coefficient, c) if under else mul(coefficient, c)
        above, below = (above, mul(below, part)) if under else (mul(above, part), below)
    if not found:
        return coefficient, rest
    rest = div(above, below)
    return (coefficient, rest) if rest.shape == node.shape else arrays.factored(node)


def reversed_chain(factors: Sequence[Expr]) -> list[Expr]:
    """The transpose of a product: (A B)' = B' A'."""
    return [flipped(f) for f in reversed(factors)]


def read(node: Expr) -> Chain:
    """A coefficient and the factors of a product; anything else is one factor."""
    if not node.shape:
        return read_scalar(node)
    coefficient: Expr = ONE
    factors: list[Expr] = []
    stack = [node]
    while stack:
        c, core = factored(stack.pop())
        coefficient = mul(coefficient, c)
        if arrays.is_op(core, "matmul") and _as_matrices(*core.args):
            stack += core.args[::-1]
        else:
            d, atoms = _atoms(core)
            coefficient = mul(coefficient, d)
            factors += atoms
    return coefficient, factors


def read_scalar(node: Expr) -> Chain:
    if arrays.is_op(node, "matmul", "dot") and node.args[0].shape:
        a, b = node.args
        c, left = read(a)
        d, right = read(b)
        if is_column(a) and is_column(b):
            return mul(c, d), reversed_chain(left) + right
        if is_row(a) and is_column(b):
            return mul(c, d), left + right
    return node, []


def _as_matrices(a: Expr, b: Expr) -> bool:
    """Whether a vector on the left stands for a column, not for a row."""
    return len(a.shape) == 2 or (is_row(b) and a.shape[0] != 1)


def _atoms(node: Expr) -> Chain:
    """One factor, or the factors of an outer product, a row, or a vector times a matrix."""
    coefficient, core = factored(node)
    if arrays.is_op(core, "ones") and len(core.shape) == 2 and not is_row(core):
        rows, columns = core.shape
        return coefficient, [arrays.ones((rows,)), arrays.ones((1, columns))]
    if arrays.is_op(core, "outer"):
        c, left = read(core.args[0])
        d, right = read(core.args[1])
        return mul(coefficient, mul(c, d)), left + reversed_chain(right)
    if arrays.is_op(core, "transpose"):
        c, inner = read(core.args[0])
        return mul(coefficient, c), reversed_chain(inner)
    if arrays.is_op(core, "matmul") and not _as_matrices(*core.args):
        c, left = read(core.args[0])
        d, right = read(core.args[1])
        return mul(coefficient, mul(c, d)), reversed_chain(right) + left
    if arrays.is_op(core, "diag"):
        c, inside = factored(core.args[0])
        if arrays.is_op(inside, "ones"):
            return mul(coefficient, c), [arrays.eye(inside.shape[0])]
        return mul(coefficient, c), [apply(lookup("diag"), inside)]
    return coefficient, [core]


def joined(chain: Sequence[Expr]) -> Expr:
    """The factors multiplied from the left; a column and a row after it as an outer product."""
    ends = [i + 1 for i in range(len(chain) - 1) if is_column(chain[i]) and is_row(chain[i + 1])]
    if not ends:
        return _multiplied(chain)
    scalar: Expr = ONE  # from a row to a column
    for start, end in pairwise(ends):
        scalar = mul(scalar, _multiplied(chain[start:end]))
    left, row = _multiplied(chain[: ends[0]]), chain[ends[-1] :]
    right = _multiplied([*(flipped(f) for f in row[:0:-1]), arrays.column(row[0])])
    if arrays.is_op(left, "ones") and arrays.is_op(right, "ones"):
        return arrays.scaled(scalar, arrays.ones((*left.shape, *right.shape)))
    return arrays.scaled(scalar, apply(lookup("outer"), left, right))


def _multiplied(chain: Sequence[Expr]) -> Expr:
    product = chain[0]
    for factor in chain[1:]:
        product = apply(lookup("matmul"), product, factor)
    return product
