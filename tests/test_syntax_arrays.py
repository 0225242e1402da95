"""Vectors and matrices in the language: declarations, ways of writing, shapes, what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.core.errors import (
    AmbiguityError,
    ChainruleError,
    ParseError,
    ShapeError,
    UnsupportedError,
)
from chainrule.core.expr import Apply, Expr, apply, const, fold, free_symbols, symbol
from chainrule.core.ops import lookup
from chainrule.core.program import Program
from chainrule.core.shape import Shape, shape_text
from chainrule.core.table.abstract import AbstractOperator, function
from chainrule.render.text import text
from chainrule.syntax.parser import parse, parse_expression, parse_expressions, parse_symbols

GIVEN: dict[str, Shape] = {
    "A": ("n", "n"),
    "W": ("m", "n"),
    "X": ("N", "n"),
    "Z": (4, 3),
    "R": (1, "n"),
    "b": ("m",),
    "x": ("n",),
    "y": ("n",),
    "v": (4,),
    "s": (),
    "logits": ("N", "k"),
    "labels": ("N", "k"),
}
DECLARED = "; ".join(f"{name}: {shape_text(shape)}" for name, shape in GIVEN.items())


def tree(expression: Expr) -> str:
    """The tree, written out in full."""

    def visit(node: Expr, args: list[str]) -> str:
        if not isinstance(node, Apply):
            return repr(node)
        orders = node.op.orders if isinstance(node.op, AbstractOperator) else ()
        marked = f"[{','.join(map(str, orders))}]" if any(orders) else ""
        return f"{node.op.name}{marked}({', '.join(args)})"

    return fold([expression], visit)[0]


def program(source: str, **options: bool) -> Program:
    return parse(f"{DECLARED}\n{source}", **options)


READINGS = [
    # products
    ("W @ x + b", "add(matmul(W, x), b)", ("m",)),
    ("W @ A @ x", "matmul(matmul(W, A), x)", ("m",)),
    ("2 * W @ x", "matmul(mul(2, W), x)", ("m",)),
    ("-W @ x", "neg(matmul(W, x))", ("m",)),
    ("W @ x / n", "div(matmul(W, x), n)", ("m",)),
    ("x @ y", "matmul(x, y)", ()),
    ("x .* y", "mul(x, y)", ("n",)),
    ("x ⊙ y", "mul(x, y)", ("n",)),
    ("x ∘ y", "mul(x, y)", ("n",)),
    ("x * y", "mul(x, y)", ("n",)),
    ("X .* x", "mul(X, x)", ("N", "n")),
    ("2X", "mul(2, X)", ("N", "n")),
    ("s X", "mul(s, X)", ("N", "n")),
    ("s(x + y)", "mul(s, add(x, y))", ("n",)),
    ("x/2 ./ y", "div(div(x, 2), y)", ("n",)),
    ("x ./ y", "div(x, y)", ("n",)),
    ("x .^ y", "pow(x, y)", ("n",)),
    ("x.^2", "pow(x, 2)", ("n",)),
    ("x.**2", "pow(x, 2)", ("n",)),
    ("x^2", "pow(x, 2)", ("n",)),
    ("x²", "pow(x, 2)", ("n",)),
    ("2^x", "pow(2, x)", ("n",)),
    ("e^x", "exp(x)", ("n",)),
    ("X + x", "add(X, x)", ("N", "n")),
    ("relu(X @ W')", "relu(matmul(X, transpose(W)))", ("N", "m")),
    ("max(0, W @ x)", "max(0, matmul(W, x))", ("m",)),
    ("{x if x > 0, s}", "piecewise(x, >(x, 0), s)", ("n",)),
    ("x > y", ">(x, y)", ("n",)),
    # transposes
    ("W'", "transpose(W)", ("n", "m")),
    ("W.T", "transpose(W)", ("n", "m")),
    ("Wᵀ", "transpose(W)", ("n", "m")),
    ("W^⊤", "transpose(W)", ("n", "m")),
    ("transpose(W)", "transpose(W)", ("n", "m")),
    ("W''", "transpose(transpose(W))", ("m", "n")),
    ("x'", "transpose(x)", (1, "n")),
    ("x' @ x", "matmul(transpose(x), x)", ()),
    ("x' @ A @ x", "matmul(matmul(transpose(x), A), x)", ()),
    ("x @ b'", "matmul(x, transpose(b))", ("n", "m")),
    ("(W @ x - b)' @ b", "matmul(transpose(sub(matmul(W, x), b)), b)", ()),
    ("-x'", "neg(transpose(x))", (1, "n")),
    ("x'^2", "pow(transpose(x), 2)", (1, "n")),
    ("(x^2)'", "transpose(pow(x, 2))", (1, "n")),
    ("sin(x)'", "transpose(sin(x))", (1, "n")),
    ("sin x'", "sin(transpose(x))", (1, "n")),
    # sums and other functions
    ("sum(X)", "sum(X)", ()),
    ("sum(X, axis=0)", "sum(X, 0)", ("n",)),
    ("sum(X, axis=-1)", "sum(X, 1)", ("N",)),
    ("sum(x, axis=0)", "sum(x)", ()),
    ("mean(X, axis = 1)", "mean(X, 1)", ("N",)),
    ("mean x^2", "mean(pow(x, 2))", ()),
    ("sum(x)/n", "div(sum(x), n)", ()),
    ("dot(x, y)", "dot(x, y)", ()),
    ("outer(b, x)", "outer(b, x)", ("m", "n")),
    ("norm(X)^2", "pow(norm(X), 2)", ()),
    ("‖x - y‖", "norm(sub(x, y))", ()),
    ("‖x‖^2", "pow(norm(x), 2)", ()),
    ("‖X‖_F", "norm(X)", ()),
    ("‖x‖_2^2", "pow(norm(x), 2)", ()),
    ("||x||", "norm(x)", ()),
    ("||x - y||^2", "pow(norm(sub(x, y)), 2)", ()),
    ("|x|", "abs(x)", ("n",)),
    ("| |x| |", "abs(abs(x))", ("n",)),
    ("||s||", "abs(abs(s))", ()),
    ("2‖x‖‖y‖", "mul(mul(2, norm(x)), norm(y))", ()),
    ("tr(A)", "trace(A)", ()),
    ("tr A' + det A", "add(trace(transpose(A)), det(A))", ()),
    ("ln det A", "ln(det(A))", ()),
    ("inv(A) @ x", "matmul(inv(A), x)", ("n",)),
    ("expm(A)", "expm(A)", ("n", "n")),
    ("diag(x)", "diag(x)", ("n", "n")),
    ("diag(A)", "diagonal(A)", ("n",)),
    ("ones(n)", "ones(n)", ("n",)),
    ("zeros(m, 3)", "zeros(m, 3)", ("m", 3)),
    ("eye(n) + A", "add(eye(n), A)", ("n", "n")),
    ("ones(n + 1)", "ones(add(n, 1))", ("n + 1",)),
    ("softmax(X)", "softmax(X)", ("N", "n")),
    ("softmax(X, axis=-1)", "softmax(X)", ("N", "n")),
    ("logsumexp(X, axis=1)", "logsumexp(X)", ("N",)),
    ("cross_entropy(logits, labels)", "cross_entropy(logits, labels)", ()),
    ("mse(x, y)", "mse(x, y)", ()),
    ("f(x)", "f(x)", ("n",)),
    # parts
    ("x[0]", "index(x, 0)", ()),
    ("x[-1]", "index(x, sub(n, 1))", ()),
    ("x[n - 1]", "index(x, sub(n, 1))", ()),
    ("v[-1]", "index(v, 3)", ()),
    ("X[2]", "index(X, 2)", ("n",)),
    ("X[1, 2]", "index(X, 1, 2)", ()),
    ("X[1][2]", "index(index(X, 1), 2)", ()),
    ("X[:, 2]", "index(transpose(X), 2)", ("N",)),
    ("X[2, :]", "index(X, 2)", ("n",)),
    ("x[1:3]", "slice(x, 1, 3)", (2,)),
    ("x[:3]", "slice(x, 0, 3)", (3,)),
    ("x[1:]", "slice(x, 1, n)", ("n - 1",)),
    ("x[:-1]", "slice(x, 0, sub(n, 1))", ("n - 1",)),
    ("v[-2:]", "slice(v, 2, 4)", (2,)),
    ("x[:]", "slice(x, 0, n)", ("n",)),
    ("X[0:2]", "slice(X, 0, 2, 0, n)", (2, "n")),
    ("X[:, 1:3]", "slice(X, 0, N, 1, 3)", ("N", 2)),
    ("Z[1:3, :2]", "slice(Z, 1, 3, 0, 2)", (2, 2)),
    ("Z[1, :2]", "slice(index(Z, 1), 0, 2)", (2,)),
    ("Z[1:, 2]", "slice(index(transpose(Z), 2), 1, 4)", (3,)),
    ("(X' @ X)[0, 1]", "index(matmul(transpose(X), X), 0, 1)", ()),
    ("(x + y)[n - 1]", "index(add(x, y), sub(n, 1))", ()),
    ("x'[0]", "index(transpose(x), 0)", ("n",)),
    ("2x[1]^2", "mul(2, pow(index(x, 1), 2))", ()),
    ("sin x[1]", "sin(index(x, 1))", ()),
    ("(s + 1)[s + 2]", "mul(add(s, 1), add(s, 2))", ()),
    ("concat(x, y)", "concat(0, x, y)", ("2*n",)),
    ("concat(x, b, ones(2))", "concat(0, x, b, ones(2))", ("m + n + 2",)),
    ("concat(X, X, axis=1)", "concat(1, X, X)", ("N", "2*n")),
    ("concat(X, X, axis=-2)", "concat(0, X, X)", ("2*N", "n")),
]


@pytest.mark.parametrize(("source", "reads", "shape"), READINGS)
def test_readings(source: str, reads: str, shape: Shape) -> None:
    found = program(source)
    (_, expression), *_ = found.assignments
    assert (tree(expression), expression.shape) == (reads, shape)
    assert parse_expression(source, declared=GIVEN) is expression


@pytest.mark.parametrize("source", [row[0] for row in READINGS])
def test_what_is_printed_reads_back(source: str) -> None:
    expression = parse_expression(source, declared=GIVEN)
    assert parse_expression(text(expression), declared=GIVEN) is expression


NUMBERS = st.one_of(st.integers(-3, 9).map(const), st.just(const(0.5)))
LEAVES = st.one_of(st.sampled_from([symbol(n, shape) for n, shape in GIVEN.items()]), NUMBERS)
BINARY = [
    lookup(n) for n in ("add", "sub", "mul", "div", "matmul", "dot", "outer", "max", ">", "mse")
]
UNARY = [
    lookup(n)
    for n in (
        "transpose", "neg", "sin", "exp", "abs", "sqrt", "norm", "trace", "det", "inv", "diag",
        "diagonal", "softmax", "logsumexp", "sum", "mean",
    )
]  # fmt: skip


def _applied(name: str, *arguments: Expr) -> Expr:
    """The application where the shapes fit, else its last argument that is no number."""
    try:
        return apply(lookup(name), *arguments)
    except ChainruleError:
        return next((a for a in reversed(arguments) if a.shape), arguments[0])


def _grown(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    zero, one, two = const(0), const(1), const(2)
    arrays = inner.filter(lambda e: bool(e.shape))
    matrices = inner.filter(lambda e: len(e.shape) == 2)
    return st.one_of(
        st.builds(
            lambda row, a, b: _applied(row.name, a, b), st.sampled_from(BINARY), inner, inner
        ),
        st.builds(lambda row, a: _applied(row.name, a), st.sampled_from(UNARY), arrays),
        st.builds(lambda a, k: apply(lookup("pow"), a, const(k)), inner, st.integers(-3, 3)),
        st.builds(lambda a, k: _applied("sum", a, k), matrices, st.sampled_from([zero, one])),
        st.builds(lambda a, k: _applied("mean", a, k), matrices, st.sampled_from([zero, one])),
        st.builds(lambda a, k: _applied("index", a, k), arrays, st.sampled_from([zero, one])),
        st.builds(lambda a: _applied("index", a, zero, two), arrays),
        st.builds(lambda a: _applied("slice", a, zero, two), arrays),
        st.builds(lambda a: _applied("slice", a, zero, one, one, two), arrays),
        st.builds(lambda a, b: _applied("concat", zero, a, b), arrays, arrays),
        st.builds(lambda a, b: _applied("concat", one, a, b), arrays, arrays),
    )


@given(st.recursive(LEAVES, _grown, max_leaves=8))
def test_any_expression_printed_reads_back(expression: Expr) -> None:
    """What the rows accept and the language has a way to write."""
    assert parse_expression(text(expression), declared=GIVEN) is expression


LATEX = [
    (r"\mathbf{W}\mathbf{x} + \mathbf{b}", "add(matmul(W, x), b)"),
    (r"\mathbf W \mathbf x", "matmul(W, x)"),
    (r"X^\top X", "matmul(transpose(X), X)"),
    (r"X^{\top} X", "matmul(transpose(X), X)"),
    (r"X^{\mathsf T} X", "matmul(transpose(X), X)"),
    (r"X^{\mathsf{T}} X", "matmul(transpose(X), X)"),
    (r"X^\mathrm{T} X", "matmul(transpose(X), X)"),
    (r"X^\intercal X", "matmul(transpose(X), X)"),
    (r"X^{T} X", "matmul(transpose(X), X)"),
    (r"x^{\prime} A x", "matmul(matmul(transpose(x), A), x)"),
    (r"x \odot y", "mul(x, y)"),
    (r"x \circ y", "mul(x, y)"),
    (r"\lVert x \rVert^2", "pow(norm(x), 2)"),
    (r"\|x - y\|_2^2", "pow(norm(sub(x, y)), 2)"),
    (r"\|X\|_{F}", "norm(X)"),
    (r"\left\| x \right\|_2", "norm(x)"),
    (r"\left\lVert x \right\rVert", "norm(x)"),
    (r"\operatorname{tr}(A^\top A)", "trace(matmul(transpose(A), A))"),
    (r"\ln \det A", "ln(det(A))"),
    (r"\operatorname{sum}(X, axis=0)", "sum(X, 0)"),
    (r"\frac{1}{N} \operatorname{sum}(x)", "mul(div(1, N), sum(x))"),
    (r"\vec{x} + \vec y", "add(x, y)"),
    (r"s \cdot x", "mul(s, x)"),
    (r"\sigma \mathbf{x}", "mul(sigma, x)"),
    (r"\boldsymbol{\theta} x", "mul(theta, x)"),
    (r"\mathbf{A}^{-1} \mathbf{x}", "matmul(inv(A), x)"),
    (r"A^{-\top} x", "matmul(transpose(inv(A)), x)"),
    (r"A^{-T} x", "matmul(transpose(inv(A)), x)"),
    (r"A^{-\mathsf{T}} x", "matmul(transpose(inv(A)), x)"),
    (r"A^{2} x", "matmul(matmul(A, A), x)"),
    (r"A^{-2}", "matmul(inv(A), inv(A))"),
    (r"e^{A}", "expm(A)"),
    (r"e^{-x}", "exp(neg(x))"),
    (r"A^{\odot 2} + A^{\circ -1}", "add(pow(A, 2), pow(A, -1))"),
    (r"x^{\odot s} \oslash y", "div(pow(x, s), y)"),
    (r"A + s \mathbf{I}_{n} - I_n", "sub(add(A, mul(s, eye(n))), eye(n))"),
    (r"\mathbf{1}_n + \mathbf 0_{n}", "add(ones(n), zeros(n))"),
    (r"\mathbf{0}_{m \times n}", "zeros(m, n)"),
    (r"\mathbf{I}_{m + n}", "eye(add(m, n))"),
    (r"\langle x, A y\rangle", "dot(x, matmul(A, y))"),
    (r"x y^\top A", "matmul(outer(x, y), A)"),
    (r"\begin{bmatrix} x \\ b \\ \end{bmatrix}", "concat(0, x, b)"),
    (r"\begin{pmatrix} A & A \end{pmatrix}", "concat(1, A, A)"),
    (
        r"\begin{bmatrix} x \\ \begin{bmatrix} x \\ b \end{bmatrix} \end{bmatrix}",
        "concat(0, x, concat(0, x, b))",
    ),
    (r"\operatorname{mean}_{\mathrm{axis}\ 1}\left(X\right)", "mean(X, 1)"),
    (r"\mathbf{x}[0] X\left[1, 0\right]", "mul(index(x, 0), index(X, 1, 0))"),
    (r"X[:, 1]", "index(transpose(X), 1)"),
    (r"\sqrt{x}[0] + (x + y)[n - 1]", "add(index(sqrt(x), 0), index(add(x, y), sub(n, 1)))"),
    (r"s\left[s + 1\right]", "mul(s, add(s, 1))"),
    (r"A[x + y]", "matmul(A, add(x, y))"),
    (r"\frac{1}{n}\left[n + 1\right]", "mul(div(1, n), add(n, 1))"),
]


@pytest.mark.parametrize(("source", "reads"), LATEX)
def test_latex(source: str, reads: str) -> None:
    assert tree(parse_expression(source, declared=GIVEN, latex=True)) == reads
    assert tree(program(source, latex=True).assignments[0][1]) == reads


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        (r"\mathbf{x}[i]", "x[0]"),
        (r"\mathbf{x}[s + 1]", "x[0]"),
        (r"s[0]", "x1"),
        (r"\mathbf{x}_1", "x[0]"),
        (r"\mathbf{X}_{i,:}", "X[0, :]"),
        (r"\mathbf{0}", r"\mathbf{0}_{n}"),
        (r"\mathbf{0}_{mn}", "n + 1"),
        (r"A + s I", r"\mathbf{I}_{n}"),
        (r"\mathbf{e}_{1}", "unit"),
        (r"x \odot A y", "brackets"),
        (r"A^{1/2}", r"\odot"),
        (r"A^{0}", r"\odot"),
        (r"2^{A}", r"\odot"),
        (r"\frac{1}{A}", "X^{-1}"),
        (r"\langle x, y", r"\rangle"),
        (r"x, y\rangle", r"\langle"),
        (r"\begin{vmatrix} A \end{vmatrix}", r"\det"),
        (r"\begin{bmatrix} A & A \\ A & A \end{bmatrix}", "row"),
        (r"\begin{bmatrix} s \\ s \end{bmatrix}", "[e_1, e_2]"),
    ],
)
def test_latex_that_could_be_misread_is_refused(source: str, hint: str) -> None:
    with pytest.raises(ChainruleError) as caught:
        program(source, latex=True)
    assert hint in caught.value.hint
    assert caught.value.span is not None


@pytest.mark.parametrize(
    ("source", "reading"),
    [
        (r"A^{-1}", "the inverse"),
        (r"A^{2}", "a power of the matrix"),
        (r"e^{A}", "the exponential of the matrix"),
        (r"\exp(A)", "e^x of each entry"),
        (r"x^{2}", "a power of each entry"),
    ],
)
def test_latex_powers_are_told(source: str, reading: str) -> None:
    (notice,) = program(source, latex=True).notices
    assert notice.message == f"`{source}` is read as {reading}"


DOUBTS = [
    ("A^2", "pow(A, 2)", "`A^2` is read as a power of each entry", "A @ A"),
    ("A²", "pow(A, 2)", "`A²` is read as a power of each entry", "A @ A"),
    ("A^-1", "pow(A, -1)", "`A^-1` is read as 1/x of each entry", "inv(A)"),
    ("e^A", "exp(A)", "`e^A` is read as e^x of each entry", "expm(A)"),
    ("X^T", "transpose(X)", "`X^T` is read as the transpose", "T: scalar"),
    ("relu W @ x", "matmul(relu(W), x)", "`relu W @ x` is read as `relu(W)@x`", "relu(W@x)"),
]


@pytest.mark.parametrize(("source", "reads", "message", "other"), DOUBTS)
def test_readings_that_could_be_others(source: str, reads: str, message: str, other: str) -> None:
    found = program(source)
    assert tree(found.assignments[0][1]) == reads
    (notice,) = found.notices
    assert notice.message == message
    assert other in notice.hint
    start = len(DECLARED) + 1
    assert (notice.span.start, notice.span.end) == (start, start + len(source))
    with pytest.raises(AmbiguityError):
        program(source, strict=True)


@pytest.mark.parametrize("source", ["W^2", "x^2", "A.^2", "exp(A)", "A @ A", "inv(A)", "X.T"])
def test_no_doubt(source: str) -> None:
    assert not program(source).notices


def test_a_used_t_is_an_exponent() -> None:
    assert tree(program("T x^T").assignments[0][1]) == "mul(T, pow(x, T))"
    assert tree(parse("T: scalar, x: vector(n); x^T").assignments[0][1]) == "pow(x, T)"
    assert tree(parse("x^T").assignments[0][1]) == "pow(x, T)"


PROGRAMS = [
    ("w: vector(n); x: vector(n); b: scalar; max(0, w @ x + b)", ()),
    (
        "X: matrix(N, n); y: vector(N); w: vector(n); b: scalar\n"
        "z = X @ w + b; a = max(0, z); mean((y - a)^2)",
        (),
    ),
    (
        "X: matrix(N, M); y: vector(N); w: vector(M); b: scalar; p = sigmoid(b + X @ w)\n"
        "mean(-(y*ln(p) + (1-y)*ln(1-p)))",
        (),
    ),
    ("x: matrix(1, n); w: matrix(n, m); b: matrix(1, m); tanh(x @ w + b)", (1, "m")),
    ("X: matrix(N, d); W: matrix(d, k); B: matrix(N, k); sigmoid(X @ W + B)", ("N", "k")),
    ("g: function(scalar) -> vector(n); f: function(vector(n)) -> scalar; f(g(x))", ()),
    ("y: function(vector(2)) -> vector(2); z: function(vector(2)) -> scalar; z(y(x))", ()),
    (
        "X: matrix(N, d), Y: matrix(N, k), W1: matrix(h, d), b1: vector(h), W2: matrix(k, h)\n"
        "b2: vector(k)\nA1 = relu(X @ W1' + b1)\nZ2 = A1 @ W2' + b2\ncross_entropy(Z2, Y)",
        (),
    ),
]


@pytest.mark.parametrize(("source", "shape"), PROGRAMS)
def test_programs(source: str, shape: Shape) -> None:
    found = parse(source)
    assert found.assignments[-1][1].shape == shape
    assert not found.notices
    assert found.written_out()[found.outputs[0]].shape == shape


# ---- declarations


def test_declarations() -> None:
    found = parse("W: matrix(m, n), x: vector(n), s: scalar\nb, c: (m); H: (2, 3)\nW @ x + b")
    assert dict(found.declared) == {
        "W": ("m", "n"), "x": ("n",), "s": (), "b": ("m",), "c": ("m",), "H": (2, 3),
    }  # fmt: skip
    assert found.dimensions == ("m", "n")
    assert found.symbol("W") is symbol("W", ("m", "n"))


def test_statements_have_shapes() -> None:
    found = parse("X: matrix(N, d), w: vector(d); z = X @ w; r = z.^2; sum(r)/N")
    assert found.symbol("z") is symbol("z", ("N",))
    assert found.assignments[1][1] is apply(lookup("pow"), symbol("z", ("N",)), const(2))
    assert tree(found.written_out()["y"]) == "div(sum(pow(matmul(X, w), 2)), N)"
    assert {s.name: s.shape for s in free_symbols(found.written_out().values())} == {
        "X": ("N", "d"), "w": ("d",), "N": (),
    }  # fmt: skip


def test_names_of_outputs_avoid_arrays() -> None:
    assert parse("y: vector(n); x: vector(n); x").outputs == ("z",)
    assert parse("X: matrix(y, n); X").outputs == ("z",)


def test_long_dimensions() -> None:
    found = parse("X: matrix(batch, features); sum(X)/batch")
    assert found.dimensions == ("batch", "features")


@pytest.mark.parametrize(
    "source", ["d/dw sum(w)/d", "∂/∂w sum(w)/d", r"\frac{d}{dw} \operatorname{sum}(w)/d"]
)
def test_d_is_a_dimension_and_a_differential(source: str) -> None:
    found = parse(f"w: vector(d)\n{source}")
    assert found.variables == ("w",)
    assert tree(found.assignments[0][1]) == "div(sum(w), d)"


def test_functions_of_arrays() -> None:
    found = parse("g: function(vector(d), scalar) -> vector(m); x: vector(d); g(x, 2)")
    row = function("g", 2, shapes=(("d",), ()), result=("m",))
    assert found.assignments[0][1] is apply(row, symbol("x", ("d",)), const(2))
    assert found.assignments[0][1].shape == ("m",)
    assert found.dimensions == ("d", "m")
    again = parse_expression("g(x, 2)", declared=found.declared, functions=found.functions)
    assert again is found.assignments[0][1]


def test_a_new_name_has_the_shape_that_a_function_takes() -> None:
    found = parse("g: function(vector(d)) -> vector(m); f: function(vector(m)) -> scalar; f(g(x))")
    assert found.declared == {"x": ("d",)}
    assert tree(found.assignments[0][1]) == "f(g(x))"
    assert parse("g: function(vector(d)) -> vector(m); g'(x)' @ g(x)").assignments[0][1].shape == (
        "d",
    )


def test_symbols() -> None:
    x, W, s = parse_symbols("x: vector(n), W: matrix(m, n), s")
    assert (x, W, s) == (symbol("x", ("n",)), symbol("W", ("m", "n")), symbol("s"))
    assert parse_symbols("a, b: (2, 3)") == (symbol("a", (2, 3)), symbol("b", (2, 3)))
    assert parse_symbols("rate") == (symbol("rate"),)
    for wrong in ("", "x + 1: vector(n)", "x: vectr(n)", "x: vector(n); y", "2"):
        with pytest.raises(ParseError):
            parse_symbols(wrong)


def test_expressions_over_declared_names() -> None:
    first, second = parse_expressions("W @ x, x[n - 1]/m", declared=GIVEN)
    assert (first.shape, second.shape) == (("m",), ())
    with pytest.raises(ChainruleError, match="not a known name"):
        parse_expression("batch*x", declared=GIVEN)
    inferred = parse_expression("z1 + ones(m + n)", declared={"z1": ("m + n",)})
    assert inferred.shape == ("m + n",)


# ---- errors


WHOLE = [
    (
        "W: matrix(m, n), x: vector(k), b: vector(m)\ny = W @ x + b",
        """\
