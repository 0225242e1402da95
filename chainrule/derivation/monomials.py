"""Products and sums as data: a coefficient with powers of bases, and a sequence of those.

An exponent is a rational number. A base is a node that is no product, power or number,
with four exceptions that make exponents add up where a person adds them:

- `exp(m)` for a product m without coefficient: `exp(-x^2/2)` is `exp(x^2)` to the -1/2,
  which is fine, as an exponential is positive; `e` itself is such a base;
- `b^m` for a variable exponent m, likewise (b > 0 wherever it is defined);
- a number or a product under a root, kept as it is;
- a sum, in one form for all its multiples (see `chainrule.derivation.algebra`).
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from math import gcd

from chainrule.core.expr import Expr

Rational = int | Fraction
Key = frozenset[tuple[Expr, Rational]]


class Product:
    """coefficient * base1^exponent1 * …; `decimal` says how the coefficient is printed."""

    __slots__ = ("_key", "coefficient", "decimal", "powers", "written")
    written: Expr | None

    def __init__(
        self, coefficient: Rational, powers: dict[Expr, Rational], decimal: bool = False
    ) -> None:
        self.coefficient, self.powers, self.decimal = coefficient, powers, decimal
        self._key: Key | None = None
        self.written = None

    @property
    def key(self) -> Key:
        """The same for products that differ in the coefficient only."""
        if self._key is None:
            self._key = frozenset(self.powers.items())
        return self._key

    @property
    def constant(self) -> bool:
        """Whether it is a number."""
        return not self.powers

    def scaled(self, factor: Rational, decimal: bool = False) -> Product:
        """The multiple by a number."""
        return Product(tidy(self.coefficient * factor), self.powers, self.decimal or decimal)


class Sum:
    """Two or more products that differ in their powers."""

    __slots__ = ("base", "terms", "written")
    base: tuple[Rational, Expr] | None
    written: Expr | None

    def __init__(self, terms: tuple[Product, ...]) -> None:
        self.terms = terms
        self.base = None
        self.written = None

    @property
    def decimal(self) -> bool:
        """Whether a coefficient is a decimal number."""
        return any(t.decimal for t in self.terms)

    def scaled(self, factor: Rational) -> Sum:
        """The multiple by a number, term by term."""
        return Sum(tuple(t.scaled(factor) for t in self.terms))


Value = Product | Sum
UNIT = Product(1, {})
NOTHING = Product(0, {})


def tidy(value: Rational) -> Rational:
    """An integer as an int, which is faster."""
    return value.numerator if value.denominator == 1 else value


def integral(value: Rational) -> bool:
    """Whether the number is an integer."""
    return value.denominator == 1


def bits(value: Rational) -> int:
    """The size of the larger of numerator and denominator."""
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def magnitude(value: Rational) -> Rational:
    """The absolute value."""
    return -value if value < 0 else value


def ratio(a: Rational, b: Rational) -> Rational:
    """a / b, exactly."""
    if b == 1:
        return a
    return tidy(Fraction(a) / b)


def raised(value: Rational, exponent: int) -> Rational:
    """value^exponent, exactly."""
    if exponent == 1:
        return value
    return tidy(Fraction(value) ** exponent)


def content(numbers: Iterable[Rational]) -> Rational:
    """The greatest positive rational of which all the numbers are integer multiples."""
    over, under = 0, 1
    for number in numbers:
        if type(number) is int:
            over = gcd(over, number)
            continue
        over = gcd(over, number.numerator)
        under = under * number.denominator // gcd(under, number.denominator)
    return tidy(Fraction(over, under)) if over else 1


def exact_root(value: Rational, exponent: Rational) -> Rational | None:
    """value^exponent for value >= 0 if it is rational and not large, else None."""
    degree = exponent.denominator
    if abs(exponent.numerator) > 64 or degree > 16 or value < 0 or value == 0 > exponent:
        return None
    over = _integer_root(value.numerator, degree)
    under = _integer_root(value.denominator, degree)
    if over is None or under is None:
        return None
    return raised(Fraction(over, under), exponent.numerator)


def _integer_root(value: int, degree: int) -> int | None:
    if value.bit_length() > 512:
        return None
    guess = 1 << -(-value.bit_length() // degree)
    while True:  # Newton's iteration from above
        better = ((degree - 1) * guess + value // guess ** (degree - 1)) // degree if guess else 0
        if better >= guess:
            return guess if guess**degree == value else None
        guess = better


def radical(value: Rational, exponent: Rational) -> dict[int, Rational]:
    """value^exponent for value > 0, as powers of primes (a large factor stays as it is).

    >>> radical(Fraction(12), Fraction(1, 2))
    {2: 1, 3: Fraction(1, 2)}
    """
    powers: dict[int, Rational] = {}
    for number, sign in ((value.numerator, 1), (value.denominator, -1)):
        for prime, count in _factors(number).items():
            powers[prime] = tidy(sign * count * exponent)
    return powers


def _factors(number: int) -> dict[int, int]:
    if number.bit_length() > 256:
        return {number: 1}
    found: dict[int, int] = {}
    divisor = 2
    while divisor * divisor <= number and divisor < 1000:
        while number % divisor == 0:
            number //= divisor
            found[divisor] = found.get(divisor, 0) + 1
        divisor += 1 if divisor == 2 else 2
    if number > 1:
        found[number] = found.get(number, 0) + 1
    return found
