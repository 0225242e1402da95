"""Other forms of a sum or a product, of which the shortest is taken.

A form that is not shorter than what was there is not used, and among equally long ones the
least changed: a factorised power is not multiplied out, a sum is not put over a common
denominator for its own sake.
"""

from __future__ import annotations

from collections.abc import Iterator

from chainrule.core.expr import Expr
from chainrule.derivation.algebra import Algebra
from chainrule.derivation.casework import (
    Branches,
    cases,
    cases_in,
    combined,
    guards,
    nested,
    opened,
)
from chainrule.derivation.collecting import TooLarge
from chainrule.derivation.identities import applicable
from chainrule.derivation.monomials import (
    NOTHING,
    Product,
    Rational,
    Sum,
    Value,
    content,
    integral,
    ratio,
    tidy,
)
from chainrule.derivation.polynomials import (
    Polynomial,
    Ring,
    TooManyTerms,
    quotient,
    replaced_square,
)
from chainrule.derivation.writing import is_exponential, is_tower

EXPAND = "expand and add like terms"
FACTOR = "factor out common factors"
_MOST_TERMS = 120
_WORTH_AN_IDENTITY = 0.6  # of the length, where no term goes away


class Forms:
    """Chooses forms; `identities` says whether functions may be exchanged for others."""

    def __init__(self, algebra: Algebra, work: int, identities: bool) -> None:
        self.algebra, self.work, self.identities = algebra, work, identities

    def best(self, first: Value, others: Iterator[tuple[str, Value]]) -> Value:
        """The shortest form, the first among equals."""
        best, shortest, rule = first, self.algebra.length(first), ""
        for name, value in others:
            length = self.algebra.length(value)
            if name is EXPAND:
                length += 3  # brackets are opened only if that gains something
            elif name is FACTOR and _telling(value):
                length -= 2
            if length < shortest:
                best, shortest, rule = value, length, name
        if rule:
            self.algebra.fired.add(rule)
        return best

    # ------------------------------------------------------------------------- sums

    def of_sum(self, value: Value) -> Value:
        """The best form of a sum."""
        if not isinstance(value, Sum) or len(value.terms) > _MOST_TERMS or self.work <= 0:
            return value
        value = self._joined_cases(value)
        if not isinstance(value, Sum):
            return value
        self.work -= len(value.terms)
        fired = set(self.algebra.fired)
        best = self.best(value, self._forms_of_sum(value))
        # What was tried and not taken has not fired.
        chosen = self.algebra.fired - fired
        self.algebra.fired.clear()
        self.algebra.fired |= fired | {rule for rule in chosen if rule in _OWN_RULES}
        return best

    def factored(self, value: Value) -> Value:
        """A sum without what its terms have in common, which stands before it.

        Where that is no more than symbols and numbers, the sum stays as it is.
        """
        if not isinstance(value, Sum) or len(value.terms) > _MOST_TERMS:
            return value
        common = self._common_factor(value)
        if common is None or not any(base.args for base in common.powers):
            return value
        self.algebra.fired.add(FACTOR)
        return self._factored(value, common)

    def _forms_of_sum(self, value: Sum) -> Iterator[tuple[str, Value]]:
        common = self._common_factor(value)
        if common is not None:
            yield FACTOR, self._factored(value, common)
        try:
            yield from self._rational_forms(value)
        except (TooManyTerms, TooLarge):
            return

    def _common_factor(self, value: Sum) -> Product | None:
        terms = value.terms
        powers: dict[Expr, Rational] = {}
        for base in terms[0].powers:
            exponents = [t.powers.get(base, 0) for t in terms]
            if all(e > 0 for e in exponents):
                powers[base] = min(exponents)
            elif all(e < 0 for e in exponents):
                # A denominator in every term leaves none; e^(-x) stays a factor.
                kept = is_exponential(base) or is_tower(base)
                powers[base] = max(exponents) if kept else min(exponents)
        common = 1 if value.decimal else content(t.coefficient for t in terms)
        if all(t.coefficient < 0 for t in terms):
            common = -common
        return Product(common, powers) if powers or common != 1 else None

    def _factored(self, value: Sum, common: Product) -> Value:
        algebra = self.algebra
        rest = algebra.sum([(self._divided(t, common), 1) for t in value.terms])
        if isinstance(rest, Sum):
            sign, rest = algebra.as_factor(list(rest.terms))
            common = common.scaled(sign)
        return algebra.product([(common, 1), (rest, 1)])

    @staticmethod
    def _divided(term: Product, by: Product) -> Product:
        powers = dict(term.powers)
        for base, exponent in by.powers.items():
            left = tidy(powers.get(base, 0) - exponent)
            if left:
                powers[base] = left
            else:
                powers.pop(base, None)
        return Product(ratio(term.coefficient, by.coefficient), powers, term.decimal)

    def _cleared(self, value: Sum) -> Product:
        """What to divide the terms by so that no kernel has a negative exponent."""
        bases: dict[Expr, None] = {b: None for t in value.terms for b in t.powers}
        powers: dict[Expr, Rational] = {}
        for base in bases:
            exponents = [t.powers.get(base, 0) for t in value.terms]
            if is_exponential(base) or is_tower(base):
                if all(e > 0 for e in exponents):
                    powers[base] = min(exponents)
                elif all(e < 0 for e in exponents):
                    powers[base] = max(exponents)
            elif min(exponents):
                powers[base] = min(exponents)
        return Product(1, powers)

    def _rational_forms(self, value: Sum) -> Iterator[tuple[str, Value]]:
        cleared = self._cleared(value)
        terms = [self._divided(t, cleared) for t in value.terms]
        sums = [b for t in value.terms for b in t.powers if self.algebra.is_sum(b)]
        ring = Ring(self.algebra, [*terms, cleared, *value.terms], _MOST_TERMS)
        pairs = applicable(ring) if self.identities else []
        if not pairs and not sums and not cleared.powers:
            return
        expanded = ring.expand(terms)
        self.work -= len(expanded) + len(terms)
        divides = any(e < 0 and not is_exponential(b) for b, e in cleared.powers.items())
        name = "common denominator" if divides else EXPAND if sums else FACTOR
        divisors = list(dict.fromkeys(sums))
        plain = self._finished(ring, expanded, cleared, divisors)
        yield name, plain
        length = min(self.algebra.length(value), self.algebra.length(plain))
        for identity, place, other in pairs:
            replaced = replaced_square(
                expanded, place, identity.constant, identity.factor, other, _MOST_TERMS
            )
            if replaced is None:
                continue
            self.work -= len(replaced)
            form = self._finished(ring, replaced, cleared, divisors)
            if len(replaced) < len(expanded):
                expanded = replaced
            elif self.algebra.length(form) > _WORTH_AN_IDENTITY * length:
                continue  # cos(x)^2 - sin(x)^2 is as good as 1 - 2*sin(x)^2
            yield identity.rule, form

    def _finished(
        self, ring: Ring, numerator: Polynomial, outside: Product, divisors: list[Expr]
    ) -> Value:
        """numerator * outside, with what can be taken out of the numerator outside."""
        algebra = self.algebra
        if not numerator:
            return NOTHING
        common = 1 if ring.decimal else content(numerator.values())
        powers = self._lowest(ring, numerator)
        lowest = tuple([powers.get(k, 0) for k in ring.kernels])
        rest = {
            tuple([a - b for a, b in zip(m, lowest, strict=True)]): ratio(c, common)
            for m, c in numerator.items()
        }
        factors: list[tuple[Value, int]] = [(outside, 1), (Product(common, powers), 1)]
        for node in divisors:
            divisor = ring.of_base(node)
            if divisor is None or len(rest) < 2:
                continue
            base = algebra.value(node)
            while len(rest) > 1:
                reduced = quotient(rest, divisor)
                if reduced is None:
                    break
                rest = reduced
                factors.append((base, 1))
            if len(rest) > 1 and outside.powers.get(node, 0) < 0:
                inverse = quotient(divisor, rest)
                if inverse is not None:  # P/(P*Q) is 1/Q
                    factors += [(base, 1), (ring.value(inverse), -1)]
                    rest = {(0,) * len(ring.kernels): 1}
        terms = ring.products(rest)
        sign, last = algebra.as_factor(terms)
        factors += [(Product(sign, {}), 1), (last, 1)]
        return algebra.product(factors)

    @staticmethod
    def _lowest(ring: Ring, polynomial: Polynomial) -> dict[Expr, Rational]:
        lowest: dict[Expr, Rational] = {}
        for i, kernel in enumerate(ring.kernels):
            exponents = [m[i] for m in polynomial]
            if is_exponential(kernel) or is_tower(kernel):
                positive = all(e > 0 for e in exponents)
                if positive or all(e < 0 for e in exponents):
                    lowest[kernel] = min(exponents) if positive else max(exponents)
            elif min(exponents):
                lowest[kernel] = min(exponents)
        return lowest

    def _joined_cases(self, value: Sum) -> Value:
        """Terms with a piecewise become one piecewise where the conditions go together."""
        algebra = self.algebra
        groups: list[tuple[list[int], Branches]] = []
        for i, term in enumerate(value.terms):
            branches = opened(algebra, term) if cases_in(term) else None
            if branches is None:
                continue
            for place, (members, present) in enumerate(groups):
                joint = combined(present, branches, lambda a, b: algebra.sum([(a, 1), (b, 1)]))
                if joint is not None:
                    groups[place] = ([*members, i], joint)
                    break
            else:
                groups.append(([i], branches))
        used: set[int] = set()
        parts: list[Value] = []
        for members, branches in groups:
            if len(members) < 2:
                continue
            joined = cases(algebra, [(self.of_sum(v), c) for v, c in branches])
            if joined is None:
                return value
            used.update(members)
            parts.append(joined)
        if not used:
            return value
        parts += [t for i, t in enumerate(value.terms) if i not in used]
        algebra.fired.add("merge cases")
        return algebra.sum([(p, 1) for p in parts])

    # --------------------------------------------------------------------- products

    def of_product(self, value: Value) -> Value:
        """The best form of a product."""
        if not isinstance(value, Product) or self.work <= 0 or len(value.powers) > 24:
            return value
        if cases_in(value) and (len(value.powers) > 1 or value.coefficient != 1):
            branches = opened(self.algebra, value)
            if branches is None:
                branches = nested(self.algebra, value)
                if branches is not None:
                    self.algebra.fired.add("product with cases")
                    return cases(self.algebra, branches) or value
            inside = branches and cases(
                self.algebra, [(self.of_product(v), c) for v, c in branches]
            )
            if inside and guards(self.algebra, value):
                self.algebra.fired.add("product with cases")
                return inside
            if inside:
                value = self.best(value, iter([("product with cases", inside)]))
            return value
        sums = [
            b for b, e in value.powers.items() if integral(e) and self.algebra.is_sum(b) is not None
        ]
        if not sums:
            return value
        self.work -= len(sums)
        fired = set(self.algebra.fired)
        start = value
        for form in (self._without_nested, self._divided_out, self._multiplied_pairs):
            if not isinstance(value, Product):
                break
            try:
                value = self.best(value, form(value))
            except (TooManyTerms, TooLarge):
                continue
        chosen = self.algebra.fired - fired
        self.algebra.fired.clear()
        self.algebra.fired |= fired
        if value is not start:
            self.algebra.fired |= {rule for rule in chosen if rule in _OWN_RULES}
        return value

    def _bases(self, value: Product) -> list[tuple[Expr, int, Sum]]:
        found = []
        for base, exponent in value.powers.items():
            inner = self.algebra.is_sum(base)
            if inner is not None and integral(exponent) and len(inner.terms) <= 24:
                found.append((base, int(exponent), inner))
        return found

    def _without_nested(self, value: Product) -> Iterator[tuple[str, Value]]:
        """(1 + 1/x)^2 becomes (x + 1)^2/x^2."""
        for base, exponent, inner in self._bases(value):
            cleared = self._cleared(inner)
            if not any(e < 0 for e in cleared.powers.values()):
                continue
            ring = Ring(self.algebra, [self._divided(t, cleared) for t in inner.terms], _MOST_TERMS)
            terms = ring.expand([self._divided(t, cleared) for t in inner.terms])
            flat = self._finished(ring, terms, cleared, [])
            rest = Product(value.coefficient, _without(value.powers, base), value.decimal)
            value_now = self.algebra.product([(rest, 1), (flat, exponent)])
            if not isinstance(value_now, Product):
                yield "common denominator", value_now
                return
            yield "common denominator", value_now
            value = value_now
            if base in value.powers:
                return

    def _divided_out(self, value: Product) -> Iterator[tuple[str, Value]]:
        """(x^2 - 1)/(x - 1) becomes x + 1."""
        bases = self._bases(value)
        for top, above, _ in bases:
            for bottom, below, _ in bases:
                if not above > 0 > below:
                    continue
                both = [Product(1, {top: 1}), Product(1, {bottom: 1})]
                ring = Ring(self.algebra, both, _MOST_TERMS)
                a, b = ring.of_base(top), ring.of_base(bottom)
                if a is None or b is None:
                    continue
                self.work -= len(a) + len(b)
                count = min(above, -below)
                for first, second, exponent in ((a, b, count), (b, a, -count)):
                    result = quotient(first, second)
                    if result is not None:
                        yield "cancel common factors", self.algebra.product([
                            (value, 1), (Product(1, {top: -count, bottom: count}), 1),
                            (ring.value(result), exponent),
                        ])  # fmt: skip

    def _multiplied_pairs(self, value: Product) -> Iterator[tuple[str, Value]]:
        """(x - 1)*(x + 1) becomes x^2 - 1."""
        bases = self._bases(value)
        for i, (first, exponent, a) in enumerate(bases):
            for second, other, b in bases[i + 1 :]:
                if exponent != other or len(a.terms) != 2 or len(b.terms) != 2:
                    continue
                if {t.key for t in a.terms} != {t.key for t in b.terms}:
                    continue
                ring = Ring(self.algebra, [Product(1, {first: 1, second: 1})], _MOST_TERMS)
                joint = ring.expand([Product(1, {first: 1, second: 1})])
                if len(joint) > 2:
                    continue
                joined = self.of_sum(ring.value(joint))
                powers = _without(value.powers, first, second)
                rest = Product(value.coefficient, powers, value.decimal)
                form = self.algebra.product([(rest, 1), (joined, exponent)])
                yield "difference of squares", form


_OWN_RULES = frozenset((
    FACTOR, EXPAND, "Pythagorean identity", "hyperbolic identity", "common denominator",
    "cancel common factors", "difference of squares", "merge cases", "product with cases",
))  # fmt: skip


def _telling(value: Value) -> bool:
    """Whether an exponential or a power like x^x is a factor: worth a character or two."""
    powers = value.powers if isinstance(value, Product) else ()
    return any(is_exponential(b) or is_tower(b) for b in powers)


def _without(powers: dict[Expr, Rational], *bases: Expr) -> dict[Expr, Rational]:
    return {b: e for b, e in powers.items() if b not in bases}
