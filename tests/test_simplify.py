"""The simplifier: the forms a person would write, sound everywhere, stable, bounded."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from time import perf_counter
from typing import Any

import mpmath
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import OPERATORS, expressions

from chainrule.core.arithmetic import ADD, DIV, EXP, MUL, NEG, POW, relation
from chainrule.core.expr import ONE, TWO, ZERO, Apply, Const, Expr, Sym, apply, const, symbol
from chainrule.core.ops import lookup
from chainrule.core.table.piecewise import PIECEWISE
from chainrule.derivation.backward import gradient
from chainrule.derivation.measure import Measure
from chainrule.derivation.polynomials import quotient
from chainrule.derivation.signs import Signs, holds, is_nonnegative, is_nonzero, is_positive
from chainrule.derivation.simplify import simplify
from chainrule.render.text import text
from chainrule.syntax.parser import parse_expression

X = symbol("x")


def read(source: str) -> Expr:
    return parse_expression(source)


def slope(source: str, by: str = "x") -> Expr:
    return gradient(read(source), [symbol(by)])[0]


# ------------------------------------------------------------------------------ forms

HOMEWORK = {
    "ln(sin(x^3)^2)": "6*x^2*cos(x^3)/sin(x^3)",
    "x*exp(x^2)": "exp(x^2)*(2*x^2 + 1)",
    "(3*x^2+1)^5": "30*x*(3*x^2 + 1)^4",
    "sin(x)^2*cos(x)": "2*sin(x)*cos(x)^2 - sin(x)^3",
    "exp(sin(x))/x": "exp(sin(x))*(x*cos(x) - 1)/x^2",
    "sqrt(1+x^2)": "x/sqrt(1 + x^2)",
    "tan(3*x)^2": "6*tan(3*x)*sec(3*x)^2",
    "ln((x+1)/(x-1))": "-2/(x^2 - 1)",
    "arctan(1/x)": "-1/(x^2 + 1)",
    "x^x": "x^x*(ln(x) + 1)",
    "(x^2+1)/(x^3-2)": "-x*(x^3 + 3*x + 4)/(x^3 - 2)^2",
    "sin(cos(tan(x)))": "-sin(tan(x))*cos(cos(tan(x)))*sec(x)^2",
    "exp(-x^2/2)*(x^2-1)": "x*exp(-x^2/2)*(3 - x^2)",
    "1/(1+exp(-x))": "exp(-x)/(1 + exp(-x))^2",
    "ln(x+sqrt(x^2+1))": "1/sqrt(x^2 + 1)",
    "arcsin(2*x)/sqrt(1-4*x^2)": "4*x*arcsin(2*x)/(1 - 4*x^2)^(3/2) + 2/(1 - 4*x^2)",
    "((x-1)/(x+1))^3": "6*(x - 1)^2/(x + 1)^4",
    "x^2*ln(x)-x^2/2": "2*x*ln(x)",
    "tanh(x)^3/3-tanh(x)": "-(1 - tanh(x)^2)^2",
    "cos(x)^4-sin(x)^4": "-4*sin(x)*cos(x)",
}
SLOPES = HOMEWORK | {
    "ln(x^2)": "2/x",
    "2*(x^2+9)^3": "12*x*(x^2 + 9)^2",
    "x^4+3x": "4*x^3 + 3",
    "sigmoid(x)": "sigmoid(x)*(1 - sigmoid(x))",
    "3x^2(2y+7)": "6*x*(2*y + 7)",
    "tanh(w*x + b)": "w*(1 - tanh(w*x + b)^2)",
    "(x+1)/(x-1)": "-2/(x - 1)^2",
    "(x^2-1)/(x-1)": "1",
    "sqrt(x^2)": "sign(x)",
    "abs(x)^3": "3*x*abs(x)",
    "x/abs(x)": "0",
    "2^x": "2^x*ln(2)",
    "x^n": "n*x^(n - 1)",
    "x^0.5": "0.5/x^0.5",
    "0.25*x^3": "0.75*x^2",
    "sqrt(2*x)": "1/sqrt(2*x)",
    "1/sqrt(x^2+y^2)": "-x/(x^2 + y^2)^(3/2)",
    "x*ln(x) - x": "ln(x)",
    "ln((1+sin(x))/cos(x))": "1/cos(x)",
    "exp(x)/(1+exp(x))": "exp(x)/(1 + exp(x))^2",
    "arctan(x/y)": "y/(x^2 + y^2)",
    "cbrt(x)": "1/(3*cbrt(x)^2)",
    "1/(x*(x+1)*(x+2))": "-(3*x^2 + 6*x + 2)/(x^2*(x + 1)^2*(x + 2)^2)",
    "-t*ln(x) - (1-t)*ln(1-x)": "(x - t)/(x*(1 - x))",
    "log10(x)": "1/(x*ln(10))",
    "arcsec(x)": "1/(abs(x)*sqrt(x^2 - 1))",
    "ln(abs(x))": "1/x",
    "ln(abs(cos(x)))": "-sin(x)/cos(x)",
    "{x if x < 0, x^2 if x < 1, 1}": "{1 if x < 0, 2*x if x < 1, 0}",
    "{x if x > 0, {x if x < 0}}": "{1 if x > 0, 1 if x < 0}",  # no last case
    "{x if -x, {x if x < 0}}": "{1 if -x, 1 if x < 0}",
    "{{x if x < 0} if x < 1, x^2}": "{{1 if x < 0} if x < 1, 2*x}",
    "{x^2 if x < 0, sin(x)}*{x if x <= 1, 1}": (
        "{3*x^2 if x < 0, sin(x) + x*cos(x) if x <= 1, cos(x)}"
    ),
    "exp(-(x - t)^2/(2*y^2))/(sqrt(2*pi)*y)": "-exp(-(x - t)^2/(2*y^2))*(x - t)/(y^3*sqrt(2*pi))",
    "exp(-(t - y)^2/(2*x^2))/(sqrt(2*pi)*x)": (
        "exp(-(t - y)^2/(2*x^2))*((t - y)^2 - x^2)/(x^4*sqrt(2*pi))"
    ),
    "gelu(x)": "(1 + erf(x/sqrt(2)))/2 + x*exp(-x^2/2)/sqrt(2*pi)",
    "sin(x)*cos(x)": "cos(x)^2 - sin(x)^2",
    "sinh(x)*cosh(x)": "sinh(x)^2 + cosh(x)^2",
    "x*cos(x)*sin(x)": "x*cos(x)^2 - x*sin(x)^2 + sin(x)*cos(x)",
    "exp(exp(exp(x)))": "exp(x)*exp(exp(x))*exp(exp(exp(x)))",
    "exp(x - x^2)": "exp(x - x^2)*(1 - 2*x)",
    "x^x^x": "x^x*x^x^x*(1/x + ln(x)^2 + ln(x))",
    "x^(1/x)": "x^(1/x)*(1 - ln(x))/x^2",
    "x*exp(-x)*sin(x)": "exp(-x)*(x*cos(x) - x*sin(x) + sin(x))",
    "(x^2+1)*exp(-2*x)": "-2*exp(-2*x)*(x^2 - x + 1)",
}


@pytest.mark.parametrize(("source", "wanted"), SLOPES.items(), ids=SLOPES)
def test_derivatives_as_a_person_writes_them(source: str, wanted: str) -> None:
    assert text(simplify(slope(source)).result) == wanted


def test_homework_is_shorter_than_with_sympy_and_fast() -> None:
    slopes = [slope(source) for source in HOMEWORK]
    begin = perf_counter()
    results = [simplify(s).result for s in slopes]
    # SymPy 1.14: 461 characters and 2.2 s where this was measured.
    assert perf_counter() - begin < 1.0
    assert sum(len(text(r)) for r in results) <= 461


FORMS = {
    "3x^2*2": "6*x^2",
    "-5*x2 + 2 + 6*cos(x1)": "6*cos(x1) - 5*x2 + 2",
    "sqrt(x^2)": "abs(x)",
    "sqrt(x^4)": "x^2",
    "(x^2)^(3/2)": "abs(x)^3",
    "ln(x^2)": "ln(x^2)",
    "sqrt(4*x^2*y)": "2*sqrt(x^2*y)",
    "exp(x)*exp(2x)": "exp(3*x)",
    "exp(ln(u))": "u",
    "exp(2*ln(u))": "u^2",
    "ln(exp(u + v))": "u + v",
    "sqrt(u)*sqrt(u)": "u",
    "x/sqrt(u)*(1/u)": "x/u^(3/2)",
    "sqrt(4)": "2",
    "sqrt(8)": "2*sqrt(2)",
    "sqrt(2)*sqrt(2)": "2",
    "sqrt(2)*sqrt(3)": "sqrt(6)",
    "sqrt(3)*sqrt(6)": "3*sqrt(2)",
    "sqrt(2)/2 + 1/sqrt(2)": "sqrt(2)",
    "sqrt(2/3)": "sqrt(2/3)",
    "sqrt(2*pi)*sqrt(pi)": "sqrt(2)*pi",
    "2/sqrt(2*pi)": "sqrt(2/pi)",
    "sqrt(2*x + 2)/(x + 1)": "sqrt(2/(x + 1))",
    "sqrt(-4*x)": "2*sqrt(-x)",
    "12^(1/3)": "2^(2/3)*3^(1/3)",
    "(sqrt(2) + 1)*(sqrt(2) - 1)": "1",
    "2/sqrt(2)": "sqrt(2)",
    "cbrt(x)^3 + cbrt(-8)": "x - 2",
    "sin(-x) + cos(-x)": "cos(x) - sin(x)",
    "arctan(-2*x)": "-arctan(2*x)",
    "sin(arcsin(x))": "x",
    "sec(x)*cos(x)": "1",
    "tan(x)*cos(x)": "sin(x)",
    "abs(x)*sign(x)": "x",
    "x*sign(x)": "abs(x)",
    "abs(-3*x)": "3*abs(x)",
    "abs(x^2 + 1)": "x^2 + 1",
    "sign(exp(x)*x)": "sign(x)",
    "sign(x)/abs(x)": "1/x",
    "abs(x)/x": "sign(x)",
    "x*y/abs(x*y)": "sign(x*y)",
    "sign(x^2*y)/abs(x^2*y)": "1/(x^2*y)",
    "abs(x - 1)*sign(1 - x)": "1 - x",
    "sign(x)^2": "sign(x)^2",
    "abs(x)/x^2": "1/abs(x)",
    "cos(x)^2 - sin(x)^2": "cos(x)^2 - sin(x)^2",
    "x^(x + x^x)": "x^x*x^x^x",
    "exp(x + exp(x))": "exp(x)*exp(exp(x))",
    "exp(a*x + b)*exp(-b)": "exp(a*x)",
    "-sin(x) - x + cos(x)": "cos(x) - sin(x) - x",
    "sin(x)^2 + cos(x)^2": "1",
    "1 - cos(x)^2": "sin(x)^2",
    "cosh(x)^2 - sinh(x)^2": "1",
    "1 + tan(x)^2": "sec(x)^2",
    "1 - tanh(x)^2": "1 - tanh(x)^2",
    "(x^2 - y^2)/(x + y)": "x - y",
    "1/(1 + 1/x)": "x/(x + 1)",
    "1/(2*x + 2)": "1/(2*x + 2)",
    "(3/4)*x": "3*x/4",
    "0.5*x + 0.25*x": "0.75*x",
    "-(x - 1)": "1 - x",
    "2^3*x^0": "8",
    "max(1, 2, x, x)": "max(2, x)",
    "2 > 1": "1",
    "x^2 + 1 > 0": "1",
    "{1 if z > 0, 0 if z < 0, 1/2}*2*x": "{2*x if z > 0, 0 if z < 0, x}",
    "{x if 1 > 2, y if z > 0, y}": "y",
    "{1 if z > 0, 0} + {x if z > 0, 2}": "{1 + x if z > 0, 2}",
    "{1 if x < 0, 0} + {2 if x < 1, 0}": "{3 if x < 0, 2 if x < 1, 0}",
    "{1 if x < 1, 0}*{2 if x < 0, 0}": "{2 if x < 0, 0}",
    "{1 if x < 0, 2 if x < -1, 3}": "{1 if x < 0, 3}",
    "{1 if x < y, 2} + {3 if x < z, 4}": "{1 if x < y, 2} + {3 if x < z, 4}",
    "{1 if x < 0} + {2 if x < 1}": "{3 if x < 0}",
    "1/0": "1/(0)",
    "x^(1/3)*x^(2/3)": "x",
    "(x*y)^2/y": "x^2*y",
    "e^x*e": "exp(x + 1)",
    "(x^x)^(x - 1)": "x^(x*(x - 1))",
    "(x^y)^(1/y)": "x",
}


@pytest.mark.parametrize(("source", "wanted"), FORMS.items(), ids=FORMS)
def test_forms(source: str, wanted: str) -> None:
    result = simplify(read(source)).result
    assert text(result) == wanted
    assert simplify(result).result is result


@pytest.mark.parametrize(
    "source",
    [
        "x*(y + 1)", "(x + 1)*(x + 2)", "(x + 1)^5", "exp(-x)/(1 + exp(-x))^2", "1 - x", "x^2 + 9",
        "sin(1 + x)", "x/(2*sqrt(y))", "1 + 1/x", "x^2*sin(x) + x*cos(x) + ln(x)", "pi*x/2",
        "sin(x)^cos(x)", "{x if x > 0, y}", "2^x + 3^x", "erf(x)*gamma(y)", "log(x, b)",
    ],
)  # fmt: skip
def test_what_is_well_written_stays(source: str) -> None:
    done = simplify(read(source))
    assert text(done.result) == source
    assert done.firings == ()


# ---------------------------------------------------------------------------- firings


def test_firings_follow_each_other_and_name_their_rules() -> None:
    start = slope("cos(x)^4 - sin(x)^4")
    done = simplify(start)
    assert [f.rule for f in done.firings][-1] == "Pythagorean identity"
    assert done.firings[-1].after is done.result
    for first, second in zip(done.firings, done.firings[1:], strict=False):
        assert first.after is second.before
    assert all(f.before is not f.after for f in done.firings)


@pytest.mark.parametrize(
    ("source", "conditions"),
    [
        ("arctan(1/x)", {"x != 0"}),
        ("(x^2-1)/(x-1)", {"x - 1 != 0"}),
        ("x^2*ln(x)-x^2/2", set()),  # x > 0 is still needed by the logarithm
        ("ln(x^2)", set()),
        ("ln((x+1)/(x-1))", set()),  # x^2 - 1 != 0 says it
        ("ln(x+sqrt(x^2+1))", set()),  # is always so
    ],
)
def test_conditions_that_the_result_no_longer_shows(source: str, conditions: set[str]) -> None:
    done = simplify(slope(source))
    # `x^2*(1/x)` has x in a denominator although x > 0 is not written in the derivative.
    found = {text(c) for f in done.firings for c in f.provided}
    assert found == conditions


def test_rule_names() -> None:
    assert [f.rule for f in simplify(read("exp(x)*exp(y)")).firings] == ["combine exponentials"]
    assert [f.rule for f in simplify(read("x*x")).firings] == ["collect powers"]
    assert [f.rule for f in simplify(read("x + 2*x")).firings] == ["add like terms"]
    assert [f.rule for f in simplify(read("sin(x)/sin(x)")).firings] == ["cancel common factors"]
    factored = simplify(read("x*y*z + 2*x*y"))
    assert [f.rule for f in factored.firings] == ["factor out common factors"]


# -------------------------------------------------------------------------- soundness


class Undefined(Exception):
    """No real value here."""


class Near(Exception):
    """Too close to a jump or an edge of a domain, or too large, to say with these digits."""


_JUMPS = ("floor", "ceil", "sign", "heaviside", "relu", "<", "<=", ">", ">=", "==", "!=")


def evaluate(root: Expr, point: dict[str, Any], m: Any) -> Any:
    """The value by the rows' own `mpmath`, in the real sense of their domains."""
    known: dict[Expr, Any] = {}
    stack = [root]
    while stack:
        node = stack[-1]
        if node in known:
            stack.pop()
            continue
        needed = _needed(node, known)
        if needed:
            stack.extend(needed)
            continue
        stack.pop()
        known[node] = _value(node, known, point, m)
    return known[root]


