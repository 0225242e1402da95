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
from chainrule.lower.numpy_code import Code, name_code, repeated
from chainrule.lower.numpy_expression import Expressions, dimension_code, literal
from chainrule.lower.private import COLUMN, FLAT
from chainrule.lower.schedule import Names, Schedule

_LONGEST = 66  # of an expression that has parts written in place
_MOST_OPERATIONS = 6
_LONGEST_NUMBER = 160  # of a number made of dimensions, which stands wherever it is used
_MANY = 8  # operands
_SHARED = re.compile(r"\w+(\.T)?")
_LOOKS = frozenset({COLUMN, FLAT, lookup("transpose")})  # into memory of the argument, in place
_new = tuple.__new__  # what a named tuple's own class does, without the call
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


class Part(NamedTuple):
    """What stands for a node: a name, a constant, or an operation that may have no line yet.

    Attributes:
        code: the text.
        reads: the arrays in it that have lines or are inputs.
        mathematics: the formula, over names.
        heavy: whether it has operations of NumPy, and no line yet.
    """

    code: Code
    reads: tuple[Expr, ...]
    mathematics: Formula
    heavy: bool = False


class Line(NamedTuple):
    """An assignment; `batched`: of an array with an axis in front that the node has not."""

    target: str
    node: Expr
    code: str
    batched: bool
    reads: tuple[Expr, ...]
    mathematics: Formula


