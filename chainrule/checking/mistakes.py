"""The table of typical errors: what each makes of the derivative of one operation.

A row takes an operation, its operands and their right slopes, and says which wrong slopes of
the operation the error gives. Where in the derivation it was made, and whether that explains
an answer, is found in `chainrule.checking.diagnosis`; the words are in the renderer.

>>> from chainrule.core.expr import symbol
>>> x = symbol("x")
>>> place = Place.of(x * x**2, {x: symbol("x'"), x**2: 2 * x})
>>> [list(row.slopes(place)) for row in TABLE if row.kind == "product of derivatives"]
[[mul(x', mul(2, x))]]
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from chainrule.core.arithmetic import (
    ADD,
    DIV,
    EXP,
    LN,
    MUL,
    NEG,
    POW,
    SUB,
    add,
    div,
    exp,
    ln,
    mul,
    neg,
    power,
    reciprocal,
    square,
    sub,
)
from chainrule.core.expr import HALF, MINUS_ONE, ONE, TWO, ZERO, Apply, Const, Expr, apply, const
from chainrule.core.ops import Operator, lookup
from chainrule.core.table.abstract import AbstractOperator
from chainrule.core.table.elementary import LOG, LOG2, LOG10, SQRT
from chainrule.core.table.piecewise import ABS, PIECEWISE


class Place(NamedTuple):
    """An operation with its operands' right slopes (0 for a constant) and its own."""

    node: Apply
    slopes: tuple[Expr, ...]
    locals: tuple[Expr, ...]
    slope: Expr
    variable: Expr | None = None

    @classmethod
    def of(cls, node: Expr, slopes: Mapping[Expr, Expr], variable: Expr | None = None) -> Place:
        """The place of an operation; operands without a slope are constant."""
        assert isinstance(node, Apply)
        known = tuple(slopes.get(a, ZERO) for a in node.args)
        locals_ = tuple(
            node.op.partial(node, i) if s is not ZERO else ZERO for i, s in enumerate(known)
        )
        total: Expr = ZERO
        for local, slope in zip(locals_, known, strict=True):
            if slope is not ZERO:
                total = add(total, mul(local, slope))
        return cls(node, known, locals_, total, variable)

    @property
    def op(self) -> Operator:
        """The row of the operation."""
        return self.node.op

    @property
    def varying(self) -> tuple[int, ...]:
        """The slots of the operands that vary."""
        return tuple(i for i, s in enumerate(self.slopes) if s is not ZERO)

    @property
    def inner(self) -> int | None:
        """The slot of the only operand that varies, where the operation is no plain multiple."""
        if len(self.varying) != 1 or self.op in (ADD, SUB, NEG, PIECEWISE):
            return None
        (slot,) = self.varying
        scaled = self.op is MUL or (self.op is DIV and slot == 0)
        return None if scaled else slot

    def moved(self, slot: int, operand: Expr) -> Apply:
        """The operation with another operand."""
        args = list(self.node.args)
        args[slot] = operand
        return apply(self.node.op, *args)


Slopes = Iterable[Expr]


class Mistake(NamedTuple):
    """A typical error.

    Attributes:
        kind: what it is called in the data; the renderer has its sentence.
        rank: the more typical or telling the lower; of two that give the same answer the lower
            is named.
        slopes: the wrong slopes that it gives an operation; none where it cannot be made.
        habit: whether it is often made throughout.
    """

    kind: str
    rank: int
    slopes: Callable[[Place], Slopes]
    habit: bool = False


# ---- products and quotients


def _product(p: Place) -> tuple[Expr, Expr, Expr, Expr] | None:
    if p.op is MUL and len(p.varying) == 2:
        return *p.node.args, *p.slopes  # type: ignore[return-value]
    return None


def _quotient(p: Place) -> tuple[Expr, Expr, Expr, Expr] | None:
    """Of a quotient whose denominator varies: both parts, both slopes."""
    if p.op is DIV and p.slopes[1] is not ZERO:
        return *p.node.args, *p.slopes  # type: ignore[return-value]
    return None


def _product_of_derivatives(p: Place) -> Slopes:
    if f := _product(p):
        yield mul(f[2], f[3])


