"""A handful of derivations in every format, word for word.

After a change that is meant, write them anew and read the difference:

    UPDATE_SNAPSHOTS=1 pytest tests/test_render_snapshots.py
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import chainrule.api as cr
from chainrule.derivation.steps import Derivation, Method, Verification
from chainrule.render import html, json_io, latex_page, markdown, terminal
from chainrule.render.page import page

FOLDER = Path(__file__).parent / "snapshots"
AGREED = Verification(
    "verified",
    (Method("sympy", "verified"), Method("numeric", "verified", "", 5, 1.2e-15)),
)
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "chain": ("ln(sin(x^3)^2)", {"at": "x=2"}),
    "paths": ("x*exp(x^2)", {}),
    "power": ("x^x", {}),
    "kink": ("abs(x)*relu(x - a)", {"wrt": "x"}),
    "ambiguous": ("1/2x + sin x^2", {}),
    "second": ("sin(x)/x", {"order": 2}),
    "backprop": ("w1*tanh(w2*x)", {"wrt": "w1,w2", "style": "backprop"}),
    "layers": ("g1 = x^2; g2 = 3x; [ln(g1), sin(g2)]", {"layout": "denominator"}),
    "functions": ("f(g1(x), g2(x))", {}),
    "squares": (
        "X: matrix(N, d); w: vector(d); y: vector(N); loss = mean((X @ w - y)^2)",
        {"wrt": "w"},
    ),
    "quadratic": ("A: matrix(n, n); x: vector(n); x' @ A @ x", {"wrt": "x", "order": 2}),
    "tensor": ("W: matrix(m, n); x: vector(n); W @ x", {"wrt": "W"}),
    "classifier": (
        "X: matrix(N, d); W1: matrix(d, h), b1: vector(h); W2: matrix(h, k), b2: vector(k); "
        "Y: matrix(N, k); Z1 = X @ W1 + b1; A1 = relu(Z1); Z2 = A1 @ W2 + b2; "
        "L = cross_entropy(Z2, Y)",
        {"wrt": "W1, b1, W2, b2"},
    ),
}
FORMATS: dict[str, Callable[[Derivation], str]] = {
    "txt": lambda d: terminal.plain(page(d, AGREED)),
    "md": lambda d: markdown.markdown(page(d, AGREED)),
    "tex": lambda d: latex_page.fragment(page(d, AGREED)),
    "html": lambda d: html.html(page(d, AGREED)),
    "json": lambda d: json_io.to_json(d, AGREED) + "\n",
}
SHOWN = [
    *((name, "txt") for name in CASES),
    *((name, "md") for name in ("chain", "layers")),
    *((name, "tex") for name in ("chain", "layers", "classifier")),
    *((name, "html") for name in ("paths", "squares")),
    *((name, "json") for name in ("paths", "tensor")),
]


@pytest.mark.parametrize(("name", "form"), SHOWN)
def test_snapshot(name: str, form: str) -> None:
    source, options = CASES[name]
    shown = FORMATS[form](cr.derive(source, verify="off", **options).data)
    path = FOLDER / f"{name}.{form}"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.write_text(shown, encoding="utf-8")
    assert shown == path.read_text(encoding="utf-8")


def test_every_snapshot_is_compared() -> None:
    assert sorted(p.name for p in FOLDER.iterdir()) == sorted(f"{n}.{f}" for n, f in SHOWN)
