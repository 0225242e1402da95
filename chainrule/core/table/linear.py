"""Linear algebra: products, transposes, reductions, square matrices, diagonals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from chainrule.core import arrays
from chainrule.core.arithmetic import div, reciprocal, relation, size
from chainrule.core.expr import MINUS_ONE, ZERO, Apply, Expr, apply, const
from chainrule.core.intervals import NONNEGATIVE
from chainrule.core.linmap import (
    Compose,
    Cut,
    Exponential,
    Inner,
    Left,
    LinMap,
    OfDiagonal,
    Outer,
    Place,
    Plus,
    Right,
    Scale,
    Sum,
    ToDiagonal,
    Transpose,
    compose,
)
from chainrule.core.ops import Kink, Operator
from chainrule.core.shape import Dim, Shape, add_dims, product_shape
from chainrule.core.table.parts import CONCAT
from chainrule.core.table.structural import (
    array_only,
    axis_of,
    like,
    needs,
    no_slope,
    square_only,
    structural,
)

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
    "transpose",
    array_only("transpose", lambda a: a.shape[::-1] if len(a.shape) == 2 else (1, *a.shape)),
    (lambda n, a: Transpose(a.shape, n.shape),), "transpose",
    lambda _, a: a.T if a.ndim == 2 else a[None, :], "{0}.T",
    latex=r"^{\top}", notation="transpose", precedence=45,
)  # fmt: skip


def _same_shapes(name: str) -> Callable[..., Shape]:
    def shape(a: Expr, b: Expr) -> Shape:
        needs(
            a.shape == b.shape and a.shape != (), f"`{name}` needs two arrays of one shape", a, b,
            hint="the matrix product is written `@`",
        )  # fmt: skip
        return ()

    return shape


DOT: Operator = structural(
    "dot", _same_shapes("dot"),
    (lambda n, a, b: Inner(a.shape, (), b), lambda n, a, b: Inner(b.shape, (), a)),
    "product rule for the inner product", lambda _, a, b: (a * b).sum(), "np.vdot({0}, {1})",
    notation="inner",
)  # fmt: skip


def _outer_shape(a: Expr, b: Expr) -> Shape:
    needs(
        len(a.shape) == len(b.shape) == 1, "`outer` needs two vectors", a, b,
        hint="a column times a row",
    )  # fmt: skip
    return (*a.shape, *b.shape)


OUTER: Operator = structural(
    "outer", _outer_shape,
    (lambda n, a, b: Outer(a.shape, n.shape, b), lambda n, a, b: Outer(b.shape, n.shape, a, True)),
    "product rule for the outer product", lambda _, a, b: a[:, None] * b[None, :],
    "np.outer({0}, {1})", notation="outer",
)  # fmt: skip


# ---- reductions


def _axis(args: Sequence[Expr]) -> int | None:
    return axis_of(args[1]) if len(args) > 1 else None


def _reduced(name: str) -> Callable[..., Shape]:
    def shape(*args: Expr) -> Shape:
        a, axis = args[0], _axis(args)
        if axis is None:
            return ()
        needs(
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
    "sum", _reduced("sum"), (_sum_map, no_slope), "sum rule", _summed, "{0}.sum({axis})",
    arity=(1, 2), notation="reduction",
)  # fmt: skip
MEAN: Operator = structural(
    "mean", _reduced("mean"), (_mean_map, no_slope), "mean", _averaged, "{0}.mean({axis})",
    arity=(1, 2), notation="reduction",
)  # fmt: skip


def _norm_value(m: Any, a: Any) -> Any:
    return m.sqrt((a * a).sum())


NORM: Operator = structural(
    "norm", array_only("norm", lambda a: ()), (lambda n, a: Inner(a.shape, (), div(a, n)),),
    "derivative of the norm", _norm_value, "np.linalg.norm({0})",
    latex=r"\left\lVert", notation="norm", range=NONNEGATIVE,
    kinks=lambda a: (Kink(relation("==", apply(NORM, a), ZERO), "the slope of norm at 0 is 0"),),
    source="Petersen & Pedersen, Matrix Cookbook 2012, eq. 129",
)  # fmt: skip


# ---- square matrices


def _on_square(name: str, result: Callable[[Expr], Shape]) -> Callable[[Expr], Shape]:
    def shape(a: Expr) -> Shape:
        square_only(a, name)
        return result(a)

    return shape


TRACE: Operator = structural(
    "trace", _on_square("trace", lambda a: ()),
    (lambda n, a: Inner(a.shape, (), arrays.eye(a.shape[0])),),
    "derivative of the trace", lambda _, a: a.trace(), "np.trace({0})", spellings=("tr",),
    written="tr", latex=r"\operatorname{tr}",
    source="Petersen & Pedersen, Matrix Cookbook 2012, eq. 99",
)  # fmt: skip


def _regular(a: Expr) -> tuple[Expr, ...]:
    """The formulas need an inverse."""
    return (relation("!=", apply(DET, a), ZERO),)


DET: Operator = structural(
    "det", _on_square("det", lambda a: ()),
    (lambda n, a: Inner(a.shape, (), arrays.scaled(n, arrays.transpose(inverse(a)))),),
    "derivative of the determinant", lambda _, a: a, "np.linalg.det({0})",
    latex=r"\det", sympy=lambda s, a: s.Matrix(a).det(method="berkowitz"),
    mpmath=lambda m, a: m.det(m.matrix(a.tolist())),
    smooth=_regular,
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
    lambda _, a: a, "np.linalg.inv({0})", notation="inverse",
    sympy=lambda s, a: like(a, s.Matrix(a).inv().tolist()),
    mpmath=lambda m, a: like(a, m.inverse(m.matrix(a.tolist())).tolist()),
    domain=_regular, source="Petersen & Pedersen, Matrix Cookbook 2012, eq. 59",
)  # fmt: skip


def inverse(a: Expr) -> Expr:
    """The inverse; of an inverse, the matrix."""
    if arrays.is_op(a, "inv"):
        return a.args[0]
    return apply(INV, a)


def _exponential(m: Any, rows: Any) -> Any:
    return m.expm(m.matrix(rows)) if hasattr(m, "expm") else m.Matrix(rows).exp()


def _series(m: Any, a: Any) -> Any:
    return like(a, _exponential(m, a.tolist()).tolist())


EXPM: Operator = structural(
    "expm", _on_square("expm", lambda a: a.shape), (lambda n, a: Exponential(a.shape, n.shape, a),),
    "Fréchet derivative of the matrix exponential", _series, "scipy.linalg.expm({0})",
    source="Higham 2008, eq. 10.15",
)  # fmt: skip


def _frechet_shape(a: Expr, e: Expr) -> Shape:
    square_only(a, "expm_frechet")
    needs(a.shape == e.shape, "`expm_frechet` needs a direction of the same shape", a, e)
    return a.shape


def _twice(a: Expr, dim: Dim) -> LinMap:
    """dA -> the matrix of twice the size with dA twice on its diagonal."""
    wide = add_dims(dim, dim)
    blocks = [
        compose(Place((dim, dim), (wide, dim), 0, low), Place((wide, dim), (wide, wide), 1, low))
        for low in (ZERO, size(dim))
    ]
    return Plus(a.shape, (wide, wide), tuple(blocks))


def _frechet_by_base(node: Apply, a: Expr, e: Expr) -> LinMap:
    """The direction's value is a corner of expm([A, E; 0, A]), which is differentiated."""
    dim = a.shape[0]
    n, wide = size(dim), add_dims(dim, dim)
    above = apply(CONCAT, const(1), a, e)
    block = apply(CONCAT, ZERO, above, apply(CONCAT, const(1), arrays.zeros(a.shape), a))
    corner = Cut((wide, wide), a.shape, (ZERO, n, n, size(wide)))
    return compose(_twice(a, dim), Exponential((wide, wide), (wide, wide), block), corner)


