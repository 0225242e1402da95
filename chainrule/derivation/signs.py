"""What is known of the values of an expression for all real arguments where it is defined.

Each node gets an interval with rational ends, found from the leaves up; that is enough for
`exp(x) > 0`, `x^2 + 9 != 0`, `1 - tanh(x)^2 > 0`. An answer is never a guess: None is
`not known`.

>>> from chainrule.core.expr import symbol
>>> from chainrule.core.arithmetic import relation
>>> x = symbol("x")
>>> holds(relation("!=", x**2 + 9, x - x)), holds(relation("<", x, x)), is_positive(x)
(True, False, None)
"""

from __future__ import annotations

from fractions import Fraction

from chainrule.core.arithmetic import ADD, DIV, MUL, NEG, POW, SUB
from chainrule.core.expr import TWO, Apply, Const, Expr, apply
from chainrule.core.intervals import ANYTHING, POSITIVE, Interval, like_sign, meet, negated
from chainrule.core.ops import Operator

_BITS = 64  # ends with more bits are rounded away: a bound may only get weaker


def _rounded(a: Interval) -> Interval:
    low, high = a.low, a.high
    if low is not None and _bits(low) > _BITS:
        a = a._replace(low=_toward_zero(low, up=False), open_low=True)
    if high is not None and _bits(high) > _BITS:
        a = a._replace(high=_toward_zero(high, up=True), open_high=True)
    return a


def _bits(value: int | Fraction) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def _toward_zero(value: int | Fraction, up: bool) -> int | None:
    """A simple bound strictly beyond `value`: 0 where that is right, else none."""
    return 0 if (value < 0) == up else None


def _plus(a: Interval, b: Interval) -> Interval:
    low = None if a.low is None or b.low is None else a.low + b.low
    high = None if a.high is None or b.high is None else a.high + b.high
    return Interval(low, high, a.open_low or b.open_low, a.open_high or b.open_high)


def _reach(a: Interval) -> int | Fraction:
    """The greatest distance from 0 of a bounded interval."""
    return max(a.low or 0, a.high or 0, -(a.low or 0), -(a.high or 0))


def _times(a: Interval, b: Interval) -> Interval:
    nonzero = a.excludes_zero and b.excludes_zero
    if a.nonpositive:
        return negated(_times(negated(a), b)) if not a.nonnegative else Interval(0, 0)
    if b.nonpositive:
        return negated(_times(a, negated(b))) if not b.nonnegative else Interval(0, 0)
    if a.nonnegative and b.nonnegative:
        assert a.low is not None and b.low is not None
        high = None if a.high is None or b.high is None else a.high * b.high
        # Open ends are kept only where both are: 0 times an open end is reached.
        return Interval(a.low * b.low, high, a.open_low and b.open_low, False, nonzero)
    ends = (a.low, a.high, b.low, b.high)
    if None in ends:
        return Interval(nonzero=nonzero)
    reach = _reach(a) * _reach(b)
    open_ends = (a.open_low and a.open_high) or (b.open_low and b.open_high)
    return Interval(-reach, reach, open_ends, open_ends, nonzero)


def _reciprocal(a: Interval) -> Interval:
    if a.negative:
        return negated(_reciprocal(negated(a)))
    if a.nonnegative:
        assert a.low is not None
        # The value exists, so 0 is not among the arguments.
        low = 0 if not a.high else Fraction(1) / a.high
        high = None if a.low == 0 else Fraction(1) / a.low
        return Interval(low, high, low == 0 or a.open_high, a.open_low)
    return Interval(nonzero=True)


def _raised(a: Interval, exponent: int) -> Interval:
    if exponent == 0:
        return Interval(1, 1)
    if exponent < 0:
        return _reciprocal(_raised(a, -exponent))
    if exponent % 2 and not a.nonnegative:
        if a.negative:
            return Interval(None, 0, False, True)
        return Interval(nonzero=a.excludes_zero)
    if a.negative:
        a = negated(a)
    low = a.low if a.nonnegative and a.low is not None else 0
    open_low = (low == 0 and a.excludes_zero) or (low != 0 and a.open_low)
    high, open_high = a.high, a.open_high
    if not a.nonnegative:
        bounded = a.low is not None and a.high is not None
        high = _reach(a) if bounded else None
        open_high = a.open_low and a.open_high
    if exponent > 8:  # a crude bound is enough, the ends would be large
        low = low if low in (0, 1) else 1 if low > 1 else 0
        high = 1 if high is not None and high <= 1 else None
        return Interval(low, high, open_low, open_high, a.excludes_zero)
    top = None if high is None else high**exponent
    return Interval(low**exponent, top, open_low, open_high, a.excludes_zero)


