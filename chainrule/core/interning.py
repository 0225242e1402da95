"""One object for equal expressions: the tables of all nodes, and how they are swept.

Looking up takes no lock, and entering neither (a lock costs as much as half a node):
`setdefault` decides between threads, and a mark tells a sweep that an entry is under way.
What only the tables hold is swept out each time the number of nodes has doubled.
"""

from __future__ import annotations

import sys
import threading
from itertools import count
from operator import attrgetter
from typing import Any, TypeVar

Node = TypeVar("Node")

FIRST_SWEEP = 500_000

applications: dict[Any, dict[tuple[Any, ...], Any]] = {}
"""For each operator a table from arguments to the application."""
constants: dict[Any, Any] = {}
symbols: dict[Any, Any] = {}

_serials = count()
_entering: list[None] = []
_mark, _unmark = _entering.append, _entering.pop
_sweeping = False
_sweep_at = FIRST_SWEEP
_lock = threading.RLock()
_serial = attrgetter("serial")


def enter(table: dict[Any, Node], key: Any, node: Any) -> Node:
    """The node in the table for the key: `node`, unless another thread was faster.

    It gets its serial here, so it is younger than its arguments.
    """
    node.serial = serial = next(_serials)
    try:
        _mark(None)
        present = None if _sweeping else table.setdefault(key, node)
    finally:
        _unmark()
    if present is None:
        with _lock:  # until the sweep is done
            present = table.setdefault(key, node)
    if serial >= _sweep_at:
        sweep()
    return present


def sweep() -> bool:
    """Drop the nodes that only the tables hold; False if it has to be done later."""
    global _sweeping, _sweep_at
    with _lock:
        if _sweeping:  # called by a finalizer during a sweep
            return False
        _sweeping = True
        try:
            if _entering:  # another thread may be about to use a key that is out for a moment
                _sweep_at = next(_serials) + 1_000
                return False
            _drop()
            left = len(constants) + len(symbols) + sum(map(len, applications.values()))
            _sweep_at = next(_serials) + max(FIRST_SWEEP, left)
        finally:
            _sweeping = False
    return True


def _drop() -> None:
    nodes: list[Any] = []
    for table in applications.values():
        nodes += table.values()
    nodes.sort(key=_serial)
    probe = object()
    held = [probe]
    alone = sys.getrefcount(probe)  # by a table, the variable here, and the call
    while nodes:  # users before arguments, so one pass does
        node = nodes.pop()
        if sys.getrefcount(node) == alone:
            table = applications[node.op]
            del table[node.args]
            # A lookup in another thread may have been between the count and the deletion.
            if sys.getrefcount(node) != alone - 1:
                table[node.args] = node
    del node, held
    for leaves in (constants, symbols):
        for key in list(leaves):
            node = leaves[key]
            if sys.getrefcount(node) == alone:
                del leaves[key]
                if sys.getrefcount(node) != alone - 1:
                    leaves[key] = node
