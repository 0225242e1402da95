"""The preallocated form gives what the readable form gives, in memory of its own."""

from __future__ import annotations

import ast
import subprocess
import sys
import tracemalloc
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from chainrule.compiled import GradientFunction
from chainrule.core.errors import UsageError
from chainrule.lower.bound import Bound, bind, bound_source
from chainrule.syntax.parser import parse

SIZES = {"N": 7, "n": 5, "m": 4, "k": 3}
DECLARED = """
X: matrix(N, n); W: matrix(n, k); b: vector(k); Y: matrix(N, k); A: matrix(m, m)
u: vector(n); v: vector(n); B: matrix(m, n); s: scalar; t: scalar
"""


def compiled(text: str, wrt: str, dtype: str | None = None) -> GradientFunction:
    return GradientFunction(parse(text), wrt.split(), dtype)  # type: ignore[arg-type]


def values(step: GradientFunction, dtype: str = "float64", seed: int = 0) -> dict[str, object]:
    rng = np.random.default_rng(seed)
    found: dict[str, object] = {}
    for symbol in step.schedule.lowered.inputs:
        shape = tuple(SIZES.get(d, d) for d in symbol.shape)
        array = rng.random(shape) + 0.2
        if symbol.name == "A":
            array = array + 3 * np.eye(shape[0])
        if symbol.name == "labels":
            array = rng.integers(0, 3, shape)
        found[symbol.name] = array if symbol.name == "labels" else np.asarray(array, dtype)
        if not shape:
            found[symbol.name] = float(array)
    return found


def sizes_of(step: GradientFunction) -> dict[str, int]:
    names = {d for s in step.schedule.lowered.inputs for d in s.shape if isinstance(d, str)}
    return {name: size for name, size in SIZES.items() if name in names}


def bound(step: GradientFunction, dtype: str = "float64", **options: bool) -> Bound:
    return bind(step.schedule, sizes_of(step), dtype, **options)


def same(ours: object, theirs: object, dtype: str = "float64") -> None:
    limit = 1e-11 if dtype == "float64" else 3e-4
    np.testing.assert_allclose(
        np.asarray(ours, np.float64), np.asarray(theirs, np.float64), rtol=limit, atol=limit
    )


