"""Derivations of large programs: linear, in few milliseconds, and still right and readable."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

import chainrule as cr
from chainrule import symbolic as sym
from chainrule.core import interning
from chainrule.core.expr import Expr, symbol
from chainrule.core.program import Program
from chainrule.derivation import edges as pass_one
from chainrule.derivation.cut import LONGEST_PRODUCT, cut
from chainrule.derivation.paths import Graph
from chainrule.derivation.simplify import Simplifier, overlapping, simplify, together
from chainrule.derivation.steps import Edge


def names(n: int) -> list[str]:
    return [f"x{i}" for i in range(n)]


def fresh(n: int) -> list[str]:
    """Names that no other test has: their nodes are made here."""
    return [f"v{i}" for i in range(n)]


def product(n: int) -> tuple[str, list[str]]:
    return "*".join(names(n)), names(n)


def stacked(n: int) -> str:
    rows = [f"u{i + 1} = sin(u{i}) + cos(u{i})" for i in range(n)]
    return "\n".join(["u0 = x", *rows])


def values(document: dict[str, Any], **point: float) -> list[float]:
    """The entries of a JSON document at a point, through its own definitions alone."""
    rows = [f"{d['name']} = {d['expression']}" for d in document.get("definitions", ())]
    entries = [e for row in document["result"]["entries"] for e in row]
    found = []
    for entry in entries:
        d = cr.derive("\n".join([*rows, f"q_0 + ({entry})*q_1"]), ["q_1"], verify="off")
        found.append(float(d(**point, q_0=0.0, q_1=0.0)))
    return found


# ------------------------------------------------------------------------- many variables


def test_a_product_of_64_factors_is_one_operation_and_of_65_is_cut() -> None:
    text, variables = product(LONGEST_PRODUCT)
    short = cr.derive(text, variables, verify="off")
    assert [u.name for u in short.data.intermediates] == ["y"]
    text, variables = product(LONGEST_PRODUCT + 1)
    long = cr.derive(text, variables, verify="off")
    assert len(long.data.intermediates) == LONGEST_PRODUCT
    assert max(len(u.operands) for u in long.data.intermediates) == 2
    assert any("factor by factor" in remark for remark in long.data.remarks)
    assert not any("factor by factor" in remark for remark in short.data.remarks)


def test_a_long_product_is_right_and_its_json_reads_back() -> None:
    text, variables = product(100)
    d = cr.derive(text, variables, verify="numeric")
    assert d.verification.status == "verified"
    point = {name: 1 + i / 1000 for i, name in enumerate(variables)}
    whole = 1.0
    for value in point.values():
        whole *= value
    document = json.loads(d.json())
    names_of = {u["name"] for u in document["intermediates"]}
    for edge in document["local_derivatives"]:
        free = cr.parse(edge["expression"]).assignments[-1][1]
        assert all(s in names_of or s in point for s in map(repr, free.args or [free]))
    for name, found in list(zip(variables, values(document, **point), strict=True))[::33]:
        assert found == pytest.approx(whole / point[name], rel=1e-12)


@pytest.mark.parametrize(
    "text_of",
    [
        lambda n: "*".join(fresh(n)),
        lambda n: " + ".join(f"{x}^2" for x in fresh(n)),
        lambda n: "sqrt(" + " + ".join(f"{x}^2" for x in fresh(n)) + ")",
        lambda n: "ln(" + " + ".join(f"exp({x})" for x in fresh(n)) + ")",
        lambda n: f"max({', '.join(fresh(n))})",
        lambda n: " + ".join(f"100*({b} - {a}^2)^2" for a, b in pairwise(fresh(n))),
    ],
    ids=["product", "squares", "norm", "logsumexp", "max", "rosenbrock"],
)
def test_gradients_in_many_variables_are_linear(text_of: Callable[[int], str]) -> None:
    """In nodes that are made, and in characters that are printed."""
    made, printed = [], []
    for n in (100, 400):
        program = cr.parse(text_of(n))
        before = next(interning.serials)
        d = cr.derive(program, fresh(n), verify="off")
        printed.append(len(d.json()))
        made.append(next(interning.serials) - before)
    assert made[1] < 5 * made[0]
    assert printed[1] < 5 * printed[0]


def test_slopes_of_a_maximum_of_many_add_up_to_one_at_ties() -> None:
    n = 70
    d = cr.derive(f"max({', '.join(names(n))})", names(n), verify="off")
    point = dict.fromkeys(names(n), 0.5) | {"x3": 2.0, "x7": 2.0, "x69": 2.0}
    found = d(**point)
    thirds = {"x3", "x7", "x69"}
    assert all(float(found[x]) == pytest.approx((x in thirds) / 3) for x in names(n))


# ------------------------------------------------------------------------------ many paths


def test_two_to_the_40_paths_are_derived_in_milliseconds_node_by_node() -> None:
    program = cr.parse(stacked(40))
    cr.derive(program, ["x"], verify="off")  # imports, interning
    start = time.process_time()
    d = cr.derive(program, ["x"], verify="off")
    assert time.process_time() - start < 0.2  # it takes a tenth of that on a free machine
    assert d.data.style == "backprop"
    assert d.data.path_count == {"u40": {"x": 2**40}}
    assert any("1,099,511,627,776 paths" in r and "node by node" in r for r in d.data.remarks)
    assert len(d.expression) < 3000  # a product of 40 brackets and the shared parts in them


def test_the_first_paths_that_were_asked_for_are_shown() -> None:
    shown = str(cr.derive(stacked(40), "x", max_paths=3, verify="off"))
    assert "The first 3 paths\n  u40 <- u119 <- u39 <- " in shown
    assert shown.count("u40 <- ") == 3
    assert "1,099,511,627,776 paths, more than the 3 that" in shown
    assert "The first path\n" in str(cr.derive(stacked(40), "x", max_paths=1, verify="off"))
    assert "The first" not in str(cr.derive(stacked(40), "x", max_paths=0, verify="off"))
    assert "The first" not in str(cr.derive(stacked(40), "x", verify="off"))


def test_exact_counts_and_the_first_of_10_to_the_301_paths() -> None:
    d = cr.derive(cr.parse(stacked(1000)), ["x"], verify="off", max_paths=3)
    assert d.data.path_count["u1000"]["x"] == 2**1000
    assert len(d.paths) == 3
    assert all(len(path.nodes) > 1000 for path in d.paths)


def test_counts_from_above_are_those_from_below() -> None:
    rng = random.Random(3)
    order = [f"u{i}" for i in range(40)]
    below = ["x", "z", *order]
    links = [
        Edge(name, by, symbol(by), "")
        for i, name in enumerate(order)
        for by in rng.choices(below[: i + 2], k=rng.randint(1, 3))
    ]
    graph = Graph.of(order, links)
    up = {v: graph.counts(v) for v in ("x", "z")}
    for name in order:
        down = graph.counts_from(name)
        assert [down.get(v, 0) for v in up] == [up[v].get(name, 0) for v in up]
        for v in up:
            assert (name in graph.leading(v)) == (name in up[v])
            assert len(list(graph.paths(name, v))) == up[v].get(name, 0) or up[v][name] > 10**6


# ------------------------------------------------------------------- patterns, shared forms


@pytest.mark.parametrize("text", [
    "x*u9 + sin(x*u10)", "a*ab + ab*a", "sin(x)*sin(x1)*sin(x10)*sin(x2)", "x^x^x^x",
    "(x + z)*(z + x)*(x1 + x2)/(x2 + x10)", "exp(-x^2/2)*exp(-z^2/2)*exp(-w^2/2)",
    "f(x)*f(z) + f(x1)", "max(x, z)*max(z, w)", "{x if x < 1, 2*x}*{z if z < 1, 2*z}",
])  # fmt: skip
@pytest.mark.parametrize("granularity", ["textbook", "fine"])
def test_local_derivatives_by_pattern_are_those_found_one_by_one(
    text: str, granularity: Any
) -> None:
    declared = "a: scalar; ab: scalar; " if "ab" in text else ""
    program = cr.parse(declared + text)
    free = cr.derive(program, verify="off").data.variables
    intermediates = cut(program, free, granularity)
    alone = [e for u in intermediates if u.operands
             for e in pass_one.local_derivatives(u, Simplifier())]  # fmt: skip
    assert list(pass_one.edges(intermediates)) == alone


def test_overlapping_expressions_are_simplified_together_and_equal() -> None:
    x = symbol("x")
    total: Expr = x
    for k in range(2, 120):
        total = total + sym.sin(k * x)
    entries = [total / (total + k) * (2 * x) / (3 * x) for k in range(1, 120)]
    assert overlapping(entries) and not overlapping(entries[:5])
    done = together(entries)
    assert done is not None
    for before, after in list(zip(entries, done, strict=True))[::40]:
        difference = Program("", (("y", (before - after) * symbol("q")),), ("y",))
        d = cr.derive(difference, ["q"], verify="off")
        assert d(x=0.7, q=1.0) == pytest.approx(0, abs=1e-12)
    assert sym.count_operations(done) < sym.count_operations(entries)


def test_what_is_shared_stays_shared_in_a_large_expression() -> None:
    x = symbol("x")
    y: Expr = x
    for _ in range(3000):
        y = y * y + x
    done = simplify(sym.gradient(y, [x])[0])
    assert done.complete
    assert sym.count_operations(done.result) < 30_000


def test_many_branches_are_differentiated_as_one_piecewise() -> None:
    n = 30
    branches = ", ".join(f"{i + 1}*x^{i % 3 + 1} if x < {i}" for i in range(n))
    d = cr.derive(f"{{{branches}, x}}", ["x"], verify="off")
    assert d.expression.count("{") == 1 and d.expression.count(" if ") == n
    assert d(x=6.5) == pytest.approx(8 * 2 * 6.5)
    assert d(x=-1.0) == 1
    assert d(x=100.0) == 1
