"""Arithmetic of products and sums: multiplying, raising, adding, with what may be combined.

Every step keeps the value wherever the operands are defined (as real numbers, in the sense
of the rows' domains); the result may be defined at more points. So `x/x` is 1 and
`sqrt(u)*sqrt(u)` is u, but `sqrt(x^2)` is `|x|`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from chainrule.core.arithmetic import EXP, LN, POW, E
from chainrule.core.expr import Apply, Const, Expr, apply, const
from chainrule.core.table.piecewise import ABS
from chainrule.derivation.collecting import LARGEST_BITS, LONGEST_SUM, Collector, TooLarge
from chainrule.derivation.measure import Measure
from chainrule.derivation.monomials import (
    NOTHING,
    UNIT,
    Key,
    Product,
    Rational,
    Sum,
    Value,
    bits,
    content,
    exact_root,
    integral,
    magnitude,
    radical,
    ratio,
    tidy,
)
from chainrule.derivation.signs import Signs
from chainrule.derivation.writing import Writer, is_exponential, is_positive_constant, is_tower


class Algebra:
    """Values and the nodes they are written as; one for each pass over an expression.

    `fired` collects the names of the rules that changed something; `value` gives the value of a
    node that was written here, and of any other the node as a base.
    """

    def __init__(self, measure: Measure, signs: Signs, large: bool = False) -> None:
        self.measure, self.signs = measure, signs
        self.fired: set[str] = set()
        self._values: dict[Expr, Value] = {}
        # No method of this object: the writer, and all the values, would be left to the collector.
        self.value: Callable[[Expr], Value] = partial(_value, self._values)
        self._bases: dict[frozenset[Key], list[tuple[dict[Key, Rational], Expr]]] = {}
        self.writer = Writer(measure, self.value, spread=not large)

    # ------------------------------------------------------------ values and nodes

    def write(self, value: Value) -> Expr:
        """The node of a value."""
        if value.written is None:
            self._values.setdefault(self.writer.write(value), value)
        assert value.written is not None
        return value.written

    def opaque(self, node: Expr) -> Product:
        """The node as a base that nothing looks into."""
        value = self._values[node] = Product(1, {node: 1})
        value.written = node
        return value

    def length(self, value: Value) -> int:
        """The printed length."""
        return self.measure.length(self.write(value))

    def is_sum(self, node: Expr) -> Sum | None:
        """The terms of a base that is a sum."""
        value = self._values.get(node)
        return value if isinstance(value, Sum) else None

    def base(self, value: Sum) -> tuple[Rational, Expr]:
        """A sum as a number times the one form that stands for all its multiples.

        That form is the first that came, without common factors of the coefficients.
        """
        if value.base is None:
            value.base = self._find_base(value)
        return value.base

    def _find_base(self, value: Sum) -> tuple[Rational, Expr]:
        terms = value.terms
        common = 1 if value.decimal else content([t.coefficient for t in terms])
        if terms[0].coefficient < 0:
            positive = sum([t.coefficient > 0 for t in terms])
            if not positive or (positive == 1 and len(terms) == 2):  # -1 + x is -(1 - x)
                common = -common
        primitive = value if common == 1 else value.scaled(ratio(1, common))
        shape = {t.key: t.coefficient for t in primitive.terms}
        present = self._bases.setdefault(frozenset(shape), [])
        for known, node in present:
            if known == shape:
                return common, node
            if all(known[key] == -c for key, c in shape.items()):
                return -common, node
        node = self.write(primitive)
        self._values[node] = primitive
        present.append((shape, node))
        return common, node

    # -------------------------------------------------------------------- products

    def product(self, factors: Iterable[tuple[Value, int]]) -> Value:
        """The product of integer powers."""
        out = Collector(self)
        for value, exponent in factors:
            out.times(value, exponent)
        return out.finish()

    def scaled(self, value: Value, factor: Rational) -> Value:
        """The multiple by a number."""
        return NOTHING if factor == 0 else value if factor == 1 else value.scaled(factor)

    def power(self, base: Value, exponent: Value) -> Value:
        """base^exponent."""
        if isinstance(exponent, Product) and exponent.constant:
            number = exponent.coefficient
            if isinstance(number, int):
                if isinstance(base, Product) and base.coefficient == 0 and number < 0:
                    return self.opaque(apply(POW, self.write(base), const(number)))
                return self.product([(base, number)])
            return self.root(base, number, exponent.decimal)
        return self._tower(base, exponent)

    def _tower(self, base: Value, exponent: Value) -> Value:
        node = self.write(base)
        if isinstance(node, Apply) and is_exponential(node):
            inside = self.value(node.args[0]) if node.args else UNIT
            return self.exponential(self.product([(inside, 1), (exponent, 1)]))
        if isinstance(node, Apply) and is_tower(node):  # (b^m)^y is b^(m*y), as b > 0
            self.fired.add("power of a power")
            inside = self.product([(self.value(node.args[1]), 1), (exponent, 1)])
            return self.power(self.value(node.args[0]), inside)
        if isinstance(node, Const):
            if node.value == 1:
                return UNIT
            splits = node.value > 0
        else:
            splits = isinstance(base, Sum) or base.powers == {node: 1}
        terms = exponent.terms if isinstance(exponent, Sum) else (exponent,)
        if not splits or len(terms) > 8:
            return Product(1, {apply(POW, node, self.write(exponent)): 1})
        out = Collector(self)
        for term in terms:
            if term.constant and not integral(term.coefficient):
                return Product(1, {apply(POW, node, self.write(exponent)): 1})
            if term.constant:
                out.times(base, int(term.coefficient))
            else:
                kernel = apply(POW, node, self.write(Product(1, term.powers)))
                out.multiply(kernel, term.coefficient)
        return out.finish()

    def exponential(self, exponent: Value) -> Value:
        """e^exponent."""
        terms = exponent.terms if isinstance(exponent, Sum) else (exponent,)
        if len(terms) > 8 or any(t.decimal for t in terms):
            if isinstance(exponent, Product) and exponent.coefficient < 0:
                return Product(1, {apply(EXP, self.write(exponent.scaled(-1))): -1})
            return Product(1, {apply(EXP, self.write(exponent)): 1})
        out = Collector(self)
        for term in terms:
            if term.coefficient == 0:
                continue
            if term.constant:
                out.multiply(apply(E), term.coefficient)
                continue
            node = self.write(Product(1, term.powers))
            if isinstance(node, Apply) and node.op is LN:
                # u > 0, so that any power of it may be written.
                self.fired.add("exponential of a logarithm")
                out.times(self.root(self.value(node.args[0]), term.coefficient, False), 1)
            else:
                out.multiply(apply(EXP, node), term.coefficient)
        return out.finish()

    def root(self, base: Value, exponent: Rational, decimal: bool) -> Value:
        """base^exponent for a fraction (the root of a square is an absolute value)."""
        if isinstance(exponent, int) or exponent.denominator == 1:
            return self.product([(base, int(exponent))])
        if isinstance(base, Sum):
            common, node = self.base(base)
            if common < 0:
                node = self.write(base.scaled(ratio(1, magnitude(common))))
                self._values.setdefault(node, base.scaled(ratio(1, magnitude(common))))
            out = Collector(self)
            self._root_of_number(out, magnitude(common), exponent, decimal)
            self._raise(out, node, exponent, decimal)
            return out.finish()
        return self._root_of_product(base, exponent, decimal)

    def _root_of_number(
        self, out: Collector, value: Rational, exponent: Rational, decimal: bool
    ) -> None:
        """Times value^exponent, for value > 0."""
        if value == 1:
            return
        exact = exact_root(value, exponent)
        if exact is not None:
            out.times(Product(exact, {}), 1)
            return
        for prime, power in radical(value, exponent).items():
            self._raise(out, const(prime), power, decimal)

    def _raise(self, out: Collector, base: Expr, exponent: Rational, decimal: bool) -> None:
        if decimal and not integral(exponent):
            self.writer.decimals.add(base)
        out.multiply(base, exponent)

    def _root_of_product(self, base: Product, exponent: Rational, decimal: bool) -> Value:
        coefficient = base.coefficient
        out = Collector(self)
        if coefficient == 0 or (base.decimal and exact_root(coefficient, exponent) is None):
            if base.constant:
                self._raise(out, self.write(base), exponent, decimal)
                return out.finish()
        else:
            out.decimal = base.decimal
            self._root_of_number(out, magnitude(coefficient), exponent, decimal)
            coefficient = 1 if coefficient > 0 else -1
        rest = dict(base.powers)
        for b in base.powers:  # what is positive may leave the root
            if is_exponential(b):
                out.multiply(b, tidy(rest.pop(b) * exponent))
            elif is_positive_constant(b):
                self._raise(out, b, tidy(rest.pop(b) * exponent), decimal)
        if coefficient == 1 and (len(rest) == 1 or all(self._even(b, e) for b, e in rest.items())):
            for b, e in rest.items():
                self._root_of_power(out, b, e, exponent, decimal)
        elif rest or coefficient != 1:
            inner = self.write(Product(coefficient, rest, base.decimal and coefficient != -1))
            self._raise(out, inner, exponent, decimal)
        return out.finish()

    def _even(self, base: Expr, exponent: Rational) -> bool:
        return (integral(exponent) and exponent % 2 == 0) or self.signs.interval(base).nonnegative

    def _root_of_power(
        self, out: Collector, base: Expr, inner: Rational, outer: Rational, decimal: bool
    ) -> None:
        joint = tidy(inner * outer)
        even = integral(inner) and inner % 2 == 0
        if (
            even
            and not (integral(joint) and joint % 2 == 0)
            and not (self.signs.interval(base).nonnegative)
        ):
            self.fired.add("root of a power")
            base_value = self.absolute(self.value(base))
            out.times(self.root(base_value, joint, decimal), 1)
            return
        self._raise(out, base, joint, decimal)

    def absolute(self, value: Value) -> Value:
        """|value|."""
        if isinstance(value, Sum):
            common, node = self.base(value)
            known = self.signs.interval(node)
            if known.nonnegative or known.nonpositive:
                flip = known.nonnegative == (common > 0)
                return value if flip else value.scaled(-1)
            return Product(magnitude(common), {apply(ABS, node): 1})
        out = Collector(self)  # |x*y| is |x|*|y|; it is written in one
        out.coefficient, out.decimal = magnitude(value.coefficient), value.decimal
        for base, exponent in value.powers.items():
            plain = self._even(base, exponent) or not integral(exponent)
            out.multiply(base if plain else apply(ABS, base), exponent)
        return out.finish()

    # ------------------------------------------------------------------------ sums

    def sum(self, parts: Iterable[tuple[Value, Rational]]) -> Value:
        """The sum of multiples; like terms are added, in the order they came."""
        terms: dict[object, Product] = {}
        merged = False
        stack = list(parts)[::-1]
        while stack:
            value, factor = stack.pop()
            if isinstance(value, Sum):
                stack.extend([(t, factor) for t in reversed(value.terms)])
                continue
            if value.coefficient == 0:
                continue
            if len(value.powers) == 1 and value.coefficient in (1, -1):
                ((node, exponent),) = value.powers.items()
                inner = self.is_sum(node) if exponent == 1 else None
                if inner is not None:
                    stack.append((inner, factor * value.coefficient))
                    continue
            term = value if factor == 1 else value.scaled(factor)
            present = terms.get(term.key)
            if present is None:
                terms[term.key] = term
                continue
            merged = True
            self.fired.add("constant arithmetic" if term.constant else "add like terms")
            total = tidy(present.coefficient + term.coefficient)
            terms[term.key] = Product(total, present.powers, present.decimal or term.decimal)
        found = [t for t in terms.values() if t.coefficient != 0]
        if any(bits(t.coefficient) > LARGEST_BITS for t in found):
            raise TooLarge
        return self.of_terms(self.ordered(found) if merged else found)

    def of_terms(self, terms: list[Product]) -> Value:
        """The value of unlike terms."""
        if len(terms) > 1:
            return Sum(tuple(terms))
        return terms[0] if terms else NOTHING

    def as_read(self, value: Sum, changed: bool) -> Value:
        """A polynomial by falling degree; in other sums, a positive term first.

        A sum that was changed is put in order in any case: its terms no longer are in the
        order they were typed in.
        """
        terms = list(value.terms)
        polynomial = all(self._is_polynomial(t) and min(t.powers.values(), default=1) > 0
                         for t in terms)  # fmt: skip
        if changed or polynomial:
            terms = self.ordered(terms)
        if polynomial:
            return self.of_terms(terms)
        return self.of_terms(_positive_first(terms))

    def as_factor(self, terms: list[Product]) -> tuple[int, Value]:
        """A sign, and the sum with a positive term in front."""
        terms = self.ordered(terms)
        sign = 1
        if len(terms) > 1 and terms[0].coefficient < 0:
            leading = self._is_polynomial(terms[0]) and len(terms) > 2
            if leading or all(t.coefficient < 0 for t in terms):
                terms, sign = [t.scaled(-1) for t in terms], -1
        return sign, self.of_terms(_positive_first(terms))

    def _is_polynomial(self, term: Product) -> bool:
        return all(self.measure.rank(b)[0] < 2 for b in term.powers)

    def ordered(self, terms: list[Product]) -> list[Product]:
        """By falling degree, numbers last; of two terms, a positive one first."""
        if len(terms) > LONGEST_SUM:
            return terms
        rank = self.measure.rank

        def order(term: Product) -> tuple[object, ...]:
            bases = sorted((rank(b), -e) for b, e in term.powers.items())
            degree = sum(term.powers.values())
            polynomial = self._is_polynomial(term)
            return (term.constant, not polynomial, -degree, term.coefficient < 0, bases)

        terms = sorted(terms, key=order)
        if len(terms) == 2 and terms[0].coefficient < 0 < terms[1].coefficient:
            terms.reverse()
        return terms


def _positive_first(terms: list[Product]) -> list[Product]:
    """A positive term in front, rather no number; the others as they came."""
    if not terms or terms[0].coefficient > 0:
        return terms
    positive = [t for t in terms if t.coefficient > 0]
    first = next((t for t in positive if not t.constant), positive[0] if positive else None)
    return terms if first is None else [first, *[t for t in terms if t is not first]]


def _value(known: dict[Expr, Value], node: Expr) -> Value:
    """The value of a node that was written; of any other, the node as a base."""
    value = known.get(node)
    if value is None:
        if isinstance(node, Const):
            return Product(node.value, {}, node.decimal)
        value = known[node] = Product(1, {node: 1})
    return value
