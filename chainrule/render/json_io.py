"""Derivations as JSON, schema `chainrule/derivation/1`; expressions are in the language."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

from chainrule.core.expr import symbol
from chainrule.derivation.steps import Chain, Derivation, Method, Step, Verification
from chainrule.render.blocks import Code, Math, Paragraph, Prose, Row, Shown
from chainrule.render.latex import latex
from chainrule.render.latex import words as latex_words
from chainrule.render.notation import Notation
from chainrule.render.page import step_rows, step_title, verification_block
from chainrule.render.text import text

SCHEMA = "chainrule/derivation/1"


def to_json(derivation: Derivation, verification: Verification | None = None) -> str:
    """One JSON object, as text."""
    shown = json.dumps(to_dict(derivation, verification), ensure_ascii=False, indent=2)
    # Half of a surrogate pair, from an argument that was no UTF-8, stays as its escape.
    return shown.encode("utf-8", "backslashreplace").decode("utf-8")


def to_dict(derivation: Derivation, verification: Verification | None = None) -> dict[str, Any]:
    """The same as dictionaries and lists."""
    d, notation = derivation, Notation(derivation)
    steps = [_step(step, notation) for step in d.steps]
    if verification is not None:
        steps.append(_verify_step(verification))
    return {
        "schema": SCHEMA,
        "input": d.program.source,
        "outputs": list(d.outputs),
        "variables": list(d.variables),
        "layout": d.layout,
        "granularity": d.granularity,
        "style": d.style,
        "intermediates": [
            {"name": u.name, "expression": text(u.expression), "shape": []} for u in d.intermediates
        ],
        "local_derivatives": [
            {"of": e.of, "by": e.by, "expression": text(e.local), "rule": e.rule} for e in d.edges
        ],
        "path_count": {y: dict(counts) for y, counts in d.path_count.items()},
        "paths": [
            {
                "output": p.output, "variable": p.variable, "nodes": list(p.nodes),
                "factors": [text(f) for f in p.factors], "product": text(p.product),
            }
            for p in d.paths
        ],
        "steps": steps,
        "result": {
            "kind": d.result.kind,
            "shape": [len(d.result.entries), len(d.result.entries[0]) if d.result.entries else 0],
            "entries": [[text(e) for e in row] for row in d.result.entries],
        },
        "domain": [text(relation) for relation in d.domain],
        "conventions": [{"where": text(k.where), "convention": k.convention} for k in d.kinks],
        "verification": _verification(verification),
        "warnings": [*(n.message for n in d.program.notices), *d.remarks],
    }  # fmt: skip


def _step(step: Step, notation: Notation) -> dict[str, Any]:
    lines = []
    for row, line in zip(step_rows(step, notation), step.lines, strict=True):
        named = notation.definitions(row.right, again=True)
        parts = [Row(symbol(name, part.shape), (part,)) for name, part in named]
        shown: dict[str, Any] = {
            "text": "; ".join(_joined(part, text, ": ") for part in [*parts, row]),
            "latex": "; ".join(_joined(part, latex, r": \quad ") for part in [*parts, row]),
            "rule": row.rule,
        }
        if row.provided:
            shown["provided"] = [text(c) for c in row.provided]
        if line.number is not None and math.isfinite(line.number):
            shown["value"] = line.number
        lines.append(shown)
    return {"kind": step.kind, "title": _plain(step_title(step, notation)), "lines": lines}


def _joined(row: Row, draw: Callable[[Shown], str], colon: str) -> str:
    right = " = ".join(map(draw, row.right))
    if row.left is None:
        return right
    return draw(row.left) + (colon if isinstance(row.left, Chain) else " = ") + right


def _plain(prose: Prose) -> str:
    out = []
    for item in prose:
        match item:
            case str():
                out.append(item)
            case Math(parts):
                out.append(" = ".join(map(text, parts)))
            case Code(words):
                out.append(f"`{words}`")
    return "".join(out)


def _verify_step(verification: Verification) -> dict[str, Any]:
    said = [
        _plain(b.prose) for b in verification_block(verification).blocks if isinstance(b, Paragraph)
    ]
    lines = [{"text": words, "latex": latex_words(words), "rule": ""} for words in said]
    return {"kind": "verify", "title": "Verification", "lines": lines}


def _verification(verification: Verification | None) -> dict[str, Any]:
    if verification is None:
        return {"status": "unverified", "methods": []}
    return {
        "status": verification.status,
        "methods": [_method(m) for m in verification.methods],
    }


def _method(method: Method) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": method.name, "status": method.status}
    if method.points is not None:
        shown["points"] = method.points
    error = method.largest_relative_error
    if error is not None and math.isfinite(error):
        shown["largest_relative_error"] = error
    if method.detail:
        shown["detail"] = method.detail
    return shown
