"""Linear in what is given: long sums, many branches, many entries, many parts."""

from __future__ import annotations

import time
from collections.abc import Callable
from fractions import Fraction

import pytest

import chainrule as cr
from chainrule.checking.given import Names, read_answer
from chainrule.core.arithmetic import size
from chainrule.core.expr import apply, const, symbol
from chainrule.core.ops import lookup
from chainrule.core.program import Program
from chainrule.core.table.parts import _starts
from chainrule.derivation.cut import cut
from chainrule.derivation.simplify import Simplifier, simplify
from chainrule.inputs import components_of


def names(n: int) -> list[str]:
    return [f"x{i}" for i in range(n)]


def seconds(call: Callable[[], object]) -> float:
    """The least of two: the machine has other work."""
    found = []
    for _ in range(2):
        start = time.process_time()
        call()
        found.append(time.process_time() - start)
    return min(found)


def cutting(text_of: Callable[[int], str]) -> Callable[[int], Callable[[], object]]:
    def prepared(n: int) -> Callable[[], object]:
        program = cr.parse(text_of(n))
        return lambda: cut(program, names(n))

    return prepared


def deriving(text_of: Callable[[int], str], *wrt: str) -> Callable[[int], Callable[[], object]]:
    def prepared(n: int) -> Callable[[], object]:
        program = cr.parse(text_of(n))
        return lambda: cr.derive(program, wrt or names(n), verify="off")

    return prepared


def answer(n: int) -> Callable[[], object]:
    known = Names(tuple(names(n)), {})
    text = f"[{', '.join(names(n))}]"
    return lambda: read_answer(text, known)


def components(n: int) -> Callable[[], object]:
    program = cr.parse(" + ".join(names(n)))
    return lambda: components_of(", ".join(names(n)), program)


def starts(n: int) -> Callable[[], object]:
    parts = [symbol(x, ("m",)) for x in names(n)]
    node = apply(lookup("concat"), const(0), *parts)

    def found() -> object:
        _starts.cache_clear()
        return _starts(node)  # type: ignore[arg-type]

    return found


def branches(n: int) -> str:
    return f"{{{', '.join(f'{i + 1}*x^{i % 3 + 1} if x < {i}' for i in range(n))}, x}}"


def mixed(n: int) -> str:
    return "x0" + "".join(f" {'+-'[i % 2]} x{i}" for i in range(1, n))


@pytest.mark.parametrize(("prepared", "n"), [
    (cutting(lambda n: " + ".join(names(n))), 400),
    (cutting(lambda n: " + ".join(f"{x}^2" for x in names(n))), 400),
    (cutting(lambda n: " + ".join(f"a*{x}" for x in names(n))), 400),
    (cutting(lambda n: " + ".join(f"sin({x})" for x in names(n))), 400),
    (cutting(mixed), 400),
    (deriving(mixed), 300),
    (deriving(lambda n: " + ".join(f"{x}^2" for x in names(n))), 300),
    (deriving(lambda n: "abs(1 - " * n + "x" + ")" * n, "x"), 30),
    (deriving(lambda n: "".join(f"max({k}*x, " for k in range(n)) + "x" + ")" * n, "x"), 20),
    (answer, 150),
    (components, 200),
    (starts, 300),
], ids=["names", "squares", "multiples", "sines", "mixed signs", "derive mixed", "derive squares",
        "nested abs", "nested max", "answer", "components", "concat"])  # fmt: skip
def test_ten_times_as_much_takes_about_ten_times_as_long(
    prepared: Callable[[int], Callable[[], object]], n: int
) -> None:
    """Quadratic would be a hundred times, and was."""
    small, large = prepared(n), prepared(10 * n)
    assert seconds(large) < 30 * seconds(small) + 0.05


def test_200_branches_take_no_minute() -> None:
    start = time.process_time()
    d = cr.derive(branches(200), ["x"], verify="off")
    assert time.process_time() - start < 5
    assert d(x=150.5) == pytest.approx(2 * 152 * 150.5)


@pytest.mark.parametrize(("text", "operands"), [
    ("x + z + x", "x z"),  # a polynomial: each name once
    ("x + z + w", "x z w"),
    ("x^2 + z + x", "x z"),
    ("x + 1 + z + c", "x z"),
    ("x + (z + (w + x^2))", "x z w"),
    ("sin(x) + z + sin(w)", "u1 z u2"),
    ("x*z*x", "x z x"),
    ("3*x*z", "x z"),
])  # fmt: skip
def test_operands_of_one_operation(text: str, operands: str) -> None:
    last = cut(cr.parse(text), [v for v in ("x", "z", "w") if v in text])[-1]
    assert " ".join(last.operands) == operands


def test_a_sum_that_two_longer_ones_begin_with_keeps_its_names() -> None:
    x, z, a, b = map(symbol, ("x", "z", "a", "b"))
    begun = x + z
    both = Program("", (("y", (begun + a) * (begun + b)),), ("y",))
    found = {u.operands for u in cut(both, ["x", "z", "a", "b"])}
    assert {("x", "z", "a"), ("x", "z", "b")} <= found


@pytest.mark.parametrize(("text", "at"), [
    ("abs(2*x - 3)", [Fraction(3, 2)]), ("max(x, 3 - x/2)", [Fraction(2)]),
    ("abs(x - x)", []), ("abs(x^2 - 2*x + 1 - x^2)", [Fraction(1, 2)]),
    ("abs(ln(exp(x)) - 4)", [Fraction(4)]), ("abs((x - 1)*3/2)", [Fraction(1)]),
    ("abs(-(x + 1/3))", [Fraction(-1, 3)]),
])  # fmt: skip
def test_joints_are_found_where_a_condition_is_a_line(text: str, at: list[Fraction]) -> None:
    d = cr.derive(text, ["x"], verify="off")
    assert [j.at for j in d.data.joints] == at


def test_what_is_remembered_by_pattern_is_what_is_found_afresh() -> None:
    remembers = Simplifier()
    for a, b in [("x", "z"), ("z", "x"), ("u1", "u2"), ("u2", "u1"), ("x", "x1"), ("p", "q")]:
        p, q = symbol(a), symbol(b)
        for made in (2 * p * (3 * q), q * p + p * q, (p + q) ** 2 / (p + q), q**2 / q + p / p):
            again, fresh = remembers(made), simplify(made)
            assert again.result is fresh.result
            assert again.firings == fresh.firings


def test_the_starts_of_parts_are_dimensions() -> None:
    parts = [symbol("a", ("m",)), symbol("b", ("n",)), symbol("c", ("m",)), symbol("d", (2,))]
    node = apply(lookup("concat"), const(0), *parts)
    found = _starts(node)  # type: ignore[arg-type]
    assert found == tuple(map(size, (0, "m", "m + n", "2*m + n")))
