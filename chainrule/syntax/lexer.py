"""Text into words: one pattern, positions kept, and a name for every character that is none."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from chainrule.core.errors import ChainruleError, ParseError, Span
from chainrule.syntax.tables import Tables

_OPENING = (
    "OPEN LSQUARE LBRACE GROUP_OPEN FRACTION ROOT INDEX BAR_OPEN FLOOR_OPEN CEIL_OPEN NORM_OPEN"
)
_CLOSING = "CLOSE RSQUARE RBRACE GROUP_CLOSE END BAR_CLOSE FLOOR_CLOSE CEIL_CLOSE NORM_CLOSE"
OPENING = frozenset(_OPENING.split())
CLOSING = frozenset(_CLOSING.split())
"""The kinds of words that open and close brackets (a bare `|` may do either)."""

LONGEST_TEXT = 50_000_000  # a million short statements
LONGEST_STATEMENT = 1_000_000  # also a text in LaTeX, which is read as a whole
MOST_STATEMENTS = 2_000_000
DEEPEST = 200_000  # brackets in brackets
LONGEST_NUMBER = 1000


class Token(NamedTuple):
    """A word: what it is, how it is written, and where."""

    kind: str
    text: str
    start: int
    end: int

    @property
    def span(self) -> Span:
        """Its place in the source."""
        return Span(self.start, self.end)


def words(source: str, tables: Tables, at: int = 0, end: int | None = None) -> Iterator[Token]:
    """The words of a text, or of its part from `at` to `end`, without spaces and comments."""
    end = len(source) if end is None else end
    new = tuple.__new__  # half the time of Token(…)
    last = at
    for m in iter(tables.lexer.scanner(source, at, end).match, None):  # type: ignore[attr-defined]
        kind = m.lastgroup
        start, after = m.span(kind)
        if start == last:  # one object for the two
            start = last
        last = after
        yield new(Token, (kind, m[kind], start, after))
    at = tables.space.match(source, last, end).end()  # type: ignore[union-attr]
    if at < end:
        raise _no_word(source, at)


def check_length(source: str, most: int) -> None:
    """Refuse a text that would take too long to read."""
    if len(source) > most:
        raise ParseError(
            f"a text of {len(source):,} characters; at most {most:,} are read",
            hint="split it into smaller programs",
        )


def too_deep(token: Token, source: str) -> ChainruleError:
    """The error for the bracket that is one too many inside each other."""
    message = f"more than {DEEPEST:,} brackets inside each other"
    return ParseError(message, token.span, source, "give inner parts names: u = …")


def check_number(token: Token, source: str) -> None:
    """Refuse a number that would take too long to hold."""
    mantissa, _, exponent = token.text.lower().partition("e")
    digits = len(mantissa) - ("." in mantissa)
    if len(exponent) > 6 or digits + abs(int(exponent or 0)) > LONGEST_NUMBER:
        size = digits if digits > LONGEST_NUMBER else f"more than {LONGEST_NUMBER}"
        raise ParseError(
            f"a number of {size} digits; at most {LONGEST_NUMBER} are read",
            token.span,
            source,
            "write a name for it",
        )


def kind_at(tokens: Sequence[Token], place: int) -> str:
    """The kind of the word at a place; empty after the end."""
    return tokens[place].kind if place < len(tokens) else ""


def short(text: str) -> str:
    """A text on one line that is not too long to read."""
    text = " ".join(text.split())
    return text if len(text) <= 200 else f"{text[:100]}…{text[-60:]}"


_MEANINGS = dict.fromkeys("`“”‘’«»", "leave the quotation marks out") | {
    "_": "a subscript follows its letter, as x_1",
    ".": "decimals are written 0.5, products x*y",
    "…": "write all terms out",
    "\u2044": "write /",
    "\u2223": "write |",
    "∜": "write x^(1/4)",
    "½": "write 1/2",
    "¼": "write 1/4",
    "¾": "write 3/4",
    "⅓": "write 1/3",
    "⅔": "write 2/3",
    "°": "angles are in radians: write x*pi/180",
    "⇒": "write one statement in each line",
    "↦": "write f(x) = x^2",
    "∝": "write y = x^2",
    "≈": "write ==, or leave the rest out",
    "≡": "write ==",
}
# Letters that look Latin: the commonest, where Unicode itself does not relate them.
_LOOK_ALIKE = dict(
    zip(
        "аАвВеЕкКМНоОрРсСтТуУхХіІјЈѕЅԁԛԝΑΒΕΖΗΙΚΜΝΟΡΤΥΧο",
        "aABBeEkKMHoOpPcCTTyYxXiIjJsSdqwABEZHIKMNOPTYXo",
        strict=False,
    )
)


_LIBRARY = r"(?:np|numpy|jnp|jax|torch|tf|math|sp|sympy|scipy)(?:\.[a-z]+)*\.(\w+)"
_LONGEST_MEMBER = 100
_METHODS = {
    "dot": "X @ y",
    "shape": "the names of its dimensions",
    "size": "its dimensions",
    **dict.fromkeys(("reshape", "view", "flatten", "ravel"), "parts, X[a:b, c:d], or concat(x, y)"),
}


def _member(source: str, at: int) -> ChainruleError | None:
    """`np.sum(x)`, `X.sum()`: functions stand before their arguments, and belong to nothing."""
    start = at
    while start and (source[start - 1].isalnum() or source[start - 1] == "_"):
        start -= 1
    found = re.match(r"(\w*)\.([^\W\d]\w*)", source[start : at + _LONGEST_MEMBER])
    if found is None or not found[1] or len(found[2]) < 2:
        return None
    name = found[2]
    if of := re.match(_LIBRARY, source[start : at + _LONGEST_MEMBER]):
        message, hint = f"`{of[0]}` is not read", f"leave the library out: {of[1]}"
        return ParseError(short(message), Span(start, start + of.end()), source, short(hint))
    owner = source[start:at]
    other = _METHODS.get(name, f"{name}({owner})")
    span = Span(start, at + 1 + len(name))
    message = f"`{owner}.{name}` is not read"
    return ParseError(short(message), span, source, short(f"write {other}"))


def _no_word(source: str, at: int) -> ChainruleError:
    character = source[at]
    if character == "." and (error := _member(source, at)):
        return error
    category = unicodedata.category(character)
    name = unicodedata.name(character, "control character" if category == "Cc" else "no character")
    is_mark, is_hidden = category[0] == "M", category[0] == "C" or category in ("Zl", "Zp")
    plain = _LOOK_ALIKE.get(character) or unicodedata.normalize("NFKC", character)
    if character in _MEANINGS:
        hint = _MEANINGS[character]
    elif is_hidden:
        hint = "it cannot be seen: delete it"
    elif is_mark:
        hint = "write the letter without a mark, as x_hat"
    elif plain != character and plain.isascii() and plain.isprintable():
        hint = f"write `{plain}` from the Latin keyboard"
    elif character.isalpha():
        hint = "names are Latin or Greek letters"
    else:
        hint = "leave it out"
    shown = f"`{character}`"
    if is_hidden or is_mark:
        shown = "a mark" if is_mark else "a hidden character"
    message = f"{shown} (U+{ord(character):04X} {name}) is not part of the language"
    if character.isascii() and character.isprintable():
        message = f"`{character}` means nothing here"
    return ParseError(message, Span(at, at + 1), source, hint)
