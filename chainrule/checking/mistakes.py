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

from collections.abc import Callable
from typing import NamedTuple

from chainrule.checking import misrules
from chainrule.checking.places import Place, Slopes
from chainrule.core.arithmetic import (
    ADD,
    DIV,
    EXP,
    MUL,
    POW,
    SUB,
    add,
    div,
    mul,
    neg,
    reciprocal,
    square,
    sub,
)
from chainrule.core.expr import ONE, TWO, ZERO, Const, Expr, apply
from chainrule.core.ops import lookup
from chainrule.core.table.abstract import AbstractOperator
from chainrule.core.table.elementary import SQRT
from chainrule.core.table.piecewise import ABS


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
        parts: list[Expr] = [ONE, ONE]
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
    if p.inner is None or p.op is EXP:
        return
    exponent = p.node.args[1] if p.op is POW else None
    if p.op is POW and not (isinstance(exponent, Const) and exponent.value < 0):
        return
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
    Mistake("product of derivatives", 10, misrules.product_of_derivatives, habit=True),
    Mistake("quotient rule order", 10, misrules.quotient_order, habit=True),
    Mistake("quotient of derivatives", 11, misrules.quotient_of_derivatives, habit=True),
    Mistake("quotient rule sign", 11, misrules.quotient_sign, habit=True),
    Mistake("denominator not squared", 12, misrules.denominator_not_squared, habit=True),
    Mistake("power rule on an exponential", 12, misrules.power_rule_on_exponential, habit=True),
    Mistake("power rule on a variable exponent", 12, misrules.power_rule_on_variable_exponent),
    Mistake("exponential rule on a variable base", 12, misrules.exponential_rule_on_variable_base),
    Mistake("factor missing", 14, _factor_missing, habit=True),
    Mistake("exponent not lowered", 15, misrules.exponent_not_lowered, habit=True),
    Mistake("coefficient not brought down", 16, misrules.coefficient, habit=True),
    Mistake("base of the logarithm", 16, misrules.base_lost, habit=True),
    Mistake("base misplaced", 17, misrules.base_misplaced, habit=True),
    Mistake("inverse read as reciprocal", 17, _inverse_as_reciprocal, habit=True),
    Mistake("absolute value dropped", 17, _modulus_dropped, habit=True),
    Mistake("constant kept", 18, _constant_kept),
    Mistake("exponent wrong way", 19, misrules.exponent_wrong_way, habit=True),
    Mistake("constant factor lost", 20, _constant_factor_lost),
    Mistake("inner function differentiated", 20, _inner_differentiated, habit=True),
    Mistake("derivative moved inside", 21, _derivative_inside, habit=True),
    Mistake("inner function lost", 22, _inner_lost, habit=True),
    Mistake("denominator left out", 22, misrules.denominator_left_out, habit=True),
    Mistake("constant differentiated to 1", 25, _constant_as_one),
    Mistake("sign of a derivative", 21, _table_sign, habit=True),
    Mistake("term left out", 24, _term_left_out),
    Mistake("path left out", 24, _path_left_out),
    Mistake("sign between terms", 25, _sum_sign),
    Mistake("sign in the product rule", 25, misrules.product_sign, habit=True),
    Mistake("wrong pairing", 26, misrules.pairing, habit=True),
    Mistake("term not differentiated", 26, _term_kept),
    Mistake("factor missing", 27, _outer_missing, habit=True),
    Mistake("outer function kept", 28, _outer_kept, habit=True),
    Mistake("wrong derivative", 28, _confused, habit=True),
    Mistake("exponential rule on a power", 28, misrules.exponential_rule_on_power, habit=True),
    Mistake("coefficient lowered", 29, misrules.coefficient_lowered, habit=True),
    Mistake("exponent dropped", 30, misrules.exponent_dropped, habit=True),
    Mistake("integrated", 30, misrules.power_integrated, habit=True),
    Mistake("constant factor twice", 31, _constant_factor_twice),
    Mistake("constant factor to zero", 31, _constant_factor_to_zero),
    Mistake("inner function as factor", 32, _inner_multiplied, habit=True),
    Mistake("derivatives added", 33, misrules.derivatives_added, habit=True),
    Mistake("summands multiplied", 33, misrules.summands_multiplied, habit=True),
    Mistake("denominator wrong", 34, misrules.denominator_wrong, habit=True),
    Mistake("exponent too low", 34, misrules.exponent_too_low, habit=True),
    Mistake("reciprocal of the logarithm", 34, misrules.logarithm_reciprocal, habit=True),
    Mistake("function as factor", 36, _function_multiplied, habit=True),
    Mistake("sign", 37, _any_sign),
)
