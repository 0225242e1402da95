"""Vectors and matrices in the text: products, transposes, parts, functions with an axis.

An error here has no place yet, as those of the operator table have none: its operands are the
children of the production, `{0}` and `{1}` stand for them in its words, and
`chainrule.syntax.misfits` fills in how they are written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from chainrule.core.arithmetic import EXP, MUL, POW, size
from chainrule.core.errors import ArityError, ParseError, ShapeError, UnsupportedError
from chainrule.core.expr import Const, Expr, Sym, apply, const, topological
from chainrule.core.ops import Operator, lookup
from chainrule.core.shape import (
    Dim,
    Shape,
    add_dims,
    affine,
    broadcast,
    product_shape,
    shape_text,
)
from chainrule.core.table.losses import cross_entropy
from chainrule.core.table.structural import dim_of
from chainrule.syntax.lexer import Token
from chainrule.syntax.scope import Scope

MATMUL, TRANSPOSE, NORM = lookup("matmul"), lookup("transpose"), lookup("norm")
OUTER, INVERSE = lookup("outer"), lookup("inv")
INDEX, SLICE, DIAGONAL = lookup("index"), lookup("slice"), lookup("diagonal")

_ONLY_ARRAYS = frozenset({"sum", "mean", "concat", "transpose"})
DIMENSIONED = frozenset({"ones", "zeros", "eye"})
_LAST_AXIS = frozenset({"softmax", "log_softmax", "logsumexp"})
_EXTREMES = {"max": "the greatest entry", "min": "the least entry"}


class Range(NamedTuple):
    """`a:b` between square brackets, with either end left out."""

    low: Expr | None
    high: Expr | None


class Keyword(NamedTuple):
    """`axis=0` among the arguments of a function."""

    token: Token
    value: Expr


# ---- products


def times(a: Expr, sign: Token, b: Expr, scope: Scope) -> Expr:
    """`a * b`: a scalar times anything, or two arrays of one shape."""
    if a.shape and b.shape:
        written = scope.written(sign)
        if written != "*":
            raise ShapeError(
                f"`{written}` between arrays has several meanings",
                shapes=(a.shape, b.shape),
                hint=_products(a.shape, b.shape, scope.latex),
            )
        if a.shape != b.shape:
            raise ShapeError(
                "`*` is for a scalar, or for equal shapes",
                shapes=(a.shape, b.shape),
                hint=_products(a.shape, b.shape, scope.latex),
            )
    return apply(MUL, a, b)


def side_by_side(a: Expr, b: Expr, scope: Scope) -> Expr:
    """A product without a sign; of two arrays it is one in LaTeX only: the matrix product."""
    if not (a.shape and b.shape):
        return apply(MUL, a, b)
    if scope.latex:
        if len(a.shape) == 1 and b.op is TRANSPOSE and len(b.args[0].shape) == 1:
            return apply(OUTER, a, b.args[0])
        return apply(MATMUL, a, b)
    raise ShapeError(
        "two arrays stand side by side",
        shapes=(a.shape, b.shape),
        hint=_products(a.shape, b.shape, False),
    )


def hadamard(a: Expr, sign: Token, b: Expr, scope: Scope) -> Expr:
    """`a .* b`, `a ⊙ b`; `∘` is the same between arrays alone."""
    if scope.written(sign) in ("∘", r"\circ") and not (a.shape or b.shape):
        raise scope.wrong(
            sign, f"`{scope.written(sign)}` is for arrays", "a composition is written f(g(x))"
        )
    return apply(MUL, a, b)


def _products(a: Shape, b: Shape, latex: bool) -> str:
    """The products of two arrays that there are."""
    found = []
    if _fits(product_shape, a, b):
        found.append(f"{{0}} {'' if latex else '@ '}{{1}} for the matrix product")
    if _fits(broadcast, a, b) and (a == b or 1 not in (*a, *b)):
        found.append(r"{0} \odot {1} entry by entry" if latex else "{0} .* {1} entry by entry")
    if found:
        return f"write {', or '.join(found)}"
    return f"neither `@` nor `.*` fits: {shape_text(a)} and {shape_text(b)}"


def _fits(rule: object, a: Shape, b: Shape) -> bool:
    try:
        rule(a, b)  # type: ignore[operator]
    except ShapeError:
        return False
    return True


def is_square(value: Expr) -> bool:
    """Whether it is a square matrix."""
    return len(value.shape) == 2 and value.shape[0] == value.shape[1]


_MOST_FACTORS = 32


def typeset_power(base: Expr, exponent: Expr, is_e: bool, note: Callable[[str, str], None]) -> Expr:
    """`X^{2}`, `X^{-1}`, `e^{X}` in LaTeX: of a square matrix those of the matrix."""
    if is_e:
        if is_square(exponent):
            note("the exponential of the matrix", r"for that of each entry write \exp")
            return apply(lookup("expm"), exponent)
        return apply(EXP, exponent)
    value = exponent.value if isinstance(exponent, Const) and not exponent.decimal else None
    entries = r"for powers of the entries write {0}^{{\odot {1}}}"
    if is_square(base) and isinstance(value, int) and 0 < abs(value) <= _MOST_FACTORS:
        note("the inverse" if value == -1 else "a power of the matrix", entries)
        factor = apply(INVERSE, base) if value < 0 else base
        node = factor
        for _ in range(abs(value) - 1):
            node = apply(MATMUL, node, factor)
        return node
    if is_square(base) or is_square(exponent):
        raise ParseError(
            "this power of a matrix is not read",
            hint=r"for powers of the entries write X^{\odot k}; there are X^{2}, X^{-1}, e^{X}",
        )
    if base.shape:
        note("a power of each entry", r"clearer is {0}^{{\odot {1}}}")
    return apply(POW, base, exponent)


def transposed(value: Expr, times: int) -> Expr:
    """The transpose, for each prime once."""
    if not value.shape:
        raise ShapeError(
            "`{0}` is a scalar and has no transpose",
            shapes=((),),
            hint="for a derivative write d/dx in front",
        )
    for _ in range(times):
        value = apply(TRANSPOSE, value)
    return value


# ---- parts


def part(value: Expr, places: Sequence[Expr | Range], scope: Scope) -> Expr:
    """`x[i]`, `X[i, j]`, `X[i]`, `X[:, j]`, `x[a:b]`, counted from 0; from the end with a minus."""
    rank = len(value.shape)
    if len(places) > rank:
        counted = "is a scalar and has no entries" if not rank else "has one index"
        if rank == 2:
            counted = "has two indices"
        raise ShapeError(
            f"`{{0}}` {counted}",
            shapes=(value.shape,),
            hint="scalars are written x1, x2" if not rank else "write x[i] of a vector, X[i, j]",
        )
    read = [_place(p, dim, scope) for p, dim in zip(places, value.shape, strict=False)]
    read += [(size(0), size(dim)) for dim in value.shape[len(places) :]]
    kept = [(n, p) for n, p in enumerate(read) if isinstance(p, tuple)]
    at = [p for p in read if not isinstance(p, tuple)]
    if at:
        first = apply(TRANSPOSE, value) if kept and kept[0][0] == 0 else value
        value = apply(INDEX, first, *at)
    bounds = [bound for _, ends in kept for bound in ends]
    whole = [bound for dim in value.shape for bound in (size(0), size(dim))]
    return value if at and bounds == whole else apply(SLICE, value, *bounds)


def _place(place: Expr | Range, dim: Dim, scope: Scope) -> Expr | tuple[Expr, Expr]:
    if isinstance(place, Range):
        low = 0 if place.low is None else _bound(place.low, dim, scope, 1)
        high = dim if place.high is None else _bound(place.high, dim, scope, 1)
        length = affine(add_dims(high, low, signs=(1, -1)))
        if set(length) <= {""} and length.get("", 0) <= 0:
            raise ParseError(
                f"the range {low}:{high} holds no entry", hint="x[0:3] are the first three entries"
            )
        return size(low), size(high)
    return size(_bound(place, dim, scope, 0))


def _bound(place: Expr, dim: Dim, scope: Scope, beyond: int) -> Dim:
    """An index as a dimension, below `dim + beyond`; a negative one counts from the end."""
    written = found = dimension_of(place, scope, "an index")
    terms = affine(found)
    if terms and all(count < 0 for count in terms.values()):
        found = add_dims(dim, found)
    before, behind = affine(found), affine(add_dims(found, dim, signs=(1, -1)))
    if (set(before) <= {""} and before.get("", 0) < 0) or (
        set(behind) <= {""} and behind.get("", 0) >= beyond
    ):
        last = dim - 1 if isinstance(dim, int) else f"{dim} - 1"
        raise ParseError(
            f"there is no place {written}",
            hint=f"the places run from 0 to {last}, or from -1 back",
        )
    return found


def dimension_of(value: Expr, scope: Scope, what: str) -> Dim:
    """The dimension that an expression over the names of dimensions is."""
    for node in topological([value]):
        if isinstance(node, Sym) and node.name not in scope.dimensions:
            raise ParseError(
                f"`{node.name}` is not a dimension",
                hint=f"{what} is a whole number or a name from a declaration, as n in x: vector(n)",
            )
        if isinstance(node, Const) and (node.decimal or not isinstance(node.value, int)):
            raise ParseError(f"{what} is a whole number", hint="write 2, n or n - 1")
    return dim_of(value)


# ---- functions


def call(row: Operator, args: list[Expr], keywords: Sequence[Keyword], scope: Scope) -> Expr:
    """A function of the table that is given an array, or takes an axis or dimensions."""
    name = row.name
    if name in _EXTREMES and len(args) == 1 and args[0].shape:
        raise UnsupportedError(
            f"{_EXTREMES[name]} of an array is not there",
            hint=f"{name}(x, y) compares entry by entry",
        )
    if name in DIMENSIONED:
        found = [dimension_of(a, scope, "a dimension") for a in args]
        for dim in found:
            if isinstance(dim, int) and dim < 1:
                raise ParseError(f"a dimension of {dim}", hint="the least is 1")
        return apply(row, *map(size, found))
    if name in _ONLY_ARRAYS and not all(a.shape for a in args):
        raise ShapeError(
            f"`{name}` is for vectors and matrices",
            shapes=tuple(a.shape for a in args if not a.shape)[:1],
            hint="numbers stand in a vector of outputs: [e_1, e_2]"
            if name == "concat" and scope.latex
            else "a scalar has one entry",
        )
    if name == "cross_entropy":
        return cross_entropy(*args)
    if name == "one_hot":
        args[1] = size(dimension_of(args[1], scope, "the number of classes"))
    if name == "diag" and len(args[0].shape) == 2:
        row = DIAGONAL
    if name == "concat":
        axis = _axis(keywords, args[0].shape, name, default=0)
        return apply(row, const(axis or 0), *args)
    if keywords:
        rank = len(args[0].shape)
        axis = _axis(keywords, args[0].shape, name)
        if name in _LAST_AXIS and axis != rank - 1:
            raise UnsupportedError(
                f"`{name}` over axis {axis}: it is taken over the last axis",
                hint=f"transpose: {name}(X')" + "'" * (name != "logsumexp"),
            )
        if rank > 1 and name not in _LAST_AXIS:
            args = [*args, const(axis)]
    return apply(row, *args)


def takes_axis(row: Operator) -> bool:
    """Whether `axis=` may be given."""
    return row.notation in ("reduction", "concat") or row.name in _LAST_AXIS


def check_call(
    row: Operator, head: Token, args: Sequence[Expr], keywords: Sequence[Keyword], scope: Scope
) -> None:
    """Refuse an axis where there is none, or one without its name."""
    for keyword in keywords:
        if not takes_axis(row):
            raise scope.wrong(
                keyword.token, f"`{head.text}` has no axis", "sum, mean and concat have one"
            )
        if len(keywords) > 1:
            raise scope.wrong(keywords[1].token, "the axis is given twice", "leave one out")
    if row.notation == "reduction" and len(args) == 2 and isinstance(args[1], Const):
        raise scope.wrong(
            head,
            "the axis is given by its name",
            f"write {head.text}(X, axis={args[1].value})",
            ArityError,
        )


def _axis(keywords: Sequence[Keyword], shape: Shape, name: str, default: int = 0) -> int:
    """The axis that is asked for, counted from the front."""
    if not keywords:
        return default
    (keyword,) = keywords
    value = keyword.value.value if isinstance(keyword.value, Const) else None
    rank = len(shape)
    if not isinstance(value, int) or not -rank <= value < rank:
        written = value if value is not None else "of a name"
        raise ShapeError(
            f"`{name}` has no axis {written}", shapes=(shape,), hint=_axes(shape, name)
        )
    return value % rank


def _axes(shape: Shape, name: str) -> str:
    if len(shape) < 2:
        return f"write {name}(x)" if name != "concat" else "a vector has axis 0"
    if name == "concat":
        return "axis=0 puts rows below each other, axis=1 columns side by side"
    rows, columns = shape
    return (
        f"axis=0 goes over the rows and leaves vector({columns}), "
        f"axis=1 over the columns and leaves vector({rows})"
    )
