"""Logistic regression, fitted with SciPy's minimiser on generated code.

    python examples/logistic_scipy.py

`examples/logistic_regression.chain` with a penalty, in a form that cannot overflow: the loss of
a probability sigmoid(z) is softplus(z) - y*z. `minimize(jac=True)` wants value and gradient as
functions of one vector. The data are the 569 tumours of scikit-learn's breast cancer data.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from sklearn.datasets import load_breast_cancer

import chainrule as cr

PROGRAM = """
X: matrix(N, M); y: vector(N); w: vector(M); b: scalar
z = b + X @ w
mean(softplus(z) - y .* z) + 0.01/2*dot(w, w)
"""


def main() -> tuple[float, float]:
    """Fit; return the fraction classified correctly, and the largest slope that is left."""
    measured, y = load_breast_cancer(return_X_y=True)
    X = (measured - measured.mean(axis=0)) / measured.std(axis=0)

    step = cr.compile(PROGRAM, wrt=["w", "b"])
    objective = step.flat(X=X, y=y)
    found = minimize(objective, np.zeros(X.shape[1] + 1), jac=True, options={"gtol": 1e-7})
    w, b = found.x[:-1], found.x[-1]

    accuracy = float(np.mean((X @ w + b > 0) == y))
    slope = float(np.max(np.abs(found.jac)))
    print(f"{found.nit} iterations, loss {found.fun:.6f}, largest slope {slope:.1e}")
    print(f"{accuracy:.1%} of {len(y)} examples are classified correctly")
    return accuracy, slope


if __name__ == "__main__":
    main()
