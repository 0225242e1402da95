"""The language: each way of writing, and the tree it is read as."""

from __future__ import annotations

import json
import subprocess
import sys
from fractions import Fraction

import pytest
import strategies
from hypothesis import given

from chainrule.core.arithmetic import ADD, DIV, EXP, LN, MUL, NEG, PI, POW, SUB, E
from chainrule.core.errors import AmbiguityError, ParseError, UnknownNameError
from chainrule.core.expr import Apply, Const, Expr, Sym, apply, const, fold, symbol
from chainrule.core.ops import lookup
from chainrule.core.table import abstract
from chainrule.core.table.abstract import AbstractOperator
from chainrule.core.table.piecewise import PIECEWISE
from chainrule.syntax import tables
from chainrule.syntax.names import canonical_name
from chainrule.syntax.parser import parse, parse_expression, parse_expressions

x, y, z = symbol("x"), symbol("y"), symbol("z")


def app(name: str, *args: Expr) -> Expr:
    return apply(lookup(name), *args)


def n(value: int | Fraction) -> Const:
    return const(value)


def read(text: str) -> str:
    """The tree that is read, as `repr` writes it; derivatives of named functions marked."""
    (tree,) = parse_expressions(text, names=("loss", "rate"), most=1)
    return show(tree)


def show(tree: Expr) -> str:
    def visit(node: Expr, args: list[str]) -> str:
        if not isinstance(node, Apply):
            return repr(node)
        orders = node.op.orders if isinstance(node.op, AbstractOperator) else ()
        marked = f"[{','.join(map(str, orders))}]" if any(orders) else ""
        return f"{node.op.name}{marked}({', '.join(args)})"

    return fold([tree], visit)[0]


