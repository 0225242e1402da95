"""Pass 2: the paths of the computation graph from an output to a variable.

Along a path local derivatives multiply, over all paths the products add up: that is the
chain rule in several variables. Counting is dynamic programming over the graph with exact
integers: 40 stacked diamonds have 81 nodes and 1,099,511,627,776 paths.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from chainrule.derivation.steps import Edge

_MOST_DIGITS = 400


def spelled(count: int) -> str:
    """A number of paths as it is told: its digits, or of a long one how many there are.

    >>> spelled(2**40), spelled(2**50_000)
    ('1,099,511,627,776', 'about 10^15051')
    """
    digits = Decimal(count).adjusted()  # Python refuses to write long integers
    return f"{count:,}" if digits < _MOST_DIGITS else f"about 10^{digits}"


class Graph:
    """The computation graph: names, and the edges that leave each (towards the inputs).

    `order` lists the intermediates in topological order, operands first.
    """

    __slots__ = ("_above", "_places", "below", "order")

    def __init__(self, order: tuple[str, ...], below: dict[str, tuple[Edge, ...]]) -> None:
        self.order, self.below = order, below
        self._places: dict[str, int] = {}
        self._above: dict[str, list[str]] = {}

    @classmethod
    def of(cls, order: Sequence[str], edges: Sequence[Edge]) -> Graph:
        """The graph of these edges."""
        below: dict[str, list[Edge]] = {}
        for edge in edges:
            below.setdefault(edge.of, []).append(edge)
        return cls(tuple(order), {name: tuple(out) for name, out in below.items()})

    def beneath(self, output: str) -> list[str]:
        """The output and the names below it that have edges, users before their operands."""
        if not self._places:
            self._places = {name: i for i, name in enumerate(self.order)}
        seen = {output} & self.below.keys()
        stack = list(seen)
        while stack:
            for edge in self.below[stack.pop()]:
                if edge.by not in seen and edge.by in self.below:
                    seen.add(edge.by)
                    stack.append(edge.by)
        return sorted(seen, key=self._places.__getitem__, reverse=True)

    def leading(self, variable: str) -> set[str]:
        """The names from which a path leads to the variable, and itself."""
        if not self._above:
            for name, out in self.below.items():
                for edge in out:
                    self._above.setdefault(edge.by, []).append(name)
        seen = {variable}
        stack = [variable]
        while stack:
            for name in self._above.get(stack.pop(), ()):
                if name not in seen:
                    seen.add(name)
                    stack.append(name)
        return seen

    def counts(self, variable: str) -> dict[str, int]:
        """How many paths lead from each name to the variable; names without one are left out.

        >>> from chainrule.core.expr import ONE
        >>> double = [Edge("u", "x", ONE, ""), Edge("u", "x", ONE, ""), Edge("y", "u", ONE, "")]
        >>> Graph.of(["u", "y"], double).counts("x")
        {'x': 1, 'u': 2, 'y': 2}
        """
        found = {variable: 1}
        for name in self.order:
            if name != variable:
                total = sum([found.get(e.by, 0) for e in self.below.get(name, ())])
                if total:
                    found[name] = total
        return found

    def counts_from(self, output: str) -> dict[str, int]:
        """How many paths lead from the output to each name without edges below it.

        A long number is forgotten when it has been added to those of the operands.
        """
        found = {output: 1}
        for name in self.beneath(output):
            count = found.pop(name)
            for edge in self.below[name]:
                found[edge.by] = found.get(edge.by, 0) + count
        return found

    def paths(self, output: str, variable: str) -> Iterator[tuple[Edge, ...]]:
        """Every path, output first, in the order of the operands; the first come at once."""
        leads = self.leading(variable)
        if output not in leads:
            return
        walk: list[Edge] = []
        stack: list[tuple[int, Edge | None]] = [(0, None)]
        while stack:
            depth, edge = stack.pop()
            del walk[depth:]
            if edge is not None:
                walk.append(edge)
            at = edge.by if edge is not None else output
            if at == variable:
                yield tuple(walk)
                continue
            for onward in reversed(self.below.get(at, ())):
                if onward.by in leads:
                    stack.append((len(walk), onward))

    def levels(self, inputs: Sequence[str]) -> list[list[str]] | None:
        """The names layer by layer, inputs first, where every edge joins neighbouring layers."""
        level = dict.fromkeys(inputs, 0)
        for name in self.order:
            under = {level[e.by] for e in self.below.get(name, ()) if e.by in level}
            if len(under) != 1:
                return None
            level[name] = under.pop() + 1
        layers: list[list[str]] = [[] for _ in range(max(level.values(), default=0) + 1)]
        for name, k in level.items():
            layers[k].append(name)
        return layers
