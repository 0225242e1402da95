"""A long run of random programs: nothing but a result or a ChainruleError may come of them.

    python tests/fuzz.py --inputs 1000000 --seconds 3600 --jobs 2
    python tests/fuzz.py --guided --seconds 3600   # by coverage; needs `pip install atheris`
    python tests/fuzz.py --replay                  # the inputs kept in tests/cases/fuzz.txt

An input is a program, and after the sign U+001E an answer to check. Every input is read, as the
language and as LaTeX; what can be read is now and then derived, drawn in every format,
verified, checked and compiled (`EVERY`), each within two seconds of processor time and 500 MB.
What breaks is printed and written to the file of kept inputs, one JSON string a line.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import count as count_up
from pathlib import Path
from types import FrameType
from zlib import crc32

import chainrule as cr
from chainrule.core.program import Program

TESTS = Path(__file__).parent
KEPT = TESTS / "cases" / "fuzz.txt"
SPLIT = "\x1e"
SECONDS = 2.0  # of processor time, for one target
MOST_BROKEN = 20  # in a run, which ends then
MEMORY = 500 << 20  # above what the process has at its start

_DICTIONARY = """
x y z w1 x_i theta α W A b N u1 t e pi π d dx d/dx \\frac{d}{dx} \\sin \\left( \\right) \\cdot
+ - * / ^ ** .* ./ .^ @ ⊙ · ' .T ^T ( ) [ ] { } | ‖ , ; : = == != <= >= < > ≤ # \\ \0 0 1 2
-1 0.5 1e9 1e-400 99999999999999999999 1/0 x^x 2^3^4 sin cos tan exp ln log sqrt √ abs sign gamma
erf floor max min sum mean dot norm trace det inv expm diag outer transpose softmax log_softmax
logsumexp cross_entropy binary_cross_entropy mse concat ones zeros eye relu leaky_relu elu gelu
silu sigmoid softplus heaviside if axis=0 matrix(m,n) vector(n) scalar function matrix(3,2)
vector(2) W:matrix(m,n) x:vector(n) X:matrix(N,d) f(x) g(x,y) x[i] X[0,1] x[1:] X[:,j] import
lambda __class__ None True class <script> $ % & ~ ` \" ² ³ ₁ ∂ ∇ ∞ \u202e \u200b а Ａ 𝑥
"""
WORDS = [*_DICTIONARY.split(), "\n", " "]

SEEDS = [
    "x*exp(x^2)" + SPLIT + "exp(x^2)*(2*x^2 + 1)",
    "ln(sin(x^3)^2)" + SPLIT + "6*x^2*cos(x^3)/sin(x^3)",
    "[x1*x2, sin(x1)]" + SPLIT + "[x2, x1; cos(x1), 0]",
    "{x^2 if x > 0, -x}",
    "u = x^2; v = u*y; ln(v) + |u - v|",
    "\\frac{d}{dx} \\sqrt[3]{x^2+1}\\cdot e^{-x}",
    "d/dx sin^2 2x cos x",
    "X: matrix(N, 3); y: vector(N); w: vector(3); b: scalar; mean((X @ w + b - y)^2)",
    "W: matrix(m, n); x: vector(n); b: vector(m); tanh(W @ x + b)",
    "A: matrix(n, n); x: vector(n); x' @ A @ x" + SPLIT + "(A + A') @ x",
    "X: matrix(4, 3); Y: matrix(4, 2); W: matrix(3, 2); Z = X @ W; cross_entropy(Z, Y)",
    "X: matrix(3, 3); ln(det(X)) + trace(inv(X)) + norm(X)",
    "x: vector(5); sum(softmax(x[1:4])) + logsumexp(x) + x[0]*x[4]",
    "g: function(vector(2)) -> vector(3); f: function(vector(3)) -> scalar; f(g(x))",
    "a: vector(n); b: vector(n); dot(a, b) + sum(outer(a, b)) + sum(concat(a, b))",
]


class Hang(BaseException):
    """The limit of time is up; no `except Exception` may swallow it."""


# ------------------------------------------------------------------------- targets


def parse(text: str, program: Program | None, answer: str) -> None:
    """Read as the language."""
    cr.parse(text)


def latex(text: str, program: Program | None, answer: str) -> None:
    """Read as LaTeX."""
    cr.parse(text, latex=True)


def derive(text: str, program: Program, answer: str) -> None:
    """Derive, without verification."""
    cr.derive(program, verify="off", timeout=0.5)


def faces(text: str, program: Program, answer: str) -> None:
    """Derive and draw in every format."""
    found = cr.derive(program, verify="off", timeout=0.3)
    shown = [str(found), found.latex(), found.markdown(), found.html(), found.json()]
    json.loads(shown[-1])
    assert not any("\x1b" in face or "\0" in face for face in (*shown, found.expression))


def verify(text: str, program: Program, answer: str) -> None:
    """Derive, and compare with numbers."""
    found = cr.derive(program, verify="numeric", timeout=0.5).verification
    assert found.status != "failed", f"refuted: {found}"


def check(text: str, program: Program, answer: str) -> None:
    """Check the input's answer, or one that is hardly ever right."""
    verdict = cr.check(text, answer or "2*x", timeout=0.5)
    str(verdict), verdict.json()


def compile(text: str, program: Program, answer: str) -> None:
    """Write gradient code."""
    ast.parse(cr.compile(program).source)


Target = Callable[[str, Program, str], None]
TARGETS: dict[str, Target] = {
    f.__name__: f for f in (parse, latex, derive, faces, verify, check, compile)
}
EVERY = {
    "parse": 1, "latex": 1, "derive": 4, "compile": 16, "faces": 32, "verify": 64, "check": 64
}  # fmt: skip
"""Of so many inputs, one is given to the target: the quick ones see the most."""


def exercise(text: str, targets: Iterable[str] = TARGETS, seconds: float = SECONDS) -> Result:
    """Run an input through the targets; those after `latex` only where it can be read."""
    text, _, answer = text.partition(SPLIT)
    done: Counter[str] = Counter()
    broken: list[tuple[str, str]] = []
    program = None
    for name in targets:
        if program is None and name not in ("parse", "latex"):
            continue
        outcome, trace = guarded(TARGETS[name], text, program, answer, seconds)
        done[name] += 1
        done[f"{name}: {outcome}"] += 1
        if trace:
            broken.append((name, trace))
        elif name == "parse" and outcome == "done":
            program = cr.parse(text)
    return done, broken


Result = tuple[Counter[str], list[tuple[str, str]]]


def guarded(
    target: Target, text: str, program: Program | None, answer: str, seconds: float = SECONDS
) -> tuple[str, str]:
    """`done` or `refused`, else the name of what was raised and a traceback."""

    def up(_: int, frame: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGPROF, up)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        try:
            target(text, program, answer)  # type: ignore[arg-type]
            return "done", ""
        except cr.ChainruleError as error:
            assert error.message and "\n" not in error.message and str(error)
            return "refused", ""
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
    except (Exception, Hang) as error:
        return type(error).__name__, traceback.format_exc(limit=-12)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def bound_memory(most: int = MEMORY) -> None:
    """Let this process have so many bytes more than it has now; beyond is a MemoryError."""
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + most, now + most))


# ------------------------------------------------------------------------- inputs


def kept() -> list[str]:
    """The inputs that broke something once."""
    lines = KEPT.read_text(encoding="utf-8").splitlines() if KEPT.exists() else []
    return [json.loads(line) for line in lines if line]


def corpus() -> list[str]:
    """Programs to begin with: seeds, kept inputs, the cases of other tests, the README's."""
    found = [*SEEDS, *kept()]
    for path in sorted((TESTS / "cases").glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            program = row.get("text") or row.get("program") or row.get("function", "")
            program = "; ".join(filter(None, (row.get("declare"), program)))
            found.append(program + (SPLIT + row["answer"] if row.get("answer") else ""))
    bad = (TESTS / "cases" / "bad_input.txt").read_text(encoding="utf-8").split("\n\n")
    readme = (TESTS.parent / "README.md").read_text(encoding="utf-8")
    found += [block.split("\n")[0] for block in bad[1:]]
    found += [a or b for a, b in re.findall(r"`([^`\n]+)`|\"([^\"\n]+)\"", readme)]
    return list(dict.fromkeys(t for t in found if t and len(t) < 1000))


