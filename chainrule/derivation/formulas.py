"""The few formulas that only a derivation writes, beside expressions.

A partial derivative, a product that is not multiplied out, a matrix, a path. Those that could
be equal without being the same are data classes: a product and a sum of the same parts must not
be equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from chainrule.core.expr import Expr, Sym


@dataclass(frozen=True, slots=True)
class Partial:
    """The derivative of a named quantity by another.

    `total`: along every path (dy/dx), not along one edge (∂u2/∂u1).
    """

    of: str
    by: str
    total: bool = False


@dataclass(frozen=True, slots=True)
class Times:
    """A product that is shown factor by factor.

    In an array program the factors are Jacobians, which multiply as matrices, in this order.
    """

    factors: tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class Plus:
    """A sum that is shown term by term."""

    terms: tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """A matrix, row by row."""

    rows: tuple[tuple[Formula, ...], ...]


@dataclass(frozen=True, slots=True)
class Diagonal:
    """A diagonal matrix by its diagonal."""

    entries: tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class Chain:
    """A path through the computation graph, output first."""

    nodes: tuple[str, ...]


class Differential(NamedTuple):
    """The change of a named array: dX."""

    of: str


class Gradient(NamedTuple):
    """The derivative of a scalar by a variable, in the shape of the variable.

    In numerator layout `Partial` is its transpose where the variable is a vector. With an empty
    `of`: of any scalar that is computed from the outputs.
    """

    of: str
    by: str


class Transposed(NamedTuple):
    """The transpose of a formula, as `(∂f/∂g)'`."""

    of: Formula


class Second(NamedTuple):
    """The second derivative of a scalar by two variables: ∂²y/∂a∂b, a block of the Hessian."""

    of: str
    by: str
    then: str


class Entry(NamedTuple):
    """An entry of an array; the places are letters, or sums of a letter and a number.

    >>> from chainrule.core.expr import symbol
    >>> Entry(symbol("x", ("n",)), (symbol("k"),))
    Entry(of=x, places=(k,))
    """

    of: Formula
    places: tuple[Expr, ...]


class Delta(NamedTuple):
    """Kronecker's delta: 1 where the two places are equal, else 0."""

    first: Expr
    second: Expr


class EntryOf(NamedTuple):
    """The derivative of an entry by an entry: ∂y_i/∂W_jk."""

    of: str
    at: tuple[Expr, ...]
    by: str
    by_at: tuple[Expr, ...]


class SumOver(NamedTuple):
    """A sum over all values of letters."""

    letters: tuple[Sym, ...]
    of: Formula


Formula = (
    Expr | Partial | Times | Plus | Matrix | Diagonal | Chain
    | Differential | Gradient | Second | Transposed | Entry | Delta | EntryOf | SumOver
)  # fmt: skip
