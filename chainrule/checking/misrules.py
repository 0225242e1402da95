"""Wrong rules for products, quotients, powers, exponentials and logarithms."""

from __future__ import annotations

from chainrule.checking.places import Place, Slopes
from chainrule.core.arithmetic import (
    DIV,
    EXP,
    LN,
    MUL,
    POW,
    add,
    div,
    exp,
    ln,
    mul,
    power,
    reciprocal,
    square,
    sub,
)
from chainrule.core.expr import HALF, MINUS_ONE, ONE, TWO, ZERO, Const, Expr, const
from chainrule.core.table.elementary import LOG, LOG2, LOG10, SQRT

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


def product_of_derivatives(p: Place) -> Slopes:
    """f' g' for (f g)'."""
    if f := _product(p):
        yield mul(f[2], f[3])


def product_sign(p: Place) -> Slopes:
    """f' g - f g' for (f g)'."""
    if f := _product(p):
        a, b, da, db = f
        yield sub(mul(da, b), mul(a, db))
        yield sub(mul(a, db), mul(da, b))


def pairing(p: Place) -> Slopes:
    """f f' + g g' for (f g)', and likewise in the quotient rule."""
    if f := _product(p):
        a, b, da, db = f
        yield add(mul(a, da), mul(b, db))
    elif (f := _quotient(p)) and f[2] is not ZERO:
        a, b, da, db = f
        yield div(sub(mul(a, da), mul(b, db)), square(b))


def summands_multiplied(p: Place) -> Slopes:
    """f' g f g' for (f g)'."""
    if f := _product(p):
        a, b, da, db = f
        yield mul(mul(da, b), mul(a, db))


def derivatives_added(p: Place) -> Slopes:
    """f' + g' for (f g)', and f'(g) + g' for f'(g) g'."""
    if f := _product(p):
        yield add(f[2], f[3])
    elif p.inner is not None:
        yield add(p.locals[p.inner], p.slopes[p.inner])


def quotient_of_derivatives(p: Place) -> Slopes:
    """f'/g' for (f/g)'."""
    if (f := _quotient(p)) and f[2] is not ZERO:
        yield div(f[2], f[3])


def quotient_order(p: Place) -> Slopes:
    """(f g' - f' g)/g^2."""
    if (f := _quotient(p)) and f[2] is not ZERO:
        a, b, da, db = f
        yield div(sub(mul(a, db), mul(da, b)), square(b))


def quotient_sign(p: Place) -> Slopes:
    """(f' g + f g')/g^2."""
    if (f := _quotient(p)) and f[2] is not ZERO:
        a, b, da, db = f
        yield div(add(mul(da, b), mul(a, db)), square(b))


def denominator_not_squared(p: Place) -> Slopes:
    """(f' g - f g')/g."""
    if f := _quotient(p):
        a, b, da, db = f
        yield div(sub(mul(da, b), mul(a, db)), b)


def denominator_left_out(p: Place) -> Slopes:
    """f' g - f g'."""
    if f := _quotient(p):
        a, b, da, db = f
        yield sub(mul(da, b), mul(a, db))


def denominator_wrong(p: Place) -> Slopes:
    """The right numerator over g'^2, f^2, 2 g or g'."""
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


def exponent_not_lowered(p: Place) -> Slopes:
    """n u^n u'."""
    if (f := _power(p)) and p.op is not DIV:
        a, n, da, _ = f
        yield mul(mul(n, power(a, n)), da)


def coefficient(p: Place) -> Slopes:
    """u^(n-1) u'."""
    if (f := _power(p)) and p.op is not DIV:
        a, n, da, _ = f
        yield mul(power(a, sub(n, ONE)), da)


def exponent_wrong_way(p: Place) -> Slopes:
    """n u^(n+1) u', n u^(1-n) u'."""
    if f := _power(p):
        a, n, da, c = f
        yield mul(mul(c, mul(n, power(a, add(n, ONE)))), da)
        yield mul(mul(c, mul(n, power(a, sub(ONE, n)))), da)


def exponent_too_low(p: Place) -> Slopes:
    """n u^(n-2) u'."""
    if f := _power(p):
        a, n, da, c = f
        yield mul(mul(c, mul(n, power(a, sub(n, TWO)))), da)


def coefficient_lowered(p: Place) -> Slopes:
    """(n-1) u^(n-1) u'."""
    if (f := _power(p)) and p.op is not DIV:
        a, n, da, _ = f
        yield mul(mul(sub(n, ONE), power(a, sub(n, ONE))), da)
        yield mul(mul(sub(n, ONE), power(a, n)), da)


def exponent_dropped(p: Place) -> Slopes:
    """n u u'."""
    if (f := _power(p)) and p.op is POW:
        a, n, da, _ = f
        yield mul(mul(n, a), da)
        yield mul(n, da)


def power_integrated(p: Place) -> Slopes:
    """u^(n+1)/(n+1)."""
    if f := _power(p):
        a, n, _, c = f
        if isinstance(n, Const) and n.value != -1:
            above = add(n, ONE)
            yield mul(c, div(power(a, above), above))
            yield mul(c, power(a, above))
        elif isinstance(n, Const):
            yield mul(c, ln(a))


def exponential_rule_on_power(p: Place) -> Slopes:
    """u^n ln(u) u'."""
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


def power_rule_on_exponential(p: Place) -> Slopes:
    """u a^(u-1) for (a^u)'."""
    if f := _exponential(p):
        c, b, db = f
        lowered = exp(sub(b, ONE)) if p.op is EXP else power(c, sub(b, ONE))
        yield mul(b, lowered)
        yield mul(mul(b, lowered), db)


def power_rule_on_variable_exponent(p: Place) -> Slopes:
    """g f^(g-1) for (f^g)'."""
    if p.op is POW and len(p.varying) == 2:
        a, b = p.node.args
        da, db = p.slopes
        yield mul(b, power(a, sub(b, ONE)))
        yield mul(mul(b, power(a, sub(b, ONE))), da)
        yield mul(mul(b, power(a, sub(b, ONE))), db)


def exponential_rule_on_variable_base(p: Place) -> Slopes:
    """f^g ln(f) g' for (f^g)'."""
    if p.op is POW and len(p.varying) == 2:
        a, _ = p.node.args
        yield mul(mul(p.node, ln(a)), p.slopes[1])


def base_lost(p: Place) -> Slopes:
    """a^u u' for (a^u)', u'/u for log_a(u)'."""
    if p.op is POW and p.varying == (1,):
        yield mul(p.node, p.slopes[1])
    elif base := _base(p):
        yield div(p.slopes[0], base[0])


def base_misplaced(p: Place) -> Slopes:
    """a^u u'/ln(a), u' ln(a)/u."""
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


def logarithm_reciprocal(p: Place) -> Slopes:
    """u'/ln(u) for ln(u)'."""
    if p.op is LN:
        yield mul(reciprocal(p.node), p.slopes[0])
