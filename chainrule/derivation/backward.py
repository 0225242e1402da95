"""Reverse and forward accumulation over the DAG, one visit a node.

Griewank & Walther, *Evaluating Derivatives* (2008), chapter 3.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import reduce

from chainrule.core.arithmetic import ADD, MUL, NEG, add, mul, neg, sub
from chainrule.core.expr import MINUS_ONE, ONE, TWO, ZERO, Apply, Const, Expr, const, topological

Terms = Expr | list[Expr]
"""An expression, or the terms of a sum that is not written yet."""


def gradient(y: Expr, xs: Sequence[Expr], seed: Expr = ONE) -> list[Expr]:
    """The derivatives of the scalar `y` by each of `xs`, times `seed`, by reverse accumulation.

    >>> from chainrule.core.expr import symbol
    >>> x, z = symbol("x"), symbol("z")
    >>> gradient(x * z + x, [x, z])
    [add(1, z), x]
    """
    return pull([y], [seed], xs)


def pull(ys: Sequence[Expr], seeds: Sequence[Expr], xs: Sequence[Expr]) -> list[Expr]:
    """The derivatives by each of `xs` of the sum of `ys` times `seeds`."""
    active = set(xs)
    nodes = varying(topological(ys), active)
    adjoint: dict[Expr, Terms] = {}
    get, pop = adjoint.get, adjoint.pop

    def put(argument: Expr, term: Expr) -> None:
        present = get(argument)
        if present is None:
            adjoint[argument] = term
        elif type(present) is list:
            present.append(term)
        else:
            adjoint[argument] = [present, term]  # type: ignore[list-item]

    for y, seed in zip(ys, seeds, strict=True):
        put(y, seed)
    for node in reversed(nodes):
        bar = pop(node, ZERO)
        if type(bar) is list:
            bar = total(bar)
        if bar is ZERO:
            continue
        op, args = node.op, node.args
        if op is MUL:  # the two commonest rows, without the detour over the table
            a, b = args
            if a is b:
                put(a, mul(TWO, mul(bar, a)))
                continue
            if b in active:
                put(b, mul(bar, a))
            if a in active:
                put(a, mul(bar, b))
        elif op is ADD:
            a, b = args
            if b in active:
                put(b, bar)
            if a in active:
                put(a, bar)
        else:
            for slot, argument in enumerate(args):
                if argument in active:
                    partial = op.partial(node, slot)
                    # A sign stays outside, so that it ends in a difference.
                    term = neg(bar) if partial is MINUS_ONE else mul(bar, partial)
                    if term is not ZERO:
                        put(argument, term)
    slopes = [get(x, ZERO) for x in xs]
    return [finished(total(slope) if isinstance(slope, list) else slope) for slope in slopes]


def tangents(ys: Sequence[Expr], direction: Mapping[Expr, Expr]) -> list[Expr]:
    """The directional derivatives of `ys` along `direction` (symbol to component)."""
    dot: dict[Expr, Expr] = dict(direction)
    for node in varying(topological(ys), set(direction)):
        terms = []
        for slot, argument in enumerate(node.args):
            push = dot.get(argument)
            if push is not None:
                partial = node.op.partial(node, slot)
                term = neg(push) if partial is MINUS_ONE else mul(partial, push)
                if term is not ZERO:
                    terms.append(term)
        if terms:
            dot[node] = total(terms)
    return [finished(dot.get(y, ZERO)) for y in ys]


def varying(order: Sequence[Expr], active: set[Expr]) -> list[Apply]:
    """The applications in `order` that depend on `active`, in that order.

    They are added to `active`.
    """
    nodes: list[Apply] = []
    enter = active.add
    apart = active.isdisjoint
    for node in order:
        if node.op is not None and not apart(node.args) and node not in active:
            enter(node)
            nodes.append(node)  # type: ignore[arg-type]
    return nodes


def total(terms: Sequence[Expr]) -> Expr:
    """The sum: equal terms are counted, positive ones come first.

    >>> from chainrule.core.expr import symbol
    >>> x, y = symbol("x"), symbol("y")
    >>> total([neg(x), y, y])
    sub(mul(2, y), x)
    """
    if len(terms) == 2:
        a, b = terms
        if a is b:
            return mul(TWO, a)
        if a.op is not NEG:
            return add(a, b)
    plus = _counted([t for t in terms if t.op is not NEG])
    minus = _counted([t.args[0] for t in terms if t.op is NEG])
    if plus:
        return reduce(sub, minus, reduce(add, plus))
    return neg(reduce(add, minus)) if minus else ZERO


def finished(a: Expr) -> Expr:
    """The same with a sign drawn into a constant factor.

    >>> from chainrule.core.expr import symbol
    >>> finished(neg(mul(TWO, symbol("x"))))
    mul(-2, x)
    """
    if a.op is NEG and a.args[0].op is MUL:
        c, rest = a.args[0].args
        if type(c) is Const:
            return mul(neg(c), rest)
    return a


def _counted(terms: list[Expr]) -> list[Expr]:
    if len(set(terms)) == len(terms):
        return terms
    return [t if k == 1 else mul(const(k), t) for t, k in Counter(terms).items()]