def _frechet(m: Any, a: Any, e: Any) -> Any:
    n = len(a)
    block = [[*p, *q] for p, q in zip(a.tolist(), e.tolist(), strict=True)]
    block += [[0] * n + row for row in a.tolist()]
    return like(a, [row[n:] for row in _exponential(m, block).tolist()[:n]])


EXPM_FRECHET: Operator = structural(
    "expm_frechet", _frechet_shape,
    (_frechet_by_base, lambda n, a, e: Exponential(e.shape, n.shape, a)),
    ("second Fréchet derivative", "linear in the direction"), _frechet,
    "np.asarray(scipy.linalg.expm_frechet({0}, {1}, compute_expm=False), {dtype})", latex="L",
    source="Higham 2008, eq. 10.43",
)  # fmt: skip


# ---- diagonals


def _vector_only(name: str, result: Callable[[Expr], Shape]) -> Callable[[Expr], Shape]:
    def shape(a: Expr) -> Shape:
        needs(len(a.shape) == 1, f"`{name}` is for a vector", a)
        return result(a)

    return shape


def _on_diagonal(_: Any, a: Any) -> Any:
    out = (a[:, None] * a[None, :]) * 0
    for i in range(len(a)):
        out[i, i] = a[i]
    return out


DIAG: Operator = structural(
    "diag", _vector_only("diag", lambda a: a.shape * 2),
    (lambda n, a: ToDiagonal(a.shape, n.shape),),
    "diagonal matrix", _on_diagonal, "np.diag({0})",
)  # fmt: skip
DIAGONAL: Operator = structural(
    "diagonal", _on_square("diag", lambda a: a.shape[:1]),
    (lambda n, a: OfDiagonal(a.shape, n.shape),),
    "diagonal of a matrix", lambda _, a: a.diagonal().copy(), "np.diagonal({0})",
    written="diag", latex=r"\operatorname{diag}",
)  # fmt: skip
