"""What is asked of a derivation over arrays, and its components fitted to the shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count

from chainrule.core.arithmetic import ADD, MUL
from chainrule.core.errors import ShapeError
from chainrule.core.expr import Expr, apply, free_symbols, substitute, symbol
from chainrule.core.ops import lookup
from chainrule.core.program import Program
from chainrule.core.shape import Shape, shape_text
from chainrule.derivation.steps import Granularity, Layout, Style


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for; see `chainrule.derivation.build.build`."""

    variables: Sequence[str]
    granularity: Granularity = "textbook"
    style: Style = "paths"
    layout: Layout = "numerator"
    order: int = 1
    direction: Sequence[Expr] = ()
    weights: Sequence[Expr] = ()
    budget: int = 64
    deadline: float = float("inf")


def fitting(
    given: Expr, shape: Shape, what: str, known: Mapping[str, Shape], sizes: Sequence[str]
) -> Expr:
    """A component in the shape it needs; names that are new take this shape.

    Raises:
        ShapeError: it has another one.
    """
    shapes: dict[Expr, Expr] = {
        s: symbol(s.name, known.get(s.name, () if s.name in sizes else shape))
        for s in free_symbols([given])
    }
    (fitted,) = substitute([given], shapes)
    if fitted.shape == shape:
        return fitted
    raise ShapeError(
        f"{what} is a {shape_text(fitted.shape)}, and a {shape_text(shape)} is needed",
        shapes=(fitted.shape, shape), hint="a name that is not declared takes this shape, as h",
    )  # fmt: skip


def shapes_of(program: Program) -> dict[str, Shape]:
    """The shapes of all names: declared, occurring, and of statements."""
    shapes = {s.name: s.shape for s in free_symbols(e for _, e in program.assignments)}
    return {**shapes, **program.declared, **{n: e.shape for n, e in program.assignments}}


def weighted_sum(program: Program, request: Request) -> tuple[Program, Request]:
    """The program with one more statement, the sum of its outputs times their weights."""
    if len(request.weights) != len(program.outputs):
        return program, request
    known = shapes_of(program)
    total: Expr | None = None
    for y, weight in zip(program.outputs, request.weights, strict=True):
        named = symbol(y, known[y])
        fitted = fitting(weight, named.shape, f"the weight of {y}", known, program.dimensions)
        term = apply(lookup("dot"), fitted, named) if named.shape else apply(MUL, fitted, named)
        total = term if total is None else apply(ADD, total, term)
    assert total is not None
    taken = {*known, *program.dimensions}
    name = next(n for n in chain("swvtqr", (f"s{i}" for i in count(1))) if n not in taken)
    weighted = replace(
        program, assignments=(*program.assignments, (name, total)), outputs=(name,), vector=False
    )
    return weighted, replace(request, weights=())
