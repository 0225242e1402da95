"""Derivatives compared with difference quotients of the function as typed.

Nothing here reads a partial derivative from the operator table: the function's values,
to 50 digits and more, decide alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod
from time import perf_counter

from chainrule.checking.differences import (
    STEP,
    Estimate,
    Shift,
    Values,
    combined,
    compared,
    digits_of,
    relative_error,
    settled,
    shows_nothing,
    stencil,
)
from chainrule.checking.numbers import Tape
from chainrule.checking.points import Point, Search, as_fraction, in_words, random_decimal
from chainrule.core.expr import ONE, Expr, free_symbols
from chainrule.core.ops import Kink
from chainrule.derivation.steps import Derivation, Method, Target

# Differences are wrong by about 10^-40 (`chainrule.checking.differences`). The tolerance of
# 10^-20 leaves 20 digits to functions that bend sharply, and no wrong formula comes so close
# by chance.
_TOLERANCE = 1e-20
_POINTS = 5
_COMFORT = 60_000  # node evaluations; beyond this, fewer points
_LARGE = 250_000  # about three seconds; beyond this, at one point along the graph
_TRIES = 12  # at least, to find a point
_SECONDS = 30.0  # unless somebody says how long
_PRECISE = 40  # times the step: 850 digits, where 50 may round away what matters
_PATIENCE = 8  # points where differences do not settle


Pair = tuple[Estimate, Estimate, str]


@dataclass(frozen=True, slots=True)
class Claim:
    """That `expression` is the derivative `target`; `place` says to people which one."""

    expression: Expr
    target: Target
    place: str = ""


def verify_by_numbers(derivation: Derivation, deadline: float = float("inf")) -> Method:
    """Compare each entry of the result with differences of the function as typed."""
    d = derivation
    alone = sum(map(len, d.targets)) == 1
    claims = [
        Claim(entry, target, "" if alone else f"entry ({i}, {j}) is ")
        for i, (row, targets) in enumerate(zip(d.result.entries, d.targets, strict=True), 1)
        for j, (entry, target) in enumerate(zip(row, targets, strict=True), 1)
    ]
    first = {name: as_fraction(value) for name, value in d.point.items()}
    return compare(
        d.functions, claims, d.domain, d.kinks, d.program.source, first=first, deadline=deadline
    )


def compare(
    functions: Sequence[Expr],
    claims: Sequence[Claim],
    domain: Sequence[Expr] = (),
    kinks: Sequence[Kink] = (),
    text: str = "",
    *,
    points: int = _POINTS,
    first: Point | None = None,
    deadline: float = float("inf"),
) -> Method:
    """Compare claimed derivatives of the functions with difference quotients.

    Args:
        functions: what was differentiated.
        claims: what the derivatives are said to be.
        domain, kinks: relations that must hold at a point; places to look at both sides of.
        text: seeds the search for points.
        points: how many to compare at where the work stays within bounds; up to three times
            as many where that takes to see both sides of kinks.
        first: a point to try first, if it has a value for each name.
        deadline: when to stop, as `time.perf_counter` tells it; by default in 30 seconds.

    >>> from chainrule.core.expr import ONE, symbol
    >>> x = symbol("x")
    >>> dy = Target(((ONE, 0, ("x",)),))
    >>> compare([x**3], [Claim(3 * x**2, dy)]).status
    'verified'
    >>> compare([x**3], [Claim(2 * x**2, dy)]).detail
    'at x = 1.082: 2.34145, numerically 3.51217'
    """
    late = "the time for it ran out"
    if deadline == float("inf"):
        deadline = perf_counter() + _SECONDS
        late = f"it is too large to be checked by numbers in {_SECONDS:g} seconds"
    try:
        comparison = _Comparison(functions, claims, deadline)
        known = {s.name for s in free_symbols([*functions, *comparison.weights])}
        search = Search(
            [*functions, *comparison.weights], domain, kinks, text,
            enough=points, first=first if first and known == set(first) else None,
            deadline=deadline,
        )  # fmt: skip
        if 2 * comparison.cost > _COMFORT:
            comparison.use_directions()
        cost = comparison.cost + search.cost
        if cost > _LARGE:
            comparison.use_graphs()
        affordable = max(1, _COMFORT // cost)
        search.enough = min(points, affordable)
        search.limit = max(_TRIES, min(400, _LARGE // search.cost))
        return _compare(comparison, search, min(3 * points, affordable))
    except TimeoutError:
        return Method("numeric", "unverified", late)


def _compare(comparison: _Comparison, search: Search, most: int) -> Method:
    compared, unsettled, blind, worst = 0, 0, False, 0.0
    manner = comparison.manner
    try:
        for point in search:
            error = comparison.error_at(point, STEP)
            if error is not None and error > _TOLERANCE:
                error = comparison.error_at(point, 2 * STEP)
            if error is not None and error > _TOLERANCE:
                witness = comparison.witness(point)
                if witness:
                    return Method("numeric", "failed", witness, compared + 1, error)
                error, unsettled = None, unsettled + 1
                if unsettled == _PATIENCE:
                    break
            if error is None:
                search.found, blind = search.found - 1, True
                continue
            compared, worst = compared + 1, max(worst, error)
            if compared == most:
                break
    except TimeoutError:
        if not compared:
            raise
        manner = "the time for more ran out"
    if compared:
        return Method("numeric", "verified", manner, compared, worst)
    reason = "no point in the domain was found"
    if blind:
        reason = "rounding hides the derivative, or the values are too large"
    if unsettled:
        reason = "difference quotients do not settle"
    return Method("numeric", "unverified", reason)


class _Comparison:
    """The claims, and how they are compared: each by itself, or along random directions."""

    def __init__(self, functions: Sequence[Expr], claims: Sequence[Claim], deadline: float) -> None:
        self.claims = claims
        self.weights = list(dict.fromkeys(w for c in claims for w, _, _ in c.target.terms))
        self.functions = Tape(functions, deadline)
        self.claimed = Tape([*(c.expression for c in claims), *self.weights], deadline)
        self.order = max((len(by) for c in claims for _, _, by in c.target.terms), default=1)
        self.manner = ""
        self._graphs = False
        self._directions = False
        self._point: Point | None = None
        self._closer: dict[int, list[Pair]] = {}  # at this point, by step
        self.cost = self._cost(self._shifts())

    def _cost(self, shifts: int) -> int:
        return shifts * len(self.functions.nodes) + len(self.claimed.nodes)

    def _shifts(self) -> int:
        """How many shifted points all claims need; a lower bound once that is too many."""
        shifts: set[Shift] = set()
        sums = 0
        for claim in self.claims:
            plain, gathered = _by_function(claim.target)
            sums += 2 * len(gathered)
            for _, _, by in plain:
                shifts.update(shift for _, shift in stencil(by))
            if (len(shifts) + sums) * len(self.functions.nodes) > _LARGE:
                break
        return len(shifts) + sums

    def use_directions(self) -> None:
        """Compare along random directions, if the claims are all the partials of an order."""
        terms = [claim.target.terms[0] for claim in self.claims]
        names = list(dict.fromkeys(name for _, _, by in terms for name in by))
        indices = {f for _, f, _ in terms}
        distinct = {(f, by) for w, f, by in terms if w is ONE and len(by) == self.order}
        if (
            self.order <= 2 < len(names) + 1
            and all(len(claim.target.terms) == 1 for claim in self.claims)
            and len(distinct) == len(terms) == len(indices) * len(names) ** self.order
        ):
            self.manner = "along random directions"
            self._directions = True
            self.cost = self._cost(2**self.order)

    def use_graphs(self) -> None:
        """Compare with slopes along the graphs of the functions, if the order is one."""
        if self.order == 1:
            self._graphs = True
            self.manner = "with the differences of each operation"

    def error_at(self, point: Point, step: int) -> float | None:
        """The greatest relative error at the point; None where nothing can be said."""
        errors = [_error(a, b) for a, b, _ in self._pairs_at(point, step)]
        return max((e for e in errors if e is not None), default=None)

    def witness(self, point: Point) -> str:
        """The first claim that finer steps refute as well, agreeing among themselves."""
        fine, finer = self._pairs_at(point, 2 * STEP), self._pairs_at(point, 3 * STEP)
        for i, ((a, b, place), (a2, b2, _)) in enumerate(zip(fine, finer, strict=True)):
            # Far out on a steep function even the fine step may be coarse; the finer one decides.
            wrong = all((e or 0) > _TOLERANCE for e in (_error(a, b), _error(a2, b2)))
            if not (wrong and settled(a, a2) and settled(b, b2)):
                continue
            if a.value is not None or not self._is_rounded_away(point, i):
                at = f"at {in_words(point)}: " if point else ""
                return f"{at}{place}{digits_of(a.value)}, numerically {digits_of(b.value)}"
        return ""

    def _is_rounded_away(self, point: Point, i: int) -> bool:
        """Whether a claim has a value after all: 1/(1 - erf(x)) is finite where erf is nearly 1."""
        precise = list(self._pairs(self._values(point, _PRECISE * STEP)))
        return precise[i][0].value is not None

    def _values(self, point: Point, step: int, closer: bool = False) -> Values:
        return Values(
            self.functions, self.claimed, len(self.claims), self.order, point, step, closer
        )

    def _pairs_at(self, point: Point, step: int) -> list[Pair]:
        """What is claimed and what is found, looked at more closely where that shows nothing."""
        if point is not self._point:
            self._point, self._closer = point, {}
        if not self._graphs and not self._closer:
            pairs = list(self._pairs(self._values(point, step)))
            if not any(shows_nothing(a, b) for a, b, _ in pairs):
                return pairs
        fine = self._closely(point, step)
        if self.order > 1:
            return fine
        if step == STEP:  # agreement says enough; what noise there is shows with more digits
            return [(a, replace(b, noise=0), place) for a, b, place in fine]
        return [
            (compared(a, a1), compared(b, b1), place)
            for (a, b, place), (a1, b1, _) in zip(
                fine, self._closely(point, step - STEP), strict=True
            )
        ]

    def _closely(self, point: Point, step: int) -> list[Pair]:
        if step not in self._closer:
            self._closer[step] = list(self._pairs(self._values(point, step, closer=True)))
        return self._closer[step]

    def _pairs(self, values: Values) -> Iterator[Pair]:
        if self._directions:
            return self._pairs_by_direction(values)
        return self._pairs_by_claim(values)

    def _pairs_by_claim(self, values: Values) -> Iterator[Pair]:
        weight = dict(zip(self.weights, values.weights, strict=True))
        for claim, claimed in zip(self.claims, values.claims, strict=True):
            plain, gathered = _by_function(claim.target)
            terms = [(weight[w], values.partial(f, by)) for w, f, by in plain]
            for f, direction in gathered.items():
                components = [(name, weight[w]) for name, w in direction]
                terms.append((values.m.one, values.along(f, [components])))
            yield claimed, combined(values.m, terms), claim.place

    def _pairs_by_direction(self, values: Values) -> Iterator[Pair]:
        m = values.m
        by_function: dict[int, list[tuple[tuple[str, ...], Estimate]]] = {}
        for claim, claimed in zip(self.claims, values.claims, strict=True):
            _, f, by = claim.target.terms[0]
            by_function.setdefault(f, []).append((by, claimed))
        for f, entries in by_function.items():
            names = list(dict.fromkeys(by[0] for by, _ in entries))
            directions = [
                {name: m.mpf(random_decimal(f"{name}/{i}")) / 1000 for name in names}
                for i in range(self.order)
            ]
            weighted = [
                (prod((d[name] for d, name in zip(directions, by, strict=True)), start=m.one), e)
                for by, e in entries
            ]
            along = values.along(f, [list(d.items()) for d in directions])
            yield combined(m, weighted), along, "along a random direction "


Plain = list[tuple[Expr, int, tuple[str, ...]]]
Gathered = dict[int, list[tuple[str, Expr]]]


def _by_function(target: Target) -> tuple[Plain, Gathered]:
    """The terms; several first derivatives of a function as one along a direction."""
    first = Counter(f for _, f, by in target.terms if len(by) == 1)
    plain: Plain = []
    gathered: Gathered = {}
    for w, f, by in target.terms:
        if len(by) == 1 and first[f] > 1:
            gathered.setdefault(f, []).append((by[0], w))
        else:
            plain.append((w, f, by))
    return plain, gathered


def _error(claimed: Estimate, numerical: Estimate) -> float | None:
    """The relative error; None where the claim is a number, and differences show none."""
    error = relative_error(claimed, numerical)
    size = 0 if claimed.value is None else abs(claimed.value)
    hidden = numerical.noise >= size > 1e10 * claimed.noise
    return None if error == 0 and hidden else error
