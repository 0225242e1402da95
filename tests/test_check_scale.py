"""Verification of large and deep expressions: linear, and honest about lost digits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from time import perf_counter, process_time

import pytest

import chainrule as cr
from chainrule import symbolic
from chainrule.checking import by_numbers, edges
from chainrule.checking.by_numbers import Claim, compare, verify_by_numbers
from chainrule.checking.by_sympy import verify_by_sympy
from chainrule.checking.numbers import Tape, context
from chainrule.checking.patience import interrupted
from chainrule.checking.tangents import slopes
from chainrule.core.arithmetic import square
from chainrule.core.expr import ONE, TWO, ZERO, Expr, apply, const, symbol
from chainrule.core.ops import lookup
from chainrule.derivation.steps import Derivation, Method, Result, Target

X = symbol("x")
BY_X = Target(((ONE, 0, ("x",)),))
SIN, COS, ERF, MAX = lookup("sin"), lookup("cos"), lookup("erf"), lookup("max")


def sines(n: int) -> Expr:
    y: Expr = X
    for _ in range(n):
        y = apply(SIN, y) / 2
    return y


def squares(n: int) -> Expr:
    y: Expr = X
    for _ in range(n):
        y = y * y + X
    return y


def said(y: Expr, claim: Expr) -> Method:
    return compare([y], [Claim(claim, BY_X)])


# ------------------------------------------------------------------ small derivatives


def test_the_derivative_of_a_deep_chain_is_told_from_its_double() -> None:
    y = sines(700)  # about 10^-210
    (right,) = symbolic.gradient(y, [X])
    assert said(y, right).status == "verified"
    for wrong in (2 * right, -right, right * (1 + const(10) ** -12), ZERO):
        assert said(y, wrong).status == "failed"


@pytest.mark.parametrize("claim", [ZERO, const(2) * const(10) ** -60, -(const(10) ** -60)])
def test_small_is_not_nothing(claim: Expr) -> None:
    tiny = const(10) ** -60
    assert said(tiny * X, tiny).status == "verified"
    assert said(tiny * X, claim).status == "failed"
    twice = Target(((ONE, 0, ("x", "x")),))
    second = [compare([tiny / 2 * X**2], [Claim(c, twice)]).status for c in (tiny, claim)]
    assert second == ["verified", "failed"]


def test_nothing_is_nothing() -> None:
    one = square(apply(SIN, X)) + square(apply(COS, X))
    assert said(one, ZERO).status == "verified"
    assert said(one, one - 1).status == "verified"
    assert said(one, const(10) ** -30 * X).status == "failed"


def test_what_is_rounded_to_a_constant_refutes_nothing() -> None:
    y: Expr = X
    for _ in range(10):
        y = apply(ERF, y)
    (right,) = symbolic.gradient(y, [X])
    assert said(y, right).status == "verified"
    far = compare(
        [apply(ERF, X + 120)], [Claim(symbolic.gradient(apply(ERF, X + 120), [X])[0], BY_X)]
    )
    assert far.status != "failed"


# ------------------------------------------------------------------------ large graphs


@pytest.mark.parametrize(("build", "n"), [(sines, 4_000), (squares, 9_000)])
def test_large_graphs_are_verified_and_refuted(build: Callable[[int], Expr], n: int) -> None:
    y = build(n)
    (right,) = symbolic.gradient(y, [X])
    good = said(y, right)
    assert good.status == "verified"
    assert good.largest_relative_error is not None and good.largest_relative_error < 1e-20
    assert said(y, right * (1 + const(10) ** -15)).status == "failed"


TEXTS = [
    "ln(sin(x^3)^2)", "x^x", "|x|*sqrt(x^2 + 1)", "{x^2 if x < 1, 3*x}", "max(x, y, 3)",
    "[x*y, x + y, sin(x)]", "gamma(x)*erf(x)", "f(x^2)*g(x, f(x))", "floor(x)*x",
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_along_the_graph_says_what_differences_say(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_numbers, "_LARGE", 0)
    d = cr.derive(text, verify="off").data
    assert verify_by_numbers(d).status == "verified"
    wrong = tuple(tuple(e * TWO + X for e in row) for row in d.result.entries)
    assert verify_by_numbers(replace(d, result=Result(d.result.kind, wrong))).status == "failed"


def test_a_weighted_sum_along_the_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_numbers, "_LARGE", 0)
    text = "[x*y, sin(x) + y]"
    for d in (cr.derive(text, vjp="y, 2", verify="off"), cr.derive(text, jvp="y, 2", verify="off")):
        assert verify_by_numbers(d.data).status == "verified"


def test_time_is_linear() -> None:
    def seconds(n: int) -> float:
        y = squares(n)
        (right,) = symbolic.gradient(y, [X])
        start = process_time()
        assert said(y, right).status == "verified"
        return process_time() - start

    seconds(100)
    assert seconds(16_000) < 16 * seconds(4_000)


def test_what_takes_too_long_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_numbers, "_SECONDS", 0.05)
    y = squares(30_000)
    found = said(y, symbolic.gradient(y, [X])[0])
    assert found.status == "unverified" and "in 0.05 seconds" in found.detail


def test_slopes_are_none_where_there_are_none() -> None:
    m = context(50)
    tape = Tape([X / 0, X * const(3), apply(MAX, X, const(2))])
    found = [slope for slope, _ in slopes(tape, m, {"x": 3}, {"x": 1}, 20)]
    assert found[0] is None and [float(s) for s in found[1:]] == pytest.approx([3, 1])


# -------------------------------------------------------------------------- each kind once


def chain(n: int) -> Derivation:
    rest = [f"u{k} = sin(u{k - 1})" for k in range(1, n)]
    return cr.derive("; ".join(["u0 = sin(x)", *rest]), verify="off").data


def test_local_derivatives_are_asked_about_once_a_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    d = chain(300)
    asked = []
    decide = edges.by_numbers

    def count(local: edges.Local) -> Method:
        asked.append(local)
        return decide(local, float("inf"))

    found, _ = edges.statuses(d, count, 200)
    assert set(found) == {"verified"} and len(asked) == 1
    method, by_sympy = verify_by_sympy(d)
    assert set(by_sympy) == {"verified"} and "local derivatives agree" in method.detail


def test_one_wrong_edge_among_many_is_another_kind() -> None:
    d = chain(300)
    place = next(i for i, e in enumerate(d.edges) if e.of == "u150" and e.by == "u149")
    broken = list(d.edges)
    broken[place] = broken[place]._replace(local=broken[place].local * TWO)
    method, found = verify_by_sympy(replace(d, edges=tuple(broken)))
    assert method.status == "failed" and "u150 by u149" in method.detail
    assert [i for i, s in enumerate(found) if s == "failed"] == [place]


def test_names_exchanged_are_another_kind() -> None:
    d = cr.derive("u = x/y; v = y/x; u + v", verify="off").data
    swapped = list(d.edges)
    for i, edge in enumerate(d.edges):
        if edge.of == "v":
            # as of u: right for x/y, wrong for y/x
            like = next(e for e in d.edges if e.of == "u" and e.by == edge.by)
            swapped[i] = edge._replace(local=like.local)
    assert "v by" in verify_by_sympy(replace(d, edges=tuple(swapped)))[0].detail


# --------------------------------------------------------------------------- interruptions


def test_python_that_looks_at_no_clock_is_ended() -> None:
    def swallow() -> None:
        while True:
            try:
                sorted(range(100), key=lambda i: -i)
            except Exception:
                continue

    start = perf_counter()
    with pytest.raises(TimeoutError), interrupted(start + 0.05):
        swallow()
    assert perf_counter() - start < 1
    with interrupted(perf_counter() + 60):
        assert sum(range(10)) == 45
