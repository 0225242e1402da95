r"""Worked derivations, line by line: which lines follow, and the first that does not.

A line is `dy/dx = … = …`, goes on with `= …`, defines a name (`u = x^2`) or states an equality.
LaTeX `align` blocks are read as well; inside a line `\frac{d}{dx}(…)`, `(…)'`, `u'` and
`dy/du` stand for the derivatives they name.
"""

from __future__ import annotations

import re
from dataclasses import replace
from time import perf_counter
from typing import Literal, NamedTuple

from chainrule.checking import patience
from chainrule.checking.answer import Verdict
from chainrule.checking.answer_text import Head, head_of, split_equals, undressed
from chainrule.checking.equality import Function, compare
from chainrule.checking.given import Names, expression
from chainrule.checking.question import Question
from chainrule.checking.task import PATIENCE
from chainrule.checking.worked_text import group_end, opening, rows, term_end
from chainrule.core.errors import ChainruleError, UnsupportedError, UsageError
from chainrule.core.expr import Expr, free_symbols, substitute, symbol
from chainrule.core.program import Program
from chainrule.derivation.backward import gradient
from chainrule.derivation.build import has_arrays
from chainrule.derivation.simplify import simplify
from chainrule.syntax.names import canonical_name

_MOST_LINES = 500
_LATE = "the time for it ran out"
_OF_PART = re.compile(
    r"\\[dt]?frac\s*\{\s*(?:d|\\mathrm\{d\})\s*\}\s*\{\s*(?:d|\\mathrm\{d\})\s*(\\?\w+)\s*\}"
    r"|\bd\s*/\s*d([A-Za-z]\w*)"
)

LineStatus = Literal["right", "follows", "wrong", "definition", "text", "undecided", "unreadable"]


class Part(NamedTuple):
    """A formula after an equals sign.

    Attributes:
        status: `right`; `follows` where it equals a wrong formula before it; `wrong`.
        verdict: for the first wrong one of a derivative, what there is to say.
    """

    text: str
    status: LineStatus
    verdict: Verdict | None = None


class Line(NamedTuple):
    """A line as it was written, and what there is to say about it."""

    number: int
    text: str
    status: LineStatus
    parts: tuple[Part, ...] = ()
    problem: str = ""


class Worked(NamedTuple):
    """A worked derivation.

    Attributes:
        lines: what the text says, line by line.
        first_wrong: the first line that does not follow.
    """

    lines: tuple[Line, ...]
    first_wrong: Line | None

    @property
    def status(self) -> str:
        """`right`, `wrong`, or `undecided` where a line could not be decided or read."""
        if self.first_wrong is not None:
            return "wrong"
        open_ = any(line.status in ("undecided", "unreadable") for line in self.lines)
        return "undecided" if open_ else "right"


def check_lines(
    text: str, program: Program | None = None, variable: str = "", seconds: float | None = None
) -> Worked:
    """Check a worked derivation; `program` says what is differentiated if the text does not.

    `seconds`: for all lines; those it does not reach are undecided. None: ten for each line.

    >>> worked = check_lines("y = x^3\\ndy/dx = 3x^2\\ny'' = 6")
    >>> [line.status for line in worked.lines]
    ['definition', 'right', 'wrong']
    """
    if program is not None and has_arrays(program):
        raise UnsupportedError(
            "a worked derivation over vectors and matrices",
            hint="check each line by itself, as an answer",
        )
    return _Reader(program, variable, seconds).run(text)


class _Subject(NamedTuple):
    """What the parts of a line are equal to: a derivative, or a formula."""

    value: Expr
    function: Function
    question: Question | None = None
    order: int = 1


