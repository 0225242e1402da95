"""Where a derivation holds: the domain of the functions, and the kinks inside it."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.core.arithmetic import ADD, MUL, NEG, POW, SUB, neg, relation
from chainrule.core.errors import DomainError
from chainrule.core.expr import ZERO, Apply, Const, Expr, depends_on, topological
from chainrule.core.ops import Kink, lookup
from chainrule.core.table.elementary import CBRT
from chainrule.core.table.piecewise import ABS, PIECEWISE
from chainrule.derivation.signs import holds

STRICT = (lookup("<"), lookup(">"))
OR_EQUAL = (lookup("<="), lookup(">="))


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
        for needs in node.op.domain(*node.args) if node in unguarded else ():
            truth = holds(needs)
            if truth is False:
                raise DomainError("nowhere a real number", at=node, needs=needs)
            if truth is None:
                needed[plain(needs)] = None
        if node in active:
            for needs in node.op.smooth(*node.args) if node in unguarded else ():
                if holds(needs) is not True:
                    needed[plain(needs)] = None
            for kink in node.op.kinks(*node.args) if node not in conditions else ():
                if not active.isdisjoint(kink.where.args) and holds(kink.where) is not False:
                    kinks[kink] = None
    strict = {n.args for n in needed if n.op in STRICT}
    return tuple(n for n in needed if not (n.op in OR_EQUAL and n.args in strict)), tuple(kinks)


def plain(needed: Expr) -> Expr:
    """A relation without what does not matter to it: x^2 != 0 is x != 0, x - 1 > 0 is x > 1."""
    assert isinstance(needed, Apply)
    sign, (left, right) = needed.op.name, needed.args
    while right is ZERO and isinstance(left, Apply) and left.args:
        a, b = left.args[0], left.args[-1]
        if sign == ">" and (left.op is ABS or _is_even_power(left)):
            sign = "!="  # both are never negative
        elif sign == "!=" and (left.op in (ABS, CBRT, NEG) or _is_positive_power(left)):
            left = a
        elif left.op is MUL and isinstance(a, Const) and a.value > 0:
            left = b
        elif left.op in (ADD, SUB) and isinstance(b, Const):
            left, right = a, neg(b) if left.op is ADD else b
        else:
            break
    return relation(sign, left, right)


def _is_positive_power(node: Apply) -> bool:
    exponent = node.args[-1]
    return (
        node.op is POW
        and isinstance(exponent, Const)
        and exponent.value == int(exponent.value)
        and exponent.value > 0
    )


def _is_even_power(node: Apply) -> bool:
    exponent = node.args[-1]
    return _is_positive_power(node) and isinstance(exponent, Const) and int(exponent.value) % 2 == 0


def _conditions(functions: Sequence[Expr]) -> set[Expr]:
    """What stands in conditions of cases: the case has the kink."""
    conditions = [
        a
        for node in topological(functions)
        if isinstance(node, Apply) and node.op is PIECEWISE
        for a in node.args[1 : len(node.args) // 2 * 2 : 2]
    ]
    relations = [a for a in topological(conditions) if isinstance(a, Apply)]
    return {a for a in relations if a.op.notation == "relation"}


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
