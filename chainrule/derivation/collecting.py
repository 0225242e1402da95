"""Multiplying: exponents of equal bases add up, and what a product of functions amounts to.

Each rule keeps the value wherever the factors are defined: `u/|u|` is sign(u), `|u|^2` is
u^2, `tan(u)*cos(u)` is sin(u).
"""

from __future__ import annotations

from math import floor
from typing import TYPE_CHECKING

from chainrule.core.expr import Apply, Const, Expr, apply, const
from chainrule.core.ops import lookup
from chainrule.core.table.elementary import CBRT
from chainrule.core.table.piecewise import ABS, SIGN
from chainrule.derivation.monomials import (
    NOTHING,
    Product,
    Rational,
    Sum,
    Value,
    bits,
    integral,
    magnitude,
    raised,
    tidy,
)
from chainrule.derivation.writing import is_exponential

if TYPE_CHECKING:
    from chainrule.derivation.algebra import Algebra

LONGEST_SUM = 64  # a longer sum that is used twice, or in a product, is kept as it is
LONGEST_PRODUCT = 64  # likewise a product that is used twice
LARGEST_BITS = 8192
_LARGEST_EXPONENT = 1 << 40


class TooLarge(Exception):
    """A number or a sum would grow beyond what is worth having."""


class Collector:
    """A product in the making."""

    def __init__(self, algebra: Algebra) -> None:
        self._algebra = algebra
        self.coefficient: Rational = 1
        self.decimal = False
        self.powers: dict[Expr, Rational] = {}
        self._exponential = False

    def times(self, value: Value, exponent: int) -> None:
        """Multiply by value^exponent."""
        if exponent == 0:
            return
        if isinstance(value, Sum):
            if len(value.terms) > LONGEST_SUM:
                self.multiply(self._algebra.write(value), exponent)
                return
            number, base = self._algebra.base(value)
            self._scale(number, exponent)
            self.multiply(base, exponent)
            return
        self._scale(value.coefficient, exponent)
        self.decimal = self.decimal or value.decimal
        if any(is_exponential(base) for base in value.powers):
            if self._exponential:
                self._algebra.fired.add("combine exponentials")
            self._exponential = True
        for base, inner in value.powers.items():
            self.multiply(base, inner * exponent)

    def _scale(self, number: Rational, exponent: int) -> None:
        if number == 1:
            return
        if number == 0 and exponent < 0:
            raise ZeroDivisionError
        if number != -1 and self.coefficient not in (1, -1):
            self._algebra.fired.add("constant arithmetic")
        if bits(number) * abs(exponent) > LARGEST_BITS and number != -1:
            self.multiply(const(number), exponent)
            return
        self.coefficient = tidy(self.coefficient * raised(number, exponent))
        if bits(self.coefficient) > LARGEST_BITS:
            raise TooLarge

    def multiply(self, base: Expr, exponent: Rational) -> None:
        """Multiply by base^exponent."""
        present = self.powers.get(base)
        if present is not None:
            cancels = (present < 0) != (exponent < 0)
            if not is_exponential(base):
                rule = "cancel common factors" if cancels else "collect powers"
                self._algebra.fired.add(rule)
            exponent += present
        self._set(base, tidy(exponent))

    def _set(self, base: Expr, exponent: Rational) -> None:
        if magnitude(exponent) > _LARGEST_EXPONENT:
            raise TooLarge
        if exponent:
            self.powers[base] = exponent
        else:
            self.powers.pop(base, None)

    def finish(self) -> Value:
        """The product, with what stands under roots or in bars taken out where it can be."""
        for _ in range(8):
            if not self._settle():
                break
        if self.coefficient == 0:
            return NOTHING
        return Product(self.coefficient, self.powers, self.decimal)

    def _settle(self) -> bool:
        changed = False
        for base in list(self.powers):
            exponent = self.powers.get(base)
            if exponent is None:
                continue
            if isinstance(base, Const):
                changed |= self._settle_number(base, exponent)
            elif isinstance(base, Apply):
                if base.op is ABS or base.op is SIGN:
                    changed |= self._settle_bars(base.args[0])
                elif base.op is CBRT:
                    changed |= self._settle_cube_root(base, exponent)
                elif base.op.reciprocal and self._settle_reciprocal(base, exponent):
                    changed = True
                elif base.op.quotient is not None:
                    changed |= self._settle_quotient(base, exponent)
                else:
                    changed |= self._settle_base(base, exponent)
        return changed

    def _take(self, base: Expr) -> Rational:
        return self.powers.pop(base)

    def _settle_number(self, base: Const, exponent: Rational) -> bool:
        """2^(3/2) is 2*2^(1/2), and 2^(-1/2) is 2^(1/2)/2."""
        value = base.value
        whole = floor(exponent) if value > 0 else int(exponent)
        if not whole or value == 0 or bits(value) * abs(whole) > LARGEST_BITS:
            return False
        self._set(base, tidy(exponent - whole))
        self._scale(value, whole)
        self.decimal = self.decimal or base.decimal
        return True

    def _settle_base(self, base: Apply, exponent: Rational) -> bool:
        """Bring a sum into its one form; open a product that is no longer under a root."""
        algebra = self._algebra
        value = algebra.value(base)
        if isinstance(value, Sum):
            if len(value.terms) > LONGEST_SUM:
                return False
            number, node = algebra.base(value)
            if node is base:
                return False
            if integral(exponent):
                self._take(base)
                self.times(value, int(exponent))
                return True
            other = self.powers.get(node)
            if other is not None and integral(other) and not self.decimal:
                self._take(node)
                self._scale(number, -int(other))
                self.multiply(base, other)
                return True
            return False
        if integral(exponent) and (value.coefficient != 1 or value.powers != {base: 1}):
            self._take(base)
            self.times(value, int(exponent))
            return True
        return False

    def _single(self, node: Expr) -> Expr | None:
        """The argument of |u| or sign(u) where u is a base itself."""
        value = self._algebra.value(node)
        if isinstance(value, Sum):
            return node
        return node if value.coefficient == 1 and value.powers == {node: 1} else None

    def _settle_bars(self, inner: Expr) -> bool:
        """|u|^a * sign(u)^b * u^c as a power of u, of |u|, or u^(m - 1)*|u|."""
        node = self._single(inner)
        bars, sign = apply(ABS, inner), apply(SIGN, inner)
        a, b = self.powers.get(bars, 0), self.powers.get(sign, 0)
        c = 0 if node is None else self.powers.get(node, 0)
        c = c if integral(c) else 0
        if not integral(a) or not integral(b):
            return False
        size, odd = a + c, (b + c) % 2
        wanted: tuple[Rational, Rational, Rational]
        if a >= 0 and b >= 0 and size == 0:  # sign(u)^2 is 0 at 0
            wanted = (0, 2 - odd, 0)
        elif size % 2 == odd:
            wanted = (0, 0, size)
        elif not odd:
            wanted = (size, 0, 0)
        elif size == 0:
            wanted = (0, 1, 0)
        else:
            step = 1 if size > 0 else -1
            wanted = (step, 0, size - step)
        if wanted == (a, b, c):
            return False
        plain = b == 0 == c
        self._algebra.fired.add(
            "square of an absolute value" if plain else "absolute value and sign"
        )
        self._set(bars, wanted[0])
        self._set(sign, wanted[1])
        if node is None:
            self.times(self._algebra.value(inner), int(wanted[2]))
        else:
            self._set(node, wanted[2])
        return True

    def _settle_cube_root(self, base: Apply, exponent: Rational) -> bool:
        if not integral(exponent):
            return False
        (inner,) = base.args
        whole = int(exponent / 3)
        if whole:
            rest = int(self._take(base)) - 3 * whole
            self.multiply(base, rest)
            self.times(self._algebra.value(inner), whole)
            return True
        node = self._single(inner)
        other = self.powers.get(node, 0) if node is not None else 0
        if node is None or not integral(other) or not other * exponent < 0:
            return False
        step = 1 if other > 0 else -1
        self.multiply(node, -step)
        self.multiply(base, 3 * step)
        return True

    def _settle_reciprocal(self, base: Apply, exponent: Rational) -> bool:
        """sec(u)*cos(u) is 1."""
        other = apply(lookup(base.op.reciprocal), *base.args)
        return self._replace_pair(base, exponent, other, None)

    def _settle_quotient(self, base: Apply, exponent: Rational) -> bool:
        """tan(u)*cos(u) is sin(u)."""
        assert base.op.quotient is not None
        over, under = [apply(lookup(name), *base.args) for name in base.op.quotient]
        return self._replace_pair(base, exponent, under, over)

    def _replace_pair(self, base: Expr, exponent: Rational, other: Expr, by: Expr | None) -> bool:
        count = self.powers.get(other, 0)
        if not (integral(exponent) and integral(count) and exponent > 0 and count > 0):
            return False
        step = min(exponent, count)
        self._set(base, exponent - step)
        self._set(other, count - step)
        if by is not None:
            self.multiply(by, step)
        self._algebra.fired.add("reciprocal functions")
        return True
