"""Pages as LaTeX: a document for pdflatex, or a fragment to include.

A fragment needs amsmath, amssymb, textcomp, array, booktabs, longtable.
"""

from __future__ import annotations

from chainrule.core.collector import paused
from chainrule.derivation.steps import Chain
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
    Table,
)
from chainrule.render.latex import FACE, latex, words

_LINE = 46.0  # em, of the 160 mm that the document is wide: estimates are rather too wide
_TABLE = 38.5  # em, of the columns of a table with the gaps between them
_STRUT = r"\rule[-2.3ex]{0pt}{5.9ex} \\"
_PREAMBLE = r"""\documentclass[11pt,a4paper,fleqn]{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage{amsmath,amssymb}
\usepackage{textcomp}
\usepackage{array,booktabs,longtable}
\usepackage[width=160mm,height=245mm]{geometry}
\setlength{\parindent}{0pt}
\setlength{\mathindent}{1.5em}
\setlength{\emergencystretch}{3em}
\allowdisplaybreaks
\begin{document}
\setlength{\abovedisplayskip}{0.4ex}
\setlength{\belowdisplayskip}{1ex}
"""


def document(page: Page) -> str:
    """A complete document."""
    return f"{_PREAMBLE}{fragment(page)}\\end{{document}}\n"


@paused()
def fragment(page: Page) -> str:
    """The page without preamble, to include in a document."""
    return "".join(_block(block) for block in page.blocks)


def _block(block: Block) -> str:
    match block:
        case Heading(0, prose):
            return f"{{\\Large\\bfseries {_prose(prose)}\\par}}\n\\medskip\n"
        case Heading(level, prose, number):
            command = r"\subsection*" if level == 1 else r"\subsubsection*"
            lead = rf"{number}\quad " if number else ""
            return f"{command}{{{lead}{_prose(prose)}}}\n"
        case Paragraph(prose, tone):
            style = {"plain": "", "note": r"\small ", "bad": r"\bfseries "}.get(tone, "")
            lead = r"\textbf{Note.} " if tone == "warning" else ""
            return f"{{{style}{lead}{_prose(prose)}\\par}}\n"
        case Equations():
            return _table(block) if block.header else _equations(block)
        case Table():
            return _cells(block)
        case Listing(verbatim):
            drawn = (_verbatim(line) + r"\\" for line in verbatim.splitlines())
            return "\n".join([r"{\footnotesize\ttfamily", *drawn, r"\par}", ""])


def _cells(block: Table) -> str:
    columns = "".join("r" if j in block.numbers else "l" for j in range(len(block.header)))
    rows = [" & ".join(map(_prose, row)) + r" \\" for row in block.rows]
    if block.total:
        rows.insert(-1, r"\midrule")
    # A long table goes over pages, but needs more than one run of LaTeX to set its columns.
    long = len(rows) > _ONE_PAGE
    kind, place = ("longtable", "[l]") if long else ("tabular", "")
    return "\n".join([
        rf"\begin{{{kind}}}{place}{{@{{\hspace{{1.5em}}}}{columns}@{{}}}}", r"\toprule",
        " & ".join(map(words, block.header)) + r" \\", r"\midrule", *([r"\endhead"] * long), *rows,
        r"\bottomrule", rf"\end{{{kind}}}", "" if long else r"\par\medskip", "",
    ])  # fmt: skip


_ONE_PAGE = 40  # rows


def _verbatim(line: str) -> str:
    """A line of a listing, with its spaces; an empty one keeps its height."""
    return words(line).replace(" ", r"\ ") or r"\strut"


# ------------------------------------------------------------------------- equations


def _equations(block: Equations) -> str:
    lefts = [
        None if row.left is None or row.continues else FACE.lines((row.left,)) for row in block.rows
    ]
    widths = [left.widest if left else 0.0 for left in lefts]
    margin = max((w for w in widths if w <= _LINE / 3), default=0.0)
    room = _LINE - margin - 3.0
    rows = []
    for row, left, wide in zip(block.rows, lefts, widths, strict=True):
        sign = "" if row.left is None else r"\quad " if isinstance(row.left, Chain) else "= "
        drawn = []
        for part in row.right:
            broken = FACE.lines((part,), room, row.explicit)
            first, *rest = broken.lines
            drawn += [f" & {sign}{first}", *(rf" & \qquad {{}}{line}" for line in rest)]
        if left and wide <= margin:
            drawn[0] = left.lines[0] + drawn[0]
        elif left:
            assert row.left is not None
            top, *others = FACE.lines((row.left,), _LINE - 3.0).lines
            above = [top, *(r"\qquad " + line for line in others)]
            drawn = [*(rf"\rlap{{$\displaystyle {line}$}} &" for line in above), *drawn]
        if note := _note(row, block.at, room):
            drawn[-1] += _tag(note, room - broken.last)
        rows += drawn
    return "\n".join([r"\begin{align*}", " \\\\\n".join(rows), r"\end{align*}", ""])


