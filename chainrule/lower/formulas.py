"""Formulas in comments: each kind of formula is set once, then filled with names."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import chain, count

from chainrule.core.arithmetic import ADD, DIV, MUL, SUB
from chainrule.core.expr import Expr, Sym, apply, symbol
from chainrule.core.ops import Operator
from chainrule.core.shape import Shape

Text = Callable[[Expr], str]

_PLACE = re.compile("\x01(\\d+)\x02")  # no name of a program has these letters
_SIGNS = {ADD: "{} + {}", SUB: "{} - {}", MUL: "{}*{}", DIV: "{}/{}"}


class _Pattern:
    """A formula but for its names: an operation on patterns, a name's place, or a leaf.

    Attributes:
        shape: of a place.
        leaf: a constant, a dimension, or a name of one letter, which layouts may know.
        layout: with a pair of braces for each name; found when it is first asked for.
    """

    __slots__ = ("layout", "leaf", "op", "parts", "shape")

    def __init__(
        self,
        op: Operator | None = None,
        parts: tuple[_Pattern, ...] = (),
        shape: Shape = (),
        leaf: Expr | None = None,
    ) -> None:
        self.op, self.parts, self.shape, self.leaf = op, parts, shape, leaf
        self.layout = ""


Formula = tuple[_Pattern, tuple[str, ...]]
"""A pattern, and the names in it from the left."""


class Formulas:
    """Makes formulas; lines that differ in their names alone have one pattern.

    Attributes:
        text: how an expression is written.

    >>> made = Formulas(repr)
    >>> a, b = made.name("u1", ()), made.name("u2", ())
    >>> made.written(made.apply(MUL, [a, b])), made.written(made.apply(MUL, [b, b]))
    ('u1*u2', 'u2*u2')
    """

    def __init__(self, text: Text) -> None:
        self.text = text
        self._leaves: dict[Expr | Shape, _Pattern] = {}
        self._made: dict[tuple[object, ...], _Pattern] = {}  # by operator and parts

    def name(self, name: str, shape: Shape) -> Formula:
        """A name of the code."""
        if len(name) == 1:
            return self.leaf(symbol(name, shape))
        found = self._leaves.get(shape)
        if found is None:
            found = self._leaves[shape] = _Pattern(shape=shape)
        return found, (name,)

    def leaf(self, node: Expr) -> Formula:
        """A constant or a dimension."""
        found = self._leaves.get(node)
        if found is None:
            found = self._leaves[node] = _Pattern(leaf=node)
        return found, ()

    def apply(self, op: Operator, parts: Sequence[Formula]) -> Formula:
        """An operation on formulas."""
        key: tuple[object, ...]
        if len(parts) == 1:
            ((p, names),) = parts
            key = (op, p)
        elif len(parts) == 2:
            (p, first), (q, second) = parts
            key, names = (op, p, q), first + second
        else:
            key = (op, *[pattern for pattern, _ in parts])
            names = tuple(chain.from_iterable([names for _, names in parts]))
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = _Pattern(op, tuple([pattern for pattern, _ in parts]))
        return found, names

    def written(self, formula: Formula) -> str:
        """The text of a formula."""
        pattern, names = formula
        layout = pattern.layout or self._set(pattern)
        return layout.format(*names)

    def _set(self, pattern: _Pattern) -> str:
        """The layout of a pattern: its text with names that stand for places."""
        order: list[_Pattern] = []
        stack = [pattern]
        while stack:
            order.append(stack.pop())
            stack.extend(order[-1].parts)
        done: list[Expr] = []
        place = count()
        for p in reversed(order):
            if p.op is not None:
                first = len(done) - len(p.parts)
                done[first:] = [apply(p.op, *done[first:])]
            else:
                stands = symbol(f"\x01{next(place)}\x02", p.shape) if p.leaf is None else p.leaf
                done.append(stands)
        (whole,) = done
        pattern.layout = found = self._laid_out(whole)
        return found

    def _laid_out(self, whole: Expr) -> str:
        sign = _SIGNS.get(whole.op) if whole.op is not None and not whole.shape else None
        if sign is not None and all(isinstance(a, Sym) for a in whole.args):
            text = sign.format(*map(repr, whole.args))
        else:
            text = self.text(whole)
        return _PLACE.sub(r"{\1}", text.replace("{", "{{").replace("}", "}}"))
