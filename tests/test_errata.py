"""Errors in published lecture notes that are about a derivative are found; right lines pass.

The notes' formulas over vectors are also written out for single components here. Those about
networks (parameter counts, scales of initial weights) are in test_network.
"""

from __future__ import annotations

import numpy as np
import pytest
from array_points import numbers

import chainrule as cr
from chainrule.cli import main
from chainrule.core.expr import ZERO, substitute, symbol
from chainrule.derivation.simplify import simplify


@pytest.mark.parametrize(
    ("program", "wrt", "claimed", "correct"),
    [
        ("(x^3*x + 3x)*(2x^2 - 1)", "x", "(9*x^2 + 3) + 6*x", False),
        ("(x^3*x + 3x)*(2x^2 - 1)", "x", "12*x^5 - 4*x^3 + 18*x^2 - 3", True),
        ("w_i*x_i", "w_i", "1", False),
        ("w_i*x_i", "w_i", "x_i", True),
        ("ln(sin(x^3)^2)", "x", "6*x^2*cos(x^3)/sin(x^3)", True),
        ("1/(1+exp(-x))", "x", "sigmoid(x)*(1-sigmoid(x))", True),
        # d/db of the logistic loss of one example
        ("p = sigmoid(b + x*w); -(y*ln(p) + (1-y)*ln(1-p))", "b",
         "-(1 - sigmoid(b + x*w))", False),
        ("p = sigmoid(b + x*w); -(y*ln(p) + (1-y)*ln(1-p))", "b",
         "-(y - sigmoid(b + x*w))", True),
        # the mean over two examples
        ("((a - (b + c*w))^2 + (d - (b + f*w))^2)/2", "w",
         "-2/2*(c*(a - (b + c*w)) + f*(d - (b + f*w)))", True),
        ("((a - (b + c*w))^2 + (d - (b + f*w))^2)/2", "w",
         "-(c*(a - (b + c*w)) + f*(d - (b + f*w)))/2", False),
        # one unit of an affine layer: the Jacobian is the matrix, not its diagonal
        ("[w_11*u1 + w_12*u2, w_21*u1 + w_22*u2]", "u1,u2", "[w_11, w_12; w_21, w_22]", True),
        ("[w_11*u1 + w_12*u2, w_21*u1 + w_22*u2]", "u1,u2", "[w_11, 0; 0, w_22]", False),
        ("leaky_relu(z, a)", "z", "(z > 0) - a*(z < 0)", False),
        ("leaky_relu(z, a)", "z", "(z > 0) + a*(z < 0)", True),
    ],
)  # fmt: skip
def test_errata(program: str, wrt: str, claimed: str, correct: bool) -> None:
    verdict = cr.check(program, claimed, wrt)
    assert verdict.correct is correct
    assert verdict.status == ("right" if correct else "wrong")


LOGISTIC = """
    X: matrix(N, M); y: vector(N); w: vector(M); b: scalar
    p = sigmoid(b + X @ w)
"""
LINEAR = "X: matrix(N, M); y: vector(N); w: vector(M); b: scalar"
AFFINE = "w: matrix(n, n); u: vector(n); b: vector(n)"


@pytest.mark.parametrize(
    ("declared", "output", "wrt", "claimed", "correct"),
    [
        (LOGISTIC, "mean(-(y .* ln(p) + (1 - y) .* ln(1 - p)))", "b", "-mean(1 - p)", False),
        (LOGISTIC, "mean(-(y .* ln(p) + (1 - y) .* ln(1 - p)))", "b", "-mean(y - p)", True),
        (LINEAR, "mean((y - (b + X @ w))^2)", "w", "-2/N * X' @ (y - (b + X @ w))", True),
        (LINEAR, "mean((y - (b + X @ w))^2)", "w", "-1/N * X' @ (y - (b + X @ w))", False),
        # the weights as a vector, multiplied entry by entry, are not the weights of a layer
        (AFFINE, "w @ u + b", "u", "diag(diag(w))", False),
        (AFFINE, "w @ u + b", "u", "w", True),
    ],
)  # fmt: skip
def test_errata_over_vectors(
    declared: str, output: str, wrt: str, claimed: str, correct: bool
) -> None:
    """The derivation, which the oracles confirm, has the claimed values or has not."""
    found = cr.derive(f"{declared}\n{output}", wrt)
    assert found.verification.status == "verified"
    (block,) = found.data.result.blocks
    claim = cr.parse(f"{declared}\n{LAST} = {claimed}").written_out()[LAST]
    assert np.allclose(numbers(block.written), numbers(claim), rtol=1e-12) is correct


