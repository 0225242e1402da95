"""What chainrule raises, and the frame that points at the place in the text.

>>> print(ParseError("a bracket is not closed", Span(5, 6), "x + (2", "add `)`"))
a bracket is not closed
  |
1 | x + (2
  |      ^
  = add `)`
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chainrule.core.expr import Expr
    from chainrule.core.shape import Shape

_WIDEST = 72


@dataclass(frozen=True, slots=True)
class Span:
    """A place in a source text: offsets of its first character and one past its last."""

    start: int
    end: int


class ChainruleError(Exception):
    """Something that the user can mend; the base of every error chainrule raises.

    Attributes:
        message: one line.
        span, source: the place in the text, where there is one.
        line, column: the same, counted from 1.
        hint: what to write instead.
    """

    def __init__(
        self, message: str, span: Span | None = None, source: str = "", hint: str = ""
    ) -> None:
        super().__init__(message)
        self.message, self.span, self.source, self.hint = message, span, source, hint
        start = min(span.start, len(source)) if span else 0
        self.line: int | None = source.count("\n", 0, start) + 1 if span else None
        self.column: int | None = start - source.rfind("\n", 0, start) if span else None

    def __str__(self) -> str:
        frame = _frame(self.source, self.span) if self.span is not None else []
        gutter = frame[0].index("|") * " " if frame else ""
        return "\n".join([self.message, *frame, *([f"{gutter}= {self.hint}"] if self.hint else [])])


class ParseError(ChainruleError):
    """The text is not in the language."""


class UnknownNameError(ParseError):
    """A name that is neither declared, nor defined, nor a function."""


class ArityError(ParseError):
    """A function with too few or too many arguments."""


class AmbiguityError(ParseError):
    """Under `--strict`: text that can be read in two ways."""


class DomainError(ChainruleError):
    """A value outside the domain of an expression: `at` needs the relation `needs`, which fails."""

    def __init__(
        self, message: str, *, at: Expr | None = None, needs: Expr | None = None, hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.at, self.needs = at, needs


class ShapeError(ChainruleError):
    """Arrays whose shapes do not fit: `shapes` of the operands, in order."""

    def __init__(
        self,
        message: str,
        span: Span | None = None,
        source: str = "",
        hint: str = "",
        *,
        shapes: tuple[Shape, ...] = (),
    ) -> None:
        super().__init__(message, span, source, hint)
        self.shapes = shapes


class UsageError(ChainruleError):
    """A request that makes no sense for this expression, as a wrong option value."""


class UnsupportedError(ChainruleError):
    """A request that chainrule understands but cannot do (yet)."""


def _printable(text: str) -> str:
    """Tabs as four columns; anything that could move the cursor as a sign for it."""
    out = []
    for c in text:
        if c == "\t":
            out.append("    ")
        elif unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"):
            out.append("�")
        else:
            out.append(c)
    return "".join(out)


def _width(text: str) -> int:
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) != 0 for c in text)


def _frame(source: str, span: Span) -> list[str]:
    start = min(span.start, len(source))
    first = source.rfind("\n", 0, start) + 1
    last = source.find("\n", start)
    last = len(source) if last < 0 else last
    end = max(min(span.end, last), start)
    number = str(source.count("\n", 0, start) + 1)
    # A long line is shown around the place.
    left, right = first, last
    cut_left = cut_right = ""
    if right - left > _WIDEST:
        left = max(first, start - _WIDEST // 2)
        right = min(last, left + _WIDEST)
        cut_left, cut_right = "…" * (left > first), "…" * (right < last)
        end = min(end, right)
    before = cut_left + _printable(source[left:start])
    place = _printable(source[start:end])
    after = _printable(source[end:right]) + cut_right
    gutter = " " * len(number)
    return [
        f"{gutter} |",
        f"{number} | {before}{place}{after}".rstrip(),
        f"{gutter} | {' ' * _width(before)}{'^' * max(1, _width(place))}",
    ]
