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

from collections.abc import Iterator
from itertools import count

from chainrule.core import arrays
from chainrule.core.expr import (
    ONE,
    ZERO,
    Apply,
    Const,
    Expr,
    Sym,
    apply,
    substitute,
    symbol,
)
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
        names = _names(order)
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
                name = node.name if isinstance(node, Sym) else next(names)
                done[node] = symbol(name)
                back[done[node]] = node
        simplified = self.simplify(done[root])
        for firing in simplified.firings:
            self.fired[firing.rule] = None
            for condition in firing.provided:
                self.provided[substitute([condition], back)[0]] = None
        (result,) = substitute([simplified.result], back)
        return arrays.spread(result, root.shape)


def _names(order: list[Expr]) -> Iterator[str]:
    """Names for the leaves that have none."""
    taken = {leaf.name for leaf in order if isinstance(leaf, Sym)}
    return (name for i in count(1) if (name := f"e{i}") not in taken)