PROGRAMS = [
    ("sum(X @ W + b)", "W b X"),
    ("mean((X @ W + b - Y)^2)", "W b"),
    ("mse(relu(X @ W + b), Y)", "W b X"),
    ("mse(tanh(X @ W + b), Y)", "W b X Y"),
    ("mse(sigmoid(X @ W + b), Y)", "W b"),
    ("mse(softplus(X @ W), Y)", "W"),
    ("mse(leaky_relu(X @ W - 2, 0.1), Y)", "W"),
    ("mse(leaky_relu(X @ W - 2, 1.5), Y)", "W"),
    ("mse(elu(X @ W - 2), Y)", "W"),
    ("mse(gelu(X @ W - 2), Y)", "W"),
    ("mse(silu(X @ W - 2), Y)", "W"),
    ("cross_entropy(X @ W + b, softmax(Y))", "W b"),
    ("sum(Y .* log_softmax(X @ W + b))", "W b"),
    ("sum(softmax(X @ W)^2)", "W X"),
    ("sum(Y .* log_softmax(gelu(X @ W)))", "W X"),
    ("sum(Y .* softmax(erf(Y) + X @ W) .* logsumexp(Y .* Y)[2])", "W Y"),
    ("sum(logsumexp(X @ W))", "W X"),
    ("binary_cross_entropy(sigmoid(X @ W + b), Y/2)", "W b"),
    ("binary_cross_entropy(X/2, X/3)", "X"),
    ("mean((X @ W - Y)^2) + 0.01*sum(W^2)", "W"),
    ("s*sum(u .* v) + t^2*norm(u)", "s t u v"),
    ("u'@v + norm(u - v)^2/2", "u v"),
    ("sum(outer(u, v)^3)", "u v"),
    ("tr(A@A) + ln(det(A))", "A"),
    ("sum(inv(A) .* A)", "A"),
    ("sum(expm(A/9))", "A"),
    ("sum(diag(diag(A)) .* A)", "A"),
    ("sum((B@u)^2 ./ (1 + (B@v)^2))", "B u v"),
    ("u[1]*v[2] + sum(u[1:3]^2) + B[2, 1]^2 + sum(B[1:3, 0:2])", "u v B"),
    ("sum(concat(u, v)^2 .* concat(v, u))", "u v"),
    ("sum(mean(X, axis=0)^2) + sum(sum(X, axis=1)^2)", "X"),
    ("sum(max(u, v, 0.5)) + sum(min(u, v))", "u v"),
    ("sum(|u - v| + sign(u) .* v + exp(-u) ./ sqrt(v))", "u v"),
    ("sum(erf(u) + sin(u)*cos(u) + arctan(v))", "u v"),
    ("sum({u^2 if u > v, v^3 if u > 0.5, u .* v})", "u v"),
    ("sum({ln(u - 0.5) if u > 0.5, u^2})", "u"),
    ("s*{u'@v if s > t, sum(u)}", "s u v"),
    ("sum((s > 0.1)*u) + sum(ones(n) .* v) + sum(eye(m) @ A)", "u v A"),
    ("sum(u @ W) + sum(X @ u) + sum((A @ A') ^ 3)", "u W X A"),
    ("norm(X @ W - Y) + sum(transpose(X) @ Y)", "W X Y"),
    ("sum(cbrt(u) + ln(v) + u .^ v + 2^u)", "u v"),
    ("sum((X @ W) .* (X @ W > 1))", "W"),
    ("(sum(u) - 2)^2 + s^3", "u s"),
]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("text", "wrt"), PROGRAMS)
def test_it_gives_what_the_readable_form_gives(text: str, wrt: str, dtype: str) -> None:
    step = compiled(f"{DECLARED}\n{text}", wrt, dtype)
    fast = bound(step, dtype)
    for seed in (0, 1):  # again, with the memory as the first call left it
        given = values(step, dtype, seed)
        before = {name: np.copy(array) for name, array in given.items()}
        loss, grads = fast(**given)
        value, expected = step(**given)
        same(loss, value, dtype)
        assert list(grads) == list(expected)
        for name, gradient in grads.items():
            assert gradient.dtype == dtype and gradient.shape == np.shape(expected[name])
            same(gradient, expected[name], dtype)
        for name, array in given.items():
            assert np.array_equal(array, before[name]), f"{name} was written over"
    again = {name: np.copy(g) for name, g in fast(**given)[1].items()}
    fast(**values(step, dtype, 2))
    for name, gradient in fast(**given)[1].items():
        assert np.array_equal(gradient, again[name])


def network(sizes: list[int], activation: str, loss: str) -> tuple[str, str]:
    lines = [f"X: matrix(N, {sizes[0]})", f"Y: matrix(N, {sizes[-1]})"]
    for i, (a, b) in enumerate(pairwise(sizes), 1):
        lines += [f"W{i}: matrix({a}, {b})", f"b{i}: vector({b})"]
    layer = "X"
    for i in range(1, len(sizes)):
        lines.append(f"Z{i} = {layer} @ W{i} + b{i}")
        layer = f"Z{i}"
        if i < len(sizes) - 1:
            lines.append(f"A{i} = {activation}(Z{i})")
            layer = f"A{i}"
    wrt = " ".join(f"{kind}{i}" for i in range(1, len(sizes)) for kind in "Wb")
    return "\n".join([*lines, f"loss = {loss.format(layer)}"]), wrt


def by_hand(sizes: list[int], given: dict[str, np.ndarray]) -> tuple[float, dict[str, np.ndarray]]:
    """A classifier with relu, as a careful student writes it."""
    layers = len(sizes) - 1
    A = [given["X"]]
    for i in range(1, layers + 1):
        Z = A[-1] @ given[f"W{i}"] + given[f"b{i}"]
        A.append(np.maximum(Z, 0) if i < layers else Z)
    raised = np.exp(Z - Z.max(axis=1, keepdims=True))
    p = raised / raised.sum(axis=1, keepdims=True)
    loss = -float((given["Y"] * np.log(p)).sum() / len(p))
    D, grads = (p - given["Y"]) / len(p), {}
    for i in range(layers, 0, -1):
        grads[f"W{i}"], grads[f"b{i}"] = A[i - 1].T @ D, D.sum(axis=0)
        D = D @ given[f"W{i}"].T * (A[i - 1] > 0)
    return loss, grads


