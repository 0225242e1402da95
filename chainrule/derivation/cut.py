"""Pass 0: cut a program into named intermediates, as a textbook or operation by operation.

*Fine*: each operation is an intermediate. *Textbook*: an intermediate is one operation over
names, where a sum of constant multiples of powers of single variables (`x^2 + 9`, `3*x`)
counts as one operation, a chain of sums or of products is one operation, and a constant
factor stays with its operation (`2*u1^3`). Whatever does not depend on the variables is a
constant and stays where it is.

A product of very many factors has a name for the product of the first two, of the first three,
and so on: its local derivatives, each the product of all other factors, would be quadratic in
their number. By the chain rule they are products of the factors before and of those after.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import count, islice
from typing import Any, NamedTuple

from chainrule.core.arithmetic import ADD, DIV, MUL, NEG, POW, SUB
from chainrule.core.errors import UsageError
from chainrule.core.expr import (
    Apply,
    Const,
    Expr,
    Sym,
    apply,
    depends_on,
    free_symbols,
    postorder,
    substitute,
    symbol,
)
from chainrule.core.program import Program
from chainrule.core.table.abstract import AbstractOperator
from chainrule.core.table.piecewise import PIECEWISE
from chainrule.derivation.steps import Granularity, Intermediate

_LARGEST_EXPANSION = 64
LONGEST_PRODUCT = 64  # factors of a product that is one operation


# Names in the order of their occurrence, nested as the parts are: a sum of many terms shares
# the names of its beginning instead of repeating them.
Operands = tuple[Any, ...]


class _Piece(NamedTuple):
    """A part of a statement, over names.

    `kind`: `constant`; `name`; `names` (a sum of names and constants); `multiple` (constant
    times a name); `polynomial` (one operation by the rule above); `row` (a transposed name);
    `sum`, `product` (chains that may go on); `operation` (anything else). `members`: of a sum of
    names, its names.
    """

    kind: str
    expression: Expr
    operands: Operands = ()
    members: _Members | None = None


class _Members:
    """The names of a sum of different names; those of a longer one go into the same table."""

    __slots__ = ("count", "places")

    def __init__(self, places: dict[Expr, int], count: int) -> None:
        self.places, self.count = places, count

    def followed_by(self, name: Expr) -> _Members | None:
        """These and one more; None where it is one of them."""
        places, count = self.places, self.count
        if places.get(name, count) < count:
            return None
        if len(places) > count:  # another sum has gone on from here
            places = dict(islice(places.items(), count))
        places[name] = count
        return _Members(places, count + 1)


_INLINE = ("constant", "name", "row")
_POLYNOMIAL = ("name", "names", "multiple", "polynomial")


def cut(
    program: Program,
    variables: Sequence[str],
    granularity: Granularity = "textbook",
    expand_powers: bool = False,
    letter: str = "u",
) -> tuple[Intermediate, ...]:
    """The program's intermediates in topological order, its own names kept."""
    return Cutter(program, variables, granularity, expand_powers, letter).run()


