"""What the renderers print is read back as the same expression, node for node."""

from __future__ import annotations

import pytest
import strategies
from hypothesis import given

from chainrule.core.arithmetic import ADD, DIV, EXP, MUL, NEG, PI, POW, SUB, E
from chainrule.core.expr import HALF, ONE, TWO, Apply, Expr, apply, const, fold, symbol
from chainrule.core.ops import lookup
from chainrule.core.table.abstract import function
from chainrule.derivation.steps import Chain, Diagonal, Formula, Matrix, Partial, Plus, Times
from chainrule.render.latex import latex
from chainrule.render.text import text
from chainrule.syntax.parser import parse, parse_expression

x, y, a, b, c = map(symbol, "xyabc")


def op(name: str, *args: Expr) -> Apply:
    return apply(lookup(name), *args)


@given(strategies.expressions())
def test_text_is_read_back(e: Expr) -> None:
    assert parse_expression(text(e), latex=False) is e


@given(strategies.expressions())
def test_latex_is_read_back(e: Expr) -> None:
    assert parse_expression(latex(e), latex=True) is e


@given(strategies.expressions())
def test_brackets_and_signs_for_the_eye_change_nothing(e: Expr) -> None:
    assert parse_expression(text(e, explicit=True, signs=True), latex=False) is e


@given(strategies.arrays())
def test_text_of_arrays_is_read_back(e: Expr) -> None:
    program = parse(f"{strategies.DECLARATIONS}; {text(e)}", latex=False)
    assert program.assignments[-1][1] is e
    assert not program.notices


@given(strategies.arrays())
def test_latex_of_arrays_is_read_back(e: Expr) -> None:
    program = parse(f"{strategies.DECLARATIONS}; {latex(e)}", latex=True)
    found = program.assignments[-1][1]
    assert found.shape == e.shape
    assert found is e or _one_reading(found) is _one_reading(e)


def _one_reading(e: Expr) -> Expr:
    """The two values that LaTeX writes as one: `(2 A) x = 2 (A x)`, a row of ones."""

    def rule(node: Expr) -> Expr:
        if not isinstance(node, Apply):
            return node
        a, *rest = node.args
        name = node.op.name
        if name in ("matmul", "outer") and a.op is MUL and not a.args[0].shape:
            return rule(apply(MUL, a.args[0], rule(apply(node.op, a.args[1], *rest))))
        if name == "mul" and not a.shape and rest[0].op is MUL and not rest[0].args[0].shape:
            b, c = rest[0].args
            return rule(apply(MUL, rule(apply(MUL, a, b)), c))
        if name == "transpose" and a.op in (lookup("ones"), lookup("zeros")) and len(a.args) == 1:
            return apply(a.op, ONE, *a.args)
        return node

    def visit(node: Expr, args: list[Expr]) -> Expr:
        return rule(apply(node.op, *args)) if isinstance(node, Apply) else node

    return fold([e], visit)[0]


