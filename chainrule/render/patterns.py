"""Formulas drawn; of those that differ only in the numbers of their names, one is laid out.

A large derivation says a few things very often: `cos(u17)` is the local derivative `cos(u4)`
of another quantity. What is drawn depends on a name only through its letters and how many
digits follow them, since only these decide about brackets, signs, widths and line breaks. The
digits themselves are filled into what was drawn for the first formula of the pattern.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from chainrule.core.expr import Apply, Const, Sym
from chainrule.core.ops import Operator, is_spelling
from chainrule.derivation.steps import Partial, Plus, Times
from chainrule.render.blocks import Shown
from chainrule.render.boxes import OPEN, Box, in_row, sign_box
from chainrule.render.breaking import lines, width
from chainrule.render.layout import Written, layout, written

_LONGEST = 48  # parts of a formula that is looked for among the patterns
_MOST = 1024  # patterns of a face; a derivation has some dozens
_MARK = "90817263544536271809"  # digits that stand for those of a name while a pattern is drawn
_PLACE = re.compile(_MARK + "([0-9]{3})")

Lays = Callable[[Shown, bool], Written]


class Drawing(NamedTuple):
    """A formula as lines, the width of the widest, and that of the last one."""

    lines: list[str]
    widest: float
    last: float


class _Pattern(NamedTuple):
    """A drawing with braces for the digits of names."""

    lines: tuple[str, ...]
    widest: float
    last: float


class _Read(NamedTuple):
    """What a formula is but for the digits of its names; these; and the names themselves."""

    key: tuple[Any, ...]
    digits: list[str]
    names: list[str]


class Face:
    """One way of drawing formulas, and the patterns that were drawn in it.

    Attributes:
        write: what a layout is in it.
        name: what a name is in it.

    >>> from chainrule.core.expr import symbol
    >>> from chainrule.render.text import FACE
    >>> [FACE.line([symbol(f"u{i}") * symbol("x")]) for i in range(1, 4)]
    ['u1*x', 'u2*x', 'u3*x']
    """

    def __init__(
        self,
        write: Callable[[Box], str],
        name: Callable[[str], str] = str,
        breaks: Callable[[Box, float], list[Box]] = lines,
    ) -> None:
        """`breaks` makes lines of a layout that is wider than the room."""
        self.write, self.name, self._breaks = write, name, breaks
        self._patterns: dict[tuple[Any, ...], _Pattern] = {}
        self._met: set[tuple[Any, ...]] = set()  # once: a pattern is worth it from the second on

    def line(self, sides: Sequence[Shown], explicit: bool = False, lay: Lays = written) -> str:
        """Formulas with equals signs between them, in a line; of long ones the parts first."""
        return self._line(sides, explicit, lay, _read(sides, (explicit, len(sides))))

    def _line(self, sides: Sequence[Shown], explicit: bool, lay: Lays, read: _Read | None) -> str:
        if read is None:
            return " = ".join([self.statements(lay(side, explicit)) for side in sides])
        pattern = self._patterns.get(read.key)
        if pattern is not None:
            return pattern.lines[0].format(*read.digits)
        box = _side_by_side(sides, explicit)
        shown = self.write(box)
        self._meet(read, [box], Drawing([shown], 0.0, 0.0))
        return shown

    def lines(
        self, sides: Sequence[Shown], room: float = math.inf, explicit: bool = False
    ) -> Drawing:
        """The same as lines of at most about `room` em."""
        read = _read(sides, (explicit, len(sides), room))
        if read is not None:
            pattern = self._patterns.get(read.key)
            if pattern is not None:
                filled = [line.format(*read.digits) for line in pattern.lines]
                return Drawing(filled, pattern.widest, pattern.last)
        box = _side_by_side(sides, explicit)
        wide = width(box)
        broken = [box] if wide <= room else self._breaks(box, room)
        widths = [wide] if wide <= room else [width(line) for line in broken]
        drawing = Drawing([self.write(line) for line in broken], max(widths), widths[-1])
        if read is not None:
            self._meet(read, broken, drawing)
        return drawing

    def statements(self, laid: Written) -> str:
        """A formula that is laid out, its named parts first."""
        definitions, box = laid
        parts = [f"{self.name(name)} = {self.write(part)}; " for name, part in definitions]
        return "".join([*parts, self.write(box)])

    def _meet(self, read: _Read, boxes: list[Box], drawing: Drawing) -> None:
        """A formula without a pattern: it has one from the second time on."""
        if read.key not in self._met:
            if len(self._met) >= _MOST:
                self._met.clear()
                self._patterns.clear()
            self._met.add(read.key)
            return
        marks = {name: name[: -len(d)] + _MARK + f"{i:03}" for i, (name, d) in enumerate(
            zip(read.names, read.digits, strict=True))}  # fmt: skip
        marked = [_marked(box, marks) for box in boxes]
        if None in marked:
            return
        shown = [self.write(box) for box in marked if box is not None]
        places = tuple(
            [_PLACE.sub(_place, line.replace("{", "{{").replace("}", "}}")) for line in shown]
        )
        if [line.format(*read.digits) for line in places] == drawing.lines:
            self._patterns[read.key] = _Pattern(places, drawing.widest, drawing.last)


def in_each(faces: Sequence[Face], sides: Sequence[Shown], lay: Lays = written) -> list[str]:
    """`Face.line` of several faces."""
    read = _read(sides, (False, len(sides)))
    return [face._line(sides, False, lay, read) for face in faces]


def _place(mark: re.Match[str]) -> str:
    return f"{{{int(mark[1])}}}"


def _marked(box: Box, marks: Mapping[str, str]) -> Box | None:
    """The layout with marks in its names; None where names were cut to fit."""
    order = [box]
    for current in order:
        order += current.parts
    # Backwards, the parts of a box are the last ones that belong to no box yet.
    end = len(order)
    for i in range(len(order) - 1, -1, -1):
        current = order[i]
        if current.kind == "lines":
            return None
        if current.kind == "symbol":
            order[i] = current._replace(text=marks.get(current.text, current.text))
        elif current.parts:
            begin = end - len(current.parts)
            order[i] = current._replace(parts=tuple(order[begin:end]))
            end = begin
    return order[0]


def _side_by_side(sides: Sequence[Shown], explicit: bool) -> Box:
    """The layout of formulas with equals signs between them."""
    boxes = [layout(side, explicit) for side in sides]
    if len(boxes) == 1:
        return boxes[0]
    return in_row([item for box in boxes for item in (_EQUAL, box)][1:], OPEN, OPEN)


_EQUAL = sign_box(" = ")


def _read(sides: Sequence[Shown], how: tuple[Any, ...]) -> _Read | None:
    """The formulas without the digits of names; None of those that have no pattern."""
    key: list[Any] = [*how]
    digits: list[str] = []
    places: dict[str, int] = {}
    stack: list[Any] = [*sides]
    add, pop = key.append, stack.pop
    while stack:
        part = pop()
        kind: Any = type(part)
        found: tuple[str, ...]
        if kind is Partial:
            found = part.of, part.by
            add("d" if part.total else "∂")
        elif kind is Sym:
            if part.shape:
                return None
            found = (part.name,)
        elif kind is Const:
            add(part)
            continue
        else:
            if kind is Times:
                within = part.factors
            elif kind is Plus:
                within = part.terms
            elif kind is Apply and type(part.op) is Operator:
                within, kind = part.args, part.op
            else:
                return None
            add(kind)
            add(len(within))
            if len(key) + len(within) > _LONGEST:
                return None
            stack += within
            continue
        for name in found:
            if type(name) is not str:  # of an array
                return None
            if name in places:
                add(places[name])
                continue
            stem, number = _split(name)
            add(stem)
            if number:
                places[name] = len(digits)
                digits.append(number)
    return _Read(tuple(key), digits, [*places])


@lru_cache(maxsize=4096)
def _split(name: str) -> tuple[str, str]:
    """A name as its letters with the number of digits behind them, and these digits."""
    stem = name.rstrip("0123456789")
    digits = name[len(stem) :]
    if not digits or not name.isidentifier() or is_spelling(name):  # `log2` is a function
        return f" {name}", ""
    return f"{stem} {len(digits)}", digits
