"""Sparsity of Jacobians and Hessians, and the columns that one product can carry.

Columns without a row in common can be told apart in the product of the matrix with their sum,
so a sparse matrix is known from few products with directions: as many as its columns have
colors. A symmetric matrix needs fewer, because each entry may be read in its row or its column.

Curtis, Powell & Reid, *On the estimation of sparse Jacobian matrices* (1974); Gebremedhin,
Tarafdar, Manne & Pothen, *New acyclic and star coloring algorithms with application to
computing Hessians* (2007).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.core.errors import ShapeError, UsageError
from chainrule.core.expr import Expr, topological
from chainrule.derivation.backward import varying

Place = tuple[int, int]


def sparsity(ys: Sequence[Expr], xs: Sequence[Expr]) -> list[Place]:
    """Where the Jacobian of scalars by scalars may differ from 0: (row, column), in order.

    Found from the graph alone, without a derivative: the places of `jacobian(ys, xs,
    sparse=True)` are among these. Of a Hessian: `sparsity(gradient(y, xs), xs)`.

    Raises:
        ShapeError: vectors or matrices.

    >>> from chainrule.core.expr import symbol
    >>> x, y = symbol("x"), symbol("y")
    >>> sparsity([x * y, y**2], [x, y])
    [(0, 0), (0, 1), (1, 1)]
    """
    if any(e.shape for e in (*ys, *xs)):
        raise ShapeError("the sparsity is that of scalars by scalars", hint="write the entries out")
    columns: dict[Expr, list[int]] = {}
    for j, x in enumerate(xs):
        columns.setdefault(x, []).append(j)
    active = set(xs)
    order = varying(topological(ys), active)
    pending = Counter(a for node in order for a in {*node.args} if a in active)
    pending.update(y for y in ys if y in active)
    reached = {x: _Reached(set(found), pending[x]) for x, found in columns.items()}
    for node in order:
        reached[node] = _joined([reached[a] for a in {*node.args} if a in active])
        reached[node].pending += pending[node]
    return [(i, j) for i, y in enumerate(ys) if y in active for j in sorted(reached[y].columns)]


@dataclass(slots=True, eq=False)
class _Reached:
    """The variables below some nodes, and how many users of these nodes are still to come."""

    columns: set[int]
    pending: int


def _joined(parts: list[_Reached]) -> _Reached:
    """The union; it takes over the largest part where nobody else needs that any more."""
    for part in parts:
        part.pending -= 1
    parts.sort(key=lambda part: len(part.columns))
    largest = parts.pop()
    more = set().union(*[p.columns for p in parts]) - largest.columns if parts else set()
    if not more:
        return largest
    if largest.pending:
        return _Reached(largest.columns | more, 0)
    largest.columns |= more
    return largest


@dataclass(frozen=True)
class Coloring:
    """The columns of a sparse matrix in groups that one product each makes known.

    Attributes:
        colors: the color of each column, from 0.
        places: the places of the matrix that may differ from 0.
        symmetric: whether entries may be read from the other side of the diagonal.
    """

    colors: tuple[int, ...]
    places: tuple[Place, ...]
    symmetric: bool

    @property
    def count(self) -> int:
        """The number of colors, which is that of the products needed."""
        return max(self.colors, default=-1) + 1

    def directions(self) -> list[list[int]]:
        """For each color the sum of its columns' unit vectors: what to multiply with."""
        return [[int(c == color) for c in self.colors] for color in range(self.count)]

    def entries(self, products: Sequence[Sequence[Any]]) -> dict[Place, Any]:
        """The matrix by places, from its products with the `directions`.

        Args:
            products: for each direction the vector of the rows, of expressions or numbers.
        """
        colors = self.colors
        by_column = {(i, j): products[colors[j]][i] for i, j in self.places}
        if self.symmetric:
            together = Counter((i, colors[j]) for i, j in self.places)
            for i, j in self.places:
                if together[i, colors[j]] > 1:
                    by_column[i, j] = products[colors[i]][j]
        return by_column


def color_columns(places: Iterable[Place], columns: int, symmetric: bool = False) -> Coloring:
    """Colors for the columns of a matrix, given where it may differ from 0.

    Greedy, the longest columns first; linear in the places, as long as colors are few.

    Args:
        places: (row, column), as `sparsity` gives them, or the keys of a sparse Jacobian.
        columns: how many columns there are.
        symmetric: for a Hessian: no two columns of a color meet on the diagonal's side from
            which an entry is read (a star coloring).

    Raises:
        UsageError: a place outside the matrix, or a symmetric one that is not.

    >>> n = 100
    >>> arrow = [(i, j) for i in range(n) for j in range(n) if i == j or 0 in (i, j)]
    >>> color_columns(arrow, n).count, color_columns(arrow, n, symmetric=True).count
    (100, 2)
    """
    listed = tuple(dict.fromkeys(places))
    if any(i < 0 or not 0 <= j < columns for i, j in listed):
        raise UsageError(f"a place outside of {columns} columns", hint="count from 0")
    by_column: list[list[int]] = [[] for _ in range(columns)]
    for i, j in listed:
        by_column[j].append(i)
    if symmetric and ({(j, i) for i, j in listed} != {*listed}):
        raise UsageError(
            "the places are not symmetric", hint="give both (i, j) and (j, i), as of a Hessian"
        )
    order = sorted(range(columns), key=lambda j: -len(by_column[j]))
    found = _star(by_column, order) if symmetric else _orthogonal(by_column, order)
    return Coloring(tuple(found), listed, symmetric)


def _least_free(taken: int) -> int:
    """The lowest bit that is not set."""
    return (~taken & (taken + 1)).bit_length() - 1


def _orthogonal(by_column: list[list[int]], order: list[int]) -> list[int]:
    """No two columns of a color have a row in common."""
    colors = [0] * len(by_column)
    taken: dict[int, int] = {}  # for each row the colors in it, as bits
    for j in order:
        mask = 0
        for i in by_column[j]:
            mask |= taken.get(i, 0)
        colors[j] = _least_free(mask)
        for i in by_column[j]:
            taken[i] = taken.get(i, 0) | 1 << colors[j]
    return colors


def _star(neighbours: list[list[int]], order: list[int]) -> list[int]:
    """Neighbours differ, and every path over four columns has three colors.

    So the edges between two colors form stars. What a column may not be, follows from the
    stars of its neighbours: from those alone in their color, the colors of the centers that
    they hang on; of several in one color, whose center it becomes, all that they touch.
    """
    colors = [-1] * len(neighbours)
    touched = [0] * len(neighbours)  # the colors of the neighbours, as bits
    centers = [0] * len(neighbours)  # the colors of the centers of stars that it is a point of
    first: list[dict[int, int]] = [{} for _ in neighbours]  # a neighbour of each color
    for v in order:
        classes: dict[int, list[int]] = {}
        for w in neighbours[v]:
            if w != v and colors[w] >= 0:
                classes.setdefault(colors[w], []).append(w)
        mask = 0
        for color, members in classes.items():
            mask |= 1 << color
            for w in members:
                mask |= centers[w] if len(members) == 1 else touched[w]
        mine = colors[v] = _least_free(mask)
        for color, members in classes.items():
            if len(members) > 1:
                for w in members:
                    centers[w] |= 1 << mine
            elif mine in first[members[0]]:
                centers[v] |= 1 << color
                centers[first[members[0]][mine]] |= 1 << color
            first[v][color] = members[0]
            touched[v] |= 1 << color
            for w in members:
                first[w].setdefault(mine, v)
                touched[w] |= 1 << mine
    return colors
