"""Local derivatives one intermediate at a time, each kind of intermediate once.

A network has thousands of edges, but few that differ in more than names: `u7 = sin(u6)` is
the same question as `u3 = sin(u2)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import islice
from re import split

from chainrule.checking.by_numbers import Claim, compare
from chainrule.core.arithmetic import add
from chainrule.core.expr import (
    ONE,
    ZERO,
    Apply,
    Expr,
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


def questions(derivation: Derivation) -> Iterator[Question]:
    """For each intermediate: is the derivative by each name that it depends on right?"""
    d = derivation
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
            yield _question(derivation, intermediate.name, intermediate.expression, operands, edges)


def _question(
    d: Derivation, of: str, expression: Expr, operands: list[str], edges: Mapping[str, list[int]]
) -> Question:
    zero: Expr = ZERO
    claimed = [
        reduce(add, (d.edges[i].local for i in edges.get(name, ())), zero) for name in operands
    ]
    claimed = substitute(claimed, {symbol(of): expression})
    roots = [expression, *claimed, *map(symbol, operands)]
    names = {f"_{i}": s.name for i, s in enumerate(free_symbols(roots), 1)}
    neutral = {old: new for new, old in names.items()}
    renaming: dict[Expr, Expr] = {symbol(old): symbol(new) for old, new in neutral.items()}
    function, *renamed = substitute([expression, *claimed], renaming)
    claims = tuple((neutral[name], c) for name, c in zip(operands, renamed, strict=True))
    places = tuple(tuple(edges.get(name, ())) for name in operands)
    return Question(Local(function, claims), of, names, places)


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
    derivation: Derivation, decide: Callable[[Local], Method], most: int, kinds: int
) -> tuple[list[Status], list[tuple[Question, Method]]]:
    """Each edge's status, and what was said about each kind of intermediate.

    Intermediates after the first `most`, and those of a new kind after the first `kinds`,
    stay `unverified`.
    """
    found: list[Status] = ["unverified"] * len(derivation.edges)
    decided: dict[Local, Method] = {}
    answers = []
    for question in islice(questions(derivation), most):
        if question.local not in decided:
            if len(decided) == kinds:
                continue
            decided[question.local] = decide(question.local)
            answers.append((question, decided[question.local]))
        for places in question.edges:
            for place in places:
                found[place] = decided[question.local].status
    return found, answers
