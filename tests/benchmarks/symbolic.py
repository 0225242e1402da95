"""Derivatives of large scalar expressions: time, memory, operations, beside the peers.

    python tests/benchmarks/symbolic.py [--part times,operations,colors,slopes] [--case chain,ode]

Needs `pip install sympy symengine casadi`; a contender that is missing is skipped. Every
measurement runs in a process of its own, and a contender that failed at a size is not asked
for a larger one. All are driven one scalar operation at a time from Python. Operations are
distinct ones of the result: binary for casadi, the prototype and chainrule, n-ary sums and
products for sympy and symengine, so compare those only with each other.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from cases import CASES, COUNTED, SLOPES, rosenbrock
from harness import Result, Skip, in_turn, log, once, peak, pin, ratio, setting, show_time, table


class Library:
    """What the contenders share: symbols(count), sin cos tanh, gradient, jacobian, hessian."""

    lib: Any
    sin: Any
    cos: Any
    tanh: Any

    def wrap(self, e: Any) -> Any:
        return e

    def add(self, terms: Sequence[Any]) -> Any:
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        return total


class Sympy(Library):
    name = "sympy"

    def __init__(self) -> None:
        try:
            self.lib = __import__(self.name)
        except ImportError:
            raise Skip("not installed") from None
        self.sin, self.cos, self.tanh = self.lib.sin, self.lib.cos, self.lib.tanh

    def symbols(self, n: int) -> list[Any]:
        return [self.lib.Symbol(f"x{i}") for i in range(n)]

    def wrap(self, e: Any) -> Any:
        return self.lib.sympify(e)

    def add(self, terms: Sequence[Any]) -> Any:
        return self.lib.Add(*terms)

    def jacobian(self, ys: list[Any], xs: list[Any]) -> list[Any]:
        return [y.diff(x) for y in ys for free in [y.free_symbols] for x in xs if x in free]

    def gradient(self, ys: list[Any], xs: list[Any]) -> list[Any]:
        return [ys[0].diff(x) for x in xs]

    def hessian(self, ys: list[Any], xs: list[Any]) -> list[Any]:
        return self.jacobian(self.gradient(ys, xs), xs)

    def operations(self, result: list[Any]) -> int:
        seen, stack = set(), list(result)
        while stack:
            e = stack.pop()
            if e not in seen:
                seen.add(e)
                stack.extend(e.args)
        return sum(bool(e.args) for e in seen)


class Symengine(Sympy):
    name = "symengine"


class Casadi(Library):
    def __init__(self) -> None:
        try:
            import casadi
        except ImportError:
            raise Skip("not installed") from None
        self.lib, self.sin, self.cos, self.tanh = casadi, casadi.sin, casadi.cos, casadi.tanh

    def symbols(self, n: int) -> list[Any]:
        self.x = self.lib.SX.sym("x", n)
        return [self.x[i] for i in range(n)]

    def jacobian(self, ys: list[Any], xs: list[Any]) -> Any:
        return self.lib.jacobian(self.lib.vertcat(*ys), self.lib.vertcat(*xs))

    def gradient(self, ys: list[Any], xs: list[Any]) -> Any:
        return self.lib.gradient(ys[0], self.lib.vertcat(*xs))

    def hessian(self, ys: list[Any], xs: list[Any]) -> Any:
        return self.lib.hessian(ys[0], self.lib.vertcat(*xs))[0]

    def operations(self, result: Any) -> int:
        none = (self.lib.OP_INPUT, self.lib.OP_OUTPUT, self.lib.OP_CONST)
        result = self.lib.vertcat(*result) if isinstance(result, list) else result
        f = self.lib.Function("f", [self.x], [result])
        return sum(f.instruction_id(i) not in none for i in range(f.n_instructions()))


class Prototype(Library):
    def __init__(self) -> None:
        import prototype

        self.lib = prototype
        self.sin, self.cos, self.tanh = prototype.sin, prototype.cos, prototype.tanh

    def symbols(self, n: int) -> list[Any]:
        return [self.lib.symbol(f"x{i}") for i in range(n)]

    def wrap(self, e: Any) -> Any:
        return self.lib.lift(e)

    def gradient(self, ys: list[Any], xs: list[Any]) -> Any:
        return self.lib.gradient(ys[0], xs)

    def jacobian(self, ys: list[Any], xs: list[Any]) -> Any:
        return self.lib.jacobian(ys, xs)

    def hessian(self, ys: list[Any], xs: list[Any]) -> Any:
        return self.lib.jacobian(self.lib.gradient(ys[0], xs), xs)

    def operations(self, result: Any) -> int:
        return int(self.lib.count(result))


class Chainrule(Library):
    def __init__(self) -> None:
        from chainrule import symbolic

        self.lib = symbolic
        self.sin, self.cos, self.tanh = symbolic.sin, symbolic.cos, symbolic.tanh

    def symbols(self, n: int) -> list[Any]:
        return list(self.lib.symbols([f"x{i}" for i in range(n)]))

    def gradient(self, ys: list[Any], xs: list[Any]) -> Any:
        return self.lib.gradient(ys[0], xs)

    def jacobian(self, ys: list[Any], xs: list[Any]) -> Any:
        return self.lib.jacobian(ys, xs, sparse=True)

    def hessian(self, ys: list[Any], xs: list[Any]) -> Any:
        return self.lib.hessian(ys[0], xs, sparse=True)

    def operations(self, result: Any) -> int:
        return int(self.lib.count_operations(result))


CONTENDERS: dict[str, Any] = {
    "sympy": Sympy, "symengine": Symengine, "casadi": Casadi, "prototype": Prototype,
    "chainrule": Chainrule,
}  # fmt: skip


def measure(name: str, case: str, n: int, count_function: bool = False) -> Result:
    """One contender, one case, in this process."""
    formula, what, _ = CASES[case]
    lib = CONTENDERS[name]()
    base, start = peak(), time.process_time()
    ys, xs = formula(lib, n)
    built = time.process_time()
    result = getattr(lib, what)(ys, xs)
    done = time.process_time()
    used = peak() - base
    try:
        operations = lib.operations(result)
    except (RecursionError, MemoryError):
        operations = None
    function = lib.operations(ys) if count_function else None
    return {"total": done - start, "derivative": done - built, "operations": operations,
            "function": function, "bytes": used}  # fmt: skip


def times(cases: list[str], names: list[str], rounds: int, timeout: float) -> str:
    """Total time [derivative alone]; operations; memory; and our total over each peer's."""
    rows, dead = [], set()
    for case in cases:
        for n in CASES[case][2]:
            asked = [name for name in names if (case, name) not in dead]
            runs = in_turn(
                asked, lambda name, c=case, n=n: once(measure, name, c, n, timeout=timeout),
                rounds, enough=timeout / 3,
            )  # fmt: skip
            row: list[object] = [case, f"{n:,}"]
            for name in names:
                good = [r for r in runs.get(name, []) if "total" in r]
                if not good:
                    row.append(runs[name][-1]["skip"] if name in runs else "–")
                    dead.add((case, name))
                    continue
                best = min(good, key=lambda r: r["total"])
                row.append(
                    f"{show_time(best['total'])} [{show_time(best['derivative'])}]; "
                    f"{best['operations'] or '?'}; {best['bytes'] / 2**20:.0f} MB"
                )
            for peer in names[:-1]:
                found = ratio(runs.get(names[-1], []), runs.get(peer, []))
                row.append("–" if found is None else f"{found:.2f}")
            rows.append(row)
            log(*row)
    header = ["case", "n", *names, *(f"{names[-1]} / {peer}" for peer in names[:-1])]
    return table(header, rows)


