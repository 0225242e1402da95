"""A derivation as data: what was introduced, differentiated, combined, simplified, checked.

Nothing here knows words or notation; `chainrule.render.page` has the words. A formula is
an expression or one of the few forms that only a derivation writes (a partial derivative,
a product not multiplied out, a matrix, a path).

Records are named tuples, which take a seventh of the time of a frozen data class to make at
start-up. Formulas are data classes: a product and a sum of the same parts must not be equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from chainrule.core.expr import Expr, Number
from chainrule.core.ops import Kink
from chainrule.core.program import Program

StepKind = Literal["introduce", "local", "combine", "substitute", "simplify", "verify"]
Status = Literal["verified", "failed", "unverified"]
Layout = Literal["numerator", "denominator"]
Granularity = Literal["textbook", "fine"]
Style = Literal["paths", "total", "backprop"]
ResultKind = Literal["derivative", "gradient", "jacobian", "hessian"]


@dataclass(frozen=True, slots=True)
class Partial:
    """The derivative of a named quantity by another.

    `total`: along every path (dy/dx), not along one edge (∂u2/∂u1).
    """

    of: str
    by: str
    total: bool = False


@dataclass(frozen=True, slots=True)
class Times:
    """A product that is shown factor by factor."""

    factors: tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class Plus:
    """A sum that is shown term by term."""

    terms: tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """A matrix, row by row."""

    rows: tuple[tuple[Formula, ...], ...]


@dataclass(frozen=True, slots=True)
class Diagonal:
    """A diagonal matrix by its diagonal."""

    entries: tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class Chain:
    """A path through the computation graph, output first."""

    nodes: tuple[str, ...]


Formula = Expr | Partial | Times | Plus | Matrix | Diagonal | Chain


class Line(NamedTuple):
    """Formulas that are equal to each other, in this order.

    Attributes:
        parts: the formulas; one alone is just shown.
        because: the name of the rule that gives the last part.
        provided: conditions under which the step holds.
        number: the value of the last part at the point of `--at`.
    """

    parts: tuple[Formula, ...]
    because: str = ""
    provided: tuple[Expr, ...] = ()
    number: float | None = None


class Step(NamedTuple):
    """A group of lines.

    Attributes:
        kind: the kind of step, as the JSON says it.
        topic: which of the page's headings it goes under: `reading`, `intermediates`,
            `locals`, `logarithmic`, `quotient`, `path`, `sum`, `total`, `backprop`, `layers`,
            `direction`, `weights`, `substitute`, `simplify`, `result`, `value`.
        subject: the names it is about, as `("y", "x")` for dy/dx.
        lines: what it says.
        stage: 1 for the first derivative, 2 for the derivative of that, …
    """

    kind: StepKind
    topic: str
    subject: tuple[str, ...]
    lines: tuple[Line, ...]
    stage: int = 1


class Intermediate(NamedTuple):
    """A named quantity and its expression over earlier names.

    `operands` are the names its edges go to, one a slot (a name may occur twice).
    """

    name: str
    expression: Expr
    operands: tuple[str, ...]


class Edge(NamedTuple):
    """A local derivative: of an intermediate by one of its operands.

    `local` is over the names of the intermediates; `rule` is a name from the table.
    """

    of: str
    by: str
    local: Expr
    rule: str


class Path(NamedTuple):
    """A path from an output to a variable, and the product along it.

    `factors` are the local derivatives from the output down; `product` is the simplified
    product over the variables.
    """

    output: str
    variable: str
    nodes: tuple[str, ...]
    factors: tuple[Expr, ...]
    product: Expr


class Result(NamedTuple):
    """Rows by columns; outputs by variables in numerator layout, the transpose in the other."""

    kind: ResultKind
    entries: tuple[tuple[Expr, ...], ...]


class Joint(NamedTuple):
    """What happens at a kink.

    `values` are the output's just left of it, there, and just right of it; `slopes` just left
    and just right.
    """

    output: str
    variable: str
    at: Number
    values: tuple[float, float, float]
    slopes: tuple[float, float]

    @property
    def continuous(self) -> bool:
        """Whether the values meet."""
        return len(set(self.values)) == 1

    @property
    def smooth(self) -> bool:
        """Whether values and slopes meet: there is a derivative."""
        return self.continuous and self.slopes[0] == self.slopes[1]


class Method(NamedTuple):
    """What one oracle says.

    Attributes:
        name: `sympy` or `numeric`.
        status: proved or agreed (`verified`), refuted (`failed`), undecided (`unverified`).
        detail: one line: the reason, or the witness of a failure.
        points: how many points were compared.
        largest_relative_error: over these points.
    """

    name: str
    status: Status
    detail: str = ""
    points: int | None = None
    largest_relative_error: float | None = None


class Verification(NamedTuple):
    """What the oracles say together.

    `edges` has each local derivative's own status, in the order of `Derivation.edges`.
    """

    status: Status
    methods: tuple[Method, ...] = ()
    edges: tuple[Status, ...] = ()


@dataclass(frozen=True, slots=True)
class Derivation:
    """Everything that was found, in the order in which it is told.

    Attributes:
        program: the text as it was read.
        variables, outputs: names, in order.
        functions: each output over the free names, in order of `outputs`.
        intermediates: in topological order, outputs included.
        edges: the local derivatives.
        path_count: exact numbers of paths, by output and variable.
        paths: those that are listed.
        steps: the derivation, in order.
        result: the entries, simplified, over the free names.
        targets: what each entry is: `result.entries[i][j]` is the derivative of
            `functions[a]` by the variables listed (twice for a Hessian), or a directional
            or weighted sum; see `Target`.
        domain: relations (as typed, unsimplified) under which the function is real and smooth.
        kinks: where there is no derivative, and the convention used there.
        joints: what happens at kinks that could be located.
        remarks: one-line statements about how it was derived.
        point: the values of `--at`.
    """

    program: Program
    variables: tuple[str, ...]
    outputs: tuple[str, ...]
    functions: tuple[Expr, ...]
    layout: Layout
    granularity: Granularity
    style: Style
    intermediates: tuple[Intermediate, ...]
    edges: tuple[Edge, ...]
    path_count: Mapping[str, Mapping[str, int]]
    paths: tuple[Path, ...]
    steps: tuple[Step, ...]
    result: Result
    targets: tuple[tuple[Target, ...], ...]
    domain: tuple[Expr, ...] = ()
    kinks: tuple[Kink, ...] = ()
    joints: tuple[Joint, ...] = ()
    remarks: tuple[str, ...] = ()
    point: Mapping[str, Number] = field(default_factory=dict)


class Target(NamedTuple):
    """What an entry of the result must equal: the sum over `terms` of weight times derivative.

    Each term is (weight, index of the function, variables differentiated by, in order); the
    weight is an expression (1 for a plain entry, the direction's component for a jvp).
    """

    terms: tuple[tuple[Expr, int, tuple[str, ...]], ...]