READINGS = [
    # signs and powers
    ("-x^2", "neg(pow(x, 2))"),
    ("−x²", "neg(pow(x, 2))"),
    ("2^3^4", "pow(2, pow(3, 4))"),
    ("2**3", "pow(2, 3)"),
    ("2^-x^2", "pow(2, neg(pow(x, 2)))"),
    ("a^-b", "pow(a, neg(b))"),
    ("x^-2", "pow(x, -2)"),
    ("-2", "-2"),
    ("-(2)", "neg(2)"),
    ("--2", "neg(-2)"),
    ("+x", "x"),
    ("-2^2", "neg(pow(2, 2))"),
    ("(-2)^2", "pow(-2, 2)"),
    ("-2*x", "neg(mul(2, x))"),
    ("-a*b", "neg(mul(a, b))"),
    ("a*-b", "mul(a, neg(b))"),
    ("a/-b*c", "mul(div(a, neg(b)), c)"),
    ("a - -2", "sub(a, -2)"),
    ("a-b-c", "sub(sub(a, b), c)"),
    ("x²", "pow(x, 2)"),
    ("x⁻¹", "pow(x, -1)"),
    ("xⁿ", "pow(x, n)"),
    ("x²^3", "pow(pow(x, 2), 3)"),
    ("x^{10}", "pow(x, 10)"),
    # numbers
    ("1/2", "1/2"),
    ("1/2*x", "mul(1/2, x)"),
    ("x*1/2", "div(mul(x, 1), 2)"),
    ("-1/2", "-1/2"),
    ("2^1/2", "div(pow(2, 1), 2)"),
    ("2^-1/2", "div(pow(2, -1), 2)"),
    ("1/2/3", "div(1/2, 3)"),
    ("1/2^x", "div(1, pow(2, x))"),
    ("6/4", "div(6, 4)"),
    ("4/2", "div(4, 2)"),
    ("1/0", "div(1, 0)"),
    ("0/3", "div(0, 3)"),
    ("(1)/2", "div(1, 2)"),
    ("1/(2)", "div(1, 2)"),
    ("0.5", "0.5"),
    (".5", "0.5"),
    ("2.", "2.0"),
    ("2.5e-3", "0.0025"),
    ("1e5", "100000.0"),
    ("1/2.0", "div(1, 2.0)"),
    ("2e", "mul(2, e())"),
    ("2e^x", "mul(2, exp(x))"),
    ("2e x", "mul(mul(2, e()), x)"),
    ("2e3x", "mul(2000.0, x)"),
    ("e^x", "exp(x)"),
    ("(e)^x", "pow(e(), x)"),
    ("pi", "pi()"),
    ("2πr", "mul(mul(2, pi()), r)"),
    # products
    ("a/b/c", "div(div(a, b), c)"),
    ("a/b*c", "mul(div(a, b), c)"),
    ("2x", "mul(2, x)"),
    ("3x^2(2y+7)", "mul(mul(3, pow(x, 2)), add(mul(2, y), 7))"),
    ("(x+1)(x-1)", "mul(add(x, 1), sub(x, 1))"),
    ("x e^x", "mul(x, exp(x))"),
    ("1/2x", "mul(1/2, x)"),
    ("a/b c", "mul(div(a, b), c)"),
    ("x(y+1)", "mul(x, add(y, 1))"),
    ("x y z", "mul(mul(x, y), z)"),
    ("a·b×c÷d", "div(mul(mul(a, b), c), d)"),
    ("2 loss", "mul(2, loss)"),
    ("rate(x+1)", "mul(rate, add(x, 1))"),
    # functions and their arguments
    ("sin x", "sin(x)"),
    ("sin 2x cos 3x", "mul(sin(mul(2, x)), cos(mul(3, x)))"),
    ("sin x cos x", "mul(sin(x), cos(x))"),
    ("sin x^2", "sin(pow(x, 2))"),
    ("sin x + 1", "add(sin(x), 1)"),
    ("sin -x", "sin(neg(x))"),
    ("sin x/2", "div(sin(x), 2)"),
    ("sin 2x y", "sin(mul(mul(2, x), y))"),
    ("sin x(x+1)", "sin(mul(x, add(x, 1)))"),
    ("sin (x) y", "mul(sin(x), y)"),
    ("sin(x)y", "mul(sin(x), y)"),
    ("sin(x)^2", "pow(sin(x), 2)"),
    ("ln sin x", "ln(sin(x))"),
    ("ln sin x cos x", "mul(ln(sin(x)), cos(x))"),
    ("2 sin x", "mul(2, sin(x))"),
    ("x sin x", "mul(x, sin(x))"),
    ("2^sin x", "pow(2, sin(x))"),
    ("sin^2 x", "pow(sin(x), 2)"),
    ("sin^2(x)", "pow(sin(x), 2)"),
    ("sin^2(x)^3", "pow(pow(sin(x), 2), 3)"),
    ("sin²x", "pow(sin(x), 2)"),
    ("sin^n x", "pow(sin(x), n)"),
    ("sin^(n+1)(x)", "pow(sin(x), add(n, 1))"),
    ("sin^-1 x", "arcsin(x)"),
    ("sin^-1(x)", "arcsin(x)"),
    ("sin^{-1}(x)", "arcsin(x)"),
    ("sin^(-1) x", "arcsin(x)"),
    ("sin⁻¹ x", "arcsin(x)"),
    ("cosh^-1 x", "arccosh(x)"),
    ("sin^-2 x", "pow(sin(x), -2)"),
    ("exp x", "exp(x)"),
    ("exp 2x", "exp(mul(2, x))"),
    ("log(x)", "ln(x)"),
    ("log x", "ln(x)"),
    ("log10(x)", "log10(x)"),
    ("log_10(x)", "log10(x)"),
    ("log_2(x)", "log2(x)"),
    ("log_2 x", "log2(x)"),
    ("log_b(x)", "logb(x, b)"),
    ("log(x, b)", "logb(x, b)"),
    ("log(x, 2)", "logb(x, 2)"),
    ("log_3(x)^2", "pow(logb(x, 3), 2)"),
    ("log_2^3(x)", "pow(log2(x), 3)"),
    ("ln|x|", "ln(abs(x))"),
    ("ln|x| y", "mul(ln(abs(x)), y)"),
    ("asin(x) + arsinh(x)", "add(arcsin(x), arcsinh(x))"),
    ("Sin(x) + EXP(x) + Ln(x)", "add(add(sin(x), exp(x)), ln(x))"),
    ("Abs(x) + Max(x, 1) + Heaviside(x)", "add(add(abs(x), max(x, 1)), heaviside(x))"),
    ("max(0, z)", "max(0, z)"),
    ("leaky_relu(x, 0.1)", "leaky_relu(x, 0.1)"),
    ("polygamma(2, x)", "polygamma(2, x)"),
    # roots, bars, rounding
    ("√x", "sqrt(x)"),
    ("√(x+1)", "sqrt(add(x, 1))"),
    ("∛x", "cbrt(x)"),
    ("√2 x", "mul(sqrt(2), x)"),
    ("√√x", "sqrt(sqrt(x))"),
    ("sqrt 2x", "sqrt(mul(2, x))"),
    ("|x|", "abs(x)"),
    ("|x||y|", "mul(abs(x), abs(y))"),
    ("2|x|y", "mul(mul(2, abs(x)), y)"),
    ("||x|-1|", "abs(sub(abs(x), 1))"),
    ("|x-|y||", "abs(sub(x, abs(y)))"),
    ("|sin x|", "abs(sin(x))"),
    ("⌊x⌋ + ⌈x⌉", "add(floor(x), ceil(x))"),
    # relations and cases
    ("z > 0", ">(z, 0)"),
    ("a <= b", "<=(a, b)"),
    ("a ≤ b", "<=(a, b)"),
    ("a ≠ b", "!=(a, b)"),
    ("a == b", "==(a, b)"),
    ("z*(z > 0)", "mul(z, >(z, 0))"),
    ("{-x if x < 0, x}", "piecewise(neg(x), <(x, 0), x)"),
    ("{1 if x > 0}", "piecewise(1, >(x, 0))"),
    ("{a if x < 0, b if x < 1, c}", "piecewise(a, <(x, 0), b, <(x, 1), c)"),
    ("{a if x < 0 else b}", "piecewise(a, <(x, 0), b)"),
    ("{a if x < 0, b otherwise}", "piecewise(a, <(x, 0), b)"),
    ("{x + 1}", "add(x, 1)"),
    # functions that are only named
    ("f(x)", "f(x)"),
    ("f(g1(x), g2(x))", "f(g1(x), g2(x))"),
    ("φ(x) + psi(y)", "add(phi(x), psi(y))"),
    ("f'(x)", "f[1](x)"),
    ("f''(x) + f′(x)", "add(f[2](x), f[1](x))"),
    ("g^(0,1)(x, y)", "g[0,1](x, y)"),
    ("g'[0,1](x, y)", "g[0,1](x, y)"),
    ("f^(4)(x)", "f[4](x)"),
    ("(f(w + h) - f(w - h))/h^2", "div(sub(f(add(w, h)), f(sub(w, h))), pow(h, 2))"),
    ("f + f(x)", "add(f, mul(f, x))"),
    ("df/dg1*dg1/dx", "mul(df/dg1, dg1/dx)"),
    ("2 dy/dx", "mul(2, dy/dx)"),
    ("∂f/∂g1 + x", "add(df/dg1, x)"),
    # names
    ("x_1 + x1 + x₁ + x_{1}", "add(add(add(x1, x1), x1), x1)"),
    ("w_12 + w_k + θ_k", "add(add(w12, w_k), theta_k)"),
    ("θ + theta", "add(theta, theta)"),
    ("β + lambda + S + N + Q + I", "add(add(add(add(add(beta, lambda), S), N), Q), I)"),
    ("gamma*x", "mul(gamma, x)"),
    ("gamma(x)", "gamma(x)"),
    ("Gamma(x) + Γ(x)", "add(gamma(x), gamma(x))"),
    ("γ(x+1)", "mul(gamma, add(x, 1))"),
]