shapes do not fit: `W` is matrix(m, n), `x` is vector(k)
  |
2 | y = W @ x + b
  |     ^   ^
  = `@` needs n = k: the columns of `W` and the entries of `x`""",
    ),
    (
        "W: matrix(m, n), x: vector(n)\nW x",
        """\
two arrays stand side by side: `W` is matrix(m, n), `x` is vector(n)
  |
2 | W x
  | ^ ^
  = write W @ x for the matrix product, or W .* x entry by entry""",
    ),
    (
        "u: vector(n), v: vector(m)\n(u +\n v)",
        """\
shapes do not fit element by element: `u` is vector(n), `v` is vector(m)
  |
2 | (u +
  |  ^
3 |  v)
  |  ^
  = n and m differ: equal shapes, a scalar, or a row over the last axis""",
    ),
    (
        "X: matrix(m, n), y: vector(m)\nX @ y",
        """\
shapes do not fit: `X` is matrix(m, n), `y` is vector(m)
  |
2 | X @ y
  | ^   ^
  = `@` needs n = m: the columns of `X` and the entries of `y`; X' @ y would fit""",
    ),
]


@pytest.mark.parametrize(("source", "whole"), WHOLE)
def test_whole_messages(source: str, whole: str) -> None:
    with pytest.raises(ShapeError) as caught:
        parse(source)
    assert str(caught.value) == whole
    assert caught.value.shapes


def test_both_places_are_shown_on_a_long_line() -> None:
    left, right = " + ".join(["x"] * 40), " + ".join(["z"] * 40)
    with pytest.raises(ShapeError) as caught:
        parse(f"x: vector(n), z: vector(m)\n({left}) + ({right})")
    frame = str(caught.value).split("\n")
    assert len(frame) == 5
    assert max(map(len, frame)) < 200
    assert frame[3].count("^") > 20


@pytest.mark.parametrize(
    "source", ["u = [1, 2]; u", "x: vector(n); [x, 1]", "x: vector(n); [x]", "x: (2, 3, 4); x"]
)
def test_what_is_not_there(source: str) -> None:
    with pytest.raises((UnsupportedError, ShapeError)):
        parse(source)