def _product_sign(p: Place) -> Slopes:
    if f := _product(p):
        a, b, da, db = f
        yield sub(mul(da, b), mul(a, db))
        yield sub(mul(a, db), mul(da, b))


def _pairing(p: Place) -> Slopes:
    if f := _product(p):
        a, b, da, db = f
        yield add(mul(a, da), mul(b, db))
    elif (f := _quotient(p)) and f[2] is not ZERO:
        a, b, da, db = f
        yield div(sub(mul(a, da), mul(b, db)), square(b))


def _summands_multiplied(p: Place) -> Slopes:
    if f := _product(p):
        a, b, da, db = f
        yield mul(mul(da, b), mul(a, db))


def _derivatives_added(p: Place) -> Slopes:
    if f := _product(p):
        yield add(f[2], f[3])
    elif p.inner is not None:
        yield add(p.locals[p.inner], p.slopes[p.inner])


def _quotient_of_derivatives(p: Place) -> Slopes:
    if (f := _quotient(p)) and f[2] is not ZERO:
        yield div(f[2], f[3])


def _quotient_order(p: Place) -> Slopes:
    if (f := _quotient(p)) and f[2] is not ZERO:
        a, b, da, db = f
        yield div(sub(mul(a, db), mul(da, b)), square(b))


def _quotient_sign(p: Place) -> Slopes:
    if (f := _quotient(p)) and f[2] is not ZERO:
        a, b, da, db = f
        yield div(add(mul(da, b), mul(a, db)), square(b))


def _denominator_not_squared(p: Place) -> Slopes:
    if f := _quotient(p):
        a, b, da, db = f
        yield div(sub(mul(da, b), mul(a, db)), b)


def _denominator_left_out(p: Place) -> Slopes:
    if f := _quotient(p):
        a, b, da, db = f
        yield sub(mul(da, b), mul(a, db))


def _denominator_wrong(p: Place) -> Slopes:
    if (f := _quotient(p)) and f[2] is not ZERO:
        a, b, da, db = f
        above = sub(mul(da, b), mul(a, db))
        yield div(above, square(db))
        yield div(above, square(a))
        yield div(above, mul(TWO, b))
        yield div(above, db)


# ---- powers


def _power(p: Place) -> tuple[Expr, Expr, Expr, Expr] | None:
    """Of a power with a constant exponent: base, exponent, slope, constant factor."""
    op, args = p.op, p.node.args
    if op is POW and p.varying == (0,):
        return args[0], args[1], p.slopes[0], ONE
    if op is SQRT:
        return args[0], HALF, p.slopes[0], ONE
    if op is DIV and p.varying == (1,):
        return args[1], MINUS_ONE, p.slopes[1], args[0]
    return None


def _exponent_not_lowered(p: Place) -> Slopes:
    if (f := _power(p)) and p.op is not DIV:
        a, n, da, _ = f
        yield mul(mul(n, power(a, n)), da)


def _coefficient(p: Place) -> Slopes:
    if (f := _power(p)) and p.op is not DIV:
        a, n, da, _ = f
        yield mul(power(a, sub(n, ONE)), da)


def _exponent_wrong_way(p: Place) -> Slopes:
    if f := _power(p):
        a, n, da, c = f
        yield mul(mul(c, mul(n, power(a, add(n, ONE)))), da)
        yield mul(mul(c, mul(n, power(a, sub(ONE, n)))), da)


def _exponent_too_low(p: Place) -> Slopes:
    if f := _power(p):
        a, n, da, c = f
        yield mul(mul(c, mul(n, power(a, sub(n, TWO)))), da)


def _coefficient_lowered(p: Place) -> Slopes:
    if (f := _power(p)) and p.op is not DIV:
        a, n, da, _ = f
        yield mul(mul(sub(n, ONE), power(a, sub(n, ONE))), da)
        yield mul(mul(sub(n, ONE), power(a, n)), da)


def _exponent_dropped(p: Place) -> Slopes:
    if (f := _power(p)) and p.op is POW:
        a, n, da, _ = f
        yield mul(mul(n, a), da)
        yield mul(n, da)


