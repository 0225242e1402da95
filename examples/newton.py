"""Newton's method in 10,000 variables, with a sparse Hessian from three products.

    python examples/newton.py

The boundary value problem u'' = exp(u), u(0) = u(1) = 0 as the least energy of u at n points.
The Hessian has three entries a row and its columns take three colors, so that three products
with directions (`mode="hvp"`) make all of it known, however many points there are. The solution
is 2 ln(c/cos(c (x - 1/2)/2)) - ln 2, with cos(c/4) = c/sqrt(2).
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.linalg import spsolve

import chainrule as cr
from chainrule import symbolic as sym

PROGRAM = """
u: vector(n); h: scalar
stretch = u[0]^2 + sum((u[1:] - u[:-1])^2) + u[-1]^2
stretch/(2h) + h*sum(exp(u))
"""
C = 1.336055694906108


def main(n: int = 10_000) -> tuple[int, float]:
    """Solve; return the number of steps, and the largest distance from the solution."""
    gradient = cr.compile(PROGRAM, wrt=["u"])
    product = cr.compile(PROGRAM, wrt=["u"], mode="hvp")
    places = [(i, j) for i in range(n) for j in (i - 1, i, i + 1) if 0 <= j < n]
    rows, columns = zip(*places, strict=True)
    coloring = sym.color_columns(places, n, symmetric=True)
    directions = [np.array(d, dtype=float) for d in coloring.directions()]

    u, h, steps = np.zeros(n), 1 / (n + 1), 0
    while np.max(np.abs(slopes := gradient(u=u, h=h)[1]["u"])) > 1e-8 * h:
        entries = coloring.entries([product({"u": d}, u=u, h=h)[1]["u"] for d in directions])
        values = [entries[place] for place in places]
        hessian = coo_array((values, (rows, columns)), shape=(n, n))
        u = u - spsolve(hessian.tocsc(), slopes)
        steps += 1

    x = np.linspace(h, 1 - h, n)
    error = float(np.max(np.abs(u - 2 * np.log(C / np.cos(C * (x - 0.5) / 2)) + np.log(2))))
    print(f"{n:,} variables, {coloring.count} products for {len(places):,} entries of the Hessian")
    print(f"{steps} steps of Newton's method, largest error {error:.1e}")
    return steps, error


if __name__ == "__main__":
    main()
