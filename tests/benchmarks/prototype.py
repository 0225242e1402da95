"""A hash-consed expression DAG in plain Python, as lean as it gets: a reference point.

Interned: equal expressions are one object.  `serial` grows, so creation order is a
topological order and no walk recurses.  Simplifies 0, 1, constants; nothing else.
"""

from __future__ import annotations

import gc
import math
from contextlib import contextmanager

CONST, SYMBOL, ADD, MUL, POW, SIN, COS, TANH, NEG = range(9)


class Node:
    """An operation and its arguments; `b` is None for one argument; a leaf has a `value`."""

    __slots__ = ("a", "b", "op", "serial", "value")

    def __add__(self, other):
        return add(self, other if type(other) is Node else lift(other))

    def __radd__(self, other):
        return add(lift(other), self)

    def __mul__(self, other):
        return mul(self, other if type(other) is Node else lift(other))

    def __rmul__(self, other):
        return mul(lift(other), self)

    def __sub__(self, other):
        return add(self, neg(other if type(other) is Node else lift(other)))

    def __rsub__(self, other):
        return add(lift(other), neg(self))

    def __neg__(self):
        return neg(self)

    def __pow__(self, k):
        return power(self, k)

    @property
    def args(self):
        return () if self.op < ADD else (self.a,) if self.b is None else (self.a, self.b)


TABLE: dict = {}
NODES: list = []
_new = object.__new__
_get = TABLE.get


def make(op, a, b):
    key = (op, a, b)
    node = _get(key)
    if node is None:
        node = _new(Node)
        node.op = op
        node.a = a
        node.b = b
        node.serial = len(NODES)
        NODES.append(node)
        TABLE[key] = node
    return node


def leaf(op, value):
    node = _get((op, value))
    if node is None:
        node = _new(Node)
        node.op = op
        node.a = node.b = None
        node.value = value
        node.serial = len(NODES)
        NODES.append(node)
        TABLE[op, value] = node
    return node


def symbol(name):
    return leaf(SYMBOL, name)


def lift(value):
    return value if type(value) is Node else leaf(CONST, value)


ZERO, ONE = leaf(CONST, 0), leaf(CONST, 1)


def add(a, b):
    if a is ZERO:
        return b
    if b is ZERO:
        return a
    if a.serial > b.serial:
        a, b = b, a
    if a.op == CONST and b.op == CONST:
        return leaf(CONST, a.value + b.value)
    return make(ADD, a, b)


def mul(a, b):
    if a is ONE:
        return b
    if b is ONE:
        return a
    if a is ZERO or b is ZERO:
        return ZERO
    if a.serial > b.serial:
        a, b = b, a
    if a.op == CONST and b.op == CONST:
        return leaf(CONST, a.value * b.value)
    return make(MUL, a, b)


def neg(a):
    if a.op == CONST:
        return leaf(CONST, -a.value)
    return a.a if a.op == NEG else make(NEG, a, None)


def power(a, k):
    if k == 0:
        return ONE
    if k == 1:
        return a
    return leaf(CONST, a.value**k) if a.op == CONST else make(POW, a, lift(k))


def sin(a):
    return leaf(CONST, math.sin(a.value)) if a.op == CONST else make(SIN, a, None)


def cos(a):
    return leaf(CONST, math.cos(a.value)) if a.op == CONST else make(COS, a, None)


def tanh(a):
    return leaf(CONST, math.tanh(a.value)) if a.op == CONST else make(TANH, a, None)


def reachable(roots):
    """The nodes below the roots, in creation order."""
    seen = set(roots)
    stack = list(seen)
    while stack:
        node = stack.pop()
        if node.op >= ADD:
            a = node.a
            if a not in seen:
                seen.add(a)
                stack.append(a)
            b = node.b
            if b is not None and b not in seen:
                seen.add(b)
                stack.append(b)
    return sorted(seen, key=_serial)


def _serial(node):
    return node.serial


def accumulate(order, root, seed=ONE):
    """Reverse accumulation: node -> adjoint, over the nodes in `order` (roots last)."""
    adjoint = {root: seed}
    get, pop = adjoint.get, adjoint.pop
    for node in reversed(order):
        op = node.op
        if op < ADD:
            continue
        g = pop(node, None)
        if g is None:
            continue
        a, b = node.a, node.b
        if op == ADD:
            h = get(b)
            adjoint[b] = g if h is None else add(h, g)
        elif op == MUL:
            h = get(b)
            k = mul(g, a)
            adjoint[b] = k if h is None else add(h, k)
            g = mul(g, b)
        elif op == SIN:
            g = mul(g, cos(a))
        elif op == COS:
            g = mul(g, neg(sin(a)))
        elif op == TANH:
            g = mul(g, add(ONE, neg(power(node, 2))))
        elif op == NEG:
            g = neg(g)
        elif op == POW:
            g = mul(g, mul(b, power(a, b.value - 1)))
        h = get(a)
        adjoint[a] = g if h is None else add(h, g)
    return adjoint


@contextmanager
def collector_paused():
    """The nodes stay; looking for garbage among them takes as long as making them."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def gradient(y, xs):
    with collector_paused():
        adjoint = accumulate(reachable([y]), y)
        return [adjoint.get(x, ZERO) for x in xs]


def tangents(order, x):
    """Forward accumulation: node -> its derivative by x, over the nodes in `order`."""
    tangent = {x: ONE}
    get = tangent.get
    for node in order:
        op = node.op
        if op < ADD:
            continue
        a, b = node.a, node.b
        s = get(a)
        if op == ADD:
            t = get(b)
            if s is not None:
                tangent[node] = s if t is None else add(s, t)
            elif t is not None:
                tangent[node] = t
            continue
        if op == MUL:
            t = get(b)
            if t is not None:
                t = mul(a, t)
                tangent[node] = t if s is None else add(mul(s, b), t)
            elif s is not None:
                tangent[node] = mul(s, b)
            continue
        if s is None:
            continue
        if op == SIN:
            s = mul(s, cos(a))
        elif op == COS:
            s = mul(s, neg(sin(a)))
        elif op == TANH:
            s = mul(s, add(ONE, neg(power(node, 2))))
        elif op == NEG:
            s = neg(s)
        elif op == POW:
            s = mul(s, mul(b, power(a, b.value - 1)))
        tangent[node] = s
    return tangent


def jacobian(ys, xs):
    """The entries that are not zero: a sweep an input or a sweep an output, the fewer."""
    with collector_paused():
        if len(xs) < len(ys):
            order = reachable(ys)
            columns = (tangents(order, x) for x in xs)
            return [tangent[y] for tangent in columns for y in ys if y in tangent]
        wanted, out = set(xs), []
        for y in ys:
            adjoint = accumulate(reachable([y]), y)
            out.extend(g for x, g in adjoint.items() if x in wanted and g is not ZERO)
        return out


def count(roots):
    return sum(node.op >= ADD for node in reachable(roots))
