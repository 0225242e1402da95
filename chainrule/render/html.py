"""Pages as one HTML file that needs nothing else: mathematics as MathML, light and dark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

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
    Shown,
    Table,
)
from chainrule.render.boxes import Box
from chainrule.render.breaking import lines
from chainrule.render.layout import layout
from chainrule.render.mathml import escape, mathml
from chainrule.render.patterns import Face
from chainrule.render.text import text

_ROOM = 42.0  # em, of what stands right of the equals signs
_LEFT = 14.0  # em, of what stands left of them
_STYLE = """
:root { color-scheme: light dark; --ink: #1c1d21; --soft: #5d6068; --line: #dcdde1;
  --paper: #ffffff; --accent: #1f5fae; --good: #1b7440; --bad: #b3261e; --warn: #8a5a00; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e7ea; --soft: #a0a4ad; --line: #3a3d45; --paper: #17181c;
    --accent: #8ab4f8; --good: #7fd39b; --bad: #ff9389; --warn: #f0c060; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); line-height: 1.5;
  font: 1rem/1.5 system-ui, "Segoe UI", "Helvetica Neue", "DejaVu Sans", sans-serif; }
main { max-width: 58rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.5rem; line-height: 1.3; margin: 0 0 1.5rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; padding-top: .75rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.25rem 0 .25rem; }
h2 .number { color: var(--accent); margin-right: .5em; }
p { margin: .5rem 0; }
.note { color: var(--soft); font-size: .925rem; }
.warning { color: var(--warn); } .good { color: var(--good); }
.bad { color: var(--bad); font-weight: 600; }
.scroll { overflow-x: auto; margin: .5rem 0; }
table { border-collapse: collapse; }
td, th { padding: .3rem .5rem .3rem 0; text-align: left; vertical-align: baseline; }
th { color: var(--soft); font-weight: 500; font-size: .875rem; padding-right: 1.5rem;
  border-bottom: 1px solid var(--line); }
