"""Random expressions: the derivative against numerical differentiation, in every style."""

from __future__ import annotations

import json
from typing import Any

import mpmath
import pytest
from hypothesis import HealthCheck, assume, given, settings
from strategies import expressions

import chainrule as cr
from chainrule.checking.numbers import evaluate
from chainrule.core.expr import Expr, free_symbols
from chainrule.render.latex import latex
from chainrule.render.text import text
from chainrule.syntax.parser import parse, parse_expression

SLOW = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
POINTS = (-2.3, -0.7, 0.4, 1.3, 2.6)


def numerical(expression: Expr, at: float) -> mpmath.mpf | None:
    """The derivative by x from values alone; None outside the domain or at a kink."""
    slopes = []
    with mpmath.workdps(80):
        for h in (mpmath.mpf(10) ** -18, mpmath.mpf(10) ** -20):
            points = [mpmath.mpf(at) + k * h for k in (-1, 0, 1)]
            low, mid, high = (evaluate([expression], {"x": p}, digits=80)[0] for p in points)
            if low is None or mid is None or high is None or abs(mid) > 1e20:
                return None
            left, right = (mid - low) / h, (high - mid) / h
            if abs(left - right) > mpmath.mpf(10) ** -9 * (1 + abs(left)):
                return None  # a kink or a jump
            slopes.append((high - low) / (2 * h))
        settled = abs(slopes[0] - slopes[1]) <= mpmath.mpf(10) ** -15 * (1 + abs(slopes[1]))
    return slopes[1] if settled else None


def promised(d: cr.Derivation, at: float) -> bool:
    """Whether the point is in the domain that the derivation states, and at no kink."""
    point = {"x": mpmath.mpf(at)}
    domain = evaluate(d.data.domain, point)
    kinks = evaluate([k.where for k in d.data.kinks], point)
    return all(v == 1 for v in domain) and not any(v == 1 for v in kinks)


@SLOW
@given(expressions(names=("x",), most_leaves=8))
def test_derivative_agrees_with_numerical_differentiation(expression: Expr) -> None:
    assume(free_symbols([expression]))
    try:
        d = cr.derive(expression, "x", verify="off")
    except cr.ChainruleError:
        return  # nowhere a real number
    result = d.result.entries[0][0]
    for at in POINTS:
        if not promised(d, at):
            continue
        slope = numerical(expression, at)
        if slope is None or not (slope == 0 or 1e-30 < abs(slope) < 1e30):
            continue
        (value,) = evaluate([result], {"x": mpmath.mpf(at)})
        assert value is not None, (text(expression), d.expression, at)
        assert abs(value - slope) <= mpmath.mpf(10) ** -9 * (1 + abs(slope)), (
            text(expression), d.expression, at,
        )  # fmt: skip


@SLOW
@given(expressions(functions=False))
def test_print_and_parse_are_inverse(expression: Expr) -> None:
    names = [s.name for s in free_symbols([expression])]
    assert parse_expression(text(expression), names=names) is expression
    assert parse_expression(latex(expression), names=names, latex=True) is expression


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(expressions(names=("x", "t"), most_leaves=7))
def test_every_style_has_the_same_value(expression: Expr) -> None:
    names = [s.name for s in free_symbols([expression])]
    assume(names)
    values = {"x": mpmath.mpf("0.83"), "t": mpmath.mpf("1.37")}
    found = []
    try:
        for style in ("paths", "total", "backprop"):
            for granularity in ("textbook", "fine"):
                d = cr.derive(expression, names, style=style, granularity=granularity, verify="off")
                found.append(evaluate(d.result.entries[0], values))
    except cr.ChainruleError:
        assert not found
        return
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            if a is not None and b is not None:
                assert abs(a - b) <= mpmath.mpf(10) ** -25 * (1 + abs(a)), text(expression)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(expressions(names=("x",), most_leaves=6))
def test_json_parses_back(expression: Expr) -> None:
    assume(free_symbols([expression]))
    try:
        d = cr.derive(expression, "x", verify="off")
    except cr.ChainruleError:
        return
    found: dict[str, Any] = json.loads(d.json())
    names = ["x", *(u["name"] for u in found["intermediates"])]
    for u, data in zip(found["intermediates"], d.data.intermediates, strict=True):
        assert parse_expression(u["expression"], names=names) is data.expression
    for e, edge in zip(found["local_derivatives"], d.edges, strict=True):
        assert text(parse_expression(e["expression"], names=names)) == text(edge.local)
    (entry,) = found["result"]["entries"][0]
    assert text(parse_expression(entry, names=names)) == entry


@pytest.mark.parametrize("depth", [10_000])
def test_a_deep_chain_is_derived(depth: int) -> None:
    x = cr.symbols("x")
    y = x
    for _ in range(depth):
        y = y * 2 + 1
    d = cr.derive(y, [x], verify="off")
    assert len(d.data.intermediates) >= 1
    assert d.data.path_count["y"]["x"] >= 1


def test_a_program_with_many_paths_is_accumulated() -> None:
    source = "u1 = x*x;" + "".join(f"u{i + 1} = u{i}*u{i};" for i in range(1, 40)) + "u40*1"
    d = cr.derive(parse(source), "x", verify="off")
    assert d.data.path_count["y"]["x"] == 2**40
    assert d.paths == ()
    assert d.data.style == "backprop"
    assert "1,099,511,627,776 paths" in d.data.remarks[0]
    few = cr.derive(parse(source), "x", verify="off", max_paths=3)
    assert len(few.paths) == 3
