"""One walk of the simplifier from the leaves to the root, which gives every node its value.

In a small expression a product that is used twice is still multiplied into its users, and a sum
added to them; in a large one whatever is shared stays shared, common factors are taken out of
sums without looking for anything shorter, and factors keep the order in which they came.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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

_MANY_SEARCHES = 1000  # for shorter forms; after that none is made twice
_SHARED_IN_LARGE = 2  # factors of a shared product, or terms, that are not kept apart


class Settled:
    """Forms that nothing shorter was found for, by whether identities were tried.

    The paths of a deep function have most of their factors in common. The search is left out
    only once there has been much of it: what it tries in vain, too, settles which of two
    equally good forms of a sum comes first.
    """

    __slots__ = ("_known", "_searches")

    def __init__(self) -> None:
        self._known: set[tuple[Expr, bool]] = set()
        self._searches = 0

    def __contains__(self, key: tuple[Expr, bool]) -> bool:
        self._searches += 1
        return self._searches > _MANY_SEARCHES and key in self._known

    def add(self, key: tuple[Expr, bool]) -> None:
        """Nothing shorter was found for it."""
        self._known.add(key)


@dataclass(frozen=True, slots=True)
class Done:
    """The written forms, which rules fired, and how much work is left."""

    nodes: list[Expr]
    fired: set[str]
    work: int


class Pass:
    """One walk from the leaves to the root."""

    def __init__(
        self,
        measure: Measure,
        signs: Signs,
        work: int,
        identities: bool,
        large: bool = False,
        deadline: float = float("inf"),
        settled: Settled | None = None,
    ) -> None:
        self.algebra = Algebra(measure, signs, large)
        self.forms = Forms(self.algebra, work, identities)
        self._searching, self._large, self._deadline = work > 0, large, deadline
        self._identities, self._settled = identities, settled or Settled()
        self._values: dict[Expr, Value] = {}
        self._inner: set[Expr] = set()
        self._surface: set[Expr] = set()
        self._longest_sum = _SHARED_IN_LARGE if large else LONGEST_SUM
        self._longest_product = _SHARED_IN_LARGE if large else LONGEST_PRODUCT

    def run(self, roots: Sequence[Expr]) -> Done:
        """Walk from the leaves to the roots.

        Raises:
            TimeoutError: the deadline came first.
        """
        order = _reading_order(roots)
        self._inner = _inner_nodes(order, roots)
        self._surface = _surface(roots) if self._searching or self._large else set()
        for node in order:
            if node not in self._inner:
                if perf_counter() > self._deadline:
                    raise TimeoutError
                self._values[node] = self._visit(node)
        nodes = []
        for root in roots:
            value = self._values[root]
            if isinstance(value, Sum):
                value = self.algebra.as_read(value, changed=bool(self.algebra.fired))
            nodes.append(self.algebra.write(value))
        return Done(nodes, self.algebra.fired, self.forms.work)

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
            if node not in self._surface:
                return value
            if self._large:
                return self.forms.factored(value)
            return self._shortest(value) if self._searching else value
        except (TooLarge, ZeroDivisionError):
            return self._as_it_is(node)

    def _shortest(self, value: Value) -> Value:
        key = self.algebra.write(value), self._identities
        if key in self._settled:
            return value
        fired = set(self.algebra.fired)
        found = self.forms.of_product(self.forms.of_sum(value))
        if found is value and self.forms.work > 0 and fired == self.algebra.fired:
            self._settled.add(key)
        return found

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
            if isinstance(value, Sum) and len(value.terms) > self._longest_sum:
                value = Product(1, {self.algebra.write(value): 1})
            parts.append((value, sign))
        return self.algebra.sum(parts)

    def _product(self, node: Apply) -> Value:
        factors: list[tuple[Value, int]] = []
        for part, exponent in self._parts(node, MUL):
            value = self._values[part]
            if isinstance(value, Product) and len(value.powers) > self._longest_product:
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


def _reading_order(roots: Sequence[Expr]) -> list[Expr]:
    """The nodes below the roots, arguments first, from the left."""
    order: list[Expr] = []
    seen: set[Expr] = set()
    stack: list[Expr | None] = list(reversed(roots))
    while stack:
        node = stack.pop()
        if node is None:  # the arguments of the one below are done
            node = stack.pop()
            assert node is not None
            order.append(node)
        elif node not in seen:
            seen.add(node)
            if node.args:
                stack += (node, None, *node.args[::-1])
            else:
                order.append(node)
    return order


def _inner_nodes(order: Sequence[Expr], roots: Sequence[Expr]) -> set[Expr]:
    """Sums used once, in a sum; products used once, in a product: parts of a longer one."""
    users: dict[Expr, Expr | None] = dict.fromkeys(roots)
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


def _surface(roots: Sequence[Expr]) -> set[Expr]:
    """The nodes that arithmetic and cases lead to from the roots."""
    seen = set(roots)
    stack = list(roots)
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
