"""From a program to one DAG of what is to be computed: values and derivatives.

First the program is made stable, then it is differentiated, by one backward sweep over the
linear maps of its operations.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from chainrule.core import arrays
from chainrule.core.accumulate import tangents
from chainrule.core.arithmetic import size
from chainrule.core.errors import UnsupportedError, UsageError
from chainrule.core.expr import (
    ONE,
    Apply,
    Expr,
    Sym,
    apply,
    free_symbols,
    symbol,
    topological,
)
from chainrule.core.program import Program
from chainrule.core.shape import affine, dimension, shape_text
from chainrule.core.table.piecewise import PIECEWISE
from chainrule.lower.branches import guard_branches
from chainrule.lower.private import BASIS, STACK
from chainrule.lower.stable import Rewrite, stabilize
from chainrule.lower.sweep import sweep

Mode = Literal["gradient", "jacobian", "hvp"]
MODES = ("gradient", "jacobian", "hvp")
_MOST_ENTRIES = 100_000  # of a Jacobian of scalars, which is written entry by entry
_MOST_BRANCHES = 200
DIRECTION = "v_"  # before the name of a variable: the direction in which it moves


@dataclass(frozen=True, slots=True)
class Lowered:
    """What is to be computed, as one DAG over the inputs; nothing is ordered yet.

    Attributes:
        mode: what the results are.
        inputs: the symbols that need a value, in order of appearance; no dimensions.
        outputs: the program's outputs by name.
        results: the derivatives by name of the variable, each in the variable's shape: the
            gradient, or the Hessian times the direction; of a Jacobian one such derivative for
            each entry of the output, along an axis in front that the nodes do not know of.
        names: what a node is called in the program or in its derivation.
        cotangents: for nodes of the backward sweep, in its order, the node that each belongs
            to: the derivative of the output by it.
        heads: what it is the derivative of, where that is not the only output.
        labels: names of inputs that are numbers of classes, and may be integers.
        rewrites: what was rewritten to be stable, in order.
    """

    mode: Mode
    inputs: tuple[Sym, ...]
    outputs: Mapping[str, Expr]
    results: Mapping[str, Expr]
    names: Mapping[Expr, str]
    cotangents: Mapping[Expr, Expr] = field(default_factory=dict)
    heads: Mapping[Expr, str] = field(default_factory=dict)
    labels: frozenset[str] = frozenset()
    rewrites: tuple[Rewrite, ...] = ()


def lower(
    program: Program,
    wrt: Sequence[str],
    names: Mapping[str, Expr] | None = None,
    mode: Mode = "gradient",
) -> Lowered:
    """The outputs and their derivatives as one DAG.

    Args:
        program: what is differentiated.
        wrt: the variables' names.
        names: intermediates of the derivation, over the names of the program's inputs.
        mode: `gradient` and `hvp` (the Hessian times a direction, whose parts are inputs
            `v_W` for each variable `W`) are of one scalar output; `jacobian` is of scalars or of
            one array.

    Raises:
        UsageError: the output does not fit, or a name is none of the inputs.
    """
    if program.order > 1:
        raise UnsupportedError(
            "code of higher derivatives is there as the Hessian times a direction",
            hint="leave out the order, and ask for mode='hvp'",
        )
    written = program.written_out()
    inputs = inputs_of(program, written.values(), wrt)
    by_name = {s.name: s for s in inputs}
    check_variables(program, wrt, by_name)
    _check_dimensions(inputs)
    kept = dict(written)
    for name, node in (names or {}).items():
        kept.setdefault(name, node)
    stable = stabilize([*kept.values()])
    kept = dict(zip(kept, stable.roots, strict=True))
    if _has_branches(stable.roots):
        ends = [kept[name] for name in program.outputs]
        kept = dict(zip(kept, guard_branches(stable.roots, ends), strict=True))
    outputs = {name: kept[name] for name in program.outputs}
    if mode != "jacobian":
        scalar_output(program, outputs)
    xs = [by_name[name] for name in wrt]
    called: dict[Expr, str] = {}
    for name, node in kept.items():
        if isinstance(node, Apply):
            called.setdefault(node, name)
    heads: dict[str, tuple[Expr, Expr]]
    if mode == "hvp":
        directions = _directions(program, xs, by_name)
        inputs += directions
        (slope,) = tangents([*outputs.values()], dict(zip(xs, directions, strict=True)))
        name = f"{program.outputs[0]}_dot"
        called.setdefault(slope, name)
        heads = {name: (slope, ONE)}
    elif len(outputs) == 1:
        ((name, y),) = outputs.items()
        heads = {name: (y, apply(BASIS, *map(size, y.shape)) if y.shape else ONE)}
    else:
        for name, y in outputs.items():
            if y.shape:
                raise UnsupportedError(
                    f"{name} is a {shape_text(y.shape)}, one of several outputs",
                    hint="one array, or several scalars; vectors are joined by concat(a, b)",
                )
        if len(outputs) * len(xs) > _MOST_ENTRIES:
            raise UnsupportedError(
                f"a Jacobian of {len(outputs):,} outputs by {len(xs):,} variables is too long a "
                "code, one expression an entry",
                hint="make vectors of them, or let chainrule.symbolic.jacobian find its zeros",
            )
        heads = {name: (y, ONE) for name, y in outputs.items()}
    sweeps = {name: sweep([y], [seed], xs, program.dimensions) for name, (y, seed) in heads.items()}
    # The derivatives have branches of their own.
    flat = [bar for found in sweeps.values() for bar in found.values()]
    wanted = [found[x] for found in sweeps.values() for x in xs if x in found]
    bars = iter(guard_branches([*flat, *outputs.values()], [*wanted, *outputs.values()]))
    sweeps = {name: {node: next(bars) for node in found} for name, found in sweeps.items()}
    results = {}
    for x in xs:
        rows = [found.get(x, arrays.zeros(x.shape)) for found in sweeps.values()]
        results[x.name] = apply(STACK, *rows) if len(rows) > 1 else rows[0]
    cotangents: dict[Expr, Expr] = {}
    of: dict[Expr, str] = {}
    for name, found in sweeps.items():
        for node, bar in found.items():
            # A sum hands its cotangent on: it is that of the sum, or of a part that has a name.
            if isinstance(bar, Apply) and (
                bar not in cotangents or (node in called and cotangents[bar] not in called)
            ):
                cotangents[bar], of[bar] = node, name
    return Lowered(
        mode, tuple(inputs), outputs, results, called, cotangents, of,
        frozenset(_labels(written.values()) - set(wrt)), tuple(stable.rewrites),
    )  # fmt: skip


def _check_dimensions(inputs: Iterable[Sym]) -> None:
    """Refuse dimensions that no text can have: they are read as sums of names and numbers."""
    for dim in dict.fromkeys(d for s in inputs for d in s.shape if isinstance(d, str)):
        terms = affine(dim)
        if dimension(terms) != dim or not all(n.isidentifier() for n in terms if n):
            raise UsageError(f"{dim!r} is no dimension", hint="a name, as n, or a sum, as n + 1")


def _has_branches(roots: Iterable[Expr]) -> bool:
    """Whether there are any; very many are refused: each slope says that none before holds."""
    branching = [node for node in topological(roots) if node.op is PIECEWISE]
    for node in branching:
        if len(node.args) > 2 * _MOST_BRANCHES + 1:
            raise UnsupportedError(
                f"a piecewise of {len(node.args) // 2:,} conditions is not compiled: at most "
                f"{_MOST_BRANCHES}",
                hint="write the rest of the cases as a piecewise of its own, in the last one",
            )
    return bool(branching)


def _labels(roots: Iterable[Expr]) -> set[str]:
    """The names that occur as numbers of classes only."""
    counted: dict[str, bool] = {}
    order = topological(roots)
    if not any(arrays.is_op(node, "one_hot") for node in order if node.shape):
        return set()
    for node in order:
        for slot, a in enumerate(node.args):
            if isinstance(a, Sym):
                label = slot == 0 and arrays.is_op(node, "one_hot")
                counted[a.name] = counted.get(a.name, True) and label
    return {name for name, label in counted.items() if label}


def _directions(program: Program, xs: Sequence[Sym], inputs: Mapping[str, Sym]) -> list[Sym]:
    taken = {*inputs, *(name for name, _ in program.assignments)}
    for x in xs:
        if DIRECTION + x.name in taken:
            raise UsageError(
                f"{DIRECTION}{x.name} is to be the direction of {x.name}, and the program has it",
                hint="call it something else",
            )
    return [symbol(DIRECTION + x.name, x.shape) for x in xs]


def inputs_of(program: Program, roots: Iterable[Expr], wrt: Sequence[str]) -> list[Sym]:
    """The symbols that need a value: no dimensions, whose sizes are read off the arrays."""
    found = free_symbols(roots)
    # What is asked for by name is an input even where nothing depends on it.
    found = [*dict.fromkeys([*found, *(program.symbol(n) for n in wrt if n in program.declared)])]
    sized = {s.name for s in found if s.shape}
    dims = set(program.dimensions) - sized
    order = {name: i for i, name in enumerate(program.declared)}
    inputs = [s for s in found if s.shape or s.name not in dims]
    return sorted(inputs, key=lambda s: order.get(s.name, len(order)))


def check_variables(program: Program, wrt: Sequence[str], inputs: Mapping[str, Sym]) -> None:
    """Refuse names that are no inputs of the program."""
    for name in wrt:
        if name in inputs:
            continue
        if any(name == n for n, _ in program.assignments):
            raise UsageError(
                f"{name} is computed by the program: it cannot be a variable",
                hint="differentiate by an input, or leave out the statement that defines it",
            )
        known = ", ".join(inputs) or "none"
        raise UsageError(f"the program has no input {name}", hint=f"its inputs: {known}")
    if not wrt:
        raise UsageError("no variable to differentiate by", hint="name one: wrt=['W']")


def scalar_output(program: Program, outputs: Mapping[str, Expr]) -> Expr:
    """The one scalar output; UsageError where there are several or it is an array."""
    if len(outputs) == 1:
        ((name, node),) = outputs.items()
        if not node.shape:
            return node
        what = f"{name} is a {shape_text(node.shape)}"
    else:
        what = f"there are {len(outputs)} outputs"
    raise UsageError(
        f"{what}: a gradient is of one scalar",
        hint="ask for the Jacobian, or make one number of it, as sum(…)",
    )
