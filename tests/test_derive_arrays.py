"""Derivations over vectors and matrices: results, steps, layouts, second derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.core.errors import ChainruleError, ShapeError, UnsupportedError, UsageError
from chainrule.derivation.steps import Delta, Entry, EntryOf, Gradient, Partial, Times
from chainrule.render.text import text

N = (
    "A: matrix(n, n); B: matrix(n, n); C: matrix(n, n); X: matrix(n, n); "
    "x: vector(n); a: vector(n); b: vector(n); s: scalar; "
)
D = "X: matrix(N, d); y: vector(N); w: vector(d); b: scalar; "


def derive(source: str, wrt: str, **options: Any) -> cr.Derivation:
    """A derivation whose result and local derivatives difference quotients confirm."""
    d = cr.derive(source, wrt, verify="numeric", **options)
    assert d.verification.status == "verified", d.verification
    assert "failed" not in d.verification.edges
    return d


def jacobian_of(d: cr.Derivation, of: str, by: str) -> str:
    """The local derivative on an edge."""
    (edge,) = [e for e in d.edges if (e.of, e.by) == (of, by)]
    return text(edge.local)


def shown(d: cr.Derivation, topic: str) -> list[str]:
    """The last part of each line of the steps under a heading."""
    return [text(line.parts[-1]) for step in d.steps if step.topic == topic for line in step.lines]


# Each of the cases of the shared examples: a program, its variables, the result.
EXAMPLES = [
    ("w: vector(n); x: vector(n); w + x", "w", "eye(n)"),
    ("w: vector(n); x: vector(n); w - x", "x", "-eye(n)"),
    ("w: vector(n); x: vector(n); w .* x", "w", "diag(x)"),
    ("W: matrix(m, n); x: vector(n); b: vector(m); W @ x + b", "x", "W"),
    ("W: matrix(m, n); x: vector(n); b: vector(m); W @ x + b", "b", "eye(m)"),
    ("u: vector(n); tanh(u)", "u", "diag(1 - tanh(u)^2)"),
    ("w: vector(n); x: vector(n); sum(w .* x)", "w", "x"),
    ("u: vector(m); h: vector(m); u' @ h", "h", "u"),
    ("X: matrix(m, n); v: vector(m); v' @ sum(X, axis=1)", "X", "outer(v, ones(n))"),
    (
        "A: matrix(m, n); s: vector(n); x: vector(m); norm(x - A @ s)^2",
        "s",
        "-2*(A' @ (x - A @ s))",
    ),
    ("X: matrix(n, n); tr(expm(X))", "X", "expm(X')"),
    (
        "w: vector(n); x: vector(n); b: scalar; max(0, w @ x + b)",
        "w, b",
        "w: {x if w' @ x + b > 0, 0}; b: {1 if w' @ x + b > 0, 0}",
    ),
    (
        D + "p = sigmoid(b + X @ w); mean(-(y*ln(p) + (1-y)*ln(1-p)))",
        "w, b",
        "w: (X' @ (p - y))/N; b: sum(p - y)/N",
    ),
]


@pytest.mark.parametrize(("source", "wrt", "expected"), EXAMPLES)
def test_lecture_notes(source: str, wrt: str, expected: str) -> None:
    assert derive(source, wrt).expression == expected


# Petersen & Pedersen, The Matrix Cookbook, and the usual tables.
IDENTITIES = [
    ("a' @ x", "x", "a"),
    ("a' @ X @ b", "X", "outer(a, b)"),
    ("a' @ X' @ b", "X", "outer(b, a)"),
    ("x' @ A @ x", "x", "(A + A') @ x"),
    ("x @ A @ x", "x", "(A + A') @ x"),
    ("b' @ X' @ X @ a", "X", "X @ (outer(a, b) + outer(b, a))"),
    ("(x - a)' @ B @ (x - a)", "x", "(B + B') @ (x - a)"),
    ("tr(X @ A)", "X", "A'"),
    ("tr(A @ X @ B)", "X", "A' @ B'"),
    ("tr(A @ X' @ B)", "X", "B @ A"),
    ("tr(X @ X)", "X", "2*X'"),
    ("tr(A) + tr(A @ A)", "A", "2*A' + eye(n)"),
    ("tr(X' @ X)", "X", "2*X"),
    ("tr(X' @ B @ X)", "X", "(B + B') @ X"),
    ("tr(X' @ B @ X @ C)", "X", "B @ X @ C + B' @ X @ C'"),
    ("tr(A @ X @ B @ X)", "X", "A' @ X' @ B' + B' @ X' @ A'"),
    ("det(X)", "X", "det(X)*inv(X)'"),
    ("det(X)^2", "X", "2*det(X)^2*inv(X)'"),
    ("det(inv(X))", "X", "-det(inv(X))*inv(X)'"),
    ("ln(det(X))", "X", "inv(X)'"),
    ("ln(det(X' @ X))", "X", "2*(X @ inv(X' @ X))"),
    ("a' @ inv(X) @ b", "X", "-outer(inv(X)' @ a, inv(X) @ b)"),
    ("tr(A @ inv(X) @ B)", "X", "-inv(X)' @ A' @ B' @ inv(X)'"),
    ("norm(x - a)", "x", "(x - a)/norm(x - a)"),
    ("norm(x)^2", "x", "2*x"),
    ("norm(X)^2", "X", "2*X"),
    ("(x - a) / norm(x - a)", "x", "eye(n)/norm(x - a) - outer(x - a, x - a)/norm(x - a)^3"),
    ("exp(a' @ x)", "x", "exp(a' @ x)*a"),
    ("ln(sum(exp(x)))", "x", "exp(x)/sum(exp(x))"),
    ("logsumexp(x)", "x", "softmax(x)"),
    ("softmax(x)", "x", "diag(softmax(x)) - outer(softmax(x), softmax(x))"),
    ("-sum(a .* ln(softmax(x)))", "x", "sum(a)*softmax(x) - a"),
    ("sum(x .* ln(x))", "x", "ln(x) + 1"),
    ("sum(sigmoid(A @ x))", "x", "A' @ (sigmoid(A @ x) .* (1 - sigmoid(A @ x)))"),
    ("1/2*x' @ A @ x - b' @ x", "x", "1/2*((A + A') @ x) - b"),
    ("x .* (A @ x)", "x", "diag(A @ x) + diag(x) @ A"),
    ("diag(x) @ A @ x", "x", "diag(A @ x) + diag(x) @ A"),
    ("sum(x)*x", "x", "sum(x)*eye(n) + outer(x, ones(n))"),
    ("ones(n)' @ X @ ones(n)", "X", "ones(n, n)"),
    ("a' @ inv(A + s*B) @ b", "s", "-a' @ inv(s*B + A) @ B @ inv(s*B + A) @ b"),
    ("s*X", "s", "X"),
    ("x.^3 + x.^2", "x", "diag(3*x^2 + 2*x)"),
    ("max(0, A @ x + b)", "x", "diag(A @ x + b > 0) @ A"),
    ("x[0]*x[1]", "x", "x[0]*unit(n, 1) + x[1]*unit(n, 0)"),
]


@pytest.mark.parametrize(("source", "wrt", "expected"), IDENTITIES)
def test_identities(source: str, wrt: str, expected: str) -> None:
    assert derive(N + source, wrt).expression == expected


@pytest.mark.parametrize("option", [
    {"granularity": "fine"}, {"style": "backprop"}, {"style": "total"}, {"layout": "denominator"},
])  # fmt: skip
@pytest.mark.parametrize("source", [
    "x' @ A' @ A @ x", "a' @ tanh(A @ x + b)", "(A @ x + b)' @ C @ (B @ x + a)",
    "norm(A @ x)", "sum(softmax(A @ x) .* a)",
])  # fmt: skip
def test_all_ways_lead_to_the_same_gradient(source: str, option: dict[str, Any]) -> None:
    assert derive(N + source, "x", **option).expression == derive(N + source, "x").expression


# ---- steps


def test_the_product_of_jacobians_is_simplified_as_a_person_would() -> None:
    d = derive("w: vector(n); x: vector(n); sum(w .* x)", "w")
    assert [(u.name, text(u.expression), u.shape) for u in d.data.intermediates] == [
        ("u1", "w .* x", ("n",)), ("y", "sum(u1)", ()),
    ]  # fmt: skip
    assert (jacobian_of(d, "u1", "w"), jacobian_of(d, "y", "u1")) == ("diag(x)", "ones(1, n)")
    (step,) = [s for s in d.steps if s.topic == "simplify"]
    (line,) = step.lines
    assert line.because == "1' diag(x) = x'"
    assert [line.parts[0], text(line.parts[1])] == [Partial("y", "w", total=True), "x'"]
    assert shown(d, "gradient") == ["x"]


def test_granularity_of_textbooks() -> None:
    d = derive(D + "mean((y - max(0, X @ w + b))^2)", "w, b")
    assert [(u.name, text(u.expression)) for u in d.data.intermediates] == [
        ("u1", "X @ w + b"), ("u2", "max(0, u1)"), ("u3", "y - u2"), ("u4", "u3^2"),
        ("z", "mean(u4)"),
    ]  # fmt: skip
    assert jacobian_of(d, "u2", "u1") == "diag(u1 > 0)"
    assert d.data.kinks[0].convention == "the slope of max at a tie with a number is 0"
    blocks = d.result.wrt
    assert text(blocks["w"].expression) == (
        "-2/N*(X' @ ((y - max(0, X @ w + b)) .* (X @ w + b > 0)))"
    )


def test_linear_regression_has_the_gradient_of_the_textbook() -> None:
    d = derive(D + "mean((y - (b + X @ w))^2)", "w, b")
    assert shown(d, "gradient") == [text(d.result.wrt["w"].expression)]
    assert d.expression == "w: -2/N*(X' @ (y - X @ w - b)); b: -2*sum(y - X @ w - b)/N"


def test_backpropagation_layer_by_layer() -> None:
    d = derive(
        "X: matrix(N, d); Y: matrix(N, k); W1: matrix(d, h); b1: vector(h); W2: matrix(h, k); "
        "b2: vector(k); Z1 = X @ W1 + b1; A1 = relu(Z1); Z2 = A1 @ W2 + b2; L = mse(Z2, Y)",
        "W1, b1, W2, b2",
    )
    assert [u.name for u in d.data.intermediates] == ["Z1", "A1", "Z2", "L"]
    (step,) = [s for s in d.steps if s.topic == "cotangents"]
    told = {line.parts[0].by: text(line.parts[-1]) for line in step.lines}  # type: ignore[union-attr]
    assert told == {
        "Z2": "2*(Z2 - Y)/(N*k)",
        "A1": "Z2_bar @ W2'",
        "Z1": "A1_bar .* (Z1 > 0)",
        "W1": "X' @ Z1_bar",
        "b1": "sum(Z1_bar, axis=0)",
        "W2": "A1' @ Z2_bar",
        "b2": "sum(Z2_bar, axis=0)",
    }
    assert d.data.made["Z1_bar"] == Gradient("L", "Z1")
    assert text(d.result.wrt["W2"].expression) == "2/(N*k)*(A1' @ (Z2 - Y))"


def test_the_rule_of_each_edge_is_named() -> None:
    d = derive(N + "norm(A @ x)", "x")
    assert {(e.of, e.by): e.rule for e in d.edges} == {
        ("u1", "x"): "product rule for matrices", ("y", "u1"): "derivative of the norm",
    }  # fmt: skip


def test_what_cancels_is_provided_for() -> None:
    d = derive(N + "norm(x)^2", "x")
    conditions = [text(c) for s in d.steps for line in s.lines for c in line.provided]
    assert conditions == ["norm(x) != 0"]
    d = derive(D + "p = sigmoid(X @ w); -sum(ln(p))", "w")
    assert not [c for s in d.steps for line in s.lines for c in line.provided]  # always holds


# ---- layouts


def test_denominator_layout_transposes_and_reverses() -> None:
    d = derive("A: matrix(m, n); x: vector(n); tanh(A @ x)", "x", layout="denominator")
    assert d.expression == "A' @ diag(1 - tanh(A @ x)^2)"
    assert d.result.blocks[0].transposed
    assert shown(d, "locals") == ["A'", "diag(1 - tanh(u1)^2)"]
    (step,) = [s for s in d.steps if s.topic == "path"]
    assert step.lines[-1].parts[1] == Times((Partial("u1", "x"), Partial("y", "u1")))


@pytest.mark.parametrize(("layout", "expected"), [
    ("numerator", (("f", "g"), ("g", "t"), ("t", "x"))),
    ("denominator", (("t", "x"), ("g", "t"), ("f", "g"))),
])  # fmt: skip
def test_named_functions_of_vectors(layout: Any, expected: tuple[tuple[str, str], ...]) -> None:
    d = cr.derive(
        "t: function(vector(d)) -> vector(k); g: function(vector(k)) -> vector(m); "
        "f: function(vector(m)) -> scalar; f(g(t(x)))",
        "x",
        layout=layout,
        verify="off",
    )
    (step,) = [s for s in d.steps if s.topic == "path"]
    factors = step.lines[-1].parts[1]
    assert isinstance(factors, Times)
    names = {"y": "f"}
    assert tuple(
        (names.get(p.of, p.of), p.by) for p in factors.factors if isinstance(p, Partial)
    ) == expected  # fmt: skip


# ---- tensors


def test_a_matrix_by_a_matrix_is_written_in_indices() -> None:
    d = derive("W: matrix(m, n); x: vector(n); W @ x", "W")
    (block,) = d.result.blocks
    left, right = block.by_entry
    assert isinstance(left, EntryOf)
    assert isinstance(right, Times)
    (i,), (j, k) = left.at, left.by_at
    x = d.data.program.symbol("x")
    assert right.factors == (Delta(i, j), Entry(x, (k,)))
    assert (text(block.written), text(block.adjoint)) == ("dW @ x", "outer(y_bar, x)")


def test_a_layer_of_examples() -> None:
    source = "X: matrix(N, d); W: matrix(d, k); B: matrix(N, k); H = sigmoid(X @ W + B); H"
    with_weights = derive(source, "W", vjp="G")
    assert with_weights.expression == "X' @ (G .* H .* (1 - H))"
    (block,) = derive(
        "x: matrix(1, n); w: matrix(n, m); b: matrix(1, m); tanh(x @ w + b)", "w"
    ).result.blocks
    assert text(block.adjoint) == "x' @ (y_bar .* (1 - tanh(x @ w + b).^2))"
    assert block.kind == "tensor"


# ---- second derivatives, directions, weights


@pytest.mark.parametrize(("source", "expected"), [
    ("x' @ A @ x", "A + A'"),
    ("norm(x)^2", "2*eye(n)"),
    ("a' @ x", "zeros(n, n)"),
    ("logsumexp(x)", "diag(softmax(x)) - outer(softmax(x), softmax(x))"),
    ("norm(A @ x - b)^2", "2*(A' @ A)"),
    ("exp(a' @ x)", "exp(a' @ x)*outer(a, a)"),
    ("(a' @ x) * (b' @ x)", "outer(a, b) + outer(b, a)"),
])  # fmt: skip
def test_hessians(source: str, expected: str) -> None:
    assert derive(N + source, "x", order=2).expression == expected


def test_blocks_of_a_hessian() -> None:
    d = derive("A: matrix(n, m); x: vector(n); z: vector(m); x' @ A @ z", "x, z", order=2)
    assert {k: text(b.expression) for k, b in d.result.wrt.items()} == {
        "x, x": "zeros(n, n)", "x, z": "A", "z, x": "A'", "z, z": "zeros(m, m)",
    }  # fmt: skip


@pytest.mark.parametrize(("source", "wrt", "direction", "expected"), [
    ("x' @ A @ x", "x", "h", "(A + A') @ h"),
    ("ln(det(X))", "X", "H", "-inv(X)' @ H' @ inv(X)'"),
    ("norm(A @ X - B)^2", "X", "H", "2*(A' @ A @ H)"),
    ("x' @ X @ x", "x, X", "h, H",
     "x: (H + H') @ x + (X + X') @ h; X: outer(h, x) + outer(x, h)"),
])  # fmt: skip
def test_hessian_times_direction(source: str, wrt: str, direction: str, expected: str) -> None:
    assert derive(N + source, wrt, order=2, jvp=direction).expression == expected


@pytest.mark.parametrize(("source", "wrt", "direction", "expected"), [
    ("A @ x", "x", "h", "A @ h"),
    ("A @ x", "x", "a + 2*b", "A @ (a + 2*b)"),
    ("inv(X)", "X", "H", "-inv(X) @ H @ inv(X)"),
    ("ln(det(X))", "X", "H", "tr(inv(X) @ H)"),
    ("s*X", "s, X", "1, H", "s*H + X"),
])  # fmt: skip
def test_directional_derivatives(source: str, wrt: str, direction: str, expected: str) -> None:
    assert derive(N + source, wrt, jvp=direction).expression == expected


def test_weights_of_several_outputs_are_added_up() -> None:
    assert derive(N + "[sum(x), x' @ a]", "x", vjp="2, 3").expression == "3*a + 2"
    assert derive(N + "A @ x", "x", vjp="g").expression == "A' @ g"


# ---- numbers


def test_values_have_the_axes_of_output_and_variable() -> None:
    rng = np.random.default_rng(1)
    A, x = rng.normal(size=(3, 2)), rng.normal(size=2)
    source = "A: matrix(m, n); x: vector(n); A @ x"
    assert np.allclose(cr.derive(source, "x")(A=A, x=x)["x"], A)
    tensor = np.einsum("ij,k->ijk", np.eye(3), x)
    assert np.allclose(cr.derive(source, "A")(A=A, x=x)["A"], tensor)
    assert np.allclose(cr.derive(source, "x", layout="denominator")(A=A, x=x)["x"], A.T)
    turned = cr.derive(source, "A", layout="denominator")(A=A, x=x)["A"]
    assert np.allclose(turned, tensor.transpose(1, 2, 0))
    hessian = cr.derive("A: matrix(n, n); x: vector(n); x' @ A @ x", "x", order=2)
    S = rng.normal(size=(2, 2))
    assert np.allclose(hessian(A=S, x=x)["x"], S + S.T)
    assert cr.derive("a: vector(n); s: scalar; sum(s*a)", "s")(a=x, s=2.0) == pytest.approx(x.sum())
    several = cr.derive("x: vector(n); [sum(x), norm(x)^2]", "x")(x=x)["x"]
    assert np.allclose(several, [np.ones(2), 2 * x])
    along = cr.derive(source, "x", jvp="h")(A=A, h=x)
    assert np.allclose(along, A @ x)


def test_the_slope_of_norm_at_zero_is_zero() -> None:
    d = cr.derive("x: vector(n); norm(x)", "x")
    assert "the slope of norm at 0 is 0" in [k.convention for k in d.data.kinks]


# ---- limits


def test_a_deep_network_is_derived_in_linear_time() -> None:
    depth = 150
    source = "W: matrix(n, n); x: vector(n); h0 = x; " + "".join(
        f"h{i + 1} = tanh(W @ h{i}); " for i in range(depth)
    ) + f"L = sum(h{depth})"  # fmt: skip
    d = cr.derive(source, "W, x", verify="off")
    assert len(d.data.intermediates) == 2 * depth + 2
    assert any("more than the 64" in remark for remark in d.data.remarks)
    assert text(d.result.wrt["x"].expression) == "h0_bar"


def test_more_paths_than_can_be_listed() -> None:
    source = "x: vector(n); h0 = x; " + "".join(
        f"h{i + 1} = h{i} + sin(h{i}); " for i in range(60)
    )  # fmt: skip
    d = cr.derive(source + "L = sum(h60)", "x", verify="off")
    assert d.data.path_count["L"]["x"] == 2**60


@pytest.mark.parametrize(("source", "wrt", "options", "error", "message"), [
    ("A @ x", "x", {"jvp": "A"}, ShapeError, "vector"),
    ("A @ x", "x", {"order": 2}, UsageError, "tensor"),
    ("x' @ A @ x", "A", {"order": 2}, UnsupportedError, "direction"),
    ("x' @ A @ x", "x", {"order": 3}, UsageError, "orders 1 and 2"),
    ("x' @ A @ x", "x", {"at": "s=2"}, UsageError, "--at"),
    ("x' @ A @ x", "n", {}, UsageError, "dimension"),
])  # fmt: skip
def test_what_cannot_be_done_is_said(
    source: str, wrt: str, options: dict[str, Any], error: type[ChainruleError], message: str
) -> None:
    with pytest.raises(error, match=message):
        cr.derive(N + source, wrt, **options)


def test_a_name_that_the_derivation_needs() -> None:
    with pytest.raises(UsageError, match="`dA`"):
        cr.derive("A: matrix(n, n); dA: matrix(n, n); x: vector(n); (A + dA) @ x", "A")
