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

import gc
from dataclasses import dataclass, replace
from fractions import Fraction
from time import perf_counter

from chainrule.core.arithmetic import ADD, DIV, EXP, MUL, NEG, POW, SUB, E, relation
from chainrule.core.expr import ZERO, Apply, Const, Expr, apply, postorder
from chainrule.core.ops import Operator
from chainrule.core.table.elementary import SQRT
from chainrule.core.table.piecewise import ABS, PIECEWISE
from chainrule.derivation.algebra import Algebra
from chainrule.derivation.casework import branches_of, cases
from chainrule.derivation.collecting import LONGEST_PRODUCT, LONGEST_SUM, TooLarge
from chainrule.derivation.forms import Forms
from chainrule.derivation.functions import applied
from chainrule.derivation.measure import Measure
from chainrule.derivation.monomials import Product, Sum, Value
from chainrule.derivation.polynomials import divides
from chainrule.derivation.signs import Signs

_MOST_PASSES = 6
_MOST_CONDITIONS = 60
_SLACK = 200
_LARGE = 4000  # nodes; above, only products and sums are collected

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


class Simplifier:
    """`simplify` under a deadline, as `time.perf_counter` tells it.

    Attributes:
        complete: whether the time has been enough so far.
    """

    def __init__(self, deadline: float = float("inf")) -> None:
        self.deadline = deadline
        self.complete = True

    def __call__(self, expr: Expr) -> Simplified:
        done = simplify(expr, deadline=self.deadline)
        self.complete &= done.complete
        return done


def simplify(expr: Expr, *, budget: int = 20_000, deadline: float = float("inf")) -> Simplified:
    """The form a person would write.

    `budget` bounds the search for shorter forms, in terms of sums looked at; products and
    sums are collected in any case. The result is defined wherever `expr` is, and equal. Past
    the deadline it is the form that the last finished pass gave, `expr` itself at the worst.

    >>> from chainrule.core.expr import symbol
    >>> x = symbol("x")
    >>> simplify(2 * (x**2 + 9) ** 2 * (3 * (2 * x))).result is 12 * x * (x**2 + 9) ** 2
    True
    """
    if not isinstance(expr, Apply):
        return Simplified(expr)
    large = _is_large(expr)
    running = gc.isenabled()
    if large:  # looking for garbage among what is being built would take as long again
        gc.disable()
    try:
        return _simplify(expr, budget, large, deadline)
    finally:
        if running:
            gc.enable()


def _simplify(expr: Expr, budget: int, large: bool, deadline: float) -> Simplified:
    measure, signs = Measure(), Signs()
    firings: list[Firing] = []
    seen = [expr]
    current = expr
    for number in range(_MOST_PASSES):
        forms, identities = number > 0 and not large, number > 1
        try:
            walk = _Pass(measure, signs, budget if forms else 0, identities, large, deadline)
            done = walk.run(current)
        except TimeoutError:
            return Simplified(current, tuple(firings), complete=False)
        after, fired, budget = done.node, done.fired, done.work if forms else budget
        if _outgrows(after, current):
            break
        if after is not current:
            rule = next((r for r in _RULES if r in fired), "")
            if rule:
                lost = () if large else _lost(current, after, measure, signs)
                firings.append(Firing(rule, current, after, lost))
            elif firings:
                firings[-1] = replace(firings[-1], after=after)
            if after in seen and identities:
                # A cycle: any member will do, as long as it is always the same.
                ring = seen[seen.index(after) :]
                after = min(ring, key=lambda e: (measure.length(e), measure.name(e)))
                return Simplified(after, tuple(firings))
            seen.append(after)
        elif identities or large:
            break
        current = after
    return Simplified(current, tuple(firings))


def _is_large(expr: Expr) -> bool:
    return _size(expr, _LARGE) > _LARGE


def _outgrows(after: Expr, before: Expr) -> bool:
    """Whether a pass lost what was shared: a sum of many paths written out, path by path."""
    size = _size(before, _LARGE)
    return _size(after, 2 * size + _SLACK) > 2 * size + _SLACK


