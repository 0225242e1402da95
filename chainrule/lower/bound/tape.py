"""NumPy calls as values: what the preallocated form of a program computes.

A `Tape` holds values, each the result of one NumPy call on earlier ones, with numbers for
dimensions. Equal calls are one value; scalars that are known are folded; a view is a value
that owns no memory. `bound_calls` says what the calls are, `bound_memory` where results lie.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from chainrule.lower.bound.values import SMALL, TESTS, Kind, Value

_FOLDED: dict[str, Callable[[float, float], float]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "maximum": max,
    "minimum": min,
}
_FUNCTIONS: dict[str, Callable[[float], float]] = {
    name: getattr(math, name) for name in ("exp", "log", "sqrt", "sin", "cos", "tan", "tanh")
}
# Numbers on the left and on the right that change nothing.
_NEUTRAL = {"add": (0, 0), "subtract": (None, 0), "multiply": (1, 1), "divide": (None, 1)}
_LIFTED = ("[None]", "[:, None]")


@dataclass(slots=True)
class Tape:
    """Values in the order of their calls, each call once."""

    values: list[Value] = field(default_factory=list)
    _known: dict[tuple[object, ...], Value] = field(default_factory=dict)

    def make(
        self,
        op: str,
        args: tuple[Value, ...] = (),
        attrs: tuple[str | float, ...] = (),
        shape: tuple[int, ...] = (),
        rows: tuple[bool, ...] = (),
        kind: Kind = "float",
    ) -> Value:
        """The value of this call as it stands; the one that is there already, if it is."""
        key = (op, *(a.serial for a in args), None, *map(repr, attrs), shape, rows)
        value = self._known.get(key)
        if value is None:
            serial = len(self.values)
            value = Value(
                op, args, attrs, shape, rows or (False,) * len(shape), kind, serial, serial
            )
            self.values.append(value)
            self._known[key] = value
        return value

    # ---- constants

    def const(self, number: float) -> Value:
        """A number."""
        return self.make("const", attrs=(float(number),))

    def full(self, number: float, shape: tuple[int, ...], rows: tuple[bool, ...] = ()) -> Value:
        """An array of one number."""
        if not shape:
            return self.const(number)
        return self.make("full", attrs=(float(number),), shape=shape, rows=rows)

    # ---- element by element

    def ufunc(self, op: str, *args: Value) -> Value:
        """A ufunc of its arguments, which broadcast."""
        args = self._as_numbers(args)
        found = self._folded(op, *args) if len(args) == 2 else self._evaluated(op, args[0])
        if found is not None:
            return found
        if op == "multiply" and args[0].number is not None:
            args = args[::-1]
        if op not in TESTS and not (op == "multiply" and any(a.kind == "float" for a in args)):
            args = tuple(self.floating(a) for a in args)
        shape, rows = _broadcast(args)
        if len(shape) == 2 and shape[0] == 1 and not rows[0]:
            # A vector beside a row: broadcasting costs as much again as the call.
            args = tuple(self.lift(a, 0) if len(a.shape) == 1 else a for a in args)
        for axis in (0, 1):
            if any(a.op == "view" and a.attrs == (_LIFTED[axis],) for a in args):
                flat = self._flattened(args, axis)
                if flat is not None:
                    return self.lift(self.ufunc(op, *flat), axis)
        return self.make(op, args, (), shape, rows, "bool" if op in TESTS else "float")

    def _folded(self, op: str, a: Value, b: Value) -> Value | None:
        """A result that is known, or a shorter call."""
        p, q = a.number, b.number
        if p is not None and q is not None and op in _FOLDED and not (op == "divide" and not q):
            return self.const(_FOLDED[op](p, q))
        left, right = _NEUTRAL.get(op, (None, None))
        shape, _ = _broadcast((a, b))
        if right is not None and q == right and a.shape == shape:
            return self.floating(a)
        if left is not None and p == left and b.shape == shape:
            return self.floating(b)
        if not shape:
            return None
        if op == "divide" and q:
            return self.scale(a, 1 / q)
        if op == "add" and a is b:
            return self.scale(a, 2)
        if op == "multiply":
            return self._product(b, a) if p is not None else self._product(a, b)
        if op in ("add", "subtract"):
            (x, f), (y, g) = self.parted(a), self.parted(b)
            if g is not None and f == g:
                return self.scale(self.ufunc(op, x, y), g)
            if g == -1:
                return self.ufunc("subtract" if op == "add" else "add", a, y)
            if op == "add" and f == -1:
                return self.ufunc("subtract", b, x)
        return None

    def _evaluated(self, op: str, a: Value) -> Value | None:
        """A function of a number."""
        function = _FUNCTIONS.get(op)
        if a.number is None or function is None:
            return None
        try:
            return self.const(function(a.number))
        except (ValueError, OverflowError):
            return None

    def _product(self, a: Value, b: Value) -> Value | None:
        """Constant factors come last: `bound_factors` finds the place for them."""
        (x, f), (y, g) = self.parted(a), self.parted(b)
        if b.number is not None:
            return None if f is None else self.scale(x, f * b.number)
        if f is not None or g is not None:
            return self.scale(self.ufunc("multiply", x, y), _times(f, g))
        for s, t in ((a, b), (b, a)):
            found = self._logistic_slope(s, t) or self._repeated_sum(s, t)
            if found is not None:
                return found
        return None

    def _logistic_slope(self, a: Value, b: Value) -> Value | None:
        """a (1 - a) for a = e/(1 + e) as a/(1 + e), where keeping 1 + e costs nothing."""
        if a.op != "divide" or a.size > SMALL or b.op != "subtract" or b.args[1] is not a:
            return None
        e, below = a.args
        if b.args[0].number != 1 or below.op != "add" or below.args[0] is not e:
            return None
        return self.ufunc("divide", a, below) if below.args[1].number == 1 else None

    def _repeated_sum(self, a: Value, b: Value) -> Value | None:
        """The sum of a vector times a vector of a single 1, as a product with ones."""
        if a.op == "multiply" and not a.shape and a.args[1].number is not None:
            found = self._repeated_sum(a.args[0], b)
            return None if found is None else self.scale(found, a.args[1].number)
        if a.op != "sum" or b.op != "full" or b.shape != (1,) or b.attrs != (1.0,):
            return None
        entries = a.args[0]
        if entries.size == 1 and not any(entries.rows):
            return entries if len(entries.shape) == 1 else self.drop(entries, 0)
        if len(entries.shape) == 2:
            return None
        return self.total(self.lift(entries, 1), 0)

    def _flattened(self, args: Sequence[Value], axis: int) -> list[Value] | None:
        """Arguments that are one row (axis 0) or column (axis 1) as vectors, if they all are."""
        flat = []
        for a in args:
            if len(a.shape) == 2 and a.shape[axis] == 1 and not a.rows[axis]:
                flat.append(self.drop(a, axis))
            elif a.size == 1 or (axis == 0 and len(a.shape) == 1):
                flat.append(a)
            else:
                return None
        return flat if any(len(a.shape) == 1 for a in flat) else None

    def _as_numbers(self, args: tuple[Value, ...]) -> tuple[Value, ...]:
        """Arrays of one number as that number, where the others have the shape of the result."""
        shape, _ = _broadcast(args)
        if not any(a.shape == shape and a.op != "full" for a in args):
            return args
        if not shape or not any(a.op == "full" for a in args):
            return args
        return tuple(self.const(float(a.attrs[0])) if a.op == "full" else a for a in args)

    def parted(self, value: Value) -> tuple[Value, float | None]:
        """An array as the product of another and a number: None where it is none."""
        if value.op == "multiply" and value.shape == value.args[0].shape and value.shape:
            number = value.args[1].number
            return (value, None) if number is None else (value.args[0], number)
        if value.op == "view" and value.shape:
            rest, number = self.parted(value.args[0])
            if number is not None:
                return self._view(rest, value.text, value.shape, value.rows), number
        return value, None

    def scale(self, value: Value, factor: float) -> Value:
        """A constant times a value."""
        return self.ufunc("multiply", value, self.const(factor))

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
        """The transpose of a matrix."""
        if value.op == "full":
            return self.full(float(value.attrs[0]), value.shape[::-1], value.rows[::-1])
        if value.op == "view" and value.attrs == (".T",):
            return value.args[0]
        for axis in (0, 1):
            if value.op == "view" and value.attrs == (_LIFTED[axis],):
                return self.lift(value.args[0], 1 - axis)
        return self._view(value, ".T", value.shape[::-1], value.rows[::-1])

    def lift(self, value: Value, axis: int) -> Value:
        """A vector as a row (axis 0) or a column (axis 1)."""
        (n,), (r,) = value.shape, value.rows
        shape, rows = ((1, n), (False, r)) if axis == 0 else ((n, 1), (r, False))
        if value.op == "full":
            return self.full(float(value.attrs[0]), shape, rows)
        return self._view(value, _LIFTED[axis], shape, rows)

    def drop(self, value: Value, axis: int) -> Value:
        """A matrix with one row (axis 0) or column (axis 1) as a vector."""
        kept = 1 - axis
        if value.op == "full":
            return self.full(float(value.attrs[0]), (value.shape[kept],), (value.rows[kept],))
        if value.op == "view" and value.attrs == (_LIFTED[axis],):
            return value.args[0]
        if value.op == "view" and value.attrs == (".T",):
            return self.drop(value.args[0], kept)
        text = ("[0]", "[:, 0]")[axis]
        return self._view(value, text, (value.shape[kept],), (value.rows[kept],))

    def part(
        self, value: Value, text: str, shape: tuple[int, ...], rows: tuple[bool, ...]
    ) -> Value:
        """A part of an array: a view, or one entry."""
        return self._view(value, text, shape, rows)

    def _view(
        self, value: Value, text: str, shape: tuple[int, ...], rows: tuple[bool, ...]
    ) -> Value:
        return self.make("view", (value,), (text,), shape, rows, value.kind)

    def copy(self, value: Value) -> Value:
        """The same entries in memory of their own."""
        return self.make("copy", (value,), ("copy",), value.shape, value.rows, value.kind)

    # ---- sums and products

    def dot(self, a: Value, b: Value) -> Value:
        """The product of matrices and vectors: the last axis of `a` meets the first of `b`."""
        a, b = self.floating(a), self.floating(b)
        (x, f), (y, g) = self.parted(a), self.parted(b)
        if f is not None or g is not None:
            return self.scale(self.dot(x, y), _times(f, g))
        if len(b.shape) == 2 and b.shape[1] == 1 and len(a.shape) == 2 and a.size > SMALL:
            return self.lift(self.dot(a, self.drop(b, 1)), 1)
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
            while a.op == "view" and a.args[0].size == a.size:
                a = a.args[0]
            rest, factor = self.parted(a)
            if factor is not None:
                return self.scale(self.total(rest), factor)
            if a.op == "multiply" and all(b.shape == a.shape for b in a.args):
                return self.vdot(*a.args)
            return self.make("sum", (a,))
        if a.shape[axis] == 1 and not a.rows[axis]:
            return self.drop(a, axis)
        ones = self.full(1.0, (a.shape[axis],), (a.rows[axis],))
        return self.dot(ones, a) if axis == 0 else self.dot(a, ones)

    def reduce(self, op: str, a: Value, axis: int) -> Value:
        """A ufunc along an axis."""
        a = self.floating(a)
        if len(a.shape) == 1:
            return self.make("reduce", (a,), (op, 0.0))
        kept = 1 - axis
        return self.make("reduce", (a,), (op, float(axis)), (a.shape[kept],), (a.rows[kept],))


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
