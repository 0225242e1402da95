"""Formulas in the language itself: what is printed can be read again."""

from __future__ import annotations

from collections.abc import Iterable

from chainrule.core.expr import Sym
from chainrule.derivation.steps import Formula
from chainrule.render.boxes import Box, Label, emit
from chainrule.render.layout import layout
from chainrule.render.sharing import shortened

_SIGNS = {" <= ": " ≤ ", " >= ": " ≥ ", " != ": " ≠ "}


def text(formula: Formula | Label, explicit: bool = False, signs: bool = False) -> str:
    """The formula as the language writes it; `parse` reads the same expression from it.

    An expression that would be too long written out is printed as statements: its shared
    parts `t1 = …` first. `explicit` brackets also what only convention decides; `signs`
    prints for the eye: `≤`, and `∂` where it is not `d`.

    >>> from chainrule.core.expr import symbol
    >>> x, y = symbol("x"), symbol("y")
    >>> text((x - (y - 2)) ** 2 / (-x))
    '-(x - (y - 2))^2/x'
    """
    draw = _draw_signs if signs else _draw
    if isinstance(formula, Sym):
        return emit(layout(formula), draw)
    definitions, shown = shortened(formula)
    statements = [f"{name} = {emit(layout(e, explicit), draw)}" for name, e in definitions]
    return "; ".join([*statements, emit(layout(shown, explicit), draw)])


def _draw_signs(box: Box) -> Iterable[Box | str]:
    if box.kind == "sign":
        return (_SIGNS.get(box.text, box.text),)
    if box.kind == "derivative":
        return (box.text, box.parts[0], f"/{box.text}", box.parts[1])
    return _draw(box)


def _draw(box: Box) -> Iterable[Box | str]:
    match box.kind:
        case "row":
            return box.parts
        case "either":
            return (box.parts[0],)
        case "number" | "symbol" | "array" | "constant" | "sign" | "times":
            return (box.text,)
        case "fraction":
            return (box.parts[0], "/", box.parts[1])
        case "power":
            return (box.parts[0], box.text or "^", box.parts[1])
        case "part":
            return (box.parts[0], "[", *_between(box.parts[1:], ", "), "]")
        case "fence":
            return box.parts if box.text == "plane" else ("(", *box.parts, ")")
        case "call" | "delimited" | "root" | "exponential" | "logarithm":
            return (box.text, "(", *_between(box.parts, ", "), ")")
        case "applied":
            return (box.parts[0], box.text, "(", *_between(box.parts[1:], ", "), ")")
        case "derivative":
            return ("d", box.parts[0], "/d", box.parts[1])
        case "cases":
            branches: list[Box | str] = []
            for i, part in enumerate(box.parts):
                branches += [("" if i == 0 else " if " if i % 2 else ", "), part]
            return ("{", *branches, "}")
        case "matrix":
            columns = max(1, int(box.text))
            entries: list[Box | str] = ["["]
            for i, part in enumerate(box.parts):
                entries += ["" if i == 0 else ", " if i % columns else "; ", part]
            return (*entries, "]")
    raise ValueError(box.kind)


def _between(parts: tuple[Box, ...], separator: str) -> tuple[Box | str, ...]:
    items: list[Box | str] = []
    for i, part in enumerate(parts):
        items += [separator, part] if i else [part]
    return tuple(items)
