"""Pages as Markdown, with mathematics as GitHub reads it."""

from __future__ import annotations

import re

from chainrule.core.collector import paused
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
from chainrule.render.latex import name, write
from chainrule.render.patterns import Face

_LINE = 55.0  # em


@paused()
def markdown(page: Page) -> str:
    """The page as Markdown: `$…$` in sentences, `$$…$$` for equations, tables with pipes."""
    return "\n\n".join(_block(block) for block in page.blocks) + "\n"


def _block(block: Block) -> str:
    match block:
        case Heading(level, prose, number):
            return f"{'#' * (level + 1)} {f'{number}. ' if number else ''}{_prose(prose)}"
        case Paragraph(prose, tone):
            words = _prose(prose)
            if tone == "warning":
                return f"> **Note:** {words}"
            return f"**{words}**" if tone == "bad" else words
        case Equations():
            return _table(block) if block.header else _equations(block)
        case Table(header, rows, numbers):
            rules = ["---:" if j in numbers else "---" for j in range(len(header))]
            cells_ = [map(_words, header), rules, *(map(_prose, row) for row in rows)]
            return "\n".join(f"| {' | '.join(cells)} |" for cells in cells_)
        case Listing(verbatim, language):
            fence = "`" * max(3, 1 + max(map(len, re.findall("`+", verbatim)), default=0))
            return f"{fence}{language}\n{verbatim.rstrip()}\n{fence}"


def _equations(block: Equations) -> str:
    rows = []
    for row in block.rows:
        left = "" if row.left is None or row.continues else _math(row.left)
        sign = "= " if row.left is not None else ""
        drawn: list[str] = []
        for part in row.right:
            first, *rest = _FACE.lines((part,), _LINE, row.explicit).lines
            drawn += [f"& {sign}{first}", *(rf"& \qquad {{}}{line}" for line in rest)]
        note = _note(row, block.at)
        if note:
            drawn[-1] += rf" && \text{{{note}}}"
        drawn[0] = f"{left} {drawn[0]}".lstrip()
        rows += drawn
    body = " \\\\\n".join(rows)
    return f"$$\n\\begin{{aligned}}\n{body}\n\\end{{aligned}}\n$$"


def _note(row: Row, at: str) -> str:
    notes = [_upright(row.rule)] if row.rule else []
    if row.provided:
        notes.append("where " + " and ".join(f"${_math(c)}$" for c in row.provided))
    if row.number:
        equal = "" if row.number.startswith("≈") else "= "
        notes.append(f"{equal}{row.number} at {_upright(at)}")
    return ", ".join(notes)


def _table(block: Equations) -> str:
    assert block.header is not None
    first, second, third = block.header
    names = [first, *([second] if second else []), *([third] if third else [])]
    names += [f"at {block.at}"] if block.at else []
    out = ["| " + " | ".join(map(_words, names)) + " |", "|" + " --- |" * len(names)]
    for row in block.rows:
        left = "" if row.left is None else _math(row.left)
        right = _FACE.line(row.right)
        cells = [f"${left}$", f"${right}$"] if second else [f"${left} = {right}$"]
        if third:
            where = " and ".join(f"${_math(c)}$" for c in row.provided)
            cells.append(_words(row.rule) + (f", where {where}" if where else ""))
        if block.at:
            cells.append(row.number)
        out.append("| " + " | ".join(cells) + " |")
    return "\n".join(out)


def _math(formula: Shown) -> str:
    return _FACE.line((formula,))


def _safe(mathematics: str) -> str:
    """Mathematics without signs that Markdown or HTML would take for their own."""
    return (
        mathematics.replace(r"\left|", r"\left\vert ").replace(r"\right|", r"\right\vert ")
        .replace("|", r"\vert ").replace("<", r"\lt ").replace(">", r"\gt ")
    )  # fmt: skip


_FACE = Face(lambda box: _safe(write(box)), lambda shown: _safe(name(shown)))


def _prose(prose: Prose) -> str:
    out = []
    for item in prose:
        match item:
            case str():
                out.append(_words(item))
            case Math(parts):
                out.append("$" + " = ".join(map(_math, parts)) + "$")
            case Code(words):
                out.append(_code(words))
    return "".join(out)


_ESCAPES = {c: f"\\{c}" for c in "\\`*_[]|$~"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;"}


def _words(words: str) -> str:
    """Text with every character that Markdown would act on inside a line escaped."""
    return "".join(_ESCAPES.get(c, c if c.isprintable() else " ") for c in words)


def _code(words: str) -> str:
    words = "".join(c if c.isprintable() else " " for c in words)
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", words)), default=0))
    pad = " " if words[:1] == "`" or words[-1:] == "`" else ""
    return f"{fence}{pad}{words}{pad}{fence}"


def _upright(words: str) -> str:
    """Words inside `\\text{…}`."""
    return "".join(
        c if c.isalnum() or c in " ,.=()+-/:'" else "\\_" if c == "_" else " " for c in words
    )
