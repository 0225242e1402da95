"""Derivatives of functions of arrays by central differences, and claims compared with them.

As `chainrule.checking.by_numbers` for scalars: the functions' values, to 50 digits and more,
decide alone; no map and no partial derivative of the operator table is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import product
from math import prod
from typing import Any

from chainrule.checking.array_claims import ArrayClaim, Comparison, Pair, Shift
from chainrule.checking.array_points import ArrayPoint, ArraySearch, small_sizes
from chainrule.checking.array_values import ArrayTape
from chainrule.checking.differences import Estimate, digits_of, relative_error, settled
from chainrule.checking.numbers import context
from chainrule.core.expr import Expr
from chainrule.derivation.steps import Method

_STEP = 20
_DIGITS = 50
_TOLERANCE = 1e-20
_POINTS = 3
_COMFORT = 100_000  # numbers computed; beyond, along random directions and at fewer points
_MOST = 3  # times as many are computed at most, a few seconds
_PRECISE = 40  # times the step, where 50 digits may round away what matters
_PATIENCE = 6
_ROOM = 160
TOO_LARGE = "it is too large to be checked with many digits"
_NOWHERE = "no point in the domain was found"


class Differences:
    """An oracle: differences of the functions' values around a point."""

    def __init__(
        self, functions: Sequence[Expr], tape: ArrayTape, point: ArrayPoint, step: int, order: int
    ) -> None:
        self._functions, self._tape = functions, tape
        digits = _DIGITS + step * order
        self.m = m = context(digits)
        self.rounding = m.mpf(10) ** (3 - digits)
        self._step = m.mpf(10) ** -step
        self._point = point_in(m, point)
        self._known: dict[tuple[object, ...], tuple[dict[Expr, Any], Any, bool, Any]] = {}

    def along(self, function: Expr, shifts: Sequence[Shift]) -> list[Estimate]:
        """The derivative along one direction after the other, entry by entry."""
        import numpy as np

        m = self.m
        scale = (2 * self._step) ** len(shifts)
        total, noise, clamped = None, m.zero, False
        for signs in product((1, -1), repeat=len(shifts)):
            found, rounding, gone, _ = self._at(signs, shifts)
            value = np.asarray(found[function], dtype=object).reshape(-1) * prod(signs)
            total = value if total is None else total + value
            noise, clamped = max(noise, rounding), clamped or gone
        return [
            Estimate(None if v != v else v / scale, noise / scale, clamped)
            for v in (total if total is not None else [])
        ]

    def _at(
        self, signs: Sequence[int], shifts: Sequence[Shift]
    ) -> tuple[dict[Expr, Any], Any, bool, Sequence[Shift]]:
        # What a known value belongs to is kept with it: an identity is then one of a kind. Two
        # numbers may go along the same 1.
        key = (*signs, *((v.name, id(d)) for shift in shifts for v, d in shift.items()))
        if key not in self._known:
            moved = dict(self._point)
            for sign, shift in zip(signs, shifts, strict=True):
                for variable, direction in shift.items():
                    here = moved.get(variable.name, self.m.zero)
                    moved[variable.name] = here + sign * self._step * direction
            values = self._tape.run(self.m, moved)
            noise = self.m.ldexp(self.rounding, self._tape.magnitude)
            found = dict(zip(self._functions, values, strict=True))
            self._known[key] = (found, noise, self._tape.clamped, shifts)
        return self._known[key]


def point_in(m: Any, point: ArrayPoint) -> dict[str, Any]:
    """The point in the context's numbers."""
    import numpy as np

    def number(value: Any) -> Any:
        return m.mpf(value.numerator) / value.denominator

    return {
        name: np.vectorize(number, otypes=[object])(value)
        if isinstance(value, np.ndarray)
        else number(value)
        for name, value in point.items()
    }


def compare(
    claims: Sequence[ArrayClaim],
    text: str = "",
    *,
    points: int = _POINTS,
    comfort: int = _COMFORT,
    deadline: float = float("inf"),
) -> Method:
    """Compare claimed derivatives with difference quotients, at small sizes, entry by entry.

    >>> from chainrule.core.arrays import transpose
    >>> from chainrule.core.expr import symbol
    >>> A, x = symbol("A", ("n", "n")), symbol("x", ("n",))
    >>> right = ArrayClaim(x @ A @ x, (x,), "gradient", ((A + transpose(A)) @ x,), "y")
    >>> compare([right]).status
    'verified'
    >>> compare([right._replace(expressions=(2 * (A @ x),))]).status
    'failed'
    """
    for claim in claims:
        if claim.misfit:
            return Method("numeric", "failed", claim.misfit)
    functions = list(dict.fromkeys(c.function for c in claims))
    terms = [t for c in claims for t in (*c.expressions, *c.adjoints)]
    sizes = small_sizes([*functions, *terms])
    if sizes is None:
        return Method("numeric", "unverified", "no small sizes fit all the shapes")
    try:
        return _compare(Comparison(claims, sizes, deadline), text, points, comfort, deadline)
    except TimeoutError:
        return Method("numeric", "unverified", "the time for it ran out")


