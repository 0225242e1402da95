"""Networks: their programs, tables, initial parameters, and what the command prints of them."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli import main
from chainrule.network.architecture import ACTIVATIONS, LOSSES, Architecture
from chainrule.network.initial import scale

LENET: dict[str, Any] = {"sizes": [784, 512, 256, 10], "l2": 1e-3}
LECTURE: dict[str, Any] = {
    "sizes": [3, 3, 2, 1], "activation": "sigmoid", "output": "sigmoid", "loss": "squared_error",
}  # fmt: skip


def test_the_program_is_one_of_the_language_like_any_other() -> None:
    net = cr.mlp(**LENET)
    assert net.source.splitlines() == [
        "X: matrix(N, 784); Y: matrix(N, 10)",
        "W1: matrix(784, 512); b1: vector(512)",
        "W2: matrix(512, 256); b2: vector(256)",
        "W3: matrix(256, 10); b3: vector(10)",
        "Z1 = X @ W1 + b1",
        "A1 = relu(Z1)",
        "Z2 = A1 @ W2 + b2",
        "A2 = relu(Z2)",
        "Z3 = A2 @ W3 + b3",
        "penalty = sum(W1.^2) + sum(W2.^2) + sum(W3.^2)",
        "loss = cross_entropy(Z3, Y) + 0.001/2*penalty",
    ]
    again = cr.parse(net.source)
    assert again.assignments == net.program.assignments
    assert again.outputs == ("loss",)
    assert dict(again.declared) == {"X": ("N", 784), "Y": ("N", 10), **net.shapes}
    assert not again.notices


@pytest.mark.parametrize("activation", [*ACTIVATIONS, "leaky_relu(0.25)"])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("batch", [1, 4, "N"])
def test_every_combination_is_read_without_a_doubt(
    activation: str, loss: str, batch: int | str
) -> None:
    net = cr.mlp([4, 4, 4, 3], activation, loss, 0.1, batch)
    program = cr.parse(net.source, strict=True)
    assert dict(program.assignments)["loss"].shape == ()
    prediction = cr.parse(net.prediction_source, strict=True)
    assert dict(prediction.assignments)[prediction.outputs[0]].shape == ("N", 3)


def test_parameters_are_counted() -> None:
    net = cr.mlp(**LECTURE)
    assert [u.parameter_count for u in net.layers] == [12, 8, 3]
    assert net.parameter_count == 23
    assert cr.mlp(**LENET).parameter_count == 784 * 512 + 512 + 512 * 256 + 256 + 256 * 10 + 10
    for drawn in (net.initial(0), cr.mlp([7, 5, 3]).initial(0)):
        assert all(value.dtype == np.float64 for value in drawn.values())
    assert sum(v.size for v in net.initial(0).values()) == 23
    assert {n: v.shape for n, v in net.initial(0).items()} == net.shapes


def test_a_deep_network_is_made_in_no_time() -> None:
    net = cr.mlp([8] * 2000, "tanh", "mse")
    assert len(net.program.assignments) == 1999 + 1998 + 1
    assert net.parameter_count == 1999 * 72


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sizes": [3]}, "an input and at least one layer"),
        ({"sizes": 3}, "an input and at least one layer"),
        ({"sizes": [3, 0]}, "a layer of 0 units"),
        ({"sizes": [3, 2.5]}, "2.5 is no whole number"),
        ({"sizes": ["3", 2]}, "'3' is no whole number"),
        ({"sizes": [3, 2], "loss": "mze"}, "no loss 'mze'"),
        ({"sizes": [3, 2, 2], "activation": "rleu"}, "no activation 'rleu'"),
        ({"sizes": [3, 2, 2], "activation": None}, "no activation 'None'"),
        ({"sizes": [3, 2, 2], "activation": ["relu"] * 2}, "2 activations for 1 hidden"),
        ({"sizes": [3, 2, 2], "activation": "relu(3)"}, r"relu\(3\) is no activation"),
        ({"sizes": [3, 2, 2], "activation": "leaky_relu(2)"}, r"leaky_relu\(2\) is no activation"),
        ({"sizes": [3, 2], "l2": -1}, "l2 is -1"),
        ({"sizes": [3, 2], "l2": float("nan")}, "l2 is nan"),
        ({"sizes": [3, 1]}, "the softmax of one output is always 1"),
        ({"sizes": [3, 2], "output": "relu"}, "cross_entropy takes logits"),
        ({"sizes": [3, 2], "batch": "X"}, "X is a name of the network"),
        ({"sizes": [3, 2], "batch": 0}, "the batch is 0"),
        ({"sizes": [3, 2], "batch": "N; import os"}, "the batch is"),
    ],
)
def test_what_is_no_network_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(cr.UsageError, match=message) as caught:
        cr.mlp(**arguments)
    assert caught.value.hint


# ------------------------------------------------------------------------- scales


def test_the_scales_are_those_of_the_literature() -> None:
    assert scale("he", 50, 7) == pytest.approx(np.sqrt(2 / 50))
    assert scale("xavier", 50, 30) == pytest.approx(np.sqrt(2 / 80))
    assert scale("lecun", 50, 7) == pytest.approx(np.sqrt(1 / 50))
    with pytest.raises(cr.UsageError, match="no scheme 'she'"):
        scale("she", 1, 1)


@pytest.mark.parametrize("slope", [0.1, 0.5, 0.9])
def test_the_scale_of_he_for_a_leaky_unit_has_the_sum_of_squares(slope: float) -> None:
    # An erratum of lecture notes: (1 + a)^2 in place of 1 + a^2 (He et al. 2015, eq. 15).
    right, claimed = (f"sqrt(2/({form}*n))" for form in ("(1 + a^2)", "(1 + a)^2"))
    value = cr.derive(f"{right}*t", wrt="t")(a=slope, n=50, t=0.0)
    wrong = cr.derive(f"{claimed}*t", wrt="t")(a=slope, n=50, t=0.0)
    assert scale("he", 50, 50, slope) == pytest.approx(value, rel=1e-12)
    assert abs(scale("he", 50, 50, slope) - wrong) > 1e-3

    # What it is for: the mean square of the signal stays, layer after layer.
    width, layers = 400, 25
    net = Architecture([width] * (layers + 1), activation=f"leaky_relu({slope})", loss="mse")
    rng = np.random.default_rng(0)
    signal = rng.standard_normal((50, width))
    drawn = cr.mlp(net.sizes, f"leaky_relu({slope})", "mse").initial(rng)
    lost = ((1 + slope**2) / (1 + slope) ** 2) ** (layers - 1)  # were the claim right
    before = np.mean((signal @ drawn["W1"]) ** 2)
    for number in range(1, layers):
        z = signal @ drawn[f"W{number}"]
        signal = np.where(z > 0, z, slope * z)
    after = np.mean((signal @ drawn[f"W{layers - 1}"]) ** 2)
    assert 0.5 < after / before < 2
    assert lost < 0.2


@pytest.mark.parametrize("scheme", ["he", "xavier", "lecun"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_initial_weights_have_the_scale_and_the_dtype(scheme: str, dtype: str) -> None:
    net = cr.mlp([300, 200, 100], "relu")
    drawn = net.initial(np.random.default_rng(3), scheme, dtype)
    for u in net.layers:
        weights = drawn[u.weights]
        assert weights.dtype == drawn[u.biases].dtype == np.dtype(dtype)
        assert weights.std() == pytest.approx(scale(scheme, u.inputs, u.outputs), rel=0.05)
        assert not drawn[u.biases].any()
    same = net.initial(np.random.default_rng(3), scheme, dtype)
    assert all(np.array_equal(drawn[name], same[name]) for name in drawn)


def test_a_dtype_that_is_none_is_refused() -> None:
    for dtype in ("float16", "int", "spam"):
        with pytest.raises(cr.UsageError, match="dtype"):
            cr.mlp([3, 2]).initial(0, dtype=dtype)


# ------------------------------------------------------------------------- the command


def test_the_command_shows_the_layers_in_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["network", "784-512-256-10", "--activation", "relu"]) == 0
    out = capsys.readouterr().out
    assert "1       W1: 784 × 512   401,408   b1: 512   relu            401,920" in out
    assert "535,818" in out
    assert "A2 = relu(Z2)" in out
    assert max(map(len, out.splitlines())) <= 80
    assert "\x1b" not in out


def test_a_wide_table_still_fits(capsys: pytest.CaptureFixture[str]) -> None:
    main(["network", "20000-40000-40000-10", "--activation", "leaky_relu(0.2),softplus"])
    out = capsys.readouterr().out
    assert "2,400,480,010" in out
    assert max(map(len, out.splitlines())) <= 80


def test_the_network_of_the_lecture_notes_has_23_parameters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sigmoid = ["--activation", "sigmoid", "--output-activation", "sigmoid"]
    command = ["network", "3-3-2-1", *sigmoid, "--loss", "squared_error"]
    assert main([*command, "--format", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["schema"] == "chainrule/network/1"
    # K*M weights and K biases: K*(M + 1), and not K*M + M.
    assert [u["parameters"] for u in shown["layers"]] == [3 * (3 + 1), 2 * (3 + 1), 1 * (2 + 1)]
    assert shown["parameters"] == 23
    assert shown["program"] == cr.mlp(**LECTURE).source
    assert main(command) == 0
    rows = capsys.readouterr().out.splitlines()
    layers = [row.split() for row in rows if row[:3] in ("  1", "  2", "  3")]
    assert [cells[-1] for cells in layers] == ["12", "8", "3"]
    assert next(row for row in rows if "total" in row).split() == ["total", "23"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["3-x"], "the size 'x' is no whole number"),
        (["3"], "at least one layer"),
        (["3--2"], "the size '' is no whole number"),
        (["9" * 5000 + "-2"], "9...9"),
        (["3-2", "--activation", "foo"], "no activation 'foo'"),
        (["3-2", "--loss", "cross"], "did you mean cross_entropy"),
        (["3-2", "--l2", "nan"], "l2 is nan"),
        (["3-2", "--batch", "-1"], "the batch is"),
        (["3-2", "-o", "/nonexistent/net.tex"], "cannot be written"),
    ],
)
def test_the_command_refuses_with_a_hint(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["network", *arguments]) == 2
    told = capsys.readouterr()
    assert message in told.err
    assert "Traceback" not in told.err
    assert not told.out


def test_the_ending_of_the_file_says_what_is_written(tmp_path: Path) -> None:
    for ending, start in [
        ("chain", "X: matrix(N, 5)"), ("py", '"""'), ("json", "{"), ("md", "# Network 5-4-3"),
        ("tex", "\\documentclass"), ("txt", "Network 5-4-3"),
    ]:  # fmt: skip
        path = tmp_path / f"net.{ending}"
        assert main(["network", "5-4-3", "--compile", "-o", str(path)]) == 0
        assert path.read_text(encoding="utf-8").startswith(start)
    names: dict[str, Any] = {}
    exec((tmp_path / "net.py").read_text(encoding="utf-8"), names)
    net = cr.mlp([5, 4, 3])
    drawn = net.initial(0)
    X, Y = np.ones((2, 5)), np.eye(3)[:2]
    loss, gradients = names["value_and_grad"](X, Y, *(drawn[n] for n in net.parameters))
    again, same = net.compile()(X=X, Y=Y, **drawn)
    assert loss == again
    assert all(np.array_equal(gradients[n], same[n]) for n in net.parameters)
    assert cr.parse((tmp_path / "net.chain").read_text(encoding="utf-8")).outputs == ("loss",)


