"""The backward sweep as a person writes it: each cotangent once, then used by its name.

Without names, scalar factors wander from a cotangent through all that follows: the 1/N of a
mean would divide every gradient instead of the first, smallest cotangent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import count

from chainrule.core.accumulate import cotangents
from chainrule.core.arithmetic import MUL, NEG
from chainrule.core.expr import Apply, Const, Expr, Sym, apply, symbol, topological

_STRUCTURE = frozenset({"ones", "zeros", "eye", "unit", "diag", "outer"})
_numbers = count(1)


def sweep(
    ys: Sequence[Expr], seeds: Sequence[Expr], xs: Iterable[Expr], sizes: Iterable[str] = ()
) -> dict[Expr, Expr]:
    """As `accumulate.cotangents`, with nothing drawn out of a cotangent.

    Args:
        sizes: names that are dimensions: their quotients are constants.
    """
    constants = set(sizes)
    names: dict[Expr, Sym] = {}

    def stands_for(bar: Expr) -> Expr:
        if _transparent(bar, constants):
            return bar
        name = names.get(bar)
        if name is None:
            # No user's symbol has a space in its name; a new one is younger than what it names.
            name = names[bar] = symbol(f"cotangent {next(_numbers)}", bar.shape)
        return name

    found = cotangents(ys, seeds, xs, stands_for)
    named: dict[Expr, Expr] = {name: bar for bar, name in names.items()}
    new: dict[Expr, Expr] = {}
    for node in topological([*found.values(), *named.values()]):
        now = node
        if node.op is None:
            bar = named.get(node)
            if bar is not None:
                now = new[bar]
        else:
            for a in node.args:
                if new[a] is not a:
                    now = apply(node.op, *[new[a] for a in node.args])
                    break
        new[node] = now
    return {node: new[bar] for node, bar in found.items()}


def _transparent(bar: Expr, constants: set[str]) -> bool:
    """Whether later steps profit from seeing it: ones, diagonals, constants."""
    while bar.op is NEG or (bar.op is MUL and bar.shape and not bar.args[0].shape):
        bar = bar.args[-1]
    if not isinstance(bar, Apply):
        return True
    if bar.op.name in _STRUCTURE:
        return bar.op.name != "outer" or any(
            a.op is not None and a.op.name == "ones" for a in bar.args
        )
    return not bar.shape and _constant(bar, constants)


def _constant(node: Expr, names: set[str]) -> bool:
    # Most are a product with a name: no need to look into the other factor.
    if any(type(a) is Sym and a.name not in names for a in node.args):
        return False
    stack = [node]
    for _ in range(32):
        if not stack:
            return True
        node = stack.pop()
        if not (isinstance(node, Const) or (isinstance(node, Sym) and node.name in names)):
            if not isinstance(node, Apply):
                return False
            stack.extend(node.args)
    return False
