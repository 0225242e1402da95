"""Layout of vectors and matrices: products, transposes, parts, constant arrays.

Names of arrays are bold in the plane. A product of arrays is told by its sign on the line (`@`,
`.*`), in the plane by there being none, or `⊙`; where different products meet, brackets say
which comes first. What acts entry by entry has a sign of its own where the usual one means
something else for matrices (`X.^2`, `⊘`).
"""

from __future__ import annotations

from collections.abc import Callable

from chainrule.core.arithmetic import size
from chainrule.core.expr import ONE, ZERO, Apply, Expr, Sym
from chainrule.core.ops import Notation
from chainrule.core.shape import Shape, shape_text
from chainrule.derivation.steps import Formula
from chainrule.render.boxes import (
    ATOM,
    FRACTION,
    HADAMARD,
    MINUS,
    OPEN,
    POWER,
    PRODUCT,
    Box,
    array_box,
    call_box,
    either,
    fenced,
    in_row,
    joined,
    name_box,
    number_box,
    sign_box,
    times_box,
)

TOP = sign_box("'", r"\top")
COMMA = sign_box(", ")
TIMES = sign_box("×", r" \times ")


def notation_of(node: Expr) -> Notation | None:
    """How the node is set; None for names and numbers."""
    return None if node.op is None else node.op.notation


def is_matmul(node: Expr) -> bool:
    """Whether it is a matrix product."""
    return notation_of(node) == "matmul"


def transposed(box: Box, twice: bool = False) -> Box:
    """`A'`, in the plane with a raised sign; `(A')'` where it is transposed `twice`."""
    line = in_row([fenced(box, ATOM + twice, OPEN), TOP], ATOM, ATOM)
    return either(line, raised(box, TOP))


def raised(box: Box, exponent: Box) -> Box:
    """Something above the line, in the plane."""
    base = fenced(box, OPEN, ATOM)
    return Box("power", (base, exponent), "", "", POWER, POWER, base.starts)


def indexed(head: Box, *places: Box) -> Box:
    """Something below the line, in the plane."""
    return Box("script", (head, joined(list(places), COMMA, ATOM)), starts=head.starts)


def shaped_box(name: str, shape: Shape) -> Box:
    """`W: matrix(m, n)`, in the plane the set that it is an element of."""
    box = array_box(name)
    line = in_row([box, sign_box(f": {shape_text(shape)}")], OPEN, OPEN)
    dims = [name_box(str(dim)) for dim in shape]
    space = raised(Box("constant", (), "ℝ", r"\mathbb{R}"), joined(dims, TIMES, ATOM))
    return either(line, in_row([box, sign_box(" ∈ ", r" \in "), space], OPEN, OPEN))


def entry_box(of: Formula, box: Box, places: list[Box]) -> Box:
    """An entry of an array, a number: `x_k`, `W_ij`, `(W @ x)_i`."""
    if isinstance(of, Sym) and box.kind in ("array", "symbol") and len(of.name) == 1:
        return indexed_by(name_box(of.name), places)
    return indexed_by(fenced(box, ATOM, ATOM if box.kind != "array" else ATOM + 1), places)


def indexed_by(head: Box, places: list[Box]) -> Box:
    """Letters below the line, on the line behind a `_`: `W_ij`, `x_(k + 1)`."""
    letters = all(place.kind in ("symbol", "number") and len(place.text) == 1 for place in places)
    letters = letters and sum(place.kind == "number" for place in places) < 2
    below = in_row(places, ATOM, ATOM) if letters else joined(places, COMMA, OPEN)
    line = in_row([head, sign_box("_"), fenced(below, ATOM, OPEN)], ATOM, ATOM)
    return either(line, Box("script", (head, below), starts=head.starts))


def product_of_arrays(left: Box, right: Box) -> Box:
    """`A @ B`, in the plane side by side."""
    apart = "word" in (left.ends, right.starts)
    sign = Box("times", text=" @ ", latex=r"\," if apart else "")
    return in_row([left, sign, right], PRODUCT, PRODUCT)


# ------------------------------------------------------------------------- products


