"""Which typical error explains a wrong answer.

Every error of the table is tried on every operation of the expression, each time it occurs,
and everywhere at once; what comes out is compared with the answer, to 40 digits, at points
of the common domain. What is reported gives exactly the student's answer; where nothing does,
nothing is reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from chainrule.checking.diagnoses import DIGITS, Candidate, Diagnosis, Point, Spot
from chainrule.checking.equality import shared_context
from chainrule.checking.mistakes import TABLE
from chainrule.checking.numbers import Tape
from chainrule.checking.patience import limit
from chainrule.checking.places import Place
from chainrule.checking.two import two_mistakes
from chainrule.checking.whole import rounding, whole_answer
from chainrule.core.arithmetic import add, mul, sub
from chainrule.core.expr import (
    ONE,
    ZERO,
    Apply,
    Expr,
    Sym,
    depends_on,
    substitute,
    symbol,
    topological,
)
from chainrule.derivation.simplify import simplify
from chainrule.derivation.steps import Derivation

_POINTS = 4
_MOST_PLACES = 60
_MOST_OTHERS = 2
_WIDEST = 3_000  # nodes; a larger expression is not searched


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
        self.places: dict[Expr, Place] = {}
        self.order: list[Apply] = []
        if len(topological([function])) <= _WIDEST and self.points:
            self._walk()

    def _walk(self) -> None:
        """The right slopes of every node, and the spots."""
        x, f = self.variable, self.function
        active = depends_on([f], [x])
        self.slopes = {x: ONE}
        self.order = [n for n in topological([f]) if isinstance(n, Apply) and n in active]
        for node in self.order:
            place = self.places[node] = Place.of(node, self.slopes, x)
            if place.slope is not ZERO:
                self.slopes[node] = place.slope
        stack: list[tuple[Expr, Expr, tuple[Apply, ...]]] = [(f, ONE, ())]
        while stack and len(self.spots) < _MOST_PLACES:
            below, bar, trail = stack.pop()
            if below not in self.places:
                continue
            place = self.places[below]
            if not place.varying:
                continue  # its operands are constant after all, as in exp(x - x)
            self.spots.append(Spot(place, bar, trail))
            for i in reversed(place.varying):
                onward = mul(bar, place.locals[i])
                stack.append((place.node.args[i], onward, (*trail, place.node)))

    # ---- candidates

    def local_candidates(self) -> Iterator[Candidate]:
        """Each mistake at each spot."""
        for spot in self.spots:
            for mistake in TABLE:
                for slope in mistake.slopes(spot.place):
                    if slope is not spot.place.slope:
                        change = mul(spot.bar, sub(slope, spot.place.slope))
                        yield Candidate(mistake.rank, mistake, spot, slope, add(self.raw, change))

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
        found += whole_answer(self.function, self.variable, self.right, self.given, self.points)
        if not found:
            local = list(self.local_candidates())
            found = two_mistakes(local, self.right, self.given, self.points, self._told)
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
            m = shared_context(DIGITS)
            tape = Tape([self.given, *(c.answer for c in candidates)])
            given, *values = tape.run(m, point)
            noise = rounding(m, tape, given)
            candidates = [
                c
                for c, v in zip(candidates, values, strict=True)
                if v is not None and abs(v - given) <= noise
            ]
        return sorted(candidates, key=lambda c: (c.rank, len(c.spot.trail) if c.spot else 0))

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
        named: dict[Expr, Expr] = {
            n: symbol(v) for n, v in self.names.items() if isinstance(n, Apply)
        }
        return simplify(substitute([expression], named)[0], deadline=limit()).result

    def _path(self, spot: Spot, below: Expr | None = None) -> tuple[str, ...]:
        """The names along the trail, output first, then down to the variable if that is one way."""
        nodes: list[Expr] = [*spot.trail, spot.place.node]
        if below is not None:
            nodes.append(below)
        node = nodes[-1]
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


def _short(expression: Expr) -> Expr:
    return simplify(expression, deadline=limit()).result


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
