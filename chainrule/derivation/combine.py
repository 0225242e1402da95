"""The steps of pass 2: local derivatives combined into derivatives of outputs by variables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from chainrule.core.arithmetic import DIV, POW, add, div, ln, mul, reciprocal, square, sub
from chainrule.core.expr import ONE, ZERO, Apply, Expr, Number, substitute, symbol
from chainrule.core.program import Program
from chainrule.derivation.backward import gradient
from chainrule.derivation.cut import cut
from chainrule.derivation.edges import edges
from chainrule.derivation.paths import Graph
from chainrule.derivation.simplify import Simplifier
from chainrule.derivation.steps import (
    Chain,
    Diagonal,
    Edge,
    Formula,
    Granularity,
    Intermediate,
    Line,
    Matrix,
    Partial,
    Path,
    Plus,
    Step,
    StepKind,
    Style,
    Times,
)

Evaluate = Callable[[Sequence[Expr], Mapping[str, Number]], list[float | None]]


@dataclass(frozen=True, slots=True)
class Point:
    """The values of `--at`, and how expressions are evaluated there."""

    values: Mapping[str, Number]
    evaluate: Evaluate


@dataclass(slots=True)
class Stage:
    """One round of differentiation: a program, its graph, and the steps told so far.

    A second derivative is a second stage: the derivation of the first one's result.
    """

    program: Program
    variables: Sequence[str]
    granularity: Granularity
    expand_powers: bool
    number: int
    letter: str
    point: Point | None
    simplify: Simplifier = field(default_factory=Simplifier)
    steps: list[Step] = field(default_factory=list)
    intermediates: tuple[Intermediate, ...] = ()
    edges: tuple[Edge, ...] = ()
    graph: Graph = field(default_factory=lambda: Graph((), {}))
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    written: dict[Expr, Expr] = field(default_factory=dict)
    locals: dict[Edge, Expr] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.intermediates = cut(
            self.program, self.variables, self.granularity, self.expand_powers, self.letter
        )
        self.edges = edges(self.intermediates, self.simplify)
        self.graph = Graph.of([u.name for u in self.intermediates], self.edges)
        self.counts = {v: self.graph.counts(v) for v in self.variables}
        for u in self.intermediates:
            (self.written[symbol(u.name)],) = substitute([u.expression], self.written)
        for edge, local in zip(
            self.edges, substitute([e.local for e in self.edges], self.written), strict=True
        ):
            self.locals[edge] = local

    # What is known of the graph.

    def function(self, output: str) -> Expr:
        """The output over the free names."""
        return self.written[symbol(output)]

    def local(self, edge: Edge) -> Expr:
        """The edge's local derivative over the free names."""
        return self.locals[edge]

    def count(self, output: str, variable: str) -> int:
        """The number of paths from the output to the variable."""
        return self.counts[variable].get(output, 0)

    def product(self, path: Iterable[Edge]) -> Expr:
        """The product along a path, over the free names, not simplified."""
        return product_of(self.local(e) for e in path)

    def adjoints(self, output: str) -> dict[str, Expr]:
        """The derivatives of the output by every name below it, by reverse accumulation."""
        bar: dict[str, Expr] = {output: ONE}
        for name in reversed(self.graph.order):
            if name in bar and name not in self.variables:
                for edge in self.graph.below.get(name, ()):
                    term = mul(bar[name], self.local(edge))
                    bar[edge.by] = add(bar[edge.by], term) if edge.by in bar else term
        return bar

    def paths(self, output: str, variable: str, limit: int) -> list[Path]:
        """The first paths, with their products simplified."""
        return [
            Path(
                output, variable, (output, *(e.by for e in path)), tuple(e.local for e in path),
                self.simplify(self.product(path)).result,
            )
            for path in islice(self.graph.paths(output, variable), limit)
        ]  # fmt: skip

    # What is told.

    def tell(
        self, kind: StepKind, topic: str, subject: Sequence[str], lines: Sequence[Line]
    ) -> None:
        """Add a step, unless it says nothing."""
        if lines:
            self.steps.append(Step(kind, topic, tuple(subject), tuple(lines), self.number))

    def numbers(self, expressions: Sequence[Expr]) -> list[float | None]:
        """The expressions' values at the point; None where there is no point."""
        if self.point is None:
            return [None] * len(expressions)
        return self.point.evaluate(substitute(expressions, self.written), self.point.values)

    def tell_locals(self) -> None:
        """The intermediates and their local derivatives, with logarithmic differentiation."""
        values = self.numbers([u.expression for u in self.intermediates])
        self.tell("introduce", "intermediates", self.program.outputs, [
            Line((symbol(u.name), u.expression), number=value)
            for u, value in zip(self.intermediates, values, strict=True)
        ])  # fmt: skip
        for u in self.intermediates:
            self.tell("local", "logarithmic", (u.name,), _logarithmic(u, self.simplify))
            self.tell("local", "quotient", (u.name,), _quotient(u))
        values = self.numbers([e.local for e in self.edges])
        self.tell("local", "locals", self.program.outputs, [
            Line((Partial(e.of, e.by), e.local), because=e.rule, number=value)
            for e, value in zip(self.edges, values, strict=True)
        ])  # fmt: skip

    def tell_entry(self, style: Style, output: str, variable: str, raw: Expr | None) -> Expr:
        """One entry of the Jacobian: combined, written out, simplified; `raw` if known."""
        total = Partial(output, variable, total=True)
        subject = (output, variable)
        if style == "paths":
            found = list(self.graph.paths(output, variable))
            raw = sum_of(self.product(p) for p in found)
            symbols = _plus([_times([Partial(e.of, e.by) for e in p]) for p in found])
            over_names = _plus([_times([e.local for e in p]) for p in found])
            written = _plus([_times([self.local(e) for e in p]) for p in found])
            lines = []
            if len(found) > 1:
                lines = [
                    Line((Chain((output, *(e.by for e in p))), _times([e.local for e in p])))
                    for p in found
                ]
            self.tell(
                "combine", "path", subject, [*lines, Line(_distinct(total, symbols, over_names))]
            )
            if written != over_names:
                self.tell("substitute", "substitute", subject, [Line((total, written))])
        assert raw is not None
        simplified = self.simplify(raw)
        if style != "paths" and raw is not simplified.result:
            self.tell("substitute", "substitute", subject, [Line((total, raw))])
        lines = [
            Line((total, f.after), because=f.rule, provided=f.provided) for f in simplified.firings
        ]
        if not lines or lines[-1].parts[-1] is not simplified.result:
            lines.append(Line((total, simplified.result)))
        (value,) = self.numbers([simplified.result])
        last = lines[-1]
        lines[-1] = Line(last.parts, last.because, last.provided, value)
        self.tell("simplify", "simplify", subject, lines)
        return simplified.result

    def tell_totals(self, variable: str) -> None:
        """The total derivative of every name by the variable, from the inputs up."""
        leads = self.counts[variable]
        lines = []
        for name in self.graph.order:
            out = [e for e in self.graph.below.get(name, ()) if e.by in leads]
            if out:
                lines.append(self._sum_line(
                    Partial(name, variable, total=True),
                    [(Partial(e.of, e.by), e.local, _total(e.by, variable)) for e in out],
                ))  # fmt: skip
        self.tell("combine", "total", (variable,), lines)

    def tell_adjoints(self, output: str) -> None:
        """The derivative of the output by every name, from the output down."""
        above: dict[str, list[Edge]] = {}
        lines = []
        reached = {output}
        for name in reversed(self.graph.order):
            if name in reached and name not in self.variables:
                for edge in self.graph.below.get(name, ()):
                    above.setdefault(edge.by, []).append(edge)
                    reached.add(edge.by)
        for name in (*reversed(self.graph.order), *self.variables):
            if name in above and name != output:
                lines.append(self._sum_line(
                    Partial(output, name, total=True),
                    [(Partial(e.of, e.by), e.local, _total(output, e.of)) for e in above[name]],
                ))  # fmt: skip
        self.tell("combine", "backprop", (output,), lines)

    def _sum_line(self, left: Partial, terms: list[tuple[Partial, Expr, Partial | None]]) -> Line:
        known = [(p, v, [] if t is None else [t]) for p, v, t in terms]
        symbols = _plus([_times([*t, p]) for p, _, t in known])
        values = _plus([_times([*t, v]) for _, v, t in known])
        return Line(_distinct(left, symbols, values))

    def tell_layers(self, transposed: bool) -> None:
        """The Jacobian as the product of the layers' Jacobians, where the program is layered."""
        layers = self.graph.levels(self.variables)
        outputs = list(self.program.outputs)
        if layers is None or len(layers) < 3 or sorted(layers[-1]) != sorted(outputs):
            return
        layers[-1] = outputs
        local: dict[tuple[str, str], list[Expr]] = {}
        for e in self.edges:
            local.setdefault((e.of, e.by), []).append(e.local)
        factors: list[Formula] = []
        for upper, lower in zip(layers[:0:-1], layers[-2::-1], strict=True):
            rows = [[sum_of(local.get((a, b), [])) for b in lower] for a in upper]
            factors.append(_matrix(transpose(rows) if transposed else rows))
        if transposed:
            factors.reverse()
        self.tell(
            "combine", "layers", (*outputs, *self.variables), [Line((Times(tuple(factors)),))]
        )


