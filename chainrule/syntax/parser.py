"""Text to programs and expressions.

>>> parse("u = x^2; ln(sin u)").assignments
(('u', pow(x, 2)), ('y', ln(sin(u))))
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import chain

from chainrule.core.errors import (
    AmbiguityError,
    ChainruleError,
    ParseError,
    Span,
    UnsupportedError,
)
from chainrule.core.expr import Expr, Sym, symbol
from chainrule.core.program import Program, Signature
from chainrule.core.shape import Shape
from chainrule.syntax import latex as typeset
from chainrule.syntax import mistakes
from chainrule.syntax.building import Building
from chainrule.syntax.declarations import declare
from chainrule.syntax.heads import Head, head, is_declaration, leibniz
from chainrule.syntax.lalr import Unexpected, Words, run
from chainrule.syntax.lexer import (
    LONGEST_STATEMENT,
    LONGEST_TEXT,
    Token,
    check_length,
    words,
)
from chainrule.syntax.misfits import located
from chainrule.syntax.names import canonical
from chainrule.syntax.names import canonical_name as canonical_name
from chainrule.syntax.notices import Doubts
from chainrule.syntax.parsed import Statement
from chainrule.syntax.reading import read
from chainrule.syntax.scope import Scope
from chainrule.syntax.survey import surveyed, surveyed_together
from chainrule.syntax.tables import Tables, load

# `W: matrix(m, n), x: vector(n)`, as a line of its own
_DECLARATION = re.compile(
    r"(?:(?<=[;\n])|^)[^\S\n]*\w+[^\S\n]*(?:,[^\S\n]*\w+[^\S\n]*)*:[^;\n\\]*", re.MULTILINE
)
_TYPESET = re.compile(r"\\(?:[A-Za-z]|[,;:! ()\[\]])|^\s*\$[^$]*\$\s*$")
_OUTPUT_LETTERS = "yzwvqrstpuabckmn"


def parse(source: str, *, latex: bool | None = None, strict: bool = False) -> Program:
    r"""Read a program.

    `latex` None: LaTeX is recognised by a backslash command. Under `strict` a place that can
    be read in two ways is an error.

    >>> parse(r"\frac{d}{dx} x^{2}").variables
    ('x',)
    """
    return _Reader(source, latex, (), most=LONGEST_TEXT).program(strict)


def parse_expression(
    source: str,
    *,
    names: Iterable[str] = (),
    declared: Mapping[str, Shape] | None = None,
    functions: Mapping[str, Signature] | None = None,
    latex: bool | None = None,
) -> Expr:
    """Read one expression; `names` are words of several letters that are names in it.

    For many expressions `names` are made once, by `syntax.names.known_names`.
    `declared`: the shapes of names; the names of dimensions in them are known, too.
    `functions`: declared functions of arrays, as in `Program.functions`.

    >>> parse_expression("2*rate", names=["rate"])
    mul(2, rate)
    >>> parse_expression("sum(W @ x)/n", declared={"W": ("m", "n"), "x": ("n",)})
    div(sum(matmul(W, x)), n)
    """
    (value,) = parse_expressions(
        source, names=names, declared=declared, functions=functions, latex=latex, most=1
    )
    return value


def parse_expressions(
    source: str,
    *,
    names: Iterable[str] = (),
    declared: Mapping[str, Shape] | None = None,
    functions: Mapping[str, Signature] | None = None,
    latex: bool | None = None,
    most: int | None = None,
) -> tuple[Expr, ...]:
    """Read expressions parted by commas.

    >>> parse_expressions("h1, 2*h2")
    (h1, mul(2, h2))
    """
    return _Reader(source, latex, names, declared, functions).expressions(most)


def parse_symbols(source: str) -> tuple[Sym, ...]:
    """Read declarations, as the symbols that they declare; names without a type are scalars.

    >>> [(s.name, s.shape) for s in parse_symbols("x: vector(n), W: matrix(m, n), s")]
    [('x', ('n',)), ('W', ('m', 'n')), ('s', ())]
    """
    return _Reader(source, False, ()).symbols()


class _Reader:
    """The stages in order: words, statements, reading, grammar, nodes."""

    def __init__(
        self,
        source: str,
        latex: bool | None,
        names: Iterable[str],
        declared: Mapping[str, Shape] | None = None,
        functions: Mapping[str, Signature] | None = None,
        most: int = LONGEST_STATEMENT,
    ) -> None:
        check_length(source, most)
        self.source = source
        self.latex = bool(_TYPESET.search(source)) if latex is None else latex
        if self.latex:  # its words are found all together
            check_length(source, LONGEST_STATEMENT)
        self.tables: Tables = load("latex" if self.latex else "expression")
        self.scope = Scope(source, names, self.latex, declared, functions)
        self.doubts = Doubts(source)
        self.building = Building(self.scope, self.doubts)

    def _words(self) -> list[Token]:
        if not self.latex:
            return list(words(self.source, self.tables))
        # Declarations are written alike in both.
        found: list[Token] = []
        at = 0
        for match in _DECLARATION.finditer(self.source):
            found += self._typeset(at, match.start())
            at = match.end()
            found += words(self.source, load("expression"), match.start(), at)
        return found + self._typeset(at, len(self.source))

    def _typeset(self, start: int, end: int) -> list[Token]:
        return typeset.commands([*words(self.source, self.tables, start, end)], self.source)

    def _run(self, tokens: list[Token]) -> Statement:
        self.building.words = Words(tokens)
        try:
            statement: Statement = run(self.tables, self.building.words, self.building.actions)
        except Unexpected as error:
            told = mistakes.in_declaration if tokens[0].kind == "WORD" else mistakes.unexpected
            raise told(tokens, error.place, self.source) from None
        except ChainruleError as error:
            if error.span is None:
                raise located(error, self.building.words, self.scope) from None
            raise
        return statement

    def symbols(self) -> tuple[Sym, ...]:
        tokens = [t for t in self._words() if t.text != "\n"]
        if tokens and not is_declaration(tokens):  # `x, y`, or the last names without a type
            end = tokens[-1].end
            tokens += Token("COLON", ":", end, end), Token("NAME", "scalar", end, end)
        found = head(tokens, self.scope, self.doubts)
        if found.kind != "declaration":
            raise ParseError(
                "these are no names",
                Span(0, len(self.source)),
                self.source,
                "write x, y: vector(n)",
            )
        names = declare(self._run([*found.words]).declared, self.scope, "scalar")
        return tuple(symbol(n, self.scope.shapes.get(n, ())) for n in names)

    def expressions(self, most: int | None) -> tuple[Expr, ...]:
        tokens = [t for t in self._words() if t.text != "\n"]
        if self.latex:  # there is nothing to give a name to
            tokens = [
                t._replace(kind="RELATION", text="==")
                if t.kind == "EQUALS" and before.text != "axis"
                else t
                for before, t in zip([Token("START", "", 0, 0), *tokens], tokens, strict=False)
            ]
        self.scope.survey(tokens)
        self.scope.differentials = True
        opening, closing = (
            Token("LSQUARE", "", 0, 0),
            Token("RSQUARE", "", len(self.source), len(self.source)),
        )
        body = read(tokens, self.scope, self.doubts)
        if not body:
            raise ParseError(
                "an expression is missing", Span(0, 0), self.source, "write one, as 2*x"
            )
        self.building.listing = True
        values = self._run([opening, *body, closing]).values
        if most is not None and len(values) > most:
            raise ParseError(
                f"{len(values)} expressions where {most} is expected",
                Span(0, len(self.source)),
                self.source,
                "leave the comma out",
            )
        return values

    def program(self, strict: bool) -> Program:
        parts = (
            iter(surveyed_together(self._words(), self.source, self.scope))
            if self.latex
            else surveyed(self.source, self.tables, self.scope)
        )
        last = next(parts, None)
        if last is None:
            raise mistakes.unexpected([], 0, self.source)
        assignments: list[tuple[str, Expr]] = []
        for following in parts:
            found, statement = self._statement(last)
            if found.kind != "declaration":
                name = self._intermediate(found, statement, last)
                assignments.append((name, statement.values[0]))
            last = following
        if assignments and (asked := self._asked(last)):
            return self._program(assignments, asked[:1], variables=asked[1:], strict=strict)
        found, statement = self._statement(last)
        if found.kind == "declaration":
            end = len(self.source)
            raise ParseError(
                "nothing stands after the declarations",
                Span(end, end),
                self.source,
                "end with an expression",
            )
        names = self._outputs(found, statement)
        assignments.extend(zip(names, statement.values, strict=True))
        variable, _, order = (
            statement.derivative.text.rpartition("^") if statement.derivative else ("", "", "1")
        )
        return self._program(
            assignments,
            names,
            vector=len(names) > 1 or statement.vector,
            variables=(variable,) if variable else (),
            arguments=found.parameters,
            order=int(order),
            strict=strict,
        )

    def _program(
        self,
        assignments: list[tuple[str, Expr]],
        outputs: tuple[str, ...],
        *,
        strict: bool,
        vector: bool = False,
        variables: tuple[str, ...] = (),
        arguments: tuple[str, ...] = (),
        order: int = 1,
    ) -> Program:
        notices = tuple(sorted(self.doubts.notices, key=lambda n: n.span.start))
        if strict and notices:
            first = notices[0]
            raise AmbiguityError(first.message, first.span, self.source, first.hint)
        return Program(
            self.source,
            tuple(assignments),
            outputs,
            vector,
            variables,
            arguments,
            order,
            dict(self.scope.declared),
            notices,
            tuple(self.scope.dimensions),
            dict(self.scope.signatures),
        )

    def _statement(self, tokens: list[Token]) -> tuple[Head, Statement]:
        found = head(tokens, self.scope, self.doubts)
        if found.kind == "declaration":
            statement = self._run([*found.words])
            declare(statement.declared, self.scope)
            return found, statement
        if found.words and found.words[-1].kind == "DERIVATIVE":
            self._check_variable(found.words[-1])
        body = read(tokens, self.scope, self.doubts, found.start)
        statement = self._run([*found.words, *body])
        if statement.derivative and len(statement.values) == 1:
            statement = statement._replace(vector=False)  # d/dx [x^2]
        if found.name is not None:
            shape = statement.values[0].shape if statement.values else ()
            self.scope.define(found.name, found.parameters, shape)
        return found, statement

    def _check_variable(self, derivative: Token) -> None:
        name = derivative.text.rpartition("^")[0]
        if name in self.scope.dimensions:
            raise ParseError(
                f"`{name}` is a dimension: there is no derivative by it",
                derivative.span,
                self.source,
                "differentiate by one of the arrays",
            )

    def _intermediate(self, found: Head, statement: Statement, tokens: list[Token]) -> str:
        """The name of a statement that is not the last; an error where it cannot be one."""
        span = Span(tokens[0].start, tokens[-1].end)
        if found.name is None:
            raise ParseError(
                "only the last line may be without a name",
                span,
                self.source,
                "write u = … for an intermediate, [e1, e2] for two outputs",
            )
        if statement.derivative:
            raise ParseError(
                "`d/dx` stands in the last line",
                statement.derivative.span,
                self.source,
                "leave it out here",
            )
        if statement.vector:
            raise UnsupportedError(
                "a vector for an intermediate: not yet",
                span,
                self.source,
                "give each entry a name: u1 = …; u2 = …",
            )
        return canonical(found.name.text)

    def _asked(self, tokens: list[Token]) -> tuple[str, str] | None:
        """`dy/dx` alone, after `y = …`: the two names."""
        if (found := leibniz(tokens, 0, self.scope)) and found[1] == len(tokens):
            above, _, below = found[0].partition("/")
            if above[1:] in self.scope.defined:
                return above[1:], below[1:]
        return None

    def _outputs(self, found: Head, statement: Statement) -> tuple[str, ...]:
        count = len(statement.values)
        if found.name is not None and not statement.vector:
            return (canonical(found.name.text),)
        taken = self.scope.words
        letters = [canonical(found.name.text)] if found.name is not None else []
        numbers = set(map(str, range(1, count + 1))) if statement.vector else ()
        numbered = {  # with one of the numbers to be given
            word[:-digits]
            for word in taken
            for digits in range(1, len(str(count)) + 1)
            if word[-digits:] in numbers
        }
        more = (f"out{n}_" for n in range(len(taken) + 2))
        for letter in chain(letters, _OUTPUT_LETTERS, more):
            if letter in numbered or (letter in taken and letter not in letters):
                continue
            if not statement.vector:
                return (letter,)
            return tuple(f"{letter}{i}" for i in range(1, count + 1))
        raise AssertionError("there are more letters than names")
