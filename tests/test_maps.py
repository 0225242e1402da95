"""The linear map on every edge, of every row, against numbers that read no map.

Nothing here knows a name: each row is given arguments of all shapes that it takes. A map is
right when its `push` is the limit of difference quotients, its `pull` the adjoint of `push`,
its `matrix` the Jacobian, and when all that holds of the gradient again.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest

import chainrule.core.table
from chainrule.checking.array_values import evaluate
from chainrule.checking.numbers import context
from chainrule.core import arrays, ops
from chainrule.core.accumulate import edge, gradient, tangents
from chainrule.core.errors import ShapeError, UnsupportedError
from chainrule.core.expr import Apply, Const, Expr, Sym, apply, const, symbol
from chainrule.core.ops import Operator
from chainrule.core.shape import Shape, size_of
from chainrule.core.table.structural import no_slope

assert chainrule.core.table

M = context(60)
STEP, CLOSE = M.mpf(10) ** -22, 1e-26
SIZES = {"m": 2, "n": 3}
NAMED = {2: "m", 3: "n"}
SHAPES: list[Shape] = [
    (), (1,), (2,), (3,), (1, 1), (1, 3), (3, 1), (2, 1), (1, 2), (2, 3), (3, 2), (3, 3), (2, 2),
]  # fmt: skip
ENTRYWISE: list[Shape] = [(), (1,), (3,), (1, 3), (2, 1), (2, 3)]
MOST = 24  # forms of a row with many
RANGES = ((0.15, 0.85), (1.15, 2.6), (-0.9, 0.9), (-2.6, -1.15))


def candidates(row: Operator, slot: int) -> list[Any]:
    """What may stand in a slot: a shape, or the number of an axis, a place, a dimension."""
    if row.shape is None:
        return [2] if row.rule(slot) == "no rule" else ENTRYWISE
    if row.variadic:
        return SHAPES if slot else [0, 1]
    return [0, 1, 2, 3, (2,)] if row.maps[slot] is no_slope else SHAPES


def arguments(form: Sequence[Any], named: bool) -> tuple[Expr, ...]:
    out: list[Expr] = []
    for slot, given in enumerate(form):
        if isinstance(given, int):
            out.append(const(given))
        else:
            shape = tuple(NAMED.get(d, d) if named else d for d in given)
            out.append(symbol(f"a{slot}", shape))
    return tuple(out)


def accepted(row: Operator, form: Sequence[Any], named: bool) -> Apply | None:
    try:
        return apply(row, *arguments(form, named))
    except (ShapeError, UnsupportedError):
        return None


def forms(row: Operator) -> Iterator[tuple[Any, ...]]:
    """Arguments the row takes, with every number of them."""
    low, high = row.arity
    for count in range(max(low, 1), (3 if high is None else high) + 1):
        pools = [candidates(row, slot) for slot in range(count)]
        found = [f for f in product(*pools) if accepted(row, f, named=False) is not None]
        chosen = random.Random(row.name).sample(found, min(MOST, len(found)))
        yield from chosen


def cases() -> list[Any]:
    return [pytest.param(row, id=row.name) for row in ops.rows() if row.arity[1] != 0]


def sizes(shape: Shape) -> tuple[int, ...]:
    return tuple(size_of(d, SIZES) for d in shape)


def draw(rng: random.Random, shape: Shape, low: float, high: float) -> Any:
    entries = np.empty(sizes(shape), dtype=object)
    for place in np.ndindex(entries.shape):
        entries[place] = M.mpf(repr(rng.uniform(low, high)))
    return entries if shape else entries.item()


def run(roots: Sequence[Expr], values: Mapping[str, Any]) -> list[Any]:
    return [np.asarray(v, dtype=object) for v in evaluate(list(roots), values, SIZES, M)]


def finite(value: Any) -> bool:
    return all(M.isfinite(v) for v in np.asarray(value, dtype=object).flat)


def norm(value: Any) -> Any:
    return max((abs(v) for v in np.asarray(value, dtype=object).flat), default=M.zero)


def assert_close(a: Any, b: Any, what: Any) -> None:
    assert a.shape == b.shape, what
    assert norm(a - b) <= CLOSE * (1 + norm(a) + norm(b)), (what, a, b)


def point(node: Apply, rng: random.Random) -> dict[str, Any]:
    """Values at which the node and its second derivatives are numbers, away from kinks."""
    leaves = [a for a in node.args if isinstance(a, Sym)]
    kinks = [k.where for k in node.op.kinks(*node.args)]
    for attempt in range(400):
        values = {a.name: draw(rng, a.shape, *RANGES[attempt % 4]) for a in leaves}
        if not leaves:
            return values
        there, *hit = run([node, *kinks], values)
        if finite(there) and not any(np.any(h != 0) for h in hit):
            return values
    raise AssertionError(f"{node} is defined at none of the points tried")


def moved(values: Mapping[str, Any], name: str, direction: Any, by: Any) -> dict[str, Any]:
    return {**values, name: values[name] + by * direction}


def slope(root: Expr, values: Mapping[str, Any], name: str, direction: Any) -> Any:
    """The derivative in a direction, by numbers alone."""
    sides = [run([root], moved(values, name, direction, s * STEP))[0] for s in (1, -1)]
    return np.asarray((sides[0] - sides[1]) / (2 * STEP), dtype=object)


def all_forms(row: Operator) -> Iterator[tuple[Apply, random.Random]]:
    seen = False
    for count, form in enumerate(forms(row)):
        named = count % 2 == 1
        node = accepted(row, form, named)
        if node is None:
            node = accepted(row, form, named=False)
        assert node is not None
        seen = True
        yield node, random.Random(f"{row.name}{form}")
    assert seen, f"no arguments were found for {row.name}"


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
