"""What the renderers print is read back as the same expression, node for node."""

from __future__ import annotations

import pytest
import strategies
from hypothesis import given

from chainrule.core.arithmetic import ADD, DIV, EXP, MUL, NEG, POW, SUB, E
from chainrule.core.expr import HALF, ONE, TWO, Apply, Expr, apply, const, symbol
from chainrule.core.ops import lookup
from chainrule.render.latex import latex
from chainrule.render.text import text
from chainrule.syntax.parser import parse_expression

x, y, a, b, c = map(symbol, "xyabc")


def op(name: str, *args: Expr) -> Apply:
    return apply(lookup(name), *args)


@given(strategies.expressions())
def test_text_is_read_back(e: Expr) -> None:
    assert parse_expression(text(e), latex=False) is e


@given(strategies.expressions())
def test_latex_is_read_back(e: Expr) -> None:
    assert parse_expression(latex(e), latex=True) is e


@given(strategies.expressions())
def test_explicit_brackets_change_nothing(e: Expr) -> None:
    assert parse_expression(text(e, explicit=True), latex=False) is e
