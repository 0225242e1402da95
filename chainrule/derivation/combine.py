"""The steps of pass 2: local derivatives combined into derivatives of outputs by variables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from chainrule.core.arithmetic import add, mul
from chainrule.core.expr import ONE, ZERO, Apply, Expr, Number, apply, substitute, symbol
from chainrule.core.program import Program
from chainrule.derivation.asides import logarithmic, quotient
from chainrule.derivation.cut import Cutter
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
    locals: dict[Expr, Expr] = field(default_factory=dict)
    partials: dict[tuple[str, str], Partial] = field(default_factory=dict)
    long_products: bool = False

    def __post_init__(self) -> None:
        cutter = Cutter(
            self.program, self.variables, self.granularity, self.expand_powers, self.letter
        )
        self.intermediates = cutter.run()
        self.long_products = cutter.long_products
        self.edges = edges(self.intermediates, self.simplify)
        self.graph = Graph.of([u.name for u in self.intermediates], self.edges)
        self._count()
        self._write_out()

    def _count(self) -> None:
        """Paths by output and variable, from whichever side there is less to walk."""
        outputs, variables = self.program.outputs, self.variables
        if len(outputs) <= len(variables):
            for y in outputs:
                found = self.graph.counts_from(y)
                self.counts[y] = {v: found.get(v, 0) for v in variables}
            return
        self.counts = {y: {} for y in outputs}
        for v in variables:
            found = self.graph.counts(v)
            for y in outputs:
                self.counts[y][v] = found.get(y, 0)

    def _write_out(self) -> None:
        """The names and the local derivatives over the free names; each node once."""
        done: dict[Expr, Expr] = {}
        for u in self.intermediates:
            name = symbol(u.name)
            done[name] = self.written[name] = _replaced(u.expression, done)
        for edge in self.edges:
            if edge.local not in self.locals:
                self.locals[edge.local] = _replaced(edge.local, done)

    # What is known of the graph.

    def function(self, output: str) -> Expr:
        """The output over the free names."""
        return self.written[symbol(output)]

    def local(self, edge: Edge) -> Expr:
        """The edge's local derivative over the free names."""
        return self.locals[edge.local]

    def partial(self, edge: Edge) -> Partial:
        """The sign of its local derivative, one object for each."""
        key = (edge.of, edge.by)
        known = self.partials.get(key)
        if known is None:
            known = self.partials[key] = Partial(*key)
        return known

    def count(self, output: str, variable: str) -> int:
        """The number of paths from the output to the variable."""
        return self.counts[output][variable]

    def product(self, path: Iterable[Edge]) -> Expr:
        """The product along a path, over the free names, not simplified."""
        return product_of(self.local(e) for e in path)

    def adjoints(self, output: str) -> dict[str, Expr]:
        """The derivatives of the output by the variables it depends on, by reverse accumulation."""
        bar: dict[str, Expr] = {output: ONE}
        for name in self.graph.beneath(output):
            above = bar.pop(name)
            for edge in self.graph.below[name]:
                term = mul(above, self.locals[edge.local])
                bar[edge.by] = add(bar[edge.by], term) if edge.by in bar else term
        return bar

    def paths(self, output: str, variable: str, limit: int) -> list[Path]:
        """The first paths, with their products simplified."""
        found = list(islice(self.graph.paths(output, variable), limit))
        products = self.simplify.each([self.product(path) for path in found])
        return [
            Path(
                output, variable, (output, *[e.by for e in path]),
                tuple([e.local for e in path]), product,
            )
            for path, product in zip(found, products, strict=True)
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
            self.tell("local", "logarithmic", (u.name,), logarithmic(u, self.simplify))
            self.tell("local", "quotient", (u.name,), quotient(u))
        values = self.numbers([e.local for e in self.edges])
        self.tell("local", "locals", self.program.outputs, [
            Line((self.partial(e), e.local), e.rule, (), value)
            for e, value in zip(self.edges, values, strict=True)
        ])  # fmt: skip

    def tell_entry(self, style: Style, output: str, variable: str, raw: Expr | None) -> Expr:
        """One entry of the Jacobian: combined, written out, simplified; `raw` if known."""
        total = Partial(output, variable, total=True)
        subject = (output, variable)
        if style == "paths":
            found = list(self.graph.paths(output, variable))
            raw = sum_of(self.product(p) for p in found)
            symbols = _plus([_times([self.partial(e) for e in p]) for p in found])
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

    def tell_paths(self, paths: Sequence[Path]) -> None:
        """The first of very many paths, with the products of their local derivatives."""
        lines = [Line((Chain(path.nodes), _times(path.factors))) for path in paths]
        self.tell("combine", "first paths", self.program.outputs, lines)

    def tell_totals(self, variable: str) -> None:
        """The total derivative of every name by the variable, from the inputs up."""
        leads = self.graph.leading(variable)
        totals = _Totals(variable, forwards=True)
        lines = []
        for name in self.graph.order:
            if name in leads:
                out = [(e, e.by) for e in self.graph.below[name] if e.by in leads]
                lines.append(self._sum_line(totals, name, out))
        self.tell("combine", "total", (variable,), lines)

    def tell_adjoints(self, output: str) -> None:
        """The derivative of the output by every name, from the output down."""
        above: dict[str, list[tuple[Edge, str]]] = {}
        beneath = self.graph.beneath(output)
        for name in beneath:
            for edge in self.graph.below[name]:
                above.setdefault(edge.by, []).append((edge, name))
        totals = _Totals(output, forwards=False)
        reached = [*beneath[1:], *[v for v in self.variables if v in above]]
        lines = [self._sum_line(totals, name, above[name]) for name in reached]
        self.tell("combine", "backprop", (output,), lines)

    def _sum_line(self, totals: _Totals, name: str, terms: list[tuple[Edge, str]]) -> Line:
        """A total derivative: the sum, over edges, of that of the other end times the edge's."""
        symbols: list[Formula] = []
        values: list[Formula] = []
        for edge, other in terms:
            partial = self.partial(edge)
            if other == totals.end:
                symbols.append(partial)
                values.append(edge.local)
            else:
                total = totals.by(other)
                symbols.append(Times((total, partial)))
                values.append(Times((total, edge.local)))
        return Line(_distinct(totals.by(name), _plus(symbols), _plus(values)))

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


class _Totals:
    """The total derivatives of names by one variable, or of one output by names."""

    __slots__ = ("_forwards", "_known", "end")

    def __init__(self, end: str, forwards: bool) -> None:
        self.end, self._forwards = end, forwards
        self._known: dict[str, Partial] = {}

    def by(self, name: str) -> Partial:
        """The one of this name, one object for each."""
        known = self._known.get(name)
        if known is None:
            ends = (name, self.end) if self._forwards else (self.end, name)
            known = self._known[name] = Partial(*ends, total=True)
        return known


def _replaced(root: Expr, done: dict[Expr, Expr]) -> Expr:
    """The expression with what is in `done` replaced, which then has its other nodes too."""
    if root in done:
        return done[root]
    stack = [root]
    while stack:
        node = stack[-1]
        missing = [a for a in node.args if a not in done]
        if missing:
            stack += missing
            continue
        stack.pop()
        if node.args:
            args = [done[a] for a in node.args]
            changed = any(a is not b for a, b in zip(args, node.args, strict=True))
            assert isinstance(node, Apply)
            done[node] = apply(node.op, *args) if changed else node
        else:
            done.setdefault(node, node)
    return done[root]


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
