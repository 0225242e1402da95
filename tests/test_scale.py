"""Linear in the DAG, without recursion; one object for equal expressions, also among threads."""

from __future__ import annotations

import copy
import gc
import json
import linecache
import pickle
import signal
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from itertools import pairwise
from typing import Any

import mpmath
import numpy as np
import pytest

import chainrule as cr
from chainrule import symbolic as sym
from chainrule.core import interning, ops
from chainrule.core.accumulate import edge
from chainrule.core.arithmetic import ADD, DIV, MUL, NEG, SUB, add, div, mul, neg, power, sub
from chainrule.core.expr import (
    Apply,
    Const,
    Expr,
    apply,
    const,
    depends_on,
    fold,
    free_symbols,
    postorder,
    substitute,
    symbol,
    topological,
)
from chainrule.core.program import Program
from chainrule.derivation import backward
from chainrule.render import json_io

DEEP = 100_000


@pytest.fixture(autouse=True)
def no_deep_recursion() -> Iterator[None]:
    """Whatever recurses over a chain fails here, whatever limit the runner has."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(400)
    yield
    sys.setrecursionlimit(limit)


def value(root: Expr, x: Any) -> Any:
    """The value at one x, node by node, in mpmath's precision."""
    known: dict[Expr, Any] = {symbol("x"): mpmath.mpf(x)}
    for node in topological([root]):
        if isinstance(node, Const):
            known[node] = mpmath.mpf(node.value.numerator) / node.value.denominator
        elif isinstance(node, Apply):
            known[node] = node.op.mpmath(mpmath, *(known[a] for a in node.args))
    return known[root]


def chain(x: Expr, n: int) -> Expr:
    for i in range(n):
        x = sym.cos(x) if i % 2 else sym.sin(x)
    return x


def signs(x: Expr, n: int) -> Expr:
    for _ in range(n):
        x = apply(NEG, x)
    return x


