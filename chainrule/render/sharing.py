"""Names for the shared parts of an expression that is too long to write out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import count
from operator import attrgetter, is_
from typing import Any, NamedTuple

from chainrule.core.expr import Apply, Expr, Sym, apply, symbol, topological
from chainrule.core.ops import Operator
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
    too_long = beyond(order, roots, limit)
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
        if not node.args:
            inside[node], size[node], depth[node] = node, 1, 0
            continue
        shown, total, storey = node, 1, 0
        if isinstance(node, Apply):
            args = tuple([inside[a] for a in node.args])
            if args != node.args:
                shown = apply(node.op, *args)
            total += sum([size[a] for a in node.args])
            storey = 0 if storeys is None else _storey(node, depth)
            deep = storeys is not None and storey >= storeys and node not in ends
            repeated = total >= _WORTH_A_NAME and used_by.get(node, 0) > 1
            if (repeated or deep) and node not in dimensions:
                name = next(names)
                definitions.append((name, shown))
                own[node], shown, total, storey = shown, symbol(name, node.shape), 1, 0
        inside[node], size[node], depth[node] = shown, total, storey
    return Shared(tuple(definitions), tuple(own.get(root, inside[root]) for root in roots))


def _dimensions(order: Sequence[Expr]) -> set[Expr]:
    """What is an axis, a place or a dimension: these stay as they are."""
    found: set[Expr] = set()
    rows = {node.op for node in order}
    if not any(row is not None and row.notation in _COUNTED for row in rows):
        return found
    for node in reversed(order):
        if node in found:
            found.update(node.args)
        elif node.op is not None and node.op.notation in _COUNTED:
            found.update(a for a in node.args if not a.shape)
    return found


_COUNTED = frozenset(["index", "slice", "concat", "reduction", "filled", "unit"])


def beyond(order: Sequence[Expr], roots: Sequence[Expr], limit: int) -> bool:
    """Whether the roots, written out, have more nodes than the limit; `order` is all below them."""
    size: dict[Expr, int] = {}
    for node in order:
        total = 1
        for argument in node.args:
            total += size[argument]
        if total > limit:
            return True
        size[node] = total
    return sum(size[root] for root in roots) > limit


def measure(roots: Sequence[Expr], limit: int = LIMIT) -> tuple[dict[Expr, int], dict[Expr, int]]:
    """Of every node the written-out size, at most limit + 1, and the number of storeys."""
    size: dict[Expr, int] = {}
    depth: dict[Expr, int] = {}
    for node in topological(roots):
        if not node.args:
            size[node], depth[node] = 1, 0
            continue
        total = 1
        for argument in node.args:
            total += size[argument]
        size[node] = total if total <= limit else limit + 1
        depth[node] = _storey(node, depth)
    return size, depth


def _storey(node: Expr, depth: Mapping[Expr, int]) -> int:
    """The number of storeys, given those of the arguments."""
    most = 0
    for i, argument in enumerate(node.args):
        if argument.op is not None and node.op is not None:
            storeys = depth[argument] + _encloses(node.op, argument.op, i > 0)
            if storeys > most:
                most = storeys
    return most


@lru_cache(maxsize=1024)
def _encloses(row: Operator, inner: Operator, later: bool) -> bool:
    """Whether an argument, the first or a later one, stands in brackets, under a bar or above."""
    binds = inner.precedence
    if row.notation in ("sum", "product", "prefix", "matmul"):
        return binds < row.precedence or (binds == row.precedence and later)
    return row.notation not in _POSTFIX or later or binds < 50


_POSTFIX = frozenset(["power", "transpose", "inverse", "index", "slice"])


def fresh_names(stem: str, taken: Iterable[str]) -> Iterator[str]:
    """`t1`, `t2`, … without those that are taken."""
    used = frozenset(taken)
    return (name for i in count(1) if (name := f"{stem}{i}") not in used)


def shortened(formula: Formula | Label) -> tuple[tuple[tuple[str, Expr], ...], Formula | Label]:
    """The definitions that a formula needs to be written in reasonable length, and it with them."""
    if isinstance(formula, Label):
        return (), formula
    inside = leaves([formula])
    parts = shared(inside)
    if not parts.definitions:
        return (), formula
    short = dict(zip(inside, parts.formulas, strict=True))
    return parts.definitions, changed(formula, short.__getitem__)


def leaves(formulas: Iterable[Formula]) -> list[Expr]:
    """The expressions in formulas, each once."""
    found: dict[Expr, None] = {}
    stack: list[Formula] = [*formulas]
    stack.reverse()
    while stack:
        part = stack.pop()
        if isinstance(part, Expr):
            found[part] = None
        elif isinstance(part, Partial):
            continue
        elif type(part) in _PARTS:
            stack += _PARTS[type(part)](part)[::-1]
        elif isinstance(part, Matrix):
            stack.extend(entry for row in reversed(part.rows) for entry in reversed(row))
        elif isinstance(part, (Transposed, Entry, SumOver)):
            stack.append(part.of)
    return list(found)


_PARTS: dict[type, Callable[[Any], tuple[Formula, ...]]] = {
    Times: attrgetter("factors"),
    Plus: attrgetter("terms"),
    Diagonal: attrgetter("entries"),
}


def changed(
    formula: Formula,
    of_expression: Callable[[Expr], Expr],
    of_sign: Callable[[Sign], Formula] = lambda sign: sign,
) -> Formula:
    """The formula with its expressions replaced, and the signs that stand for quantities.

    It is the same object where nothing in it is.
    """
    if isinstance(formula, Expr):
        return of_expression(formula)
    if isinstance(formula, Partial):
        return of_sign(formula)
    if isinstance(formula, (Times, Plus, Diagonal)):
        parts = _PARTS[type(formula)](formula)
        made = tuple([changed(part, of_expression, of_sign) for part in parts])
        return formula if all(map(is_, made, parts)) else type(formula)(made)

    def inner(part: Formula) -> Formula:
        return changed(part, of_expression, of_sign)

    match formula:
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
