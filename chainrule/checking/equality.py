"""Are two formulas the same function, where both are defined?

Values decide against, at points of the common domain: both signs, several scales, both sides
of every kink. For equality exact simplification is asked first; where it does not settle it,
agreement at 50 digits at every point does.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import islice, product
from time import perf_counter
from typing import Any, Literal, NamedTuple

from chainrule.checking.numbers import Tape, context
from chainrule.checking.patience import limit
from chainrule.checking.points import Search
from chainrule.core.arithmetic import PI, div, sub
from chainrule.core.errors import DomainError
from chainrule.core.expr import (
    ONE,
    ZERO,
    Apply,
    Expr,
    apply,
    const,
    free_symbols,
    substitute,
    symbol,
)
from chainrule.core.ops import Kink
from chainrule.derivation.domain import ledger
from chainrule.derivation.simplify import simplify

_DIGITS = 50
_POINTS = 10
_FEWEST = 3  # points of the common domain without which nothing is said
_TRIES = 25  # points where only the right answer has a value, before the other has none
_ORDINARY = 64  # binary exponent of values that need no closer look
_FINEST = 1_600  # digits at most, where large intermediate values cancel
# mpmath takes seconds for one value of these with a thousand digits.
_SLOW = frozenset({"gamma", "digamma", "polygamma"})

Given = dict[str, Expr]
Status = Literal["equal", "different", "undecided"]


_contexts = threading.local()


def shared_context(digits: int) -> Any:
    """This thread's mpmath context of so many digits; to make one takes 2 ms."""
    known: dict[str, Any] = _contexts.__dict__
    key = f"digits{digits}"
    if key not in known:
        known[key] = context(digits)
    m = known[key]
    m.dps = digits  # a function of mpmath that failed may have left another precision
    return m


class Function(NamedTuple):
    """What is differentiated, and where its derivative exists.

    `deadline`: when to stop comparing with it, as `time.perf_counter` tells it.
    """

    expression: Expr
    variables: tuple[str, ...]
    domain: tuple[Expr, ...]
    kinks: tuple[Kink, ...]
    deadline: float = float("inf")


class Sample(NamedTuple):
    """The two values at a point, with the bound of what rounding may have done to them.

    `given` is None where the answer has no real value; `noise` is absolute.
    """

    right: Any
    given: Any
    noise: Any

    @property
    def differs(self) -> bool:
        """Whether the values are different numbers, or only one of them is a number."""
        return self.given is None or bool(abs(self.right - self.given) > self.noise)


class Equality(NamedTuple):
    """The outcome of a comparison.

    Attributes:
        status: `equal` on the common domain, `different`, or `undecided`.
        exact: whether simplification proved it.
        points: points of the common domain that were compared.
        common: those points, as values of the variables.
        witness: a point where they differ, one that can be checked by hand where possible.
        missing: a point where the derivative exists and the answer has no value.
    """

    status: Status
    exact: bool = False
    points: int = 0
    common: tuple[dict[str, Fraction], ...] = ()
    witness: Given | None = None
    missing: Given | None = None


def compare(function: Function, right: Expr, given: Expr) -> Equality:
    """Compare an answer with the derivative of a function, where that exists.

    What is open at the function's deadline is undecided.

    >>> from chainrule.core.expr import symbol
    >>> x = symbol("x")
    >>> compare(Function(x**2, ("x",), (), ()), 2 * x, x + x).status
    'equal'
    """
    if perf_counter() > min(function.deadline, limit()):
        return Equality("undecided")
    try:
        _, kinks = ledger([given], [symbol(v) for v in function.variables])
        nowhere = False
    except DomainError:
        kinks, nowhere = (), True
    try:
        return _compare(Comparison(function, right, given, kinks), nowhere)
    except TimeoutError:
        return Equality("undecided")


