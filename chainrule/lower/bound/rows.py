"""What the structural rows are as NumPy calls that have a place for their result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import NamedTuple

from chainrule.core.expr import Apply
from chainrule.core.shape import Dim, Shape
from chainrule.lower.bound.tape import Tape
from chainrule.lower.bound.values import Value

# The least normal number, and the distance of 1 to the number below it.
LIMITS = {
    "float32": {"tiny": 2.0**-126, "epsneg": 2.0**-24},
    "float64": {"tiny": 2.0**-1022, "epsneg": 2.0**-53},
}


class Setting(NamedTuple):
    """What a row needs besides its arguments.

    Attributes:
        tape: for the calls.
        dtype: of the arrays.
        number: the size of a dimension, of all rows.
        sized: a shape in numbers, and which of its axes run over the rows of a block.
    """

    tape: Tape
    dtype: str
    number: Callable[[Dim], int]
    sized: Callable[[Shape], tuple[tuple[int, ...], tuple[bool, ...]]]


class Given(NamedTuple):
    """An argument: its value, and whether that holds the transpose."""

    value: Value
    turned: bool = False


def _plain(s: Setting, given: Given) -> Value:
    return s.tape.transpose(given.value) if given.turned else given.value


def _matmul(s: Setting, node: Apply, x: Given, y: Given) -> Value:
    tape, a, b = s.tape, _plain(s, x), _plain(s, y)
    if len(a.shape) == 1 and len(b.shape) == 2 and b.shape[0] == 1 and a.shape[0] != 1:
        return tape.ufunc("multiply", tape.lift(a, 1), b)
    if len(a.shape) == 2 and len(b.shape) == 1 and a.shape[0] == 1:
        return tape.dot(tape.drop(a, 0), b)
    return tape.dot(a, b)


def _transpose(s: Setting, node: Apply, x: Given) -> Value:
    if len(x.value.shape) == 1:
        return s.tape.lift(x.value, 0)
    return x.value if x.turned else s.tape.transpose(x.value)


def _dot(s: Setting, node: Apply, x: Given, y: Given) -> Value:
    if x.turned and y.turned:
        return s.tape.vdot(x.value, y.value)
    return s.tape.vdot(_plain(s, x), _plain(s, y))


def _outer(s: Setting, node: Apply, x: Given, y: Given) -> Value:
    return s.tape.ufunc("multiply", s.tape.lift(x.value, 1), s.tape.lift(y.value, 0))


def _sum(s: Setting, node: Apply, x: Given, *axis: Given) -> Value:
    if not axis:
        return s.tape.total(x.value)
    return s.tape.total(_plain(s, x), int(axis[0].value.number or 0))


def _mean(s: Setting, node: Apply, x: Given, *axis: Given) -> Value:
    dims = [s.number(d) for d in node.args[0].shape]
    count = dims[int(axis[0].value.number or 0)] if axis else prod(dims)
    return s.tape.ufunc("divide", _sum(s, node, x, *axis), s.tape.const(count))


def _mse(s: Setting, node: Apply, x: Given, y: Given) -> Value:
    tape, gap = s.tape, s.tape.ufunc("subtract", _plain(s, x), _plain(s, y))
    squares = tape.vdot(gap, gap) if gap.shape else tape.ufunc("multiply", gap, gap)
    count = prod(s.number(d) for d in node.args[0].shape)
    return tape.ufunc("divide", squares, tape.const(count))


def _binary(s: Setting, node: Apply, x: Given, y: Given) -> Value:
    """Probabilities of 0 and 1 stay finite, as in the row's own formula."""
    tape, p, target = s.tape, _plain(s, x), _plain(s, y)
    one = tape.const(1)
    low = tape.ufunc("maximum", p, tape.const(LIMITS[s.dtype]["tiny"]))
    high = tape.ufunc("minimum", p, tape.const(1 - LIMITS[s.dtype]["epsneg"]))
    yes = tape.ufunc("multiply", target, tape.ufunc("log", low))
    rest = tape.ufunc("log1p", tape.scale(high, -1))
    no = tape.ufunc("multiply", tape.ufunc("subtract", one, target), rest)
    count = prod(s.number(d) for d in node.args[0].shape)
    return tape.ufunc("divide", tape.total(tape.ufunc("add", yes, no)), tape.const(-count))


def _norm(s: Setting, node: Apply, x: Given) -> Value:
    return s.tape.ufunc("sqrt", s.tape.vdot(x.value, x.value))


# ---- along the rows: a value that holds the transpose has them as columns


