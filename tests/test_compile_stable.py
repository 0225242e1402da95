"""Generated code at the edges: saturated functions, probabilities of 0 and 1, dead branches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.lower.stable import stabilize
from chainrule.render.text import text as text_of
from chainrule.syntax.parser import parse

LARGE = np.array([1e4, -1e4, 0.0, 50.0, -50.0])
LABELS = np.array([0.0, 1.0, 0.0, 1.0, 0.0])


@pytest.fixture(autouse=True)
def loud() -> Iterator[None]:
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        yield


def computed(text: str, wrt: str, dtype: Any, values: Mapping[str, Any]) -> tuple[float, Any]:
    step = cr.compile(text, wrt, dtype=dtype)
    loss, grads = step(**values)
    assert np.isfinite(loss)
    assert np.isclose(step.value(**values), loss)
    for slope in grads.values():
        assert np.all(np.isfinite(slope))
    return loss, grads[wrt]


def logistic(z: Any) -> Any:
    return np.where(z > 0, 1 / (1 + np.exp(-np.abs(z))), 1 - 1 / (1 + np.exp(-np.abs(z))))


SATURATED: list[tuple[str, Callable[[Any], Any] | None]] = [
    ("sum(sigmoid(z))", None),
    ("sum(tanh(z))", None),
    ("sum(softplus(z))", logistic),
    ("sum(ln(1 + exp(z)))", logistic),
    ("sum(1/(1 + exp(-z)))", None),
    ("sum(exp(z)/(1 + exp(z)))", None),
    ("sum((exp(z) - exp(-z))/(exp(z) + exp(-z)))", None),
    ("sum(silu(z))", None),
    ("sum(gelu(z))", None),
    ("sum(elu(z))", None),
    ("sum(relu(z))", lambda z: (z > 0) * 1.0),
    ("sum(leaky_relu(z, 0.1))", lambda z: np.where(z > 0, 1, 0.1)),
    ("logsumexp(z)", lambda z: (z == 1e4) * 1.0),
    ("ln(sum(exp(z)))", lambda z: (z == 1e4) * 1.0),
    ("sum(exp(z)/sum(exp(z)) .* z)", None),
    ("sum(ln(sigmoid(z)))", lambda z: logistic(-z)),
    ("sum(ln(1 - sigmoid(z)))", lambda z: -logistic(z)),
    ("sum(ln(exp(z) + exp(2*z)))", lambda z: 1 + logistic(z)),
    ("p = sigmoid(z)\n-mean(y .* ln(p) + (1 - y) .* ln(1 - p))",
     lambda z: (logistic(z) - LABELS) / 5),
    ("mean(-y .* ln(sigmoid(z)) - (1 - y) .* ln(1 - sigmoid(z)))",
     lambda z: (logistic(z) - LABELS) / 5),
    ("binary_cross_entropy(sigmoid(z), y)", lambda z: (logistic(z) - LABELS) / 5),
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("text", "slope"), SATURATED)
def test_saturated(text: str, slope: Callable[[Any], Any] | None, dtype: str) -> None:
    values = {"z": LARGE, "y": LABELS} if "y" in text.replace("leaky", "") else {"z": LARGE}
    _, found = computed(f"z: vector(n); y: vector(n)\n{text}", "z", dtype, values)
    if slope is not None:
        assert np.allclose(found, slope(LARGE), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("text", ["cross_entropy(Z, Y)", "-sum(Y .* ln(softmax(Z)))/2"])
def test_softmax_with_cross_entropy(text: str, dtype: str) -> None:
    Z = np.array([[1e4, -1e4, 0.0], [0.0, 0.0, 1e4]])
    Y = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    given = {"Z": Z, "Y": Y}
    loss, slope = computed(f"Z: matrix(N, k); Y: matrix(N, k)\n{text}", "Z", dtype, given)
    assert loss == 1e4
    assert np.allclose(slope, [[0.5, -0.5, 0], [0, 0, 0]])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_probabilities_of_zero_and_one(dtype: str) -> None:
    text = "p: vector(n); y: vector(n)\nbinary_cross_entropy(p, y)"
    given = {"p": np.array([0.0, 1, 0, 1, 0.25]), "y": np.array([0.0, 1, 1, 0, 1])}
    loss, slope = computed(text, "p", dtype, given)
    assert loss > 10
    assert np.allclose(slope[[0, 1, 4]], np.array([1, -1, -4]) / 5)
    assert slope[2] < -1e6
    assert slope[3] > 1e6


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_zero_times_infinity(dtype: str) -> None:
    text = "p: vector(n); y: vector(n)\n-sum(y .* ln(p))"
    loss, slope = computed(text, "p", dtype, {"p": [0.0, 1, 0.5], "y": [0.0, 1, 0]})
    assert loss == 0
    assert slope.tolist() == [0, -1, 0]
    assert computed("a^b", "b", dtype, {"a": 0.0, "b": 2.0}) == (0, 0)
    assert computed("x^0 + x^2", "x", dtype, {"x": 0.0}) == (1, 0)


@pytest.mark.parametrize("text", ["norm(x)", "sqrt(sum(x^2))", "sqrt(dot(x, x))", "sqrt(x' @ x)"])
def test_the_slope_of_a_norm_at_zero(text: str) -> None:
    declared = f"x: vector(n)\n{text}"
    assert computed(declared, "x", None, {"x": np.zeros(3)})[1].tolist() == [0, 0, 0]
    assert np.allclose(computed(declared, "x", None, {"x": [3.0, 0, 4]})[1], [0.6, 0, 0.8])
    squared = computed(f"{declared}^2", "x", None, {"x": np.zeros(3)})
    assert squared[1].tolist() == [0, 0, 0]


BRANCHES: list[tuple[str, list[float], list[float]]] = [
    ("{sqrt(x) if x > 0, 0}", [-1, 0, 4], [0, 0, 0.25]),
    ("{ln(x) if x > 0, x}", [-1, 1, 4], [1, 1, 0.25]),
    ("{x*ln(x) if x > 0, 0}", [-1, 0, 1], [0, 0, 1]),
    ("{exp(x) if x < 0, 1}", [-1e4, 0, 1e4], [0, 0, 0]),
    ("{1/x if x > 0, 2*x}", [0, -1, 2], [2, 2, -0.25]),
    ("{exp(x) if x < 0, 2 if x == 0, ln(x)}", [-1e4, 1, 1e4], [0, 1, 1e-4]),
    ("{{ln(x) if x < 9, sqrt(x)} if x > 0, x}", [-1, 1, 16], [1, 1, 0.125]),
    ("{arcsin(x) if abs(x) < 1, x}", [0, 5, -5], [1, 1, 1]),
    ("{x^(-2) if x > 0, 0}", [0, 1, -1], [0, -2, 0]),
    ("{sqrt(x) if x > 0, 0} + {3*sqrt(x) if x > 1, 0}", [-1, 0.25, 4], [0, 1, 1]),
    ("{sqrt(ln(x)) if x > 1, 0}", [-1, 1, np.e], [0, 0, 0.5 / np.e]),
]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("text", "points", "slopes"), BRANCHES)
def test_dead_branches_are_quiet(
    text: str, points: list[float], slopes: list[float], dtype: str
) -> None:
    _, found = computed(f"x: vector(n)\nsum({text})", "x", dtype, {"x": points})
    assert np.allclose(found, slopes, rtol=1e-6)
    for point, slope in zip(points, slopes, strict=True):
        assert np.isclose(computed(text, "x", dtype, {"x": point})[1], slope, rtol=1e-6)


def test_a_part_that_is_needed_anyway_is_left_alone() -> None:
    source = cr.compile("x: vector(n)\nr = sqrt(x)\nsum({r if x > 1, 0}) + sum(r)", "x").source
    assert "np.sqrt(x)" in source


REWRITES = [
    ("ln(softmax(z))", "log_softmax(z)"),
    ("ln(sigmoid(z))", "-softplus(-z)"),
    ("ln(1 - sigmoid(z))", "-softplus(z)"),
    ("ln(sum(exp(z)))", "logsumexp(z)"),
    ("ln(1 + exp(z))", "softplus(z)"),
    ("1/(1 + exp(-z))", "sigmoid(z)"),
    ("exp(z)/sum(exp(z))", "softmax(z)"),
    ("y .* ln(sigmoid(z)) + (1 - y) .* ln(1 - sigmoid(z))", "-(softplus(z) - y .* z)"),
]


@pytest.mark.parametrize(("before", "after"), REWRITES)
def test_rewrites_are_recorded_and_keep_the_value(before: str, after: str) -> None:
    program = parse(f"z: vector(n); y: vector(n)\nout = {before}")
    stable = stabilize([program.assignments[-1][1]])
    assert text_of(stable.roots[0]) == after
    assert stable.rewrites
    z, y = np.linspace(-2, 2, 5), np.linspace(0, 1, 5)
    values = {"z": z, "y": y} if "y" in before else {"z": z}
    declared = "z: vector(n); y: vector(n)\n"
    scalar = before.startswith("ln(sum")
    found = cr.compile(declared + (before if scalar else f"sum({before})"), "z").value(**values)
    scope = {
        "ln": np.log, "exp": np.exp, "sum": np.sum, "sigmoid": logistic, "z": z, "y": y,
        "softmax": lambda a: np.exp(a) / np.exp(a).sum(),
    }  # fmt: skip
    assert np.isclose(found, np.sum(eval(before.replace(".*", "*"), scope)))


@pytest.mark.parametrize("near", ["ln(2 + exp(z))", "ln(sum(exp(z)) + 1)", "exp(z)/sum(exp(y))"])
def test_what_only_looks_alike_is_left(near: str) -> None:
    program = parse(f"z: vector(n); y: vector(n)\nout = {near}")
    (root,) = stabilize([program.assignments[-1][1]]).roots
    assert root is program.assignments[-1][1]


def test_a_constant_output_has_its_shape() -> None:
    step = cr.compile("X: matrix(N, d); w: vector(d)\nX @ (0*w) + ones(N)", "w", mode="jacobian")
    value, jacobian = step(X=np.ones((2, 3)), w=np.ones(3))
    assert value.tolist() == [1, 1]
    assert jacobian["w"].tolist() == np.zeros((2, 3)).tolist()
    constant = cr.compile("w: vector(n)\nones(n) + 0*sum(w)", "w", mode="jacobian")
    assert constant(w=np.ones(2))[0].tolist() == [1, 1]


def test_gradients_are_summed_over_what_was_repeated() -> None:
    text = "X: matrix(N, d); b: vector(d); c: scalar; R: matrix(1, d)\nsum((X + b + c + R).^2)"
    values = {"X": np.ones((4, 3)), "b": np.zeros(3), "c": 0.0, "R": np.zeros((1, 3))}
    grads = cr.compile(text, "b, c, R")(**values)[1]
    assert grads["b"].tolist() == [8, 8, 8]
    assert grads["c"] == 24
    assert grads["R"].tolist() == [[8, 8, 8]]


def test_functions_that_numpy_lacks_are_accurate() -> None:
    scipy = pytest.importorskip("scipy.special")
    step = {
        name: cr.compile(f"x: vector(n)\n{name}(x)", "x", mode="jacobian").value
        for name in ("erf", "gamma", "digamma")
    }
    x = np.linspace(-6, 6, 1201) + 1e-3
    assert np.allclose(step["erf"](x=x), scipy.erf(x), rtol=2e-15, atol=0)
    assert np.allclose(step["gamma"](x=x), scipy.gamma(x), rtol=1e-12, atol=0)
    assert np.allclose(step["digamma"](x=x), scipy.digamma(x), rtol=1e-11, atol=1e-12)
    trigamma = cr.compile("polygamma(1, x)")
    assert np.isclose(trigamma(x=0.5)[0], scipy.polygamma(1, 0.5), rtol=1e-13)
    assert np.isclose(trigamma(x=0.5)[1]["x"], scipy.polygamma(2, 0.5), rtol=1e-13)
    matrix = np.random.default_rng(0).normal(size=(5, 5)) * 3
    linalg = pytest.importorskip("scipy.linalg")
    with pytest.raises(cr.ChainruleError, match="expm"):
        cr.compile("S: matrix(n, n)\nexpm(S)", "S", mode="jacobian")
    value = cr.compile("S: matrix(n, n)\nsum(expm(S))", "S").value(S=matrix)
    assert np.isclose(value, linalg.expm(matrix).sum(), rtol=1e-11)
