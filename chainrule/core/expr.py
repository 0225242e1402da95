"""The nodes of the expression DAG: constants, symbols, applications.

Nodes are bare, immutable and interned: equal expressions are one object, so equality is
identity and a shared part is stored once. A node is younger than its arguments, hence
its `serial` is a topological order, and every walk is a loop. Names, source positions
and provenance live in side tables, never in a node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from operator import attrgetter
from typing import Any, TypeVar

from chainrule.core import interning
from chainrule.core.interning import (
    applications,
    begin,
    constants,
    end,
    enter,
    floats,
    serials,
    sweep,
    symbols,
)
from chainrule.core.ops import Operator, lookup
from chainrule.core.shape import Shape as Shape
from chainrule.core.shape import broadcast, check_rank

T = TypeVar("T")
Number = int | float | Fraction

_REPR_DEPTH = 6


class Expr:
    """A node; build one with `const`, `symbol`, `apply` or the operators of Python.

    `op` is None for all but applications; `shape` is `()` for all but arrays.
    """

    __slots__ = ("args", "serial")
    op: Operator | None = None
    shape: Shape = ()
    args: tuple[Expr, ...]
    serial: int

    def __add__(self, other: Expr | Number) -> Expr:
        return _add(self, other if isinstance(other, Expr) else lift(other))

    def __radd__(self, other: Number) -> Expr:
        return _add(lift(other), self)

    def __sub__(self, other: Expr | Number) -> Expr:
        return _sub(self, other if isinstance(other, Expr) else lift(other))

    def __rsub__(self, other: Number) -> Expr:
        return _sub(lift(other), self)

    def __mul__(self, other: Expr | Number) -> Expr:
        return _mul(self, other if isinstance(other, Expr) else lift(other))

    def __rmul__(self, other: Number) -> Expr:
        return _mul(lift(other), self)

    def __truediv__(self, other: Expr | Number) -> Expr:
        return _div(self, other if isinstance(other, Expr) else lift(other))

    def __rtruediv__(self, other: Number) -> Expr:
        return _div(lift(other), self)

    def __pow__(self, other: Expr | Number) -> Expr:
        return _power(self, lift(other))

    def __rpow__(self, other: Number) -> Expr:
        return _power(lift(other), self)

    def __matmul__(self, other: Expr) -> Expr:
        return apply(lookup("matmul"), self, lift(other))

    def __neg__(self) -> Expr:
        return _sub(ZERO, self)

    def __pos__(self) -> Expr:
        return self

    @property
    def T(self) -> Expr:
        """The transpose."""
        return apply(lookup("transpose"), self) if self.shape else self

    def __bool__(self) -> bool:
        raise TypeError("an expression is neither true nor false; compare nodes with `is`")

    def __copy__(self) -> Expr:
        return self

    def __deepcopy__(self, _: Any) -> Expr:
        return self

    def __reduce__(self) -> tuple[Callable[..., Expr], tuple[Any, ...]]:
        # A flat listing in topological order: unpickling interns and never recurses.
        order = topological([self])
        place = {node: i for i, node in enumerate(order)}
        return _rebuild, (tuple(_row(node, place) for node in order),)

    def __repr__(self) -> str:
        return _abbreviate(self, _REPR_DEPTH)


class Const(Expr):
    """An exact rational number; `decimal` keeps 0.5 apart from 1/2, for printing."""

    __slots__ = ("decimal", "value")
    __match_args__ = ("value",)
    value: int | Fraction
    decimal: bool


class Sym(Expr):
    """A name with a shape; `()` is a scalar."""

    __slots__ = ("name", "shape")
    __match_args__ = ("name",)
    name: str
    shape: Shape


class Apply(Expr):
    """An operator applied to arguments."""

    __slots__ = ("op",)
    __match_args__ = ("op", "args")
    op: Operator


class ArrayApply(Apply):
    """An application whose value is a vector or a matrix."""

    __slots__ = ("shape",)
    shape: Shape


_add: Callable[[Expr, Expr], Expr]
_sub: Callable[[Expr, Expr], Expr]
_mul: Callable[[Expr, Expr], Expr]
_div: Callable[[Expr, Expr], Expr]
_power: Callable[[Expr, Expr], Expr]


def define_operators(*operators: Callable[[Expr, Expr], Expr]) -> None:
    """What Python's `+ - * / **` build; `chainrule.core.arithmetic` says it."""
    global _add, _sub, _mul, _div, _power
    _add, _sub, _mul, _div, _power = operators


