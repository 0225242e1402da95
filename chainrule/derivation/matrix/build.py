"""From an array program to its derivation: Jacobians along paths, or cotangents backwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from chainrule.core import arrays
from chainrule.core.errors import ShapeError, UsageError
from chainrule.core.expr import ONE, Const, Expr, free_symbols, substitute, symbol
from chainrule.core.ops import Kink
from chainrule.core.program import Program
from chainrule.core.shape import shape_text
from chainrule.derivation.domain import ledger
from chainrule.derivation.matrix.edges import cotangent, differential
from chainrule.derivation.matrix.indices import entries
from chainrule.derivation.matrix.simplify import ArraySimplifier
from chainrule.derivation.matrix.stage import ArrayStage, size, transposed
from chainrule.derivation.simplify import Simplifier
from chainrule.derivation.steps import (
    Block,
    Derivation,
    Formula,
    Gradient,
    Granularity,
    Layout,
    Line,
    Partial,
    Path,
    Result,
    ResultKind,
    Style,
)

_LONGEST = 40  # nodes of a result that is written out; a longer one refers to steps


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for; see `chainrule.derivation.build.build`."""

    variables: Sequence[str]
    granularity: Granularity = "textbook"
    style: Style = "paths"
    layout: Layout = "numerator"
    order: int = 1
    direction: Sequence[Expr] = ()
    weights: Sequence[Expr] = ()
    budget: int = 64
    deadline: float = float("inf")


def build_arrays(program: Program, request: Request) -> Derivation:
    """The derivation of a program with vectors or matrices.

    Raises:
        UsageError: options that do not fit the program.
        ShapeError: a direction or weights of another shape.
        DomainError: the function is nowhere a real number.

    Source: Magnus & Neudecker, *Matrix Differential Calculus* (2019), chapters 5 and 9.
    """
    return _Builder(program, request).run()


