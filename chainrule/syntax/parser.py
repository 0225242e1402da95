"""Text to programs and expressions.

>>> parse("u = x^2; ln(sin u)").assignments
(('u', pow(x, 2)), ('y', ln(sin(u))))
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from chainrule.core.errors import AmbiguityError, ParseError, Span, UnsupportedError
from chainrule.core.expr import Expr, Shape
from chainrule.core.program import Program
from chainrule.syntax import latex as typeset
from chainrule.syntax import mistakes
from chainrule.syntax.building import Building, Statement, Type
from chainrule.syntax.heads import Head, head, is_declaration, leibniz, statements, target
from chainrule.syntax.lalr import Unexpected, run
from chainrule.syntax.lexer import Token, check_length, words
from chainrule.syntax.names import canonical
from chainrule.syntax.names import canonical_name as canonical_name
from chainrule.syntax.notices import Doubts
from chainrule.syntax.reading import read
from chainrule.syntax.scope import Scope
from chainrule.syntax.tables import Tables, load

_TYPESET = re.compile(r"\\(?:[A-Za-z]|[,;:! ()\[\]])|^\s*\$[^$]*\$\s*$")
_OUTPUT_LETTERS = "yzwvqrstpuabckmn"


def parse(source: str, *, latex: bool | None = None, strict: bool = False) -> Program:
    r"""Read a program.

    `latex` None: LaTeX is recognised by a backslash command. Under `strict` a place that can
    be read in two ways is an error.

    >>> parse(r"\frac{d}{dx} x^{2}").variables
    ('x',)
    """
    return _Reader(source, latex, ()).program(strict)


def parse_expression(source: str, *, names: Iterable[str] = (), latex: bool | None = None) -> Expr:
    """Read one expression; `names` are words of several letters that are names in it.

    >>> parse_expression("2*rate", names=["rate"])
    mul(2, rate)
    """
    (value,) = parse_expressions(source, names=names, latex=latex, most=1)
    return value


def parse_expressions(
    source: str, *, names: Iterable[str] = (), latex: bool | None = None, most: int | None = None
) -> tuple[Expr, ...]:
    """Read expressions parted by commas.

    >>> parse_expressions("h1, 2*h2")
    (h1, mul(2, h2))
    """
    return _Reader(source, latex, names).expressions(most)


class _Reader:
    """The stages in order: words, statements, reading, grammar, nodes."""

    def __init__(self, source: str, latex: bool | None, names: Iterable[str]) -> None:
        check_length(source)
        self.source = source
        self.latex = bool(_TYPESET.search(source)) if latex is None else latex
        self.tables: Tables = load("latex" if self.latex else "expression")
        self.scope = Scope(source, names, self.latex)
        self.building = Building(self.scope)
        self.doubts = Doubts(source)

    def _words(self) -> list[Token]:
        found = words(self.source, self.tables)
        return typeset.commands(found, self.source) if self.latex else found

    def _run(self, tokens: list[Token]) -> Statement:
        try:
            statement: Statement = run(self.tables, tokens, self.building.actions)
        except Unexpected as error:
            raise mistakes.unexpected(tokens, error.place, self.source) from None
        return statement

    def expressions(self, most: int | None) -> tuple[Expr, ...]:
        tokens = [t for t in self._words() if t.text != "\n"]
        if self.latex:
            tokens = [
                t._replace(kind="RELATION", text="==") if t.kind == "EQUALS" else t for t in tokens
            ]
        self.scope.survey([tokens], ())
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
        parts = statements(self._words(), self.source)
        if not parts:
            raise mistakes.unexpected([], 0, self.source)
        formulas = [p for p in parts if not is_declaration(p)]
        self.scope.survey(formulas, [name for p in formulas if (name := target(p))])
        assignments: list[tuple[str, Expr]] = []
        for tokens in parts[:-1]:
            found, statement = self._statement(tokens)
            if found.kind != "declaration":
                assignments.append(
                    (self._intermediate(found, statement, tokens), statement.values[0])
                )
        if assignments and (asked := self._asked(parts[-1])):
            return self._program(assignments, asked[:1], variables=asked[1:], strict=strict)
        found, statement = self._statement(parts[-1])
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
        )

    def _statement(self, tokens: list[Token]) -> tuple[Head, Statement]:
        found = head(tokens, self.scope, self.doubts)
        if found.kind == "declaration":
            statement = self._run([*found.words])
            declare(statement.declared, self.scope)
            return found, statement
        body = read(tokens, self.scope, self.doubts, found.start)
        statement = self._run([*found.words, *body])
        if statement.derivative and len(statement.values) == 1:
            statement = statement._replace(vector=False)  # d/dx [x^2]
        if found.name is not None:
            self.scope.define(found.name, found.parameters)
        return found, statement

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
        for letter in [*letters, *_OUTPUT_LETTERS, *(f"out{n}_" for n in range(len(taken) + 2))]:
            names = (
                tuple(f"{letter}{i}" for i in range(1, count + 1))
                if statement.vector
                else (letter,)
            )
            if taken.isdisjoint(names) and (letter not in taken or letter in letters):
                return names
        raise AssertionError("there are more letters than names")


def declare(declared: Iterable[tuple[Token, Type | None]], scope: Scope) -> None:
    """Enter the names of a declaration, each with its type or the next one given."""
    waiting: list[Token] = []
    for word, type_ in declared:
        waiting.append(word)
        if type_ is None:
            continue
        for name in waiting:
            if type_.word == "function" and type_.items:
                _declare_function(name, type_, scope)
            else:
                scope.declare(name, _shape(type_, scope))
        waiting = []
    if waiting:
        name = waiting[0]
        raise ParseError(
            f"`{name.text}` has no type", name.span, scope.source, f"write {name.text}: scalar"
        )


def _shape(type_: Type, scope: Scope) -> Shape:
    sizes = {"scalar": (0,), "vector": (1,), "matrix": (2,), "()": range(1, 3)}.get(type_.word, ())
    if len(type_.items) not in sizes or type_.result is not None:
        raise ParseError(
            "this is not a type",
            type_.span,
            scope.source,
            "types are scalar, vector(n), matrix(m, n), function(scalar) -> scalar",
        )
    dimensions: list[int | str] = []
    for item in type_.items:
        if isinstance(item, Token) and item.text.isdigit():
            dimensions.append(int(item.text[:9]))
        elif isinstance(item, Type) and not item.items:
            dimensions.append(item.word)
        else:
            raise ParseError(
                "a dimension is a name or a whole number",
                type_.span,
                scope.source,
                "write vector(n)",
            )
    return tuple(dimensions)


def _declare_function(name: Token, type_: Type, scope: Scope) -> None:
    if type_.result is None:
        raise ParseError(
            "a function has a result",
            type_.span,
            scope.source,
            f"write {name.text}: function(scalar) -> scalar",
        )
    for part in (*type_.items, type_.result):
        if not isinstance(part, Type) or _shape(part, scope):
            raise UnsupportedError(
                "functions of vectors: not yet",
                name.span,
                scope.source,
                f"write {name.text}: function(scalar, scalar) -> scalar",
            )
    scope.declare_function(name, len(type_.items))
