"""The oracles: what they confirm, what they refute, and that they never hang."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from time import perf_counter

import pytest

from chainrule.checking.by_numbers import Claim, compare, verify_by_numbers
from chainrule.checking.by_sympy import verify_by_sympy
from chainrule.checking.numbers import at_point, evaluate
from chainrule.checking.points import Search
from chainrule.checking.to_sympy import to_sympy
from chainrule.checking.verify import verify
from chainrule.core.arithmetic import ADD, LN, MUL, PI, POW, add, exp, ln, mul, relation
from chainrule.core.errors import DomainError, UnsupportedError
from chainrule.core.expr import ONE, TWO, ZERO, Expr, apply, const, symbol
from chainrule.core.ops import Kink, lookup
from chainrule.derivation.build import build
from chainrule.derivation.steps import Derivation, Result, Target
from chainrule.syntax.parser import parse, parse_expression

X = symbol("x")

HOMEWORK = [
    "ln(sin(x^3)^2)",
    "x*exp(x^2)",
    "x^x",
    "tan(x)*arcsec(x)",
    "|x|*sqrt(x^2 + 1)",
    "{x^2 if x < 1, 3*x}",
    "max(x, y, 3)",
    "x^2*y + sin(x*y)",
    "[x*y, x + y, sin(x)]",
    "gamma(x)*erf(x)",
    "f(x^2)*g(x, f(x))",
    "relu(2*x - 1) + gelu(x)",
    "log(x, y)",
    "sqrt(1 - x^2 - y^2)",
    "cbrt(x)*floor(x)",
]


def derivation(text: str, **options: object) -> Derivation:
    return build(parse(text), **options)  # type: ignore[arg-type]


def call(name: str, *args: Expr | float | Fraction) -> Expr:
    return apply(lookup(name), *(a if isinstance(a, Expr) else const(a) for a in args))


def derivative(*by: str) -> Target:
    return Target(((ONE, 0, by),))


# ---------------------------------------------------------------------------- confirming


@pytest.mark.parametrize("text", HOMEWORK)
def test_a_right_derivation_is_verified(text: str) -> None:
    verification = verify(derivation(text))
    assert verification.status == "verified", verification
    assert all(status == "verified" for status in verification.edges)
    (numeric,) = [m for m in verification.methods if m.name == "numeric"]
    assert numeric.points is not None and numeric.points >= 5
    assert numeric.largest_relative_error is not None and numeric.largest_relative_error < 1e-20


@pytest.mark.parametrize(
    "options",
    [
        {"order": 2},
        {"direction": [TWO, X]},
        {"layout": "denominator"},
        {"granularity": "fine", "style": "backprop"},
    ],
)
def test_every_kind_of_result_is_verified(options: dict[str, object]) -> None:
    d = derivation("x^2*y + sin(x*y)", **options)
    assert [m.status for m in verify(d).methods] == ["verified", "verified"]


def test_high_orders_and_weights() -> None:
    assert verify(derivation("x^3*exp(2*x)", order=7)).status == "verified"
    assert verify(derivation("[x*y, x + y]", weights=[X, TWO])).status == "verified"


def test_off_and_numeric() -> None:
    d = derivation("sin(x)*x")
    assert verify(d, "off").status == "unverified"
    numeric = verify(d, "numeric")
    assert [m.name for m in numeric.methods] == ["numeric"]
    assert numeric.status == "verified" and set(numeric.edges) == {"verified"}


# ------------------------------------------------------------------------------ refuting

MUTATIONS = {
    "doubled": lambda e: mul(TWO, e),
    "sign flipped": lambda e: mul(const(-1), e),
    "argument added": lambda e: add(e, X),
    "off by a billionth": lambda e: add(e, const(Fraction(1, 10**9))),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
@pytest.mark.parametrize("text", HOMEWORK)
def test_both_oracles_notice_a_wrong_result(text: str, mutation: str) -> None:
    d = derivation(text)
    for i, row in enumerate(d.result.entries):
        for j, entry in enumerate(row):
            wrong = MUTATIONS[mutation](entry)
            if wrong is entry:
                continue  # twice 0
            entries = [list(r) for r in d.result.entries]
            entries[i][j] = wrong
            broken = replace(d, result=Result(d.result.kind, tuple(map(tuple, entries))))
            by_numbers, (by_sympy, _) = verify_by_numbers(broken), verify_by_sympy(broken)
            assert by_numbers.status == "failed" and ", numerically " in by_numbers.detail
            assert by_sympy.status == "failed" or "undone" in by_sympy.detail
            assert verify(broken).status == "failed"


@pytest.mark.parametrize("mutation", MUTATIONS)
@pytest.mark.parametrize("text", HOMEWORK)
def test_both_oracles_notice_a_wrong_local_derivative(text: str, mutation: str) -> None:
    d = derivation(text)
    for i, edge in enumerate(d.edges):
        wrong = MUTATIONS[mutation](edge.local)
        if wrong is edge.local:
            continue
        edges = (*d.edges[:i], edge._replace(local=wrong), *d.edges[i + 1 :])
        broken = replace(d, edges=edges)
        for mode in ("symbolic", "numeric"):
            verification = verify(broken, mode)
            assert verification.status == "failed", (edge, mode)
            assert verification.edges[i] == "failed", (edge, mode)
            assert any("local derivative of" in m.detail for m in verification.methods)


def test_a_missing_edge_is_noticed() -> None:
    d = derivation("x*exp(x^2)")
    for i in range(len(d.edges)):
        assert verify(replace(d, edges=d.edges[:i] + d.edges[i + 1 :])).status == "failed"


def test_two_slots_of_one_operand_are_added_up() -> None:
    d = derivation("u = sin(x); y = u*u", granularity="fine")
    twice = [i for i, e in enumerate(d.edges) if (e.of, e.by) == ("y", "u")]
    assert len(twice) == 2 and verify(d).status == "verified"
    for i in twice:
        edges = (*d.edges[:i], d.edges[i]._replace(local=ZERO), *d.edges[i + 1 :])
        assert verify(replace(d, edges=edges)).status == "failed"


def test_a_witness_names_the_point_and_both_numbers() -> None:
    said = compare([X**3], [Claim(2 * X**2, derivative("x"))])
    at, claimed, numerical = said.detail.replace(":", ",").split(", ")
    x = float(at.removeprefix("at x = "))
    assert float(claimed) == pytest.approx(2 * x**2, rel=1e-5)
    assert float(numerical.removeprefix("numerically ")) == pytest.approx(3 * x**2, rel=1e-5)
    d = derivation("[x*y, x + y]")
    entries = (d.result.entries[0], (ONE, TWO))
    said = verify_by_numbers(replace(d, result=Result("jacobian", entries)))
    assert "entry (2, 2) is 2, numerically 1" in said.detail


def test_a_result_that_is_right_on_one_side_only_is_refuted() -> None:
    assert compare([call("abs", X)], [Claim(ONE, derivative("x"))]).status == "failed"
    far = call("max", X, 1000)
    kinks = [Kink(relation("==", X, const(1000)), "")]
    assert compare([far], [Claim(ZERO, derivative("x"))], kinks=kinks).status == "failed"
    lost = call("ln", call("abs", X))
    claim = Claim(call("exp", mul(const(-1), ln(X))), derivative("x"))  # 1/x, for positive x alone
    assert "undefined" in compare([lost], [claim]).detail


def test_what_cannot_be_decided_is_said() -> None:
    nowhere = compare([ln(-1 - X**2)], [Claim(X, derivative("x"))])
    assert (nowhere.status, nowhere.detail) == ("unverified", "no point in the domain was found")
    chaotic: Expr = X
    for _ in range(400):
        chaotic = 4 * chaotic * (1 - chaotic)
    assert compare([chaotic], [Claim(X, derivative("x"))]).status != "verified"


def test_a_derivative_that_is_0_is_told_from_one_that_is_small() -> None:
    one = call("sin", X) ** 2 + call("cos", X) ** 2
    assert compare([one], [Claim(ZERO, derivative("x"))]).status == "verified"
    assert compare([one], [Claim(const(1e-12), derivative("x"))]).status == "failed"
    tiny = X**2 * const(Fraction(1, 10**20))
    assert compare([tiny], [Claim(ZERO, derivative("x"))]).status == "failed"


def test_steep_and_badly_scaled_functions() -> None:
    steep = call("sin", 10**15 * X)
    claim = Claim(10**15 * call("cos", 10**15 * X), derivative("x"))
    assert compare([steep], [claim]).status == "verified"
    near = {"x": Fraction(1, 10**30)}
    assert compare([ln(X)], [Claim(1 / X, derivative("x"))], first=near).status == "verified"


# -------------------------------------------------------------------------------- points


def test_points_lie_in_the_domain_and_on_both_sides() -> None:
    kink = Kink(relation("==", X, const(3)), "")
    inside = [relation(">", X, const(-2)), relation("<", X, const(7))]
    found = [p["x"] for p in Search([X**2], inside, [kink], "x^2")]
    assert len(found) >= 5 and all(-2 < x < 7 for x in found)
    assert any(x < 0 for x in found) and any(x > 3 for x in found) and any(0 < x < 3 for x in found)
    assert found == [p["x"] for p in Search([X**2], inside, [kink], "x^2")]
    assert found != [p["x"] for p in Search([X**2], inside, [kink], "another text")]


def test_points_are_found_in_far_and_narrow_domains() -> None:
    far = [ln(X - 10_000)]
    narrow = [call("sqrt", 1 - (X - 50) ** 2)]
    for functions in (far, narrow):
        assert len(list(Search(functions, text="t"))) >= 5
    names = [symbol(f"x{i}") for i in range(30)]
    product: Expr = names[0]
    for name in names[1:]:
        product = product * ln(name)
    assert len(list(Search([product], text="t"))) >= 5


# ------------------------------------------------------------------------ values, safety


@pytest.mark.parametrize(
    "text",
    [
        "9^9^9^9",
        "gamma(10^9)",
        "exp(exp(exp(100)))",
        "gamma(gamma(gamma(30)))",
        "1.1^(2^1000)",
        "polygamma(10^6, 1.5)",
        "polygamma(1, -10^9 + 0.5)",
        "polygamma(1/2, 3)",
        "ln(-1)",
        "1/0",
        "(-8)^(1/3)",
        "gamma(-3)",
        "arcsin(2)",
        "{ln(x) if 1 > 2}",
    ],
)
def test_no_real_number_and_no_time_lost(text: str) -> None:
    start = perf_counter()
    expression = parse_expression(text, names=["x"])
    assert evaluate([expression], {"x": 2}) == [None]
    with suppress(DomainError):
        assert verify(derivation(f"({text})*x", variables=["x"])).status == "unverified"
    assert perf_counter() - start < 3


def test_sines_of_huge_arguments_are_numbers() -> None:
    (value,) = evaluate([call("sin", 10.0**300)], {})
    assert abs(value - 0.9565461125730812) < 1e-1  # 1e300 in decimal, not its nearest double
    assert at_point([call("exp", 800), call("exp", -800)], {}) == [None, 0.0]


def test_dead_branches_do_no_harm() -> None:
    guarded = call("piecewise", call("sqrt", X), relation(">", X, ZERO), ZERO)
    assert at_point([guarded], {"x": -4}) == [0.0]
    assert at_point([guarded], {"x": 4}) == [2.0]
    undecided = call("piecewise", ONE, relation(">", ln(X), ZERO), TWO)
    assert at_point([undecided], {"x": -4}) == [None]


def test_numbers_are_read_as_typed() -> None:
    tenth, third = evaluate([X * 10 - 1, symbol("y") * 3 - 1], {"x": 0.1, "y": Fraction(1, 3)})
    assert tenth == 0 and abs(third) < 1e-49
    assert at_point([X, symbol("z")], {"x": 2}) == [2.0, None]


def test_deep_chains_and_repeated_squares() -> None:
    chain: Expr = X
    square: Expr = X
    for _ in range(20_000):
        chain = call("sin", chain)
        square = apply(MUL, square, square)
    assert at_point([chain, square], {"x": 0.9}) == [pytest.approx(0.012246, rel=1e-3), 0.0]
    assert at_point([square], {"x": 1.1}) == [None]
    said = verify(derivation("sin(" * 300 + "x" + ")" * 300))
    assert said.status == "verified" and set(said.edges) == {"verified"}
    assert "deep" in said.methods[0].detail


def test_many_variables_are_compared_along_directions() -> None:
    names = [symbol(f"x{i}") for i in range(150)]
    total: Expr = ZERO
    for a, b in pairwise(names):
        total = total + call("sin", a * b)
    entries = []
    for i in range(150):
        entry: Expr = ZERO
        for j in (i - 1, i + 1):
            if 0 <= j < 150:
                entry = entry + names[j] * call("cos", names[min(i, j)] * names[max(i, j)])
        entries.append(entry)
    claims = [Claim(e, derivative(n.name)) for e, n in zip(entries, names, strict=True)]
    said = compare([total], claims)
    assert (said.status, said.detail) == ("verified", "along random directions")
    claims[77] = Claim(entries[77] * const(1.001), claims[77].target)
    assert compare([total], claims).status == "failed"


def test_the_deadline_is_kept() -> None:
    start = perf_counter()
    said = verify(derivation("sin(" * 2000 + "x" + ")" * 2000), seconds=0)
    assert said.status == "unverified" and "time" in said.methods[-1].detail
    assert perf_counter() - start < 5


# --------------------------------------------------------------------------------- sympy


def test_expressions_become_sympys() -> None:
    import sympy

    x, y = sympy.symbols("x y")
    assert to_sympy([[ln(X) / 2 + PI_]]) == sympy.log(x) / 2 + sympy.pi
    assert to_sympy([[X, symbol("y")]]) == sympy.Matrix([[x, y]])
    d = derivation("f(x^2)")
    assert to_sympy(d.result.entries) == 2 * x * sympy.Function("f")(y).diff(y).subs(y, x**2).doit()


PI_ = apply(PI)


@pytest.mark.parametrize("text", ["9^9^9^9", "digamma(10^9)", "1.0000001^(10^9)", "gamma(10^7)"])
def test_sympy_is_kept_from_writing_out_constants(text: str) -> None:
    with pytest.raises(UnsupportedError, match="SymPy cannot hold the result"):
        to_sympy([[parse_expression(text)]])


def test_sympy_is_kept_from_depths() -> None:
    deep: Expr = X
    for _ in range(3000):
        deep = exp(call("sin", deep))
    with pytest.raises(UnsupportedError, match="too deep"):
        to_sympy([[deep]])


def test_a_piecewise_may_be_a_condition() -> None:
    inner = call("piecewise", ZERO, relation(">", X, ZERO), ONE)
    outer = call("piecewise", TWO, inner, const(5))
    converted = to_sympy([[outer]])
    for v in (-1, 1):
        assert at_point([outer], {"x": v}) == [float(converted.subs("x", v))]


def test_what_was_typed_is_what_is_checked() -> None:
    typed = apply(ADD, apply(POW, X, TWO), apply(LN, apply(MUL, ZERO, X)))
    assert evaluate([typed], {"x": 2}) == [None]