def _tag(note: list[tuple[str, float]], space: float) -> str:
    """The reason at the right margin, or below where it is long."""
    shown = ", ".join(words for words, _ in note)
    if sum(w for _, w in note) < space:
        return rf" \tag*{{\small\itshape {shown}}}"
    return rf" \\ & \qquad \parbox[t]{{0.7\linewidth}}{{\raggedright\small\itshape {shown}}}"


def _note(row: Row, at: str, room: float) -> list[tuple[str, float]]:
    """What is said about the last part, with the width of each remark."""
    notes = [(words(row.rule), 0.45 * len(row.rule))] if row.rule else []
    for i, relation in enumerate(row.provided):
        shown = _aligned(FACE.lines((relation,), room - 6.0).lines)
        wide = FACE.lines((relation,)).widest + 3.0
        notes.append((("and " if i else "where ") + shown, wide))
    if row.number:
        equal = "" if row.number.startswith("≈") else "$=$ "
        notes.append((f"{equal}{_value(row.number)} at {words(at)}", 8.0))
    return notes


def _value(number: str) -> str:
    return f"${number.replace('≈', _APPROXIMATELY)}$" if number else ""


_APPROXIMATELY = r"\approx"


# ------------------------------------------------------------------------- tables

_TALLEST = 14  # lines that fit in one row of a table
_REASON, _VALUE = 12.0, 7.0  # em, of the columns of reasons and values


def _table(block: Equations) -> str:
    """A table that may go over pages; its columns have widths, so that one run sets it."""
    assert block.header is not None
    names = [*filter(None, block.header), *([f"at {block.at}"] if block.at else [])]
    cells = [(row.left, row.right[0]) for row in block.rows if row.left is not None]
    room = (
        _TABLE
        - 2.3 * len(names)
        - (_REASON if block.header[2] else 0.0)
        - (_VALUE if block.at else 0.0)
    )
    first = min(room / 2, max(FACE.lines((left,)).widest for left, _ in cells))
    body = []
    widths: list[float] = [len(name) / 2 for name in names]
    for row, (left, right) in zip(block.rows, cells, strict=True):
        if block.header[1]:
            broken = [FACE.lines((left,), first), FACE.lines((right,), room - first)]
        else:
            broken = [FACE.lines((left, right), room)]
        if max([len(cell.lines) for cell in broken]) > _TALLEST:
            return _equations(block)
        for k, cell in enumerate(broken):
            widths[k] = max(widths[k], cell.widest + 1.5 * (len(cell.lines) > 1))
        shown = [_aligned(cell.lines) for cell in broken]
        if block.header[2]:
            notes = _note(row._replace(number=""), "", _REASON + 6.0)
            shown.append(", ".join(note for note, _ in notes))
            widths[len(broken)] = max(widths[len(broken)], min(_REASON, sum(w for _, w in notes)))
        if block.at:
            shown.append(_value(row.number))
            widths[-1] = _VALUE
        body.append(" & ".join(shown) + _STRUT)
    columns = "".join(rf">{{\raggedright\arraybackslash}}p{{{w + 1:.1f}em}}" for w in widths)
    return "\n".join([
        rf"\begin{{longtable}}[l]{{@{{\hspace{{1.5em}}}}{columns}@{{}}}}", r"\toprule",
        " & ".join(map(words, names)) + r" \\", r"\midrule", r"\endhead", *body, r"\bottomrule",
        r"\end{longtable}", "",
    ])  # fmt: skip


def _aligned(lines: list[str]) -> str:
    if len(lines) == 1:
        return f"$\\displaystyle {lines[0]}$"
    rows = r" \\ & \quad {}".join(lines)
    return rf"$\displaystyle \begin{{aligned}}[t] & {rows} \end{{aligned}}$"


# ------------------------------------------------------------------------- words


def _prose(prose: Prose) -> str:
    out = []
    for item in prose:
        match item:
            case str():
                out.append(words(item))
            case Math(parts):
                out.append("$" + " = ".join(latex(part) for part in parts) + "$")
            case Code(verbatim):
                out.append(f"\\texttt{{{words(verbatim)}}}")
    return "".join(out)