class _Reader:
    def __init__(self, program: Program | None, variable: str, seconds: float | None) -> None:
        self.latest = float("inf") if seconds is None else perf_counter() + seconds
        self.until = self.latest
        self.variable = variable
        self.raw: dict[str, Expr] = {}  # definitions as written
        self.written: dict[str, Expr] = {}  # over the free names
        self.main = ""
        self.subject: _Subject | None = None
        self.last: Expr | None = None
        self.ever_wrong = False
        if program is not None:
            for name, formula in program.assignments:
                self.define(name, formula)
            self.main = program.outputs[0]
            named = program.variables or program.arguments
            self.variable = variable or (named[0] if named else "")

    def run(self, text: str) -> Worked:
        found = list(rows(text))
        if not found:
            raise UsageError("there is no line to check", hint="write lines such as dy/dx = 2*x")
        if len(found) > _MOST_LINES:
            raise UsageError(f"{len(found)} lines; at most {_MOST_LINES} are checked")
        lines = []
        first: Line | None = None
        for number, row in found:
            self.until = min(perf_counter() + PATIENCE, self.latest)
            try:
                line = self.in_time(number, row)
            except ChainruleError as error:
                line = Line(number, row, "unreadable", problem=str(error))
                self.subject = None
            lines.append(line)
            if line.status == "wrong" and first is None:
                first = line
        if all(line.status in ("text", "definition") for line in lines):
            raise UsageError(
                "no line claims anything that could be checked",
                hint="write lines such as dy/dx = 2*x",
            )
        return Worked(tuple(lines), first)

    # ---- one line

    def in_time(self, number: int, row: str) -> Line:
        """The line, undecided where its time is up."""
        if perf_counter() < self.latest:
            try:
                with patience.until(self.until):
                    line = self.line(number, row)
            except TimeoutError:
                self.subject = None
            else:
                late = line.status == "undecided" and perf_counter() > self.until
                return line._replace(problem=_LATE) if late else line
        return Line(number, row, "undecided", problem=_LATE)

    def line(self, number: int, row: str) -> Line:
        parts = split_equals(row)
        if parts[0] == "" and len(parts) > 1:
            if self.subject is None:
                raise UsageError("nothing stands before the equals sign")
            return self.judged(number, row, parts[1:])
        head = head_of(parts[0], self.known())
        if len(parts) == 1:
            return self.start(number, row, head)
        if head is None:
            value = self.read(parts[0])
            self.subject = _Subject(value, self.function(value))
            self.last = value
            return self.judged(number, row, parts[1:])
        if head.order == 0:
            return self.definition(number, row, head.of, parts[1:])
        self.subject = self.asked(head)
        self.last = None
        # f'(x) = dy/dx = …: further heads name the same derivative
        rest = [
            p for p in parts[1:]
            if (h := head_of(p, self.known())) is None or h.order == 0 or h.body
        ]  # fmt: skip
        return self.judged(number, row, rest)

    def start(self, number: int, row: str, head: Head | None) -> Line:
        """A line without an equals sign: what is to be differentiated."""
        if head is not None and head.body:
            self.subject = self.asked(head)
            return Line(number, row, "definition")
        try:
            value = self.read(row)
        except ChainruleError:
            return Line(number, row, "text")  # words between the lines state nothing to check
        if self.main:
            raise UsageError("the line has no equals sign", hint="write an equality, as dy/dx = …")
        self.main = next(n for n in ("y", "z", "f_0") if symbol(n) not in free_symbols([value]))
        self.define(self.main, value)
        return Line(number, row, "definition")

    def definition(self, number: int, row: str, name: str, parts: list[str]) -> Line:
        """`u = …`: a new name; or, of one that is known, an equality."""
        name = canonical_name(name)
        if name in self.written:
            value = self.written[name]
            self.subject, self.last = _Subject(value, self.function(value)), value
            return self.judged(number, row, parts)
        value = self.read(parts[0])
        self.define(name, self.raw_read(parts[0]))
        if not self.main or name in ("y", "f"):
            self.main = name
        self.subject, self.last = _Subject(value, self.function(value)), value
        if len(parts) == 1:
            return Line(number, row, "definition")
        return self.judged(number, row, parts[1:])

    def judged(self, number: int, row: str, texts: list[str]) -> Line:
        """The parts of a line compared with what they should be, and with each other."""
        assert self.subject is not None
        subject = self.subject
        parts = []
        for text in texts:
            value = self.read(text)
            equality = compare(subject.function, subject.value, value)
            status: LineStatus = "right"
            verdict = None
            if equality.status == "undecided":
                status = "undecided"
            elif equality.status == "different":
                before = self.last
                same = (
                    before is not None
                    and before is not subject.value
                    and (compare(subject.function, before, value).status == "equal")
                )
                status = "follows" if same and self.ever_wrong else "wrong"
                if status == "wrong":
                    self.ever_wrong = True
                    verdict = self.explained(subject, value, text)
            self.last = value
            parts.append(Part(text, status, verdict))
        order: tuple[LineStatus, ...] = ("wrong", "undecided", "follows", "right")
        found = {p.status for p in parts}
        worst: LineStatus = next((s for s in order if s in found), "right")
        return Line(number, row, worst, tuple(parts))

    # ---- what is meant

    def known(self) -> set[str]:
        """The names that are quantities."""
        names = {s.name for s in free_symbols(self.written.values())}
        return names - set(self.written)

    def define(self, name: str, formula: Expr) -> None:
        self.raw[name] = formula
        meanings: dict[Expr, Expr] = {symbol(n): e for n, e in self.written.items() if n != name}
        (self.written[name],) = substitute([formula], meanings)

    def by(self, stated: str, function: Expr) -> str:
        """The variable."""
        if stated or self.variable:
            return stated or self.variable
        free = [s.name for s in free_symbols([function])]
        return free[0] if len(free) == 1 else "x"

    def asked(self, head: Head) -> _Subject:
        """The derivative that a head names."""
        name = canonical_name(head.of) if head.of else ""
        if head.body and name not in self.written:
            name = ""
            function = self.read(head.body)
        else:
            name = name if name in self.written else self.main
            if name not in self.written:
                raise UsageError(
                    "nothing says what is differentiated", hint="begin with a line such as y = x^2"
                )
            function = self.written[name]
        by = self.by(head.by, function)
        if by in self.written:
            return self.through(name, function, by)
        output = name if name and name != by else next(n for n in ("y", "z") if n != by)
        taken = {s.name for s in free_symbols([function])}
        if output in taken:
            output = next(n for n in ("y", "z", "w", "q_0") if n not in taken)
        program = Program("", ((output, function),), (output,), variables=(by,))
        question = Question(program, (by,), head.order)
        question.latest = self.latest
        question.begin()
        derivation = question.derivation((by,), head.order)
        value = derivation.result.entries[0][0]
        about = Function(function, (by,), derivation.domain, derivation.kinks, self.until)
        return _Subject(value, about, question, head.order)

    def through(self, name: str, function: Expr, by: str) -> _Subject:
        """dy/du for a named intermediate u, written out over the variables."""
        inner = self.written[by]
        (outer,) = substitute([function], {inner: symbol(by)})
        (slope,) = gradient(outer, [symbol(by)])
        (value,) = substitute([slope], {symbol(by): inner})
        value = simplify(value, deadline=self.until).result
        return _Subject(value, self.function(function))

    def function(self, value: Expr) -> Function:
        """A formula that is to be equal to others, wherever all are defined."""
        names = tuple(s.name for s in free_symbols([value]))
        return Function(value, names, (), (), self.until)

    def names(self) -> Names:
        meanings: dict[Expr, Expr] = {symbol(n): e for n, e in self.written.items()}
        free = dict.fromkeys(s.name for s in free_symbols(self.written.values()))
        return Names(tuple(n for n in free if n not in self.written), meanings)

    def raw_read(self, text: str) -> Expr:
        return self.read(text, written=False)

    def read(self, text: str, written: bool = True) -> Expr:
        """A formula; derivatives that stand in it become their values."""
        text = undressed(text)
        values: dict[Expr, Expr] = {}
        text = self.without_derivatives(text, values)
        names = self.names()
        if not written:
            names = replace(names, meanings={s: s for s in names.meanings})
        value = expression(text, names)
        for s in free_symbols([value]):
            if "/" in s.name:
                above, _, below = s.name.partition("/")
                values[s] = self.asked(Head(above[1:], canonical_name(below[1:]))).value
        return substitute([value], values)[0]

    def without_derivatives(self, text: str, values: dict[Expr, Expr]) -> str:
        """The text with `d/dx (…)`, `(…)'` and `u'` replaced by names for their values."""
        for _ in range(40):
            found = self.derivative_in(text)
            if found is None:
                return text
            start, end, head = found
            stand_in = symbol(f"Q{901 + len(values)}")
            values[stand_in] = self.asked(head).value
            text = f"{text[:start]} Q_{{{901 + len(values) - 1}}} {text[end:]}"
        return text

    def derivative_in(self, text: str) -> tuple[int, int, Head] | None:
        """The first derivative of a part: where it stands, and what it is of."""
        if found := _OF_PART.search(text):
            start = found.end()
            end = group_end(text, start)
            if end is None:
                end = term_end(text, start)
            return found.start(), end, Head("", canonical_name(found[1] or found[2]), 1,
                                            text[start:end].strip())  # fmt: skip
        for found in re.finditer(r"\)\s*('|’|′|\^\{?\\prime\}?)", text):
            before = opening(text, found.start())
            if before is not None and not (before and text[before - 1].isalnum()):
                return before, found.end(), Head("", "", 1, text[before : found.start() + 1])
        for found in re.finditer(r"(?<![A-Za-z\\])([A-Za-z]\w*)('+|’|′)(?:\(\w+\))?", text):
            if canonical_name(found[1]) in self.written:
                order = len(found[2])
                return found.start(), found.end(), Head(found[1], "", order)
        return None

    def explained(self, subject: _Subject, value: Expr, text: str) -> Verdict | None:
        """The verdict on a wrong formula, with its counterexample and diagnosis."""
        if subject.question is not None:
            return subject.question.verdict_on(value, subject.order, text)
        return None
