"""Jacobians by elimination of vertices from the graph of local derivatives.

An edge is a local derivative; a vertex is eliminated by joining each of its users to each
of its arguments, the label being the product. When only outputs and inputs are left, the
labels are the Jacobian. Forward and reverse accumulation are two orders of elimination;
any other does as well, and what lies between a vertex and the only way to it is multiplied
once for all paths through it, as in a factoring at dominators.

Griewank & Walther, *Evaluating Derivatives* (2008), chapters 9 and 10; Guenter, *Efficient
symbolic differentiation for graphics applications* (2007).
"""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.core.arithmetic import ADD, MUL, mul
from chainrule.core.expr import MINUS_ONE, ONE, TWO, ZERO, Apply, Expr, topological
from chainrule.derivation.backward import finished, varying
from chainrule.symbolic.sums import Sums

Vertex = Expr | int
"""A node, or the number of an output."""
Labels = dict[Expr, Expr | list[Expr]]
"""The edges from a vertex; a list is a sum that is not written yet."""



class LocalDerivatives:
    """The graph of local derivatives from `ys` down to `xs`.

    Sums, and vertices that are alone on their way, are gone already: an application with
    one user is joined with it when that takes no product, or no more than one.
    """

    def __init__(self, ys: Sequence[Expr], xs: Sequence[Expr]) -> None:
        order = topological(ys)
        self.sums = Sums(order)
        self.inputs = set(xs)
        self.below: dict[Vertex, Labels] = {i: {} for i in range(len(ys))}
        self.users: dict[Expr, list[Vertex]] = {}
        self.inner: list[Expr] = []
        """Users before arguments."""
        active = set(xs)
        nodes = varying(order, active)
        for i, y in enumerate(ys):
            if y in active:
                self._join(i, y, ONE)
        for node in reversed(nodes):
            users = self.users.get(node)
            if users is None:  # all its users' partials are 0
                continue
            labels = self._local(node, active)
            if len(users) == 1:
                label = self._label(users[0], node)
                if label is ONE or label is MINUS_ONE or len(labels) == 1:
                    del self.below[users[0]][node], self.users[node]
                    for argument, other in labels.items():
                        self._join(users[0], argument, self.sums.product(label, other))
                    continue
            self.inner.append(node)
            self.below[node] = {}
            for argument, other in labels.items():
                self._join(node, argument, other)

    def _local(self, node: Apply, active: set[Expr]) -> dict[Expr, Expr]:
        args = node.args
        if node.op is MUL:  # the two commonest rows, without the detour over the table
            a, b = args
            if a is b:
                return {a: mul(TWO, a)}
            if a in active:
                return {a: b, b: a} if b in active else {a: b}
            return {b: a}
        labels: dict[Expr, Expr] = {}
        for slot, argument in enumerate(args):
            if argument in active:
                label = ONE if node.op is ADD else node.op.partial(node, slot)
                if label is not ZERO:
                    other = labels.get(argument)
                    labels[argument] = label if other is None else self.sums.total([other, label])
        return labels

    def _label(self, user: Vertex, argument: Expr) -> Expr:
        labels = self.below[user]
        label = labels[argument]
        if isinstance(label, list):
            label = labels[argument] = self.sums.total(label)
        return label

    def _join(self, user: Vertex, argument: Expr, label: Expr) -> None:
        if label is ZERO:
            return
        labels = self.below[user]
        present = labels.get(argument)
        if present is None:
            labels[argument] = label
            if argument not in self.inputs:
                self.users.setdefault(argument, []).append(user)
        elif isinstance(present, list):
            present.append(label)
        else:
            labels[argument] = [present, label]

    def eliminate(self, node: Expr) -> None:
        """Join the users of `node` to its arguments."""
        labels = [(argument, self._label(node, argument)) for argument in self.below[node]]
        del self.below[node]
        for user in self.users.pop(node):
            if user not in self.below or node not in self.below[user]:
                continue  # eliminated since
            label = self._label(user, node)
            del self.below[user][node]
            for argument, other in labels:
                self._join(user, argument, self.sums.product(label, other))

    def parts(self) -> list[list[Expr]]:
        """The inner vertices, by connected parts; users before arguments in each."""
        part: dict[Vertex, list[Expr]] = {}
        for root in self.inner:
            if root in part:
                continue
            members: list[Expr] = []
            part[root] = members
            stack = [root]
            while stack:
                node = stack.pop()
                for neighbour in (*self.below[node], *self.users[node]):
                    if neighbour in self.users and neighbour not in part:
                        part[neighbour] = members
                        stack.append(neighbour)  # type: ignore[arg-type]
        found: dict[int, list[Expr]] = {}
        for node in self.inner:
            part[node].append(node)
            found[id(part[node])] = part[node]
        return list(found.values())

    def entries(self, xs: Sequence[Expr]) -> dict[tuple[int, int], Expr]:
        """What is left when all inner vertices are gone: (row, column) to derivative."""
        columns: dict[Expr, list[int]] = {}
        for j, x in enumerate(xs):
            columns.setdefault(x, []).append(j)
        out: dict[tuple[int, int], Expr] = {}
        for i, labels in self.below.items():
            assert isinstance(i, int)
            for x in labels:
                slope = finished(self._label(i, x))
                if slope is not ZERO:
                    out.update(dict.fromkeys(((i, j) for j in columns[x]), slope))
        return dict(sorted(out.items()))
