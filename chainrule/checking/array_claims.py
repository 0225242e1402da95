"""What an array derivation claims, and how a claim is compared with what an oracle measures.

An oracle differentiates functions along directions. A claim is contracted with the same
directions: with each entry of the variable in turn, or, where these are too many, with one
random direction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from math import prod
from operator import add
from random import Random
from typing import Any, NamedTuple, Protocol
from zlib import crc32

from chainrule.checking.array_points import ArrayPoint, count_of
from chainrule.checking.array_values import ArrayTape
from chainrule.checking.differences import Estimate
from chainrule.core.expr import Expr, Sym, free_symbols, symbol
from chainrule.core.shape import Shape, shape_text, size_of
from chainrule.derivation.steps import BlockKind

Shift = Mapping[Sym, Any]  # a change of each variable, of its shape


class ArrayClaim(NamedTuple):
    """That `expressions`, added up, are a derivative; the fields are those of `steps.Block`.

    Attributes:
        function: what is differentiated.
        by: the variables.
        expressions, adjoints: the terms of the claim.
        output: the name of the function, for witnesses and for the cotangent `<output>_bar`.
        place: how a witness names the claim.
        edge: whether it is a local derivative: the Jacobian of a scalar is then a row.
    """

    function: Expr
    by: tuple[Sym, ...]
    kind: BlockKind
    expressions: tuple[Expr, ...]
    output: str
    place: str = ""
    transposed: bool = False
    adjoints: tuple[Expr, ...] = ()
    direction: Mapping[Sym, Expr] = {}
    weights: Expr | None = None

    @property
    def order(self) -> int:
        """How many times the function is differentiated."""
        return 2 if self.kind in ("hessian", "curvature") else 1

    @property
    def expected(self) -> tuple[Shape, ...]:
        """The shapes that the claim may have."""
        out, by = self.function.shape, self.by[0].shape
        if self.kind in ("gradient", "curvature"):
            return (by,)
        if self.kind == "hessian":
            return (by + self.by[1].shape, *([(*by, 1)] if not self.by[1].shape else []))
        if self.kind == "jacobian":
            row, column = (1, *by), (*out, 1)
            plain = by + out if self.transposed else out + by
            return (plain, *([row] if not out else []), *([column] if not by else []),
                    *([(1, *out)] if not by and self.transposed else []))  # fmt: skip
        return (out,)

    @property
    def misfit(self) -> str:
        """What is wrong with its shape, if anything."""
        for term in self.expressions:
            if term.shape not in self.expected:
                wanted = shape_text(self.expected[0]) if len(self.expected[0]) < 3 else "a tensor"
                return f"{self.place}it is a {shape_text(term.shape)}, and a {wanted} is due"
        return ""

    def probes(self) -> dict[Sym, Shape]:
        """The symbols that stand for any change and any cotangent in a tensor's actions."""
        if self.kind != "tensor":
            return {}
        changes = {symbol(f"d{v.name}", v.shape): v.shape for v in self.by}
        bar = symbol(f"{self.output}_bar", self.function.shape)
        return {**changes, bar: self.function.shape}


class Oracle(Protocol):
    """What differentiates: the value at the point of the derivative along directions."""

    m: Any

    def along(self, function: Expr, shifts: Sequence[Shift]) -> list[Estimate]:
        """The derivative along one direction after the other, entry by entry."""


class Pair(NamedTuple):
    """A claimed and a measured number, and which."""

    claimed: Estimate
    measured: Estimate
    place: str


