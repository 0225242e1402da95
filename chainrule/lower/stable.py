"""Rewrites that keep the mathematics and make the numbers stable, before differentiation.

Each is recorded. What they are after: an exponential that overflows although the result does
not, a logarithm of a number that was rounded to 0, a division of 0 by 0 where the value or
the slope is known.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from chainrule.core.expr import Apply, Expr, apply, topological


class Rewrite(NamedTuple):
    """What was rewritten, to what, and by which rule."""

    rule: str
    before: Expr
    after: Expr


@dataclass(slots=True)
class Stable:
    """Nodes and what they became."""

    new: dict[Expr, Expr] = field(default_factory=dict)
    rewrites: list[Rewrite] = field(default_factory=list)


def stabilize(roots: Iterable[Expr]) -> Stable:
    """Rewrite everything below the roots."""
    found = Stable()
    for node in topological(roots):
        if not isinstance(node, Apply):
            found.new[node] = node
            continue
        args = tuple(found.new[a] for a in node.args)
        found.new[node] = node if args == node.args else apply(node.op, *args)
    return found
