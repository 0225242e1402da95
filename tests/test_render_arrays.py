"""Vectors and matrices in every face: how they are written, and what stands on the pages."""

from __future__ import annotations

import io
import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import strategies
from hypothesis import given
from test_render_page import AGREED, HOSTILE, compiled, overfull, whole

import chainrule.api as cr
from chainrule.core.expr import (
    HALF,
    MINUS_ONE,
    ONE,
    TWO,
    ZERO,
    Apply,
    Expr,
    Sym,
    apply,
    free_symbols,
    symbol,
)
from chainrule.core.ops import lookup
from chainrule.derivation.steps import (
    Delta,
    Differential,
    Entry,
    EntryOf,
    Formula,
    Gradient,
    Second,
    SumOver,
    Times,
    Transposed,
)
from chainrule.render import html, terminal
from chainrule.render.latex import latex, words
from chainrule.render.layout import layout
from chainrule.render.mathml import mathml
from chainrule.render.page import page
from chainrule.render.text import text
from chainrule.syntax.parser import parse

A, B, C = (symbol(name, ("n", "n")) for name in "ABC")
X, W1 = symbol("X", ("N", "d")), symbol("W1", ("m", "n"))
x, z, theta = symbol("x", ("n",)), symbol("z", ("n",)), symbol("theta", ("n",))
logits = symbol("logits", ("N", "n"))
c, n, m = symbol("c"), symbol("n"), symbol("m")


def op(name: str, *args: Expr) -> Apply:
    return apply(lookup(name), *args)


# Expressions.

