"""Random answers: a derivative rewritten so that it stays equal, or spoilt in one place.

What is true of a pair is decided here by 50-digit difference quotients of the function, which
share nothing with the checker but the values of the operators.

    python tests/answer_pairs.py [--pairs 10000] [--seed 0]

runs many and prints what was said of what; it ends with 1 if a verdict is false.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from chainrule.checking.numbers import Tape, context, evaluate
from chainrule.checking.question import Question
from chainrule.core.arithmetic import ADD, DIV, EXP, LN, MUL, NEG, PI, POW, SUB
from chainrule.core.errors import DomainError
from chainrule.core.expr import (
    HALF,
    ONE,
    TWO,
    Apply,
    Const,
    Expr,
    apply,
    const,
    symbol,
    topological,
)
from chainrule.core.ops import lookup
from chainrule.core.program import Program
from chainrule.core.table.elementary import SQRT
from chainrule.derivation.backward import gradient
from chainrule.derivation.simplify import simplify

X = symbol("x")
_FUNCTIONS = tuple(
    lookup(name)
    for name in (
        "sin",
        "cos",
        "tan",
        "exp",
        "ln",
        "sqrt",
        "arctan",
        "tanh",
        "abs",
        "sigmoid",
        "sinh",
    )
)
_STEP = 20


def expression(r: random.Random, depth: int) -> Expr:
    """A random function of x."""
    if depth == 0 or r.random() < 0.12:
        return X if r.random() < 0.75 else const(r.randint(1, 5))
    kind = r.random()
    if kind < 0.3:
        return apply(r.choice(_FUNCTIONS), expression(r, depth - 1))
    if kind < 0.45:
        return apply(POW, expression(r, depth - 1), const(r.choice((2, 3, 4, -1, -2))))
    op = r.choice((ADD, SUB, MUL, MUL, DIV))
    return apply(op, expression(r, depth - 1), expression(r, depth - 1))


def replaced(root: Expr, place: Expr, by: Expr) -> Expr:
    """The expression with the node `place` replaced, wherever it occurs."""
    done: dict[Expr, Expr] = {}
    for node in topological([root]):
        if node is place:
            done[node] = by
        elif isinstance(node, Apply):
            done[node] = apply(node.op, *(done[a] for a in node.args))
        else:
            done[node] = node
    return done[root]


def _add_and_subtract(r: random.Random, a: Expr) -> Expr:
    g = apply(r.choice((lookup("sin"), lookup("cosh"), lookup("arctan"))), X)
    return apply(SUB, apply(ADD, a, g), g)


def _scale_and_divide(r: random.Random, a: Expr) -> Expr:
    g = apply(ADD, apply(POW, X, TWO), const(r.randint(1, 3)))
    return apply(DIV, apply(MUL, a, g), g)


def _from_halves(r: random.Random, a: Expr) -> Expr:
    return apply(ADD, apply(MUL, HALF, a), apply(DIV, a, TWO))


def _as_squares(r: random.Random, a: Expr) -> Expr:
    if a.op is not MUL:
        return apply(MUL, a, ONE)
    b, c = a.args
    plus, minus = apply(ADD, b, c), apply(SUB, b, c)
    return apply(DIV, apply(SUB, apply(POW, plus, TWO), apply(POW, minus, TWO)), const(4))


def _other_function(r: random.Random, a: Expr) -> Expr:
    if a.op is lookup("sin"):
        return apply(lookup("cos"), apply(SUB, apply(DIV, apply(PI), TWO), a.args[0]))
    if a.op is lookup("cos"):
        return apply(SUB, ONE, apply(MUL, TWO, apply(POW, apply(
            lookup("sin"), apply(DIV, a.args[0], TWO)), TWO)))  # fmt: skip
    if a.op is EXP:
        half = apply(EXP, apply(DIV, a.args[0], TWO))
        return apply(MUL, half, half)
    if a.op is lookup("tanh"):
        return apply(SUB, ONE, apply(DIV, TWO, apply(ADD, apply(EXP, apply(
            MUL, TWO, a.args[0])), ONE)))  # fmt: skip
    return apply(LN, apply(EXP, a))


def _smaller_domain(r: random.Random, a: Expr) -> Expr:
    return apply(POW, apply(SQRT, a), TWO)


def _simplified(r: random.Random, a: Expr) -> Expr:
    return simplify(a).result


REWRITES: tuple[Callable[[random.Random, Expr], Expr], ...] = (
    _add_and_subtract, _scale_and_divide, _from_halves, _as_squares, _other_function,
    _smaller_domain, _simplified,
)  # fmt: skip


def _spoilt(r: random.Random, a: Expr) -> Expr:
    """A node with one thing wrong."""
    if isinstance(a, Const):
        return const(a.value + r.choice((-1, 1)))
    if a is X:
        return r.choice((apply(NEG, X), apply(ADD, X, ONE), apply(POW, X, TWO), ONE))
    assert isinstance(a, Apply)
    swaps = {ADD: SUB, SUB: ADD, MUL: DIV, DIV: MUL}
    if a.op in swaps and r.random() < 0.5:
        return apply(swaps[a.op], *a.args)
    if len(a.args) == 1 and r.random() < 0.5:
        return r.choice((a.args[0], apply(r.choice(_FUNCTIONS), a.args[0])))
    return r.choice((apply(NEG, a), a.args[0], a.args[-1], apply(MUL, TWO, a)))


def pair(r: random.Random) -> tuple[Expr, Expr]:
    """A function and an answer to what its derivative is."""
    f = expression(r, r.randint(1, 4))
    (slope,) = gradient(f, [X])
    if r.random() < 0.7:
        slope = simplify(slope).result
    nodes = topological([slope])
    change = r.choice(REWRITES) if r.random() < 0.5 else _spoilt
    place = r.choice(nodes)
    return f, replaced(slope, place, change(r, place))


def truth(f: Expr, answer: Expr, r: random.Random) -> str:
    """`right`, `wrong`, or nothing where the values leave it open."""
    agree = 0
    for k in range(60):
        scale = (2, 0.5, 6, 0.1, 30, 1)[k % 6]
        found = agrees_at(f, answer, Fraction(round(r.uniform(-scale, scale), 4)))
        if found is False:
            return "wrong"
        agree += found is True
    return "right" if agree >= 8 else ""


def agrees_at(f: Expr, answer: Expr, near: Fraction) -> bool | None:
    """Whether the answer is the slope just beside a point; None where that is not known."""
    m = context(50 + _STEP)
    tape, claimed = Tape([f]), Tape([answer])
    x = m.mpf(near.numerator) / near.denominator + m.mpf(1) / 10_000_019
    given = claimed.run(m, {"x": x})[0]
    numeric, doubt = _difference(m, tape, x)
    if given is None or numeric is None:
        return None
    if max(tape.magnitude, claimed.magnitude) > 60:
        return None  # the sine of so large a number is known to few digits
    size = max(abs(given), abs(numeric))
    noise = doubt + m.ldexp(m.mpf(10) ** -60, max(0, claimed.magnitude))
    if size and noise > m.mpf(10) ** -14 * size:
        return None  # the function bends too sharply here, or rounding hides the slope
    return bool(abs(given - numeric) <= m.mpf(10) ** -12 * size)


def _difference(m: Any, tape: Tape, x: Any) -> tuple[Any, Any]:
    """The difference quotient, and how far two step widths are apart."""
    estimates = []
    for step in (m.mpf(10) ** -_STEP, m.mpf(10) ** -(_STEP - 2)):
        above, below = tape.run(m, {"x": x + step})[0], tape.run(m, {"x": x - step})[0]
        if above is None or below is None:
            return None, None
        noise = m.ldexp(m.mpf(10) ** -65, max(0, tape.magnitude)) / step
        estimates.append(((above - below) / (2 * step), noise))
    (fine, noise), (coarse, _) = estimates
    return fine, abs(fine - coarse) + noise


def judged(seed: int) -> tuple[str, str]:
    """What is true of the pair of this seed, and what the checker says."""
    r = random.Random(seed)
    function, answer = pair(r)
    known = truth(function, answer, r)
    if not known:
        return "", ""
    try:
        question = Question(Program("", (("y", function),), ("y",)), ("x",))
        verdict = question.verdict_on(answer, 1, "")
    except DomainError:
        return known, "undecided"
    if known == "right" and verdict.status == "wrong":
        # The checker may have looked where the random points did not: between two kinks.
        entry = verdict.wrong_entry
        assert entry is not None and entry.equality.witness is not None
        (x,) = evaluate(list(entry.equality.witness.values()), {})
        near = Fraction(str(x)).limit_denominator(10**12)
        if agrees_at(function, answer, near) is False:
            known = "wrong"
    return known, verdict.status


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pairs", type=int, default=10_000)
    options.add_argument("--seed", type=int, default=0)
    chosen = options.parse_args()
    counts: Counter[tuple[str, str]] = Counter()
    seed = chosen.seed
    while counts.total() < chosen.pairs:
        known, said = judged(seed)
        if known:
            counts[known, said] += 1
            if said not in (known, "undecided"):
                print(f"seed {seed}: {known} is called {said}", flush=True)
        seed += 1
    for (known, said), number in sorted(counts.items()):
        print(f"{known:6} called {said:10} {number:6}")
    return int(any(said not in (known, "undecided") for known, said in counts))


if __name__ == "__main__":
    raise SystemExit(main())
