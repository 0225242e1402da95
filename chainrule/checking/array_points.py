"""Small sizes for named dimensions, and points to compare arrays at.

As in `chainrule.checking.points`: the search is seeded by a text, entries are short
decimals, and both sides of every kink are among the points where that can be had.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from random import Random
from typing import Any
from zlib import crc32

from chainrule.checking.array_values import ArrayTape
from chainrule.checking.numbers import context
from chainrule.core.arrays import dim_of
from chainrule.core.expr import Apply, Expr, Sym, free_symbols, topological
from chainrule.core.shape import Dim, affine, size_of

ArrayPoint = dict[str, Any]  # numbers as Fractions, arrays as NumPy arrays of them

_KINKS = 16
_TRIES = 60
_DIGITS = 25
_TOO_NEAR = 1e-6
# (scale, sign): of one sign, or mixed.
_REGIMES = ((1, 0), (1, 1), (3, 0), (1, -1), (1, 2), (Fraction(1, 20), 0), (12, 0), (4, 2))


def small_sizes(roots: Sequence[Expr], smallest: int = 3) -> dict[str, int] | None:
    """Sizes for the dimensions (and the symbols used as places), different ones where it can be.

    None where no small sizes make every shape and place below the roots possible. Sizes of 2
    would hide a factor 2 in place of a dimension, as in the gradient of a mean of squares.

    >>> from chainrule.core.expr import symbol
    >>> small_sizes([symbol("X", ("N", "d")) @ symbol("w", ("d",))])
    {'N': 3, 'd': 4}
    """
    nodes = topological(roots)
    dims = list(dict.fromkeys(n for node in nodes for dim in node.shape for n in affine(dim) if n))
    places = [n for n in dict.fromkeys(_place_names(nodes)) if n not in dims]
    possible: dict[str, int] | None = None
    for attempt in range(_TRIES):
        draw = Random(attempt)
        wide = [smallest + i % 3 + attempt // 4 for i in range(len(dims))]
        if attempt % 4 > 1:
            draw.shuffle(wide)
        sizes = dict(zip(dims, wide, strict=True))
        # As places: ends of ranges grow from left to right.
        sizes |= {n: i + draw.randrange(2 + attempt // 8) for i, n in enumerate(places)}
        if _possible(nodes, sizes):
            if _regular(nodes, sizes):
                return sizes
            possible = possible or sizes
    return possible


def _place_names(nodes: Iterable[Expr]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, Apply) and node.op.name in ("index", "slice", "unit"):
            yield from (s.name for a in node.args[1:] for s in free_symbols([a]))


def _possible(nodes: Sequence[Expr], sizes: Mapping[str, int]) -> bool:
    for node in nodes:
        if any(size_of(dim, sizes) < 1 for dim in node.shape):
            return False
        if not isinstance(node, Apply) or node.op.name not in ("index", "slice"):
            continue
        lengths = [size_of(dim, sizes) for dim in node.args[0].shape]
        at = [size_of(dim_of(a), sizes) for a in node.args[1:]]
        if node.op.name == "index":
            if any(not 0 <= i < n for i, n in zip(at, lengths, strict=False)):
                return False
        elif any(not 0 <= a < b <= n for a, b, n in zip(at[::2], at[1::2], lengths, strict=True)):
            return False
    return True


def _regular(nodes: Sequence[Expr], sizes: Mapping[str, int]) -> bool:
    """Whether matrices that are inverted can have full rank: X' X, where X is tall."""
    ranks: dict[Expr, int] = {}
    for node in nodes:
        lengths = [size_of(dim, sizes) for dim in node.shape]
        of = [ranks[a] for a in node.args if len(a.shape) == 2]
        rank = min(lengths, default=1)
        if isinstance(node, Apply) and len(lengths) == 2:
            if node.op.name in ("matmul", "transpose", "neg"):
                rank = min(rank, *of) if len(of) == len(node.args) else min(rank, 1)
            elif node.op.name == "outer":
                rank = 1
            elif node.op.name in ("add", "sub") and len(of) == 2:
                rank = min(rank, sum(of))
        ranks[node] = rank
        if isinstance(node, Apply) and node.op.name in ("inv", "det"):
            (matrix,) = node.args
            if ranks[matrix] < size_of(matrix.shape[0], sizes):
                return False
    return True