@pytest.mark.parametrize("batch", [1, 5, 64])
def test_a_classifier_against_numpy_by_hand(batch: int) -> None:
    sizes = [9, 8, 7, 3]
    text, wrt = network(sizes, "relu", "cross_entropy({}, Y)")
    step = compiled(text, wrt)
    fast = bind(step.schedule, {"batch": batch})
    rng = np.random.default_rng(3)
    given = {
        s.name: rng.normal(size=[batch if d == "N" else d for d in s.shape])
        for s in step.schedule.lowered.inputs
    }
    given["Y"] = np.eye(3)[rng.integers(0, 3, batch)]
    loss, grads = fast(**given)
    value, expected = by_hand(sizes, given)
    same(loss, value)
    for name, gradient in expected.items():
        same(grads[name], gradient)


def test_the_calls_of_a_classifier_are_those_of_one_tuned_by_hand() -> None:
    text, wrt = network([784, 512, 256, 10], "relu", "cross_entropy({}, Y)")
    source = bound_source(compiled(text, wrt).schedule, {"N": 128}, "float32")
    assert source.count(".dot(") == 8 + 3  # products, and the sums of the biases
    assert source.count("maximum(") == 2 and source.count("greater(") == 2
    assert "maximum.reduce(Z3, 0" in source  # classes first
    assert "X_T.dot(" in source and "W1_T" not in source  # no gradient for the input
    assert source.count("multiply(") == 4  # two masks, the labels, one factor 1/N


def test_blocks_of_rows_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chainrule.lower.bound._LARGE", 100)
    monkeypatch.setattr("chainrule.lower.bound._BLOCK", 2500)
    for loss in ("mse(X @ w + c, y)", "mean(softplus(X @ w + c) - y .* (X @ w + c))"):
        text = f"X: matrix(N, 20); w: vector(20); y: vector(N); c: scalar\n{loss}"
        step = compiled(text, "w c")
        for rows in (64, 65, 79):
            rng = np.random.default_rng(rows)
            given = {"X": rng.normal(size=(rows, 20)), "w": rng.normal(size=20), "c": 0.3}
            given["y"] = rng.normal(size=rows)
            fast = bind(step.schedule, {"N": rows})
            assert "for X_block" in fast.source
            for _ in range(2):
                loss_, grads = fast(**given)
                value, expected = step(**given)
                same(loss_, value)
                same(grads["w"], expected["w"])
                same(grads["c"], expected["c"])


def test_what_no_row_can_do_alone_is_not_taken_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chainrule.lower.bound._LARGE", 100)
    for loss in ("norm(X @ w)^3", "sum((X @ w - sum(X @ w))^2)", "sum((X @ w)[0:50]^2)"):
        step = compiled(f"X: matrix(N, 20); w: vector(20)\n{loss}", "w")
        rng = np.random.default_rng(0)
        given = {"X": rng.normal(size=(64, 20)), "w": rng.normal(size=20)}
        fast = bind(step.schedule, {"N": 64})
        same(fast(**given)[1]["w"], step(**given)[1]["w"])


def test_a_buffer_that_is_still_needed_is_not_written_over() -> None:
    # tanh's slope reads its value after the layers above have been through their memory.
    text, wrt = network([6, 6, 6, 6, 6], "tanh", "mse({}, Y)")
    step = compiled(text + "\nout = loss + sum(A1 .* A3) + sum(A2^2)", wrt)
    given = values(step)
    for name, gradient in bound(step)(**given)[1].items():
        same(gradient, step(**given)[1][name])


def test_fast_tanh_is_right_to_the_rounding_of_one() -> None:
    text, wrt = network([6, 6, 2], "tanh", "mse({}, Y)")
    step = compiled(text, wrt)
    given = values(step)
    given["X"] = np.asarray(given["X"]) * np.array([1, -1, 1e-9, 400, -400, 0])
    for dtype in ("float64", "float32"):
        cast = {name: np.asarray(array, dtype) for name, array in given.items()}
        fast, exact = bound(step, dtype, fast_tanh=True), bound(step, dtype)
        assert "tanh" not in fast.source
        for name, gradient in fast(**cast)[1].items():
            assert gradient.dtype == dtype
            same(gradient, exact(**cast)[1][name], dtype)


