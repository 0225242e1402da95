"""Forward and reverse accumulation over linear maps, one visit a node.

The same walk gives gradients of arrays to derivations and to generated code.
Griewank & Walther, *Evaluating Derivatives* (2008), chapter 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from chainrule.core import arrays
from chainrule.core.arithmetic import NEG
from chainrule.core.expr import ONE, Apply, Expr, depends_on, topological
from chainrule.core.linmap import LinMap, elementwise


def edge(node: Apply, slot: int) -> LinMap:
    """The local derivative of `node` by its argument number `slot`.

    >>> from chainrule.core.expr import symbol
    >>> W, x = symbol("W", ("m", "n")), symbol("x", ("n",))
    >>> edge(W @ x, 1).matrix()
    W
    """
    op = node.op
    if op.maps:
        return op.maps[0](node, slot) if op.variadic else op.maps[slot](node, *node.args)
    return elementwise(op.partial(node, slot), node.args[slot].shape, node.shape)


def cotangents(ys: Sequence[Expr], seeds: Sequence[Expr], xs: Iterable[Expr]) -> dict[Expr, Expr]:
    """For each node between `xs` and `ys`: the derivative of the sum of <seed, y> by it.

    Each has the shape of its node. Nodes that no y depends on are left out.
    """
    wanted = list(xs)
    active = depends_on(ys, wanted)
    terms: dict[Expr, list[Expr]] = {}
    for y, seed in zip(ys, seeds, strict=True):
        terms.setdefault(y, []).append(seed)
    found: dict[Expr, Expr] = {}
    for node in reversed(topological(ys)):
        if node not in active or node not in terms:
            continue
        bar = found[node] = sum_of(terms.pop(node))
        if arrays.is_zero(bar) or not isinstance(node, Apply):
            continue
        for slot, argument in enumerate(node.args):
            if argument in active:
                term = edge(node, slot).pull(bar)
                assert term.shape == argument.shape, (node, slot)
                if not arrays.is_zero(term):
                    terms.setdefault(argument, []).append(term)
    return found


def gradient(y: Expr, xs: Sequence[Expr], seed: Expr = ONE) -> list[Expr]:
    """The derivatives of the scalar `y` by each of `xs`, in the shape of each.

    >>> from chainrule.core.expr import symbol
    >>> A, x = symbol("A", ("m", "n")), symbol("x", ("n",))
    >>> gradient(arrays.total(A @ x), [x])
    [matmul(transpose(A), ones(m))]
    """
    found = cotangents([y], [seed], xs)
    return [found.get(x, arrays.zeros(x.shape)) for x in xs]


def tangents(ys: Sequence[Expr], direction: Mapping[Expr, Expr]) -> list[Expr]:
    """The directional derivatives of `ys` along `direction` (node to tangent of its shape)."""
    found: dict[Expr, Expr] = dict(direction)
    for node in topological(ys):
        if node in found or not isinstance(node, Apply):
            continue
        terms = [
            edge(node, slot).push(found[argument])
            for slot, argument in enumerate(node.args)
            if argument in found
        ]
        terms = [t for t in terms if not arrays.is_zero(t)]
        if terms:
            found[node] = sum_of(terms)
    return [found.get(y, arrays.zeros(y.shape)) for y in ys]


def sum_of(terms: Sequence[Expr]) -> Expr:
    """The sum; what has a sign comes last."""
    ordered = sorted(terms, key=lambda term: term.op is NEG)
    total = ordered[0]
    for term in ordered[1:]:
        total = arrays.plus(total, term)
    return total
