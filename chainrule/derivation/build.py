"""From a program to its derivation: which variables, which order, which style; then the steps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

from chainrule.core.arithmetic import mul
from chainrule.core.collector import paused
from chainrule.core.errors import UsageError
from chainrule.core.expr import ONE, ZERO, Expr, free_symbols, symbol, topological
from chainrule.core.program import Program
from chainrule.core.shape import dimension_names
from chainrule.derivation import matrix
from chainrule.derivation.combine import Point, Stage, sum_of, transpose
from chainrule.derivation.cut import LONGEST_PRODUCT
from chainrule.derivation.domain import ledger
from chainrule.derivation.paths import spelled
from chainrule.derivation.request import check_array_request, check_request
from chainrule.derivation.simplify import Simplifier, overlapping
from chainrule.derivation.steps import (
    Derivation,
    Granularity,
    Layout,
    Line,
    Matrix,
    Partial,
    Path,
    Plus,
    Result,
    ResultKind,
    Step,
    Style,
    Target,
    Times,
)

MAX_PATHS = 64
_LETTERS = "uvwstrpqabcd"


@paused()
def build(
    program: Program,
    *,
    variables: Sequence[str] = (),
    granularity: Granularity = "textbook",
    style: Style = "paths",
    expand_powers: bool = False,
    layout: Layout = "numerator",
    order: int = 1,
    direction: Sequence[Expr] = (),
    weights: Sequence[Expr] = (),
    max_paths: int | None = None,
    point: Point | None = None,
    deadline: float = float("inf"),
) -> Derivation:
    """The derivation of the program's outputs by the variables, step by step.

    Args:
        program: what was read.
        variables: names to differentiate by, where the text has no `d/dx`; empty: the
            arguments of `f(x) = …`, else every free name in order of appearance.
        granularity, expand_powers: how the program is cut into intermediates.
        style: along paths, by the total derivative forwards, or by backpropagation.
        layout: whether rows of a Jacobian are outputs (`numerator`) or variables.
        order: of differentiation; a gradient of order 2 is a Hessian.
        direction: a component for each variable: the directional derivative.
        weights: a weight for each output: the gradient of their weighted sum.
        max_paths: list at most so many paths, and multiply along no more.
        point: values at which every formula also shows its number.
        deadline: when to stop simplifying, as `time.perf_counter` tells it.

    Raises:
        UsageError: options that do not fit the program.
        DomainError: the function is nowhere a real number.

    Source: the multivariate chain rule; Griewank & Walther 2008, chapters 2 and 3.
    """
    names = resolve_variables(program, variables)
    outputs = program.outputs
    if program.order > 1:
        order = program.order
    arrays = has_arrays(program)
    check_request(names, outputs, order, direction, weights, point, arrays)
    budget = MAX_PATHS if max_paths is None else max_paths
    if arrays:
        check_array_request(program, names, order, expand_powers, point)
        return matrix.build_arrays(program, matrix.Request(
            names, granularity, style, layout, order, direction, weights, budget, deadline
        ))  # fmt: skip
    simplify = Simplifier(deadline)
    stage = Stage(
        program, names, granularity, expand_powers, 1, _letter(program, names, 0), point, simplify
    )
    functions = tuple(stage.function(y) for y in outputs)
    domain, kinks = ledger(functions, [symbol(v) for v in names])
    remarks: list[str] = []

    stage.tell("introduce", "reading", outputs, [
        Line((symbol(name), expression)) for name, expression in program.assignments
    ])  # fmt: skip
    rows, style, paths = _first_order(stage, style, budget, max_paths is not None, layout, remarks)
    result, targets = rows, _plain_targets(len(outputs), names)
    kind = _kind(len(outputs), len(names))

    if direction:
        result = [[_weighted(row, direction, simplify)] for row in rows]
        targets = [[_target(zip(direction, [(i, (v,)) for v in names], strict=True))]
                   for i in range(len(outputs))]  # fmt: skip
        kind = "derivative"
        _tell_weighted(stage, "direction", rows, direction, result, names)
    elif weights:
        columns = transpose(rows)
        result = [[_weighted(column, weights, simplify) for column in columns]]
        targets = [[_target(zip(weights, [(i, (v,)) for i in range(len(outputs))], strict=True))
                    for v in names]]  # fmt: skip
        kind = "gradient"
        _tell_weighted(stage, "weights", columns, weights, transpose(result), names)
    elif order > 1:
        kind = "derivative" if len(names) == 1 else "hessian"
        result, targets = _higher(stage, rows, order, style, budget, remarks)

    if layout == "denominator":
        result, targets = transpose(result), [list(t) for t in zip(*targets, strict=True)]
    final = tuple(map(tuple, result))
    if not simplify.complete:
        remarks.append(
            "the time for simplification was up: what is shown is right, "
            "but not in its shortest form"
        )
    _tell_result(stage, kind, final, order, bool(direction or weights))
    return Derivation(
        program=program, variables=tuple(names), outputs=outputs, functions=functions,
        layout=layout, granularity=granularity, style=style,
        intermediates=stage.intermediates, edges=stage.edges,
        path_count={y: {v: stage.count(y, v) for v in names} for y in outputs},
        paths=tuple(paths), steps=tuple(stage.steps), result=Result(kind, final),
        targets=tuple(map(tuple, targets)), domain=domain, kinks=kinks, remarks=tuple(remarks),
        point=point.values if point else {},
    )  # fmt: skip


def has_arrays(program: Program) -> bool:
    """Whether a vector or a matrix occurs in the program, or an operation that is for them.

    `mse(p, y)` of two numbers is one: its derivative is a map.
    """
    return any(
        node.shape or (node.op is not None and node.op.shape is not None)
        for node in topological(e for _, e in program.assignments)
    )


def resolve_variables(program: Program, variables: Sequence[str] = ()) -> list[str]:
    """The names to differentiate by: the text's, else the request's, else the free ones."""
    if program.variables:
        return list(program.variables)
    if variables:
        return list(dict.fromkeys(variables))
    assigned = {name for name, _ in program.assignments}
    found = free_symbols(e for _, e in program.assignments)
    sizes = dimension_names(s.shape for s in found if s.shape)
    assigned.update(program.dimensions, sizes)
    free = [s.name for s in found if s.name not in assigned]
    chosen = list(program.arguments) or free
    if not chosen:
        raise UsageError(
            "there is no variable to differentiate by",
            hint="name one with --wrt x, or write d/dx in front",
        )
    return chosen


def _first_order(
    stage: Stage, style: Style, budget: int, listed: bool, layout: Layout, remarks: list[str]
) -> tuple[list[list[Expr]], Style, list[Path]]:
    """The Jacobian, rows by output, told in the style that the number of paths allows."""
    outputs, names = stage.program.outputs, stage.variables
    stage.tell_locals()
    if stage.long_products and stage.granularity == "textbook":
        remarks.append(
            f"a product of more than {LONGEST_PRODUCT} factors is taken factor by factor: the "
            "product of the first two has a name, that of the first three, and so on"
        )
    count = sum(stage.count(y, v) for y in outputs for v in names)
    paths: list[Path] = []
    if count <= budget or listed:
        for y, v in product(outputs, names):
            if len(paths) == budget:
                break
            paths += stage.paths(y, v, budget - len(paths))
    if style == "paths" and count > budget:
        style = "backprop"
        remarks.append(
            f"there are {spelled(count)} paths, more than the {budget} that are multiplied out: "
            "the total derivative is accumulated node by node instead"
        )
        stage.tell_paths(paths)
    if style == "total":
        for v in names:
            stage.tell_totals(v)
    elif style == "backprop":
        for y in outputs:
            stage.tell_adjoints(y)
    rows = _entries(stage, style, remarks)
    if len(outputs) > 1:
        stage.tell_layers(layout == "denominator")
    return rows, style, paths


def _entries(stage: Stage, style: Style, remarks: list[str]) -> list[list[Expr]]:
    """The Jacobian, told entry by entry; or, where that would be many times as long, at once."""
    outputs, names = stage.program.outputs, stage.variables
    if style == "paths":
        return [[stage.tell_entry(style, y, v, None) for v in names] for y in outputs]
    raw = []
    for y in outputs:
        bar = stage.adjoints(y)
        raw.append([bar.get(v, ZERO) for v in names])
    flat = [entry for row in raw for entry in row]
    if not overlapping(flat):
        return [
            [stage.tell_entry(style, y, v, entry) for v, entry in zip(names, row, strict=True)]
            for y, row in zip(outputs, raw, strict=True)
        ]
    remarks.append(
        "the derivatives have most of their parts in common: they are simplified and "
        "written together, each shared part once"
    )
    done = iter(stage.simplify.each(flat))
    return [[next(done) for _ in row] for row in raw]


def _higher(
    first: Stage, rows: list[list[Expr]], order: int, style: Style, budget: int, remarks: list[str]
) -> tuple[list[list[Expr]], list[list[Target]]]:
    """Differentiate the result again, each round a stage of its own."""
    names = list(first.variables)
    (output,) = first.program.outputs
    targets: list[list[Target]] = []
    for k in range(2, order + 1):
        suffixes = names if k == 2 else [names[0] * (k - 1)]
        outputs = tuple(f"{output}_{s}" for s in suffixes)
        program = Program(
            source=first.program.source,
            assignments=tuple(zip(outputs, rows[0], strict=True)),
            outputs=outputs,
            vector=len(outputs) > 1,
        )
        stage = Stage(
            program, names, first.granularity, first.expand_powers, k,
            _letter(first.program, names, k - 1), first.point, first.simplify,
        )  # fmt: skip
        rows, _, _ = _first_order(stage, style, budget, False, "numerator", remarks)
        first.steps.extend(stage.steps)
        if len(names) == 1:
            rows = [rows[0]]
            targets = [[_target([(ONE, (0, (names[0],) * k))])]]
        else:
            targets = [[_target([(ONE, (0, (a, b)))]) for b in names] for a in names]
    return rows, targets


def _letter(program: Program, names: Sequence[str], stage: int) -> str:
    """The letter of the stage's intermediates; one that names nothing yet, where possible."""
    taken = {n[0] for n in names} | {n[0] for n, _ in program.assignments}
    if stage == 0:
        return "u"
    free = [c for c in _LETTERS[1:] if c not in taken] or list(_LETTERS[1:])
    return free[(stage - 1) % len(free)]


