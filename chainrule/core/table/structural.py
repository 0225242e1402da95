"""How rows that act on arrays as a whole are written.

The columns `sympy` and `mpmath` are given the library and NumPy arrays of its numbers
(scalars as they are): they say what the value is, entry by entry, and share nothing with
the maps. This file does not import NumPy: the arrays bring their methods along.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from chainrule.core.arrays import dim_of as dim_of
from chainrule.core.errors import ShapeError, UnsupportedError
from chainrule.core.expr import Apply, Const, Expr
from chainrule.core.linmap import LinMap, Zero
from chainrule.core.ops import Operator, register
from chainrule.core.shape import Shape


def structural(
    name: str,
    shape: Callable[..., Shape],
    maps: Sequence[Callable[..., LinMap]],
    rules: tuple[str, ...] | str,
    value: Callable[..., Any],
    numpy: str,
    arity: tuple[int, int | None] | None = None,
    **columns: Any,
) -> Operator:
    """Register a row with a shape of its own; `value(module, *arrays)` serves both oracles."""
    columns.setdefault("latex", rf"\operatorname{{{name}}}".replace("_", r"\_"))
    columns.setdefault("sympy", value)
    columns.setdefault("mpmath", value)
    return register(Operator(
        name, arity or (len(maps), len(maps)), (), (rules,) if isinstance(rules, str) else rules,
        numpy=numpy, shape=shape, maps=tuple(maps), **columns,
    ))  # fmt: skip


def no_slope(node: Apply, *_: Expr) -> LinMap:
    """The map of an argument that is an axis, a place or a dimension."""
    return Zero((), node.shape)


def axis_of(node: Expr) -> int:
    """The number of an axis; UnsupportedError where it is not written as one."""
    if isinstance(node, Const) and isinstance(node.value, int):
        return node.value
    raise UnsupportedError("an axis that is not a number", hint="write axis=0 or axis=1")


def needs(ok: bool, what: str, *operands: Expr, hint: str = "") -> None:
    if not ok:
        raise ShapeError(what, shapes=tuple(a.shape for a in operands), hint=hint)


def square_only(a: Expr, name: str) -> None:
    needs(
        len(a.shape) == 2 and a.shape[0] == a.shape[1], f"`{name}` is for a square matrix", a,
        hint="its rows and columns have the same dimension",
    )  # fmt: skip


def array_only(name: str, result: Callable[[Expr], Shape]) -> Callable[[Expr], Shape]:
    """The shape of a function of one vector or matrix."""

    def shape(a: Expr) -> Shape:
        needs(a.shape != (), f"`{name}` is for a vector or a matrix", a, hint="a scalar is neither")
        return result(a)

    return shape


def each(function: Callable[[Any], Any], a: Any) -> Any:
    """A function of numbers applied to each entry of an array; to a number as it is."""
    if not hasattr(a, "flat"):
        return function(a)
    out = a.copy()
    for i, entry in enumerate(a.flat):
        out.flat[i] = function(entry)
    return out


def like(a: Any, rows: Any) -> Any:
    """Rows of entries as an array of the kind of the matrix `a`."""
    out = a.copy()
    for i, row in enumerate(rows):
        for j, entry in enumerate(row):
            out[i, j] = entry
    return out
