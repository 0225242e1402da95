"""A NumPy call as a value: of what, with which shape, and whether it owns memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["float", "bool", "int"]

BINARY = frozenset({
    "add", "subtract", "multiply", "divide", "power", "maximum", "minimum", "arctan2",
    "logaddexp", "hypot", "heaviside", "greater", "greater_equal", "less", "less_equal",
    "equal", "not_equal",
})  # fmt: skip
UNARY = frozenset({
    "exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "cbrt", "absolute", "sign",
    "floor", "ceil", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh",
    "arcsinh", "arccosh", "arctanh",
})  # fmt: skip
UFUNCS = BINARY | UNARY
TESTS = frozenset({"greater", "greater_equal", "less", "less_equal", "equal", "not_equal"})
# Values without memory of their own, and without a call in the step.
FREE = frozenset(("input", "const", "full", "fixed", "view"))
# Up to this many entries a call costs more than what it computes.
SMALL = 4096


@dataclass(slots=True, eq=False)
class Value:
    """The result of a call.

    Attributes:
        op: a ufunc, or one of input, const, full, fixed, view, copy, dot, vdot, sum, reduce,
            where, concat, call.
        args: the values it is computed from.
        attrs: what else the call needs: the name of an input, a number, an axis, the text of
            a view or of a call.
        shape: in numbers; `()` is a scalar, held in a local variable.
        rows: for each axis, whether it runs over the rows that are taken in blocks.
        kind: what the entries are.
        serial: its place on the tape.
        order: the place it had before constant factors were moved.
        name: what the schedule calls it, if anything.
    """

    op: str
    args: tuple[Value, ...]
    attrs: tuple[str | float, ...]
    shape: tuple[int, ...]
    rows: tuple[bool, ...]
    kind: Kind
    serial: int
    order: int
    name: str = ""

    @property
    def size(self) -> int:
        """The number of entries."""
        count = 1
        for n in self.shape:
            count *= n
        return count

    @property
    def base(self) -> Value:
        """What a view looks into; itself for what owns memory."""
        value = self
        while value.op == "view":
            value = value.args[0]
        return value

    @property
    def number(self) -> float | None:
        """The number that a constant scalar is."""
        return float(self.attrs[0]) if self.op == "const" else None

    @property
    def text(self) -> str:
        """The first attribute, of what has one that is a text."""
        return str(self.attrs[0])
