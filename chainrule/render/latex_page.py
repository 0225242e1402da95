"""Pages as LaTeX: a document for pdflatex, or a fragment to include.

A fragment needs amsmath, booktabs, longtable and array.
"""

from __future__ import annotations

from chainrule.derive.steps import Formula
from chainrule.render.blocks import (
    Block,
    Code,
    Equations,
    Heading,
    Label,
    Math,
    Page,
    Paragraph,
    Prose,
    Row,
)
from chainrule.render.breaking import lines, width
from chainrule.render.latex import latex, words, write
from chainrule.render.layout import Box, layout

_LINE = 40.0  # em, of the 160 mm that the document is wide
_RAGGED = r">{\raggedright\arraybackslash}p{0.36\linewidth}"
_PREAMBLE = r"""\documentclass[11pt,a4paper,fleqn]{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage{amsmath,amssymb}
\usepackage{array,booktabs,longtable}
\usepackage[width=160mm,height=245mm]{geometry}
\setlength{\parindent}{0pt}
\setlength{\mathindent}{1.5em}
\setlength{\parskip}{0.5ex}
\setlength{\emergencystretch}{3em}
\allowdisplaybreaks
\begin{document}
"""


def document(page: Page) -> str:
    """A complete document."""
    return f"{_PREAMBLE}{fragment(page)}\\end{{document}}\n"


def fragment(page: Page) -> str:
    """The page without preamble, to include in a document."""
    return "".join(_block(block) for block in page.blocks)


def _block(block: Block) -> str:
    match block:
        case Heading(0, prose):
            return f"{{\\Large\\bfseries {_prose(prose)}\\par}}\n\\medskip\n"
        case Heading(level, prose, number):
            command = r"\section*" if level == 1 else r"\subsection*"
            lead = rf"{number}\quad " if number else ""
            return f"{command}{{{lead}{_prose(prose)}}}\n"
        case Paragraph(prose, tone):
            style = {"plain": "", "note": r"\small ", "bad": r"\bfseries "}.get(tone, "")
            lead = r"\textbf{Note.} " if tone == "warning" else ""
            return f"{{{style}{lead}{_prose(prose)}\\par}}\n"
        case Equations():
            return _table(block) if block.header else _equations(block)


# ------------------------------------------------------------------------- equations


def _equations(block: Equations) -> str:
    rows = []
    margin = max(width(_box(row.left)) if row.left is not None else 0.0 for row in block.rows)
    margin = min(margin, _LINE / 3)
    for row in block.rows:
        room = _LINE - margin - 3.0
        sign = "= " if row.left is not None else ""
        parts = [lines(layout(part, row.explicit), room) for part in row.right]
        drawn = [_line(sign, part) for part in parts]
        note = _note(row, block.at)
        if note:
            drawn[-1] += f" \\tag*{{\\small\\itshape {note}}}"
        left = "" if row.left is None else _math(row.left)
        if row.left is not None and width(_box(row.left)) > margin + 1:
            left, drawn = f"& {left} \\\\\n", drawn
        rows.append(left + " \\\\\n".join(drawn))
    body = " \\\\\n".join(rows)
    return f"\\begin{{align*}}\n{body}\n\\end{{align*}}\n"


def _line(sign: str, broken: list[Box]) -> str:
    first, *rest = [write(line) for line in broken]
    return " \\\\\n".join([f" & {sign}{first}", *(f" & \\qquad {{}}{line}" for line in rest)])


def _note(row: Row, at: str) -> str:
    notes = [words(row.rule)] if row.rule else []
    if row.provided:
        notes.append("where " + " and ".join(f"${latex(c)}$" for c in row.provided))
    if row.number:
        notes.append(f"{_value(row.number)} at {words(at)}")
    return ", ".join(notes)


def _value(number: str) -> str:
    shown = number.replace("≈ ", r"\approx ")
    return f"${shown}$" if number else ""


# ------------------------------------------------------------------------- tables


def _table(block: Equations) -> str:
    assert block.header is not None
    first, second, third = block.header
    names = [first, *([second] if second else []), *([third] if third else [])]
    names += [f"at {block.at}"] if block.at else []
    share = _LINE / 2 - 1.0
    body = []
    for row in block.rows:
        assert row.left is not None
        if second:
            cells = [_cell(_box(row.left), share), _cell(layout(row.right[0]), share)]
        else:
            joined = Box("row", (_box(row.left), Box("sign", (), " = "), layout(row.right[0])))
            cells = [_cell(joined, share if third else _LINE)]
        if third:
            cells.append(_note(Row(None, (), row.rule, row.provided), ""))
        if block.at:
            cells.append(_value(row.number))
        body.append(" & ".join(cells) + r" \\[1.2ex]")
    columns = ("ll" if second else "l") + (_RAGGED if third else "") + ("l" if block.at else "")
    head = " & ".join(map(words, names))
    return "\n".join([
        rf"\begin{{longtable}}{{@{{}}{columns}@{{}}}}", r"\toprule", rf"{head} \\", r"\midrule",
        r"\endhead", *body, r"\bottomrule", r"\end{longtable}", "",
    ])  # fmt: skip


def _cell(box: Box, room: float) -> str:
    broken = lines(box, room)
    if len(broken) == 1:
        return f"$\\displaystyle {write(box)}$"
    rows = r" \\ & \quad {}".join(write(line) for line in broken)
    return f"$\\displaystyle \\begin{{aligned}}[t] & {rows} \\end{{aligned}}$"


# ------------------------------------------------------------------------- words


def _box(formula: Formula | Label) -> Box:
    if isinstance(formula, Label):
        return Box("number", (), formula.text)
    return layout(formula)


def _math(formula: Formula | Label) -> str:
    return formula.latex if isinstance(formula, Label) else latex(formula)


def _prose(prose: Prose) -> str:
    out = []
    for item in prose:
        match item:
            case str():
                out.append(words(item))
            case Math(parts):
                out.append("$" + " = ".join(_math(part) for part in parts) + "$")
            case Code(verbatim):
                out.append(f"\\texttt{{{words(verbatim)}}}")
    return "".join(out)
