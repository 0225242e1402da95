"""Derivation to page: its headings, in order, and what stands under them.

Every word that a reader sees is here, in `headings` or in `sentences`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from chainrule.core.collector import paused
from chainrule.core.expr import Expr, free_symbols, symbol
from chainrule.core.shape import shape_text
from chainrule.derivation.steps import (
    Chain,
    Derivation,
    Differential,
    Formula,
    Line,
    Matrix,
    Step,
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
from chainrule.render.headings import entry_title, only_path, ordinal, page_title, step_title
from chainrule.render.notation import Notation
from chainrule.render.sentences import ambiguity, listing, plural, validity
from chainrule.render.sentences import verification_block as verification_block
from chainrule.render.text import same, text


@paused()
def page(derivation: Derivation, verification: Verification | None = None) -> Page:
    """The derivation as a page; with a verification, its lines come last."""
    blocks = list(_derivation(derivation))
    if verification is not None:
        blocks += verification_block(verification).blocks
    return Page(tuple(blocks))


def step_rows(step: Step, notation: Notation) -> Iterator[Row]:
    """The lines of a step, ready to draw, one row a line."""
    by_name = step.topic == "logarithmic"
    above: Shown | None = None
    curvatures = notation.curvatures if step.topic == "result" else []
    for i, line in enumerate(step.lines):
        parts = [notation.formula(part, by_name) for part in line.parts]
        left: Shown | None = parts[0] if len(parts) > 1 else None
        if step.topic == "result" and len(parts) == 1:
            left = curvatures[i] if curvatures else _result_label(step, notation)
        elif step.topic == "layers":
            left = label("J")
        yield Row(
            left, tuple(parts[1:] or parts), line.because, line.provided, _number(line),
            explicit=step.topic == "reading",
            continues=step.topic == "simplify" and left == above,
        )  # fmt: skip
        above = left


def result_rows(derivation: Derivation) -> list[Row]:
    """What the last step says."""
    return list(step_rows(derivation.steps[-1], Notation(derivation)))


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
    yield Heading(0, page_title(d, notation))
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
            yield from _next_stage(d, stage, notation)
        of_entry = step.topic in _ENTRY_TOPICS
        level = 1
        if of_entry and several:
            if step.subject != entry:
                entry = step.subject
                numbered += 1
                yield Heading(1, entry_title(entry, notation), numbered)
            level = 2
        number = 0
        if level == 1 and step.topic not in ("reading", "result"):
            numbered += 1
            number = numbered
        yield Heading(level, step_title(step, notation), number)
        yield from _step(step, d, notation)
    if d.result.kind == "jacobian" and _is_matrix(d):
        rows, columns = ("outputs", "variables")
        if d.layout == "denominator":
            rows, columns = columns, rows
        yield Paragraph((f"Rows are {rows}, columns are {columns}: {d.layout} layout.",))
    yield from validity(d, notation.quantity)


def _is_matrix(d: Derivation) -> bool:
    """Whether the result is a Jacobian of rows and columns."""
    blocks = d.result.blocks
    return not blocks or any(b.kind == "jacobian" and len(b.shape) == 2 for b in blocks)


def _repeats(before: Step | None, step: Step) -> bool:
    """Whether there was nothing to do: the formula stands there already."""
    if before is None or before.subject != step.subject:
        return False
    (*_, last), (line, *more) = before.lines, step.lines
    if step.topic not in ("substitute", "simplify") or more or line.number is not None:
        return False
    return not line.because and same(line.parts[-1], last.parts[-1])


_ENTRY_TOPICS = frozenset(["path", "substitute", "simplify", "gradient", "indices", "actions"])


def _next_stage(d: Derivation, stage: int, notation: Notation) -> Iterator[Block]:
    previous = ordinal(stage - 1)
    yield Heading(1, (f"Once more: the {ordinal(stage)} derivative",))
    by = d.variables[0]
    if len(d.variables) == 1:
        name = f"{d.outputs[0]}_{by * (stage - 1)}"
        start = f"The {previous} derivative is called "
        yield Paragraph((start, notation.quantity(name), " and derived in its turn."))
        return
    first = notation.quantity(f"{d.outputs[0]}_{by}")
    turn = " and so on, and derived in their turn."
    yield Paragraph(("The partial derivatives are called ", first, turn))


def _step(step: Step, d: Derivation, notation: Notation) -> Iterator[Block]:
    if step.topic == "reading":
        yield from _reading(step, d, notation)
        return
    rows = list(step_rows(step, notation))
    if step.topic == "intermediates":
        rows = [_with_shape(row, line) for row, line in zip(rows, step.lines, strict=True)]
    chains = [row for row in rows if isinstance(row.left, Chain)]
    rest = [row for row in rows if not isinstance(row.left, Chain)]
    value = _at(d) if any(row.number for row in rows) else ""
    if step.topic == "locals":
        if not rows:
            return
        yield Equations(tuple(rows), ("local derivative", "", "rule"), value)
        changes = [line.parts[0] for line in step.lines if isinstance(line.parts[0], Differential)]
        if changes:
            change, of = Math((notation.formula(changes[0]),)), notation.quantity(changes[0].of)
            said = " for a change of one operand, the others held fixed."
            yield Paragraph((change, " is the change of ", of, said), "note")
    else:
        if chains:
            yield Equations(tuple(chains), ("path", "product along it", ""))
        elif step.topic == "path" and (only := only_path(step)):
            yield Equations((Row(None, (notation.formula(only),)),))
        if step.topic == "result" and _is_wide(rest[0].right[0]):
            yield from _entries(rest[0], d, notation)
        elif rest:
            yield Equations(tuple(rest), at=value)
    yield from _where(rows, notation)


def _with_shape(row: Row, line: Line) -> Row:
    """An array's definition with its shape beside it."""
    value = line.parts[-1]
    shape = value.shape if isinstance(value, Expr) else ()
    return row._replace(rule=shape_text(shape)) if shape else row


