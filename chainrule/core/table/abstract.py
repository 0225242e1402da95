"""Functions that are only named: `f(x)`, `g1(x, y)`, and their derivatives.

A row is made on demand, one a name, arity and order of differentiation. Where an oracle
needs values, a function stands for a fixed generic one, a sum of three sines with
coefficients drawn from its name: an identity that holds for abstract functions holds for
it, and one that does not fails with probability one.

A function of arrays, `g: function(vector(d)) -> vector(m)`, has the shapes of its arguments and
of its result. Its derivative by a vector is its Jacobian: an array with one axis more for each
differentiation, as long as there are two axes at most.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from math import prod
from typing import Any
from zlib import crc32

from chainrule.core.errors import ShapeError, UnsupportedError
from chainrule.core.expr import Apply, Expr, apply
from chainrule.core.linmap import Along, Inner, Left, LinMap, Scale
from chainrule.core.ops import Operator
from chainrule.core.shape import Shape, shape_text


@dataclass(frozen=True, slots=True, eq=False)
class AbstractOperator(Operator):
    """The row of a named function, or of its derivative `orders[i]` times by argument i.

    Attributes:
        shapes, result: of a function of arrays: those of its arguments, and of its value
            before differentiation; else empty.
    """

    orders: tuple[int, ...] = ()
    shapes: tuple[Shape, ...] = ()
    result: Shape = ()

    def entry(
        self, module: Any, place: Sequence[int], sizes: Sequence[tuple[int, ...]], args: Any
    ) -> Any:
        """One entry of the sample of a function of arrays.

        Args:
            module: sympy, or an mpmath context.
            place: of the entry: the axes of `result`, then those of an argument for each time
                the function is differentiated by it.
            sizes: the shape of each argument in numbers.
            args: their entries, rows after each other, in one list.
        """
        own = len(self.result)
        orders = [0] * len(args)
        at, begin = own, 0
        for size, times in zip(sizes, self.orders, strict=True):
            for _ in range(times):
                offset = 0
                for axis, length in enumerate(size):
                    offset = offset * length + place[at + axis]
                orders[begin + offset] += 1
                at += len(size)
            begin += prod(size)
        name = f"{self.name}{list(place[:own])}" if own else self.name
        ratio = getattr(module, "Rational", lambda p, q: module.mpf(p) / q)
        return _sample(name, tuple(orders), args, module.sin, module.pi, ratio)

    def __reduce__(self) -> Any:
        return function, (self.name, len(self.orders), self.orders, self.shapes, self.result)


_rows: dict[tuple[Any, ...], AbstractOperator] = {}


def function(
    name: str,
    arity: int,
    orders: tuple[int, ...] = (),
    shapes: tuple[Shape, ...] = (),
    result: Shape = (),
) -> AbstractOperator:
    """The row of the function `name` of `arity` arguments, or of one of its derivatives.

    `shapes` and `result`: of a function of arrays; one of scalars may be applied to arrays
    entry by entry.

    >>> from chainrule.core.expr import symbol
    >>> f = function("f", 2)
    >>> f.partial(apply(f, symbol("x"), symbol("y")), 1).op.orders
    (0, 1)
    >>> g = function("g", 1, shapes=(("d",),), result=("m",))
    >>> g.map(apply(g, symbol("x", ("d",))), 0).matrix().shape
    ('m', 'd')
    """
    orders = orders or (0,) * arity
    if not result and not any(shapes):
        shapes = ()
    key = (name, orders, shapes, result)
    row = _rows.get(key)
    if row is None:
        made = _row_of_arrays(*key) if shapes else _row(name, arity, orders)
        row = _rows.setdefault(key, made)
    return row


def _row_of_arrays(
    name: str, orders: tuple[int, ...], shapes: tuple[Shape, ...], result: Shape
) -> AbstractOperator:
    full = result
    for shape, times in zip(shapes, orders, strict=True):
        full += shape * times

    def shape_of(*args: Expr) -> Shape:
        for a, wanted in zip(args, shapes, strict=True):
            if a.shape != wanted:
                raise ShapeError(
                    f"`{name}` takes {shape_text(wanted)}", shapes=(a.shape,), hint="as declared"
                )
        return full

    def map_of(slot: int) -> Any:
        def local(node: Apply, *args: Expr) -> LinMap:
            domain = args[slot].shape
            if len(full) + len(domain) > 2:
                raise UnsupportedError(
                    f"the derivative of `{name}` has {len(full) + len(domain)} axes",
                    hint="functions of vectors have a first derivative, of a scalar value a second",
                )
            raised = tuple(k + (i == slot) for i, k in enumerate(orders))
            slope = apply(function(name, len(shapes), raised, shapes, result), *args)
            if not full:
                return Inner(domain, (), slope) if domain else Scale((), (), slope)
            return Left(domain, full, slope) if domain else Along((), full, slope)

        return local

    def unsized(*_: Any) -> Any:
        raise UnsupportedError(
            f"values of `{name}`, a function of arrays, need sizes", hint="ask for entries"
        )

    return AbstractOperator(
        name, (len(shapes), len(shapes)), (), ("derivative of a named function",),
        sympy=unsized, mpmath=unsized, numpy="", latex="", shape=shape_of,
        maps=tuple(map_of(i) for i in range(len(shapes))),
        orders=orders, shapes=shapes, result=result,
    )  # fmt: skip


def _row(name: str, arity: int, orders: tuple[int, ...]) -> AbstractOperator:
    def partial(slot: int) -> Any:
        def local(node: Apply, *args: Expr) -> Expr:
            raised = tuple(k + (i == slot) for i, k in enumerate(orders))
            return apply(function(name, arity, raised), *args)

        return local

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
    name: str, orders: tuple[int, ...], args: Sequence[Any], sin: Any, pi: Any, ratio: Any
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
