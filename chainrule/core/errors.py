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
from collections.abc import Sequence
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
        others: further places that are pointed at.
        line, column: the (first) place, counted from 1.
        hint: what to write instead.
    """

    others: tuple[Span, ...] = ()

    def __init__(
        self, message: str, span: Span | None = None, source: str = "", hint: str = ""
    ) -> None:
        message = " ".join(message.split("\n"))  # what it quotes may go over lines
        if not (message.isprintable() and hint.isprintable()):  # and move the cursor
            message, hint = _printable(message), _printable(hint)
        super().__init__(message)
        self.message, self.span, self.source, self.hint = message, span, source, hint
        start = min(span.start, len(source)) if span else 0
        self.line: int | None = source.count("\n", 0, start) + 1 if span else None
        self.column: int | None = start - source.rfind("\n", 0, start) if span else None

    def __str__(self) -> str:
        frame = [] if self.span is None else _frame(self.source, (self.span, *self.others))
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
    """Arrays whose shapes do not fit: `shapes` of the operands, in order.

    >>> text = "y = W @ x"
    >>> print(ShapeError("they do not fit", Span(4, 5), text, "write W' @ x", others=(Span(8, 9),)))
    they do not fit
      |
    1 | y = W @ x
      |     ^   ^
      = write W' @ x
    """

    def __init__(
        self,
        message: str,
        span: Span | None = None,
        source: str = "",
        hint: str = "",
        *,
        shapes: tuple[Shape, ...] = (),
        others: tuple[Span, ...] = (),
    ) -> None:
        super().__init__(message, span, source, hint)
        self.shapes, self.others = shapes, others


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


def _frame(source: str, spans: Sequence[Span]) -> list[str]:
    """The lines of the places, with carets below each."""
    lines: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for span in spans:
        start = min(span.start, len(source))
        first = source.rfind("\n", 0, start) + 1
        last = source.find("\n", start)
        last = len(source) if last < 0 else last
        if source[last - 1 : last] == "\r" and start < last:
            last -= 1
        place = (start, max(min(span.end, last), start))
        lines.setdefault((first, last), []).append(place)
    numbers = [str(source.count("\n", 0, first) + 1) for first, _ in lines]
    gutter = " " * max(map(len, numbers))
    drawn = [f"{gutter} |"]
    for number, ((first, last), places) in zip(numbers, lines.items(), strict=True):
        shown, carets = _line(source, first, last, sorted(places))
        drawn += f"{number:>{len(gutter)}} | {shown}".rstrip(), f"{gutter} | {carets}"
    return drawn


def _fitting(text: str, room: int) -> str:
    """The beginning of a text that takes no more than so many columns."""
    text = text[: max(room, 0)]
    while _width(_printable(text)) > room:
        text = text[:-1]
    return text


def _line(source: str, first: int, last: int, places: list[tuple[int, int]]) -> tuple[str, str]:
    """A line and the carets below it; of a long line the parts around the places."""
    line = source[first : min(last, first + _WIDEST + 1)]
    room = _WIDEST // len(places)
    if len(_fitting(line, _WIDEST)) == last - first:
        room = 4 * _WIDEST  # all of it
    at, shown, carets = first, "", ""
    for i, (start, end) in enumerate(places):
        start = max(start, at)
        before = source[max(at, start - room // 2) : start]
        kept = _fitting(before[::-1], room // 2)[::-1]
        if len(kept) < start - at:
            shown += "…"
        rest = room - _width(shown_before := _printable(kept))
        shown += shown_before
        carets += " " * (_width(shown) - len(carets))
        written = _fitting(source[start : min(max(end, start), start + room)], rest)
        shown += (place := _printable(written))
        carets += "^" * max(1, _width(place))
        at = start + len(written)
        if i == len(places) - 1:
            more = _fitting(source[at : min(last, at + room)], rest - _width(place))
            shown += _printable(more) + "…" * (at + len(more) < last)
    return shown, carets
