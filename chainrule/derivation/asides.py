"""What a textbook tells beside a local derivative: logarithms first, the quotient rule."""

from __future__ import annotations

from chainrule.core.arithmetic import DIV, POW, div, ln, mul, reciprocal, square, sub
from chainrule.core.expr import Apply, symbol
from chainrule.derivation.backward import gradient
from chainrule.derivation.simplify import Simplifier
from chainrule.derivation.steps import Intermediate, Line, Partial, Times


def logarithmic(u: Intermediate, simplify: Simplifier) -> list[Line]:
    """For y = f^g: ln y = g ln f, so (1/y) dy = d(g ln f)."""
    e = u.expression
    if not (isinstance(e, Apply) and e.op is POW and len(u.operands) == 2):
        return []
    y = symbol(u.name)
    log = mul(e.args[1], ln(e.args[0]))
    names = list(dict.fromkeys(u.operands))
    lines = [Line((ln(y), log), because="logarithmic differentiation")]
    for name, slope in zip(names, gradient(log, [symbol(n) for n in names]), strict=True):
        lines.append(Line((Times((reciprocal(y), Partial(u.name, name))), simplify(slope).result)))
    return lines


def quotient(u: Intermediate) -> list[Line]:
    """For y = f/g: y' = (f' g - f g')/g^2."""
    e = u.expression
    if not (isinstance(e, Apply) and e.op is DIV and len(u.operands) == 2):
        return []
    f, g = e.args
    if not all(symbol(n) in (f, g) for n in u.operands):
        return []
    df, dg = (symbol(f"{n}'") for n in u.operands)
    rule = div(sub(mul(df, g), mul(f, dg)), square(g))
    return [Line((symbol(f"{u.name}'"), rule), because="quotient rule")]
