"""Constant factors of gradients, moved to where they cost least."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chainrule.lower.bound.tape import Tape
from chainrule.lower.bound.values import FREE, SMALL, Value


def live(outputs: Iterable[Value]) -> list[Value]:
    """What the outputs need, in the order of the tape."""
    found: set[Value] = set()
    stack = list(outputs)
    while stack:
        value = stack.pop()
        if value not in found:
            found.add(value)
            stack.extend(value.args)
    return sorted(found, key=lambda v: v.serial)


def _linear(value: Value) -> tuple[Value, ...]:
    """The arguments that the value is linear in, each for itself."""
    if value.op in ("dot", "multiply") and value.args[0] is not value.args[1]:
        return value.args
    if value.op == "sum" or (value.op, value.attrs) == ("copy", ("copy",)):
        return value.args
    return ()


def _ways_down(values: Iterable[Value]) -> dict[Value, Value]:
    """For a value: the argument through which a factor gets to the smallest array.

    Of equal ones the one it takes more steps to: there more gradients have it in common.
    """
    least: dict[Value, tuple[int, int]] = {}
    through: dict[Value, Value] = {}
    for v in values:
        if v.op in FREE or v.kind != "float":
            continue
        least[v] = (v.size, 0)
        found = [a.base for a in _linear(v) if a.base in least]
        if found:
            best = min(found, key=lambda a: least[a])
            size, steps = least[best]
            least[v] = min(least[v], (size, steps - 1))
            through[v] = best
    return through


def sink_factors(tape: Tape, outputs: Sequence[Value], blocks: int = 1) -> list[Value]:
    """Constant factors of large gradients as one factor of what they are computed from.

    Backpropagation is linear in the slope of the loss by the outputs of the network: there a
    factor 1/N costs nothing, while each gradient of its own would be read and written again.
    A factor moves into the one argument all of whose users have it.
    """
    products = [v for v in live(outputs) if v.op == "multiply" and v.shape]
    for factor in dict.fromkeys(tape.parted(v)[1] for v in products):
        if factor is not None:
            outputs = _sink(tape, outputs, factor, blocks)
    return list(outputs)


def _sink(tape: Tape, outputs: Sequence[Value], factor: float, blocks: int) -> Sequence[Value]:
    def cost(v: Value) -> int:
        return (v.size + SMALL) * (blocks if any(v.rows) else 1)

    values = live(outputs)
    results = {v.base for v in outputs}
    scaled = {v for v in values if v.op == "multiply" and v.shape and tape.parted(v)[1] == factor}
    readers: dict[Value, set[Value]] = {}  # through views
    for v in values:
        if v.op != "view":
            for a in v.args:
                readers.setdefault(a.base, set()).add(v)
    through = _ways_down(values)
    carries: set[Value] = set()  # are computed times the factor
    claimed: set[Value] = set()  # because an argument is
    twins: dict[Value, set[Value]] = {}  # are there with the factor, too, for these users

    def takes(user: Value, v: Value) -> bool:
        """Whether the user would have v times the factor."""
        if user in scaled:
            return user.args[0].base is v
        return user in carries and through.get(user) is v

    for v in reversed(values):
        if v in results or v in scaled or v.op in FREE or v.kind != "float":
            continue
        users = {u for u in readers.get(v, ()) if takes(u, v)}
        if users == readers.get(v):
            carries.add(v)
        elif cost(v) < sum(map(cost, users)):
            twins[v] = users
        else:
            continue
        claimed |= users
    heads = [v for v in carries if v not in claimed]
    before = sum(map(cost, scaled))
    after = sum(map(cost, (*heads, *twins, *(v for v in scaled if v not in claimed))))
    if after >= before:
        return outputs
    number = tape.const(factor)
    new: dict[Value, Value] = {}
    twin: dict[Value, Value] = {}

    def times(made: Value, v: Value) -> Value:
        # Not `tape.scale`, which would move the factor to the gradients again.
        found = tape.make("multiply", (made, number), (), v.shape, v.rows)
        found.order = v.order
        return found

    def argument(a: Value, user: Value) -> Value:
        """The argument as the user reads it now."""
        if user not in twins.get(a.base, ()):
            return new[a]
        if a.base is a:
            return twin[a]
        inner = argument(a.args[0], user)
        return tape.make("view", (inner,), a.attrs, a.shape, a.rows, a.kind)

    for v in values:
        args = tuple(argument(a, v) for a in v.args)
        if v in scaled and v in claimed:
            new[v] = args[0]
            args[0].name = args[0].name or v.name
            continue
        made = v if args == v.args else tape.make(v.op, args, v.attrs, v.shape, v.rows, v.kind)
        if made is not v:
            made.order = v.order
            made.name = made.name or ("" if v in carries and v in claimed else v.name)
        new[v] = times(made, v) if v in carries and v not in claimed else made
        if v in twins:
            twin[v] = times(made, v)
    return [new[v] for v in outputs]
