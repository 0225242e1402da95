"""How long an expression is when it is printed, and in which order factors are written.

Length decides between forms of equal value: it is close to the number of characters of the
printed text, and is the only measure the simplifier has.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import TypeVar
from zlib import crc32

from chainrule.core.expr import Apply, Const, Expr, Sym, number_text
from chainrule.core.ops import Operator, rows

_SUM, _SIGN, _PRODUCT, _POWER, _ATOM = 10, 15, 20, 40, 50
_LONGEST_NAME = 120

T = TypeVar("T")
Rank = tuple[int, int, str, int, str]


def level(node: Expr) -> int:
    """How tightly the printed node binds."""
    if isinstance(node, Const):
        if node.value < 0:
            return _SIGN
        return _PRODUCT if isinstance(node.value, Fraction) and not node.decimal else _ATOM
    return node.op.precedence if isinstance(node, Apply) else _ATOM


def _remembered(node: Expr, known: dict[Expr, T], own: Callable[[Expr], T]) -> T:
    """`own(node)`, which may ask for what is known of the arguments; each node once."""
    stack = [node]
    while stack:
        top = stack[-1]
        missing = [] if top in known else [a for a in top.args if a not in known]
        if missing:
            stack.extend(missing)
            continue
        stack.pop()
        if top not in known:
            known[top] = own(top)
    return known[node]


def name_key(name: str) -> str:
    """A text that orders names as people do: x2 comes before x10."""
    stem = name.rstrip("0123456789")
    number = name[len(stem) :]
    return f"{stem}{number:>4}" if number else stem


@lru_cache(maxsize=1)
def _places(table: tuple[Operator, ...]) -> dict[Operator, int]:
    """The places of the rows in the table; a named function has none."""
    return {row: i for i, row in enumerate(table)}


class Measure:
    """Lengths and orders, remembered from one question to the next.

    Without `by_name`, factors of one kind have the same rank: they keep the order they have.
    """

    def __init__(self, by_name: bool = True) -> None:
        self._by_name = by_name
        self._lengths: dict[Expr, int] = {}
        self._names: dict[Expr, str] = {}
        self._places = _places(tuple(rows()))

    @property
    def remembered(self) -> int:
        """How much is remembered."""
        return len(self._lengths) + len(self._names)

    def length(self, node: Expr) -> int:
        """About the number of characters of the printed node."""
        return _remembered(node, self._lengths, self._own_length)

    def _own_length(self, node: Expr) -> int:
        if isinstance(node, Const):
            bits = Fraction(node.value).numerator.bit_length()
            return len(number_text(node)) if bits < 256 else bits // 3
        if isinstance(node, Sym):
            return len(node.name)
        assert isinstance(node, Apply)
        known, args = self._lengths, node.args
        inner = sum([known[a] for a in args])
        match node.op.notation:
            case "sum":
                return inner + 3 + self._brackets(args[1], _SUM + 1)
            case "product" | "fraction":
                both = self._brackets(args[0], _PRODUCT) + self._brackets(args[1], _PRODUCT + 1)
                return inner + 1 + both
            case "power":
                both = self._brackets(args[0], _POWER + 1) + self._brackets(args[1], _POWER)
                return inner + 1 + both
            case "prefix":
                return inner + 1 + self._brackets(args[0], _SIGN)
            case "relation":
                return inner + 2 + len(node.op.name)
            case "constant":
                return len(node.op.name)
            case "piecewise":
                values = (len(args) + 1) // 2
                return inner + 4 * (len(args) - values) + 2 * values
        return inner + len(node.op.name) + 2 * max(1, len(args))

    @staticmethod
    def _brackets(node: Expr, least: int) -> int:
        return 2 if level(node) < least else 0

    def name(self, node: Expr) -> str:
        """A text that orders nodes by their structure; that of a large node is a digest."""
        return _remembered(node, self._names, self._own_name)

    def _own_name(self, node: Expr) -> str:
        if isinstance(node, Const):
            bits = Fraction(node.value).numerator.bit_length()
            return number_text(node) if bits < 256 else f"{hash(node.value):x}"
        if isinstance(node, Sym):
            return name_key(node.name)
        assert isinstance(node, Apply)
        full = f"{node.op.name}({','.join([self._names[a] for a in node.args])})"
        if len(full) > _LONGEST_NAME:
            full = f"{full[: _LONGEST_NAME // 2]}~{crc32(full.encode())}"
        return full

    def rank(self, node: Expr) -> Rank:
        """The place of a factor: constants, symbols, functions, roots, brackets, cases."""
        if not self._by_name:
            return (*self._place(node)[:2], "", 0, "")
        if not isinstance(node, Apply) or node.op.notation != "power":
            return (*self._place(node), 0, "")
        base, exponent = node.args
        kind, place, name = self._place(base)
        if isinstance(exponent, Const):
            return (kind, place, name, -1, self.name(node))
        return (max(kind, 2), place, name, 1, self.name(node))

    def _place(self, node: Expr) -> tuple[int, int, str]:
        if isinstance(node, Const):
            return (0, 0, self.name(node))
        if isinstance(node, Sym):
            return (1, 0, self.name(node))
        assert isinstance(node, Apply)
        match node.op.notation:
            case "constant":
                return (0, 1, self.name(node))
            case "root":
                return (0 if isinstance(node.args[0], Const) else 4, 0, self.name(node))
            case "sum" | "prefix" | "product" | "fraction" | "power":
                return (5, 0, self.name(node))
            case "relation" | "piecewise":
                return (6, 0, self.name(node))
        return (3, self._places.get(node.op, len(self._places)), self.name(node))
