"""Two mistakes at once, where only one pair of kinds gives the answer.

Along different branches of the expression the changes that two mistakes make add up; of two on
one branch the outer multiplies what the inner one has changed. So the partner of a mistake is
looked up, and not every pair tried.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from chainrule.checking.diagnoses import DIGITS, Candidate, Diagnosis, Point, Spot
from chainrule.checking.equality import shared_context
from chainrule.checking.numbers import Tape
from chainrule.checking.whole import rounding
from chainrule.core.arithmetic import mul, sub
from chainrule.core.expr import Expr

_MOST = 400
_MOST_PARTNERS = 12
_CLEAR = 4  # by how much the best pair must be more typical than the next


class _Values(NamedTuple):
    """At a point: the whole difference, each mistake's change, the share that it is made in."""

    target: Any
    changes: list[Any]
    shares: list[Any]
    noise: Any


def two_mistakes(
    candidates: Sequence[Candidate],
    right: Expr,
    given: Expr,
    points: Sequence[Point],
    told: Callable[[Candidate], Diagnosis],
) -> list[tuple[int, Diagnosis]]:
    """The pair that gives the answer, if it is the only one of its kind."""
    usual = [c for c in candidates if c.rank <= 25 or c.mistake.kind == "sign"][:_MOST]
    pairs = [(c, c.spot) for c in usual if c.spot is not None]
    if not pairs or not points:
        return []
    values = [_at(point, pairs, right, given) for point in points[:3]]
    first = values[0]
    order = sorted((d, j) for j, d in enumerate(first.changes) if d is not None)
    keys = [d for d, _ in order]
    best: dict[tuple[str, ...], tuple[int, int, int]] = {}
    for i, (outer, spot) in enumerate(pairs):
        for nested in (False, True):
            wanted = _wanted(first, i, nested)
            if wanted is None:
                continue
            for j in _near(keys, order, wanted, 4 * first.noise):
                inner, below = pairs[j]
                if not _apart(spot, below, nested) or not all(
                    _fits(v, i, j, nested) for v in values
                ):
                    continue
                kinds = tuple(sorted((outer.mistake.kind, inner.mistake.kind)))
                best[kinds] = min(best.get(kinds, (10**6, 0, 0)), (outer.rank + inner.rank, i, j))
    ranked = sorted(best.values())
    if not ranked or (len(ranked) > 1 and ranked[1][0] - ranked[0][0] < _CLEAR):
        return []
    rank, i, j = ranked[0]
    return [(rank, told(pairs[i][0])._replace(second=told(pairs[j][0])))]


def _at(point: Point, pairs: Sequence[tuple[Candidate, Spot]], right: Expr, given: Expr) -> _Values:
    changes = [mul(s.bar, sub(c.slope, s.place.slope)) for c, s in pairs]
    shares = [mul(s.bar, s.place.slope) for _, s in pairs]
    m = shared_context(DIGITS)
    tape = Tape([given, right, *changes, *shares])
    found, wanted, *rest = tape.run(m, point)
    noise = 100 * rounding(m, tape, found)
    return _Values(found - wanted, rest[: len(pairs)], rest[len(pairs) :], noise)


def _wanted(values: _Values, i: int, nested: bool) -> Any:
    """The change that is left for the partner of a mistake."""
    change, share = values.changes[i], values.shares[i]
    if change is None:
        return None
    if not nested:
        return values.target - change
    if not share or not share + change:
        return None
    return (values.target - change) / (1 + change / share)


def _near(keys: list[Any], order: list[tuple[Any, int]], wanted: Any, width: Any) -> list[int]:
    start = bisect_left(keys, wanted - width)
    found: list[int] = []
    while start < len(keys) and keys[start] <= wanted + width and len(found) < _MOST_PARTNERS:
        found.append(order[start][1])
        start += 1
    return found


def _fits(values: _Values, i: int, j: int, nested: bool) -> bool:
    wanted, change = _wanted(values, i, nested), values.changes[j]
    if wanted is None or change is None:
        return False
    return bool(abs(wanted - change) <= 8 * values.noise * (1 + abs(wanted)))


def _apart(a: Spot, b: Spot, nested: bool) -> bool:
    """Whether two spots are on different branches; `nested`: whether b is below a."""
    below = _is_below(b, a)
    return below if nested else not below and not _is_below(a, b) and a is not b


def _is_below(b: Spot, a: Spot) -> bool:
    depth = len(a.trail)
    return b.trail[:depth] == a.trail and b.trail[depth : depth + 1] == (a.place.node,)
