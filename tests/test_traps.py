"""Traps that other systems fell into: differentiation and verification, each a case."""

from __future__ import annotations

import pickle
from copy import deepcopy
from dataclasses import replace
from fractions import Fraction

import mpmath
import pytest

import chainrule as cr
import chainrule.symbolic
from chainrule.checking.numbers import evaluate
from chainrule.checking.verify import verify
from chainrule.core.expr import Expr, const, symbol, topological
from chainrule.derivation.simplify import simplify
from chainrule.derivation.steps import Derivation
from chainrule.render.text import text
from chainrule.syntax.parser import parse_expression

# program, variable, the derivative's form
FORMS = [
    ("x^x", "x", "x^x*(ln(x) + 1)"),
    ("x^n", "x", "n*x^(n - 1)"),  # not exp(n ln x), which is undefined at x <= 0
    ("x^0", "x", "0"),
    ("x^0.0", "x", "0"),
    ("x^2.0", "x", "2.0*x"),
    ("0^x", "x", "0"),
    ("0^0", "x", "0"),
    ("abs(x)", "x", "sign(x)"),
    ("abs(x^2)", "x", "2*x"),
    ("sign(x)", "x", "0"),
    ("floor(x)", "x", "0"),
    ("ceil(x)", "x", "0"),
    ("heaviside(x)", "x", "0"),
    ("ln(x^2)", "x", "2/x"),
    ("ln(-x)", "x", "1/x"),
    ("ln|x|", "x", "1/x"),
    ("sqrt(x^2)", "x", "sign(x)"),
    ("(x^2)^(1/2)", "x", "sign(x)"),
    ("(x^3)^(1/3)", "x", "1"),
    ("x/abs(x)", "x", "0"),
    ("y*sqrt(x)", "y", "sqrt(x)"),
    ("sqrt(y^(1/2))", "x", "0"),
    ("{0 if x == 0, x}", "x", "1"),
    ("{x if x < 0, 1 if x < 1, x^2}", "x", "{1 if x < 0, 0 if x < 1, 2*x}"),
    ("{sqrt(x) if x > 0, 0}", "x", "{1/(2*sqrt(x)) if x > 0, 0}"),
    ("a*b + a*b", "a", "2*b"),
    ("sqrt(x^2 + y^2)^2", "x", "2*x"),
    ("e^x", "x", "exp(x)"),
    ("log(x, 2)", "x", "1/(x*ln(2))"),
]


@pytest.mark.parametrize(("program", "by", "form"), FORMS, ids=[p for p, _, _ in FORMS])
def test_form(program: str, by: str, form: str) -> None:
    d = cr.derive(program, by)
    assert d.expression == form
    assert d.verification.status == "verified"


# program, point, the value there (None: none)
VALUES = [
    ("x^3", {"x": 0}, 0.0),
    ("x^1.5", {"x": 0}, 0.0),
    ("cbrt(x)", {"x": -8}, 1 / 12),
    ("cbrt(x^3)", {"x": -2}, 1.0),
    ("x^x", {"x": 0}, None),
    ("sqrt(x)", {"x": 0}, None),
    ("{sqrt(x) if x > 0, 0}", {"x": -1}, 0.0),
    ("sqrt(x^2)", {"x": 0}, 0.0),  # the stated convention, sign(0) = 0
    ("{0 if 0 == 0.0, x}", {"x": 2}, 0),
    ("{x^x if 0 != 0.0, x}", {"x": -2}, 1),
    ("max(x, 0)", {"x": 0}, 0),
    ("relu(x)", {"x": 0}, 0.0),
    ("abs(x)", {"x": 0}, 0.0),
    ("sigmoid(x)", {"x": 1000}, 0.0),
    ("softplus(x)", {"x": -1000}, 0.0),
    ("softplus(x)", {"x": 1000}, 1.0),
    ("0.1x + 0.2x", {"x": 1}, 0.3),
]


@pytest.mark.parametrize(("program", "point", "value"), VALUES, ids=[p for p, _, _ in VALUES])
def test_value(program: str, point: dict[str, float], value: float | None) -> None:
    d = cr.derive(program, "x", verify="off")
    if value is None:
        with pytest.raises(cr.ChainruleError):
            d(**point)
    else:
        assert d(**point) == pytest.approx(value, abs=1e-300)


def test_three_way_ties_share_equally() -> None:
    d = cr.gradient("max(x, y, z)", verify="off")
    found = d(x=1, y=1, z=1)
    assert [found[n] for n in "xyz"] == pytest.approx([1 / 3] * 3)


