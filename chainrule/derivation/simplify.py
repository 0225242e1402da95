"""Simplification: the form a person would write, with the rules that led there.

The expression is normalised from the leaves up, several times: first products and sums are
collected; then other forms are tried where the expression is built with arithmetic (the
arguments of functions stay as they were typed, but for like terms); then identities. It
ends when nothing changes any more.

>>> from chainrule.core.expr import symbol
>>> x = symbol("x")
>>> simplify(x + x).result, [f.rule for f in simplify(x + x).firings]
(mul(2, x), ['add like terms'])
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from chainrule.core.collector import paused
from chainrule.core.expr import Apply, Expr, postorder, topological
from chainrule.derivation.forms import FACTOR
from chainrule.derivation.measure import Measure
from chainrule.derivation.patterns import Pattern, filled, pattern_of, small_pattern
from chainrule.derivation.signs import Signs
from chainrule.derivation.walk import Pass, Settled

_MOST_PASSES = 6
_MOST_CONDITIONS = 60
_SLACK = 200
_LARGE = 4000  # nodes; above, only products and sums are collected, once
_LONGEST = 100_000  # likewise of an expression that has more when its shared parts are repeated
_FEW = 10_000  # nodes of several expressions that are always simplified one by one,
_MANY_TIMES = 4  # and how many times as large as all together they may be
_MOST_REMEMBERED = 100_000  # expressions, with the parts that have been measured

# The most telling rule first: a pass is named after it.
_RULES = (
    "Pythagorean identity", "hyperbolic identity", "difference of squares", "common denominator",
    "factor out common factors", "product with cases", "merge cases",
    "expand and add like terms", "exponential of a logarithm", "logarithm of an exponential",
    "inverse functions", "root of a power", "power of a power", "square of an absolute value",
    "absolute value and sign", "reciprocal functions", "cancel common factors",
    "combine exponentials", "add like terms", "collect powers", "odd and even functions",
    "relations that always or never hold", "exact values", "constant arithmetic",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Firing:
    """The whole expression before and after a rule; `provided`: what the rule took for granted."""

    rule: str
    before: Expr
    after: Expr
    provided: tuple[Expr, ...] = ()


@dataclass(frozen=True, slots=True)
class Simplified:
    """The result and how it came about; not `complete`: the time was up before the end."""

    result: Expr
    firings: tuple[Firing, ...] = ()
    complete: bool = True


class Memory:
    """What is known from earlier calls: lengths, signs, and what is as short as it gets."""

    __slots__ = ("measure", "settled", "signs")

    def __init__(self) -> None:
        self.measure, self.signs, self.settled = Measure(), Signs(), Settled()


class _Pattern(NamedTuple):
    """What was found, with holes for the names."""

    result: Pattern
    firings: tuple[tuple[str, Pattern, Pattern, tuple[Pattern, ...]], ...]

    @classmethod
    def of(cls, done: Simplified, holes: dict[Expr, int]) -> _Pattern:
        def pattern(e: Expr) -> Pattern:
            found = pattern_of(e, holes)
            assert found is not None
            return found

        return cls(pattern(done.result), tuple([
            (f.rule, pattern(f.before), pattern(f.after), tuple(map(pattern, f.provided)))
            for f in done.firings
        ]))  # fmt: skip

    def over(self, names: Sequence[Expr]) -> Simplified:
        """The same with other names."""
        return Simplified(filled(self.result, names), tuple([
            Firing(rule, filled(before, names), filled(after, names),
                   tuple([filled(p, names) for p in provided]))
            for rule, before, after, provided in self.firings
        ]))  # fmt: skip


class Simplifier:
    """`simplify` under a deadline, as `time.perf_counter` tells it.

    What it was asked it remembers: the one path from an output to a variable is also the whole
    derivative, and the derivatives of `x1^2 + x2^2 + …` are of one pattern.

    Attributes:
        complete: whether the time has been enough so far.
    """

    def __init__(self, deadline: float = float("inf")) -> None:
        self.deadline = deadline
        self.complete = True
        self._forget()

    def _forget(self) -> None:
        self._known: dict[Expr, Simplified] = {}
        self._patterns: dict[object, _Pattern] = {}
        self._memory = Memory()

    def __call__(self, expr: Expr) -> Simplified:
        if not isinstance(expr, Apply):
            return Simplified(expr)
        known = self._known.get(expr)
        if known is not None:
            return known
        if len(self._known) + self._memory.measure.remembered > _MOST_REMEMBERED:
            self._forget()
        done = self._by_pattern(expr)
        self.complete &= done.complete
        if done.complete:
            self._known[expr] = done
        return done

    def _by_pattern(self, expr: Expr) -> Simplified:
        holes: dict[Expr, int] = {}
        alike = small_pattern(expr, holes)
        if alike is None or any(hole.shape for hole in holes):
            return simplify(expr, deadline=self.deadline, memory=self._memory)
        present = self._patterns.get(alike)
        if present is not None:
            return present.over(list(holes))
        done = simplify(expr, deadline=self.deadline, memory=self._memory)
        if done.complete:
            self._patterns[alike] = _Pattern.of(done, dict(holes))
        return done

    def each(self, exprs: Sequence[Expr]) -> list[Expr]:
        """The forms of several; in one walk where they have most of their parts in common."""
        if not overlapping(exprs):
            return [self(e).result for e in exprs]
        done = together(exprs, self.deadline)
        self.complete &= done is not None
        return list(exprs) if done is None else done


def simplify(
    expr: Expr,
    *,
    budget: int = 20_000,
    deadline: float = float("inf"),
    memory: Memory | None = None,
) -> Simplified:
    """The form a person would write.

    `budget` bounds the search for shorter forms, in terms of sums looked at; products and
    sums are collected in any case. The result is defined wherever `expr` is, and equal. Past
    the deadline it is the form that the last finished pass gave, `expr` itself at the worst.
    `memory`: what is known from earlier calls.

    >>> from chainrule.core.expr import symbol
    >>> x = symbol("x")
    >>> simplify(2 * (x**2 + 9) ** 2 * (3 * (2 * x))).result is 12 * x * (x**2 + 9) ** 2
    True
    """
    if not isinstance(expr, Apply):
        return Simplified(expr)
    if not _is_large(expr):
        return _simplify(expr, budget, deadline, memory or Memory())
    try:
        (after,), fired = _collected([expr], deadline)
    except TimeoutError:
        return Simplified(expr, complete=False)
    rule = _telling(fired)
    return Simplified(after, (Firing(rule, expr, after),) if rule and after is not expr else ())


def overlapping(exprs: Sequence[Expr]) -> bool:
    """Whether the expressions, taken one by one, are many times as large as all together.

    >>> from chainrule.core.expr import symbol
    >>> overlapping([symbol("x") ** k for k in range(2, 10)])
    False
    """
    if len(exprs) < 2:
        return False
    most = _FEW + _MANY_TIMES * _size(exprs)
    return _over(most, exprs)


def _is_large(expr: Expr) -> bool:
    """Whether nobody would want to see it written out: then only a quick pass is made."""
    size = _size([expr], _LARGE)
    if size > _LARGE:
        return True
    written: dict[Expr, int] = {}
    for node in topological([expr]):
        written[node] = 1 + sum([written[a] for a in node.args])
        if written[node] > _LONGEST:
            return True
    return False


def _over(most: int, exprs: Sequence[Expr]) -> bool:
    total = 0
    for e in exprs:
        total += _size([e], most - total)
        if total > most:
            return True
    return False


def together(exprs: Sequence[Expr], deadline: float = float("inf")) -> list[Expr] | None:
    """Products and sums collected in several expressions at once: what they share stays shared.

    None where the time was up before the end.
    """
    try:
        return _collected(exprs, deadline)[0]
    except TimeoutError:
        return None


def _collected(exprs: Sequence[Expr], deadline: float) -> tuple[list[Expr], set[str]]:
    """One pass, or two where common factors came out: what held them may now be used once.

    The expressions as they are where that would lose what they share.
    """
    with paused():
        most = 2 * _size(exprs) + _SLACK
        nodes, fired = list(exprs), set[str]()
        for _ in range(2):
            walk = Pass(Measure(by_name=False), Signs(), 0, False, True, deadline)
            done = walk.run(nodes)
            if _size(done.nodes, most) > most:
                break
            nodes, fired = done.nodes, fired | done.fired
            if FACTOR not in done.fired:
                break
        return nodes, fired


def _simplify(expr: Expr, budget: int, deadline: float, memory: Memory) -> Simplified:
    measure, signs, settled = memory.measure, memory.signs, memory.settled
    firings: list[Firing] = []
    seen = [expr]
    current = expr
    for number in range(_MOST_PASSES):
        forms, identities = number > 0, number > 1
        try:
            work = budget if forms else 0
            walk = Pass(measure, signs, work, identities, False, deadline, settled)
            done = walk.run([current])
        except TimeoutError:
            return Simplified(current, tuple(firings), complete=False)
        (after,), fired, budget = done.nodes, done.fired, done.work if forms else budget
        most = 2 * _size([current]) + _SLACK
        if _size([after], most) > most:  # a sum of many paths written out, path by path
            break
        if after is not current:
            rule = _telling(fired)
            if rule:
                lost = _lost(current, after, measure, signs)
                firings.append(Firing(rule, current, after, lost))
            elif firings:
                firings[-1] = replace(firings[-1], after=after)
            if after in seen and identities:
                # A cycle: any member will do, as long as it is always the same.
                ring = seen[seen.index(after) :]
                after = min(ring, key=lambda e: (measure.length(e), measure.name(e)))
                return Simplified(after, tuple(firings))
            seen.append(after)
        elif identities:
            break
        current = after
    return Simplified(current, tuple(firings))


def _telling(fired: set[str]) -> str:
    """The rule that a pass is named after."""
    return next((r for r in _RULES if r in fired), "")


def _size(exprs: Sequence[Expr], limit: float = float("inf")) -> int:
    """The number of distinct nodes, counted until it is beyond the limit."""
    seen = set(exprs)
    stack = list(seen)
    while stack and len(seen) <= limit:
        for argument in stack.pop().args:
            if argument not in seen:
                seen.add(argument)
                stack.append(argument)
    return len(seen)


def _lost(before: Expr, after: Expr, measure: Measure, signs: Signs) -> tuple[Expr, ...]:
    """Conditions under which `before` has a value, and that `after` does not need."""
    kept, lost = _conditions(after), _conditions(before)
    raw = [c for c in lost if c not in kept and signs.holds(c) is None]
    if not raw or len(kept) + len(raw) > _MOST_CONDITIONS:
        return tuple(raw[:_MOST_CONDITIONS])
    reader = Pass(measure, signs, 0, False)
    needed = [atom for c in kept for atom in reader.atoms(c)]
    open_ones: dict[Expr, None] = {}
    for condition in raw:
        for atom in reader.atoms(condition):
            if signs.holds(atom) is None and not reader.implied(atom, needed):
                open_ones[atom] = None
    return tuple(open_ones)


def _conditions(root: Expr) -> dict[Expr, None]:
    found: dict[Expr, None] = {}
    for node in postorder(root):
        if isinstance(node, Apply):
            found.update(dict.fromkeys(node.op.domain(*node.args)))
    return found
