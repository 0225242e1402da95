"""Products and sums written so that the entries of a Jacobian share what they can.

Signs stand outside products. The terms of a sum come in one order, with those that the
functions themselves have at the end: what entries have in common was made for the
derivative. Equal terms are counted, multiples of one node are collected. Nodes of the
functions are taken as they are, whatever their form.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import reduce

from chainrule.core.arithmetic import ADD, MUL, SUB, add, mul, neg, sub
from chainrule.core.expr import ZERO, Const, Expr, const, find
from chainrule.derivation.backward import Minus, Signed

class Sums:
    """Products and sums over the `nodes` of some functions."""

    def __init__(self, nodes: Iterable[Expr]) -> None:
        self._own = set(nodes)

    def product(self, a: Expr, b: Expr) -> Signed:
        """a b, with its sign outside."""
        if type(b) is Const:
            a, b = b, a
        elif type(a) is not Const:
            return mul(a, b)
        if a.value.numerator < 0:  # type: ignore[attr-defined]
            known = find(MUL, a, b)
            if known is not None and known in self._own:
                return known
            product = self.product(neg(a), b)
            return product.of if isinstance(product, Minus) else Minus(product)
        product = mul(a, b)
        if product.op is MUL:
            c, rest = product.args
            if type(c) is Const and c.value.numerator < 0 and product not in self._own:
                return Minus(mul(neg(c), rest))
        return product

    def total(self, terms: Sequence[Signed]) -> Signed:
        """The sum of the terms."""
        plus: list[Expr] = []
        minus: list[Expr] = []
        factors: list[Expr] = []
        for signed in terms:
            if isinstance(signed, Minus):
                term = signed.of
                minus.append(term)
            else:
                term = signed
                plus.append(term)
            if term.op is MUL:
                a, b = term.args
                if type(a) is Const:
                    factors.append(a)
                    factors.append(b)
                elif b.op is MUL and type(b.args[0]) is Const:
                    factors.append(b.args[0])
                elif a.op is MUL and type(a.args[0]) is Const:
                    factors.append(a.args[0])
        distinct = {*plus, *minus}
        if len(distinct) < len(terms) or len(distinct.union(factors)) < len(terms) + len(factors):
            plus, minus = self._collected(plus, minus)
        if len(terms) > 2:
            plus.sort(key=self._place)
            minus.sort(key=self._place)
        if plus:
            return reduce(sub, minus, reduce(add, plus))
        return Minus(reduce(add, minus)) if minus else ZERO

    def _place(self, term: Expr) -> tuple[bool, int]:
        return term in self._own, term.serial

    def _collected(self, plus: list[Expr], minus: list[Expr]) -> tuple[list[Expr], list[Expr]]:
        """The same sum with fewer terms, if it is one over multiples of nodes in common."""
        weights = dict.fromkeys((*plus, *minus), 0)
        for term in plus:
            weights[term] += 1
        for term in minus:
            weights[term] -= 1
        items: list[tuple[int | Fraction, Expr, Expr | None]] = []
        alike: dict[tuple[int, int], list[int]] = {}
        for term, weight in weights.items():
            factor, node = self._multiple(term)
            factor *= weight
            p, q = factor.as_integer_ratio()
            if (abs(p), q) != (1, 1):
                alike.setdefault((abs(p), q), []).append(len(items))
            items.append((factor, node, term))
        for places in alike.values():
            if len(places) == 2:  # c a ± c b, and the functions have a ± b
                (c, a, _), (d, b, _) = (items[i] for i in places)
                sign, node = self._known_sum(c > 0, a, d > 0, b)
                if sign:
                    items[places[0]] = sign * abs(c), node, None
                    items[places[1]] = 0, node, None
        merged: dict[Expr, tuple[int | Fraction, Expr | None]] = {}
        for factor, node, origin in items:
            if node in merged:
                factor, origin = factor + merged[node][0], None
            merged[node] = factor, origin
        taken: list[tuple[int | Fraction, Expr]]
        if len(merged) < len(weights):
            taken = [
                (factor, node) if origin is None else (weights[origin], origin)
                for node, (factor, origin) in merged.items()
            ]
        else:
            taken = [(weight, term) for term, weight in weights.items()]
        return (
            [_times(k, term) for k, term in taken if k > 0],
            [_times(-k, term) for k, term in taken if k < 0],
        )

    def _multiple(self, term: Expr) -> tuple[int | Fraction, Expr]:
        """c and n where the term is c n, or u (c v) and the functions have n = u v."""
        if term.op is MUL:
            a, b = term.args
            if type(a) is Const:
                return a.value, b
            for u, v in ((a, b), (b, a)):
                if v.op is MUL and type(v.args[0]) is Const:
                    c, rest = v.args
                    for node in (find(MUL, u, rest), find(MUL, rest, u)):
                        if node is not None and node in self._own:
                            return c.value, node
        return 1, term

    def _known_sum(self, plus_a: bool, a: Expr, plus_b: bool, b: Expr) -> tuple[int, Expr]:
        """±1 and the node that the functions have for ±a ± b; 0 if they have none."""
        if plus_a is plus_b:
            tries = [(plus_a, find(ADD, a, b)), (plus_a, find(ADD, b, a))]
        else:
            tries = [(plus_a, find(SUB, a, b)), (plus_b, find(SUB, b, a))]
        for positive, node in tries:
            if node is not None and node in self._own:
                return 1 if positive else -1, node
        return 0, a


def _times(weight: int | Fraction, term: Expr) -> Expr:
    return term if weight == 1 else mul(const(weight), term)