# ------------------------------------------------------------------------- derivation and code


def test_the_penalty_adds_lambda_times_the_weights() -> None:
    plain, penalised = (cr.mlp([3, 4, 2], "tanh", "mse", l2) for l2 in (0.0, 0.5))
    rng = np.random.default_rng(0)
    drawn = {n: rng.standard_normal(s) for n, s in plain.shapes.items()}
    given = {"X": rng.standard_normal((6, 3)), "Y": rng.standard_normal((6, 2)), **drawn}
    (low, before), (high, after) = (net.compile()(**given) for net in (plain, penalised))
    squares = sum((drawn[u.weights] ** 2).sum() for u in plain.layers)
    assert high == pytest.approx(low + 0.25 * squares, rel=1e-12)
    for u in plain.layers:
        np.testing.assert_allclose(after[u.weights], before[u.weights] + 0.5 * drawn[u.weights])
        np.testing.assert_allclose(after[u.biases], before[u.biases])


@pytest.mark.parametrize("loss", LOSSES)
def test_extreme_logits_give_neither_a_warning_nor_a_nan(loss: str) -> None:
    net = cr.mlp([1, 3], loss=loss, batch=1)
    logits = np.array([1e4, -1e4, 0.0])
    targets = np.array([[0.0, 1.0, 0.0]])
    value, gradients = net.compile()(
        X=np.ones((1, 1)), Y=targets, W1=np.zeros((1, 3)), b1=logits
    )  # the tests make every warning an error
    assert np.isfinite(value)
    assert all(np.isfinite(g).all() for g in gradients.values())


