"""The linear map on every edge, of every row, against numbers that read no map.

Nothing here knows a name: each row is given arguments of all shapes that it takes. A map is
right when its `push` is the limit of difference quotients, its `pull` the adjoint of `push`,
its `matrix` the Jacobian, and when all that holds of the gradient again.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from row_forms import M, all_forms, cases, draw, finite, point, run, sizes

from chainrule.core import arrays
from chainrule.core.accumulate import edge, gradient, tangents
from chainrule.core.expr import Const, Expr, Sym, apply, symbol
from chainrule.core.ops import Operator
from chainrule.core.shape import Shape
from chainrule.core.table.abstract import function

STEP, CLOSE = M.mpf(10) ** -22, 1e-26


def norm(value: Any) -> Any:
    return max((abs(v) for v in np.asarray(value, dtype=object).flat), default=M.zero)


def assert_close(a: Any, b: Any, what: Any) -> None:
    assert a.shape == b.shape, what
    assert norm(a - b) <= CLOSE * (1 + norm(a) + norm(b)), (what, a, b)


def moved(values: Mapping[str, Any], name: str, direction: Any, by: Any) -> dict[str, Any]:
    return {**values, name: values[name] + by * direction}


def slope(root: Expr, values: Mapping[str, Any], name: str, direction: Any) -> Any:
    """The derivative in a direction, by numbers alone."""
    sides = [run([root], moved(values, name, direction, s * STEP))[0] for s in (1, -1)]
    return np.asarray((sides[0] - sides[1]) / (2 * STEP), dtype=object)


@pytest.mark.parametrize("row", cases())
def test_a_value_has_the_shape_of_its_node(row: Operator) -> None:
    if row.shape is None:
        return
    for node, rng in all_forms(row):
        values = point(node, rng)
        given = [a if isinstance(a, Const) else values[a.name] for a in node.args]  # type: ignore[attr-defined]
        given = [M.mpf(a.value) if isinstance(a, Const) else a for a in given]
        value = np.asarray(row.mpmath(M, *given), dtype=object)
        assert value.shape == sizes(node.shape), node


@pytest.mark.parametrize("row", cases())
def test_push_is_the_limit_of_difference_quotients_and_pull_its_adjoint(row: Operator) -> None:
    for node, rng in all_forms(row):
        values = point(node, rng)
        g = symbol("g", node.shape)
        values["g"] = draw(rng, node.shape, -1, 1)
        for slot, argument in enumerate(node.args):
            if not isinstance(argument, Sym):
                continue
            dx = symbol("dx", argument.shape)
            values["dx"] = draw(rng, argument.shape, -1, 1)
            local = edge(node, slot)
            assert (local.domain, local.codomain) == (argument.shape, node.shape), node
            pushed, pulled = local.push(dx), local.pull(g)
            assert (pushed.shape, pulled.shape) == (node.shape, argument.shape), (node, slot)
            there, back = run([pushed, pulled], values)
            assert finite(there) and finite(back), (node, slot)
            expected = slope(node, values, argument.name, values["dx"])
            assert_close(there, expected, (node, slot, "push"))
            left = np.sum(there * values["g"])
            right = np.sum(back * values["dx"])
            assert_close(np.asarray(left), np.asarray(right), (node, slot, "pull"))


@pytest.mark.parametrize("row", cases())
def test_the_matrix_is_the_jacobian(row: Operator) -> None:
    for node, rng in all_forms(row):
        values = point(node, rng)
        for slot, argument in enumerate(node.args):
            if not isinstance(argument, Sym):
                continue
            matrix = edge(node, slot).matrix()
            if len(argument.shape) > 1 or len(node.shape) > 1:
                assert matrix is None, (node, slot)
                continue
            assert matrix is not None, (node, slot)
            columns: list[Any] = []
            unit = np.full(sizes(argument.shape), M.zero, dtype=object)
            for place in np.ndindex(unit.shape):
                one = unit.copy()
                one[place] = M.one
                columns.append(slope(node, values, argument.name, one))
            expected = np.stack(columns, axis=-1)
            wide = (*node.shape, *argument.shape)
            if argument.shape and not node.shape:  # a row
                wide = (1, *wide)
            assert matrix.shape == wide, (node, slot)
            (claimed,) = run([matrix], values)
            assert_close(claimed, expected.reshape(sizes(wide)), (node, slot))


@pytest.mark.parametrize("row", cases())
def test_the_gradient_can_be_differentiated_again(row: Operator) -> None:
    for node, rng in all_forms(row):
        values = point(node, rng)
        leaves = [a for a in node.args if isinstance(a, Sym) and row.rule(0) != "no rule"]
        if not leaves:
            continue
        w = symbol("w", node.shape)
        values["w"] = draw(rng, node.shape, -1, 1)
        # The entries' squares, so that what is linear has a second derivative too.
        y = arrays.dot(w, node * node) if node.shape else w * node * node
        slopes = gradient(y, leaves)
        chosen = rng.choice(leaves)
        v = symbol("v", chosen.shape)
        values["v"] = draw(rng, chosen.shape, -1, 1)
        expected = [slope(s, values, chosen.name, values["v"]) for s in slopes]
        pushed = run(tangents(slopes, {chosen: v}), values)
        if not all(map(finite, [*expected, *pushed])):
            assert row.kinks(*node.args) or row.smooth(*node.args), node
            continue
        for leaf, there, truth in zip(leaves, pushed, expected, strict=True):
            assert_close(there, truth, (node, leaf, "forward over reverse"))
        product = arrays.dot(slopes[leaves.index(chosen)], v)
        twice = run(gradient(product, leaves), values)
        for leaf, there, truth in zip(leaves, twice, expected, strict=True):
            assert_close(there, truth, (node, leaf, "reverse over reverse"))


SIGNATURES: list[tuple[Shape, Shape]] = [
    ((), ("m",)), (("n",), ()), (("n",), ("m",)), ((1,), (3,)), (("n",), (1,)), ((), ("m", "n")),
    (("m", "n"), ()),
]  # fmt: skip


@pytest.mark.parametrize(("domain", "codomain"), SIGNATURES)
def test_declared_functions_of_arrays(domain: Shape, codomain: Shape) -> None:
    f = function("f", 1, shapes=(domain,), result=codomain)
    x = symbol("a0", domain)
    node = apply(f, x)
    assert node.shape == codomain
    rng = random.Random(f"{domain}{codomain}")
    dx, g = symbol("dx", domain), symbol("g", codomain)
    values = {s.name: draw(rng, s.shape, -1, 1) for s in (x, dx, g)}
    local = edge(node, 0)
    pushed, pulled = local.push(dx), local.pull(g)
    assert (pushed.shape, pulled.shape) == (codomain, domain)
    there, back = run([pushed, pulled], values)
    assert_close(there, slope(node, values, "a0", values["dx"]), "push")
    left, right = np.sum(there * values["g"]), np.sum(back * values["dx"])
    assert_close(np.asarray(left), np.asarray(right), "pull")


def test_a_function_of_a_vector_has_a_hessian() -> None:
    f = function("f", 1, shapes=(("n",),), result=())
    x, v = symbol("a0", ("n",)), symbol("v", ("n",))
    (first,) = gradient(apply(f, x), [x])
    (second,) = tangents([first], {x: v})
    rng = random.Random(1)
    values = {s.name: draw(rng, s.shape, -1, 1) for s in (x, v)}
    assert_close(run([second], values)[0], slope(first, values, "a0", values["v"]), "hessian")
