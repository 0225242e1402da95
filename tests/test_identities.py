"""Identities of matrix calculus as the tables give them, by values and against numbers alone."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from row_forms import M

from chainrule.checking.array_values import evaluate
from chainrule.core import arrays
from chainrule.core.accumulate import cotangents, gradient, jacobian, tangents
from chainrule.core.errors import UnsupportedError
from chainrule.core.expr import Expr, Sym, symbol, topological
from chainrule.core.shape import Shape, size_of
from chainrule.syntax.parser import parse

FILE = Path(__file__).parent / "cases" / "matrix_identities.jsonl"
CASES = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
SIZES = {"m": 4, "n": 3, "k": 2, "d": 3, "N": 5}
STEP, CLOSE = M.mpf(10) ** -22, 1e-26

Case = dict[str, Any]


def by_kind(*kinds: str) -> list[Any]:
    return [pytest.param(c, id=c["id"]) for c in CASES if c["kind"] in kinds]


def read(case: Case, text: str) -> Expr:
    program = parse(f"{case['declare']}; {text}")
    return list(program.written_out().values())[-1]


def variable(case: Case) -> Sym:
    return parse(f"{case['declare']}; {case['function']}").symbol(case["wrt"])


def values(case: Case, *roots: Expr) -> dict[str, Any]:
    rng = random.Random(case["id"])
    positive = case.get("positive", "").split(",")
    found: dict[str, Any] = {}
    for node in topological(roots):
        if not isinstance(node, Sym) or (node.name in SIZES and not node.shape):
            continue
        shape = tuple(size_of(d, SIZES) for d in node.shape)
        entries = np.empty(shape, dtype=object)
        for place in np.ndindex(*shape):
            entry = rng.uniform(0.2, 0.8)
            if f"-{node.name}" in positive:
                entry = -entry
            elif node.name not in positive:
                entry *= rng.choice((1, -1))
            entries[place] = M.mpf(repr(entry))
        if len(shape) == 2 and shape[0] == shape[1]:  # far from singular, determinant above 0
            entries = entries + 3 * np.eye(shape[0], dtype=int).astype(object)
        found[node.name] = entries if shape else entries.item()
    return found


def run(roots: list[Expr], given: dict[str, Any]) -> list[Any]:
    return [np.asarray(v, dtype=object) for v in evaluate(roots, given, SIZES, M)]


def assert_close(a: Any, b: Any) -> None:
    assert a.shape == b.shape
    largest = max((abs(v) for v in [*a.flat, *b.flat]), default=0)
    assert max(abs(v) for v in (np.asarray(a - b, dtype=object)).flat) <= CLOSE * (1 + largest)


def directional(y: Expr, given: dict[str, Any], name: str, direction: Any) -> Any:
    """The derivative along a direction, by numbers alone."""
    above, below = (
        run([y], {**given, name: given[name] + s * STEP * direction})[0] for s in (1, -1)
    )
    return np.asarray((above - below) / (2 * STEP), dtype=object)


def shape_of(x: Sym) -> Shape:
    return tuple(size_of(d, SIZES) for d in x.shape)


def test_there_are_enough() -> None:
    assert len(CASES) >= 60
    assert len({(c["declare"], c["function"], c["wrt"], c["kind"]) for c in CASES}) == len(CASES)


@pytest.mark.parametrize("case", by_kind("gradient"))
def test_gradient(case: Case) -> None:
    x, y, expected = variable(case), read(case, case["function"]), read(case, case["result"])
    (found,) = gradient(y, [x])
    given = values(case, y, x, expected)
    here, there = run([found, expected], given)
    assert_close(here, there)
    numbers = np.empty(shape_of(x), dtype=object)
    for place in np.ndindex(*numbers.shape):
        one = np.full(numbers.shape, M.zero, dtype=object)
        one[place] = M.one
        numbers[place] = directional(y, given, x.name, one).item()
    assert_close(here, numbers)


@pytest.mark.parametrize("case", by_kind("jacobian", "hessian"))
def test_jacobian_and_hessian(case: Case) -> None:
    x, y, expected = variable(case), read(case, case["function"]), read(case, case["result"])
    if case["kind"] == "hessian":
        (y,) = gradient(y, [x])
    given = values(case, y, x, expected)
    v, w = symbol("v", x.shape), symbol("w_", y.shape)
    given |= {"v": values(case, v)["v"], "w_": values(case, w)["w_"]}
    pushed = tangents([y], {x: v})
    pulled = cotangents([y], [w], [x])[x]
    there, back, matrix = run([*pushed, pulled, expected], given)
    assert_close(there, matrix @ given["v"])
    assert_close(back, matrix.T @ given["w_"])
    assert_close(there, directional(y, given, x.name, given["v"]))
    try:
        found = jacobian(y, x)
    except UnsupportedError:
        assert any(len(node.shape) == 2 for node in topological([y]))
    else:
        assert_close(run([found], given)[0], matrix)


@pytest.mark.parametrize("case", by_kind("directional"))
def test_directional_derivative(case: Case) -> None:
    x, y, expected = variable(case), read(case, case["function"]), read(case, case["result"])
    direction = symbol("H" if len(x.shape) == 2 else "h", x.shape)
    given = values(case, y, x, expected, direction)
    (found,) = tangents([y], {x: direction})
    here, there = run([found, expected], given)
    assert_close(here, there)
    assert_close(here, directional(y, given, x.name, given[direction.name]))
    assert arrays.is_zero(tangents([y], {symbol("elsewhere", x.shape): direction})[0])