class Dimensions:
    """The code of dimensions.

    Attributes:
        used: the named ones that were asked for.
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        self.used: dict[str, None] = {}
        self._names = names

    def code(self, dim: Dim) -> str:
        """The size of a dimension."""
        self.used.update(dict.fromkeys(name for name in affine(dim) if name))
        return dimension_code(dim, self._names)


class Body:
    """The statements of one function, as lines.

    Attributes:
        lines: in order.
        dimensions: the code of those that the lines use.
    """

    def __init__(
        self, schedule: Schedule, dtype: str, names: Names, dimensions: Mapping[str, str],
        targets: Mapping[Expr, str], made: Formulas,
    ) -> None:  # fmt: skip
        self._wholes = schedule.wholes
        self.lines: list[Line] = []
        # Of its own, or the body would be part of a cycle, and its memory held.
        self.dimensions = Dimensions(dimensions)
        self._names = names
        self._targets = targets  # results that are put where they belong
        self._made = made
        self._expressions = Expressions(dtype, self.dimensions.code)
        self._known: dict[Expr, Part] = {}
        self._aliases: set[Expr] = set()  # another name for an array, or a transpose
        self._wanted: set[Expr] = set()
        self._called = schedule.called
        self._inputs = {s.name for s in schedule.lowered.inputs}

    def run(
        self, order: Sequence[Apply], results: Iterable[Expr], last: Expr | None = None
    ) -> None:
        """Write the statements; the results get lines of their own, but for the `last`."""
        wanted = self._wanted = set(results)
        uses = Counter(chain(wanted, chain.from_iterable([node.args for node in order])))
        known = self._known
        for node in order:
            part = known[node] = self._written(node)
            if node is last and uses[node] == 1:
                continue
            if not self._may_wait(part, node, uses[node]):
                self._emit(node)

    def formula(self, node: Expr) -> Formula | None:
        """What a statement computes, or its name; None of what no statement computes."""
        part = self._known.get(node) if isinstance(node, Apply) else None
        return None if part is None else part.mathematics

    def _may_wait(self, part: Part, node: Apply, uses: int) -> bool:
        """Whether it is written where it is used, rather than on a line of its own."""
        code = part.code
        if code.diagonal == "1":
            return True
        if node in self._called or node in self._wanted:
            return False
        if code.python:
            return len(code.text) <= _LONGEST_NUMBER
        return uses == 1 or (node.op in _LOOKS and not code.operations)

    def _written(self, node: Apply) -> Part:
        """The statement with its operands in place, where that stays readable."""
        known, args = self._known, node.args
        while True:
            codes: list[Code] = []
            formulas: list[Formula] = []
            reads: tuple[Expr, ...] = ()
            waiting = False
            for a in args:
                code, read, formula, heavy = known.get(a) or self._leaf(a)
                codes.append(code)
                formulas.append(formula)
                reads += read
                if heavy:
                    waiting = True
            if waiting and self._too_heavy(node):
                continue
            code = self._expressions.write(node, codes)
            if node.op in _LOOKS:
                code = code._replace(operations=code.operations - 1)
            if not waiting or (len(code.text) <= _LONGEST and code.operations <= _MOST_OPERATIONS):
                break
            self._emit(max(self._waiting(args), key=lambda a: known[a].code.operations))
        if len(reads) > 1:
            reads = tuple(dict.fromkeys(reads))
        heavy = code.operations > 0 and not code.python
        return _new(Part, (code, reads, self._formula_of(node, formulas), heavy))

    def _waiting(self, args: Iterable[Expr]) -> list[Expr]:
        """The arguments that have operations of NumPy and no line yet."""
        return [a for a in args if self._known[a].heavy]

    def _too_heavy(self, node: Apply) -> bool:
        """Whether parts got lines: what stands twice, and what makes many operands long."""
        args, known = node.args, self._known
        if len(args) == 1 and not repeated(node.op.numpy, 0):
            return False
        times = args.count if len(args) <= _MANY else Counter(args).__getitem__
        found = [
            a for slot, a in enumerate(args)
            if known[a].heavy and (times(a) != 1 or repeated(node.op.numpy, slot))
        ]  # fmt: skip
        if not found and len(args) > _MANY:
            left = sum(len(known[a].code.text) for a in args) - _LONGEST
            for a in sorted(self._waiting(args), key=lambda a: -known[a].code.operations):
                if left > 0:
                    left -= len(known[a].code.text)
                    found.append(a)
        for a in dict.fromkeys(found):
            self._emit(a)
        return bool(found)

    def _formula_of(self, node: Apply, formulas: Sequence[Formula]) -> Formula:
        """What the statement computes, over names: of a softmax the softmax."""
        whole = self._wholes.get(node) if self._wholes else None
        if whole is not None:
            op, args = whole
            folded = any(isinstance(a, Apply) and a not in self._known for a in args)
            if not folded:
                return self._made.apply(op, [self._part(a).mathematics for a in args])
        return formulas[0] if node.op is FLAT else self._made.apply(node.op, formulas)

    def _emit(self, node: Expr) -> None:
        code, reads, mathematics, _ = self._known[node]
        if code.test and node in self._wanted:
            code = self._expressions.number(code)
        target = self._targets.get(node) or self._names.name(node)
        # Of a number it is remembered how much is in it.
        if code.python or code.test:
            stands = Code(target, 6, code.python, code.test, code.operations if code.python else 0)
        else:
            stands = name_code(target)
        if code.batched:
            stands = Code(target, batched=True)
            if code.diagonal not in ("", "1"):
                # Its line has the diagonal only.
                stands = Code(f"np.diag({target})", batched=True, diagonal=target)
                code = Code(code.diagonal, code.binds, batched=True)
        if node.shape and not stands.diagonal and _SHARED.fullmatch(code.text):
            self._aliases.add(node)
        self._known[node] = self._named(node, target, stands)
        self.lines.append(_new(Line, (target, node, code.text, code.batched, reads, mathematics)))

    def _named(self, node: Expr, name: str, code: Code) -> Part:
        shape = node.shape
        reads = (node,) if shape else ()
        return _new(Part, (code, reads, self._made.name(name, shape), False))

    def _part(self, node: Expr) -> Part:
        """What stands for the node now."""
        return self._known.get(node) or self._leaf(node)

    def _leaf(self, node: Expr) -> Part:
        if isinstance(node, Const):
            found = Part(literal(node), (), self._made.leaf(node))
        elif isinstance(node, Sym) and node.name not in self._inputs:
            size = Code(self.dimensions.code(node.name), python=True)
            found = Part(size, (), self._made.leaf(node))
        else:
            name = self._names.of[node]
            found = self._named(node, name, name_code(name))
        self._known[node] = found
        return found

    def is_shared(self, node: Expr) -> bool:
        """Whether it is an input, or may look into the memory of one."""
        return not isinstance(node, Apply) or node.op.name in _VIEWS or node in self._aliases

    def code_of(self, node: Expr) -> Code:
        """A result: its name, or a constant."""
        return self._part(node).code


def is_view(node: Expr) -> bool:
    """Whether it looks into memory of its argument, and stands in place."""
    return node.op in _LOOKS
