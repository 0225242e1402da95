"""Errors in published lecture notes that are about a derivative are found; right lines pass.

The notes' formulas over vectors are written out for single components here.
"""

from __future__ import annotations

import pytest

import chainrule as cr


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


def test_the_lost_factor_is_named() -> None:
    found = cr.check("w_i*x_i", "1", "w_i").diagnosis
    assert found is not None and found.kind == "constant factor lost"


def test_the_squares_left_undone_are_named() -> None:
    program = "((a - (b + c*w))^2 + (d - (b + f*w))^2)/2"
    claimed = "-(c*(a - (b + c*w)) + f*(d - (b + f*w)))/2"
    found = cr.check(program, claimed, "w").diagnosis
    assert found is not None
    assert (found.kind, found.throughout) == ("coefficient not brought down", True)
