"""Every row of the operator table, column by column, against oracles that do not read it.

A new row is tried as it stands: nothing here knows a name. Rows over arrays are differentiated
in test_maps.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest
import sympy

import chainrule.core.table
from chainrule.checking.numbers import Tape, context, evaluate
from chainrule.core import ops
from chainrule.core.errors import ArityError
from chainrule.core.expr import ONE, ZERO, Apply, Expr, apply, const, symbol
from chainrule.core.intervals import ANYTHING, Interval
from chainrule.core.ops import Operator
from chainrule.syntax.parser import parse

assert chainrule.core.table

ROWS = list(ops.rows())
ENTRYWISE = [row for row in ROWS if row.shape is None]
NO_RULE = "no rule"  # what a row says of an argument that it cannot be differentiated by
VALUES = ("-7.3", "-2.2", "-0.61", "0.35", "0.8", "1.7", "5.1")
WHOLE = ("-3", "0", "1", "2", "6")
EXTREMES = ("-1e3", "-30", "-1.000001", "-0.999999", "-1e-8", "1e-8", "0.999999", "1.000001", "1e3")
M, FINE = context(50), context(150)
MOST = 3  # arguments tried of rows that take any number

Point = tuple[str, ...]


def counts(row: Operator) -> range:
    low, high = row.arity
    return range(low, (MOST if high is None else high) + 1)


def forms() -> list[Any]:
    """Each row of functions of numbers, with each number of arguments that is tried."""
    return [pytest.param(row, n, id=f"{row.name}-{n}") for row in ENTRYWISE for n in counts(row)]


def arguments(n: int) -> tuple[Expr, ...]:
    return tuple(symbol(f"a{i}") for i in range(n))


def at(point: Point) -> dict[str, Any]:
    return {f"a{i}": FINE.mpf(v) for i, v in enumerate(point)}


@cache
def tape(*roots: Expr) -> Tape:
    return Tape(roots)


def values(roots: Sequence[Expr], point: Point) -> list[Any]:
    return tape(*roots).run(M, at(point))


def value(root: Expr, point: Point) -> Any:
    return values([root], point)[0]


def smooth_points(row: Operator, n: int, pool: Sequence[str] = VALUES) -> list[Point]:
    """Points inside the domain of value and derivative, away from kinks."""
    args = arguments(n)
    inside = [*row.domain(*args), *row.smooth(*args)]
    kinks = [k.where for k in row.kinks(*args)]
    found = []
    for point in product(pool[:: max(1, n - 1)], repeat=n):
        there, *relations = values([apply(row, *args), *inside, *kinks], point)
        if there is not None and relations == [1] * len(inside) + [0] * len(kinks):
            found.append(point)
    return found


@cache
def points_of(row: Operator, n: int) -> list[Point]:
    """Points between whole numbers; where there are none, whole numbers too."""
    found = smooth_points(row, n) or smooth_points(row, n, VALUES + WHOLE)
    assert found, f"{row.name} is defined at none of the points tried"
    return found[:: max(1, len(found) // 25)]


def difference_quotient(node: Apply, slot: int, point: Point) -> Any:
    """The derivative by numbers alone, to about 40 digits."""
    h = FINE.mpf(10) ** -25
    sides = []
    for shift in (h, -h):
        shifted = at(point)
        shifted[f"a{slot}"] += shift
        sides += tape(node).run(FINE, shifted)
    above, below = sides
    return None if above is None or below is None else (above - below) / (2 * h)


def close(a: Any, b: Any, tolerance: float) -> bool:
    return bool(abs(a - b) <= tolerance * max(abs(a), abs(b), 1e-30))


@pytest.mark.parametrize(("row", "n"), forms())
def test_partials_are_the_limits_of_difference_quotients(row: Operator, n: int) -> None:
    node = apply(row, *arguments(n))
    for slot in range(n):
        if row.rule(slot) == NO_RULE:
            with pytest.raises(ValueError, match="derivative"):
                row.partial(node, slot)
            continue
        partial = row.partial(node, slot)
        compared = 0
        for point in points_of(row, n):
            expected = difference_quotient(node, slot, point)
            if expected is None:
                continue
            claimed = value(partial, point)
            assert claimed is not None, (row, slot, point)
            assert close(claimed, expected, 1e-30), (row, slot, point, claimed, expected)
            compared += 1
        assert compared


def by_sympy(expression: Any, point: Point) -> Any:
    subs = {sympy.Symbol(f"a{i}", real=True): sympy.Float(v, 60) for i, v in enumerate(point)}
    found = sympy.sympify(expression).evalf(40, subs=subs)
    return context(40).mpf(str(found)) if found.is_number and found.is_real else None


@pytest.mark.parametrize(("row", "n"), forms())
def test_values_and_partials_agree_with_sympy(row: Operator, n: int) -> None:
    node = apply(row, *arguments(n))
    symbols = sympy.symbols(f"a:{n}", real=True)
    counterpart = row.sympy(sympy, *symbols)
    points = points_of(row, n)[::4]
    for point in points:
        # Whole numbers as such: SymPy's polygamma wants them.
        assert close(by_sympy(counterpart, point), value(node, point), 1e-30), point
    for slot in range(n):
        if row.rule(slot) == NO_RULE:
            continue
        partial = row.partial(node, slot)
        derivative = sympy.diff(counterpart, symbols[slot])
        if derivative.has(sympy.Derivative):  # of floor: SymPy does not say that it is 0
            assert partial is ZERO
            continue
        for point in points:
            assert close(by_sympy(derivative, point), value(partial, point), 1e-30), point


@pytest.mark.parametrize(("row", "n"), forms())
def test_the_domain_is_where_the_value_is_real(row: Operator, n: int) -> None:
    args = arguments(n)
    node, domain = apply(row, *args), row.domain(*args)
    for point in product((*VALUES, "0", "1", "-1"), repeat=n):
        if row.notation == "power" and ("0" in point or point[1] in ("1", "-1")):
            continue  # a^b as such wants a > 0, yet has values here that the limits have not
        there, *inside = values([node, *domain], point)
        if not all(inside):
            assert there is None, point
        elif domain:
            assert there is not None, point


@pytest.mark.parametrize(("row", "n"), forms())
def test_kinks_have_a_convention_and_a_value(row: Operator, n: int) -> None:
    args = arguments(n)
    node = apply(row, *args)
    for kink in row.kinks(*args):
        assert kink.convention
        there = [
            p
            for p in product(VALUES[2:4] + WHOLE[1:3], repeat=n)
            if value(kink.where, p) and value(node, p) is not None
        ]
        assert there, f"{row.name} has no such kink"
        for point in there:
            for slot in range(n):
                assert value(row.partial(node, slot), point) is not None, (point, slot)


@pytest.mark.parametrize("row", [r for r in ENTRYWISE if r.values], ids=repr)
def test_exact_values(row: Operator) -> None:
    for argument, expected in row.values:
        assert evaluate([apply(row, const(argument))], {})[0] == expected, argument


@pytest.mark.parametrize("row", [r for r in ENTRYWISE if r.arity == (1, 1)], ids=repr)
def test_parity(row: Operator) -> None:
    node = apply(row, *arguments(1))
    pairs = [(value(node, (v,)), value(node, (f"-{v}",))) for v in VALUES[3:]]
    pairs = [(a, b) for a, b in pairs if a is not None and b is not None and a != 0]
    odd = value(node, ("0",)) in (None, 0) and all(close(a, -b, 1e-40) for a, b in pairs)
    even = all(close(a, b, 1e-40) for a, b in pairs)
    assert row.parity == ("" if not pairs else "odd" if odd else "even" if even else "")


def holds(interval: Interval, number: Any) -> bool:
    ends = (interval.low, interval.high)
    low, high = [None if e is None else M.mpf(e.numerator) / e.denominator for e in ends]
    return (
        (low is None or number > low or (number == low and not interval.open_low))
        and (high is None or number < high or (number == high and not interval.open_high))
        and not (interval.nonzero and number == 0)
    )


def around(text: str) -> list[Interval]:
    """Intervals that hold a number."""
    number = M.mpf(text)
    low = int(M.floor(number))
    if number == low:
        return [Interval(low, low, nonzero=low != 0), Interval(low - 1, low), ANYTHING]
    return [Interval(low, low + 1, True, True), Interval(low), Interval(None, low + 1), ANYTHING]


@pytest.mark.parametrize(("row", "n"), forms())
def test_values_lie_in_the_range_and_the_enclosure(row: Operator, n: int) -> None:
    node = apply(row, *arguments(n))
    for point in product((*VALUES, "0", "1", "-1"), repeat=n):
        there = value(node, point)
        if there is None:
            continue
        assert holds(row.range, there), point
        if row.keeps_sign:
            assert M.sign(there) == M.sign(M.mpf(point[0])), point
        if row.enclosure is not None:
            for known in zip(*[around(v) for v in point], strict=False):
                assert holds(row.enclosure(*known), there), (point, known)


@pytest.mark.parametrize("row", [r for r in ENTRYWISE if r.arity == (1, 1)], ids=repr)
def test_what_a_row_says_of_other_rows(row: Operator) -> None:
    a = arguments(1)[0]
    here = apply(row, a)
    equal: list[tuple[Expr, Expr]] = []
    if row.undoes:
        equal.append((apply(ops.lookup(row.undoes), here), a))
    if row.reciprocal:
        equal.append((here * apply(ops.lookup(row.reciprocal), a), ONE))
    if row.quotient:
        over, under = (apply(ops.lookup(name), a) for name in row.quotient)
        equal.append((here * under, over))
    if row.square:
        other = apply(ops.lookup(row.square.of), a)
        equal.append((here**2, row.square.constant + row.square.factor * other**2))
    for left, right in equal:
        compared = 0
        for v in VALUES:
            pair = values([left, right], (v,))
            if None not in pair:
                compared += 1
                assert close(pair[0], pair[1], 1e-40), v
        assert compared


def numpy_value(row: Operator, point: Point) -> float:
    """The template, filled in with arrays of one number, with warnings raised."""
    names = [f"a{i}" for i in range(len(point))]
    scope: dict[str, Any] = {n: np.array([float(v)]) for n, v in zip(names, point, strict=True)}
    scope |= {"np": np, "math": math}
    if "scipy" in row.numpy:
        scope["scipy"] = pytest.importorskip("scipy")
        pytest.importorskip("scipy.special")
    pairs = len(names) - len(names) % 2
    text = row.numpy.format(
        *names,
        args=", ".join(names),
        dtype="float",
        choices=", ".join(names[0:pairs:2]),
        conditions=", ".join(f"{name} != 0" for name in names[1::2]),
        default=names[-1] if len(names) % 2 else "np.nan",
    )
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        (found,) = np.broadcast_to(eval(text, scope), (1,))
    return float(found)


def assert_numpy_agrees(row: Operator, points: Sequence[Point], tolerance: float) -> int:
    compared = 0
    node = apply(row, *arguments(len(points[0]) if points else 0))
    for point in points:
        expected = value(node, tuple(repr(float(v)) for v in point))
        if expected is None or abs(expected) > 1e300:
            continue
        found = numpy_value(row, point)
        assert math.isfinite(found), point
        assert abs(found - float(expected)) <= tolerance * abs(float(expected)) + 1e-300, point
        compared += 1
    return compared


@pytest.mark.parametrize(("row", "n"), forms())
def test_the_numpy_template_at_moderate_points(row: Operator, n: int) -> None:
    assert assert_numpy_agrees(row, points_of(row, n), 1e-12)


@pytest.mark.parametrize(("row", "n"), forms())
def test_the_numpy_template_at_the_extremes(row: Operator, n: int) -> None:
    points = smooth_points(row, n, EXTREMES) or smooth_points(row, n, EXTREMES + WHOLE)
    assert assert_numpy_agrees(row, points[:: max(1, len(points) // 60)], 1e-9)


def test_spellings_are_unique_and_known() -> None:
    spelled = [s for row in ROWS for s in (row.name, *row.spellings)]
    assert len(spelled) == len(set(spelled))
    assert all(s in (ops.lookup(s).name, *ops.lookup(s).spellings) for s in spelled)
    for row in ROWS[:3]:
        with pytest.raises(ValueError, match="two rows"):
            ops.register(row)


@pytest.mark.parametrize("row", ROWS, ids=repr)
def test_columns_are_filled(row: Operator) -> None:
    low, high = row.arity
    assert row.latex or row.notation == "matmul"
    assert row.numpy
    assert all(row.rules) and (row.rules or high == 0)
    assert not row.accepts(low - 1) and row.accepts(low)
    assert row.variadic if high is None else row.accepts(high) and not row.accepts(high + 1)


@pytest.mark.parametrize(
    "row", [r for r in ENTRYWISE if r.notation == "function" and r.name.isidentifier()], ids=repr
)
def test_the_number_of_arguments_is_enforced(row: Operator) -> None:
    low, high = row.arity
    for wrong in {low - 1, low if high is None else high + 1} - {0, low}:
        with pytest.raises(ArityError):
            parse(f"{row.name}({', '.join(['x'] * wrong)})")
