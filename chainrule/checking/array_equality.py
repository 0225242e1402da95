"""Are two formulas over arrays the same function? Values at several sizes and points decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import prod
from typing import Any, NamedTuple

from chainrule.checking.answer import ArrayCounterexample
from chainrule.checking.array_differences import point_in
from chainrule.checking.array_points import ArrayPoint, ArraySearch, small_sizes
from chainrule.checking.array_values import ArrayTape
from chainrule.checking.equality import Equality
from chainrule.checking.numbers import context
from chainrule.core.errors import UnsupportedError
from chainrule.core.expr import Expr, free_symbols
from chainrule.core.shape import Shape, size_of

_DIGITS = 50
_TOLERANCE = 30  # digits that agree where two values are the same
_POINTS = 4
_SMALLEST = (3, 4)  # the least size of a dimension, in one half of the points and the other
_TRIES = 40
_LARGEST = 50_000  # numbers for each point


class Sample(NamedTuple):
    """A place to compare at."""

    sizes: Mapping[str, int]
    point: ArrayPoint


def samples(function: Expr, others: Sequence[Expr]) -> list[Sample]:
    """Points of different sizes where the function is defined, on both sides of its kinks.

    Raises:
        UnsupportedError: sizes that are given as numbers are too large.
    """
    found = []
    for smallest in _SMALLEST:
        sizes = small_sizes([function, *others], smallest)
        if sizes is not None:
            if ArrayTape([function, *others], sizes).work > _LARGEST:
                raise UnsupportedError(
                    "the arrays are too large to compare number by number",
                    hint="write names for their sizes, as matrix(n, m): the formula is the same",
                )
            search = ArraySearch(
                [function], others, sizes, f"{smallest} {function!r}", enough=_POINTS // 2
            )
            found += [Sample(sizes, point) for point in search]
    return found


def same_shape(a: Shape, b: Shape) -> bool:
    """Whether they are equal but for dimensions of 1: a row, a column and a vector are alike."""
    return [d for d in a if d != 1] == [d for d in b if d != 1]


class Values:
    """Formulas evaluated at a sample; equal where all entries agree to 30 digits."""

    def __init__(self, formulas: Sequence[Expr], sample: Sample) -> None:
        import numpy as np

        self.m = m = context(_DIGITS)
        tape = ArrayTape(formulas, sample.sizes)
        values = tape.run(m, point_in(m, sample.point))
        self._noise = m.ldexp(m.mpf(10) ** (5 - _DIGITS), max(0, tape.magnitude))
        self._found = dict(zip(formulas, values, strict=True))
        self._flat = {f: np.asarray(v, dtype=object).reshape(-1) for f, v in self._found.items()}

    def defined(self, formula: Expr) -> bool:
        """Whether every entry is a number."""
        return all(v == v for v in self._flat[formula])

    def listed(self, formula: Expr) -> Any:
        """The value as tuples of numbers."""
        return nested(self._found[formula])

    def same(self, a: Expr, b: Expr) -> bool:
        """Whether all entries agree."""
        return bool(self._largest(self._flat[a] - self._flat[b]) <= self._room(a, b))

    def vanish(self, *formulas: Expr) -> bool:
        """Whether all of them are 0, as on one side of a kink."""
        return all(not self._largest(self._flat[f]) for f in formulas)

    def ratio(self, a: Expr, b: Expr) -> Any:
        """The number that b is multiplied with to give a, or None."""
        first, second = self._flat[a], self._flat[b]
        pivot = max(range(len(second)), key=lambda i: abs(second[i]))
        if not second[pivot]:
            return None
        ratio = first[pivot] / second[pivot]
        gap = self._largest(first - ratio * second)
        return ratio if gap <= self._room(a, b) * (1 + abs(ratio)) else None

    def _largest(self, entries: Any) -> Any:
        return max((abs(v) for v in entries), default=self.m.zero)

    def _room(self, a: Expr, b: Expr) -> Any:
        size = max(self._largest(self._flat[a]), self._largest(self._flat[b]))
        return self._noise + size * self.m.mpf(10) ** -_TOLERANCE


def close(m: Any, a: Any, b: Any) -> bool:
    """Whether two values agree to 20 digits of their largest entries."""
    import numpy as np

    first, second = (np.asarray(v, dtype=object).reshape(-1) for v in (a, b))
    if len(first) != len(second):
        return False
    size = max((abs(v) for v in (*first, *second)), default=m.zero)
    gap = max((abs(v) for v in first - second), default=m.zero)
    return bool(gap <= size * m.mpf(10) ** -20)


def compare(function: Expr, right: Expr, given: Expr) -> Equality:
    """Compare an answer with a derivative of the function; they are `same_shape`.

    >>> from chainrule.core.expr import symbol
    >>> x = symbol("x", ("n",))
    >>> compare(x @ x, 2 * x, x + x).status
    'equal'
    """
    compared, undefined = 0, 0
    for sample in samples(function, [right, given]):
        values = Values([right, given], sample)
        if not values.defined(right):
            continue
        if not values.defined(given):
            undefined += 1
            continue
        compared += 1
        if not values.same(right, given):
            return Equality("different", False, compared)
    if compared:
        return Equality("equal", right is given, compared)
    return Equality("different" if undefined else "undecided")


def counterexample(function: Expr, right: Expr, given: Expr) -> ArrayCounterexample | None:
    """Small sizes and small whole numbers for which the two differ, by numbers of moderate size."""
    sizes = small_sizes([function, right, given], 2) or {}
    small: Mapping[str, int] = dict.fromkeys(sizes, 2)
    other: ArrayCounterexample | None = None
    for attempt in range(_TRIES):
        if attempt == _TRIES // 2:
            if other is not None:
                return other
            small = sizes
        try:
            found = _differing(function, right, given, small, attempt)
        except (ValueError, IndexError, KeyError):
            continue  # sizes of 2 are too small for a place or a range
        if found is not None:
            if _moderate(found.right) and _moderate(found.given):
                return found
            other = other or found
    return other


def _differing(
    function: Expr, right: Expr, given: Expr, sizes: Mapping[str, int], attempt: int
) -> ArrayCounterexample | None:
    point = {
        s.name: _whole(tuple(size_of(d, sizes) for d in s.shape), attempt, i)
        for i, s in enumerate(free_symbols([function, right, given]))
        if s.shape or s.name not in sizes
    }
    values = Values([function, right, given], Sample(sizes, point))
    if not values.defined(function) or not values.defined(right):
        return None
    if values.defined(given) and values.same(right, given):
        return None
    return ArrayCounterexample(
        dict(sizes), {n: nested(v) for n, v in point.items()},
        values.listed(right), values.listed(given) if values.defined(given) else None,
    )  # fmt: skip


def _moderate(value: Any) -> bool:
    """Whether all numbers are 0 or neither tiny nor huge."""
    if isinstance(value, tuple):
        return all(map(_moderate, value))
    return value is None or value == 0 or bool(1e-3 <= abs(value) <= 1e4)


def _whole(shape: tuple[int, ...], attempt: int, number: int) -> Any:
    """An array of small whole numbers; from attempt to attempt others, at last fractions."""
    import numpy as np

    array = np.empty(shape, dtype=object)
    for i, place in enumerate(np.ndindex(*shape)):
        mixed = (7 * attempt + 5 * number + 3 * i + i * i * (number + 1)) % 11
        value = Fraction((1, 2, 0, -1, 3, 1, -2, 2, 0, 1, -1)[mixed])
        array[place] = value if attempt % 4 < 2 else (1 + abs(value)) / (1 + attempt % 3 + 4)
    return array if prod(shape) and shape else array[()]


def nested(value: Any) -> Any:
    """An array as tuples of its numbers."""
    if not hasattr(value, "tolist"):
        return value
    listed = value.tolist()
    return tuple(tuple(row) if isinstance(row, list) else row for row in listed)