def _size(expr: Expr, limit: int) -> int:
    """The number of distinct nodes, counted until it is beyond the limit."""
    seen = {expr}
    stack = [expr]
    while stack and len(seen) <= limit:
        for argument in stack.pop().args:
            if argument not in seen:
                seen.add(argument)
                stack.append(argument)
    return len(seen)


@dataclass(frozen=True, slots=True)
class _Done:
    node: Expr
    fired: set[str]
    work: int


class _Pass:
    """One walk from the leaves to the root."""

    def __init__(
        self,
        measure: Measure,
        signs: Signs,
        work: int,
        identities: bool,
        large: bool = False,
        deadline: float = float("inf"),
    ) -> None:
        self.algebra = Algebra(measure, signs, spread=not large)
        self.forms = Forms(self.algebra, work, identities)
        self._searching, self._deadline = work > 0, deadline
        self._values: dict[Expr, Value] = {}
        self._inner: set[Expr] = set()
        self._surface: set[Expr] = set()

    def run(self, root: Expr) -> _Done:
        order = postorder(root)
        self._inner = _inner_nodes(order)
        self._surface = _surface(root) if self._searching else set()
        for node in order:
            if node not in self._inner:
                if perf_counter() > self._deadline:
                    raise TimeoutError
                self._values[node] = self._visit(node)
        value = self._values[root]
        if isinstance(value, Sum):
            value = self.algebra.as_read(value, changed=bool(self.algebra.fired))
        result = self.algebra.write(value)
        return _Done(result, self.algebra.fired, self.forms.work)

    def read(self, root: Expr) -> Value:
        """The value of one more expression."""
        for node in postorder(root):
            if node not in self._values:
                self._values[node] = self._visit(node)
        return self._values[root]

    def atoms(self, condition: Expr) -> list[Expr]:
        """A condition in simplest terms: `x^2*y != 0` is `x != 0` and `y != 0`."""
        if not isinstance(condition, Apply) or condition.op.notation != "relation":
            return []
        left, right = condition.args
        value = self.read(left)
        sides = (self.algebra.write(value), self.algebra.write(self.read(right)))
        if condition.op.name != "!=" or sides[1] is not ZERO:
            return [apply(condition.op, *sides)]
        if isinstance(value, Sum):
            bases = [self.algebra.base(value)[1]]
        else:
            bases = [b for b, e in value.powers.items() if e > 0]
            bases = [b.args[0] if isinstance(b, Apply) and b.op is ABS else b for b in bases]
        return [apply(condition.op, base, ZERO) for base in bases]

    def implied(self, atom: Expr, known: list[Expr]) -> bool:
        """Whether a condition is among the known ones, or follows from one of them."""
        if atom in known:
            return True
        assert isinstance(atom, Apply)
        left, right = atom.args
        if atom.op.name in ("!=", ">=") and relation(">", left, right) in known:
            return True
        if atom.op.name != "!=":
            return False
        return any(
            isinstance(other, Apply) and other.op is atom.op
            and divides(self.algebra, left, other.args[0])
            for other in known
        )  # fmt: skip

    def _visit(self, node: Expr) -> Value:
        if not isinstance(node, Apply):
            return self.algebra.value(node)
        try:
            value = self._combined(node)
            if node in self._surface:
                value = self.forms.of_product(self.forms.of_sum(value))
            return value
        except (TooLarge, ZeroDivisionError):
            return self._as_it_is(node)

    def _as_it_is(self, node: Apply) -> Value:
        """The node over its arguments' forms, not combined with anything."""
        done: dict[Expr, Expr] = {}
        stack: list[Expr] = [node]
        while stack:  # inner nodes of the same sum or product have no value of their own
            top = stack[-1]
            if top in self._values:
                done[top] = self.algebra.write(self._values[top])
            if top in done:
                stack.pop()
                continue
            missing = [a for a in top.args if a not in done]
            if missing:
                stack.extend(missing)
                continue
            stack.pop()
            assert isinstance(top, Apply)
            done[top] = apply(top.op, *[done[a] for a in top.args])
        return self.algebra.opaque(done[node])

    def _combined(self, node: Apply) -> Value:
        op, algebra = node.op, self.algebra
        if op is ADD or op is SUB:
            return self._sum(node)
        if op is MUL or op is DIV:
            return self._product(node)
        args = [self._values[a] for a in node.args]
        if op is NEG:
            return algebra.scaled(args[0], -1)
        if op is POW:
            return algebra.power(args[0], args[1])
        if op is SQRT:
            return algebra.root(args[0], _HALF, False)
        if op is EXP:
            return algebra.exponential(args[0])
        if op is E:
            return algebra.value(node)
        if op is PIECEWISE:
            written = apply(PIECEWISE, *[algebra.write(a) for a in args])
            branches = branches_of(algebra, written)
            return cases(algebra, branches) or algebra.value(written)
        return applied(algebra, op, args)

    def _sum(self, node: Apply) -> Value:
        parts: list[tuple[Value, int]] = []
        for part, sign in self._parts(node, ADD):
            value = self._values[part]
            if isinstance(value, Sum) and len(value.terms) > LONGEST_SUM:
                value = Product(1, {self.algebra.write(value): 1})
            parts.append((value, sign))
        return self.algebra.sum(parts)

    def _product(self, node: Apply) -> Value:
        factors: list[tuple[Value, int]] = []
        for part, exponent in self._parts(node, MUL):
            value = self._values[part]
            if isinstance(value, Product) and len(value.powers) > LONGEST_PRODUCT:
                value = self.algebra.opaque(self.algebra.write(value))
            factors.append((value, exponent))
        return self.algebra.product(factors)

    def _parts(self, node: Apply, joining: Operator) -> list[tuple[Expr, int]]:
        """The parts of a chain of sums or of products, from the left; -1: subtracted or divided."""
        parts: list[tuple[Expr, int]] = []
        stack: list[tuple[Expr, int]] = [(node, 1)]
        while stack:
            top, sign = stack.pop()
            if top is node or top in self._inner:
                left, right = top.args
                stack.append((right, sign if top.op is joining else -sign))
                stack.append((left, sign))
            else:
                parts.append((top, sign))
        return parts


