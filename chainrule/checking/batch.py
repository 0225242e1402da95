"""Many answers: a table of exercises in, a table of verdicts out.

The table has the columns id, expression, variable, answer, with or without a header; with one
the columns may stand in any order. A row that cannot be used is told and never stops the rest.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from time import perf_counter
from typing import TYPE_CHECKING, Literal, NamedTuple

from chainrule.checking.answer import Verdict
from chainrule.checking.question import Question, question_of
from chainrule.core.errors import ChainruleError, UsageError
from chainrule.syntax.names import canonical_name
from chainrule.syntax.parser import parse

if TYPE_CHECKING:
    from chainrule.checking.array_answers import ArrayQuestion

COLUMNS = ("id", "expression", "variable", "answer")
_ALIASES = {
    "id": "id", "no": "id", "nr": "id", "name": "id", "student": "id",
    "expression": "expression", "exercise": "expression", "function": "expression",
    "expr": "expression", "variable": "variable", "wrt": "variable", "answer": "answer",
    "given": "answer",
}  # fmt: skip
_LONGEST = 1_000_000

RowStatus = Literal["right", "wrong", "undecided", "unusable"]


class Exercise(NamedTuple):
    """A row of the table; `problem` where it is no row."""

    line: int
    id: str
    expression: str
    variable: str
    answer: str
    problem: str = ""


class Checked(NamedTuple):
    """A row with its verdict, or with why it cannot be used."""

    exercise: Exercise
    status: RowStatus
    verdict: Verdict | None = None
    problem: str = ""


def exercises(text: str) -> list[Exercise]:
    """The rows of a table.

    >>> exercises("id,expression,variable,answer\\n1,x^2,x,2x")
    [Exercise(line=2, id='1', expression='x^2', variable='x', answer='2x', problem='')]
    """
    csv.field_size_limit(_LONGEST)
    text = text.removeprefix("\ufeff").replace("\0", "�")
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(text.splitlines(), delimiter=delimiter, skipinitialspace=True)
    order: dict[str, int] | None = None
    found = []
    try:
        for cells in reader:
            if not any(c.strip() for c in cells) or cells[0].lstrip().startswith("#"):
                continue
            if order is None:
                order = _header(cells)
                if order:
                    continue
                order = dict(zip(COLUMNS, range(4), strict=True))
            found.append(_exercise(reader.line_num, [c.strip() for c in cells], order))
    except csv.Error as error:
        raise UsageError(f"the table cannot be read: line {reader.line_num}: {error}") from None
    if not found:
        raise UsageError(
            "the table has no rows", hint="write rows such as 1,x*exp(x^2),x,2*x*exp(x^2)"
        )
    return found


def _header(cells: list[str]) -> dict[str, int]:
    """The places of the columns, where the row is a header."""
    names = [_ALIASES.get(c.strip().lower(), "") for c in cells]
    if "expression" not in names or "answer" not in names:
        return {}
    return {name: names.index(name) for name in COLUMNS if name in names}


def _exercise(line: int, cells: list[str], order: dict[str, int]) -> Exercise:
    needed = max(order["expression"], order["answer"])
    problem = "" if len(cells) > needed else f"the row has {len(cells)} cells, not {len(order)}"
    values = {n: cells[i] if i < len(cells) else "" for n, i in order.items()}
    return Exercise(
        line, values.get("id", "") or str(line), values["expression"],
        values.get("variable", ""), values["answer"], problem,
    )  # fmt: skip


def check_all(
    rows: list[Exercise], seconds: float | None = None, total: float | None = None
) -> Iterator[Checked]:
    """The verdicts one by one; answers to one exercise share its derivation.

    Args:
        rows: of the table.
        seconds: for each answer; None: as for an answer by itself.
        total: seconds for all answers together; those it does not reach are undecided.
    """
    latest = float("inf") if total is None else perf_counter() + total
    questions: dict[tuple[str, str], Question | ArrayQuestion] = {}
    for row in rows:
        if row.problem:
            yield Checked(row, "unusable", problem=row.problem)
            continue
        if perf_counter() > latest:
            yield Checked(row, "undecided", problem="the time for the table ran out")
            continue
        try:
            key = row.expression, row.variable
            if key not in questions:
                if len(questions) > 256:
                    questions.clear()
                names = [canonical_name(n.strip()) for n in row.variable.split(",") if n.strip()]
                questions[key] = question_of(parse(row.expression), names, seconds=seconds)
                questions[key].latest = latest
            verdict = questions[key].check(row.answer)
        except ChainruleError as error:
            yield Checked(row, "unusable", problem=str(error))
        except (RecursionError, MemoryError, ArithmeticError, ValueError) as error:
            yield Checked(row, "unusable", problem=f"could not be checked: {error}")
        else:
            yield Checked(row, verdict.status, verdict)
