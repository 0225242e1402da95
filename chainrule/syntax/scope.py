"""What the names of a program mean, statement by statement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from chainrule.core.errors import (
    ArityError,
    ChainruleError,
    ParseError,
    UnknownNameError,
)
from chainrule.core.program import Signature
from chainrule.core.shape import Shape, dimension_names
from chainrule.syntax.lexer import Token, short
from chainrule.syntax.names import (
    CONSTANTS,
    GREEK,
    RESERVED,
    canonical,
    function_row,
    is_function,
    is_function_letter,
    known_names,
    needs_no_declaration,
)
from chainrule.syntax.spelling import unknown_name

_DEPENDING = RESERVED | CONSTANTS | {"gamma", "Gamma"}  # words that are told by their neighbours


class Scope:
    """The names of one program.

    Attributes:
        declared: the shapes of declared names.
        shapes: those of all names of arrays.
        sizes: every dimension of those, as it is written.
        has_matrix: whether one of them is a matrix.
        dimensions: the names of dimensions, in order.
        functions: declared functions and how many arguments they take.
        signatures: those of declared functions of arrays: shapes of the arguments, of the result.
        defined: names with a statement of their own so far, each with its parameters.
        words: every name that occurs anywhere.
        depending: those whose meaning hangs on each of their places: `T`, `f`.
        plain: words that have been read as quantities, and would be anywhere but before a bracket
            or `=`, each with the name it is.
        called: words that have been read as functions of the table before a bracket, and would be
            before any, each with its row.
        differentials: whether `df/dx` may be the name of a derivative.
    """

    def __init__(
        self,
        source: str,
        known: Iterable[str] = (),
        latex: bool = False,
        shapes: Mapping[str, Shape] | None = None,
        functions: Mapping[str, Signature] | None = None,
    ) -> None:
        self.source, self.latex = source, latex
        self.differentials = False
        self.declared: dict[str, Shape] = {}
        self.shapes: dict[str, Shape] = {}
        self.sizes: set[str] = set()
        self.has_matrix = False
        for name, shape in (shapes or {}).items():
            self._enter(canonical(name), shape)
        self.signatures = dict(functions or {})
        every = [s for arguments, result in self.signatures.values() for s in (*arguments, result)]
        self.dimensions = dict.fromkeys(dimension_names([*self.shapes.values(), *every]))
        self.functions = {name: len(given) for name, (given, _) in self.signatures.items()}
        self.defined: dict[str, tuple[str, ...]] = {}
        self.words: set[str] = set()
        self.depending: set[str] = set()
        self.plain: dict[str, str] = {}
        self.called: dict[str, str] = {}
        self._known = known if isinstance(known, frozenset) else known_names(known)
        self._coming: set[str] = set()
        self._applied: set[str] = set()
        self._bare: set[str] = set()
        self._used: set[str] = set()
        self._is_t_used = False
        self._arities: dict[str, int] = {}
        # by the letters, the one name that has them; empty where there are two
        self._indices: dict[str, str] = {}

    def survey(self, tokens: Sequence[Token], target: str | None = None) -> None:
        """Look ahead over a statement: which letters are applied, which stand alone."""
        if target:
            self._coming.add(target)
        for i, token in enumerate(tokens):
            if token[0] == "NAME" and (token[1] not in self.words or token[1] in self.depending):
                name = canonical(token[1])
                self._meet(name)
                if name == "T":
                    self._is_t_used = self._is_t_used or not _is_exponent(tokens, i)
                elif name in self.depending and not _in_differential(tokens, i):
                    (self._applied if applied(tokens, i) else self._bare).add(name)

    def expect(self, word: str) -> bool:
        """Survey the name of a statement, if it does not matter where it stands."""
        name = canonical(word)
        self._meet(name)
        if name in self._coming or name in self.depending:
            return False
        self._coming.add(name)
        return True

    def _meet(self, name: str) -> None:
        if name not in self.words:
            self.words.add(name)
            letters = name.rstrip("0123456789")
            if self._indices.setdefault(letters, name) != name:
                self._indices[letters] = ""
            if name == "T" or (name[0] in "fghFGp" and is_function_letter(name)):
                self.depending.add(name)

    def is_coming(self, name: str) -> bool:
        """Whether the survey has met a statement that gives a meaning to this name."""
        return name in self._coming

    def knows(self, name: str) -> bool:
        """Whether a name is declared or defined."""
        return (
            name in self.declared
            or name in self.defined
            or name in self.dimensions
            or name in self.functions
            or name in self._known
            or name in self.shapes
        )

    def is_own(self, name: str) -> bool:
        """Whether a name means what this program says, whatever it would mean elsewhere."""
        return self.knows(name) or name in self._coming

    def is_variable(self, name: str) -> bool:
        """Whether a name has a meaning of its own here, and not only as a dimension."""
        return name not in self.dimensions and self.is_own(name)

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
            raise self.wrong(
                token,
                f"`{token.text}` is used before it is defined",
                f"move the line `{token.text} = …` up",
                UnknownNameError,
            )
        if self.is_applied(name):
            raise self.wrong(
                token,
                f"`{token.text}` is a function and needs an argument",
                f"write {token.text}(x)",
            )
        if name in RESERVED and not self.knows(name):
            raise self.wrong(
                token, f"`{token.text}` belongs inside braces", "cases are written {-x if x < 0, x}"
            )
        if not self.knows(name) and not needs_no_declaration(name):
            raise unknown_name(token, self.source, self.knows)
        self._used.add(name)
        return name

    def settle(self, word: str, name: str) -> None:
        """Remember that a word is this quantity wherever it stands, unless that depends."""
        if word[0] != "d" and name not in _DEPENDING and not self.is_applied(name):
            self.plain[word] = name

    def wrong(
        self, token: Token, message: str, hint: str, kind: type[ChainruleError] = ParseError
    ) -> ChainruleError:
        """An error at a word."""
        return kind(short(message), token.span, self.source, short(hint))

    def written(self, token: Token) -> str:
        """A word as the source has it."""
        return self.source[token.start : token.end]

    def is_single_index(self, word: str) -> bool:
        """Whether a word is a letter and digits, and the letter has no other digits anywhere."""
        name = canonical(word)
        letters = name.rstrip("0123456789")
        return letters != name and not self.knows(name) and bool(self._indices.get(letters))

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

    def check_arity(self, name: str, count: int, token: Token) -> None:
        """A function keeps its number of arguments."""
        known = self.functions.get(name) or self._arities.setdefault(name, count)
        if known != count:
            raise self.wrong(
                token,
                f"`{name}` has {known} argument{'s' * (known != 1)} elsewhere and {count} here",
                "a function keeps its number of arguments",
                ArityError,
            )

    def infer(self, token: Token, shape: Shape) -> None:
        """Give a name that is new here the shape that a declared function takes."""
        name = canonical(token.text)
        is_new = not self.is_own(name) and name not in self._used and name not in CONSTANTS
        if shape and is_new and needs_no_declaration(name):
            self.declared[name] = shape
            self._enter(name, shape)

    def is_transpose(self) -> bool:
        """Whether `X^T` is a transpose: nothing else in the text is called T."""
        return not self.is_own("T") and not self._is_t_used

    def define(self, token: Token, parameters: tuple[str, ...], shape: Shape = ()) -> None:
        """Enter the name of a statement, and the shape of its value."""
        self._check_new(token)
        name = canonical(token.text)
        self.defined[name] = parameters
        if not parameters:
            self.settle(token.text, name)
        if shape:
            self._enter(name, shape)

    def _enter(self, name: str, shape: Shape) -> None:
        self.shapes[name] = shape
        self.sizes.update(map(str, shape))
        self.has_matrix = self.has_matrix or len(shape) == 2

    def dimension(self, token: Token) -> str:
        """Enter the name of a dimension."""
        name = canonical(token.text)
        if name in self.dimensions:
            return name
        if self.is_own(name) or name in self._used:
            raise self.wrong(
                token,
                f"`{token.text}` is a dimension here, and a variable elsewhere",
                "give one of them another name",
            )
        if name in RESERVED or name in CONSTANTS or is_function(name):
            raise self.wrong(
                token, f"`{token.text}` cannot be a dimension", "write a letter, as in vector(n)"
            )
        self.dimensions[name] = None
        self.words.add(name)
        return name

    def declare(self, token: Token, shape: Shape) -> None:
        """Enter a declared quantity."""
        self._check_declared(token)
        name = canonical(token.text)
        self.declared[name] = shape
        if shape:
            self._enter(name, shape)
            self.words.add(name)

    def declare_function(self, token: Token, arguments: tuple[Shape, ...], result: Shape) -> None:
        """Enter a declared function."""
        self._check_declared(token)
        name = canonical(token.text)
        self.functions[name] = len(arguments)
        if result or any(arguments):
            self.signatures[name] = arguments, result

    def _check_declared(self, token: Token) -> None:
        self._check_new(token)
        name = canonical(token.text)
        if name in self._used or name in self._arities:
            raise self.wrong(
                token, f"`{token.text}` is declared after its use", "declare it in a line above"
            )

    def _check_new(self, token: Token) -> None:
        name = canonical(token.text)
        if name in self.dimensions:
            raise self.wrong(
                token,
                f"`{token.text}` is a dimension and has the value that the arrays give it",
                "choose another name",
            )
        if name in self.defined or name in self.declared or name in self.functions:
            raise self.wrong(
                token,
                f"`{token.text}` has a meaning already",
                "give the second one another name",
            )
        if name in RESERVED or (is_function(name) and not needs_no_declaration(name)):
            what = "belongs to the language" if name in RESERVED else "is a function"
            raise self.wrong(
                token, f"`{token.text}` {what} and cannot be a name", "choose another name"
            )


def applied(tokens: Sequence[Token], i: int) -> bool:
    """Whether the word at `i` is followed by arguments: `f(x)`, `f'(x)`, `f^(0,1)(x, y)`."""
    after = i + 1
    if found := orders(tokens, after):
        after = found[1]
    elif after < len(tokens) and tokens[after].kind == "PRIME":
        after += 1
    return after < len(tokens) and tokens[after].kind == "OPEN"


_ORDERS = {
    ("POW", "OPEN"): ("CLOSE",),
    ("POW", "GROUP_OPEN", "OPEN"): ("CLOSE", "GROUP_CLOSE"),
    ("POW", "LBRACE", "OPEN"): ("CLOSE", "RBRACE"),
    ("PRIME", "LSQUARE"): ("RSQUARE",),
}


def orders(tokens: Sequence[Token], place: int) -> tuple[list[Token], int] | None:
    """The orders of a derivative at `place`, and the place after: `^(0,1)`, `^{(4)}`, `'[0,1]`."""
    for opening, closing in _ORDERS.items():
        at = place + len(opening)
        if tuple(t.kind for t in tokens[place:at]) != opening:
            continue
        numbers = []
        while at < len(tokens) and tokens[at].kind == "NUMBER" and tokens[at].text.isdigit():
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


def _is_exponent(tokens: Sequence[Token], i: int) -> bool:
    """Whether the word at `i` stands right behind `^`."""
    kinds = [t.kind for t in tokens[max(0, i - 3) : i]]
    while len(kinds) > 1 and kinds[-1] in ("GROUP_OPEN", "LBRACE", "OPEN", "MINUS"):
        kinds.pop()
    return kinds[-1:] == ["POW"]


def _in_differential(tokens: Sequence[Token], i: int) -> bool:
    if i and tokens[i - 1].kind == "PARTIAL":
        return True
    return i > 1 and tokens[i - 1].text == "d" and tokens[i - 2].kind in ("FRACTION", "OVER")
