"""A limit of time bounds simplification and verification; what was cut short says so."""

from __future__ import annotations

import json
from pathlib import Path
from time import perf_counter

import pytest

import chainrule as cr
from chainrule.checking.question import question_of
from chainrule.cli import main
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


# ------------------------------------------------------------------------ what ends in time

SLOW = "*".join(f"gamma(x + {i})" for i in range(60))


@pytest.mark.parametrize("timeout", [0.3, 1.0])
@pytest.mark.parametrize(
    "text",
    [
        SLOW,
        SHARED,
        "erf(" * 12 + "x" + ")" * 12,
        "+".join(f"sin({i}*x)^{i % 7 + 1}" for i in range(1, 300)),
        "A: matrix(30, 30); trace(expm(A))",
        "x: vector(500); sum(softmax(x) .* x) + norm(x)",
    ],
)
def test_verification_ends_in_time(text: str, timeout: float) -> None:
    start = perf_counter()
    found = cr.derive(text, timeout=timeout)
    derived = perf_counter()
    status = found.verification.status
    assert status in ("verified", "unverified")
    assert perf_counter() - max(derived, start + timeout) < 1.5
    for method in found.verification.methods:
        assert method.status == "verified" or method.detail


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("*".join(f"x{i}" for i in range(300)), "2*x"),
        ("+".join(f"x{i}*x{i + 1}*sin(x{i + 2})" for i in range(200)), "2*x"),
        ("1/(1+exp(-" * 15 + "x" + "))" * 15, "2*x"),
        (SLOW, "x*exp(x)*ln(x+1)/gamma(x+3)"),
    ],
)
def test_why_an_answer_is_wrong_is_looked_for_in_time(text: str, answer: str) -> None:
    start = perf_counter()
    assert cr.check(text, answer, timeout=0.5).status in ("wrong", "undecided")
    assert perf_counter() - start < 3


def test_a_worked_derivation_ends_in_time() -> None:
    line = "= " + "+".join(f"gamma(x + {i})*sin({i}*x)" for i in range(30))
    text = "\n".join(["y = x^2", "dy/dx = 2x", *([line] * 100)])
    start = perf_counter()
    worked = cr.check_steps(text, timeout=0.5)
    assert perf_counter() - start < 4
    assert worked.data.lines[1].status == "right"
    late = worked.data.lines[-1]
    assert (late.status, late.problem) == ("undecided", "the time for it ran out")
    assert "the time for it ran out" in str(worked)


def test_a_table_ends_in_time() -> None:
    rows = "\n".join(["1,x^2,x,2x", *(f"{i},{SLOW},x,{i}*x" for i in range(2, 40))])
    start = perf_counter()
    found = cr.check_batch(rows, timeout=0.3, total=0.8)
    assert perf_counter() - start < 4
    assert [row.status for row in found][::38] == ["right", "undecided"]
    assert "the time for the table ran out" in cr.batch_as(found, "text")
    assert "the time for the table ran out" in cr.batch_as(found, "csv")


def test_an_undecided_row_says_why() -> None:
    found = cr.check_batch("1,x*exp(x^2),x,(1 + 2*x^2)*exp(x^2)", timeout=1e-9)
    assert [row.status for row in found] == ["undecided"]
    assert "the time for it ran out" in cr.batch_as(found, "text")


def test_what_was_cut_short_is_taken_up_again_for_the_next_answer() -> None:
    program = cr.parse("x*exp(x^2)")
    question = question_of(program, ("x",), seconds=10)
    question.latest = 0.0
    assert question.check("2*x").status == "undecided"
    question.latest = float("inf")
    assert question.check("(1 + 2*x^2)*exp(x^2)").status == "right"


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_every_timeout_is_a_positive_number(timeout: float) -> None:
    for call in (
        lambda: cr.check("x^2", "2*x", timeout=timeout),
        lambda: cr.check_steps("y = x^2", timeout=timeout),
        lambda: cr.check_batch("1,x^2,x,2x", timeout=timeout),
        lambda: cr.check_batch("1,x^2,x,2x", total=timeout),
        lambda: cr.hessian("x^2*y", timeout=timeout),
    ):
        with pytest.raises(cr.UsageError, match="timeout"):
            call()


def test_timeouts_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, steps = tmp_path / "t.csv", tmp_path / "s.txt"
    table.write_text("1,x^2,x,2x\n")
    steps.write_text("y = x^2\ndy/dx = 2x\n")
    assert main(["check", "--batch", str(table), "--timeout", "30", "--total", "60"]) == 0
    assert main(["check", "--steps", str(steps), "--timeout", "30"]) == 0
    assert main(["check", "--steps", str(steps), "--timeout", "1e-9"]) == 1
    assert main(["check", "--batch", str(table), "--total", "1e-9"]) == 1
    assert "the time for the table ran out" in capsys.readouterr().out
    assert main(["check", "x^2", "2*x", "--total", "5"]) == 2
    assert "--batch" in capsys.readouterr().err
