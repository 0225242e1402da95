"""As close to the products alone as NumPy goes, written for these networks by hand.

Straight-line source with every array and bound method a local name; products by ndarray.dot
(a third of matmul's overhead), sums over rows as ones @ g, constants as arrays (a scalar of
Python is slow to convert), classes first in the softmax, out= by position.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from contenders import Problem, Step
from harness import Skip

_NAMES = "add subtract multiply maximum greater exp tanh abs negative divide log copyto vdot"


class _Source:
    """Lines, and what their names stand for."""

    def __init__(self, p: Problem) -> None:
        self.p = p
        self.lines: list[str] = []
        self.env: dict[str, Any] = {name: getattr(np, name) for name in _NAMES.split()}

    def array(self, name: str, value: Any) -> None:
        self.env.setdefault(name, value)

    def dot(self, a: str, b: str, out: str) -> None:
        self.env[f"{a}_dot"] = self.env[a].dot
        self.lines.append(f"{a}_dot({b}, {out})")

    def do(self, text: str) -> None:
        self.lines.extend(text.split("; "))

    def constant(self, value: float, count: int, width: int, as_row: bool = False) -> str:
        """Of the same shape where that is short; a row for maximum, which has no other SIMD."""
        shape = (count, width) if count * width <= 4096 else (width,) if as_row else ()
        number = str(value).replace(".", "_").replace("-", "m")
        name = f"c{number}_{'x'.join(map(str, shape))}"
        self.array(name, np.full(shape, value, self.p.dtype))
        return name

    def made(self, layers: int) -> Step:
        self.env["grads"] = [self.env[f"G{x}{i}"] for i in range(1, layers + 1) for x in "Wb"]
        body = "\n".join(f"        {line}" for line in self.lines)
        arguments = ", ".join(self.env)
        inner = f"    def step():\n{body}\n        return loss, grads\n    return step"
        code = f"def make({arguments}):\n{inner}"
        scope: dict[str, Any] = {}
        exec(code, scope)
        step: Step = scope["make"](**self.env)
        return step


def limit(p: Problem, fast_tanh: bool = False) -> Step:
    """Every trick; fast_tanh: 1 - 2 / (exp(2 z) + 1)."""
    s, n, k, last = _Source(p), p.batch, p.sizes, len(p.W)
    entries = n * k[-1]
    mean = 2 / entries if p.loss == "mse" else 1 / n
    for i, width in enumerate(k):
        s.array(f"A{i}", np.empty((n, width), p.dtype) if i else p.X)
        s.array(f"D{i}", np.empty((n, width), p.dtype))
    if p.loss == "ce":
        s.env["Dt"] = np.empty((k[-1], n), p.dtype)
        s.env[f"D{last}"] = s.env["Dt"].T
    s.array("ones", np.ones(n, p.dtype))
    for i in range(1, last + 1):
        w, b = p.W[i - 1], p.b[i - 1]
        s.env |= {f"W{i}": w, f"W{i}T": w.T, f"b{i}": b[None] if n == 1 else b}
        s.env |= {f"GW{i}": np.empty_like(w), f"Gb{i}": np.empty_like(b)}
        s.env |= {f"A{i - 1}T": s.env[f"A{i - 1}"].T, f"M{i}": np.empty((n, k[i]), bool)}
    s.array("inverse", 1 / entries if p.loss == "mse" else 1 / n)
    for i in range(1, last):
        _layer(s, i, fast_tanh)
    {"ce": _cross_entropy, "bce": _binary, "mse": _squares}[p.loss](s, mean)
    for i in range(last - 1, 0, -1):
        _back(s, i)
    s.dot("A0T", "D1", "GW1")
    s.dot("ones", "D1", "Gb1")
    return s.made(last)


def _layer(s: _Source, i: int, fast_tanh: bool) -> None:
    p, a = s.p, f"A{i}"
    m, w = p.batch, p.sizes[i]
    s.dot(f"A{i - 1}", f"W{i}", a)
    s.do(f"add({a}, b{i}, {a})")
    if p.activation == "relu":
        s.do(f"maximum({a}, {s.constant(0, m, w, True)}, out={a})")
    elif p.activation == "tanh" and fast_tanh:
        one, two = s.constant(1, m, w), s.constant(2, m, w)
        s.do(f"multiply({a}, {two}, {a}); exp({a}, {a}); add({a}, {one}, {a})")
        s.do(f"divide({two}, {a}, {a}); subtract({one}, {a}, {a})")
    elif p.activation == "tanh":
        s.do(f"tanh({a}, {a})")
    else:
        half = s.constant(0.5, m, w)
        s.do(f"multiply({a}, {half}, {a}); tanh({a}, {a}); multiply({a}, {half}, {a})")
        s.do(f"add({a}, {half}, {a})")


def _cross_entropy(s: _Source, mean: float) -> None:
    p, last = s.p, len(s.p.W)
    h = f"A{last - 1}"
    yt = np.ascontiguousarray(p.Y.T)
    s.env |= {"zt": np.empty_like(yt), "line": np.empty(p.batch, p.dtype), "yt": yt}
    s.env |= {"ys": yt * p.dtype.type(mean), "bias": p.b[-1][:, None], f"{h}T": s.env[h].T}
    s.env |= {"top": np.maximum.reduce, "total": np.add.reduce}
    s.env["size"] = np.full((), p.batch, p.dtype)
    s.dot(f"W{last}T", f"{h}T", "zt")
    s.do("add(zt, bias, zt); top(zt, 0, None, line); subtract(zt, line, zt)")
    s.do("picked = vdot(zt, yt); exp(zt, Dt); total(Dt, 0, None, line)")
    s.do("loss = float(log(line).sum() - picked) * inverse; multiply(line, size, line)")
    s.do("divide(Dt, line, Dt); subtract(Dt, ys, Dt)")


def _binary(s: _Source, mean: float) -> None:
    """One exp(-|z|) serves softplus and sigmoid."""
    p, m = s.p, s.p.batch
    for name in "vuz":
        s.array(name, np.empty(m, p.dtype))
    s.env |= {"w": p.W[0].ravel(), "y": p.Y.ravel(), "e": s.env["D1"][:, 0]}
    s.env |= {"flat0": np.zeros(m, p.dtype), "flat1": np.ones(m, p.dtype)}
    s.env |= {"positive": np.empty(m, bool), "mean": np.full((), mean, p.dtype)}
    s.dot("A0", "w", "z")
    s.do("add(z, b1, z); abs(z, e); negative(e, e); exp(e, e); add(e, flat1, u); log(u, v)")
    s.do("loss = float(v.sum() - vdot(y, z)) * inverse; greater(z, flat0, positive)")
    s.do("maximum(z, flat0, out=z); loss += float(z.sum()) * inverse; divide(flat1, u, u)")
    s.do("multiply(e, u, e); copyto(e, u, where=positive); subtract(e, y, e); multiply(e, mean, e)")


def _squares(s: _Source, mean: float) -> None:
    p, last = s.p, len(s.p.W)
    z, d = f"A{last}", f"D{last}"
    s.env |= {"Y": p.Y, "r": s.env[d].ravel()}
    s.dot(f"A{last - 1}", f"W{last}", z)
    s.do(f"add({z}, b{last}, {z}); subtract({z}, Y, {d})")
    s.env["r_dot"] = s.env["r"].dot
    scale = s.constant(mean, p.batch, p.sizes[-1])
    s.do(f"loss = float(r_dot(r)) * inverse; multiply({d}, {scale}, {d})")


def _back(s: _Source, i: int) -> None:
    p, a, d = s.p, f"A{i}", f"D{i}"
    m, w = p.batch, p.sizes[i]
    one = s.constant(1, m, w)
    s.dot(f"D{i + 1}", f"W{i + 1}T", d)
    s.dot(f"A{i}T", f"D{i + 1}", f"GW{i + 1}")
    s.dot("ones", f"D{i + 1}", f"Gb{i + 1}")
    if p.activation == "relu":
        s.do(f"greater({a}, {s.constant(0, m, w)}, M{i}); multiply({d}, M{i}, {d})")
    elif p.activation == "tanh":
        s.do(f"multiply({a}, {a}, {a}); subtract({one}, {a}, {a}); multiply({d}, {a}, {d})")
    else:
        s.do(f"multiply({d}, {a}, {d}); subtract({one}, {a}, {a}); multiply({d}, {a}, {d})")


def limit_fast_tanh(p: Problem) -> Step:
    """The same with the faster tanh."""
    if p.activation != "tanh":
        raise Skip("no tanh")
    return limit(p, fast_tanh=True)


def blocked(p: Problem) -> Step:
    """Regressions in blocks of rows: X is read from memory once, not twice."""
    if p.activation != "none":
        raise Skip("only for one layer")
    rows = (1 << 23) // (p.sizes[0] * p.dtype.itemsize)
    w, g, b = p.W[0].ravel(), np.empty(p.sizes[0], p.dtype), p.b[0]
    starts = range(0, p.batch, rows)
    parts = [(p.X[i : i + rows], p.Y.ravel()[i : i + rows]) for i in starts]
    buffer, u, part = np.empty(rows, p.dtype), np.empty(rows, p.dtype), np.empty_like(g)

    def step() -> Any:
        g[:] = 0
        total = bias = 0.0
        for x, y in parts:
            z, e = buffer[: len(y)], u[: len(y)]
            x.dot(w, z)
            np.add(z, b, z)
            if p.loss == "bce":
                np.abs(z, e)
                np.negative(e, e)
                np.exp(e, e)
                total += float(np.log1p(e).sum() + np.maximum(z, 0).sum() - np.vdot(y, z))
                s = 1 / (1 + e)
                np.copyto(z, np.where(z > 0, s, e * s))
                np.subtract(z, y, z)
            else:
                np.subtract(z, y, z)
                total += float(np.vdot(z, z))
            z.dot(x, part)
            np.add(g, part, g)
            bias += float(z.sum())
        k = p.dtype.type((2 if p.loss == "mse" else 1) / p.batch)
        return total / p.batch, [(g * k)[:, None], np.array([bias], p.dtype) * k]

    return step
