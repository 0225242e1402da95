"""Arguments of all shapes that a row of the table takes, and values for them.

Nothing here knows the name of a row: what a row refuses is left out.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest

import chainrule.core.table
from chainrule.checking.array_values import evaluate
from chainrule.checking.numbers import context
from chainrule.core import ops
from chainrule.core.errors import ShapeError, UnsupportedError
from chainrule.core.expr import Apply, Expr, Sym, apply, const, symbol
from chainrule.core.ops import Operator
from chainrule.core.shape import Shape, size_of
from chainrule.core.table.structural import no_slope

assert chainrule.core.table

M = context(60)
SIZES = {"m": 2, "n": 3}
NAMED = {2: "m", 3: "n"}
SHAPES: list[Shape] = [
    (), (1,), (2,), (3,), (1, 1), (1, 3), (3, 1), (2, 1), (1, 2), (2, 3), (3, 2), (3, 3), (2, 2),
]  # fmt: skip
ENTRYWISE: list[Shape] = [(), (1,), (3,), (1, 3), (2, 1), (2, 3)]
MOST = 60  # forms of a row with many
RANGES = ((0.15, 0.85), (1.15, 2.6), (-0.9, 0.9), (-2.6, -1.15))


def candidates(row: Operator, slot: int) -> list[Any]:
    """What may stand in a slot: a shape, or the number of an axis, a place, a dimension."""
    if row.shape is None:
        return [2] if row.rule(slot) == "no rule" else ENTRYWISE
    if row.variadic:
        return SHAPES if slot else [0, 1]
    return [0, 1, 2, 3, (2,)] if row.maps[slot] is no_slope else SHAPES


def arguments(form: Sequence[Any], named: bool) -> tuple[Expr, ...]:
    out: list[Expr] = []
    for slot, given in enumerate(form):
        if isinstance(given, int):
            out.append(const(given))
        else:
            shape = tuple(NAMED.get(d, d) if named else d for d in given)
            out.append(symbol(f"a{slot}", shape))
    return tuple(out)


def accepted(row: Operator, form: Sequence[Any], named: bool) -> Apply | None:
    try:
        return apply(row, *arguments(form, named))
    except (ShapeError, UnsupportedError):
        return None


def forms(row: Operator) -> Iterator[tuple[Any, ...]]:
    """Arguments the row takes, with every number of them."""
    low, high = row.arity
    for count in range(max(low, 1), (3 if high is None else high) + 1):
        pools = [candidates(row, slot) for slot in range(count)]
        found = [f for f in product(*pools) if accepted(row, f, named=False) is not None]
        chosen = random.Random(row.name).sample(found, min(MOST, len(found)))
        yield from chosen


def cases() -> list[Any]:
    return [pytest.param(row, id=row.name) for row in ops.rows() if row.arity[1] != 0]


def sizes(shape: Shape) -> tuple[int, ...]:
    return tuple(size_of(d, SIZES) for d in shape)


def draw(rng: random.Random, shape: Shape, low: float, high: float) -> Any:
    entries = np.empty(sizes(shape), dtype=object)
    for place in np.ndindex(entries.shape):
        entries[place] = M.mpf(repr(rng.uniform(low, high)))
    return entries if shape else entries.item()


def run(roots: Sequence[Expr], values: Mapping[str, Any]) -> list[Any]:
    return [np.asarray(v, dtype=object) for v in evaluate(list(roots), values, SIZES, M)]


def finite(value: Any) -> bool:
    return all(M.isfinite(v) for v in np.asarray(value, dtype=object).flat)


def point(node: Apply, rng: random.Random) -> dict[str, Any]:
    """Values at which the node and its second derivatives are numbers, away from kinks."""
    leaves = [a for a in node.args if isinstance(a, Sym)]
    kinks = [k.where for k in node.op.kinks(*node.args)]
    for attempt in range(400):
        values = {a.name: draw(rng, a.shape, *RANGES[attempt % 4]) for a in leaves}
        if not leaves:
            return values
        there, *hit = run([node, *kinks], values)
        if finite(there) and not any(np.any(h != 0) for h in hit):
            return values
    raise AssertionError(f"{node} is defined at none of the points tried")


def all_forms(row: Operator) -> Iterator[tuple[Apply, random.Random]]:
    seen = False
    for count, form in enumerate(forms(row)):
        named = count % 2 == 1
        node = accepted(row, form, named)
        if node is None:
            node = accepted(row, form, named=False)
        assert node is not None
        seen = True
        yield node, random.Random(f"{row.name}{form}")
    assert seen, f"no arguments were found for {row.name}"
