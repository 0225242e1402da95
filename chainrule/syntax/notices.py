"""Places that a person could read otherwise: how they are read, and what to write instead.

Each kind of doubt is one row: how the text is read and the other reading, both over the parts
of the text (`{0}`, `{1}`, …) that the reading marked.
"""

from __future__ import annotations

from chainrule.core.errors import Span
from chainrule.core.program import Notice
from chainrule.syntax.lexer import Token

_MOST = 20  # notices of one program

_ROWS = {
    # kind: (read as, other reading)
    "divisor": ("({0}/{1})*{2}", "{0}/({1}*{2})"),
    "exponent": ("{0}^{1}*{2}", "{0}^({1}*{2})"),
    "half": ("({0})/{2}", "{3}^(1/{2})"),
    "bare": ("{0}({1}){2}{3}", "{0}({1}{2}{3})"),
    "chain": ("{0}({1}*{2})", "{0}({1})*{2}"),
    "radical": ("sqrt({0})*{1}", "sqrt({0}*{1})"),
    "radical power": ("sqrt({0}^{1})", "sqrt({0})^{1}"),
    "index": ("{0}*{1}", "{0}*{2}^{3}"),
    "delta": ("{0}*{1}", ""),
    "reciprocal": ("({0}({2}))^(-{1})", ""),
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

    def now(self, kind: str, first: Token, last: Token, name: str, argument: str) -> None:
        """Note a doubt about a stretch of the source."""
        if len(self.notices) >= _MOST:
            return
        span = Span(first.start, last.end)
        written = self.source[span.start : span.end]
        if kind == "applied":
            self._note(span, f"`{written}` is read as the product {name}*({argument})",
                       f"for a function, declare it: {name}: function(scalar) -> scalar")  # fmt: skip
        elif kind == "extent":
            self._note(span, "`d/dx` is applied to the whole expression", "put the rest in front, or all in brackets")
        else:
            raise ValueError(kind)

    def settle(self, out: list[Token], partner: dict[int, int], source: str) -> None:
        """Turn what was remembered about a statement into notices, now that its ends are known."""
        view = _View(out, partner, source)
        for kind, a, b, c in self._open:
            parts, first, last = _parts(kind, a, b, c, view)
            span = Span(out[first].start, out[last - 1].end)
            read, other = _ROWS[kind]
            hint = f"for the other reading write `{_short(other.format(*parts))}`" if other else "write the signs out"
            self._note(span, f"`{_short(source[span.start : span.end])}` is read as `{_short(read.format(*parts))}`", hint)
        self._open.clear()

    def _note(self, span: Span, message: str, hint: str) -> None:
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
            while place < len(out) and out[place].kind in ("MINUS", "PLUS"):
                place += 1
            if place < len(out) and out[place].kind == "FUNCTION":
                place += 1
                while place < len(out) and out[place].kind in ("POW", "SUBSCRIPT", "SUPERSCRIPT", "PRIMES"):
                    place += 1 if out[place].kind in ("SUPERSCRIPT", "PRIMES") else 2
                    place = self.partner.get(place - 1, place - 1) + 1 if place - 1 in self.partner else place
            place = self.partner.get(place, place) + 1
            while place < len(out) and out[place].kind == "SUPERSCRIPT":
                place += 1
            if place < len(out) and out[place].kind == "POW":
                place += 1
                continue
            break
        return min(place, len(out))


def _parts(kind: str, a: int, b: int, c: int, view: _View) -> tuple[list[str], int, int]:
    text, after = view.text, view.after
    if kind == "divisor":  # start, slash, joint
        end = after(c + 1)
        return [text(a, b), text(b + 1, c), text(c + 1, end)], a, end
    if kind == "exponent":  # base, power sign, joint
        end = after(c + 1)
        return [text(a, b), text(b + 1, c), text(c + 1, end)], a, end
    if kind == "half":  # start, exponent, slash
        return [text(a, b + 1), "", text(c + 1, c + 2), text(a, b - 1)], a, c + 2
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
        return [text(a, b), name, name.rstrip("0123456789"), name[len(name.rstrip("0123456789")) :]], a, c + 2
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