LATEX = [
    (r"\frac{a}{b}", "div(a, b)"),
    (r"\dfrac{1}{2} + \tfrac12", "add(1/2, 1/2)"),
    (r"\frac{\left(1\right)}{2}", "div(1, 2)"),
    (r"\frac ab", "div(a, b)"),
    (r"\sqrt{x} + \sqrt x + \sqrt2", "add(add(sqrt(x), sqrt(x)), sqrt(2))"),
    (r"\sqrt[3]{x}", "cbrt(x)"),
    (r"\sqrt[4]{x}", "pow(x, 1/4)"),
    (r"\sqrt[n]{x}", "pow(x, div(1, n))"),
    (r"\ln\left(\sin(x^3)^2\right)", "ln(pow(sin(pow(x, 3)), 2))"),
    (r"\sin^2 x", "pow(sin(x), 2)"),
    (r"\sin^{2}\left(x\right)", "pow(sin(x), 2)"),
    (r"\sin^{-1} x", "arcsin(x)"),
    (r"\sin{x} + \ln{2x}", "add(sin(x), ln(mul(2, x)))"),
    (r"\exp x^2", "exp(pow(x, 2))"),
    (r"\tanh x", "tanh(x)"),
    (r"a \cdot b \times c", "mul(mul(a, b), c)"),
    (r"\,xy", "mul(x, y)"),
    (r"x_{1} + x_{12} + x_1 + w_{ij}\;", "add(add(add(x1, x12), x1), w_ij)"),
    (r"\theta_{1} + \theta_k", "add(theta1, theta_k)"),
    (r"x_{\text{max}} + \mathbf{W}_1", "add(x_max, W1)"),
    (r"2\pi r", "mul(mul(2, pi()), r)"),
    (r"e^{x^2}\,", "exp(pow(x, 2))"),
    (r"\left|x\right| + \lvert x\rvert + |x|", "add(add(abs(x), abs(x)), abs(x))"),
    (r"\lfloor x\rfloor + \lceil x\rceil", "add(floor(x), ceil(x))"),
    (r"\operatorname{sigmoid}\left(x\right)", "sigmoid(x)"),
    (r"\operatorname{leaky\_relu}\left(x, a\right)", "leaky_relu(x, a)"),
    (r"\mathrm{loss}^2", "pow(loss, 2)"),
    (r"\begin{cases} -x & \text{if } x < 0 \\ x & \text{otherwise} \end{cases}",
     "piecewise(neg(x), <(x, 0), x)"),
    (r"\begin{cases} -x, & x < 0 \\ 0, & x = 0, \\ x & \text{else} \end{cases}",
     "piecewise(neg(x), <(x, 0), 0, ==(x, 0), x)"),
    (r"x \le 1", "<=(x, 1)"),
    (r"\left(x = 1\right) \ne y", "!=(==(x, 1), y)"),
    (r"\max\left(x, y\right)", "max(x, y)"),
    (r"\log_{2}\left(x\right) + \log_{10} x + \log x", "add(add(log2(x), log10(x)), ln(x))"),
    (r"\log_{b + 1}\left(x\right)", "logb(x, add(b, 1))"),
    (r"\Gamma\left(x\right) + \gamma\left(x + 1\right)", "add(gamma(x), mul(gamma, add(x, 1)))"),
    (r"f'(x) + f^{\prime}(x) + g^{(1,0)}\left(x, y\right)",
     "add(add(f[1](x), f[1](x)), g[1,0](x, y))"),
    (r"\frac{\partial f}{\partial g_1} \cdot 2", "mul(df/dg1, 2)"),
    (r"\frac{\mathrm{d}y}{\mathrm{d}x}\,", "dy/dx"),
    (r"$x^2$", "pow(x, 2)"),
    (r"\[ x^2 \]", "pow(x, 2)"),
    (r"\begin{equation} x^2 \end{equation}", "pow(x, 2)"),
    (r"d \cdot 2", "mul(d, 2)"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "tree"), READINGS + LATEX)
