"""The NumPy templates of rows over arrays, and what all templates keep: the dtype, calm, shapes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from row_forms import all_forms, cases, point, run, sizes

from chainrule.core.expr import Apply, Const, apply, symbol
from chainrule.core.ops import Operator, lookup

EXTREME = (1e4, -1e4, 0.0)


def by_rank(node: Apply) -> bool:
    """What depends on the ranks of operands is written by the lowering, not by a template."""
    ranks = [len(a.shape) for a in node.args]
    if node.op.notation == "transpose":
        return ranks == [1]
    if node.op.notation == "matmul":
        return (ranks == [2, 1] and node.args[0].shape[0] == 1) or ranks == [1, 2]
    return False


def filled(node: Apply, dtype: str) -> str:
    """The template with its fields filled in, as lines of code; the last one is the value."""
    names = [
        str(a.value) if isinstance(a, Const) else a.name  # type: ignore[attr-defined]
        for a in node.args
    ]
    numbers = [a.value for a in node.args if isinstance(a, Const)]
    ranges = zip(numbers[::2], numbers[1::2], strict=False)
    pairs = len(names) - len(names) % 2
    return node.op.numpy.format(
        *names,
        args=", ".join(n for n, a in zip(names, node.args, strict=True) if a.shape or not numbers),
        axis=f"axis={numbers[0]}" if numbers else "",
        shape=sizes(node.shape),
        places=", ".join(map(str, numbers)),
        ranges=", ".join(f"{a}:{b}" for a, b in ranges),
        dtype=dtype,
        h0="h0",
        h1="h1",
        choices=", ".join(names[0:pairs:2]),
        conditions=", ".join(f"{name} != 0" for name in names[1::2]),
        default=names[-1] if len(names) % 2 else "np.nan",
    )


def computed(node: Apply, values: dict[str, Any], dtype: str = "np.float64") -> Any:
    scope = {"np": np, "math": math, **values}
    if "scipy" in node.op.numpy:
        scope["scipy"] = pytest.importorskip("scipy")
        pytest.importorskip("scipy.special")
        pytest.importorskip("scipy.linalg")
    *lines, last = filled(node, dtype).split("\n")
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        for line in lines:
            exec(line, scope)
        return eval(last, scope)


def floats(values: dict[str, Any], dtype: Any) -> dict[str, Any]:
    return {name: np.asarray(v, dtype=dtype) for name, v in values.items()}


@pytest.mark.parametrize("row", cases())
def test_a_template_computes_the_value_in_its_shape(row: Operator) -> None:
    compared = 0
    for node, rng in all_forms(row):
        if by_rank(node) or (row.shape is not None and row.notation in ("filled", "unit")):
            compared += 1
            continue
        values = floats(point(node, rng), float)
        (expected,) = run([node], values)
        found = np.asarray(computed(node, values))
        assert found.shape == sizes(node.shape) or row.shape is None, node
        np.testing.assert_allclose(found.astype(float), expected.astype(float), 1e-11, 1e-13)
        compared += 1
    assert compared


@pytest.mark.parametrize("row", cases())
def test_float32_stays_float32(row: Operator) -> None:
    for node, rng in all_forms(row):
        if by_rank(node) or not node.shape:
            continue
        values = floats(point(node, rng), np.float32)
        found = computed(node, values, "np.float32")
        assert found.dtype in (np.float32, np.bool_), (node, found.dtype)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_logits(name: str, dtype: Any) -> None:
    for shape in ((3,), (2, 3)):
        node = apply(lookup(name), symbol("z", shape))
        z = np.broadcast_to(np.array(EXTREME, dtype=dtype), shape)
        found = computed(node, {"z": z})
        (expected,) = run([node], {"z": z.astype(float)})
        np.testing.assert_allclose(found, expected.astype(float), 1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_losses_at_the_extremes(dtype: Any) -> None:
    z, y = symbol("z", (2, 3)), symbol("y", (2, 3))
    logits = np.array([EXTREME, EXTREME], dtype=dtype)
    labels = np.eye(3, dtype=dtype)[[0, 1]]
    loss = computed(apply(lookup("cross_entropy"), z, y), {"z": logits, "y": labels})
    assert loss == dtype(1e4)  # the first is certain and right, the second as wrong as can be
    p, t = symbol("p", (4,)), symbol("t", (4,))
    node = apply(lookup("binary_cross_entropy"), p, t)
    sure = {"p": np.array([0, 1, 0.5, 1], dtype=dtype), "t": np.array([0, 1, 1, 1], dtype=dtype)}
    assert computed(node, sure) == pytest.approx(math.log(2) / 4)
    wrong = {**sure, "t": 1 - sure["t"]}
    assert math.isfinite(computed(node, wrong))
