"""A question, and answers to it checked: by which variable, in which layout, entry by entry.

>>> from chainrule.syntax.parser import parse
>>> verdict = check_answer(parse("x*exp(x^2)"), "exp(x^2) + x*exp(x^2)")
>>> verdict.status, verdict.diagnosis.kind, verdict.diagnosis.path
('wrong', 'factor missing', ('y', 'u2', 'u1', 'x'))
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chainrule import checking
from chainrule.checking import patience
from chainrule.checking.answer import Counterexample, Entry, Remark, Status, Verdict
from chainrule.checking.answer_text import Head
from chainrule.checking.diagnoses import Diagnosis
from chainrule.checking.diagnosis import Search, names_of
from chainrule.checking.equality import Equality, Function, compare, value_at
from chainrule.checking.equality import Given as Point
from chainrule.checking.given import Given, expression, read_answer
from chainrule.checking.numbers import evaluate
from chainrule.checking.task import Task
from chainrule.core.errors import ChainruleError
from chainrule.core.expr import Expr, free_symbols, substitute, symbol
from chainrule.core.program import Program
from chainrule.derivation.build import has_arrays, resolve_variables
from chainrule.derivation.steps import Derivation, Layout
from chainrule.syntax.parser import parse

if TYPE_CHECKING:
    from chainrule.checking.array_answers import ArrayQuestion


class Question(Task):
    """A question about numbers: a derivative, a gradient, a Jacobian or a Hessian."""

    def check(self, answer: str) -> Verdict:
        """The verdict on one answer; what takes longer than ten seconds is undecided."""
        self.begin()
        given = read_answer(answer, self.names)
        remarks: list[Remark] = []
        if given.constant:
            remarks.append(Remark("constant of integration", given.constant))
        order = self._order(given, remarks)
        if len(self.program.outputs) == 1 and not given.vector:
            return self._single(answer, given, order, remarks)
        variables = self.asked or tuple(resolve_variables(self.program))
        derivation = self.derivation(variables, order)
        return self._several(answer, given, derivation, remarks)

    def verdict_on(self, value: Expr, order: int, answer: str) -> Verdict:
        """The verdict on a formula for the derivative by the variable that was asked for."""
        (variable,) = self.asked
        self.begin()
        derivation = self.derivation((variable,), order)
        right = derivation.result.entries[0][0]
        entry = self._entry(derivation, 0, (variable,) * order, value, right)
        return self._verdict(answer, derivation, [entry], [])

    def _order(self, given: Given, remarks: list[Remark]) -> int:
        """The order that the answer says it is of, where the question leaves it open."""
        stated = max((h.order for h in given.heads), default=0)
        if stated > 1 and self.order == 1:
            remarks.append(Remark("order", str(stated)))
            return min(stated, 12)
        return self.order

    def _single(self, answer: str, given: Given, order: int, remarks: list[Remark]) -> Verdict:
        (value,) = given.rows[0]
        named = next((h.by for h in given.heads if h.by), "")
        choices = self._choices(named)
        tried = []
        for variable in choices:
            derivation = self.derivation((variable,), order)
            right = derivation.result.entries[0][0]
            entry = self._entry(derivation, 0, (variable,) * order, value, right)
            tried.append((derivation, entry))
            if entry.equality.status == "equal":
                break
        else:
            tried = tried[:1]
        derivation, entry = tried[-1]
        (variable,) = derivation.variables
        if len(self.names.free) > 1 and not self.asked and not named:
            remarks.append(Remark("variable", variable))
        if named and named != variable:
            remarks.append(Remark("other differential", named))
        function = self._function(derivation)
        for i, before in enumerate(given.earlier):
            if compare(function, entry.given, before).status == "different":
                remarks.append(Remark("chain", str(i + 1)))
                break
        return self._verdict(answer, derivation, [entry], remarks)

    def _choices(self, named: str) -> list[str]:
        """The variables that a lone answer may be the derivative by, the likeliest first."""
        if self.asked:
            return list(self.asked)
        free = list(self.names.free)
        if named in free:
            return [named]
        if not free:
            return [named or "x"]  # a constant has the derivative 0 by anything
        return sorted(free, key=lambda n: "xt".find(n) % 3 if n in "xt" else 3)[:6]

    def _several(
        self, answer: str, given: Given, derivation: Derivation, remarks: list[Remark]
    ) -> Verdict:
        """A gradient, a Jacobian or a Hessian, in either layout."""
        right = derivation.result.entries
        rows = _by_label(given, derivation)
        shape, wanted = (len(rows), len(rows[0])), (len(right), len(right[0]))
        turned = tuple(zip(*rows, strict=True))
        transposed = False
        if shape != wanted:
            if (shape[1], shape[0]) != wanted:
                return Verdict("wrong", derivation, answer, (), tuple(remarks), "shape")
            rows, transposed = turned, 1 not in wanted
        entries = self._entries(derivation, rows)
        square = wanted[0] == wanted[1] > 1
        if square and any(e.equality.status == "different" for e in entries):
            others = self._entries(derivation, turned)
            if all(e.equality.status == "equal" for e in others):
                entries, transposed = others, True
        problem = ""
        if transposed:
            remarks.append(Remark("transposed"))
            if self.layout is not None:
                problem = "transposed"
        elif min(wanted) == 1 and any(e.equality.status == "different" for e in entries):
            problem = self._permuted(derivation, rows)
        verdict = self._verdict(answer, derivation, entries, remarks)
        if problem:
            return Verdict("wrong", derivation, answer, verdict.entries, verdict.remarks, problem)
        return verdict

    def _entries(self, derivation: Derivation, rows: Sequence[Sequence[Expr]]) -> list[Entry]:
        found = []
        for i, row in enumerate(derivation.result.entries):
            for j, right in enumerate(row):
                ((_, index, by),) = derivation.targets[i][j].terms
                found.append(self._entry(derivation, index, by, rows[i][j], right))
        return found

    def _permuted(self, derivation: Derivation, rows: Sequence[Sequence[Expr]]) -> str:
        """Whether the entries of a gradient are right but in another order."""
        flat = [e for row in rows for e in row]
        entries = [e for row in derivation.result.entries for e in row]
        function = self._function(derivation)
        for right in entries:
            match = next((g for g in flat if compare(function, right, g).status == "equal"), None)
            if match is None:
                return ""
            flat.remove(match)
        return "order of entries"

    def _function(self, derivation: Derivation, index: int = 0) -> Function:
        return Function(
            derivation.functions[index], derivation.variables, derivation.domain,
            derivation.kinks, self.until,
        )  # fmt: skip

    def _entry(
        self, derivation: Derivation, index: int, by: tuple[str, ...], given: Expr, right: Expr
    ) -> Entry:
        function = self._function(derivation, index)
        equality = compare(function, right, given)
        output = derivation.outputs[index]
        if equality.status != "different":
            return Entry(output, by, right, given, equality)
        entry = Entry(output, by, right, given, equality)
        # Why it is wrong may take as long again, unless somebody said how long.
        try:
            with patience.until(self.explained):
                entry = entry._replace(counterexample=_counterexample(equality, right, given))
                told = self._diagnoses(derivation, function, by, equality, right, given)
                return entry._replace(diagnoses=told)
        except TimeoutError:
            return entry

    def _diagnoses(
        self, derivation: Derivation, function: Function, by: tuple[str, ...],
        equality: Equality, right: Expr, given: Expr,
    ) -> tuple[Diagnosis, ...]:  # fmt: skip
        extra = [
            s for s in free_symbols([given])
            if s.name not in self.names.free and s.name not in by
        ]  # fmt: skip
        if extra:
            return self._foreign(derivation, function, extra, right, given)
        if not equality.common:
            return (Diagnosis("undefined"),) if equality.missing is not None else ()
        what, names = function.expression, names_of(derivation)
        if len(by) > 1:
            before = self.derivation(derivation.variables, 1) if len(by) == 2 else None
            if before is None or before.result.kind not in ("derivative", "gradient"):
                return ()
            what = before.result.entries[0][derivation.variables.index(by[0])]
            names = {symbol(v): v for v in derivation.variables}
        search = Search(what, symbol(by[-1]), right, given, equality.common, names)
        return search.run()

    def _foreign(
        self, derivation: Derivation, function: Function, extra: Sequence[Expr],
        right: Expr, given: Expr,
    ) -> tuple[Diagnosis, ...]:  # fmt: skip
        """A name in the answer that the question does not have."""
        if len(extra) > 1:
            return (Diagnosis("unknown name", extra[0]),)
        stranger = extra[0]
        for name in self.names.free:
            patience.hurry()
            there = substitute([given], {stranger: symbol(name)})[0]
            if compare(function, right, there).status == "equal":
                return (Diagnosis("renamed", stranger, symbol(name)),)
        for formula in names_of(derivation):
            patience.hurry()
            there = substitute([given], {stranger: formula})[0]
            if compare(function, right, there).status == "equal":
                return (Diagnosis("not substituted", stranger, formula),)
        return (Diagnosis("unknown name", stranger),)

    def _verdict(
        self, answer: str, derivation: Derivation, entries: Sequence[Entry], remarks: list[Remark]
    ) -> Verdict:
        statuses = {e.equality.status for e in entries}
        status: Status = "right"
        if "different" in statuses:
            status = "wrong"
            entries = [self._with_reading(e, derivation, answer) for e in entries]
        elif "undecided" in statuses:
            status = "undecided"
            return Verdict(status, derivation, answer, tuple(entries), tuple(remarks),
                           "time" if self.is_late else "")  # fmt: skip
        for entry in entries:
            if entry.equality.missing is not None and entry.equality.status == "equal":
                remarks.append(Remark("domain", point=entry.equality.missing))
                break
        return Verdict(status, derivation, answer, tuple(entries), tuple(remarks))

    def _with_reading(self, entry: Entry, derivation: Derivation, answer: str) -> Entry:
        if entry.equality.status != "different":
            return entry
        other = self._other_reading(entry, derivation, answer)
        if other is None:
            return entry
        told = Diagnosis("reading", entry.given, right=other)
        return entry._replace(diagnoses=(told, *entry.diagnoses))

    def _other_reading(self, entry: Entry, derivation: Derivation, answer: str) -> Expr | None:
        """What the answer means where an ambiguous place is read the other way, if right then."""
        try:
            given = read_answer(answer, self.names)
            if given.vector:
                return None
            (text,) = given.texts
            notices = parse(text).notices
        except ChainruleError:
            return None
        for notice in notices:
            _, _, hint = notice.hint.partition("`")
            other = text[: notice.span.start] + hint.rstrip("`") + text[notice.span.end :]
            if not hint or "…" in hint:
                continue
            try:
                read = expression(other, self.names)
            except ChainruleError:
                continue
            function = self._function(derivation)
            if compare(function, entry.right, read).status == "equal":
                return read
        return None


def _by_label(given: Given, derivation: Derivation) -> tuple[tuple[Expr, ...], ...]:
    """The rows; of a list whose entries say what they are (`f_x = …`), in the right order."""
    flat = [e for row in given.rows for e in row]
    named = [label.by for label in given.labels if isinstance(label, Head)]
    if sorted(named) == sorted(derivation.variables) and len(flat) == len(named):
        order = dict(zip(named, flat, strict=True))
        row = tuple(order[v] for v in derivation.variables)
        return (row,) if len(derivation.outputs) == 1 else tuple((e,) for e in row)
    return given.rows


def _counterexample(equality: Equality, right: Expr, given: Expr) -> Counterexample | None:
    if equality.witness is None:
        return None
    point = equality.witness
    numbers = evaluate([right, given], _floats(point), digits=30)
    wanted, found = (None if n is None else float(n) for n in numbers)
    if wanted is None:
        return None
    exact = value_at(given, point) if found is not None else None
    return Counterexample(point, value_at(right, point), exact, wanted, found)


def _floats(point: Point) -> dict[str, object]:
    values = evaluate(list(point.values()), {}, digits=30)
    return dict(zip(point, values, strict=True))


def check_answer(
    program: Program,
    answer: str,
    *,
    variables: Sequence[str] = (),
    order: int = 1,
    layout: Layout | None = None,
    seconds: float | None = None,
) -> Verdict:
    """The verdict on an answer.

    Args:
        program: what is to be differentiated.
        answer: the answer as a person writes it.
        variables: by what; by default as `derive` takes them, a lone answer to several
            variables being compared with each partial derivative.
        order: of differentiation.
        layout: accept a Jacobian in this layout only; None: in either.
        seconds: how long it may take; None: ten, and as long again to say what is wrong.

    Raises:
        ChainruleError: the answer or the request cannot be used.
    """
    return question_of(program, variables, order, layout, seconds).check(answer)


def question_of(
    program: Program,
    variables: Sequence[str] = (),
    order: int = 1,
    layout: Layout | None = None,
    seconds: float | None = None,
) -> Question | ArrayQuestion:
    """The question that a program asks: about numbers, or about vectors and matrices."""
    if has_arrays(program):
        return checking.array_answers.ArrayQuestion(program, variables, order, layout, seconds)
    return Question(program, variables, order, layout, seconds)
