"""NumPy calls as values: what the preallocated form of a program computes.

A `Tape` holds values, each the result of one NumPy call on earlier ones, with numbers for
dimensions. Equal calls are one value; scalars that are known are folded; a view is a value
that owns no memory. What the calls are is decided here and in `chainrule.lower.bound_calls`; where
results lie is decided by `chainrule.lower.bound_memory`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["float", "bool", "int"]

BINARY = frozenset(
    "add subtract multiply divide power maximum minimum arctan2 logaddexp hypot mod heaviside "
    "greater greater_equal less less_equal equal not_equal logical_and logical_or".split()
)
UNARY = frozenset(
    "negative exp expm1 exp2 log log1p log2 log10 sqrt cbrt square absolute sign floor ceil "
    "reciprocal sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh arccosh arctanh "
    "logical_not".split()
)
TESTS = frozenset(
    "greater greater_equal less less_equal equal not_equal logical_and logical_or "
    "logical_not".split()
)
_FOLDED = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b if b else None,
}
# What does not change any entry when one side is this number.
_NEUTRAL = {"add": (0, 0), "subtract": (None, 0), "multiply": (1, 1), "divide": (None, 1)}


@dataclass(slots=True, eq=False)
class Value:
    """The result of a call.

    Attributes:
        op: a ufunc, or one of input, const, full, view, copy, dot, vdot, reduce, sum, where,
            concat, call.
        args: the values it is computed from.
        attrs: what else the call needs: the name of an input, a number, an axis, the text of
            a view or of a call.
        shape: numbers; `()` is a scalar, held in a local variable.
        rows: for each axis, whether it runs over the rows that a blocked form takes in parts.
        kind: what the entries are.
        serial: its place on the tape.
        order: the place it is computed at, if it may.
        name: what the schedule calls it, if anything.
    """

    op: str
    args: tuple[Value, ...]
    attrs: tuple[object, ...]
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
    def factor(self) -> float | None:
        """The number c of a value c * rest, its first argument."""
        if self.op == "multiply" and self.shape == self.args[0].shape:
            return self.args[1].number
        return None

    @property
    def number(self) -> float | None:
        """The value of a constant scalar."""
        return float(self.attrs[0]) if self.op == "const" else None  # type: ignore[arg-type]


@dataclass(slots=True)
class Tape:
    """Values in the order of their calls, each call once."""

    values: list[Value] = field(default_factory=list)
    _known: dict[tuple[object, ...], Value] = field(default_factory=dict)

    def make(
        self,
        op: str,
        args: tuple[Value, ...] = (),
        attrs: tuple[object, ...] = (),
        shape: tuple[int, ...] = (),
        rows: tuple[bool, ...] = (),
        kind: Kind = "float",
    ) -> Value:
        """The value of this call; the one that is there already, if it is."""
        key = (op, *(a.serial for a in args), None, *attrs, shape, rows)
        value = self._known.get(key)
        if value is None:
            serial = len(self.values)
            value = Value(op, args, attrs, shape, rows, kind, serial, serial)
            self.values.append(value)
            self._known[key] = value
        return value

    # ---- leaves

    def const(self, number: float) -> Value:
        """A number."""
        return self.make("const", attrs=(float(number),))

    def full(self, number: float, shape: tuple[int, ...], rows: tuple[bool, ...]) -> Value:
        """An array of one number."""
        if not shape:
            return self.const(number)
        return self.make("full", attrs=(float(number),), shape=shape, rows=rows)

    # ---- element by element

    def ufunc(self, op: str, *args: Value) -> Value:
        """A ufunc of its arguments, which broadcast."""
        args = self._as_numbers(args)
        known = [a.number for a in args]
        if len(args) == 2:
            if op in _FOLDED and known[0] is not None and known[1] is not None:
                folded = _FOLDED[op](known[0], known[1])
                if folded is not None:
                    return self.const(folded)
            left, right = _NEUTRAL.get(op, (None, None))
            shape, _ = _broadcast(args)
            if right is not None and known[1] == right and args[0].shape == shape:
                return self.floating(args[0])
            if left is not None and known[0] == left and args[1].shape == shape:
                return self.floating(args[1])
            if op == "divide" and known[1] and args[0].shape:
                return self.ufunc("multiply", args[0], self.const(1 / known[1]))
            if op == "add" and args[0] is args[1] and args[0].shape:
                return self.scale(args[0], 2)
            if op == "multiply" and known[0] is not None:
                args, known = args[::-1], known[::-1]
            if args[0].shape or args[1].shape:
                found = self._factored(op, *args)
                if found is not None:
                    return found
        elif op == "negative" and (known[0] is not None or args[0].shape):
            return self.scale(args[0], -1)
        if op not in TESTS and not (op == "multiply" and any(a.kind == "float" for a in args)):
            args = tuple(self.floating(a) for a in args)
        shape, rows = _broadcast(args)
        return self.make(op, args, (), shape, rows, "bool" if op in TESTS else "float")

    def scale(self, value: Value, factor: float) -> Value:
        """A constant times a value."""
        return self.ufunc("multiply", value, self.const(factor))

    def _factored(self, op: str, a: Value, b: Value) -> Value | None:
        """Constant factors come last: `buffers.sink_factors` finds their place."""
        p, q = a.factor, b.factor
        if op == "multiply":
            if b.number is not None:
                return None if p is None else self.scale(a.args[0], p * b.number)
            if p is not None or q is not None:
                rest = (a if p is None else a.args[0], b if q is None else b.args[0])
                return self.scale(self.ufunc("multiply", *rest), _times(p, q))
        elif op in ("add", "subtract") and q is not None:
            if p == q:
                return self.scale(self.ufunc(op, a.args[0], b.args[0]), q)
            if q == -1:
                return self.ufunc("subtract" if op == "add" else "add", a, b.args[0])
        return None

    def _as_numbers(self, args: tuple[Value, ...]) -> tuple[Value, ...]:
        """Arrays of one number as that number, where the others have the shape of the result."""
        shape, _ = _broadcast(args)
        if not any(a.shape == shape and a.op != "full" for a in args):
            return args
        return tuple(self.const(a.attrs[0]) if a.op == "full" else a for a in args)  # type: ignore[arg-type]

    def known(self, op: str, *args: Value) -> Value | None:
        """The value of an element-wise call, if it was made already."""
        return self._known.get((op, *(a.serial for a in args), None, *_broadcast(args)))

    def floating(self, value: Value) -> Value:
        """The value with entries of the dtype; a mask becomes ones and zeros."""
        if value.kind == "float":
            return value
        return self.make("copy", (value,), ("cast",), value.shape, value.rows)

    def where(self, mask: Value, yes: Value, no: Value) -> Value:
        """`yes` where the mask holds, else `no`."""
        if yes is no:
            return yes
        yes, no = self.floating(yes), self.floating(no)
        shape, rows = _broadcast((mask, yes, no))
        return self.make("where", (mask, yes, no), (), shape, rows)

    # ---- views

    def transpose(self, value: Value) -> Value:
        """The transpose of a matrix, a view."""
        if value.op == "full":
            return self.full(value.attrs[0], value.shape[::-1], value.rows[::-1])  # type: ignore[arg-type]
        if value.op == "view" and value.attrs[0] == ".T":
            return value.args[0]
        if value.factor is not None:
            return self.scale(self.transpose(value.args[0]), value.factor)
        return self._view(value, ".T", value.shape[::-1], value.rows[::-1])

    def lift(self, value: Value, axis: int) -> Value:
        """A vector as a row (axis 0) or a column (axis 1)."""
        (n,), (r,) = value.shape, value.rows
        text, shape, rows = (
            ("[None]", (1, n), (False, r)) if axis == 0 else ("[:, None]", (n, 1), (r, False))
        )
        if value.op == "full":
            return self.full(value.attrs[0], shape, rows)  # type: ignore[arg-type]
        return self._view(value, text, shape, rows)

    def drop(self, value: Value, axis: int) -> Value:
        """A matrix with one row (axis 0) or column (axis 1) as a vector."""
        kept = 1 - axis
        if value.op == "view" and value.attrs[0] == ("[None]", "[:, None]")[axis]:
            return value.args[0]
        if value.op == "view" and value.attrs[0] == ".T":
            return self.drop(value.args[0], kept)
        text = ("[0]", "[:, 0]")[axis]
        return self._view(value, text, (value.shape[kept],), (value.rows[kept],))

    def part(self, value: Value, text: str, shape: tuple[int, ...]) -> Value:
        """A part of an array, a view; of one entry, the scalar."""
        return self._view(value, text, shape, (False,) * len(shape))

    def _view(
        self, value: Value, text: str, shape: tuple[int, ...], rows: tuple[bool, ...]
    ) -> Value:
        return self.make("view", (value,), (text,), shape, rows, value.kind)

    def copy(self, value: Value) -> Value:
        """The same entries in memory of their own, in rows."""
        return self.make("copy", (value,), ("copy",), value.shape, value.rows, value.kind)

    # ---- sums and products

    def dot(self, a: Value, b: Value) -> Value:
        """The product of matrices and vectors; the last axis of `a` meets the first of `b`."""
        a, b = self.floating(a), self.floating(b)
        p, q = a.factor, b.factor
        if p is not None or q is not None:
            rest = (a if p is None else a.args[0], b if q is None else b.args[0])
            return self.scale(self.dot(*rest), _times(p, q))
        shape, rows = a.shape[:-1] + b.shape[1:], a.rows[:-1] + b.rows[1:]
        return self.make("dot", (a, b), (), shape, rows)

    def vdot(self, a: Value, b: Value) -> Value:
        """The sum of the products of the entries of two arrays of one shape."""
        a, b = self.floating(a), self.floating(b)
        while a.op == b.op == "view" and a.attrs == b.attrs and a.args[0].size == a.size:
            a, b = a.args[0], b.args[0]
        return self.make("vdot", (a, b))

    def total(self, a: Value, axis: int | None = None) -> Value:
        """The sum of the entries, or over an axis."""
        a = self.floating(a)
        if not a.shape:
            return a
        if axis is None or len(a.shape) == 1:
            if a.factor is not None:
                return self.scale(self.total(a.args[0]), a.factor)
            if a.op == "multiply" and all(b.shape == a.shape for b in a.args):
                return self.vdot(*a.args)
            return self.make("sum", (a,))
        if a.shape[axis] == 1 and not a.rows[axis]:
            return self.drop(a, axis)
        ones = self.full(1.0, (a.shape[axis],), (a.rows[axis],))
        return self.dot(ones, a) if axis == 0 else self.dot(a, ones)

    def reduce(self, op: str, a: Value, axis: int) -> Value:
        """A ufunc along an axis."""
        kept = 1 - axis
        if len(a.shape) == 1:
            return self.make("reduce", (a,), (op, 0))
        return self.make("reduce", (a,), (op, axis), (a.shape[kept],), (a.rows[kept],))

    def call(self, text: str, args: Iterable[Value], shape: tuple[int, ...]) -> Value:
        """Any other NumPy expression over `{0}`, `{1}`, …; its result is copied."""
        return self.make("call", tuple(args), (text,), shape, (False,) * len(shape))


def _times(p: float | None, q: float | None) -> float:
    return (1.0 if p is None else p) * (1.0 if q is None else q)


def _broadcast(args: tuple[Value, ...]) -> tuple[tuple[int, ...], tuple[bool, ...]]:
    rank = max(len(a.shape) for a in args)
    shape, rows = [1] * rank, [False] * rank
    for a in args:
        lead = rank - len(a.shape)
        for i, n in enumerate(a.shape):
            if n != 1 or a.rows[i]:
                shape[lead + i] = n
                rows[lead + i] = rows[lead + i] or a.rows[i]
    return tuple(shape), tuple(rows)