def _power_integrated(p: Place) -> Slopes:
    if f := _power(p):
        a, n, _, c = f
        if isinstance(n, Const) and n.value != -1:
            above = add(n, ONE)
            yield mul(c, div(power(a, above), above))
            yield mul(c, power(a, above))
        elif isinstance(n, Const):
            yield mul(c, ln(a))


def _exponential_rule_on_power(p: Place) -> Slopes:
    if (f := _power(p)) and p.op is POW:
        a, _, da, _ = f
        yield mul(mul(p.node, ln(a)), da)
        yield mul(p.node, ln(a))


# ---- exponentials and logarithms


def _exponential(p: Place) -> tuple[Expr, Expr, Expr] | None:
    """Of an exponential with a constant base: base (None for e), exponent, slope."""
    if p.op is POW and p.varying == (1,):
        return p.node.args[0], p.node.args[1], p.slopes[1]
    if p.op is EXP:
        return exp(ONE), p.node.args[0], p.slopes[0]
    return None


def _power_rule_on_exponential(p: Place) -> Slopes:
    if f := _exponential(p):
        c, b, db = f
        lowered = exp(sub(b, ONE)) if p.op is EXP else power(c, sub(b, ONE))
        yield mul(b, lowered)
        yield mul(mul(b, lowered), db)


def _power_rule_on_variable_exponent(p: Place) -> Slopes:
    if p.op is POW and len(p.varying) == 2:
        a, b = p.node.args
        da, db = p.slopes
        yield mul(b, power(a, sub(b, ONE)))
        yield mul(mul(b, power(a, sub(b, ONE))), da)
        yield mul(mul(b, power(a, sub(b, ONE))), db)


def _exponential_rule_on_variable_base(p: Place) -> Slopes:
    if p.op is POW and len(p.varying) == 2:
        a, _ = p.node.args
        yield mul(mul(p.node, ln(a)), p.slopes[1])


def _base_lost(p: Place) -> Slopes:
    if p.op is POW and p.varying == (1,):
        yield mul(p.node, p.slopes[1])
    elif base := _base(p):
        yield div(p.slopes[0], base[0])


def _base_misplaced(p: Place) -> Slopes:
    if p.op is POW and p.varying == (1,):
        yield div(mul(p.node, p.slopes[1]), ln(p.node.args[0]))
    elif base := _base(p):
        yield div(mul(p.slopes[0], ln(base[1])), base[0])


def _base(p: Place) -> tuple[Expr, Expr] | None:
    """Argument and base of a logarithm to a constant base."""
    if p.op is LOG and p.varying == (0,):
        return p.node.args[0], p.node.args[1]
    if p.op in (LOG2, LOG10):
        return p.node.args[0], TWO if p.op is LOG2 else const(10)
    return None


def _logarithm_reciprocal(p: Place) -> Slopes:
    if p.op is LN:
        yield mul(reciprocal(p.node), p.slopes[0])


# ---- the chain rule


def _factor_missing(p: Place) -> Slopes:
    if p.inner is not None and p.slopes[p.inner] is not ONE:
        yield p.locals[p.inner]


def _outer_missing(p: Place) -> Slopes:
    if p.inner is not None:
        yield p.slopes[p.inner]


def _inner_differentiated(p: Place) -> Slopes:
    """f'(g') and f'(g') g' for f'(g) g'."""
    if p.inner is not None and p.slopes[p.inner] is not ONE:
        there = p.moved(p.inner, p.slopes[p.inner])
        local = there.op.partial(there, p.inner)
        yield local
        yield mul(local, p.slopes[p.inner])


def _derivative_inside(p: Place) -> Slopes:
    """f(g') for f'(g) g'."""
    if p.inner is not None and p.slopes[p.inner] is not ONE:
        yield p.moved(p.inner, p.slopes[p.inner])


def _inner_lost(p: Place) -> Slopes:
    """f'(x) g' for f'(g) g'."""
    slot, x = p.inner, p.variable
    if slot is not None and x is not None and p.node.args[slot] is not x:
        there = p.moved(slot, x)
        local = there.op.partial(there, slot)
        yield mul(local, p.slopes[slot])
        yield local


