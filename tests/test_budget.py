"""A limit of time bounds simplification and verification; what was cut short says so."""

from __future__ import annotations

import json
from time import perf_counter

import pytest

import chainrule as cr
from chainrule.core.expr import symbol
from chainrule.derivation.simplify import simplify

SHARED = "u1 = x; u2 = sin(x); " + "; ".join(f"u{k + 2} = u{k}*u{k + 1} + x" for k in range(1, 400))


def test_a_result_that_is_not_simplified_in_time_says_so_and_is_right() -> None:
    start = perf_counter()
    short = cr.derive(SHARED, verify="off", timeout=0.05)
    assert perf_counter() - start < 2
    assert any("time for simplification was up" in r for r in short.data.remarks)
    assert any("time for simplification was up" in w for w in json.loads(short.json())["warnings"])
    assert "time for simplification was up" in str(short)
    small = "u = (x + y)*(x - y) + x*x; v = u*u/(x + y)^2; v*v + u"
    hurried, full = (
        cr.derive(small, wrt="x", verify="off", timeout=t)(x=0.7, y=0.2) for t in (1e-9, None)
    )
    assert hurried == pytest.approx(full, rel=1e-12)


def test_with_time_enough_nothing_changes() -> None:
    free, bounded = (cr.derive("x*exp(x^2)", timeout=t) for t in (None, 60))
    assert str(free) == str(bounded)
    assert bounded.data.remarks == ()


def test_what_the_oracles_had_no_time_for_is_unverified_with_the_reason() -> None:
    found = cr.derive(SHARED, timeout=0.05).verification
    assert found.status == "unverified"
    assert all("time" in method.detail for method in found.methods)


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_a_timeout_is_a_positive_number(timeout: float) -> None:
    with pytest.raises(cr.UsageError, match="timeout"):
        cr.derive("x^2", timeout=timeout)


def test_past_the_deadline_an_expression_stays_as_it_is() -> None:
    x = symbol("x")
    cut = simplify(x + x, deadline=0.0)
    assert (cut.result, cut.firings, cut.complete) == (x + x, (), False)
    assert simplify(x + x).complete


def seconds(statements: int) -> float:
    """Derive and print `u1 = x^2; u2 = u1 + x; …`."""
    source = "u1 = x^2; " + "; ".join(f"u{k + 1} = u{k} + x" for k in range(1, statements))
    start = perf_counter()
    assert len(str(cr.derive(source, verify="off"))) > 100 * statements
    return perf_counter() - start


def test_thousands_of_statements_take_time_in_proportion() -> None:
    seconds(100)
    # Eight times the statements in less than sixteen times the time; the best of a few runs.
    assert min(seconds(4000) for _ in range(2)) < 16 * min(seconds(500) for _ in range(3))


def test_an_answer_that_takes_too_long_to_compare_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chainrule.checking.task.PATIENCE", 0.2)
    long = "log10(" + "*".join("classxyz" * 20) + ")"
    start = perf_counter()
    assert cr.check(long, "2*q").status in ("wrong", "undecided")
    assert perf_counter() - start < 5
    assert cr.check("gamma(x + 111)", "gamma(x + 111)*digamma(x + 111)").correct
    monkeypatch.setattr("chainrule.checking.task.PATIENCE", 1e-9)
    assert cr.check("x*exp(x^2)", "(1 + 2*x^2)*exp(x^2)").status == "undecided"
