"""Pass 1: a local derivative on every edge of the computation graph, with the rule that gave it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from chainrule.core.arithmetic import ADD, DIV, MUL, NEG, POW, SUB
from chainrule.core.expr import Apply, Expr, Sym, apply, depends_on, substitute, symbol
from chainrule.core.table.abstract import AbstractOperator
from chainrule.derivation.backward import gradient
from chainrule.derivation.cut import condition_slots
from chainrule.derivation.patterns import Pattern, filled, pattern_of, small_pattern
from chainrule.derivation.simplify import Simplifier
from chainrule.derivation.steps import Edge, Intermediate


class _Found(NamedTuple):
    """The local derivatives of a pattern, one an operand: over its holes, with their rules."""

    locals: tuple[Pattern, ...]
    rules: tuple[str, ...]


def edges(
    intermediates: Sequence[Intermediate], simplify: Simplifier | None = None
) -> tuple[Edge, ...]:
    """The edges in order: by intermediate, then by operand.

    Intermediates of one pattern are differentiated once.
    """
    chosen = simplify or Simplifier()
    known: dict[object, _Found] = {}
    found: list[Edge] = []
    for u in intermediates:
        if not u.operands:  # a constant
            continue
        slots = [symbol(name) for name in u.operands]
        holes: dict[Expr, int] = {}
        alike = small_pattern(u.expression, holes)
        if alike is None:
            found += local_derivatives(u, chosen)
            continue
        key = (alike, tuple([holes.get(slot) for slot in slots]))
        present = known.get(key)
        if present is not None:
            names = list(holes)
            found += [
                Edge(u.name, by, filled(local, names), rule)
                for by, local, rule in zip(u.operands, *present, strict=True)
            ]
            continue
        own = local_derivatives(u, chosen)
        found += own
        count = len(holes)
        patterns = [pattern_of(edge.local, holes) for edge in own]
        if chosen.complete and len(holes) == count:
            known[key] = _Found(
                tuple([p for p in patterns if p is not None]), tuple([e.rule for e in own])
            )
    return tuple(found)


def local_derivatives(u: Intermediate, simplify: Simplifier) -> list[Edge]:
    """One edge a slot; a name in two slots has two edges, each with the other slot held fixed."""
    slots = [symbol(name) for name in u.operands]
    expression = u.expression
    if max(Counter(u.operands).values()) > 1:
        expression, slots = told_apart(expression, slots)
    names: dict[Expr, Expr] = dict(zip(slots, map(symbol, u.operands), strict=True))
    back = {slot: name for slot, name in names.items() if slot is not name}
    derivatives = gradient(expression, slots)
    if back:
        derivatives = substitute(derivatives, back)
    rules = rules_of(expression, slots)
    return [
        Edge(u.name, name, local, rules[slot])
        for slot, name, local in zip(slots, u.operands, simplify.each(derivatives), strict=True)
    ]


def told_apart(expression: Expr, names: Sequence[Sym]) -> tuple[Expr, list[Sym]]:
    """The expression with each occurrence of an operand as a symbol of its own, from the left."""
    active = depends_on([expression], names)
    slots: list[Sym] = []
    done: list[Expr] = []
    # A node and whether it is held as it is, as a condition; None: its arguments are done.
    stack: list[tuple[Expr, bool | None]] = [(expression, False)]
    while stack:
        node, held_fixed = stack.pop()
        if held_fixed:
            done.append(node)
        elif held_fixed is None:
            first = len(done) - len(node.args)
            assert isinstance(node, Apply)
            done[first:] = [apply(node.op, *done[first:])]
        elif isinstance(node, Sym) and node in active:
            slots.append(symbol(f"{node.name}#{len(slots)}", node.shape))
            done.append(slots[-1])
        elif node in active:
            assert isinstance(node, Apply)
            held = condition_slots(node)
            stack.append((node, None))
            stack.extend((a, i in held) for i, a in reversed(list(enumerate(node.args))))
        else:
            done.append(node)
    return done[0], slots


def rules_of(expression: Expr, slots: Sequence[Sym]) -> dict[Sym, str]:
    """The textbook's names of the rules on the way from one operation down to each operand."""
    active = depends_on([expression], slots)
    found: dict[Sym, dict[str, None]] = {slot: {} for slot in slots}
    stack: list[tuple[Expr, tuple[str, ...]]] = [(expression, ())]
    while stack:
        node, names = stack.pop()
        if isinstance(node, Sym):
            found[node].update(dict.fromkeys(names or ("identity",)))
        elif isinstance(node, Apply):
            held = condition_slots(node)
            varying = [i for i, a in enumerate(node.args) if a in active and i not in held]
            for i in reversed(varying):
                name = _rule(node, i, varying)
                stack.append((node.args[i], names if name in names else (*names, name)))
    return {slot: ", ".join(names) for slot, names in found.items()}


def _rule(node: Apply, slot: int, varying: Sequence[int]) -> str:
    """The rule for one argument, where `varying` are the arguments that are not constant."""
    alone = len(varying) == 1
    if isinstance(node.op, AbstractOperator):
        return "derivative of " + node.op.name + "'" * sum(node.op.orders)
    if alone and (node.op is MUL or (node.op is DIV and slot == 0)):
        return "constant multiple rule"
    if alone and node.op is DIV:
        return "reciprocal rule"
    if not alone and node.op is POW:
        return node.op.rule(slot) + (", exponent held fixed", ", base held fixed")[slot]
    if node.op in (ADD, SUB, NEG):
        return "sum rule" if node.op is ADD else node.op.rule(slot)
    return node.op.rule(slot)
