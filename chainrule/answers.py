"""Answers to exercises: is this the derivative, and if not, where and why?

>>> verdict = check("x*exp(x^2)", "exp(x^2) + x*exp(x^2)")
>>> verdict.correct
False
>>> print(verdict.message)
the factor du1/dx = 2*x is missing from the path y <- u2 <- u1 <- x
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TextIO

from chainrule.checking.answer import ArrayCounterexample, Counterexample, Remark
from chainrule.checking.answer import Verdict as Data
from chainrule.checking.batch import Checked, check_all, exercises
from chainrule.checking.counts import CountVerdict
from chainrule.checking.counts import check_count as parameters
from chainrule.checking.diagnoses import Diagnosis
from chainrule.checking.lines import Worked as WorkedData
from chainrule.checking.lines import check_lines
from chainrule.checking.question import check_answer
from chainrule.core.errors import UsageError
from chainrule.derivation.steps import Layout
from chainrule.inputs import Names, Source, names_of, program_of, seconds_of
from chainrule.render import counts, markdown, terminal, verdict_json, verdict_table
from chainrule.render import verdict as words

__all__ = [
    "Count",
    "Verdict",
    "Worked",
    "batch_as",
    "check",
    "check_batch",
    "check_count",
    "check_steps",
]
_LONGEST_NUMBER = 18


class Verdict:
    """Whether an answer is right; if not, where it differs and what went wrong.

    Attributes:
        data: the verdict as data (`chainrule.checking.answer.Verdict`).
    """

    def __init__(self, data: Data) -> None:
        self.data = data

    @property
    def status(self) -> str:
        """`right`, `wrong` or `undecided`."""
        return self.data.status

    @property
    def correct(self) -> bool:
        """Whether the answer is right."""
        return self.data.correct

    @property
    def counterexample(self) -> Counterexample | ArrayCounterexample | None:
        """A point, the derivative there, and what the answer gives."""
        return self.data.counterexample

    @property
    def diagnosis(self) -> Diagnosis | None:
        """The likely mistake; None where no typical one gives this answer."""
        return self.data.diagnosis

    @property
    def message(self) -> str:
        """The likely mistake in a sentence, or nothing."""
        return words.message(self.data, self.diagnosis) if self.diagnosis else ""

    @property
    def remarks(self) -> tuple[Remark, ...]:
        """What else is worth saying."""
        return self.data.remarks

    def __str__(self) -> str:
        return terminal.plain(words.page(self.data))

    def __repr__(self) -> str:
        return f"<Verdict: {self.status}>"

    def show(self, file: TextIO) -> None:
        """Write the verdict to a file or a terminal."""
        terminal.write(words.page(self.data), file)

    def markdown(self) -> str:
        """Markdown with GitHub's `$…$`."""
        return markdown.markdown(words.page(self.data))

    def json(self) -> str:
        """One JSON object, schema `chainrule/verdict/1`."""
        return verdict_json.to_json(self.data)


class Count:
    """Whether a number of parameters is right.

    Attributes:
        data: as data (`chainrule.checking.counts.CountVerdict`).
    """

    def __init__(self, data: CountVerdict) -> None:
        self.data = data

    @property
    def status(self) -> str:
        """`right` or `wrong`."""
        return "right" if self.correct else "wrong"

    @property
    def correct(self) -> bool:
        """Whether the number is right."""
        return self.data.correct

    @property
    def message(self) -> str:
        """The likely slip in a sentence, or nothing."""
        return counts.sentence(self.data.slips[0]) if self.data.slips else ""

    def __str__(self) -> str:
        return terminal.plain(counts.page(self.data))

    def show(self, file: TextIO) -> None:
        """Write it to a file or a terminal."""
        terminal.write(counts.page(self.data), file)

    def markdown(self) -> str:
        """Markdown with GitHub's `$…$`."""
        return markdown.markdown(counts.page(self.data))

    def json(self) -> str:
        """One JSON object, schema `chainrule/count/1`."""
        return counts.to_json(self.data)


class Worked:
    """A worked derivation, line by line.

    Attributes:
        data: as data (`chainrule.checking.lines.Worked`).
    """

    def __init__(self, data: WorkedData) -> None:
        self.data = data

    @property
    def status(self) -> str:
        """`right`, `wrong` or `undecided`."""
        return self.data.status

    @property
    def correct(self) -> bool:
        """Whether every line follows."""
        return self.status == "right"

    @property
    def first_wrong(self) -> int | None:
        """The number of the first line that does not follow, counted from 1."""
        return self.data.first_wrong.number if self.data.first_wrong else None

    def __str__(self) -> str:
        return terminal.plain(verdict_table.worked_page(self.data))

    def show(self, file: TextIO) -> None:
        """Write it to a file or a terminal."""
        terminal.write(verdict_table.worked_page(self.data), file)

    def markdown(self) -> str:
        """Markdown with GitHub's `$…$`."""
        return markdown.markdown(verdict_table.worked_page(self.data))

    def json(self) -> str:
        """One JSON object, schema `chainrule/worked/1`."""
        return verdict_table.worked_json(self.data)


