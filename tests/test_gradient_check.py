"""Gradients of anybody's code against differences: right ones pass, planted errors are named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.checking.slopes import Loss

Grads = dict[str, Any]


def network(
    X: Any, Y: Any, W1: Any, b1: Any, W2: Any, b2: Any, spoil: Callable[[Grads], None] | None = None
) -> tuple[Any, Grads]:
    z = X @ W1 + b1
    a = np.maximum(z, 0)
    o = a @ W2 + b2
    top = o.max(1, keepdims=True)
    e = np.exp(o - top)
    p = e / e.sum(1, keepdims=True)
    loss = (np.log(e.sum(1)) + top[:, 0] - (o * Y).sum(1)).mean()
    d = (p - Y) / len(X)
    da = d @ W2.T * (z > 0)
    grads = {"W1": X.T @ da, "b1": da.sum(0), "W2": a.T @ d, "b2": d.sum(0)}
    if spoil:
        spoil(grads)
    return loss, grads


def inputs(n: int, d: int, h: int, k: int, dtype: str = "float64") -> dict[str, Any]:
    rng = np.random.default_rng(n + d)
    values = {
        "X": rng.normal(size=(n, d)), "Y": np.eye(k)[rng.integers(0, k, n)],
        "W1": rng.normal(size=(d, h)) / d**0.5, "b1": np.zeros(h),
        "W2": rng.normal(size=(h, k)) / h**0.5, "b2": np.zeros(k),
    }  # fmt: skip
    return {name: v.astype(dtype) for name, v in values.items()}


def narrow(**values: Any) -> tuple[Any, Grads]:
    """A network that computes in single precision, whatever it is given."""
    low: dict[str, Any] = {name: np.asarray(v, "float32") for name, v in values.items()}
    return network(**low)


@pytest.mark.parametrize("method", ["central", "directions"])
@pytest.mark.parametrize(
    ("step", "dtype", "precision", "tolerance"),
    [
        (network, "float64", "float64", 1e-6),
        (network, "float32", "float64", 1e-4),
        (narrow, "float32", "float32", 1e-2),
        (narrow, "float64", "float32", 1e-2),
    ],
)
def test_right_gradients_pass_in_every_precision(
    step: Any, dtype: str, precision: str, tolerance: float, method: Any
) -> None:
    report = cr.check_gradients(step, inputs(8, 5, 4, 3, dtype), method)
    assert report.ok, str(report)
    assert (report.dtype, report.tolerance) == (precision, tolerance)
    assert set(report.errors) == {"W1", "b1", "W2", "b2"}
    assert max(report.errors.values()) <= tolerance


def _double(g: Grads) -> None:
    g["W1"] *= 2


def _turn(g: Grads) -> None:
    g["b2"] *= -1


def _one_entry(g: Grads) -> None:
    g["W2"][2, 1] += 0.01


def _forget_the_mean(g: Grads) -> None:
    g["W2"] *= 8


def _one_row_for_the_sum(g: Grads) -> None:
    g["b2"] = g["b2"][None, :]


def _nan(g: Grads) -> None:
    g["b1"][1] = np.nan


def _transposed(g: Grads) -> None:
    g["W1"] = g["W1"].T


@pytest.mark.parametrize("method", ["central", "directions"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    ("spoil", "name", "words"),
    [
        (_double, "W1", "each entry is 2 times the slope"),
        (_turn, "b2", "the sign is turned"),
        (_one_entry, "W2", "W2[2, 1]: the gradient says"),
        (_forget_the_mean, "W2", "each entry is 8 times the slope"),
        (_one_row_for_the_sum, "b2", "the gradient has the shape (1, 3)"),
        (_nan, "b1", "the gradient is nan at [1]"),
        (_transposed, "W1", "as that of the transpose"),
    ],
    ids=lambda v: getattr(v, "__name__", None),
)
def test_planted_errors_are_named(
    spoil: Any, name: str, words: str, dtype: str, method: Any
) -> None:
    report = cr.check_gradients(
        lambda **v: network(**v, spoil=spoil), inputs(8, 5, 4, 3, dtype), method
    )
    assert not report.ok
    assert [p.name for p in report.parameters if not p.ok] == [name]
    assert report.worst.name == name
    shown = str(report)
    assert "FAILED" in shown and "WRONG" in shown
    if method == "central" or spoil not in (_double, _turn, _forget_the_mean):
        assert words in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_one_wrong_entry_among_many_is_found() -> None:
    def spoil(g: Grads) -> None:
        g["W1"][123, 45] += 0.05

    report = cr.check_gradients(
        lambda **v: network(**v, spoil=spoil), inputs(16, 200, 60, 5), entries=20
    )
    assert not report.ok
    assert report.worst.name == "W1" and report.worst.entry == (123, 45)
    assert report.worst.claimed - report.worst.measured == pytest.approx(0.05, rel=1e-4)
    assert report.worst.directions == 4


def relu(slope_at_zero: float) -> Callable[..., tuple[Any, Grads]]:
    def step(x: Any) -> tuple[Any, Grads]:
        return np.maximum(x, 0).sum(), {"x": np.where(x == 0, slope_at_zero, x > 0)}

    return step


@pytest.mark.parametrize("claimed", [0.0, 0.25, 1.0])
def test_at_a_kink_anything_between_the_slopes_is_right(claimed: float) -> None:
    report = cr.check_gradients(relu(claimed), {"x": np.array([0.0, 1.0, -1.0])})
    assert report.ok, str(report)
    assert report.parameters[0].kinks == 1
    assert "1 kink" in str(report)


@pytest.mark.parametrize("claimed", [-0.5, 1.5])
def test_at_a_kink_anything_else_is_wrong(claimed: float) -> None:
    report = cr.check_gradients(relu(claimed), {"x": np.array([0.0, 1.0, -1.0])})
    found = report.worst
    assert not report.ok and found.entry == (0,)
    assert found.sides == pytest.approx((0.0, 1.0), abs=1e-9)
    assert "0 to the left and 1 to the right" in str(report).replace("e-", "")


@pytest.mark.parametrize("near", [1e-3, 1e-5, -1e-5])
def test_a_kink_nearby_is_left_behind(near: float) -> None:
    right = cr.check_gradients(relu(0.0), {"x": np.array([near])})
    assert right.ok and right.worst.measured == pytest.approx(float(near > 0), abs=1e-6)

    def wrong(x: Any) -> tuple[Any, Grads]:
        return np.maximum(x, 0).sum(), {"x": 0.5 + 0 * x}

    assert not cr.check_gradients(wrong, {"x": np.array([near])}).ok


def test_a_square_gradient_that_is_transposed_is_told_so() -> None:
    rng = np.random.default_rng(3)
    A, B = rng.normal(size=(2, 3, 3))
    report = cr.check_gradients(
        lambda X: (np.trace(A @ X @ B @ X.T), {"X": (A.T @ X @ B.T + A @ X @ B).T}),
        {"X": rng.normal(size=(3, 3))},
    )
    assert "X: the gradient is transposed" in str(report)


def test_scalars_integers_and_gradients_of_zero() -> None:
    report = cr.check_gradients(
        lambda a, b, c: (a**3 + 0 * b + c[0], {"a": 3 * a**2, "b": 0.0, "c": [1.0, 0.0]}),
        {"a": 2, "b": 1.0, "c": [1, 2]},
    )
    assert report.ok, str(report)
    wrong = cr.check_gradients(lambda b: (1.0 + 0 * b, {"b": 1e-6}), {"b": 1.0})
    assert not wrong.ok


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
def test_the_scale_of_the_loss_does_not_matter(size: float) -> None:
    x = np.array([0.3, -2.0, 40.0])
    right = cr.check_gradients(
        lambda x: (size * np.sin(x).sum(), {"x": size * np.cos(x)}), {"x": x}
    )
    assert right.ok, str(right)
    wrong = cr.check_gradients(
        lambda x: (size * np.sin(x).sum(), {"x": size * np.cos(x) * 1.0001}), {"x": x}
    )
    assert not wrong.ok


def test_the_difference_is_divided_by_two_steps() -> None:
    """Published notes divide by h; a gradient made so is twice the slope."""

    def step(w: Any) -> tuple[Any, Grads]:
        def f(v: Any) -> float:
            return float(np.sum(v**3))

        h = 1e-5
        slope = [(f(w + h * e) - f(w - h * e)) / h for e in np.eye(len(w))]
        return f(w), {"w": np.array(slope)}

    report = cr.check_gradients(step, {"w": np.array([1.0, 2.0])}, tolerance=1e-4)
    assert "each entry is 2 times the slope" in str(report)


def test_buffers_that_are_handed_out_are_copied() -> None:
    buffer = np.empty(3)

    def step(x: Any) -> tuple[Any, Grads]:
        buffer[:] = 2 * x
        return (x**2).sum(), {"x": buffer}

    assert cr.check_gradients(step, {"x": np.array([1.0, 2.0, 3.0])}).ok


def test_the_choices_are_seeded() -> None:
    values = inputs(8, 30, 20, 3)
    one, two = (cr.check_gradients(network, values, entries=10, seed=7) for _ in range(2))
    assert one == two


@pytest.mark.parametrize("dtype", [None, "float32"])
def test_compiled_programs(dtype: Any) -> None:
    program = (
        "X: matrix(N, d); Y: matrix(N, k); W: matrix(d, k); b: vector(k);"
        "cross_entropy(tanh(X @ W + b), Y)"
    )
    step = cr.compile(program, "W, b", dtype=dtype)
    values = {n: inputs(8, 5, 4, 3)[n] for n in ("X", "Y")}
    values |= {"W": inputs(5, 5, 3, 3)["W1"], "b": np.array([0.1, -0.2, 0.3])}
    report = cr.check_gradients(step, values)
    assert report.ok, str(report)
    assert set(report.errors) == {"W", "b"}


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (lambda x: x, "does not return a loss"),
        (lambda x: (x, {"x": x}), "the loss has the shape (2,)"),
        (lambda x: (x.sum(), {}), "no gradient"),
        (lambda x: (x.sum(), {"w": x}), "by w"),
        (lambda x: (np.inf, {"x": x}), "the loss is inf"),
    ],
)
def test_steps_that_cannot_be_used(step: Any, words: str) -> None:
    with pytest.raises(cr.UsageError, match=words.replace("(", r"\(").replace(")", r"\)")):
        cr.check_gradients(step, {"x": np.array([1.0, 2.0])})
    with pytest.raises(cr.UsageError, match="method"):
        cr.check_gradients(network, inputs(2, 2, 2, 2), "backwards")  # type: ignore[arg-type]


def test_the_noise_is_measured() -> None:
    """A loss that is a small difference of large terms is noisier than its size says."""
    x = {"x": np.array([0.5, 0.25])}

    def noise_of(offset: float) -> float:
        def step(x: Any) -> tuple[Any, Grads]:
            return (np.sin(x) + offset).sum() - 2 * offset, {"x": np.cos(x)}

        return Loss(step, x, ["x"], step(**x)[0], np.random.default_rng(0)).noise

    assert noise_of(0.0) < 1e-15
    assert 1e-11 < noise_of(1e6) < 1e-8