_new = object.__new__
_serial = attrgetter("serial")


def const(value: Number, decimal: bool = False) -> Const:
    """The constant of this value; a float is the decimal number it prints as.

    >>> const(0.1), const(Fraction(1, 2)), const(2) is const(2.0)
    (0.1, 1/2, False)
    """
    if type(value) is int:
        key = (value, decimal)
        node = constants.get(key)
        return _constant(key, value, decimal) if node is None else node
    if isinstance(value, float):
        node = floats.get(value)
        return _from_float(value) if node is None else node
    exact = value if type(value) is Fraction else Fraction(value)
    if exact.denominator == 1:
        return const(exact.numerator, decimal)
    return _rational(exact, decimal and _terminates(exact))


def _rational(value: Fraction, decimal: bool) -> Const:
    # Not by the Fraction, which computes its hash with a power in modular arithmetic.
    key = (*value.as_integer_ratio(), decimal)
    node = constants.get(key)
    return _constant(key, value, decimal) if node is None else node


def _constant(key: Any, value: int | Fraction, decimal: bool) -> Const:
    node = _new(Const)
    node.args, node.value, node.decimal = (), value, decimal
    entered: Const = enter(constants, key, node)
    return entered


def _from_float(value: float) -> Const:
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError(f"{value} is not a number an expression can hold")
    text = float.__repr__(value)
    whole, _, digits = text.partition(".")
    # Several times faster than Fraction's own reading, which is left with exponents.
    short = digits.isdigit()
    exact = Fraction(int(whole + digits), 10 ** len(digits)) if short else Fraction(text)
    integral = exact.denominator == 1
    node = floats[value] = const(exact.numerator, True) if integral else _rational(exact, True)
    return node


_MOST_DIGITS = 330
_POWER_OF_FIVE = 5**_MOST_DIGITS


def _terminates(value: Fraction) -> bool:
    """Whether it is a decimal number of not too many digits."""
    rest = value.denominator
    twos = (rest & -rest).bit_length() - 1
    return twos <= _MOST_DIGITS and _POWER_OF_FIVE % (rest >> twos) == 0


def symbol(name: str, shape: Shape = ()) -> Sym:
    """The symbol of this name and shape."""
    key = (name, shape)
    node = symbols.get(key)
    if node is None:
        fresh = _new(Sym)
        fresh.args, fresh.shape, fresh.name = (), shape, name
        node = enter(symbols, key, fresh)
    return node  # type: ignore[no-any-return]


def apply(op: Operator, *args: Expr) -> Apply:
    """The application of `op`, as written: nothing is folded."""
    table = applications.get(op)
    if table is None:
        table = applications_of(op)
    node = table.get(args)
    return create(op, args, table) if node is None else node


def applications_of(op: Operator) -> dict[tuple[Expr, ...], Apply]:
    """The table of the applications of `op`, for those who look up often."""
    return applications.setdefault(op, {})


def create(op: Operator, args: tuple[Expr, ...], table: dict[tuple[Expr, ...], Apply]) -> Apply:
    """A new application of `op` for its table; another thread's, if that was faster."""
    if op.shape is None:
        for a in args:
            if a.shape:
                node = _shaped(op, args)
                break
        else:
            node = _new(Apply)
    else:
        node = _shaped(op, args)
    node.op, node.args = op, args
    node.serial = serial = next(serials)
    try:
        begin(None)
        present = None if interning.sweeping else table.setdefault(args, node)
    finally:
        end()
    if present is None:
        present = enter(table, args, node)  # waits until the sweep is done
    if serial >= interning.sweep_at:
        sweep()
    return present


def _shaped(op: Operator, args: tuple[Expr, ...]) -> Any:
    """A bare node of the row's shape, or of the one its arguments broadcast to."""
    shape = op.shape(*args) if op.shape else broadcast(*[a.shape for a in args])
    if not shape:
        return _new(Apply)
    node = _new(ArrayApply)
    node.shape = check_rank(shape)
    return node


def find(op: Operator, *args: Expr) -> Expr | None:
    """The application of `op`, if it is there already."""
    table = applications.get(op)
    return None if table is None else table.get(args)


def lift(value: Expr | Number) -> Expr:
    """An expression as it is; a number as a constant. TypeError for anything else."""
    if type(value) is int or type(value) is float:
        return const(value)
    if isinstance(value, Expr):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float, Fraction)):
        raise TypeError(f"{value!r} is not a number or an expression")
    return const(value)