def sum_of(terms: Iterable[Expr]) -> Expr:
    """The sum; 0 of nothing."""
    total: Expr = ZERO
    for term in terms:
        total = add(total, term)
    return total


def product_of(factors: Iterable[Expr]) -> Expr:
    """The product; 1 of nothing."""
    product: Expr = ONE
    for factor in factors:
        product = mul(product, factor)
    return product


def transpose(rows: Sequence[Sequence[Expr]]) -> list[list[Expr]]:
    """The transposed matrix."""
    return [list(column) for column in zip(*rows, strict=True)]


def _matrix(rows: Sequence[Sequence[Expr]]) -> Formula:
    n = len(rows)
    diagonal = n > 1 and all(
        len(row) == n and all(e is ZERO for j, e in enumerate(row) if j != i)
        for i, row in enumerate(rows)
    )
    if diagonal:
        return Diagonal(tuple(rows[i][i] for i in range(n)))
    return Matrix(tuple(tuple(row) for row in rows))


def _total(of: str, by: str) -> Partial | None:
    return None if of == by else Partial(of, by, total=True)


def _times(factors: Sequence[Formula]) -> Formula:
    return factors[0] if len(factors) == 1 else Times(tuple(factors)) if factors else ONE


def _plus(terms: Sequence[Formula]) -> Formula:
    return terms[0] if len(terms) == 1 else Plus(tuple(terms)) if terms else ZERO


