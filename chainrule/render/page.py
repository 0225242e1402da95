"""Derivation to page: its headings, in order, and what stands under them.

Every word that a reader sees is here or in `sentences`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from chainrule.core.expr import free_symbols, symbol
from chainrule.derivation.steps import (
    Chain,
    Derivation,
    Formula,
    Line,
    Matrix,
    Partial,
    Step,
    Times,
    Verification,
)
from chainrule.render.blocks import (
    Block,
    Equations,
    Heading,
    Math,
    Page,
    Paragraph,
    Prose,
    Row,
    Shown,
)
from chainrule.render.boxes import Label, label
from chainrule.render.notation import Notation
from chainrule.render.sentences import ambiguity, listing, plural, quantity, validity
from chainrule.render.sentences import verification_block as verification_block
from chainrule.render.text import text

_ORDINALS = ("", "first", "second", "third", "fourth", "fifth", "sixth")


def page(derivation: Derivation, verification: Verification | None = None) -> Page:
    """The derivation as a page; with a verification, its lines come last."""
    blocks = list(_derivation(derivation))
    if verification is not None:
        blocks += verification_block(verification).blocks
    return Page(tuple(blocks))


def step_title(step: Step, notation: Notation) -> Prose:
    """What a step is called."""
    names = step.subject
    match step.topic:
        case "reading":
            return ("Read as",)
        case "intermediates":
            return ("Intermediate variables",)
        case "locals":
            return ("Local derivatives",)
        case "logarithmic":
            return ("Logarithmic differentiation of ", quantity(names[0]))
        case "quotient":
            return ("Quotient rule for ", quantity(names[0]))
        case "path":
            of, by = names
            count = sum(isinstance(line.parts[0], Chain) for line in step.lines)
            if count == 0 and not _only_path(step) and not notation.has_edge(of, by):
                return (quantity(of), " does not depend on ", quantity(by))
            paths = f"{count} paths" if count > 1 else "one path"
            return (f"Chain rule: {paths} from ", quantity(of), " to ", quantity(by))
        case "total":
            return ("Total derivatives by ", quantity(names[0]))
        case "backprop":
            return ("Backpropagation from ", quantity(names[0]))
        case "layers":
            return ("Layer by layer: a product of Jacobians",)
        case "direction":
            return ("Directional derivative: the Jacobian times the direction",)
        case "weights":
            return ("Weighted sum of the outputs: the weights times the Jacobian",)
        case "substitute":
            return ("Substitute back",)
        case "simplify":
            return ("Simplify",)
        case "result":
            return ("Result",)
    return (step.topic.capitalize(),)


def step_rows(step: Step, notation: Notation) -> Iterator[Row]:
    """The lines of a step, ready to draw, one row a line."""
    by_name = step.topic == "logarithmic"
    above: Shown | None = None
    for line in step.lines:
        parts = [notation.formula(part, by_name) for part in line.parts]
        left: Shown | None = parts[0] if len(parts) > 1 else None
        if step.topic == "result" and len(parts) == 1:
            left = _result_label(step, notation)
        elif step.topic == "layers":
            left = label("J")
        yield Row(
            left, tuple(parts[1:] or parts), line.because, line.provided, _number(line),
            explicit=step.topic == "reading",
            continues=step.topic == "simplify" and left == above,
        )  # fmt: skip
        above = left


def _result_label(step: Step, notation: Notation) -> Label | None:
    kind, *names = step.subject
    of = names[0]
    if notation.weighted:
        return label(notation.weighted)
    match kind:
        case "gradient":
            return notation.gradient(of)
        case "jacobian":
            return label("J")
        case "hessian":
            return label("H")
    return notation.derivative(of, names[-1], notation.order) if notation.order > 1 else None


def _number(line: Line) -> str:
    if line.number is None:
        return ""
    shown = f"{line.number:.6g}"
    return shown if float(shown) == line.number else f"≈ {shown}"


# ------------------------------------------------------------------------- the derivation


def _derivation(d: Derivation) -> Iterator[Block]:
    notation = Notation(d)
    yield Heading(0, _title(d))
    numbered = 0
    several = len(d.outputs) * len(d.variables) > 1
    stage = 1
    entry: tuple[str, ...] = ()
    before: Step | None = None
    for step in d.steps:
        if _repeats(before, step):
            continue
        before = step
        if step.stage != stage and step.topic != "result":
            stage, entry = step.stage, ()
            yield from _next_stage(d, stage)
        of_entry = step.topic in _ENTRY_TOPICS
        level = 1
        if of_entry and several:
            if step.subject != entry:
                entry = step.subject
                numbered += 1
                yield Heading(1, _entry_title(entry), numbered)
            level = 2
        number = 0
        if level == 1 and step.topic not in ("reading", "result"):
            numbered += 1
            number = numbered
        yield Heading(level, step_title(step, notation), number)
        yield from _step(step, d, notation)
    if d.result.kind == "jacobian":
        rows, columns = ("outputs", "variables")
        if d.layout == "denominator":
            rows, columns = columns, rows
        yield Paragraph((f"Rows are {rows}, columns are {columns}: {d.layout} layout.",))
    yield from validity(d)


def _repeats(before: Step | None, step: Step) -> bool:
    """Whether there was nothing to do: the formula stands there already."""
    if before is None or before.subject != step.subject:
        return False
    (*_, last), (line, *more) = before.lines, step.lines
    if step.topic not in ("substitute", "simplify") or more or line.number is not None:
        return False
    return not line.because and text(line.parts[-1]) == text(last.parts[-1])


_ENTRY_TOPICS = frozenset(["path", "substitute", "simplify"])


def _entry_title(subject: Sequence[str]) -> Prose:
    return ("Derivative of ", quantity(subject[0]), " by ", quantity(subject[1]))


def _title(d: Derivation) -> Prose:
    topics = {step.topic for step in d.steps}
    head = d.result.kind.capitalize()
    if "direction" in topics:
        head = "Directional derivative"
    elif "weights" in topics:
        head = "Gradient of a weighted sum"
    elif d.result.kind == "derivative" and (order := max(s.stage for s in d.steps)) > 1:
        head = f"{_ordinal(order)} derivative".capitalize()
    return (f"{head} of ", *listing(d.outputs), " with respect to ", *listing(d.variables))


def _ordinal(order: int) -> str:
    return _ORDINALS[order] if order < len(_ORDINALS) else f"{order}th"


def _next_stage(d: Derivation, stage: int) -> Iterator[Block]:
    previous = _ordinal(stage - 1)
    yield Heading(1, (f"Once more: the {_ordinal(stage)} derivative",))
    by = d.variables[0]
    if len(d.variables) == 1:
        name = f"{d.outputs[0]}_{by * (stage - 1)}"
        start = f"The {previous} derivative is called "
        yield Paragraph((start, quantity(name), " and derived in its turn."))
        return
    first = quantity(f"{d.outputs[0]}_{by}")
    turn = " and so on, and derived in their turn."
    yield Paragraph(("The partial derivatives are called ", first, turn))


def _step(step: Step, d: Derivation, notation: Notation) -> Iterator[Block]:
    if step.topic == "reading":
        yield from _reading(step, d, notation)
        return
    rows = list(step_rows(step, notation))
    chains = [row for row in rows if isinstance(row.left, Chain)]
    rest = [row for row in rows if not isinstance(row.left, Chain)]
    value = _at(d) if any(row.number for row in rows) else ""
    if step.topic == "locals":
        if not rows:
            return
        yield Equations(tuple(rows), ("local derivative", "", "rule"), value)
    else:
        if chains:
            yield Equations(tuple(chains), ("path", "product along it", ""))
        elif step.topic == "path" and (only := _only_path(step)):
            yield Equations((Row(None, (only,)),))
        if step.topic == "result" and _is_wide(rest[0].right[0]):
            yield from _entries(rest[0], d, notation)
        elif rest:
            yield Equations(tuple(rest), at=value)
    yield from _where(rows, notation)


def _is_wide(formula: Formula) -> bool:
    """Whether this is a matrix that is better listed entry by entry."""
    if not isinstance(formula, Matrix):
        return False
    widest = max(sum(len(text(entry)) + 3 for entry in row) for row in formula.rows)
    return widest > _WIDEST or len(formula.rows) > _TALLEST


_WIDEST, _TALLEST = 68, 24


def _entries(whole: Row, d: Derivation, notation: Notation) -> Iterator[Block]:
    matrix = whole.right[0]
    assert isinstance(matrix, Matrix)
    if whole.left is not None:
        yield Paragraph(("The entries of ", Math((whole.left,)), ":"))
    rows = []
    for i, (entries, targets) in enumerate(zip(matrix.rows, d.targets, strict=True)):
        for j, (entry, target) in enumerate(zip(entries, targets, strict=True)):
            left: Shown = label(f"[{i + 1}, {j + 1}]")
            if len(target.terms) == 1:
                ((_, output, by),) = target.terms
                left = notation.entry(d.outputs[output], by)
            rows.append(Row(left, (entry,)))
    yield Equations(tuple(rows))


def _only_path(step: Step) -> Chain | None:
    """The path whose edges the line multiplies."""
    edges = step.lines[0].parts[1]
    if not isinstance(edges, Times):
        return None
    partials = [e for e in edges.factors if isinstance(e, Partial)]
    return Chain((partials[0].of, *(e.by for e in partials))) if partials else None


def _at(d: Derivation) -> str:
    return ", ".join(f"{name} = {value}" for name, value in d.point.items())


def _where(rows: Iterable[Row], notation: Notation) -> Iterator[Block]:
    new = notation.definitions(part for row in rows for part in row.right)
    if new:
        yield Paragraph(("with the shared parts" if len(new) > 1 else "with the shared part",))
        yield Equations(tuple(Row(symbol(name, part.shape), (part,)) for name, part in new))


def _reading(step: Step, d: Derivation, notation: Notation) -> Iterator[Block]:
    rows = tuple(step_rows(step, notation))
    yield Equations(rows)
    yield from _where(rows, notation)
    free = [s.name for s in free_symbols(d.functions)]
    constants = [name for name in free if name not in d.variables]
    variables: Prose = (plural("Variable", d.variables), " ", *listing(d.variables))
    if constants:
        variables += ("; ", plural("constant", constants), " ", *listing(constants))
    yield Paragraph((*variables, "."))
    for notice in d.program.notices:
        yield ambiguity(notice)
    if notation.both_signs:
        yield Paragraph((
            "∂ is the derivative along one edge, with the other operands held fixed; "
            "d is the derivative along all paths.",
        ), "note")  # fmt: skip
