"""Worked examples of lecture notes, each field of a case against the JSON that users get."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import chainrule as cr
from chainrule.checking.numbers import evaluate
from chainrule.core.expr import free_symbols
from chainrule.core.table.abstract import function
from chainrule.syntax.parser import parse_expression

CASES = [
    json.loads(line)
    for line in (Path(__file__).parent / "cases" / "worked.jsonl").read_text().splitlines()
]


def same_value(a: str, b: str, names: list[str]) -> bool:
    """Whether two texts have the same value at points on both sides of 0."""
    left, right = (parse_expression(t, names=names) for t in (a, b))
    found = sorted({s.name for s in free_symbols([left, right])})
    agreed = 0
    for k in (3, 5, 7, 11, 13, 17):
        values = {
            n: (-1) ** (i + k) * (0.3 + ((k * (i + 2) * 0.37) % 1.9)) for i, n in enumerate(found)
        }
        x, y = evaluate([left, right], values)
        if x is not None and y is not None:
            assert abs(x - y) <= 1e-30 * max(1, abs(x)), (a, b, values)
            agreed += 1
    return agreed >= 2 or not found


def derived(case: dict[str, Any], **options: Any) -> dict[str, Any]:
    return json.loads(cr.derive(case["program"], case["wrt"], **options).json())


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["id"])
def test_worked_example(case: dict[str, Any]) -> None:
    found = derived(case)
    names = [u["name"] for u in found["intermediates"]]

    def read(text: str) -> object:
        return parse_expression(text, names=names)

    if "intermediates" in case:
        assert names == [n for n, _ in case["intermediates"]]
        for u, (_, expected) in zip(found["intermediates"], case["intermediates"], strict=True):
            assert read(u["expression"]) is read(expected)
    if "locals" in case:
        assert [(e["of"], e["by"]) for e in found["local_derivatives"]] == [
            (of, by) for of, by, _ in case["locals"]
        ] or sorted((e["of"], e["by"]) for e in found["local_derivatives"]) == sorted(
            (of, by) for of, by, _ in case["locals"]
        )
        locals_ = {(e["of"], e["by"]): e["expression"] for e in found["local_derivatives"]}
        for of, by, expected in case["locals"]:
            assert read(locals_[of, by]) is read(expected)
    if "paths" in case:
        assert sum(n for row in found["path_count"].values() for n in row.values()) == case["paths"]
        assert len(found["paths"]) == case["paths"]
    if "paths_expand_powers" in case:
        expanded = derived(case, expand_powers=True)
        assert (
            sum(n for r in expanded["path_count"].values() for n in r.values())
            == (case["paths_expand_powers"])
        )
    if "entries" in case:
        got = found["result"]["entries"]
        expected_rows = case["entries"]
        assert [len(r) for r in got] == [len(r) for r in expected_rows]
        for row, expected_row in zip(got, expected_rows, strict=True):
            for a, b in zip(row, expected_row, strict=True):
                assert same_value(a, b, names)
    if "vjp" in case:
        got = derived(case, vjp=[str(w) for w in case["vjp"]])["result"]["entries"]
        assert len(got) == 1
        assert all(same_value(a, b, names) for a, b in zip(got[0], case["vjp_result"], strict=True))
    if "jvp" in case:
        got = derived(case, jvp=case["jvp"])["result"]["entries"]
        assert all(same_value(r[0], b, names) for r, b in zip(got, case["jvp_result"], strict=True))
    for factors in case.get("matrices", ()):
        lines = [line["text"] for step in found["steps"] for line in step["lines"]]
        assert any(" · ".join(factors) in line for line in lines)
    assert found["verification"]["status"] == "verified"


FORMS = [
    # program, the form that a person would write
    ("ln(sin(x^3)^2)", "6*x^2*cos(x^3)/sin(x^3)"),
    ("x*exp(x^2)", "exp(x^2)*(2*x^2 + 1)"),
    ("ln(x^2)", "2/x"),
    ("2*(x^2 + 9)^3", "12*x*(x^2 + 9)^2"),
    ("x^4 + 3x", "4*x^3 + 3"),
    ("1/(1 + exp(-x))", "exp(-x)/(1 + exp(-x))^2"),
    ("sigmoid(x)", "sigmoid(x)*(1 - sigmoid(x))"),
    ("x^x", "x^x*(ln(x) + 1)"),
    ("sqrt(1 + x^2)", "x/sqrt(1 + x^2)"),
    ("abs(x)", "sign(x)"),
    ("99x", "99"),
]


@pytest.mark.parametrize(("program", "form"), FORMS)
def test_form_a_person_would_write(program: str, form: str) -> None:
    assert cr.derive(program, verify="off").expression.replace(" ", "") == form.replace(" ", "")


@pytest.mark.parametrize("style", ["paths", "total", "backprop"])
@pytest.mark.parametrize("granularity", ["textbook", "fine"])
@pytest.mark.parametrize("case", CASES, ids=lambda c: c["id"])
def test_every_style_gives_the_same_value(
    case: dict[str, Any], style: str, granularity: str
) -> None:
    if "abstract" in case:
        pytest.importorskip("chainrule")
    first = derived(case, verify="off")["result"]["entries"]
    other = derived(case, verify="off", style=style, granularity=granularity)["result"]["entries"]
    if "f" in case["program"] or "g" in case["program"]:
        return
    for row, other_row in zip(first, other, strict=True):
        assert all(same_value(a, b, []) for a, b in zip(row, other_row, strict=True))


def test_a_named_function_is_one_row() -> None:
    assert function("f", 2) is function("f", 2, (0, 0))


JOINTS = [
    # program, (at, continuous, smooth, slopes) of each joint
    ("abs(x)", [(0, True, False, (-1.0, 1.0))]),
    ("x*abs(x)", [(0, True, True, (0.0, 0.0))]),
    ("{0 if x == 0, x}", [(0, True, True, (1.0, 1.0))]),
    ("{5 if x == 0, x}", [(0, False, False, (1.0, 1.0))]),
    ("{x^2 if x < 0, x}", [(0, True, False, (0.0, 1.0))]),
    (
        "{1 if x < 2, x^2 if x < 3, 9}",
        [(2, False, False, (0.0, 4.0)), (3, True, False, (6.0, 0.0))],
    ),
    ("relu(2x - 1)", [(Fraction(1, 2), True, False, (0.0, 2.0))]),
    ("floor(x)", []),
    ("max(x, y)", []),
]


@pytest.mark.parametrize(("program", "joints"), JOINTS, ids=[p for p, _ in JOINTS])
def test_what_happens_at_a_kink(program: str, joints: list[Any]) -> None:
    found = cr.derive(program, verify="off").data.joints
    assert [(j.at, j.continuous, j.smooth, j.slopes) for j in found] == joints


def test_a_partial_derivative_is_not_written_as_the_total_one() -> None:
    assert cr.derive("f(x^2, x)", verify="off").expression == (
        "2*x*f'[1,0](x^2, x) + f'[0,1](x^2, x)"
    )


def test_what_is_told_does_not_depend_on_what_was_derived_before() -> None:
    """A commuted product or sum that exists already must not be put in its place."""
    kept = [parse_expression(t) for t in ("t9*u9", "t9 + u9")]
    u, t = cr.symbols("u9, t9")
    assert [str(e) for e in (u * t, u + t)] == ["mul(u9, t9)", "add(u9, t9)"]
    assert kept[0] is not u * t
