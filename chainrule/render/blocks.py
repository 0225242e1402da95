"""What a page is made of: headings, prose, and equations in columns.

A page says everything once; the emitters (terminal, Markdown, LaTeX) only draw it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from chainrule.core.expr import Expr
from chainrule.derivation.steps import Formula


@dataclass(frozen=True, slots=True)
class Label:
    """A left-hand side that is no formula, as `∇y`."""

    text: str
    latex: str


@dataclass(frozen=True, slots=True)
class Math:
    """Formulas in a sentence, with equals signs between them."""

    parts: tuple[Formula | Label, ...]


@dataclass(frozen=True, slots=True)
class Code:
    """Words of the user, verbatim."""

    text: str


Prose = tuple[str | Math | Code, ...]
Tone = Literal["plain", "note", "warning", "good", "bad"]


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading; level 0 is the title of the page."""

    level: int
    prose: Prose
    number: int = 0


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Sentences."""

    prose: Prose
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class Row:
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

    left: Formula | Label | None
    right: tuple[Formula, ...]
    rule: str = ""
    provided: tuple[Expr, ...] = ()
    number: str = ""
    explicit: bool = False
    continues: bool = False


@dataclass(frozen=True, slots=True)
class Equations:
    """Rows under each other, aligned.

    Attributes:
        rows: the rows; a path has no equals sign behind it.
        header: of a table: what the columns left, right and rule are.
        at: the point at which the numbers are.
    """

    rows: tuple[Row, ...]
    header: tuple[str, str, str] | None = None
    at: str = ""


Block = Heading | Paragraph | Equations


@dataclass(frozen=True, slots=True)
class Page:
    """Blocks in order."""

    blocks: tuple[Block, ...]