def test_predictions_are_probabilities_where_the_loss_has_logits() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((5, 4))
    for loss, check in {
        "cross_entropy": lambda p: np.allclose(p.sum(axis=1), 1) and (p > 0).all(),
        "binary_cross_entropy": lambda p: ((p > 0) & (p < 1)).all(),
        "mse": lambda p: p.shape == (5, 3),
    }.items():
        net = cr.mlp([4, 6, 3], "tanh", loss)
        drawn = net.initial(rng)
        predicted = net.predict(X, **drawn)
        assert predicted.shape == (5, 3)
        assert check(predicted)
        z = np.tanh(X @ drawn["W1"] + drawn["b1"]) @ drawn["W2"] + drawn["b2"]
        link = {
            "cross_entropy": lambda z: np.exp(z) / np.exp(z).sum(axis=1, keepdims=True),
            "binary_cross_entropy": lambda z: 1 / (1 + np.exp(-z)),
            "mse": lambda z: z,
        }[loss]
        np.testing.assert_allclose(predicted, link(z), rtol=1e-12)


BACKPROPAGATION = """\
∂loss/∂penalty = 0.0005                       scalar
∂loss/∂Z3      = (softmax(Z3) - Y)/N          matrix(N, 10)
∂loss/∂A2      = ∂loss/∂Z3 @ W3'              matrix(N, 256)
∂loss/∂Z2      = ∂loss/∂A2 .* (Z2 > 0)        matrix(N, 256)
∂loss/∂A1      = ∂loss/∂Z2 @ W2'              matrix(N, 512)
∂loss/∂Z1      = ∂loss/∂A1 .* (Z1 > 0)        matrix(N, 512)
∂loss/∂W1      = 0.001*W1 + X' @ ∂loss/∂Z1    matrix(784, 512)
∂loss/∂b1      = sum(∂loss/∂Z1, axis=0)       vector(512)
∂loss/∂W2      = 0.001*W2 + A1' @ ∂loss/∂Z2   matrix(512, 256)
∂loss/∂b2      = sum(∂loss/∂Z2, axis=0)       vector(256)
∂loss/∂W3      = 0.001*W3 + A2' @ ∂loss/∂Z3   matrix(256, 10)
∂loss/∂b3      = sum(∂loss/∂Z3, axis=0)       vector(10)
"""