def _outer_kept(p: Place) -> Slopes:
    """f(g) g' for f'(g) g'; f itself where the inner function is the variable."""
    if p.inner is not None and not isinstance(p.op, AbstractOperator):
        yield mul(p.node, p.slopes[p.inner])


def _inner_multiplied(p: Place) -> Slopes:
    """f'(g) g for f'(g) g'."""
    if p.inner is not None and p.slopes[p.inner] is not ONE:
        yield mul(p.locals[p.inner], p.node.args[p.inner])


def _function_multiplied(p: Place) -> Slopes:
    """f'(g) f(g) g' for f'(g) g'."""
    if p.inner is not None:
        yield mul(mul(p.locals[p.inner], p.node), p.slopes[p.inner])


# ---- sums and constants


def _term_left_out(p: Place) -> Slopes:
    if p.op in (ADD, SUB) and len(p.varying) == 2:
        da, db = p.slopes
        yield da
        yield db if p.op is ADD else neg(db)


def _path_left_out(p: Place) -> Slopes:
    if p.op not in (ADD, SUB) and len(p.varying) > 1:
        parts = [mul(p.locals[i], p.slopes[i]) for i in p.varying]
        for i in range(len(parts)):
            total: Expr = ZERO
            for j, part in enumerate(parts):
                total = total if i == j else add(total, part)
            yield total


def _term_kept(p: Place) -> Slopes:
    """A summand that was not differentiated."""
    if p.op in (ADD, SUB) and len(p.varying) == 2:
        a, b = p.node.args
        combine = add if p.op is ADD else sub
        yield combine(a, p.slopes[1])
        yield combine(p.slopes[0], b)


def _constant_kept(p: Place) -> Slopes:
    if p.op in (ADD, SUB) and len(p.varying) == 1:
        (i,) = p.varying
        combine = add if p.op is ADD else sub
        parts = list(p.node.args)
        parts[i] = p.slopes[i]
        yield combine(*parts)


def _constant_as_one(p: Place) -> Slopes:
    a_b = p.node.args
    if len(p.varying) != 1 or len(a_b) != 2:
        return
    (i,) = p.varying
    if p.op in (ADD, SUB):
        parts = [ONE, ONE]
        parts[i] = p.slopes[i]
        yield (add if p.op is ADD else sub)(*parts)
    elif p.op is MUL:
        yield add(p.slope, a_b[i])
        if a_b[1 - i] is not ONE:
            yield p.slopes[i]
    elif p.op is DIV and i == 1:
        a, b = a_b
        yield div(sub(b, mul(a, p.slopes[1])), square(b))


def _constant_factor_lost(p: Place) -> Slopes:
    if p.op is MUL and len(p.varying) == 1:
        yield p.slopes[p.varying[0]]
    elif p.op is DIV and p.varying == (0,):
        yield p.slopes[0]
    elif p.op is DIV and p.varying == (1,):
        yield neg(div(p.slopes[1], square(p.node.args[1])))


def _constant_factor_twice(p: Place) -> Slopes:
    if p.op is MUL and len(p.varying) == 1:
        (i,) = p.varying
        yield mul(p.node.args[1 - i], p.slope)
    elif p.op is DIV and p.varying == (0,):
        yield div(p.slope, p.node.args[1])
        yield mul(p.slopes[0], p.node.args[1])


def _constant_factor_to_zero(p: Place) -> Slopes:
    if (p.op is MUL and len(p.varying) == 1) or (p.op is DIV and p.varying == (0,)):
        yield ZERO


# ---- signs and tables of derivatives


def _table_sign(p: Place) -> Slopes:
    """The sign in the derivative of a function of the table: cos' = sin, (1/u)' = 1/u^2."""
    if p.inner is not None and p.op is not EXP:
        yield neg(p.slope)


def _sum_sign(p: Place) -> Slopes:
    if p.op in (ADD, SUB) and len(p.varying) == 2:
        da, db = p.slopes
        yield sub(da, db) if p.op is ADD else add(da, db)
        yield sub(db, da) if p.op is ADD else neg(add(da, db))


def _any_sign(p: Place) -> Slopes:
    yield neg(p.slope)


