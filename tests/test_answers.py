"""Answers: right ones are called right, wrong ones wrong, and the mistake is named."""

from __future__ import annotations

import io
import json
import statistics
import time
from pathlib import Path
from typing import Any

import answer_pairs
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import chainrule as cr
from chainrule.checking.answer import Verdict
from chainrule.checking.answer_text import head_of
from chainrule.checking.mistakes import TABLE
from chainrule.checking.numbers import evaluate
from chainrule.checking.question import check_answer
from chainrule.cli import main
from chainrule.core.errors import DomainError
from chainrule.render import verdict as words
from chainrule.render.mistake_words import SENTENCES
from chainrule.syntax.parser import parse

CASES = [
    json.loads(line)
    for line in (Path(__file__).parent / "cases" / "answers.jsonl").read_text("utf-8").splitlines()
]


def checked(program: str, answer: str, **options: Any) -> Verdict:
    return check_answer(parse(program), answer, **options)


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['program']} -> {c['answer']}")
def test_verdict_and_kind_of_mistake(case: dict[str, Any]) -> None:
    verdict = checked(case["program"], case["answer"])
    assert verdict.status == case["status"]
    if case["status"] == "wrong":
        kind = verdict.diagnosis.kind if verdict.diagnosis else "-"
        assert kind in case["kinds"], words.message(verdict, verdict.diagnosis)  # type: ignore[arg-type]


def test_the_table_has_enough_of_everything() -> None:
    wrong = [c for c in CASES if c["status"] == "wrong"]
    named = {kind for c in wrong for kind in c["kinds"]}
    assert len(CASES) >= 350
    assert len(CASES) - len(wrong) >= 100
    assert len(named) >= 30


def test_every_mistake_has_its_sentence() -> None:
    assert {m.kind for m in TABLE} <= set(SENTENCES)


@pytest.mark.parametrize("case", [c for c in CASES if c["status"] == "wrong"][::3],
                         ids=lambda c: f"{c['program']} -> {c['answer']}")  # fmt: skip
def test_counterexamples_hold_by_an_independent_way(case: dict[str, Any]) -> None:
    """The right value at the point is the difference quotient of the function there."""
    verdict = checked(case["program"], case["answer"])
    entry = verdict.wrong_entry
    if entry is None or entry.counterexample is None:
        assert verdict.problem
        return
    c = entry.counterexample
    assert c.given_number is None or abs(c.given_number - c.right_number) > 1e-9
    d = verdict.derivation
    if len(entry.variables) == 1 and set(c.point) == {"x"} and len(d.functions) == 1:
        (x,) = evaluate([c.point["x"]], {}, digits=50)
        up, down = (evaluate([d.functions[0]], {"x": x + h})[0] for h in (1e-12, -1e-12))
        assert float((up - down) / 2e-12) == pytest.approx(c.right_number, rel=1e-6, abs=1e-9)


# ---- words


def test_the_message_names_the_edge_and_the_path() -> None:
    verdict = cr.check("x*exp(x^2)", "exp(x^2) + x*exp(x^2)")
    assert verdict.message == (
        "the factor du1/dx = 2*x is missing from the path y <- u2 <- u1 <- x"
    )
    assert "At x = -1 the derivative is 3*e = 8.15485…, the answer gives 0." in str(verdict)


def test_a_mistake_that_is_none_of_the_table_is_not_guessed() -> None:
    verdict = cr.check("(x^3*x + 3x)*(2x^2 - 1)", "(9*x^2 + 3) + 6*x")
    assert verdict.diagnosis is None
    assert "None of the typical mistakes" in str(verdict)


def test_two_mistakes_on_one_path_and_on_two() -> None:
    nested = checked("sin(x^2)^3", "3cos(x^2)^2*2x").diagnosis
    assert nested is not None and nested.second is not None
    apart = checked("sin(3x) + x^4", "cos(3x) + 4x^4").diagnosis
    assert apart is not None and apart.second is not None
    assert {apart.kind, apart.second.kind} == {"factor missing", "exponent not lowered"}


def test_habit_is_told_as_one() -> None:
    found = checked("sin(2x)*cos(3x)", "cos(2x)cos(3x) - sin(2x)sin(3x)").diagnosis
    assert found is not None and found.throughout


@pytest.mark.parametrize("kind", sorted(SENTENCES))
def test_sentences_have_balanced_slots(kind: str) -> None:
    for sentence in SENTENCES[kind]:
        assert sentence.count("{") == sentence.count("}")
        assert sentence.count("`") % 2 == 0
        assert not sentence.endswith(".")


# ---- remarks, layouts, notations


