"""Functions with kinks and jumps: absolute value, rounding, extrema, relations, cases.

At a kink there is no derivative; each row says which value is used there.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import lru_cache
from itertools import combinations, islice
from typing import Any

from chainrule.core.arithmetic import add, reciprocal, relation
from chainrule.core.expr import ONE, ZERO, Apply, Const, Expr, apply, free_symbols, topological
from chainrule.core.intervals import NONNEGATIVE, Interval, hull, negated
from chainrule.core.ops import Kink, Operator, register
from chainrule.core.table.rows import unary


def _at_zero(convention: str) -> Callable[[Expr], tuple[Kink, ...]]:
    return lambda a: (Kink(relation("==", a, ZERO), convention),)


def _at_integers(convention: str) -> Callable[[Expr], tuple[Kink, ...]]:
    return lambda a: (Kink(relation("==", a, apply(FLOOR, a)), convention),)


def _size(a: Interval) -> Interval:
    if a.nonnegative or a.nonpositive:
        return a if a.nonnegative else negated(a)
    return Interval(0, nonzero=a.excludes_zero)


ABS: Operator = unary(
    "abs", lambda n, a: apply(SIGN, a), rule="absolute value", sympy=lambda s, a: s.Abs(a),
    mpmath=lambda m, a: abs(a), latex=r"\left|", notation="bars", parity="even",
    spellings=("Abs",), values=((0, 0),), kinks=_at_zero("sign(0) = 0"),
    source="DLMF 1.9.7 on the real line", range=NONNEGATIVE, enclosure=_size,
)  # fmt: skip
SIGN: Operator = unary(
    "sign", lambda n, a: ZERO, spellings=("sgn", "signum"), latex=r"\operatorname{sign}",
    rule="constant between jumps", parity="odd", values=((0, 0),), kinks=_at_zero("sign'(0) = 0"),
    range=Interval(-1, 1), keeps_sign=True,
)  # fmt: skip
FLOOR: Operator = unary(
    "floor", lambda n, a: ZERO, latex=r"\lfloor", notation="floor", rule="constant between jumps",
    kinks=_at_integers("floor' = 0 at integers"),
)  # fmt: skip
CEIL: Operator = unary(
    "ceil", lambda n, a: ZERO, latex=r"\lceil", notation="ceil", rule="constant between jumps",
    spellings=("ceiling",), sympy=lambda s, a: s.ceiling(a),
    kinks=_at_integers("ceil' = 0 at integers"),
)  # fmt: skip
HEAVISIDE: Operator = unary(
    "heaviside", lambda n, a: ZERO, latex=r"\operatorname{heaviside}",
    rule="constant between jumps",
    spellings=("Heaviside",), sympy=lambda s, a: s.Heaviside(a, s.Rational(1, 2)),
    mpmath=lambda m, a: (1 + m.sign(a)) / 2, numpy="np.heaviside({0}, 0.5)",
    kinks=_at_zero("heaviside(0) = 1/2, heaviside'(0) = 0"), range=Interval(0, 1),
)  # fmt: skip


def cases(*branches: Expr) -> Expr:
    """`{e1 if c1, e2 if c2, …, default}`; without a default it is undefined elsewhere."""
    if len(set(branches[::2])) == 1 and len(branches) % 2:
        return branches[0]
    return apply(PIECEWISE, *branches)


def indicator(holds: Expr) -> Expr:
    """1 where the relation holds, else 0: as cases for a number, as the relation for an array."""
    return holds if holds.shape else cases(ONE, holds, ZERO)


_MANY = 64  # arguments of an extremum; with more, slopes are written with the extremum itself


@lru_cache(maxsize=4)  # asked for by every argument in turn
def _tied(node: Apply) -> Expr:
    """How many arguments are the extremum."""
    total: Expr = ZERO
    for argument in node.args:
        total = add(total, relation("==", argument, node))
    return total


def _extremum(
    name: str, beyond: str, below: str, choose: Callable[..., Any],
    enclosure: Callable[..., Interval],
) -> Operator:  # fmt: skip
    def partial(node: Apply, slot: int) -> Expr:
        own = node.args[slot]
        others = [a for i, a in enumerate(node.args) if i != slot]
        if not others:
            return ONE
        if len(others) >= _MANY:  # all others in each slope would be quadratic in their number
            return cases(reciprocal(_tied(node)), relation("==", own, node), ZERO)
        rest = others[0] if len(others) == 1 else apply(node.op, *others)
        if isinstance(rest, Const):
            return indicator(relation(beyond, own, rest))  # 0 at the tie, as for relu
        # Ties share equally, so that the slopes of all arguments add up to 1.
        tied: Expr = ONE
        for other in others:
            tied = add(tied, ONE if len(others) == 1 else relation("==", own, other))
        return cases(
            ONE, relation(beyond, own, rest), ZERO, relation(below, own, rest), reciprocal(tied)
        )

    def kinks(*args: Expr) -> tuple[Kink, ...]:
        number = len(args) == 2 and any(isinstance(a, Const) for a in args)
        used = (
            f"the slope of {name} at a tie with a number is 0"
            if number
            else f"ties of {name} share the slope equally"
        )
        pairs = islice(combinations(args, 2), 6)
        return tuple([Kink(relation("==", a, b), used) for a, b in pairs])

    return register(Operator(
        name, (1, None), (partial,), (f"slope of the {name}imum",),
        sympy=lambda s, *args: getattr(s, name.capitalize())(*args),
        mpmath=lambda m, *args: choose(args),
        numpy=f"np.{name}imum.reduce(np.broadcast_arrays({{args}}))",
        latex=f"\\{name}", kinks=kinks, enclosure=enclosure,
    ))  # fmt: skip


def _above(*args: Interval) -> Interval:
    """The greatest is above all that any of them is above."""
    ends = [(a.low, a.open_low) for a in args if a.low is not None]
    if not ends:
        return Interval()
    low, is_open = max(ends)
    return Interval(low, None, is_open)


MAX: Operator = _extremum("max", ">", "<", max, _above)
MIN: Operator = _extremum("min", "<", ">", min, lambda *args: negated(_above(*map(negated, args))))


def _relation(
    sign: str, latex: str, numpy: str, test: Callable[[Any, Any], Any], *spellings: str
) -> None:
    def sympy(s: Any, a: Any, b: Any) -> Any:
        holds = {"==": s.Eq, "!=": s.Ne}.get(sign, test)(a, b)
        return s.Piecewise((1, holds), (0, True))

    register(Operator(
        sign, (2, 2), (lambda n, a, b: ZERO, lambda n, a, b: ZERO), ("constant between jumps",),
        sympy=sympy, mpmath=lambda m, a, b: m.mpf(bool(test(a, b))), numpy=f"({{0}} {numpy} {{1}})",
        latex=latex, notation="relation", precedence=5, spellings=spellings,
        kinks=lambda a, b: (Kink(relation("==", a, b), "a relation's derivative is 0"),),
        range=Interval(0, 1),
    ))  # fmt: skip


_relation("<", "<", "<", operator.lt)
_relation("<=", r"\le", "<=", operator.le, "≤")
_relation(">", ">", ">", operator.gt)
_relation(">=", r"\ge", ">=", operator.ge, "≥")
_relation("==", "=", "==", operator.eq)
_relation("!=", r"\ne", "!=", operator.ne, "≠")


def _case_partial(node: Apply, slot: int) -> Expr:
    """The slope of the branch at `slot`, 1 where it is chosen; conditions have slope 0.

    A branch `if a == b` holds on no interval, so it gives no slope: the branches around it
    do. Likewise `a != b` holds wherever a slope is asked for. Between numbers either is
    settled once for all.
    """
    pairs = [(i, node.args[i + 1]) for i in range(0, len(node.args) - 1, 2)]
    chosen: list[Expr] = []
    for i, condition in pairs:
        sign = condition.op.name if isinstance(condition, Apply) else ""
        own = ONE if i == slot else ZERO
        if sign not in ("==", "!=") or not free_symbols([condition]):
            chosen += [own, condition]
        elif sign == "!=":
            return cases(*chosen, own)
    if len(node.args) % 2:
        chosen.append(ONE if slot == len(node.args) - 1 else ZERO)
    return cases(*chosen) if chosen else ZERO


def _case_sympy(s: Any, *args: Any) -> Any:
    pairs = [(args[i], _truth(s, args[i + 1])) for i in range(0, len(args) - 1, 2)]
    return s.Piecewise(*pairs, *([(args[-1], True)] if len(args) % 2 else []))


def _truth(s: Any, condition: Any) -> Any:
    # A relation arrives as its 0/1 value; its own condition is the first piece's.
    if isinstance(condition, s.Piecewise) and [e for e, _ in condition.args] == [1, 0]:
        return condition.args[0][1]
    return s.Ne(condition, 0)


def _case_value(m: Any, *args: Any) -> Any:
    for i in range(0, len(args) - 1, 2):
        if args[i + 1] != 0:
            return args[i]
    return args[-1] if len(args) % 2 else m.nan


def _case_enclosure(*args: Interval) -> Interval:
    return hull([*args[:-1:2], *(args[-1:] if len(args) % 2 else [])])


def _case_kinks(*args: Expr) -> tuple[Kink, ...]:
    edges = []
    for node in topological(args[1 : len(args) // 2 * 2 : 2]):
        if isinstance(node, Apply) and node.op.notation == "relation":
            joint = relation("==", *node.args)
            edges.append(Kink(joint, "at a joint the branch that holds there is used"))
    return tuple(edges)


PIECEWISE: Operator = register(Operator(
    "piecewise", (2, None), (_case_partial,), ("slope of the branch that holds",),
    sympy=_case_sympy, mpmath=_case_value,
    numpy="np.select([{conditions}], [{choices}], {default})", latex="cases",
    notation="piecewise", kinks=_case_kinks, enclosure=_case_enclosure,
))  # fmt: skip
