"""The row type of the operator table, and the registry of its rows.

Everything anyone wants to know about an operator stands in its row: the parser, the two
passes, the printers, the code generator, the bridges to SymPy and mpmath and the tests
all read it. To add a function is to add a row in `chainrule.core.table`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from chainrule.core.intervals import ANYTHING, Interval

if TYPE_CHECKING:
    from chainrule.core.expr import Apply, Expr
    from chainrule.core.linmap import LinMap
    from chainrule.core.shape import Shape

Notation = Literal[
    "function", "sum", "product", "fraction", "power", "prefix", "relation", "bars", "floor",
    "ceil", "root", "piecewise", "constant", "exponential", "logarithm", "matmul", "transpose",
    "norm", "index", "slice", "reduction", "concat", "inner", "outer", "inverse", "filled",
    "unit",
]  # fmt: skip
Parity = Literal["odd", "even", ""]


def _none(*_: Expr) -> tuple[Expr, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Kink:
    """A set of points where an operator has no derivative, and what is used there.

    `where` is a relation over the operator's arguments; `convention` is a formula in the
    words of the row (`abs'(0) = 0`).
    """

    where: Expr
    convention: str


class Square(NamedTuple):
    """f(u)^2 = constant + factor * of(u)^2.

    `free`: worth using where the other function is new to the expression.
    """

    constant: int
    factor: int
    of: str
    free: bool = True
    rule: str = "Pythagorean identity"


def _no_kinks(*_: Expr) -> tuple[Kink, ...]:
    return ()


@dataclass(frozen=True, slots=True, eq=False)
class Operator:
    """One row of the operator table.

    Attributes:
        name: the canonical spelling in the language.
        arity: the least and the greatest number of arguments (None: no limit).
        partials: the local derivative for each argument, a function of the node and its
            arguments; for a variadic row one function of the node and the slot. Rows with
            partials act on arrays element by element.
        rules: the textbook's name of the rule, one for all slots or one a slot.
        sympy: the counterpart, given the sympy module and the converted arguments.
        mpmath: the value, given the mpmath context and the arguments' values. It shares
            nothing with `partials`: it is what they are checked against.
        numpy: a stable NumPy expression over `{0}`, `{1}`, …; of a variadic row over `{args}`,
            of cases over `{conditions}`, `{choices}` and `{default}`. `{axis}` is `axis=1` or
            nothing (where a slot is an axis), `{shape}` a tuple of dimensions, `{places}` and
            `{ranges}` what stands in square brackets, `{dtype}` the dtype of the inputs. Lines
            before the last bind helpers, named by `{h0}`, `{h1}`, … An operand that stands more
            than once has to be a name. float32 stays float32.
        notation: how it is set; `latex` is the head (`\\sin`) or the sign (`\\le`).
        written: the spelling that is printed, where it is not the name.
        precedence: binding power of the notation (10 sums … 50 atoms).
        domain: relations under which the value is a real number.
        smooth: further relations under which the derivative is one.
        kinks: where there is no derivative, with the convention used there.
        values: exact values at integers, for the simplifier.
        range: where all values lie, whatever the arguments.
        keeps_sign: whether the value has the sign of the argument, and is 0 at 0 alone.
        enclosure: where the values lie, given intervals of the arguments.
        undoes: the row f with f(this(u)) = u wherever this is defined.
        reciprocal: the row g with this(u) = 1/g(u).
        quotient: the rows g, h with this(u) = g(u)/h(u).
        square: the square of this by that of another row.
        source: where the derivative is written down.
        shape: of the value, given the arguments; None for what acts element by element.
        maps: for rows with a shape, in place of partials: the linear map for each argument, a
            function of the node and its arguments; for a variadic row one function of the node
            and the slot. `sympy` and `mpmath` are then given NumPy arrays of
            numbers, and return one or, of constants, a nested list.
    """

    name: str
    arity: tuple[int, int | None]
    partials: tuple[Callable[..., Expr], ...]
    rules: tuple[str, ...]
    sympy: Callable[..., Any]
    mpmath: Callable[..., Any]
    numpy: str
    latex: str
    notation: Notation = "function"
    written: str = ""
    precedence: int = 50
    spellings: tuple[str, ...] = ()
    domain: Callable[..., tuple[Expr, ...]] = _none
    smooth: Callable[..., tuple[Expr, ...]] = _none
    kinks: Callable[..., tuple[Kink, ...]] = _no_kinks
    values: tuple[tuple[int, int], ...] = ()
    parity: Parity = ""
    range: Interval = ANYTHING
    keeps_sign: bool = False
    enclosure: Callable[..., Interval] | None = None
    undoes: str = ""
    reciprocal: str = ""
    quotient: tuple[str, str] | None = None
    square: Square | None = None
    source: str = ""
    shape: Callable[..., Shape] | None = None
    maps: tuple[Callable[..., LinMap], ...] = ()

    def __repr__(self) -> str:
        return self.name

    @property
    def variadic(self) -> bool:
        """Whether the number of arguments is open."""
        return self.arity[1] is None

    def accepts(self, count: int) -> bool:
        """Whether `count` arguments are in the row's arity."""
        low, high = self.arity
        return low <= count and (high is None or count <= high)

    def partial(self, node: Apply, slot: int) -> Expr:
        """The local derivative of `node` by its argument number `slot`."""
        if self.variadic:
            return self.partials[0](node, slot)
        return self.partials[slot](node, *node.args)

    def map(self, node: Apply, slot: int) -> LinMap:
        """The local derivative by argument number `slot`, of a row with maps."""
        if self.variadic:
            return self.maps[0](node, slot)
        return self.maps[slot](node, *node.args)

    def rule(self, slot: int) -> str:
        """The textbook's name of the rule for argument number `slot`."""
        return self.rules[min(slot, len(self.rules) - 1)]

    def __reduce__(self) -> tuple[Callable[[str], Operator], tuple[str]]:
        return lookup, (self.name,)


_rows: dict[str, Operator] = {}
_spellings: dict[str, Operator] = {}


def register(row: Operator) -> Operator:
    """Enter a row; refuse a duplicate spelling and a count that does not fit the arity."""
    for spelling in (row.name, *row.spellings):
        if spelling in _spellings:
            raise ValueError(f"two rows are spelled {spelling!r}")
    low, high = row.arity
    needed = 1 if high is None else high
    if len(row.maps or row.partials) != needed or (len(row.rules) not in (1, needed) and low):
        raise ValueError(
            f"row {row.name!r} needs {needed} partials or maps, and one rule or {needed}"
        )
    _rows[row.name] = row
    _spellings.update(dict.fromkeys((row.name, *row.spellings), row))
    return row


def lookup(spelling: str) -> Operator:
    """The row with this name or spelling; KeyError where there is none."""
    return _spellings[spelling]


def is_spelling(name: str) -> bool:
    """Whether a row has this name or spelling."""
    return name in _spellings


def rows() -> Iterator[Operator]:
    """Every row, in the order of the table."""
    return iter(_rows.values())


def spellings() -> dict[str, Operator]:
    """Every spelling and its row."""
    return dict(_spellings)
