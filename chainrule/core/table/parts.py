"""Constant arrays, and parts of arrays: entries, ranges, arrays joined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from chainrule.core.arithmetic import size
from chainrule.core.arrays import dim_of
from chainrule.core.errors import ShapeError
from chainrule.core.expr import Apply, Expr
from chainrule.core.linmap import Cut, LinMap, Pick, Place, Zero
from chainrule.core.ops import Notation, Operator
from chainrule.core.shape import Dim, Shape, add_dims, affine
from chainrule.core.table.structural import axis_of, needs, no_slope, structural


def _constant(
    name: str,
    dims: tuple[int, int],
    shape: Callable[..., Shape],
    value: Callable[..., list[Any]],
    numpy: str,
    letter: str,
    notation: Notation = "filled",
) -> Operator:
    """A row without slopes; its arguments are dimensions, its value a nested list."""
    return structural(
        name, shape, (no_slope,) * dims[1], "constant",
        lambda _, *args: value(*map(int, args)), numpy, arity=dims,
        latex=rf"\mathbf{{{letter}}}", notation=notation,
    )  # fmt: skip


def _filled(entry: int) -> Callable[..., list[Any]]:
    return lambda rows, *columns: [[entry] * columns[0] if columns else entry for _ in range(rows)]


def sized(*lengths: Expr) -> Shape:
    """The shape with these dimensions; ShapeError where one is known to be less than 1."""
    shape = tuple(map(dim_of, lengths))
    for dim in shape:
        if isinstance(dim, int) and dim < 1:
            raise ShapeError(f"a dimension of {dim}", hint="the least is 1")
    return shape


def _inside(shape: Shape, place: Dim, dim: Dim, last: bool = False) -> None:
    """Refuse a place that is known to lie outside."""
    beyond = affine(add_dims(place, dim, signs=(1, -1)))
    known = set(beyond) <= {""}
    if (isinstance(place, int) and place < 0) or (known and beyond.get("", 0) > -int(last)):
        raise ShapeError(
            f"index {place} is outside", shapes=(shape,), hint=f"places run from 0 to {dim} - 1"
        )


def _unit_shape(length: Expr, place: Expr) -> Shape:
    shape = sized(length)
    _inside(shape, dim_of(place), shape[0], last=True)
    return shape


ONES: Operator = _constant("ones", (1, 2), sized, _filled(1), "np.ones({shape}, {dtype})", "1")
ZEROS: Operator = _constant("zeros", (1, 2), sized, _filled(0), "np.zeros({shape}, {dtype})", "0")
EYE: Operator = _constant(
    "eye", (1, 1), lambda n: sized(n) * 2,
    lambda n: [[int(i == j) for j in range(n)] for i in range(n)], "np.eye({0}, dtype={dtype})",
    "I",
)  # fmt: skip
UNIT: Operator = _constant(
    "unit", (2, 2), _unit_shape, lambda n, i: [int(i == j) for j in range(n)],
    "(np.arange({0}) == {1}).astype({dtype})", "e", "unit",
)  # fmt: skip


# ---- parts


def _index_shape(a: Expr, *places: Expr) -> Shape:
    needs(
        0 < len(places) <= len(a.shape), f"{len(places)} indices", a,
        hint="a vector has one, a matrix two; one index of a matrix is a row",
    )  # fmt: skip
    for place, dim in zip(places, a.shape, strict=False):
        _inside(a.shape, dim_of(place), dim, last=True)
    return a.shape[len(places) :]


INDEX: Operator = structural(
    "index", _index_shape,
    (lambda n, a, *places: Pick(a.shape, n.shape, places), no_slope, no_slope),
    "an entry", lambda _, a, *places: a[tuple(map(int, places))], "{0}[{places}]",
    arity=(2, 3), notation="index", precedence=50,
)  # fmt: skip


def _slice_shape(a: Expr, *bounds: Expr) -> Shape:
    needs(len(bounds) == 2 * len(a.shape), "a range for each axis", a)
    shape = []
    for axis, dim in enumerate(a.shape):
        low, high = (dim_of(b) for b in bounds[2 * axis : 2 * axis + 2])
        _inside(a.shape, high, dim)
        length = add_dims(high, low, signs=(1, -1))
        needs(not isinstance(length, int) or length > 0, f"the range {low}:{high} is empty", a)
        shape.append(length)
    return tuple(shape)


SLICE: Operator = structural(
    "slice", _slice_shape,
    (lambda n, a, *bounds: Cut(a.shape, n.shape, bounds), *(no_slope,) * 4),
    "a part of an array",
    lambda _, a, *b: a[tuple(slice(int(b[i]), int(b[i + 1])) for i in range(0, len(b), 2))],
    "{0}[{ranges}]", arity=(3, 5), notation="slice", precedence=50,
)  # fmt: skip


def _concat_shape(axis: Expr, *parts: Expr) -> Shape:
    along = axis_of(axis)
    first = parts[0].shape
    for part in parts:
        rest = part.shape[:along] + part.shape[along + 1 :]
        needs(
            0 <= along < len(part.shape) == len(first)
            and rest == first[:along] + first[along + 1 :], "the parts do not fit", *parts,
            hint="all dimensions but that of the axis are equal",
        )  # fmt: skip
    joined = add_dims(*(part.shape[along] for part in parts))
    return (*first[:along], joined, *first[along + 1 :])


def _concat_map(node: Apply, slot: int) -> LinMap:
    if slot == 0:
        return Zero((), node.shape)
    return Place(node.args[slot].shape, node.shape, axis_of(node.args[0]), _starts(node)[slot - 1])


@lru_cache(maxsize=2)
def _starts(node: Apply) -> tuple[Expr, ...]:
    """Where each part begins, once for all slots of a node."""
    along = axis_of(node.args[0])
    start: Dim = 0
    starts = [start]
    for part in node.args[1:-1]:
        start = add_dims(start, part.shape[along])
        starts.append(start)
    return tuple(map(size, starts))


def _joined(_: Any, axis: Any, *parts: Any) -> Any:
    along, shape = int(axis), list(parts[0].shape)
    shape[along] = sum(part.shape[along] for part in parts)
    joined = _resized(parts[0], shape)
    start = 0
    for part in parts:
        stop = start + part.shape[along]
        joined[(slice(None),) * along + (slice(start, stop),)] = part
        start = stop
    return joined


def _resized(a: Any, shape: Sequence[int]) -> Any:
    """A larger array of the kind of `a`, which it begins with."""
    larger = a.copy()
    larger.resize(tuple(shape), refcheck=False)
    larger[...] = 0
    larger[tuple(slice(n) for n in a.shape)] = a
    return larger


CONCAT: Operator = structural(
    "concat", _concat_shape, (_concat_map,), "parts of an array", _joined,
    "np.concatenate([{args}], {axis})", arity=(2, None), notation="concat",
)  # fmt: skip