class _Builder:
    def __init__(self, program: Program, request: Request) -> None:
        shapes = {s.name: s.shape for s in free_symbols(e for _, e in program.assignments)}
        program = replace(program, declared={**shapes, **program.declared})
        self.program, self.request = program, request
        self.entries = Simplifier(request.deadline)
        self.stage = self.make_stage(program, 1, "u")
        self.remarks: list[str] = []
        self.paths: list[Path] = []
        self.told: set[str] = set()  # outputs whose cotangents have been told

    def make_stage(self, program: Program, number: int, letter: str) -> ArrayStage:
        r = self.request
        return ArrayStage(
            program, r.variables, r.granularity, r.layout, number, letter,
            ArraySimplifier(self.entries),
        )  # fmt: skip

    def run(self) -> Derivation:
        program, request, stage = self.program, self.request, self.stage
        names, outputs = request.variables, program.outputs
        functions = tuple(stage.function(y) for y in outputs)
        domain, kinks = ledger(functions, [stage.symbols[v] for v in names])
        stage.tell("introduce", "reading", outputs, [
            Line((stage.symbols[name], expression)) for name, expression in program.assignments
        ])  # fmt: skip
        stage.tell_locals()
        if request.direction:
            kind, blocks = self.directional()
        elif request.order == 2:
            kind, blocks = self.second()
        else:
            kind, blocks = self.first()
        stage.tell("simplify", "result", (kind, *outputs, *names), [
            Line((_left(b), b.expression)) for b in blocks
        ])  # fmt: skip
        return Derivation(
            program=program, variables=tuple(names), outputs=outputs, functions=functions,
            layout=request.layout, granularity=request.granularity, style=request.style,
            intermediates=stage.intermediates, edges=stage.edges,
            path_count={y: {v: stage.count(y, v) for v in names} for y in outputs},
            paths=tuple(self.paths), steps=tuple(stage.steps), result=Result(kind, (), blocks),
            targets=(), domain=domain, kinks=tuple(map(_at_constant, kinks)),
            remarks=tuple(self.remarks), made=stage.made, values=stage.values,
        )  # fmt: skip

    # First derivatives.

    def first(self) -> tuple[ResultKind, tuple[Block, ...]]:
        stage, names, outputs = self.stage, self.request.variables, self.program.outputs
        weights = self.weights()
        blocks: list[Block] = []
        for y in outputs:
            scalar = not stage.symbols[y].shape
            if scalar or y in weights:
                blocks += self.gradients(y, weights.get(y))
            else:
                blocks += [self.jacobian(y, v) for v in names]
        if all(b.kind == "gradient" for b in blocks):
            lone = len(blocks) == 1 and not blocks[0].shape and not weights
            return ("derivative" if lone else "gradient"), tuple(blocks)
        return "jacobian", tuple(blocks)

    def gradients(self, output: str, weight: Expr | None) -> list[Block]:
        """The gradients of a scalar output, or of a weighted one, by every variable."""
        stage, names = self.stage, self.request.variables
        along = [
            v for v in names
            if weight is None and self.request.style == "paths" and stage.flat(output, v)
            and 0 < stage.count(output, v) <= self.request.budget
        ]  # fmt: skip
        many = [v for v in names if stage.count(output, v) > self.request.budget]
        if many and self.request.style == "paths":
            self.remarks.append(
                f"there are {stage.count(output, many[0]):,} paths from {output} to {many[0]}, "
                f"more than the {self.request.budget} that are multiplied out: "
                "the derivative is accumulated node by node instead"
            )
        if self.request.style == "total":
            stage.tell_differentials(names, {})
        rest = [v for v in names if v not in along]
        found: dict[str, Expr] = {}
        if rest:
            found = stage.tell_cotangents(output, ONE if weight is None else weight, rest)
        blocks = []
        for v in names:
            if v in along:
                expression = self.along_paths(output, v)
            elif v in found:
                expression = self.written_out(output, v, found[v])
            else:
                expression = arrays.zeros(stage.symbols[v].shape)
            blocks.append(Block(
                output, (v,), "gradient", expression, stage.free(expression), weights=weight
            ))  # fmt: skip
        return blocks

    def along_paths(self, output: str, variable: str) -> Expr:
        """The gradient by way of the Jacobian along all paths."""
        stage = self.stage
        self.paths += stage.paths(output, variable, self.request.budget - len(self.paths))
        row = stage.tell_paths(output, variable)
        if not stage.symbols[variable].shape:
            return row.result
        column = stage.simplify(transposed(row.result))
        if self.request.layout == "numerator":
            lines = [
                Line((Gradient(output, variable), f.after), because=f.rule, provided=f.provided)
                for f in column.firings
            ] or [Line((Gradient(output, variable), column.result))]
            stage.tell("simplify", "gradient", (output, variable), lines)
        return column.result

    def written_out(self, output: str, variable: str, value: Expr) -> Expr:
        """A gradient over cotangents without them, where that is short."""
        stage = self.stage
        bars: dict[Expr, Expr] = {}
        for name, bar in stage.values.items():
            (bars[symbol(name, bar.shape)],) = substitute([bar], bars)
        (raw,) = substitute([value], bars)
        if size(raw) > 4 * _LONGEST:
            return value
        done = stage.best(raw)
        if size(done.result) > _LONGEST:
            return value
        if done.result is not value:
            left = Gradient(output, variable)
            stage.tell_simplified(left, raw, done, (output, variable))
        return done.result

    def jacobian(self, output: str, variable: str) -> Block:
        """The Jacobian of an array: a matrix where it is one, else entry by entry."""
        stage = self.stage
        y, x = stage.symbols[output], stage.symbols[variable]
        numerator = self.request.layout == "numerator"
        if len(y.shape) < 2 and len(x.shape) < 2 and stage.flat(output, variable):
            count = stage.count(output, variable)
            if count == 0:
                found = stage.raw_jacobian(output, variable)
            elif count <= self.request.budget and self.request.style == "paths":
                self.paths += stage.paths(output, variable, self.request.budget - len(self.paths))
                found = stage.tell_paths(output, variable).result
            else:
                if self.request.style == "total":
                    stage.tell_differentials([variable], {})
                raw = stage.raw_jacobian(output, variable)
                done = stage.best(raw)
                stage.tell_simplified(
                    Partial(output, variable, total=True), raw, done, (output, variable)
                )
                found = done.result
            shown = found if numerator else stage.oriented(found)
            return Block(
                output, (variable,), "jacobian", shown, stage.free(shown), not numerator
            )  # fmt: skip
        raise UsageError("tensor: not yet")

    # Weights and directions.

    def weights(self) -> dict[str, Expr]:
        """What each output is weighted with."""
        outputs = self.program.outputs
        if not self.request.weights:
            return {}
        return {
            y: self.fitting(w, self.stage.symbols[y].shape, f"the weight of {y}")
            for y, w in zip(outputs, self.request.weights, strict=True)
        }

    def fitting(self, given: Expr, shape: tuple[int | str, ...], what: str) -> Expr:
        """A component in the shape it needs; a new name takes it."""
        if given.shape == shape:
            return given
        name = getattr(given, "name", None)
        if name is not None and name not in self.stage.symbols:
            return symbol(name, shape)
        raise ShapeError(
            f"{what} is a {shape_text(given.shape)}, and a {shape_text(shape)} is needed",
            shapes=(given.shape, shape), hint="name one that is not declared yet, as h",
        )  # fmt: skip

    def directional(self) -> tuple[ResultKind, tuple[Block, ...]]:
        raise UsageError("not yet")

    def second(self) -> tuple[ResultKind, tuple[Block, ...]]:
        raise UsageError("not yet")


def _left(block: Block) -> Formula:
    if block.kind == "gradient" and block.shape:
        return Gradient(block.output, block.variables[0])
    return Partial(block.output, block.variables[0], total=True)


def _at_constant(kink: Kink) -> Kink:
    """Ties of max(0, z): the indicator z > 0 is used, which is 0 there."""
    for name in ("max", "min"):
        if kink.convention.startswith(f"ties of {name}"):
            if any(isinstance(a, Const) for a in kink.where.args):
                return replace(kink, convention=f"the slope of {name} at a tie with a number is 0")
    return kink


__all__ = ["Mapping", "Request", "build_arrays", "cotangent", "differential", "entries"]
