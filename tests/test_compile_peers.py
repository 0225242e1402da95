"""Gradients of twelve networks agree with torch, which shares nothing with the generated code."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import chainrule as cr

torch: Any = pytest.importorskip("torch")

NETWORKS = [
    ([5, 4, 3], "relu", "cross_entropy"),
    ([5, 8, 6, 3], "tanh", "cross_entropy"),
    ([5, 8, 6, 3], "sigmoid", "cross_entropy"),
    ([5, 8, 6, 3], "gelu", "cross_entropy"),
    ([5, 8, 6, 3], "silu", "mse"),
    ([5, 8, 6, 3], "elu", "mse"),
    ([5, 8, 6, 3], "softplus", "mse"),
    ([5, 8, 6, 3], "leaky_relu", "mse"),
    ([5, 8, 6, 4], "tanh", "binary_cross_entropy"),
    ([5, 8, 6, 4], "relu", "binary_cross_entropy"),
    ([5, *[7] * 12, 3], "tanh", "cross_entropy"),
    ([5, 3], "relu", "mse"),
]


def program(sizes: list[int], activation: str, loss: str) -> tuple[str, list[str]]:
    text = f"A0: matrix(N, {sizes[0]}); Y: matrix(N, {sizes[-1]})\n"
    names = []
    for i, (rows, columns) in enumerate(pairwise(sizes), 1):
        text += f"W{i}: matrix({rows}, {columns}); b{i}: vector({columns})\n"
        names += [f"W{i}", f"b{i}"]
    call = "leaky_relu(Z{i}, 0.01)" if activation == "leaky_relu" else f"{activation}(Z{{i}})"
    last = len(sizes) - 1
    for i in range(1, last + 1):
        text += f"Z{i} = A{i - 1} @ W{i} + b{i}\n"
        text += "" if i == last else f"A{i} = {call.format(i=i)}\n"
    out = f"sigmoid(Z{last})" if loss == "binary_cross_entropy" else f"Z{last}"
    return f"{text}loss = {loss}({out}, Y)", names


def by_torch(values: dict[str, Any], names: list[str], activation: str, loss: str) -> Any:
    F = torch.nn.functional
    given = {n: torch.tensor(v, requires_grad=n in names) for n, v in values.items()}
    a = given["A0"]
    layers = len(names) // 2
    for i in range(1, layers + 1):
        a = a @ given[f"W{i}"] + given[f"b{i}"]
        if i < layers:
            a = getattr(torch if activation in ("tanh", "sigmoid") else F, activation)(a)
    value = {
        "mse": F.mse_loss,
        "cross_entropy": F.cross_entropy,
        "binary_cross_entropy": F.binary_cross_entropy_with_logits,
    }[loss](a, given["Y"])
    value.backward()
    return value.item(), {n: given[n].grad.numpy() for n in names}


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-5)])
@pytest.mark.parametrize(("sizes", "activation", "loss"), NETWORKS)
def test_networks(
    sizes: list[int], activation: str, loss: str, dtype: Any, tolerance: float
) -> None:
    text, names = program(sizes, activation, loss)
    step = cr.compile(text, names, dtype=dtype)
    rng = np.random.default_rng(len(sizes))
    values = {
        leaf.name: rng.normal(size=[9 if d == "N" else int(d) for d in leaf.shape]).astype(dtype)
        for leaf in step.schedule.lowered.inputs
    }
    for name in names:  # as networks begin: each layer keeps the size of its input
        values[name] /= np.sqrt(values[name].shape[0], dtype=dtype)
    values["Y"] = np.eye(sizes[-1], dtype=dtype)[rng.integers(0, sizes[-1], 9)]
    found, grads = step(**values)
    wanted, slopes = by_torch(values, names, activation, loss)
    assert abs(found - wanted) <= tolerance * max(1, abs(wanted))
    for name in names:
        assert grads[name].dtype == dtype
        scale = np.max(np.abs(slopes[name]))
        assert np.max(np.abs(grads[name] - slopes[name])) <= tolerance * scale
