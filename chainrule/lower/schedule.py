"""Single assignment: one order, one name and one operation a statement.

`chainrule.lower.lowering` turns a program into one DAG of what is to be computed, values and
derivatives; `schedule` lays it out. The readable module and the preallocated form are both
written from a schedule, so a name means the same in both and in the derivation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from chainrule.core import arrays
from chainrule.core.expr import Apply, Expr, Sym, topological
from chainrule.core.ops import Operator
from chainrule.lower.identifiers import Identifiers
from chainrule.lower.kernels import Expansion
from chainrule.lower.lowering import Lowered

Stage = Literal["forward", "backward"]


class Statement(NamedTuple):
    """`name = node.op(*node.args)`: one operation, its operands names or literals.

    Attributes:
        name: an identifier of Python, assigned once.
        node: what is computed; `Schedule.names` has the name of each argument that is not a
            constant, a dimension or made of these.
        stage: whether the value needs it, or only the derivatives.
        of: of a derivative of the output by a node, that node.
        head: what it is the derivative of.
        named: whether the program or the derivation calls it so.
        base, suffix: of a helper of a softmax, the node it is named after, and how.
    """

    name: str
    node: Apply
    stage: Stage
    of: Expr | None = None
    head: str = ""
    named: bool = False
    base: Expr | None = None
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Statements in order.

    Attributes:
        lowered: what they compute, with the rows' own nodes replaced by operations.
        inputs: identifiers by name of the input, in order.
        statements: in order; all forward ones before all backward ones.
        names: the identifier of each input and of each statement's node.
        outputs, results: nodes by name, as in `Lowered`, after the replacement.
        wholes: for the last of several operations that stand for a row (a softmax), the row and
            its arguments.
    """

    lowered: Lowered
    inputs: Mapping[str, str]
    statements: tuple[Statement, ...]
    names: Mapping[Expr, str]
    outputs: Mapping[str, Expr]
    results: Mapping[str, Expr]
    wholes: Mapping[Expr, tuple[Operator, tuple[Expr, ...]]]


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

    order: list[Expr] = []
    seen: set[Expr] = set()
    wanted = _below([*outputs.values(), *results.values()])
    # In the order of the program's statements, where the value needs them.
    needed = _below(outputs.values())
    for node in [*(n for n in called if n in needed), *outputs.values()]:
        _visit(node, order, seen)
    forward = len(order)
    for node in _backward(new, lowered, wanted, results):
        _visit(node, order, seen)

    bars: dict[Expr, tuple[Expr, str]] = {}
    for bar, of in lowered.cotangents.items():
        if not isinstance(of, Sym):
            bars.setdefault(new[bar], (new[of], lowered.heads[bar]))
    heads = set(lowered.heads.values()) or {""}
    head = heads.pop() if len(heads) == 1 else ""
    variables = {s.name: s for s in lowered.inputs}
    for name, node in results.items():
        bars[node] = (variables[name], head)
    names, statements = _named(lowered, order, forward, called, bars, expansion, taken)
    inputs = {s.name: names[s] for s in lowered.inputs}
    return Schedule(lowered, inputs, tuple(statements), names, outputs, results, expansion.wholes)


def _below(roots: Iterable[Expr]) -> set[Expr]:
    seen: set[Expr] = set()
    stack = list(roots)
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack.extend(node.args)
    return seen


def _visit(root: Expr, order: list[Expr], seen: set[Expr]) -> None:
    """Append the applications below the root that are not there yet, arguments first."""
    stack: list[Expr] = [root]
    entered: list[Expr] = []  # the nodes between the root and the one looked at
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
        latest[node] = max([place.get(node, -1), *[latest[a] for a in node.args]])
    after: dict[int, list[Expr]] = {}
    for result in results.values():
        after.setdefault(latest[result], []).append(result)
    order = after.pop(-1, [])
    waiting: dict[Expr, bool] = {}  # results, and whether a product of the sweep was since
    for bar, i in place.items():
        if arrays.is_op(bar, "matmul"):
            order += [result for result, ahead in waiting.items() if ahead]
            waiting = {result: True for result, ahead in waiting.items() if not ahead}
        order.append(bar)
        waiting.update(dict.fromkeys(after.get(i, []), False))
    return [*order, *waiting]


def _named(
    lowered: Lowered,
    order: Sequence[Expr],
    forward: int,
    called: Mapping[Expr, str],
    bars: Mapping[Expr, tuple[Expr, str]],
    expansion: Expansion,
    taken: Iterable[str],
) -> tuple[dict[Expr, str], list[Statement]]:
    identifiers = Identifiers(taken)
    names: dict[Expr, str] = {s: identifiers.fresh(s.name) for s in lowered.inputs}
    given = {node: identifiers.fresh(name) for node, name in called.items()}
    statements: list[Statement] = []
    for i, node in enumerate(order):
        assert isinstance(node, Apply)
        stage: Stage = "forward" if i < forward else "backward"
        base, suffix = expansion.hints.get(node, (None, ""))
        of, head = (None, "") if stage == "forward" else bars.get(node, (None, ""))
        if node in given:
            name = given[node]
        elif of in names:
            name = identifiers.fresh(f"{names[of]}_bar")
        elif base in names:
            name = identifiers.fresh(f"{names[base]}_{suffix}")
        else:
            name = identifiers.numbered("u" if stage == "forward" else "t")
        names[node] = name
        statements.append(Statement(name, node, stage, of, head, node in given, base, suffix))
    return names, statements
