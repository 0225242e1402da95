"""The preallocated form of a gradient: memory allocated once, results written there.

From the same nodes as the readable form: NumPy calls (`bound_calls`), constant factors at
their best place, an order, and memory (`bound_memory`), a module (`bound_source`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chainrule.core.errors import UnsupportedError
from chainrule.core.expr import Expr, Shape
from chainrule.lower.bound_calls import Calls
from chainrule.lower.bound_memory import Parts, laid_out, live, ordered, sink_factors, split
from chainrule.lower.bound_source import Module
from chainrule.lower.bound_tape import Value

# An input is read in blocks where it is larger than this (bytes), so that a block is in the
# processor's cache when it is read the second time.
_LARGE = 1 << 25
_BLOCK = 1 << 23


def bound_source(
    loss: Expr,
    grads: Mapping[str, Expr],
    inputs: Mapping[str, Shape],
    sizes: Mapping[str, int],
    dtype: str,
    names: Mapping[Expr, str] | None = None,
    kinds: Mapping[str, str] | None = None,
    quick_tanh: bool = False,
) -> str:
    """The module's text."""
    roots = [loss, *grads.values()]

    def entered(block: tuple[str, int] | None) -> tuple[Calls, list[Value]]:
        calls = Calls(sizes, dtype, block, quick_tanh)
        calls.add(roots, names or {}, kinds or {})
        return calls, [calls.plain(root) for root in roots]

    calls, outputs = entered(None)
    parts, rows, total = None, 0, 0
    tall = _tall(live(outputs), inputs, sizes, dtype)
    if tall is not None:
        name, rows = tall
        total = sizes[name]
        try:
            blocked, found = entered((name, rows))
        except UnsupportedError:
            pass
        else:
            found = sink_factors(blocked.tape, found, -(-total // rows))
            parts = split(ordered(found))
            if parts is not None:
                calls, outputs = blocked, found
    if parts is None:
        outputs = sink_factors(calls.tape, outputs)
        parts = Parts(ordered(outputs))
    layout = laid_out(parts.all, outputs, parts.loop)
    given = {}
    for name, shape in inputs.items():
        given[name] = calls.input(name, shape, (kinds or {}).get(name, "float"))
    results = dict(zip(grads, outputs[1:], strict=True))
    return Module(
        dtype, layout, parts, rows, total, given, outputs[0], results, ["doc"], quick_tanh
    ).write()


def _tall(
    values: Sequence[Value], inputs: Mapping[str, Shape], sizes: Mapping[str, int], dtype: str
) -> tuple[str, int] | None:
    """A dimension to take in blocks, and the rows of one, where that saves reading twice.

    That is where a large matrix is multiplied with few columns only: else the products cost
    more than reading it.
    """
    width = 4 if dtype == "float32" else 8
    for v in values:
        if v.op != "input" or len(v.shape) != 2 or v.size * width < _LARGE:
            continue
        name = inputs[str(v.attrs[0])][0]
        products = [u for u in values if any(a.base is v for a in u.args) and u.op != "view"]
        thin = all(u.op == "dot" and u.size * 16 <= v.size for u in products)
        if isinstance(name, str) and name in sizes and thin and len(products) > 1:
            blocks = -(-v.size * width // _BLOCK)
            return name, -(-v.shape[0] // blocks)
    return None
