"""The folding constructors of arrays keep value and shape, whatever they are given."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
from row_forms import M, draw, run, sizes

import chainrule.core.table
from chainrule.core import arrays
from chainrule.core.accumulate import cotangents, gradient, jacobian, sum_of, tangents
from chainrule.core.arithmetic import div, mul, neg, size
from chainrule.core.errors import ShapeError, UnsupportedError
from chainrule.core.expr import ONE, ZERO, Expr, Sym, apply, const, symbol, topological
from chainrule.core.ops import lookup
from chainrule.syntax.parser import parse

assert chainrule.core.table

s, x, y = symbol("s"), symbol("x", ("m",)), symbol("y", ("n",))
A, B, S = symbol("A", ("m", "n")), symbol("B", ("n", "m")), symbol("S", ("n", "n"))
ROW, COLUMN = symbol("R", (1, "n")), symbol("C", ("m", 1))


def made() -> list[Expr]:
    """Arrays of every kind that the constructors know."""
    transposed = lookup("transpose")
    plain = [
        x, y, A, B, S, ROW, COLUMN, arrays.ones(("n",)), arrays.ones(("m", "n")),
        arrays.ones((1, "n")), arrays.ones(("n", 1)), arrays.ones((1,)), arrays.zeros(("n",)),
        arrays.zeros(("n", "n")), arrays.eye("n"), arrays.eye(1), arrays.unit("n", const(1)),
        apply(lookup("diag"), y), apply(lookup("outer"), x, y), apply(lookup("outer"), y, y),
        apply(lookup("outer"), arrays.ones(("m",)), y), apply(transposed, A), apply(transposed, y),
        apply(transposed, apply(transposed, y)), y.T @ S, A @ y, S @ S, B @ A, A.T @ A,
        (y.T @ S) @ S.T, apply(lookup("outer"), y, arrays.ones((1,))), symbol("t", (1,)),
        symbol("T", (1, 1)), x @ y.T,
    ]  # fmt: skip
    return [*plain, neg(y), mul(s, S), div(A, s), neg(div(mul(const(2), S), size("n")))]


def apply_as_is(name: str, *args: Expr) -> Expr | None:
    try:
        return apply(lookup(name), *args)
    except (ShapeError, UnsupportedError):
        return None


FOLDED: list[tuple[str, int, Callable[..., Expr]]] = [
    ("transpose", 1, arrays.transpose), ("matmul", 2, arrays.matmul), ("dot", 2, arrays.dot),
    ("outer", 2, arrays.outer), ("sum", 1, arrays.total), ("trace", 1, arrays.trace),
    ("diag", 1, arrays.diag), ("diagonal", 1, arrays.diagonal), ("mul", 2, arrays.hadamard),
]  # fmt: skip


def assert_same(folded: Expr, plain: Expr, what: Any) -> None:
    assert folded.shape == plain.shape, what
    rng = random.Random(str(what))
    leaves = [n for n in topological([folded, plain]) if isinstance(n, Sym)]
    values = {n.name: draw(rng, n.shape, 0.2, 0.9) for n in leaves if n.name not in ("m", "n")}
    left, right = run([folded, plain], values)
    assert np.all(abs(np.asarray(left - right, dtype=object)) < M.mpf(10) ** -40), what


@pytest.mark.parametrize(("name", "count", "fold"), FOLDED, ids=[f[0] for f in FOLDED])
def test_a_fold_is_the_operation(name: str, count: int, fold: Callable[..., Expr]) -> None:
    compared = 0
    for args in product(made(), repeat=count):
        plain = apply_as_is(name, *args)
        if plain is not None:
            assert_same(fold(*args), plain, (name, *args))
            compared += 1
    assert compared > 5


def test_sums_over_an_axis() -> None:
    for a in made():
        for axis in range(len(a.shape)):
            plain = apply(lookup("sum"), a, const(axis))
            assert_same(arrays.total(a, axis), plain, (a, axis))


def test_rows_as_columns() -> None:
    for a in made():
        if len(a.shape) == 2 and a.shape[0] == 1:
            plain = apply(lookup("index"), a, ZERO)
            assert_same(arrays.column(a), plain, a)


def test_what_a_person_writes() -> None:
    u = symbol("u", ("m",))
    one = arrays.ones(("n",))
    assert arrays.column(u.T @ A) is A.T @ u
    assert arrays.matmul(arrays.ones((1, "n")), y) is arrays.total(y)
    assert arrays.matmul(A, one) is arrays.total(A, 1)
    assert arrays.matmul(arrays.transpose(B), one) is arrays.total(B, 0)
    assert arrays.matmul(arrays.ones((1, "n")), arrays.diag(y)) is arrays.transpose(y)
    assert arrays.matmul(arrays.diag(y), y) is mul(y, y)
    assert arrays.scaled(div(const(-2), size("n")), mul(const(3), y)) is mul(
        div(const(-6), size("n")), y
    )
    assert sum_of([A.T, A.T]) is mul(const(2), A.T)
    assert sum_of([A, neg(A)]) is arrays.zeros(("m", "n"))


def test_gradients_read_as_in_a_textbook() -> None:
    program = parse("X: matrix(N, d); w: vector(d); y: vector(N); mean((X @ w - y)^2)")
    (loss,) = program.written_out().values()
    X, w, y = (program.symbol(n) for n in ("X", "w", "y"))
    residual = X @ w - y
    assert gradient(loss, [w]) == [mul(div(const(2), size("N")), X.T @ residual)]
    assert gradient(loss, [X]) == [
        mul(div(const(2), size("N")), apply(lookup("outer"), residual, w))
    ]
    v = symbol("v", w.shape)
    (direction,) = tangents(gradient(loss, [w]), {w: v})
    assert direction is mul(div(const(2), size("N")), X.T @ (X @ v))
    assert jacobian(gradient(loss, [w])[0], w) is mul(div(const(2), size("N")), X.T @ X)


def test_a_deep_chain() -> None:
    y = symbol("y", ("n",))
    z: Expr = y
    for _ in range(10_000):
        z = apply(lookup("tanh"), S @ z)
    found = cotangents([arrays.total(z)], [ONE], [y, S])
    assert found[y].shape == ("n",) and found[S].shape == ("n", "n")


def test_a_long_product_of_rows() -> None:
    row: Expr = y.T
    for _ in range(3000):
        row = row @ S
    assert gradient(row @ y, [y])[0].shape == ("n",)
    assert arrays.transpose(arrays.transpose(row)).shape == row.shape


def test_no_shape_is_too_small() -> None:
    for node in made():
        assert sizes(node.shape) == run([node], {
            n.name: draw(random.Random(0), n.shape, 0.2, 0.9)
            for n in topological([node]) if isinstance(n, Sym) and n.name not in ("m", "n")
        })[0].shape  # fmt: skip