def in_any_order(shown: str) -> list[list[str]]:
    """The words of each line, sums in any order."""
    return [sorted(line.replace(" + ", " ").split()) for line in shown.splitlines()]


def test_backpropagation_layer_by_layer_in_matrix_form(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["network", "784-512-256-10", "--l2", "0.001", "--backprop"]) == 0
    out = capsys.readouterr().out
    shown = out.partition("Backpropagation\n")[2]
    told = "".join(line.removeprefix("  ") + "\n" for line in shown.splitlines() if line[:1] == " ")
    assert in_any_order(told) == in_any_order(BACKPROPAGATION)
    assert "Conventions at kinks: relu'(0) = 0." in shown
    assert max(map(len, out.splitlines())) <= 80

    assert main(["network", "3-2", "--loss", "mse", "--backprop", "--format", "json"]) == 0
    equations = json.loads(capsys.readouterr().out)["backpropagation"]
    assert {"∂loss/∂W1", "∂loss/∂b1", "∂loss/∂Z1"} == {
        e["text"].partition(" = ")[0].replace("d", "∂") for e in equations
    }
    assert all(e["rule"] for e in equations)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_derivation_of_a_network_is_verified(activation: str) -> None:
    found = cr.mlp([3, 2, 2], activation, "cross_entropy", 0.1).derive(verify="numeric")
    assert found.verification.status == "verified"
    assert list(found.data.result.wrt) == ["W1", "b1", "W2", "b2"]
    assert cr.mlp([3, 2]).derive("b1", verify="off").data.variables == ("b1",)


