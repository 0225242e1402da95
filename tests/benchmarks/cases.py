"""Formulas over any library of scalars: `formula(lib, n)` gives outputs and variables."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from typing import Any

Formula = Callable[[Any, int], tuple[list[Any], list[Any]]]


def chain(lib: Any, n: int) -> tuple[list[Any], list[Any]]:
    """Sine and cosine in turn."""
    (x,) = lib.symbols(1)
    y = x
    for i in range(n):
        y = lib.cos(y) if i % 2 else lib.sin(y)
    return [y], [x]


def squaring(lib: Any, n: int) -> tuple[list[Any], list[Any]]:
    """y = y y + x."""
    (x,) = lib.symbols(1)
    y = x
    for _ in range(n):
        y = y * y + x
    return [y], [x]


def product(lib: Any, n: int) -> tuple[list[Any], list[Any]]:
    """x0 x1 x2 …"""
    xs = lib.symbols(n)
    y = xs[0]
    for x in xs[1:]:
        y = y * x
    return [y], xs


def rosenbrock(lib: Any, n: int) -> tuple[list[Any], list[Any]]:
    """Rosenbrock's function of n variables."""
    x = lib.symbols(n)
    return [lib.add([(1 - a) ** 2 + 100 * (b - a**2) ** 2 for a, b in pairwise(x)])], x


def mlp(lib: Any, n: int) -> tuple[list[Any], list[Any]]:
    """10-n-n-1 with tanh, by all its weights, at a symbolic input."""
    sizes = [10, n, n, 1]
    count = sum((a + 1) * b for a, b in pairwise(sizes))
    names = lib.symbols(count + 10)
    weights, a = iter(names), names[count:]
    for layer, (_, m) in enumerate(pairwise(sizes)):
        z = [lib.add([next(weights) * v for v in a] + [next(weights)]) for _ in range(m)]
        a = z if layer == 2 else [lib.tanh(v) for v in z]
    return a, names[:count]


def harmonics(lib: Any, top: int) -> tuple[list[Any], list[Any]]:
    """Real spherical harmonics of order below `top`, as in FastDifferentiation.jl's benchmark."""
    x, y, z = lib.symbols(3)

    @lru_cache(None)
    def legendre(n: int, m: int) -> Any:
        if n == m:
            return 1.0 if n == 0 else (1 - 2 * m) * legendre(m - 1, m - 1)
        if n == m + 1:
            return (2 * m + 1) * z * legendre(m, m)
        up, down = (2 * n - 1) / (n - m), (n + m - 1) / (n - m)
        return up * z * legendre(n - 1, m) - down * legendre(n - 2, m)

    cosines, sines = [1.0], [0.0]
    for _ in range(top):
        c, s = cosines[-1], sines[-1]
        cosines.append(x * c - y * s)
        sines.append(x * s + y * c)

    def norm(n: int, m: int) -> float:
        factorials = math.exp(math.lgamma(n - m + 1) - math.lgamma(n + m + 1))
        return math.sqrt((2 if m else 1) * (2 * n + 1) / (4 * math.pi) * factorials)

    out = []
    for n in range(top):
        for m in range(-n, n + 1):
            angle = (sines if m < 0 else cosines)[abs(m)]
            out.append(lib.wrap(norm(n, abs(m)) * legendre(n, abs(m)) * angle))
    return out, [x, y, z]


def matrix(lib: Any, n: int) -> tuple[list[Any], list[Any]]:
    """(A + B)(A B)', entry by entry, as in FastDifferentiation.jl's benchmark."""
    v = lib.symbols(2 * n * n)
    a = [v[i * n : i * n + n] for i in range(n)]
    b = [v[n * n + i * n : n * n + i * n + n] for i in range(n)]
    r = range(n)
    s = [[a[i][j] + b[i][j] for j in r] for i in r]
    t = [[lib.add([a[i][k] * b[k][j] for k in r]) for j in r] for i in r]
    return [lib.add([s[i][k] * t[j][k] for k in r]) for i in r for j in r], v