WRITTEN = [
    (A @ B @ C, "A @ B @ C", r"\mathbf{A} \mathbf{B} \mathbf{C}"),
    (A @ (B @ C), "A @ (B @ C)", r"\mathbf{A} \left(\mathbf{B} \mathbf{C}\right)"),
    (op("mul", TWO, A @ x), "2*(A @ x)", r"2 \mathbf{A} \mathbf{x}"),
    (op("mul", TWO, A) @ x, "2*A @ x", r"2 \mathbf{A} \mathbf{x}"),
    (op("mul", x, x @ z), "x*(x @ z)",
     r"\mathbf{x} \left(\mathbf{x} \mathbf{z}\right)"),
    (op("div", A @ x, TWO), "(A @ x)/2", r"\frac{\mathbf{A} \mathbf{x}}{2}"),
    (op("div", A, TWO) @ x, "(A/2) @ x", r"\frac{\mathbf{A}}{2} \mathbf{x}"),
    (logits @ x, "logits @ x", r"\mathbf{logits} \, \mathbf{x}"),
    (W1 @ theta, "W1 @ theta", r"\mathbf{W}_{1} \boldsymbol{\theta}"),
    (x.T, "x'", r"\mathbf{x}^{\top}"),
    (op("add", A, B).T, "(A + B)'", r"\left(\mathbf{A} + \mathbf{B}\right)^{\top}"),
    ((A @ B).T, "(A @ B)'", r"\left(\mathbf{A} \mathbf{B}\right)^{\top}"),
    (A.T.T, "(A')'", r"\left(\mathbf{A}^{\top}\right)^{\top}"),
    (x.T @ A @ x, "x' @ A @ x", r"\mathbf{x}^{\top} \mathbf{A} \mathbf{x}"),
    (op("mul", x.T @ z, x), "(x' @ z)*x",
     r"\left(\mathbf{x}^{\top} \mathbf{z}\right) \mathbf{x}"),
    (op("mul", x.T @ z, c), "(x' @ z)*c", r"\mathbf{x}^{\top} \mathbf{z} c"),
    (op("div", x.T @ z, c), "(x' @ z)/c", r"\frac{\mathbf{x}^{\top} \mathbf{z}}{c}"),
    (op("mul", x, z), "x .* z", r"\mathbf{x} \odot \mathbf{z}"),
    (op("mul", op("mul", x, z), x), "x .* z .* x", r"\mathbf{x} \odot \mathbf{z} \odot \mathbf{x}"),
    (op("mul", op("mul", c, x), z), "c*x .* z", r"c \mathbf{x} \odot \mathbf{z}"),
    (op("mul", A @ x, z), "(A @ x) .* z",
     r"\left(\mathbf{A} \mathbf{x}\right) \odot \mathbf{z}"),
    (A @ op("mul", x, z), "A @ (x .* z)",
     r"\mathbf{A} \left(\mathbf{x} \odot \mathbf{z}\right)"),
    (op("sub", c, op("mul", x, z)), "c - x .* z", r"c - \mathbf{x} \odot \mathbf{z}"),
    (op("neg", op("mul", x, z)), "-x .* z", r"-\mathbf{x} \odot \mathbf{z}"),
    (op("mul", x, op(">", z, ZERO)), "x .* (z > 0)",
     r"\mathbf{x} \odot \left(\mathbf{z} > 0\right)"),
    (op("div", x, z), "x ./ z", r"\mathbf{x} \oslash \mathbf{z}"),
    (op("div", ONE, x), "1 ./ x", r"1 \oslash \mathbf{x}"),
    (op("div", x, op("norm", x)), "x/norm(x)",
     r"\frac{\mathbf{x}}{\left\lVert \mathbf{x}\right\rVert}"),
    (op("pow", x, TWO), "x^2", r"\mathbf{x}^{\odot 2}"),
    (op("pow", A, TWO), "A.^2", r"\mathbf{A}^{\odot 2}"),
    (op("pow", A, MINUS_ONE), "A.^(-1)", r"\mathbf{A}^{\odot -1}"),
    (op("pow", TWO, x), "2^x", r"2^{\odot \mathbf{x}}"),
    (op("pow", x, symbol("T")), "x^(T)", r"\mathbf{x}^{\odot T}"),
    (op("exp", A), "exp(A)", r"\exp\left(\mathbf{A}\right)"),
    (op("abs", A), "abs(A)", r"\operatorname{abs}\left(\mathbf{A}\right)"),
    (op("sum", X), "sum(X)", r"\operatorname{sum}\left(\mathbf{X}\right)"),
    (op("mean", X, ZERO), "mean(X, axis=0)",
     r"\operatorname{mean}_{\mathrm{axis}\ 0}\left(\mathbf{X}\right)"),
    (op("inv", A), "inv(A)", r"\mathbf{A}^{-1}"),
    (op("inv", A @ B), "inv(A @ B)", r"\left(\mathbf{A} \mathbf{B}\right)^{-1}"),
    (op("inv", A.T), "inv(A')", r"\left(\mathbf{A}^{\top}\right)^{-1}"),
    (op("trace", A), "tr(A)", r"\operatorname{tr}\left(\mathbf{A}\right)"),
    (op("det", A), "det(A)", r"\det\left(\mathbf{A}\right)"),
    (op("diagonal", A), "diag(A)", r"\operatorname{diag}\left(\mathbf{A}\right)"),
    (op("dot", x, z), "dot(x, z)", r"\left\langle \mathbf{x}, \mathbf{z}\right\rangle"),
    (op("outer", x, A @ z), "outer(x, A @ z)",
     r"\mathbf{x} \left(\mathbf{A} \mathbf{z}\right)^{\top}"),
    (A @ op("outer", x, z), "A @ outer(x, z)",
     r"\mathbf{A} \left(\mathbf{x} \mathbf{z}^{\top}\right)"),
    (op("ones", n), "ones(n)", r"\mathbf{1}_{n}"),
    (op("ones", ONE, n), "ones(1, n)", r"\mathbf{1}_{n}^{\top}"),
    (op("zeros", n, m), "zeros(n, m)", r"\mathbf{0}_{n \times m}"),
    (op("mul", TWO, op("ones", n)), "2*ones(n)", r"2 \cdot \mathbf{1}_{n}"),
    (op("eye", n), "eye(n)", r"\mathbf{I}_{n}"),
    (op("unit", n, ONE), "unit(n, 1)", r"\mathbf{e}_{1}"),
    (op("index", x, ZERO), "x[0]", r"\mathbf{x}[0]"),
    (op("index", A, ZERO, ONE), "A[0, 1]", r"\mathbf{A}[0, 1]"),
    (op("index", A.T, ONE), "A[:, 1]", r"\mathbf{A}[:, 1]"),
    (op("slice", x, ONE, n), "x[1:]", r"\mathbf{x}[1:]"),
    (op("slice", A, ZERO, TWO, ZERO, n), "A[:2, :]", r"\mathbf{A}[:2, :]"),
    (op("concat", ZERO, x, z), "concat(x, z)",
     r"\begin{bmatrix}\mathbf{x} \\ \mathbf{z}\end{bmatrix}"),
    (op("concat", ONE, A, B), "concat(A, B, axis=1)",
     r"\begin{bmatrix}\mathbf{A} & \mathbf{B}\end{bmatrix}"),
    (op("mul", HALF, symbol("∂L/∂x", ("n",))), "1/2 * dL/dx",
     r"\frac{1}{2} \frac{\partial L}{\partial \mathbf{x}}"),
    (op("outer", symbol("∇L/∇x", ("n",)), z), "outer(∇_x L, z)",
     r"\left(\nabla_{\mathbf{x}} \, L\right) \mathbf{z}^{\top}"),
    (A @ symbol("∂B", ("n", "n")) @ x, "A @ dB @ x",
     r"\mathbf{A} \, d\mathbf{B} \, \mathbf{x}"),
]  # fmt: skip


