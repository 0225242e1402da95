"""What is known of functions without expanding anything: exact values, parity, inverses.

Each rule takes a row's name, its arguments' values, and gives the value of the
application, or None where it has nothing to say.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

from chainrule.core.arithmetic import LN
from chainrule.core.expr import Apply, Expr, apply
from chainrule.core.ops import Operator
from chainrule.core.table.elementary import CBRT
from chainrule.core.table.piecewise import ABS, CEIL, FLOOR, HEAVISIDE, MAX, MIN, SIGN
from chainrule.derivation.algebra import Algebra
from chainrule.derivation.monomials import (
    NOTHING,
    UNIT,
    Product,
    Rational,
    Sum,
    Value,
    exact_root,
    integral,
    magnitude,
    tidy,
)
from chainrule.derivation.writing import is_exponential


def applied(algebra: Algebra, op: Operator, args: list[Value]) -> Value:
    """The value of `op` at the arguments."""
    if len(args) == 1:
        found = _of_one(algebra, op, args[0])
    elif op.notation == "relation":
        found = _relation(algebra, op, args)
    elif op in (MAX, MIN):
        found = _extremum(algebra, op, args)
    else:
        found = None
    if found is not None:
        return found
    return algebra.value(apply(op, *[algebra.write(a) for a in args]))


def _of_one(algebra: Algebra, op: Operator, arg: Value) -> Value | None:
    if op in (MAX, MIN):
        return arg
    if isinstance(arg, Product) and arg.constant:
        number = _at_number(op, arg.coefficient)
        if number is not None:
            algebra.fired.add("exact values")
            return Product(number, {}, arg.decimal and not integral(number))
    if op is ABS:
        return algebra.absolute(arg)
    if op is SIGN:
        return _sign(algebra, arg)
    if op is LN:
        return _logarithm(algebra, arg)
    if op is CBRT and isinstance(arg, Product):
        return _cube_root(algebra, arg)
    if isinstance(arg, Product) and len(arg.powers) == 1 and arg.coefficient == 1:
        ((base, exponent),) = arg.powers.items()
        if exponent == 1 and isinstance(base, Apply) and base.op.undoes == op.name:
            algebra.fired.add("inverse functions")
            return algebra.value(base.args[0])
    if op.parity and _leads_with_minus(arg):
        algebra.fired.add("odd and even functions")
        value = applied(algebra, op, [algebra.scaled(arg, -1)])
        return algebra.scaled(value, -1) if op.parity == "odd" else value
    return None


def _leads_with_minus(arg: Value) -> bool:
    if isinstance(arg, Sum):
        return all(t.coefficient < 0 for t in arg.terms)
    return arg.coefficient < 0


def _at_number(op: Operator, number: Rational) -> Rational | None:
    if op is FLOOR:
        return floor(number)
    if op is CEIL:
        return ceil(number)
    if op is HEAVISIDE:
        return Fraction(1, 2) if number == 0 else int(number > 0)
    if op is CBRT:
        size = exact_root(magnitude(number), Fraction(1, 3))
        return None if size is None else -size if number < 0 else size
    if isinstance(number, int):
        for at, value in op.values:
            if at == number:
                return value
            if at == -number and op.parity:
                return -value if op.parity == "odd" else value
    return None


def _sign(algebra: Algebra, arg: Value) -> Value | None:
    known = algebra.signs.interval(algebra.write(arg))
    if known.positive:
        return UNIT
    if known.negative:
        return Product(-1, {})
    if isinstance(arg, Sum):
        number, node = algebra.base(arg)
        return Product(1 if number > 0 else -1, {apply(SIGN, node): 1})
    if arg.coefficient == 0:
        return NOTHING
    powers: dict[Expr, Rational] = {}
    flip = arg.coefficient < 0
    for base, exponent in arg.powers.items():
        interval = algebra.signs.interval(base)
        if interval.positive or (interval.excludes_zero and exponent % 2 == 0):
            continue
        if interval.negative:
            flip ^= bool(exponent % 2)
        elif not integral(exponent) or exponent % 2:
            # sign(u^3) is sign(u); so is that of 1/u and of a root, where they are defined.
            powers[apply(SIGN, base)] = 1
        elif exponent > 0:
            powers[apply(SIGN, base)] = 2
    return Product(-1 if flip else 1, powers)


def _logarithm(algebra: Algebra, arg: Value) -> Value | None:
    if not isinstance(arg, Product) or arg.coefficient != 1 or not arg.powers:
        return None
    if not all(is_exponential(b) for b in arg.powers):
        return None
    algebra.fired.add("logarithm of an exponential")
    return algebra.sum(
        [(algebra.value(b.args[0]) if b.args else UNIT, e) for b, e in arg.powers.items()]
    )


def _cube_root(algebra: Algebra, arg: Product) -> Value | None:
    """A real cube root is taken factor by factor."""
    outside: dict[Expr, Rational] = {}
    inside: dict[Expr, Rational] = {}
    for base, exponent in arg.powers.items():
        if integral(exponent) and exponent % 3 == 0:
            outside[base] = tidy(Fraction(exponent, 3))
        else:
            inside[base] = exponent
    number = exact_root(magnitude(arg.coefficient), Fraction(1, 3))
    kept: Rational = 1
    if number is None:
        number, kept = 1, magnitude(arg.coefficient)
    if arg.coefficient < 0:
        number = -number
    if not outside and abs(number) == 1 and kept == arg.coefficient:
        return None
    factors: list[tuple[Value, int]] = [(Product(number, outside, arg.decimal), 1)]
    if inside or kept != 1:
        root = apply(CBRT, algebra.write(Product(kept, inside, arg.decimal)))
        factors.append((algebra.value(root), 1))
    return algebra.product(factors)


def _relation(algebra: Algebra, op: Operator, args: list[Value]) -> Value | None:
    known = algebra.signs.holds(apply(op, *[algebra.write(a) for a in args]))
    if known is None:
        return None
    algebra.fired.add("relations that always or never hold")
    return UNIT if known else NOTHING


def _extremum(algebra: Algebra, op: Operator, args: list[Value]) -> Value | None:
    """Equal arguments once; of several numbers the one that counts."""
    numbers = [a for a in args if isinstance(a, Product) and a.constant]
    best: Product | None = None
    for number in numbers:
        if best is None or (number.coefficient > best.coefficient) == (op is MAX):
            best = number
    kept: dict[Expr, Value] = {}
    for arg in args:
        if isinstance(arg, Product) and arg.constant and arg is not best:
            continue
        kept[algebra.write(arg)] = arg
    if len(kept) == len(args):
        return None
    algebra.fired.add("constant arithmetic")
    if len(kept) == 1:
        return next(iter(kept.values()))
    return algebra.value(apply(op, *kept))