def test_readings(text: str, tree: str) -> None:
    assert read(text) == tree


def test_trees_are_built_as_typed() -> None:
    assert parse_expression("x + 2*x - x/x") is apply(
        SUB, apply(ADD, x, apply(MUL, n(2), x)), apply(DIV, x, x)
    )
    assert parse_expression("-ln(e^x)") is apply(NEG, apply(LN, apply(EXP, x)))
    assert parse_expression("(e)^pi") is apply(POW, apply(E), apply(PI))
    assert parse_expression("1/2 + 0.5") is apply(ADD, const(Fraction(1, 2)), const(0.5))
    assert parse_expression("f'(x)") is apply(abstract.function("f", 1, (1,)), x)
    assert parse_expression("{x if x > 0, 0}") is apply(PIECEWISE, x, app(">", x, n(0)), n(0))


# ---- programs


def test_a_bare_expression_is_called_y() -> None:
    program = parse("ln(x)")
    assert program.assignments == (("y", app("ln", x)),)
    assert (program.outputs, program.vector, program.variables) == (("y",), False, ())


@pytest.mark.parametrize(
    ("text", "outputs"),
    [
        ("x*y", ("z",)),
        ("x*y*z", ("w",)),
        ("y1 + x", ("y",)),
        ("[x, 2x]", ("y1", "y2")),
        ("[y1, x]", ("z1", "z2")),
        ("[y, x]", ("z1", "z2")),
        ("[x]", ("y1",)),
        ("p = [x, 2x]", ("p1", "p2")),
        ("p = [p1, x]", ("y1", "y2")),
        ("y: scalar; x", ("y",)),
        ("d/dy x^2", ("z",)),
        ("a*b*c*k*m*n*p*q*r*s*t*u*v*w*y*z*x", ("out0_",)),
    ],
)
def test_names_of_outputs(text: str, outputs: tuple[str, ...]) -> None:
    assert parse(text).outputs == outputs