def _needed(node: Expr, known: dict[Expr, Any]) -> list[Expr]:
    if not isinstance(node, Apply):
        return []
    if node.op is not PIECEWISE:
        missing = [a for a in node.args if a not in known]
        return missing or [c for c in node.op.domain(*node.args) if c not in known]
    args = node.args  # conditions in order, and the branch that holds alone
    for i in range(0, len(args) - 1, 2):
        if args[i + 1] not in known:
            return [args[i + 1]]
        if known[args[i + 1]] != 0:
            return [args[i]] if args[i] not in known else []
    return [args[-1]] if len(args) % 2 and args[-1] not in known else []


def _value(node: Expr, known: dict[Expr, Any], point: dict[str, Any], m: Any) -> Any:
    if isinstance(node, Const):
        value = Fraction(node.value)
        if value.numerator.bit_length() > 400 or value.denominator.bit_length() > 400:
            raise Near
        return m.mpf(value.numerator) / value.denominator
    if isinstance(node, Sym):
        return point[node.name]
    assert isinstance(node, Apply)
    if node.op is PIECEWISE:
        pairs = range(0, len(node.args) - 1, 2)
        chosen = next((node.args[i] for i in pairs if known[node.args[i + 1]] != 0), None)
        if chosen is None and len(node.args) % 2:
            chosen = node.args[-1]
        if chosen is None:
            raise Undefined
        return known[chosen]
    args = [known[a] for a in node.args]
    if any(known[c] == 0 for c in node.op.domain(*node.args)):
        raise Undefined
    if node.op.name in _JUMPS or node.op.notation == "relation":
        gap = args[0] - (args[1] if len(args) > 1 else 0)
        if node.op.name in ("floor", "ceil"):
            gap -= m.nint(gap)
        if 0 < abs(gap) < m.mpf(10) ** -18:
            raise Near
    if any(abs(a) > 1e9 for a in args):
        raise Near
    try:
        value = node.op.mpmath(m, *args)
    except (ValueError, ZeroDivisionError, OverflowError, NotImplementedError) as error:
        raise Undefined from error
    if isinstance(value, m.mpc) or not m.isfinite(value):
        raise Undefined
    return m.mpf(value)


