"""The statements of one function as lines: what stands in place, and what has a line.

As a textbook writes them: what is used once stands where it is used, what has a name in the
program or in its derivation keeps a line of its own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from chainrule.core.expr import Apply, Const, Expr, Sym
from chainrule.core.ops import lookup
from chainrule.core.shape import Dim, affine
from chainrule.lower.formulas import Formula, Formulas
from chainrule.lower.identifiers import Identifiers
from chainrule.lower.numpy_code import Code, repeated
from chainrule.lower.numpy_expression import Expressions, dimension_code, literal
from chainrule.lower.private import COLUMN, FLAT
from chainrule.lower.schedule import Schedule, Statement

_LONGEST = 66  # of an expression that has parts written in place
_MOST_OPERATIONS = 6
_LONGEST_NUMBER = 160  # of a number made of dimensions, which stands wherever it is used
_MANY = 8  # operands
_SHARED = re.compile(r"\w+(\.T)?")
_LOOKS = frozenset({COLUMN, FLAT, lookup("transpose")})  # into memory of the argument, in place
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
    """An assignment: what it reads are arrays that have lines or are inputs."""

    target: str
    statement: Statement
    code: Code
    reads: tuple[Expr, ...]
    mathematics: Formula


class _Operand(NamedTuple):
    """What stands for a node: a name, a constant, or a part that has no line yet.

    `reads`: the arrays in it; `statement`: of a part; `heavy`: whether it has operations of NumPy.
    """

    code: Code
    reads: tuple[Expr, ...]
    mathematics: Formula
    statement: Statement | None = None
    heavy: bool = False


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
        formulas: what each statement computes, over names of lines.
    """

    def __init__(
        self, schedule: Schedule, dtype: str, names: Names, targets: Mapping[Expr, str],
        made: Formulas,
    ) -> None:  # fmt: skip
        self._wholes = schedule.wholes
        self.lines: list[Line] = []
        self.dimensions: dict[str, None] = {}
        self.formulas: dict[Expr, Formula] = {}
        self._names = names
        self._targets = targets  # results that are put where they belong
        self._made = made
        self._expressions = Expressions(dtype, self.dimension)
        self._known: dict[Expr, _Operand] = {}
        self._aliases: set[Expr] = set()  # another name for an array, or a transpose
        self._wanted: set[Expr] = set()
        self._inputs = {s.name for s in schedule.lowered.inputs}

    def dimension(self, dim: Dim) -> str:
        self.dimensions.update(dict.fromkeys(name for name in affine(dim) if name))
        return dimension_code(dim, self._names.dimensions)

    def run(
        self, statements: Iterable[Statement], results: Iterable[Expr], last: Expr | None = None
    ) -> None:
        """Write the statements; the results get lines of their own, but for the `last`."""
        wanted = self._wanted = set(results)
        statements = list(statements)
        uses = Counter(chain(wanted, chain.from_iterable(s.node.args for s in statements)))
        for s in statements:
            node = s.node
            part = self._known[node] = self._written(s)
            self.formulas[node] = part.mathematics
            if node is last and uses[node] == 1:
                continue
            if not self._may_wait(part, s, uses[node]):
                self._emit(node)

    def _may_wait(self, part: _Operand, s: Statement, uses: int) -> bool:
        """Whether it is written where it is used, rather than on a line of its own."""
        code = part.code
        if code.diagonal == "1":
            return True
        if s.named or s.node in self._wanted:
            return False
        if code.python:
            return len(code.text) <= _LONGEST_NUMBER
        return uses == 1 or (s.node.op in _LOOKS and not code.operations)

    def _written(self, s: Statement) -> _Operand:
        """The statement with its operands in place, where that stays readable."""
        node, known = s.node, self._known
        while True:
            operands = [known.get(a) or self._leaf(a) for a in node.args]
            waiting = any(o.heavy for o in operands)
            if waiting and self._too_heavy(node, operands):
                continue
            code = self._expressions.write(node, [o.code for o in operands])
            if node.op in _LOOKS:
                code = code._replace(operations=code.operations - 1)
            if not waiting or (len(code.text) <= _LONGEST and code.operations <= _MOST_OPERATIONS):
                break
            heavy = [a for a, o in zip(node.args, operands, strict=True) if o.heavy]
            self._emit(max(heavy, key=lambda a: known[a].code.operations))
        reads: tuple[Expr, ...] = ()
        for o in operands:
            reads += o.reads
        if len(reads) > 1:
            reads = tuple(dict.fromkeys(reads))
        heavy_itself = code.operations > 0 and not code.python
        return _Operand(code, reads, self._formula_of(s, operands), s, heavy_itself)

    def _too_heavy(self, node: Apply, operands: Sequence[_Operand]) -> bool:
        """Whether parts got lines: what stands twice, and what makes many operands long."""
        args = node.args
        times = args.count if len(args) <= _MANY else Counter(args).__getitem__
        found = [
            a for slot, (a, o) in enumerate(zip(args, operands, strict=True))
            if o.heavy and (times(a) != 1 or repeated(node.op.numpy, slot))
        ]  # fmt: skip
        if not found and len(args) > _MANY:
            left = sum(len(o.code.text) for o in operands) - _LONGEST
            waiting = [a for a, o in zip(args, operands, strict=True) if o.heavy]
            for a in sorted(waiting, key=lambda a: -self._known[a].code.operations):
                if left > 0:
                    left -= len(self._known[a].code.text)
                    found.append(a)
        for a in dict.fromkeys(found):
            self._emit(a)
        return bool(found)

    def _formula_of(self, s: Statement, operands: Sequence[_Operand]) -> Formula:
        """What the statement computes, over names: of a softmax the softmax."""
        node = s.node
        whole = self._wholes.get(node)
        if whole is not None:
            op, args = whole
            folded = any(isinstance(a, Apply) and a not in self.formulas for a in args)
            if not folded:
                return self._made.apply(op, [self._operand(a).mathematics for a in args])
        if node.op is FLAT:
            return operands[0].mathematics
        return self._made.apply(node.op, [o.mathematics for o in operands])

    def _emit(self, node: Expr) -> None:
        code, reads, mathematics, statement, _ = self._known[node]
        assert statement is not None
        if code.test and node in self._wanted:
            code = self._expressions.number(code)
        target = self._targets.get(node) or self._names.name(statement)
        # Of a number it is remembered how much is in it.
        stands = Code(target, 6, code.python, code.test, code.operations if code.python else 0)
        if code.batched:
            stands = Code(target, batched=True)
            if code.diagonal not in ("", "1"):
                # Its line has the diagonal only.
                stands = Code(f"np.diag({target})", batched=True, diagonal=target)
                code = Code(code.diagonal, code.binds, batched=True)
        if node.shape and not stands.diagonal and _SHARED.fullmatch(code.text):
            self._aliases.add(node)
        self._known[node] = self._named(node, target, stands)
        self.lines.append(Line(target, statement, code, reads, mathematics))

    def _named(self, node: Expr, name: str, code: Code) -> _Operand:
        reads = (node,) if node.shape else ()
        return _Operand(code, reads, self._made.name(name, node.shape))

    def _operand(self, node: Expr) -> _Operand:
        """What stands for the node now."""
        return self._known.get(node) or self._leaf(node)

    def _leaf(self, node: Expr) -> _Operand:
        if isinstance(node, Const):
            found = _Operand(literal(node), (), self._made.leaf(node))
        elif isinstance(node, Sym) and node.name not in self._inputs:
            size = Code(self.dimension(node.name), python=True)
            found = _Operand(size, (), self._made.leaf(node))
        else:
            name = self._names.of[node]
            found = self._named(node, name, Code(name))
        self._known[node] = found
        return found

    def is_shared(self, node: Expr) -> bool:
        """Whether it is an input, or may look into the memory of one."""
        return not isinstance(node, Apply) or node.op.name in _VIEWS or node in self._aliases

    def code_of(self, node: Expr) -> Code:
        """A result: its name, or a constant."""
        return self._operand(node).code


def is_view(node: Expr) -> bool:
    """Whether it looks into memory of its argument, and stands in place."""
    return node.op in _LOOKS
