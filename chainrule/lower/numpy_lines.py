"""The statements of one function as lines: what stands in place, and what has a line.

As a textbook writes them: what is used once stands where it is used, what has a name in the
program or in its derivation keeps a line of its own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from chainrule.core import arrays
from chainrule.core.expr import Apply, Const, Expr, Sym, apply, symbol
from chainrule.core.shape import Dim, affine
from chainrule.lower.identifiers import Identifiers
from chainrule.lower.numpy_code import Code, repeated
from chainrule.lower.numpy_expression import Expressions, dimension_code, literal
from chainrule.lower.private import COLUMN, FLAT
from chainrule.lower.schedule import Schedule, Statement

_LONGEST = 66  # of an expression that has parts written in place
_MOST_OPERATIONS = 6
_SHARED = re.compile(r"\w+(\.T)?")
_VIEWS = frozenset({"transpose", "index", "slice", "column", "flat"})

KINDS = {
    "gradient": ("value_and_grad", "grads", "its gradient"),
    "jacobian": ("value_and_jacobian", "jacobian", "its Jacobian"),
    "hvp": ("value_and_hvp", "products", "its Hessian times the direction"),
}
RESERVED = (
    "np", "Any", "Array", "SHAPES", "check", "sizes", "dtype", "value",
    *(name for kind in KINDS.values() for name in kind[:2]),
)  # fmt: skip


class Line(NamedTuple):
    """An assignment: what it reads are nodes that have lines or are inputs."""

    target: str
    statement: Statement
    code: Code
    reads: tuple[Expr, ...]
    mathematics: Expr


class _Part(NamedTuple):
    """A statement that has no line yet."""

    statement: Statement
    code: Code
    reads: tuple[Expr, ...]
    mathematics: Expr


class Names:
    """What the code calls nodes; an unnamed one gets its number when it gets a line."""

    def __init__(self, schedule: Schedule, dimensions: Iterable[str]) -> None:
        self._identifiers = Identifiers(RESERVED)
        fresh = self._identifiers.fresh
        self.of: dict[Expr, str] = {s: fresh(s.name) for s in schedule.lowered.inputs}
        self.given: dict[Expr, str] = {
            s.node: fresh(s.name) for s in schedule.statements if s.named
        }
        self.dimensions = {name: fresh(name) for name in dimensions}

    def name(self, s: Statement) -> str:
        """The name of a statement that gets a line now."""
        if s.node not in self.of:
            if s.node in self.given:
                found = self.given[s.node]
            elif s.of in self.of:
                found = self._identifiers.fresh(f"{self.of[s.of]}_bar")
            elif s.base in self.of:
                found = self._identifiers.fresh(f"{self.of[s.base]}_{s.suffix}")
            else:
                found = self._identifiers.numbered("u" if s.stage == "forward" else "t")
            self.of[s.node] = found
        return self.of[s.node]


class Body:
    """The statements of one function, as lines.

    Attributes:
        lines: in order.
        dimensions: the named dimensions that the lines use.
    """

    def __init__(
        self, schedule: Schedule, dtype: str, names: Names, targets: Mapping[Expr, str]
    ) -> None:
        self.schedule = schedule
        self.lines: list[Line] = []
        self.dimensions: dict[str, None] = {}
        self._names = names
        self._targets = targets  # results that are put where they belong
        self._expressions = Expressions(dtype, self.dimension)
        self._parts: dict[Expr, _Part] = {}  # written in place, or not yet at all
        self.formulas: dict[Expr, Expr] = {}  # over names of lines
        self._tests: set[Expr] = set()
        self._aliases: set[Expr] = set()  # another name for an array, or a transpose
        self._batched: dict[Expr, bool] = {}  # and whether its line has the diagonal only
        self._wanted: set[Expr] = set()
        self._inputs = {s.name for s in schedule.lowered.inputs}

    def _is_size(self, node: Expr) -> bool:
        return isinstance(node, Sym) and node.name not in self._inputs

    def _name(self, node: Expr) -> str:
        return self._targets.get(node) or self._names.of[node]

    def dimension(self, dim: Dim) -> str:
        self.dimensions.update(dict.fromkeys(name for name in affine(dim) if name))
        return dimension_code(dim, self._names.dimensions)

    def run(
        self, statements: Iterable[Statement], results: Iterable[Expr], last: Expr | None = None
    ) -> None:
        """Write the statements; the results get lines of their own, but for the `last`."""
        wanted = self._wanted = set(results)
        statements = list(statements)
        uses: Counter[Expr] = Counter(wanted)
        for s in statements:
            uses.update(s.node.args)
        for s in statements:
            part = self._written(s)
            self._parts[s.node] = part
            self.formulas[s.node] = part.mathematics
            if s.node is last and uses[last] == 1:
                continue
            if not self._may_wait(part, uses[s.node], s.node in wanted):
                self._emit(s.node)

    def _may_wait(self, part: _Part, uses: int, wanted: bool) -> bool:
        """Whether it is written where it is used, rather than on a line of its own."""
        if part.code.diagonal == "1":
            return True
        if wanted or part.statement.named:
            return False
        if part.code.python or (is_view(part.statement.node) and not part.code.operations):
            return True
        return uses == 1

    def _written(self, s: Statement) -> _Part:
        """The statement with its operands in place, where that stays readable."""
        while True:
            codes, reads, formulas, waiting = [], [], [], []
            for slot, a in enumerate(s.node.args):
                part = self._parts.get(a)
                if part is None:
                    codes.append(self._leaf(a))
                    formulas.append(self._formula(a))
                    if not codes[-1].python:
                        reads.append(a)
                    continue
                once = s.node.args.count(a) == 1 and not repeated(s.node.op.numpy, slot)
                if not once and part.code.operations and not part.code.python:
                    self._emit(a)
                    break
                codes.append(part.code)
                formulas.append(part.mathematics)
                reads += part.reads
                if part.code.operations and not part.code.python:
                    waiting.append(a)
            else:
                code = self._expressions.write(s.node, codes)
                if is_view(s.node):
                    code = code._replace(operations=code.operations - 1)
                if not waiting or (
                    len(code.text) <= _LONGEST and code.operations <= _MOST_OPERATIONS
                ):
                    return _Part(
                        s, code, tuple(dict.fromkeys(reads)), self._formula_of(s, formulas)
                    )
                self._emit(max(waiting, key=lambda a: self._parts[a].code.operations))

    def _formula_of(self, s: Statement, formulas: Sequence[Expr]) -> Expr:
        """What the statement computes, over names: of a softmax the softmax."""
        whole = self.schedule.wholes.get(s.node)
        if whole is None:
            return _apply(s.node, formulas)
        args = []
        for a in whole[1]:
            if a in self._parts:
                args.append(self.formulas[a])
            elif isinstance(a, Apply) and a not in self.formulas:
                return _apply(s.node, formulas)  # folded away
            else:
                args.append(self._formula(a))
        return apply(whole[0], *args)

    def _emit(self, node: Expr) -> None:
        part = self._parts.pop(node)
        code = self._expressions.number(part.code) if node in self._wanted else part.code
        if code.test:
            self._tests.add(node)
        if code.batched:
            diagonal = code.diagonal not in ("", "1")
            self._batched[node] = diagonal
            if diagonal:
                code = Code(code.diagonal, code.binds, batched=True)
        if _SHARED.fullmatch(code.text) and not self._batched.get(node):
            self._aliases.add(node)
        target = self._targets.get(node) or self._names.name(part.statement)
        self.lines.append(Line(target, part.statement, code, part.reads, part.mathematics))

    def _leaf(self, node: Expr) -> Code:
        if isinstance(node, Const):
            return literal(node)
        if isinstance(node, Sym) and self._is_size(node):
            return Code(self.dimension(node.name), python=True)
        name = self._name(node)
        if node in self._batched:
            if self._batched[node]:
                return Code(f"np.diag({name})", batched=True, diagonal=name)
            return Code(name, batched=True)
        return Code(name, test=node in self._tests)

    def _formula(self, node: Expr) -> Expr:
        if isinstance(node, Const) or (isinstance(node, Sym) and self._is_size(node)):
            return node
        return symbol(self._name(node), node.shape)

    def is_shared(self, node: Expr) -> bool:
        """Whether it is an input, or may look into the memory of one."""
        return not isinstance(node, Apply) or node.op.name in _VIEWS or node in self._aliases

    def code_of(self, node: Expr) -> Code:
        """A result: its name, or a constant."""
        part = self._parts.get(node)
        return part.code if part is not None else self._leaf(node)


def is_view(node: Expr) -> bool:
    """Whether it looks into memory of its argument, and stands in place."""
    return node.op in (COLUMN, FLAT) or arrays.is_op(node, "transpose")


def _apply(node: Apply, formulas: Sequence[Expr]) -> Expr:
    return formulas[0] if node.op is FLAT else apply(node.op, *formulas)