def _f(name: str) -> Callable[[Expr], Expr]:
    return lambda a: apply(lookup(name), a)


def _root(a: Expr) -> Expr:
    return apply(SQRT, a)


# What else is written for the derivative of a function of the table.
_CONFUSED: dict[str, tuple[Callable[[Expr], Expr], ...]] = {
    "sin": (_f("tan"), lambda a: neg(_f("tan")(a))),
    "cos": (_f("tan"),),
    "tan": (
        _f("sec"), _f("cot"), lambda a: square(_f("tan")(a)), lambda a: square(_f("csc")(a)),
        lambda a: mul(_f("sec")(a), _f("tan")(a)), lambda a: square(_f("cos")(a)),
        lambda a: reciprocal(_f("cos")(a)), lambda a: add(_f("sec")(a), _f("tan")(a)),
        lambda a: reciprocal(add(ONE, square(a))), lambda a: neg(square(_f("csc")(a))),
    ),
    "cot": (
        _f("csc"), lambda a: neg(_f("csc")(a)), _f("tan"), lambda a: square(_f("sec")(a)),
        lambda a: neg(mul(_f("csc")(a), _f("cot")(a))), lambda a: neg(square(_f("sec")(a))),
    ),
    "sec": (
        lambda a: square(_f("sec")(a)), lambda a: square(_f("tan")(a)), _f("tan"),
        lambda a: neg(mul(_f("csc")(a), _f("cot")(a))), lambda a: mul(_f("csc")(a), _f("cot")(a)),
    ),
    "csc": (
        lambda a: neg(square(_f("csc")(a))), lambda a: mul(_f("sec")(a), _f("tan")(a)),
        lambda a: neg(square(_f("cot")(a))), _f("cot"), lambda a: neg(_f("cot")(a)),
    ),
    "arcsin": (
        lambda a: reciprocal(_root(add(ONE, square(a)))), lambda a: reciprocal(sub(ONE, square(a))),
        lambda a: reciprocal(add(ONE, square(a))), lambda a: _root(sub(ONE, square(a))),
        _f("arccos"), lambda a: reciprocal(_root(sub(square(a), ONE))),
        lambda a: reciprocal(_root(sub(ONE, a))),
    ),
    "arccos": (
        lambda a: neg(reciprocal(_root(add(ONE, square(a))))),
        lambda a: neg(reciprocal(add(ONE, square(a)))), lambda a: neg(_f("arcsin")(a)),
        lambda a: neg(reciprocal(sub(ONE, square(a)))),
    ),
    "arctan": (
        lambda a: reciprocal(_root(add(ONE, square(a)))), lambda a: reciprocal(sub(ONE, square(a))),
        lambda a: square(_f("arcsec")(a)), lambda a: reciprocal(_root(sub(ONE, square(a)))),
        lambda a: reciprocal(add(ONE, a)), lambda a: add(ONE, square(a)),
    ),
    "sinh": (lambda a: neg(_f("cosh")(a)), _f("cos")),
    "cosh": (lambda a: neg(_f("sinh")(a)), lambda a: neg(_f("sin")(a))),
    "tanh": (
        lambda a: square(_f("sec")(a)), _f("sech"), lambda a: add(ONE, square(_f("tanh")(a))),
        lambda a: sub(ONE, _f("tanh")(a)),
    ),
    "sqrt": (lambda a: reciprocal(mul(TWO, a)), lambda a: div(TWO, _root(a))),
    "ln": (
        lambda a: reciprocal(square(a)), lambda a: neg(reciprocal(square(a))),
    ),
    "exp": (lambda a: a,),
    "sigmoid": (
        lambda a: sub(ONE, _f("sigmoid")(a)), lambda a: mul(a, sub(ONE, a)),
        lambda a: mul(_f("sigmoid")(a), add(ONE, _f("sigmoid")(a))),
        lambda a: square(_f("sigmoid")(a)),
    ),
}  # fmt: skip


def _confused(p: Place) -> Slopes:
    for other in _CONFUSED.get(p.op.name, ()):
        yield mul(other(p.node.args[0]), p.slopes[0])


