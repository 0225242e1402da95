r"""LaTeX words to the words of the language: commands, braces, `\frac` and its two arguments.

What only sets the type is dropped. Letters side by side are a product, as they are typeset;
a name of several letters stands in `\mathrm{…}`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from chainrule.core.errors import UnknownNameError
from chainrule.syntax.latex_layout import Layout, content
from chainrule.syntax.latex_words import (
    ALPHABETS,
    BOLD,
    CASES,
    DROPPED,
    ENTRYWISE,
    FILLED,
    FRACTIONS,
    HINTS,
    INVERSE_TRANSPOSE,
    SIGNS,
    TRANSPOSES,
    VARIANTS,
)
from chainrule.syntax.lexer import CLOSING, OPENING, Token
from chainrule.syntax.names import FUNCTIONS, GREEK


def commands(tokens: Sequence[Token], source: str) -> list[Token]:
    r"""The words of the language for LaTeX words."""
    return _Commands(tokens, source).read()


class _Commands(Layout):
    """Commands, arguments, names."""

    def read(self) -> list[Token]:
        """The words of the language."""
        while self.place < len(self.tokens):
            token = self.tokens[self.place]
            self.place += 1
            handler = _HANDLERS.get(token.kind)
            if handler is None:
                self.out.append(token)
            else:
                handler(self, token)
        for brace, _, _ in self.braces:
            closing = "}" if brace.text == "{" else "]"
            raise self._error(brace, f"`{brace.text}` is never closed", f"add `{closing}`")
        for angle in self.angles:
            raise self._error(angle, f"`{angle.text}` is never closed", r"add \rangle")
        return list(_equations(self.out))

    # ---- arguments and braces

    def _argument(self, macro: Token, closing: str) -> None:
        """Begin an argument of a macro: in braces, or one sign."""
        if self.place >= len(self.tokens):
            raise self._error(
                macro, f"`{macro.text}` has too few arguments", f"write {_shape_of(macro.text)}"
            )
        token = self.tokens[self.place]
        self.place += 1
        if token.kind == "LBRACE":
            self.braces.append((token, closing, macro))
            return
        if token.kind == "NUMBER" and len(token.text) > 1:  # \frac12 is one half
            rest = token._replace(text=token.text[1:], start=token.start + 1)
            self.place -= 1
            self.tokens[self.place] = rest
            token = token._replace(text=token.text[0], end=token.start + 1)
        if token.kind == "NUMBER":
            self.out.append(token)
        elif token.kind == "LETTER":
            self._emit("NAME", token, token.text)
        elif token.kind == "COMMAND" and (name := _greek(token.text[1:])):
            self._emit("NAME", token, name)
        else:
            raise self._error(
                macro, f"`{macro.text}` has too few arguments", f"write {_shape_of(macro.text)}"
            )
        self._closed(token, closing, macro)

    def _closed(self, token: Token, closing: str, macro: Token) -> None:
        self._emit(closing, token, token.text)
        if closing in ("OVER", "OF"):
            self._argument(macro, "END")

    def _open_brace(self, token: Token) -> None:
        self.braces.append((token, "GROUP_CLOSE", token))
        self.groups[token.start] = len(self.out)
        self._emit("GROUP_OPEN", token, token.text)

    def _close_brace(self, token: Token) -> None:
        if not self.braces or self.braces[-1][0].text != "{":
            raise self._error(token, "`}` closes nothing", "leave it out, or open it")
        self._closed(token, *self.braces.pop()[1:])

    def _open_square(self, token: Token) -> None:
        """`[…]` holds the outputs at the start of a statement; elsewhere it is a bracket."""
        outputs = not self.out or self.out[-1].kind in ("EQUALS", "SEPARATOR")
        self.braces.append((token, "RSQUARE" if outputs else "CLOSE", token))
        self._emit("LSQUARE" if outputs else "OPEN", token, token.text)

    def _close_square(self, token: Token) -> None:
        if not self.braces or self.braces[-1][0].text != "[":
            raise self._error(token, "`]` closes nothing", "leave it out, or open it")
        self._closed(token, *self.braces.pop()[1:])

    # ---- names

    def _letter(self, token: Token) -> None:
        """A letter is a name, unless letters side by side spell a function, as in `sin(x)`."""
        run = _LETTERS.match(self.source, token.start)
        word = run[0] if run else token.text  # what is longer spells none
        end = self.place + len(word) - 1
        function = next((word[:n] for n in (len(word), len(word) - 1) if _spells(word[:n])), "")
        if not function:
            self._named(token, token.text)
            return
        if function != word:
            last = self.tokens[end - 1]
            raise UnknownNameError(
                f"`{word}` is not a known name",
                token._replace(end=last.end).span,
                self.source,
                f"write \\{function} {last.text}, or spaces between the letters of a product",
            )
        self.place = end
        self._named(token._replace(end=self.tokens[end - 1].end), word)

    def _named(self, token: Token, name: str) -> None:
        """Emit a name with its subscript; a logarithm's subscript is its base."""
        if self._kind() != "UNDERSCORE":
            self._emit("NAME", token, name)
            return
        underscore = self.tokens[self.place]
        self.place += 1
        if name in FUNCTIONS and name not in GREEK and len(name) > 1:
            self._emit("NAME", token, name)
            if not self._axis():
                self._emit("SUBSCRIPT", underscore, "_")
            return
        braced = self._kind() == "LBRACE"
        self.place += braced
        index = ""
        while self._kind() in ("LETTER", "NUMBER", "TEXT", "COMMAND"):
            part = self.tokens[self.place]
            text = _greek(part.text[1:]) if part.kind == "COMMAND" else content(part)
            if not text or not (text.isascii() or len(text) == 1) or not text.isalnum():
                break
            index += text if braced or part.kind != "LETTER" else text[0]
            self.place += 1
            if not braced:
                break
        if not index or (braced and self._kind() != "RBRACE"):
            raise self._error(
                underscore,
                "this subscript is not a name's",
                "write letters and digits, as x_{12}; an entry of an array is x[0], X[0, :]",
            )
        self.place += braced
        self._emit("NAME", token._replace(end=self.tokens[self.place - 1].end), f"{name}_{index}")

    def _filled(self, token: Token, sign: str) -> bool:
        r"""`\mathbf{1}_{n}`, `\mathbf{0}_{m \times n}`, `\mathbf{I}_{m + 1}`: dimensions below.

        An `\mathbf{I}_{n}` may be a name, and is told later.
        """
        if self._kind() != "UNDERSCORE":
            if sign == "I":
                return False
            raise self._error(
                token, f"`{token.text}` without dimensions", rf"write \mathbf{{{sign}}}_{{n}}"
            )
        braced = self._kind(1) == "LBRACE"
        if sign == "I" and (not braced or self._kind(3) == "RBRACE"):
            return False
        self._emit("CALL", token, FILLED[sign])
        self.place += 1
        below = self.tokens[self.place] if self.place < len(self.tokens) else token
        self._emit("OPEN", below, "(")
        if braced:
            self.place += 1
            self.braces.append((below, "CLOSE", token))
        else:
            self._argument(token, "CLOSE")
        return True

    def _text(self, token: Token) -> None:
        word = content(token)
        if not word:
            return
        if word in FILLED and token.text.startswith(_BOLD) and self._filled(token, word):
            return
        if greek := word.startswith("\\") and _greek(word[1:]):  # \\boldsymbol{\\theta}
            self._named(token, "γ" if greek == "gamma" else greek)
            return
        if self._inside("cases") and word.rstrip(",") in CASES:
            if self.out[-1].kind == "COMMA":
                self.out.pop()
            self._emit(CASES[word.rstrip(",")], token, word)
        elif word == "d" or re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", word):
            self._named(token, word)
        else:
            raise self._error(
                token, f"`{token.text}` is not a name", r"write letters, as \mathrm{loss}"
            )

    def _command(self, token: Token) -> None:
        name = token.text[1:].rstrip("*")
        if name in DROPPED:
            self._dropped(token, name)
        elif name == "\\":
            self._line(token)
        elif name in ("langle", "rangle"):
            self._angle(token, name == "langle")
        elif name in SIGNS:
            kind, text = SIGNS[name]
            if name == "times" and self.braces and self.braces[-1][2].text.startswith(_BOLD):
                kind, text = "COMMA", ","  # of dimensions
            self._emit(kind, token, text)
            self._index_of_norm()
        elif greek := _greek(name):
            # \gamma is always the letter; \Gamma is the function where it is applied.
            self._named(token, "γ" if greek == "gamma" else greek)
        elif name == "sqrt":
            self._root(token)
        elif name == "over":
            self._over(token)
        elif name in BOLD and (self._kind() == "LETTER" or self._next() in FILLED):
            letter = self.tokens[self.place]
            self.place += 1
            self._text(Token("TEXT", f"{token.text}{{{letter.text}}}", token.start, letter.end))
        elif name in ALPHABETS and self._kind() in ("LETTER", "COMMAND"):
            pass  # \\mathrm d
        elif name in FRACTIONS:
            self._emit("FRACTION", token, token.text)
            self._argument(token, "OVER")
        elif name in FUNCTIONS and name not in HINTS:
            self._named(token, name)
        else:
            raise UnknownNameError(
                f"`{token.text}` is not a command that is read",
                token.span,
                self.source,
                HINTS.get(name, r"a function is written \operatorname{name}, a name \mathrm{name}"),
            )

    def _dropped(self, token: Token, name: str) -> None:
        if name in ("left", "right") and self._kind() == "COMMAND":
            bar = self.tokens[self.place]
            if SIGNS.get(bar.text[1:], ("",))[0] == "NORM":
                self.place += 1
                self._emit("NORM_OPEN" if name == "left" else "NORM_CLOSE", bar, "‖")
                self._index_of_norm()
        elif name in ("left", "right") and self._kind() == "BAR":
            bar = self.tokens[self.place]
            self.place += 1
            self._emit("BAR_OPEN" if name == "left" else "BAR_CLOSE", bar, "|")

    def _over(self, token: Token) -> None:
        """`{a \\over b}`: the group that holds it becomes a fraction."""
        if not self.braces or self.braces[-1][1] != "GROUP_CLOSE":
            raise self._error(token, f"`{token.text}` stands in no group", r"write \frac{a}{b}")
        brace = self.braces[-1][0]
        self.braces[-1] = (brace, "END", token)
        opener = self.groups[brace.start]
        self.out[opener] = self.out[opener]._replace(kind="FRACTION")
        self._emit("OVER", token, token.text)

    def _root(self, token: Token) -> None:
        if self._kind() == "LSQUARE":
            self._emit("INDEX", token, token.text)
            self.braces.append((self.tokens[self.place], "OF", token))
            self.place += 1
        else:
            self._emit("ROOT", token, token.text)
            self._argument(token, "END")

    def _index_of_norm(self) -> None:
        """`\\|x\\|_2`, `\\|X\\|_{F}`: the index goes with the bar."""
        if self.out[-1].kind not in ("NORM", "NORM_CLOSE") or self._kind() != "UNDERSCORE":
            return
        bar = self.out.pop()
        place = self.place + 1 + (self._kind(1) == "LBRACE")
        index = self.tokens[place] if place < len(self.tokens) else bar
        end = place + (place > self.place + 1)
        closed = end < len(self.tokens) and (end == place or self.tokens[end].kind == "RBRACE")
        if index.kind not in ("NUMBER", "LETTER") or not closed:
            underscore = self.tokens[self.place]
            raise self._error(underscore, "this subscript is not a norm's", r"write \|x\|_2")
        self.place = end + 1
        text = f"‖_{index.text}"
        self.out.append(Token(bar.kind, text, bar.start, self.tokens[end].end))

    def _power(self, token: Token) -> None:
        """`^\\prime` is a prime; `^\\top` and an upright `^{\\mathsf T}` are transposes."""
        braced = self._kind() == "LBRACE"
        if (
            braced
            and self._kind(1) == "COMMAND"
            and self.tokens[self.place + 1].text[1:] in ENTRYWISE
        ):
            dropped = self.tokens[self.place + 1]
            self.tokens[self.place + 1] = dropped._replace(kind="TILDE")
            self._emit("DOT_POW", token, ".^")
            return
        negative = braced and self._kind(1) == "MINUS"
        place = self.place + braced + negative
        after = place + 1
        first = self.tokens[place] if place < len(self.tokens) else token
        name = first.text[1:] if first.kind == "COMMAND" else ""
        kind = "PRIME" if name == "prime" else "TRANSPOSE" if name in TRANSPOSES else ""
        if first.kind == "TEXT" and content(first) == "T":
            kind = "TRANSPOSE"
        elif name in ALPHABETS and after < len(self.tokens) and self.tokens[after].text == "T":
            kind, after = "TRANSPOSE", after + 1
        closed = not braced or (after < len(self.tokens) and self.tokens[after].kind == "RBRACE")
        if kind and closed and not (negative and kind == "PRIME"):
            self.place = after + braced
            end = self.tokens[self.place - 1].end
            sign = "'" if kind == "PRIME" else INVERSE_TRANSPOSE if negative else "⊤"
            self._emit(kind, token._replace(end=end), sign)
        else:
            self.out.append(token)

    def _nothing(self, token: Token) -> None:
        """A sign that only sets the type."""