def _power(node: Apply, base: Interval, exponent: Interval) -> Interval:
    b = node.args[1]
    if isinstance(b, Const) and isinstance(b.value, int):
        return _raised(base, b.value)
    if base.positive or not isinstance(b, Const):
        return POSITIVE  # a power with a variable exponent is real for positive bases
    return Interval(0, nonzero=base.excludes_zero or b.value < 0)


def _node_interval(node: Expr, args: list[Interval]) -> Interval:
    if isinstance(node, Const):
        return _rounded(Interval(node.value, node.value, nonzero=node.value != 0))
    if not isinstance(node, Apply):
        return ANYTHING
    op = node.op
    if op is ADD or op is SUB:
        left, right = node.args
        if _outweighs(left, right) or (op is ADD and _outweighs(right, left)):
            return POSITIVE
    if op is ADD:
        return _rounded(_plus(*args))
    if op is SUB:
        return _rounded(_plus(args[0], negated(args[1])))
    if op is NEG:
        return negated(args[0])
    if op is MUL:
        if node.args[0] is node.args[1]:
            return _rounded(_raised(args[0], 2))
        return _rounded(_times(*args))
    if op is DIV:
        return _rounded(_times(args[0], _reciprocal(args[1])))
    if op is POW:
        return _rounded(_power(node, *args))
    return _function(op, args)


def _outweighs(root: Expr, other: Expr) -> bool:
    """Whether `root` is sqrt(other^2 + c) with c > 0, which is more than |other|."""
    if not isinstance(root, Apply) or root.op.name != "sqrt":
        return False
    inner = root.args[0]
    if not isinstance(inner, Apply) or inner.op is not ADD:
        return False
    square = apply(POW, other, TWO)
    a, b = inner.args
    rest = b if a is square else a if b is square else None
    return isinstance(rest, Const) and rest.value > 0


def _function(op: Operator, args: list[Interval]) -> Interval:
    known = op.range
    if op.enclosure is not None:
        known = meet(known, op.enclosure(*args))
    if op.keeps_sign:
        known = meet(known, like_sign(args[0]))
    return known


class Signs:
    """Intervals of nodes, remembered from one question to the next."""

    def __init__(self) -> None:
        self._known: dict[Expr, Interval] = {}

    def interval(self, node: Expr) -> Interval:
        """The interval of a node."""
        known = self._known
        found = known.get(node)
        if found is not None:
            return found
        stack = [node]
        while stack:
            top = stack[-1]
            missing = [a for a in top.args if a not in known]
            if missing and top not in known:
                stack.extend(missing)
            else:
                stack.pop()
                if top not in known:
                    known[top] = _node_interval(top, [known[a] for a in top.args])
        return known[node]

    def holds(self, relation: Expr) -> bool | None:
        """Whether a relation holds for all real arguments (False: for none of them)."""
        if isinstance(relation, Const):
            return relation.value != 0
        if not isinstance(relation, Apply) or relation.op.notation != "relation":
            return None
        sign = relation.op.name
        left, right = relation.args
        if left is right:
            return sign in ("<=", ">=", "==")
        against_zero = isinstance(right, Const) and right.value == 0
        d = self.interval(left if against_zero else apply(SUB, left, right))
        zero = d.low == 0 == d.high
        answers = {
            ">": (d.positive, d.nonpositive), ">=": (d.nonnegative, d.negative),
            "<": (d.negative, d.nonnegative), "<=": (d.nonpositive, d.positive),
            "!=": (d.excludes_zero, zero), "==": (zero, d.excludes_zero),
        }  # fmt: skip
        always, never = answers[sign]
        return True if always else False if never else None


def holds(relation: Expr) -> bool | None:
    """True: the relation holds for all real arguments; False: for none; None: not known."""
    return Signs().holds(relation)


def is_positive(node: Expr) -> bool | None:
    """Whether all values are greater than 0 (False: none is)."""
    a = Signs().interval(node)
    return True if a.positive else False if a.nonpositive else None


def is_nonnegative(node: Expr) -> bool | None:
    """Whether no value is less than 0 (False: all are)."""
    a = Signs().interval(node)
    return True if a.nonnegative else False if a.negative else None


def is_nonzero(node: Expr) -> bool | None:
    """Whether no value is 0 (False: all are)."""
    a = Signs().interval(node)
    return True if a.excludes_zero else False if a.low == 0 == a.high else None
