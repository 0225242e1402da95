"""Formula to mathematical layout: the one place with precedence and brackets.

A layout is a small tree of boxes. It serves two notations at once: the *line* (the
language itself, `(a + b)/c`) and the *plane* (LaTeX, where the bar of a fraction groups).
Each box knows how tightly it binds in either, and a fence says in which it stands.
Emitters draw boxes and decide nothing. Layouts are built with one visit a node, so an
expression that shares its parts has a layout that shares them too.
"""

from __future__ import annotations

from collections.abc import Callable

from chainrule.core.expr import Apply, Const, Expr, Sym, number_text, topological
from chainrule.core.ops import Notation
from chainrule.core.table.abstract import AbstractOperator
from chainrule.derivation.steps import Formula
from chainrule.render.array_layout import (
    OF_ARRAYS,
    STRUCTURAL,
    is_matmul,
)
from chainrule.render.boxes import (
    ATOM,
    CASES,
    FRACTION,
    HADAMARD,
    MINUS,
    OPEN,
    POWER,
    PRODUCT,
    RELATION,
    SUM,
    ArrayName,
    Box,
    Edge,
    Label,
    array_box,
    call_box,
    derivative_box,
    fenced,
    in_row,
    name_box,
    number_box,
    quantity_box,
    sign_box,
    times_box,
)
from chainrule.render.formula_layout import composite, inside
from chainrule.render.sharing import LIMIT, beyond, shortened


def layout(formula: Formula | Label, explicit: bool = False) -> Box:
    """The layout of a formula; `explicit` brackets also what only convention decides."""
    if isinstance(formula, Label):
        return formula.box
    if isinstance(formula, Expr):
        return _expressions(_below([formula]), explicit)[formula]
    parts, expressions = _parts(formula)
    return _assembled(parts, _below(expressions), explicit)


Written = tuple[list[tuple[str, Box]], Box]
"""Named parts, and the layout of what is made of them."""


def written(formula: Formula | Label, explicit: bool = False) -> Written:
    """The layout of a formula that stands alone; where it is long, its parts with names first."""
    if isinstance(formula, Label):
        return [], formula.box
    if isinstance(formula, Expr):
        if formula.op is None:
            return [], _atom(formula)
        nodes = _below([formula])
        if not beyond(nodes, [formula], LIMIT):
            return [], _expressions(nodes, explicit)[formula]
    elif not inside(formula):
        return [], composite(formula, [])
    else:
        parts, expressions = _parts(formula)
        nodes = _below(expressions)
        if not beyond(nodes, expressions, LIMIT):
            return [], _assembled(parts, nodes, explicit)
    definitions, shown = shortened(formula)
    return [(name, layout(part, explicit)) for name, part in definitions], layout(shown, explicit)


def _below(roots: list[Expr]) -> list[Expr]:
    """The nodes below the roots, arguments before users; most formulas are an operation or two."""
    order: list[Expr] = []
    for root in roots:
        for argument in root.args:
            if argument.op is not None:
                return topological(roots)
        order += root.args
        order.append(root)
    return order


_Parts = list[tuple[Formula, int]]


def _parts(formula: Formula) -> tuple[_Parts, list[Expr]]:
    """The formula and what is in it, each with how many follow from it; its expressions."""
    order: list[Formula] = [formula]
    parts: _Parts = []
    for part in order:
        within = inside(part)
        parts.append((part, len(within)))
        order += within
    return parts, [part for part in order if isinstance(part, Expr)]


def _assembled(parts: _Parts, nodes: list[Expr], explicit: bool) -> Box:
    boxes = _expressions(nodes, explicit)
    # Backwards, what is in a formula are the last boxes that are in none yet.
    done: list[Box] = []
    end = 0
    for part, count in reversed(parts):
        if isinstance(part, Expr):
            done.append(boxes[part])
        else:
            done.append(composite(part, done[end : end + count][::-1]))
            end += count
    return done[-1]


# ------------------------------------------------------------------------- expressions


def _expressions(order: list[Expr], explicit: bool) -> dict[Expr, Box]:
    boxes: dict[Expr, Box] = {}
    primed: bool | None = None
    for node in order:
        row = node.op
        if row is None:
            boxes[node] = _atom(node)
            continue
        assert isinstance(node, Apply)
        args = [boxes[a] for a in node.args]
        if isinstance(row, AbstractOperator):
            if primed is None:
                # One notation a formula: where f'(g(x)) needs its prime, g'(x) has one too.
                primed = any(map(_needs_prime, order))
            boxes[node] = _abstract(node, row, args, primed)
        else:
            draw = OF_ARRAYS.get(row.notation) if node.shape else None
            boxes[node] = (draw or _NOTATIONS[row.notation])(node, args, explicit)
    return boxes


def _atom(node: Expr) -> Box:
    if isinstance(node, Sym):
        return array_box(node.name) if node.shape else name_box(node.name)
    assert isinstance(node, Const)
    return _constant(node)


