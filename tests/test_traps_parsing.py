"""Texts that other programs misread, or read silently as something else."""

from __future__ import annotations

import pytest

from chainrule.core.errors import ChainruleError
from chainrule.core.expr import Apply, Sym, free_symbols
from chainrule.syntax.parser import parse, parse_expression


def read(text: str) -> str:
    return repr(parse_expression(text))


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("-x^2", "-(x^2)"),
        ("2^3^2", "2^(3^2)"),
        ("2^-x^2", "2^(-(x^2))"),
        ("1/2x", "(1/2)*x"),
        ("sin^2(x)", "(sin(x))^2"),
        ("sin^-1(x)", "arcsin(x)"),
        ("sin x^2", "sin(x^2)"),
        ("sin 2x y", "sin(2*x*y)"),
        ("sin x cos x", "sin(x)*cos(x)"),
        ("sin 2x cos 3x", "sin(2*x)*cos(3*x)"),
        ("x(x+1)", "x*(x+1)"),
        ("log(x)", "ln(x)"),
        ("log(x,2)", "log_2(x)"),
        ("|x|", "abs(x)"),
        ("π*x", "pi*x"),
        (r"\exp x^2", "exp(x^2)"),
        (r"\tanh x", "tanh(x)"),
        (r"\sin x^2", "sin(x^2)"),
        (r"\sin ^{2}x", "sin(x)^2"),
        (r"\cos x^3", "cos(x^3)"),
        (r"d \cdot 2", "d*2"),
        (r"\frac{d}{2}", "(d)/2"),
    ],
)
def test_two_ways_of_writing_are_one_tree(text: str, same: str) -> None:
    if text == "log(x,2)":  # the base is kept as an argument
        assert read(text) == "logb(x, 2)"
        return
    assert parse_expression(text) is parse_expression(same)


def test_f_of_x_is_a_function_and_x_of_x_is_a_product() -> None:
    assert read("f(x)") == "f(x)"
    assert read("x(x+1)") == "mul(x, add(x, 1))"


def test_e_is_the_constant() -> None:
    assert read("e^x") == "exp(x)"
    assert read("x e") == "mul(x, e())"
    assert read("E^x") == "pow(E, x)"


@pytest.mark.parametrize("text", ["xy", "ax^2", "lnx", "sinx", "xe^x", "foo(x)", "sine(x)"])
def test_unknown_words_are_errors_never_new_variables(text: str) -> None:
    with pytest.raises(ChainruleError):
        parse(text)


@pytest.mark.parametrize("text", ["x'", "x!", "ln", "sin", "sin^2", "x sin"])
def test_no_silent_reading(text: str) -> None:
    with pytest.raises(ChainruleError):
        parse(text)


@pytest.mark.parametrize(
    "name",
    [
        "beta",
        "lambda",
        "gamma",
        "zeta",
        "S",
        "N",
        "Q",
        "I",
        "O",
        "C",
        "E",
        "Delta",
        "d",
        "i",
        "j",
        "l",
    ],
)
def test_names_of_host_languages_do_not_leak(name: str) -> None:
    product = parse_expression(f"{name}*x")
    assert isinstance(product, Apply)
    factor = product.args[0]
    assert isinstance(factor, Sym)
    assert factor.name == name
    assert [symbol.name for symbol in free_symbols([parse_expression(f"{name} x")])] == [name, "x"]


@pytest.mark.parametrize(
    "text",
    [
        "__import__(x)",
        "x.__class__",
        "().__class__",
        "eval(x)",
        "open(x)",
        "lambda: x",
        "exec('x')",
        "{{x}}[0]",
        "%s",
        "x;import os",
        "${x}",
        "\\input{x}",
        "\\write18{x}",
    ],
)
def test_code_is_no_expression(text: str) -> None:
    with pytest.raises(ChainruleError):
        parse(text)