def scalings(x: Expr, n: int) -> Expr:
    for _ in range(n // 2):
        x = apply(MUL, const(2), apply(NEG, x))
    return x


def sums(x: Expr, n: int) -> Expr:
    y = x
    for _ in range(n // 2):
        y = apply(SUB, apply(ADD, x, y), x)
    return y


def quotients(x: Expr, n: int) -> Expr:
    for _ in range(n):
        x = apply(DIV, const(1), x)
    return x


CHAINS = [chain, signs, scalings, sums, quotients]


@pytest.mark.parametrize("build", CHAINS)
def test_deep_chains_pass_every_public_function(build: Callable[[Expr, int], Expr]) -> None:
    x, z = sym.symbols("x, z")
    deep = build(x, DEEP)
    y = apply(MUL, z, deep)
    sym.gradient(y, [x, z])
    sym.jacobian([y, deep, z], [x, z])
    sym.jacobian([y, deep], [x, z], sparse=True)
    sym.jacobian([deep, y], [x])
    sym.jvp([y], [x, z], [1, 2])
    sym.vjp([y, deep], [x, z], [1, z])
    assert sym.count_operations([y]) >= DEEP
    assert copy.deepcopy(y) is y and pickle.loads(pickle.dumps(y)) is y
    assert len(repr(y)) < 1000
    assert len(postorder(y)) == len(topological([y]))
    assert free_symbols([y]) == [z, x]
    assert substitute([y], {z: x})[0] is not y
    assert deep in depends_on([y], [x])
    assert fold([y], lambda node, args: 1 + max(args, default=0))[0] > DEEP


@pytest.mark.parametrize("build", [signs, scalings, quotients, sums])
def test_folding_constructors_do_not_recurse(build: Callable[[Expr, int], Expr]) -> None:
    x, z = sym.symbols("x, z")
    deep = build(x, DEEP)
    for e in (add(z, deep), sub(z, deep), neg(deep), mul(z, deep), mul(const(3), deep),
              mul(deep, deep), div(z, deep), div(deep, z), power(deep, const(2))):  # fmt: skip
        assert isinstance(e, Expr)
    if build is signs:
        assert mul(z, deep) is mul(z, x) and sub(z, neg(deep)) is add(z, x)


def test_hessian_of_a_deep_chain() -> None:
    (x,) = sym.symbols("x")
    sym.hessian(chain(x, DEEP), [x], sparse=True)
    ((second,),) = sym.hessian(chain(x, 1000), [x])
    (first,) = sym.gradient(chain(x, 1000), [x])
    with mpmath.workdps(50):
        at, h = mpmath.mpf("0.3"), mpmath.mpf(10) ** -12
        difference = (value(first, at + h) - value(first, at - h)) / (2 * h)
        assert abs(value(second, at) - difference) < 1e-15


def test_repeated_squaring() -> None:
    """y = y y + x, 10,000 times: 2^10,000 paths, five operations a round."""
    (x,) = sym.symbols("x")
    y = x
    for _ in range(10_000):
        y = y * y + x
    (slope,) = sym.gradient(y, [x])
    assert sym.count_operations(slope) <= 50_000
    slope_by_recurrence, at = 1.0, -0.7
    y_value = at
    for _ in range(10_000):
        y_value, slope_by_recurrence = y_value * y_value + at, 2 * y_value * slope_by_recurrence + 1
    assert float(value(slope, at)) == pytest.approx(slope_by_recurrence, rel=1e-9)
    ((forwards,), _) = sym.jacobian([y, y + x], [x])
    assert float(value(forwards, at)) == pytest.approx(slope_by_recurrence, rel=1e-9)


def test_product_of_many_variables_is_linear() -> None:
    xs = sym.symbols([f"x{i}" for i in range(20_000)])
    y = xs[0]
    for x in xs[1:]:
        y = y * x
    slopes = sym.gradient(y, xs)
    assert sym.count_operations(slopes) <= 3 * len(xs)
    assert sym.count_operations(sym.jacobian([y, y + 1], xs, sparse=True)) <= 3 * len(xs)


def test_sum_of_many_terms() -> None:
    xs = sym.symbols([f"x{i}" for i in range(50_000)])
    y: Expr = const(0)
    for x in xs:
        y = y + x * x
    assert len(sym.jacobian([y, 2 * y], xs, sparse=True)) == 2 * len(xs)
    assert len(sym.hessian(y, xs, sparse=True)) == len(xs)


def rosenbrock(n: int) -> tuple[Expr, Sequence[Expr]]:
    x = sym.symbols([f"x{i}" for i in range(n)])
    y: Expr = const(0)
    for a, b in pairwise(x):
        y = y + (1 - a) ** 2 + 100 * (b - a**2) ** 2
    return y, x


def squaring_case(n: int) -> Callable[[], object]:
    (x,) = sym.symbols("x")
    y = x
    for _ in range(n):
        y = y * y + x
    return lambda: sym.gradient(y, [x])


def hessian_case(n: int) -> Callable[[], object]:
    y, x = rosenbrock(n)
    return lambda: sym.hessian(y, x, sparse=True)


def waist_case(n: int) -> Callable[[], object]:
    """Outputs and inputs on either side of a long chain, few entries."""
    a, b = sym.symbols("a, b")
    u = a * b
    for _ in range(n):
        u = sym.sin(u) * u
    ys = [u * a, u + b, sym.exp(u)]
    return lambda: sym.jacobian(ys, [a, b], sparse=True)


@pytest.mark.parametrize("case", [squaring_case, hessian_case, waist_case])
def test_time_grows_with_the_dag(case: Callable[[int], Callable[[], object]]) -> None:
    def least(n: int) -> float:
        best = float("inf")
        for _ in range(3):
            run = case(n)
            start = time.process_time()
            run()
            best = min(best, time.process_time() - start)
        return best

    least(500)
    assert least(8_000) < 8 * 4 * least(1_000)  # quadratic would be 64 times as long


def test_bytes_of_a_node() -> None:
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    (x,) = sym.symbols("x")
    y, n = x, 60_000
    for _ in range(n // 2):
        y = sym.sin(y) + x
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (after - before) / n <= 350


# ---- one object for equal expressions


def test_a_sweep_drops_what_nobody_holds() -> None:
    (x,) = sym.symbols("x")
    kept = sym.sin(x) * x + 1.5
    for i in range(2_000):
        sym.tanh(x * i + 0.25 * i)
    assert interning.sweep()
    left = sum(map(len, interning.applications.values()))
    for i in range(2_000):
        sym.tanh(x * i + 0.25 * i)
    assert sum(map(len, interning.applications.values())) >= left + 3_999
    assert interning.sweep()
    assert sum(map(len, interning.applications.values())) == left
    assert sym.sin(x) * x + 1.5 is kept  # what is held is found again, not made anew
    assert const(1.5) is kept.args[1] and symbol("x") is x


def test_a_sweep_keeps_what_is_below() -> None:
    top = chain(symbol("sweep_x"), 5_000)
    serials = [node.serial for node in topological([top])]
    assert interning.sweep()
    assert [node.serial for node in topological([top])] == serials
    assert chain(symbol("sweep_x"), 5_000) is top


def test_threads_agree_while_tables_are_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six threads make the same expressions, and drop them, while sweeps come often."""
    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    found: list[list[Expr]] = []
    errors: list[BaseException] = []
    barrier = threading.Barrier(6)
    sweeps = [0]
    done = threading.Event()

    def build() -> None:
        try:
            for _ in range(6):
                barrier.wait(60)
                x = symbol("thread_x")
                mine = []
                y: Expr = x
                for i in range(300):
                    y = sym.sin(y) * (x + i) - 0.5 * y
                    if i % 10 == 0:
                        mine.append(y)
                found.append(mine)
                del y
        except BaseException as error:
            errors.append(error)

    def sweep() -> None:
        while not done.is_set():
            sweeps[0] += interning.sweep()

    threads = [threading.Thread(target=build) for _ in range(6)]
    sweeper = threading.Thread(target=sweep)
    try:
        for thread in (*threads, sweeper):
            thread.start()
        for thread in threads:
            thread.join(120)
    finally:
        done.set()
        sweeper.join(60)
        sys.setswitchinterval(switch)
    assert not errors and len(found) == 36 and sweeps[0] > 3
    assert all(a is b for mine in found for a, b in zip(mine, found[0], strict=True))


def test_a_lookup_while_a_sweep_has_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between count and deletion a thread finds the node; before it is back, one makes it."""
    x = symbol("raced")
    sym.sin(x)
    held: list[Expr] = []
    made: list[Expr] = []
    other = threading.Thread(target=lambda: made.append(sym.sin(x)))

    class Slow:
        @staticmethod
        def getrefcount(node: Any) -> int:
            count = sys.getrefcount(node)
            if getattr(node, "args", None) == (x,):
                if not held:
                    held.append(sym.sin(x))
                elif other.ident is None:
                    other.start()
                    time.sleep(0.1)
                    count = sys.getrefcount(node)
            return count

    monkeypatch.setattr(interning, "sys", Slow)
    assert interning.sweep()
    other.join(60)
    assert sym.sin(x) is held[0] is made[0]


def test_no_sweep_while_an_entry_is_under_way() -> None:
    interning.begin(None)
    try:
        assert not interning.sweep()
    finally:
        interning.end()
    assert interning.sweep()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no interval timer")
def test_an_interrupt_leaves_the_tables_sound() -> None:
    """Ctrl-C while nodes are made: no mark of an entry under way stays, sweeps go on."""

    class Stop(BaseException):
        pass

    def stop(_: int, frame: Any) -> None:
        if frame.f_code.co_name == "create":
            stopped[frame.f_lineno] = stopped.get(frame.f_lineno, 0) + 1
            raise Stop
        signal.setitimer(signal.ITIMER_REAL, 2e-4)

    stopped: dict[int, int] = {}

    before = signal.signal(signal.SIGALRM, stop)
    try:
        for i in range(300):
            x = symbol(f"interrupted{i}")
            try:
                signal.setitimer(signal.ITIMER_REAL, 2e-4 + 1e-5 * (i % 17))
                chain(x, 20_000)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except Stop:
                pass
            assert not interning._entering
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(stopped) > 1  # at several places of it
    assert interning.sweep()
    x = symbol("interrupted0")
    assert chain(x, 500) is chain(x, 500)


def test_adjoints_of_a_wide_fan() -> None:
    """One variable used 100,000 times: the terms of its sum are kept in a list."""
    (x,) = sym.symbols("x")
    y: Expr = const(0)
    for i in range(20_000):
        y = y + sym.sin(x * i)
    (slope,) = backward.gradient(y, [x])
    assert sym.count_operations(slope) <= 20_000 * 4


# ---- programs: read, derived, printed, compiled


def squarings(n: int) -> Program:
    x = symbol("x")
    y: Expr = x
    for _ in range(n):
        y = apply(ADD, apply(MUL, y, y), x)
    return Program("", (("y", y),), ("y",))


def test_ten_thousand_squarings_are_derived_counted_and_compiled() -> None:
    """y = y y + x, 10,000 times: paths by the exact recurrence, code by the value it gives."""
    n = 10_000
    program = squarings(n)
    found = cr.derive(program, verify="off")
    paths = 1
    for _ in range(n):
        paths = 2 * paths + 1
    assert found.data.path_count == {"y": {"x": paths}}
    assert sym.count_operations([found.data.functions[0]]) == 2 * n
    step = cr.compile(program)
    at = -0.7
    value, slope = at, 1.0
    for _ in range(n):
        value, slope = value * value + at, 2 * value * slope + 1
    got, grads = step(x=at)
    assert got == pytest.approx(value, rel=1e-9)
    assert grads["x"] == pytest.approx(slope, rel=1e-9)


@pytest.mark.parametrize(
    "stage",
    [
        lambda p: cr.derive(p, verify="off"),
        lambda p: cr.compile(p).source,
        lambda p: str(cr.derive(p, verify="off")),
        lambda p: cr.derive(p, verify="off").latex(),
    ],
    ids=["derive", "compile", "text", "latex"],
)
def test_time_of_a_program_grows_with_it(stage: Callable[[Program], object]) -> None:
    def seconds(n: int) -> float:
        program = squarings(n)
        start = time.process_time()
        stage(program)
        return time.process_time() - start

    seconds(20)
    assert seconds(800) < 8 * 3 * min(seconds(100), seconds(100))  # 64 times if quadratic


def test_parts_of_a_long_concatenation_are_placed_once() -> None:
    """Every part's place was once the sum of all sizes before it, each time anew."""
    x = symbol("x", ("n",))
    row = ops.lookup("concat")

    def seconds(n: int) -> float:
        y = apply(row, const(0), *[x] * n)
        start = time.process_time()
        maps = [edge(y, slot) for slot in range(1, n + 1)]
        assert repr(maps[2].low) == "mul(2, n)"
        return time.process_time() - start

    seconds(10)
    assert seconds(1_600) < 1  # it was more than five seconds


def test_path_counts_longer_than_python_writes_integers() -> None:
    """2^20,000 has 6,021 digits; Python refuses to write more than 4,300."""
    found = cr.derive(squarings(20_000), verify="off")
    paths = 2**20_000 + 2**20_000 - 1
    assert found.data.path_count["y"]["x"] == paths
    assert "there are about 10^6020 paths" in found.data.remarks[0]
    written = {"y": {"x": json_io._exact(paths)}}
    digits = json.loads(json.dumps(written))["y"]["x"]
    assert len(digits) == 6021 and int(digits[-9:]) == paths % 10**9
    assert json_io._exact(2**300) == 2**300


# ---- code of programs that are large in unusual ways


def numbers(n: int) -> list[Expr]:
    return [symbol(f"x{i}") for i in range(n)]


def scalar_program(y: Expr) -> Program:
    return Program("", (("y", y),), ("y",))


def row(name: str) -> ops.Operator:
    return ops.lookup(name)


def nested(n: int) -> Expr:
    y: Expr = symbol("x")
    for other in numbers(n):
        y = apply(ADD, other, apply(row("sin"), y))
    return y


def concatenated(n: int) -> Program:
    names = [f"x{i}" for i in range(n)]
    parts = [apply(row("sin"), symbol(name, (2,))) for name in names]
    y = apply(row("sum"), apply(row("concat"), const(0), *parts))
    return Program("", (("y", y),), ("y",), declared=dict.fromkeys(names, (2,)))


def sized(n: int) -> Program:
    """A number made of a dimension, of n storeys."""
    factor: Expr = symbol("n")
    for i in range(n):
        factor = apply(ADD, apply(MUL, factor, symbol("n")), const(i))
    y = apply(MUL, apply(row("sum"), symbol("v", ("n",))), factor)
    return Program("", (("y", y),), ("y",), declared={"v": ("n",)}, dimensions=("n",))


WIDE: dict[str, Callable[[int], Program]] = {
    "product": lambda n: scalar_program(reduce(lambda a, b: apply(MUL, a, b), numbers(n))),
    "nested to the right": lambda n: scalar_program(nested(n)),
    "greatest": lambda n: scalar_program(apply(row("max"), *numbers(n))),
    "concatenation": concatenated,
    "number of a dimension": sized,
}


@pytest.mark.parametrize("case", WIDE)
def test_code_of_wide_programs_is_linear(case: str) -> None:
    def seconds(n: int) -> tuple[float, int]:
        program = WIDE[case](n)
        variables = ["v"] if case == "number of a dimension" else ()
        start = time.process_time()
        step = cr.compile(program, variables)
        shapes = {s.name: s.shape for s in step.schedule.lowered.inputs}
        values = {name: np.full((2,) * len(d), 0.5) if d else 0.5 for name, d in shapes.items()}
        value, grads = step(**values)
        assert not np.isnan(value) and list(grads) == list(step.wrt)
        return time.process_time() - start, len(step.source)

    seconds(20)
    few, length = min(seconds(200), seconds(200))
    many, longer = seconds(1600)
    assert longer < 12 * length
    assert many < 8 * 3 * few  # 64 times if quadratic


def test_a_call_with_many_arguments_takes_linear_time() -> None:
    """Python compares each argument's name with all others; they are given in order."""
    step = cr.compile(scalar_program(apply(row("max"), *numbers(6_000))), ["x0"])
    values = {f"x{i}": float(i) for i in range(6_000)}
    step(**values)
    start = time.process_time()
    assert step(**values) == (5999.0, {"x0": 0.0})
    assert time.process_time() - start < 0.3


def test_whole_numbers_made_of_dimensions_do_not_explode() -> None:
    """Squared 60 times, n has 2^60 digits; written out, its code has as many letters."""
    factor: Expr = symbol("n")
    for _ in range(60):
        factor = apply(MUL, factor, factor)
    y = apply(MUL, apply(row("sum"), symbol("v", ("n",))), factor)
    step = cr.compile(
        Program("", (("y", y),), ("y",), declared={"v": ("n",)}, dimensions=("n",)), ["v"]
    )
    assert len(step.source) < 20_000
    assert step(v=np.ones(3))[0] == np.inf


def test_many_branches_and_comparisons_are_read_by_python() -> None:
    """Python refuses more than 200 brackets in brackets."""
    x = symbol("x")
    cases = [p for i in range(150) for p in (apply(ADD, x, const(i)), apply(row("<"), x, const(i)))]
    step = cr.compile(scalar_program(apply(row("piecewise"), *cases, apply(MUL, x, x))))
    for at, value, slope in [
        (-1, -1, 1),
        (70.5, 141.5, 1),
        (149.5, 149.5**2, 299),
        (400, 160_000, 800),
    ]:
        assert step(x=float(at)) == (value, {"x": slope})
    greatest = cr.compile(scalar_program(apply(row("min"), *numbers(1_000))), ["x7"])
    assert greatest(**{f"x{i}": abs(i - 7.0) for i in range(1_000)}) == (0.0, {"x7": 1.0})


def test_what_would_be_quadratic_is_refused() -> None:
    x = symbol("x")
    cases = [p for i in range(300) for p in (x, apply(row("<"), x, const(i)))]
    with pytest.raises(cr.ChainruleError, match="300 conditions"):
        cr.compile(scalar_program(apply(row("piecewise"), *cases, x)))
    xs = numbers(400)
    outputs = tuple((f"y{i}", apply(MUL, a, a)) for i, a in enumerate(xs))
    program = Program("", outputs, tuple(name for name, _ in outputs), vector=True)
    with pytest.raises(cr.ChainruleError, match="400 outputs by 400 variables"):
        cr.compile(program, mode="jacobian")
    assert cr.compile(program, ["x3"], mode="jacobian")(
        **{f"x{i}": 2.0 for i in range(400)}
    )[1]["x3"].sum() == 4  # fmt: skip


def test_functions_of_a_module_are_compiled_when_they_are_called() -> None:
    step = cr.compile("x*exp(x^2)")
    assert "value" not in step._functions.names and step._name not in step._functions.names
    assert step.value(x=0.0) == 0
    assert "value" in step._functions.names and step._name not in step._functions.names
    with pytest.raises(KeyError):
        step._functions["values"]
    (file,) = (f for f in linecache.cache if f == step._functions.names["__name__"])
    lines = linecache.getlines(file)
    assert "".join(lines) == step.source
    place = step._functions["value"].__code__.co_firstlineno
    assert lines[place - 1].startswith("def value(")
    del step
    gc.collect()
    assert file not in linecache.cache