cube, square = apply(POW, x, const(3)), apply(POW, x, TWO)
WRITTEN = [
    (op("ln", apply(POW, op("sin", cube), TWO)), "ln(sin(x^3)^2)"),
    (apply(MUL, const(-2), x), "(-2)*x"),
    (apply(NEG, apply(MUL, TWO, x)), "-2*x"),
    (apply(MUL, apply(NEG, x), y), "(-x)*y"),
    (apply(NEG, square), "-x^2"),
    (apply(POW, apply(NEG, x), TWO), "(-x)^2"),
    (apply(POW, x, const(-2)), "x^(-2)"),
    (apply(POW, x, HALF), "x^(1/2)"),
    (apply(POW, HALF, x), "(1/2)^x"),
    (apply(MUL, HALF, x), "1/2*x"),
    (apply(MUL, x, HALF), "x*(1/2)"),
    (apply(DIV, ONE, TWO), "1/(2)"),
    (apply(NEG, TWO), "-(2)"),
    (apply(POW, apply(E), x), "(e)^x"),
    (apply(EXP, x), "exp(x)"),
    (apply(MUL, TWO, apply(PI)), "2*pi"),
    (apply(POW, TWO, apply(POW, const(3), const(4))), "2^3^4"),
    (apply(POW, apply(POW, TWO, const(3)), const(4)), "(2^3)^4"),
    (apply(SUB, a, apply(SUB, b, c)), "a - (b - c)"),
    (apply(SUB, a, const(-2)), "a - (-2)"),
    (apply(ADD, a, apply(ADD, b, c)), "a + (b + c)"),
    (apply(DIV, a, apply(MUL, b, c)), "a/(b*c)"),
    (apply(MUL, apply(DIV, a, b), c), "a/b*c"),
    (apply(MUL, a, apply(DIV, b, c)), "a*(b/c)"),
    (op("piecewise", x, op(">", x, const(0)), apply(NEG, x)), "{x if x > 0, -x}"),
    (op("logb", x, const(3)), "log(x, 3)"),
    (op("abs", x), "abs(x)"),
    (apply(ADD, op(">", x, const(0)), ONE), "(x > 0) + 1"),
    (const(0.25), "0.25"),
]


@pytest.mark.parametrize(("e", "written"), WRITTEN, ids=[w for _, w in WRITTEN])
def test_text(e: Expr, written: str) -> None:
    assert text(e) == written


EXPLICIT = [
    (apply(NEG, square), "-(x^2)"),
    (apply(POW, TWO, apply(POW, const(3), const(4))), "2^(3^4)"),
    (apply(DIV, apply(DIV, a, b), c), "(a/b)/c"),
    (apply(MUL, apply(DIV, a, b), c), "(a/b)*c"),
    (apply(MUL, HALF, x), "(1/2)*x"),
]


@pytest.mark.parametrize(("e", "written"), EXPLICIT, ids=[w for _, w in EXPLICIT])
def test_explicit_text(e: Expr, written: str) -> None:
    assert text(e, explicit=True) == written


TYPESET = [
    (apply(DIV, apply(MUL, TWO, x), apply(ADD, x, ONE)), r"\frac{2 x}{x + 1}"),
    (apply(MUL, TWO, const(3)), r"2 \cdot 3"),
    (apply(MUL, x, TWO), r"x \cdot 2"),
    (apply(MUL, x, apply(ADD, y, ONE)), r"x \left(y + 1\right)"),
    (apply(MUL, symbol("f"), apply(ADD, y, ONE)), r"f \cdot \left(y + 1\right)"),
    (apply(MUL, symbol("gamma"), apply(ADD, y, ONE)), r"\gamma \cdot \left(y + 1\right)"),
    (apply(DIV, symbol("d"), apply(MUL, symbol("d"), x)), r"\frac{d}{d \cdot x}"),
    (apply(EXP, square), "e^{x^{2}}"),
    (apply(EXP, apply(DIV, x, TWO)), r"\exp\left(\frac{x}{2}\right)"),
    (apply(POW, apply(EXP, x), TWO), r"\left(e^{x}\right)^{2}"),
    (op("cbrt", x), r"\sqrt[3]{x}"),
    (op("abs", x), r"\left|x\right|"),
    (op("logb", x, b), r"\log_{b}\left(x\right)"),
    (op("sigmoid", x), r"\operatorname{sigmoid}\left(x\right)"),
    (const(1e-12), "0.000000000001"),
    (symbol("x1"), "x_{1}"),
    (symbol("w_12"), "w_{12}"),
    (symbol("theta_k"), r"\theta_{k}"),
    (symbol("y_x"), "y_{x}"),
    (symbol("u1'"), "u_{1}'"),
    (symbol("loss"), r"\mathrm{loss}"),
    (symbol(r"\end{x}_%"), r"\mathrm{\backslash end\{x\}\_\%}"),
]


