"""From an array program to its derivation: Jacobians along paths, or cotangents backwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from chainrule.core import arrays
from chainrule.core.errors import UnsupportedError, UsageError
from chainrule.core.expr import ONE, ZERO, Expr, free_symbols, substitute, symbol
from chainrule.core.program import Program
from chainrule.core.shape import dimension_names
from chainrule.derivation.domain import ledger
from chainrule.derivation.matrix.chains import read
from chainrule.derivation.matrix.edges import cotangent, differential
from chainrule.derivation.matrix.indices import entries, letters, summed
from chainrule.derivation.matrix.jacobians import in_cases, size, transposed
from chainrule.derivation.matrix.linear import coefficient
from chainrule.derivation.matrix.products import TRANSPOSED_PRODUCT
from chainrule.derivation.matrix.request import Request, fitting, weighted_sum
from chainrule.derivation.matrix.simplify import ArraySimplifier
from chainrule.derivation.matrix.stage import ArrayStage
from chainrule.derivation.paths import spelled
from chainrule.derivation.simplify import Simplifier
from chainrule.derivation.steps import (
    Block,
    Derivation,
    Differential,
    EntryOf,
    Formula,
    Gradient,
    Line,
    Partial,
    Path,
    Result,
    ResultKind,
    Second,
)

IDENTIFICATION = "dy = A dx: A is the derivative"
_MOST_EDGES = 64  # of a gradient that is told along paths
_LONGEST = 24  # nodes of a result that is written out; a longer one refers to steps


def build_arrays(program: Program, request: Request) -> Derivation:
    """The derivation of a program with vectors or matrices.

    Raises:
        UsageError: options that do not fit the program.
        ShapeError: a direction or weights of another shape.
        DomainError: the function is nowhere a real number.

    Source: Magnus & Neudecker, *Matrix Differential Calculus* (2019), chapters 5 and 9.
    """
    if request.weights and len(program.outputs) > 1:
        program, request = weighted_sum(program, request)
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
        self.bars: dict[Expr, Expr] = {}

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
        sizes = set(dimension_names(s.shape for s in stage.symbols.values()))
        domain = tuple(
            c for c in domain if not sizes.issuperset(s.name for s in free_symbols([c]))
        )  # dimensions are positive
        stage.tell("introduce", "reading", outputs, [
            Line((stage.symbols[name], expression)) for name, expression in program.assignments
        ])  # fmt: skip
        stage.tell_locals()
        if request.order == 2:
            kind, blocks = self.second()
        elif request.direction:
            kind, blocks = self.directional()
        else:
            kind, blocks = self.first()
        clash = [n for n in stage.made if n in stage.symbols]
        if clash:
            raise UsageError(
                f"`{clash[0]}` is the derivation's name for a derivative",
                hint="give yours another name",
            )
        stage.tell("simplify", "result", (kind, *outputs, *names), [
            line for b in blocks for line in _result_lines(b)
        ])  # fmt: skip
        return Derivation(
            program=program, variables=tuple(names), outputs=outputs, functions=functions,
            layout=request.layout, granularity=request.granularity, style=request.style,
            intermediates=stage.intermediates, edges=stage.edges,
            path_count={y: {v: stage.count(y, v) for v in names} for y in outputs},
            paths=tuple(self.paths), steps=tuple(stage.steps), result=Result(kind, (), blocks),
            targets=(), domain=domain, kinks=tuple(kinks),
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

    def gradients(self, output: str, weight: Expr | None, names: Sequence[str] = ()) -> list[Block]:
        """The gradients of a scalar output, or of a weighted one, by every variable."""
        stage, names = self.stage, names or self.request.variables
        along = [
            v for v in names
            if weight is None and self.request.style == "paths" and stage.flat(output, v)
            and 0 < stage.count(output, v) <= self.request.budget
            and len(stage.between(output, v)) <= _MOST_EDGES
        ]  # fmt: skip
        many = [v for v in names if stage.count(output, v) > self.request.budget]
        if many and self.request.style == "paths":
            count = spelled(stage.count(output, many[0]))
            self.remarks.append(
                f"there are {count} paths from {output} to {many[0]}, "
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
        split = in_cases(row.result)
        if not stage.symbols[variable].shape:
            return row.result if split is None else split
        column = stage.simplify(transposed(row.result))
        if self.request.layout == "numerator":
            rules = ", ".join(f.rule for f in column.firings)
            rule = TRANSPOSED_PRODUCT if len(read(row.result)[1]) > 1 else rules
            stage.tell("simplify", "gradient", (output, variable), [
                Line((Gradient(output, variable), column.result), because=rule)
            ])  # fmt: skip
        split = in_cases(column.result)
        return column.result if split is None else split

    def written_out(self, output: str, variable: str, value: Expr) -> Expr:
        """A gradient over cotangents without them, where that is short."""
        stage = self.stage
        for name, bar in stage.values.items():
            named = symbol(name, bar.shape)
            if named not in self.bars:
                (self.bars[named],) = substitute([bar], self.bars)
        (raw,) = substitute([value], self.bars)
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
        if not x.shape:
            shown = self.by_scalar(output, variable)
            return Block(output, (variable,), "jacobian", shown, stage.free(shown))
        if len(y.shape) < 2 and len(x.shape) < 2:
            read_off = self.read_off(output, variable)
            if read_off is not None:
                return read_off
        return self.tensor(output, variable)

    def read_off(self, output: str, variable: str) -> Block | None:
        """The Jacobian of a vector from its differential, where matrices lie between."""
        stage = self.stage
        x = stage.symbols[variable]
        change = differential(variable, x.shape)
        pushed = stage.best(stage.push(output, {variable: change})).result
        matrix = coefficient(pushed, change)
        if matrix is None:
            return None
        stage.made[change.name] = Differential(variable)
        shown = stage.oriented(stage.simplify(matrix).result)
        stage.tell("combine", "differentials", (output, variable), [
            Line((Differential(output), pushed)),
            Line((Partial(output, variable, total=True), shown), because=IDENTIFICATION),
        ])  # fmt: skip
        transposed = self.request.layout == "denominator"
        return Block(output, (variable,), "jacobian", shown, stage.free(shown), transposed)

    def by_scalar(self, output: str, variable: str) -> Expr:
        """The derivative of an array by a scalar, in the array's shape."""
        stage = self.stage
        raw = stage.push(output, {variable: ONE})
        done = stage.best(raw)
        left = Partial(output, variable, total=True)
        stage.tell_simplified(left, raw, done, (output, variable))
        return done.result

    def tensor(self, output: str, variable: str) -> Block:
        """A derivative of order three or more: entry by entry, and its actions."""
        stage = self.stage
        y, x = stage.symbols[output], stage.symbols[variable]
        change, seed = differential(variable, x.shape), cotangent(output, y.shape)
        stage.made[change.name] = Differential(variable)
        stage.made[seed.name] = Gradient("", output)
        pushed = stage.best(stage.push(output, {variable: change})).result
        pulled = stage.best(stage.pull(output, seed, variable)).result
        fresh = letters([*stage.symbols, *self.program.dimensions])
        at = tuple(ZERO if dim == 1 else next(fresh) for dim in y.shape)
        by_at = tuple(ZERO if dim == 1 else next(fresh) for dim in x.shape)
        left = EntryOf(output, at, variable, by_at)
        index: tuple[Formula, ...] = ()
        if 0 < stage.count(output, variable) <= self.request.budget:
            self.paths += stage.paths(output, variable, self.request.budget - len(self.paths))
            maps = [
                [e.map for e in path if e.map is not None]
                for path in stage.graph.paths(output, variable)
            ]
            terms = entries(maps, at, by_at, fresh)
            if terms is not None:
                index = (left, summed(terms))
                stage.tell("combine", "indices", (output, variable), [Line(index)])
        stage.tell("combine", "actions", (output, variable), [
            Line((Differential(output), pushed)), Line((Gradient("", variable), pulled))
        ])  # fmt: skip
        return Block(
            output, (variable,), "tensor", pushed, stage.free(pushed),
            self.request.layout == "denominator", stage.free(pulled), index,
        )  # fmt: skip

    # Weights and directions.

    def weights(self) -> dict[str, Expr]:
        """What each output is weighted with."""
        outputs = self.program.outputs
        if not self.request.weights:
            return {}
        return {
            y: self.fitted(w, y, f"the weight of {y}")
            for y, w in zip(outputs, self.request.weights, strict=True)
        }

    def fitted(self, given: Expr, name: str, what: str) -> Expr:
        """A component in the shape of a name."""
        known = {n: s.shape for n, s in self.stage.symbols.items()}
        return fitting(given, known[name], what, known, self.program.dimensions)

    def direction(self) -> dict[str, Expr]:
        """The change of each variable."""
        return {
            v: self.fitted(h, v, f"the direction for {v}")
            for v, h in zip(self.request.variables, self.request.direction, strict=True)
        }

    def directional(self) -> tuple[ResultKind, tuple[Block, ...]]:
        """The directional derivative of every output, forwards."""
        stage, outputs = self.stage, self.program.outputs
        names = self.request.variables
        direction = self.direction()
        changes = stage.tell_differentials(names, direction)
        blocks = []
        for y in outputs:
            done = stage.best(stage.push(y, dict(direction)))
            shown = done.result
            if size(shown) > _LONGEST:
                shown = changes.get(y, arrays.zeros(stage.symbols[y].shape))
            blocks.append(Block(
                y, tuple(names), "direction", shown, stage.free(shown), direction=direction
            ))  # fmt: skip
        return "derivative", tuple(blocks)

    # Second derivatives.

    def second(self) -> tuple[ResultKind, tuple[Block, ...]]:
        """The Hessian, or its product with a direction: the gradient is differentiated again."""
        names, outputs = self.request.variables, self.program.outputs
        (output, *others) = outputs
        if others or self.stage.symbols[output].shape:
            raise UsageError(
                "the second derivative of an array is a tensor",
                hint="order 2 is for one scalar output: sum its entries, or pick one",
            )
        direction = self.direction() if self.request.direction else {}
        self.request = replace(self.request, direction=())
        _, gradients = self.first()
        first = self.stage
        program = Program(
            source=self.program.source,
            assignments=tuple((f"{output}_{b.variables[0]}", b.written) for b in gradients),
            outputs=tuple(f"{output}_{b.variables[0]}" for b in gradients),
            vector=True, dimensions=self.program.dimensions,
            declared={**self.program.declared, **{
                s.name: s.shape for h in direction.values() for s in free_symbols([h])
            }},
        )  # fmt: skip
        self.stage = self.make_stage(program, 2, "v")
        self.stage.tell_locals()
        if direction:
            blocks = self.curvature(output, direction)
        else:
            blocks = [self.hessian(output, a, b) for a in names for b in names]
        first.steps += self.stage.steps
        first.made.update(self.stage.made)
        second = {v.name: v.expression for v in self.stage.intermediates}
        first.values.update(second | self.stage.values)
        self.stage = first
        return "hessian" if not direction else "gradient", tuple(blocks)

    def hessian(self, output: str, first: str, second: str) -> Block:
        """The second derivatives by two variables, scalars or vectors."""
        stage = self.stage
        a, b = stage.symbols[first], stage.symbols[second]
        if len(a.shape) + len(b.shape) > 2 or 2 in (len(a.shape), len(b.shape)):
            raise UnsupportedError(
                f"the second derivative by {first} and {second} is a tensor",
                hint="ask for its product with a direction: --order 2 --jvp H",
            )
        name = f"{output}_{first}"
        if a.shape:
            self.request = replace(self.request, layout="numerator")
            shown = self.jacobian(name, second).expression
        elif stage.count(name, second):
            shown = self.gradients(name, None, [second])[0].expression
        else:
            shown = arrays.zeros(b.shape)
        return Block(output, (first, second), "hessian", shown, stage.free(shown))

    def curvature(self, output: str, direction: Mapping[str, Expr]) -> list[Block]:
        """The Hessian times a direction: the directional derivative of the gradient."""
        stage, names = self.stage, self.request.variables
        stage.tell_differentials(names, dict(direction))
        blocks = []
        for v in names:
            shown = stage.best(stage.push(f"{output}_{v}", dict(direction))).result
            blocks.append(Block(
                output, (v,), "curvature", shown, stage.free(shown), direction=direction
            ))  # fmt: skip
        return blocks


def _result_lines(block: Block) -> list[Line]:
    """What the last step says of a block."""
    output, variable = block.output, block.variables[0]
    if block.kind == "tensor":
        lines = [Line(block.by_entry)] if block.by_entry else []
        return [*lines, Line((Differential(output), block.expression))]
    left: Formula = Partial(output, variable, total=True)
    if block.kind == "gradient" and block.shape:
        left = Gradient(output, variable)
    elif block.kind == "hessian":
        left = Second(output, *block.variables)
    elif block.kind == "direction":
        left = Differential(output)
    elif block.kind == "curvature":
        return [Line((block.expression,))]
    return [Line((left, block.expression))]
