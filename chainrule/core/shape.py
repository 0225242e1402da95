"""Dimensions and shapes: broadcasting, and the shapes of products.

A dimension is a number, a name (`N`), or a sum of these, kept as one canonical text
(`m + n`, `n - 1`). Two dimensions are equal where their texts are: a name stands for any
number, so `m` and `n` do not fit each other. Ranks above two are refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from chainrule.core.errors import ShapeError, UnsupportedError

Dim = int | str
Shape = tuple[Dim, ...]

LARGEST = 10**9
"""The largest dimension, or multiple of a named one."""

_MOST_NAMES = 100  # in one dimension
_KINDS = ("scalar", "vector", "matrix")


def shape_text(shape: Shape) -> str:
    """The shape as the language declares it.

    >>> shape_text(()), shape_text(("n",)), shape_text((3, "d"))
    ('scalar', 'vector(n)', 'matrix(3, d)')
    """
    return _KINDS[len(shape)] + (f"({', '.join(map(str, shape))})" if shape else "")


def affine(dim: Dim) -> dict[str, int]:
    """The dimension as a sum: coefficients of names, the number under the empty name.

    >>> affine("2*m + n - 1")
    {'m': 2, 'n': 1, '': -1}
    """
    if isinstance(dim, int):
        return {"": dim} if dim else {}
    terms: dict[str, int] = {}
    sign = 1
    for word in dim.split():
        if word in "+-":
            sign = 1 if word == "+" else -1
        else:
            count, star, name = word.rpartition("*")
            if not star and word.isdigit():
                count, name = word, ""
            terms[name] = sign * int(count or 1)
    return terms


def dimension(terms: Mapping[str, int]) -> Dim:
    """The dimension that is this sum, in its canonical text.

    Raises:
        UnsupportedError: it is too large, or the sum of too many names.

    >>> dimension({"n": 1, "m": 2, "": -1})
    '2*m + n - 1'
    """
    if len(terms) > _MOST_NAMES or max(map(abs, terms.values()), default=0) > LARGEST:
        raise UnsupportedError(
            f"a dimension of more than {LARGEST:,}, or of {_MOST_NAMES} names",
            hint="give it a name of its own, in a declaration",
        )
    text = ""
    for name, count in sorted(terms.items(), key=lambda term: (not term[0], term[0])):
        if count:
            size = (
                str(abs(count)) if not name else name if abs(count) == 1 else f"{abs(count)}*{name}"
            )
            sign = "-" if count < 0 else "+"
            text = f"{text} {sign} {size}" if text else size if count > 0 else f"- {size}"
    known = set(terms) <= {""}
    return terms.get("", 0) if known else text or 0


def add_dims(*dims: Dim, signs: Iterable[int] = ()) -> Dim:
    """The sum of dimensions, with signs if given.

    >>> add_dims("n", "m", 2), add_dims("n", "n"), add_dims("n", "m", signs=(1, -1))
    ('m + n + 2', '2*n', '- m + n')
    """
    total: dict[str, int] = {}
    for dim, sign in zip(dims, signs or (1,) * len(dims), strict=True):
        for name, count in affine(dim).items():
            total[name] = total.get(name, 0) + sign * count
    return dimension({name: count for name, count in total.items() if count})


def dimension_names(shapes: Iterable[Shape]) -> list[str]:
    """The names that occur in the shapes, in order of appearance."""
    found: dict[str, None] = {}
    for shape in shapes:
        for dim in shape:
            found.update(dict.fromkeys(name for name in affine(dim) if name))
    return list(found)


def size_of(dim: Dim, sizes: Mapping[str, int]) -> int:
    """The number a dimension is, given the sizes of the names.

    >>> size_of("m + 2*n - 1", {"m": 3, "n": 4})
    10
    """
    return sum(count * (sizes[name] if name else 1) for name, count in affine(dim).items())


def broadcast(*shapes: Shape) -> Shape:
    """The common shape under NumPy's rule: aligned at the last axis, 1 stretches.

    Raises:
        ShapeError: two dimensions are neither equal nor 1.

    >>> broadcast(("N", "k"), ("k",), ())
    ('N', 'k')
    """
    result: Shape = ()
    for shape in shapes:
        if shape == result or not shape:
            continue
        long, short = (result, shape) if len(result) >= len(shape) else (shape, result)
        lead = len(long) - len(short)
        merged = list(long[:lead])
        for a, b in zip(long[lead:], short, strict=True):
            if a != b and 1 not in (a, b):
                raise ShapeError(
                    "shapes do not fit element by element",
                    shapes=shapes,
                    hint=f"{a} and {b} differ: equal shapes, a scalar, or a row over the last axis",
                )
            merged.append(b if a == 1 else a)
        result = tuple(merged)
    return result


def product_shape(a: Shape, b: Shape) -> Shape:
    """The shape of the matrix product a @ b; a vector is a column, or a row on the left.

    A row times a column is a scalar, a column times a row is a matrix.

    Raises:
        ShapeError: an operand is a scalar, or the inner dimensions differ.

    >>> product_shape(("m", "n"), ("n",)), product_shape((1, "n"), ("n",))
    (('m',), ())
    """
    if not a or not b:
        raise ShapeError(
            "`@` is for vectors and matrices", shapes=(a, b), hint="a scalar multiplies with `*`"
        )
    if len(a) == 1 and len(b) == 2 and b[0] == 1 and a[0] != 1:
        return (a[0], b[1])
    if a[-1] != b[0]:
        left = "columns of the first" if len(a) == 2 else "entries of the first"
        right = "rows of the second" if len(b) == 2 else "entries of the second"
        raise ShapeError(
            "shapes do not fit",
            shapes=(a, b),
            hint=f"`@` needs as many {left} as {right}: {a[-1]} and {b[0]} differ",
        )
    if len(a) == 1:
        return b[1:]
    if len(b) == 1:
        return () if a[0] == 1 else a[:1]
    return (a[0], b[1])


def check_rank(shape: Shape) -> Shape:
    """The shape, unless its rank is above two: UnsupportedError."""
    if len(shape) > 2:
        raise UnsupportedError(
            f"an array of {len(shape)} axes", hint="scalars, vectors and matrices are there"
        )
    return shape
