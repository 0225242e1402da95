"""What the names of a program mean, statement by statement."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chainrule.core.errors import ArityError, ParseError, Span, UnknownNameError, UnsupportedError
from chainrule.core.expr import Shape
from chainrule.syntax import mistakes
from chainrule.syntax.lexer import Token
from chainrule.syntax.names import (
    CONSTANTS,
    GREEK,
    RESERVED,
    canonical,
    function_row,
    is_function_letter,
    needs_no_declaration,
)


class Scope:
    """The names of one program.

    Attributes:
        declared: the shapes of declared names.
        functions: declared functions and how many arguments they take.
        defined: names with a statement of their own so far, each with its parameters.
        words: every name that occurs anywhere.
    """

    def __init__(self, source: str, known: Iterable[str] = (), latex: bool = False) -> None:
        self.source, self.latex = source, latex
        self.declared: dict[str, Shape] = {}
        self.functions: dict[str, int] = {}
        self.defined: dict[str, tuple[str, ...]] = {}
        self.words: set[str] = set()
        self._known = {canonical(name) for name in known}
        self._coming: set[str] = set()
        self._applied: set[str] = set()
        self._bare: set[str] = set()
        self._used: set[str] = set()
        self._arities: dict[str, int] = {}

    def survey(self, statements: Sequence[Sequence[Token]], targets: Iterable[str]) -> None:
        """Look ahead over the whole text: which letters are applied, which stand alone."""
        self._coming.update(targets)
        for tokens in statements:
            for i, token in enumerate(tokens):
                if token.kind == "NAME":
                    name = canonical(token.text)
                    self.words.add(name)
                    if is_function_letter(name) and not _in_differential(tokens, i):
                        (self._applied if applied(tokens, i) else self._bare).add(name)

    def knows(self, name: str) -> bool:
        """Whether a name is declared or defined."""
        return (
            name in self.declared or name in self.functions or name in self.defined or name in self._known
        )

    def is_own(self, name: str) -> bool:
        """Whether a name means what this program says, whatever it would mean elsewhere."""
        return self.knows(name) or name in self._coming

    def is_applied(self, name: str) -> bool:
        """Whether a name stands for a function that is only named."""
        if name in self.functions:
            return True
        return (
            name in self._applied
            and name not in self._bare
            and not self.is_own(name)
            and is_function_letter(name)
        )

    def variable(self, token: Token) -> str:
        """The name a word stands for as a quantity; an error that helps where it is none."""
        name = canonical(token.text)
        if name in self._coming and name not in self.defined and not self.knows(name):
            raise UnknownNameError(
                f"`{token.text}` is used before it is defined", token.span, self.source,
                f"move the line `{token.text} = …` up",
            )  # fmt: skip
        if name in self.functions or (name in self._applied and self.is_applied(name)):
            raise ParseError(
                f"`{token.text}` is a function and needs an argument", token.span, self.source,
                f"write {token.text}(x)",
            )  # fmt: skip
        if not self.knows(name):
            if name in RESERVED:
                raise ParseError(
                    f"`{token.text}` belongs inside braces", token.span, self.source,
                    "cases are written {-x if x < 0, x}",
                )  # fmt: skip
            if not needs_no_declaration(name):
                raise mistakes.unknown_name(token, self.source, False, self.knows)
        self._used.add(name)
        return name

    def row(self, token: Token, is_next_open: bool) -> str | None:
        """The spelling in the table of the function a word names, if it names one here."""
        name = canonical(token.text)
        if self.is_own(name) or name in CONSTANTS:
            return None
        if name in GREEK:
            # `gamma` is a letter unless it is applied; its sign γ is a letter always.
            is_gamma = name == "Gamma" or token.text == "gamma"
            return "gamma" if is_gamma and is_next_open else None
        row = function_row(name)
        if row is not None:
            return "log" if name.lower() == "log" else row.name
        return None

    def check_arity(self, name: str, count: int, span: Span) -> None:
        """A function keeps its number of arguments."""
        known = self.functions.get(name) or self._arities.setdefault(name, count)
        if known != count:
            raise ArityError(
                f"`{name}` has {_plural(known)} in one place and {count} here", span, self.source,
                "a function keeps its number of arguments",
            )  # fmt: skip

    def define(self, name: str, parameters: tuple[str, ...], span: Span) -> None:
        """Enter the name of a statement."""
        self._check_new(name, span)
        self.defined[name] = parameters

    def declare(self, name: str, shape: Shape, span: Span) -> None:
        """Enter a declared quantity."""
        self._check_declared(name, span)
        if shape:
            raise UnsupportedError(
                "vectors and matrices: not yet", span, self.source, "declare scalars, one for each entry"
            )
        self.declared[name] = shape

    def declare_function(self, name: str, arity: int, span: Span) -> None:
        """Enter a declared function."""
        self._check_declared(name, span)
        self.functions[name] = arity

    def _check_declared(self, name: str, span: Span) -> None:
        self._check_new(name, span)
        if name in self._used or name in self._arities:
            raise ParseError(
                f"`{name}` is declared after its use", span, self.source, "declare it in a line above"
            )

    def _check_new(self, name: str, span: Span) -> None:
        written = self.source[span.start : span.end]
        if name in self.defined or name in self.declared or name in self.functions:
            raise ParseError(
                f"`{written}` has a meaning already", span, self.source, "give the second one another name"
            )
        if name in RESERVED or (function_row(name) is not None and not needs_no_declaration(name)):
            raise ParseError(
                f"`{written}` is a function and cannot be a name", span, self.source, "choose another name"
            )


def applied(tokens: Sequence[Token], i: int) -> bool:
    """Whether the word at `i` is followed by arguments: `f(x)`, `f'(x)`, `f^(0,1)(x, y)`."""
    after = i + 1
    if found := orders(tokens, after):
        after = found[1]
    elif after < len(tokens) and tokens[after].kind == "PRIME":
        after += 1
    return after < len(tokens) and tokens[after].kind == "OPEN"


_ORDERS = (("POW", "OPEN"), ("POW", "GROUP_OPEN", "OPEN"), ("PRIME", "LSQUARE"), ("POW", "LBRACE", "OPEN"))
_ENDS = (("CLOSE",), ("CLOSE", "GROUP_CLOSE"), ("RSQUARE",), ("CLOSE", "RBRACE"))


def orders(tokens: Sequence[Token], place: int) -> tuple[list[Token], int] | None:
    """The orders of a derivative at `place`, and the place after: `^(0,1)`, `^{(4)}`, `'[0,1]`."""
    for opening, closing in zip(_ORDERS, _ENDS, strict=True):
        at = place + len(opening)
        if tuple(t.kind for t in tokens[place:at]) != opening:
            continue
        numbers = []
        while tuple(t.kind for t in tokens[at : at + 1]) == ("NUMBER",) and tokens[at].text.isdigit():
            numbers.append(tokens[at])
            at += 1
            if at < len(tokens) and tokens[at].kind == "COMMA":
                at += 1
            else:
                break
        after = at + len(closing)
        if numbers and tuple(t.kind for t in tokens[at : after + 1]) == (*closing, "OPEN"):
            return numbers, after
    return None


def _in_differential(tokens: Sequence[Token], i: int) -> bool:
    if i and tokens[i - 1].kind == "PARTIAL":
        return True
    return i > 1 and tokens[i - 1].text == "d" and tokens[i - 2].kind in ("FRACTION", "OVER")


def _plural(count: int) -> str:
    return f"{count} argument" + "s" * (count != 1)