def test_smaller_domain_is_a_remark() -> None:
    verdict = checked("x^2/2", "sqrt(x)^2")
    assert verdict.correct
    assert [r.kind for r in verdict.remarks] == ["domain"]
    assert checked("ln(x)", "1/|x|").correct  # equal where the function is defined


@pytest.mark.parametrize(
    ("left", "of", "by", "order"),
    [
        ("y'", "y", "", 1), ("f''(x)", "f", "", 2), ("dy/dx", "y", "x", 1),
        ("d^2y/dx^2", "y", "x", 2), (r"\frac{dy}{dx}", "y", "x", 1),
        (r"\frac{\partial f}{\partial y}", "f", "y", 1), ("∂f/∂y", "f", "y", 1),
        (r"\frac{\mathrm{d}y}{\mathrm{d}x}", "y", "x", 1), ("f_x", "f", "x", 1),
        (r"\dfrac{d}{dx} f(x)", "f", "x", 1), ("f'(x)", "f", "", 1), ("df/dt", "f", "t", 1),
        (r"f^{\prime}(x)", "f", "", 1), (r"\nabla f(x, y)", "", "", 1), ("y", "y", "", 0),
    ],
)  # fmt: skip
def test_heads(left: str, of: str, by: str, order: int) -> None:
    head = head_of(left, ("x",))
    assert head is not None
    assert (head.of, head.by, head.order) == (of, by, order)


@pytest.mark.parametrize("left", ["2x", "x^2 + 1", "x", "sin(x)", "x'y + 1", "x y"])
def test_expressions_are_no_heads(left: str) -> None:
    assert head_of(left, ("x",)) is None


def test_layouts() -> None:
    program, answer = "[x^2*y, x + y]", "[2xy, 1; x^2, 1]"
    either = checked(program, answer)
    assert either.correct and either.remarks[0].kind == "transposed"
    strict = checked(program, answer, layout="numerator")
    assert not strict.correct and strict.problem == "transposed"
    oblong = checked("[x*y, x + y, x]", "[y, 1, 1; x, 1, 0]")
    assert oblong.correct and oblong.remarks[0].kind == "transposed"
    assert checked("[x*y, x + y, x]", "[y, x; 1, 1]").problem == "shape"


def test_the_answer_says_which_derivative() -> None:
    assert checked("x^2*y", "df/dy = x^2").correct
    assert checked("x^3", "d^2y/dx^2 = 6x").correct
    assert checked("x^3", "6x", order=2).correct
    assert not checked("x^3", "3x^2", order=2).correct


def test_notation_of_an_ambiguous_fraction_is_told() -> None:
    found = checked("sqrt(x)", "1/2sqrt(x)").diagnosis
    assert found is not None and found.kind == "reading"


def test_nowhere_defined_answer_is_wrong() -> None:
    assert checked("x^2", "ln(-1)*x").status == "wrong"
    assert checked("x*ln(x)", "ln(-x) + 1").status == "wrong"


def test_large_values_that_cancel_decide_nothing() -> None:
    """At x = 159 both formulas are tiny, and what is subtracted is not."""
    assert checked("1/x^2", "-2*((x^(-3) + cosh(x)) - cosh(x))").correct
    assert checked("exp(exp(x - x)^(-2))", "1", variables=("x",)).status == "wrong"


def test_nothing_is_said_where_there_is_no_point() -> None:
    try:
        verdict = checked("sqrt((x - x)*5)", "-1")
    except DomainError:
        return
    assert verdict.status == "undecided"


@pytest.mark.parametrize(
    "answer",
    ["", "=", "2x +", "[", "((", "9^9^9^9", "x" * 30_000, "\\frac{", "sin(", "2x = ", "]["],
)
def test_unusable_answers_are_errors_and_nothing_else(answer: str) -> None:
    try:
        assert checked("x^2", answer).status in ("wrong", "undecided", "right")
    except cr.ChainruleError as error:
        assert error.message


# ---- random pairs


@settings(max_examples=60)
@given(st.integers(0, 2**40))
def test_no_false_verdict_on_random_answers(seed: int) -> None:
    known, said = answer_pairs.judged(seed)
    assume(known)
    assert said in (known, "undecided")


# ---- worked derivations


WORKED = r"""
\begin{align*}
y &= x e^{x^2} \\
\frac{dy}{dx} &= \frac{d}{dx}(x) \cdot e^{x^2} + x \cdot \frac{d}{dx}\left(e^{x^2}\right) \\
 &= e^{x^2} + x e^{x^2} \\
 &= e^{x^2}(1 + x)
\end{align*}
"""


def test_the_first_wrong_line_is_found_and_explained() -> None:
    worked = cr.check_steps(WORKED)
    assert [line.status for line in worked.data.lines] == [
        "definition", "right", "wrong", "follows",
    ]  # fmt: skip
    assert worked.first_wrong == 5
    assert "the factor du1/dx = 2*x is missing" in " ".join(str(worked).split())
    assert json.loads(worked.json())["first_wrong"] == 5


