"""Derivatives compared with difference quotients of the function as typed.

Nothing here reads a partial derivative from the operator table: the function's values,
to 50 digits and more, decide alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import comb, prod
from typing import Any

from chainrule.checking.numbers import Tape, context
from chainrule.checking.points import Point, Search, as_fraction, in_words, random_decimal
from chainrule.core.expr import ONE, Expr, free_symbols
from chainrule.core.ops import Kink
from chainrule.derivation.steps import Derivation, Method, Target

# A central difference of order k with the step h = 10^-20 is wrong by about h^2 times the
# next derivative but one, and by 10^-digits / h^k through rounding; with 50 + 20 k digits
# the second is 10^-50. The tolerance of 10^-20 therefore leaves 20 digits to functions that
# bend sharply, and no wrong formula comes so close by chance.
_STEP = 20
_DIGITS = 50
_TOLERANCE = 1e-20
_POINTS = 5
_BUDGET = 250_000  # node evaluations at most, about three seconds
_COMFORT = 60_000  # beyond this, fewer points
_PRECISE = 40  # times the step: 850 digits, where 50 may round away what matters
_PATIENCE = 8  # points where differences do not settle

Shift = tuple[tuple[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Claim:
    """That `expression` is the derivative `target`; `place` says to people which one."""

    expression: Expr
    target: Target
    place: str = ""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value, how wrong rounding may have made it, and whether it was too large to have."""

    value: Any
    noise: Any
    clamped: bool = False


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
        deadline: when to stop, as `time.perf_counter` tells it.

    >>> from chainrule.core.expr import ONE, symbol
    >>> x = symbol("x")
    >>> dy = Target(((ONE, 0, ("x",)),))
    >>> compare([x**3], [Claim(3 * x**2, dy)]).status
    'verified'
    >>> compare([x**3], [Claim(2 * x**2, dy)]).detail
    'at x = 1.082: 2.34145, numerically 3.51217'
    """
    comparison = _Comparison(functions, claims, deadline)
    known = {s.name for s in free_symbols([*functions, *comparison.weights])}
    search = Search(
        [*functions, *comparison.weights], domain, kinks, text,
        enough=points, first=first if first and known == set(first) else None, deadline=deadline,
    )  # fmt: skip
    if 2 * comparison.cost > _COMFORT:
        comparison.use_directions()
    cost = comparison.cost + search.cost
    if cost > _BUDGET:
        return Method("numeric", "unverified", "it is too large to be checked by numbers")
    affordable = max(1, _COMFORT // cost)
    search.enough = min(points, affordable)
    search.limit = max(4, min(400, _BUDGET // search.cost))
    most = min(3 * points, affordable)
    try:
        return _compare(comparison, search, most)
    except TimeoutError:
        return Method("numeric", "unverified", "the time for it ran out")


def _compare(comparison: _Comparison, search: Search, most: int) -> Method:
    compared, unsettled, worst = 0, 0, 0.0
    for point in search:
        error = comparison.error_at(point, _STEP)
        if error is not None and error > _TOLERANCE:
            error = comparison.error_at(point, 2 * _STEP)
        if error is not None and error > _TOLERANCE:
            witness = comparison.witness(point)
            if witness:
                return Method("numeric", "failed", witness, compared + 1, error)
            error, unsettled = None, unsettled + 1
            if unsettled == _PATIENCE:
                break
        if error is None:
            search.found -= 1
            continue
        compared, worst = compared + 1, max(worst, error)
        if compared == most:
            break
    if compared:
        return Method("numeric", "verified", comparison.manner, compared, worst)
    reason = "no point in the domain was found"
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
                shifts.update(shift for _, shift in _stencil(by))
            if (len(shifts) + sums) * len(self.functions.nodes) > _BUDGET:
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
            self.cost = self._cost(2**self.order)

    def error_at(self, point: Point, step: int) -> float | None:
        """The greatest relative error at the point; None where nothing can be said."""
        errors = [relative_error(a, b) for a, b, _ in self._pairs(_Values(self, point, step))]
        return max((e for e in errors if e is not None), default=None)

    def witness(self, point: Point) -> str:
        """The first claim that finer steps refute as well, agreeing among themselves."""
        fine = self._pairs(_Values(self, point, 2 * _STEP))
        finer = self._pairs(_Values(self, point, 3 * _STEP))
        for i, ((a, b, place), (a2, b2, _)) in enumerate(zip(fine, finer, strict=True)):
            # Far out on a steep function even the fine step may be coarse; the finer one decides.
            wrong = all(
                (e or 0) > _TOLERANCE for e in (relative_error(a, b), relative_error(a2, b2))
            )
            if not (wrong and settled(a, a2) and settled(b, b2)):
                continue
            if a.value is not None or not self._is_rounded_away(point, i):
                at = f"at {in_words(point)}: " if point else ""
                return f"{at}{place}{digits_of(a.value)}, numerically {digits_of(b.value)}"
        return ""

    def _is_rounded_away(self, point: Point, i: int) -> bool:
        """Whether a claim has a value after all: 1/(1 - erf(x)) is finite where erf is nearly 1."""
        precise = list(self._pairs(_Values(self, point, _PRECISE * _STEP)))
        return precise[i][0].value is not None

    def _pairs(self, values: _Values) -> Iterator[tuple[Estimate, Estimate, str]]:
        if self.manner:
            return self._pairs_by_direction(values)
        return self._pairs_by_claim(values)

    def _pairs_by_claim(self, values: _Values) -> Iterator[tuple[Estimate, Estimate, str]]:
        weight = dict(zip(self.weights, values.weights, strict=True))
        for claim, claimed in zip(self.claims, values.claims, strict=True):
            plain, gathered = _by_function(claim.target)
            terms = [(weight[w], values.partial(f, by)) for w, f, by in plain]
            for f, direction in gathered.items():
                components = [(name, weight[w]) for name, w in direction]
                terms.append((values.m.one, values.along(f, [components])))
            yield claimed, _combined(values.m, terms), claim.place

    def _pairs_by_direction(self, values: _Values) -> Iterator[tuple[Estimate, Estimate, str]]:
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
            yield _combined(m, weighted), along, "along a random direction "


class _Values:
    """Values of claims and functions at a point and around it, each computed once."""

    def __init__(self, comparison: _Comparison, point: Point, step: int) -> None:
        smallest = min((abs(v) for v in point.values() if v), default=1)
        while smallest < 1:
            smallest, step = smallest * 10, step + 1
        digits = _DIGITS + step * comparison.order
        self.m = m = context(digits)
        self._point = {n: m.mpf(v.numerator) / v.denominator for n, v in point.items()}
        self._step = m.mpf(10) ** -step
        self._rounding = m.mpf(10) ** (3 - digits)
        self._known: dict[Shift, tuple[list[Any], Any, bool]] = {}
        self._tape = comparison.functions
        found, noise, clamped = self._run(comparison.claimed, self._point)
        estimates = [Estimate(value, noise, clamped) for value in found]
        self.claims = estimates[: len(comparison.claims)]
        self.weights = found[len(comparison.claims) :]

    def _run(self, tape: Tape, values: Mapping[str, Any]) -> tuple[list[Any], Any, bool]:
        found = tape.run(self.m, values)
        return found, self.m.ldexp(self._rounding, tape.magnitude), tape.clamped

    def _shifted(self, shift: Shift) -> tuple[list[Any], Any, bool]:
        """The functions' values at the point shifted by multiples of the step."""
        if shift not in self._known:
            values = dict(self._point)
            for name, steps in shift:
                values[name] = values.get(name, self.m.zero) + steps * self._step
            self._known[shift] = self._run(self._tape, values)
        return self._known[shift]

    def _difference(self, f: int, order: int, terms: Sequence[tuple[int, Shift]]) -> Estimate:
        scale = (2 * self._step) ** order
        total = noise = self.m.zero
        for factor, shift in terms:
            found, rounding, clamped = self._shifted(shift)
            if found[f] is None:
                return Estimate(None, noise, clamped)
            total += factor * found[f]
            noise = max(noise, rounding)
        return Estimate(total / scale, noise / scale)

    def partial(self, f: int, by: tuple[str, ...]) -> Estimate:
        """The partial derivative of function number `f` by the variables `by`."""
        return self._difference(f, len(by), _stencil(by))

    def along(self, f: int, directions: Sequence[Sequence[tuple[str, Any]]]) -> Estimate:
        """The derivative of function number `f` along one direction after another."""
        if any(c is None for direction in directions for _, c in direction):
            return Estimate(None, self.m.zero)
        terms = []
        for signs in product((1, -1), repeat=len(directions)):
            shift: dict[str, Any] = {}
            for sign, direction in zip(signs, directions, strict=True):
                for name, component in direction:
                    shift[name] = shift.get(name, self.m.zero) + sign * component
            terms.append((prod(signs), tuple(shift.items())))
        return self._difference(f, len(directions), terms)


