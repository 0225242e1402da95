"""Products and sums back to nodes, as a person writes them.

Coefficient first, then constants, symbols, functions, brackets; one fraction bar; signs
outside; terms in the order they came.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from chainrule.core.arithmetic import ADD, DIV, EXP, MUL, NEG, POW, SUB, E
from chainrule.core.expr import ONE, Apply, Const, Expr, apply, const
from chainrule.core.ops import Operator
from chainrule.core.table.elementary import SQRT
from chainrule.core.table.piecewise import ABS, SIGN
from chainrule.derivation.measure import Measure, Rank
from chainrule.derivation.monomials import (
    Key,
    Product,
    Rational,
    Sum,
    Value,
    integral,
    magnitude,
    ratio,
    tidy,
)

_HALF = Fraction(1, 2)
Part = tuple[Expr, Rational]  # of an exponent: a node and how often


def is_tower(node: Expr) -> bool:
    """Whether it is a power with a variable exponent."""
    return isinstance(node, Apply) and node.op is POW and not isinstance(node.args[1], Const)


def is_exponential(node: Expr) -> bool:
    """Whether it is e or a power of e."""
    return isinstance(node, Apply) and (node.op is EXP or node.op is E)


class Writer:
    """Writes values; `recall` gives a node's value back, `decimals` the bases to write 0.5 at.

    `spread`: numbers may go into sums where that is shorter.
    """

    def __init__(
        self, measure: Measure, recall: Callable[[Expr], Value], spread: bool = True
    ) -> None:
        self.measure, self._recall, self._spread = measure, recall, spread
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
        if value.coefficient.denominator != 1 and not value.decimal:
            value = self._without_root_above(value)
        factors = self._known.get(value.key)
        if factors is None:
            factors = self._known[value.key] = self._factors(value.powers)
        over, under = list(factors[0]), list(factors[1])
        size = magnitude(value.coefficient)
        negative = value.coefficient < 0
        decimal = value.decimal and const(size, True).decimal
        top, bottom = (size, 1) if decimal else (size.numerator, size.denominator)
        spread = spread and self._spread
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

    def _without_root_above(self, value: Product) -> Product:
        """sqrt(2)/2 is written 1/sqrt(2)."""
        coefficient, powers = value.coefficient, value.powers
        for base, exponent in value.powers.items():
            if (
                type(base) is Const
                and exponent.denominator != 1
                and base.value > 1
                and (coefficient.denominator % base.value == 0)
            ):
                coefficient *= base.value
                powers = {**powers, base: exponent - 1}
        return value if powers is value.powers else Product(tidy(coefficient), powers)

    def _factors(self, powers: dict[Expr, Rational]) -> tuple[list[Expr], list[Expr]]:
        if len(powers) == 1:
            ((base, exponent),) = powers.items()
            if is_exponential(base):
                return [self._raised(None, [(base.args[0] if base.args else ONE, exponent)])], []
            if not is_tower(base):
                node = self._power(base, magnitude(exponent))
                return ([node], []) if exponent > 0 else ([], [node])
        over: list[tuple[Rank, Expr]] = []
        under: list[tuple[Rank, Expr]] = []
        exponents: list[Part] = []
        towers: dict[Expr, list[Part]] = {}
        rank = self.measure.rank
        plain: dict[Expr, Rational] = {}
        for base, exponent in powers.items():
            if is_exponential(base):
                exponents.append((base.args[0] if base.args else ONE, exponent))
            elif is_tower(base):
                towers.setdefault(base.args[0], []).append((base.args[1], exponent))
            else:
                plain[base] = exponent
        for base, parts in towers.items():  # x^n/x is x^(n - 1)
            if (
                base in plain
                and type(base) is not Const
                and integral(plain[base])
                and all(self._is_polynomial(node) for node, _ in parts)
            ):
                parts.append((ONE, plain.pop(base)))
        for base, exponent in self._joined(plain).items():
            node = self._power(base, magnitude(exponent))
            (over if exponent > 0 else under).append((rank(node), node))
        for base_or_none, parts in ((None, exponents), *towers.items()):
            nodes = [self._raised(base_or_none, group) for group in self._groups(parts)]
            if len(nodes) > 1:
                nodes.sort(key=lambda node: (self.measure.length(node), self.measure.name(node)))
            over += [(rank(nodes[0]), node) for node in nodes]
        over.sort(key=_by_rank)
        under.sort(key=_by_rank)
        return [node for _, node in over], [node for _, node in under]

    def _is_polynomial(self, node: Expr) -> bool:
        value = self._recall(node)
        return isinstance(value, Sum) or all(
            e > 0 and not is_exponential(b) and not is_tower(b) for b, e in value.powers.items()
        )

    def _groups(self, parts: list[Part]) -> list[list[Part]]:
        """What goes into one exponent: e^(x - 1), but e^x*e^(e^x)."""
        if len(parts) < 2:
            return [parts] if parts else []
        together: list[Part] = []
        alone: list[list[Part]] = []
        for part in parts:
            value = self._recall(part[0])
            nested = isinstance(value, Product) and any(
                is_exponential(b) or is_tower(b) for b in value.powers
            )
            if nested:
                alone.append([part])
            else:
                together.append(part)
        if len(together) == 1 and together[0][0] is ONE:
            alone[0] += together
            return alone
        return [together, *alone] if together else alone

    def _raised(self, base: Expr | None, parts: list[Part]) -> Expr:
        if base is not None:
            return apply(POW, base, self._total(parts))
        return apply(E) if parts == [(ONE, 1)] else apply(EXP, self._total(parts))

    def _joined(self, powers: dict[Expr, Rational]) -> dict[Expr, Rational]:
        """|x|*|y| as |x*y|, sqrt(2)*sqrt(pi) as sqrt(2*pi)."""
        signs: dict[Operator, dict[Expr, Rational]] = {ABS: {}, SIGN: {}}
        roots: dict[Rational, dict[Expr, Rational]] = {}
        for base, exponent in powers.items():
            if exponent.denominator != 1:
                if base not in self.decimals:
                    roots.setdefault(magnitude(exponent), {})[base] = exponent
            elif isinstance(base, Apply) and (
                base.op is SIGN or (base.op is ABS and magnitude(exponent) == 1)
            ):
                signs[base.op][base] = exponent
        joined = powers
        for op, group in signs.items():
            if len(group) > 1:
                inner = {b.args[0]: e for b, e in group.items()}
                node, side = self._in_one(1, inner)
                joined = {b: e for b, e in joined.items() if b not in group}
                joined[apply(op, node)] = side
        for size, group in roots.items():
            numbers = {b: e for b, e in group.items() if is_positive_constant(b)}
            others = {b: e for b, e in group.items() if type(b) is not Const and b not in numbers}
            chosen = numbers | others if len(others) == 1 else numbers
            if len(chosen) > 1 and numbers:
                node, side = self._radicand(chosen)
                joined = {b: e for b, e in joined.items() if b not in chosen}
                joined[node] = size * side
        return joined

    def _radicand(self, bases: dict[Expr, Rational]) -> tuple[Expr, int]:
        number: Rational = 1
        inner: dict[Expr, Rational] = {}
        for base, exponent in bases.items():
            side = 1 if exponent > 0 else -1
            value = self._recall(base)
            if isinstance(value, Sum):
                inner[base] = side
                continue
            number = tidy(number * Fraction(value.coefficient) ** side)
            for kernel, power in value.powers.items():
                inner[kernel] = power * side
        return self._in_one(number, inner)

    def _in_one(self, number: Rational, powers: dict[Expr, Rational]) -> tuple[Expr, int]:
        """The node of a product, or that of its inverse and -1 where that has no denominator."""
        if magnitude(number.numerator) == 1 and all(e < 0 for e in powers.values()):
            inverse = {b: -e for b, e in powers.items()}
            return self.write(Product(ratio(1, number), inverse)), -1
        return self.write(Product(number, powers)), 1

    def _power(self, base: Expr, exponent: Rational) -> Expr:
        if exponent == 1:
            return base
        decimal = base in self.decimals and exponent.denominator != 1
        if exponent == _HALF and not decimal:
            return apply(SQRT, base)
        return apply(POW, base, const(exponent, decimal))

    def _total(self, parts: list[Part]) -> Expr:
        """The sum of rational multiples of nodes."""
        terms: list[Product] = []
        for node, factor in parts:
            value = self._recall(node)
            powers = {node: 1} if isinstance(value, Sum) else value.powers
            coefficient = 1 if isinstance(value, Sum) else value.coefficient
            terms.append(Product(tidy(coefficient * factor), dict(powers)))
        return self.write(terms[0] if len(terms) == 1 else Sum(tuple(terms)))


def is_positive_constant(node: Expr) -> bool:
    """Whether it is pi or a whole number above 1: it may be taken out of a root."""
    if isinstance(node, Const):
        return isinstance(node.value, int) and node.value > 1
    return isinstance(node, Apply) and node.op.notation == "constant"


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
