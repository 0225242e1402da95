"""Products and sums back to nodes, as a person writes them.

Coefficient first, then constants, symbols, functions, brackets; one fraction bar; signs
outside; terms in the order they came.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from chainrule.core.arithmetic import ADD, DIV, EXP, MUL, NEG, POW, SUB, E
from chainrule.core.expr import ONE, Apply, Const, Expr, apply, const
from chainrule.core.table.elementary import SQRT
from chainrule.derivation.measure import Measure, Rank
from chainrule.derivation.monomials import Key, Product, Rational, Sum, Value, magnitude, tidy

_HALF = Fraction(1, 2)


def is_tower(node: Expr) -> bool:
    """Whether it is a power with a variable exponent."""
    return isinstance(node, Apply) and node.op is POW and not isinstance(node.args[1], Const)


def is_exponential(node: Expr) -> bool:
    """Whether it is e or a power of e."""
    return isinstance(node, Apply) and (node.op is EXP or node.op is E)


class Writer:
    """Writes values; `recall` gives a node's value back, `decimals` the bases to write 0.5 at."""

    def __init__(self, measure: Measure, recall: Callable[[Expr], Value]) -> None:
        self.measure, self._recall = measure, recall
        self.decimals: set[Expr] = set()
        # Written once: a tower of exponentials would be walked down again and again.
        self._known: dict[Key, tuple[list[Expr], list[Expr]]] = {}

    def write(self, value: Value) -> Expr:
        """The node of a value."""
        if value.written is None:
            value.written = self.sum(value) if isinstance(value, Sum) else self.product(value)
        return value.written

    def sum(self, value: Sum) -> Expr:
        """The node of a sum."""
        total: Expr | None = None
        for term in value.terms:
            negative = term.coefficient < 0
            node = self.product(term.scaled(-1) if negative else term, spread=False)
            if total is None:
                total = _negative(node) if negative else node
            else:
                total = apply(SUB if negative else ADD, total, node)
        assert total is not None
        return total

    def product(self, value: Product, spread: bool = True) -> Expr:
        """The node of a product; `spread`: a number may go into a sum where that is shorter."""
        if not value.powers:
            return const(value.coefficient, value.decimal)
        factors = self._known.get(value.key)
        if factors is None:
            factors = self._known[value.key] = self._factors(value.powers)
        over, under = list(factors[0]), list(factors[1])
        size = magnitude(value.coefficient)
        negative = value.coefficient < 0
        decimal = value.decimal and const(size, True).decimal
        top, bottom = (size, 1) if decimal else (size.numerator, size.denominator)
        if spread and len(over) == 1 and (negative or top != 1):
            inner = self._multiple(over[0], value.powers, -top if negative else top)
            if inner is not None:
                saved = self.measure.length(inner) + (2 if under or bottom != 1 else 0)
                plain = self.measure.length(over[0]) + 2 + negative
                if saved < plain + (len(str(top)) + 1 if top != 1 else 0):
                    over, top, negative = [inner], 1, False
        if spread and len(under) == 1 and bottom != 1:
            inner = self._multiple(under[0], value.powers, bottom, -1)
            if inner is not None and self.measure.length(inner) < (
                self.measure.length(under[0]) + len(str(bottom)) + 3
            ):
                under, bottom = [inner], 1
        if top != 1 or not over:
            over.insert(0, const(top, decimal))
        if bottom != 1:
            under.insert(0, const(bottom))
        node = _chain(over)
        if under:
            node = apply(DIV, node, _chain(under))
        return _negative(node) if negative else node

    def _multiple(
        self, node: Expr, powers: dict[Expr, Rational], factor: Rational, exponent: int = 1
    ) -> Expr | None:
        """`factor * node` multiplied out, if the node is a sum to the first power."""
        if powers.get(node) != exponent:
            return None
        inner = self._recall(node)
        if not isinstance(inner, Sum) or (factor not in (-1, 1) and len(inner.terms) > 2):
            return None
        terms = inner.scaled(factor).terms
        if len(terms) == 2 and terms[0].coefficient < 0 < terms[1].coefficient:
            terms = terms[::-1]
        return self.sum(Sum(terms))

    def _factors(self, powers: dict[Expr, Rational]) -> tuple[list[Expr], list[Expr]]:
        over: list[tuple[Rank, Expr]] = []
        under: list[tuple[Rank, Expr]] = []
        exponents: list[tuple[Expr, Rational]] = []
        towers: dict[Expr, list[tuple[Expr, Rational]]] = {}
        rank = self.measure.rank
        for base, exponent in powers.items():
            if is_exponential(base):
                exponents.append((base.args[0] if base.args else ONE, exponent))
            elif is_tower(base):
                towers.setdefault(base.args[0], []).append((base.args[1], exponent))
        for base, exponent in powers.items():
            if is_exponential(base) or is_tower(base):
                continue
            if base in towers and not isinstance(base, Const):  # x^n/x is x^(n - 1)
                towers[base].append((ONE, exponent))
                continue
            node = self._power(base, magnitude(exponent))
            (over if exponent > 0 else under).append((rank(node), node))
        if exponents:
            node = self._exponential(exponents)
            over.append((rank(node), node))
        for base, parts in towers.items():
            node = apply(POW, base, self._total(parts))
            over.append((rank(node), node))
        over.sort(key=_by_rank)
        under.sort(key=_by_rank)
        return [node for _, node in over], [node for _, node in under]

    def _power(self, base: Expr, exponent: Rational) -> Expr:
        if exponent == 1:
            return base
        decimal = base in self.decimals and exponent.denominator != 1
        if exponent == _HALF and not decimal:
            return apply(SQRT, base)
        return apply(POW, base, const(exponent, decimal))

    def _exponential(self, exponents: list[tuple[Expr, Rational]]) -> Expr:
        if exponents == [(ONE, 1)]:
            return apply(E)
        return apply(EXP, self._total(exponents))

    def _total(self, parts: list[tuple[Expr, Rational]]) -> Expr:
        """The sum of rational multiples of nodes."""
        terms: list[Product] = []
        for node, factor in parts:
            value = self._recall(node)
            powers = {node: 1} if isinstance(value, Sum) else value.powers
            coefficient = 1 if isinstance(value, Sum) else value.coefficient
            terms.append(Product(tidy(coefficient * factor), dict(powers)))
        return self.write(terms[0] if len(terms) == 1 else Sum(tuple(terms)))


def _by_rank(pair: tuple[Rank, Expr]) -> Rank:
    return pair[0]


def _chain(factors: list[Expr]) -> Expr:
    product = factors[0]
    for factor in factors[1:]:
        product = apply(MUL, product, factor)
    return product


def _negative(node: Expr) -> Expr:
    if isinstance(node, Const):
        return const(-node.value, node.decimal)
    return apply(NEG, node)