@pytest.mark.parametrize("form", ["latex", "markdown", "html", "json", "text"])
def test_every_face_shows_layers_equations_and_code(form: str) -> None:
    net = cr.mlp([5, 4, 3], "tanh", l2=0.1)
    shown = getattr(net, form)(backprop=True, code=True)
    assert "value_and_grad" in shown.replace("\\", "")
    assert "cross" in shown
    assert "39" in shown
    if form == "latex":
        assert shown.startswith("\\documentclass")
    if form == "html":
        assert "<table" in shown and "<pre><code>" in shown
    if form == "markdown":
        assert "```python" in shown
        assert "| ---: |" in shown


@pytest.mark.pdflatex
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not there")
def test_the_document_compiles(tmp_path: Path) -> None:
    net = cr.mlp([5, 4, 3], "leaky_relu(0.2)", l2=0.1)
    (tmp_path / "net.tex").write_text(net.latex(backprop=True, code=True), encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "net.tex"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120, check=False)
    assert run.returncode == 0, run.stdout.decode("latin-1")[-2000:]
    assert "U+" not in net.latex(backprop=True, code=True)


def test_the_three_neurons_of_the_lecture_notes_as_scalars_and_as_a_network() -> None:
    # The values that the notes give; a layer of two rectified neurons, and a linear one.
    known = {"w11": 0.4, "b11": -5.9, "w12": -0.6, "b12": 5.2, "w21": -1.0, "w22": -1.0, "b2": 5.1}
    source = (Path(__file__).parent.parent / "examples" / "three_neurons.chain").read_text("utf-8")
    net = cr.mlp([1, 2, 1], "relu", "squared_error", batch=1)
    assert net.parameter_count == len(known) == 7
    step = net.compile()
    for x in (2.0, 16.0, 10.0):  # one neuron at work, the other, neither
        slopes = cr.derive(source, list(known), verify="off")(x=x, y=3.0, **known)
        _, gradients = step(
            X=[[x]], Y=[[3.0]], W1=[[known["w11"], known["w12"]]], b1=[known["b11"], known["b12"]],
            W2=[[known["w21"]], [known["w22"]]], b2=[known["b2"]],
        )  # fmt: skip
        flat = np.concatenate([gradients[name].ravel() for name in ("W1", "b1", "W2", "b2")])
        names = ("w11", "w12", "b11", "b12", "w21", "w22", "b2")
        np.testing.assert_allclose(flat, [slopes[name] for name in names], rtol=1e-12)


def test_the_three_layers_of_the_lecture_notes_for_one_example_and_as_a_network() -> None:
    source = (Path(__file__).parent.parent / "examples" / "three_layers.chain").read_text("utf-8")
    rng = np.random.default_rng(0)
    net = cr.mlp(**LECTURE, batch=1)
    drawn = {name: rng.standard_normal(shape) for name, shape in net.shapes.items()}
    x, y = rng.standard_normal(3), 0.3
    loss, gradients = net.compile()(X=x[None], Y=[[y]], **drawn)
    # The notes have a row of weights for each neuron; the network has a column.
    single = cr.compile(source, ["W1", "b1", "W2", "b2", "w3", "b3"])
    same, slopes = single(
        x=x, y=y, W1=drawn["W1"].T, b1=drawn["b1"], W2=drawn["W2"].T, b2=drawn["b2"],
        w3=drawn["W3"][:, 0], b3=drawn["b3"][0],
    )  # fmt: skip
    assert loss == pytest.approx(same, rel=1e-14)
    assert sum(np.size(s) for s in slopes.values()) == 23
    for name, array in gradients.items():
        other = np.atleast_1d(slopes[name.lower() if name in ("W3", "b3") else name])
        np.testing.assert_allclose(np.reshape(array.T, other.shape), other, rtol=1e-12)