def _is_wide(formula: Formula) -> bool:
    """Whether this is a matrix that is better listed entry by entry."""
    if not isinstance(formula, Matrix):
        return False
    if len(formula.rows) > _TALLEST or 4 * len(formula.rows[0]) > _WIDEST:
        return True
    return max(sum(len(text(entry)) + 3 for entry in row) for row in formula.rows) > _WIDEST


_WIDEST, _TALLEST = 68, 24
_MOST_VALUES = 8  # of a point that is told wherever numbers at it are


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


def _at(d: Derivation) -> str:
    if len(d.point) > _MOST_VALUES:
        return "the given point"
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
    if sums := notation.weighted_sums(d):
        yield Paragraph(("What is differentiated is the sum weighted with what is given:",))
        yield Equations(tuple(Row(name, (value,)) for name, value in sums))
    if changes := notation.direction(d):
        yield Paragraph(("The direction:",))
        yield Equations(tuple(Row(name, (value,)) for name, value in changes))
    free = [s.name for s in free_symbols(d.functions)]
    known = {*d.variables, *d.program.dimensions}
    constants = [name for name in free if name not in known]
    said = listing(d.variables, notation.declared)
    variables: Prose = (plural("Variable", d.variables), " ", *said)
    if constants:
        said = listing(constants, notation.declared)
        variables += ("; ", plural("constant", constants), " ", *said)
    yield Paragraph((*variables, "."))
    for notice in d.program.notices:
        yield ambiguity(notice)
    if notation.both_signs:
        yield Paragraph((
            "∂ is the derivative along one edge, with the other operands held fixed; "
            "d is the derivative along all paths.",
        ), "note")  # fmt: skip
    if notation.rows:
        yield Paragraph((
            "The gradient ∇ has the shape of the variable; it is the transpose of the row ∂.",
        ), "note")  # fmt: skip
