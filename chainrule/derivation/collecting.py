"""Multiplying: exponents of equal bases add up, and what a product of functions amounts to.

Each rule keeps the value wherever the factors are defined: `u/|u|` is sign(u), `|u|^2` is
u^2, `tan(u)*cos(u)` is sin(u).
"""

from __future__ import annotations

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
    ratio,
    tidy,
)
from chainrule.derivation.writing import is_exponential

if TYPE_CHECKING:
    from chainrule.derivation.algebra import Algebra

LONGEST_SUM = 64  # a longer sum that is used twice, or in a product, is kept as it is
LARGEST_BITS = 8192
_LARGEST_EXPONENT = 1 << 40

# Functions whose product is 1, and pairs whose product is a third function.
_INVERSE = {
    "sec": "cos", "csc": "sin", "cot": "tan", "sech": "cosh", "csch": "sinh", "coth": "tanh",
    "cos": "sec", "sin": "csc", "tan": "cot", "cosh": "sech", "sinh": "csch", "tanh": "coth",
}  # fmt: skip
_THIRD = {
    ("tan", "cos"): "sin", ("cot", "sin"): "cos", ("tanh", "cosh"): "sinh",
    ("coth", "sinh"): "cosh",
}  # fmt: skip


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
        exponent = tidy(exponent)
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
                if base.op is ABS:
                    changed |= self._settle_absolute(base, exponent)
                elif base.op is SIGN:
                    changed |= self._settle_sign(base, exponent)
                elif base.op is CBRT:
                    changed |= self._settle_cube_root(base, exponent)
                elif base.op.name in _INVERSE:
                    changed |= self._settle_inverse(base, exponent)
                else:
                    changed |= self._settle_base(base, exponent)
        return changed

    def _take(self, base: Expr) -> Rational:
        return self.powers.pop(base)

    def _settle_number(self, base: Const, exponent: Rational) -> bool:
        value = base.value
        whole = int(exponent)  # toward zero
        if whole and bits(value) * abs(whole) <= LARGEST_BITS and value != 0:
            rest = tidy(self._take(base) - whole)
            if rest:
                self.powers[base] = rest
            self._scale(value, whole)
            self.decimal = self.decimal or base.decimal
            return True
        if isinstance(value, int) and value > 1 and exponent < 0 and not integral(exponent):
            if self.coefficient and self.coefficient.numerator % value == 0:
                self.coefficient = ratio(self.coefficient, value)
                self.powers[base] = tidy(exponent + 1)
                return True
        elif isinstance(value, int) and value > 1 and 0 < exponent < 1 and (
            self.coefficient.denominator % value == 0
        ):
            self.coefficient = tidy(self.coefficient * value)
            self.powers[base] = tidy(exponent - 1)
            return True
        return False

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

    def _settle_absolute(self, base: Apply, exponent: Rational) -> bool:
        (inner,) = base.args
        if integral(exponent) and exponent % 2 == 0:
            self._algebra.fired.add("square of an absolute value")
            self._take(base)
            self.times(self._algebra.value(inner), int(exponent))
            return True
        node = self._single(inner)
        if node is None or not integral(exponent):
            return False
        other = self.powers.get(node)
        if other is None or not integral(other):
            return False
        if exponent < 0 < other or other < 0 < exponent:
            # u/|u| is sign(u) and |u|/u is too, where they are defined.
            self._algebra.fired.add("cancel common factors")
            step = 1 if exponent > 0 else -1
            del self.powers[base]
            del self.powers[node]
            self.multiply(base, exponent - step)
            self.multiply(node, other + step)
            self.multiply(apply(SIGN, node), 1)
            return True
        return False

    def _settle_sign(self, base: Apply, exponent: Rational) -> bool:
        (inner,) = base.args
        if not integral(exponent):
            return False
        if exponent > 2 or exponent < 0:
            self.powers[base] = 1 if exponent % 2 else 2
            if exponent < 0 and not exponent % 2:
                del self.powers[base]
            return True
        node = self._single(inner)
        if node is None:
            return False
        other = self.powers.get(node, 0)
        bars = apply(ABS, node)
        if integral(other) and other > 0:
            self._take(base)
            del self.powers[node]
            self.multiply(base, exponent - 1)
            self.multiply(node, other - 1)
            self.multiply(bars, 1)
        elif integral(other) and other < 0:  # u/|u| is sign(u), so sign(u)/u is 1/|u|
            self._take(base)
            self.multiply(base, exponent - 1)
            self.multiply(node, 1)
            self.multiply(bars, -1)
        elif self.powers.get(bars, 0) > 0:
            self._take(base)
            self.multiply(base, exponent - 1)
            self.multiply(bars, -1)
            self.multiply(node, 1)
        else:
            return False
        self._algebra.fired.add("absolute value and sign")
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

    def _settle_inverse(self, base: Apply, exponent: Rational) -> bool:
        if not integral(exponent) or exponent < 0:
            return False
        name, args = base.op.name, base.args
        other = apply(lookup(_INVERSE[name]), *args)
        count = self.powers.get(other, 0)
        if integral(count) and count > 0:
            step = min(int(exponent), int(count))
            self.multiply(base, -step)
            self.multiply(other, -step)
            self._algebra.fired.add("reciprocal functions")
            return True
        for (first, second), third in _THIRD.items():
            if name != first:
                continue
            other = apply(lookup(second), *args)
            count = self.powers.get(other, 0)
            if integral(count) and count > 0:
                step = min(int(exponent), int(count))
                self.multiply(base, -step)
                self.multiply(other, -step)
                self.multiply(apply(lookup(third), *args), step)
                self._algebra.fired.add("reciprocal functions")
                return True
        return False
