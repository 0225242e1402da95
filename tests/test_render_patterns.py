"""Formulas of one pattern, drawn by filling in digits: as each would be drawn alone."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable, Sequence

import pytest

from chainrule import ChainruleError
from chainrule.core.expr import Expr, apply, const, symbol
from chainrule.core.ops import Operator, rows
from chainrule.derivation.steps import Formula, Partial, Plus, Times
from chainrule.render.boxes import ArrayName, Box
from chainrule.render.breaking import lines, width
from chainrule.render.latex import write
from chainrule.render.layout import layout
from chainrule.render.mathml import mathml
from chainrule.render.patterns import _MARK, Face
from chainrule.render.text import FACE, text

WRITES: list[Callable[[Box], str]] = [FACE.write, write, mathml]
ROWS = [r for r in rows() if r.shape is None and r.partials and r.notation != "relation"]
NAMES = (
    "u1", "u2", "u9", "u10", "u11", "u123", "x", "y", "e", "d", "d1", "d2", "f1", "f2", "log2",
    "log3", "log10", "atan2", "theta_1", "theta_2", "loss_12", "loss_34", "φ1", "φ2", "t01",
    "u1'", "∂L/∂u1", "∂L/∂u2", "dy/du1", "a_very_long_name_12345678", "a_very_long_name_87654321",
)  # fmt: skip


def alone(sides: Sequence[Formula], room: float, explicit: bool, draw: Callable[[Box], str]) -> str:
    """The lines of one formula, without patterns, and their widths."""
    (side,) = sides
    broken = lines(layout(side, explicit), room)
    widths = [width(line) for line in broken]
    return repr(([draw(line) for line in broken], max(widths), widths[-1]))


def filled(face: Face, sides: Sequence[Formula], room: float, explicit: bool) -> str:
    found = face.lines(sides, room, explicit)
    return repr((found.lines, found.widest, found.last))


def formula(rng: random.Random, name: Callable[[], str]) -> Formula:
    """A small formula of a shape that depends on the state alone, over names that do not."""

    def leaf() -> Expr:
        return const(rng.choice([2, -1, 0.5])) if rng.random() < 0.2 else symbol(name())

    def expression() -> Expr:
        pool = [leaf() for _ in range(3)]
        for _ in range(rng.randint(0, 4)):
            row = rng.choice(ROWS)
            count = max(row.arity[0], min(row.arity[1] or 3, 3))
            pool.append(apply(row, *(pool[-1 - rng.randrange(3)] for _ in range(count))))
        return pool[-1]

    def factor() -> Formula:
        if rng.random() < 0.5:
            return Partial(name(), name(), rng.random() < 0.5)
        return expression()

    def product() -> Formula:
        return Times(tuple(factor() for _ in range(rng.randint(1, 3))))

    kind = rng.randrange(4)
    if kind == 0:
        return Plus(tuple(product() for _ in range(rng.randint(1, 3))))
    return product() if kind == 1 else factor()


@pytest.mark.parametrize("seed", range(60))
def test_filled_in_is_what_is_drawn_alone(seed: int) -> None:
    faces = [(Face(draw), draw) for draw in WRITES]
    names = random.Random(seed + 1000)
    alike = [f"{stem}{i}" for stem in ("u", "f", "theta_") for i in range(1, 10)]
    pool = alike[9 * (seed % 3) :][:9] if seed % 4 else [*names.sample(NAMES, 4), *NAMES]
    for _ in range(12):
        try:
            one = formula(random.Random(seed), lambda: names.choice(pool))
        except ChainruleError:
            continue
        for (face, draw), room, explicit in itertools.product(faces, (1e9, 12.0), (False, True)):
            if draw is FACE.write and room < 1e9:
                continue  # text is broken by its letters
            assert filled(face, [one], room, explicit) == alone([one], room, explicit, draw)


def test_equal_names_are_not_taken_for_different_ones() -> None:
    face = Face(FACE.write)
    u = [symbol(f"u{i}") for i in range(1, 7)]
    for a, b in itertools.product(u, u):
        assert face.line([a * b + a]) == f"{a}*{b} + {a}"
        assert face.line([a, b]) == f"{a} = {b}"
        edge = Partial(a.name, b.name)
        assert face.line([Times((edge, a))]) == f"d{a}/d{b} * {a}"


def test_a_derivative_is_no_pattern_of_an_expression() -> None:
    face = Face(FACE.write)
    u = [symbol(f"u{i}") for i in range(1, 5)]
    for _ in range(3):
        for total in (False, True):
            sides = [Times((Partial("u1", "u2", total), u[2])), Times((u[0], u[1], u[2]))]
            assert [face.line([side]) for side in sides] == ["du1/du2 * u3", "u1 * u2 * u3"]


def test_digits_of_a_formula_that_stand_for_those_of_names() -> None:
    face = Face(FACE.write)
    for i in range(4):
        shown = face.line([symbol(f"u{i}") - const(int(f"{_MARK}000"))])
        assert shown == f"u{i} - {_MARK}000"


def test_a_name_that_is_cut_to_fit_is_no_pattern() -> None:
    face = Face(write)
    for i in range(4):
        one = symbol(f"a{'b' * 40}{i}")
        assert filled(face, [one], 6.0, False) == alone([one], 6.0, False, write)


def test_names_of_arrays_are_bold_beside_numbers_of_the_same_name() -> None:
    face = Face(write)
    for _ in range(3):
        assert face.line([Partial("u1", "u2")]) == r"\frac{\partial u_{1}}{\partial u_{2}}"
        bold = face.line([Partial("u1", ArrayName("u2"))])
        assert bold == r"\frac{\partial u_{1}}{\partial \mathbf{u}_{2}}"
        assert face.line([symbol("u1", ("n",))]) == r"\mathbf{u}_{1}"


def test_patterns_are_few() -> None:
    """One for each number of digits, whatever the names; none is kept without bound."""
    face = Face(FACE.write)
    for i in range(5000):
        assert face.line([symbol(f"u{i}") ** 2]) == f"u{i}^2"
    assert len(face._patterns) == 4
    for i in range(5000):
        face.line([symbol("u1") + i])
    assert len(face._met) <= 1024 and len(face._patterns) <= 1024


def test_a_formula_with_braces_is_filled_as_it_is() -> None:
    for i in range(4):
        u = symbol(f"u{i}")
        cases = next(r for r in rows() if r.notation == "piecewise")
        shown = text(apply(cases, u, apply(_row(">"), u, const(0)), -u))
        assert re.fullmatch(rf"\{{u{i} if u{i} > 0, .*\}}", shown)


def _row(name: str) -> Operator:
    return next(r for r in rows() if r.name == name)
