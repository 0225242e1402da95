"""Jacobians by elimination of vertices from the graph of local derivatives.

An edge is a local derivative; a vertex is eliminated by joining each of its users to each
of its arguments, the label being the product. When only outputs and inputs are left, the
labels are the Jacobian. Forward and reverse accumulation are two orders of elimination;
in any order, what lies between a vertex and the only way to it is multiplied once for all
paths through it, as in a factoring at dominators and postdominators.

Griewank & Walther, *Evaluating Derivatives* (2008), chapters 9 and 10; Guenter, *Efficient
symbolic differentiation for graphics applications* (2007).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from chainrule.core.arithmetic import ADD, MUL, SUB, mul
from chainrule.core.expr import ONE, TWO, ZERO, Apply, Const, Expr, topological
from chainrule.derivation.backward import Minus, Signed, finished, local, varying
from chainrule.symbolic.ordering import Vertex, elimination_order
from chainrule.symbolic.sums import Sums

Edge = tuple[Vertex | Expr, Signed]
"""What an edge leads to, an inner vertex or an input, and its label."""

_MINUS_ONE = Minus(ONE)


def jacobian(ys: Sequence[Expr], xs: Sequence[Expr]) -> dict[tuple[int, int], Expr]:
    """The derivatives that are not identically 0, by row and column, in order.

    >>> from chainrule.core.expr import symbol
    >>> x, y = symbol("x"), symbol("y")
    >>> jacobian([x * y, y + 1], [x, y])
    {(0, 0): y, (0, 1): x, (1, 1): 1}
    """
    order = topological(ys)
    sums = Sums(order)
    rows, inner = _graph(ys, xs, order, sums)
    for part in _parts(inner):
        for vertex in elimination_order(part):
            _eliminate(vertex, sums)
    columns: dict[Vertex | Expr, list[int]] = {}
    for j, x in enumerate(xs):
        columns.setdefault(x, []).append(j)
    places: list[tuple[int, int]] = []
    slopes: list[Signed] = []
    for i, output in enumerate(rows):
        row: dict[int, Signed] = {}
        for end, label in output.below.items():
            slope = sums.total(label) if type(label) is list else label
            if slope is not ZERO:
                for j in columns[end]:
                    row[j] = slope
        for j in sorted(row):
            places.append((i, j))
            slopes.append(row[j])
    return dict(zip(places, finished(slopes), strict=True))


def _graph(
    ys: Sequence[Expr], xs: Sequence[Expr], order: Sequence[Expr], sums: Sums
) -> tuple[list[Vertex], list[Vertex]]:
    """The vertices of the outputs, and those between outputs and inputs, users first.

    An application with one user is eliminated at once if that takes no product, or one that
    any order takes: sums of many terms and chains are no vertices.
    """
    active = set(xs)
    nodes = varying(order, active)
    vertices: dict[Expr, Vertex | Expr] = {x: x for x in xs}  # an input stands for itself
    rows = [Vertex() for _ in ys]
    inner: list[Vertex] = []
    for y, output in zip(ys, rows, strict=True):
        output.below = {}
        if y in active:
            end = vertices.get(y)
            if end is None:
                end = vertices[y] = Vertex()
            _join(output, ONE, [(end, ONE)], sums)
    for node in reversed(nodes):
        vertex = vertices.pop(node, None)
        if type(vertex) is not Vertex:  # all partials by it are 0
            continue
        edges: list[Edge] = []
        for argument, label in _local(node, active):
            end = vertices.get(argument)
            if end is None:
                if argument not in active:
                    continue
                end = vertices[argument] = Vertex()
            edges.append((end, label))
        if len(vertex.users) == 1:
            user = vertex.users[0]
            label = user.below[vertex]
            if type(label) is list:
                label = user.below[vertex] = sums.total(label)
            if len(edges) == 1 or label is ONE or (type(label) is Minus and label.of is ONE):
                del user.below[vertex]
                _join(user, label, edges, sums)
                continue
        vertex.below = {}
        _join(vertex, ONE, edges, sums)
        inner.append(vertex)
    return rows, inner


def _join(user: Vertex, label: Signed, edges: Sequence[Edge], sums: Sums) -> None:
    """Add to the edges of `user` those of a vertex that an edge with `label` led to."""
    labels = user.below
    sign = type(label) is Minus
    factor: Any = label.of if isinstance(label, Minus) else label
    constant = type(factor) is Const
    term: Any  # `type(…) is` is quicker than isinstance, but tells the checker less
    for end, term in edges:
        negative = sign
        if type(term) is Minus:
            negative = not sign
            term = term.of
        if factor is not ONE:
            if constant or type(term) is Const:
                term = sums.product(factor, term)
                if type(term) is Minus:
                    negative = not negative
                    term = term.of
                if term is ZERO:
                    continue
            else:
                term = mul(factor, term)
        if negative:
            term = Minus(term)
        present = labels.get(end)
        if present is None:
            labels[end] = term
            if type(end) is Vertex:
                end.users.append(user)
        elif type(present) is list:
            present.append(term)
        else:
            labels[end] = [present, term]


def _eliminate(vertex: Vertex, sums: Sums) -> None:
    """Join the users of a vertex to what is below it."""
    total = sums.total
    edges: list[Edge] = [
        (end, total(label) if type(label) is list else label) for end, label in vertex.below.items()
    ]
    vertex.below = {}
    for user in vertex.users:
        label = user.below.pop(vertex, None)
        if label is not None:  # else the user has been eliminated
            _join(user, total(label) if type(label) is list else label, edges, sums)


def _local(node: Apply, active: set[Expr]) -> Iterable[tuple[Expr, Signed]]:
    """The local derivatives, slot by slot; there may be some by arguments that are constant."""
    op, args = node.op, node.args
    if op is MUL:  # the commonest rows, without the detour over the table
        a, b = args
        return ((a, mul(TWO, a)),) if a is b else ((a, b), (b, a))
    if op is ADD:
        return (args[0], ONE), (args[1], ONE)
    if op is SUB:
        return (args[0], ONE), (args[1], _MINUS_ONE)
    edges: list[tuple[Expr, Signed]] = []
    for slot, argument in enumerate(args):
        if argument in active:
            negative, partial = local(node, slot)
            if partial is not ZERO:
                edges.append((argument, Minus(partial) if negative else partial))
    return edges


def _parts(inner: Sequence[Vertex]) -> list[list[Vertex]]:
    """The vertices by connected parts; users before arguments in each."""
    part: dict[Vertex, list[Vertex]] = {vertex: [] for vertex in inner}
    found: list[list[Vertex]] = []
    seen: set[Vertex] = set()
    for root in inner:
        if root in seen:
            continue
        members = part[root]
        found.append(members)
        seen.add(root)
        stack = [root]
        while stack:
            vertex = stack.pop()
            part[vertex] = members
            for neighbour in (*vertex.below, *vertex.users):
                if neighbour in part and neighbour not in seen:
                    seen.add(neighbour)
                    stack.append(neighbour)
    for vertex in inner:
        part[vertex].append(vertex)
    return found