def _constant(node: Const) -> Box:
    text = number_text(node)
    if "/" not in text:
        return number_box(text)
    numerator, _, denominator = text.lstrip("-").partition("/")
    parts = number_box(numerator), number_box(denominator)
    box = Box("fraction", parts, "", "", PRODUCT, FRACTION, "fraction", "fraction")
    return in_row([sign_box("-"), box], MINUS, MINUS) if text[0] == "-" else box


def _function(node: Apply, args: list[Box], explicit: bool) -> Box:
    return call_box(node.op.written or node.op.name, node.op.latex, args)


def _sum(node: Apply, args: list[Box], explicit: bool) -> Box:
    left = fenced(args[0], SUM, SUM)
    right = fenced(args[1], PRODUCT, HADAMARD)
    return in_row([left, sign_box(f" {node.op.latex} "), right], SUM, SUM)


def _prefix(node: Apply, args: list[Box], explicit: bool) -> Box:
    level = ATOM if explicit else PRODUCT
    inner = fenced(args[0], level, HADAMARD)
    if isinstance(node.args[0], Const) and inner.kind != "fence":
        # `-2` is one number; the negative of 2 is not.
        inner = fenced(inner, ATOM + 1, ATOM + 1)
    return in_row([sign_box("-"), inner], MINUS, MINUS)


def _product(node: Apply, args: list[Box], explicit: bool) -> Box:
    joins = is_matmul(node.args[1])
    level = POWER if is_matmul(node.args[0]) else _left_level(args[0], explicit)
    left = fenced(args[0], level, PRODUCT)
    right = args[1]
    if right.kind != "derivative":
        right = fenced(right, POWER, PRODUCT if joins else POWER)
    return in_row([left, times_box(left, right), right], PRODUCT, PRODUCT)


def _left_level(box: Box, explicit: bool) -> int:
    return POWER if explicit and box.kind == "fraction" else PRODUCT


def _fraction(node: Apply, args: list[Box], explicit: bool) -> Box:
    top, bottom = node.args
    one_number = args[0].kind in ("fraction", "derivative") and isinstance(top, (Const, Sym))
    level = POWER if one_number or explicit or is_matmul(top) else PRODUCT
    above, below = fenced(args[0], level, OPEN), fenced(args[1], POWER, OPEN)
    if isinstance(top, Const) and isinstance(bottom, Const) and below.kind == "number":
        # `1/2` is one number; the quotient of two is not.
        below = fenced(below, ATOM + 1, ATOM + 1)
    if isinstance(top, Sym) and top.name == "d":
        above = fenced(above, ATOM + 1, OPEN)  # `d/dx` would be a derivative
    return Box("fraction", (above, below), "", "", PRODUCT, FRACTION, "fraction", "fraction")


def _power(node: Apply, args: list[Box], explicit: bool) -> Box:
    base = fenced(args[0], ATOM, ATOM)
    if base.kind == "constant" and base.text == "e":
        base = fenced(base, ATOM + 1, ATOM + 1)  # `e^x` is the exponential function
    exponent = fenced(args[1], ATOM if explicit else POWER, OPEN)
    ends: Edge = "name" if base.ends == "name" else "other"
    return Box("power", (base, exponent), "", "", POWER, POWER, base.starts, ends)


def _relation(node: Apply, args: list[Box], explicit: bool) -> Box:
    left, right = fenced(args[0], SUM, SUM), fenced(args[1], SUM, SUM)
    return in_row(
        [left, sign_box(f" {node.op.name} ", f" {node.op.latex} "), right], RELATION, RELATION
    )


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
        return call_box("log", r"\operatorname{log}", args)
    return Box("logarithm", tuple(args), "log", node.op.latex)


def _piecewise(node: Apply, args: list[Box], explicit: bool) -> Box:
    parts = list(args)
    for i in range(0, len(parts), 2):  # the values; the rest are conditions
        parts[i] = fenced(parts[i], SUM, OPEN)
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
    **STRUCTURAL,
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
    name = ArrayName(op.name) if op.result else op.name
    arrays = bool(op.shapes)
    if not any(op.orders):
        return Box("applied", (quantity_box(name), *args))
    # A Jacobian `f'(x)` has its prime: the derivative of a quantity f is ∂f/∂x.
    if sum(op.orders) == 1 and not ((primed or arrays) and len(args) == 1):
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
            sign = "d" if len(args) == 1 else "∂"
            plain = "∂" if arrays else "d"
            return derivative_box(sign, name, ArrayName(by) if inner.shape else by, plain)
    order = sum(op.orders)
    if len(args) == 1:
        latex = "'" * order if order <= 3 else f"^{{({order})}}"
        return Box("applied", (quantity_box(name), *args), "'" * order, latex)
    orders = ",".join(map(str, op.orders))
    return Box("applied", (quantity_box(name), *args), f"'[{orders}]", f"^{{({orders})}}")