def check(
    source: Source,
    answer: str,
    wrt: Names = (),
    *,
    order: int = 1,
    layout: Layout | None = None,
    latex_input: bool | None = None,
    strict: bool = False,
    timeout: float | None = None,
) -> Verdict:
    """Check an answer.

    Args:
        source: what is differentiated, as for `derive`.
        answer: as people write it: `2*x`, `y' = 2x`, `\\frac{dy}{dx} = 2x`, a list or a matrix.
        wrt: by what; a lone answer may be any of the partial derivatives where this is open.
        order: of differentiation.
        layout: of a Jacobian; None takes either.
        timeout: seconds for everything; what is not decided by then is `undecided`. None: ten
            for the verdict, and as long again to find the mistake.

    Raises:
        ChainruleError: the expression or the answer cannot be read.

    >>> check("ln(x^2)", "2/x").correct
    True
    """
    program = program_of(source, latex_input, strict)
    return Verdict(check_answer(
        program, answer, variables=names_of(wrt), order=order, layout=layout,
        seconds=seconds_of(timeout),
    ))  # fmt: skip


def check_count(sizes: str | Sequence[int], given: int | str) -> Count:
    """Check how many parameters a fully connected network has.

    Args:
        sizes: of the input and of every layer, as `"3-3-2-1"` or a list.
        given: the answer.

    Raises:
        UsageError: the sizes are those of no network, or the answer is no whole number.

    >>> check_count("3-3-2-1", 23).correct
    True
    """
    listed = [n.strip() for n in sizes.split("-")] if isinstance(sizes, str) else list(sizes)
    numbers = [_whole(n, "write the sizes as 3-3-2-1") for n in listed]
    plain = given.replace(",", "").replace(" ", "") if isinstance(given, str) else given
    return Count(parameters(numbers, _whole(plain, "the answer is a whole number, as 23")))


def _whole(value: int | str, hint: str) -> int:
    text = str(value).strip()
    if not text.isdecimal() or len(text) > _LONGEST_NUMBER:
        raise UsageError(f"`{text[:40]}` is no whole number", hint=hint)
    return int(text)


def check_steps(
    text: str, source: Source | None = None, wrt: Names = (), *, timeout: float | None = None
) -> Worked:
    """Check a worked derivation.

    Args:
        text: its lines.
        source: what is differentiated, if the text does not say.
        wrt: by what.
        timeout: seconds for all lines; those it does not reach are `undecided`. None: ten for
            each line, and as long again to find the mistake in it.

    Raises:
        ChainruleError: the arguments cannot be used; a line that cannot be read is `unreadable`.

    >>> worked = check_steps("y = x^3; dy/dx = 3x^3")
    >>> worked.first_wrong, worked.data.lines[1].status
    (1, 'wrong')
    """
    seconds = seconds_of(timeout)
    program = None if source is None else program_of(source, None, False)
    names = names_of(wrt)
    if len(names) > 1:
        raise UsageError("a worked derivation has one variable", hint="name one with --wrt")
    return Worked(check_lines(text, program, names[0] if names else "", seconds))


def check_batch(
    text: str,
    progress: Callable[[int, int], None] = lambda done, of: None,
    *,
    timeout: float | None = None,
    total: float | None = None,
) -> list[Checked]:
    """Check a table of answers, in CSV with the columns id, expression, variable, answer.

    Args:
        text: the table.
        progress: is called after each row with how many are done, and of how many.
        timeout: seconds for each answer, as for `check`.
        total: seconds for the whole table; rows it does not reach are `undecided`.

    Raises:
        UsageError: it is no table; a row that cannot be used is `unusable`.

    >>> [row.status for row in check_batch("1,x^2,x,2x\\n2,x^2,x,x")]
    ['right', 'wrong']
    """
    rows = exercises(text)
    found = []
    for row in check_all(rows, seconds_of(timeout), seconds_of(total)):
        found.append(row)
        progress(len(found), len(rows))
    return found


def batch_as(rows: Iterable[Checked], form: str) -> str:
    """The verdicts of a batch as `text`, `csv`, `markdown` or `json`."""
    return verdict_table.batch_as(list(rows), form)