def _matmul(node: Apply, args: list[Box], explicit: bool) -> Box:
    first = node.args[0]
    kept = is_matmul(first) or (notation_of(first) == "product" and not first.args[0].shape)
    kept = kept or isinstance(first, Sym)
    left = fenced(args[0], PRODUCT if kept else POWER, _left_in_plane(first))
    return product_of_arrays(left, _right(args[1]))


def _left_in_plane(node: Expr) -> int:
    """How tightly what stands left of an array must bind; `∇_x y z` would be read wrongly."""
    return POWER if isinstance(node, Sym) and node.name.startswith("∇") else PRODUCT


def _right(box: Box) -> Box:
    return box if box.kind == "derivative" else fenced(box, POWER, POWER)


def _product(node: Apply, args: list[Box], explicit: bool) -> Box:
    a, b = node.args
    if a.shape and b.shape:
        return _hadamard(node, args)
    mixed = is_matmul(a) or _entrywise(a)
    # In the plane a matrix product is associative with a number in front.
    joins = not a.shape and notation_of(b) in ("matmul", "outer")
    left = fenced(args[0], POWER if mixed else PRODUCT, POWER if is_matmul(a) else PRODUCT)
    right = args[1]
    if right.kind != "derivative":
        right = fenced(right, POWER, PRODUCT if joins else POWER)
    return in_row([left, times_box(left, right), right], PRODUCT, PRODUCT)


def _hadamard(node: Apply, args: list[Box]) -> Box:
    first = node.args[0]
    again = notation_of(first) == "product" and _entrywise(first)
    mixed = is_matmul(first) or (_entrywise(first) and not again)
    left = fenced(
        args[0], POWER if mixed else PRODUCT, HADAMARD if again else POWER if mixed else PRODUCT
    )
    times = Box("times", text=" .* ", latex=r"\odot")
    return in_row([left, times, _right(args[1])], PRODUCT, HADAMARD)


def _entrywise(node: Expr) -> bool:
    """Whether it is a product or a quotient of arrays entry by entry."""
    return (
        notation_of(node) in ("product", "fraction")
        and bool(node.args[1].shape)
        and (bool(node.args[0].shape) or notation_of(node) == "fraction")
    )


def _fraction(node: Apply, args: list[Box], explicit: bool) -> Box:
    top, bottom = node.args
    mixed = explicit or is_matmul(top) or _entrywise(top)
    if not bottom.shape:
        parts = fenced(args[0], POWER if mixed else PRODUCT, OPEN), fenced(args[1], POWER, OPEN)
        return Box("fraction", parts, "", "", PRODUCT, FRACTION, "fraction", "fraction")
    above = fenced(args[0], POWER if mixed else PRODUCT, PRODUCT)
    below = fenced(args[1], POWER, POWER)
    return in_row([above, Box("times", text=" ./ ", latex=r"\oslash"), below], PRODUCT, HADAMARD)


def _power(node: Apply, args: list[Box], explicit: bool) -> Box:
    base, exponent = node.args
    low = fenced(args[0], ATOM, ATOM)
    if low.kind == "constant" and low.text == "e":
        low = fenced(low, ATOM + 1, ATOM + 1)
    is_top = isinstance(exponent, Sym) and exponent.name == "T"  # `x^T` is a transpose
    high = fenced(args[1], ATOM + is_top if explicit or is_top else POWER, OPEN)
    sign = ".^" if len(base.shape) == 2 else ""
    return Box("power", (low, high), sign, r"\odot ", POWER, POWER, low.starts)


def _outer(node: Apply, args: list[Box], explicit: bool) -> Box:
    column = fenced(args[0], OPEN, _left_in_plane(node.args[0]))
    row = raised(args[1], TOP)
    return either(_function(node, args, explicit), product_of_arrays(column, row))


# ------------------------------------------------------------------------- functions


def _function(node: Apply, args: list[Box], explicit: bool) -> Box:
    return call_box(node.op.written or node.op.name, node.op.latex, args)


def _transpose(node: Apply, args: list[Box], explicit: bool) -> Box:
    return transposed(args[0], notation_of(node.args[0]) == "transpose")


def _inverse(node: Apply, args: list[Box], explicit: bool) -> Box:
    return either(_function(node, args, explicit), raised(args[0], number_box("-1")))