def test_extremes_raise_no_warning() -> None:
    text, wrt = network([2, 3, 3], "sigmoid", "cross_entropy({}, Y)")
    for dtype in ("float64", "float32"):
        step = compiled(text, wrt, dtype)
        given = {name: np.asarray(array) * 1e4 for name, array in values(step, dtype).items()}
        given["Y"] = np.eye(3, dtype=dtype)[[0, 1, 2, 0, 1, 2, 0]]
        given = {name: np.asarray(array, dtype) for name, array in given.items()}
        loss, grads = bound(step, dtype)(**given)
        assert np.isfinite(loss) and all(np.isfinite(g).all() for g in grads.values())


def test_softplus_and_sigmoid_are_accurate_on_both_sides() -> None:
    z = np.array([-1e4, -700, -90, -40, -20, -1e-9, 0, 1e-9, 1, 20, 40, 79, 81, 90, 700, 1e4])
    step = compiled("z: vector(16); w: vector(16)\nsum(w .* softplus(z))", "z w")
    for dtype, limit in (("float64", 4e-16), ("float32", 3e-7)):
        fast = bind(step.schedule, {}, dtype)
        x = z.astype(dtype)
        grads = fast(z=x, w=np.ones(16, dtype))[1]
        exact = x.astype(np.float64)
        tiny = np.finfo(dtype).tiny
        softplus, sigmoid = np.logaddexp(0, exact), np.exp(-np.logaddexp(0, -exact))
        np.testing.assert_allclose(grads["w"], softplus, rtol=limit, atol=tiny)
        np.testing.assert_allclose(grads["z"], sigmoid, rtol=max(limit, 1e-12), atol=tiny)


def test_arguments_that_do_not_fit_are_named() -> None:
    fast = bound(compiled(f"{DECLARED}\nmse(X @ W, Y)", "W"))
    given = {"X": np.ones((7, 5)), "W": np.ones((5, 3)), "Y": np.ones((7, 3))}
    fast(**given)
    with pytest.raises(ValueError, match=r"W has shape \(3, 5\), expected \(5, 3\)"):
        fast(**given | {"W": np.ones((3, 5))})
    with pytest.raises(TypeError, match="X is float32, expected float64"):
        fast(**given | {"X": np.ones((7, 5), np.float32)})
    with pytest.raises(TypeError, match="Y is a list"):
        fast(**given | {"Y": [1.0]})
    with pytest.raises(TypeError, match="'Y'"):
        fast(X=given["X"], W=given["W"])
    fast(**given)


def test_sizes_are_asked_for_by_name() -> None:
    step = compiled(f"{DECLARED}\nmse(X @ W, Y)", "W")
    with pytest.raises(UsageError, match="the size of n, k is not given"):
        bind(step.schedule, {"N": 3})
    with pytest.raises(UsageError, match="no dimension q"):
        bind(step.schedule, SIZES_OF_NET | {"q": 3})
    with pytest.raises(UsageError, match="the dimension N is 0"):
        bind(step.schedule, SIZES_OF_NET | {"N": 0})
    with pytest.raises(UsageError, match="float16"):
        bind(step.schedule, SIZES_OF_NET, "float16")


SIZES_OF_NET = {"N": 7, "n": 5, "k": 3}


def test_gradients_lie_in_the_same_memory_or_in_copies() -> None:
    step = compiled(f"{DECLARED}\nmse(X @ W, Y)", "W")
    given = values(step)
    fast, copied = bound(step), bound(step, copy=True)
    assert fast(**given)[1]["W"] is fast(**given)[1]["W"]
    first = copied(**given)[1]["W"]
    assert first is not copied(**given)[1]["W"]
    assert np.array_equal(first, fast(**given)[1]["W"])


def test_each_gradient_is_an_array_of_its_own() -> None:
    # Of the same formula, of a constant, and of an input: a caller may write into all of them.
    step = compiled(f"{DECLARED}\nsum(u) + sum(u .* v) + sum(B) + norm(u)^2 + 0*sum(W)", "u v B W")
    given = values(step)
    fast = bound(step)
    text = compiled("a: vector(n); b: vector(n)\nsum((a + b)^2)", "a b")
    pair = bound(text)(a=np.ones(5), b=np.ones(5))[1]
    assert not np.shares_memory(pair["a"], pair["b"])
    for gradient in fast(**given)[1].values():
        assert not any(np.shares_memory(gradient, a) for a in given.values() if np.ndim(a))
        gradient += 1
    for name, gradient in fast(**given)[1].items():
        same(gradient, step(**given)[1][name])


