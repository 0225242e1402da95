"""Reverse and forward accumulation over the DAG, one visit a node.

Griewank & Walther, *Evaluating Derivatives* (2008), chapter 3.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

from chainrule.core.arithmetic import ADD, MUL, NEG, SUB, add, mul, neg, sub
from chainrule.core.expr import (
    MINUS_ONE,
    ONE,
    TWO,
    ZERO,
    Apply,
    Const,
    Expr,
    apply,
    const,
    topological,
)


class Minus:
    """The negative of an expression, as long as it is not written: it may end in a difference."""

    __slots__ = ("of",)
    of: Expr

    def __init__(self, of: Expr) -> None:
        self.of = of


class MapsNeededError(Exception):
    """On the way is a row over arrays: `chainrule.core.accumulate` differentiates those."""


Signed = Expr | Minus
Terms = Signed | list[Signed]
"""A term, or the terms of a sum that is not written yet."""


def gradient(y: Expr, xs: Sequence[Expr], seed: Expr = ONE) -> list[Expr]:
    """The derivatives of the scalar `y` by each of `xs`, times `seed`, by reverse accumulation.

    >>> from chainrule.core.expr import symbol
    >>> p, q = symbol("p"), symbol("q")
    >>> gradient(p * q + p, [p, q])
    [add(1, q), p]
    """
    return pull([y], [seed], xs)


def pull(ys: Sequence[Expr], seeds: Sequence[Expr], xs: Sequence[Expr]) -> list[Expr]:
    """The derivatives by each of `xs` of the sum of `ys` times `seeds`."""
    active = set(xs)
    nodes = varying(topological(ys), active)
    adjoint: dict[Expr, Any] = {}  # of Terms; `type(…) is` is quicker than isinstance
    get, pop = adjoint.get, adjoint.pop

    def put(argument: Expr, term: Signed) -> None:
        present = get(argument)
        if present is None:
            adjoint[argument] = term
        elif type(present) is list:
            present.append(term)
        else:
            adjoint[argument] = [present, term]

    for y, seed in zip(ys, seeds, strict=True):
        put(y, seed)
    for node in reversed(nodes):
        signed = bar = pop(node, ZERO)
        if type(bar) is list:
            signed = bar = total(bar)
        negative = type(bar) is Minus
        if negative:
            bar = bar.of
        if bar is ZERO:
            continue
        op, args = node.op, node.args
        if op is MUL:  # the commonest rows, without the detour over the table
            a, b = args
            if a is b:
                term = mul(TWO, mul(bar, a))
                put(a, Minus(term) if negative else term)
                continue
            if b in active:
                term = mul(bar, a)
                put(b, Minus(term) if negative else term)
            if a in active:
                term = mul(bar, b)
                put(a, Minus(term) if negative else term)
        elif op is ADD or op is SUB:
            a, b = args
            if b in active:
                put(b, signed if op is ADD else bar if negative else Minus(bar))
            if a in active:
                put(a, signed)
        else:
            for slot, argument in enumerate(args):
                if argument in active:
                    flip, partial = local(node, slot)
                    term = mul(bar, partial)
                    if term is not ZERO:
                        put(argument, Minus(term) if negative is not flip else term)
    return finished([_summed(get(x, ZERO)) for x in xs])


def tangents(ys: Sequence[Expr], direction: Mapping[Expr, Expr]) -> list[Expr]:
    """The directional derivatives of `ys` along `direction` (symbol to component)."""
    dot: dict[Expr, Signed] = dict(direction)
    for node in varying(topological(ys), set(direction)):
        terms: list[Signed] = []
        for slot, argument in enumerate(node.args):
            push = dot.get(argument)
            if push is not None:
                negative, partial = local(node, slot)
                if isinstance(push, Minus):
                    push, negative = push.of, not negative
                term = mul(partial, push)
                if term is not ZERO:
                    terms.append(Minus(term) if negative else term)
        if terms:
            dot[node] = terms[0] if len(terms) == 1 else total(terms)
    return finished([dot.get(y, ZERO) for y in ys])


def local(node: Apply, slot: int) -> tuple[bool, Expr]:
    """Whether the local derivative has a sign, and what stands behind it."""
    op = node.op
    if not op.partials:
        raise MapsNeededError(op.name)
    if op.arity[1] is None:
        partial = op.partials[0](node, slot)
    else:
        partial = op.partials[slot](node, *node.args)
    if partial is MINUS_ONE:
        return True, ONE
    return (True, partial.args[0]) if partial.op is NEG else (False, partial)


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


def total(terms: Sequence[Signed]) -> Signed:
    """The sum: equal terms are counted, positive ones come first.

    >>> from chainrule.core.expr import symbol
    >>> x, y = symbol("x"), symbol("y")
    >>> total([Minus(x), y, y])
    sub(mul(2, y), x)
    """
    plus: list[Expr] = []
    minus: list[Expr] = []
    for term in terms:
        if not isinstance(term, Minus):
            plus.append(term)
        elif type(term.of) is Const:
            plus.append(neg(term.of))
        else:
            minus.append(term.of)
    plus, minus = _counted(plus), _counted(minus)
    if plus:
        return reduce(sub, minus, reduce(add, plus))
    return Minus(reduce(add, minus)) if minus else ZERO


def finished(slopes: Sequence[Signed]) -> list[Expr]:
    """The expressions themselves, with signs where they cost least.

    A sign is drawn into a constant factor, or into a factor that several have in common;
    where the product without it is there as well, it stays in front.

    >>> from chainrule.core.expr import symbol
    >>> x, y, z = symbol("x"), symbol("y"), symbol("z")
    >>> finished([Minus(mul(TWO, x)), Minus(mul(x, y)), Minus(mul(x, z))])
    [mul(-2, x), mul(neg(x), y), mul(neg(x), z)]
    """
    plain = {slope for slope in slopes if not isinstance(slope, Minus)}
    signed = {slope.of: slope.of for slope in slopes if isinstance(slope, Minus)}
    common: dict[Expr, int] = {}
    products = [term for term in signed if term.op is MUL and term not in plain]
    for term in products:
        for factor in term.args:
            common[factor] = common.get(factor, 0) + 1
    for term in signed:
        if term.op is not MUL:
            signed[term] = neg(term)
            continue
        a, b = term.args
        if type(a) is not Const and common.get(a, 0) < common.get(b, 0):
            a, b = b, a
        if term not in plain and a is not b and common[a] > 1:
            signed[term] = apply(MUL, _negative(a), b)
        else:
            signed[term] = _negative(term)
    return [signed[slope.of] if isinstance(slope, Minus) else slope for slope in slopes]


def _negative(term: Expr) -> Expr:
    if term.op is MUL and type(term.args[0]) is Const:
        return mul(neg(term.args[0]), term.args[1])
    return neg(term)


def _summed(terms: Terms) -> Signed:
    return total(terms) if isinstance(terms, list) else terms


def _counted(terms: list[Expr]) -> list[Expr]:
    if len(terms) < 2 or len(set(terms)) == len(terms):
        return terms
    return [t if k == 1 else mul(const(k), t) for t, k in Counter(terms).items()]