def operations(cases: list[str], names: list[str], timeout: float) -> str:
    """Operations of the Jacobian over operations of the function."""
    rows = []
    for case in (c for c in COUNTED if c in cases):
        for n in COUNTED[case]:
            row: list[object] = [case, n]
            for name in names:
                r = once(measure, name, case, n, True, timeout=timeout)
                both = r.get("operations") and r.get("function")
                row.append(f"{r['operations'] / r['function']:.3f}" if both else "–")
            rows.append(row)
            log(*row)
    return table(["case", "n", *names], rows)


def slopes(cases: list[str], rounds: int, timeout: float) -> str:
    """Time and memory an operation of the result, from 10^3 to 10^6."""
    rows = []
    for case in (c for c in SLOPES if c in cases):
        for n in SLOPES[case]:
            runs = in_turn(
                ["chainrule"], lambda name, n=n, c=case: once(measure, name, c, n, timeout=timeout),
                rounds, enough=timeout / 3,
            )["chainrule"]  # fmt: skip
            good = [r for r in runs if "total" in r]
            if not good:
                rows.append([case, f"{n:,}", runs[-1]["skip"], "", "", ""])
                continue
            best = min(good, key=lambda r: r["total"])
            count = best["operations"]
            each = f"{best['total'] / count * 1e6:.2f}", f"{best['bytes'] / count:.0f}"
            rows.append([case, f"{n:,}", f"{count:,}", show_time(best["total"]), *each])
            log(*rows[-1])
    return table(["case", "n", "operations", "total", "µs an operation", "bytes"], rows)


