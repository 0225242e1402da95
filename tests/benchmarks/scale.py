"""Each stage from 10^3 to 10^6 nodes: time and memory a node, and how they grow.

    python tests/benchmarks/scale.py [--case chain,squaring,network] [--stage parse,derive]

Every measurement runs in a process of its own. The slope is the time at ten times the nodes
over the time at these: 10 is linear. A stage is not asked for more once it takes longer than
`--timeout`; memory is what the process has at its peak above the size before the stage, so
what is freed before the stage's own peak is not seen.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from cases import chain, mlp, squaring
from harness import Result, log, once, peak, pin, setting, show_time, table

import chainrule as cr
from chainrule import symbolic
from chainrule.core.expr import ONE, Apply, Expr, apply, symbol, topological
from chainrule.core.program import Program
from chainrule.derivation.paths import Graph
from chainrule.derivation.steps import Edge

SIZES = (1_000, 10_000, 100_000, 1_000_000)


class Symbolic:
    """`chainrule.symbolic` as the formulas of `cases` take it."""

    sin, cos, tanh = map(staticmethod, (symbolic.sin, symbolic.cos, symbolic.tanh))

    def symbols(self, n: int) -> list[Expr]:
        return list(symbolic.symbols([f"x{i}" for i in range(n)]))

    def add(self, terms: list[Expr]) -> Expr:
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        return total


def _layer_width(nodes: int) -> int:
    """The width n of a 10-n-n-1 network of about so many nodes."""
    return max(2, round((nodes / 2) ** 0.5) - 5)


FORMULAS: dict[str, Callable[[int], tuple[list[Expr], list[Expr]]]] = {
    "chain": lambda nodes: chain(Symbolic(), nodes),
    "squaring": lambda nodes: squaring(Symbolic(), nodes // 2),
    "network": lambda nodes: mlp(Symbolic(), _layer_width(nodes)),
}


def program_of(case: str, nodes: int) -> tuple[Program, list[str]]:
    """The case as a program, and its first variable."""
    (y,), xs = FORMULAS[case](nodes)
    return Program("", (("y", y),), ("y",)), [repr(xs[0])]


def text_of(case: str, nodes: int) -> str:
    """The case as a text, one operation a statement."""
    (y,), _ = FORMULAS[case](nodes)
    names: dict[Expr, str] = {}
    rows = []
    for node in topological([y]):
        if isinstance(node, Apply):
            operands = [names.get(a, repr(a)) for a in node.args]
            sign = {"add": " + ", "mul": "*"}.get(node.op.name)
            names[node] = f"t{len(names)}"
            told = sign.join(operands) if sign else f"{node.op.name}({operands[0]})"
            rows.append(f"{names[node]} = {told}")
    return "; ".join(rows)


# Each stage prepares what it needs and returns what is to be timed.


def parse(case: str, nodes: int) -> Callable[[], Any]:
    text = text_of(case, nodes)
    return lambda: cr.parse(text)


def build(case: str, nodes: int) -> Callable[[], Any]:
    return lambda: FORMULAS[case](nodes)


def shape(case: str, nodes: int) -> Callable[[], Any]:
    """The same operations over vectors: building is finding shapes."""
    (y,), _ = FORMULAS[case](nodes)
    order = topological([y])

    def run() -> Expr:
        done: dict[Expr, Expr] = {}
        for node in order:
            if isinstance(node, Apply):
                done[node] = apply(node.op, *(done[a] for a in node.args))
            else:
                done[node] = symbol(repr(node), ("N",))
        return done[y]

    return run


def differentiate(case: str, nodes: int) -> Callable[[], Any]:
    (y,), xs = FORMULAS[case](nodes)
    return lambda: symbolic.gradient(y, xs)


def count(case: str, nodes: int) -> Callable[[], Any]:
    """The exact number of paths; of the squarings it has as many bits as there are of them."""
    (y,), xs = FORMULAS[case](nodes)
    names = {node: str(i) for i, node in enumerate(topological([y]))}
    graph = Graph.of(
        [name for node, name in names.items() if isinstance(node, Apply)],
        [Edge(name, names[a], ONE, "") for node, name in names.items() for a in node.args],
    )
    return lambda: graph.counts(names[xs[0]])


def derive(case: str, nodes: int) -> Callable[[], Any]:
    program, by = program_of(case, nodes)
    return lambda: cr.derive(program, by, verify="off")


def _derivation(case: str, nodes: int, verify: Any = "off") -> cr.Derivation:
    program, by = program_of(case, nodes)
    return cr.derive(program, by, verify=verify)


def text(case: str, nodes: int) -> Callable[[], Any]:
    return _derivation(case, nodes).__str__


def latex(case: str, nodes: int) -> Callable[[], Any]:
    return _derivation(case, nodes).latex


def json(case: str, nodes: int) -> Callable[[], Any]:
    return _derivation(case, nodes).json


def verify(case: str, nodes: int) -> Callable[[], Any]:
    found = _derivation(case, nodes, "numeric")
    return lambda: found.verification


def compile(case: str, nodes: int) -> Callable[[], Any]:
    program, by = program_of(case, nodes)
    return lambda: cr.compile(program, by)


STAGES = {
    f.__name__: f for f in (
        parse, build, shape, differentiate, count, derive, text, latex, json, verify, compile
    )
}  # fmt: skip


def measure(stage: str, case: str, nodes: int) -> Result:
    """Seconds and bytes of a stage."""
    run = STAGES[stage](case, nodes)
    gc.collect()
    before, start = peak(), time.process_time()
    run()
    seconds = time.process_time() - start
    return {"total": seconds, "bytes": peak() - before}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--case", default=",".join(FORMULAS))
    parser.add_argument("--stage", default=",".join(STAGES))
    parser.add_argument("--most", type=int, default=SIZES[-1], help="nodes")
    parser.add_argument("--timeout", type=float, default=120)
    args = parser.parse_args()
    pin()
    print(setting("chainrule"))
    header = ["case", "stage", *(f"{n:,} nodes" for n in SIZES), "slopes"]
    print(table(header, []))
    for case in args.case.split(","):
        for stage in args.stage.split(","):
            results = []
            for nodes in (n for n in SIZES if n <= args.most):
                results.append(once(measure, stage, case, nodes, timeout=args.timeout))
                log(stage, case, nodes, results[-1])
                if "skip" in results[-1]:
                    break
            row = [case, stage, *map(shown, SIZES, results), *["–"] * (len(SIZES) - len(results))]
            times = [r["total"] for r in results if "total" in r]
            row.append(", ".join(f"{b / a:.3g}" for a, b in pairwise(times)))
            print(table(row, []).splitlines()[0], flush=True)


def shown(nodes: int, result: Result) -> str:
    """Time, time a node, bytes a node; or why there is none."""
    if "skip" in result:
        return str(result["skip"])
    seconds, a_node = result["total"], result["total"] / nodes
    return f"{show_time(seconds)}, {a_node * 1e6:.3g} µs, {result['bytes'] / nodes:.0f} B"


if __name__ == "__main__":
    main()
