"""Expressions of one pattern: what is found for one holds for all, with other names.

A pattern is an expression with numbered holes for its symbols. What a person would write
depends on the names in two ways, their order and their lengths, so two expressions have one
pattern only where these are alike: the local derivatives of `x*u7` are those of `x*u8`, but
`u7*x` and `x*u10` are patterns of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from chainrule.core.expr import Apply, Const, Expr, Sym, apply
from chainrule.core.ops import Operator
from chainrule.derivation.measure import name_key

_LARGEST = 24  # nodes; what is larger is seldom met twice

Token = int | Const | tuple[Operator | int, ...]
"""A hole, a constant, or an operator with the places of its arguments among the tokens."""

Pattern = tuple[Token, ...]


def pattern_of(root: Expr, holes: dict[Expr, int], largest: int | None = None) -> Pattern | None:
    """The pattern of an expression; None where it has more than `largest` nodes.

    Its symbols are entered into `holes` in order of appearance.

    >>> from chainrule.core.expr import symbol
    >>> x, y = symbol("x"), symbol("y")
    >>> found = {}
    >>> pattern = pattern_of(x * y + x, found)
    >>> found, filled(pattern, [y, x])
    ({x: 0, y: 1}, add(mul(y, x), y))
    """
    places: dict[Expr, int] = {}
    tokens: list[Token] = []
    stack = [root]
    while stack:
        node = stack[-1]
        if node in places:
            stack.pop()
            continue
        missing = [a for a in node.args if a not in places]
        if missing:
            missing.reverse()
            stack += missing
            continue
        stack.pop()
        places[node] = len(tokens)
        if largest is not None and len(tokens) == largest:
            return None
        if isinstance(node, Apply):
            tokens.append((node.op, *[places[a] for a in node.args]))
        elif isinstance(node, Sym):
            tokens.append(holes.setdefault(node, len(holes)))
        else:
            assert isinstance(node, Const)
            tokens.append(node)
    return tuple(tokens)


def small_pattern(root: Expr, holes: dict[Expr, int]) -> tuple[Pattern, tuple[int, ...]] | None:
    """The pattern of a small expression, and what it takes to be alike in its names.

    None where the expression is large, or one name is the beginning of another: then brackets
    and commas decide the order of what contains them.
    """
    pattern = pattern_of(root, holes, _LARGEST)
    if pattern is None:
        return None
    names = [node.name for node in holes if isinstance(node, Sym)]
    if len(names) == 1:
        return pattern, (len(names[0]),)
    keys = [name_key(name) for name in names]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    for a, b in pairwise(order):
        if keys[b].startswith(keys[a]):
            return None
    return pattern, (*map(len, names), *order)


def filled(pattern: Pattern, parts: Sequence[Expr]) -> Expr:
    """The expression with these parts in its holes."""
    done: list[Expr] = []
    for token in pattern:
        if type(token) is int:
            done.append(parts[token])
        elif type(token) is tuple:
            op, *places = token
            done.append(apply(op, *[done[i] for i in places]))  # type: ignore[arg-type, index]
        else:
            done.append(token)  # type: ignore[arg-type]
    return done[-1]
