"""A long run of random programs: nothing but a result or a ChainruleError may come of them.

    python tests/fuzz.py --seconds 3600            # coverage-guided where atheris is installed
    python tests/fuzz.py --inputs 1000000 --plain  # random mutations only
    python tests/fuzz.py --replay                  # the inputs kept in tests/cases/fuzz.txt

An input is a program, and after the sign U+001E an answer to check. Each is read, derived and
printed in every format, checked, and compiled; each within a limit of time and memory. What
breaks is written to the file of kept inputs, one JSON string a line, and printed.
"""

from __future__ import annotations

import argparse
import ast
import json
import random
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from itertools import count as count_up
from pathlib import Path
from types import FrameType
from zlib import crc32

import chainrule as cr

CASES = Path(__file__).with_name("cases")
KEPT = CASES / "fuzz.txt"
SPLIT = "\x1e"
LIMIT = 30.0  # seconds an input: ten for the answer, as long for its diagnosis, and a slow machine
MEMORY = 8 << 30

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


def exercise(text: str) -> str:
    """Run an input through everything; what came of it.

    Raises:
        Exception: whatever is no ChainruleError.
    """
    program, _, answer = text.partition(SPLIT)
    try:
        parsed = cr.parse(program)
    except cr.ChainruleError as error:
        _told(error)
        return "not read"
    outcome = "read"
    try:
        found = cr.derive(parsed, verify="numeric", timeout=1.0)
        shown = (str(found), found.latex(), found.markdown(), found.json(), found.expression)
        json.loads(shown[3])
        assert not any("\x1b" in face or "\0" in face for face in shown)
        if found.verification.status == "failed":
            raise AssertionError(f"refuted: {found.verification}")
        outcome = "derived"
    except cr.ChainruleError as error:
        _told(error)
    if answer or crc32(text.encode("utf-8", "replace")) % 8 == 0:  # it takes the longest
        try:
            verdict = cr.check(program, answer or "2*x")
            str(verdict), verdict.json()
            outcome += ", checked"
        except cr.ChainruleError as error:
            _told(error)
    try:
        ast.parse(cr.compile(parsed).source)
        outcome += ", compiled"
    except cr.ChainruleError as error:
        _told(error)
    return outcome


def _told(error: cr.ChainruleError) -> None:
    """The message is one that can be shown."""
    assert error.message and "\n" not in error.message and str(error)


def guarded(text: str, limit: float = LIMIT) -> tuple[str, str]:
    """What came of an input, or a traceback; the second is empty where all went well."""

    def up(_: int, frame: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, up)
    signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        return exercise(text), ""
    except (Exception, Hang) as error:
        return type(error).__name__, traceback.format_exc(limit=-12)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# ------------------------------------------------------------------------- inputs


def kept() -> list[str]:
    """The inputs that broke something once."""
    lines = KEPT.read_text(encoding="utf-8").splitlines() if KEPT.exists() else []
    return [json.loads(line) for line in lines if line]


def corpus() -> list[str]:
    """Programs to begin with: seeds, kept inputs, and the cases of other tests."""
    suite = (CASES / "suite.jsonl").read_text(encoding="utf-8").splitlines()
    bad = (CASES / "bad_input.txt").read_text(encoding="utf-8").split("\n\n")
    return [
        *SEEDS, *kept(), *(json.loads(line)["text"] for line in suite),
        *(block.split("\n")[0] for block in bad[1:]),
    ]  # fmt: skip


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


def keep(text: str, trace: str) -> None:
    """Print what broke, and keep the input."""
    print(f"\n{text!r}\n{trace}", file=sys.stderr)
    if text not in kept():
        with KEPT.open("a", encoding="utf-8") as file:
            file.write(json.dumps(text) + "\n")


def plain(count: float, seconds: float, seed: int) -> int:
    """Random mutations; the number of inputs that broke something."""
    outcomes: Counter[str] = Counter()
    broken = 0
    start = time.monotonic()
    rng, known = random.Random(seed), corpus()
    originals = len(known)
    for number in count_up():
        if number >= count or time.monotonic() - start > seconds:
            break
        text = mutated(rng.choice(known), known, rng)
        outcome, trace = guarded(text)
        outcomes[outcome] += 1
        if trace:
            broken += 1
            keep(text, trace)
        elif outcome not in ("not read", "read") and len(text) < 400:
            # Mutants of a program that is derived are more often programs than others are.
            if len(known) < 3 * originals:
                known.append(text)
            else:
                known[rng.randrange(originals, len(known))] = text
        if not number % 200 and sys.stderr.isatty():
            print(f"\r{number:,} inputs, {broken} broken", end="", file=sys.stderr, flush=True)
    print(json.dumps({"inputs": sum(outcomes.values()), **outcomes}))
    return broken


def guided(atheris: object, count: float, seconds: float, seed: int) -> None:
    """libFuzzer through atheris; it ends the process at the first input that breaks."""
    fuzzer: dict[str, Callable[..., object]] = vars(atheris)  # the library has no types
    known = corpus()

    def one(data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        _, trace = guarded(text)
        if trace:
            keep(text, trace)
            raise RuntimeError(f"broken by {text!r}")

    def mutate(data: bytes, size: int, number: int) -> bytes:
        text = data.decode("utf-8", "replace") or random.Random(number).choice(known)
        return mutated(text, known, random.Random(number)).encode()[:size]

    fuzzer["instrument_all"]()
    options = [
        f"-seed={seed}",
        f"-artifact_prefix={tempfile.mkdtemp()}/",
        f"-max_total_time={int(min(seconds, 1e8))}",
        "-max_len=4000",
    ]
    options.append(f"-runs={int(count) if count < 1e12 else -1}")
    fuzzer["Setup"]([sys.argv[0], *options], one, custom_mutator=mutate)
    fuzzer["Fuzz"]()


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--inputs", type=float, default=float("inf"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plain", action="store_true", help="do not use atheris")
    parser.add_argument("--replay", action="store_true", help="only the kept inputs")
    args = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    if args.replay:
        traces = [trace for text in kept() if (trace := guarded(text)[1])]
        print(*traces, f"{len(traces)} of {len(kept())} kept inputs break something", sep="\n")
        return min(1, len(traces))
    if not args.plain:
        try:
            import atheris
        except ImportError:
            print("atheris is not installed: random mutations instead", file=sys.stderr)
        else:
            guided(atheris, args.inputs, args.seconds, args.seed)
            return 0
    return min(1, plain(args.inputs, args.seconds, args.seed))


if __name__ == "__main__":
    sys.exit(main())