def _attempt(root: Expr, point: dict[str, Any], m: Any) -> Any:
    try:
        return evaluate(root, point, m)
    except Undefined:
        return None


POINTS = st.one_of(
    st.integers(-3, 3).map(Fraction),
    st.fractions(-3, 3, max_denominator=64),
    st.fractions(0, 1, max_denominator=1000),
)
NAMES = ("x", "y", "t")
ROWS = tuple(row for row in OPERATORS if row.name not in ("polygamma", "digamma", "gamma"))
SMALL = st.sampled_from([const(n) for n in (-2, -1, 0, 1, 2, 3, 4)]) | st.sampled_from([
    const(Fraction(1, 2)), const(Fraction(-1, 2)), const(Fraction(2, 3)), const(0.5)
])  # fmt: skip
POWERS = st.builds(
    lambda base, exponent, other: apply(MUL, apply(POW, base, exponent), other),
    expressions(NAMES, ROWS, most_leaves=3, special=False), SMALL,
    expressions(NAMES, ROWS, most_leaves=3, special=False),
)  # fmt: skip


def at_names(values: tuple[Fraction, ...], m: Any) -> dict[str, Any]:
    return {n: m.mpf(v.numerator) / v.denominator for n, v in zip(NAMES, values, strict=True)}


def sound(before: Expr, after: Expr, points: list[tuple[Fraction, ...]]) -> bool:
    """Equal wherever `before` is defined; whether it was at any of the points."""
    seen = False
    for values in points:
        at = []
        for digits in (30, 50):
            m = mpmath.mp.clone()
            m.dps = digits
            point = at_names(values, m)
            try:
                at.append((_attempt(before, point, m), _attempt(after, point, m)))
            except Near:
                at.append((None, None))
        (low, _), (high, result) = at
        if low is None or high is None or abs(low - high) > 1e-15 * abs(high):
            continue
        seen = True
        assert result is not None, f"{text(after)} is undefined at {values}"
        scale = abs(high) + (1e-12 if abs(high) < 1e-12 else 0)
        assert abs(result - high) <= 1e-12 * scale + 1e-20, f"{text(before)} => {text(after)}"
    return seen


