"""Linear algebra: products, transposes, reductions, parts of arrays, determinants, inverses.

The columns `sympy` and `mpmath` are given the library and NumPy arrays of its numbers
(scalars as they are): they say what the value is, entry by entry, and share nothing with
the maps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from chainrule.core import arrays
from chainrule.core.arithmetic import add, div, reciprocal, relation, size
from chainrule.core.errors import ShapeError, UnsupportedError
from chainrule.core.expr import MINUS_ONE, ZERO, Apply, Const, Expr, Sym, apply
from chainrule.core.intervals import NONNEGATIVE
from chainrule.core.linmap import (
    Compose,
    Cut,
    Inner,
    Left,
    LinMap,
    OfDiagonal,
    Outer,
    Pick,
    Place,
    Right,
    Scale,
    Sum,
    ToDiagonal,
    Transpose,
    Zero,
    compose,
)
from chainrule.core.ops import Kink, Operator, register
from chainrule.core.shape import Dim, Shape, add_dims, affine, dimension, product_shape


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
    columns.setdefault("latex", rf"\operatorname{{{name}}}")
    columns.setdefault("sympy", value)
    columns.setdefault("mpmath", value)
    return register(Operator(
        name, arity or (len(maps), len(maps)), (), (rules,) if isinstance(rules, str) else rules,
        numpy=numpy, shape=shape, maps=tuple(maps), **columns,
    ))  # fmt: skip


def no_slope(node: Apply, *_: Expr) -> LinMap:
    """The map of an argument that is an axis, a place or a dimension."""
    return Zero((), node.shape)


def dim_of(node: Expr) -> Dim:
    """The dimension that a scalar expression is; UnsupportedError where it is none."""
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
        elif part.op is not None and part.op.name == "mul" and isinstance(part.args[0], Const):
            stack.append((part.args[1], count * int(part.args[0].value)))
        else:
            raise UnsupportedError(
                "a dimension is a sum of names and whole numbers", hint="write it as n, 3 or n + 1"
            )
    return dimension({name: count for name, count in terms.items() if count})


def _needs(ok: bool, what: str, *operands: Expr, hint: str = "") -> None:
    if not ok:
        raise ShapeError(what, shapes=tuple(a.shape for a in operands), hint=hint)


def _square(a: Expr, name: str) -> None:
    _needs(
        len(a.shape) == 2 and a.shape[0] == a.shape[1], f"`{name}` is for a square matrix", a,
        hint="its rows and columns have the same dimension",
    )  # fmt: skip


# ---- products


def _by_left(node: Apply, a: Expr, b: Expr) -> LinMap:
    if len(a.shape) == len(b.shape) == 1:
        return Inner(a.shape, node.shape, b)
    return Right(a.shape, node.shape, b)


def _by_right(node: Apply, a: Expr, b: Expr) -> LinMap:
    if len(a.shape) == len(b.shape) == 1:
        return Inner(b.shape, node.shape, a)
    return Left(b.shape, node.shape, a)


def _product(_: Any, a: Any, b: Any) -> Any:
    if a.ndim == 1 and b.ndim == 2 and b.shape[0] == 1 and a.shape[0] != 1:
        return a[:, None] * b
    product = a @ b
    return product[0] if a.ndim == 2 and b.ndim == 1 and a.shape[0] == 1 else product


MATMUL: Operator = structural(
    "matmul", lambda a, b: product_shape(a.shape, b.shape), (_by_left, _by_right),
    "product rule for matrices", _product, "{0} @ {1}",
    latex="", notation="matmul", precedence=20, source="Magnus & Neudecker 2019, 9.2",
)  # fmt: skip
TRANSPOSE: Operator = structural(
    "transpose", lambda a: a.shape[::-1] if len(a.shape) == 2 else (1, *a.shape) if a.shape else (),
    (lambda n, a: Transpose(a.shape, n.shape),), "transpose",
    lambda _, a: a.T if getattr(a, "ndim", 0) == 2 else a[None, :], "{0}.T",
    latex=r"^{\top}", notation="transpose", precedence=45,
)  # fmt: skip


def _same_shapes(name: str) -> Callable[..., Shape]:
    def shape(a: Expr, b: Expr) -> Shape:
        _needs(
            a.shape == b.shape and a.shape != (), f"`{name}` needs two arrays of one shape", a, b,
            hint="the matrix product is written `@`",
        )  # fmt: skip
        return ()

    return shape


DOT: Operator = structural(
    "dot", _same_shapes("dot"),
    (lambda n, a, b: Inner(a.shape, (), b), lambda n, a, b: Inner(b.shape, (), a)),
    "product rule for the inner product", lambda _, a, b: (a * b).sum(), "np.vdot({0}, {1})",
)  # fmt: skip


def _outer_shape(a: Expr, b: Expr) -> Shape:
    _needs(
        len(a.shape) == len(b.shape) == 1, "`outer` needs two vectors", a, b,
        hint="a column times a row",
    )  # fmt: skip
    return (*a.shape, *b.shape)


OUTER: Operator = structural(
    "outer", _outer_shape,
    (lambda n, a, b: Outer(a.shape, n.shape, b), lambda n, a, b: Outer(b.shape, n.shape, a, True)),
    "product rule for the outer product", lambda _, a, b: a[:, None] * b[None, :],
    "np.outer({0}, {1})",
)  # fmt: skip


# ---- reductions


def _axis(node: Sequence[Expr]) -> int | None:
    if len(node) < 2:
        return None
    axis = node[1]
    assert isinstance(axis, Const)
    return int(axis.value)


def _reduced(name: str) -> Callable[..., Shape]:
    def shape(*args: Expr) -> Shape:
        a, axis = args[0], _axis(args)
        if axis is None:
            return ()
        _needs(
            0 <= axis < len(a.shape), f"`{name}` over axis {axis}", a,
            hint="axis 0 runs down the rows, axis 1 along the columns",
        )  # fmt: skip
        return a.shape[:axis] + a.shape[axis + 1 :]

    return shape


def _entries(a: Expr, axis: int | None) -> Expr:
    return arrays.count(a.shape if axis is None else (a.shape[axis],))


def _sum_map(node: Apply, a: Expr, *_: Expr) -> LinMap:
    return Sum(a.shape, node.shape, _axis(node.args))


def _mean_map(node: Apply, a: Expr, *_: Expr) -> LinMap:
    axis = _axis(node.args)
    over = reciprocal(_entries(a, axis))
    return compose(Sum(a.shape, node.shape, axis), Scale(node.shape, node.shape, over))


def _summed(_: Any, a: Any, axis: Any = None) -> Any:
    return a if not hasattr(a, "sum") else a.sum() if axis is None else a.sum(axis=int(axis))


def _averaged(_: Any, a: Any, axis: Any = None) -> Any:
    if not hasattr(a, "sum"):
        return a
    return a.sum() / a.size if axis is None else a.sum(axis=int(axis)) / a.shape[int(axis)]


SUM: Operator = structural(
    "sum", _reduced("sum"), (_sum_map, no_slope), "sum rule", _summed, "{0}.sum()",
    arity=(1, 2), notation="reduction",
)  # fmt: skip
MEAN: Operator = structural(
    "mean", _reduced("mean"), (_mean_map, no_slope), "mean", _averaged, "{0}.mean()",
    arity=(1, 2), notation="reduction",
)  # fmt: skip


def _norm_value(m: Any, a: Any) -> Any:
    return m.sqrt((a * a).sum())


def _array_only(name: str) -> Callable[[Expr], Shape]:
    def shape(a: Expr) -> Shape:
        _needs(a.shape != (), f"`{name}` is for a vector or a matrix", a, hint="of a number: abs")
        return ()

    return shape


NORM: Operator = structural(
    "norm", _array_only("norm"), (lambda n, a: Inner(a.shape, (), div(a, n)),),
    "derivative of the norm", _norm_value, "np.sqrt(np.vdot({0}, {0}))",
    latex=r"\left\lVert", notation="norm", range=NONNEGATIVE,
    kinks=lambda a: (Kink(relation("==", apply(NORM, a), ZERO), "the slope of norm at 0 is 0"),),
    source="Petersen & Pedersen, Matrix Cookbook 2012, eq. 129",
)  # fmt: skip


# ---- square matrices


def _on_square(name: str, result: Callable[[Expr], Shape]) -> Callable[[Expr], Shape]:
    def shape(a: Expr) -> Shape:
        _square(a, name)
        return result(a)

    return shape


TRACE: Operator = structural(
    "trace", _on_square("trace", lambda a: ()), (lambda n, a: Inner(a.shape, (), arrays.eye(a.shape[0])),),
    "derivative of the trace", lambda _, a: a.trace(), "np.trace({0})", spellings=("tr",),
    latex=r"\operatorname{tr}", source="Petersen & Pedersen, Matrix Cookbook 2012, eq. 99",
)  # fmt: skip
DET: Operator = structural(
    "det", _on_square("det", lambda a: ()),
    (lambda n, a: Inner(a.shape, (), arrays.scaled(n, arrays.transpose(inverse(a)))),),
    "derivative of the determinant", lambda _, a: a, "np.linalg.det({0})",
    latex=r"\det", sympy=lambda s, a: s.Matrix(a).det(method="berkowitz"),
    mpmath=lambda m, a: m.det(m.matrix(a.tolist())),
    source="Petersen & Pedersen, Matrix Cookbook 2012, eq. 49 (Jacobi's formula)",
)  # fmt: skip


def _inverse_map(node: Apply, a: Expr) -> LinMap:
    return Compose(
        a.shape, node.shape,
        (Right(a.shape, a.shape, node), Left(a.shape, a.shape, node),
         Scale(a.shape, a.shape, MINUS_ONE)),
    )  # fmt: skip


INV: Operator = structural(
    "inv", _on_square("inv", lambda a: a.shape), (_inverse_map,), "derivative of the inverse",
    lambda _, a: a, "np.linalg.inv({0})",
    sympy=lambda s, a: _like(a, s.Matrix(a).inv().tolist()),
    mpmath=lambda m, a: _like(a, m.inverse(m.matrix(a.tolist())).tolist()),
    source="Petersen & Pedersen, Matrix Cookbook 2012, eq. 59",
)  # fmt: skip


def _like(a: Any, rows: Any) -> Any:
    """Rows of entries as an array of the kind of `a`."""
    out = a.copy()
    for i, row in enumerate(rows):
        for j, entry in enumerate(row):
            out[i, j] = entry
    return out


def inverse(a: Expr) -> Expr:
    """The inverse; of an inverse, the matrix."""
    if arrays.is_op(a, "inv"):
        return a.args[0]
    return apply(INV, a)


# ---- diagonals, constants


def _vector_only(name: str, result: Callable[[Expr], Shape]) -> Callable[[Expr], Shape]:
    def shape(a: Expr) -> Shape:
        _needs(len(a.shape) == 1, f"`{name}` is for a vector", a)
        return result(a)

    return shape


def _on_diagonal(_: Any, a: Any) -> Any:
    out = (a[:, None] * a[None, :]) * 0
    for i in range(len(a)):
        out[i, i] = a[i]
    return out


DIAG: Operator = structural(
    "diag", _vector_only("diag", lambda a: a.shape * 2), (lambda n, a: ToDiagonal(a.shape, n.shape),),
    "diagonal matrix", _on_diagonal, "np.diag({0})",
)  # fmt: skip
DIAGONAL: Operator = structural(
    "diagonal", _on_square("diag", lambda a: a.shape[:1]), (lambda n, a: OfDiagonal(a.shape, n.shape),),
    "diagonal of a matrix", lambda _, a: a.diagonal().copy(), "np.diagonal({0})",
    latex=r"\operatorname{diag}",
)  # fmt: skip


def _constant(
    name: str, numpy: str, arity: tuple[int, int], shape: Callable[..., Shape]
) -> Operator:
    """A row without slopes; its arguments are dimensions."""
    return structural(
        name, shape, (no_slope,) * arity[1], "constant",
        lambda m, *args: None, numpy, arity=arity,
    )  # fmt: skip


ONES: Operator = _constant("ones", "np.ones({shape})", (1, 2), lambda *d: tuple(map(dim_of, d)))
ZEROS: Operator = _constant("zeros", "np.zeros({shape})", (1, 2), lambda *d: tuple(map(dim_of, d)))
EYE: Operator = _constant("eye", "np.eye({0})", (1, 1), lambda d: (dim_of(d),) * 2)
UNIT: Operator = _constant("unit", "", (2, 2), lambda d, i: (dim_of(d),))


# ---- parts


def _index_shape(a: Expr, *places: Expr) -> Shape:
    _needs(
        0 < len(places) <= len(a.shape), f"{len(places)} indices", a,
        hint="a vector has one, a matrix two; one index of a matrix is a row",
    )  # fmt: skip
    for place, dim in zip(places, a.shape, strict=False):
        _inside(a, dim_of(place), dim, last=True)
    return a.shape[len(places) :]


def _inside(a: Expr, place: Dim, dim: Dim, last: bool = False) -> None:
    """Refuse a place that is known to lie outside."""
    beyond = affine(add_dims(place, dim, signs=(1, -1)))
    known = set(beyond) <= {""}
    if (isinstance(place, int) and place < 0) or (known and beyond.get("", 0) > -int(last)):
        raise ShapeError(
            f"index {place} is outside", shapes=(a.shape,), hint=f"places run from 0 to {dim} - 1"
        )


INDEX: Operator = structural(
    "index", _index_shape,
    (lambda n, a, *places: Pick(a.shape, n.shape, places), no_slope, no_slope),
    "an entry", lambda _, a, *places: a[tuple(map(int, places))], "{0}[{places}]",
    arity=(2, 3), notation="index", precedence=50,
)  # fmt: skip


def _slice_shape(a: Expr, *bounds: Expr) -> Shape:
    _needs(len(bounds) == 2 * len(a.shape), "a range for each axis", a)
    shape = []
    for axis, dim in enumerate(a.shape):
        low, high = (dim_of(b) for b in bounds[2 * axis : 2 * axis + 2])
        _inside(a, high, dim)
        length = add_dims(high, low, signs=(1, -1))
        _needs(not isinstance(length, int) or length > 0, f"the range {low}:{high} is empty", a)
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
    assert isinstance(axis, Const)
    along = int(axis.value)
    first = parts[0].shape
    for part in parts:
        rest = part.shape[:along] + part.shape[along + 1 :]
        _needs(
            along < len(part.shape) == len(first) and rest == first[:along] + first[along + 1 :],
            "the parts do not fit", *parts,
            hint="all dimensions but that of the axis are equal",
        )  # fmt: skip
    joined = add_dims(*(part.shape[along] for part in parts))
    return (*first[:along], joined, *first[along + 1 :])


def _concat_map(node: Apply, slot: int) -> LinMap:
    axis = node.args[0]
    assert isinstance(axis, Const)
    if slot == 0:
        return Zero((), node.shape)
    along = int(axis.value)
    low: Expr = ZERO
    for part in node.args[1:slot]:
        low = add(low, size(part.shape[along]))
    return Place(node.args[slot].shape, node.shape, along, low)


def _joined(_: Any, axis: Any, *parts: Any) -> Any:
    out, along = parts[0], int(axis)
    for part in parts[1:]:
        longer = [
            n + (m if i == along else 0)
            for i, (n, m) in enumerate(zip(out.shape, part.shape, strict=True))
        ]
        joined = _resized(out, longer)
        joined[
            tuple(slice(n, None) if i == along else slice(None) for i, n in enumerate(out.shape))
        ] = part
        out = joined
    return out


def _resized(a: Any, shape: Sequence[int]) -> Any:
    """A larger array of the kind of `a`, which it begins with."""
    larger = a.copy()
    larger.resize(tuple(shape), refcheck=False)
    larger[...] = 0
    larger[tuple(slice(n) for n in a.shape)] = a
    return larger


CONCAT: Operator = structural(
    "concat", _concat_shape, (_concat_map,), "parts of an array", _joined,
    "np.concatenate(({args}), axis={axis})", arity=(2, None), notation="concat",
)  # fmt: skip