def _stencil(by: tuple[str, ...]) -> list[tuple[int, Shift]]:
    """Factors and shifts of the central difference, one variable after the other."""
    counts = sorted(Counter(by).items())
    terms = []
    for picks in product(*(range(k + 1) for _, k in counts)):
        pairs = list(zip(counts, picks, strict=True))
        factor = prod((-1) ** i * comb(k, i) for (_, k), i in pairs)
        terms.append((factor, tuple((name, k - 2 * i) for (name, k), i in pairs if k != 2 * i)))
    return terms


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


def _combined(m: Any, terms: Sequence[tuple[Any, Estimate]]) -> Estimate:
    total = noise = m.zero
    for weight, estimate in terms:
        if weight is None or estimate.value is None:
            return Estimate(None, noise, estimate.clamped)
        total += weight * estimate.value
        noise += abs(weight) * estimate.noise
    return Estimate(total, noise)


def relative_error(claimed: Estimate, numerical: Estimate) -> float | None:
    """The relative error; None where the differences or the rounding leave it open."""
    if numerical.value is None or (claimed.value is None and claimed.clamped):
        return None
    if claimed.value is None:
        return float("inf")
    noise = claimed.noise + numerical.noise
    size = max(abs(claimed.value), abs(numerical.value))
    if size <= noise:  # both are 0, as far as can be seen
        return 0.0 if noise < 1e-15 else None
    if noise > 1e-10 * size:
        return None
    gap = abs(claimed.value - numerical.value)
    return float(gap / size) if gap > noise else 0.0


def settled(a: Estimate, b: Estimate) -> bool:
    """Whether two estimates of one value agree."""
    if a.value is None or b.value is None:
        return a.value is b.value
    return bool(abs(a.value - b.value) <= 1e-10 * abs(b.value) + a.noise + b.noise)


def digits_of(value: Any) -> str:
    """A number as a witness shows it."""
    return "undefined" if value is None else f"{float(value):.6g}"