TRIPLES = st.lists(st.tuples(POINTS, POINTS, POINTS), min_size=4, max_size=4)


@settings(max_examples=250, deadline=None)
@given(expressions(NAMES, ROWS, most_leaves=8) | POWERS, TRIPLES)
def test_the_value_is_kept(before: Expr, points: list[tuple[Fraction, ...]]) -> None:
    after = simplify(before).result
    assume(sound(before, after, points))


@settings(max_examples=120, deadline=None)
@given(expressions(NAMES, ROWS, most_leaves=6), TRIPLES)
def test_the_value_of_derivatives_is_kept(f: Expr, points: list[tuple[Fraction, ...]]) -> None:
    before = gradient(f, [X])[0]
    after = simplify(before).result
    assume(sound(before, after, points))


@settings(max_examples=250, deadline=None)
@given(expressions(NAMES, most_leaves=10))
def test_simplifying_twice_changes_nothing(expr: Expr) -> None:
    once = simplify(expr).result
    assert simplify(once).result is once


def test_the_result_does_not_depend_on_the_process() -> None:
    program = (
        "import sys\n"
        "from chainrule.core.expr import symbol\n"
        "from chainrule.derivation.backward import gradient\n"
        "from chainrule.derivation.simplify import simplify\n"
        "from chainrule.render.text import text\n"
        "from chainrule.syntax.parser import parse_expression\n"
        "sources = sys.argv[1:]\n"
        "parsed = {s: parse_expression(s) for s in sorted(sources, key=hash)}\n"
        "for s in sources:\n"
        "    print(text(simplify(gradient(parsed[s], [symbol('x')])[0]).result))\n"
    )
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", program, *SLOPES], capture_output=True, text=True, check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        )  # fmt: skip
        assert done.stdout.splitlines() == list(SLOPES.values())