def test_intermediates_keep_their_names_and_order() -> None:
    program = parse("u = x^2  # inner\n\nv = ln(u); w = u*v")
    assert [name for name, _ in program.assignments] == ["u", "v", "w"]
    assert program.assignments[1][1] is app("ln", symbol("u"))
    assert program.outputs == ("w",)
    assert program.written_out()["v"] is app("ln", apply(POW, x, n(2)))


def test_long_names_may_be_defined_or_declared() -> None:
    program = parse("p, rate: scalar; loss = (p - rate)^2; 2 loss")
    assert program.declared == {"p": (), "rate": ()}
    assert program.outputs == ("y",)


def test_declared_functions() -> None:
    program = parse("x: scalar, rate: function(scalar, scalar) -> scalar\nrate(x, 1)")
    assert program.assignments[0][1] is apply(abstract.function("rate", 2, (0, 0)), x, n(1))
    assert program.declared == {"x": ()}


def test_declared_letters_are_not_functions() -> None:
    assert parse("f: scalar; f(x + 1)").assignments[0][1] is apply(
        MUL, symbol("f"), apply(ADD, x, n(1))
    )


def test_constants_can_be_given_another_meaning() -> None:
    assert parse("e = 2x; e^x").assignments[1][1] is apply(POW, symbol("e"), x)


def test_a_function_of_its_own() -> None:
    program = parse("g(x) = x^2; f(x, y) = sin(g(x)) + y")
    assert program.arguments == ("x", "y")
    assert program.outputs == ("f",)
    assert program.assignments[1][1] is apply(ADD, app("sin", symbol("g")), y)


@pytest.mark.parametrize(
    ("text", "variable", "order"),
    [
        ("d/dx x^2", "x", 1),
        ("d / dx x^2", "x", 1),
        ("(d/dx) x^2", "x", 1),
        ("d/dx [x^2]", "x", 1),
        ("d/dθ sin θ", "theta", 1),
        ("d/dx1 x1^2", "x1", 1),
        ("∂/∂x x^2", "x", 1),
        ("∂/∂x_1 x_1^2", "x1", 1),
        ("d^2/dx^2 x^3", "x", 2),
        ("d²/dx² x^3", "x", 2),
        ("∂^3/∂x^3 x^3", "x", 3),
        ("y = d/dx x^2", "x", 1),
        (r"\frac{d}{dx} x^2", "x", 1),
        (r"\frac{d}{dx}\left[x^2\right]", "x", 1),
        (r"\frac{d^2}{dx^2} x^2", "x", 2),
        (r"\frac{\mathrm{d}^{2}}{\mathrm{d}x^{2}} x^2", "x", 2),
        (r"\frac{\partial}{\partial \theta} \theta^2", "theta", 1),
        ("y = x^2; dy/dx", "x", 1),
    ],
)
def test_what_to_differentiate_by(text: str, variable: str, order: int) -> None:
    program = parse(text)
    assert (program.variables, program.order, program.vector) == ((variable,), order, False)
    assert len(program.assignments) == 1


def test_a_quotient_of_differentials_that_are_names_is_a_quotient() -> None:
    assert parse("dx: scalar; d/dx").assignments[0][1] is apply(DIV, symbol("d"), symbol("dx"))


def test_lines_go_on_inside_brackets_and_after_operators() -> None:
    assert parse("sin(x\n + 1)\n").assignments == parse("sin(x + 1)").assignments
    assert parse("x +\n 1").assignments == parse("x + 1").assignments


def test_latex_programs() -> None:
    program = parse(r"u_1 = \frac{x}{2} \\ \mathrm{loss} = u_{1}^2")
    assert program.assignments == (
        ("u1", apply(DIV, x, n(2))),
        ("loss", apply(POW, symbol("u1"), n(2))),
    )
    assert parse("x y", latex=True).assignments == parse("x*y").assignments


# ---- notices

