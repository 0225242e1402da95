"""What the actions of the grammar hand to each other where that is more than a node.

Two things in the text are not seen in the node: brackets round a number or round `e`. They
matter to the action above (`-2` is a number, `-(2)` a negative; `1/2` a fraction, `(1)/2` a
quotient; `e^x` an exponential, `(e)^x` a power), so the value between is a `Bracketed`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from chainrule.core.errors import Span
from chainrule.core.expr import Expr
from chainrule.syntax.lexer import Token


class Bracketed:
    """A number or `e` that stands in brackets."""

    __slots__ = ("node",)

    def __init__(self, node: Expr) -> None:
        self.node = node


class Barred(Bracketed):
    """An array between bars: between two on each side it is a norm."""


class Entrywise(Bracketed):
    """A product or quotient entry by entry, not in brackets: in LaTeX it ends at an array."""


class Squared(Bracketed):
    """What stands in square brackets that are no index."""


class Case(NamedTuple):
    """A branch of a piecewise function; without a condition it is what holds otherwise."""

    value: Expr
    condition: Expr | None


class Type(NamedTuple):
    """What a declaration says after the colon."""

    word: str
    span: Span
    items: tuple[Any, ...] = ()
    result: Any = None


class Statement(NamedTuple):
    """A statement that is read."""

    kind: str
    values: tuple[Expr, ...] = ()
    vector: bool = False
    derivative: Token | None = None
    declared: tuple[tuple[Token, Type | None], ...] = ()


def opened(value: Expr | Bracketed) -> Expr:
    """The node, in brackets or not."""
    return value.node if isinstance(value, Bracketed) else value
