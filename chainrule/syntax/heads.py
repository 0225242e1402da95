"""How statements begin: names, declarations, `f(x) =`, `d/dx`; and symbols such as df/dx."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from chainrule.core.errors import ParseError, UnsupportedError
from chainrule.syntax.lexer import (
    CLOSING,
    DEEPEST,
    LONGEST_STATEMENT,
    OPENING,
    Token,
    kind_at,
    too_deep,
)
from chainrule.syntax.names import canonical, needs_no_declaration
from chainrule.syntax.notices import Doubts
from chainrule.syntax.scope import Scope

_SIGNS = "PLUS MINUS STAR SLASH POW AT DOT_STAR DOT_SLASH DOT_POW EQUALS COMMA RELATION COLON"
_GO_ON = frozenset((*_SIGNS.split(), "ARROW"))
_BEFORE_DERIVATIVE = frozenset({"OPEN", "FRACTION", "PARTIAL"})


class Head(NamedTuple):
    """The beginning of a statement.

    Attributes:
        kind: `declaration`, `assignment`, `definition` (with parameters) or `output`.
        words: it, for the grammar.
        start: where the rest begins.
        name: the word that is given a meaning.
        parameters: those of a definition.
    """

    kind: str
    words: tuple[Token, ...]
    start: int
    name: Token | None = None
    parameters: tuple[str, ...] = ()


def statements(tokens: Iterable[Token], source: str) -> Iterator[list[Token]]:
    """The words of each statement; inside brackets and after an operator a line goes on."""
    current: list[Token] = []
    depth = 0
    for token in tokens:
        kind = token[0]
        if kind == "SEPARATOR":
            if depth and token.text == ";":
                raise ParseError(
                    "`;` cannot stand inside brackets",
                    token.span,
                    source,
                    "`;` parts statements; entries are parted by commas",
                )
            if depth or (current and token.text == "\n" and current[-1].kind in _GO_ON):
                continue
            if current:
                yield current
            current = []
            continue
        current.append(token)
        if kind in OPENING:
            depth += 1
            if depth > DEEPEST:
                raise too_deep(token, source)
        elif kind in CLOSING:
            depth = max(0, depth - 1)
        if token[3] - current[0][2] > LONGEST_STATEMENT:
            raise ParseError(
                f"a statement of more than {LONGEST_STATEMENT:,} characters",
                current[0].span,
                source,
                "give its parts names: u = …" if not depth else "is a bracket never closed?",
            )
    if current:
        yield current


def is_declaration(tokens: Sequence[Token]) -> bool:
    """Whether a statement declares names: words, then a colon."""
    for i, token in enumerate(tokens):
        if token.kind != ("COMMA" if i % 2 else "NAME"):
            return i % 2 == 1 and token.kind == "COLON"
    return False


def target(tokens: Sequence[Token]) -> str | None:
    """The name a statement gives a meaning to, if it does: that of `u = …` or `f(x) = …`."""
    if len(tokens) < 2 or tokens[0].kind != "NAME":
        return None
    gives = tokens[1].kind == "EQUALS" or (tokens[1].kind == "OPEN" and _parameters(tokens))
    return canonical(tokens[0].text) if gives else None


def _parameters(tokens: Sequence[Token]) -> tuple[str, ...]:
    """The parameters of `f(x, y) =`, or none."""
    names: list[str] = []
    for i in range(2, len(tokens) - 1, 2):
        if tokens[i].kind != "NAME":
            break
        names.append(canonical(tokens[i].text))
        if tokens[i + 1].kind != "COMMA":
            if (
                tokens[i + 1].kind == "CLOSE"
                and i + 2 < len(tokens)
                and tokens[i + 2].kind == "EQUALS"
            ):
                return tuple(names)
            break
    return ()


def head(tokens: Sequence[Token], scope: Scope, doubts: Doubts) -> Head:
    """Read the beginning of a statement."""
    words: tuple[Token, ...] = ()
    if is_declaration(tokens):
        words = tuple(t._replace(kind="WORD") if t.kind == "NAME" else t for t in tokens)
        return Head("declaration", words, len(tokens))
    if kind_at(tokens, 1) != "EQUALS":
        _refuse_derivatives(tokens, scope)
    kind, start = "output", 0
    parameters: tuple[str, ...] = ()
    name = tokens[0] if target(tokens) else None
    if name is not None:
        words = (Token("TARGET", canonical(name.text), name.start, name.end), tokens[1])
        kind, start = "assignment", 2
        if tokens[1].kind == "OPEN":
            parameters = _parameters(tokens)
            kind, start = "definition", 2 * len(parameters) + 3
            words = (words[0], *tokens[1:start])
            if len(set(parameters)) < len(parameters):
                raise ParseError(
                    "an argument is named twice", tokens[2].span, scope.source, "write f(x, y)"
                )
            for token in tokens[2 : start - 1 : 2]:
                scope.variable(token)
    if found := derivative(tokens, start, scope):
        token, start = found
        words = (*words, token)
        _doubt_extent(tokens, start, doubts)
    return Head(kind, words, start, name, parameters)


def derivative(tokens: Sequence[Token], place: int, scope: Scope) -> tuple[Token, int] | None:
    """`d/dx`, `d^2/dx^2`, `∂/∂x`, `\\frac{d}{dx}` at `place`: one word, and the next place."""
    start = place
    kinds = [t.kind for t in tokens[place : place + 2]]
    if not kinds or (kinds[0] not in _BEFORE_DERIVATIVE and tokens[place].text != "d"):
        return None
    bracket = kinds[:1] == ["OPEN"]
    typeset = kinds[bracket : bracket + 1] == ["FRACTION"]
    place += bracket + typeset
    if place >= len(tokens) or not (tokens[place].kind == "PARTIAL" or tokens[place].text == "d"):
        return None
    if tokens[place].text == "d" and scope.is_variable("d"):
        return None
    order, place = _order(tokens, place + 1)
    if kind_at(tokens, place) != ("OVER" if typeset else "SLASH"):
        return None
    found = differential(tokens, place + 1, scope)
    if found is None:
        return None
    name, place = found
    below, place = _order(tokens, place)
    source = scope.source
    if another := differential(tokens, place, scope) if order > 1 else None:
        raise UnsupportedError(
            "mixed derivatives at the start: not yet",
            tokens[place].span,
            source,
            f"write the expression alone, and ask for order 2 by {name} and {another[0]}",
        )
    for kind in (["END"] if typeset else []) + (["CLOSE"] if bracket else []):
        if kind_at(tokens, place) != kind:
            return None
        place += 1
    scope.words.add(name)
    here = Token("DERIVATIVE", f"{name}^{order}", tokens[start].start, tokens[place - 1].end)
    if order != below:
        raise ParseError(
            f"the order above is {order} and below {below}",
            here.span,
            source,
            f"write d^{max(order, below)}/d{name}^{max(order, below)}",
        )
    if not 1 <= order <= 50:
        raise UnsupportedError(f"a derivative of order {order}", here.span, source, "at most 50")
    return here, place


def differential(tokens: Sequence[Token], place: int, scope: Scope) -> tuple[str, int] | None:
    """`dx`, `∂x`: the name, and the place after it."""
    if place >= len(tokens):
        return None
    token = tokens[place]
    following = tokens[place + 1] if kind_at(tokens, place + 1) == "NAME" else None
    if token.kind == "PARTIAL" or (
        token.text == "d" and (scope.latex or (following and following.start == token.end))
    ):
        if following is None or (scope.is_variable("d") and token.text == "d"):
            return None
        name = canonical(following.text)
        return (name, place + 2) if needs_no_declaration(name) or scope.is_own(name) else None
    if token.kind == "NAME" and token.text[0] == "d" and len(token.text) > 1:
        if scope.is_own(canonical(token.text)):
            return None
        name = canonical(token.text[1:])
        return (name, place + 1) if needs_no_declaration(name) or scope.is_own(name) else None
    return None


def leibniz(tokens: Sequence[Token], place: int, scope: Scope) -> tuple[str, int] | None:
    """A quotient of differentials, `df/dg1`, as one name; and the place after it."""
    first = tokens[place]
    typeset = first.kind == "FRACTION"
    if not typeset and first.kind != "PARTIAL" and first.text[0] != "d":
        return None
    above = differential(tokens, place + typeset, scope)
    if above is None or kind_at(tokens, above[1]) != ("OVER" if typeset else "SLASH"):
        return None
    below = differential(tokens, above[1] + 1, scope)
    if below is None or (typeset and kind_at(tokens, below[1]) != "END"):
        return None
    scope.words.update((above[0], below[0]))
    return f"d{above[0]}/d{below[0]}", below[1] + typeset


def _order(tokens: Sequence[Token], place: int) -> tuple[int, int]:
    """The order at `place`: `^2`, `^{2}`, `²`, or 1; and the place after it."""
    kinds = [t.kind for t in tokens[place : place + 4]]
    if kinds[:2] == ["POW", "NUMBER"] and tokens[place + 1].text.isdigit():
        return int(tokens[place + 1].text[:4]), place + 2
    braced = kinds[1:2] in (["GROUP_OPEN"], ["LBRACE"]) and kinds[2:] in (
        ["NUMBER", "GROUP_CLOSE"],
        ["NUMBER", "RBRACE"],
    )
    if braced and kinds[0] == "POW" and tokens[place + 2].text.isdigit():
        return int(tokens[place + 2].text[:4]), place + 4
    if kinds[:1] == ["SUPERSCRIPT"] and tokens[place].text in "²³⁴⁵⁶⁷⁸⁹":
        return "²³⁴⁵⁶⁷⁸⁹".index(tokens[place].text) + 2, place + 1
    return 1, place


def _refuse_derivatives(tokens: Sequence[Token], scope: Scope) -> None:
    """`y' = …` and `dy/dx = …` are equations, not programs."""
    kinds = [t.kind for t in tokens[:12]]
    if "EQUALS" not in kinds:
        return
    place = kinds.index("EQUALS")
    called = kinds[2:5] == ["OPEN", "NAME", "CLOSE"]
    primed = kinds[:2] == ["NAME", "PRIME"] and place == (5 if called else 2)
    quotient = tokens[0].kind in ("NAME", "PARTIAL", "FRACTION") and leibniz(tokens, 0, scope)
    if primed or (quotient and quotient[1] == place):
        written = scope.source[tokens[0].start : tokens[place - 1].end]
        raise ParseError(
            f"`{written}` cannot be given",
            tokens[0]._replace(end=tokens[place - 1].end).span,
            scope.source,
            "give the function, y = …; its derivative is what is found",
        )


def _doubt_extent(tokens: Sequence[Token], start: int, doubts: Doubts) -> None:
    """`d/dx (u) + v` could be the derivative of u alone."""
    if kind_at(tokens, start) not in ("OPEN", "LSQUARE"):
        return
    depth = 0
    for i in range(start, len(tokens)):
        depth += (tokens[i].kind in OPENING) - (tokens[i].kind in CLOSING)
        if depth <= 0:
            if kind_at(tokens, i + 1) in ("PLUS", "MINUS"):
                doubts.extent(tokens[i + 1], tokens[-1])
            return