class Cutter:
    """One cut of a program; `long_products`: whether there were any, and they were cut."""

    def __init__(
        self,
        program: Program,
        variables: Sequence[str],
        granularity: Granularity,
        expand_powers: bool,
        letter: str,
    ) -> None:
        self.program = program
        self.textbook = granularity == "textbook"
        declared = program.declared
        self.inputs = {symbol(v, declared.get(v, ())) for v in variables}
        self.variables = set(variables)
        self.active: set[Expr] = set(self.inputs)  # names that depend on the variables
        self.expand_powers = expand_powers
        self.names = _fresh_names(program, variables, letter)
        self.applied = _applications(program)
        self.known: dict[Expr, Sym] = {}  # node as written -> the name that stands for it
        self.out: list[Intermediate] = []
        self.long: set[Expr] = set()  # the beginnings of products with very many factors
        self.long_products = False

    def run(self) -> tuple[Intermediate, ...]:
        statements = [(n, e) for n, e in self.program.assignments if n not in self.variables]
        for name, expression in statements:
            root = expand(expression) if self.expand_powers else expression
            piece = self.statement(root)
            self.out.append(Intermediate(name, piece.expression, _names(piece)))
            if piece.kind != "constant":
                named = symbol(name, piece.expression.shape)
                self.active.add(named)
                if piece.kind != "name":
                    self.known.setdefault(root, named)
        return tuple(self.out)

    def statement(self, root: Expr) -> _Piece:
        order = postorder(root)
        uses = Counter(a for node in order for a in node.args)
        pieces: dict[Expr, _Piece] = {}
        self.long = _long_products(order, uses)
        self.long_products |= bool(self.long)
        values = _values(root) if any(n.op is PIECEWISE for n in order) else set(order)
        for node in order:
            if node in values:
                pieces[node] = self.piece(node, pieces, uses)
        return pieces[root]

    def piece(self, node: Expr, pieces: dict[Expr, _Piece], uses: Counter[Expr]) -> _Piece:
        if node in self.known:
            return _name(self.known[node])
        if isinstance(node, Sym):
            return _name(node) if node in self.active else _Piece("constant", node)
        if not isinstance(node, Apply):
            return _Piece("constant", node)
        conditions = condition_slots(node)
        # Conditions have no slope: they stay written over the variables.
        args = [
            _Piece("constant", self.inline(a)) if i in conditions else pieces[a]
            for i, a in enumerate(node.args)
        ]
        fixed = all(a.kind == "constant" for a in args)
        if fixed and not (conditions and node in depends_on([node], self.active)):
            return _Piece("constant", node)
        if self.textbook:
            if node.op.notation == "transpose" and args[0].kind == "name":
                return _Piece("row", self.build(node, args), args[0].operands)
            found = self.polynomial(node, args) or self.chain(node, args, uses)
            if found is not None:
                return found
        return self.operation(node, args)

    def polynomial(self, node: Apply, args: list[_Piece]) -> _Piece | None:
        """A sum of constant multiples of powers of single variables, as one operation."""
        if any(a.kind == "name" and a.expression not in self.inputs for a in args):
            return None
        kinds = [a.kind for a in args]
        kind = ""
        match node.op, kinds:
            case op, [first, second] if op in (ADD, SUB):
                plain = {"name", "names", "constant"}
                if {first, second} <= {*_POLYNOMIAL, "constant"}:
                    kind = (
                        "names" if first in plain and second in plain - {"names"} else "polynomial"
                    )
            case op, [first, "constant"] if op is POW and first == "name":
                kind = "polynomial"
            case op, ["constant", second] if op is MUL and second in _POLYNOMIAL:
                if second in ("name", "multiple"):
                    kind = "multiple"
                elif not _is_sum(args[1].expression):
                    kind = "polynomial"
            case op, ["multiple", "constant"] if op in (MUL, DIV):
                kind = "multiple"
            case op, [first, "constant"] if op in (MUL, DIV) and first in ("name", "polynomial"):
                if not _is_sum(args[0].expression):
                    kind = "polynomial"
            case op, [first] if op is NEG and first in ("name", "multiple", "polynomial"):
                if not _is_sum(args[0].expression):
                    kind = "polynomial"
        if not kind:
            return None
        members = None
        if kind == "names":
            members = args[0].members or _Members({}, 0)
            for a in args:
                if a.kind == "name" and members is not None:
                    members = members.followed_by(a.expression)
            if members is None:  # in a longer sum, a name that occurs twice is two operands
                kind = "polynomial"
        return _Piece(kind, self.build(node, args), _nested(args), members)

    def chain(self, node: Apply, args: list[_Piece], uses: Counter[Expr]) -> _Piece | None:
        """A longer sum or product, or an operation with its constant factor."""

        def once(i: int) -> bool:
            return uses[node.args[i]] == 1 and node.args[i] not in self.known

        if node.op in (ADD, SUB):
            affine = self.affine(node, args, once)
            if affine is not None:
                return affine
            left = (
                args[0] if args[0].kind == "names" or (args[0].kind == "sum" and once(0)) else None
            )
            return self.combine(
                "sum", node, [left or self.named(node, 0, args), self.named(node, 1, args)]
            )
        constant = [a.kind == "constant" for a in args]
        if node.op is NEG or (node.op in (MUL, DIV) and any(constant)):
            i = 0 if node.op is NEG or constant[-1] else 1
            inner = args[i]
            if node.op is DIV and i == 1:
                return None  # a reciprocal is an operation of its own
            if inner.kind in ("operation", "product") and once(i):
                kept = list(args)
                return self.combine(inner.kind, node, kept)
            return None
        if node.op is MUL:
            chains = args[0].kind == "product" and once(0) and node not in self.long
            left = args[0] if chains or args[0].kind == "multiple" else self.named(node, 0, args)
            return self.combine("product", node, [left, self.named(node, 1, args)])
        return None

    def affine(self, node: Apply, args: list[_Piece], once: Callable[[int], bool]) -> _Piece | None:
        """A layer: a matrix product of names, and a name or a constant added to it."""
        for i in (0, 1):
            layer = args[i].kind == "operation" and _is_product_of_matrices(args[i].expression)
            if layer and once(i) and args[1 - i].kind in ("name", "constant"):
                return self.combine("operation", node, args)
        return None

    def operation(self, node: Apply, args: list[_Piece]) -> _Piece:
        return self.combine(
            "operation", node, [self.named(node, i, args) for i in range(len(args))]
        )

    def combine(self, kind: str, node: Apply, args: list[_Piece]) -> _Piece:
        return _Piece(kind, self.build(node, args), _nested(args))

    def build(self, node: Apply, args: list[_Piece]) -> Expr:
        return apply(node.op, *(a.expression for a in args))

    def named(self, node: Apply, slot: int, args: list[_Piece]) -> _Piece:
        """The argument as a name; introduce one where it is an operation."""
        piece, written = args[slot], node.args[slot]
        if piece.kind in _INLINE:
            return piece
        if written not in self.known:
            name = self.name_for(piece.expression)
            self.out.append(Intermediate(name, piece.expression, _names(piece)))
            self.known[written] = symbol(name, piece.expression.shape)
            self.active.add(self.known[written])
        return _name(self.known[written])

    def name_for(self, expression: Expr) -> str:
        if isinstance(expression, Apply) and isinstance(expression.op, AbstractOperator):
            op = expression.op
            if self.applied[op.name] == 1 and not any(op.orders):
                return op.name
        return next(self.names)

    def inline(self, node: Expr) -> Expr:
        return substitute([node], self.known)[0]


