"""What a command line pays before it does anything, in pairs with its yardstick.

    python tests/benchmarks/startup.py [--rounds 15]

Fresh processes, one after the other in each round, wall time; the ratio is taken within a
round and the median over the rounds is printed. Install the project normally for this (not
editable): an editable install makes every Python start slower.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(sys.executable)
CHAINRULE = os.path.join(HERE, "chainrule")
EXPRESSION = "ln(sin(x^3)^2)"
PASS = [sys.executable, "-c", "pass"]
SYMPY = [
    sys.executable,
    "-c",
    "import sympy; x = sympy.Symbol('x'); print(sympy.diff(sympy.log(sympy.sin(x**3)**2), x))",
]
PAIRS = [
    # what, command, what it is measured against, command, the aim
    ("chainrule --help", [CHAINRULE, "--help"], "python -c pass", PASS, 3.0),
    ("derivation on screen", [CHAINRULE, "derive", EXPRESSION], "SymPy one-liner", SYMPY, 0.4),
    (
        "derivation and verification",
        [CHAINRULE, "derive", EXPRESSION],
        "SymPy one-liner",
        SYMPY,
        1.25,
    ),
]


def run(command: list[str], until: str = "") -> float:
    """Seconds to the end of the process, or to the line that starts with `until`."""
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        seen = 0.0
        for line in process.stdout:
            if until and not seen and line.startswith(until):
                seen = time.perf_counter() - start
    return seen or time.perf_counter() - start


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    print("| process | against | ratio, median | least | aim |")
    print("|---|---|---|---|---|")
    for what, command, against, yardstick, aim in PAIRS:
        until = "Valid for" if what.endswith("on screen") else ""
        run(command), run(yardstick)
        ratios = [run(command, until) / run(yardstick) for _ in range(rounds)]
        print(
            f"| {what} | {against} | {statistics.median(ratios):.2f} | {min(ratios):.2f} | {aim} |"
        )


if __name__ == "__main__":
    main()
