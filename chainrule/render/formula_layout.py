"""Layout of the forms that only a derivation writes: derivatives, products of factors, entries."""

from __future__ import annotations

from collections.abc import Sequence

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
    match formula:
        case Times(parts) | Plus(parts) | Diagonal(parts):
            return parts
        case Matrix(rows):
            return [entry for row in rows for entry in row]
        case Transposed(of):
            return (of,)
        case Entry(of, places):
            return (of, *places)
        case Delta(first, second):
            return (first, second)
        case EntryOf(_, at, _, by_at):
            return (*at, *by_at)
        case SumOver(letters, of):
            return (of, *letters)
    return ()


def composite(formula: Formula, parts: list[Box]) -> Box:
    """Its layout, given that of what it is made of."""
    match formula:
        case Partial(of, by, total):
            return derivative_box("d" if total else "∂", of, by)
        case Chain(nodes):
            return joined([quantity_box(name) for name in nodes], sign_box(" <- "), RELATION)
        case Times(factors):
            return _factors(factors, parts)
        case Plus():
            return _total(parts)
        case Matrix(rows):
            return Box("matrix", tuple(parts), str(len(rows[0]) if rows else 0))
        case Diagonal():
            return call_box("diag", r"\operatorname{diag}", parts)
        case Differential(of):
            return differential_box(of)
        case Gradient(of, by):
            return derivative_box("∂", of, by)
        case Second(of, by, then):
            return higher_box("∂", of, [(by, 2)] if by == then else [(by, 1), (then, 1)])
        case Transposed():
            return transposed(parts[0])
        case Entry(of):
            return entry_box(of, parts[0], parts[1:])
        case Delta():
            return indexed_by(Box("constant", (), "δ", r"\delta"), parts)
        case EntryOf(of, at, by):
            above = entry_box(symbol(of), quantity_box(of), parts[: len(at)])
            below = entry_box(symbol(by), quantity_box(by), parts[len(at) :])
            return quotient_box("∂", above, below)
        case SumOver():
            over = indexed_by(Box("constant", (), "Σ", r"\sum"), parts[1:])
            body = fenced(parts[0], PRODUCT, HADAMARD)
            # In a sum it stands in brackets: they say where it ends.
            return in_row([over, Box("times", (), " "), body], RELATION, RELATION)
    raise TypeError(f"{formula!r} is not a formula")


def _factors(factors: Sequence[Formula], parts: list[Box]) -> Box:
    """A product; a minus may lead, and a factor that is itself a product needs no brackets."""
    if not parts:
        return number_box("1")
    if factors[0] is MINUS_ONE and len(factors) > 1 and isinstance(factors[1], (Entry, Delta)):
        rest = _factors(factors[1:], parts[1:])
        return in_row([sign_box("-"), rest], MINUS, MINUS)
    arrays = any(map(_is_array, factors))
    sign = Box("times", text=" · " if arrays else " * ", latex=r"\cdot")
    if any(isinstance(f, (Entry, Delta)) for f in factors):
        sign = Box("times", text=" ", latex=r"\,")
    row = [fenced(parts[0], MINUS, MINUS)]
    for factor, part in zip(factors[1:], parts[1:], strict=True):
        # Where the factors are arrays, a product has a sign of another meaning.
        mixed = isinstance(factor, Expr) and bool(factor.shape) and part.kind != "derivative"
        row.append(fenced(part, POWER if mixed else PRODUCT, PRODUCT))
    return joined(row, sign, min(row[0].line, PRODUCT))


def _is_array(formula: Formula) -> bool:
    match formula:
        case Expr():
            return bool(formula.shape)
        case Partial(of, by):
            return isinstance(of, ArrayName) or isinstance(by, ArrayName)
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
