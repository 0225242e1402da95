"""The order in which to eliminate vertices: forwards, backwards, or the cheapest one first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heappush

from chainrule.core.expr import Expr

Vertex = Expr | int
Neighbours = Mapping[Expr, Sequence[Vertex]]


def elimination_order(part: list[Expr], users: Neighbours, arguments: Neighbours) -> list[Expr]:
    """The vertices of `part`, given with users before arguments, in an order of low cost.

    The cost is the number of products. Forwards a vertex has a label for each input below
    it, backwards one for each output above it. The limits grow until one of the two is
    known, and no search goes beyond that one: choosing takes less time than eliminating.
    """
    if len(part) == 1:
        return part
    forwards = part[::-1]
    limit = edges = sum(len(arguments[v]) + len(users[v]) for v in part)
    costs: list[tuple[int, list[Expr]]] = []
    while not costs:
        limit *= 8
        for order, sources, targets in ((forwards, arguments, users), (part, users, arguments)):
            cost = _sweep_cost(order, sources, targets, limit)
            if cost is not None:
                costs.append((cost, order))
    cost, order = min(costs, key=lambda found: found[0])
    if cost > 2 * edges:
        order = _cheapest_first(part, users, arguments, cost * 9 // 10) or order
    return order


def _sweep_cost(
    order: Sequence[Expr], sources: Neighbours, targets: Neighbours, limit: int
) -> int | None:
    """The cost of eliminating in this order, sources first; None if it is above the limit."""
    reached: dict[Vertex, set[Vertex]] = {}
    cost = 0
    for v in order:
        found: set[Vertex] = set()
        for source in sources[v]:
            before = reached.get(source)
            if before is None:
                found.add(source)
            else:
                found |= before
        reached[v] = found
        cost += len(found) * len(targets[v])
        if cost > limit:
            return None
    return cost


def _cheapest_first(
    part: Sequence[Expr], users: Neighbours, arguments: Neighbours, limit: int
) -> list[Expr] | None:
    """Always the vertex of least cost next (Markowitz); None if all that is above the limit."""
    above = {v: set(users[v]) for v in part}
    below: dict[Vertex, set[Vertex]] = {v: set(arguments[v]) for v in part}
    place = {v: i for i, v in enumerate(part)}
    heap = [(len(above[v]) * len(below[v]), i) for v, i in place.items()]
    heapify(heap)
    order: list[Expr] = []
    while heap:
        expected, i = heappop(heap)
        v = part[i]
        if v not in above:
            continue
        tops, bottoms = above[v], below[v]
        cost = len(tops) * len(bottoms)
        if cost != expected:  # it has changed, and has another entry
            continue
        limit -= cost
        if limit < 0:
            return None
        order.append(v)
        del above[v], below[v]
        for top in tops:
            if top in below:
                below[top].discard(v)
                below[top] |= bottoms
        for bottom in bottoms:
            if bottom in above:
                above[bottom].discard(v)
                above[bottom] |= tops
        for u in (*tops, *bottoms):
            if u in above:
                heappush(heap, (len(above[u]) * len(below[u]), place[u]))
    return order
