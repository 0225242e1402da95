"""Formulas in the language itself: what is printed can be read again."""

from __future__ import annotations

from functools import partial
from operator import attrgetter

from chainrule.derivation.steps import Formula
from chainrule.render.boxes import Box, Drawn, Draws, Label, between, emit
from chainrule.render.layout import written
from chainrule.render.patterns import Face

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
    return (WITH_SIGNS if signs else FACE).line((formula,), explicit)


def same(one: Formula, other: Formula) -> bool:
    """Whether `text` writes the two alike."""
    if one is other:
        return True
    (parts, box), (others, last) = written(one), written(other)
    if len(parts) != len(others):
        return False
    rest = zip([*parts, ("", box)], [*others, ("", last)], strict=True)
    return all(a == b and FACE.write(x) == FACE.write(y) for (a, x), (b, y) in rest)


def _call(box: Box) -> Drawn:
    return (box.text, "(", *between(box.parts, ", "), ")")


def _derivative(box: Box, sign: str) -> Drawn:
    above, below = box.parts
    if above.parts or below.parts:
        return (sign, above, f"/{sign}", below)
    return f"{sign}{above.text}/{sign}{below.text}"


def _cases(box: Box) -> Drawn:
    branches: list[Box | str] = []
    for i, part in enumerate(box.parts):
        branches += [("" if i == 0 else " if " if i % 2 else ", "), part]
    return ("{", *branches, "}")


def _matrix(box: Box) -> Drawn:
    columns = max(1, int(box.text))
    entries: list[Box | str] = ["["]
    for i, part in enumerate(box.parts):
        entries += ["" if i == 0 else ", " if i % columns else "; ", part]
    return (*entries, "]")


_TEXT, _PARTS = attrgetter("text"), attrgetter("parts")
_DRAWS: Draws = {
    "row": _PARTS,
    "either": lambda box: box.parts[:1],
    "number": _TEXT,
    "symbol": _TEXT,
    "array": _TEXT,
    "constant": _TEXT,
    "sign": _TEXT,
    "times": _TEXT,
    "fraction": lambda box: (box.parts[0], "/", box.parts[1]),
    "power": lambda box: (box.parts[0], box.text or "^", box.parts[1]),
    "part": lambda box: (box.parts[0], "[", *between(box.parts[1:], ", "), "]"),
    "fence": lambda box: box.parts if box.text == "plane" else ("(", *box.parts, ")"),
    "call": _call,
    "delimited": _call,
    "root": _call,
    "exponential": _call,
    "logarithm": _call,
    "applied": lambda box: (
        box.parts[0], box.text, "(", *between(box.parts[1:], ", "), ")",
    ),
    "derivative": lambda box: _derivative(box, "d"),
    "cases": _cases,
    "matrix": _matrix,
}  # fmt: skip
_WITH_SIGNS: Draws = {
    **_DRAWS,
    "sign": lambda box: _SIGNS.get(box.text, box.text),
    "derivative": lambda box: _derivative(box, box.text),
}

FACE = Face(partial(emit, draws=_DRAWS))
"""What `parse` reads."""
WITH_SIGNS = Face(partial(emit, draws=_WITH_SIGNS))
"""For the eye."""