def _compare(comparison: Comparison, nowhere: bool) -> Equality:
    right, given = comparison.right, comparison.given
    found = list(comparison.common())
    points = tuple(point for point, _ in found)
    if any(sample.differs for _, sample in found):
        bad = next(point for point, sample in found if sample.differs)
        witness = comparison.nice(lambda s: s.given is not None and s.differs)
        exact_bad: Given = {name: const(value) for name, value in bad.items()}
        return Equality("different", False, len(found), points, witness or exact_bad)
    missing = comparison.missing()
    if nowhere or (not found and comparison.only_right() >= _TRIES):
        if missing is None:
            return Equality("undecided")
        return Equality("different", nowhere, 0, (), missing, missing)
    until = comparison.function.deadline
    exact = simplify(sub(given, right), deadline=until).result is ZERO
    fewest = _FEWEST if free_symbols([right, given]) else 1
    if not exact and len(found) < fewest:
        return Equality("undecided", False, len(found), points, None, missing)
    if exact and not found:
        return Equality("undecided", True, 0, (), None, missing)
    # A witness at a nice point, where a chance of the search has missed a region.
    late = comparison.nice(lambda s: s.given is not None and s.differs)
    if late is not None:
        return Equality("different", False, len(found), points, late)
    return Equality("equal", exact, len(found), points, None, missing)


def _stable(before: Sample, after: Sample, gap: Any) -> bool:
    """Whether the values were the same, against their difference, with fewer digits."""
    moved = abs(before.right - after.right) + abs(before.given - after.given)
    return bool(moved <= 1e-6 * gap)


class Comparison:
    """Values of the derivative and of the answer at points where the derivative exists."""

    def __init__(
        self, function: Function, right: Expr, given: Expr, more_kinks: Sequence[Kink] = ()
    ) -> None:
        self.function, self.right, self.given = function, right, given
        self.kinks = tuple(dict.fromkeys([*function.kinks, *more_kinks]))
        joints = [k.where.args for k in self.kinks if len(k.where.args) == 2]
        sides = [side for joint in joints for side in joint]
        self._tape = Tape(
            [right, given, function.expression, *function.domain, *sides], function.deadline
        )
        self._ends = 3 + len(function.domain)
        slow = any(isinstance(n, Apply) and n.op.name in _SLOW for n in self._tape.nodes)
        self._finest = 4 * _DIGITS if slow else _FINEST
        self.names = [
            s.name
            for s in free_symbols([function.expression, right, given])
        ]  # fmt: skip

    def at(self, point: Given | dict[str, Fraction], digits: int = _DIGITS) -> Sample | None:
        """The values at a point; None where the derivative does not exist or is not known."""
        before: Sample | None = None
        while True:
            m = shared_context(digits)
            sample = self._sample(m, point, digits)
            if sample is None or sample.given is None:
                return sample
            gap = abs(sample.right - sample.given)
            if gap > sample.noise:
                # Different, if it is not the rounding near a pole: closer values are the same.
                if before is not None and _stable(before, sample, gap):
                    if self._tape.magnitude <= _ORDINARY:
                        return sample
                    # Large values may have cancelled to an exact 0: look very closely.
                    m = shared_context(self._finest)
                    last = self._sample(m, point, self._finest)
                    if last is None or last.given is None:
                        return None
                    gap = abs(last.right - last.given)
                    return last if gap > last.noise and _stable(sample, last, gap) else None
            elif sample.noise <= m.mpf(10) ** -20 * max(abs(sample.right), abs(sample.given)) or (
                sample.noise <= m.mpf(10) ** -40
            ):
                return sample
            if digits >= (self._finest if before is None or gap <= sample.noise else 4 * _DIGITS):
                return None
            before = sample
            digits *= 2

    def _sample(self, m: Any, point: Given | dict[str, Fraction], digits: int) -> Sample | None:
        """The values with so many digits; None outside the domain, at a kink, if too large."""
        found = self._tape.run(m, _numbers(m, point))
        right, given, value = found[:3]
        conditions, sides = found[3 : self._ends], found[self._ends :]
        if right is None or value is None or not all(conditions):
            return None
        if given is None and self._tape.clamped:
            return None
        for a, b in zip(sides[::2], sides[1::2], strict=True):
            if a is not None and b is not None and abs(a - b) <= 1e-9 * (abs(a) + abs(b)):
                return None
        noise = m.ldexp(m.mpf(10) ** (5 - digits), max(0, self._tape.magnitude))
        return Sample(right, given, noise)

    def common(self) -> Iterator[tuple[dict[str, Fraction], Sample]]:
        """Points where the derivative and the answer have values."""
        search = self._search([self.function.expression, self.right, self.given])
        for point in search:
            sample = self.at(point)
            if sample is None or sample.given is None:
                search.found -= 1
            else:
                yield point, sample
                if sample.differs:
                    return

    def only_right(self) -> int:
        """How many points were found where the derivative has a value and the answer none."""
        search = self._search([self.function.expression, self.right])
        search.enough = _TRIES + 5
        samples = [self.at(point) for point in search]
        return sum(s is not None and s.given is None for s in samples)

    def missing(self) -> Given | None:
        """A nice point where the derivative exists and the answer has no value."""
        return self.nice(lambda s: s.given is None)

    def nice(self, wanted: Any) -> Given | None:
        """The wanted point that is easiest to check by hand, if one is found in time."""
        best: tuple[int, Given] | None = None
        for effort, point in _nice_points(self.names):
            if best is not None and effort >= best[0]:
                continue
            try:
                sample = self.at(point)
            except TimeoutError:
                break
            if sample is not None and wanted(sample):
                cost = effort + _toil(sample.right) + (_toil(sample.given))
                if best is None or cost < best[0]:
                    best = cost, point
        return best[1] if best else None

    def _search(self, functions: Sequence[Expr]) -> Search:
        shown = f"{self.function.variables}/{len(self._tape.nodes)}"
        return Search(
            functions, self.function.domain, self.kinks, shown, enough=_POINTS,
            deadline=self.function.deadline,
        )  # fmt: skip


