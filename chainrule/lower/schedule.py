"""Single assignment: one order, one name and one operation a statement.

`chainrule.lower.lowering` turns a program into one DAG of what is to be computed, values and
derivatives; `schedule` lays it out. The readable module and the preallocated form are both
written from a schedule, so a name means the same in both and in the derivation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from chainrule.core.expr import Apply, Expr, Sym, topological
from chainrule.core.ops import Operator
from chainrule.lower.identifiers import Identifiers
from chainrule.lower.kernels import Expansion
from chainrule.lower.lowering import Lowered


@dataclass(frozen=True, slots=True)
class Schedule:
    """Statements `name = node.op(*node.args)` in order: operands are names or literals.

    Attributes:
        lowered: what they compute, with the rows' own nodes replaced by operations.
        inputs: identifiers by name of the input, in order.
        order: what is computed, one operation a statement; none is a constant or a name.
        forward: how many the value needs; they come first, and the others are for derivatives.
        called: for a node that the program or the derivation calls so, the identifier.
        of: for a derivative of the output by a node, that node; of the others alone.
        heads: what it is the derivative of, where that is not the same for all.
        head: else what it is for all of them.
        hints: for a helper of a softmax, the node it is named after, and how.
        outputs, results: nodes by name, as in `Lowered`, after the replacement.
        wholes: for the last of several operations that stand for a row (a softmax), the row and
            its arguments.
    """

    lowered: Lowered
    inputs: Mapping[str, str]
    order: Sequence[Apply]
    forward: int
    called: Mapping[Expr, str]
    of: Mapping[Expr, Expr]
    heads: Mapping[Expr, str]
    head: str
    hints: Mapping[Expr, tuple[Expr, str]]
    outputs: Mapping[str, Expr]
    results: Mapping[str, Expr]
    wholes: Mapping[Expr, tuple[Operator, tuple[Expr, ...]]]


class Names:
    """What code calls nodes; an unnamed one gets its number when it is asked for.

    Attributes:
        of: what is named already.
        given: what the program or the derivation calls nodes.
    """

    def __init__(self, schedule: Schedule, taken: Iterable[str]) -> None:
        self._identifiers = Identifiers(taken)
        self.fresh = self._identifiers.fresh
        self._schedule = schedule
        self._forward = set(schedule.order[: schedule.forward])
        self.of: dict[Expr, str] = {s: self.fresh(s.name) for s in schedule.lowered.inputs}
        self.given = {node: self.fresh(name) for node, name in schedule.called.items()}

    def name(self, node: Expr) -> str:
        """The name of a node that has a statement."""
        found = self.of.get(node) or self.given.get(node)
        if found is None:
            of = self._schedule.of.get(node)
            base, suffix = self._schedule.hints.get(node, (None, ""))
            if of in self.of:
                found = self._identifiers.suffixed(self.of[of], "_bar")
            elif base in self.of:
                found = self._identifiers.suffixed(self.of[base], f"_{suffix}")
            else:
                found = self._identifiers.numbered("u" if node in self._forward else "t")
        self.of[node] = found
        return found


def schedule(lowered: Lowered, taken: Iterable[str] = ()) -> Schedule:
    """Order the DAG: the value as the program says it, each derivative as early as it can be.

    Args:
        lowered: from `lower`.
        taken: identifiers that the names must not be.
    """
    expansion = Expansion()
    roots = [
        *lowered.outputs.values(),
        *lowered.names,
        *lowered.cotangents,
        *lowered.results.values(),
    ]
    expansion.run(roots)
    new = expansion.new
    outputs = {name: new[node] for name, node in lowered.outputs.items()}
    results = {name: new[node] for name, node in lowered.results.items()}
    called: dict[Expr, str] = {}
    for node, name in lowered.names.items():
        called.setdefault(new[node], name)

    order: list[Apply] = []
    seen: set[Expr] = set()
    wanted = _below([*outputs.values(), *results.values()])
    # In the order of the program's statements, where the value needs them.
    needed = _below(outputs.values())
    for node in [*(n for n in called if n in needed), *outputs.values()]:
        _visit(node, order, seen)
    forward = len(order)
    early = seen.copy()
    for node in _backward(new, lowered, wanted, results):
        _visit(node, order, seen)

    bars: dict[Expr, Expr] = {}
    heads: dict[Expr, str] = {}
    several = len(set(lowered.heads.values())) > 1
    head = "" if several else next(iter(lowered.heads.values()), "")
    for bar, of in lowered.cotangents.items():
        written = new[bar]
        if written in early or written in bars or isinstance(of, Sym):
            continue
        bars[written] = new[of]
        if several:
            heads[written] = lowered.heads[bar]
    variables = {s.name: s for s in lowered.inputs}
    for name, node in results.items():
        if node not in early:
            bars[node] = variables[name]
            heads.pop(node, None)
    identifiers = Identifiers(taken)
    inputs = {s.name: identifiers.fresh(s.name) for s in lowered.inputs}
    fresh = {node: identifiers.fresh(name) for node, name in called.items()}
    given: dict[Expr, str] = {node: fresh[node] for node in order if node in fresh}
    return Schedule(
        lowered, inputs, order, forward, given, bars, heads, head, expansion.hints,
        outputs, results, expansion.wholes,
    )  # fmt: skip


def _below(roots: Iterable[Expr]) -> set[Expr]:
    seen: set[Expr] = set()
    stack = list(roots)
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack.extend(node.args)
    return seen


def _visit(root: Expr, order: list[Apply], seen: set[Expr]) -> None:
    """Append the applications below the root that are not there yet, arguments first."""
    if root in seen or not isinstance(root, Apply):
        return
    for a in root.args:
        if a not in seen and a.op is not None:
            break
    else:
        seen.add(root)
        order.append(root)
        return
    stack: list[Expr] = [root]
    entered: list[Apply] = []  # the nodes between the root and the one looked at
    while stack:
        node = stack.pop()
        if entered and entered[-1] is node:
            order.append(entered.pop())
        elif node not in seen and isinstance(node, Apply):
            seen.add(node)
            entered.append(node)
            stack.append(node)
            stack.extend(node.args[::-1])


def _backward(
    new: Mapping[Expr, Expr], lowered: Lowered, wanted: set[Expr], results: Mapping[str, Expr]
) -> list[Expr]:
    """The nodes of the backward sweep in order, each result soon after it can be had.

    What a result needs is then needed no longer. The sweep is one product ahead: that needs
    memory for a while, which a result would keep.
    """
    sweep = [new[bar] for bar, of in lowered.cotangents.items() if not isinstance(of, Sym)]
    place: dict[Expr, int] = {}
    for bar in sweep:
        if bar in wanted:
            place.setdefault(bar, len(place))
    latest: dict[Expr, int] = {}
    for node in topological(results.values()):
        found = place.get(node, -1)
        for a in node.args:
            if latest[a] > found:
                found = latest[a]
        latest[node] = found
    after: dict[int, list[Expr]] = {}
    for result in results.values():
        after.setdefault(latest[result], []).append(result)
    order = after.pop(-1, [])
    waiting: dict[Expr, bool] = {}  # results, and whether a product of the sweep was since
    for bar, i in place.items():
        if bar.op is not None and bar.op.name == "matmul":
            order += [result for result, ahead in waiting.items() if ahead]
            waiting = {result: True for result, ahead in waiting.items() if not ahead}
        order.append(bar)
        if i in after:
            waiting.update(dict.fromkeys(after[i], False))
    return [*order, *waiting]