# ----------------------------------------------------------------------------- bounds


def test_a_shared_expression_of_2_to_the_40_leaves() -> None:
    doubled, squared, mixed = X, X, X
    for _ in range(40):
        doubled = apply(ADD, doubled, doubled)
        squared = apply(MUL, squared, squared)
        mixed = apply(MUL, apply(lookup("sin"), mixed), apply(lookup("cos"), mixed))
    assert simplify(doubled).result is apply(MUL, const(2**40), X)
    assert simplify(squared).result is apply(POW, X, const(2**40))
    begin = perf_counter()
    simplify(mixed)
    simplify(gradient(mixed, [X])[0])
    assert perf_counter() - begin < 5


@pytest.mark.parametrize("kind", ["sin", "sum", "product", "neg", "square", "exp", "quotient"])
def test_long_chains(kind: str) -> None:
    node: Expr = X
    for i in range(30_000):
        other = symbol(f"x{i % 1000}")
        node = {
            "sin": lambda n=node: apply(lookup("sin"), n),
            "sum": lambda n=node, o=other: apply(ADD, n, apply(lookup("cos"), o)),
            "product": lambda n=node, o=other: apply(MUL, n, o),
            "neg": lambda n=node: apply(NEG, n),
            "square": lambda n=node: apply(POW, n, TWO),
            "exp": lambda n=node: apply(EXP, apply(NEG, n)),
            "quotient": lambda n=node: apply(DIV, ONE, apply(ADD, n, ONE)),
        }[kind]()
    once = simplify(node).result
    assert simplify(once).result is once


