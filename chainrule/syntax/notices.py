"""Places that a person could read otherwise: how they are read, and what to write instead.

Each kind of doubt is one row: how the text is read and the other reading, both over the parts
of the text (`{0}`, `{1}`, …) that the reading marked.
"""

from __future__ import annotations

from chainrule.core.errors import Span
from chainrule.core.program import Notice
from chainrule.syntax.lexer import Token

_MOST = 20  # notices of one program
_POSTFIXES = ("SUPERSCRIPT", "PRIME", "TRANSPOSE")

_ROWS = {
    # kind: (read as, other reading)
    "divisor": ("({0}/{1})*{2}", "{0}/({1}*{2})"),
    "exponent": ("{0}^{1}*{2}", "{0}^({1}*{2})"),
    "power of a letter": ("{0}^{1}*{2}", "{0}{2}^{1}"),
    "half": ("({0}^{1})/{2}", "{0}^({1}/{2})"),
    "bare": ("{0}({1}){2}{3}", "{0}({1}{2}{3})"),
    "chain": ("{0}({1}*{2})", "{0}({1})*{2}"),
    "radical": ("sqrt({0})*{1}", "sqrt({0}*{1})"),
    "radical power": ("sqrt({0}^{1})", "sqrt({0})^{1}"),
    "index": ("{0}*{1}", "{0}*{2}^{3}"),
    "delta": ("{0}*{1}", "{0}_{1}"),
    "reciprocal": ("{0}({2})^(-{1})", "arc{0}({2})^{1}"),
    "typeset": ("^{{{0}}}", "^{1} {2}"),
}


class Doubts:
    """The notices of one program."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.notices: list[Notice] = []
        self._open: list[tuple[str, int, int, int]] = []

    def add(self, kind: str, a: int, b: int, c: int) -> None:
        """Remember a doubt about three places among the words handed on."""
        if len(self._open) + len(self.notices) < _MOST:
            self._open.append((kind, a, b, c))

    def product(self, name: Token, argument: Token, last: Token) -> None:
        """Note a name before a name in brackets, read as a product."""
        self._note(
            Span(name.start, last.end),
            f"`{name.text}({argument.text})` is read as the product `{name.text}*{argument.text}`",
            f"for a function, declare it: {name.text}: function(scalar) -> scalar",
        )

    def extent(self, first: Token, last: Token) -> None:
        """Note a sum that `d/dx` is applied to, though its first term stands in brackets."""
        self._note(
            Span(first.start, last.end),
            "`d/dx` is applied to this term too",
            "put the derivative last, or the whole expression in brackets",
        )

    def reading(self, span: Span, meaning: str, hint: str) -> None:
        """Note what a place is read as."""
        if self.wants_more():
            written = _short(self.source[span.start : span.end])
            self._note(span, f"`{written}` is read as {meaning}", _short(hint))

    def wants_more(self) -> bool:
        """Whether there is room for another notice."""
        return len(self.notices) < _MOST

    def settle(self, out: list[Token], partner: dict[int, int]) -> None:
        """Turn what was remembered about a statement into notices, now that its ends are known."""
        if not self._open:
            return
        view = _View(out, partner, self.source)
        for kind, a, b, c in self._open:
            parts, first, last = _parts(kind, a, b, c, view)
            span = Span(out[first].start, out[last - 1].end)
            read, other = _ROWS[kind]
            written = _short(self.source[span.start : span.end])
            hint = f"for the other reading write `{_short(other.format(*parts))}`"
            self._note(span, f"`{written}` is read as `{_short(read.format(*parts))}`", hint)
        self._open.clear()

    def _note(self, span: Span, message: str, hint: str) -> None:
        if self.wants_more():
            self.notices.append(Notice(message, span, hint))


class _View:
    """The words handed on, as text and factor by factor."""

    def __init__(self, out: list[Token], partner: dict[int, int], source: str) -> None:
        self.out, self.partner, self.source = out, partner, source

    def text(self, a: int, b: int) -> str:
        """What the words from `a` up to `b` were written as."""
        return self.source[self.out[a].start : self.out[b - 1].end] if a < b else ""

    def after(self, place: int) -> int:
        """The place after the factor at `place`, with its powers."""
        out = self.out
        while place < len(out):
            place = self._skip(place, "MINUS", "PLUS")
            if place < len(out) and out[place].kind == "FUNCTION":
                place = self._skip(place + 1, "SUPERSCRIPT", "PRIMES")
                while place < len(out) and out[place].kind in ("POW", "SUBSCRIPT"):
                    place = self._skip(place + 1, "MINUS")
                    place = self.partner.get(place, place) + 1
            place = self._skip(self.partner.get(place, place) + 1, *_POSTFIXES)
            while place < len(out) and out[place].kind == "LSQUARE":
                place = self._skip(self.partner.get(place, place) + 1, *_POSTFIXES)
            if place >= len(out) or out[place].kind not in ("POW", "DOT_POW"):
                break
            place += 1
        return min(place, len(out))

    def _skip(self, place: int, *kinds: str) -> int:
        while place < len(self.out) and self.out[place].kind in kinds:
            place += 1
        return place


def _parts(kind: str, a: int, b: int, c: int, view: _View) -> tuple[list[str], int, int]:
    text, after = view.text, view.after
    if kind == "divisor":  # start, slash, joint
        end = after(c + 1)
        return [text(a, b), text(b + 1, c), text(c + 1, end)], a, end
    if kind in ("exponent", "power of a letter"):  # base, power sign, joint
        end = after(c + 1)
        return [text(a, b), text(b + 1, c), text(c + 1, end)], a, end
    if kind == "half":  # start, power sign, slash
        return [text(a, b), text(b + 1, c), text(c + 1, c + 2)], a, c + 2
    if kind == "bare":  # function, bracket, factor
        end = after(c + 1)
        return [text(a, b), text(b + 1, c - 1), text(c, c + 1), text(c + 1, end)], a, end
    if kind == "chain":  # function, bracket, joint
        end = view.partner.get(b, c + 2)
        return [text(a, b), text(b + 1, c), text(c + 1, end)], a, end
    if kind in ("radical", "radical power"):  # function, bracket, joint
        end = after(c + 1) if kind == "radical power" else after(c + 2)
        return [text(b + 1, c), text(c + (kind == "radical") + 1, end)], a, end
    if kind in ("index", "delta"):  # number, name
        name = text(c + 1, c + 2)
        return (
            [text(a, b), name, name.rstrip("0123456789"), name[len(name.rstrip("0123456789")) :]],
            a,
            c + 2,
        )
    if kind == "reciprocal":  # function, …, number
        end = after(a)
        return [text(a, a + 1), text(c, c + 1), text(c + 1, end).strip("() ")], a, end
    if kind == "typeset":  # power sign, number
        digits = text(b, b + 1)
        return [digits, digits[:1], digits[1:]], a, b + 1
    raise ValueError(kind)


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else f"{text[:40]}…{text[-16:]}"
