"""Products and sums written so that the entries of a Jacobian share what they can.

Signs stand outside products. The terms of a sum come in one order, with those that the
functions themselves have at the end: what entries have in common was made for the
derivative. Equal terms are counted, multiples of one node are collected. Nodes of the
functions are taken as they are, whatever their form.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce

from chainrule.core.arithmetic import ADD, MUL, SUB, add, mul, neg, sub
from chainrule.core.expr import ONE, ZERO, Const, Expr, applications_of, find
from chainrule.derivation.backward import Minus, Signed

_products = applications_of(MUL)


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
        negative = a.value.numerator < 0
        if negative:
            known = find(MUL, a, b)
            if known is not None and known in self._own:
                return known
            product = mul(neg(a), b)
        else:
            product = mul(a, b)
        if product.op is MUL:
            c, rest = product.args
            if type(c) is Const and c.value.numerator < 0 and product not in self._own:
                product, negative = mul(neg(c), rest), not negative
        return Minus(product) if negative else product

    def total(self, terms: Sequence[Signed]) -> Signed:
        """The sum of the terms."""
        plus: list[Expr] = []
        minus: list[Expr] = []
        factors: list[Expr] = []
        for signed in terms:
            term = signed.of if isinstance(signed, Minus) else signed
            if term is signed:
                plus.append(term)
            elif type(term) is Const:
                plus.append(neg(term))
            else:
                minus.append(term)
            if term.op is MUL:
                factor, node = self._multiple(term)
                if node is not term:
                    factors.append(factor)
                    factors.append(node)
        distinct = {*plus, *minus}
        if len(distinct) < len(terms) or len(distinct.union(factors)) < len(terms) + len(factors):
            plus, minus = self._collected(plus, minus)
        if len(terms) > 2:
            if len(plus) > 1:
                plus.sort(key=self._place)
            if len(minus) > 1:
                minus.sort(key=self._place)
        if plus:
            return reduce(sub, minus, reduce(add, plus))
        return Minus(reduce(add, minus)) if minus else ZERO

    def _place(self, term: Expr) -> tuple[bool, int]:
        return term in self._own, term.serial

    def _collected(self, plus: list[Expr], minus: list[Expr]) -> tuple[list[Expr], list[Expr]]:
        """The same sum with fewer terms, if it is one over multiples of nodes in common."""
        terms = [*plus, *minus]
        items = [(i < len(plus), *self._multiple(term)) for i, term in enumerate(terms)]
        alike: dict[Const, list[int]] = {}
        for i, (_, factor, _) in enumerate(items):
            if factor is not ONE:
                alike.setdefault(factor, []).append(i)
        members: dict[Expr, list[int]] = {}
        gone = set()
        for factor, places in alike.items():
            if len(places) == 2:  # c a ± c b, and the functions have a ± b
                i, j = places
                known = self._known_sum(items[i][0], items[i][2], items[j][0], items[j][2])
                if known is not None:
                    items[i] = known[0], factor, known[1]
                    members.setdefault(known[1], []).append(i)
                    gone |= {i, j}
        for i, (_, _, node) in enumerate(items):
            if i not in gone:
                members.setdefault(node, []).append(i)
        if len(members) == len(terms):
            return plus, minus
        plus, minus = [], []
        for node, places in members.items():
            i = places[0]
            if len(places) == 1 and i not in gone:
                (plus if items[i][0] else minus).append(terms[i])
                continue
            count: Expr = ZERO
            for i in places:
                positive, factor, _ = items[i]
                count = add(count, factor) if positive else sub(count, factor)
            assert isinstance(count, Const)
            if count.value > 0:
                plus.append(mul(count, node))
            elif count.value < 0:
                minus.append(mul(neg(count), node))
        return plus, minus

    def _multiple(self, term: Expr) -> tuple[Const, Expr]:
        """c and n where the term is c n, or u (c v) and the functions have n = u v."""
        if term.op is MUL:
            a, b = term.args
            if type(a) is Const:
                return a, b
            for u, v in ((a, b), (b, a)):
                if v.op is MUL:
                    c, rest = v.args
                    if type(c) is Const:
                        for key in ((u, rest), (rest, u)):
                            node = _products.get(key)
                            if node is not None and node in self._own:
                                return c, node
        return ONE, term

    def _known_sum(self, plus_a: bool, a: Expr, plus_b: bool, b: Expr) -> tuple[bool, Expr] | None:
        """Sign and node where the functions have ±a ± b."""
        if plus_a is plus_b:
            tries = [(plus_a, find(ADD, a, b)), (plus_a, find(ADD, b, a))]
        else:
            tries = [(plus_a, find(SUB, a, b)), (plus_b, find(SUB, b, a))]
        for positive, node in tries:
            if node is not None and node in self._own:
                return positive, node
        return None