def test_expanding_is_bounded() -> None:
    source = "(x+y+z+w+1)^8*x + (x+y+z+w)^8*(x-y+z)^8 - 1 + 1/(x+y)^400"
    begin = perf_counter()
    simplify(slope(source))
    assert perf_counter() - begin < 2
    power = apply(POW, const(3), const(10**9))
    assert simplify(power).result is power


# ------------------------------------------------------------------------------ parts

FACTS = {
    "exp(x) > 0": True, "x^2 >= 0": True, "x^2 + 9 > 0": True, "x^2 + 9 != 0": True,
    "cosh(x) >= 1": True, "1 + exp(-x) > 0": True, "1 - tanh(x)^2 > 0": True, "abs(x) < 0": False,
    "2 + sin(x) > 0": True, "1 + sin(x) > 0": None, "x > 0": None, "x > x": False, "x >= x": True,
    "x*x >= 0": True, "1/(1 + x^2) <= 1": True, "sigmoid(x) < 1": True, "x^2 < 0": False,
    "sqrt(x) >= 0": True, "x + sqrt(x^2 + 1) > 0": True, "x + sqrt(x^2 - 1) > 0": None,
    "x^3 > 0": None, "exp(x)*x^2 >= 0": True, "-exp(x) >= 0": False, "1/x != 0": True,
    "max(x, 1) > 0": True, "{1 if x > 0, 2} > 0": True, "sin(x) <= 1": True, "pi > 3": True,
    "2 == 3": False,
}  # fmt: skip


