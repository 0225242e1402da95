"""Formula to mathematical layout: the one place with precedence and brackets.

A layout is a small tree of boxes. It serves two notations at once: the *line* (the
language itself, `(a + b)/c`) and the *plane* (LaTeX, where the bar of a fraction groups).
Each box knows how tightly it binds in either, and a fence says in which it stands.
Emitters draw boxes and decide nothing. Layouts are built with one visit a node, so an
expression that shares its parts has a layout that shares them too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from chainrule.core.expr import Apply, Const, Expr, Sym, number_text, topological
from chainrule.core.ops import Notation, spellings
from chainrule.core.table.abstract import AbstractOperator
from chainrule.derivation.steps import Chain, Diagonal, Formula, Matrix, Partial, Plus, Times

Kind = Literal[
    "row", "number", "symbol", "constant", "sign", "times", "call", "fraction", "power", "root",
    "delimited", "exponential", "logarithm", "fence", "cases", "matrix", "derivative", "applied",
    "lines",
]  # fmt: skip
Edge = Literal["number", "letter", "name", "fence", "fraction", "other"]

OPEN, CASES, RELATION, SUM, MINUS, PRODUCT, POWER, FRACTION, ATOM = 0, 3, 5, 10, 15, 20, 40, 45, 50


class Box(NamedTuple):
    """A piece of layout.

    Attributes:
        kind: what is drawn.
        parts: the boxes inside.
        text, latex: what is written: a name, a number, a sign, the head of a function.
        line, plane: how tightly it binds in either notation.
        starts, ends: what stands at its ends in the plane, for products without a sign.
    """

    kind: Kind
    parts: tuple[Box, ...] = ()
    text: str = ""
    latex: str = ""
    line: int = ATOM
    plane: int = ATOM
    starts: Edge = "other"
    ends: Edge = "other"


def layout(formula: Formula, explicit: bool = False) -> Box:
    """The layout of a formula; `explicit` brackets also what only convention decides."""
    order: list[Formula] = []
    stack: list[Formula] = [formula]
    while stack:
        current = stack.pop()
        order.append(current)
        stack.extend(_inside(current))
    boxes = _expressions([f for f in order if isinstance(f, Expr)], explicit)
    done: dict[int, Box] = {}
    for current in reversed(order):
        if isinstance(current, Expr):
            done[id(current)] = boxes[current]
        else:
            done[id(current)] = _composite(current, [done[id(part)] for part in _inside(current)])
    return done[id(formula)]


def emit(box: Box, draw: Callable[[Box], Iterable[Box | str]]) -> str:
    """Write a layout: `draw` says what a box consists of, in order."""
    out: list[str] = []
    stack: list[Box | str] = [box]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            out.append(item)
        else:
            stack.extend(reversed(list(draw(item))))
    return "".join(out)


def _inside(formula: Formula) -> Sequence[Formula]:
    match formula:
        case Times(parts) | Plus(parts) | Diagonal(parts):
            return parts
        case Matrix(rows):
            return [entry for row in rows for entry in row]
    return ()


# ---------------------------------------------------------------- the forms of a derivation


def _composite(formula: Formula, parts: list[Box]) -> Box:
    match formula:
        case Partial(of, by, total):
            return _derivative("d" if total else "∂", of, by)
        case Chain(nodes):
            return _joined([_symbol(name) for name in nodes], _sign(" <- "), RELATION)
        case Times(factors):
            arrays = any(isinstance(f, (Matrix, Diagonal)) for f in factors)
            sign = Box("times", text=" · " if arrays else " * ", latex=r"\cdot")
            # A minus may lead; a factor that is itself a product needs no brackets here.
            first = _fenced(parts[0], MINUS, MINUS) if parts else _number("1")
            rest = [_fenced(part, PRODUCT, PRODUCT) for part in parts[1:]]
            return _joined([first, *rest], sign, min(first.line, PRODUCT))
        case Plus():
            return _total(parts)
        case Matrix(rows):
            return Box("matrix", tuple(parts), str(len(rows[0]) if rows else 0))
        case Diagonal():
            return _call("diag", r"\operatorname{diag}", parts)
    raise TypeError(f"{formula!r} is not a formula")


def _total(parts: list[Box]) -> Box:
    """A sum; a term that begins with a minus is subtracted."""
    if len(parts) < 2:
        return parts[0] if parts else _number("0")
    row = [_fenced(parts[0], SUM, SUM)]
    for part in parts[1:]:
        positive = _without_minus(part)
        term = _fenced(positive or part, PRODUCT, PRODUCT)
        row += [_sign(" - " if positive else " + "), term]
    return _row(row, SUM, SUM)


def _without_minus(box: Box) -> Box | None:
    """The term without the minus in front of it, if there is one."""
    if box.line != MINUS:
        return None
    if box.kind == "number":
        return _number(box.text[1:])
    if box.parts[0].text == "-":
        return box.parts[1]
    first = _without_minus(box.parts[0])
    return first and _row([first, *box.parts[1:]], PRODUCT, PRODUCT)


def _joined(parts: list[Box], sign: Box, level: int) -> Box:
    if len(parts) == 1:
        return parts[0]
    row = [parts[0]]
    for part in parts[1:]:
        row += [sign, part]
    return _row(row, level, level)


# ------------------------------------------------------------------------- boxes


def _row(parts: Sequence[Box], line: int, plane: int) -> Box:
    return Box("row", tuple(parts), "", "", line, plane, parts[0].starts, parts[-1].ends)


def _sign(text: str, latex: str = "") -> Box:
    return Box("sign", (), text, latex)


def _number(text: str) -> Box:
    level = MINUS if text.startswith("-") else ATOM
    return Box("number", (), text, "", level, level, "number", "number")


@lru_cache(maxsize=4096)
def _symbol(name: str) -> Box:
    head, slash, by = name.partition("/")
    if slash and head[:1] in _DERIVATIVE_SIGNS and by[:1] == head[:1] and len(head) > 1 < len(by):
        return _derivative("∂" if head[0] == "d" else head[0], head[1:], by[1:], plain="d")
    # `f(…)` would be read as a call, and `d x` as a differential.
    callable_name = name.rstrip("0123456789").partition("_")[0]
    read_as_call = callable_name in _FUNCTION_LETTERS or name == "d" or name in spellings()
    edge: Edge = "name" if read_as_call else "letter"
    return Box("symbol", (), name, "", ATOM, ATOM, edge, edge)


_DERIVATIVE_SIGNS = ("d", "∂")
_FUNCTION_LETTERS = frozenset(["f", "g", "h", "F", "G", "φ", "ψ", "phi", "psi"])


def _derivative(sign: str, of: str, by: str, plain: str = "") -> Box:
    """`dy/dx`; `plain` is the sign on the line, where it differs."""
    return Box(
        "derivative", (_symbol(of), _symbol(by)), plain or sign, sign, PRODUCT, FRACTION,
        "fraction", "fraction",
    )  # fmt: skip


def _fenced(box: Box, line: int, plane: int) -> Box:
    """The box, in brackets in the notations where it binds less tightly than asked."""
    in_line, in_plane = box.line < line, box.plane < plane
    if not in_line and not in_plane:
        return box
    where = "both" if in_line and in_plane else "line" if in_line else "plane"
    return Box(
        "fence", (box,), where, "", ATOM if in_line else box.line, ATOM if in_plane else box.plane,
        "fence" if in_plane else box.starts, "fence" if in_plane else box.ends,
    )  # fmt: skip


def _call(text: str, latex: str, parts: Sequence[Box]) -> Box:
    return Box("call", tuple(parts), text, latex)


# ------------------------------------------------------------------------- expressions


def _expressions(roots: list[Expr], explicit: bool) -> dict[Expr, Box]:
    boxes: dict[Expr, Box] = {}
    order = topological(roots)
    # One notation a formula: where f'(g(x)) needs its prime, g'(x) has one too.
    primed = any(_needs_prime(node) for node in order)
    for node in order:
        if isinstance(node, Const):
            boxes[node] = _constant(node)
        elif isinstance(node, Sym):
            boxes[node] = _symbol(node.name)
        else:
            assert isinstance(node, Apply)
            if isinstance(node.op, AbstractOperator):
                boxes[node] = _abstract(node, node.op, [boxes[a] for a in node.args], primed)
            else:
                boxes[node] = _NOTATIONS[node.op.notation](
                    node, [boxes[a] for a in node.args], explicit
                )
    return boxes


def _constant(node: Const) -> Box:
    text = number_text(node)
    if "/" not in text:
        return _number(text)
    numerator, _, denominator = text.lstrip("-").partition("/")
    parts = _number(numerator), _number(denominator)
    box = Box("fraction", parts, "", "", PRODUCT, FRACTION, "fraction", "fraction")
    return _row([_sign("-"), box], MINUS, MINUS) if text[0] == "-" else box


def _function(node: Apply, args: list[Box], explicit: bool) -> Box:
    return _call(node.op.name, node.op.latex, args)


def _sum(node: Apply, args: list[Box], explicit: bool) -> Box:
    left = _fenced(args[0], SUM, SUM)
    right = _fenced(args[1], PRODUCT, PRODUCT)
    return _row([left, _sign(f" {node.op.latex} "), right], SUM, SUM)


def _prefix(node: Apply, args: list[Box], explicit: bool) -> Box:
    level = ATOM if explicit else PRODUCT
    inner = _fenced(args[0], level, PRODUCT)
    if isinstance(node.args[0], Const) and inner.kind != "fence":
        # `-2` is one number; the negative of 2 is not.
        inner = _fenced(inner, ATOM + 1, ATOM + 1)
    return _row([_sign("-"), inner], MINUS, MINUS)


def _product(node: Apply, args: list[Box], explicit: bool) -> Box:
    spaced = _is_derivative(args[0]) or _is_derivative(args[1])
    left = _fenced(args[0], _left_level(args[0], explicit), PRODUCT)
    right = args[1] if args[1].kind == "derivative" else _fenced(args[1], POWER, POWER)
    ends, starts = left.ends, right.starts
    dot = (
        starts == "number"
        or (ends == "name" and starts != "other")
        or (ends == "number" and starts == "fraction")
        or (left.kind == "symbol" and left.text == "d")
    )
    sign = Box("times", (), " * " if spaced else "*", r"\cdot" if dot else "")
    return _row([left, sign, right], PRODUCT, PRODUCT)


def _is_derivative(box: Box) -> bool:
    return (box.parts[-1] if box.kind == "row" else box).kind == "derivative"


def _left_level(box: Box, explicit: bool) -> int:
    return POWER if explicit and box.kind == "fraction" else PRODUCT


def _fraction(node: Apply, args: list[Box], explicit: bool) -> Box:
    top, bottom = node.args
    one_number = args[0].kind in ("fraction", "derivative") and isinstance(top, (Const, Sym))
    level = POWER if one_number or explicit else PRODUCT
    above, below = _fenced(args[0], level, OPEN), _fenced(args[1], POWER, OPEN)
    if isinstance(top, Const) and isinstance(bottom, Const) and below.kind == "number":
        # `1/2` is one number; the quotient of two is not.
        below = _fenced(below, ATOM + 1, ATOM + 1)
    if isinstance(top, Sym) and top.name == "d":
        above = _fenced(above, ATOM + 1, OPEN)  # `d/dx` would be a derivative
    return Box("fraction", (above, below), "", "", PRODUCT, FRACTION, "fraction", "fraction")


def _power(node: Apply, args: list[Box], explicit: bool) -> Box:
    base = _fenced(args[0], ATOM, ATOM)
    if base.kind == "constant" and base.text == "e":
        base = _fenced(base, ATOM + 1, ATOM + 1)  # `e^x` is the exponential function
    exponent = _fenced(args[1], ATOM if explicit else POWER, OPEN)
    ends: Edge = "name" if base.ends == "name" else "other"
    return Box("power", (base, exponent), "", "", POWER, POWER, base.starts, ends)


def _relation(node: Apply, args: list[Box], explicit: bool) -> Box:
    left, right = _fenced(args[0], SUM, SUM), _fenced(args[1], SUM, SUM)
    return _row([left, _sign(f" {node.op.name} ", f" {node.op.latex} "), right], RELATION, RELATION)


def _delimited(node: Apply, args: list[Box], explicit: bool) -> Box:
    return Box("delimited", tuple(args), node.op.name, node.op.latex)


def _root(node: Apply, args: list[Box], explicit: bool) -> Box:
    return Box("root", tuple(args), node.op.name, node.op.latex)


def _exponential(node: Apply, args: list[Box], explicit: bool) -> Box:
    """`exp(u)` on the line; in the plane `e^u` where the exponent is low."""
    low = _is_low(args[0])
    return Box(
        "exponential", tuple(args), "exp", "e" if low else r"\exp", ATOM, POWER if low else ATOM
    )


_LOW_SIZE = 14


def _is_low(box: Box) -> bool:
    """Whether the box is short, without fractions or cases, with one storey of exponents."""
    stack = [(box, 0)]
    for _ in range(_LOW_SIZE):
        if not stack:
            return True
        current, storey = stack.pop()
        if current.kind in ("fraction", "cases", "derivative", "matrix", "root") or storey > 1:
            return False
        if current.kind == "exponential" and current.latex == r"\exp":
            return False
        if current.kind in ("power", "exponential"):
            *base, exponent = current.parts
            stack += [*((part, storey) for part in base), (exponent, storey + 1)]
        else:
            stack += [
                (part, storey) for part in current.parts if part.kind not in ("sign", "times")
            ]
    return not stack


def _logarithm(node: Apply, args: list[Box], explicit: bool) -> Box:
    base = node.args[1]
    if isinstance(base, Const) and base.value in (2, 10):
        # An index 2 or 10 is another row: log2, log10.
        return _call("log", r"\operatorname{log}", args)
    return Box("logarithm", tuple(args), "log", node.op.latex)


def _piecewise(node: Apply, args: list[Box], explicit: bool) -> Box:
    parts = list(args)
    for i in range(0, len(parts), 2):  # the values; the rest are conditions
        parts[i] = _fenced(parts[i], SUM, OPEN)
    return Box("cases", tuple(parts), "", "", ATOM, CASES)


def _named_constant(node: Apply, args: list[Box], explicit: bool) -> Box:
    return Box("constant", (), node.op.name, node.op.latex, starts="letter", ends="letter")


_NOTATIONS: dict[Notation, Callable[[Apply, list[Box], bool], Box]] = {
    "function": _function,
    "sum": _sum,
    "product": _product,
    "fraction": _fraction,
    "power": _power,
    "prefix": _prefix,
    "relation": _relation,
    "bars": _delimited,
    "floor": _delimited,
    "ceil": _delimited,
    "root": _root,
    "piecewise": _piecewise,
    "constant": _named_constant,
    "exponential": _exponential,
    "logarithm": _logarithm,
}


def _needs_prime(node: Expr) -> bool:
    """Whether it is the derivative of a function of one variable at more than a name."""
    return (
        isinstance(node, Apply)
        and isinstance(node.op, AbstractOperator)
        and len(node.args) == 1
        and any(node.op.orders)
        and not isinstance(node.args[0], Sym)
    )


def _abstract(node: Apply, op: AbstractOperator, args: list[Box], primed: bool) -> Box:
    """A named function: `f(x)`, `df/dx`, `f'(x + 1)`, `f'[1,0](x, x)`."""
    if not any(op.orders):
        return Box("applied", (_symbol(op.name), *args))
    if sum(op.orders) == 1 and not (primed and len(args) == 1):
        slot = op.orders.index(1)
        inner = node.args[slot]
        by = ""
        # Beside f(x, g(x)) a text `df/dx` would say the total derivative.
        others = [a for a in node.args if a is not inner]
        if isinstance(inner, Sym) and inner not in topological(others):
            by = inner.name
        elif len(args) > 1 and isinstance(inner, Apply) and isinstance(inner.op, AbstractOperator):
            by = "" if any(inner.op.orders) else inner.op.name
        if by and node.args.count(inner) == 1:
            return _derivative("d" if len(args) == 1 else "∂", op.name, by, plain="d")
    order = sum(op.orders)
    if len(args) == 1:
        latex = "'" * order if order <= 3 else f"^{{({order})}}"
        return Box("applied", (_symbol(op.name), *args), "'" * order, latex)
    orders = ",".join(map(str, op.orders))
    return Box("applied", (_symbol(op.name), *args), f"'[{orders}]", f"^{{({orders})}}")
