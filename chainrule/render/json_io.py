"""Derivations as JSON, schema `chainrule/derivation/1`; expressions are in the language."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from chainrule.core.expr import symbol
from chainrule.derivation.steps import (
    Block,
    Chain,
    Derivation,
    Edge,
    Method,
    Result,
    Step,
    Verification,
)
from chainrule.render.blocks import Code, Math, Paragraph, Prose, Row, Shown
from chainrule.render.headings import step_title
from chainrule.render.latex import latex
from chainrule.render.latex import words as latex_words
from chainrule.render.notation import Notation
from chainrule.render.page import step_rows, verification_block
from chainrule.render.text import text

SCHEMA = "chainrule/derivation/1"


def to_json(derivation: Derivation, verification: Verification | None = None) -> str:
    """One JSON object, as text."""
    shown = json.dumps(to_dict(derivation, verification), ensure_ascii=False, indent=2)
    # Half of a surrogate pair, from an argument that was no UTF-8, stays as its escape.
    return shown.encode("utf-8", "backslashreplace").decode("utf-8")


def _exact(count: int) -> int | str:
    """The number; its digits where it has more than Python reads as a number."""
    digits = Decimal(count).adjusted() + 1
    return count if digits <= sys.int_info.default_max_str_digits else f"{Decimal(count):f}"


def to_dict(derivation: Derivation, verification: Verification | None = None) -> dict[str, Any]:
    """The same as dictionaries and lists."""
    d, notation = derivation, Notation(derivation)
    # Names that only the derivation has are names in the text, and signs in LaTeX.
    plain = Notation(derivation, in_language=True) if d.made else notation
    steps = [_step(step, notation, plain) for step in d.steps]
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
            {"name": u.name, "expression": text(u.expression), "shape": list(u.shape)}
            for u in d.intermediates
        ],
        "local_derivatives": [_edge(e) for e in d.edges],
        "path_count": {
            y: {v: _exact(n) for v, n in counts.items()} for y, counts in d.path_count.items()
        },
        "paths": [
            {
                "output": p.output, "variable": p.variable, "nodes": list(p.nodes),
                "factors": [text(f) for f in p.factors], "product": text(p.product),
            }
            for p in d.paths
        ],
        "steps": steps,
        "result": _result(d.result),
        "domain": [text(relation) for relation in d.domain],
        "conventions": [{"where": text(k.where), "convention": k.convention} for k in d.kinks],
        "verification": _verification(verification),
        "warnings": [*(n.message for n in d.program.notices), *d.remarks],
    }  # fmt: skip


def _edge(edge: Edge) -> dict[str, Any]:
    """A local derivative: the Jacobian, or the change that follows from a change of the operand."""
    shown = {"of": edge.of, "by": edge.by, "expression": text(edge.local), "rule": edge.rule}
    if not edge.jacobian:
        shown["kind"] = "differential"
        if edge.adjoint is not None:
            shown["adjoint"] = text(edge.adjoint)
    return shown


def _result(result: Result) -> dict[str, Any]:
    if result.blocks:
        return {"kind": result.kind, "wrt": {k: _block(b) for k, b in result.wrt.items()}}
    entries = [[text(e) for e in row] for row in result.entries]
    return {
        "kind": result.kind,
        "shape": [len(entries), len(entries[0]) if entries else 0],
        "entries": entries,
    }


def _block(block: Block) -> dict[str, Any]:
    """One derivative; `kind` says what its expression is, entry by entry."""
    shown: dict[str, Any] = {
        "kind": block.kind, "expression": text(block.expression), "shape": list(block.shape),
    }  # fmt: skip
    if block.written is not block.expression:
        shown["written_out"] = text(block.written)
    if block.adjoint is not None:
        shown["adjoint"] = text(block.adjoint)
    if block.by_entry:
        shown["index"] = [text(formula) for formula in block.by_entry]
    return shown


def _step(step: Step, notation: Notation, plain: Notation) -> dict[str, Any]:
    lines = []
    in_signs = list(step_rows(step, notation))
    in_names = in_signs if plain is notation else list(step_rows(step, plain))
    for row, named, line in zip(in_signs, in_names, step.lines, strict=True):
        shown: dict[str, Any] = {
            "text": _written(named, plain, text, ": "),
            "latex": _written(row, notation, latex, r": \quad "),
            "rule": row.rule,
        }
        if row.provided:
            shown["provided"] = [text(c) for c in row.provided]
        if line.number is not None and math.isfinite(line.number):
            shown["value"] = line.number
        lines.append(shown)
    return {"kind": step.kind, "title": _plain(step_title(step, notation)), "lines": lines}


def _written(row: Row, notation: Notation, draw: Callable[[Shown], str], colon: str) -> str:
    """A line, with the shared parts in it before it."""
    shared = notation.definitions(row.right, again=True)
    parts = [Row(symbol(name, part.shape), (part,)) for name, part in shared]
    return "; ".join(_joined(part, draw, colon) for part in [*parts, row])


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