STATED = [
    # program, a condition of the domain or a convention that the derivation states
    ("x^x", "x > 0"),
    ("ln(x^2)", "x != 0"),
    ("ln(-x)", "-x > 0"),
    ("arctan(1/x)", "x != 0"),
    ("x/abs(x)", "x != 0"),
    ("sqrt(x)", "x > 0"),
    ("arcsin(x)", "x < 1"),
    ("abs(x)", "sign(0) = 0"),
    ("max(x, 0)", "the slope of max at a tie with a number is 0"),
    ("relu(x)", "relu'(0) = 0"),
    ("sign(x)", "sign'(0) = 0"),
    ("floor(x)", "floor' = 0 at integers"),
]


@pytest.mark.parametrize(("program", "said"), STATED)
def test_domain_and_conventions_are_stated(program: str, said: str) -> None:
    d = cr.derive(program, "x", verify="off")
    stated = [text(c) for c in d.data.domain] + [k.convention for k in d.data.kinks]
    assert said in stated


REFUSED = [
    ("x + y", "x + y"),  # by an expression
    ("f(x)", "f(x)"),
    ("x^2", "ln"),
    ("y = x^2", "y"),
]


@pytest.mark.parametrize(("program", "by"), REFUSED)
def test_only_names_are_variables(program: str, by: str) -> None:
    with pytest.raises(cr.ChainruleError):
        cr.derive(program, by)


def test_by_a_named_intermediate() -> None:
    assert cr.derive("u = x^2; sin(u)", "u", verify="off").expression == "cos(u)"


def test_variable_order_is_the_request() -> None:
    assert cr.gradient("x*y^2", "y, x", verify="off").expression == "[2*x*y, y^2]"
    assert cr.directional("x*y^2", "y, x", direction=[1, 0], verify="off").expression == "2*x*y"


# Pairs that `simplify(a - b) == 0` and `.equals` of other systems fail on.
EQUAL = [
    ("tanh(x)", "1 - 2/(exp(2x) + 1)"),
    ("(1 - cos(x))/sin(x)", "tan(x/2)"),
    ("ln(x^2)", "2*ln(abs(x))"),
]


@pytest.mark.parametrize(("first", "second"), EQUAL)
def test_numbers_decide_where_simplification_does_not(first: str, second: str) -> None:
    a, b = parse_expression(first), parse_expression(second)
    for at in (-1.3, 0.4, 2.1):
        left, right = evaluate([a, b], {"x": mpmath.mpf(at)})
        assert abs(left - right) < 1e-45


def broken(data: Derivation, entry: Expr) -> Derivation:
    return replace(data, result=data.result._replace(entries=((entry,),)))


@pytest.mark.parametrize("mistake", [lambda e: 2 * e, lambda e: -e, lambda e: e + symbol("x")])
@pytest.mark.parametrize("program", ["sqrt(x^2)", "x^x", "tanh(x)", "ln(sin(x^3)^2)", "gamma(x)"])
def test_a_wrong_result_is_refuted_by_both_oracles(program: str, mistake: object) -> None:
    data = cr.derive(program, "x", verify="off").data
    wrong = broken(data, mistake(data.result.entries[0][0]))  # type: ignore[operator]
    found = verify(wrong)
    assert found.status == "failed"
    assert {m.name: m.status for m in found.methods}["numeric"] == "failed"


def test_sqrt_of_a_square_is_not_x() -> None:
    """It agrees with x for x > 0 only: points on both sides are needed."""
    x = symbol("x")
    assert simplify(parse_expression("sqrt(x^2)")).result is not x
    data = cr.derive("sqrt(x^2)", "x", verify="off").data
    assert verify(broken(data, const(1))).status == "failed"


def test_a_shared_graph_stays_small() -> None:
    y: Expr = symbol("x")
    for _ in range(12):
        y = cr.symbolic.sin(y) * cr.symbolic.cos(y)
    d = cr.derive(y, "x", verify="off")
    assert d.data.style == "backprop"  # 4096 paths
    assert len(topological([d.result.entries[0][0]])) < 400


def test_two_two_point_nought_and_true_stay_apart() -> None:
    assert const(2) is not const(2.0)
    assert text(const(2.0)) == "2.0"
    assert const(Fraction(1, 2)) is not const(0.5)
    with pytest.raises(TypeError):
        symbol("x") + True


def test_copies_are_the_same_node() -> None:
    node = parse_expression("ln(sin(x^3)^2)")
    assert pickle.loads(pickle.dumps(node)) is node
    assert deepcopy(node) is node


def test_a_network_of_many_paths_is_counted_not_walked() -> None:
    lines, before = [], [f"x{i}" for i in range(1, 129)]
    for layer in range(1, 5):
        names = [f"a{1000 * layer + i}" for i in range(128)]
        total = " + ".join(before)
        lines += [f"{n} = tanh({total})" for n in names]
        before = names
    d = cr.derive("\n".join([*lines, " + ".join(before)]), "x1", verify="off")
    assert d.data.path_count["y"]["x1"] == 268_435_456
