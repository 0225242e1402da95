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

from collections.abc import Sequence
from itertools import count

from chainrule.core import arrays
from chainrule.core.arithmetic import ADD, MUL, NEG, SUB, neg
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
    postorder,
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
    return postorder(root, entrywise)


def terms_of(node: Expr) -> list[tuple[bool, Expr]]:
    """The terms of a sum, and whether each is subtracted."""
    found: list[tuple[bool, Expr]] = []
    stack = [(False, node)]
    while stack:
        minus, top = stack.pop()
        if top.op is ADD or top.op is SUB:
            stack.append((minus != (top.op is SUB), top.args[1]))
            stack.append((minus, top.args[0]))
        elif top.op is NEG:
            stack.append((not minus, top.args[0]))
        else:
            found.append((minus, top))
    return found


def sum_of_terms(terms: Sequence[tuple[bool, Expr]]) -> Expr:
    """The sum; one that is not subtracted comes first, if there is one."""
    ordered = [pair for minus, term in terms for pair in _unsigned(minus, term)]
    first = next((i for i, (minus, _) in enumerate(ordered) if not minus), 0)
    ordered.insert(0, ordered.pop(first))
    minus, total = ordered[0]
    total = neg(total) if minus else total
    for minus, term in ordered[1:]:
        total = apply(SUB if minus else ADD, total, term)
    return total


def _unsigned(minus: bool, term: Expr) -> list[tuple[bool, Expr]]:
    while term.op is NEG:
        minus, term = not minus, term.args[0]
    return [(minus, term)]


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
    terms = terms_of(total)
    if len(terms) == 1:
        return total
    return sum_of_terms([(m, t if t.shape else arrays.spread(t, shape)) for m, t in terms])


def _name(leaf: Expr, number: str) -> str:
    """A name for a leaf that has none: it is sorted where its first symbol would be."""
    first = next(iter(free_symbols([leaf])), None)
    return f"{first.name if first is not None else ''}#{number}"
