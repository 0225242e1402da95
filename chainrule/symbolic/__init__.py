"""The expression DAG without derivations: gradients, Jacobians and Hessians of large programs.

Every row of the operator table is a function here: `sin(x)`, `softplus(x)`, `max(x, y)`.

>>> from chainrule import symbolic as sym
>>> p, q = sym.symbols("p, q")
>>> sym.gradient(p * q + sym.sin(p), [p, q])
[add(cos(p), q), p]
>>> sym.jacobian([p * q, q**2], [p, q], sparse=True)
{(0, 0): q, (0, 1): p, (1, 1): mul(2, q)}

A matrix of known sparsity takes few products with directions:

>>> x = sym.symbols([f"x{i}" for i in range(50)])
>>> slopes = sym.gradient(sum(a * b * b for a, b in zip(x, x[1:])), x)
>>> coloring = sym.color_columns(sym.sparsity(slopes, x), len(x), symmetric=True)
>>> products = [sym.jvp(slopes, x, direction) for direction in coloring.directions()]
>>> len(products), coloring.entries(products)[0, 1]
(3, mul(2, x1))

The same holds of vectors and matrices; `@`, `.T` and the table's functions of arrays take them.

>>> from chainrule.core.expr import symbol
>>> X, w = symbol("X", ("N", "d")), symbol("w", ("d",))
>>> sym.gradient(sym.sum((X @ w) ** 2), [w])
[mul(2, matmul(transpose(X), matmul(X, w)))]
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, overload

import chainrule.core.table  # noqa: F401 - registers the rows
from chainrule.core import accumulate, arithmetic, arrays, ops
from chainrule.core.collector import paused
from chainrule.core.errors import ArityError, ShapeError, UsageError
from chainrule.core.expr import (
    ONE,
    ZERO,
    Expr,
    Number,
    applications_of,
    apply,
    create,
    lift,
    symbol,
    topological,
)
from chainrule.core.table import losses
from chainrule.derivation import backward
from chainrule.symbolic import elimination
from chainrule.symbolic.coloring import Coloring, color_columns, sparsity

__all__ = [
    "Coloring", "color_columns", "count_operations", "gradient", "hessian", "jacobian", "jvp",
    "sparsity", "symbols", "vjp",
]  # fmt: skip

Dense = list[list[Expr]]
Sparse = dict[tuple[int, int], Expr]


def symbols(names: str | Sequence[str]) -> tuple[Expr, ...]:
    """Scalar symbols of these names; always a tuple."""
    listed = names.replace(",", " ").split() if isinstance(names, str) else names
    return tuple(symbol(n) for n in listed)


def gradient(y: Expr, xs: Sequence[Expr]) -> list[Expr]:
    """The derivatives of `y` by each of `xs`, by reverse accumulation: linear in the DAG.

    Each has the shape of its variable.

    Raises:
        ShapeError: `y` is no scalar.
    """
    if y.shape:
        raise ShapeError(
            "a gradient is of a scalar", shapes=(y.shape,), hint="jacobian, jvp or vjp of an array"
        )
    with paused():
        return _pull([y], [ONE], xs)


def _pull(ys: Sequence[Expr], seeds: Sequence[Expr], xs: Sequence[Expr]) -> list[Expr]:
    if not any(y.shape for y in ys):
        try:
            return backward.pull(ys, seeds, xs)
        except backward.MapsNeededError:
            pass
    found = accumulate.cotangents(ys, seeds, xs)
    return [found.get(x, arrays.zeros(x.shape)) for x in xs]


def _push(ys: Sequence[Expr], direction: Mapping[Expr, Expr]) -> list[Expr]:
    if not any(e.shape for e in (*ys, *direction)):
        try:
            return backward.tangents(ys, direction)
        except backward.MapsNeededError:
            pass
    return accumulate.tangents(ys, direction)


@overload
def jacobian(
    ys: Sequence[Expr | Number], xs: Sequence[Expr], sparse: Literal[False] = False
) -> Dense: ...
@overload
def jacobian(ys: Sequence[Expr | Number], xs: Sequence[Expr], sparse: Literal[True]) -> Sparse: ...
def jacobian(
    ys: Sequence[Expr | Number], xs: Sequence[Expr], sparse: bool = False
) -> Dense | Sparse:
    """The derivatives of `ys` (rows) by `xs` (columns).

    One output is differentiated backwards, by one variable forwards; otherwise vertices of
    the graph of local derivatives are eliminated, each connected part in the order that
    takes the fewest products.

    Returns:
        A list of rows; with `sparse` a dictionary from (row, column) to the entries that
        are not identically 0. Of vectors, an entry is the Jacobian of one by the other.

    Raises:
        UnsupportedError: by or of a matrix; `jvp` and `vjp` give the action of the derivative.
    """
    with paused():
        entries = _entries([lift(y) for y in ys], xs)
        return entries if sparse else _dense(entries, ys, xs)


@overload
def hessian(y: Expr, xs: Sequence[Expr], sparse: Literal[False] = False) -> Dense: ...
@overload
def hessian(y: Expr, xs: Sequence[Expr], sparse: Literal[True]) -> Sparse: ...
def hessian(y: Expr, xs: Sequence[Expr], sparse: bool = False) -> Dense | Sparse:
    """The second derivatives of `y`: the Jacobian of its gradient, its sparsity found."""
    with paused():
        entries = _entries(gradient(y, xs), xs)
        return entries if sparse else _dense(entries, xs, xs)


def _entries(ys: Sequence[Expr], xs: Sequence[Expr]) -> Sparse:
    if not any(e.shape for e in (*ys, *xs)):
        try:
            return _scalar_entries(ys, xs)
        except backward.MapsNeededError:
            pass
    blocks = {(i, j): accumulate.jacobian(y, x) for i, y in enumerate(ys) for j, x in enumerate(xs)}
    return {place: block for place, block in blocks.items() if not arrays.is_zero(block)}


def _scalar_entries(ys: Sequence[Expr], xs: Sequence[Expr]) -> Sparse:
    if len(ys) == 1:
        slopes = backward.gradient(ys[0], xs)
        return {(0, j): slope for j, slope in enumerate(slopes) if slope is not ZERO}
    if len(xs) == 1:
        slopes = backward.tangents(ys, {xs[0]: ONE})
        return {(i, 0): slope for i, slope in enumerate(slopes) if slope is not ZERO}
    return elimination.jacobian(ys, xs)


def _dense(entries: Sparse, ys: Sequence[Expr | Number], xs: Sequence[Expr]) -> Dense:
    shapes = [y.shape if isinstance(y, Expr) else () for y in ys]
    if not any(shapes) and not any(x.shape for x in xs):
        dense: Dense = [[ZERO] * len(xs) for _ in ys]
    else:
        dense = [[arrays.zeros(accumulate.jacobian_shape(y, x.shape)) for x in xs] for y in shapes]
    for (i, j), slope in entries.items():
        dense[i][j] = slope
    return dense


def jvp(ys: Sequence[Expr], xs: Sequence[Expr], direction: Sequence[Expr | Number]) -> list[Expr]:
    """The Jacobian times a direction, without the Jacobian: one forward sweep."""
    with paused():
        return _push(ys, dict(zip(xs, map(lift, direction), strict=True)))


def vjp(ys: Sequence[Expr], xs: Sequence[Expr], weights: Sequence[Expr | Number]) -> list[Expr]:
    """Weights times the Jacobian, without the Jacobian: one backward sweep."""
    with paused():
        return _pull(ys, [lift(w) for w in weights], xs)


def count_operations(ys: Expr | Iterable[Expr | Number] | Mapping[Any, Expr]) -> int:
    """The number of distinct operations below the expressions; what is shared counts once.

    A sparse Jacobian is counted by its entries.
    """
    if isinstance(ys, Expr):
        ys = [ys]
    roots = ys.values() if isinstance(ys, Mapping) else ys
    return sum(len(node.args) > 0 for node in topological(map(lift, roots)))


_FOLDING: dict[str, Callable[..., Expr]] = {
    "add": arithmetic.add, "sub": arithmetic.sub, "mul": arithmetic.mul, "div": arithmetic.div,
    "pow": arithmetic.power, "neg": arithmetic.neg, "exp": arithmetic.exp, "ln": arithmetic.ln,
}  # fmt: skip


def __getattr__(name: str) -> Any:
    row = ops.spellings().get(name)
    if row is None:
        raise AttributeError(f"module 'chainrule.symbolic' has no function {name!r}")
    function = _of_numbers(row) if row.shape is None else _of_arrays(row)
    function.__name__ = function.__qualname__ = row.name
    function.__doc__ = f"The row `{row.name}` of the operator table."
    globals()[name] = function
    return function


def _of_numbers(row: ops.Operator) -> Callable[..., Expr]:
    build = _FOLDING.get(row.name)
    nodes = applications_of(row)

    def function(*args: Expr | Number) -> Expr:
        if not row.accepts(len(args)):
            raise ArityError(f"{row.name} takes {_count(row.arity)}, not {len(args)}")
        operands = tuple([a if isinstance(a, Expr) else lift(a) for a in args])
        if build:
            return build(*operands)
        node = nodes.get(operands)
        return create(row, operands, nodes) if node is None else node

    return function


def _of_arrays(row: ops.Operator) -> Callable[..., Expr]:
    """A function of arrays; `axis=` is of those that have one."""
    joins = row.notation == "concat"

    def function(*args: Expr | Number, axis: int | None = None) -> Expr:
        operands = [lift(a) for a in args]
        if axis is not None and not (joins or row.notation == "reduction"):
            raise UsageError(f"{row.name} has no axis", hint="sum, mean and concat have one")
        if operands and (joins or axis is not None):
            rank = len(operands[0].shape)
            number = (axis or 0) % rank if rank and -rank <= (axis or 0) < rank else axis or 0
            if joins:
                operands.insert(0, lift(number))
            elif (rank, number) != (1, 0):
                operands.append(lift(number))
        if not row.accepts(len(operands)):
            raise ArityError(f"{row.name} takes {_count(row.arity)}, not {len(args)}")
        if row.name == "diag" and len(operands[0].shape) == 2:
            return apply(ops.lookup("diagonal"), *operands)
        if row.name == "cross_entropy":
            return losses.cross_entropy(*operands)
        return apply(row, *operands)

    return function


def _count(arity: tuple[int, int | None]) -> str:
    low, high = arity
    number = str(low) if low == high else f"{low} or more" if high is None else f"{low} to {high}"
    return f"{number} argument{'' if number == '1' else 's'}"