class Comparison:
    """Claims at given sizes.

    Attributes:
        functions: the distinct ones.
        whole: whether along random directions instead of entry by entry.
    """

    def __init__(
        self, claims: Sequence[ArrayClaim], sizes: Mapping[str, int], deadline: float
    ) -> None:
        self.claims, self.sizes, self.whole = claims, sizes, False
        self.functions = list(dict.fromkeys(c.function for c in claims))
        terms = [t for c in claims for t in (*c.expressions, *c.adjoints)]
        extras = [e for c in claims for e in (*c.direction.values(), c.weights) if e is not None]
        self.formulas = list(dict.fromkeys([*terms, *extras]))
        self.probes = reduce(dict.__or__, (c.probes() for c in claims), dict[Sym, Shape]())
        self.tape = ArrayTape(self.formulas, sizes, deadline)
        self._known: dict[tuple[int, Sym], list[tuple[Shift, str]]] = {}

    def free(self) -> list[Expr]:
        """Symbols that need a value at a point, beside those of the functions."""
        found = [s for s in free_symbols(self.formulas) if s not in self.probes]
        return [*found, *(v for c in self.claims for v in c.by)]

    def runs(self) -> int:
        """How many directions are measured, of each order's number of evaluations."""
        total = 0
        for claim in self.claims:
            counts = [1 if self.whole else count_of(v, self.sizes) for v in claim.by]
            total += 4 * prod(counts) if claim.order == 2 else 2 * counts[0]
        return total

    def pairs(self, point: ArrayPoint, oracle: Oracle, noise: Any) -> Iterator[Pair]:
        """Each claimed number and the measured one; `noise` is relative, of one rounding."""
        import numpy as np

        m = oracle.m
        values = dict(point)
        for probe in self.probes:
            values[probe.name] = self._random(m, probe, "probe")
        found = dict(zip(self.formulas, self.tape.run(m, values), strict=True))
        rounding = m.ldexp(noise, self.tape.magnitude)
        clamped = self.tape.clamped

        def claimed(numbers: Any) -> list[Estimate]:
            return [
                Estimate(None if v != v else v, rounding, clamped)
                for v in np.asarray(numbers, dtype=object).reshape(-1)
            ]

        for claim in self.claims:
            value = _added(found, claim.expressions)
            out = tuple(size_of(d, self.sizes) for d in claim.function.shape)
            if claim.kind == "direction":
                along = {v: found[e] for v, e in claim.direction.items()}
                yield from self._each(claim, claimed(value), oracle.along(claim.function, [along]))
                continue
            if claim.kind == "tensor":
                change = {v: values[f"d{v.name}"] for v in claim.by}
                yield from self._each(claim, claimed(value), oracle.along(claim.function, [change]))
                if not claim.adjoints:
                    continue
                value = _added(found, claim.adjoints)
            weights = None
            if claim.kind == "tensor":
                weights = values[f"{claim.output}_bar"]
            elif claim.weights is not None:
                weights = found[claim.weights]
            for shifts, where in self._directions(m, claim, found):
                measured = oracle.along(claim.function, shifts)
                if weights is not None:
                    measured = [_contracted(m, measured, weights)]
                flat = self._flat(claim, value, 1 if weights is not None else prod(out))
                first = np.asarray(shifts[0][claim.by[0]], dtype=object).reshape(-1)
                numbers = flat.dot(first) if claim.kind != "hessian" else None
                if claim.kind == "hessian":
                    second = np.asarray(shifts[1][claim.by[1]], dtype=object).reshape(-1)
                    numbers = first.dot(flat.dot(second))
                yield from self._each(claim, claimed(numbers), measured, where)

    def _flat(self, claim: ArrayClaim, value: Any, outputs: int) -> Any:
        """The claim as a matrix that is applied to a direction from the right."""
        import numpy as np

        counts = [count_of(v, self.sizes) for v in claim.by]
        array = np.asarray(value, dtype=object)
        if claim.kind == "hessian":
            return array.reshape(counts[0], counts[1])
        if claim.kind == "jacobian" and claim.transposed:
            return array.reshape(counts[0], outputs).T
        return array.reshape(outputs, counts[0])

    def _directions(
        self, m: Any, claim: ArrayClaim, found: Mapping[Expr, Any]
    ) -> Iterator[tuple[list[Shift], str]]:
        """Directions of the variables to contract with, and what they are called."""
        if claim.kind == "curvature":
            along: Shift = {v: found[e] for v, e in claim.direction.items()}
            for shift, where in self._of(m, claim.by[0]):
                yield [shift, along], where
        elif claim.kind == "hessian":
            for first, where in self._of(m, claim.by[0]):
                for second, other in self._of(m, claim.by[1]):
                    yield [first, second], f"{where}, {other}" if where and other else where
        else:
            for shift, where in self._of(m, claim.by[0]):
                yield [shift], where

    def _of(self, m: Any, variable: Sym) -> list[tuple[Shift, str]]:
        """Each entry of a variable as a direction, or a random direction."""
        key = (m.dps, variable)
        if key not in self._known:
            self._known[key] = list(self._made(m, variable))
        return self._known[key]

    def _made(self, m: Any, variable: Sym) -> Iterator[tuple[Shift, str]]:
        import numpy as np

        if self.whole:
            yield {variable: self._random(m, variable, "direction")}, "a random direction"
            return
        if not variable.shape:
            yield {variable: m.one}, ""
            return
        shape = tuple(size_of(d, self.sizes) for d in variable.shape)
        for place in np.ndindex(*shape):
            unit = np.full(shape, m.zero, dtype=object)
            unit[place] = m.one
            yield {variable: unit}, f"{variable.name}[{', '.join(map(str, place))}]"

    def _random(self, m: Any, variable: Sym, purpose: str) -> Any:
        import numpy as np

        draw = Random(crc32(f"{purpose} {variable.name}".encode()))
        shape = tuple(size_of(d, self.sizes) for d in variable.shape)
        array = np.empty(shape, dtype=object)
        for place in np.ndindex(*shape):
            array[place] = draw.choice((1, -1)) * m.mpf(draw.randrange(250, 1000)) / 1000
        return array if shape else array[()]

    def _each(
        self, claim: ArrayClaim, claimed: list[Estimate], measured: list[Estimate], where: str = ""
    ) -> Iterator[Pair]:
        import numpy as np

        out = tuple(size_of(d, self.sizes) for d in claim.function.shape)
        entries = list(np.ndindex(*out)) if len(measured) > 1 else [()]
        for a, b, entry in zip(claimed, measured, entries, strict=True):
            of = f"{claim.output}[{', '.join(map(str, entry))}]" if entry else ""
            by = f"by {where}" if where and of else where
            yield Pair(a, b, f"{claim.place}{' '.join(filter(None, (of, by)))}".strip())


def _added(found: Mapping[Expr, Any], terms: Sequence[Expr]) -> Any:
    return reduce(add, [found[t] for t in terms])


def _contracted(m: Any, measured: Sequence[Estimate], weights: Any) -> Estimate:
    import numpy as np

    flat = np.asarray(weights, dtype=object).reshape(-1)
    if any(e.value is None for e in measured):
        return Estimate(None, m.zero, any(e.clamped for e in measured))
    total = sum((e.value * w for e, w in zip(measured, flat, strict=True)), m.zero)
    return Estimate(
        total, sum((e.noise * abs(w) for e, w in zip(measured, flat, strict=True)), m.zero)
    )
