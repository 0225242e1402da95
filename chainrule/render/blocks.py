"""What a page is made of: headings, prose, and equations in columns.

A page says everything once; the emitters (terminal, Markdown, LaTeX) only draw it.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from chainrule.core.expr import Expr
from chainrule.derivation.steps import Formula
from chainrule.render.boxes import Label

Shown = Formula | Label


class Math(NamedTuple):
    """Formulas in a sentence, with equals signs between them."""

    parts: tuple[Shown, ...]


class Code(NamedTuple):
    """Words of the user, verbatim."""

    text: str


Prose = tuple[str | Math | Code, ...]
Tone = Literal["plain", "note", "warning", "good", "bad"]


class Heading(NamedTuple):
    """A heading; level 0 is the title of the page."""

    level: int
    prose: Prose
    number: int = 0


class Paragraph(NamedTuple):
    """Sentences."""

    prose: Prose
    tone: Tone = "plain"


class Row(NamedTuple):
    """`left = right = …`, with the reason and the value of the last part.

    Attributes:
        left: what stands before the first sign; None where only `right` is shown.
        right: the formulas after it, in order.
        rule: the name of the rule.
        provided: the conditions under which the last part is equal.
        number: the value of the last part, rounded for the eye, or nothing.
        explicit: bracket also what only convention decides.
        continues: the left side is that of the row above, and need not be shown again.
    """

    left: Shown | None
    right: tuple[Formula, ...]
    rule: str = ""
    provided: tuple[Expr, ...] = ()
    number: str = ""
    explicit: bool = False
    continues: bool = False


class Equations(NamedTuple):
    """Rows under each other, aligned.

    Attributes:
        rows: the rows; a path has no equals sign behind it.
        header: of a table: what the columns left, right and rule are.
        at: the point at which the numbers are.
    """

    rows: tuple[Row, ...]
    header: tuple[str, str, str] | None = None
    at: str = ""


class Table(NamedTuple):
    """Cells under a header; the last row is a sum of those above where `total` says so.

    Attributes:
        header: the names of the columns.
        rows: a cell for each column.
        numbers: the columns, counted from 0, that hold numbers, and are aligned to the right.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[Prose, ...], ...]
    numbers: frozenset[int] = frozenset()
    total: bool = False


class Listing(NamedTuple):
    """Lines verbatim: a program, or generated code of the language named."""

    text: str
    language: str = ""


Block = Heading | Paragraph | Equations | Table | Listing


class Page(NamedTuple):
    """Blocks in order."""

    blocks: tuple[Block, ...]