@pytest.mark.parametrize(("e", "line", "plane"), WRITTEN, ids=[w for _, w, _ in WRITTEN])
def test_arrays_are_written(e: Expr, line: str, plane: str) -> None:
    assert (text(e), latex(e)) == (line, plane)


i, j, k = map(symbol, "ijk")
FORMS: list[tuple[Formula, str, str]] = [
    (Differential("X"), "dX", "dX"),
    (Gradient("L", "x"), "dL/dx", r"\frac{\partial L}{\partial x}"),
    (Second("y", "x", "x"), "∂^2y/∂x^2", r"\frac{\partial ^{2}y}{\partial x^{2}}"),
    (Second("y", "x", "z"), "∂^2y/∂x∂z", r"\frac{\partial ^{2}y}{\partial x\partial z}"),
    (Transposed(op("add", A, B)), "(A + B)'", r"\left(\mathbf{A} + \mathbf{B}\right)^{\top}"),
    (Entry(x, (k,)), "x_k", "x_{k}"),
    (Entry(W1, (i, j)), "W1_ij", r"\left(\mathbf{W}_{1}\right)_{ij}"),
    (Entry(A @ x, (i,)), "(A @ x)_i", r"\left(\mathbf{A} \mathbf{x}\right)_{i}"),
    (Entry(x, (op("add", k, ONE),)), "x_(k + 1)", "x_{k + 1}"),
    (Times((Delta(i, j), Entry(x, (k,)))), "δ_ij x_k", r"\delta_{ij} \, x_{k}"),
    (Times((MINUS_ONE, Entry(x, (k,)))), "-x_k", "-x_{k}"),
    (EntryOf("y", (i,), "A", (j, k)), "dy_i/dA_jk",
     r"\frac{\partial y_{i}}{\partial A_{jk}}"),
    (SumOver((k,), Times((Entry(A, (i, k)), Entry(x, (k,))))), "Σ_k A_ik x_k",
     r"\sum_{k} A_{ik} \, x_{k}"),
]  # fmt: skip


@pytest.mark.parametrize(("form", "line", "plane"), FORMS, ids=[w for _, w, _ in FORMS])
def test_forms_of_an_array_derivation(form: Formula, line: str, plane: str) -> None:
    assert (text(form), latex(form)) == (line, plane)


@given(strategies.arrays())
def test_mathml_of_arrays_is_well_formed(e: Expr) -> None:
    ElementTree.fromstring(mathml(layout(e)))


@given(strategies.expressions(functions=True))
def test_mathml_is_well_formed(e: Expr) -> None:
    ElementTree.fromstring(mathml(layout(e)))


def test_a_chain_of_arrays_100000_deep() -> None:
    e: Expr = x
    for _ in range(100_000):
        e = op("sin", e)
    assert text(e.T) == "sin(" * 100_000 + "x" + ")" * 100_000 + "'"
    assert latex(e).count(r"\mathbf{x}") == 1


