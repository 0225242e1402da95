r"""What LaTeX arranges in the plane: environments, an axis below a function, angles."""

from __future__ import annotations

import re
from collections.abc import Sequence

from chainrule.core.errors import ParseError, UnknownNameError, UnsupportedError
from chainrule.syntax.latex_words import CASES, DROPPED, MATRICES, OTHER_MATRICES, SETTINGS
from chainrule.syntax.lexer import Token

_TEXT = re.compile(r"\\([a-z]+)\*?\s*\{([^{}]*)\}", re.ASCII)


class Layout:
    """One pass over the words; `braces` holds what each open brace becomes when it closes."""

    def __init__(self, tokens: Sequence[Token], source: str) -> None:
        self.tokens, self.source = list(tokens), source
        self.out: list[Token] = []
        self.braces: list[tuple[Token, str, Token]] = []
        self.groups: dict[int, int] = {}  # by where a brace that groups starts, its place in `out`
        self.angles: list[Token] = []
        self.environments: list[str] = []
        self.parted: list[set[str]] = []  # the signs between the parts of each open matrix
        self.place = 0

    def _inside(self, kind: str) -> bool:
        """Whether the innermost environment is of this kind."""
        return self.environments[-1:] == [kind]

    def _emit(self, kind: str, token: Token, text: str) -> None:
        self.out.append(Token(kind, text, token.start, token.end))

    def _error(self, token: Token, message: str, hint: str) -> ParseError:
        return ParseError(message, token.span, self.source, hint)

    def _kind(self, ahead: int = 0) -> str:
        place = self.place + ahead
        return self.tokens[place].kind if place < len(self.tokens) else ""

    def _next(self) -> str:
        return self.tokens[self.place].text if self.place < len(self.tokens) else ""

    def _axis(self) -> bool:
        r"""`_{\mathrm{axis}\ 0}(` below a function is the first of its arguments."""
        ahead = self.tokens[self.place : self.place + 8]
        seen = [t for t in ahead if t.kind != "COMMAND" or t.text[1:] not in DROPPED][:5]
        if [t.kind for t in seen] != ["LBRACE", "TEXT", "NUMBER", "RBRACE", "OPEN"]:
            return False
        _, word, axis, _, opening = seen
        if content(word) != "axis":
            return False
        self.out.append(opening)
        self._emit("NAME", word, "axis")
        self._emit("EQUALS", word, "=")
        self.out.append(axis)
        self._emit("COMMA", axis, ",")
        self.place += ahead.index(opening) + 1
        return True

    def _angle(self, token: Token, opens: bool) -> None:
        r"""`\langle u, v \rangle` is the inner product."""
        if opens:
            self.angles.append(token)
            self._emit("CALL", token, "dot")
            self._emit("OPEN", token, "(")
            return
        if not self.angles:
            raise self._error(
                token, f"`{token.text}` closes nothing", r"write \langle u, v \rangle"
            )
        self.angles.pop()
        self._emit("CLOSE", token, ")")

    def _environment(self, token: Token) -> None:
        name = content(token).rstrip("*")
        begins = token.text.startswith("\\begin")
        kind = "matrix" if name in MATRICES else name
        if kind in ("cases", "matrix"):
            if begins:
                self.environments.append(kind)
            elif not self._inside(kind):
                raise self._error(
                    token, f"`{token.text}` closes nothing", "leave it out, or open it"
                )
            else:
                self.environments.pop()
                if self.out[-1].kind == "COMMA":
                    self.out.pop()
            if kind == "cases":
                self._emit("LBRACE" if begins else "RBRACE", token, token.text)
            else:
                self._matrix(token, begins)
        elif name in OTHER_MATRICES:
            raise UnsupportedError(
                f"`{token.text}` is not read", token.span, self.source, OTHER_MATRICES[name]
            )
        elif name not in SETTINGS:
            raise UnknownNameError(
                f"`{token.text}` is not an environment that is read",
                token.span,
                self.source,
                "leave it out",
            )

    def _matrix(self, token: Token, begins: bool) -> None:
        """Arrays below each other, or side by side, are joined."""
        if begins:
            self.parted.append(set())
            self._emit("CALL", token, "concat")
            self._emit("OPEN", token, "(")
            return
        signs = self.parted.pop()
        if not signs:
            raise self._error(
                token,
                "a matrix joins two arrays or more",
                r"write outputs as [e_1, e_2]; cases as \begin{cases}",
            )
        if len(signs) > 1:
            raise self._error(
                token,
                "a matrix of both rows and columns is not read",
                r"join the parts of each row: \begin{bmatrix} A & B \end{bmatrix}",
            )
        if "&" in signs:
            for kind, text in (("COMMA", ","), ("NAME", "axis"), ("EQUALS", "="), ("NUMBER", "1")):
                self._emit(kind, token, text)
        self._emit("CLOSE", token, ")")

    def _line(self, token: Token) -> None:
        if not self.environments:
            self._emit("SEPARATOR", token, "\n")
        elif self.out[-1].kind != "COMMA":
            self._emit("COMMA", token, token.text)
            if self._inside("matrix") and not self._next().startswith("\\end"):
                self.parted[-1].add(token.text)

    def _ampersand(self, token: Token) -> None:
        if self._inside("matrix"):
            self._emit("COMMA", token, "&")
            self.parted[-1].add("&")
            return
        if not self._inside("cases"):
            return
        if self.out[-1].kind == "COMMA":
            self.out.pop()
        if not (self._kind() == "TEXT" and content(self.tokens[self.place]).rstrip(",") in CASES):
            self._emit("IF", token, "if")


def content(token: Token) -> str:
    """What stands between the braces of `\\text{…}`; a letter or a number as it is."""
    match = _TEXT.fullmatch(token.text)
    return match[2].replace("\\_", "_").replace("\\ ", " ").strip() if match else token.text