def test_right_lines_follow() -> None:
    worked = cr.check_steps(
        "u = x^2\ny = exp(u)\ndu/dx = 2x\ndy/du = exp(u)\ndy/dx = dy/du * du/dx = 2x exp(x^2)"
    )
    assert worked.correct
    quotient = "f(x) = x^2/(x+1)\nf'(x) = ((x^2)'(x+1) - x^2 (x+1)')/(x+1)^2\n= (x^2+2x)/(x+1)^2"
    assert cr.check_steps(quotient).correct


def test_lines_that_cannot_be_read_do_not_stop_the_rest() -> None:
    worked = cr.check_steps("y = x^2\nso we find\nq = = 2\ny' = 2x\ny' = 3x")
    assert [line.status for line in worked.data.lines] == [
        "definition", "text", "unreadable", "right", "wrong",
    ]  # fmt: skip


def test_a_whole_latex_document_with_words_between() -> None:
    worked = cr.check_steps(
        "\\documentclass{article}\n\\begin{document}\nLet $y = \\ln(x^2+1)$.\n"
        "The chain rule gives\n\\[ y' = \\frac{2x}{x^2+1}. \\]\n\\end{document}"
    )
    assert [line.status for line in worked.data.lines][-1] == "right"
    assert worked.correct


def test_the_expression_can_be_given_apart() -> None:
    assert cr.check_steps("y' = 2x\n= x + x", "x^2").correct
    assert not cr.check_steps("dy/dx = x", "x^2").correct


# ---- tables and the command line


def table(rows: int) -> str:
    lines = ["id,expression,variable,answer"]
    for i in range(rows):
        case = CASES[i % len(CASES)]
        program, answer = (f'"{case[k]}"' for k in ("program", "answer"))
        lines.append(f"{i},{program},,{answer}")
    return "\n".join(lines)


def test_bad_rows_never_stop_the_rest() -> None:
    rows = cr.check_batch(
        "id,expression,variable,answer\n1,x^2,x,2x\n2,x^,x,2x\n3,x^2,x,\n4\n5,x^2,x,x\n"
        "6,x^2,q q,1\n7,x^2,x,2x"
    )
    assert [r.status for r in rows] == [
        "right", "unusable", "unusable", "unusable", "wrong", "unusable", "right",
    ]  # fmt: skip
    assert rows[1].problem and rows[3].problem


@pytest.mark.parametrize("form", ["text", "csv", "markdown", "json"])
def test_batch_output(form: str) -> None:
    shown = cr.batch_as(cr.check_batch("a,x^2,x,2x\nb,x^2,x,x"), form)
    assert "right" in shown and "wrong" in shown
    if form == "json":
        assert json.loads(shown)["counts"] == {"right": 1, "wrong": 1}


def test_two_hundred_answers_take_less_than_fifty_milliseconds_each() -> None:
    cr.check_batch(table(5))
    times = []
    start = time.perf_counter()

    def note(done: int, of: int) -> None:
        nonlocal start
        now = time.perf_counter()
        times.append(now - start)
        start = now

    cr.check_batch(table(200), note)
    assert len(times) == 200
    assert statistics.median(times) < 0.05


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "x^2", "2*x"]) == 0
    assert main(["check", "x^2", "-2*x"]) == 1
    assert main(["check", "x^2", "2*"]) == 2
    assert main(["check", "x^2"]) == 2
    capsys.readouterr()
    assert main(["check", "x*exp(x^2)", "2*x*exp(x^2)", "--format", "json"]) == 1
    shown = json.loads(capsys.readouterr().out)
    assert shown["schema"] == "chainrule/verdict/1"
    assert shown["entries"][0]["diagnosis"]["kind"] == "product of derivatives"
    assert shown["entries"][0]["counterexample"]["point"] == {"x": "0"}
    steps, batch, out = tmp_path / "w.tex", tmp_path / "a.csv", tmp_path / "out.csv"
    steps.write_text(WORKED, encoding="utf-8")
    assert main(["check", "--steps", str(steps)]) == 1
    batch.write_text("1,x^2,x,2x\n2,x^,x,2", encoding="utf-8")
    assert main(["check", "--batch", str(batch), "-o", str(out)]) == 2
    assert out.read_text("utf-8").splitlines()[1].endswith("right,,")


def test_markdown_and_terminal_show_the_same_verdict() -> None:
    verdict = cr.check("sin(3x)", "cos(3x)")
    assert "$" in verdict.markdown()
    file = io.StringIO()
    verdict.show(file)
    assert file.getvalue().splitlines()[0] == "Wrong: dy/dx = cos(3*x) is not right."
