"""Functions that are only named: `f(x)`, `g1(x, y)`, and their derivatives.

A row is made on demand, one a name, arity and order of differentiation. Where an oracle
needs values, a function stands for a fixed generic one, a sum of three sines with
coefficients drawn from its name: an identity that holds for abstract functions holds for
it, and one that does not fails with probability one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any
from zlib import crc32

from chainrule.core.expr import apply
from chainrule.core.ops import Operator


@dataclass(frozen=True, slots=True, eq=False)
class AbstractOperator(Operator):
    """The row of a named function, or of its derivative `orders[i]` times by argument i."""

    orders: tuple[int, ...] = ()

    def __reduce__(self) -> Any:
        return function, (self.name, len(self.orders), self.orders)


_rows: dict[tuple[str, tuple[int, ...]], AbstractOperator] = {}


def function(name: str, arity: int, orders: tuple[int, ...] = ()) -> AbstractOperator:
    """The row of the function `name` of `arity` arguments, or of one of its derivatives.

    >>> from chainrule.core.expr import symbol
    >>> f = function("f", 2)
    >>> f.partial(apply(f, symbol("x"), symbol("y")), 1).op.orders
    (0, 1)
    """
    orders = orders or (0,) * arity
    row = _rows.get((name, orders))
    if row is None:
        row = _rows.setdefault((name, orders), _row(name, arity, orders))
    return row


def _row(name: str, arity: int, orders: tuple[int, ...]) -> AbstractOperator:
    def partial(slot: int) -> Any:
        raised = tuple(k + (i == slot) for i, k in enumerate(orders))
        return lambda node, *args: apply(function(name, arity, raised), *args)

    return AbstractOperator(
        name, (arity, arity), tuple(partial(i) for i in range(arity)),
        ("derivative of a named function",),
        sympy=lambda s, *args: _sample(name, orders, args, s.sin, s.pi, s.Rational),
        mpmath=lambda m, *args: _sample(name, orders, args, m.sin, m.pi, lambda p, q: m.mpf(p) / q),
        numpy="", latex="", orders=orders,
    )  # fmt: skip


def _coefficients(name: str) -> Iterator[int]:
    return (crc32(f"{name}/{i}".encode()) >> 8 & 255 for i in count())


def _sample(
    name: str, orders: tuple[int, ...], args: tuple[Any, ...], sin: Any, pi: Any, ratio: Any
) -> Any:
    """The derivative of the sample function: each differentiation shifts by pi/2."""
    drawn = _coefficients(name)
    total = 0
    for _ in range(3):
        phase = ratio(next(drawn), 64) + sum(orders) * pi / 2
        scale = ratio(next(drawn) + 128, 256)
        for k, argument in zip(orders, args, strict=True):
            slope = ratio(next(drawn) + 32, 144)
            phase += slope * argument
            scale *= slope**k
        total += scale * sin(phase)
    return total
