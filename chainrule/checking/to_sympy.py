"""Expressions as SymPy's, through the operator table; never through text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from chainrule.checking.numbers import Tape, context
from chainrule.core.errors import UnsupportedError
from chainrule.core.expr import Apply, Const, Expr, Sym, fold, free_symbols, topological
from chainrule.core.table.abstract import AbstractOperator
from chainrule.core.table.special import DIGAMMA, GAMMA, POLYGAMMA

LOADING = 0.7  # seconds, at the least, that SymPy takes to load
_LARGEST = 1 << 1000
MANY_BITS = 8192  # of a power of numbers, which SymPy writes out
_WRITTEN_OUT = 1000


class Declined(Exception):
    """Why SymPy is not asked, or what it leaves undone."""


def to_sympy(entries: Sequence[Sequence[Expr]]) -> Any:
    """The entry as a SymPy expression, or all of them as a Matrix, over plain symbols.

    Raises:
        UnsupportedError: SymPy would fail at it, or compute for ages.

    >>> from chainrule.core.expr import symbol
    >>> to_sympy([[symbol("x") ** 2]])
    x**2
    """
    import sympy

    flat = [entry for row in entries for entry in row]
    names = {s.name: sympy.Symbol(s.name) for s in free_symbols(flat)}
    try:
        found = converted(flat, names, named=True)
    except Declined as declined:
        raise UnsupportedError(f"SymPy cannot hold the result: {declined}") from None
    except RecursionError:
        raise UnsupportedError("SymPy cannot hold the result: it is too deep") from None
    if len(flat) == 1:
        return found[0]
    return sympy.Matrix(len(entries), len(entries[0]), found)


def converted(roots: Sequence[Expr], names: Mapping[str, Any], *, named: bool = False) -> list[Any]:
    """The roots over the given SymPy symbols.

    `named`: abstract functions stay SymPy functions; else they become their samples.

    Raises:
        Declined: it has a constant that SymPy would write out in full.
    """
    import sympy

    _check_constants(roots)

    def visit(node: Expr, args: list[Any]) -> Any:
        if isinstance(node, Const):
            value = Fraction(node.value)
            return sympy.Rational(value.numerator, value.denominator)
        if isinstance(node, Sym):
            return names[node.name]
        assert isinstance(node, Apply)
        if node.op.notation == "power" and args[0].is_Rational and args[1].is_Rational:
            bits = max(int(args[0].p).bit_length(), int(args[0].q).bit_length())
            if bits * abs(args[1]) > MANY_BITS:
                raise Declined("a constant has too many digits")
        if named and isinstance(node.op, AbstractOperator):
            return _named(node.op, args)
        return node.op.sympy(sympy, *args)

    return fold(roots, visit)


def _named(op: AbstractOperator, args: Sequence[Any]) -> Any:
    import sympy

    function = sympy.Function(op.name)
    if not any(op.orders):
        return function(*args)
    places = [sympy.Dummy(f"xi_{i}") for i in range(1, len(args) + 1)]
    by = [(place, order) for place, order in zip(places, op.orders, strict=True) if order]
    return sympy.Subs(sympy.Derivative(function(*places), *by), places, args).doit()


def _check_constants(roots: Sequence[Expr]) -> None:
    """Decline constants without a moderate real value, and those that SymPy writes out.

    SymPy computes `9^9^9` and digamma(10^9) exactly.
    """
    moving: set[Expr] = set()
    constants: list[Apply] = []
    for node in topological(roots):
        if isinstance(node, Sym) or not moving.isdisjoint(node.args):
            moving.add(node)
        elif isinstance(node, Apply):
            constants.append(node)
    if not constants:
        return
    special = [a for n in constants if n.op in (GAMMA, DIGAMMA, POLYGAMMA) for a in n.args]
    values = Tape([*constants, *special]).run(context(20), {})
    if any(value is None or abs(value) > _LARGEST for value in values):
        raise Declined("a constant in it is undefined or too large")
    if any(abs(value) > _WRITTEN_OUT for value in values[len(constants) :]):
        raise Declined("a constant has too many digits")
