"""Fair timing on a small, shared machine: one pinned core, processor time, runs in turn.

Absolute times mean nothing here, only ratios of runs that took turns.
"""

from __future__ import annotations

import multiprocessing
import os
import platform
import random
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

SPAWN = multiprocessing.get_context("spawn")
Result = dict[str, Any]


class Skip(Exception):
    """A contender does not take part in a case."""


def pin() -> None:
    """Run here and in all processes started from here on one core."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def peak() -> float:
    """The most memory this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _serve(pipe: Any, function: Callable[..., Result], args: tuple[Any, ...], memory: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    try:
        pipe.send(function(*args))
    except Skip as reason:
        pipe.send({"skip": str(reason)})
    except BaseException as error:  # a contender that breaks is a result, too
        pipe.send({"skip": f"{type(error).__name__}"})


def once(
    function: Callable[..., Result], *args: Any, timeout: float = 60, memory: int = 12 << 30
) -> Result:
    """`function(*args)` in a process of its own; `{"skip": why}` where there is no result."""
    ours, theirs = SPAWN.Pipe()
    process = SPAWN.Process(target=_serve, args=(theirs, function, args, memory), daemon=True)
    process.start()
    theirs.close()
    try:
        return ours.recv() if ours.poll(timeout) else {"skip": f"> {timeout:g} s"}
    except EOFError:
        process.join()
        return {"skip": f"crash ({process.exitcode})"}
    finally:
        process.kill()
        process.join()


def in_turn(
    names: Iterable[str], run: Callable[[str], Result], rounds: int, enough: float
) -> dict[str, list[Result]]:
    """Rounds of `run(name)`; a name that gives no result, or is slow, is not asked again."""
    results: dict[str, list[Result]] = {name: [] for name in names}
    for _ in range(rounds):
        for name, done in results.items():
            if not done or ("skip" not in done[-1] and done[-1]["total"] < enough):
                done.append(run(name))
    return results


def ratio(ours: Sequence[Result], theirs: Sequence[Result]) -> float | None:
    """The least of our totals over the least of theirs: neighbours only ever add time."""
    a, b = ([r["total"] for r in runs if "total" in r] for runs in (ours, theirs))
    return min(a) / min(b) if a and b else None


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def show_time(seconds: float) -> str:
    """Three digits and a unit."""
    unit, scale = ("s", 1.0) if seconds >= 1 else ("ms", 1e3) if seconds >= 1e-3 else ("µs", 1e6)
    return f"{seconds * scale:.3g} {unit}"


def setting(*packages: str) -> str:
    """One line: interpreter and versions."""
    found = []
    for package in packages:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    versions = ", ".join([f"CPython {platform.python_version()}", *found])
    return f"{versions}; one pinned core, process time"


def log(*words: object) -> None:
    """Progress, to stderr."""
    print(*words, sep=" | ", file=sys.stderr, flush=True)


def _build(pipe: Any, build: Callable[..., Any], args: tuple[Any, ...]) -> None:
    """Serve one contender: build it, then time it whenever asked."""
    try:
        step, check = build(*args)
        step()
        pipe.send({"check": check()})
    except Skip as reason:
        pipe.send({"skip": str(reason)})
        return
    except BaseException as error:  # a contender that breaks is a result, too
        pipe.send({"skip": f"{type(error).__name__}: {str(error)[:100]}"})
        return
    while (seconds := pipe.recv()) is not None:
        pipe.send(_timed(step, seconds))


def _timed(step: Callable[[], Any], seconds: float) -> float:
    """Median seconds of a call over about `seconds`, after one that warms up."""
    clock = time.process_time
    start = clock()
    step()
    repeat = max(1, int(5e-4 / (clock() - start + 1e-9)))
    times, end = [], clock() + seconds
    while not times or clock() < end:
        start = clock()
        for _ in range(repeat):
            step()
        times.append((clock() - start) / repeat)
    return statistics.median(times)


def interleaved(
    contenders: Mapping[str, tuple[Callable[..., Any], tuple[Any, ...]]],
    rounds: int,
    seconds: float,
) -> dict[str, Result]:
    """Contenders in a process each, on the pinned core, one after the other in every round.

    `contenders`: name -> (build, args); build(*args) -> (step, check). Returns for each name
    {"times": one median a round, "check": what check() gave} or {"skip": why}.
    """
    pin()
    for name in ("OPENBLAS", "OMP", "MKL", "NUMBA", "NUMEXPR"):
        os.environ[f"{name}_NUM_THREADS"] = "1"
    workers, results = {}, {}
    for name, (build, args) in contenders.items():
        ours, theirs = SPAWN.Pipe()
        process = SPAWN.Process(target=_build, args=(theirs, build, args), daemon=True)
        process.start()
        theirs.close()
        try:
            results[name] = ours.recv()
        except EOFError:
            results[name] = {"skip": "crash"}
        if "skip" in results[name]:
            process.join()
        else:
            workers[name] = (ours, process)
            results[name]["times"] = []
    order = list(workers)
    for _ in range(rounds):
        random.shuffle(order)
        for name in order:
            pipe = workers[name][0]
            pipe.send(seconds)
            results[name]["times"].append(pipe.recv())
    for pipe, process in workers.values():
        pipe.send(None)
        process.join()
    return results


def paired(results: Mapping[str, Result], name: str, reference: str) -> float | None:
    """The median over the rounds of time(name) / time(reference)."""
    ours, theirs = (results.get(n, {}).get("times") for n in (name, reference))
    return (
        statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
        if ours and theirs
        else None
    )
