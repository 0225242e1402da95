"""Where a derivation holds: the domain of the functions, and the kinks inside it."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.core.errors import DomainError
from chainrule.core.expr import Apply, Expr, depends_on, topological
from chainrule.core.ops import Kink
from chainrule.core.table.piecewise import PIECEWISE
from chainrule.derivation.signs import holds


def ledger(
    functions: Sequence[Expr], variables: Sequence[Expr]
) -> tuple[tuple[Expr, ...], tuple[Kink, ...]]:
    """Relations under which the functions are real and smooth, and their kinks.

    Relations that always hold are left out. What stands in the branches of a piecewise is
    under its condition and asks nothing of the whole.

    Raises:
        DomainError: a function is nowhere a real number, as ln(-1).
    """
    active = depends_on(functions, variables)
    conditions = _conditions(functions)
    needed: dict[Expr, None] = {}
    kinks: dict[Kink, None] = {}
    unguarded = _unguarded(functions)
    for node in topological(functions):
        if not isinstance(node, Apply):
            continue
        for relation in node.op.domain(*node.args) if node in unguarded else ():
            truth = holds(relation)
            if truth is False:
                raise DomainError("nowhere a real number", at=node, needs=relation)
            if truth is None:
                needed[relation] = None
        if node in active:
            for relation in node.op.smooth(*node.args) if node in unguarded else ():
                if holds(relation) is not True:
                    needed[relation] = None
            for kink in node.op.kinks(*node.args) if node not in conditions else ():
                if not active.isdisjoint(kink.where.args) and holds(kink.where) is not False:
                    kinks[kink] = None
    return tuple(needed), tuple(kinks)


def _conditions(functions: Sequence[Expr]) -> set[Expr]:
    """Relations that are the condition of a case: the case has the kink."""
    return {
        a
        for node in topological(functions)
        if isinstance(node, Apply) and node.op is PIECEWISE
        for a in node.args[1 : len(node.args) // 2 * 2 : 2]
    }


def _unguarded(functions: Sequence[Expr]) -> set[Expr]:
    seen = set(functions)
    stack = list(seen)
    while stack:
        node = stack.pop()
        guarded = isinstance(node, Apply) and node.op is PIECEWISE
        for i, argument in enumerate(node.args):
            if argument not in seen and not (guarded and (i % 2 == 0)):
                seen.add(argument)
                stack.append(argument)
    return seen
