"""Sparse polynomials over kernels: what sums and products are expanded into.

A kernel is any base that is not opened: a symbol, a function, a sum with an exponent that
is negative or a fraction. A monomial is the tuple of the kernels' exponents, which may be
negative or fractions; the order of tuples orders the monomials.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import floor

from chainrule.core.expr import Const, Expr
from chainrule.derivation.algebra import Algebra
from chainrule.derivation.monomials import Product, Rational, Value, raised, ratio, tidy

Monomial = tuple[Rational, ...]
Polynomial = dict[Monomial, Rational]

_HIGHEST_POWER = 8


class TooManyTerms(Exception):
    """The expanded form is not worth having."""


class Ring:
    """The kernels of some products, and the polynomials over them."""

    def __init__(self, algebra: Algebra, products: Iterable[Product], limit: int) -> None:
        self._algebra, self._limit = algebra, limit
        self.kernels: list[Expr] = []
        self.place: dict[Expr, int] = {}
        self._sums: dict[Expr, tuple[Product, ...]] = {}
        self.decimal = False
        stack = list(products)
        while stack:
            term = stack.pop()
            self.decimal = self.decimal or term.decimal
            for base, exponent in term.powers.items():
                inner = algebra.is_sum(base)
                if inner is not None and base not in self._sums:
                    self._sums[base] = inner.terms
                    if exponent >= 1 and len(self._sums) < 24:
                        stack.extend(inner.terms)
        kernels = {b: None for t in products for b in t.powers} | {
            b: None for terms in self._sums.values() for t in terms for b in t.powers
        }
        for kernel in sorted(kernels, key=algebra.measure.rank, reverse=True):
            self.kernel(kernel)

    def kernel(self, node: Expr) -> int:
        """The place of a kernel, a new one at the end."""
        place = self.place.get(node)
        if place is None:
            place = self.place[node] = len(self.kernels)
            self.kernels.append(node)
        return place

    def expand(self, terms: Iterable[Product]) -> Polynomial:
        """The terms multiplied out and added."""
        total: Polynomial = {}
        for term in terms:
            add_to(total, self._expand_term(term))
            if len(total) > self._limit:
                raise TooManyTerms
        return total

    def _expand_term(self, term: Product) -> Polynomial:
        # Sums with a positive exponent are opened, also those inside the opened ones.
        done: Polynomial = {}
        stack: list[tuple[Rational, dict[Expr, Rational]]] = [(term.coefficient, term.powers)]
        steps = 0
        while stack:
            coefficient, powers = stack.pop()
            steps += 1
            if steps > 4 * self._limit:
                raise TooManyTerms
            opened = next((b for b, e in powers.items() if b in self._sums and e >= 1), None)
            if opened is None:
                monomial: list[Rational] = [0] * len(self.kernels)
                for base, exponent in powers.items():
                    if type(base) is Const and base.value > 0:  # sqrt(2)^2 is a coefficient
                        whole = floor(exponent)
                        coefficient = tidy(coefficient * raised(base.value, whole))
                        exponent -= whole
                    monomial[self.place[base]] = exponent
                add_to(done, {tuple(monomial): coefficient})
                continue
            exponent = powers[opened]
            if exponent > _HIGHEST_POWER:
                raise TooManyTerms
            rest = dict(powers)
            if exponent == 1:
                del rest[opened]
            else:
                rest[opened] = exponent - 1
            for inner in self._sums[opened]:
                joint = dict(rest)
                for base, e in inner.powers.items():
                    power = tidy(joint.get(base, 0) + e)
                    if power:
                        joint[base] = power
                    else:
                        joint.pop(base, None)
                stack.append((tidy(coefficient * inner.coefficient), joint))
        return done

    def products(self, polynomial: Polynomial) -> list[Product]:
        """The terms of a polynomial, by falling degree."""
        found = []
        for monomial, coefficient in polynomial.items():
            powers = {k: e for k, e in zip(self.kernels, monomial, strict=True) if e}
            decimal = self.decimal and coefficient.denominator != 1
            found.append(Product(coefficient, powers, decimal))
        return self._algebra.ordered(found)

    def of_base(self, node: Expr) -> Polynomial | None:
        """A base that is a sum, expanded; None if it has kernels that are not in the ring."""
        terms = self._sums.get(node)
        if terms is None:
            value = self._algebra.is_sum(node)
            if value is None:
                return None
            terms = value.terms
        if any(b not in self.place for t in terms for b in t.powers):
            return None
        try:
            return self.expand(terms)
        except TooManyTerms:
            return None

    def value(self, polynomial: Polynomial) -> Value:
        """The polynomial as a sum."""
        return self._algebra.sum([(t, 1) for t in self.products(polynomial)])


def add_to(total: Polynomial, other: Polynomial) -> None:
    """Add `other` to `total`, in place."""
    for monomial, coefficient in other.items():
        value = tidy(total.get(monomial, 0) + coefficient)
        if value:
            total[monomial] = value
        else:
            total.pop(monomial, None)


def quotient(dividend: Polynomial, divisor: Polynomial) -> Polynomial | None:
    """dividend / divisor where the division is exact and gives no negative exponents.

    >>> quotient({(2,): 1, (0,): -1}, {(1,): 1, (0,): -1})
    {(1,): 1, (0,): 1}
    """
    if not divisor or len(divisor) > len(dividend) + 8:
        return None
    lead = max(divisor)
    lead_coefficient = divisor[lead]
    rest = dict(dividend)
    result: Polynomial = {}
    for _ in range(4 * len(dividend) + 16):
        if not rest:
            return result
        top = max(rest)
        step = tuple([a - b for a, b in zip(top, lead, strict=True)])
        if any(e < 0 for e in step):
            return None
        factor = ratio(rest[top], lead_coefficient)
        result[step] = factor
        for monomial, coefficient in divisor.items():
            place = tuple([a + b for a, b in zip(step, monomial, strict=True)])
            value = tidy(rest.get(place, 0) - factor * coefficient)
            if value:
                rest[place] = value
            else:
                rest.pop(place, None)
    return None


def divides(algebra: Algebra, divisor: Expr, dividend: Expr) -> bool:
    """Whether a sum is a multiple of another one."""
    ring = Ring(algebra, [Product(1, {divisor: 1}), Product(1, {dividend: 1})], 64)
    a, b = ring.of_base(dividend), ring.of_base(divisor)
    return a is not None and b is not None and quotient(a, b) is not None


def replaced_square(
    polynomial: Polynomial, place: int, constant: int, factor: int, other: int, limit: int
) -> Polynomial | None:
    """Even parts of kernel `place` replaced: f^2 = constant + factor * g^2, g at `other`."""
    total: Polynomial = {}
    changed = False
    for monomial, coefficient in polynomial.items():
        exponent = monomial[place]
        if exponent.denominator != 1 or exponent < 2:
            add_to(total, {monomial: coefficient})
            continue
        changed = True
        count = int(exponent) // 2
        binomial = 1
        for k in range(count + 1):
            part = list(monomial)
            part[place] = exponent % 2
            part[other] += 2 * k
            weight = binomial * constant ** (count - k) * factor**k
            add_to(total, {tuple(part): tidy(coefficient * weight)})
            binomial = binomial * (count - k) // (k + 1)
        if len(total) > limit:
            return None
    return total if changed else None