@pytest.mark.parametrize("copied", [False, True])
def test_scalars(copied: bool) -> None:
    step = compiled("x*exp(y) + {x^2 if x > y, y}", "x y")
    for given in ({"x": 2.0, "y": 1.0}, {"x": 0.5, "y": 1.0}):
        loss, grads = bind(step.schedule, {}, copy=copied)(**given)
        value, expected = step(**given)
        assert loss == pytest.approx(value)
        assert grads == pytest.approx(expected)
        assert type(grads["x"]) is float


def test_labels_are_whole_numbers_of_any_kind() -> None:
    declared = "X: matrix(N, n); W: matrix(n, 3); "
    step = compiled(f"{declared}labels: vector(N)\ncross_entropy(X @ W, one_hot(labels, 3))", "W")
    given = values(step)
    rows = np.eye(3)[given["labels"]]
    whole = compiled(
        "X: matrix(N, n); W: matrix(n, 3); Y: matrix(N, 3)\ncross_entropy(X @ W, Y)", "W"
    )
    expected = whole(X=given["X"], W=given["W"], Y=rows)
    fast = bound(step)
    for kind in (np.int64, np.uint8, np.float64):
        loss, grads = fast(**given | {"labels": np.asarray(given["labels"], kind)})
        same(loss, expected[0])
        same(grads["W"], expected[1]["W"])


def test_a_step_allocates_nothing_large() -> None:
    text, wrt = network([300, 400, 200, 10], "relu", "cross_entropy({}, Y)")
    step = compiled(text, wrt, "float32")
    fast = bind(step.schedule, {"N": 256}, "float32")
    rng = np.random.default_rng(0)
    given = {
        s.name: rng.random([256 if d == "N" else d for d in s.shape], dtype=np.float32)
        for s in step.schedule.lowered.inputs
    }
    fast(**given)
    tracemalloc.start()
    fast(**given)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 50_000  # of 400,000 an array; NumPy casts masks piece by piece


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_memory_is_gradients_and_kept_activations(activation: str) -> None:
    sizes, batch = [1000, 2500, 2500, 500, 10], 128
    text, wrt = network(sizes, activation, "cross_entropy({}, Y)")
    step = compiled(text, wrt)
    parameters = sum(a * b + b for a, b in pairwise(sizes))
    assert parameters > 10_000_000
    tracemalloc.start()
    fast = bind(step.schedule, {"N": batch})
    rng = np.random.default_rng(0)
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    kept = batch * sum(sizes[1:])
    given = {
        s.name: rng.normal(size=[batch if d == "N" else d for d in s.shape]) * 0.02
        for s in step.schedule.lowered.inputs
    }
    tracemalloc.start()
    fast(**given)
    extra = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The parameters are the caller's: what is ours is gradients, activations and a tenth.
    assert before + extra < 8 * (parameters + kept + (2 * parameters + kept) / 10)


def test_the_module_stands_alone_and_is_tidy(tmp_path: Path) -> None:
    text, wrt = network([3, 4, 2], "gelu", "cross_entropy({}, Y)")
    deep, many = network([4] * 24, "tanh", "mse({}, Y)")
    sources = [
        bound_source(compiled(text, wrt).schedule, {"N": 6}),
        bound_source(compiled(deep, many).schedule, {"N": 6}, fast_tanh=True),
        bound_source(compiled(f"{DECLARED}\ntr(A@A) + s*sum(expm(A))", "A s").schedule, {"m": 4}),
    ]
    for i, source in enumerate(sources):
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                assert [a.name for a in node.names] == ["numpy"]
            if isinstance(node, ast.ImportFrom):
                assert node.module in ("numpy", "typing")
        (tmp_path / f"step{i}.py").write_text(source)
    for command in ("check", "format --check"):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command.split(), "--isolated", str(tmp_path)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert not done.returncode, done.stdout + done.stderr
