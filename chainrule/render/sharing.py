"""Names for the shared parts of an expression that is too long to write out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from typing import NamedTuple

from chainrule.core.expr import Apply, Expr, Sym, apply, symbol, topological
from chainrule.derivation.steps import (
    Chain,
    Delta,
    Diagonal,
    Differential,
    Entry,
    EntryOf,
    Formula,
    Gradient,
    Matrix,
    Partial,
    Plus,
    Second,
    SumOver,
    Times,
    Transposed,
)
from chainrule.render.boxes import Label

Sign = Partial | Chain | Differential | Gradient | Second | EntryOf
"""What stands for a quantity by its name."""

LIMIT = 2000
"""An expression of more nodes than this, written out, is printed with named parts."""

_WORTH_A_NAME = 6


class Shared(NamedTuple):
    """Expressions over named parts.

    Attributes:
        definitions: name and expression of each part, each over earlier names.
        formulas: the roots, over the names.
    """

    definitions: tuple[tuple[str, Expr], ...]
    formulas: tuple[Expr, ...]


def shared(
    roots: Sequence[Expr],
    limit: int = LIMIT,
    taken: Iterable[str] = (),
    storeys: int | None = None,
) -> Shared:
    """Name the parts that occur more than once, if the roots are longer than `limit`.

    Written with the names the roots are no longer than the DAG. With `storeys`, parts nested
    deeper than that are named as well.

    >>> from chainrule.core.expr import symbol
    >>> x = symbol("x")
    >>> e = (x**2 + 3 * x) * (x**2 + 3 * x)
    >>> shared([e]).definitions, shared([e], limit=10)
    ((), Shared(definitions=(('t1', add(pow(x, 2), mul(3, x))),), formulas=(mul(t1, t1),)))
    """
    order = topological(roots)
    too_long = _beyond(order, roots, limit)
    if not too_long and storeys is None:
        return Shared((), tuple(roots))
    used_by: dict[Expr, int] = {}
    for node in order if too_long else ():
        for argument in node.args:
            used_by[argument] = used_by.get(argument, 0) + 1
    ends = set(roots)
    for root in roots if too_long else ():
        used_by[root] = used_by.get(root, 0) + 1
    dimensions = _dimensions(order)
    names = fresh_names("t", {*taken, *(n.name for n in order if isinstance(n, Sym))})
    definitions: list[tuple[str, Expr]] = []
    own: dict[Expr, Expr] = {}
    inside: dict[Expr, Expr] = {}
    size: dict[Expr, int] = {}
    depth: dict[Expr, int] = {}
    for node in order:
        own[node] = inside[node] = node
        size[node], depth[node] = 1, 0
        if not isinstance(node, Apply):
            continue
        args = [inside[a] for a in node.args]
        if any(a is not b for a, b in zip(args, node.args, strict=True)):
            own[node] = inside[node] = apply(node.op, *args)
        size[node] += sum(size[a] for a in node.args)
        depth[node] = max(
            (depth[a] + _encloses(node, i) for i, a in enumerate(node.args)), default=0
        )
        deep = storeys is not None and depth[node] >= storeys
        repeated = used_by.get(node, 0) > 1 and size[node] >= _WORTH_A_NAME
        if (repeated or (deep and node not in ends)) and node not in dimensions:
            name = next(names)
            definitions.append((name, own[node]))
            inside[node], size[node], depth[node] = symbol(name, node.shape), 1, 0
    return Shared(tuple(definitions), tuple(own[root] for root in roots))


def _dimensions(order: Sequence[Expr]) -> set[Expr]:
    """What is an axis, a place or a dimension: these stay as they are."""
    found: set[Expr] = set()
    for node in reversed(order):
        if node in found:
            found.update(node.args)
        elif node.op is not None and node.op.notation in _COUNTED:
            found.update(a for a in node.args if not a.shape)
    return found


_COUNTED = frozenset(["index", "slice", "concat", "reduction", "filled", "unit"])


def _beyond(order: Sequence[Expr], roots: Sequence[Expr], limit: int) -> bool:
    """Whether the roots, written out, have more nodes than the limit."""
    size: dict[Expr, int] = {}
    for node in order:
        total = 1
        for argument in node.args:
            total += size[argument]
        size[node] = min(limit + 1, total)
    return sum(size[root] for root in roots) > limit


def measure(roots: Sequence[Expr], limit: int = LIMIT) -> tuple[dict[Expr, int], dict[Expr, int]]:
    """Of every node the written-out size, at most limit + 1, and the number of storeys."""
    size: dict[Expr, int] = {}
    depth: dict[Expr, int] = {}
    for node in topological(roots):
        size[node] = min(limit + 1, 1 + sum(size[a] for a in node.args))
        depth[node] = max(
            (depth[a] + _encloses(node, i) for i, a in enumerate(node.args)), default=0
        )
    return size, depth


def _encloses(node: Expr, slot: int) -> bool:
    """Whether the argument stands in brackets, under a bar or above the line."""
    argument = node.args[slot]
    if not isinstance(node, Apply) or not isinstance(argument, Apply):
        return False
    row, inner = node.op, argument.op.precedence
    if row.notation in ("sum", "product", "prefix", "matmul"):
        return inner < row.precedence or (inner == row.precedence and slot > 0)
    return row.notation not in _POSTFIX or slot > 0 or inner < 50


_POSTFIX = frozenset(["power", "transpose", "inverse", "index", "slice"])


def fresh_names(stem: str, taken: Iterable[str]) -> Iterator[str]:
    """`t1`, `t2`, … without those that are taken."""
    used = frozenset(taken)
    return (name for i in count(1) if (name := f"{stem}{i}") not in used)


def shortened(formula: Formula | Label) -> tuple[tuple[tuple[str, Expr], ...], Formula | Label]:
    """The definitions that a formula needs to be written in reasonable length, and it with them."""
    if isinstance(formula, Label):
        return (), formula
    inside = leaves(formula)
    parts = shared(inside)
    if not parts.definitions:
        return (), formula
    short = dict(zip(inside, parts.formulas, strict=True))
    return parts.definitions, changed(formula, short.__getitem__)


def leaves(formula: Formula) -> list[Expr]:
    """The expressions in a formula, each once."""
    found: dict[Expr, None] = {}
    stack: list[Formula] = [formula]
    while stack:
        match stack.pop():
            case Expr() as e:
                found[e] = None
            case Times(parts) | Plus(parts) | Diagonal(parts):
                stack.extend(reversed(parts))
            case Matrix(rows):
                stack.extend(entry for row in reversed(rows) for entry in reversed(row))
            case Transposed(of) | Entry(of) | SumOver(_, of):
                stack.append(of)
    return list(found)


def changed(
    formula: Formula,
    of_expression: Callable[[Expr], Expr],
    of_sign: Callable[[Sign], Formula] = lambda sign: sign,
) -> Formula:
    """The formula with its expressions replaced, and the signs that stand for quantities."""

    def inner(part: Formula) -> Formula:
        return changed(part, of_expression, of_sign)

    match formula:
        case Expr():
            return of_expression(formula)
        case Times(parts):
            return Times(tuple(map(inner, parts)))
        case Plus(parts):
            return Plus(tuple(map(inner, parts)))
        case Diagonal(parts):
            return Diagonal(tuple(map(inner, parts)))
        case Matrix(rows):
            return Matrix(tuple(tuple(map(inner, row)) for row in rows))
        case Transposed(of):
            return Transposed(inner(of))
        case Entry(of, places):
            return Entry(inner(of), places)
        case SumOver(letters, of):
            return SumOver(letters, inner(of))
        case Delta():
            return formula
    return of_sign(formula)
