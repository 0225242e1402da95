"""Layout of the forms that only a derivation writes: derivatives, products of factors, entries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

from chainrule.core.expr import MINUS_ONE, Expr, symbol
from chainrule.derivation.steps import (
    Chain,
    Delta,
    Diagonal,
    Differential,
    Entry,
    EntryOf,
    Formula,
    Gradient,
    Matrix,
    Partial,
    Plus,
    Second,
    SumOver,
    Times,
    Transposed,
)
from chainrule.render.array_layout import entry_box, indexed_by, transposed
from chainrule.render.boxes import (
    HADAMARD,
    MINUS,
    POWER,
    PRODUCT,
    RELATION,
    SUM,
    ArrayName,
    Box,
    call_box,
    derivative_box,
    differential_box,
    fenced,
    higher_box,
    in_row,
    joined,
    number_box,
    quantity_box,
    quotient_box,
    sign_box,
)


def inside(formula: Formula) -> Sequence[Formula]:
    """The formulas that it is made of."""
    parts = _INSIDE.get(type(formula))
    return parts(formula) if parts else ()


_INSIDE: dict[type, Callable[[Any], Sequence[Formula]]] = {
    Times: attrgetter("factors"),
    Plus: attrgetter("terms"),
    Diagonal: attrgetter("entries"),
    Matrix: lambda matrix: [entry for row in matrix.rows for entry in row],
    Transposed: lambda transpose: (transpose.of,),
    Entry: lambda entry: (entry.of, *entry.places),
    Delta: lambda delta: (delta.first, delta.second),
    EntryOf: lambda entry: (*entry.at, *entry.by_at),
    SumOver: lambda total: (total.of, *total.letters),
}


def composite(formula: Formula, parts: list[Box]) -> Box:
    """Its layout, given that of what it is made of."""
    return _COMPOSITE[type(formula)](formula, parts)


def _matrix(formula: Matrix, parts: list[Box]) -> Box:
    return Box("matrix", tuple(parts), str(len(formula.rows[0]) if formula.rows else 0))


def _second(formula: Second, parts: list[Box]) -> Box:
    by, then = formula.by, formula.then
    return higher_box("∂", formula.of, [(by, 2)] if by == then else [(by, 1), (then, 1)])


def _entry_of(formula: EntryOf, parts: list[Box]) -> Box:
    of, by, count = formula.of, formula.by, len(formula.at)
    above = entry_box(symbol(of), quantity_box(of), parts[:count])
    below = entry_box(symbol(by), quantity_box(by), parts[count:])
    return quotient_box("∂", above, below)


def _sum_over(formula: SumOver, parts: list[Box]) -> Box:
    over = indexed_by(Box("constant", (), "Σ", r"\sum"), parts[1:])
    body = fenced(parts[0], PRODUCT, HADAMARD)
    # In a sum it stands in brackets: they say where it ends.
    return in_row([over, Box("times", (), " "), body], RELATION, RELATION)


def _factors(factors: Sequence[Formula], parts: list[Box]) -> Box:
    """A product; a minus may lead, and a factor that is itself a product needs no brackets."""
    if not parts:
        return number_box("1")
    if factors[0] is MINUS_ONE and len(factors) > 1 and isinstance(factors[1], (Entry, Delta)):
        rest = _factors(factors[1:], parts[1:])
        return in_row([sign_box("-"), rest], MINUS, MINUS)
    sign = _BETWEEN_ARRAYS if any(map(_is_array, factors)) else _BETWEEN_NUMBERS
    if any(isinstance(f, (Entry, Delta)) for f in factors):
        sign = _BETWEEN_ENTRIES
    row = [fenced(parts[0], MINUS, MINUS)]
    for factor, part in zip(factors[1:], parts[1:], strict=True):
        # Where the factors are arrays, a product has a sign of another meaning.
        mixed = isinstance(factor, Expr) and bool(factor.shape) and part.kind != "derivative"
        row.append(fenced(part, POWER if mixed else PRODUCT, PRODUCT))
    return joined(row, sign, min(row[0].line, PRODUCT))


_BETWEEN_ARRAYS = Box("times", text=" · ", latex=r"\cdot")
_BETWEEN_NUMBERS = Box("times", text=" * ", latex=r"\cdot")
_BETWEEN_ENTRIES = Box("times", text=" ", latex=r"\,")


def _is_array(formula: Formula) -> bool:
    if isinstance(formula, Expr):
        return bool(formula.shape)
    if isinstance(formula, Partial):
        return isinstance(formula.of, ArrayName) or isinstance(formula.by, ArrayName)
    return isinstance(formula, (Matrix, Diagonal, Transposed))


def _total(parts: list[Box]) -> Box:
    """A sum; a term that begins with a minus is subtracted."""
    if len(parts) < 2:
        return parts[0] if parts else number_box("0")
    row = [fenced(parts[0], SUM, SUM)]
    for part in parts[1:]:
        positive = _without_minus(part)
        term = fenced(positive or part, PRODUCT, HADAMARD)
        row += [sign_box(" - " if positive else " + "), term]
    return in_row(row, SUM, SUM)


def _without_minus(box: Box) -> Box | None:
    """The term without the minus in front of it, if there is one."""
    if box.line != MINUS:
        return None
    if box.kind == "number":
        return number_box(box.text[1:])
    if box.parts[0].text == "-":
        return box.parts[1]
    first = _without_minus(box.parts[0])
    return first and in_row([first, *box.parts[1:]], PRODUCT, PRODUCT)


_COMPOSITE: dict[type, Callable[[Any, list[Box]], Box]] = {
    Partial: lambda f, _: derivative_box("d" if f.total else "∂", f.of, f.by),
    Chain: lambda f, _: joined([*map(quantity_box, f.nodes)], sign_box(" <- "), RELATION),
    Times: lambda f, parts: _factors(f.factors, parts),
    Plus: lambda f, parts: _total(parts),
    Matrix: _matrix,
    Diagonal: lambda f, parts: call_box("diag", r"\operatorname{diag}", parts),
    Differential: lambda f, _: differential_box(f.of),
    Gradient: lambda f, _: derivative_box("∂", f.of, f.by),
    Second: _second,
    Transposed: lambda f, parts: transposed(parts[0]),
    Entry: lambda f, parts: entry_box(f.of, parts[0], parts[1:]),
    Delta: lambda f, parts: indexed_by(Box("constant", (), "δ", r"\delta"), parts),
    EntryOf: _entry_of,
    SumOver: _sum_over,
}