_BOLD = tuple(f"\\{word}" for word in BOLD)


def _equations(tokens: Sequence[Token]) -> Sequence[Token]:
    """Inside brackets `=` compares."""
    depth = 0
    found: list[Token] = []
    for token in tokens:
        depth += (token.kind in OPENING) - (token.kind in CLOSING)
        is_axis = bool(found) and found[-1].text == "axis"
        if depth > 0 and token.kind == "EQUALS" and not is_axis:
            token = token._replace(kind="RELATION", text="==")
        found.append(token)
    return found


# side by side, as LETTER in the grammar
_LETTERS = re.compile(
    f"[A-Za-zΓΔΘΛΞΠΣΦΨΩα-ξπ-ωϑϕϵϱ\u2126\u00b5\u2206]{{1,{2 + max(map(len, FUNCTIONS))}}}"
)


def _spells(word: str) -> bool:
    """Whether letters side by side are a function; `tg`, `lb`, `lg` are products."""
    return word == "axis" or (word in FUNCTIONS and (len(word) > 2 or word == "ln"))


def _greek(name: str) -> str:
    name = VARIANTS.get(name, name)
    return name if name in GREEK or name == "pi" else ""


def _shape_of(macro: str) -> str:
    if macro.startswith(_BOLD):
        return r"\mathbf{1}_{n}"
    return r"\sqrt{x}" if macro == r"\sqrt" else r"\frac{a}{b}"


_HANDLERS = {
    "LBRACE": _Commands._open_brace,
    "RBRACE": _Commands._close_brace,
    "LSQUARE": _Commands._open_square,
    "RSQUARE": _Commands._close_square,
    "LETTER": _Commands._letter,
    "TEXT": _Commands._text,
    "COMMAND": _Commands._command,
    "POW": _Commands._power,
    "ENVIRONMENT": _Commands._environment,
    "AMPERSAND": _Commands._ampersand,
    "DOLLAR": _Commands._nothing,
    "TILDE": _Commands._nothing,
}