_RECIPROCAL = {"arcsin": "sin", "arccos": "cos", "arctan": "tan", "arcsec": "sec",
               "arccsc": "csc", "arccot": "cot"}  # fmt: skip


def _inverse_as_reciprocal(p: Place) -> Slopes:
    name = _RECIPROCAL.get(p.op.name)
    if name is not None:
        other = apply(lookup(name), p.node.args[0])
        yield mul(neg(div(other.op.partial(other, 0), square(other))), p.slopes[0])


def _modulus_dropped(p: Place) -> Slopes:
    if p.op is ABS:
        yield p.slopes[0]
        yield neg(p.slopes[0])


TABLE: tuple[Mistake, ...] = (
    Mistake("product of derivatives", 10, _product_of_derivatives, habit=True),
    Mistake("quotient rule order", 10, _quotient_order, habit=True),
    Mistake("quotient of derivatives", 11, _quotient_of_derivatives, habit=True),
    Mistake("quotient rule sign", 11, _quotient_sign, habit=True),
    Mistake("denominator not squared", 12, _denominator_not_squared, habit=True),
    Mistake("power rule on an exponential", 12, _power_rule_on_exponential, habit=True),
    Mistake("power rule on a variable exponent", 12, _power_rule_on_variable_exponent),
    Mistake("exponential rule on a variable base", 12, _exponential_rule_on_variable_base),
    Mistake("factor missing", 14, _factor_missing, habit=True),
    Mistake("exponent not lowered", 15, _exponent_not_lowered, habit=True),
    Mistake("coefficient not brought down", 16, _coefficient, habit=True),
    Mistake("base of the logarithm", 16, _base_lost, habit=True),
    Mistake("base misplaced", 17, _base_misplaced, habit=True),
    Mistake("inverse read as reciprocal", 17, _inverse_as_reciprocal, habit=True),
    Mistake("absolute value dropped", 17, _modulus_dropped, habit=True),
    Mistake("constant kept", 18, _constant_kept),
    Mistake("exponent wrong way", 19, _exponent_wrong_way, habit=True),
    Mistake("constant factor lost", 20, _constant_factor_lost),
    Mistake("inner function differentiated", 20, _inner_differentiated, habit=True),
    Mistake("derivative moved inside", 21, _derivative_inside, habit=True),
    Mistake("inner function lost", 22, _inner_lost, habit=True),
    Mistake("denominator left out", 22, _denominator_left_out, habit=True),
    Mistake("constant differentiated to 1", 22, _constant_as_one),
    Mistake("sign of a derivative", 23, _table_sign, habit=True),
    Mistake("term left out", 24, _term_left_out),
    Mistake("path left out", 24, _path_left_out),
    Mistake("sign between terms", 25, _sum_sign),
    Mistake("sign in the product rule", 25, _product_sign, habit=True),
    Mistake("wrong pairing", 26, _pairing, habit=True),
    Mistake("term not differentiated", 26, _term_kept),
    Mistake("factor missing", 27, _outer_missing, habit=True),
    Mistake("outer function kept", 28, _outer_kept, habit=True),
    Mistake("wrong derivative", 28, _confused, habit=True),
    Mistake("exponential rule on a power", 28, _exponential_rule_on_power, habit=True),
    Mistake("coefficient lowered", 29, _coefficient_lowered, habit=True),
    Mistake("exponent dropped", 30, _exponent_dropped, habit=True),
    Mistake("integrated", 30, _power_integrated, habit=True),
    Mistake("constant factor twice", 31, _constant_factor_twice),
    Mistake("constant factor to zero", 31, _constant_factor_to_zero),
    Mistake("inner function as factor", 32, _inner_multiplied, habit=True),
    Mistake("derivatives added", 33, _derivatives_added, habit=True),
    Mistake("summands multiplied", 33, _summands_multiplied, habit=True),
    Mistake("denominator wrong", 34, _denominator_wrong, habit=True),
    Mistake("exponent too low", 34, _exponent_too_low, habit=True),
    Mistake("reciprocal of the logarithm", 34, _logarithm_reciprocal, habit=True),
    Mistake("function as factor", 36, _function_multiplied, habit=True),
    Mistake("sign", 37, _any_sign),
)
