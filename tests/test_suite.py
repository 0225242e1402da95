"""Expressions as people and other systems write them: how each is read, and its derivative.

`cases/suite.jsonl` has a line for each: the text; `reading`, the outputs with every bracket
written, or `error`; `warnings` where there are two readings.
"""

from __future__ import annotations

import json
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

import chainrule as cr
from chainrule.checking.numbers import at_point
from chainrule.core.errors import ChainruleError
from chainrule.core.expr import Expr, free_symbols, substitute, symbol
from chainrule.core.program import Program
from chainrule.render.text import text
from chainrule.syntax.parser import parse, parse_expression

CASES = [
    json.loads(line)
    for line in Path(__file__).with_name("cases").joinpath("suite.jsonl").read_text().splitlines()
]
READ = [case for case in CASES if "reading" in case]
REFUSED = [case for case in CASES if "error" in case]
OTHER_WAYS: tuple[dict[str, Any], ...] = (
    {"style": "total"},
    {"style": "backprop"},
    {"granularity": "fine"},
    {"max_paths": 1},
)
POINTS = (0.7, 0.35, 1.8, -0.4, -1.6, 2.9)


def outputs(program: Program) -> list[Expr]:
    """The outputs over the variables, intermediates substituted."""
    found: dict[Expr, Expr] = {}
    for name, expression in program.assignments:
        found[symbol(name)] = substitute([expression], found)[0]
    return [found[symbol(name)] for name in program.outputs]


def derivation(case: dict[str, Any], **options: Any) -> cr.Derivation:
    options = {"latex_input": case.get("latex"), "verify": "numeric", **options}
    return cr.derive(case["text"], case.get("wrt", ""), **options)


def test_there_are_many_of_them() -> None:
    assert len(READ) > 260
    assert len(REFUSED) > 30


@pytest.mark.parametrize("case", READ, ids=lambda case: case["text"])
def test_reading(case: dict[str, Any]) -> None:
    program = parse(case["text"], latex=case.get("latex"))
    for output, reading in zip_longest(outputs(program), case["reading"]):
        assert output is parse_expression(reading, latex=False)
    assert [n.message for n in program.notices] == case.get("warnings", [])
    assert list(program.variables) == case.get("by", [])
    assert program.order == case.get("order", 1)


@pytest.mark.parametrize("case", READ, ids=lambda case: case["text"])
def test_derivative(case: dict[str, Any]) -> None:
    d = derivation(case)
    assert d.verification.status == "verified"
    for row in d.result.entries:
        for entry in row:
            assert parse_expression(text(entry)) is entry
    counts = {u.name: {u.name: 1} for u in d.data.intermediates}
    for name in d.data.variables:
        counts[name] = {name: 1}
    for edge in d.edges:
        for below, count in counts[edge.by].items():
            counts[edge.of][below] = counts[edge.of].get(below, 0) + count
    if case.get("order", 1) == 1:
        for output, by_variable in d.data.path_count.items():
            for variable, count in by_variable.items():
                assert counts[output].get(variable, 0) == count


@pytest.mark.parametrize("case", READ[::4], ids=lambda case: case["text"])
def test_every_way_gives_the_same_value(case: dict[str, Any]) -> None:
    entries = [e for row in derivation(case).result.entries for e in row]
    for options in OTHER_WAYS:
        others = [
            e for row in derivation(case, verify="off", **options).result.entries for e in row
        ]
        names = sorted({s.name for s in free_symbols([*entries, *others])})
        for i in range(len(POINTS)):
            point = {n: POINTS[(i + k) % len(POINTS)] for k, n in enumerate(names)}
            for a, b in zip_longest(at_point(entries, point), at_point(others, point)):
                if a is None or b is None:  # no real number
                    assert a is b, (options, point)
                else:
                    assert a == pytest.approx(b, rel=1e-9), (options, point)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case["text"])
def test_refused(case: dict[str, Any]) -> None:
    with pytest.raises(ChainruleError) as caught:
        parse(case["text"], latex=case.get("latex"))
    assert caught.value.message == case["error"]
