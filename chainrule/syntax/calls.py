"""Calls of functions: those of the table, and those that are only named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from chainrule.core.arithmetic import LN, POW
from chainrule.core.errors import ArityError, ParseError, ShapeError
from chainrule.core.expr import Const, Expr, Sym, apply, const
from chainrule.core.ops import Operator
from chainrule.core.shape import shape_text
from chainrule.core.table import abstract
from chainrule.core.table.elementary import LOG, LOG2, LOG10
from chainrule.syntax import arrays
from chainrule.syntax.lexer import Token
from chainrule.syntax.names import FUNCTIONS
from chainrule.syntax.scope import Scope


class Function(NamedTuple):
    """A function with what is written between its name and its arguments."""

    token: Token
    primes: int = 0
    exponent: tuple[Expr, ...] = ()
    base: Expr | None = None


def call(
    head: Function, args: list[Expr], keywords: Sequence[arrays.Keyword], scope: Scope
) -> Expr:
    """The value of a function at its arguments, with what stands between name and bracket."""
    name = head.token.text
    row = FUNCTIONS.get(name)
    if row is None:
        return _abstract(head, args, scope)
    arrays.check_call(row, head.token, args, keywords, scope)
    if name == "log":
        row, args = _logarithm(head, args)
    if not row.accepts(len(args)):
        _refuse_count(row, head, len(args), scope)
    node: Expr
    if row.shape is not None or row.variadic:
        node = arrays.call(row, args, keywords, scope)
    else:
        node = apply(row, *args)
    if head.exponent:
        if len(head.exponent) > 1:
            raise ParseError(
                f"`{name}` has one exponent",
                head.token.span,
                scope.source,
                f"write {name}^2(x)",
            )
        node = apply(POW, node, head.exponent[0])
    return node


def _refuse_count(row: Operator, head: Function, count: int, scope: Scope) -> None:
    name, (low, high) = head.token.text, row.arity
    wanted = str(low) if high in (None, low) else f"{low} or {high}"
    if name == "log" and head.base is None:
        wanted = "1 or 2"
    least = "at least " if row.variadic else ""
    letters = ("n", "m") if name in arrays.DIMENSIONED else ("x", "y", "z")
    raise scope.wrong(
        head.token,
        f"`{name}` takes {least}{wanted} argument{'s' * (wanted != '1')}, not {count}",
        f"write {name}({', '.join(letters[:low])})",
        ArityError,
    )


def _logarithm(head: Function, args: list[Expr]) -> tuple[Operator, list[Expr]]:
    if head.base is None:
        return (LOG, args) if len(args) == 2 else (LN, args)
    if head.base is const(2):
        return LOG2, args
    if head.base is const(10):
        return LOG10, args
    return (LOG, [args[0], head.base]) if len(args) == 1 else (LN, args)


def _abstract(head: Function, args: list[Expr], scope: Scope) -> Expr:
    """A function that is only named, or its derivative: `f''(x)`, `f^(0,1)(x, y)`."""
    name, span = head.token.text, head.token.span
    scope.check_arity(name, len(args), head.token)
    orders: tuple[int, ...] = (0,) * len(args)
    if head.primes:
        if len(args) != 1:
            raise ArityError(
                f"`{name}'` of {len(args)} arguments: by which of them?",
                span,
                scope.source,
                f"write {name}^(1,0)(x, y): once by the first",
            )
        orders = (head.primes,)
    elif head.exponent:
        orders = tuple(
            e.value if isinstance(e, Const) and isinstance(e.value, int) and not e.decimal else -1
            for e in head.exponent
        )
        if len(orders) != len(args) or not all(0 <= k <= 50 for k in orders):
            raise ParseError(
                f"the orders of the derivative of `{name}` do not fit its arguments",
                span,
                scope.source,
                f"write {name}^(0,1)(x, y), an order for each; for a power {name}(x)^2",
            )
    shapes, result = scope.signatures.get(name, ((), ()))
    for argument, shape in zip(args, shapes, strict=False):
        if argument.shape != shape:
            wanted = shape_text(shape)
            known = not isinstance(argument, Sym) or scope.knows(argument.name)
            raise ShapeError(
                f"`{name}` takes {f'a {wanted}' if not shape else wanted}",
                shapes=(argument.shape,),
                hint="its declaration says so" if known else f"declare {{0}}: {wanted}",
            )
    return apply(abstract.function(name, len(args), orders, shapes, result), *args)
