"""A mistake that was found, and one that is tried, as data."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from chainrule.checking.mistakes import Mistake
from chainrule.checking.places import Place
from chainrule.core.expr import Apply, Expr

Point = dict[str, Fraction]
DIGITS = 40


class Diagnosis(NamedTuple):
    """A mistake that gives exactly the answer.

    Attributes:
        kind: which one, by the name in the table.
        at: the operation where it was made: the name of an intermediate, or the operation.
        inner: the operand that it is about, likewise.
        used: what the answer has for the derivative of the operation.
        right: what it should be; of a missing factor the factor.
        path: the path it is on, output first; empty where there is none to name.
        throughout: whether it was made everywhere.
        second: another mistake made as well.
    """

    kind: str
    at: Expr | None = None
    inner: Expr | None = None
    used: Expr | None = None
    right: Expr | None = None
    path: tuple[str, ...] = ()
    throughout: bool = False
    second: Diagnosis | None = None


class Spot(NamedTuple):
    """A place in the expression as a tree: how the output depends on it, and what is above."""

    place: Place
    bar: Expr
    trail: tuple[Apply, ...]


class Candidate(NamedTuple):
    """A mistake at a spot, or throughout, and the answer it gives."""

    rank: int
    mistake: Mistake
    spot: Spot | None
    slope: Expr
    answer: Expr