def by_colors(n: int) -> Result:
    """The Hessian of Rosenbrock's function from a product for each color of its columns."""
    lib = Chainrule()
    ys, xs = rosenbrock(lib, n)
    slopes = lib.gradient(ys, xs)
    start = time.process_time()
    places = lib.lib.sparsity(slopes, xs)
    found = time.process_time()
    coloring = lib.lib.color_columns(places, n, symmetric=True)
    colored = time.process_time()
    entries = coloring.entries([lib.lib.jvp(slopes, xs, d) for d in coloring.directions()])
    done = time.process_time()
    return {"places": len(places), "colors": coloring.count, "total": done - start,
            "parts": [found - start, colored - found, done - colored],
            "operations": lib.operations(entries)}  # fmt: skip


def colors() -> str:
    """Sparsity, colors and products of a Hessian, beside the elimination of its vertices."""
    rows: list[list[object]] = []
    for n in SLOPES["rosenbrock-hessian"]:
        ours, direct = once(by_colors, n), once(measure, "chainrule", "rosenbrock-hessian", n)
        parts = map(show_time, ours["parts"])
        rows.append([f"{n:,}", f"{ours['places']:,}", ours["colors"], *parts,
                     f"{ours['operations']:,}", show_time(direct["derivative"]),
                     f"{direct['operations']:,}"])  # fmt: skip
        log(*rows[-1])
    header = ["n", "places", "colors", "sparsity", "coloring", "products", "operations",
              "elimination, with the gradient", "operations"]  # fmt: skip
    return table(header, rows)


def main() -> None:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--part", default="times,operations,colors,slopes")
    parser.add_argument("--case", default=",".join(CASES))
    parser.add_argument("--only", default=",".join(CONTENDERS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--timeout", type=float, default=12)
    args = parser.parse_args()
    pin()
    cases, names = args.case.split(","), args.only.split(",")
    print(f"{setting('sympy', 'symengine', 'casadi')}\n")
    if "times" in args.part:
        print("Total [derivative alone]; operations of the result; memory; ratios of totals.\n")
        print(times(cases, names, args.rounds, args.timeout), end="\n\n")
    if "operations" in args.part:
        print("Operations of the derivative over operations of the function.\n")
        print(operations(cases, names, args.timeout), end="\n\n")
    if "colors" in args.part:
        print("A sparse Hessian, Rosenbrock's, from products with directions.\n")
        print(colors(), end="\n\n")
    if "slopes" in args.part:
        print("From a thousand to a million operations.\n")
        print(slopes(cases, min(args.rounds, 3), 120))


if __name__ == "__main__":
    main()