class _Shifted(NamedTuple):
    """The greatest of each row, the difference to it, its exponential, the sums of these."""

    top: Value
    gap: Value
    raised: Value
    total: Value


def _along(s: Setting, op: str, x: Given) -> Value:
    """A reduction of each row, as a column; of a vector, a scalar."""
    tape, value = s.tape, x.value
    if len(value.shape) < 2:
        return tape.total(value) if op == "add" else tape.reduce(op, value, 0)
    if x.turned:
        return tape.lift(tape.reduce(op, value, 0), 1)
    return tape.lift(tape.total(value, 1) if op == "add" else tape.reduce(op, value, 1), 1)


def _facing(s: Setting, x: Given, columns: Value) -> Value:
    """A column as it broadcasts with the value."""
    return s.tape.transpose(columns) if x.turned else columns


def _shifted(s: Setting, x: Given) -> _Shifted:
    top = _along(s, "maximum", x)
    gap = s.tape.ufunc("subtract", x.value, _facing(s, x, top))
    raised = s.tape.ufunc("exp", gap)
    return _Shifted(top, gap, raised, _along(s, "add", Given(raised, x.turned)))


def _softmax(s: Setting, node: Apply, x: Given) -> Value:
    parts = _shifted(s, x)
    return s.tape.ufunc("divide", parts.raised, _facing(s, x, parts.total))


def _log_softmax(s: Setting, node: Apply, x: Given) -> Value:
    parts = _shifted(s, x)
    return s.tape.ufunc("subtract", parts.gap, _facing(s, x, s.tape.ufunc("log", parts.total)))


def _logsumexp(s: Setting, node: Apply, x: Given) -> Value:
    parts = _shifted(s, x)
    found = s.tape.ufunc("add", s.tape.ufunc("log", parts.total), parts.top)
    return s.tape.drop(found, 1) if found.shape else found


def _row_max(s: Setting, node: Apply, x: Given) -> Value:
    return _along(s, "maximum", x)


def _row_sum(s: Setting, node: Apply, x: Given) -> Value:
    return _along(s, "add", x)


# ---- constants and parts


def _filled(s: Setting, node: Apply, *_: Given) -> Value:
    shape, rows = s.sized(node.shape)
    return s.tape.full(1.0 if node.op.name == "ones" else 0.0, shape, rows)


def _full(s: Setting, node: Apply, value: Given, *_: Given) -> Value:
    return s.tape.ufunc("multiply", s.tape.full(1.0, *s.sized(node.shape)), value.value)


def _one_hot(s: Setting, node: Apply, labels: Given, classes: Given) -> Value:
    count = int(classes.value.number or 0)
    numbers = s.tape.make("fixed", (), (f"np.arange({count})",), (count,), (False,), "int")
    return s.tape.ufunc("equal", s.tape.lift(labels.value, 1), numbers)


def _index(s: Setting, node: Apply, x: Given, *places: Given) -> Value:
    text = ", ".join(str(int(p.value.number or 0)) for p in places)
    return s.tape.part(_plain(s, x), f"[{text}]", *s.sized(node.shape))


def _slice(s: Setting, node: Apply, x: Given, *bounds: Given) -> Value:
    ends = [int(b.value.number or 0) for b in bounds]
    pairs = zip(ends[::2], ends[1::2], strict=True)
    text = ", ".join(f"{a}:{b}" for a, b in pairs)
    return s.tape.part(_plain(s, x), f"[{text}]", *s.sized(node.shape))


def _column(s: Setting, node: Apply, x: Given) -> Value:
    return s.tape.lift(x.value, 1)


def _flat(s: Setting, node: Apply, x: Given) -> Value:
    return s.tape.drop(_plain(s, x), 1)


ROWS: Mapping[str, Callable[..., Value]] = {
    "matmul": _matmul,
    "transpose": _transpose,
    "dot": _dot,
    "outer": _outer,
    "sum": _sum,
    "mean": _mean,
    "mse": _mse,
    "binary_cross_entropy": _binary,
    "norm": _norm,
    "logsumexp": _logsumexp,
    "rowmax": _row_max,
    "rowsum": _row_sum,
    "ones": _filled,
    "zeros": _filled,
    "full": _full,
    "one_hot": _one_hot,
    "index": _index,
    "slice": _slice,
    "column": _column,
    "flat": _flat,
}
# Their value holds the transpose where the argument's does.
ROWWISE: Mapping[str, Callable[..., Value]] = {"softmax": _softmax, "log_softmax": _log_softmax}
SOFTMAXES: Sequence[str] = ("softmax", "log_softmax", "logsumexp", "rowmax")
