"""Element by element: what arithmetic and functions of entries make of arrays.

A maximal part of an expression that acts element by element is, for each entry, a scalar
expression of the entries of its leaves. It is therefore simplified as one: its leaves become
scalar symbols, and the result is put back.

>>> from chainrule.core.expr import symbol
>>> x, A = symbol("x", ("n",)), symbol("A", ("n", "n"))
>>> Regions().simplified(A @ x - x + A @ x)
sub(mul(2, matmul(A, x)), x)
"""

from __future__ import annotations

from itertools import count

from chainrule.core import arrays
from chainrule.core.arithmetic import ADD, MUL, SUB
from chainrule.core.expr import (
    ONE,
    ZERO,
    Apply,
    Const,
    Expr,
    Sym,
    apply,
    fold,
    free_symbols,
    substitute,
    symbol,
)
from chainrule.core.shape import Shape
from chainrule.derivation.simplify import Simplifier


def entrywise(node: Expr) -> bool:
    """Whether the node acts element by element on its arguments."""
    return isinstance(node, Apply) and node.op.shape is None


def region(root: Expr) -> list[Expr]:
    """The nodes of the element-wise part below the root, its leaves included, arguments first."""
    order: list[Expr] = []
    seen: set[Expr] = set()
    stack: list[tuple[Expr, bool]] = [(root, False)]
    while stack:
        node, left = stack.pop()
        if left:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            if entrywise(node):
                stack.extend((a, False) for a in reversed(node.args))
    return order


class Regions:
    """Element-wise simplification, with the rules that fired and what they took for granted.

    Attributes:
        fired: the names of the rules since `fired` was last cleared.
        provided: conditions over the leaves, as relations that hold for each entry.
    """

    def __init__(self, simplify: Simplifier | None = None) -> None:
        self.simplify = simplify or Simplifier()
        self.fired: dict[str, None] = {}
        self.provided: dict[Expr, None] = {}
        self._known: dict[Expr, Expr] = {}

    def simplified(self, root: Expr) -> Expr:
        """The expression with its outermost element-wise part in the form a person would write."""
        if not entrywise(root):
            return root
        done = self._known.get(root)
        if done is None:
            done = self._known[root] = self._simplified(root)
            self._known[done] = done
        return done

    def _simplified(self, root: Expr) -> Expr:
        order = region(root)
        names = map(str, count(1))
        back: dict[Expr, Expr] = {}
        done: dict[Expr, Expr] = {}
        for node in order:
            if isinstance(node, Apply) and entrywise(node):
                done[node] = apply(node.op, *(done[a] for a in node.args))
            elif arrays.is_op(node, "ones", "zeros"):
                done[node] = ONE if arrays.is_op(node, "ones") else ZERO
            elif isinstance(node, Const) or not (node.shape or node.args):
                done[node] = node
            else:
                name = node.name if isinstance(node, Sym) else _name(node, next(names))
                done[node] = symbol(name)
                back[done[node]] = node
        simplified = self.simplify(done[root])
        for firing in simplified.firings:
            self.fired[firing.rule] = None
            for condition in firing.provided:
                self.provided[substitute([condition], back)[0]] = None
        (result,) = fold([simplified.result], lambda node, args: _put_back(node, args, back))
        if len(root.shape) == 2 and any(arrays.is_op(node, "ones") for node in order):
            result = _with_ones(result, root.shape)
        return arrays.spread(result, root.shape)


def _put_back(node: Expr, args: list[Expr], back: dict[Expr, Expr]) -> Expr:
    """The leaves in the place of their twins; a scalar factor goes before an array."""
    if node in back:
        return back[node]
    if not isinstance(node, Apply):
        return node
    if node.op is MUL and args[0].shape and not args[1].shape:
        args = args[::-1]
    return apply(node.op, *args)


def _with_ones(total: Expr, shape: Shape) -> Expr:
    """A sum with a scalar term, which came of a matrix of ones, with that matrix again."""
    if total.op is not ADD and total.op is not SUB:
        return total
    parts = [_with_ones(a, shape) if a.shape else arrays.spread(a, shape) for a in total.args]
    return apply(total.op, *parts)


def _name(leaf: Expr, number: str) -> str:
    """A name for a leaf that has none: it is sorted where its first symbol would be."""
    first = next(iter(free_symbols([leaf])), None)
    return f"{first.name if first is not None else ''}#{number}"
