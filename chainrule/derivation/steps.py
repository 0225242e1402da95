"""A derivation as data: what was introduced, differentiated, combined, simplified, checked.

Nothing here knows words or notation; `chainrule.render.page` has the words. Records are named
tuples, which take a seventh of the time of a frozen data class to make at start-up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

from chainrule.core.expr import Expr, Number
from chainrule.core.ops import Kink
from chainrule.core.program import Program
from chainrule.core.shape import Shape
from chainrule.derivation.formulas import Chain as Chain
from chainrule.derivation.formulas import Delta as Delta
from chainrule.derivation.formulas import Diagonal as Diagonal
from chainrule.derivation.formulas import Differential as Differential
from chainrule.derivation.formulas import Entry as Entry
from chainrule.derivation.formulas import EntryOf as EntryOf
from chainrule.derivation.formulas import Formula as Formula
from chainrule.derivation.formulas import Gradient as Gradient
from chainrule.derivation.formulas import Matrix as Matrix
from chainrule.derivation.formulas import Partial as Partial
from chainrule.derivation.formulas import Plus as Plus
from chainrule.derivation.formulas import Second as Second
from chainrule.derivation.formulas import SumOver as SumOver
from chainrule.derivation.formulas import Times as Times
from chainrule.derivation.formulas import Transposed as Transposed

if TYPE_CHECKING:
    from chainrule.core.linmap import LinMap

StepKind = Literal["introduce", "local", "combine", "substitute", "simplify", "verify"]
Status = Literal["verified", "failed", "unverified"]
Layout = Literal["numerator", "denominator"]
Granularity = Literal["textbook", "fine"]
Style = Literal["paths", "total", "backprop"]
ResultKind = Literal["derivative", "gradient", "jacobian", "hessian"]
BlockKind = Literal["gradient", "jacobian", "hessian", "tensor", "direction", "curvature"]


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
            `locals`, `logarithmic`, `quotient`, `path`, `first paths` (of too many to multiply
            out), `sum`, `total`, `backprop`, `layers`,
            `direction`, `weights`, `substitute`, `simplify`, `result`, `value`; of arrays also
            `differentials` (the change of each array for changes of the variables), `cotangents`
            (backpropagation in matrix form), `gradient` (the row transposed into the variable's
            shape), `indices` (entry by entry, with Kronecker deltas), `actions` (a tensor applied
            to a direction and to a cotangent), `curvature` (Hessian times direction).
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

    @property
    def shape(self) -> Shape:
        """The shape of its value."""
        return self.expression.shape


class Edge(NamedTuple):
    """A local derivative: of an intermediate by one of its operands.

    `local` is over the names of the intermediates; `rule` is a name from the table.

    In an array program `map` is the linear map on the edge, and `jacobian` says what `local` is:
    the Jacobian in numerator layout where both ends are scalars or vectors (a scalar, a column
    of shape (m,), a row of shape (1, n), or a matrix); else the change of `of` for the change
    `d<by>` of `by`, a symbol of the shape of `by`, as `X @ dW`. There `adjoint` is what a
    cotangent, the symbol `<of>_bar` of the shape of `of`, adds to that of `by`: `X' @ U_bar`.
    """

    of: str
    by: str
    local: Expr
    rule: str
    map: LinMap | None = None
    jacobian: bool = True
    adjoint: Expr | None = None


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


class Block(NamedTuple):
    """One derivative of an array program.

    Attributes:
        output, variables: of which output, by which variables (two of a Hessian).
        kind: says what `expression` is, entry by entry:
            `gradient`: of a scalar output, or of the output weighted with `weights`: in the
            shape of the variable, whatever the layout (a scalar by a scalar too);
            `jacobian`: of a vector by a vector (m, n), of a vector by a scalar (m,), transposed
            ((n, m) or a row (1, m)) where `transposed`;
            `hessian`: the second derivatives by two variables, shape of the first, then of
            the second;
            `tensor`: a derivative of order three or more, as its action on a change: over the
            symbol `d<variable>` of the variable's shape, in the output's shape; `adjoint` is
            its action on a cotangent, over the symbol `<output>_bar` of the output's shape,
            in the variable's shape;
            `direction`: the directional derivative along `direction`, in the output's shape;
            `curvature`: the Hessian times `direction`, in the shape of the variable.
        expression: over the free names and names of steps: intermediates, and cotangents as
            `Z1_bar` that `Derivation.made` lists.
        written: the same over the free names alone.
        by_entry: entry by entry, with Kronecker deltas (of a tensor).
        direction: for each variable a change of its shape, over the free names.
        weights: what the output is weighted with, of its shape, over the free names.
    """

    output: str
    variables: tuple[str, ...]
    kind: BlockKind
    expression: Expr
    written: Expr
    transposed: bool = False
    adjoint: Expr | None = None
    by_entry: tuple[Formula, ...] = ()
    direction: Mapping[str, Expr] = MappingProxyType({})
    weights: Expr | None = None

    @property
    def shape(self) -> Shape:
        """The shape of the expression."""
        return self.expression.shape


class Result(NamedTuple):
    """Rows by columns; outputs by variables in numerator layout, the transpose in the other.

    Of an array program there are `blocks` instead: for each output and variable one (pairs of
    variables of a Hessian, one for each output of a directional derivative).
    """

    kind: ResultKind
    entries: tuple[tuple[Expr, ...], ...]
    blocks: tuple[Block, ...] = ()

    @property
    def wrt(self) -> dict[str, Block]:
        """Each block by its variables' names, `x` or `x, z`; for several outputs `y1, x`."""
        several = len({b.output for b in self.blocks}) > 1
        return {
            ", ".join((b.output, *b.variables) if several else b.variables): b for b in self.blocks
        }


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
        made: names that only the formulas of an array program have, and what each stands for:
            `Z1_bar` the gradient by Z1, `dW` the change of W; in the order of the steps.
        values: what the names of cotangents, and of the intermediates of a second derivative,
            are equal to, over names of earlier steps.
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
    made: Mapping[str, Gradient | Differential] = field(default_factory=dict)
    values: Mapping[str, Expr] = field(default_factory=dict)


class Target(NamedTuple):
    """What an entry of the result must equal: the sum over `terms` of weight times derivative.

    Each term is (weight, index of the function, variables differentiated by, in order); the
    weight is an expression (1 for a plain entry, the direction's component for a jvp).
    """

    terms: tuple[tuple[Expr, int, tuple[str, ...]], ...]