def count_of(node: Expr, sizes: Mapping[str, int]) -> int:
    """The number of entries at these sizes."""
    count = 1
    for dim in node.shape:
        count *= size_of(dim, sizes)
    return count


class ArraySearch:
    """An iterator over points where the functions are defined and no kink is near.

    Attributes:
        symbols: what has a value at a point.
        cost: numbers computed for each try.
    """

    def __init__(
        self,
        functions: Sequence[Expr],
        others: Sequence[Expr],
        sizes: Mapping[str, int],
        text: str,
        *,
        enough: int = 3,
        deadline: float = float("inf"),
    ) -> None:
        """`others` are formulas whose names need values too; they need not be defined."""
        self._sizes, self._enough = sizes, enough
        self.symbols = [
            s for s in free_symbols([*functions, *others]) if s.shape or s.name not in sizes
        ]
        self._classes = class_numbers([*functions, *others])
        kinks = [
            kink.where
            for node in topological(functions)
            if isinstance(node, Apply)
            for kink in node.op.kinks(*node.args)
        ]
        self._kinks = list(dict.fromkeys(kinks))[:_KINKS]
        sides = [side for joint in self._kinks for side in joint.args]
        self._functions = len(functions)
        self._tape = ArrayTape([*functions, *sides], sizes, deadline)
        self.cost = self._tape.work
        self._draw = Random(crc32(text.encode()))

    def __iter__(self) -> Iterator[ArrayPoint]:
        m = context(_DIGITS)
        found, seen = 0, set[tuple[int, bool]]()
        for attempt in range(_TRIES):
            if found >= self._enough and (len(seen) == 2 * len(self._kinks) or attempt > 12):
                return
            point = {s.name: self._value(s, attempt) for s in self.symbols}
            sides = self._sides(m, point)
            if sides is not None and (found < self._enough or not seen.issuperset(sides)):
                found += 1
                seen |= sides
                yield point

    def _sides(self, m: Any, point: ArrayPoint) -> set[tuple[int, bool]] | None:
        """On which sides of the kinks entries are; None where undefined or too near one."""
        import numpy as np

        values = self._tape.run(m, point)
        if any(v != v for value in values[: self._functions] for v in np.ravel(value)):
            return None
        sides = set()
        for i in range(len(self._kinks)):
            left, right = values[self._functions + 2 * i : self._functions + 2 * i + 2]
            pairs = np.broadcast_arrays(
                np.asarray(left, dtype=object), np.asarray(right, dtype=object)
            )
            for a, b in zip(pairs[0].flat, pairs[1].flat, strict=True):
                if a != a or b != b:
                    continue  # in a branch that is not taken here
                if abs(a - b) <= _TOO_NEAR * (abs(a) + abs(b)):
                    return None
                sides.add((i, bool(a > b)))
        return sides

    def _value(self, symbol: Sym, attempt: int) -> Any:
        import numpy as np

        shape = tuple(size_of(dim, self._sizes) for dim in symbol.shape)
        scale, sign = _REGIMES[attempt % len(_REGIMES)]
        if sign == 2:  # each name its own
            sign = self._draw.choice((1, -1))
        classes = self._classes.get(symbol)
        array = np.empty(shape, dtype=object)
        for place in np.ndindex(*shape):
            if classes is not None:
                array[place] = Fraction(self._draw.randrange(size_of(classes, self._sizes)))
                continue
            signed = sign or self._draw.choice((1, -1))
            array[place] = signed * scale * Fraction(self._draw.randrange(150, 1000), 1000)
        return array if shape else array[()]


def class_numbers(roots: Sequence[Expr]) -> dict[Expr, Dim]:
    """Symbols that hold numbers of classes, and how many classes there are."""
    return {
        node.args[0]: node.shape[1]
        for node in topological(roots)
        if isinstance(node, Apply) and node.op.name == "one_hot"
    }
