"""Numbers in the text: literals, signs before them, fractions, raised numbers, roots by number."""

from __future__ import annotations

from fractions import Fraction
from math import gcd
from typing import Any

from chainrule.core.arithmetic import DIV, NEG, POW
from chainrule.core.expr import Const, Expr, apply, const, symbol
from chainrule.core.table.elementary import CBRT, SQRT
from chainrule.syntax.lexer import Token
from chainrule.syntax.parsed import opened

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")


def number(text: str) -> Const:
    """The exact number of a literal."""
    if text.isdigit():
        return const(int(text))
    mantissa, _, exponent = text.lower().partition("e")
    whole, _, fraction = mantissa.partition(".")
    scale = int(exponent or 0) - len(fraction)
    digits = int(whole + fraction or "0")
    return const(Fraction(digits) * Fraction(10) ** scale, decimal=True)


def negate(sign: Token, value: Any) -> Expr:
    """`-2` is a number, `-(2)` and `-x` are negatives."""
    if isinstance(value, Const) and value.value >= 0:
        return const(-value.value, value.decimal)
    return apply(NEG, opened(value))


def divide(a: Any, sign: Token, b: Any) -> Expr:
    """`1/2` is a number; `2/4`, `(1)/2` and `x/2` are quotients."""
    if isinstance(a, Const) and isinstance(b, Const) and _is_fraction(a, b):
        return const(Fraction(a.value, b.value))
    return apply(DIV, opened(a), opened(b))


def _is_fraction(a: Const, b: Const) -> bool:
    return (
        isinstance(a.value, int)
        and isinstance(b.value, int)
        and not (a.decimal or b.decimal)
        and b.value > 1
        and gcd(a.value, b.value) == 1
    )


def script_number(token: Token) -> Expr:
    """A raised number, as in `x⁻²`."""
    return symbol("n") if token.text == "ⁿ" else const(int(token.text.translate(_SUPERSCRIPTS)))


def indexed_root(opening: Token, index: Any, of: Token, value: Any, end: Token) -> Expr:
    """`\\sqrt[3]{x}`: a root by name, or a power with a fraction."""
    index = opened(index)
    if index is const(3):
        return apply(CBRT, opened(value))
    if index is const(2):
        return apply(SQRT, opened(value))
    if (
        isinstance(index, Const)
        and isinstance(index.value, int)
        and not index.decimal
        and index.value > 1
    ):
        return apply(POW, opened(value), const(Fraction(1, index.value)))
    return apply(POW, opened(value), apply(DIV, const(1), index))
