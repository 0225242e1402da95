"""The order in which to eliminate vertices: forwards, backwards, or the cheapest one first."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from heapq import heapify, heappop, heappush
from typing import Any

from chainrule.core.expr import Expr


class Vertex:
    """An output, or an application between outputs and inputs.

    Attributes:
        below: the edges to inner vertices and inputs, with their labels (`Terms`).
        users: the vertices with an edge to this one.
    """

    __slots__ = ("below", "users")
    below: dict[Vertex | Expr, Any]
    users: list[Vertex]

    def __init__(self) -> None:
        self.users = []  # most vertices are gone before they have edges of their own


Neighbours = Callable[[Vertex], Collection[Vertex | Expr]]


def _users(vertex: Vertex) -> list[Vertex]:
    return vertex.users


def _below(vertex: Vertex) -> dict[Vertex | Expr, Any]:
    return vertex.below


def elimination_order(part: list[Vertex]) -> list[Vertex]:
    """The vertices of `part`, given with users before arguments, in an order of low cost.

    The cost is the number of products. Forwards a vertex has a label for each input below
    it, backwards one for each output above it. The limits grow until one of the two is
    known, and no search goes beyond that one: choosing takes less time than eliminating.
    """
    if len(part) == 1:
        return part
    forwards = part[::-1]
    if len(part) == 2:  # by arithmetic, backwards saves the difference of these two
        return part if len(part[0].users) <= len(part[1].below) else forwards
    limit = edges = sum(len(v.below) + len(v.users) for v in part)
    costs: list[tuple[int, list[Vertex]]] = []
    while not costs:
        limit *= 8
        for order, sources, targets in ((forwards, _below, _users), (part, _users, _below)):
            cost = _sweep_cost(order, sources, targets, limit)
            if cost is not None:
                costs.append((cost, order))
                limit = cost
    cost, order = min(costs, key=lambda found: found[0])
    if cost > 2 * edges:
        order = _cheapest_first(part, cost * 9 // 10) or order
    return order


def _sweep_cost(
    order: Sequence[Vertex], sources: Neighbours, targets: Neighbours, limit: int
) -> int | None:
    """The cost of eliminating in this order, sources first; None if it is above the limit."""
    reached: dict[Vertex | Expr, set[Vertex | Expr]] = {}
    cost = 0
    for vertex in order:
        found: set[Vertex | Expr] = set()
        for source in sources(vertex):
            before = reached.get(source)
            if before is None:
                found.add(source)
            else:
                found |= before
        reached[vertex] = found
        cost += len(found) * len(targets(vertex))
        if cost > limit:
            return None
    return cost


def _cheapest_first(part: Sequence[Vertex], limit: int) -> list[Vertex] | None:
    """Always the vertex of least cost next (Markowitz); None if all that is above the limit."""
    above: dict[Any, set[Any]] = {v: set(v.users) for v in part}
    below: dict[Any, set[Any]] = {v: set(v.below) for v in part}
    place: dict[Any, int] = {v: i for i, v in enumerate(part)}
    heap = [(len(above[v]) * len(below[v]), i) for v, i in place.items()]
    heapify(heap)
    order: list[Vertex] = []
    while heap:
        expected, i = heappop(heap)
        vertex = part[i]
        if vertex not in above:
            continue
        tops, bottoms = above[vertex], below[vertex]
        cost = len(tops) * len(bottoms)
        if cost != expected:  # it has changed, and has another entry
            continue
        limit -= cost
        if limit < 0:
            return None
        order.append(vertex)
        del above[vertex], below[vertex]
        for top in tops:
            if top in below:
                below[top].discard(vertex)
                below[top] |= bottoms
        for bottom in bottoms:
            if bottom in above:
                above[bottom].discard(vertex)
                above[bottom] |= tops
        for neighbour in (*tops, *bottoms):
            if neighbour in above:
                heappush(heap, (len(above[neighbour]) * len(below[neighbour]), place[neighbour]))
    return order
