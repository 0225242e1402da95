"""Hypothesis strategies for expressions: every row of the operator table, nested, as typed."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import chainrule.core.table
from chainrule.core import ops
from chainrule.core.arithmetic import PI, E
from chainrule.core.expr import Const, Expr, Sym, apply, const, symbol
from chainrule.core.ops import Operator
from chainrule.core.table import abstract
from chainrule.core.table.piecewise import PIECEWISE
from chainrule.core.table.special import POLYGAMMA

assert chainrule.core.table

NAMES = ("x", "y", "t", "x1", "w12", "theta", "lambda", "u_k", "beta1", "Delta", "A", "d")

_SPECIAL = (PIECEWISE, POLYGAMMA)  # rows whose arguments have a form of their own
OPERATORS = tuple(row for row in ops.rows() if row not in _SPECIAL and row.arity != (0, 0))
UNARY = tuple(row for row in OPERATORS if row.arity == (1, 1))
RELATIONS = tuple(row for row in OPERATORS if row.notation == "relation")
ARITHMETIC = tuple(
    row for row in OPERATORS if row.notation in ("sum", "product", "fraction", "prefix", "power")
)


def integers() -> SearchStrategy[Const]:
    """Whole numbers: mostly small, of either sign, sometimes long."""
    return st.one_of(st.integers(-12, 12), st.integers(-(10**40), 10**40)).map(const)


def fractions() -> SearchStrategy[Const]:
    """Fractions that are not whole."""
    return (
        st.builds(Fraction, st.integers(-50, 50), st.integers(2, 30))
        .filter(lambda value: value.denominator > 1)
        .map(const)
    )


def decimals() -> SearchStrategy[Const]:
    """Decimal numbers, from tiny to huge, whole ones too (`2.0`)."""

    def build(digits: int, exponent: int) -> Const:
        return const(digits * Fraction(10) ** exponent, decimal=True)

    return st.one_of(
        st.builds(build, st.integers(-9999, 9999), st.integers(-4, 1)),
        st.builds(build, st.integers(-999, 999), st.integers(-40, 40)),
    )


def constants() -> SearchStrategy[Const]:
    """Numbers of every kind."""
    return st.one_of(integers(), fractions(), decimals())


def symbols(names: Sequence[str] = NAMES) -> SearchStrategy[Sym]:
    """Names that need no declaration."""
    return st.sampled_from(names).map(symbol)


def leaves(names: Sequence[str] = NAMES) -> SearchStrategy[Expr]:
    """What an expression ends in."""
    return st.one_of(symbols(names), constants(), st.sampled_from([apply(E), apply(PI)]))


def expressions(
    names: Sequence[str] = NAMES,
    operators: Sequence[Operator] = OPERATORS,
    *,
    most_leaves: int = 12,
    special: bool = True,
    functions: bool = False,
) -> SearchStrategy[Expr]:
    """Trees over the rows, built with `apply` (nothing folded), in any domain or none.

    `special` adds cases and polygamma; `functions` adds functions that are only named, and
    their derivatives.
    """

    def extend(inner: SearchStrategy[Expr]) -> SearchStrategy[Expr]:
        kinds = [st.sampled_from(operators).flatmap(lambda row: applications(row, inner))]
        arithmetic = [row for row in operators if row in ARITHMETIC]
        if arithmetic:  # as often as all functions together: brackets are where printers fail
            kinds.append(st.sampled_from(arithmetic).flatmap(lambda row: applications(row, inner)))
        if special:
            kinds += [cases(inner), polygammas(inner)]
        if functions:
            kinds.append(named_functions(inner))
        return st.one_of(kinds)

    return st.recursive(leaves(names), extend, max_leaves=most_leaves)


def applications(row: Operator, inner: SearchStrategy[Expr]) -> SearchStrategy[Expr]:
    """The row applied to as many arguments as it takes; up to four where it takes any number."""
    low, high = row.arity
    arguments = st.lists(inner, min_size=low, max_size=4 if high is None else high)
    return arguments.map(lambda args: apply(row, *args))


def relations(inner: SearchStrategy[Expr]) -> SearchStrategy[Expr]:
    """Comparisons."""
    return st.sampled_from(RELATIONS).flatmap(lambda row: applications(row, inner))


def cases(inner: SearchStrategy[Expr]) -> SearchStrategy[Expr]:
    """Piecewise expressions of one to three branches, with or without a default."""
    branch = st.tuples(inner, st.one_of(relations(inner), inner))

    def build(branches: list[tuple[Expr, Expr]], default: Expr | None) -> Expr:
        args = [part for pair in branches for part in pair]
        return apply(PIECEWISE, *args, *([] if default is None else [default]))

    return st.builds(build, st.lists(branch, min_size=1, max_size=3), st.one_of(st.none(), inner))


def polygammas(inner: SearchStrategy[Expr]) -> SearchStrategy[Expr]:
    """Derivatives of digamma."""
    return st.builds(lambda order, a: apply(POLYGAMMA, const(order), a), st.integers(1, 4), inner)


def named_functions(inner: SearchStrategy[Expr]) -> SearchStrategy[Expr]:
    """`f(x)`, `g1(x, y)`, `F(x, y, z)` and their derivatives."""

    def applied(name: str, arity: int) -> SearchStrategy[Expr]:
        orders = st.tuples(*[st.integers(0, 3)] * arity)
        arguments = st.tuples(*[inner] * arity)
        return st.builds(
            lambda k, args: apply(abstract.function(name, arity, k), *args), orders, arguments
        )

    return st.one_of(applied("f", 1), applied("g1", 2), applied("F", 3), applied("phi", 1))
