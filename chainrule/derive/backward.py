"""Reverse and forward accumulation over the DAG, one visit a node.

Griewank & Walther, *Evaluating Derivatives* (2008), chapter 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chainrule.core.arithmetic import add, mul
from chainrule.core.expr import ONE, ZERO, Apply, Expr, depends_on, topological


def gradient(y: Expr, xs: Sequence[Expr], seed: Expr = ONE) -> list[Expr]:
    """The derivatives of the scalar `y` by each of `xs`, times `seed`, by reverse accumulation.

    >>> from chainrule.core.expr import symbol
    >>> x, z = symbol("x"), symbol("z")
    >>> gradient(x * z + x, [x, z])
    [add(1, z), x]
    """
    active = depends_on([y], xs)
    inputs = set(xs)
    adjoint: dict[Expr, Expr] = {y: seed}
    for node in reversed(topological([y])):
        if node in inputs or node not in active or not isinstance(node, Apply):
            continue
        bar = adjoint.pop(node)
        for slot, argument in enumerate(node.args):
            if argument in active:
                term = mul(bar, node.op.partial(node, slot))
                present = adjoint.get(argument)
                adjoint[argument] = term if present is None else add(present, term)
    return [adjoint.get(x, ZERO) for x in xs]


def tangents(ys: Sequence[Expr], direction: Mapping[Expr, Expr]) -> list[Expr]:
    """The directional derivatives of `ys` along `direction` (symbol to component)."""
    dot: dict[Expr, Expr] = dict(direction)
    for node in topological(ys):
        if not isinstance(node, Apply) or node in direction:
            continue
        total = ZERO
        for slot, argument in enumerate(node.args):
            if argument in dot:
                total = add(total, mul(node.op.partial(node, slot), dot[argument]))
        dot[node] = total
    return [dot.get(y, ZERO) for y in ys]
