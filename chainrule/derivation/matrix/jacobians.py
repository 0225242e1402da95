"""Jacobians as expressions: their products as they stand, transposes, cases of indicators."""

from __future__ import annotations

from collections.abc import Iterable

from chainrule.core import arrays
from chainrule.core.arithmetic import MUL, mul
from chainrule.core.expr import ONE, Apply, Const, Expr, apply, topological
from chainrule.core.ops import lookup
from chainrule.core.table.piecewise import PIECEWISE
from chainrule.derivation.matrix.chains import factored, flipped, is_column, is_row

CASES = "the two cases of the indicator"
_COMPLEMENT = {">": "<=", "<": ">=", ">=": "<", "<=": ">"}


def columns_first(root: Expr) -> Expr:
    """x' A x as x' (A x): a row times matrices times a column, from the column on.

    >>> from chainrule.core.expr import symbol
    >>> A, x = symbol("A", ("n", "n")), symbol("x", ("n",))
    >>> columns_first(x.T @ A @ x)
    matmul(transpose(x), matmul(A, x))
    """
    matmul = lookup("matmul")
    done: dict[Expr, Expr] = {}
    for node in topological([root]):
        args = [done[a] for a in node.args]
        if node.op is matmul and is_row(args[0]) and is_column(args[1]):
            left, column = args
            while left.op is matmul and is_row(left.args[0]) and len(left.args[1].shape) == 2:
                left, column = left.args[0], apply(matmul, left.args[1], column)
                if not column.shape:
                    break
            args = [left, column]
        changed = any(a is not b for a, b in zip(args, node.args, strict=True))
        done[node] = apply(node.op, *args) if changed and isinstance(node, Apply) else node
    return done[root]


def in_cases(expr: Expr) -> Expr | None:
    """(z > 0) x as the cases 0 where z <= 0 and x where z > 0, of a scalar z.

    >>> from chainrule.core.expr import symbol
    >>> z, x = symbol("z"), symbol("x", ("n",))
    >>> in_cases(apply(lookup(">"), z, z - z) * x)
    piecewise(zeros(n), <=(z, 0), x, >(z, 0))
    """
    coefficient, rest = factored(expr) if expr.shape else (expr, ONE)
    found: Apply | None = None
    others: Expr = ONE
    stack = [coefficient]
    while stack:
        part = stack.pop()
        if part.op is MUL:
            stack += part.args
        elif found is None and isinstance(part, Apply) and part.op.name in _COMPLEMENT:
            found = part
        else:
            others = mul(others, part)
    if found is None:
        return None
    beyond = apply(lookup(_COMPLEMENT[found.op.name]), *found.args)
    value = arrays.scaled(others, rest)
    return apply(PIECEWISE, arrays.zeros(expr.shape), beyond, value, found)


def size(expr: Expr) -> int:
    """The number of distinct nodes."""
    return len(topological([expr]))


def times(a: Expr, b: Expr) -> Expr:
    """The product of two Jacobians as it stands, without a rule applied."""
    if not a.shape or not b.shape:
        factor, of = (a, b) if not a.shape else (b, a)
        plain = isinstance(factor, Const) or not of.shape
        return arrays.scaled(factor, of) if plain else apply(MUL, factor, of)
    if is_column(a):
        if is_row(b) and arrays.is_op(b, "transpose", "ones"):
            return apply(lookup("outer"), a, flipped(b))
        return arrays.outer(a, arrays.column(b))
    return apply(lookup("matmul"), a, b)


def product(factors: Iterable[Expr]) -> Expr:
    """The product of Jacobians along a path, output first."""
    total: Expr | None = None
    for factor in factors:
        total = factor if total is None else times(total, factor)
    return ONE if total is None else total


def transposed(jacobian: Expr) -> Expr:
    """A Jacobian in the other layout: a row becomes a column."""
    return arrays.column(jacobian) if is_row(jacobian) else arrays.transpose(jacobian)
