"""Pass 1 for arrays: the linear map on every edge, its Jacobian or its action."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from chainrule.core import arrays
from chainrule.core.accumulate import edge as map_on
from chainrule.core.expr import (
    Apply,
    Expr,
    Sym,
    depends_on,
    substitute,
    symbol,
    topological,
)
from chainrule.core.linmap import Compose, LinMap, Plus, Scale, compose, identity
from chainrule.core.shape import Shape
from chainrule.derivation.edges import rules_of, told_apart
from chainrule.derivation.matrix.linear import jacobian_of
from chainrule.derivation.matrix.simplify import ArraySimplifier
from chainrule.derivation.steps import Edge, Intermediate


def differential(name: str, shape: Shape) -> Sym:
    """The symbol of a change of this array."""
    return symbol(f"d{name}", shape)


def cotangent(name: str, shape: Shape) -> Sym:
    """The symbol of the gradient by this array."""
    return symbol(f"{name}_bar", shape)


def edges(
    intermediates: Sequence[Intermediate],
    symbols: Mapping[str, Sym],
    simplify: ArraySimplifier,
    outputs: Sequence[str],
) -> tuple[Edge, ...]:
    """The edges in order: by intermediate, then by operand; `symbols` gives each name's."""
    return tuple(
        e for u in intermediates for e in _local(u, symbols, simplify, u.name not in outputs)
    )


def _local(
    u: Intermediate, symbols: Mapping[str, Sym], simplify: ArraySimplifier, by_name: bool
) -> list[Edge]:
    """One edge a slot. `by_name`: what is equal to the intermediate is written as its name."""
    if not u.operands:
        return []
    names = [symbols[name] for name in u.operands]
    expression, slots = u.expression, names
    if max(Counter(u.operands).values()) > 1:
        expression, slots = told_apart(expression, slots)
    back: dict[Expr, Expr] = dict(zip(slots, names, strict=True))

    def over_names(by: Expr) -> Expr:
        (by,) = substitute([by], back)
        if by_name:
            (by,) = substitute([by], {u.expression: symbols[u.name]})
        return simplify(by).result

    maps = maps_below(expression, slots)
    rules = rules_of(expression, slots)
    return [
        _edge(u.name, name, rewritten(maps[slot], over_names), rules[slot], simplify)
        for slot, name in zip(slots, names, strict=True)
    ]


def _edge(of: str, by: Sym, local: LinMap, rule: str, simplify: ArraySimplifier) -> Edge:
    jacobian = jacobian_of(local, simplify)
    if jacobian is not None:
        return Edge(of, by.name, simplify(jacobian).result, rule, local)
    push = local.push(differential(by.name, by.shape))
    pull = local.pull(cotangent(of, local.codomain))
    return Edge(
        of, by.name, simplify(push).result, rule, local, False, simplify(pull).result
    )  # fmt: skip


def maps_below(root: Expr, leaves: Sequence[Expr]) -> dict[Expr, LinMap]:
    """The linear map from each leaf to the root, over all paths of the expression."""
    active = depends_on([root], leaves)
    found: dict[Expr, LinMap] = {root: identity(root.shape)}
    for node in reversed(topological([root])):
        if node not in found or not isinstance(node, Apply):
            continue
        for slot, argument in enumerate(node.args):
            if argument in active:
                term = fused(compose(map_on(node, slot), found[node]))
                found[argument] = added(found[argument], term) if argument in found else term
    return found


def fused(m: LinMap) -> LinMap:
    """The map with neighbouring diagonals drawn together."""
    if not isinstance(m, Compose):
        return m
    out: list[LinMap] = []
    for part in m.maps:
        last = out[-1] if out else None
        if isinstance(part, Scale) and isinstance(last, Scale):
            out[-1] = Scale(last.domain, part.codomain, arrays.hadamard(part.by, last.by))
        else:
            out.append(part)
    return out[0] if len(out) == 1 else Compose(m.domain, m.codomain, tuple(out))


def added(a: LinMap, b: LinMap) -> LinMap:
    """The sum of two maps; of two diagonals, one."""
    if isinstance(a, Scale) and isinstance(b, Scale) and a.by.shape == b.by.shape:
        return Scale(a.domain, a.codomain, arrays.plus(a.by, b.by))
    return Plus(a.domain, a.codomain, (a, b))


def rewritten(m: LinMap, change: Callable[[Expr], Expr]) -> LinMap:
    """The map with its coefficients changed."""
    if isinstance(m, (Compose, Plus)):
        return m.replace(maps=tuple(rewritten(part, change) for part in m.maps))
    by = getattr(m, "by", None)
    return m if by is None else m.replace(by=change(by))
