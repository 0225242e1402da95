"""Forward and reverse accumulation over linear maps, one visit a node.

The same walk gives gradients of arrays to derivations and to generated code.
Griewank & Walther, *Evaluating Derivatives* (2008), chapter 3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction

from chainrule.core import arrays
from chainrule.core.arithmetic import MUL, NEG
from chainrule.core.errors import UnsupportedError
from chainrule.core.expr import ONE, Apply, Const, Expr, const, topological
from chainrule.core.linmap import LinMap, Zero, elementwise, product_of
from chainrule.core.shape import Shape


def edge(node: Apply, slot: int) -> LinMap:
    """The local derivative of `node` by its argument number `slot`.

    >>> from chainrule.core.expr import symbol
    >>> W, x = symbol("W", ("m", "n")), symbol("x", ("n",))
    >>> edge(W @ x, 1).matrix()
    W
    """
    op = node.op
    if op.maps:
        return op.map(node, slot)
    return elementwise(op.partial(node, slot), node.args[slot].shape, node.shape)


def cotangents(
    ys: Sequence[Expr],
    seeds: Sequence[Expr],
    xs: Iterable[Expr],
    stands_for: Callable[[Expr], Expr] = lambda bar: bar,
) -> dict[Expr, Expr]:
    """For each node between `xs` and `ys`: the derivative of the sum of <seed, y> by it.

    Each has the shape of its node. Nodes that no y depends on are left out. Where a cotangent
    goes on to other nodes, `stands_for(cotangent)` is used for it: a name, for example.
    """
    wanted = list(xs)
    order = topological(ys)
    active = set(wanted)
    for node in order:
        if not active.isdisjoint(node.args):
            active.add(node)
    terms: dict[Expr, list[Expr]] = {}
    for y, seed in zip(ys, seeds, strict=True):
        terms.setdefault(y, []).append(seed)
    found: dict[Expr, Expr] = {}
    for node in reversed(order):
        if node not in active or node not in terms:
            continue
        bar = found[node] = sum_of(terms.pop(node))
        if arrays.is_zero(bar) or not isinstance(node, Apply):
            continue
        bar = stands_for(bar)
        for slot, argument in enumerate(node.args):
            if argument in active:
                if node.op.maps or node.shape or argument.shape:
                    term = edge(node, slot).pull(bar)
                    assert term.shape == argument.shape, (node, slot)
                else:  # of numbers a map is a product
                    partial = node.op.partial(node, slot)
                    term = bar if partial is ONE else arrays.scaled(bar, partial)
                if not arrays.is_zero(term):
                    terms.setdefault(argument, []).append(term)
    return found


def gradient(y: Expr, xs: Sequence[Expr], seed: Expr = ONE) -> list[Expr]:
    """The derivatives of the scalar `y` by each of `xs`, in the shape of each.

    >>> from chainrule.core.expr import symbol
    >>> A, x = symbol("A", ("m", "n")), symbol("x", ("n",))
    >>> gradient(arrays.total(A @ x), [x])
    [sum(A, 0)]
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


def jacobian(y: Expr, x: Expr) -> Expr:
    """The Jacobian of `y` by `x`, scalars or vectors, in numerator layout.

    A row for a scalar `y`, a column for a scalar `x`; the matrices of the edges multiplied
    along the paths, from `x` on.

    Raises:
        UnsupportedError: `y` or `x` is a matrix, or lies behind one where both are vectors.

    >>> from chainrule.core.expr import symbol
    >>> A, x = symbol("A", ("n", "n")), symbol("x", ("n",))
    >>> jacobian(gradient(x.T @ A @ x, [x])[0], x)
    add(transpose(A), A)
    """
    whole = jacobian_shape(y.shape, x.shape)
    if not x.shape:
        return tangents([y], {x: ONE})[0]
    if not y.shape:
        return arrays.transpose(gradient(y, [x])[0])
    found: dict[Expr, Expr] = {x: arrays.eye(x.shape[0])}
    for node in topological([y]):
        if node in found or not isinstance(node, Apply):
            continue
        edges = [(edge(node, slot), a) for slot, a in enumerate(node.args) if a in found]
        terms = [_after(m, found[a], x) for m, a in edges if not isinstance(m, Zero)]
        if edges:
            zero = arrays.zeros(jacobian_shape(node.shape, x.shape))
            found[node] = sum_of(terms) if terms else zero
    return found.get(y, arrays.zeros(whole))


def _after(local: LinMap, slope: Expr, x: Expr) -> Expr:
    """The matrix of an edge times that of what comes before it."""
    matrix = local.matrix()
    if matrix is None:
        raise UnsupportedError(
            "the Jacobian passes through a matrix", hint="ask for its action on a direction"
        )
    return arrays.shaped(product_of(matrix, slope), jacobian_shape(local.codomain, x.shape))


def jacobian_shape(codomain: Shape, domain: Shape) -> Shape:
    """The shape of a Jacobian: of a scalar by a vector a row; UnsupportedError for matrices."""
    if len(codomain) > 1 or len(domain) > 1:
        raise UnsupportedError(
            "the derivative of or by a matrix is no matrix", hint="ask for its action"
        )
    return (*(() if codomain or not domain else (1,)), *codomain, *domain)


def sum_of(terms: Sequence[Expr]) -> Expr:
    """The sum; equal terms are counted, what has a sign comes last.

    >>> from chainrule.core.expr import symbol
    >>> A, B = symbol("A", ("n", "n")), symbol("B", ("n", "n"))
    >>> sum_of([-A, B, arrays.transpose(A), B])
    sub(add(mul(2, B), transpose(A)), A)
    """
    if len(terms) == 1:
        return terms[0]
    counts: dict[Expr, int | Fraction] = {}
    for term in terms:
        count, rest = _counted(term)
        counts[rest] = counts.get(rest, 0) + count
    if len(counts) < len(terms):
        shape = terms[0].shape
        terms = [arrays.scaled(const(c), rest) for rest, c in counts.items() if c]
        if not terms:
            return arrays.zeros(shape)
    negative = [term for term in terms if term.op is NEG]
    if negative:
        terms = [*(term for term in terms if term.op is not NEG), *negative]
    total = terms[0]
    for term in terms[1:]:
        total = arrays.plus(total, term)
    return total


def _counted(term: Expr) -> tuple[int | Fraction, Expr]:
    """A number and what it multiplies."""
    count: int | Fraction = 1
    while term.op is NEG:
        count, term = -count, term.args[0]
    if term.op is MUL and isinstance(term.args[0], Const) and not term.args[0].decimal:
        count, term = count * term.args[0].value, term.args[1]
    return count, term
