"""The preallocated form of a gradient: memory allocated once, results written there.

From the same schedule as the readable form: NumPy calls (`bound_calls`), constant factors at
their best place (`bound_factors`), an order, and memory (`bound_memory`), a module
(`bound_source`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast

from chainrule.core.errors import UnsupportedError, UsageError
from chainrule.core.expr import Expr, Sym, topological
from chainrule.core.shape import dimension_names
from chainrule.lower.bound.calls import Calls
from chainrule.lower.bound.factors import live, sink_factors
from chainrule.lower.bound.memory import Parts, laid_out, ordered, split
from chainrule.lower.bound.source import Module, Plan
from chainrule.lower.bound.values import Value
from chainrule.lower.load import load
from chainrule.lower.numpy_lines import RESERVED
from chainrule.lower.schedule import Names, Schedule

# A matrix larger than this (bytes) is not in the processor's cache when it is read again; a
# block of it is.
_LARGE = 1 << 25
_BLOCK = 1 << 23
_WIDTHS = {"float32": 4, "float64": 8}
# A product with so few columns costs less than reading the matrix.
_THIN = 16
_NUMBERED = re.compile(r"[a-z]\d+")


class Bound(Protocol):
    """A step with memory of its own; `source` is the text of its module.

    The arrays it returns are the same ones each time, unless it was bound with `copy=True`.
    """

    source: str

    def __call__(self, **inputs: Any) -> tuple[Any, dict[str, Any]]:
        """The value, and its derivatives by name."""


def bind(
    schedule: Schedule,
    sizes: Mapping[str, int],
    dtype: str = "float64",
    *,
    fast_tanh: bool = False,
    copy: bool = False,
) -> Bound:
    """Allocate the memory of a schedule, and return the step that uses it.

    Args:
        schedule: value and derivatives.
        sizes: of the named dimensions; `batch` stands for the only one there is.
        dtype: of all arrays, `float32` or `float64`.
        fast_tanh: tanh as 1 - 2/(exp(2x) + 1): accurate to the rounding of 1 instead of that
            of tanh(x), and twice as fast.
        copy: return arrays of their own with each call.

    Raises:
        UsageError: a dimension has no size, or none of this name is there; too large a size.
    """
    source = bound_source(schedule, sizes, dtype, fast_tanh=fast_tanh, copy=copy)
    try:
        step = cast(Bound, load(source)["bind"]())
    except (MemoryError, ValueError):  # ValueError: more bytes than NumPy can count
        raise UsageError("arrays of these sizes do not fit into memory") from None
    if all(name == own for name, own in schedule.inputs.items()):
        step.source = source
        return step
    return _ByName(step, schedule.inputs, source)


class _ByName:
    """A step whose inputs go by their own names, where some are no identifiers of Python."""

    def __init__(self, step: Bound, names: Mapping[str, str], source: str) -> None:
        self._step, self._names, self.source = step, names, source

    def __call__(self, /, **inputs: Any) -> tuple[Any, dict[str, Any]]:
        return self._step(**{self._names.get(name, name): a for name, a in inputs.items()})


def bound_source(
    schedule: Schedule,
    sizes: Mapping[str, int],
    dtype: str = "float64",
    *,
    fast_tanh: bool = False,
    copy: bool = False,
) -> str:
    """The text of the module that `bind` loads."""
    if dtype not in _WIDTHS:
        raise UsageError(f"no dtype {dtype!r}", hint=f"one of {', '.join(_WIDTHS)}")
    inputs = schedule.lowered.inputs
    sizes = _sized(inputs, sizes)
    roots = [*schedule.outputs.values(), *schedule.results.values()]
    order = _nodes(schedule, roots)
    labels = _labels(order)
    called = Names(schedule, RESERVED)
    names: dict[Expr, str] = {
        node: name for node in schedule.order if not _NUMBERED.fullmatch(name := called.name(node))
    }

    def entered(block: tuple[str, int] | None) -> tuple[Calls, list[Value]]:
        calls = Calls(sizes, dtype, block, fast_tanh)
        calls.add(order, names, labels)
        return calls, calls.results(roots)

    calls, outputs = entered(None)
    parts, rows, total = None, 0, 0
    tall = _tall(live(outputs), inputs, sizes, _WIDTHS[dtype])
    if tall is not None:
        try:
            blocked, found = entered(tall)
        except UnsupportedError:
            found = []  # the rows are no axis of their own everywhere
        if found:
            name, rows = tall
            total = sizes[name]
            found = sink_factors(blocked.tape, found, -(-total // rows))
            parts = split(ordered(found))
            if parts is not None:
                calls, outputs = blocked, found
    if parts is None:
        outputs = sink_factors(calls.tape, outputs)
        parts = Parts(ordered(outputs))
    given = {
        schedule.inputs[s.name]: calls.input(
            s.name, s.shape, "int" if s.name in labels else "float"
        )
        for s in inputs
    }
    results = dict(zip(schedule.results, outputs[len(schedule.outputs) :], strict=True))
    layout = laid_out(parts.all, outputs, parts.loop)
    plan = Plan(dtype, given, outputs[0], results, parts, layout, rows, total, copy)
    return Module(plan).write()


def _sized(inputs: Sequence[Sym], sizes: Mapping[str, int]) -> dict[str, int]:
    """Every named dimension with its size."""
    names = dimension_names(s.shape for s in inputs)
    found = dict(sizes)
    if "batch" in found and "batch" not in names and len(names) == 1:
        found[names[0]] = found.pop("batch")
    for name, size in found.items():
        if name not in names:
            known = ", ".join(names) or "none"
            raise UsageError(f"no dimension {name}", hint=f"the named dimensions: {known}")
        if not isinstance(size, int) or size < 1:
            raise UsageError(f"the dimension {name} is {size!r}", hint="a positive whole number")
    missing = [name for name in names if name not in found]
    if missing:
        example = ", ".join(f"{name}=128" for name in missing)
        raise UsageError(f"the size of {', '.join(missing)} is not given", hint=f"bind({example})")
    return found


def _nodes(schedule: Schedule, roots: Sequence[Expr]) -> list[Expr]:
    """All nodes in the order of the statements, leaves where they are first read."""
    order: dict[Expr, None] = {}
    for node in (*schedule.order, *roots):
        for a in node.args:
            if a not in order:  # a leaf, or a size made of dimensions
                order.update(dict.fromkeys(topological([a])))
        order[node] = None
    return list(order)


def _labels(nodes: Sequence[Expr]) -> set[str]:
    """Inputs that are class numbers everywhere."""
    found: set[str] = set()
    other: set[str] = set()
    for node in nodes:
        for i, a in enumerate(node.args):
            if isinstance(a, Sym):
                is_label = node.op is not None and node.op.name == "one_hot" and not i
                (found if is_label else other).add(a.name)
    return found - other


def _tall(
    values: Sequence[Value], inputs: Sequence[Sym], sizes: Mapping[str, int], width: int
) -> tuple[str, int] | None:
    """A dimension to take in blocks, and the size of one, where that saves reading twice.

    That is where a large matrix is multiplied with few columns only: else the products cost
    more than reading it.
    """
    shapes = {s.name: s.shape for s in inputs}
    for v in values:
        if v.op != "input" or len(v.shape) != 2 or v.size * width < _LARGE:
            continue
        name = shapes[v.text][0]
        products = [u for u in values if u.op != "view" and any(a.base is v for a in u.args)]
        thin = all(u.op == "dot" and u.size * _THIN <= v.size for u in products)
        if isinstance(name, str) and name in sizes and thin and len(products) > 1:
            count = -(-v.size * width // _BLOCK)
            return name, -(-v.shape[0] // count)
    return None
