"""Declarations: the shapes of names, and the names of dimensions in them."""

from __future__ import annotations

from collections.abc import Iterable

from chainrule.core.errors import ParseError, UnsupportedError
from chainrule.core.shape import LARGEST, Dim, Shape
from chainrule.syntax.lexer import Token
from chainrule.syntax.names import canonical
from chainrule.syntax.parsed import Type
from chainrule.syntax.scope import Scope

_RANKS = {"scalar": (0,), "vector": (1,), "matrix": (2,), "()": (1, 2)}
_COUNTED = {
    "scalar": ("a scalar has no dimensions", "scalar"),
    "vector": ("a vector has one dimension", "vector(n)"),
    "matrix": ("a matrix has two dimensions", "matrix(m, n)"),
}
_TYPES = "types are scalar, vector(n), matrix(m, n), function(scalar) -> scalar"


def declare(
    declared: Iterable[tuple[Token, Type | None]], scope: Scope, default: str = ""
) -> list[str]:
    """Enter the names of a declaration, each with its type or the next one given.

    The last names may stand without a type where there is a `default`. Returns the names.
    """
    waiting: list[Token] = []
    names: list[str] = []
    for word, type_ in declared:
        waiting.append(word)
        if type_ is not None:
            _enter(waiting, type_, scope)
            names += (canonical(w.text) for w in waiting)
            waiting = []
    if waiting and not default:
        name = waiting[0]
        raise ParseError(
            f"`{name.text}` has no type", name.span, scope.source, f"write {name.text}: scalar"
        )
    if waiting:
        _enter(waiting, Type(default, waiting[-1].span), scope)
    return [*names, *(canonical(w.text) for w in waiting)]


def _enter(names: Iterable[Token], type_: Type, scope: Scope) -> None:
    for name in names:
        if type_.word == "function" and type_.items:
            _declare_function(name, type_, scope)
        else:
            scope.declare(name, _shape(type_, scope))


def _shape(type_: Type, scope: Scope) -> Shape:
    count = len(type_.items)
    if type_.word not in _RANKS or type_.result is not None:
        raise ParseError("this is not a type", type_.span, scope.source, _TYPES)
    if count > 2:
        raise UnsupportedError(
            f"an array of {count} axes",
            type_.span,
            scope.source,
            "there are scalars, vectors and matrices",
        )
    if count not in _RANKS[type_.word]:
        message, example = _COUNTED[type_.word]
        other = "; with two, matrix(m, n)" if type_.word == "vector" else ""
        other = "; with one, vector(n)" if type_.word == "matrix" and count else other
        hint = f"write {example}{other}"
        raise ParseError(message, type_.span, scope.source, hint)
    return tuple(_dimension(item, type_, scope) for item in type_.items)


def _dimension(item: Token | Type, type_: Type, scope: Scope) -> Dim:
    if isinstance(item, Type) and not item.items and item.word not in _RANKS:
        return scope.dimension(Token("NAME", item.word, item.span.start, item.span.end))
    if not isinstance(item, Token) or not item.text.isdigit():
        raise ParseError(
            "a dimension is a name or a whole number", type_.span, scope.source, "write vector(n)"
        )
    if len(item.text) > 10 or not 1 <= int(item.text) <= LARGEST:
        raise ParseError(
            "a dimension is at least 1" if len(item.text) < 11 and int(item.text) < 1
            else f"a dimension is at most {LARGEST:,}",
            item.span,
            scope.source,
            "write a number of entries, or a name for it",
        )  # fmt: skip
    return int(item.text)


def _declare_function(name: Token, type_: Type, scope: Scope) -> None:
    if type_.result is None:
        raise ParseError(
            "a function has a result",
            type_.span,
            scope.source,
            f"write {name.text}: function(scalar) -> scalar",
        )
    shapes = []
    for part in (*type_.items, type_.result):
        if not isinstance(part, Type):
            raise ParseError("this is not a type", type_.span, scope.source, _TYPES)
        shapes.append(_shape(part, scope))
    scope.declare_function(name, tuple(shapes[:-1]), shapes[-1])