def test_shared_parts_of_arrays_have_names_and_shapes() -> None:
    e: Expr = A
    for _ in range(40):
        e = op("add", e @ B, e)
    program = parse(f"A: matrix(n, n), B: matrix(n, n); {text(e)}")
    assert program.written_out()[program.outputs[0]] is e


# Pages.

LAYER = "W: matrix(k, d); b: vector(k); x: vector(d)"
CORPUS: list[tuple[str, dict[str, object]]] = [
    ("X: matrix(N, d); w: vector(d); y: vector(N); loss = mean((X @ w - y)^2)", {"wrt": "w"}),
    ("A: matrix(n, n); x: vector(n); x' @ A @ x", {"wrt": "x"}),
    ("A: matrix(n, n); x: vector(n); x' @ A @ x", {"wrt": "x", "layout": "denominator"}),
    ("A: matrix(n, n); x: vector(n); x' @ A @ x", {"wrt": "x", "order": 2}),
    (f"{LAYER}; W @ x", {"wrt": "W"}),
    (f"{LAYER}; sigmoid(W @ x + b)", {"wrt": "x, b", "layout": "denominator"}),
    (f"{LAYER}; relu(W @ x + b)", {"wrt": "W", "vjp": "g"}),
    (f"{LAYER}; z = W @ x + b; a = tanh(z); L = norm(a)^2", {"wrt": "W, b"}),
    ("X: matrix(n, n); ln(det(X)) + tr(inv(X))", {}),
    ("X: matrix(N, d); W: matrix(d, k); b: vector(k); Y: matrix(N, k); "
     "L = cross_entropy(X @ W + b, Y)", {"wrt": "W, b"}),
    ("x: vector(n); a: vector(n); exp(a' @ x)", {"wrt": "x", "jvp": "h"}),
    ("x: vector(n); z: vector(n); sum((x .* z)^2)", {"wrt": "x, z", "order": 2, "jvp": "h, g"}),
    ("x: vector(n); y: vector(n); s: scalar; s*dot(x, y) + sum(x[1:3]) + x[0]", {"wrt": "x, s"}),
]  # fmt: skip
IDS = [f"{source[-30:]} {options}" for source, options in CORPUS]


@pytest.mark.parametrize(("source", "options"), CORPUS, ids=IDS)
@pytest.mark.parametrize("width", [48, 80])
def test_lines_fit(source: str, options: dict[str, object], width: int) -> None:
    shown = terminal.plain(whole(source, **options), width)
    assert max(map(len, shown.splitlines())) <= width
    assert "\0" not in shown


@pytest.mark.pdflatex
def test_documents_compile(tmp_path: Path) -> None:
    pages = [whole(source, **options) for source, options in CORPUS]
    assert overfull(compiled(pages, tmp_path)) < 20.0


@pytest.mark.parametrize(("source", "options"), CORPUS, ids=IDS)
def test_json_of_arrays(source: str, options: dict[str, object]) -> None:
    """Results have shapes, and their expressions are in the language, over names of steps."""
    d = cr.derive(source, verify="off", **options)  # type: ignore[arg-type]
    shown = json.loads(d.json())
    assert "entries" not in shown["result"]
    for u, known in zip(shown["intermediates"], d.data.intermediates, strict=True):
        assert u["shape"] == list(known.shape)
    declared = [f"{s.name}: {_declaration(list(s.shape))}" for s in _names(d)]
    for block, given_block in zip(
        shown["result"]["wrt"].values(), d.data.result.blocks, strict=True
    ):
        assert block["shape"] == list(given_block.shape)
        read = parse("; ".join([*declared, block["expression"]]), latex=False)
        assert read.assignments[-1][1] is given_block.expression


def _declaration(shape: list[object]) -> str:
    kind = ("scalar", "vector", "matrix")[len(shape)]
    return f"{kind}({', '.join(map(str, shape))})" if shape else kind


def _names(d: cr.Derivation) -> list[Sym]:
    dimensions = d.data.program.dimensions
    found = free_symbols(b.expression for b in d.data.result.blocks)
    return [s for s in found if s.name not in dimensions]


def test_the_reading_says_the_shapes() -> None:
    shown = terminal.plain(whole(*CORPUS[0][:1], wrt="w"))
    assert "Variable w: vector(d); constants X: matrix(N, d) and y: vector(N)." in shown
    assert re.search(r"u1 += X @ w - y +vector\(N\)$", shown, re.MULTILINE)
    typeset = whole(*CORPUS[0][:1], wrt="w")
    assert "<msup><mrow><mi>ℝ</mi></mrow>" in html.html(typeset)


