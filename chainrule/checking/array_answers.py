"""Answers over vectors and matrices: in which layout, block by block.

>>> from chainrule.syntax.parser import parse
>>> program = parse("X: matrix(N, d); y: vector(N); w: vector(d); sum((X@w - y)^2)")
>>> question = ArrayQuestion(program, ("w",))
>>> question.check("2 X'(X w - y)").status
'right'
>>> verdict = question.check("X' @ (X@w - y)")
>>> verdict.status, verdict.diagnosis.kind
('wrong', 'coefficient not brought down')
>>> question.check("2*X @ (X@w - y)").diagnosis.kind
'transpose missing'
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import reduce

from chainrule.checking import patience
from chainrule.checking.answer import Entry, Remark, Status, Verdict
from chainrule.checking.answer_text import Head
from chainrule.checking.array_equality import compare, counterexample, same_shape, samples
from chainrule.checking.array_mistakes import Mistakes
from chainrule.checking.diagnoses import Diagnosis
from chainrule.checking.equality import Equality
from chainrule.checking.given import Given, Names, read_answer
from chainrule.checking.task import Task
from chainrule.core import arrays
from chainrule.core.accumulate import gradient
from chainrule.core.errors import ChainruleError, ShapeError, UnsupportedError, UsageError
from chainrule.core.expr import (
    MINUS_ONE,
    ZERO,
    Apply,
    Expr,
    const,
    free_symbols,
    substitute,
    symbol,
    topological,
)
from chainrule.core.shape import shape_text
from chainrule.core.table.linear import inverse
from chainrule.derivation.build import resolve_variables
from chainrule.derivation.steps import Block, Derivation

_MOST_REPAIRS = 24
_TRANSPOSE = r"\s*(?:'|\.T\b|\^T\b|\^\{\s*(?:T|\\top|\\intercal|\\prime)\s*\}|\^\\top\b)"
_INVERSE_TRANSPOSED = re.compile(
    r"(\\(?:mathbf|boldsymbol|bm)\{\w+\}|(?<![A-Za-z_])[A-Za-z]\d*)"
    r"\^(?:-T\b|\{\s*-\s*(?:T|\\top|\\intercal)\s*\})"
)


class ArrayQuestion(Task):
    """A question about vectors and matrices."""

    def check(self, answer: str) -> Verdict:
        """The verdict on one answer; what takes longer than ten seconds is undecided.

        Raises:
            UnsupportedError: the derivative is a tensor of order three or more.
        """
        self.begin()
        try:
            given = read_answer(_INVERSE_TRANSPOSED.sub(_spelled_out, answer), self.names)
        except ShapeError as error:
            return self._misfit(answer, error)
        return self._verdict(answer, given)

    def _verdict(self, answer: str, given: Given) -> Verdict:
        cells = [cell for row in given.rows for cell in row]
        remarks: list[Remark] = []
        if len(cells) == 1:
            derivation, block = self._block_for(cells[0], given, remarks)
            pairs = [(block, cells[0])]
        else:
            derivation = self.derivation(
                self.asked or tuple(resolve_variables(self.program)), self.order
            )
            pairs = self._paired(derivation, given, cells)
        entries, problems = [], []
        for block, cell in pairs:
            entry, problem = self._entry(derivation, block, cell, remarks)
            entries.append(entry)
            problems.append(problem)
        statuses = {e.equality.status for e in entries}
        problem = next(filter(None, problems), "")
        status: Status = "wrong" if "different" in statuses or problem else "right"
        if status == "right" and "undecided" in statuses:
            status = "undecided"
            problem = "time" if self.is_late else ""
        return Verdict(status, derivation, answer, tuple(entries), tuple(remarks), problem)

    def _block_for(
        self, cell: Expr, given: Given, remarks: list[Remark]
    ) -> tuple[Derivation, Block]:
        """The derivative that a lone answer is about: by the variable that fits it best."""
        named = next((h.by for h in given.heads if h.by), "")
        choices = self.asked or tuple(resolve_variables(self.program))
        if named in choices:
            choices = (named,)
        derivations = [self.derivation((v,), self.order) for v in choices]
        found = [(d, b) for d in derivations for b in d.result.blocks]
        fitting = [(d, b) for d, b in found if same_shape(b.written.shape, cell.shape)]
        for d, b in fitting if len(found) > 1 else ():
            if self._compare(_function(d, b), b.written, cell).status == "equal":
                fitting = [(d, b)]
                break
        chosen = (fitting or found)[0]
        if len(choices) > 1:
            remarks.append(Remark("variable", chosen[1].variables[0]))
        return chosen

    def _paired(
        self, derivation: Derivation, given: Given, cells: Sequence[Expr]
    ) -> list[tuple[Block, Expr]]:
        """The entries of a list with the derivatives they are."""
        blocks = derivation.result.blocks
        named = [label.by for label in given.labels if isinstance(label, Head)]
        by = {b.variables[0]: b for b in blocks}
        if len(named) == len(cells) and len(by) == len(blocks) and set(named) <= set(by):
            return [(by[n], cell) for n, cell in zip(named, cells, strict=True)]
        if len(cells) == len(blocks):
            return list(zip(blocks, cells, strict=True))
        if len(blocks) == 1 and not any(c.shape for c in cells):
            return [(blocks[0], _literal(given.rows))]
        raise UsageError(
            f"the answer has {len(cells)} entries, and there are {len(blocks)} derivatives",
            hint=f"by {', '.join(derivation.variables)}: give one for each, parted by commas",
        )

    def _entry(
        self, derivation: Derivation, block: Block, given: Expr, remarks: list[Remark]
    ) -> tuple[Entry, str]:
        if block.kind == "tensor":
            raise UnsupportedError(
                "the derivative is a tensor of order three or more",
                hint="check the gradient of a number made of it, as sum(G .* Y)",
            )
        function, right = _function(derivation, block), block.written
        given = _identity_for(given, right, self.names)
        inverted = _with_inverses(given)
        if inverted is not given and not (
            same_shape(given.shape, right.shape)
            and compare(function, right, given).status == "equal"
        ):
            remarks.append(Remark("inverse"))
            given = inverted
        if given is ZERO and right.shape:
            given = arrays.zeros(right.shape)

        def entry(value: Expr, equality: Equality) -> Entry:
            return Entry(block.output, block.variables, right, value, equality)

        strangers = [
            s for s in free_symbols([given]) if s.name not in self.names.free
        ]  # fmt: skip
        if strangers:
            told = Diagnosis("unknown name", strangers[0])
            return entry(given, Equality("different"))._replace(diagnoses=(told,)), ""
        turned = self._turned(function, block, given, right)
        if turned is not None:
            remarks.append(Remark("transposed"))
            accepted = self.layout is None or (self.layout == "denominator")
            return entry(given, turned), "" if accepted else "transposed"
        if not same_shape(given.shape, right.shape):
            remarks.append(
                Remark("shape", f"a {shape_text(given.shape)}/a {shape_text(right.shape)}")
            )
            wrong = entry(given, Equality("different"))
            return self._explained(wrong, derivation, block, function), "array shape"
        if given.shape != right.shape:
            remarks.append(Remark("row", shape_text(given.shape)))
        equality = self._compare(function, right, given)
        if equality.status != "different":
            if self.layout == "denominator" and block.kind == "jacobian" and len(right.shape) == 2:
                return entry(given, equality), "transposed"
            return entry(given, equality), ""
        return self._explained(entry(given, equality), derivation, block, function), ""

    def _compare(self, function: Expr, right: Expr, given: Expr) -> Equality:
        try:
            with patience.until(self.until):
                return compare(function, right, given)
        except TimeoutError:
            return Equality("undecided")

    def _explained(
        self, entry: Entry, derivation: Derivation, block: Block, function: Expr
    ) -> Entry:
        """Where the entry differs and why, as far as there is time."""
        given = entry.given
        try:
            with patience.until(self.explained):
                if same_shape(given.shape, entry.right.shape):
                    found = counterexample(function, entry.right, given)
                    entry = entry._replace(counterexample=found)
                told = self._diagnoses(derivation, block, function, given)
                return entry._replace(diagnoses=told)
        except TimeoutError:
            return entry

    def _turned(self, function: Expr, block: Block, given: Expr, right: Expr) -> Equality | None:
        """How the answer compares, where it is the Jacobian in the other layout."""
        if block.kind != "jacobian" or len(right.shape) != 2 or len(given.shape) != 2:
            return None
        turned = arrays.transpose(given)
        if turned.shape != right.shape:
            return None
        if given.shape == right.shape and self._compare(function, right, given).status == "equal":
            return None
        equality = self._compare(function, right, turned)
        return equality if equality.status == "equal" else None

    def _diagnoses(
        self, derivation: Derivation, block: Block, function: Expr, given: Expr
    ) -> tuple[Diagnosis, ...]:
        by = self.program.symbol(block.variables[-1])
        if block.kind == "hessian":
            (function,) = gradient(function, [self.program.symbol(block.variables[0])])
        others = [
            s for s in free_symbols([function])
            if s is not by and s.name not in self.program.dimensions
        ]  # fmt: skip
        return Mistakes(
            function, by, block.written, given, samples(function, [block.written, given]),
            _names(derivation), others,
        ).run()  # fmt: skip

    # ---- answers whose shapes do not fit

    def _misfit(self, answer: str, error: ShapeError) -> Verdict:
        """An answer that is no formula; perhaps one transpose away from the right one."""
        remark = Remark("misfit", error.message)
        variables = self.asked or tuple(resolve_variables(self.program))
        for repaired, told in self._repairs(answer):
            try:
                verdict = self._verdict(repaired, read_answer(repaired, self.names))
            except ChainruleError:
                continue
            if verdict.status == "right":
                return Verdict(
                    "wrong", verdict.derivation, answer, (), (remark,), "misfit", (told,)
                )
        if not error.shapes or () in error.shapes:
            raise error  # a name that nothing says is an array, perhaps
        derivation = self.derivation(variables, self.order)
        return Verdict("wrong", derivation, answer, (), (remark,), "misfit")

    def _repairs(self, answer: str) -> Iterator[tuple[str, Diagnosis]]:
        """The answer with one name transposed, one transpose less, or two factors exchanged."""
        mark = r"^{\top}" if "\\" in answer else "'"
        count = 0
        for name, shape in self.names.shapes.items():
            node = symbol(name, shape)
            end = r"(?![\d_])" if len(name) == 1 else r"(?!\w)"  # `Xw` is a product here
            spelled = rf"(?<![A-Za-z_\\])(?:\\(?:mathbf|boldsymbol|bm)\{{{name}\}}|{name}{end})"
            for found in re.finditer(spelled, answer):
                count += 1
                if count > _MOST_REPAIRS:
                    return
                rest = answer[found.end() :]
                if turned := re.match(_TRANSPOSE, rest):
                    told = Diagnosis("transposed too much", arrays.transpose(node))
                    yield answer[: found.end()] + rest[turned.end() :], told
                else:
                    told = Diagnosis("transpose missing", node)
                    yield answer[: found.end()] + mark + rest, told


def _function(derivation: Derivation, block: Block) -> Expr:
    return derivation.functions[derivation.outputs.index(block.output)]


def _identity_for(given: Expr, right: Expr, names: Names) -> Expr:
    """The answer with `I` or `I_n` as the identity matrix, where nothing else has this name."""
    if len(right.shape) != 2:
        return given
    meant: dict[Expr, Expr] = {
        s: arrays.eye(right.shape[0])
        for s in free_symbols([given])
        if (s.name == "I" or s.name.startswith("I_")) and s.name not in names.free
    }
    try:
        return substitute([given], meant)[0]
    except ChainruleError:
        return given


def _with_inverses(given: Expr) -> Expr:
    """The answer with `X^-1` of a square matrix as its inverse, as people write it."""
    meant: dict[Expr, Expr] = {
        node: inverse(node.args[0])
        for node in topological([given])
        if arrays.is_op(node, "pow")
        and len(node.shape) == 2
        and node.args[0].shape == node.shape
        and node.shape[0] == node.shape[1]
        and node.args[1] is MINUS_ONE
    }
    return substitute([given], meant)[0] if meant else given


def _spelled_out(found: re.Match[str]) -> str:
    if "\\" in found.string:
        return rf"\left({found[1]}^{{-1}}\right)^{{\top}}"
    return f"({found[1]}^-1)'"


def _literal(rows: Sequence[Sequence[Expr]]) -> Expr:
    """A list or a matrix of numbers as an array of known size."""
    m, n = len(rows), len(rows[0])
    if 1 in (m, n):
        flat = [cell for row in rows for cell in row]
        units = [arrays.unit(len(flat), const(i)) for i in range(len(flat))]
        return reduce(arrays.plus, map(arrays.scaled, flat, units))
    terms = [
        arrays.scaled(cell, arrays.outer(arrays.unit(m, const(i)), arrays.unit(n, const(j))))
        for i, row in enumerate(rows)
        for j, cell in enumerate(row)
    ]
    return reduce(arrays.plus, terms)


def _names(derivation: Derivation) -> dict[Expr, str]:
    """The derivation's names, by what they stand for."""
    written: dict[Expr, Expr] = {}
    found: dict[Expr, str] = {}
    for u in derivation.intermediates:
        (expression,) = substitute([u.expression], written)
        written[symbol(u.name, u.shape)] = expression
        if isinstance(expression, Apply) and u.name not in derivation.outputs:
            found.setdefault(expression, u.name)
    return found