REACTIONS = (  # factor and reactants, 1-based: the POLLU problem
    (0.35, 1), (26.6, 2, 4), (1.23e4, 5, 2), (8.6e-4, 7), (8.2e-4, 7), (1.5e4, 7, 6), (1.3e-4, 9),
    (2.4e4, 9, 6), (1.65e4, 11, 2), (9e3, 11, 1), (0.022, 13), (1.2e4, 10, 2), (1.88, 14),
    (1.63e4, 1, 6), (4.8e6, 3), (3.5e-4, 4), (0.0175, 4), (1e8, 16), (4.44e11, 16), (1240, 17, 6),
    (2.1, 19), (5.78, 19), (0.0474, 1, 4), (1780, 19, 1), (3.12, 20),
)  # fmt: skip
BALANCE = (
    (-1, -10, -14, -23, -24, 2, 3, 9, 11, 12, 22, 25), (-2, -3, -9, -12, 1, 21),
    (-15, 1, 17, 19, 22), (-2, -16, -17, -23, 15), (-3, 4, 4, 6, 7, 13, 20),
    (-6, -8, -14, -20, 3, 18, 18), (-4, -5, -6, 13), (4, 5, 6, 7), (-7, -8), (-12, 7, 9),
    (-9, -10, 8, 11), (9,), (-11, 10), (-13, 12), (14,), (-18, -19, 16), (-20,), (20,),
    (-21, -22, -24, 23, 25), (-25, 24),
)  # fmt: skip


def ode(lib: Any, copies: int) -> tuple[list[Any], list[Any]]:
    """The right-hand side of POLLU, `copies` of it side by side."""
    names, out = lib.symbols(20 * copies), []
    for c in range(copies):
        y = names[20 * c : 20 * c + 20]
        rates = []
        for k, *reactants in REACTIONS:
            rate = k * y[reactants[0] - 1]
            rates.append(rate * y[reactants[1] - 1] if len(reactants) > 1 else rate)
        out += [
            lib.add([rates[i - 1] if i > 0 else -rates[-i - 1] for i in row]) for row in BALANCE
        ]
    return out, names


def waist(lib: Any, n: int) -> tuple[list[Any], list[Any]]:
    """n inputs, one way through a chain of n, n outputs: the case for factoring."""
    xs = lib.symbols(n)
    u = lib.add([lib.sin(x) for x in xs])
    for _ in range(n):
        u = lib.sin(u)
    return [lib.cos((i + 2) * u) for i in range(n)], xs


CASES: dict[str, tuple[Formula, str, list[int]]] = {  # formula, what is asked for, sizes
    "chain": (chain, "gradient", [1000, 100_000]),
    "squaring": (squaring, "gradient", [1000, 10_000]),
    "product": (product, "gradient", [1000, 10_000]),
    "rosenbrock": (rosenbrock, "gradient", [1000, 10_000]),
    "rosenbrock-hessian": (rosenbrock, "hessian", [1000, 10_000]),
    "mlp": (mlp, "gradient", [20, 60]),
    "harmonics": (harmonics, "jacobian", [20, 40]),
    "matrix": (matrix, "jacobian", [10, 20]),
    "ode": (ode, "jacobian", [10, 100]),
    "waist": (waist, "jacobian", [100]),
}
COUNTED = {"rosenbrock": [1000], "harmonics": [4, 11, 35], "matrix": [2, 4, 9], "waist": [50]}
SLOPES = {  # cases and sizes of about 10^3 … 10^6 operations of the result
    "chain": [330, 3_300, 33_000, 330_000],
    "squaring": [200, 2_000, 20_000, 200_000],
    "product": [330, 3_300, 33_000, 330_000],
    "rosenbrock-hessian": [100, 1_000, 10_000, 100_000],
    "ode": [15, 150, 1_500, 15_000],
}