DOUBTS = [
    ("1/2x", "`1/2x` is read as `(1/2)*x`", "1/(2*x)"),
    ("1/2(x+1)", "`1/2(x+1)` is read as `(1/2)*(x+1)`", "1/(2*(x+1))"),
    ("a/b c", "`a/b c` is read as `(a/b)*c`", "a/(b*c)"),
    ("2a/3sin x", "`2a/3sin x` is read as `(2a/3)*sin x`", "2a/(3*sin x)"),
    ("e^2x", "`e^2x` is read as `e^2*x`", "e^(2*x)"),
    ("e^-2x", "`e^-2x` is read as `e^-2*x`", "e^(-2*x)"),
    ("2^3x", "`2^3x` is read as `2^3*x`", "2^(3*x)"),
    ("x^1/2", "`x^1/2` is read as `(x^1)/2`", "x^(1/2)"),
    ("2x^-1/2", "`2x^-1/2` is read as `(2x^-1)/2`", "2x^(-1/2)"),
    ("f^2(x)", "`f^2(x)` is read as `f^2*(x)`", "f(x)^2"),
    ("g^-1(x)", "`g^-1(x)` is read as `g^-1*(x)`", "g(x)^-1"),
    ("2x3", "`2x3` is read as `2*x3`", "2*x^3"),
    ("sin x/2", "`sin x/2` is read as `sin(x)/2`", "sin(x/2)"),
    ("sin 2*x", "`sin 2*x` is read as `sin(2)*x`", "sin(2*x)"),
    ("sin^2 x/y", "`sin^2 x/y` is read as `sin^2(x)/y`", "sin^2(x/y)"),
    ("sin 2x y", "`sin 2x y` is read as `sin(2x*y)`", "sin(2x)*y"),
    ("sin x(x+1)", "`sin x(x+1)` is read as `sin(x*(x+1))`", "sin(x)*(x+1)"),
    ("ln sin(x) y", "`ln sin(x) y` is read as `ln(sin(x)*y)`", "ln(sin(x))*y"),
    ("sin^-2 x", "`sin^-2 x` is read as `sin(x)^(-2)`", "arcsin(x)^2"),
    ("√2x", "`√2x` is read as `sqrt(2)*x`", "sqrt(2*x)"),
    ("√x^2", "`√x^2` is read as `sqrt(x^2)`", "sqrt(x)^2"),
    ("Δx", "`Δx` is read as `Δ*x`", "Δ_x"),
    ("u(x)", "`u(x)` is read as the product `u*x`", "u: function(scalar) -> scalar"),
    ("f + f(x)", "`f(x)` is read as the product `f*x`", "f: function(scalar) -> scalar"),
    (r"\,x^10", "`^10` is read as `^{10}`", "^1 0"),
]

CLEAR = """
    1/2 x | (1/2)x | 1/2*x | x/2 sin x | a/b/c | a/b*c | -x^2 | 2^3^2 | 3x^2(2y+7) | x^2y | x^2/2
    sin x^2 | sin 2x cos 3x | sin x cos x | sin 2 pi x | sin x + 1 | sin x / cos x | sin^2 x
    sin^-1 x | sin(x)/2 | sin (x) y | ln(x)^2 | ln|x| | x(y+1) | f(x) | 2x1 + 3x2 | e^2 x | e²x
    1/(2π) e^(-x²/2) | 2^x y | x^2(y+1) | x^3/2
    2πr | x e^x | sin x^y | sin 2x^y | 2^x/2 | sqrt 2x | \\sin 2x | \\frac12 x | e^{2x}
"""


@pytest.mark.parametrize(("text", "message", "other"), DOUBTS)
def test_doubtful_text_is_noticed(text: str, message: str, other: str) -> None:
    (notice,) = parse(text).notices
    assert notice.message == message
    assert other in notice.hint
    with pytest.raises(AmbiguityError) as caught:
        parse(text, strict=True)
    assert caught.value.message == message
    assert caught.value.span == notice.span


@pytest.mark.parametrize(
    "text", [t.strip() for line in CLEAR.splitlines() for t in line.split(" | ") if t.strip()]
)
def test_clear_text_is_not_noticed(text: str) -> None:
    assert parse(text, strict=True).notices == ()


def test_other_readings_parse_to_other_trees() -> None:
    for text, _, other in DOUBTS:
        if not {"_", ":", " "} & set(other) or "sin x" in other:
            assert parse(other).assignments != parse(text).assignments, text


def test_the_derivative_of_a_bracket_and_more_is_noticed() -> None:
    (notice,) = parse("d/dx (x^2) + x").notices
    assert notice.message == "`d/dx` is applied to this term too"
    assert notice.span.start == 11
    assert parse("d/dx (x^2 + x)").notices == ()