def _long_products(order: Sequence[Expr], uses: Counter[Expr]) -> set[Expr]:
    """The products that are, or begin, one of more factors than are taken at once."""
    lengths: dict[Expr, int] = {}
    found: set[Expr] = set()
    for node in order:
        if node.op is MUL:
            left = node.args[0]
            inner = lengths.get(left, 1) if uses[left] == 1 else 1
            lengths[node] = inner + 1
            if inner == LONGEST_PRODUCT:
                while node in lengths and node not in found:
                    found.add(node)
                    node = node.args[0]
            elif inner > LONGEST_PRODUCT:
                found.add(node)
    return found


def condition_slots(node: Apply) -> range:
    """The arguments of a piecewise that are conditions; none of any other node."""
    return range(1, len(node.args), 2)[: len(node.args) // 2] if node.op is PIECEWISE else range(0)


def _values(root: Expr) -> set[Expr]:
    """The nodes below the root, without what stands only in conditions."""
    seen = {root}
    stack = [root]
    while stack:
        node = stack.pop()
        conditions = condition_slots(node) if isinstance(node, Apply) else ()
        for i, argument in enumerate(node.args):
            if argument not in seen and i not in conditions:
                seen.add(argument)
                stack.append(argument)
    return seen


def expand(expression: Expr) -> Expr:
    """Integer powers written as products: x^3 as x*x*x."""
    done: dict[Expr, Expr] = {}
    for node in postorder(expression):
        if not isinstance(node, Apply):
            done[node] = node
            continue
        args = [done[a] for a in node.args]
        exponent = node.args[1] if node.op is POW else None
        if isinstance(exponent, Const) and isinstance(exponent.value, int) and exponent.value >= 2:
            if exponent.value > _LARGEST_EXPANSION:
                raise UsageError(
                    f"a power of {exponent.value} is too large to write as a product",
                    hint=f"leave out --expand-powers, or use powers up to {_LARGEST_EXPANSION}",
                )
            product = args[0]
            for _ in range(exponent.value - 1):
                product = apply(MUL, product, args[0])
            done[node] = product
        else:
            done[node] = apply(node.op, *args)
    return done[expression]


def _is_sum(expression: Expr) -> bool:
    return isinstance(expression, Apply) and expression.op in (ADD, SUB)


def _is_product_of_matrices(expression: Expr) -> bool:
    return isinstance(expression, Apply) and expression.op.notation == "matmul"


def _name(name: Sym) -> _Piece:
    return _Piece("name", name, (name,))


def _nested(args: Sequence[_Piece]) -> Operands:
    return tuple([a.operands for a in args if a.operands])


def _names(piece: _Piece) -> tuple[str, ...]:
    """The names of the operands; of a polynomial each once."""
    once = piece.kind in _POLYNOMIAL
    found: list[str] = []
    seen: set[int] = set()
    stack: list[Sym | Operands] = [piece.operands]
    while stack:
        top = stack.pop()
        if isinstance(top, Sym):
            found.append(top.name)
        elif not once or id(top) not in seen:
            seen.add(id(top))
            stack += top[::-1]
    return tuple(dict.fromkeys(found) if once else found)


def _fresh_names(program: Program, variables: Sequence[str], letter: str) -> Iterator[str]:
    taken = {n for n, _ in program.assignments} | set(variables)
    taken.update(s.name for s in free_symbols(e for _, e in program.assignments))
    return (name for i in count(1) if (name := f"{letter}{i}") not in taken)


def _applications(program: Program) -> Counter[str]:
    """How often each named function is applied; a name that is also a symbol never once."""
    found: Counter[str] = Counter()
    seen: set[Expr] = set()
    for name, expression in program.assignments:
        found[name] += 2
        for node in postorder(expression):
            if node in seen:
                continue
            seen.add(node)
            if isinstance(node, Sym):
                found[node.name] += 2
            elif isinstance(node, Apply) and isinstance(node.op, AbstractOperator):
                found[node.op.name] += 1
    return found