def _numbers(m: Any, point: Given | dict[str, Fraction]) -> dict[str, Any]:
    """The coordinates as mpmath numbers, pi to as many digits as are wanted."""
    values = list(point.values())
    expressions = [v for v in values if isinstance(v, Expr)]
    known = dict(zip(expressions, Tape(expressions).run(m, {}), strict=True)) if expressions else {}
    return {n: known[v] if isinstance(v, Expr) else v for n, v in point.items()}


def _toil(value: Any) -> int:
    """How hard a value is to compare by hand: 0 for a small whole number."""
    if value is None:
        return 1
    size = abs(value)
    if size > 1000 or (0 < size < 0.001):
        return 8
    for denominator, cost in ((1, 0), (2, 1), (3, 1), (4, 1), (6, 2), (8, 2), (9, 2)):
        scaled = value * denominator
        if abs(scaled - round(float(scaled))) < 1e-25:
            return cost + (2 if abs(scaled) > 60 else 0)
    return 4


_COORDINATES: tuple[tuple[int, Expr], ...] = (
    (0, ONE), (1, const(2)), (1, ZERO), (1, const(-1)), (2, const(3)), (2, const(-2)),
    (2, const(Fraction(1, 2))), (3, const(Fraction(-1, 2))), (3, div(apply(PI), const(2))),
    (3, apply(PI)), (4, div(apply(PI), const(4))), (4, div(apply(PI), const(3))),
    (4, div(apply(PI), const(6))), (4, const(4)), (5, const(Fraction(1, 4))), (5, const(5)),
    (5, const(-3)), (6, const(Fraction(1, 3))), (6, const(10)), (6, const(Fraction(1, 10))),
)  # fmt: skip
_SEVERAL = (1, 2, 3, -1, 0, Fraction(1, 2), 5, -2)


def _nice_points(names: Sequence[str]) -> Iterator[tuple[int, Given]]:
    """Points that can be checked by hand, the easiest first."""
    if not names:
        yield 0, {}
    elif len(names) == 1:
        for effort, value in _COORDINATES:
            yield effort, {names[0]: value}
    else:
        few = names[:3]
        choices = sorted(
            product(range(5), repeat=len(few)), key=lambda c: (sum(c), len(set(c)) < len(c), c)
        )
        for effort, choice in enumerate(islice(choices, 40)):
            values = [const(_SEVERAL[i]) for i in choice]
            point: Given = dict(zip(few, values, strict=True))
            # Of many names the rest differ too, so that no two are mistaken for each other.
            point.update({n: const(2 + j % 3) for j, n in enumerate(names[3:])})
            yield effort // 4, point


def value_at(expression: Expr, point: Given) -> Expr:
    """The exact value at a point, simplified."""
    (value,) = substitute([expression], {symbol(n): v for n, v in point.items()})
    return simplify(value, deadline=limit()).result