ZERO, ONE, TWO, MINUS_ONE = const(0), const(1), const(2), const(-1)
HALF = const(Fraction(1, 2))


def topological(roots: Iterable[Expr]) -> list[Expr]:
    """The nodes below the roots (and the roots), arguments before users."""
    seen = set(roots)
    stack = list(seen)
    push, pop, see = stack.append, stack.pop, seen.add
    while stack:
        for argument in pop().args:
            if argument not in seen:
                see(argument)
                push(argument)
    return sorted(seen, key=_serial)


def postorder(root: Expr, enters: Callable[[Expr], bool] | None = None) -> list[Expr]:
    """The nodes below the root, arguments first, from the left: as one reads the text.

    With `enters`, the arguments of other nodes are left out.
    """
    order: list[Expr] = []
    seen: set[Expr] = set()
    stack: list[tuple[Expr, bool]] = [(root, False)]
    while stack:
        node, left = stack.pop()
        if left:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            if enters is None or enters(node):
                stack.extend((a, False) for a in reversed(node.args))
    return order


def fold(roots: Sequence[Expr], visit: Callable[[Expr, list[T]], T]) -> list[T]:
    """Compute `visit(node, results of its arguments)` once a node; the roots' results."""
    done: dict[Expr, T] = {}
    for node in topological(roots):
        done[node] = visit(node, [done[a] for a in node.args])
    return [done[root] for root in roots]


def substitute(roots: Sequence[Expr], replacements: Mapping[Expr, Expr]) -> list[Expr]:
    """The roots with nodes replaced, once (not inside a replacement); structure is kept."""

    def visit(node: Expr, args: list[Expr]) -> Expr:
        if node in replacements:
            return replacements[node]
        if isinstance(node, Apply) and any(
            a is not b for a, b in zip(args, node.args, strict=True)
        ):
            return apply(node.op, *args)
        return node

    return fold(roots, visit)


def free_symbols(roots: Iterable[Expr]) -> list[Sym]:
    """The symbols in order of appearance, from the left."""
    seen: set[Expr] = set()
    found = []
    stack = list(roots)[::-1]
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            if isinstance(node, Sym):
                found.append(node)
            stack.extend(reversed(node.args))
    return found


def depends_on(roots: Sequence[Expr], symbols: Iterable[Expr]) -> set[Expr]:
    """The nodes below the roots that any of the symbols can be reached from."""
    dependent = set(symbols)
    for node in topological(roots):
        if not dependent.isdisjoint(node.args):
            dependent.add(node)
    return dependent


def _abbreviate(node: Expr, depth: int) -> str:
    if isinstance(node, Const):
        return number_text(node)
    if isinstance(node, Sym):
        return node.name
    assert isinstance(node, Apply)
    inner = ", ".join(_abbreviate(a, depth - 1) for a in node.args[:8]) if depth else "…"
    return f"{node.op.name}({inner}{', …' if len(node.args) > 8 else ''})"


def number_text(node: Const) -> str:
    """The constant as the language writes it: `2`, `-1/3`, `0.25`, `1e-12`."""
    value = Fraction(node.value)
    if not node.decimal:
        return str(node.value)
    digits = 0
    scaled = value
    while scaled.denominator != 1:
        scaled *= 10
        digits += 1
    whole = str(abs(scaled.numerator))
    sign = "-" if value < 0 else ""
    if digits == 0:
        stripped = whole.rstrip("0")
        zeros = len(whole) - len(stripped)
        return f"{sign}{stripped}e{zeros}" if zeros > 15 else f"{sign}{whole}.0"
    if digits > 15 and len(whole) < digits - 5:
        return f"{sign}{whole}e-{digits}"
    whole = whole.rjust(digits + 1, "0")
    return f"{sign}{whole[:-digits]}.{whole[-digits:]}"


def _row(node: Expr, place: Mapping[Expr, int]) -> tuple[Any, ...]:
    if isinstance(node, Const):
        return ("const", node.value, node.decimal)
    if isinstance(node, Sym):
        return ("symbol", node.name, node.shape)
    assert isinstance(node, Apply)
    return ("apply", node.op, *(place[a] for a in node.args))


def _rebuild(listing: tuple[tuple[Any, ...], ...]) -> Expr:
    nodes: list[Expr] = []
    for kind, first, *rest in listing:
        if kind == "const":
            nodes.append(const(first, *rest))
        elif kind == "symbol":
            nodes.append(symbol(first, *rest))
        else:
            nodes.append(apply(first, *(nodes[i] for i in rest)))
    return nodes[-1]
