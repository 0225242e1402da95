"""What a node costs: build a DAG of a million operations, differentiate it backwards.

    python tests/benchmarks/nodes.py [--n 1000000]

y = y + sin(y) x_i, three operations a round, x_i one of a thousand symbols. `prototype` is
as lean as plain Python gets; chainrule's nodes have shapes, any number of arguments, locks
for threads, sweeps of what nobody holds, and canonical folding.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from harness import Result, in_turn, log, once, peak, pin, setting, table


def contender(name: str) -> tuple[Any, Any, Any, Any]:
    """Its symbols, sine, gradient, and how many nodes there are."""
    if name == "prototype":
        import prototype

        return (
            lambda n: [prototype.symbol(f"x{i}") for i in range(n)], prototype.sin,
            prototype.gradient, lambda: len(prototype.NODES),
        )  # fmt: skip
    from chainrule import symbolic
    from chainrule.core import interning

    return (
        lambda n: list(symbolic.symbols([f"x{i}" for i in range(n)])), symbolic.sin,
        symbolic.gradient,
        lambda: len(interning.symbols) + sum(map(len, interning.applications.values())),
    )  # fmt: skip


def measure(name: str, n: int, collector: bool) -> Result:
    """Nanoseconds and bytes a node, with Python's garbage collector on or off."""
    symbols, sin, gradient, size = contender(name)
    base = peak()
    if not collector:
        gc.freeze()
        gc.disable()
    start = time.process_time()
    xs = symbols(1000)
    y = xs[0]
    for i in range(n // 3):
        y = y + sin(y) * xs[i % 1000]
    built, forward = time.process_time(), size()
    slopes = gradient(y, xs)
    done, created = time.process_time(), size()
    assert len(slopes) == 1000
    return {"build": (built - start) / forward, "total": (done - start) / created,
            "created": created / forward, "bytes": (peak() - base) / created}  # fmt: skip


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--n", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    pin()
    rows = []
    for collector in (True, False):
        runs = in_turn(
            ["prototype", "chainrule"],
            lambda name, c=collector: once(measure, name, args.n, c, timeout=300),
            args.rounds, enough=1e9,
        )  # fmt: skip
        for name, done in runs.items():
            best = min(done, key=lambda r: r["total"])
            rows.append([
                name, "on" if collector else "off", f"{best['build'] * 1e6:.2f}",
                f"{best['total'] * 1e6:.2f}", f"{best['created']:.2f}", f"{best['bytes']:.0f}",
            ])  # fmt: skip
            log(*rows[-1])
    print(f"{setting()}\n")
    print(table(["", "collector", "µs a node built", "µs a node, with its gradient",
                 "nodes created / built", "bytes a node, at the peak"], rows))  # fmt: skip


if __name__ == "__main__":
    main()