_PIECES = re.compile(r"\\?\w+|\s+|.", re.DOTALL)


def mutated(text: str, others: list[str], rng: random.Random) -> str:
    """The text after a few random changes of its words."""
    words = _PIECES.findall(text)
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        at = rng.randrange(len(words) + 1)
        end = min(len(words), at + rng.choice((0, 1, 1, 2, 5)))
        match rng.randrange(7):
            case 0:
                words[at:at] = [rng.choice(WORDS)]
            case 1:
                words[at:end] = [rng.choice(WORDS)]
            case 2:
                del words[at:end]
            case 3:
                words[at:at] = words[at:end] * rng.choice((1, 2, 30))
            case 4:
                part = _PIECES.findall(rng.choice(others))
                start = rng.randrange(len(part) + 1)
                words[at:end] = part[start : start + rng.randrange(12)]
            case 5:
                words[at:end] = ["(", *words[at:end], ")", rng.choice(["", "^2", "'", "*x"])]
            case 6:
                words[at:at] = [chr(rng.choice((rng.randrange(128), rng.randrange(0xD7FF))))]
    return "".join(words)[:4000]


# ------------------------------------------------------------------------- runs


class Run:
    """What a run has done so far."""

    def __init__(self) -> None:
        self.inputs, self.broken = 0, 0
        self.counts: Counter[str] = Counter()
        self.start = time.monotonic()

    def one(self, text: str) -> bool:
        """Give the input to the targets whose turn it is; whether it could be read."""
        self.inputs += 1
        turn = crc32(text.encode("utf-8", "replace"))
        done, broken = exercise(text, [n for n, every in EVERY.items() if not turn % every])
        self.counts += done
        self.broken += len(broken)
        for name, trace in broken:
            keep(text, name, trace)
        if self.broken >= MOST_BROKEN:  # one cause, most likely, and nothing more to learn
            print(json.dumps(self.report()), file=sys.stderr, flush=True)
            sys.exit(f"{self.broken} inputs broke something")
        return bool(done["parse: done"])

    def report(self) -> dict[str, object]:
        """Inputs, what broke, calls of each target and how they ended, seconds."""
        seconds = round(time.monotonic() - self.start)
        return {"inputs": self.inputs, "broken": self.broken, "seconds": seconds, **self.counts}