def _distinct(left: Partial, *parts: Formula) -> tuple[Formula, ...]:
    """The chain of equal formulas without the repetition that a single edge would give."""
    out: list[Formula] = [left]
    for part in parts:
        same = isinstance(part, Partial) and (part.of, part.by) == (left.of, left.by)
        if not same and part != out[-1]:
            out.append(part)
    return tuple(out)


def _logarithmic(u: Intermediate, simplify: Simplifier) -> list[Line]:
    """For y = f^g: ln y = g ln f, so (1/y) dy = d(g ln f)."""
    e = u.expression
    if not (isinstance(e, Apply) and e.op is POW and len(u.operands) == 2):
        return []
    y = symbol(u.name)
    log = mul(e.args[1], ln(e.args[0]))
    names = list(dict.fromkeys(u.operands))
    lines = [Line((ln(y), log), because="logarithmic differentiation")]
    for name, slope in zip(names, gradient(log, [symbol(n) for n in names]), strict=True):
        lines.append(Line((Times((reciprocal(y), Partial(u.name, name))), simplify(slope).result)))
    return lines


def _quotient(u: Intermediate) -> list[Line]:
    """For y = f/g: y' = (f' g - f g')/g^2."""
    e = u.expression
    if not (isinstance(e, Apply) and e.op is DIV and len(u.operands) == 2):
        return []
    f, g = e.args
    if not all(symbol(n) in (f, g) for n in u.operands):
        return []
    df, dg = (symbol(f"{n}'") for n in u.operands)
    rule = div(sub(mul(df, g), mul(f, dg)), square(g))
    return [Line((symbol(f"{u.name}'"), rule), because="quotient rule")]
