"""Sums, products, powers, and the exponential and logarithm that powers need.

Rows of the operator table with their folding constructors. `apply` keeps what a user
typed; the constructors here are for expressions that we make: they fold constants, drop
0 and 1 and keep signs outside. Two folds change a domain: `0*x` is 0 and `x^0` is 1 also
where x is undefined or infinite; the domain of a derivation is therefore read from the
expression as typed.
"""

from __future__ import annotations

from fractions import Fraction

from chainrule.core.expr import (
    MINUS_ONE,
    ONE,
    TWO,
    ZERO,
    Apply,
    Const,
    Expr,
    applications_of,
    apply,
    const,
    create,
    define_operators,
    symbol,
)
from chainrule.core.intervals import POSITIVE, Interval
from chainrule.core.ops import Operator, lookup, register
from chainrule.core.shape import Dim, Shape, affine

_LARGEST_BITS = 8192  # a folded constant stays below 2500 digits


def _is(node: Expr, value: int) -> bool:
    return isinstance(node, Const) and node.value == value


def _fits(value: int | Fraction) -> bool:
    if type(value) is int:
        return value.bit_length() <= _LARGEST_BITS
    return max(value.numerator.bit_length(), value.denominator.bit_length()) <= _LARGEST_BITS


def size(dim: Dim) -> Expr:
    """The dimension as a scalar expression.

    >>> size("n"), size(3), size("n - 1")
    (n, 3, sub(n, 1))
    """
    total: Expr = ZERO
    for name, count in affine(dim).items():
        term = mul(const(abs(count)), symbol(name) if name else ONE)
        total = sub(total, term) if count < 0 else add(total, term)
    return total


def filled(row: str, shape: Shape) -> Expr:
    """`ones` or `zeros` of this shape; the number itself for a scalar.

    >>> filled("zeros", ("m", 2)), filled("ones", ())
    (zeros(m, 2), 1)
    """
    if not shape:
        return ONE if row == "ones" else ZERO
    return apply(lookup(row), *map(size, shape))


def unsigned(a: Expr) -> tuple[bool, Expr]:
    """Whether an odd number of signs stands before a, and what they stand before."""
    odd = False
    while a.op is NEG:
        a, odd = a.args[0], not odd
    return odd, a


def add(a: Expr, b: Expr) -> Expr:
    """The sum a + b."""
    if b.op is NEG:
        odd, b = unsigned(b)
        return sub(a, b) if odd else add(a, b)
    if a.op is None or b.op is None:
        if type(a) is Const:
            if type(b) is Const:
                return const(a.value + b.value, a.decimal or b.decimal)
            if a.value == 0:
                return b
        elif type(b) is Const and b.value == 0:
            return a
    key = (a, b)
    # Not b + a, if that is there: the order of terms must not depend on what came before.
    node = _sums.get(key)
    return create(ADD, key, _sums) if node is None else node


def sub(a: Expr, b: Expr) -> Expr:
    """The difference a - b."""
    if a is b:
        return filled("zeros", a.shape)
    if b.op is NEG:
        odd, b = unsigned(b)
        return add(a, b) if odd else sub(a, b)
    if type(a) is Const:
        if type(b) is Const:
            return const(a.value - b.value, a.decimal or b.decimal)
        if a.value == 0:
            return neg(b)
    elif type(b) is Const and b.value == 0:
        return a
    key = (a, b)
    node = _differences.get(key)
    return create(SUB, key, _differences) if node is None else node


def neg(a: Expr) -> Expr:
    """The negative -a."""
    if type(a) is Const:
        return const(-a.value, a.decimal)
    if a.op is NEG:
        return a.args[0]
    key = (a,)
    node = _negatives.get(key)
    return create(NEG, key, _negatives) if node is None else node


def mul(a: Expr, b: Expr) -> Expr:
    """The product a b; a constant goes first, a sign goes outside."""
    p, q = a.op, b.op
    if p is None or q is None:
        if a is ONE:
            return b
        if b is ONE:
            return a
        if type(b) is Const:
            a, b, q = b, a, p
        if type(a) is Const:
            value = a.value
            if (
                type(b) is Const
                or q is NEG
                or (q is MUL and type(b.args[0]) is Const)
                or (type(value) is int and -1 <= value <= 1)
            ):
                return _scaled(a, b)
    if p is NEG or q is NEG:
        odd_a, a = unsigned(a)
        odd_b, b = unsigned(b)
        return mul(a, b) if odd_a == odd_b else neg(mul(a, b))
    key = (a, b)
    # Not b a, if that is there: as for sums, the order must not depend on what came before.
    node = _products.get(key)
    return create(MUL, key, _products) if node is None else node