LAST = "claim"


def test_a_central_difference_is_divided_by_twice_the_step() -> None:
    # Lecture notes divide f(w + h) - f(w - h) by h^2. Its slope in h at 0 is 2 f'(w).
    slope = cr.derive("f(w + h) - f(w - h)", "h", verify="off").data.result.entries[0][0]
    h = symbol("h")
    (at_zero,) = substitute([slope], {h: ZERO})
    right = cr.derive("2*f(w)", "w", verify="off").data.result.entries[0][0]
    assert simplify(at_zero).result is right

    # The check of gradients finds the claim out: it divides by 2 h.
    step = cr.compile("sin(w)^3", "w")
    assert cr.check_gradients(step, {"w": 0.7}).ok

    def claimed(w: float, h: float = 1e-3) -> tuple[float, dict[str, float]]:
        values = (step.value(w=x) for x in (w, w + h, w - h))
        here, above, below = values
        return here, {"w": (above - below) / h**2}

    report = cr.check_gradients(claimed, {"w": 0.7})
    assert not report.ok
    assert "2000 times the slope" in str(report)


def test_the_lost_factor_is_named() -> None:
    found = cr.check("w_i*x_i", "1", "w_i").diagnosis
    assert found is not None and found.kind == "constant factor lost"


def test_the_squares_left_undone_are_named() -> None:
    program = "((a - (b + c*w))^2 + (d - (b + f*w))^2)/2"
    claimed = "-(c*(a - (b + c*w)) + f*(d - (b + f*w)))/2"
    found = cr.check(program, claimed, "w").diagnosis
    assert found is not None
    assert (found.kind, found.throughout) == ("coefficient not brought down", True)


@pytest.mark.parametrize(
    ("sizes", "given", "slip"),
    [
        ("3-3-2-1", 23, ""),
        ("3-3-2-1", 21, "the biases of layer 2 are left out"),
        ("3-3-2-1", 17, "the biases are left out"),
        ("3-3-2-1", 25, "a layer has a bias for each of its units, not for each input"),
        ("784-512-256-10", "535,818", ""),
        ("784-512-256-10", 100, None),
    ],
)
def test_parameter_counts(sizes: str, given: int | str, slip: str | None) -> None:
    found = cr.check_count(sizes, given)
    assert found.correct is (slip == "")
    assert found.message == (slip or "")
    assert found.json() and str(found)


def test_parameter_counts_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--network", "3-3-2-1", "23"]) == 0
    assert main(["check", "--network", "3-3-2-1", "21"]) == 1
    assert "has 23 parameters, not 21" in capsys.readouterr().out
    assert main(["check", "--network", "3-x", "21"]) == 2
    assert main(["check", "--network", "3-0-1", "21"]) == 2
    assert main(["check", "--network", "3-1", "many"]) == 2


def test_a_central_difference_is_divided_by_two_steps() -> None:
    """The notes divide by the square of the step."""
    f = "(f(w + h) - f(w - h))/(2*h)"
    assert cr.check(f, "(f'(w + h) - f'(w - h))/(2*h)", "w").correct
    assert not cr.check(f, "(f'(w + h) - f'(w - h))/h^2", "w").correct
