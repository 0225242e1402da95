"""Where results lie: calls in order, memory shared, rows taken in blocks.

A value's memory is free after the last call that reads it, views included; an element-wise
call writes over an argument that ends with it. What is returned keeps memory of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

from chainrule.lower.bound.factors import live
from chainrule.lower.bound.values import FREE, UFUNCS, Kind, Value

# ---- order


def ordered(outputs: Sequence[Value]) -> list[Value]:
    """What the outputs need; a result that nothing else reads comes as soon as it can."""
    values = live(outputs)
    users: dict[Value, list[Value]] = {}
    for v in values:
        for a in dict.fromkeys(v.args):
            users.setdefault(a, []).append(v)
    missing = {v: len(dict.fromkeys(v.args)) for v in values}

    def place(v: Value) -> tuple[bool, int, int]:
        return (v.op != "view" and v in users, v.order, v.serial)

    ready = [(place(v), v) for v in values if not v.args]
    heapify(ready)
    done: list[Value] = []
    while ready:
        _, v = heappop(ready)
        done.append(v)
        for u in users.get(v, ()):
            missing[u] -= 1
            if not missing[u]:
                heappush(ready, (place(u), u))
    return done


# ---- memory


@dataclass(slots=True, eq=False)
class Store:
    """A piece of memory, for one value after another."""

    kind: Kind
    size: int
    rows: bool
    kept: bool = False
    values: list[Value] = field(default_factory=list)


@dataclass(slots=True)
class Layout:
    """The stores, and the one of each value that owns memory."""

    stores: list[Store]
    of: dict[Value, Store]


def laid_out(order: Sequence[Value], outputs: Iterable[Value], loop: range = range(0)) -> Layout:
    """Memory for the values, computed in this order; the calls at `loop` are repeated."""
    last: dict[Value, int] = {}
    for i, value in enumerate(order):
        last[value.base] = i
        for a in value.args:
            last[a.base] = i
    for i in loop:
        for a in order[i].args:
            if not any(a.base.rows):
                last[a.base] = max(last[a.base], loop.stop - 1)
    for value in outputs:
        last[value.base] = len(order)
    sums = {order[i] for i in loop if not any(order[i].rows)}
    results = {value.base for value in outputs}
    ends: dict[int, list[Value]] = {}
    for value, i in last.items():
        ends.setdefault(i, []).append(value)
    layout, free = Layout([], {}), _Free()
    for i, value in enumerate(order):
        taken: Store | None = None
        if value.op not in FREE and value.shape:
            taken = _over(value, i, last, layout.of, results)
            if taken is None and value not in results and value not in sums:
                taken = free.take(value)
            if taken is None:
                taken = Store(value.kind, value.size, any(value.rows))
                layout.stores.append(taken)
            taken.size = max(taken.size, value.size)
            taken.values.append(value)
            taken.kept = taken.kept or value in results or value in sums
            layout.of[value] = taken
        for ended in ends.get(i, ()):
            store = layout.of.get(ended)
            if store is not None and store is not taken and not store.kept:
                free.add(store)
        if taken is not None and last[value] == i and not taken.kept:
            free.add(taken)
    return layout


def _over(
    value: Value, i: int, last: Mapping[Value, int], of: Mapping[Value, Store], results: set[Value]
) -> Store | None:
    """The memory of an argument that the call may write over."""
    if value.op in UFUNCS:
        candidates = value.args
    elif value.op == "where":
        candidates = value.args[2:]
    else:
        return None
    for a in candidates:
        # A view of the same memory among the arguments would be read after it is written.
        shared = any(b is not a and b.base is a.base for b in value.args)
        if (
            a.base is a and a.shape == value.shape and a.rows == value.rows and a in of
            and last[a] == i and of[a].kind == value.kind and not shared and not of[a].kept
        ):  # fmt: skip
            return of[a]
    return None


class _Free:
    """Memory that nothing needs any more."""

    def __init__(self) -> None:
        self._by_size: dict[tuple[Kind, bool], dict[int, list[Store]]] = {}

    def add(self, store: Store) -> None:
        same = self._by_size.setdefault((store.kind, store.rows), {})
        same.setdefault(store.size, []).append(store)

    def take(self, value: Value) -> Store | None:
        """What fits best, of equals the one used last; else the largest, to be made larger."""
        same = self._by_size.get((value.kind, any(value.rows)))
        if not same:
            return None
        size = min((n for n in same if n >= value.size), default=max(same))
        store = same[size].pop()
        if not same[size]:
            del same[size]
        return store


# ---- blocks of rows


@dataclass(frozen=True, slots=True)
class Parts:
    """The calls before, in, and after a loop over blocks of rows; all before, without one."""

    before: Sequence[Value]
    inside: Sequence[Value] = ()
    after: Sequence[Value] = ()

    @property
    def all(self) -> list[Value]:
        """The calls in order."""
        return [*self.before, *self.inside, *self.after]

    @property
    def loop(self) -> range:
        """Where the repeated calls are in `all`."""
        return range(len(self.before), len(self.before) + len(self.inside))


def split(order: Sequence[Value]) -> Parts | None:
    """The parts of a program that takes its rows in blocks; None where it cannot.

    It can where what depends on the rows is computed row by row, and what is left of them
    are sums that no row waits for.
    """
    before: list[Value] = []
    inside: list[Value] = []
    after: list[Value] = []
    late: set[Value] = set()
    for v in order:
        rowwise = any(v.rows)
        if any(a in late for a in v.args):
            if rowwise:
                return None
            late.add(v)
            after.append(v)
        elif rowwise:
            if sum(v.rows) > 1 or v.op == "call":
                return None
            inside.append(v)
        elif any(any(a.rows) for a in v.args):
            if v.op not in ("dot", "vdot", "sum") and (v.op, v.attrs[:1]) != ("reduce", ("add",)):
                return None
            late.add(v)
            inside.append(v)
        else:
            before.append(v)
    return Parts(before, inside, after)
