"""One object for equal expressions: the tables of all nodes, and how they are swept.

Looking up takes no lock, and entering an application neither (a lock costs as much as half
a node): `setdefault` decides between threads, and a mark tells a sweep that an entry is
under way. What only the tables hold is swept out whenever the number of nodes has doubled.
"""

from __future__ import annotations

import sys
from _thread import RLock  # as `threading` has it, which takes longer to import
from itertools import count
from operator import attrgetter
from typing import Any, TypeVar

Node = TypeVar("Node")

FIRST_SWEEP = 500_000

applications: dict[Any, dict[tuple[Any, ...], Any]] = {}
"""For each operator a table from arguments to the application."""
constants: dict[Any, Any] = {}
floats: dict[float, Any] = {}
"""A way past reading the digits; emptied by a sweep."""
symbols: dict[Any, Any] = {}

serials = count()
_entering: list[None] = []
begin, end = _entering.append, _entering.pop
sweeping = False
sweep_at = FIRST_SWEEP

_lock = RLock()
_serial = attrgetter("serial")


def enter(table: dict[Any, Node], key: Any, node: Any) -> Node:
    """The node in the table for the key: `node`, unless another thread was faster.

    It gets its serial here, so it is younger than its arguments.
    """
    with _lock:
        node.serial = next(serials)
        return table.setdefault(key, node)


def sweep() -> bool:
    """Drop the nodes that only the tables hold; False if it has to be done later."""
    global sweeping, sweep_at
    with _lock:
        if sweeping:  # called by a finalizer during a sweep
            return False
        sweeping = True
        try:
            if _entering:  # another thread may be about to use a key that is out for a moment
                sweep_at = next(serials) + 1_000
                return False
            _drop()
            left = len(constants) + len(symbols) + sum(map(len, list(applications.values())))
            sweep_at = next(serials) + max(FIRST_SWEEP, left)
        finally:
            sweeping = False
    return True


def _drop() -> None:
    floats.clear()
    nodes: list[Any] = []
    for table in list(applications.values()):
        nodes += table.values()
    nodes.sort(key=_serial)
    node: Any = object()
    held = [node]
    alone = sys.getrefcount(node)  # by a table, the variable here, and the call
    while nodes:  # users before arguments, so one pass does
        node = nodes.pop()
        if sys.getrefcount(node) == alone:
            table = applications[node.op]
            del table[node.args]
            # A lookup in another thread may have been between the count and the deletion.
            if sys.getrefcount(node) != alone - 1:
                table[node.args] = node
    del held
    for leaves in (constants, symbols):
        for key in list(leaves):
            node = leaves[key]
            if sys.getrefcount(node) == alone:
                del leaves[key]
                if sys.getrefcount(node) != alone - 1:
                    leaves[key] = node
