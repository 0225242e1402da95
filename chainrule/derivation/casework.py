"""Piecewise values: the branches that can hold, and several of them in one.

Two piecewise values can be combined when, wherever a branch of one of them holds, it is
known which branch of the other one does: `{1 if x < 0, 0} + {0 if x < 0, 2*x if x < 1, 0}`
is `{1 if x < 0, 2*x if x < 1, 0}`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from chainrule.core.expr import ZERO, Apply, Const, Expr, apply, topological
from chainrule.core.table.piecewise import PIECEWISE
from chainrule.derivation.algebra import Algebra
from chainrule.derivation.monomials import Product, Rational, Value, integral

T = TypeVar("T")
Branches = list[tuple[Value, Expr | None]]  # the condition None is `otherwise`

_MOST_BRANCHES = 12  # of two piecewise values in one, where one of them has not as many


def branches_of(algebra: Algebra, node: Apply) -> Branches:
    """Values and conditions of a piecewise node."""
    args = node.args
    pairs: Branches = [(algebra.value(args[i]), args[i + 1]) for i in range(0, len(args) - 1, 2)]
    if len(args) % 2:
        pairs.append((algebra.value(args[-1]), None))
    return pairs


def cases(algebra: Algebra, branches: Branches) -> Value | None:
    """The value of a piecewise; None: never defined."""
    kept: Branches = []
    facts = _Facts()
    for value, condition in branches:
        holds = None if condition is None else facts.decide(condition)
        if holds is False:
            continue
        if isinstance(condition, Const):
            condition = None
        kept.append((value, condition))
        if condition is None:
            break
        facts.learn(condition, False)
    if not kept:
        return None
    while (
        len(kept) > 1
        and kept[-1][1] is None
        and (algebra.write(kept[-2][0]) is algebra.write(kept[-1][0]))
    ):
        del kept[-2]
    if len(kept) > _MOST_BRANCHES:
        kept = _implied_left_out(algebra, kept)
    if len(kept) < len(branches):
        algebra.fired.add("merge cases")
    if kept[0][1] is None:
        return kept[0][0]
    args: list[Expr] = []
    for value, condition in kept:
        args.append(algebra.write(value))
        if condition is not None:
            args.append(condition)
    return algebra.value(apply(PIECEWISE, *args))


def _implied_left_out(algebra: Algebra, branches: Branches) -> Branches:
    """Without a branch that the next one also covers: `{0 if x < 1, 0 if x < 2}`."""
    kept: Branches = []
    for i, (value, condition) in enumerate(branches):
        if condition is not None and i + 1 < len(branches):
            after, test = branches[i + 1]
            if test is not None and algebra.write(after) is algebra.write(value):
                facts = _Facts()
                facts.learn(condition, True)
                if facts.decide(test):
                    continue
        kept.append((value, condition))
    return kept


def cases_in(term: Product) -> list[Apply]:
    """The piecewise factors of a product, with positive exponents."""
    return [
        base
        for base, exponent in term.powers.items()
        if isinstance(base, Apply) and base.op is PIECEWISE and integral(exponent) and exponent > 0
    ]


def opened(algebra: Algebra, term: Product) -> Branches | None:
    """A product with piecewise factors as branches; None where they do not combine."""
    nodes = cases_in(term)
    rest: dict[Expr, Rational] = {b: e for b, e in term.powers.items() if b not in nodes}
    outside = Product(term.coefficient, rest, term.decimal)
    total: Branches | None = None
    for node in nodes:
        exponent = int(term.powers[node])
        branches: Branches = [
            (algebra.product([(v, exponent)]), c) for v, c in branches_of(algebra, node)
        ]
        total = (
            branches
            if total is None
            else combined(
                total, branches, lambda a, b: algebra.product([(a, 1), (b, 1)]),
                lambda value: algebra.write(value) is ZERO,
            )
        )  # fmt: skip
        if total is None:
            return None
    if total is None:
        return None
    return [(algebra.product([(outside, 1), (v, 1)]), c) for v, c in total]


def nested(algebra: Algebra, term: Product) -> Branches | None:
    """A product of piecewise factors as the branches of one of them, with the others inside.

    Where that one is 0, nothing is asked of the others, which need not be defined there.
    """
    nodes = cases_in(term)
    if all(len(node.args) % 2 for node in nodes):  # each has a last case
        return None
    for node in nodes:
        if ZERO in node.args[::2] or (len(node.args) % 2 and node.args[-1] is ZERO):
            exponent = int(term.powers[node])
            rest = Product(
                term.coefficient, {b: e for b, e in term.powers.items() if b is not node},
                term.decimal,
            )  # fmt: skip
            return [
                (algebra.product([(v, exponent), (rest, 1)]), c)
                for v, c in branches_of(algebra, node)
            ]
    return None


def guards(algebra: Algebra, term: Product) -> bool:
    """Whether a branch that is a number stands beside a factor that is not always defined.

    `{1 if x > 0, 0}/sqrt(x)` has no value at -1, where `{1/sqrt(x) if x > 0, 0}` has one.
    """
    nodes = cases_in(term)
    if not any(isinstance(e, Const) for node in nodes for e in node.args[::2] + node.args[-1:]):
        return False
    rest: dict[Expr, Rational] = {b: e for b, e in term.powers.items() if b not in nodes}
    outside = algebra.write(Product(1, rest))
    return any(
        algebra.signs.holds(relation) is not True
        for node in topological([outside])
        if isinstance(node, Apply)
        for relation in node.op.domain(*node.args)
    )


def combined(
    first: Branches,
    second: Branches,
    join: Callable[[Value, Value], Value],
    absorbs: Callable[[Value], bool] = lambda value: False,
) -> Branches | None:
    """The branches of join(first, second), in the order of one or the other.

    `absorbs`: which values settle the join even where the other one is not defined. A branch
    of a local derivative that is 0 says that its path is not taken there.
    """
    found = _refined(first, second, join, absorbs)
    return found or _refined(second, first, lambda a, b: join(b, a), absorbs)


def _refined(
    outer: Branches,
    inner: Branches,
    join: Callable[[Value, Value], Value],
    absorbs: Callable[[Value], bool],
) -> Branches | None:
    if outer[-1][1] is not None and any(absorbs(value) for value, _ in inner):
        return None  # what is absorbed where no branch of `outer` holds would be lost
    result: Branches = []
    facts = _Facts()
    most = max(_MOST_BRANCHES, len(outer) + 1, len(inner) + 1)
    for value, condition in outer:
        if len(result) > most:
            return None
        here = facts
        if condition is not None:
            here = facts.copy()
            here.learn(condition, True)
            facts.learn(condition, False)
        if absorbs(value):
            result.append((value, condition))
            continue
        for other, test in inner:
            holds = True if test is None else here.decide(test)
            if holds is False:
                continue
            if holds is None and condition is not None:
                return None
            # In the last branch of one, what is left of the other can follow.
            result.append((join(value, other), None if holds else test))
            if holds:
                break
            assert test is not None
            here.learn(test, False)
        else:
            if condition is not None:
                return None
        if condition is not None and result:
            result[-1] = (result[-1][0], condition)
    return result if 0 < len(result) <= most else None


class _Facts:
    """Conditions known to hold or not, and the bounds they put on what they are about."""

    def __init__(self) -> None:
        self._known: dict[Expr, bool] = {}
        self._bounds: dict[Expr, _Bounds] = {}

    def copy(self) -> _Facts:
        other = _Facts()
        other._known = dict(self._known)
        other._bounds = dict(self._bounds)
        return other

    def learn(self, condition: Expr, holds: bool) -> None:
        """Take a condition, or its contrary, for granted."""
        self._known[condition] = holds
        found = _against_number(condition)
        if found is not None:
            node, sign, number = found
            sign = sign if holds else _CONTRARY[sign]
            self._bounds[node] = self._bounds.get(node, _Bounds()).within(sign, number)

    def decide(self, condition: Expr) -> bool | None:
        """Whether a condition holds, where that follows."""
        if isinstance(condition, Const):
            return condition.value != 0
        known = self._known.get(condition)
        if known is not None:
            return known
        found = _against_number(condition)
        if found is None or found[0] not in self._bounds:
            return None
        node, sign, number = found
        bounds = self._bounds[node]
        if bounds.within(sign, number).empty:
            return False
        return True if bounds.within(_CONTRARY[sign], number).empty else None


_CONTRARY = {"<": ">=", ">=": "<", ">": "<=", "<=": ">", "==": "!=", "!=": "=="}


class _Bounds:
    """The numbers between two ends, each of which may be out."""

    __slots__ = ("high", "low")

    def __init__(
        self, low: tuple[Rational, bool] | None = None, high: tuple[Rational, bool] | None = None
    ) -> None:
        self.low, self.high = low, high  # the end, and whether it is out

    def within(self, sign: str, number: Rational) -> _Bounds:
        """Those that are `sign number`, or more than those."""
        low, high = self.low, self.high
        if sign in (">", ">=", "=="):
            end = (number, sign == ">")
            low = end if low is None or end > low else low
        if sign in ("<", "<=", "=="):
            end = (number, sign == "<")
            high = end if high is None or (number, not end[1]) < (high[0], not high[1]) else high
        if sign == "!=" and low is not None and low[0] == number:
            low = (number, True)
        if sign == "!=" and high is not None and high[0] == number:
            high = (number, True)
        return _Bounds(low, high)

    @property
    def empty(self) -> bool:
        if self.low is None or self.high is None:
            return False
        (a, open_low), (b, open_high) = self.low, self.high
        return a > b or (a == b and (open_low or open_high))


def _against_number(condition: Expr) -> tuple[Expr, str, Rational] | None:
    if isinstance(condition, Apply) and condition.op.notation == "relation":
        left, right = condition.args
        if isinstance(right, Const):
            return left, condition.op.name, right.value
    return None
