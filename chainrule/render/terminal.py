"""Pages as plain text in columns, with a little colour on a terminal."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import TextIO

from chainrule.core.collector import paused
from chainrule.derivation.steps import Chain, Matrix
from chainrule.render.blocks import (
    Block,
    Code,
    Equations,
    Heading,
    Listing,
    Math,
    Page,
    Paragraph,
    Prose,
    Row,
    Shown,
    Table,
)
from chainrule.render.text import text

Line = list[tuple[str, str]]  # pieces and their styles

_WIDTH, _WIDEST, _NARROWEST = 80, 110, 30
_INDENT = "  "
_TONES = {"plain": "", "note": "dim", "warning": "yellow", "good": "green", "bad": "bold red"}
_ASCII = str.maketrans(
    {
        "∂": "d",
        "∇": "grad ",
        "·": "*",
        "≈": "~",
        "√": "sqrt",
        "²": "^2",
        "δ": "delta",
        "Σ": "sum",
        "≤": "<=",
        "≥": ">=",
        "≠": "!=",
        "…": "...",
        "─": "-",
        "×": "x",
    }
)


@paused()
def plain(page: Page, width: int = _WIDTH) -> str:
    """The page as text without colours.

    >>> print(plain(Page((Paragraph(("Valid for every real x.",)),))), end="")
    Valid for every real x.
    """
    lines = ["".join([piece for piece, _ in line]).rstrip() for line in _lines(page, width)]
    return "\n".join([*lines, ""])


def write(page: Page, file: TextIO, *, width: int | None = None, color: bool | None = None) -> None:
    """Write the page to a file or a terminal.

    Args:
        width: columns; None: those of the terminal, 80 where there is none.
        color: None: on a terminal, unless NO_COLOR is set.
    """
    if color is None:
        color = (
            file.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        )
    if width is None:
        width = _columns(file)
    if color:
        _write_colored(page, file, width)
        return
    shown = plain(page, width)
    encoding = getattr(file, "encoding", None) or "utf-8"
    if not encoding.lower().replace("-", "").startswith("utf"):
        shown = (
            shown.replace("∇_", "grad_")
            .translate(_ASCII)
            .encode(encoding, "replace")
            .decode(encoding)
        )
    file.write(shown)


def _write_colored(page: Page, file: TextIO, width: int) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(file=file, width=width, highlight=False, force_terminal=True)
    for line in _lines(page, width):
        console.print(Text.assemble(*line), soft_wrap=True)


def _columns(file: TextIO) -> int:
    try:
        columns = int(os.environ.get("COLUMNS", "0")) or os.get_terminal_size(file.fileno()).columns
    except (OSError, ValueError, AttributeError):
        return _WIDTH
    return min(_WIDEST, max(_NARROWEST, columns or _WIDTH))


# ------------------------------------------------------------------------- blocks to lines


def _lines(page: Page, width: int) -> Iterator[Line]:
    before: Block | None = None
    for block in page.blocks:
        if before is not None and _apart(before, block):
            yield []
        before = block
        match block:
            case Heading(level, prose, number):
                words = f"{number}. {_prose(prose)}" if number else _prose(prose)
                style = "bold cyan" if level == 1 else "bold" if level == 0 else ""
                indent = _INDENT if level > 1 else ""
                for piece in _wrap_words(words, width - len(indent), indent="   "):
                    yield [(indent, ""), (piece, style)]
            case Paragraph(prose, tone):
                for piece in _wrap_words(_prose(prose, _JOINT), width, indent=_INDENT):
                    yield [(piece, _TONES[tone])]
            case Equations():
                yield from _equations(block, width)
            case Table():
                yield from _table(block, width - len(_INDENT))
            case Listing(verbatim):
                for words in verbatim.splitlines():
                    yield [(_INDENT + _printable(words) if words else "", "")]


def _apart(before: Block, block: Block) -> bool:
    if isinstance(block, Heading):
        return not (isinstance(before, Heading) and before.level > 0)
    if isinstance(before, Heading):
        return before.level == 0
    return not (isinstance(before, Paragraph) and isinstance(block, Paragraph))


_JOINT = "\0"  # a blank within a short formula, where no line ends
_SHORT = 30


def _prose(prose: Prose, blank: str = " ") -> str:
    out = []
    for item in prose:
        match item:
            case str():
                out.append(_printable(item))
            case Math(parts):
                shown = " = ".join(_formula(part) for part in parts)
                out.append(shown.replace(" ", blank) if len(shown) <= _SHORT else shown)
            case Code(words):
                out.append(f"`{_printable(words)}`")
    return "".join(out)


def _formula(formula: Shown, explicit: bool = False) -> str:
    return _printable(text(formula, explicit=explicit, signs=True))


def _printable(words: str) -> str:
    """One line, without anything that moves the cursor."""
    if words.isprintable():  # neither a control sign nor a separator but the space
        return words
    return "".join(
        " " if c in " \n\t" else "�" if unicodedata.category(c)[0] in "CZ" else c for c in words
    )


# Letters of one column that no other sign combines with: most of what is drawn.
_SINGLE = re.compile("[\0-\u02ff\u0391-\u03d6∂∇·×≤≥≠≈…√]*").fullmatch


def _width(words: str) -> int:
    if words.isascii() or _SINGLE(words):
        return len(words)
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in words)
    return len(words) + wide - sum(unicodedata.combining(c) != 0 for c in words)


# ------------------------------------------------------------------------- equations

_LEFT_AT_MOST = 30
_GAP = "   "
_SHARE = 0.45  # of the room: reasons wider than that stand in no column


def _equations(block: Equations, width: int) -> Iterator[Line]:
    lefts = ["" if row.left is None or row.continues else _formula(row.left) for row in block.rows]
    left_widths = [*map(_width, lefts)]
    margin = max([w for w in left_widths if w <= _LEFT_AT_MOST], default=0)
    room = width - len(_INDENT) - margin - 3
    drawn = [_right(row, room) for row in block.rows]
    reasons, numbers = [_reason(row) for row in block.rows], [row.number for row in block.rows]
    at = f"at {_printable(block.at)}"
    in_column = sum(map(bool, numbers)) > 1
    if not in_column:
        numbers = [number and f"{_equal(number)} {at}" for number in numbers]
    # Reasons and values stand in columns behind the formulas that leave room for them.
    # One that is very long does not push the others out of line.
    widths = [
        max([w for w in map(_width, filter(None, column)) if w <= room * _SHARE], default=0)
        for column in (reasons, numbers)
    ]
    gaps = [len(_GAP) if w else 0 for w in widths]
    last = [_width(lines[-1][-1]) for lines in drawn]
    beside = room - sum(widths) - sum(gaps)
    reach = max([w for w in last if w <= beside], default=0)
    places = [reach + gaps[0], reach + gaps[0] + widths[0] + gaps[1]]
    if in_column and places[1] + _width(at) <= room:
        yield [(_INDENT + " " * (margin + 3 + places[1]) + at, "dim")]
    elif in_column:
        numbers = [number and f"{_equal(number)} {at}" for number in numbers]
    columns = zip(lefts, left_widths, drawn, last, reasons, numbers, strict=True)
    for row, (left, wide, parts, used, reason, number) in zip(block.rows, columns, strict=True):
        notes = []
        if reason:
            notes.append((places[0], reason, "dim"))
        if number:
            notes.append((places[1], number, ""))
        yield from _row(row, left, margin - wide, parts, used, notes, margin, room)


def _equal(number: str) -> str:
    return number if number.startswith("≈") else f"= {number}"


def _row(
    row: Row,
    left: str,
    gap: int,
    parts: list[list[str]],
    used: int,
    notes: list[tuple[int, str, str]],
    margin: int,
    room: int,
) -> Iterator[Line]:
    """The lines of a row: `gap` is what its left side leaves of the margin, `used` the width
    of the last line of its right side."""
    sign = "" if row.left is None else "   " if isinstance(row.left, Chain) else " = "
    pad = _INDENT + " " * (margin if sign else 0)
    lead = pad
    if sign and gap >= 0:
        lead = _INDENT + left + " " * gap
    elif sign:
        for piece in _wrap(left, room + margin):
            yield [(_INDENT + piece, "")]
    pieces: Line = []
    for part in parts:
        for i, piece in enumerate(part):
            if pieces:
                yield pieces
            pieces = [(lead, ""), (sign if i == 0 else " " * len(sign), ""), (piece, "")]
            lead = pad
    below = []
    for place, note, style in notes:
        wide = _width(note)
        gap = max(place - used, len(_GAP))
        if used + gap + wide > room:
            gap = len(_GAP)
        if used + gap + wide <= room:
            pieces.append((" " * gap + note, style))
            used += gap + wide
        else:
            below.append(note)
    yield pieces
    for piece in _wrap_words(", ".join(below), room - 2, indent="") if below else ():
        yield [(pad + " " * len(sign) + _INDENT + piece, "dim")]


def _reason(row: Row) -> str:
    if not row.provided:
        return _printable(row.rule)
    where = " and ".join(_formula(c) for c in row.provided)
    return ", ".join(filter(None, (_printable(row.rule), where and f"where {where}")))


def _right(row: Row, room: int) -> list[list[str]]:
    """The parts of the right side, each as lines."""
    drawn = []
    for part in row.right:
        grid = _grid(part, room) if isinstance(part, Matrix) else []
        drawn.append(grid or _wrap(_formula(part, row.explicit), room))
    return drawn


def _grid(matrix: Matrix, room: int) -> list[str]:
    """A matrix of more than one row drawn as one, where it fits."""
    if len(matrix.rows) < 2:
        return []
    cells = [[_formula(entry) for entry in row] for row in matrix.rows]
    widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    if sum(widths) + 3 * len(widths) + 1 > room:
        return []
    return [
        "[ "
        + "   ".join(c + " " * (w - _width(c)) for c, w in zip(row, widths, strict=True))
        + " ]"
        for row in cells
    ]


# ------------------------------------------------------------------------- tables


def _table(block: Table, room: int) -> Iterator[Line]:
    cells = [[_prose(cell) for cell in row] for row in block.rows]
    widths = [max(map(_width, column)) for column in zip(block.header, *cells, strict=True)]
    gap = _GAP
    while len(gap) > 1 and sum(widths) + len(gap) * (len(widths) - 1) > room:
        gap = gap[1:]

    def line(row: Iterable[str]) -> str:
        drawn = []
        for j, (cell, w) in enumerate(zip(row, widths, strict=True)):
            pad = " " * (w - _width(cell))
            drawn.append(pad + cell if j in block.numbers else cell + pad)
        return _INDENT + gap.join(drawn)

    yield [(line(block.header), "dim")]
    rule = _INDENT + "─" * (sum(widths) + len(gap) * (len(widths) - 1))
    for i, row in enumerate(cells):
        if i == 0 or (block.total and i == len(cells) - 1):
            yield [(rule, "dim")]
        yield [(line(row), "")]


# ------------------------------------------------------------------------- wrapping


def _wrap_words(words: str, width: int, indent: str) -> list[str]:
    lines = [""]
    for word in words.split(" "):
        if lines[-1].strip() and _width(lines[-1]) + 1 + _width(word) > width:
            lines.append(indent + word)
        else:
            lines[-1] += " " + word if lines[-1] else word
    return [line.replace(_JOINT, " ") for line in lines]


def _wrap(formula: str, room: int) -> list[str]:
    """Break a formula before its operators, the outermost ones first; all of it is shown."""
    if _width(formula) <= room:
        return [formula]
    places = list(_places(formula))
    lines = []
    start, indent, k = 0, "", 0
    while len(formula) - start > room - len(indent):
        end = start + room - len(indent)
        while k < len(places) and places[k][0] <= start + 1:
            k += 1
        best, j = None, k
        while j < len(places) and places[j][0] <= end:
            place, depth, rank = places[j]
            early = place < start + room // 2
            if best is None or (early, depth, rank, -place) <= best[0]:
                best = (early, depth, rank, -place), place
            j += 1
        stop = best[1] if best else end
        lines.append(indent + formula[start:stop].rstrip())
        start = stop + (formula[stop : stop + 1] == " ")
        indent = _INDENT
    lines.append(indent + formula[start:])
    return lines


def _places(formula: str) -> Iterable[tuple[int, int, int]]:
    """Where a line may end: position, depth in brackets, and how bad it is."""
    depth = 0
    for i, c in enumerate(formula):
        if c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        elif c == " " and (formula[i - 1] in ",;" or formula[i + 1 : i + 2] in "+-"):
            yield i, depth, 0
        elif c == " " and formula[i + 1 : i + 2] in "*·@.=<>≤≥≠i":
            yield i, depth, 1
        elif c in "*/" and formula[i - 1] != " ":
            yield i, depth, 2