def _delimited(node: Apply, args: list[Box], explicit: bool) -> Box:
    return Box("delimited", tuple(args), node.op.name, node.op.latex)


def _bars(node: Apply, args: list[Box], explicit: bool) -> Box:
    return call_box(node.op.name, rf"\operatorname{{{node.op.name}}}", args)


def _exponential(node: Apply, args: list[Box], explicit: bool) -> Box:
    """Never with a raised exponent, which would be the matrix exponential."""
    return Box("exponential", tuple(args), "exp", r"\exp")


def _reduction(node: Apply, args: list[Box], explicit: bool) -> Box:
    name, latex = node.op.name, node.op.latex
    if len(args) == 1:
        return call_box(name, latex, args)
    line = call_box(name, latex, [args[0], _keyword(args[1])])
    axis = in_row([sign_box("axis ", r"\mathrm{axis}\ "), args[1]], ATOM, ATOM)
    head = indexed(Box("constant", (), name, latex), axis)
    return either(line, Box("applied", (head, args[0])))


def _keyword(axis: Box) -> Box:
    return in_row([sign_box("axis="), axis], ATOM, ATOM)


# ------------------------------------------------------------------------- parts


def _index(node: Apply, args: list[Box], explicit: bool) -> Box:
    value, *places = node.args
    column = notation_of(value) == "transpose" and len(value.args[0].shape) == 2
    if column and len(places) == 1:
        base = args[0].parts[1].parts[0]  # of the plane, what is transposed
        return _part(_unfenced(base), [sign_box(":"), args[1]])
    return _part(args[0], args[1:])


def _unfenced(box: Box) -> Box:
    return box.parts[0] if box.kind == "fence" else box


def _part(value: Box, places: list[Box]) -> Box:
    return Box("part", (fenced(value, ATOM, ATOM), *places))


def _slice(node: Apply, args: list[Box], explicit: bool) -> Box:
    value, *bounds = node.args
    places = []
    for axis, dim in enumerate(value.shape):
        low, high = args[2 * axis + 1 : 2 * axis + 3]
        ends = [low] if bounds[2 * axis] is not ZERO else []
        ends.append(sign_box(":"))
        ends += [high] if bounds[2 * axis + 1] is not size(dim) else []
        places.append(in_row(ends, ATOM, ATOM))
    return _part(args[0], places)


def _concat(node: Apply, args: list[Box], explicit: bool) -> Box:
    axis, *parts = args
    across = node.args[0] is ONE
    named = [_keyword(axis)] if len(node.shape) == 2 else []
    line = call_box(node.op.name, node.op.latex, [*parts, *named])
    return either(line, Box("matrix", tuple(parts), str(len(parts) if across else 1)))


def _filled(node: Apply, args: list[Box], explicit: bool) -> Box:
    line = _function(node, args, explicit)
    letter = node.op.latex.strip("}")[-1]
    head = Box("array", (), letter, starts="number" if letter.isdigit() else "letter")
    row = len(args) == 2 and node.args[0] is ONE
    by = joined([fenced(a, MINUS, MINUS) for a in args[1 if row else 0 :]], TIMES, ATOM)
    plane = indexed(head, by)
    return either(line, raised(plane, TOP) if row else plane)


def _unit(node: Apply, args: list[Box], explicit: bool) -> Box:
    head = Box("array", (), "e", starts="letter")
    return either(_function(node, args, explicit), indexed(head, args[1]))


Draw = Callable[[Apply, list[Box], bool], Box]

OF_ARRAYS: dict[Notation, Draw] = {
    "product": _product,
    "fraction": _fraction,
    "power": _power,
    "bars": _bars,
    "exponential": _exponential,
}
"""Rows that act on numbers, where their value is an array."""

STRUCTURAL: dict[Notation, Draw] = {
    "matmul": _matmul,
    "transpose": _transpose,
    "inner": _delimited,
    "outer": _outer,
    "norm": _delimited,
    "inverse": _inverse,
    "reduction": _reduction,
    "index": _index,
    "slice": _slice,
    "concat": _concat,
    "filled": _filled,
    "unit": _unit,
}
"""Rows of arrays alone."""