_HALF = Fraction(1, 2)
_ARITHMETIC = frozenset((ADD, SUB, NEG, MUL, DIV))


def _inner_nodes(order: list[Expr]) -> set[Expr]:
    """Sums used once, in a sum; products used once, in a product: parts of a longer one."""
    users: dict[Expr, Expr | None] = {}
    for node in order:
        for argument in node.args:
            users[argument] = None if argument in users else node
    inner: set[Expr] = set()
    for node, user in users.items():
        if isinstance(node, Apply) and isinstance(user, Apply):
            for kind in ((ADD, SUB), (MUL, DIV)):
                if node.op in kind and user.op in kind:
                    inner.add(node)
    return inner


def _surface(root: Expr) -> set[Expr]:
    """The nodes that arithmetic and cases lead to from the root."""
    seen = {root}
    stack = [root]
    while stack:
        node = stack.pop()
        if not isinstance(node, Apply):
            continue
        if node.op in _ARITHMETIC:
            below: tuple[Expr, ...] = node.args
        elif node.op is POW and isinstance(node.args[1], Const):
            below = node.args[:1]
        elif node.op is PIECEWISE:
            below = (*node.args[:-1:2], *(node.args[-1:] if len(node.args) % 2 else ()))
        else:
            continue
        for argument in below:
            if argument not in seen:
                seen.add(argument)
                stack.append(argument)
    return seen


def _lost(before: Expr, after: Expr, measure: Measure, signs: Signs) -> tuple[Expr, ...]:
    """Conditions under which `before` has a value, and that `after` does not need."""
    kept, lost = _conditions(after), _conditions(before)
    raw = [c for c in lost if c not in kept and signs.holds(c) is None]
    if not raw or len(kept) + len(raw) > _MOST_CONDITIONS:
        return tuple(raw[:_MOST_CONDITIONS])
    reader = _Pass(measure, signs, 0, False)
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
