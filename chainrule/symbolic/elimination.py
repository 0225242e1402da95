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

from chainrule.core.arithmetic import ADD, MUL, mul
from chainrule.core.expr import MINUS_ONE, ONE, TWO, ZERO, Apply, Const, Expr, topological
from chainrule.derivation.backward import Terms, finished, varying
from chainrule.symbolic.sums import Sums

Vertex = Expr | int
"""A node, or the number of an output."""
Edge = tuple[Expr, Expr]
"""An argument, and the local derivative by it."""


class LocalDerivatives:
    """The graph of local derivatives from `ys` down to `xs`.

    An application with one user is eliminated at once if that takes no product, or no
    more than one: sums of many terms and chains are no vertices.

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
        self.below: dict[Vertex, dict[Expr, Terms]] = {i: {} for i in range(len(ys))}
        self.users: dict[Expr, list[Vertex]] = {node: [] for node in nodes}
        self.inner: list[Expr] = []
        for i, y in enumerate(ys):
            if y in active:
                self._join(i, ONE, [(y, ONE)])
        below, users, join = self.below, self.users, self._join
        for node in reversed(nodes):
            above = users[node]
            if len(above) == 1:
                user = above[0]
                labels = below[user]
                label = labels[node]
                if type(label) is list:
                    label = labels[node] = self.sums.total(label)
                edges = _local(node, active)
                if len(edges) == 1 or label is ONE or label is MINUS_ONE:
                    del labels[node], users[node]
                    join(user, label, edges)
                    continue
            elif not above:  # all partials by it are 0
                del users[node]
                continue
            else:
                edges = _local(node, active)
            self.inner.append(node)
            below[node] = {}
            join(node, ONE, edges)

    def _label(self, user: Vertex, argument: Expr) -> Expr:
        label = self.below[user][argument]
        return self.sums.total(label) if isinstance(label, list) else label

    def _join(self, user: Vertex, label: Terms, edges: Sequence[Edge]) -> None:
        """Add to the edges of `user` those of a vertex that an edge with `label` led to."""
        labels, users = self.below[user], self.users
        plain = type(label) is not Const
        for argument, term in edges:
            if label is not ONE:
                if plain and type(term) is not Const:
                    term = mul(label, term)
                else:
                    term = self.sums.product(label, term)
                    if term is ZERO:
                        continue
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
        edges = [(argument, self._label(node, argument)) for argument in self.below[node]]
        del self.below[node]
        for user in self.users.pop(node):
            labels = self.below.get(user)
            if labels is not None and node in labels:  # else it has been eliminated
                label = self._label(user, node)
                del labels[node]
                self._join(user, label, edges)

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
        found: dict[tuple[int, int], Expr] = {}
        for i, labels in self.below.items():
            assert isinstance(i, int)
            row: list[tuple[int, Expr]] = []
            for x in labels:
                slope = finished(self._label(i, x))
                if slope is not ZERO:
                    row += [(j, slope) for j in columns[x]]
            for j, slope in sorted(row, key=_column):
                found[i, j] = slope
        return found


def _local(node: Apply, active: set[Expr]) -> list[Edge]:
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
    variadic = op.arity[1] is None
    edges = []
    for slot, argument in enumerate(args):
        if argument in active:
            label = op.partials[0](node, slot) if variadic else op.partials[slot](node, *args)
            if label is not ZERO:
                edges.append((argument, label))
    return edges


def _column(entry: tuple[int, Expr]) -> int:
    return entry[0]
