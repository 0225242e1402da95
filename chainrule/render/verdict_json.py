"""A verdict on an answer as JSON; expressions are in the language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from chainrule.render.json_text import dumped
from chainrule.render.text import text
from chainrule.render.verdict import message, on_one_line, remark

if TYPE_CHECKING:
    from chainrule.checking.answer import ArrayCounterexample, Counterexample, Entry, Verdict
    from chainrule.checking.diagnoses import Diagnosis

SCHEMA = "chainrule/verdict/1"


def to_json(verdict: Verdict) -> str:
    """One JSON object, schema `chainrule/verdict/1`."""
    return dumped(to_dict(verdict))


def to_dict(verdict: Verdict) -> dict[str, Any]:
    """The same as dictionaries and lists; expressions are in the language."""
    d = verdict.derivation
    return {
        "schema": SCHEMA,
        "input": d.program.source,
        "answer": verdict.answer,
        "status": verdict.status,
        "correct": verdict.correct,
        "problem": verdict.problem,
        "variables": list(d.variables),
        "entries": [_entry(e, verdict) for e in verdict.entries],
        "result": _shown_result(verdict),
        "diagnosis": _diagnosis(verdict.told[0], verdict) if verdict.told else None,
        "remarks": [
            {"kind": r.kind, "message": on_one_line(remark(r, verdict))} for r in verdict.remarks
        ],
    }  # fmt: skip


def _shown_result(verdict: Verdict) -> Any:
    """Rows of entries; of an array program the expression and the shape by variable."""
    result = verdict.derivation.result
    if not result.blocks:
        return [[text(e) for e in row] for row in result.entries]
    return {
        name: {"expression": text(block.written), "shape": list(block.written.shape)}
        for name, block in result.wrt.items()
    }


def _entry(entry: Entry, verdict: Verdict) -> dict[str, Any]:
    told = [_diagnosis(d, verdict) for d in entry.diagnoses]
    return {
        "output": entry.output,
        "variables": list(entry.variables),
        "right": text(entry.right),
        "given": text(entry.given),
        "status": {"equal": "right", "different": "wrong"}.get(entry.equality.status, "undecided"),
        "exact": entry.equality.exact,
        "points": entry.equality.points,
        "counterexample": _point(entry.counterexample),
        "diagnosis": told[0] if told else None,
        "also": told[1:],
    }


def _point(c: Counterexample | ArrayCounterexample | None) -> dict[str, Any] | None:
    if c is None:
        return None
    if hasattr(c, "sizes"):
        return _array_point(cast("ArrayCounterexample", c))
    return _scalar_point(c)


def _array_point(c: ArrayCounterexample) -> dict[str, Any]:
    return {
        "sizes": dict(c.sizes),
        "point": {name: _floats(value) for name, value in c.point.items()},
        "right_value": _floats(c.right),
        "given_value": None if c.given is None else _floats(c.given),
    }


def _scalar_point(c: Counterexample) -> dict[str, Any]:
    return {
        "point": {name: text(value) for name, value in c.point.items()},
        "right": text(c.right),
        "given": None if c.given is None else text(c.given),
        "right_value": c.right_number,
        "given_value": c.given_number,
    }


def _floats(value: Any) -> Any:
    return [_floats(v) for v in value] if isinstance(value, tuple) else float(value)


def _diagnosis(d: Diagnosis, verdict: Verdict) -> dict[str, Any]:
    shown: dict[str, Any] = {"kind": d.kind, "message": message(verdict, d)}
    for key, value in (("at", d.at), ("inner", d.inner), ("used", d.used), ("right", d.right)):
        if value is not None:
            shown[key] = text(value)
    if d.path:
        shown["path"] = list(d.path)
    if d.throughout:
        shown["throughout"] = True
    if d.second is not None:
        shown["second"] = _diagnosis(d.second, verdict)
    return shown
