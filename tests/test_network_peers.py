"""Gradients of networks agree with those of an independent library for automatic differentiation.

The library (autograd, of HIPS) knows NumPy's functions alone; every network is written out anew
here, from its definition and not from chainrule's program.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr

autograd = pytest.importorskip("autograd")
anp: Any = pytest.importorskip("autograd.numpy")
special: Any = pytest.importorskip("autograd.scipy.special")

Arrays = dict[str, Any]


def sigmoid(z: Any) -> Any:
    return special.expit(z)


ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "identity": lambda z: z,
    "relu": lambda z: z * (z > 0),
    "leaky_relu": lambda z: anp.where(z > 0, z, 0.01 * z),
    "leaky_relu(0.3)": lambda z: anp.where(z > 0, z, 0.3 * z),
    "tanh": anp.tanh,
    "sigmoid": sigmoid,
    "elu": lambda z: anp.where(z > 0, z, anp.expm1(z)),
    "gelu": lambda z: z * (1 + special.erf(z / anp.sqrt(2))) / 2,
    "silu": lambda z: z * sigmoid(z),
    "softplus": lambda z: anp.logaddexp(0, z),
}
LOSSES: dict[str, Callable[[Any, Any], Any]] = {
    "mse": lambda a, y: anp.mean((a - y) ** 2),
    "squared_error": lambda a, y: anp.mean(anp.sum((a - y) ** 2, axis=1)),
    "binary_cross_entropy": lambda z, y: (
        -anp.mean(y * anp.log(sigmoid(z)) + (1 - y) * anp.log(sigmoid(-z)))
    ),
    "cross_entropy": lambda z, y: (
        -anp.mean(anp.sum(y * (z - special.logsumexp(z, axis=1, keepdims=True)), axis=1))
    ),
}


def written_anew(
    sizes: list[int], activations: list[str], loss: str, l2: float
) -> Callable[[Arrays, Any, Any], Any]:
    def value(parameters: Arrays, X: Any, Y: Any) -> Any:
        a = X
        penalty = 0.0
        for number, f in enumerate(activations, 1):
            W, b = parameters[f"W{number}"], parameters[f"b{number}"]
            a = ACTIVATIONS[f](anp.dot(a, W) + b)
            penalty = penalty + anp.sum(W**2)
        assert len(activations) == len(sizes) - 1
        return LOSSES[loss](a, Y) + l2 / 2 * penalty

    return value


def targets(loss: str, batch: int, outputs: int, rng: np.random.Generator) -> Any:
    if loss == "cross_entropy":
        return np.eye(outputs)[rng.integers(0, outputs, batch)]
    if loss == "binary_cross_entropy":
        return rng.integers(0, 2, (batch, outputs)).astype(float)
    return rng.standard_normal((batch, outputs))


# sizes, hidden activations, activation of the last layer, loss, l2, batch
NETWORKS: list[tuple[list[int], list[str], str, str, float, int]] = [
    ([5, 1], [], "identity", "mse", 0.0, 7),
    ([6, 1], [], "identity", "binary_cross_entropy", 0.03, 9),
    ([4, 3], [], "identity", "cross_entropy", 0.0, 1),
    ([3, 3, 2, 1], ["sigmoid", "sigmoid"], "sigmoid", "squared_error", 0.0, 1),
    ([2, 3, 1], ["tanh"], "identity", "mse", 0.1, 32),
    ([20, 30, 15, 10], ["relu", "relu"], "identity", "cross_entropy", 1e-3, 16),
    ([7, 8, 9, 4], ["leaky_relu", "elu"], "identity", "cross_entropy", 0.0, 5),
    ([7, 6, 5, 2], ["gelu", "silu"], "tanh", "mse", 0.0, 8),
    ([4, 5, 5, 5, 3], ["softplus", "leaky_relu(0.3)", "identity"], "identity",
     "squared_error", 0.02, 6),
    ([3, 4, 4, 2], ["silu", "gelu"], "identity", "binary_cross_entropy", 0.5, 1),
    ([8] * 12 + [3], ["tanh"] * 11, "identity", "cross_entropy", 0.0, 10),
    ([5, 16, 16, 16, 1], ["elu", "softplus", "relu"], "softplus", "mse", 1e-4, 11),
]  # fmt: skip


@pytest.mark.parametrize("network", NETWORKS, ids=lambda n: f"{'-'.join(map(str, n[0]))}-{n[3]}")
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-5)])
def test_gradients_agree(
    network: tuple[list[int], list[str], str, str, float, int], dtype: str, tolerance: float
) -> None:
    sizes, hidden, last, loss, l2, batch = network
    net = cr.mlp(sizes, hidden, loss, l2, output=last)
    rng = np.random.default_rng(sum(sizes) + batch)
    parameters = net.initial(rng, dtype=dtype)
    for name in parameters:
        if name.startswith("b"):
            parameters[name] = rng.standard_normal(parameters[name].shape).astype(dtype)
    X = rng.standard_normal((batch, sizes[0])).astype(dtype)
    Y = targets(loss, batch, sizes[-1], rng).astype(dtype)

    found, gradients = net.compile(dtype)(X=X, Y=Y, **parameters)

    # The library computes in double precision from the same (rounded) numbers.
    exact = {name: value.astype(float) for name, value in parameters.items()}
    value = written_anew(sizes, [*hidden, last], loss, l2)
    right, slopes = autograd.value_and_grad(value)(exact, X.astype(float), Y.astype(float))
    assert abs(found - right) <= tolerance * max(1.0, abs(right))
    assert set(gradients) == set(net.parameters)
    for name in net.parameters:
        assert gradients[name].dtype == np.dtype(dtype)
        assert gradients[name].shape == net.shapes[name]
        error = np.linalg.norm(gradients[name] - slopes[name])
        assert error <= tolerance * np.linalg.norm(slopes[name]), name


def test_there_are_twelve_of_them_and_each_activation_and_loss_is_among_them() -> None:
    assert len(NETWORKS) == 12
    assert {f for _, hidden, last, *_ in NETWORKS for f in (*hidden, last)} == set(ACTIVATIONS)
    assert {loss for *_, loss, _, _ in NETWORKS} == set(LOSSES)