def keep(text: str, target: str, trace: str) -> None:
    """Print what broke, and keep the input."""
    print(f"\n{target}: {text!r}\n{trace}", file=sys.stderr, flush=True)
    if text not in kept():
        with KEPT.open("a", encoding="utf-8") as file:
            file.write(json.dumps(text) + "\n")


def plain(count: float, seconds: float, seed: int, every: int = 20_000) -> Run:
    """Random mutations; a line of counts to stderr now and then."""
    run, rng, known = Run(), random.Random(seed), corpus()
    originals = len(known)
    for number in count_up(1):
        if number > count or time.monotonic() - run.start > seconds:
            break
        text = mutated(rng.choice(known), known, rng)
        if run.one(text) and len(text) < 400:
            # Mutants of a program are more often programs than others are; not so of answers.
            text = text.partition(SPLIT)[0]
            if len(known) < 4 * originals:
                known.append(text)
            else:
                known[rng.randrange(originals, len(known))] = text
        if not number % every:
            print(json.dumps(run.report()), file=sys.stderr, flush=True)
    return run


def guided(count: float, seconds: float, seed: int, every: int = 5_000) -> None:
    """libFuzzer through atheris, which ends the process itself: the last line of counts stands."""
    import atheris

    fuzzer: dict[str, Callable[..., object]] = vars(atheris)  # the library has no types
    run, known = Run(), corpus()

    def one(data: bytes) -> None:
        run.one(data.decode("utf-8", "replace"))
        if not run.inputs % every or run.inputs == count:
            print(json.dumps(run.report()), file=sys.stderr, flush=True)

    def mutate(data: bytes, size: int, number: int) -> bytes:
        rng = random.Random(number)
        text = data.decode("utf-8", "replace") or rng.choice(known)
        return mutated(text, known, rng).encode("utf-8", "replace")[:size]

    seeds = Path(tempfile.mkdtemp())
    for number, text in enumerate(known):
        (seeds / str(number)).write_text(text, encoding="utf-8", errors="replace", newline="")
    options = [
        f"-seed={seed + 1}", f"-artifact_prefix={tempfile.mkdtemp()}/", "-max_len=4000",
        f"-max_total_time={int(min(seconds, 1e8))}", "-rss_limit_mb=0", "-timeout=600",
        f"-runs={int(count) if count < 1e12 else -1}",
    ]  # fmt: skip
    fuzzer["instrument_all"]()
    fuzzer["Setup"]([sys.argv[0], *options, tempfile.mkdtemp(), str(seeds)], one,
                    custom_mutator=mutate)  # fmt: skip
    fuzzer["Fuzz"]()


def in_parallel(args: argparse.Namespace) -> int:
    """Several processes, each with seeds of its own; the sum of their counts."""
    each = args.inputs / args.jobs
    command = [sys.executable, __file__, f"--inputs={each}", f"--seconds={args.seconds}"]
    processes = [
        subprocess.Popen([*command, f"--seed={args.seed * args.jobs + i}"], stdout=subprocess.PIPE)
        for i in range(args.jobs)
    ]
    total: Counter[str] = Counter()
    for process in processes:
        out, _ = process.communicate()
        total += Counter(json.loads(out.splitlines()[-1]) if out else {"died": 1})
    total["seconds"] //= args.jobs
    print(json.dumps(total))
    return int(bool(total["broken"] or total["died"]))


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--inputs", type=float, default=float("inf"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--guided", action="store_true", help="by coverage, with atheris")
    parser.add_argument("--replay", action="store_true", help="only the kept inputs")
    args = parser.parse_args()
    if args.jobs > 1 and not args.guided:
        return in_parallel(args)
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # a thread of it reserves tens of megabytes
    exercise("x: vector(2); sum(x^2)" + SPLIT + "2*x", seconds=60)  # imports what is slow
    if args.replay:
        bound_memory()
        broken = [(text, *found) for text in kept() for found in exercise(text)[1]]
        for text, name, trace in broken:
            print(f"{name}: {text!r}\n{trace}")
        print(f"{len(kept())} kept inputs, {len(broken)} broken")
        return int(bool(broken))
    if args.guided:
        guided(args.inputs, args.seconds, args.seed)
        return 0
    bound_memory()
    run = plain(args.inputs, args.seconds, args.seed)
    print(json.dumps(run.report()))
    return int(bool(run.broken))


if __name__ == "__main__":
    sys.exit(main())
