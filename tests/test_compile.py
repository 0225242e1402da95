"""Generated code computes the right numbers: values, gradients, Jacobians, Hessian products."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from strategies import arrays

import chainrule as cr
from chainrule import cli
from chainrule.checking.array_values import evaluate
from chainrule.checking.numbers import context
from chainrule.compiled import GradientFunction
from chainrule.core.errors import DomainError, UnsupportedError
from chainrule.core.expr import Sym, apply, free_symbols, symbol, topological
from chainrule.core.ops import lookup
from chainrule.core.program import Program
from chainrule.core.shape import size_of

SIZES = {"N": 5, "d": 4, "k": 3, "h": 6, "m": 4, "n": 5}
DECLARED = (
    "X: matrix(N, d); Y: matrix(N, k); A: matrix(m, n); S: matrix(n, n); W: matrix(d, k)\n"
    "w: vector(d); x: vector(n); u: vector(m); y: vector(N); b: vector(k); c: scalar\n"
)


def inputs_of(step: GradientFunction, positive: bool = False, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    values = {}
    for leaf in step.schedule.lowered.inputs:
        value = rng.normal(size=tuple(size_of(d, SIZES) for d in leaf.shape))
        values[leaf.name] = np.abs(value) + 0.3 if positive else value
    return values


def differences(step: GradientFunction, values: Mapping[str, Any], name: str) -> Any:
    """Central differences of the value, output axes first."""
    x = np.asarray(values[name], float)
    columns = []
    for place in np.ndindex(*x.shape):
        change = np.zeros_like(x)
        change[place] = h = 1e-6 * max(1, abs(x[place]))
        above = np.asarray(step.value(**{**values, name: x + change}))
        below = np.asarray(step.value(**{**values, name: x - change}))
        columns.append((above - below) / (2 * h))
    return np.stack(columns, axis=-1).reshape((*columns[0].shape, *x.shape))


def close(found: Any, wanted: Any) -> bool:
    scale = max(1e-2, float(np.max(np.abs(wanted), initial=0)))
    return np.shape(found) == np.shape(wanted) and bool(
        np.all(np.abs(np.asarray(found) - wanted) <= 2e-7 * scale)
    )


SCALAR_OUTPUTS = [
    ("X, w", "mean((X @ w - y)^2)"),
    ("W, b", "cross_entropy(tanh(X @ W + b), Y)"),
    ("X, w, c", "binary_cross_entropy(sigmoid(X @ w + c), sigmoid(y))"),
    ("w, c", "p = sigmoid(X @ w + c)\n-mean(y .* ln(p) + (1 - y) .* ln(1 - p)) + c*sum(w^2)"),
    ("x, S", "x' @ S @ x"),
    ("x, A", "norm(A @ x) + norm(A) + dot(x, A' @ (A @ x))"),
    ("S", "trace(S @ S) + sum(diag(S)) + sum(diag(diag(S)) @ S) + trace(S)^2"),
    ("S", "ln(det(S @ S' + eye(n))) + trace(inv(S @ S' + eye(n)))"),
    ("S", "sum(expm(S/4) @ x)"),
    ("u, x", "sum(outer(u, x) .* outer(u, x)) + sum(u)*sum(x)"),
    ("u, x", "sum(sin(concat(u, x))) + sum(u[1:3]) + x[2]*u[0]"),
    ("X", "sum(softmax(X) .* X) + sum(logsumexp(X)) + sum(log_softmax(X)[0])"),
    ("X", "sum(X[1:3, 0:2]^2) + X[0, 1] + sum(X[:, 2]) + sum(X[1])"),
    ("X", "sum(sum(X, axis=0)^2) + mean(mean(X, axis=1)^3)"),
    ("X, c", "sum(c*X) + sum(X + c) + sum(X/(c^2 + 1)) + c^3 + sum(X.^2 * c)"),
    ("X, w", "sum((X .* w)^2) + sum((X + w).^3) + sum(X ./ (1 + w^2)) + sum((w - X)^2)"),
    ("X", "sum(gelu(X)) + sum(silu(X)) + sum(elu(X)) + sum(leaky_relu(X, 0.1)) + mean(relu(X))"),
    ("X", "sum(max(X, 0)) + sum(min(X, 1)) + sum(abs(X)) + sum((X > 0) .* X)"),
    ("X", "sum({X^2 if X > 0, -X})"),
    ("x", "sum(x)*3/n + sum(ones(n)) + sum(x .* ones(n)) + norm(x - ones(n)) + sum(x)/ln(n + 1)"),
    ("A", "sum(A) + 0*sum(A)"),
    ("A", "mse(A, 2*A)"),
]
SCALARS = [
    ("x, y, z", "x*exp(y^2)*sin(z) + ln(x^2 + 1)/(1 + y^2) + abs(z) + {x^2 if x > 0, -x}"),
    ("x", "x^x + sqrt(x) + x^(1/3) + cbrt(x) + log10(x) + log2(x) + 2^x + log(x, 3) + cosh(x)"),
    ("x", "arctan(x) + sinh(x) + tanh(x) + sec(x) + csc(x) + cot(x) + softplus(x) + x^2.5"),
    ("x", "arcsin(x/9) + arccos(x/9) + arccot(x) + arcsinh(x) + arctanh(x/9) + sech(x) + csch(x)"),
    (
        "x",
        "coth(x) + arccsch(x) + arcsech(x/9) + floor(x) + sign(x) + heaviside(x)*x + arccosh(9x)",
    ),
    ("x", "erf(x) + gamma(x) + digamma(x) + arccsc(9x) + arcsec(9x) + arccoth(9x)"),
    ("x, y", "max(x, y, x*y) + min(x, y)"),
]
VECTOR_OUTPUTS = [
    ("x, y", "[x*y, x + sin(y), 3]"),
    ("x", "x: vector(n)\n[sum(x), norm(x), x[0], 2]"),
    ("A, x, u", "A @ x + u"),
    ("x, A, u", "sigmoid(A @ x + u)"),
    ("x, S, A, u", "tanh(A @ sigmoid(S @ x)) .* u"),
    ("x", "softmax(x)"),
    ("x", "x"),
    ("X", "log_softmax(X)"),
    ("X, w", "relu(X @ diag(w))"),
    ("A, S", "A @ S"),
    ("S", "inv(S)"),
    ("x", "x[1:3]"),
    ("x, u", "concat(x, u)"),
    ("S, x", "diag(S) .* x"),
    ("S", "S[1] + sum(S, axis=0)"),
    ("X", "mean(X, axis=1)"),
    ("x", "{x^2 if x > 0, -x}"),
    ("x, u", "outer(x, u)"),
    ("x", "norm(x)*x + dot(x, x)*x"),
    ("S", "S'"),
    ("S, x", "det(S)*x + exp(S) @ x"),
    ("X, w", "X .* w + w"),
    ("X", "logsumexp(X)"),
    ("S", "(S @ S) @ x"),
]
CURVED = [
    ("x, S", "sum(sin(S @ x))"),
    ("x, S", "norm(x)^3 + dot(x, S @ x)"),
    ("w", "mean(softplus(X @ w)) + mse(X @ w, y)"),
    ("W", "cross_entropy(X @ W, softmax(Y))"),
    ("S", "ln(det(S @ S' + eye(n)))"),
    ("x", "sum(x)"),
    ("x", "sum(elu(x)) + sum(gelu(x)) + sum(silu(x))"),
    ("w", "binary_cross_entropy(sigmoid(X @ w), sigmoid(y))"),
]


@pytest.mark.parametrize(("wrt", "text"), [(w, DECLARED + t) for w, t in SCALAR_OUTPUTS] + SCALARS)
def test_gradients_agree_with_differences(wrt: str, text: str) -> None:
    step = cr.compile(text, wrt)
    values = inputs_of(step, positive=text.startswith(tuple("xacem")) or "det" in text)
    loss, grads = step(**values)
    assert list(grads) == [w.strip() for w in wrt.split(",")]
    assert np.isclose(loss, step.value(**values), rtol=1e-12)
    for name, slope in grads.items():
        assert close(slope, differences(step, values, name)), name


@pytest.mark.parametrize(("wrt", "text"), [(w, DECLARED + t) for w, t in SCALAR_OUTPUTS] + SCALARS)
def test_float32_stays(wrt: str, text: str) -> None:
    step = cr.compile(text, wrt, dtype="float32")
    values = inputs_of(step, positive=True)
    single = {step._inputs[n]: np.float32(v) for n, v in values.items()}
    for array in step._functions["value_and_grad"](**single)[1].values():
        assert isinstance(array, float) or array.dtype == np.float32
    assert np.isclose(step(**values)[0], cr.compile(text, wrt)(**values)[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("wrt", "text"),
    [(w, t if t[0] == "[" or "vector" in t else DECLARED + t) for w, t in VECTOR_OUTPUTS],
)
def test_jacobians_agree_with_differences(wrt: str, text: str) -> None:
    step = cr.compile(text, wrt, mode="jacobian")
    values = inputs_of(step)
    value, jacobian = step(**values)
    assert np.allclose(value, step.value(**values))
    for name, slopes in jacobian.items():
        assert slopes.shape == value.shape + np.shape(values[name])
        assert np.allclose(slopes, differences(step, values, name), atol=1e-6, rtol=1e-6)
        assert not any(np.shares_memory(slopes, v) for v in values.values())


@pytest.mark.parametrize(("wrt", "text"), CURVED)
def test_hessian_products_agree_with_differences_of_gradients(wrt: str, text: str) -> None:
    step = cr.compile(DECLARED + text, wrt, mode="hvp")
    gradient = cr.compile(DECLARED + text, wrt)
    values = inputs_of(step)
    direction = {n: values.pop(f"v_{n}") for n in step.wrt}
    value, products = step(direction, **values)
    assert np.isclose(value, gradient.value(**values))
    h = 1e-6
    above, below = (
        gradient(**{**values, **{n: values[n] + s * h * v for n, v in direction.items()}})[1]
        for s in (1, -1)
    )
    for name, product in products.items():
        slope = (above[name] - below[name]) / (2 * h)
        assert np.allclose(product, slope, atol=1e-5, rtol=1e-5)


@given(expression=arrays(shape=(), depth=4))
@settings(max_examples=40)
def test_random_programs_agree_with_the_interpreter(expression: Any) -> None:
    """Values and slopes against 40 digits, by an evaluator that shares nothing with the code."""
    sizes = {"m": 3, "n": 3}
    leaves = [s for s in free_symbols([expression]) if s.name not in sizes]
    assume(leaves)
    program = Program(
        "random", (("out", expression),), ("out",), dimensions=("m", "n"),
        declared={s.name: s.shape for s in leaves},
    )  # fmt: skip
    rng = np.random.default_rng(7)
    values = {s.name: rng.uniform(0.2, 1.7, [size_of(d, sizes) for d in s.shape]) for s in leaves}
    # Every dimension is read off an array.
    carriers = [symbol("carry_m", ("m",)), symbol("carry_n", ("n",))]
    values |= {c.name: np.zeros(3) for c in carriers}
    total = expression
    for carrier in carriers:
        total = apply(lookup("add"), total, apply(lookup("sum"), carrier))
    program = Program(
        "random", (("out", total),), ("out",), dimensions=("m", "n"),
        declared={s.name: s.shape for s in (*leaves, *carriers)},
    )  # fmt: skip
    # Of a singular matrix, rounding alone says which sign the determinant has.
    dets = [
        apply(lookup("det"), *n.args)
        for n in topological([expression])
        if n.op is not None and n.op.name in ("det", "inv")
    ]
    assume(all(abs(d) > 1e-3 for d in evaluate(dets, values, sizes, context(40))))
    with np.errstate(all="ignore"):
        try:
            step = cr.compile(program, [s.name for s in leaves])
        except UnsupportedError:  # a constant beyond floating-point numbers
            assume(False)
        found, grads = step(**values)
    (wanted,) = evaluate([expression], values, sizes, context(40))
    assume(np.isfinite(float(wanted)) and abs(wanted) < 1e8)
    assert np.isclose(found, float(wanted), rtol=1e-8, atol=1e-8)
    for leaf in leaves:
        _directional(expression, leaf, values, sizes, grads[leaf.name])


def _directional(
    expression: Any, leaf: Sym, values: Mapping[str, Any], sizes: Mapping[str, int], slope: Any
) -> None:
    rng = np.random.default_rng(3)
    direction = rng.normal(size=np.shape(values[leaf.name]))
    m = context(40)

    def along(h: Any) -> Any:
        moved = np.asarray(values[leaf.name], dtype=object) + direction.astype(object) * h
        given = {**values, leaf.name: moved}
        return evaluate([expression], given, sizes, m)[0]

    right, left = ((along(s * m.mpf("1e-12")) - along(0)) / (s * m.mpf("1e-12")) for s in (1, -1))
    # At a kink the two sides differ, and a convention holds.
    assume(m.isfinite(right) and abs(right - left) <= 1e-6 * (1 + abs(left)) and abs(left) < 1e8)
    assert np.isclose(float(np.sum(slope * direction)), float(right), rtol=1e-5, atol=1e-5)


# ---- how it is called


def test_inputs_go_by_their_own_names() -> None:
    text = "np: vector(n); x_bar: vector(n); check: scalar\nsum(np .* x_bar)*check + lambda"
    value, grads = cr.compile(text, "np, x_bar, check, lambda")(
        np=[1, 2], x_bar=[3, 4], check=2, **{"lambda": 1}
    )
    assert value == 23
    assert grads["np"].tolist() == [6, 8]
    assert float(grads["check"]) == 11


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"X": np.ones((2, 3))}, "w has no value"),
        ({"X": np.ones((2, 3)), "w": np.ones(4)}, "w has the shape (4,), not (3,)"),
        ({"X": np.ones(3), "w": np.ones(3)}, "X is a matrix(N, d), and its value has the shape"),
        ({"X": np.ones((2, 3)), "w": np.ones(3), "z": 1}, "z is no input"),
        ({"X": "text", "w": np.ones(3)}, "the value of X is no array of numbers"),
    ],
)
def test_what_does_not_fit_is_named(values: Mapping[str, Any], message: str) -> None:
    step = cr.compile("X: matrix(N, d); w: vector(d)\nsum(X @ w)", "w")
    with pytest.raises(cr.ChainruleError) as caught:
        step(**values)
    assert message in str(caught.value)


def test_the_module_itself_names_what_does_not_fit() -> None:
    step = cr.compile("X: matrix(N, 3); w: vector(3)\nsum(X @ w)", "w", dtype="float32")
    module = step._functions["value_and_grad"]
    X, w = np.ones((2, 3), np.float32), np.ones(3, np.float32)
    for bad in ({"X": X, "w": w[:2]}, {"X": X[:, :2], "w": w}, {"X": X[0], "w": w}):
        with pytest.raises(ValueError, match=r"^[Xw]: float32 \("):
            module(**bad)
    with pytest.raises(ValueError, match="w: float64"):
        module(X=X, w=w.astype(float))


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("sum(x)", {"wrt": "q"}, "the program has no input q"),
        ("s = sum(x)\ns^2", {"wrt": "s"}, "s is computed by the program"),
        ("A @ x", {"wrt": "x"}, "a gradient is of one scalar"),
        ("sum(x)", {"wrt": "x", "dtype": "int8"}, "dtype 'int8'"),
        ("sum(x)", {"wrt": "x", "mode": "magic"}, "mode 'magic'"),
        (
            "v_x: vector(n)\nsum(x .* v_x)",
            {"wrt": "x", "mode": "hvp"},
            "v_x is to be the direction",
        ),
    ],
)
def test_what_cannot_be_compiled_says_so(text: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(cr.ChainruleError) as caught:
        cr.compile(DECLARED + text, **options)
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ["f(x) + x", "d^2/dx^2 x^3", "9^9^9^9*x", "10^400*x"])
def test_scalar_texts_that_cannot_be_compiled(text: str) -> None:
    with pytest.raises(cr.ChainruleError):
        cr.compile(text)


def test_class_numbers_may_be_integers() -> None:
    text = "Z: matrix(N, 3); y: vector(N)\ncross_entropy(Z, y)"
    logits, labels = np.random.default_rng(0).normal(size=(4, 3)), np.array([0, 2, 1, 2])
    one_hot = cr.compile("Z: matrix(N, 3); Y: matrix(N, 3)\ncross_entropy(Z, Y)", "Z")
    wanted, slopes = one_hot(Z=logits, Y=np.eye(3)[labels])
    for dtype in (None, "float64"):
        loss, grads = cr.compile(text, "Z", dtype=dtype)(Z=logits, y=labels)
        assert np.isclose(loss, wanted)
        assert np.allclose(grads["Z"], slopes["Z"])


def test_results_are_arrays_of_their_own() -> None:
    step = cr.compile("A: matrix(m, n); B: matrix(m, n)\nsum(A .* B) + sum(A')", "A, B")
    A, B = np.ones((2, 3)), np.ones((2, 3))
    grads = step(A=A, B=B)[1]
    linear = cr.compile("A: matrix(m, n); B: matrix(m, n)\nsum(A .* B)", "A, B")(A=A, B=B)[1]
    both = cr.compile("x: vector(n); y: vector(n)\nsum(sin(x + y))", "x, y")(x=[1, 2], y=[1, 2])[1]
    for array in (*grads.values(), *linear.values()):
        assert not np.shares_memory(array, A)
        assert not np.shares_memory(array, B)
    assert not np.shares_memory(both["x"], both["y"])


def test_the_flat_form_fits_scipy() -> None:
    optimize = pytest.importorskip("scipy.optimize")
    rng = np.random.default_rng(1)
    X, w, c = rng.normal(size=(200, 3)), np.array([1.0, -2.0, 0.5]), 0.3
    y = (rng.random(200) < 1 / (1 + np.exp(-(X @ w + c)))).astype(float)
    text = "X: matrix(N, d); y: vector(N); w: vector(d); c: scalar\np = sigmoid(X @ w + c)\n"
    step = cr.compile(text + "-mean(y .* ln(p) + (1 - y) .* ln(1 - p)) + 0.001*dot(w, w)", "w, c")
    f = step.flat(X=X, y=y)
    start = f.pack(w=np.zeros(3), c=0.0)
    assert f.size == 4
    assert f.unpack(np.arange(4.0))["c"] == 3
    assert optimize.check_grad(lambda t: f(t)[0], lambda t: f(t)[1], start + 0.1) < 1e-6
    found = optimize.minimize(f, start, jac=True)
    assert np.linalg.norm(f(found.x)[1]) < 1e-4
    assert np.sign(f.unpack(found.x)["w"]).tolist() == [1, -1, 1]


def test_the_flat_form_asks_for_what_is_missing() -> None:
    step = cr.compile("X: matrix(N, d); W: matrix(d, h)\nsum(tanh(X @ W))", "W")
    with pytest.raises(cr.UsageError, match="size of h"):
        step.flat(X=np.ones((2, 3)))
    with pytest.raises(cr.UsageError, match="X has no value"):
        step.flat(W=(3, 4))
    assert (
        step.flat(X=np.ones((2, 3)), h=4).size == step.flat(X=np.ones((2, 3)), W=(3, 4)).size == 12
    )


def test_the_command_writes_a_module(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program, module = tmp_path / "net.chain", tmp_path / "grad.py"
    program.write_text("X: matrix(N, d); y: vector(N); w: vector(d)\nloss = mse(X @ w, y)\n")
    options = ["--wrt", "w", "--dtype", "float32", "-o", str(module)]
    assert cli.main(["compile", str(program), *options]) == 0
    spec = importlib.util.spec_from_file_location("grad", module)
    assert spec is not None
    assert spec.loader is not None
    grad = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(grad)
    X, y, w = (np.ones(s, np.float32) for s in ((4, 3), 4, 3))
    assert grad.value(X=X, y=y, w=w) == 4
    assert grad.value_and_grad(X=X, y=y, w=w)[1]["w"].tolist() == [4, 4, 4]
    assert cli.main(["compile", "1/2x"]) == 0
    said = capsys.readouterr()
    assert "def value_and_grad(x: float)" in said.out
    assert "(1/2)*x" in said.err
    assert cli.main(["compile", "X: matrix(N, d); sum(X)", "--wrt", "W"]) == 2
    assert "its inputs: X" in capsys.readouterr().err


def test_the_code_needs_numpy_alone(tmp_path: Path) -> None:
    text = "x: vector(n); S: matrix(n, n)\nsum(gelu(x)) + sum(expm(S)) + sum(gamma(x .* x + 1))"
    (tmp_path / "made.py").write_text(cr.compile(text, "x, S").source)
    program = (
        "import sys, numpy as np, made; made.value_and_grad(x=np.ones(2), S=np.eye(2)); "
        "sys.exit(any(m.partition('.')[0] in ('chainrule', 'scipy', 'sympy') for m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=False)
    assert done.returncode == 0


def test_a_matrix_without_inverse_is_refused() -> None:
    step = cr.compile("S: matrix(n, n)\nsum(inv(S))", "S")
    with pytest.raises(DomainError, match="no inverse"):
        step(S=np.zeros((2, 2)))


def test_a_variable_that_nothing_depends_on_has_a_gradient_of_zeros() -> None:
    step = cr.compile("x: vector(n); A: matrix(n, n); sum(A)", wrt=["x", "A"])
    value, grads = step(x=np.ones(2), A=np.eye(2))
    assert value == 2
    assert grads["x"].tolist() == [0, 0]
    assert grads["A"].tolist() == [[1, 1], [1, 1]]


def test_a_network_is_compiled_as_its_program() -> None:
    net = cr.mlp([2, 3, 1], loss="mse", activation="tanh")
    step = cr.compile(net, list(net.parameters), dtype="float64")
    assert step.source == net.compile("float64").source