def _kind(outputs: int, variables: int) -> ResultKind:
    if outputs > 1:
        return "jacobian"
    return "derivative" if variables == 1 else "gradient"


def _plain_targets(outputs: int, names: Sequence[str]) -> list[list[Target]]:
    return [[_target([(ONE, (i, (v,)))]) for v in names] for i in range(outputs)]


def _target(terms: Iterable[tuple[Expr, tuple[int, tuple[str, ...]]]]) -> Target:
    return Target(tuple((weight, i, by) for weight, (i, by) in terms))


def _weighted(entries: Sequence[Expr], weights: Sequence[Expr], simplify: Simplifier) -> Expr:
    return simplify(sum_of(map(mul, entries, weights))).result


def _tell_weighted(
    stage: Stage,
    topic: str,
    rows: Sequence[Sequence[Expr]],
    weights: Sequence[Expr],
    results: Sequence[Sequence[Expr]],
    names: Sequence[str],
) -> None:
    """The Jacobian times a direction, row by row; or weights times it, column by column."""
    outputs = stage.program.outputs
    lines = []
    for i, (row, (result,)) in enumerate(zip(rows, results, strict=True)):
        if topic == "direction":
            partials = [Partial(outputs[i], v, total=True) for v in names]
        else:
            partials = [Partial(y, names[i], total=True) for y in outputs]
        symbols = Plus(tuple(Times((p, w)) for p, w in zip(partials, weights, strict=True)))
        values = Plus(tuple(Times((e, w)) for e, w in zip(row, weights, strict=True)))
        (number,) = stage.numbers([result])
        lines.append(Line((symbols, values, result), number=number))
    stage.tell("combine", topic, (*outputs, *names), lines)


def _tell_result(
    stage: Stage,
    kind: ResultKind,
    entries: tuple[tuple[Expr, ...], ...],
    order: int,
    weighted: bool,
) -> None:
    """The whole result on one line."""
    outputs, names = stage.program.outputs, tuple(stage.variables)
    flat = [e for row in entries for e in row]
    shape: Expr | Matrix = flat[0] if len(flat) == 1 else Matrix(entries)
    numbers = stage.numbers(flat)
    number = numbers[0] if len(flat) == 1 else None
    parts: tuple[Expr | Matrix | Partial, ...] = (shape,)
    if len(flat) == 1 and order == 1 and not weighted:
        parts = (Partial(outputs[0], names[0], total=True), shape)
    stage.steps.append(
        Step("simplify", "result", (kind, *outputs, *names), (Line(parts, number=number),))
    )
