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

from collections.abc import Sequence
from typing import Any

from chainrule.core.arithmetic import ADD, MUL, mul
from chainrule.core.expr import ONE, TWO, ZERO, Apply, Const, Expr, topological
from chainrule.derivation.backward import Minus, Signed, finished, local, varying
from chainrule.symbolic.sums import Sums

Vertex = Expr | int
"""A node, or the number of an output."""
Edge = tuple[Expr, Signed]
"""An argument, and the local derivative by it."""


class LocalDerivatives:
    """The graph of local derivatives from `ys` down to `xs`.

    An application with one user is eliminated at once if that takes no product, or one that
    any order takes: sums of many terms and chains are no vertices.

    Attributes:
        below: the edges from a vertex and their labels; a list is a sum not written yet.
        users: the vertices with an edge to an inner vertex.
        inner: the vertices between outputs and inputs, users before arguments.
    """

    def __init__(self, ys: Sequence[Expr], xs: Sequence[Expr]) -> None:
        order = topological(ys)
        active = set(xs)
        nodes = varying(order, active)
        self.sums = Sums(order)
        # Labels are `Terms`; here and below, `type(…) is` is quicker than isinstance.
        self.below: dict[Vertex, dict[Expr, Any]] = {i: {} for i in range(len(ys))}
        self.users: dict[Expr, list[Vertex]] = {node: [] for node in nodes}
        self.inner: list[Expr] = []
        for i, y in enumerate(ys):
            if y in active:
                self._join(i, ONE, [(y, ONE)])
        below, users, join = self.below, self.users, self._join
        for node in reversed(nodes):
            above = users[node]
            if not above:  # all partials by it are 0
                del users[node]
                continue
            edges = _local(node, active)
            if len(above) == 1:
                user = above[0]
                label = below[user][node]
                if type(label) is list:
                    label = below[user][node] = self.sums.total(label)
                factor = label.of if type(label) is Minus else label
                if factor is ONE or len(edges) == 1:
                    del below[user][node], users[node]
                    join(user, label, edges)
                    continue
            self.inner.append(node)
            below[node] = {}
            join(node, ONE, edges)

    def _join(self, user: Vertex, label: Signed, edges: Sequence[Edge]) -> None:
        """Add to the edges of `user` those of a vertex that an edge with `label` led to."""
        labels, users = self.below[user], self.users
        sign = type(label) is Minus
        factor: Any = label.of if isinstance(label, Minus) else label
        constant = type(factor) is Const
        term: Any
        for argument, term in edges:
            negative = sign
            if type(term) is Minus:
                negative = not sign
                term = term.of
            if factor is not ONE:
                if constant or type(term) is Const:
                    term = self.sums.product(factor, term)
                    if type(term) is Minus:
                        negative = not negative
                        term = term.of
                    if term is ZERO:
                        continue
                else:
                    term = mul(factor, term)
            if negative:
                term = Minus(term)
            present = labels.get(argument)
            if present is None:
                labels[argument] = term
                if argument in users:
                    users[argument].append(user)
            elif type(present) is list:
                present.append(term)
            else:
                labels[argument] = [present, term]

    def eliminate(self, node: Expr) -> None:
        """Join the users of `node` to its arguments."""
        total = self.sums.total
        edges = [
            (argument, total(label) if type(label) is list else label)
            for argument, label in self.below.pop(node).items()
        ]
        for user in self.users.pop(node):
            labels = self.below.get(user)
            if labels is not None and node in labels:  # else the user has been eliminated
                label = labels.pop(node)
                self._join(user, total(label) if type(label) is list else label, edges)

    def parts(self) -> list[list[Expr]]:
        """The inner vertices, by connected parts; users before arguments in each."""
        below, users = self.below, self.users
        part: dict[Vertex, list[Expr]] = {}
        for root in self.inner:
            if root in part:
                continue
            part[root] = members = []
            stack = [root]
            while stack:
                node = stack.pop()
                for neighbour in (*below[node], *users[node]):
                    if neighbour in users and neighbour not in part:
                        part[neighbour] = members
                        stack.append(neighbour)  # type: ignore[arg-type]
        found: list[list[Expr]] = []
        for node in self.inner:
            members = part[node]
            if not members:
                found.append(members)
            members.append(node)
        return found

    def entries(self, xs: Sequence[Expr]) -> dict[tuple[int, int], Expr]:
        """What is left when all inner vertices are gone: (row, column) to derivative."""
        columns: dict[Expr, list[int]] = {}
        for j, x in enumerate(xs):
            columns.setdefault(x, []).append(j)
        total = self.sums.total
        found: dict[tuple[int, int], Expr] = {}
        for i, labels in self.below.items():
            assert isinstance(i, int)
            row: dict[int, Expr] = {}
            for x, label in labels.items():
                slope = finished(total(label) if type(label) is list else label)
                if slope is not ZERO:
                    row.update(dict.fromkeys(columns[x], slope))
            found.update({(i, j): row[j] for j in sorted(row)})
        return found


def _local(node: Apply, active: set[Expr]) -> Sequence[Edge]:
    """The local derivatives by the active arguments, slot by slot."""
    op, args = node.op, node.args
    if op is MUL:  # the commonest rows, without the detour over the table
        a, b = args
        if a is b:
            return [(a, mul(TWO, a))]
        if a in active:
            return [(a, b), (b, a)] if b in active else [(a, b)]
        return [(b, a)]
    if op is ADD:
        return [(a, ONE) for a in args if a in active]
    edges: list[Edge] = []
    for slot, argument in enumerate(args):
        if argument in active:
            negative, partial = local(node, slot)
            if partial is not ZERO:
                edges.append((argument, Minus(partial) if negative else partial))
    return edges

