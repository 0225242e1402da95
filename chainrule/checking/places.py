"""An operation of the expression, with what is known of it before a mistake is made there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from chainrule.core.arithmetic import ADD, DIV, MUL, NEG, SUB, add, mul
from chainrule.core.expr import ZERO, Apply, Expr, apply
from chainrule.core.ops import Operator
from chainrule.core.table.piecewise import PIECEWISE


class Place(NamedTuple):
    """An operation with its operands' right slopes (0 for a constant) and its own."""

    node: Apply
    slopes: tuple[Expr, ...]
    locals: tuple[Expr, ...]
    slope: Expr
    variable: Expr | None = None

    @classmethod
    def of(cls, node: Expr, slopes: Mapping[Expr, Expr], variable: Expr | None = None) -> Place:
        """The place of an operation; operands without a slope are constant."""
        assert isinstance(node, Apply)
        known = tuple(slopes.get(a, ZERO) for a in node.args)
        locals_ = tuple(
            node.op.partial(node, i) if s is not ZERO else ZERO for i, s in enumerate(known)
        )
        total: Expr = ZERO
        for local, slope in zip(locals_, known, strict=True):
            if slope is not ZERO:
                total = add(total, mul(local, slope))
        return cls(node, known, locals_, total, variable)

    @property
    def op(self) -> Operator:
        """The row of the operation."""
        return self.node.op

    @property
    def varying(self) -> tuple[int, ...]:
        """The slots of the operands that vary."""
        return tuple(i for i, s in enumerate(self.slopes) if s is not ZERO)

    @property
    def inner(self) -> int | None:
        """The slot of the only operand that varies, where the operation is no plain multiple."""
        if len(self.varying) != 1 or self.op in (ADD, SUB, NEG, PIECEWISE):
            return None
        (slot,) = self.varying
        scaled = self.op is MUL or (self.op is DIV and slot == 0)
        return None if scaled else slot

    def moved(self, slot: int, operand: Expr) -> Apply:
        """The operation with another operand."""
        args = list(self.node.args)
        args[slot] = operand
        return apply(self.node.op, *args)


Slopes = Iterable[Expr]
