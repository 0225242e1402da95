"""One step of a network, loss and gradients of all parameters, in every way there is.

Each contender is a function build(problem) -> step; step() -> (loss, [gradients]) or, for
ours, (loss, {name: gradient}).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from harness import Skip

# name -> (sizes, activation, loss, batch)
CASES: dict[str, tuple[list[int], str, str, int]] = {
    **{f"mlp-{n}": ([784, 512, 256, 10], "relu", "ce", n) for n in (32, 128, 1024)},
    **{f"deep-{n}": ([128] * 21, "tanh", "mse", n) for n in (32, 128, 1024)},
    "wide-256": ([2048, 4096, 4096, 10], "relu", "ce", 256),
    **{f"tiny-{n}": ([2, 3, 1], "sigmoid", "mse", n) for n in (1, 32)},
    "logistic": ([1000, 1], "none", "bce", 100_000),
    "linear": ([1000, 1], "none", "mse", 100_000),
}
Step = Callable[[], Any]


class Problem:
    """The arrays of a case, the same in every process."""

    def __init__(self, case: str, dtype: str) -> None:
        self.case, self.dtype = case, np.dtype(dtype)
        self.sizes, self.activation, self.loss, self.batch = CASES[case]
        rng = np.random.default_rng(0)

        def draw(*shape: int) -> Any:
            return rng.random(shape, dtype=self.dtype.type) - self.dtype.type(0.5)

        self.X = draw(self.batch, self.sizes[0])
        last = self.sizes[-1]
        if self.loss == "ce":
            self.labels = rng.integers(0, last, self.batch)
            self.Y = np.eye(last, dtype=self.dtype)[self.labels]
        elif self.loss == "bce":
            self.Y = rng.integers(0, 2, (self.batch, 1)).astype(self.dtype)
        else:
            self.Y = draw(self.batch, last)
        shapes = list(zip(self.sizes[:-1], self.sizes[1:], strict=True))
        self.W = [draw(*s) * self.dtype.type((12 / s[0]) ** 0.5) for s in shapes]
        self.b = [draw(s[1]) for s in shapes]
        self.params = [a for pair in zip(self.W, self.b, strict=True) for a in pair]
        self.names = [f"{kind}{i + 1}" for i in range(len(self.W)) for kind in "Wb"]


# ---- NumPy


def floor(p: Problem) -> Step:
    """The products alone: X W forward, X' D for every layer, D W' for all but the first."""
    A = [p.X] + [np.ones((p.batch, n), p.dtype) for n in p.sizes[1:]]
    D = [np.ones_like(a) for a in A]
    G = [np.empty_like(w) for w in p.W]

    def step() -> Any:
        for i, w in enumerate(p.W):
            np.matmul(A[i], w, out=A[i + 1])
        for i in reversed(range(len(p.W))):
            np.matmul(A[i].T, D[i + 1], out=G[i])
            if i:
                np.matmul(D[i + 1], p.W[i].T, out=D[i])
        return 0.0, G

    return step


def naive(p: Problem) -> Step:
    """What a careful student writes: every operation allocates."""
    rows = np.arange(p.batch)

    def step() -> Any:
        A = [p.X]
        for i, (w, b) in enumerate(zip(p.W, p.b, strict=True)):
            z = A[-1] @ w + b
            if i < len(p.W) - 1:
                if p.activation == "relu":
                    z = np.maximum(z, 0)
                elif p.activation == "tanh":
                    z = np.tanh(z)
                elif p.activation == "sigmoid":
                    z = 1 / (1 + np.exp(-z))
            A.append(z)
        if p.loss == "ce":
            e = np.exp(z - z.max(axis=1, keepdims=True))
            q = e / e.sum(axis=1, keepdims=True)
            loss = -np.log(q[rows, p.labels]).mean()
            d = (q - p.Y) / p.batch
        elif p.loss == "bce":
            loss = np.mean(np.logaddexp(0, z) - p.Y * z)
            d = (1 / (1 + np.exp(-z)) - p.Y) / p.batch
        else:
            r = z - p.Y
            loss = np.mean(r**2)
            d = 2 * r / r.size
        grads: list[Any] = []
        for i in reversed(range(len(p.W))):
            grads = [A[i].T @ d, d.sum(axis=0), *grads]
            if i:
                d = d @ p.W[i].T
                if p.activation == "relu":
                    d = d * (A[i] > 0)
                elif p.activation == "tanh":
                    d = d * (1 - A[i] ** 2)
                elif p.activation == "sigmoid":
                    d = d * A[i] * (1 - A[i])
        return loss, grads

    return step


def tuned(p: Problem) -> Step:
    """Memory allocated once, out= everywhere, nothing computed that is not needed."""
    one = p.dtype.type
    n, layers = p.batch, len(p.W)
    A = [p.X] + [np.empty((n, k), p.dtype) for k in p.sizes[1:]]
    D = [p.X] + [np.empty((n, k), p.dtype) for k in p.sizes[1:]]
    M = [p.X] + [np.empty((n, k), bool) for k in p.sizes[1:]]
    GW, Gb = [np.empty_like(w) for w in p.W], [np.empty_like(b) for b in p.b]
    grads = [a for pair in zip(GW, Gb, strict=True) for a in pair]
    column, rows = np.empty((n, 1), p.dtype), np.arange(n)
    z, d = A[-1], D[-1]
    scale = one(1 / n if p.loss != "mse" else 2 / z.size)

    def forward() -> None:
        for i in range(layers):
            a = A[i + 1]
            np.matmul(A[i], p.W[i], out=a)
            np.add(a, p.b[i], out=a)
            if i == layers - 1:
                return
            if p.activation == "relu":
                np.maximum(a, 0, out=a)
            elif p.activation == "tanh":
                np.tanh(a, out=a)
            else:
                np.negative(a, out=a)
                np.exp(a, out=a)
                np.add(a, 1, out=a)
                np.reciprocal(a, out=a)

    def slope() -> Any:
        if p.loss == "ce":
            np.maximum.reduce(z, axis=1, keepdims=True, out=column)
            np.subtract(z, column, out=z)
            picked = z[rows, p.labels].sum()
            np.exp(z, out=d)
            np.add.reduce(d, axis=1, keepdims=True, out=column)
            np.divide(d, column, out=d)
            np.log(column, out=column)
            loss = (column.sum() - picked) / n
            np.subtract(d, p.Y, out=d)
        elif p.loss == "bce":  # softplus(z) - y z and its slope from one exp(-|z|)
            np.abs(z, out=d)
            np.negative(d, out=d)
            np.exp(d, out=d)
            np.log1p(d, out=column)
            loss = (column.sum() + np.maximum(z, 0).sum() - np.vdot(p.Y, z)) / n
            np.add(d, 1, out=column)
            np.reciprocal(column, out=column)
            np.multiply(d, column, out=d)
            np.copyto(d, column, where=z > 0)
            np.subtract(d, p.Y, out=d)
        else:
            np.subtract(z, p.Y, out=d)
            loss = np.vdot(d, d) / z.size
        np.multiply(d, scale, out=d)
        return loss

    def backward() -> None:
        for i in reversed(range(layers)):
            g = D[i + 1]
            np.matmul(A[i].T, g, out=GW[i])
            np.add.reduce(g, axis=0, out=Gb[i])
            if not i:
                return
            a, h = A[i], D[i]
            np.matmul(g, p.W[i].T, out=h)
            if p.activation == "relu":
                np.greater(a, 0, out=M[i])
                np.multiply(h, M[i], out=h)
            else:
                if p.activation == "tanh":
                    np.multiply(a, a, out=a)
                else:
                    np.multiply(h, a, out=h)
                np.subtract(1, a, out=a)
                np.multiply(h, a, out=h)

    def step() -> Any:
        forward()
        loss = slope()
        backward()
        return loss, grads

    return step


# ---- frameworks


def _logits(p: Problem, lib: Any, params: Any) -> Any:
    """The same formula for every library that looks like NumPy."""
    z = p.X
    for i in range(len(p.W)):
        z = z @ params[2 * i] + params[2 * i + 1]
        if i < len(p.W) - 1:
            if p.activation == "relu":
                z = lib.maximum(z, 0)
            elif p.activation == "tanh":
                z = lib.tanh(z)
            else:
                z = 1 / (1 + lib.exp(-z))
    return z


def hips_autograd(p: Problem) -> Step:
    """HIPS autograd."""
    import autograd.numpy as anp
    from autograd import value_and_grad

    def loss(params: Any) -> Any:
        z = _logits(p, anp, params)
        if p.loss == "ce":
            z = z - anp.max(z, axis=1, keepdims=True)
            return anp.mean(anp.log(anp.sum(anp.exp(z), axis=1)) - anp.sum(z * p.Y, axis=1))
        if p.loss == "bce":
            return anp.mean(anp.logaddexp(0, z) - p.Y * z)
        return anp.mean((z - p.Y) ** 2)

    f = value_and_grad(loss)
    return lambda: f(p.params)


def torch_eager(p: Problem) -> Step:
    """PyTorch, with its fused losses."""
    import torch
    import torch.nn.functional as F

    X, Y = torch.from_numpy(p.X), torch.from_numpy(p.Y)
    params = [torch.from_numpy(a).requires_grad_() for a in p.params]
    labels = torch.from_numpy(p.labels) if p.loss == "ce" else None
    functions = {"relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "none": None}
    activation = functions[p.activation]

    def step() -> Any:
        z = X
        for i in range(len(p.W)):
            z = torch.addmm(params[2 * i + 1], z, params[2 * i])
            if i < len(p.W) - 1:
                z = activation(z)
        if p.loss == "ce":
            value = F.cross_entropy(z, labels)
        elif p.loss == "bce":
            value = F.binary_cross_entropy_with_logits(z, Y)
        else:
            value = F.mse_loss(z, Y)
        return value, torch.autograd.grad(value, params)

    return step


def jax_jit(p: Problem) -> Step:
    """JAX, compiled."""
    os.environ["JAX_PLATFORMS"] = "cpu"
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    def loss(params: Any, X: Any, Y: Any) -> Any:
        z = X
        for i in range(len(p.W)):
            z = z @ params[2 * i] + params[2 * i + 1]
            if i < len(p.W) - 1:
                if p.activation == "relu":
                    z = jnp.maximum(z, 0)
                else:
                    z = jnp.tanh(z) if p.activation == "tanh" else 1 / (1 + jnp.exp(-z))
        if p.loss == "ce":
            return -jnp.mean(jnp.sum(jax.nn.log_softmax(z) * Y, axis=1))
        if p.loss == "bce":
            return jnp.mean(jax.nn.softplus(z) - Y * z)
        return jnp.mean((z - Y) ** 2)

    f = jax.jit(jax.value_and_grad(loss))
    args = [jnp.asarray(a) for a in p.params], jnp.asarray(p.X), jnp.asarray(p.Y)
    return lambda: jax.block_until_ready(f(*args))


def pytensor_function(p: Problem) -> Step:
    """PyTensor, compiled."""
    import pytensor
    import pytensor.tensor as pt

    pytensor.config.floatX = p.dtype.name
    params = [pytensor.shared(a, f"p{i}") for i, a in enumerate(p.params)]
    z = _logits(p, pt, params)
    if p.loss == "ce":
        loss = -pt.mean(pt.sum(pt.special.log_softmax(z, axis=1) * p.Y, axis=1))
    elif p.loss == "bce":
        loss = pt.mean(pt.softplus(z) - p.Y * z)
    else:
        loss = pt.mean((z - p.Y) ** 2)
    f = pytensor.function([], [loss, *pytensor.grad(loss, params)], trust_input=True)

    def step() -> Any:
        value, *grads = f()
        return value, grads

    return step


# ---- ours


def _program(p: Problem) -> str:
    lines = [f"X: matrix(N, {p.sizes[0]})", f"Y: matrix(N, {p.sizes[-1]})"]
    for i, (a, b) in enumerate(zip(p.sizes[:-1], p.sizes[1:], strict=True), 1):
        lines += [f"W{i}: matrix({a}, {b})", f"b{i}: vector({b})"]
    layer = "X"
    for i in range(1, len(p.sizes)):
        lines.append(f"Z{i} = {layer} @ W{i} + b{i}")
        layer = f"Z{i}"
        if i < len(p.sizes) - 1:
            lines.append(f"A{i} = {p.activation}(Z{i})")
            layer = f"A{i}"
    loss = {
        "ce": "cross_entropy({}, Y)",
        "bce": "binary_cross_entropy(sigmoid({}), Y)",
        "mse": "mse({}, Y)",
    }[p.loss]
    return "\n".join([*lines, f"loss = {loss.format(layer)}"])


def _ours(p: Problem, bound: bool, **options: bool) -> Step:
    import chainrule

    function: Any = chainrule.compile(_program(p), wrt=p.names, dtype=p.dtype.name)
    if bound:
        function = function.bind(batch=p.batch, **options)
    arguments = dict(zip(p.names, p.params, strict=True)) | {"X": p.X, "Y": p.Y}
    return lambda: function(**arguments)


def readable(p: Problem) -> Step:
    """The generated module as people read it."""
    return _ours(p, False)


def bound(p: Problem) -> Step:
    """The preallocated form."""
    return _ours(p, True)


def bound_fast_tanh(p: Problem) -> Step:
    """The preallocated form with the faster tanh."""
    if p.activation != "tanh":
        raise Skip("no tanh")
    return _ours(p, True, fast_tanh=True)
