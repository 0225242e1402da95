"""Derivations as JSON, schema `chainrule/derivation/1`; expressions are in the language."""

from __future__ import annotations

import math
import sys
from collections.abc import Container, Sequence
from decimal import Decimal
from itertools import chain
from typing import Any, NamedTuple

from chainrule.core.collector import paused
from chainrule.core.expr import Expr, symbol
from chainrule.derivation.simplify import overlapping
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
from chainrule.render.json_text import dumped
from chainrule.render.latex import FACE as IN_LATEX
from chainrule.render.latex import words as latex_words
from chainrule.render.layout import Written, written
from chainrule.render.notation import Notation
from chainrule.render.page import step_rows, verification_block
from chainrule.render.patterns import Face, Lays, in_each
from chainrule.render.text import FACE as IN_TEXT
from chainrule.render.text import text

SCHEMA = "chainrule/derivation/1"


@paused()
def to_json(derivation: Derivation, verification: Verification | None = None) -> str:
    """One JSON object, as text."""
    return dumped(to_dict(derivation, verification))


def _exact(count: int) -> int | str:
    """The number; its digits where it has more than Python reads as a number."""
    digits = Decimal(count).adjusted() + 1
    return count if digits <= sys.int_info.default_max_str_digits else f"{Decimal(count):f}"


def to_dict(derivation: Derivation, verification: Verification | None = None) -> dict[str, Any]:
    """The same as dictionaries and lists."""
    d, notation = derivation, Notation(derivation)
    # Names that only the derivation has are names in the text, and signs in LaTeX.
    plain = Notation(derivation, in_language=True) if d.made else notation
    together = _Together(plain)
    locals_ = together.texts([e.local for e in d.edges])
    local_derivatives = [_edge(e, local) for e, local in zip(d.edges, locals_, strict=True)]
    result = _result(d.result, together)
    defined = together.definitions
    lay = _laid()
    in_text, in_latex = (IN_TEXT, ": "), (IN_LATEX, r": \quad ")
    writers = [_Lines(notation, (in_text, in_latex), lay, defined)]
    if plain is not notation:
        writers = [
            _Lines(n, (f,), lay, defined) for n, f in ((plain, in_text), (notation, in_latex))
        ]
    steps = [_step(step, writers) for step in d.steps]
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
        "local_derivatives": local_derivatives,
        "path_count": {
            y: {v: _exact(n) for v, n in counts.items()} for y, counts in d.path_count.items()
        },
        **together.shown(),
        "paths": [
            {
                "output": p.output, "variable": p.variable, "nodes": list(p.nodes),
                "factors": [text(f) for f in p.factors], "product": text(p.product),
            }
            for p in d.paths
        ],
        "steps": steps,
        "result": result,
        "domain": [text(relation) for relation in d.domain],
        "conventions": [{"where": text(k.where), "convention": k.convention} for k in d.kinks],
        "verification": _verification(verification),
        "warnings": [*(n.message for n in d.program.notices), *d.remarks],
    }  # fmt: skip


class _Together:
    """Expressions as text; over names where they have most of their parts in common.

    `definitions` has what the names stand for.
    """

    def __init__(self, notation: Notation) -> None:
        self._notation = notation
        self.definitions: dict[str, str] = {}

    def texts(self, expressions: Sequence[Expr]) -> list[str]:
        """The texts of expressions that belong together."""
        if not overlapping(expressions):
            return [text(e) for e in expressions]
        short = [self._notation.formula(e) for e in expressions]
        for name, part in self._notation.definitions(short, again=True):
            if name not in self.definitions:
                self.definitions[name] = text(part)
        return [text(e) for e in short]

    def shown(self) -> dict[str, Any]:
        """The names, if there are any, as the schema has them."""
        listed = [{"name": n, "expression": e} for n, e in self.definitions.items()]
        return {"definitions": listed} if listed else {}


def _edge(edge: Edge, local: str) -> dict[str, Any]:
    """A local derivative: the Jacobian, or the change that follows from a change of the operand."""
    shown = {"of": edge.of, "by": edge.by, "expression": local, "rule": edge.rule}
    if not edge.jacobian:
        shown["kind"] = "differential"
        if edge.adjoint is not None:
            shown["adjoint"] = text(edge.adjoint)
    return shown


def _result(result: Result, together: _Together) -> dict[str, Any]:
    if result.blocks:
        return {"kind": result.kind, "wrt": {k: _block(b) for k, b in result.wrt.items()}}
    rows, columns = len(result.entries), len(result.entries[0]) if result.entries else 0
    flat = iter(together.texts([e for row in result.entries for e in row]))
    return {
        "kind": result.kind,
        "shape": [rows, columns],
        "entries": [[next(flat) for _ in range(columns)] for _ in range(rows)],
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


class _Lines(NamedTuple):
    """How the lines of steps are written, and a path's end, in the language and in LaTeX.

    Some names are `defined` already.
    """

    notation: Notation
    faces: tuple[tuple[Face, str], ...]
    lay: Lays
    defined: Container[str]

    def write(self, row: Row) -> list[str]:
        """A line in each face, with the shared parts in it before it."""
        shared = self.notation.definitions(row.right, again=True)
        parts = [
            self._line((symbol(name, part.shape), part))
            for name, part in shared if name not in self.defined
        ]  # fmt: skip
        if row.left is None:
            parts.append(self._line(row.right))
        elif isinstance(row.left, Chain):
            ends = zip(self._line((row.left,)), self.faces, self._line(row.right), strict=True)
            parts.append([left + colon + right for left, (_, colon), right in ends])
        else:
            parts.append(self._line((row.left, *row.right)))
        return ["; ".join(shown) for shown in zip(*parts, strict=True)]

    def _line(self, sides: Sequence[Shown]) -> list[str]:
        return in_each([face for face, _ in self.faces], sides, self.lay)


def _laid() -> Lays:
    """Layouts; that of a formula which comes again soon, for another face, is still there."""
    known: dict[int, tuple[Shown, Written]] = {}

    def lay(formula: Shown, explicit: bool) -> Written:
        found = known.get(id(formula))
        if found is None:
            if len(known) > _FEW:
                known.clear()
            found = known[id(formula)] = formula, written(formula, explicit)
        return found[1]

    return lay


_FEW = 32


def _step(step: Step, writers: Sequence[_Lines]) -> dict[str, Any]:
    lines = []
    notation = writers[-1].notation
    rows = zip(*(step_rows(step, writer.notation) for writer in writers), strict=True)
    for same, line in zip(rows, step.lines, strict=True):
        both = [w.write(row) for w, row in zip(writers, same, strict=True)]
        in_text, in_latex = chain.from_iterable(both)
        row = same[-1]
        shown: dict[str, Any] = {"text": in_text, "latex": in_latex, "rule": row.rule}
        if row.provided:
            shown["provided"] = [text(c) for c in row.provided]
        if line.number is not None and math.isfinite(line.number):
            shown["value"] = line.number
        lines.append(shown)
    title = _plain(step_title(step, notation))
    return {"kind": step.kind, "title": title, "lines": lines}


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
