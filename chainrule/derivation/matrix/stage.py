"""One round of differentiation of an array program: its graph, its names, its steps so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from chainrule.core import arrays
from chainrule.core.expr import (
    ONE,
    Expr,
    Sym,
    free_symbols,
    substitute,
    symbol,
)
from chainrule.core.program import Program
from chainrule.core.shape import dimension_names
from chainrule.derivation.cut import cut
from chainrule.derivation.matrix.edges import cotangent, differential, edges
from chainrule.derivation.matrix.jacobians import (
    CASES,
    columns_first,
    in_cases,
    product,
    size,
    times,
    transposed,
)
from chainrule.derivation.matrix.simplify import ArraySimplifier
from chainrule.derivation.paths import Graph
from chainrule.derivation.signs import holds
from chainrule.derivation.simplify import Firing, Simplified
from chainrule.derivation.steps import (
    Chain,
    Differential,
    Edge,
    Formula,
    Gradient,
    Granularity,
    Intermediate,
    Layout,
    Line,
    Partial,
    Path,
    Plus,
    Step,
    StepKind,
    Times,
)

_TRIED = 150  # nodes; a longer formula is not simplified with all names written out


@dataclass(slots=True)
class ArrayStage:
    """A program of arrays, its graph, and what has been told.

    Attributes:
        symbols: every name's symbol, with its shape.
        written: each intermediate over the free names.
        kept: each intermediate that the user did not name over the free and the user's names.
        made: names of cotangents and differentials, and what they stand for.
        values: cotangents over earlier names.
        shorter: what is replaced by the user's names, once that is asked for.
        known: names and cotangents over the free names, as far as they were asked for.
    """

    program: Program
    variables: Sequence[str]
    granularity: Granularity
    layout: Layout
    number: int
    letter: str
    simplify: ArraySimplifier
    steps: list[Step] = field(default_factory=list)
    intermediates: tuple[Intermediate, ...] = ()
    edges: tuple[Edge, ...] = ()
    graph: Graph = field(default_factory=lambda: Graph((), {}))
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    symbols: dict[str, Sym] = field(default_factory=dict)
    written: dict[Expr, Expr] = field(default_factory=dict)
    kept: dict[Expr, Expr] = field(default_factory=dict)
    made: dict[str, Gradient | Differential] = field(default_factory=dict)
    values: dict[str, Expr] = field(default_factory=dict)
    shorter: dict[Expr, Expr] | None = None
    known: dict[Expr, Expr] = field(default_factory=dict)

    def __post_init__(self) -> None:
        program = self.program
        read = program
        if self.granularity == "textbook":
            read = replace(program, assignments=tuple(
                (name, columns_first(e)) for name, e in program.assignments
            ))  # fmt: skip
        self.intermediates = cut(read, self.variables, self.granularity, False, self.letter)
        self.symbols = {s.name: s for s in free_symbols(e for _, e in program.assignments)}
        for name, shape in program.declared.items():
            self.symbols.setdefault(name, symbol(name, shape))
        for u in self.intermediates:
            self.symbols[u.name] = symbol(u.name, u.shape)
        for v in self.variables:
            self.symbols.setdefault(v, symbol(v))
        outputs = program.outputs
        self.edges = edges(self.intermediates, self.symbols, self.simplify, outputs)
        self.graph = Graph.of([u.name for u in self.intermediates], self.edges)
        self.counts = {v: self.graph.counts(v) for v in self.variables}
        own = {name for name, _ in program.assignments} - set(outputs)
        for u in self.intermediates:
            named = self.symbols[u.name]
            (self.written[named],) = substitute([u.expression], self.written)
            if u.name not in own:
                (self.kept[named],) = substitute([u.expression], self.kept)

    # What is known.

    def function(self, output: str) -> Expr:
        """The output over the free names."""
        return self.written[self.symbols[output]]

    def count(self, output: str, variable: str) -> int:
        """The number of paths from the output to the variable."""
        return self.counts[variable].get(output, 0)

    def flat(self, output: str, variable: str) -> bool:
        """Whether there are Jacobians all the way: every edge between the two has one."""
        return all(e.jacobian for e in self.between(output, variable))

    def between(self, output: str, variable: str) -> list[Edge]:
        """The edges on the paths from the output to the variable."""
        leads = self.counts[variable]
        reached = {output}
        found = []
        for name in reversed(self.graph.order):
            if name in reached and name in leads and name != variable:
                for e in self.graph.below.get(name, ()):
                    if e.by in leads:
                        reached.add(e.by)
                        found.append(e)
        return found

    def shorten(self, expr: Expr) -> Expr:
        """The user's names in the place of what they stand for."""
        if self.shorter is None:
            own = {name for name, _ in self.program.assignments} - set(self.program.outputs)
            self.shorter = {}
            for named, value in self.written.items():
                assert isinstance(named, Sym)
                if named.name in own and value.args and size(value) <= _TRIED:
                    self.shorter[value] = named
                    self.shorter.setdefault(self.simplify(value).result, named)
        return substitute([expr], self.shorter)[0] if self.shorter else expr

    def best(self, raw: Expr) -> Simplified:
        """The simplified form of an expression over names: over the user's names, or written out.

        Written out and simplified more may cancel; then the user's names are put back.
        """
        (kept,) = substitute([raw], self.kept)
        over_names = self.simplify(kept)
        (free,) = substitute([kept], self.written)
        if free is kept or size(free) > _TRIED:
            return over_names
        out = self.simplify(free)
        short = self.shorten(out.result)
        if size(short) < size(over_names.result):
            return Simplified(short, out.firings)
        return over_names

    def free(self, expr: Expr) -> Expr:
        """The expression over the free names; cotangents are replaced by what they are."""
        self.known = self.known or dict(self.written)
        for name, value in self.values.items():
            named = symbol(name, value.shape)
            if named not in self.known:
                (self.known[named],) = substitute([value], self.known)
        return substitute([expr], self.known)[0]

    # What is told.

    def tell(
        self, kind: StepKind, topic: str, subject: Sequence[str], lines: Sequence[Line]
    ) -> None:
        """Add a step, unless it says nothing."""
        if lines:
            self.steps.append(Step(kind, topic, tuple(subject), tuple(lines), self.number))

    def oriented(self, jacobian: Expr) -> Expr:
        """A Jacobian in the layout asked for."""
        if self.layout == "numerator":
            return jacobian
        return self.simplify(transposed(jacobian)).result

    def tell_locals(self) -> None:
        """The intermediates, and the map on every edge."""
        outputs = self.program.outputs
        self.tell("introduce", "intermediates", outputs, [
            Line((self.symbols[u.name], u.expression)) for u in self.intermediates
        ])  # fmt: skip
        lines = []
        for e in self.edges:
            if e.jacobian:
                lines.append(Line((Partial(e.of, e.by), self.oriented(e.local)), because=e.rule))
            else:
                self.made[f"d{e.by}"] = Differential(e.by)
                lines.append(Line((Differential(e.of), e.local), because=e.rule))
        self.tell("local", "locals", outputs, lines)

    def raw_jacobian(self, output: str, variable: str) -> Expr:
        """The sum over all paths of the products of Jacobians, over names, not simplified."""
        bar: dict[str, Expr] = {}
        if output == variable:
            dims = self.symbols[output].shape
            return arrays.eye(dims[0]) if dims else ONE
        for e in self.between(output, variable):
            term = e.local if e.of == output else times(bar[e.of], e.local)
            bar[e.by] = arrays.plus(bar[e.by], term) if e.by in bar else term
        shape = (*self.symbols[output].shape, *self.symbols[variable].shape)
        empty = shape if self.symbols[output].shape or not shape else (1, *shape)
        return bar.get(variable, arrays.zeros(empty))

    def tell_paths(self, output: str, variable: str) -> Simplified:
        """The Jacobian along every path, added up and simplified, in numerator layout."""
        total = Partial(output, variable, total=True)
        subject = (output, variable)
        found = list(self.graph.paths(output, variable))
        raw = self.raw_jacobian(output, variable)
        symbols = _plus([self.times([Partial(e.of, e.by) for e in p]) for p in found])
        names = _plus([self.times([self.oriented(e.local) for e in p]) for p in found])
        lines = []
        if len(found) > 1:
            lines = [
                Line((Chain((output, *(e.by for e in p))),
                      self.times([self.oriented(e.local) for e in p])))
                for p in found
            ]  # fmt: skip
        parts = [part for part in (symbols, names) if not _same(part, total)]
        lines.append(Line((total, *dict.fromkeys(parts))))
        self.tell("combine", "path", subject, lines)
        simplified = self.best(raw)
        split = in_cases(simplified.result)
        if split is not None:
            more = Firing(CASES, simplified.result, split)
            self.tell_simplified(
                total, raw, Simplified(split, (*simplified.firings, more)), subject
            )
        else:
            self.tell_simplified(total, raw, simplified, subject)
        return simplified

    def tell_simplified(
        self, left: Formula, raw: Expr, simplified: Simplified, subject: Sequence[str]
    ) -> None:
        """The rules on the way from a raw formula to its form in the end."""
        lines = [
            Line((left, self.oriented_as(left, f.after)), f.rule, self.open_ones(f.provided))
            for f in simplified.firings
        ]
        last = self.oriented_as(left, simplified.result)
        if not lines or lines[-1].parts[-1] is not last:
            lines.append(Line((left, last)))
        self.tell("simplify", "simplify", subject, lines)

    def open_ones(self, conditions: Sequence[Expr]) -> tuple[Expr, ...]:
        """The conditions that do not hold by themselves; dimensions are positive."""
        sizes = set(dimension_names(s.shape for s in self.symbols.values()))
        written = substitute(conditions, self.written)
        return tuple(
            c for c, w in zip(conditions, written, strict=True)
            if holds(w) is not True and not sizes.issuperset(s.name for s in free_symbols([w]))
        )  # fmt: skip

    def oriented_as(self, left: Formula, value: Expr) -> Expr:
        """What is on the left of it says the layout: gradients are in the variable's shape."""
        if not isinstance(left, Partial) or len(self.symbols[left.of].shape) > 1:
            return value
        return self.oriented(value)

    def times(self, factors: Sequence[Formula]) -> Formula:
        """A product of Jacobians, from the output down; the other way in denominator layout."""
        if len(factors) == 1:
            return factors[0]
        ordered = factors if self.layout == "numerator" else factors[::-1]
        return Times(tuple(ordered))

    def paths(self, output: str, variable: str, limit: int) -> list[Path]:
        """The first paths, with the products along them."""
        return [
            Path(
                output, variable, (output, *(e.by for e in path)), tuple(e.local for e in path),
                self.best(self.along(path)).result,
            )
            for path in islice(self.graph.paths(output, variable), limit)
        ]  # fmt: skip

    def along(self, path: Sequence[Edge]) -> Expr:
        """The product of the Jacobians of a path; where one is missing, what it does to dX."""
        if all(e.jacobian for e in path):
            return product(e.local for e in path)
        variable = self.symbols[path[-1].by]
        change: Expr = differential(variable.name, variable.shape)
        for e in reversed(path):
            assert e.map is not None
            change = e.map.push(change)
        return change

    def push(self, output: str, changes: dict[str, Expr]) -> Expr:
        """The change of the output for changes of variables, over names, not simplified."""
        found = dict(changes)
        for name in self.graph.order:
            for e in self.graph.below.get(name, ()):
                if e.by in found and e.map is not None and name not in changes:
                    term = e.map.push(found[e.by])
                    found[name] = arrays.plus(found[name], term) if name in found else term
        return found.get(output, arrays.zeros(self.symbols[output].shape))

    def pull(self, output: str, seed: Expr, variable: str) -> Expr:
        """The gradient by a variable of the output times a seed, over names, not simplified."""
        found = {output: seed}
        for e in self.between(output, variable):
            assert e.map is not None
            term = e.map.pull(found[e.of])
            found[e.by] = arrays.plus(found[e.by], term) if e.by in found else term
        return found.get(variable, arrays.zeros(self.symbols[variable].shape))

    def tell_cotangents(self, output: str, seed: Expr, wanted: Sequence[str]) -> dict[str, Expr]:
        """Backpropagation: the gradient of the output by every name, from the output down.

        Returns the gradients by the variables, over names and cotangents.
        """
        bars: dict[str, Expr] = {output: seed}
        terms: dict[str, list[tuple[Edge, Expr]]] = {}
        lines = []
        needed = {e for v in wanted for e in self.between(output, v)}
        found: dict[str, Expr] = {}
        order = [*reversed(self.graph.order), *(v for v in wanted if v != output)]
        for name in order:
            arriving = terms.get(name, [])
            if arriving:
                raw = arriving[0][1]
                for _, term in arriving[1:]:
                    raw = arrays.plus(raw, term)
                value = self.simplify(raw).result
                rule = ", ".join(dict.fromkeys(e.rule for e, _ in arriving))
                parts: list[Formula] = [Gradient(output, name)]
                if len(arriving) > 1 and value is not raw:
                    parts.append(raw)
                lines.append(Line((*parts, value), because=rule))
                if name in wanted:
                    found[name] = value
                    continue
                bars[name] = self.bar(output, name, value)
            if name in bars:
                for e in self.graph.below.get(name, ()):
                    if e in needed:
                        assert e.map is not None
                        terms.setdefault(e.by, []).append((e, e.map.pull(bars[name])))
        self.tell("combine", "cotangents", (output,), lines)
        return found

    def bar(self, output: str, name: str, value: Expr) -> Expr:
        """The cotangent's symbol; a value without any step of its own stays as it is."""
        if arrays.is_zero(value) or not free_symbols([value]):
            return value
        made = cotangent(name, value.shape)
        if self.values.get(made.name, value) is not value:  # of another output
            made = symbol(f"{name}_bar_{output}", value.shape)
        self.made[made.name] = Gradient(output, name)
        self.values[made.name] = value
        return made

    def tell_differentials(self, wanted: Sequence[str], given: dict[str, Expr]) -> dict[str, Expr]:
        """The change of every name for changes of the variables, from the inputs up.

        `given`: the changes; where one is missing it is `dX`. Returns them by name.
        """
        changes: dict[str, Expr] = {}
        for v in wanted:
            if v in given:
                changes[v] = given[v]
            else:
                changes[v] = differential(v, self.symbols[v].shape)
                self.made[f"d{v}"] = Differential(v)
        lines = []
        for name in self.graph.order:
            terms = []
            for e in self.graph.below.get(name, ()):
                if e.by in changes:
                    assert e.map is not None
                    terms.append(e.map.push(changes[e.by]))
            if terms:
                raw = terms[0]
                for term in terms[1:]:
                    raw = arrays.plus(raw, term)
                value = self.simplify(raw).result
                rules = dict.fromkeys(
                    e.rule for e in self.graph.below.get(name, ()) if e.by in changes
                )
                lines.append(Line((Differential(name), value), because=", ".join(rules)))
                if name in self.program.outputs:
                    changes[name] = value
                else:
                    made = differential(name, value.shape)
                    changes[name] = made
                    self.made[made.name] = Differential(name)
                    self.values[made.name] = value
        self.tell("combine", "differentials", tuple(wanted), lines)
        return changes


def _plus(terms: Sequence[Formula]) -> Formula:
    return terms[0] if len(terms) == 1 else Plus(tuple(terms))


def _same(part: Formula, total: Partial) -> bool:
    return isinstance(part, Partial) and (part.of, part.by) == (total.of, total.by)
