"""A verdict on an answer, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from chainrule.checking.diagnoses import Diagnosis
from chainrule.checking.equality import Equality
from chainrule.checking.equality import Given as Point
from chainrule.core.expr import Expr
from chainrule.derivation.steps import Derivation

Status = Literal["right", "wrong", "undecided"]
Nested = Any  # a number, a tuple of numbers, or a tuple of such tuples


class Counterexample(NamedTuple):
    """A point where the answer is not the derivative.

    Attributes:
        point: the values of the variables.
        right, given: the two exact values; `given` is None where the answer has none.
        right_number, given_number: the same as floats.
    """

    point: Point
    right: Expr
    given: Expr | None
    right_number: float
    given_number: float | None


class ArrayCounterexample(NamedTuple):
    """Sizes and arrays for which the answer is not the derivative.

    Attributes:
        sizes: of the dimensions.
        point: the values of the names: numbers, vectors and matrices as (nested) tuples.
        right, given: the two values, likewise; `given` is None where the answer has none.
    """

    sizes: Mapping[str, int]
    point: Mapping[str, Nested]
    right: Nested
    given: Nested | None


class Remark(NamedTuple):
    """Something to say about an answer that does not decide over it."""

    kind: str
    text: str = ""
    point: Point | None = None


class Entry(NamedTuple):
    """One entry of the answer.

    Attributes:
        output, variables: which derivative it is.
        right, given: the derivative, and what was given for it.
        equality: how they compare.
        counterexample: where they differ.
        diagnoses: the mistakes that give the answer, the most typical first.
    """

    output: str
    variables: tuple[str, ...]
    right: Expr
    given: Expr
    equality: Equality
    counterexample: Counterexample | ArrayCounterexample | None = None
    diagnoses: tuple[Diagnosis, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """What there is to say about an answer.

    Attributes:
        status: `right`, `wrong` or `undecided`.
        derivation: the right way.
        answer: the text of the answer.
        entries: entry by entry; one for a lone derivative.
        remarks: what else is worth saying.
        problem: what is wrong with the answer as a whole (`shape`, `order of entries`, …).
        told: mistakes in an answer that is no formula, its shapes not fitting each other.
    """

    status: Status
    derivation: Derivation
    answer: str
    entries: tuple[Entry, ...]
    remarks: tuple[Remark, ...] = ()
    problem: str = ""
    told: tuple[Diagnosis, ...] = ()

    @property
    def correct(self) -> bool:
        """Whether the answer is right."""
        return self.status == "right"

    @property
    def wrong_entry(self) -> Entry | None:
        """The first entry that is wrong."""
        return next((e for e in self.entries if e.equality.status == "different"), None)

    @property
    def counterexample(self) -> Counterexample | ArrayCounterexample | None:
        """A point where the first wrong entry differs."""
        return self.wrong_entry.counterexample if self.wrong_entry else None

    @property
    def diagnosis(self) -> Diagnosis | None:
        """The likely mistake in the first wrong entry, if one gives exactly the answer."""
        found = self.told or (self.wrong_entry.diagnoses if self.wrong_entry else ())
        if self.problem and not (found and self.problem in ("misfit", "array shape")):
            return Diagnosis(self.problem)
        return found[0] if found else None