.listing td { padding-right: 1.5rem; }
.listing tr + tr td { border-top: 1px solid var(--line); }
.listing .figure { text-align: right; }
pre { overflow-x: auto; margin: .5rem 0; font-size: .875rem; line-height: 1.4; }
.equal { padding: 0 .35rem; }
.reason { color: var(--soft); font-size: .875rem; padding-left: 1.5rem; }
code { font: .925em ui-monospace, "DejaVu Sans Mono", monospace; }
math { font-size: 1.1em; math-style: normal; }
mtable.cases mtd, mtable.lines mtd { text-align: left; }
@media print { main { max-width: none; padding: 0; } }
"""


@paused()
def html(page: Page) -> str:
    """A complete document.

    >>> shown = html(Page((Heading(0, ("Derivative of ", Code("<x>"))),)))
    >>> "<h1>Derivative of <code>&lt;x&gt;</code></h1>" in shown
    True
    """
    title = next((_plain(b.prose) for b in page.blocks if isinstance(b, Heading)), "chainrule")
    body = "\n".join(map(_block, page.blocks))
    shown = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )
    return shown.encode("utf-8", "replace").decode("utf-8")


def _block(block: Block) -> str:
    match block:
        case Heading(level, prose, number):
            lead = f'<span class="number">{number}</span>' if number else ""
            tag = f"h{level + 1}"
            return f"<{tag}>{lead}{_prose(prose)}</{tag}>"
        case Paragraph(prose, tone):
            kind = "" if tone == "plain" else f' class="{tone}"'
            return f"<p{kind}>{_prose(prose)}</p>"
        case Equations():
            return _table(block) if block.header else _equations(block)
        case Table():
            return _cells(block)
        case Listing(verbatim):
            shown = "\n".join(map(_words, verbatim.splitlines()))
            return f"<pre><code>{shown}</code></pre>"


def _cells(block: Table) -> str:
    def line(cells: Iterable[str], tag: str) -> str:
        aligned = (
            (' class="figure"' if j in block.numbers else "", c) for j, c in enumerate(cells)
        )
        return "<tr>" + "".join(f"<{tag}{kind}>{c}</{tag}>" for kind, c in aligned) + "</tr>"

    rows = [line(map(_words, block.header), "th")]
    rows += [line(map(_prose, row), "td") for row in block.rows]
    drawn = "\n".join(rows)
    return f'<div class="scroll"><table class="listing">\n{drawn}\n</table></div>'


# ------------------------------------------------------------------------- equations


def _equations(block: Equations) -> str:
    rows = "\n".join(line for row in block.rows for line in _row(row, block.at))
    return f'<div class="scroll"><table>\n{rows}\n</table></div>'


def _row(row: Row, at: str) -> Iterator[str]:
    left = "" if row.left is None or row.continues else _math(row.left, _LEFT)
    sign = "" if row.left is None or isinstance(row.left, Chain) else "<math><mo>=</mo></math>"
    cells = []
    for part in row.right:
        broken = _ROWS.lines((part,), _ROOM, row.explicit).lines
        cells += [(sign if i == 0 else "", line) for i, line in enumerate(broken)]
    for i, (equal, line) in enumerate(cells):
        note = _note(row, at) if i == len(cells) - 1 else ""
        yield (
            f"<tr><td>{left if i == 0 else ''}</td>"
            f'<td class="equal">{equal}</td><td>{line}</td>'
            f'<td class="reason">{note}</td></tr>'
        )


def _note(row: Row, at: str) -> str:
    notes = [escape(row.rule)] if row.rule else []
    notes += [f"{'and' if i else 'where'} {_math(c, _LEFT)}" for i, c in enumerate(row.provided)]
    if row.number:
        notes.append(f"{_value(row.number)} at {escape(at)}")
    return ", ".join(notes)


def _value(number: str) -> str:
    shown = number.replace("-", "−")
    return escape(shown if number.startswith("≈") else f"= {shown}")


def _table(block: Equations) -> str:
    assert block.header is not None
    room = _ROOM - 12.0
    names = [*filter(None, block.header), *([f"at {block.at}"] if block.at else [])]
    out = ["<tr>" + "".join(f"<th>{escape(name)}</th>" for name in names) + "</tr>"]
    for row in block.rows:
        if block.header[1]:
            right = " <math><mo>=</mo></math> ".join(_math(part, room) for part in row.right)
            cells = ["" if row.left is None else _math(row.left, _LEFT), right]
        else:
            cells = [_cell([side for side in (row.left, *row.right) if side is not None], room)]
        if block.header[2]:
            cells.append(_note(row._replace(number=""), ""))
        if block.at:
            cells.append(escape(row.number.replace("-", "−")))
        out.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    body = "\n".join(out)
    return f'<div class="scroll"><table class="listing">\n{body}\n</table></div>'


def _math(formula: Shown, room: float) -> str:
    return _cell([formula], room)


def _cell(sides: Sequence[Shown], room: float) -> str:
    """Formulas with equals signs between them, in one element."""
    (shown,) = _CELLS.lines(sides, room).lines
    return shown


def _stacked(box: Box, room: float) -> list[Box]:
    broken = lines(box, room)
    return broken if len(broken) == 1 else [Box("lines", tuple(broken))]


def _display(box: Box) -> str:
    return mathml(box).replace("<math>", '<math displaystyle="true">', 1)


_ROWS, _CELLS = Face(_display), Face(_display, breaks=_stacked)


# ------------------------------------------------------------------------- words


def _prose(prose: Prose) -> str:
    out = []
    for item in prose:
        match item:
            case str():
                out.append(_words(item))
            case Math(parts):
                out.append("<math><mo>=</mo></math>".join(mathml(layout(p)) for p in parts))
            case Code(words):
                out.append(f"<code>{_words(words)}</code>")
    return "".join(out)


def _plain(prose: Prose) -> str:
    """A title, which has no mathematics."""
    from_words = [item if isinstance(item, str) else _named(item) for item in prose]
    return _words("".join(from_words))


def _named(item: Math | Code) -> str:
    return item.text if isinstance(item, Code) else " = ".join(map(text, item.parts))


def _words(words: str) -> str:
    return escape("".join(c if c.isprintable() else " " for c in words))