def test_a_row_and_its_transpose_have_different_signs() -> None:
    shown = terminal.plain(whole(CORPUS[0][0], wrt="w"))
    assert "∂loss/∂w = " in shown and "∇_w loss = 2/N*(X' @ (X @ w - y))" in shown
    assert "it is the transpose of the row ∂" in shown
    denominator = terminal.plain(whole(CORPUS[0][0], wrt="w", layout="denominator"))
    assert "∇" not in denominator


def test_cotangents_are_gradients_for_the_eye_and_names_in_json() -> None:
    d = cr.derive(CORPUS[9][0], wrt="W, b", verify="off")
    assert re.search(r"∂L/∂W += X' @ ∂L/∂u1", str(d))
    (step,) = [s for s in json.loads(d.json())["steps"] if s["title"] == "Backpropagation from L"]
    assert {"u1_bar = softmax(u1) - Y", "dL/dW = X' @ u1_bar"} & {
        line["text"].replace("(softmax(u1) - Y)/N", "softmax(u1) - Y") for line in step["lines"]
    }
    assert any(r"\frac{\partial L}{\partial \mathbf{W}}" in line["latex"] for line in step["lines"])


def test_what_a_direction_and_weights_are() -> None:
    along = terminal.plain(whole(CORPUS[11][0], wrt="x, z", order=2, jvp="h, g"))
    assert "dx = h" in along and "dz = g" in along and "(H d)_x" in along and "(H d)_z" in along
    weighted = terminal.plain(whole(CORPUS[6][0], wrt="W", vjp="g"))
    assert "s = dot(g, y)" in weighted and "∂s/∂W = " in weighted


def test_what_an_encoding_lacks_is_written_otherwise() -> None:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="ascii")
    terminal.write(whole(CORPUS[0][0], wrt="w"), file)
    terminal.write(whole(CORPUS[4][0], wrt="W"), file)
    file.flush()
    shown = raw.getvalue().decode("ascii")
    assert "grad_w loss = " in shown and "dy_i/dW_jl = delta_ij x_l" in shown and "?" not in shown
    assert words("Fréchet") == r"Fr\'{e}chet"


# HTML.


def body(shown: str) -> ElementTree.Element:
    start, end = shown.index("<main>"), shown.index("</main>") + len("</main>")
    return ElementTree.fromstring(shown[start:end])


@pytest.mark.parametrize(("source", "options"), CORPUS, ids=IDS)
def test_html_is_complete_in_itself(source: str, options: dict[str, object]) -> None:
    shown = html.html(whole(source, **options))
    main = body(shown)
    assert main.find("h1") is not None and main.findall(".//math")
    assert not re.search(r"<(script|link|img|iframe)|src=|href=|url\(|@import|https?:", shown)
    assert "prefers-color-scheme: dark" in shown


def test_hostile_names_do_nothing_in_html() -> None:
    e: Expr = symbol("y")
    for name in HOSTILE:
        e = op("add", e, op("mul", symbol(name), op("sum", symbol(name + "v", ("n",)))))
    d = cr.derive(e, wrt=[symbol(HOSTILE[0]), symbol(HOSTILE[6])], verify="off")
    shown = html.html(page(d.data, AGREED))
    main = body(shown)
    assert not main.findall(".//script") and "<script" not in shown and "\x1b" not in shown
    assert {el.tag for el in main.iter()} <= TAGS
    assert all(set(el.attrib) <= ATTRIBUTES for el in main.iter())


TAGS = {
    "main", "h1", "h2", "h3", "p", "span", "div", "table", "tr", "td", "th", "code", "math", "mi",
    "mn", "mo", "mtext", "mspace", "mrow", "mfrac", "msup", "msub", "msubsup", "msqrt", "mroot",
    "mtable", "mtr", "mtd",
}  # fmt: skip
ATTRIBUTES = {
    "class", "displaystyle", "form", "mathvariant", "stretchy", "fence", "separator", "width",
}  # fmt: skip