@pytest.mark.parametrize(("source", "truth"), FACTS.items(), ids=FACTS)
def test_facts(source: str, truth: bool | None) -> None:
    assert holds(read(source)) is truth


def test_signs_of_expressions() -> None:
    assert is_positive(read("exp(x)")) is True
    assert is_positive(read("-x^2")) is False
    assert is_nonnegative(read("-exp(x)")) is False
    assert is_nonnegative(read("abs(x)")) is True
    assert is_nonzero(read("x")) is None
    assert is_nonzero(ZERO) is False


@settings(max_examples=250, deadline=None)
@given(expressions(NAMES, ROWS, most_leaves=6), st.tuples(POINTS, POINTS, POINTS))
def test_intervals_hold_the_values(expr: Expr, values: tuple[Fraction, ...]) -> None:
    m = mpmath.mp.clone()
    m.dps = 30
    point = at_names(values, m)
    try:
        value = _attempt(expr, point, m)
    except Near:
        value = None
    assume(value is not None)
    known = Signs().interval(expr)
    slack = 1e-20 * (1 + abs(value))
    for end, side in ((known.low, 1), (known.high, -1)):
        if end is not None:
            assert side * (value - m.mpf(end.numerator) / end.denominator) >= -slack
    assert not known.nonzero or value != 0


def test_lengths_are_those_of_the_text() -> None:
    measure = Measure()
    for source in (*FORMS, *SLOPES):
        node = read(source)
        assert abs(measure.length(node) - len(text(node))) <= 4, source


def test_exact_division() -> None:
    assert quotient({(2, 0): 1, (0, 2): -1}, {(1, 0): 1, (0, 1): 1}) == {(1, 0): 1, (0, 1): -1}
    assert quotient({(2,): 1, (0,): 1}, {(1,): 1, (0,): 1}) is None


def test_a_condition_that_always_holds_is_no_condition() -> None:
    assert holds(relation("!=", read("x^2 + 9"), ZERO)) is True