def _compare(
    comparison: Comparison, text: str, points: int, comfort: int, deadline: float
) -> Method:
    tape = ArrayTape(comparison.functions, comparison.sizes, deadline)
    size = tape.work + comparison.tape.work
    if comparison.runs() * tape.work > comfort:
        comparison.whole = True
    cost = comparison.runs() * tape.work + size
    if cost > _MOST * comfort:
        return Method("numeric", "unverified", TOO_LARGE)
    search = ArraySearch(
        comparison.functions, comparison.free(), comparison.sizes, text,
        enough=max(1, min(points, comfort // cost)), deadline=deadline,
    )  # fmt: skip
    order = max(c.order for c in comparison.claims)

    def pairs(at: ArrayPoint, step: int) -> list[Pair]:
        oracle = Differences(comparison.functions, tape, at, step, order)
        return list(comparison.pairs(point_in(oracle.m, at), oracle, oracle.rounding))

    compared, unsettled, worst = 0, 0, 0.0
    undecided: set[int] | None = None
    for point in search:
        found = pairs(point, _STEP)
        error = _largest(found)
        if error is not None and error > _TOLERANCE:
            found = pairs(point, 2 * _STEP)
            error = _largest(found)
        if error is not None and error > _TOLERANCE:
            witness = _witness(
                found, pairs(point, 3 * _STEP), partial(pairs, point, _PRECISE * _STEP)
            )
            if witness:
                witness = f"at {in_words(point, comparison.sizes)}: {witness}"
                return Method("numeric", "failed", witness, compared + 1, error)
            error, unsettled = None, unsettled + 1
            if unsettled == _PATIENCE:
                break
        if error is not None:
            compared, worst = compared + 1, max(worst, error)
            left = {i for i, p in enumerate(found) if _error(p) is None}
            undecided = left if undecided is None else undecided & left
    if undecided:
        return Method("numeric", "unverified", "some entries have no value at the points found")
    if compared:
        manner = "along random directions" if comparison.whole else ""
        return Method("numeric", "verified", manner, compared, worst)
    reason = "difference quotients do not settle" if unsettled else _NOWHERE
    return Method("numeric", "unverified", reason)


def _largest(pairs: Sequence[Pair]) -> float | None:
    """The largest relative error; None where nothing can be said."""
    return max((e for e in map(_error, pairs) if e is not None), default=None)


def _error(pair: Pair) -> float | None:
    return relative_error(pair.claimed, pair.measured)


def _witness(fine: Sequence[Pair], finer: Sequence[Pair], precise: Callable[[], list[Pair]]) -> str:
    """The first claim that finer steps refute as well, agreeing among themselves."""
    for i, (a, b) in enumerate(zip(fine, finer, strict=True)):
        if not (
            _error(a)
            and _error(b)
            and settled(a.claimed, b.claimed)
            and settled(a.measured, b.measured)
        ):
            continue
        # With more digits a value may be there after all, as that of 1/(1 - erf(x)).
        if a.claimed.value is not None or precise()[i].claimed.value is None:
            where = f"{a.place}: " if a.place else ""
            return f"{where}{digits_of(a.claimed.value)}, numerically {digits_of(a.measured.value)}"
    return ""


def in_words(point: ArrayPoint, sizes: Mapping[str, int]) -> str:
    """`n = 2, x = [1, -0.5]`; of large points the first numbers."""
    import numpy as np

    def shown(value: Any) -> str:
        if not isinstance(value, np.ndarray):
            return f"{float(value):.4g}"
        return f"[{', '.join(map(shown, value))}]"

    parts = [f"{name} = {size}" for name, size in sizes.items()]
    room = _ROOM
    for name, value in point.items():
        part = f"{name} = {shown(value)}"
        room -= len(part)
        parts.append(part if room > 0 else "…")
        if room <= 0:
            break
    return ", ".join(parts)
