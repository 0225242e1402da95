"""What the oracles say about a derivation over vectors and matrices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from time import perf_counter
from typing import Literal, NamedTuple

from chainrule.checking import array_directions, array_sympy
from chainrule.checking.array_claims import ArrayClaim
from chainrule.checking.array_differences import TOO_LARGE, compare, point_in
from chainrule.checking.array_equality import close
from chainrule.checking.array_points import ArraySearch, small_sizes
from chainrule.checking.array_values import ArrayTape
from chainrule.checking.numbers import context
from chainrule.core import arrays
from chainrule.core.expr import Expr, Sym, free_symbols, substitute, symbol
from chainrule.derivation.steps import Derivation, Edge, Method, Status, Verification

_EDGES = 400  # intermediates whose local derivatives are looked at
_POINTS, _COMFORT = 3, 100_000
_EDGE_POINTS, _EDGE_COMFORT = 2, 10_000
_EDGE_SECONDS = 10.0
_DIGITS = 40
_PATIENCE = 2.5  # seconds that SymPy may take, over everything


def verify_arrays(
    derivation: Derivation, mode: Literal["symbolic", "numeric"], deadline: float
) -> Verification:
    """Verify the blocks of the result and the local derivatives, at small sizes.

    Each entry is compared with difference quotients at points on both sides of the kinks, and
    where that is small enough with SymPy's derivative of each entry by each entry.
    """
    claims = list(claims_of(derivation))
    text = derivation.program.source
    methods: list[Method] = []
    patience = 0.0
    # Numbers first: where time is short, they decide most in it.
    numeric = _numeric(claims, text, deadline, _POINTS, _COMFORT)
    if mode == "symbolic":
        patience = min(deadline, perf_counter() + _PATIENCE)
        methods.append(array_sympy.compare(claims, text, deadline=patience))
    edges: list[Status] = ["unverified"] * len(derivation.edges)
    by_sympy = 0
    deadline = min(deadline, perf_counter() + _EDGE_SECONDS)
    for local in islice(local_claims(derivation), _EDGES):
        if perf_counter() > deadline:
            break
        found = _decided(local.claim, patience, deadline)
        by_sympy += len(local.edges) * (found.name == "sympy" and found.status == "verified")
        for place in local.edges:
            edges[place] = found.status
        if found.status == "failed" and numeric.status != "failed":
            witness = f"local derivative of {found.detail}"
            numeric = Method("numeric", "failed", witness, found.points)
    if methods and methods[0].status == "unverified" and by_sympy == len(edges) > 0:
        detail = (
            f"its local derivatives agree with ours, the whole it leaves open: {methods[0].detail}"
        )
        methods[0] = methods[0]._replace(detail=detail)
    try:
        told = _told_otherwise(derivation, deadline) if numeric.status == "verified" else ""
    except TimeoutError:
        numeric, told = Method("numeric", "unverified", "the time for it ran out"), ""
    if told:
        numeric = Method("numeric", "failed", told, 1)
    methods.append(numeric)
    said = {method.status for method in methods}
    status: Status = "failed" if "failed" in said else "verified"
    if not said & {"failed", "verified"}:
        status = "unverified"
    return Verification(status, tuple(methods), tuple(edges))


def _decided(claim: ArrayClaim, patience: float, deadline: float) -> Method:
    """What is said about a local derivative, by SymPy while the patience with it lasts."""
    text = repr(claim.function)
    found = array_sympy.compare([claim], text, points=1, deadline=patience)
    if found.status != "unverified":
        return found
    return _numeric([claim], text, deadline, _EDGE_POINTS, _EDGE_COMFORT)


def _numeric(
    claims: Sequence[ArrayClaim], text: str, deadline: float, points: int, comfort: int
) -> Method:
    """By differences with 50 digits at small sizes; at large ones along directions."""
    found = compare(claims, text, points=points, comfort=comfort, deadline=deadline)
    if found.status == "unverified" and found.detail == TOO_LARGE:
        return array_directions.compare(claims, text, deadline)
    return found


def claims_of(derivation: Derivation) -> Iterator[ArrayClaim]:
    """What the blocks of the result say, over the free names."""
    d = derivation
    functions = dict(zip(d.outputs, d.functions, strict=True))
    several = len(d.result.blocks) > 1
    for block in d.result.blocks:
        by = tuple(map(d.program.symbol, block.variables))
        name = ", ".join(block.variables)
        yield ArrayClaim(
            functions[block.output], by, block.kind, (block.written,), block.output,
            f"by {name}: " if several else "", block.transposed,
            () if block.adjoint is None else (block.adjoint,),
            {d.program.symbol(n): e for n, e in block.direction.items()}, block.weights,
        )  # fmt: skip


def _told_otherwise(derivation: Derivation, deadline: float) -> str:
    """Where a formula over the names of steps is not the one over the variables, which is it."""
    d = derivation
    blocks = [b for b in d.result.blocks if b.expression is not b.written]
    if not blocks:
        return ""
    steps = {i.name: i.expression for i in d.intermediates} | dict(d.values)
    pairs = [(b.expression, b.written) for b in blocks]
    formulas = [f for pair in pairs for f in pair]
    sizes = small_sizes([*d.functions, *steps.values(), *formulas])
    if sizes is None or ArrayTape([*steps.values(), *formulas], sizes).work > _COMFORT:
        return ""
    m = context(_DIGITS)
    written = [b.written for b in blocks]
    for point in ArraySearch(d.functions, written, sizes, d.program.source, enough=1):
        values = point_in(m, point)
        for name, expression in steps.items():
            names = {s.name for s in free_symbols([expression])}
            if not names <= values.keys() | sizes.keys():
                continue  # a differential: dx has no value, and no formula has a differential
            (values[name],) = ArrayTape([expression], sizes, deadline).run(m, values)
        found = ArrayTape(formulas, sizes, deadline).run(m, values)
        for block, a, b in zip(blocks, found[::2], found[1::2], strict=True):
            if not close(m, a, b):
                return f"by {', '.join(block.variables)}: the names of steps mean something else"
    return ""


class Local(NamedTuple):
    """A claim about an intermediate, and the places in `Derivation.edges` that make it."""

    claim: ArrayClaim
    edges: tuple[int, ...]


def local_claims(derivation: Derivation) -> Iterator[Local]:
    """For each intermediate and operand: that its edges, added up, are the derivative."""
    d = derivation
    symbols = {i.name: symbol(i.name, i.shape) for i in d.intermediates}
    symbols |= {v: d.program.symbol(v) for v in d.variables}
    by_target: dict[str, dict[str, list[int]]] = {}
    for i, edge in enumerate(d.edges):
        by_target.setdefault(edge.of, {}).setdefault(edge.by, []).append(i)
    moving = set(d.variables)
    for intermediate in d.intermediates:
        edges = by_target.get(intermediate.name, {})
        inside = [s.name for s in free_symbols([intermediate.expression])]
        operands = dict.fromkeys([*edges, *(name for name in inside if name in moving)])
        if operands:
            moving.add(intermediate.name)
        for name in operands:
            places = tuple(edges.get(name, ()))
            yield Local(
                _local(intermediate.name, intermediate.expression, symbols[name],
                       [d.edges[i] for i in places], symbols),
                places,
            )  # fmt: skip


def _local(
    of: str, expression: Expr, by: Sym, edges: list[Edge], symbols: Mapping[str, Sym]
) -> ArrayClaim:
    itself: dict[Expr, Expr] = {symbols[of]: expression}
    place = f"{of} by {by.name}: "
    if not edges:
        zero = arrays.zeros(expression.shape)
        return ArrayClaim(expression, (by,), "tensor", (zero,), of, place)
    terms = tuple(substitute([e.local for e in edges], itself))
    if edges[0].jacobian:
        return ArrayClaim(expression, (by,), "jacobian", terms, of, place)
    adjoints = tuple(substitute([e.adjoint for e in edges if e.adjoint is not None], itself))
    return ArrayClaim(expression, (by,), "tensor", terms, of, place, adjoints=adjoints)
