"""Sparsity and colors of columns: everything can be told apart again."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule import symbolic as sym
from chainrule.core.errors import ShapeError, UsageError
from chainrule.core.expr import symbol

Place = tuple[int, int]

PLACES = st.integers(1, 9).flatmap(
    lambda n: st.tuples(
        st.just(n), st.sets(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)))
    )
)


def _products(matrix: dict[Place, int], directions: list[list[int]], n: int) -> list[list[int]]:
    return [
        [sum(matrix.get((i, j), 0) * d[j] for j in range(n)) for i in range(n)] for d in directions
    ]


@given(PLACES, st.booleans())
def test_every_entry_is_recovered(case: tuple[int, set[Place]], symmetric: bool) -> None:
    n, places = case
    if symmetric:
        places = places | {(j, i) for i, j in places}
    matrix = {(i, j): 1 + min(i, j) * n + max(i, j) for i, j in places}
    coloring = sym.color_columns(sorted(places), n, symmetric=symmetric)
    assert coloring.count <= n
    assert coloring.entries(_products(matrix, coloring.directions(), n)) == matrix


def _banded(n: int, width: int) -> list[Place]:
    return [(i, j) for i in range(n) for j in range(n) if abs(i - j) <= width]


def _arrow(n: int) -> list[Place]:
    return [(i, j) for i in range(n) for j in range(n) if i == j or n - 1 in (i, j)]


def _grid(n: int) -> list[Place]:
    """The five-point stencil on n by n points."""
    return [
        (i * n + j, k * n + m)
        for i in range(n) for j in range(n) for k, m in
        ((i, j), (i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1)) if 0 <= k < n and 0 <= m < n
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("places", "columns", "plain", "symmetric"),
    [
        (_banded(40, 0), 40, 1, 1),
        (_banded(40, 1), 40, 3, 3),  # a path of four needs three
        (_banded(40, 2), 40, 5, 5),
        (_arrow(40), 40, 40, 2),
        (_grid(12), 144, 9, 9),  # at least 5, and greedy takes a few more
        (_banded(6, 6), 6, 6, 6),
        ([], 3, 1, 1),
    ],
    ids=["diagonal", "tridiagonal", "pentadiagonal", "arrow", "grid", "dense", "zero"],
)
def test_numbers_of_colors(places: list[Place], columns: int, plain: int, symmetric: int) -> None:
    assert sym.color_columns(places, columns).count <= plain
    assert sym.color_columns(places, columns, symmetric=True).count <= symmetric


def test_a_long_arrow_takes_linear_time() -> None:
    n = 30_000
    places = [*((i, i) for i in range(n)), *((0, i) for i in range(1, n))]
    places += [(i, 0) for i in range(1, n)]
    start = time.process_time()
    assert sym.color_columns(places, n, symmetric=True).count == 2
    assert time.process_time() - start < 5


def test_the_hessian_from_three_products() -> None:
    x = sym.symbols([f"x{i}" for i in range(200)])
    y = sum((1 - a) ** 2 + 100 * (b - a**2) ** 2 for a, b in pairwise(x))
    slopes = sym.gradient(y, x)
    places = sym.sparsity(slopes, x)
    direct = sym.hessian(y, x, sparse=True)
    assert places == sorted(direct)
    coloring = sym.color_columns(places, len(x), symmetric=True)
    assert coloring.count == 3
    found = coloring.entries([sym.jvp(slopes, x, d) for d in coloring.directions()])
    at = {"x0": 0.5, "x1": -1.25, "x2": 2.0, "x3": 0.75}
    for i, j in [(0, 0), (0, 1), (1, 1), (2, 1), (2, 2)]:
        assert _value(found[i, j], at) == pytest.approx(_value(direct[i, j], at))


def _value(e: sym.Expr, at: dict[str, float]) -> float:
    from test_symbolic import M, values

    inputs = {symbol(name): M.mpf(value) for name, value in at.items()}
    return float(values([e], inputs)[0])


def test_sparsity_is_linear_in_a_long_sum() -> None:
    """The sets below a sum grow, and are never copied."""
    x = sym.symbols([f"x{i}" for i in range(20_000)])
    y = x[0]
    for a in x[1:]:
        y = y + a * a
    start = time.process_time()
    assert len(sym.sparsity([y], x)) == len(x)
    assert time.process_time() - start < 2


@given(st.data())
def test_sparsity_holds_every_entry(data: st.DataObject) -> None:
    nodes = list(sym.symbols("s1 s2 s3 s4"))
    xs = nodes[:]
    for _ in range(data.draw(st.integers(0, 12))):
        a, b = (nodes[data.draw(st.integers(0, len(nodes) - 1))] for _ in "ab")
        nodes.append(data.draw(st.sampled_from([a * b, a + b, sym.sin(a), a - b])))
    ys = [nodes[data.draw(st.integers(0, len(nodes) - 1))] for _ in range(3)]
    assert {*sym.jacobian(ys, xs, sparse=True)} <= {*sym.sparsity(ys, xs)}
    twice = sym.sparsity(ys, [*xs, xs[0]])
    assert [(i, 0) for i, j in twice if j == 4] == [(i, j) for i, j in twice if j == 0]


def test_refusals() -> None:
    with pytest.raises(UsageError, match="not symmetric"):
        sym.color_columns([(0, 1)], 2, symmetric=True)
    with pytest.raises(UsageError, match="outside"):
        sym.color_columns([(0, 2)], 2)
    with pytest.raises(ShapeError):
        sym.sparsity([symbol("v", ("n",))], [symbol("x")])
