"""Whether what is asked for can be derived, and what to ask for instead."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.core.errors import UsageError
from chainrule.core.expr import Expr
from chainrule.core.program import Program
from chainrule.derivation.combine import Point

MAX_ORDER = 12


def check_request(
    names: Sequence[str],
    outputs: Sequence[str],
    order: int,
    direction: Sequence[Expr],
    weights: Sequence[Expr],
    point: Point | None,
    arrays: bool,
) -> None:
    """Raise a UsageError where the options of a request do not fit it, or each other."""
    if not 1 <= order <= MAX_ORDER:
        raise UsageError(f"the order is {order}", hint=f"orders from 1 to {MAX_ORDER} are derived")
    if direction and len(direction) != len(names):
        raise UsageError(
            f"the direction has {len(direction)} components for {len(names)} variables",
            hint=f"give one for each of {', '.join(names)}",
        )
    if weights and len(weights) != len(outputs):
        raise UsageError(
            f"there are {len(weights)} weights for {len(outputs)} outputs",
            hint=f"give one for each of {', '.join(outputs)}",
        )
    if order > 1 and not arrays:
        if direction or weights:
            raise UsageError("a direction or weights go with order 1 only")
        if len(outputs) > 1:
            raise UsageError(
                f"order {order} of {len(outputs)} outputs is a tensor",
                hint="derive one output at a time",
            )
        if order > 2 and len(names) > 1:
            raise UsageError(
                f"order {order} in {len(names)} variables is a tensor",
                hint=f"name one variable, as --wrt {names[0]}; order 2 gives the Hessian",
            )
    clash = set(names) & set(outputs)
    if clash:
        raise UsageError(f"{clash.pop()} is an output, and cannot be a variable too")
    if point is not None:
        missing = [n for n in names if n not in point.values]
        if missing:
            raise UsageError(
                f"--at gives no value for {missing[0]}", hint=f"add {missing[0]}=… to it"
            )


def check_array_request(
    program: Program, names: Sequence[str], order: int, expand_powers: bool, point: Point | None
) -> None:
    """Raise a UsageError where the options do not fit a program of arrays."""
    if point is not None:
        raise UsageError(
            "numbers beside the steps are for scalars",
            hint="leave out --at; in Python, call the derivation with the arrays",
        )
    if expand_powers:
        raise UsageError("powers are expanded in programs of scalars only")
    if order > 2:
        raise UsageError(f"order {order} of arrays is a tensor", hint="orders 1 and 2 are derived")
    sized = [n for n in names if n in program.dimensions]
    if sized:
        raise UsageError(
            f"{sized[0]} is a dimension, a whole number", hint="differentiate by another name"
        )
