"""Which typical error explains a wrong answer.

Every error of the table is tried on every operation of the expression, each time it occurs,
and everywhere at once; what comes out is compared with the answer, to 40 digits, at points
of the common domain. What is reported gives exactly the student's answer; where nothing does,
nothing is reported.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from chainrule.checking.mistakes import TABLE, Mistake, Place
from chainrule.checking.equality import shared_context
from chainrule.checking.numbers import Tape
from chainrule.core.arithmetic import PI, add, apply, div, mul, neg, reciprocal, sub
from chainrule.core.expr import (
    ONE,
    ZERO,
    Apply,
    Const,
    Expr,
    Sym,
    const,
    depends_on,
    fold,
    free_symbols,
    substitute,
    symbol,
    topological,
)
from chainrule.core.ops import Operator
from chainrule.derivation.backward import gradient
from chainrule.derivation.simplify import simplify
from chainrule.derivation.steps import Derivation

_DIGITS = 40
_POINTS = 4
_MOST_PLACES = 60
_MOST_OTHERS = 2
_WIDEST = 3_000  # nodes; a larger expression is not searched

Point = dict[str, Fraction]


class Diagnosis(NamedTuple):
    """A mistake that gives exactly the answer.

    Attributes:
        kind: which one, by the name in the table.
        at: the operation where it was made: the name of an intermediate, or the operation.
        inner: the operand that it is about, likewise.
        used: what the answer has for the derivative of the operation.
        right: what it should be; of a missing factor the factor.
        path: the path it is on, output first; empty where there is none to name.
        throughout: whether it was made everywhere.
        second: another mistake made as well.
    """

    kind: str
    at: Expr | None = None
    inner: Expr | None = None
    used: Expr | None = None
    right: Expr | None = None
    path: tuple[str, ...] = ()
    throughout: bool = False
    second: Diagnosis | None = None


class Spot(NamedTuple):
    """A place in the expression as a tree: how the output depends on it, and what is above."""

    place: Place
    bar: Expr
    trail: tuple[Apply, ...]


class Candidate(NamedTuple):
    """A mistake at a spot, or throughout, and the answer it gives."""

    rank: int
    mistake: Mistake
    spot: Spot | None
    slope: Expr
    answer: Expr


class Search:
    """The search for the mistake behind one wrong entry."""

    def __init__(
        self,
        function: Expr,
        variable: Sym,
        right: Expr,
        given: Expr,
        points: Sequence[Point],
        names: Mapping[Expr, str],
    ) -> None:
        self.function, self.variable, self.right, self.given = function, variable, right, given
        self.names = names
        self.points = sorted(points, key=lambda p: -min([*p.values(), Fraction(0)]))[:_POINTS]
        self.slopes: dict[Expr, Expr] = {}
        self.spots: list[Spot] = []
        if len(topological([function])) <= _WIDEST and self.points:
            self._walk()

    def _walk(self) -> None:
        """The right slopes of every node, and the spots."""
        x, f = self.variable, self.function
        active = depends_on([f], [x])
        self.slopes = {x: ONE}
        self.order = [n for n in topological([f]) if isinstance(n, Apply) and n in active]
        self.places: dict[Expr, Place] = {}
        for node in self.order:
            place = self.places[node] = Place.of(node, self.slopes, x)
            if place.slope is not ZERO:
                self.slopes[node] = place.slope
        stack: list[tuple[Expr, Expr, tuple[Apply, ...]]] = [(f, ONE, ())]
        while stack and len(self.spots) < _MOST_PLACES:
            node, bar, trail = stack.pop()
            if node not in self.places:
                continue
            place = self.places[node]
            self.spots.append(Spot(place, bar, trail))
            for i in reversed(place.varying):
                below = mul(bar, place.locals[i])
                stack.append((place.node.args[i], below, (*trail, place.node)))

    # ---- candidates

    def local_candidates(self) -> Iterator[Candidate]:
        """Each mistake at each spot."""
        for spot in self.spots:
            for mistake in TABLE:
                for slope in mistake.slopes(spot.place):
                    if slope is not spot.place.slope:
                        change = mul(spot.bar, sub(slope, spot.place.slope))
                        yield Candidate(
                            mistake.rank, mistake, spot, slope, add(self.raw, change)
                        )

    def habits(self) -> Iterator[Candidate]:
        """Each mistake made wherever it can be made, where that is more than once."""
        for mistake in TABLE:
            if not mistake.habit:
                continue
            places = [n for n in self.order if any(True for _ in mistake.slopes(self.places[n]))]
            occurrences = sum(s.place.node in places for s in self.spots)
            if occurrences < 2:
                continue
            slopes: dict[Expr, Expr] = {self.variable: ONE}
            for node in self.order:
                place = Place.of(node, slopes, self.variable)
                wrong = next(iter(mistake.slopes(place)), None)
                slope = place.slope if wrong is None else wrong
                if slope is not ZERO:
                    slopes[node] = slope
            answer = slopes.get(self.function, ZERO)
            yield Candidate(mistake.rank + 1, mistake, None, answer, answer)

    @property
    def raw(self) -> Expr:
        """The right answer as the slopes give it."""
        return self.slopes.get(self.function, ZERO)

    def run(self) -> tuple[Diagnosis, ...]:
        """The mistakes that give the answer, the most typical first; of each kind one."""
        found = [(c.rank, self._told(c)) for c in self._matching()]
        found += self._global()
        if not found:
            found = self._pairs()
        found.sort(key=lambda pair: pair[0])
        kinds: dict[str, Diagnosis] = {}
        for _, diagnosis in found:
            kinds.setdefault(diagnosis.kind, diagnosis)
        return tuple(kinds.values())[: 1 + _MOST_OTHERS]

    def _matching(self) -> list[Candidate]:
        candidates = [*self.local_candidates(), *self.habits()]
        for point in self.points:
            if not candidates:
                break
            m = shared_context(_DIGITS)
            tape = Tape([self.given, self.right, *(c.answer for c in candidates)])
            given, right, *values = tape.run(m, point)
            noise = m.ldexp(m.mpf(10) ** (6 - _DIGITS), max(0, tape.magnitude))
            noise = min(noise, m.mpf(10) ** -12 * (1 + abs(given)))
            candidates = [
                c
                for c, v in zip(candidates, values, strict=True)
                if v is not None and abs(v - given) <= noise
            ]
        return sorted(candidates, key=lambda c: (c.rank, len(c.spot.trail) if c.spot else 0))

    # ---- errors that are not made at one operation

    def _global(self) -> list[tuple[int, Diagnosis]]:
        """The whole answer is something else."""
        f, x, right, given = self.function, self.variable, self.right, self.given
        found: list[tuple[int, Diagnosis]] = []
        others = [s for s in free_symbols([f]) if s is not x]
        candidates: list[tuple[int, Diagnosis, Expr, Expr]] = [
            (21, Diagnosis("function itself"), f, given),
            (22, Diagnosis("integrated"), f, gradient(given, [x])[0]),
            (19, Diagnosis("differentiated twice"), gradient(right, [x])[0], given),
            (38, Diagnosis("sign"), neg(right), given),
            (40, Diagnosis("reciprocal"), mul(right, given), ONE),
        ]
        if not isinstance(f, Apply) or f not in self.places_or_none():
            candidates.append((9, Diagnosis("constant differentiated to 1"), ONE, given))
            candidates.append((9, Diagnosis("constant kept"), f, given))
        if others:
            slopes = gradient(f, others)
            for other, slope in zip(others, slopes, strict=True):
                candidates.append((9, Diagnosis("other variable", other), slope, given))
        degrees = div(apply(PI), const(180))
        for answer in self._in_degrees(degrees):
            candidates.append((13, Diagnosis("degrees"), answer, given))
        for rank, diagnosis, a, b in candidates:
            if self._same(a, b):
                found.append((rank, diagnosis))
        found += self._ratio()
        return found

    def places_or_none(self) -> Mapping[Expr, Place]:
        """The places; none where the expression is constant or was not searched."""
        return getattr(self, "places", {})

    def _in_degrees(self, degrees: Expr) -> Iterator[Expr]:
        trig = [
            n for n in topological([self.right, self.function])
            if isinstance(n, Apply) and n.op.name in ("sin", "cos", "tan", "sec", "csc", "cot")
        ]  # fmt: skip
        if not trig:
            return
        yield mul(self.right, degrees)
        yield div(self.right, degrees)
        scaled: dict[Expr, Expr] = {}

        def visit(node: Expr, args: list[Expr]) -> Expr:
            if not isinstance(node, Apply):
                return node
            if node in trig:
                return apply(node.op, mul(args[0], degrees))
            return apply(node.op, *args)

        (there,) = fold([self.function], visit)
        scaled[self.function] = there
        yield gradient(there, [self.variable])[0]
        (there,) = fold([self.right], visit)
        yield there

    def _same(self, a: Expr, b: Expr) -> bool:
        """Whether two formulas agree at the points, as far as both are defined there."""
        tape = Tape([a, b])
        seen = 0
        for point in self.points:
            m = shared_context(_DIGITS)
            left, right = tape.run(m, point)
            if left is None or right is None:
                continue
            noise = m.ldexp(m.mpf(10) ** (6 - _DIGITS), max(0, tape.magnitude))
            if abs(left - right) > min(noise, m.mpf(10) ** -12 * (1 + abs(right))):
                return False
            seen += 1
        return seen >= min(2, len(self.points)) and seen > 0

    def _ratio(self) -> list[tuple[int, Diagnosis]]:
        """The answer is a constant times the right one, or a constant more."""
        tape = Tape([self.right, self.given])
        ratios, offsets = [], []
        m = shared_context(_DIGITS)
        for point in self.points:
            right, given = tape.run(m, point)
            if right is None or given is None:
                continue
            offsets.append(given - right)
            if right:
                ratios.append(given / right)
        found = []
        constant = len(self.points) > 1 and len(free_symbols([self.right])) > 0
        if len(ratios) > 1 and constant and _close(m, ratios):
            factor = _as_fraction(ratios[0])
            if factor is not None and factor not in (0, 1, -1):
                found.append((39, Diagnosis("constant factor", used=const(factor))))
        if len(offsets) > 1 and constant and _close(m, offsets):
            offset = _as_fraction(offsets[0])
            if offset:
                found.append((39, Diagnosis("constant offset", used=const(offset))))
        for value in (n for n in topological([self.given]) if isinstance(n, Const)):
            rounded = value.decimal and Fraction(value.value).denominator > 1
            if rounded and ratios and all(abs(r - 1) < 0.006 for r in ratios):
                return [(8, Diagnosis("rounded"))]
        return found

    # ---- two mistakes at once

    def _pairs(self) -> list[tuple[int, Diagnosis]]:
        """Two errors at different operations, where only one pair of kinds gives the answer."""
        singles = [
            c for c in self.local_candidates()
            if c.spot is not None and (c.rank <= 24 or c.mistake.kind == "sign")
        ][:400]  # fmt: skip
        if not singles or not self.points:
            return []
        spots = [c.spot for c in singles if c.spot is not None]
        changes = [
            mul(s.bar, sub(c.slope, s.place.slope)) for c, s in zip(singles, spots, strict=True)
        ]
        shares = [mul(s.bar, s.place.slope) for s in spots]
        values = []
        for point in self.points[:3]:
            m = shared_context(_DIGITS)
            tape = Tape([self.given, self.right, *changes, *shares])
            given, right, *rest = tape.run(m, point)
            noise = m.ldexp(m.mpf(10) ** (8 - _DIGITS), max(0, tape.magnitude))
            noise = min(noise, m.mpf(10) ** -12 * (1 + abs(given)))
            values.append((given - right, rest[: len(singles)], rest[len(singles) :], noise))
        target, deltas, parts, noise = values[0]
        order = sorted((d, j) for j, d in enumerate(deltas) if d is not None)
        keys = [d for d, _ in order]
        found: dict[tuple[str, ...], tuple[int, Diagnosis]] = {}
        for i, (delta, part) in enumerate(zip(deltas, parts, strict=True)):
            if delta is None or part is None:
                continue
            for nested in (False, True):
                j = self._partner(target, delta, part, noise, keys, order, nested)
                for k in j:
                    if self._fits(values, i, k, nested) and _apart(spots[i], spots[k], nested):
                        first, second = singles[i], singles[k]
                        kinds = tuple(sorted((first.mistake.kind, second.mistake.kind)))
                        told = self._told(first)._replace(second=self._told(second))
                        rank = first.rank + second.rank
                        if kinds not in found or rank < found[kinds][0]:
                            found[kinds] = rank, told
        ranked = sorted(found.values(), key=lambda pair: pair[0])
        if len(ranked) > 1 and ranked[1][0] - ranked[0][0] < 4:
            return []
        return [(50 + rank, told) for rank, told in ranked[:1]]

    @staticmethod
    def _partner(
        target: Any, delta: Any, part: Any, noise: Any, keys: list[Any],
        order: list[tuple[Any, int]], nested: bool,
    ) -> list[int]:  # fmt: skip
        """The changes that add up with this one to the whole difference."""
        if nested:
            # With the share multiplied by r = 1 + delta/part, the inner change counts r times.
            if not part or not (part + delta):
                return []
            wanted = (target - delta) / (1 + delta / part)
        else:
            wanted = target - delta
        width = noise * 4
        start = bisect_left(keys, wanted - width)
        out = []
        while start < len(keys) and keys[start] <= wanted + width and len(out) < 12:
            out.append(order[start][1])
            start += 1
        return out

    @staticmethod
    def _fits(values: list[tuple[Any, ...]], i: int, k: int, nested: bool) -> bool:
        for target, deltas, parts, noise in values:
            if deltas[i] is None or deltas[k] is None or (nested and not parts[i]):
                return False
            scale = 1 + deltas[i] / parts[i] if nested else 1
            if abs(deltas[i] + scale * deltas[k] - target) > 8 * noise * (1 + abs(scale)):
                return False
        return True

    # ---- how it is told

    def _told(self, candidate: Candidate) -> Diagnosis:
        """The mistake, with the names of the derivation."""
        spot, kind = candidate.spot, candidate.mistake.kind
        if spot is None:
            return Diagnosis(kind, used=_short(candidate.slope), throughout=True)
        place = spot.place
        slot = place.inner if place.inner is not None else place.varying[0]
        if kind == "factor missing":
            return self._missing_factor(candidate, place, slot, spot)
        return Diagnosis(
            kind, self._label(place.node), self._label(place.node.args[slot]),
            _short(candidate.slope), _short(place.slope), self._path(spot),
        )  # fmt: skip

    def _missing_factor(
        self, candidate: Candidate, place: Place, slot: int, spot: Spot
    ) -> Diagnosis:
        """Which factor is missing: that below the operation, or its own."""
        inner = place.node.args[slot]
        local, slope = place.locals[slot], place.slopes[slot]
        if candidate.slope is local:
            below = self._path(spot, inner)
            return Diagnosis(
                "factor missing", self._label(inner), self.variable,
                local, _short(slope), below,
            )  # fmt: skip
        return Diagnosis(
            "factor missing", self._label(place.node), self._label(inner),
            slope, self._named(local), self._path(spot, inner),
        )  # fmt: skip

    def _label(self, node: Expr) -> Expr:
        return symbol(self.names[node]) if node in self.names else node

    def _named(self, expression: Expr) -> Expr:
        """The expression over the names of the intermediates, simplified."""
        named = {n: symbol(v) for n, v in self.names.items() if isinstance(n, Apply)}
        return simplify(substitute([expression], named)[0]).result

    def _path(self, spot: Spot, below: Expr | None = None) -> tuple[str, ...]:
        """The names along the trail, output first, then down to the variable if that is one way."""
        nodes: list[Expr] = [*spot.trail, spot.place.node]
        if below is not None:
            nodes.append(below)
        node: Expr = nodes[-1]
        while node in self.places:
            varying = {self.places[node].node.args[i] for i in self.places[node].varying}
            if len(varying) != 1:
                break
            node = varying.pop()
            nodes.append(node)
        names = [self.names[n] for n in nodes if n in self.names]
        if not names or names[-1] != self.variable.name:
            names.append(self.variable.name)
        return tuple(dict.fromkeys(names))


def _apart(a: Spot, b: Spot, nested: bool) -> bool:
    """Whether two spots are on different branches; `nested`: whether b is below a."""
    below = len(b.trail) > len(a.trail) and b.trail[len(a.trail)] is a.place.node
    prefix = b.trail[: len(a.trail)] == a.trail
    if nested:
        return below and prefix
    above = len(a.trail) > len(b.trail) and a.trail[len(b.trail)] is b.place.node
    return not (below and prefix) and not above and a is not b


def _close(m: Any, values: Sequence[Any]) -> bool:
    return all(abs(v - values[0]) <= m.mpf(10) ** -20 * (1 + abs(values[0])) for v in values)


def _as_fraction(value: Any) -> Fraction | None:
    """The simple fraction that the number is, if it is one."""
    found = Fraction(str(value)).limit_denominator(1000) if abs(value) < 1000 else None
    if found is None:
        return None
    return found if abs(value * found.denominator - found.numerator) < 1e-20 else None


def _short(expression: Expr) -> Expr:
    return simplify(expression).result


def names_of(derivation: Derivation) -> dict[Expr, str]:
    """The derivation's names, by what they stand for, and the variables'."""
    written: dict[Expr, Expr] = {}
    found: dict[Expr, str] = {}
    for u in derivation.intermediates:
        (expression,) = substitute([u.expression], written)
        written[symbol(u.name)] = expression
        if isinstance(expression, Apply):
            found.setdefault(expression, u.name)
    found.update({symbol(v): v for v in derivation.variables})
    return found


__all__ = ["Diagnosis", "Search", "names_of", "Operator", "reciprocal"]