def _scaled(a: Const, b: Expr) -> Expr:
    """a b for a constant a; a constant factor of b is drawn in."""
    negative = False
    while True:
        if b.op is NEG:
            odd, b = unsigned(b)
            negative ^= odd
        c = b.args[0] if b.op is MUL else b
        if type(c) is not Const or not (_fits(a.value) and _fits(c.value)):
            break
        a = const(a.value * c.value, a.decimal or c.decimal)
        if c is b:
            return neg(a) if negative else a
        b = b.args[1]
    value = a.value
    product: Expr | None
    if type(b) is not Const and type(value) is int and -1 <= value <= 1:
        product = neg(b) if value == -1 else b if value else filled("zeros", b.shape)
    else:
        key = (a, b)
        product = _products.get(key)
        if product is None:
            product = create(MUL, key, _products)
    return neg(product) if negative else product


def div(a: Expr, b: Expr) -> Expr:
    """The quotient a / b; a division by 0 is kept as it is."""
    if b is ONE:
        return a
    if a.op is NEG or b.op is NEG:
        odd_a, a = unsigned(a)
        odd_b, b = unsigned(b)
        return div(a, b) if odd_a == odd_b else neg(div(a, b))
    if type(b) is Const and b.value != 0:
        if type(a) is Const:
            if _fits(a.value) and _fits(b.value):
                return const(Fraction(a.value) / b.value, a.decimal or b.decimal)
            return apply(DIV, a, b)
        if b.value == -1:
            return neg(a)
    if type(a) is Const and a.value == 0 and not (type(b) is Const and b.value == 0):
        return filled("zeros", b.shape)
    return apply(DIV, a, b)


def power(a: Expr, b: Expr) -> Expr:
    """The power a^b; x^0 is 1, also at x = 0 (the convention of polynomials)."""
    if type(b) is Const:
        if b.value == 0:
            return filled("ones", a.shape)
        if b.value == 1:
            return a
        if type(a) is Const:
            folded = fold_power(a, b)
            if folded is not None:
                return folded
    if a is ONE:
        return filled("ones", b.shape)
    return apply(POW, a, b)


def fold_power(a: Expr, b: Expr) -> Const | None:
    """The constant a^b for a constant a and an integer b of reasonable size."""
    if not isinstance(a, Const) or not isinstance(b, Const) or not isinstance(b.value, int):
        return None
    base = Fraction(a.value)
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if abs(b.value) * bits > _LARGEST_BITS or (base == 0 and b.value < 0):
        return None
    return const(base**b.value, a.decimal or b.decimal)


def exp(a: Expr) -> Expr:
    """The exponential e^a."""
    if _is(a, 0):
        return ONE
    return apply(EXP, a)


def ln(a: Expr) -> Expr:
    """The natural logarithm."""
    if _is(a, 1):
        return ZERO
    if isinstance(a, Apply) and a.op is E:
        return ONE
    return apply(LN, a)


def reciprocal(a: Expr) -> Expr:
    """1/a."""
    return div(ONE, a)


def square(a: Expr) -> Expr:
    """a^2."""
    return power(a, TWO)


def relation(sign: str, a: Expr, b: Expr) -> Expr:
    """The relation `a sign b` (`>`, `<=`, `!=`, …), as a node: 1 where it holds, else 0."""
    return apply(lookup(sign), a, b)


def _power_by_base(n: Expr, a: Expr, b: Expr) -> Expr:
    # x^c stays c x^(c-1), never exp(c ln x): that would be undefined at x <= 0.
    return mul(TWO, a) if b is TWO else mul(b, power(a, sub(b, ONE)))


def _power_domain(a: Expr, b: Expr) -> tuple[Expr, ...]:
    if isinstance(b, Const):
        if isinstance(b.value, int):
            return (relation("!=", a, ZERO),) if b.value < 0 else ()
        return (relation(">" if b.value < 0 else ">=", a, ZERO),)
    if isinstance(a, Const):
        return () if a.value > 0 else (relation(">", b if a.value == 0 else a, ZERO),)
    return (relation(">", a, ZERO),)


