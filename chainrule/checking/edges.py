"""Local derivatives one intermediate at a time, each kind of intermediate once.

A network has thousands of edges, but few that differ in more than names: `u7 = sin(u6)` is
the same question as `u3 = sin(u2)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from re import split
from time import perf_counter
from typing import NamedTuple

from chainrule.checking.by_numbers import Claim, compare
from chainrule.checking.patience import limit
from chainrule.core.arithmetic import add
from chainrule.core.expr import (
    ONE,
    ZERO,
    Apply,
    Expr,
    Sym,
    free_symbols,
    substitute,
    symbol,
    topological,
)
from chainrule.core.ops import Kink
from chainrule.derivation.steps import Derivation, Method, Status, Target

_ITSELF = "_0"
_MOST_SIDES = 12


@dataclass(frozen=True, slots=True)
class Local:
    """An intermediate and its claimed derivatives by its operands, under neutral names.

    Attributes:
        function: its expression.
        claims: operand and claimed derivative; the edges of an operand in two slots are added.
    """

    function: Expr
    claims: tuple[tuple[str, Expr], ...]

    def as_claims(self) -> list[Claim]:
        """The claims, as the comparison by numbers takes them."""
        return [
            Claim(derivative, Target(((ONE, 0, (by,)),)), self.place(by))
            for by, derivative in self.claims
        ]

    @staticmethod
    def place(by: str) -> str:
        """How a witness names the claim; `Question.in_its_names` makes it readable."""
        return f"{_ITSELF} by {by}: "


@dataclass(frozen=True, slots=True)
class Question:
    """A local problem and where it came from: the intermediate, and its operands by neutral name.

    `edges` has the places in `Derivation.edges` for each claim; none for an operand that
    has no edge and must not need one.
    """

    local: Local
    of: str
    names: Mapping[str, str]
    edges: tuple[tuple[int, ...], ...]

    def in_its_names(self, witness: str) -> str:
        """A witness with the derivation's names in place of the neutral ones.

        >>> q = Question(Local(ONE, ()), "y", {"_1": "u3", "_2": "x"}, ())
        >>> q.in_its_names("_0 by _1: at _1 = 2, _2 = 3: 5, numerically 4")
        'y by u3: at u3 = 2, x = 3: 5, numerically 4'
        """
        names = {_ITSELF: self.of, **self.names}
        return "".join(names.get(word, word) for word in split(r"(\b_\d+\b)", witness))


class _Asked(NamedTuple):
    """An intermediate, the operands it is asked about, and the places of their edges."""

    of: str
    expression: Expr
    operands: list[str]
    edges: Mapping[str, list[int]]

    def kind(self, d: Derivation) -> tuple[object, ...]:
        """What is equal for questions that differ in names only."""
        numbers: dict[Expr, int] = {symbol(self.of): 0}
        said: list[object] = []
        _spell(self.expression, numbers, said)
        for name in self.operands:
            edges = self.edges.get(name, ())
            said.append(len(edges))
            _spell(symbol(name), numbers, said)
            for i in edges:
                _spell(d.edges[i].local, numbers, said)
        return tuple(said)

    def question(self, d: Derivation) -> Question:
        """The question under neutral names."""
        zero: Expr = ZERO
        claimed = [
            reduce(add, (d.edges[i].local for i in self.edges.get(name, ())), zero)
            for name in self.operands
        ]
        claimed = substitute(claimed, {symbol(self.of): self.expression})
        roots = [self.expression, *claimed, *map(symbol, self.operands)]
        names = {f"_{i}": s.name for i, s in enumerate(free_symbols(roots), 1)}
        neutral = {old: new for new, old in names.items()}
        renaming: dict[Expr, Expr] = {symbol(old): symbol(new) for old, new in neutral.items()}
        function, *renamed = substitute([self.expression, *claimed], renaming)
        claims = tuple((neutral[n], c) for n, c in zip(self.operands, renamed, strict=True))
        return Question(Local(function, claims), self.of, names, self.places())

    def places(self) -> tuple[tuple[int, ...], ...]:
        """The places of the edges of each operand."""
        return tuple(tuple(self.edges.get(name, ())) for name in self.operands)


def _spell(root: Expr, numbers: dict[Expr, int], said: list[object]) -> None:
    """Add an expression in prefix form, its names and what is shared as numbers."""
    stack = [root]
    while stack:
        node = stack.pop()
        number = numbers.get(node)
        if number is not None:
            said.append(number)
            continue
        numbers[node] = len(numbers)
        if isinstance(node, Apply):
            said += (node.op, len(node.args))
            stack += node.args[::-1]
        else:
            said.append("name" if isinstance(node, Sym) else node)


def _asked(d: Derivation) -> Iterator[_Asked]:
    """For each intermediate: is the derivative by each name that it depends on right?"""
    by_target: dict[str, dict[str, list[int]]] = {}
    for i, edge in enumerate(d.edges):
        by_target.setdefault(edge.of, {}).setdefault(edge.by, []).append(i)
    moving = set(d.variables)
    for intermediate in d.intermediates:
        edges = by_target.pop(intermediate.name, {})
        inside = [s.name for s in free_symbols([intermediate.expression])]
        operands = list(dict.fromkeys([*edges, *(name for name in inside if name in moving)]))
        if operands:
            moving.add(intermediate.name)
            yield _Asked(intermediate.name, intermediate.expression, operands, edges)


def kinks_of(expression: Expr) -> list[Kink]:
    """Where the operators of the expression have kinks (of many, the first)."""
    found: list[Kink] = []
    for node in topological([expression]):
        if isinstance(node, Apply):
            found += node.op.kinks(*node.args)
    return found[:_MOST_SIDES]


def by_numbers(local: Local, deadline: float) -> Method:
    """Compare the claims with difference quotients."""
    return compare(
        [local.function], local.as_claims(), (), kinks_of(local.function), repr(local.function),
        points=3, deadline=deadline,
    )  # fmt: skip


def statuses(
    derivation: Derivation, decide: Callable[[Local], Method], kinds: int
) -> tuple[list[Status], list[tuple[Question, Method]]]:
    """Each edge's status, and what was said about each kind of intermediate.

    Intermediates of a new kind after the first `kinds` stay `unverified`, and so does what
    there is no time for (`chainrule.checking.patience`).
    """
    found: list[Status] = ["unverified"] * len(derivation.edges)
    decided: dict[tuple[object, ...], Method] = {}
    answers = []
    for asked in _asked(derivation):
        if perf_counter() > limit():
            break
        kind = asked.kind(derivation)
        if kind not in decided:
            if len(decided) == kinds:
                continue
            question = asked.question(derivation)
            decided[kind] = decide(question.local)
            answers.append((question, decided[kind]))
        status = decided[kind].status
        for places in asked.places():
            for place in places:
                found[place] = status
    return found, answers
