"""Simplification of expressions over arrays: the form a person would write.

First the products of Jacobians are multiplied out, then what acts element by element is
simplified as an expression of entries, and what sums of products have in common is drawn
out. Each pass that changes something is recorded with the rules that fired.

>>> from chainrule.core import arrays
>>> from chainrule.core.expr import symbol
>>> from chainrule.core.ops import lookup
>>> x = symbol("x", ("n",))
>>> done = ArraySimplifier()(arrays.transpose(arrays.ones(("n",))) @ apply(lookup("diag"), x))
>>> done.result, [f.rule for f in done.firings]
(transpose(x), ["1' diag(x) = x'"])
"""

from __future__ import annotations

from dataclasses import replace

from chainrule.core.arithmetic import ADD, MUL, add, mul, neg
from chainrule.core.expr import Apply, Const, Expr, apply, const, fold, free_symbols, topological
from chainrule.core.shape import dimension_names
from chainrule.derivation.domain import plain
from chainrule.derivation.matrix.regions import Regions, entrywise
from chainrule.derivation.matrix.sums import Rules
from chainrule.derivation.signs import holds
from chainrule.derivation.simplify import Firing, Simplified, Simplifier

_MOST_PASSES = 6
_MOST_NAMED = 2
_LARGE = 2000  # nodes; above, an expression stays as it was made


class ArraySimplifier:
    """Simplifies scalars and arrays; with the deadline of the scalar simplifier it is given."""

    def __init__(self, simplify: Simplifier | None = None) -> None:
        self.entries = simplify or Simplifier()
        self._known: dict[Expr, Simplified] = {}

    def __call__(self, expr: Expr) -> Simplified:
        """The form a person would write, and how it came about."""
        done = self._known.get(expr)
        if done is None:
            done = self._known[expr] = self._simplified(expr)
        return done

    def _simplified(self, expr: Expr) -> Simplified:
        if not expr.shape and _all_scalar(expr):
            return self.entries(expr)
        if len(topological([expr])) > _LARGE:
            return Simplified(expr)
        firings: list[Firing] = []
        seen = [expr]
        for number in range(_MOST_PASSES):
            regions = Regions(self.entries)
            after = _walk(seen[-1], Rules(regions, careful=number > 0))
            if after in seen:
                if number:
                    break
                continue
            rules = list(regions.fired)[:_MOST_NAMED]
            lost = {**regions.provided, **_lost(seen[-1], after)}
            if rules or lost:
                rule = ", ".join(rules) or "cancel common factors"
                firings.append(Firing(rule, seen[-1], after, tuple(lost)))
            elif firings:
                firings[-1] = replace(firings[-1], after=after)
            seen.append(after)
        result = _signed(seen[-1])
        if firings:
            firings[-1] = replace(firings[-1], after=result)
        return Simplified(result, tuple(firings))


def _walk(root: Expr, products: Rules) -> Expr:
    done: dict[Expr, Expr] = {}
    for node in topological([root]):
        if not isinstance(node, Apply):
            done[node] = node
        elif entrywise(node):
            done[node] = apply(node.op, *(done[a] for a in node.args))
        else:
            done[node] = products.visit(node, [products.simple(done[a]) for a in node.args])
    return products.simple(done[root])


def _signed(root: Expr) -> Expr:
    """(-2) X as -(2 X), which is written -2 X."""

    def visit(node: Expr, args: list[Expr]) -> Expr:
        if node.op is MUL and node.shape and isinstance(args[0], Const) and args[0].value < 0:
            return neg(mul(const(-args[0].value, args[0].decimal), args[1]))
        if node.op is ADD:
            return add(*args)
        return apply(node.op, *args) if isinstance(node, Apply) else node

    (signed,) = fold([root], visit)
    return signed


def _lost(before: Expr, after: Expr) -> dict[Expr, None]:
    """Conditions under which `before` has a value, and that `after` does not need."""
    kept = _conditions(after)
    lost = [c for c in _conditions(before) if c not in kept and holds(c) is not True]
    if not lost:
        return {}
    sizes = set(dimension_names(node.shape for node in topological([before])))  # positive
    return {c: None for c in lost if not sizes.issuperset(s.name for s in free_symbols([c]))}


def _conditions(root: Expr) -> dict[Expr, None]:
    found: dict[Expr, None] = {}
    for node in topological([root]):
        if isinstance(node, Apply):
            found.update((plain(needed), None) for needed in node.op.domain(*node.args))
    return found


def _all_scalar(expr: Expr) -> bool:
    return all(not node.shape for node in topological([expr]))
