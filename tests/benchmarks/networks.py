"""Loss and gradients of all parameters of a network, one step, side by side.

    python tests/benchmarks/networks.py [--case mlp-128,deep-128] [--dtype float32]

Ratios to the floor, which is only the matrix products that are needed, and to PyTorch; on
one pinned core with one thread, in runs that take turns. `pip install torch jax pytensor
autograd` for the peers; one that is missing is skipped.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Mapping
from typing import Any

import numpy as np
from contenders import (
    CASES,
    Problem,
    Step,
    bound,
    bound_fast_tanh,
    floor,
    hips_autograd,
    jax_jit,
    naive,
    pytensor_function,
    readable,
    torch_eager,
    tuned,
)
from harness import Result, interleaved, log, paired, setting, show_time, table
from limit import blocked, limit, limit_fast_tanh

CONTENDERS = {
    "floor": floor,
    "naive": naive,
    "tuned": tuned,
    "limit": limit,
    "limit, fast tanh": limit_fast_tanh,
    "blocks": blocked,
    "torch": torch_eager,
    "jax": jax_jit,
    "pytensor": pytensor_function,
    "autograd": hips_autograd,
    "readable": readable,
    "bound": bound,
    "bound, fast tanh": bound_fast_tanh,
}
# What the preallocated form should reach: over the floor, and with the faster tanh.
AIMS = {
    "mlp-32": 1.10, "mlp-128": 1.06, "mlp-1024": 1.04, "wide-256": 1.04, "deep-128": 1.35,
    "tiny-1": 1.4, "logistic": 0.95, "linear": 0.95,
}  # fmt: skip
FAST_AIMS = {("deep-128", "float32"): 1.28, ("deep-1024", "float64"): 1.45}
RUNS = (
    *((case, "float32") for case in (*AIMS, "deep-1024")),
    *((case, "float64") for case in ("mlp-128", "deep-128", "deep-1024", "logistic", "linear")),
)
# Of these the geometric mean against PyTorch should be at most 0.85.
MEAN_OF = ("mlp-32", "mlp-128", "mlp-1024", "deep-128", "deep-1024", "wide-256")


def build(name: str, case: str, dtype: str) -> tuple[Step, Any]:
    """A contender, and a function that gives numbers to compare it by."""
    problem = Problem(case, dtype)
    step = CONTENDERS[name](problem)

    def check() -> list[float] | None:
        if name == "floor":
            return None
        loss, grads = step()
        if isinstance(grads, dict):
            grads = [grads[n] for n in problem.names]
        arrays = [np.asarray(g.detach() if hasattr(g, "detach") else g) for g in grads]
        assert all(g.dtype == problem.dtype for g in arrays), [g.dtype for g in arrays]
        rng = np.random.default_rng(1)
        value = float(loss.detach() if hasattr(loss, "detach") else loss)
        return [value] + [float(np.vdot(g, rng.random(g.shape))) for g in arrays]

    return step, check


def disagreements(results: Mapping[str, Result], tolerance: float) -> list[str]:
    """Contenders whose loss or projected gradients are not those of plain NumPy."""
    checks = {name: np.array(r["check"]) for name, r in results.items() if r.get("check")}
    if "naive" not in checks:
        return []
    reference = checks["naive"]
    size = np.abs(reference) + 1e-3
    return [n for n, c in checks.items() if not np.max(np.abs(c - reference) / size) < tolerance]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", default="")
    parser.add_argument("--dtype", default="")
    parser.add_argument("--only", default=",".join(c.replace(", ", "+") for c in CONTENDERS))
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--seconds", type=float, default=0.05)
    args = parser.parse_args()
    names = [n.replace("+", ", ") for n in args.only.split(",")]
    cases = args.case.split(",") if args.case else list(CASES)
    runs = [r for r in RUNS if r[0] in cases and args.dtype in ("", r[1])]
    rows, ratios = [], {}
    for case, dtype in runs:
        jobs = {name: (build, (name, case, dtype)) for name in names}
        results = interleaved(jobs, args.rounds, args.seconds)
        for name in disagreements(results, 1e-2 if dtype == "float32" else 1e-8):
            log("DISAGREES", case, dtype, name)
        for name, result in results.items():
            if "skip" in result:
                log(case, dtype, name, result["skip"])
        cells = []
        for name in names[1:]:
            r, t = (paired(results, name, other) for other in (names[0], "torch"))
            cells.append("–" if r is None else f"{r:.2f} ({t:.2f})" if t else f"{r:.2f}")
            if name == "bound" and t:
                ratios[case, dtype] = t
        aim = AIMS.get(case, 0) if dtype == "float32" else 0
        fast = FAST_AIMS.get((case, dtype), 0)
        aims = ", ".join(f"{a:.2f}{tag}" for a, tag in ((aim, ""), (fast, " fast")) if a)
        floors = show_time(statistics.median(results[names[0]]["times"]))
        rows.append([case, dtype, floors, *cells, aims])
        log(*rows[-1])
    print(setting("numpy", "torch", "jax", "pytensor", "autograd"))
    print("\nTime over that of the floor (over that of PyTorch).\n")
    print(table(["case", "dtype", names[0], *names[1:], "aim"], rows))
    found = [ratios[c, "float32"] for c in MEAN_OF if (c, "float32") in ratios]
    if ("deep-1024", "float64") in ratios:
        found.append(ratios["deep-1024", "float64"])
    if found:
        mean = math.exp(statistics.fmean(map(math.log, found)))
        print(f"\nGeometric mean of bound over PyTorch, {len(found)} cases: {mean:.2f}")


if __name__ == "__main__":
    main()
