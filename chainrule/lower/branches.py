"""Piecewise values without trouble from branches that do not hold.

NumPy computes every branch everywhere. Where a part is needed in some branches only, the
arguments of its operations that could fail or overflow there get a harmless value wherever
none of these branches holds; so neither the value nor a slope is ever nan for it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

from chainrule.core.arithmetic import mul
from chainrule.core.expr import ONE, ZERO, Apply, Const, Expr, apply, const, topological
from chainrule.core.ops import Operator
from chainrule.core.table.piecewise import PIECEWISE, cases

Guard = tuple[Expr, bool]  # a condition, and whether it holds or not
_ALWAYS: frozenset[Guard] = frozenset([(ONE, True)])
_MOST_GUARDS = 4
_OVERFLOWING = frozenset({"exp", "sinh", "cosh", "pow"})


def guard_branches(roots: Sequence[Expr], wanted: Sequence[Expr]) -> list[Expr]:
    """The roots with the arguments of what stands in branches masked where it may fail.

    Args:
        roots: what is rewritten.
        wanted: those whose values matter everywhere.
    """
    order = topological(roots)
    if not any(node.op is PIECEWISE for node in order):
        return list(roots)
    needed = _needed(wanted, topological(wanted))
    new: dict[Expr, Expr] = {}
    for node in order:
        if not isinstance(node, Apply):
            new[node] = node
            continue
        args = [new[a] for a in node.args]
        guards = needed.get(node, _ALWAYS)
        if guards != _ALWAYS and _may_fail(node):
            harmless = _harmless(node.op, tuple(a if isinstance(a, Const) else None for a in args))
            args = [
                a if isinstance(a, Const) else _masked(a, safe, guards, new)
                for a, safe in zip(args, harmless, strict=True)
            ]
        new[node] = node if tuple(args) == node.args else apply(node.op, *args)
    return [new[root] for root in roots]


def _needed(roots: Iterable[Expr], order: Sequence[Expr]) -> Mapping[Expr, frozenset[Guard]]:
    """Where the value of each node matters: always, or where one of the guards holds."""
    needed: dict[Expr, frozenset[Guard]] = dict.fromkeys(roots, _ALWAYS)

    def need(node: Expr, guards: frozenset[Guard]) -> None:
        union = needed.get(node, frozenset()) | guards
        everywhere = (ONE, True) in union or len(union) > _MOST_GUARDS
        needed[node] = _ALWAYS if everywhere else union

    for node in reversed(order):
        guards = needed[node]
        if node.op is not PIECEWISE:
            for a in node.args:
                need(a, guards)
            continue
        count = len(node.args) // 2
        for i in range(count):
            need(node.args[2 * i + 1], guards)
        for i, branch in enumerate(node.args[0::2]):
            own = _guard(node, i, count)
            need(branch, frozenset(_both(outer, own) for outer in guards))
    return needed


def _guard(node: Expr, i: int, count: int) -> Guard:
    """Where branch number i of a piecewise holds."""
    conditions = node.args[1::2]
    if i == 0:
        return conditions[0], True
    if count == 1:
        return conditions[0], False
    before = [part for c in conditions[:i] for part in (ZERO, c)]
    own = (ONE, conditions[i], ZERO) if i < count else (ONE,)
    return apply(PIECEWISE, *before, *own), True


def _both(outer: Guard, own: Guard) -> Guard:
    if outer == (ONE, True):
        return own
    return mul(_number(outer), _number(own)), True


def _number(guard: Guard) -> Expr:
    condition, holds = guard
    return cases(ONE, condition, ZERO) if holds else cases(ZERO, condition, ONE)


def _masked(a: Expr, safe: Fraction, guards: frozenset[Guard], new: Mapping[Expr, Expr]) -> Expr:
    ordered = sorted(guards, key=lambda guard: (guard[0].serial, guard[1]))
    found: Expr = const(safe)
    for condition, holds in reversed(ordered):
        condition = new.get(condition, condition)
        found = cases(a, condition, found) if holds else cases(found, condition, a)
    return found


def _may_fail(node: Apply) -> bool:
    op = node.op
    if op.shape is not None or op is PIECEWISE or op.notation == "relation":
        return False
    if op.name == "pow" and isinstance(node.args[1], Const):
        exponent = node.args[1].value
        return not isinstance(exponent, int) or exponent < 0
    return op.name in _OVERFLOWING or bool(op.domain(*node.args))


@lru_cache(maxsize=1024)
def _harmless(op: Operator, fixed: tuple[Expr | None, ...]) -> tuple[Fraction, ...]:
    """Arguments inside the domain where the row is smooth, constants as they are."""
    if op.name in ("exp", "sinh", "cosh"):
        return (Fraction(0),)
    for candidate in (1, 2, Fraction(1, 2), 0):
        args = [const(candidate) if a is None else a for a in fixed]
        if op.name == "logb":
            args = [const(2) if a is None else a for a in fixed]
        if all(_holds(r) for r in (*op.domain(*args), *op.smooth(*args))):
            return tuple(Fraction(a.value) if isinstance(a, Const) else Fraction(1) for a in args)
    return (Fraction(1),) * len(fixed)


class Floats:
    """Python's floating-point numbers, as the column `mpmath` of a row asks for them."""

    mpf, power, ln = float, math.pow, math.log

    def __getattr__(self, name: str) -> Any:
        return getattr(math, name)


def _holds(relation: Expr) -> bool:
    values: dict[Expr, Any] = {}
    for node in topological([relation]):
        if isinstance(node, Const):
            values[node] = float(node.value)
        elif isinstance(node, Apply):
            try:
                values[node] = node.op.mpmath(Floats(), *(values[a] for a in node.args))
            except (ValueError, ArithmeticError, AttributeError):
                return False
    return bool(values[relation])
