"""Text into words: one pattern, positions kept, and a name for every character that is none."""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

from chainrule.core.errors import ChainruleError, ParseError, Span
from chainrule.syntax.tables import Tables

LONGEST_TEXT = 1_000_000
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


def words(source: str, tables: Tables) -> list[Token]:
    """The words of a text, white space and comments left out."""
    if len(source) > LONGEST_TEXT:
        raise ParseError(
            f"a text of {len(source):,} characters; at most {LONGEST_TEXT:,} are read",
            hint="split it into smaller programs",
        )
    found: list[Token] = []
    append, match = found.append, tables.lexer.match
    at, end = 0, len(source)
    while at < end:
        m = match(source, at)
        if m is None:
            raise _no_word(source, at)
        kind = m.lastgroup
        start, at = at, m.end()
        if kind != "SPACE" and kind != "COMMENT":
            append(Token(kind, m[0], start, at))  # type: ignore[arg-type]
    return found


def check_number(token: Token, source: str) -> None:
    """Refuse a number that would take too long to hold."""
    mantissa, _, exponent = token.text.lower().partition("e")
    digits = len(mantissa.replace(".", "").lstrip("0"))
    if len(exponent) > 6 or digits + abs(int(exponent or 0)) > LONGEST_NUMBER:
        size = f"{len(mantissa)} digits" if digits > LONGEST_NUMBER else "this size"
        raise ParseError(
            f"a number of {size}; at most {LONGEST_NUMBER} digits are read",
            token.span, source, "write a name for it",
        )  # fmt: skip


_MEANINGS = {
    "`": "leave out the quotation marks",
    "'": "leave out the quotation marks",
    "“": "leave out the quotation marks",
    "”": "leave out the quotation marks",
    "‘": "leave out the quotation marks",
    "’": "for a derivative write f'(x)",
    "_": "a subscript follows its letter, as x_1",
    ".": "decimals are written 0.5; a product x*y",
    "\\": "LaTeX commands are a backslash and letters, as \\sin",
    "…": "write all terms out",
    "€": "write the number alone",
    "£": "write the number alone",
    "⁄": "write /",
    "∣": "write |",
    "∆": "write Delta",
    "√": "write sqrt(x)",
    "∜": "write x^(1/4)",
    "½": "write 1/2",
    "¼": "write 1/4",
    "¾": "write 3/4",
    "⅓": "write 1/3",
    "⅔": "write 2/3",
    "°": "angles are in radians: write x*pi/180",
    "′": "for a derivative write f'(x)",
    "⟨": "write dot(u, v)",
    "⟩": "write dot(u, v)",
    "⟦": "write [",
    "⟧": "write ]",
    "⇒": "leave it out",
    "↦": "write f(x) = …",
}
# Letters that look Latin: the commonest, where Unicode itself does not relate them.
_LOOK_ALIKE = dict(
    zip(
        "аАвВеЕкКМНоОрРсСтТуУхХіІјЈѕЅԁԛԝ" "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο",
        "aABBeEkKMHoOpPcCTTyYxXiIjJsSdqw" "ABEZHIKMNOPTYXo",
        strict=False,
    )
)


def _no_word(source: str, at: int) -> ChainruleError:
    character = source[at]
    code = f"U+{ord(character):04X}"
    try:
        name = unicodedata.name(character)
    except ValueError:
        name = {"Cc": "a control character", "Cs": "half a character", "Co": "a private character"}.get(
            unicodedata.category(character), "not a character"
        )
    shown = f"`{character}` " if character.isprintable() else ""
    plain = _LOOK_ALIKE.get(character) or unicodedata.normalize("NFKC", character)
    if character in _MEANINGS:
        hint = _MEANINGS[character]
    elif unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp", "Mn", "Me", "Cs", "Co", "Cn"):
        hint = "it cannot be seen: delete it"
        if unicodedata.category(character) in ("Mn", "Me"):
            hint = "write the letter without a mark, as x_hat"
    elif plain != character and plain.isascii() and plain.isprintable():
        hint = f"write `{plain}` from the Latin keyboard"
    elif character.isalpha():
        hint = "names are Latin or Greek letters"
    else:
        hint = "leave it out"
    if character.isascii() and character.isprintable():
        message = f"`{character}` means nothing here"
    else:
        message = f"{shown}({code} {name}) is not part of the language"
        if not shown:
            message = f"{code} {name} is not part of the language"
    return ParseError(message, Span(at, at + 1), source, hint)