def test_notices_are_in_order_and_bounded() -> None:
    notices = parse("1/2x + sin x/2").notices
    assert [notice.span.start for notice in notices] == [0, 7]
    assert len(parse("+".join(["1/2x"] * 500)).notices) <= 20


# ---- option values


def test_option_values() -> None:
    assert parse_expression("pi/3") is apply(DIV, apply(PI), n(3))
    assert parse_expression("-0.5") is const(-0.5)
    assert parse_expressions("h1, 2*h2") == (symbol("h1"), apply(MUL, n(2), symbol("h2")))
    with pytest.raises(ParseError, match="2 expressions"):
        parse_expression("h1, h2")
    with pytest.raises(ParseError, match="missing"):
        parse_expression("  ")
    with pytest.raises(UnknownNameError):
        parse_expression("rate")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("x", "x"),
        (" x ", "x"),
        ("θ", "theta"),
        ("theta", "theta"),
        ("ϑ", "theta"),
        ("θ_1", "theta1"),
        ("x_1", "x1"),
        ("x₁₂", "x12"),
        ("x_{12}", "x12"),
        ("w_k", "w_k"),
        ("wᵢ", "w_i"),
        ("x_θ", "x_theta"),
        ("loss", "loss"),
        ("layer_1", "layer_1"),
        ("λ", "lambda"),
        ("µ", "mu"),
        ("gamma", "gamma"),
    ],
)
def test_canonical_names(text: str, name: str) -> None:
    assert canonical_name(text) == name
    assert canonical_name(name) == name


@pytest.mark.parametrize("text", ["", "2x", "x+1", "sin", "ln", "if", "x y", "x'", "х", "x__1"])
def test_what_is_no_name(text: str) -> None:
    with pytest.raises(ParseError):
        canonical_name(text)


# ---- what is printed can be read again


SIGNS = {"add": "+", "sub": "-", "mul": "*", "div": "/", "pow": "^"}


def bracketed(tree: Expr) -> str:
    """Every operand in brackets: what no precedence can spoil."""

    def visit(node: Expr, args: list[str]) -> str:
        if not isinstance(node, Apply):
            return repr(node) if isinstance(node, Sym) else f"({node!r})"
        row = node.op
        if row is PIECEWISE:
            cases = [f"{v} if {c}" for v, c in zip(args[::2], args[1::2], strict=False)]
            return "{" + ", ".join([*cases, *args[len(cases) * 2 :]]) + "}"
        if row.notation in ("sum", "product", "fraction", "power", "relation"):
            sign = {"add": "+", "sub": "-", "mul": "*", "div": "/", "pow": "^"}.get(
                row.name, row.name
            )
            return f"(({args[0]}) {sign} ({args[1]}))"
        if row.notation == "prefix":
            return f"(-({args[0]}))"
        if row.notation == "constant":
            return row.name
        if isinstance(row, AbstractOperator) and any(row.orders):
            return f"{row.name}^({','.join(map(str, row.orders))})({', '.join(args)})"
        return f"{row.name}({', '.join(args)})"

    return fold([tree], visit)[0]


@given(strategies.expressions(functions=True))
def test_bracketed_text_reads_back(tree: Expr) -> None:
    assert parse_expression(bracketed(tree)) is tree


# ---- the tables


def test_the_stored_tables_are_those_of_the_grammars() -> None:
    for grammar in tables.GRAMMARS:
        assert tables.stored(grammar) == json.loads(json.dumps(tables.make(grammar))), (
            "run python -m chainrule.syntax.tables"
        )


def test_an_edited_grammar_is_made_afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    stale = tables.stored("expression")
    assert stale is not None
    stale = {**stale, "sources": "of another day", "states": []}
    monkeypatch.setattr(tables, "_loaded", {})
    monkeypatch.setattr(tables, "stored", lambda grammar: stale)
    assert parse("sin x^2").assignments == (("y", app("sin", apply(POW, x, n(2)))),)


def test_parsing_does_without_lark() -> None:
    code = (
        "import sys\n"
        "from chainrule.syntax.parser import parse\n"
        "parse('ln(sin(x^3)^2)'); parse(r'\\frac{1}{x}')\n"
        "slow = {'lark', 'numpy', 'sympy', 'mpmath', 'rich', 'difflib'} & set(sys.modules)\n"
        "assert not slow, slow\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
