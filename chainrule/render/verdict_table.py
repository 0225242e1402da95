"""Worked derivations line by line, and tables of verdicts."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from chainrule.render.blocks import Block, Code, Page, Paragraph, Tone
from chainrule.render.json_text import dumped
from chainrule.render.verdict import page, summary
from chainrule.render.verdict_json import to_dict

if TYPE_CHECKING:
    from chainrule.checking.batch import Checked
    from chainrule.checking.lines import Line, Worked

_HEADER = ("id", "expression", "variable", "answer", "verdict", "mistake", "says")
_LONGEST = 1_000  # characters of a line that are shown again
_SAID: dict[str, tuple[str, Tone]] = {
    "right": ("follows", "good"),
    "definition": ("taken as given", "note"),
    "follows": ("follows from the line before, and so carries its mistake", "warning"),
    "wrong": ("does not follow", "bad"),
    "text": ("has no equality", "note"),
    "undecided": ("could not be decided", "warning"),
    "unreadable": ("could not be read", "warning"),
}


def worked_page(worked: Worked) -> Page:
    """Every line with what there is to say about it; the first wrong one explained."""
    return Page(tuple(_worked(worked)))


def _worked(worked: Worked) -> Iterator[Block]:
    for line in worked.lines:
        said, tone = _SAID[line.status]
        text = line.text if len(line.text) <= _LONGEST else line.text[:_LONGEST] + "…"
        yield Paragraph((f"Line {line.number}: ", Code(text), f" {said}."), tone)
        if line.problem:
            yield Paragraph((line.problem.splitlines()[0],), "note")
        if line is worked.first_wrong:
            yield from _explained(line)
    if worked.first_wrong is not None:
        yield Paragraph((f"The first line that does not follow is line "
                         f"{worked.first_wrong.number}.",), "bad")  # fmt: skip
    elif worked.status == "right":
        yield Paragraph(("Every line follows.",), "good")
    else:
        yield Paragraph(("No line is wrong, but not every line could be checked.",), "warning")


def _explained(line: Line) -> Iterator[Block]:
    for part in line.parts:
        if part.verdict is not None:
            yield from page(part.verdict).blocks
            return


def worked_json(worked: Worked) -> str:
    """One JSON object, schema `chainrule/worked/1`."""
    first = worked.first_wrong
    return dumped({
        "schema": "chainrule/worked/1",
        "status": worked.status,
        "first_wrong": None if first is None else first.number,
        "lines": [
            {
                "number": line.number, "text": line.text, "status": line.status,
                "problem": line.problem.splitlines()[0] if line.problem else "",
                "parts": [
                    {"text": p.text, "status": p.status,
                     "verdict": None if p.verdict is None else to_dict(p.verdict)}
                    for p in line.parts
                ],
            }
            for line in worked.lines
        ],
    })  # fmt: skip


def batch_as(rows: list[Checked], form: str) -> str:
    """The verdicts as `text`, `csv`, `markdown` or `json`."""
    match form:
        case "json":
            return dumped({
                "schema": "chainrule/verdicts/1",
                "counts": dict(Counter(r.status for r in rows)),
                "rows": [_row(r) for r in rows],
            }) + "\n"  # fmt: skip
        case "csv":
            out = io.StringIO()
            writer = csv.writer(out, lineterminator="\n")
            writer.writerow(_HEADER)
            for r in rows:
                x = r.exercise
                cells = [x.id, x.expression, x.variable, x.answer, r.status, _kind(r), _says(r)]
                writer.writerow([_harmless(c) for c in cells])
            return out.getvalue()
        case "markdown":
            head = "| id | expression | answer | verdict | says |\n|---|---|---|---|---|\n"
            return head + "".join(
                f"| {_cell(r.exercise.id)} | `{_cell(r.exercise.expression)}` "
                f"| `{_cell(r.exercise.answer)}` | {r.status} | {_cell(_says(r))} |\n"
                for r in rows
            )
        case _:
            return _text(rows)


def _text(rows: list[Checked]) -> str:
    width = max((len(r.exercise.id) for r in rows), default=2)
    lines = []
    for r in rows:
        lines.append(f"{r.exercise.id:<{width}}  {r.status:<9}  {_says(r)}".rstrip())
    counts = Counter(r.status for r in rows)
    total = ", ".join(f"{counts[s]} {s}" for s in ("right", "wrong", "undecided", "unusable")
                      if counts[s])  # fmt: skip
    return "\n".join([*lines, f"{len(rows)} answers: {total}", ""])


def _kind(row: Checked) -> str:
    found = row.verdict.diagnosis if row.verdict is not None else None
    return found.kind if found is not None else ""


def _says(row: Checked) -> str:
    """The verdict's reasons on one line; of a right answer its remarks."""
    if row.verdict is None:
        return row.problem.splitlines()[0] if row.problem else ""
    if row.status == "wrong":
        return summary(row.verdict)
    remarks = [r["message"] for r in to_dict(row.verdict)["remarks"]]
    return "; ".join([summary(row.verdict), *remarks] if row.status == "undecided" else remarks)


def _row(row: Checked) -> dict[str, Any]:
    x = row.exercise
    return {
        "id": x.id, "line": x.line, "expression": x.expression, "variable": x.variable,
        "answer": x.answer, "status": row.status, "problem": row.problem,
        "verdict": None if row.verdict is None else to_dict(row.verdict),
    }  # fmt: skip


def _cell(words: str) -> str:
    return " ".join(words.replace("|", "\\|").split())


def _harmless(cell: str) -> str:
    """A cell that a spreadsheet will not take for a formula."""
    return f"'{cell}" if cell[:1] in ("=", "@") else cell