@pytest.mark.parametrize(("e", "written"), TYPESET, ids=[w for _, w in TYPESET])
def test_latex(e: Expr, written: str) -> None:
    assert latex(e) == written


f1, f2, g1 = function("f", 1), function("f", 2), function("g1", 1)
NAMED = [
    (apply(f2, apply(g1, x), y), "f(g1(x), y)"),
    (f2.partial(apply(f2, apply(g1, x), y), 0), "df/dg1"),
    (f2.partial(apply(f2, apply(g1, x), y), 1), "df/dy"),
    (g1.partial(apply(g1, x), 0), "dg1/dx"),
    (f1.partial(apply(f1, apply(g1, x)), 0), "f'(g1(x))"),
    (f2.partial(apply(f2, x, x), 0), "f'[1,0](x, x)"),
    (apply(function("f", 1, (2,)), x), "f''(x)"),
    (
        apply(MUL, f2.partial(apply(f2, apply(g1, x), y), 0), g1.partial(apply(g1, x), 0)),
        "df/dg1 * dg1/dx",
    ),
    (apply(POW, symbol("df/dg1"), TWO), "(df/dg1)^2"),
]


@pytest.mark.parametrize(("e", "written"), NAMED, ids=[w for _, w in NAMED])
def test_functions_that_are_only_named(e: Expr, written: str) -> None:
    assert text(e) == written


FORMS: list[tuple[Formula, str, str]] = [
    (Partial("u2", "u1"), "du2/du1", r"\frac{\partial u_{2}}{\partial u_{1}}"),
    (Partial("y", "x", total=True), "dy/dx", r"\frac{d y}{d x}"),
    (Times((a, apply(ADD, b, c), apply(NEG, x))), "a * (b + c) * (-x)",
     r"a \cdot \left(b + c\right) \cdot \left(-x\right)"),
    (Plus((a, apply(NEG, b), Times((const(-1), c)))), "a - b - 1 * c", r"a - b - 1 \cdot c"),
    (Times((Diagonal((x, y)), Matrix(((a,), (b,))))), "diag(x, y) · [a; b]",
     r"\operatorname{diag}\left(x, y\right) \cdot \begin{bmatrix}a \\ b\end{bmatrix}"),
    (Matrix(((ONE, x), (a, b))), "[1, x; a, b]", r"\begin{bmatrix}1 & x \\ a & b\end{bmatrix}"),
    (Chain(("y", "u1", "x")), "y <- u1 <- x", r"y \leftarrow u_{1} \leftarrow x"),
]  # fmt: skip


@pytest.mark.parametrize(("form", "line", "plane"), FORMS, ids=[w for _, w, _ in FORMS])
def test_forms_of_a_derivation(form: Formula, line: str, plane: str) -> None:
    assert (text(form), latex(form)) == (line, plane)


# Size.


def test_a_chain_100000_deep() -> None:
    e: Expr = x
    for _ in range(100_000):
        e = op("sin", e)
    assert text(e) == "sin(" * 100_000 + "x" + ")" * 100_000
    assert latex(e).count(r"\sin\left(") == 100_000


def test_shared_parts_are_named_where_writing_out_would_be_exponential() -> None:
    e: Expr = x
    for _ in range(60):  # 2^60 nodes written out
        e = apply(MUL, apply(ADD, e, y), op("sin", e))
    for written, typeset in ((text(e), False), (latex(e), True)):
        assert len(written) < 5000
        program = parse(written, latex=typeset)
        assert program.written_out()[program.outputs[0]] is e
    assert len(text(Matrix(((e, e), (x, e))))) < 5000


def test_long_numbers() -> None:
    n = const(7**1100)  # 930 digits
    e = apply(POW, apply(DIV, n, x), n)
    assert parse_expression(text(e)) is e
    assert parse_expression(latex(e), latex=True) is e