def _power_by_exponent(n: Expr, a: Expr, b: Expr) -> Expr:
    # 0^b is 0 for every b > 0, where its domain ends.
    return ZERO if _is(a, 0) else mul(n, ln(a))


def _power_smooth(a: Expr, b: Expr) -> tuple[Expr, ...]:
    if isinstance(b, Const) and not isinstance(b.value, int) and 0 < b.value < 1:
        return (relation(">", a, ZERO),)
    return ()


ADD: Operator = register(Operator(
    "add", (2, 2), (lambda n, a, b: ONE, lambda n, a, b: ONE), ("sum rule",),
    sympy=lambda s, a, b: a + b, mpmath=lambda m, a, b: a + b, numpy="{0} + {1}",
    latex="+", notation="sum", precedence=10,
))  # fmt: skip
SUB: Operator = register(Operator(
    "sub", (2, 2), (lambda n, a, b: ONE, lambda n, a, b: MINUS_ONE), ("difference rule",),
    sympy=lambda s, a, b: a - b, mpmath=lambda m, a, b: a - b, numpy="{0} - {1}",
    latex="-", notation="sum", precedence=10,
))  # fmt: skip
NEG: Operator = register(Operator(
    "neg", (1, 1), (lambda n, a: MINUS_ONE,), ("constant multiple rule",),
    sympy=lambda s, a: -a, mpmath=lambda m, a: -a, numpy="-{0}",
    latex="-", notation="prefix", precedence=15, parity="odd",
))  # fmt: skip
MUL: Operator = register(Operator(
    "mul", (2, 2), (lambda n, a, b: b, lambda n, a, b: a), ("product rule",),
    sympy=lambda s, a, b: a * b, mpmath=lambda m, a, b: a * b, numpy="{0} * {1}",
    latex=r"\cdot", notation="product", precedence=20,
))  # fmt: skip
DIV: Operator = register(Operator(
    "div", (2, 2),
    (lambda n, a, b: reciprocal(b), lambda n, a, b: neg(div(a, square(b)))), ("quotient rule",),
    sympy=lambda s, a, b: a / b, mpmath=lambda m, a, b: a / b, numpy="{0} / {1}",
    latex=r"\frac", notation="fraction", precedence=20,
    domain=lambda a, b: (relation("!=", b, ZERO),),
))  # fmt: skip
POW: Operator = register(Operator(
    "pow", (2, 2), (_power_by_base, _power_by_exponent), ("power rule", "exponential rule"),
    sympy=lambda s, a, b: s.Pow(a, b), mpmath=lambda m, a, b: m.power(a, b), numpy="{0} ** {1}",
    latex="^", notation="power", precedence=40, domain=_power_domain, smooth=_power_smooth,
    source="DLMF 4.8.7, 4.2.26",
))  # fmt: skip
EXP: Operator = register(Operator(
    "exp", (1, 1), (lambda n, a: n,), ("exponential rule",),
    sympy=lambda s, a: s.exp(a), mpmath=lambda m, a: m.exp(a), numpy="np.exp({0})",
    latex=r"\exp", notation="exponential", precedence=50, values=((0, 1),), source="DLMF 4.7.7",
    range=POSITIVE,
))  # fmt: skip
LN: Operator = register(Operator(
    "ln", (1, 1), (lambda n, a: reciprocal(a),), ("logarithm rule",),
    sympy=lambda s, a: s.log(a), mpmath=lambda m, a: m.ln(a), numpy="np.log({0})",
    latex=r"\ln", spellings=("log",), domain=lambda a: (relation(">", a, ZERO),),
    values=((1, 0),), source="DLMF 4.7.1",
))  # fmt: skip
E: Operator = register(Operator(
    "e", (0, 0), (), (), sympy=lambda s: s.E, mpmath=lambda m: +m.e, numpy="np.e",
    latex="e", notation="constant",
    range=Interval(Fraction(2718, 1000), Fraction(2719, 1000), True, True),
))  # fmt: skip
PI: Operator = register(Operator(
    "pi", (0, 0), (), (), sympy=lambda s: s.pi, mpmath=lambda m: +m.pi, numpy="np.pi",
    latex=r"\pi", notation="constant",
    range=Interval(Fraction(3141, 1000), Fraction(3142, 1000), True, True),
))  # fmt: skip

_sums, _differences = applications_of(ADD), applications_of(SUB)
_products, _negatives = applications_of(MUL), applications_of(NEG)
define_operators(add, sub, mul, div, power)
