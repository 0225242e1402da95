"""The public names: text or expressions in, derivations out.

Everything is thin: reading is in `syntax`, the derivation in `derive`, its verification in
`check`, its faces in `render`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any, Literal, TextIO

from chainrule import checking, render
from chainrule.checking import verify as oracles
from chainrule.checking.joints import joints
from chainrule.checking.numbers import at_point
from chainrule.checking.to_sympy import to_sympy
from chainrule.core.errors import ChainruleError, DomainError, UnsupportedError, UsageError
from chainrule.core.expr import Expr, Number, free_symbols, symbol
from chainrule.derivation.build import build
from chainrule.derivation.steps import Derivation as Data
from chainrule.derivation.steps import (
    Edge,
    Granularity,
    Layout,
    Matrix,
    Partial,
    Path,
    Result,
    Step,
    Style,
    Verification,
)
from chainrule.inputs import (
    Names,
    Source,
    components_of,
    known_names,
    names_of,
    point_of,
    program_of,
    seconds_of,
)
from chainrule.render import json_io, latex_page, markdown, terminal
from chainrule.render.latex import latex as latex_of
from chainrule.render.page import page, result_rows, verification_block
from chainrule.render.text import text
from chainrule.syntax.names import canonical_name
from chainrule.syntax.parser import parse, parse_symbols

__all__ = [
    "ChainruleError",
    "Derivation",
    "UsageError",
    "derive",
    "directional",
    "gradient",
    "hessian",
    "jacobian",
    "parse",
    "symbols",
    "vjp",
]

Verify = Literal["symbolic", "numeric", "off"]


class Derivation:
    """A derivation, its verification, and its faces.

    Attributes:
        data: the derivation as data (`chainrule.derivation.steps.Derivation`).

    >>> d = derive("ln(sin(x^3)^2)")
    >>> print(d.expression)
    6*x^2*cos(x^3)/sin(x^3)
    >>> d.verification.status
    'verified'
    >>> [edge.rule for edge in d.edges]
    ['power rule', 'derivative of sin', 'power rule', 'logarithm rule']
    """

    def __init__(self, data: Data, mode: Verify, seconds: float | None) -> None:
        self.data = data
        self._mode, self._seconds = mode, seconds
        self._verification: Verification | None = None

    @property
    def result(self) -> Result:
        """Kind and entries (rows by columns) of the result."""
        return self.data.result

    @property
    def expression(self) -> str:
        """The result in the language: an expression, or a matrix `[a, b; c, d]`.

        Of several variables of an array program `W: …; b: …`.
        """
        if self.data.result.blocks:
            wrt = self.data.result.wrt
            shown = {name: text(block.expression) for name, block in wrt.items()}
            lone = len(shown) == 1
            return "; ".join(e if lone else f"{name}: {e}" for name, e in shown.items())
        entries = self.data.result.entries
        alone = len(entries) == len(entries[0]) == 1
        return text(entries[0][0] if alone else Matrix(entries))

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps in order."""
        return self.data.steps

    @property
    def edges(self) -> tuple[Edge, ...]:
        """The local derivatives."""
        return self.data.edges

    @property
    def paths(self) -> tuple[Path, ...]:
        """The paths that are listed."""
        return self.data.paths

    @property
    def verification(self) -> Verification:
        """What SymPy and numerical differentiation say; computed on first use."""
        if self._verification is None:
            self._verification = oracles.verify(self.data, self._mode, self._seconds)
        return self._verification

    @property
    def warnings(self) -> tuple[str, ...]:
        """Places of the text that could be read in two ways, and how they were read."""
        return tuple(n.message for n in self.data.program.notices)

    def __str__(self) -> str:
        return terminal.plain(page(self.data)) + terminal.plain(
            verification_block(self.verification)
        )

    def show(self, file: TextIO) -> None:
        """Write the derivation at once, then its verification when the oracles have spoken."""
        terminal.write(page(self.data), file)
        file.flush()
        terminal.write(verification_block(self.verification), file)

    def __repr__(self) -> str:
        return f"<Derivation of {', '.join(self.data.outputs)}: {self.expression}>"

    def latex(self, fragment: bool = False) -> str:
        """A document that compiles with pdflatex, or a fragment to include in one."""
        face = latex_page.fragment if fragment else latex_page.document
        return face(page(self.data, self.verification))

    def markdown(self) -> str:
        """Markdown with GitHub's `$…$`."""
        return markdown.markdown(page(self.data, self.verification))

    def html(self) -> str:
        """A page for a browser, complete in itself: mathematics as MathML, light and dark."""
        return render.html.html(page(self.data, self.verification))

    def json(self) -> str:
        """One JSON object, schema `chainrule/derivation/1`."""
        return json_io.to_json(self.data, self.verification)

    def _repr_latex_(self) -> str:
        if self.data.result.blocks:
            rows = [(row.left, *row.right) for row in result_rows(self.data)]
            lines = [" = ".join(latex_of(p) for p in row if p is not None) for row in rows]
            return "$\\displaystyle " + r" \qquad ".join(lines) + "$"
        entries = self.data.result.entries
        alone = len(entries) == len(entries[0]) == 1
        shown = latex_of(entries[0][0] if alone else Matrix(entries))
        if alone and self.data.result.kind == "derivative":
            (of,), (by,) = self.data.outputs, self.data.variables
            shown = f"{latex_of(Partial(of, by, total=True))} = {shown}"
        return f"$\\displaystyle {shown}$"

    def sympy(self) -> Any:
        """The result as a SymPy expression, or a Matrix, over plain symbols.

        Raises:
            UnsupportedError: it is over vectors or matrices.
        """
        if self.data.result.blocks:
            raise UnsupportedError(
                "SymPy has no expressions for arrays of any size",
                hint="call the derivation with arrays for numbers, or use its text",
            )
        return to_sympy(self.data.result.entries)

    def __call__(self, **values: Any) -> Any:
        """The result at a point.

        Returns:
            A float where there is one output and one variable, both scalars, else a dictionary
            from the variable to an array: of shape () for one output, (m,) for m outputs. For
            arrays see `chainrule.checking.array_results.value_of`: a gradient has the shape of
            the variable, a Jacobian the axes of the output, then those of the variable.

        Raises:
            UsageError: a name has no value. DomainError: the result is not a real number there.

        >>> derive("x^3")(x=2.0)
        12.0
        """
        d = self.data
        known = set(known_names(d.program))
        values = {n if n in known else canonical_name(n): v for n, v in values.items()}
        if d.result.blocks:
            return checking.array_results.value_of(d, values)
        entries = d.result.entries
        roots = [e for row in entries for e in row]
        missing = [s.name for s in free_symbols(roots) if s.name not in values]
        if missing:
            raise UsageError(f"{missing[0]} has no value", hint=f"call it with {missing[0]}=…")
        numbers = at_point(roots, values)
        for root, number in zip(roots, numbers, strict=True):
            if number is None:
                raise DomainError(f"{text(root)} is not a real number at this point")
        if len(roots) == 1 and d.result.kind == "derivative":
            return numbers[0]
        return _by_variable(d, [n for n in numbers if n is not None])


def _by_variable(d: Data, numbers: list[float]) -> dict[str, Any]:
    import numpy as np

    matrix = np.array(numbers).reshape(len(d.result.entries), -1)
    if d.layout == "denominator":
        matrix = matrix.T
    if d.result.kind == "gradient":
        return {v: matrix[0, j].copy() for j, v in enumerate(d.variables)}
    if d.result.kind == "derivative":
        return {y: matrix[i, 0].copy() for i, y in enumerate(d.outputs)}
    return {v: matrix[:, j].copy() for j, v in enumerate(d.variables)}


_MOST_PATHS = 10_000  # nobody reads more, and each is a step


def derive(
    source: Source,
    wrt: Names = (),
    *,
    at: str | Mapping[str, Number | str] | None = None,
    order: int = 1,
    granularity: Granularity = "textbook",
    style: Style = "paths",
    expand_powers: bool = False,
    layout: Layout = "numerator",
    jvp: str | Sequence[str | Expr | Number] = (),
    vjp: str | Sequence[str | Expr | Number] = (),
    max_paths: int | None = None,
    verify: Verify = "symbolic",
    strict: bool = False,
    latex_input: bool | None = None,
    timeout: float | None = None,
) -> Derivation:
    """Derive a program: derivative, gradient or Jacobian by the shape of its output.

    Args:
        source: a text in the language or in LaTeX, a parsed program, an expression built
            from `symbols`, or a sequence of these for several outputs.
        wrt: what to differentiate by, as `"x, y"` or a list; by default `d/dx` in the text,
            else every free name in order of appearance.
        at: values at which every formula also shows its number, as `"x=2, y=pi/3"`.
        order: of differentiation; 2 with several variables is the Hessian.
        granularity: `textbook` or `fine` (one operation an intermediate).
        style: `paths`, `total` (total derivative forwards) or `backprop`.
        expand_powers: write x^3 as x*x*x before cutting.
        layout: `numerator` (rows are outputs) or `denominator`.
        jvp: a component for each variable: the directional derivative.
        vjp: a weight for each output: the gradient of the weighted sum.
        max_paths: list at most so many paths (and no more than 10,000).
        verify: `symbolic` (SymPy and numbers), `numeric`, or `off`.
        strict: make every ambiguous reading an error.
        latex_input: read the text as LaTeX; None: where it has a backslash.
        timeout: seconds for simplification and verification together. A result that could not
            be simplified in time says so; what could not be verified is `unverified`.

    Raises:
        ChainruleError: with a line, a column and a hint where it is about the text.

    >>> print(derive("[x1*x2, sin(x1)]", jvp="h1, h2").expression)
    [h1*x2 + h2*x1; h1*cos(x1)]
    """
    seconds = seconds_of(timeout)
    deadline = float("inf") if seconds is None else perf_counter() + seconds
    if max_paths is not None:
        if max_paths < 0:
            raise UsageError(f"{max_paths} paths", hint="give a whole number, 0 for none")
        max_paths = min(max_paths, _MOST_PATHS)
    program = program_of(source, latex_input, strict)
    point = point_of(at, program)
    try:
        data = build(
            program, variables=names_of(wrt), granularity=granularity, style=style,
            expand_powers=expand_powers, layout=layout, order=order,
            direction=components_of(jvp, program), weights=components_of(vjp, program),
            max_paths=max_paths, point=point,
            deadline=deadline,
        )  # fmt: skip
    except DomainError as error:
        if error.at is None or error.needs is None:
            raise
        raise DomainError(
            f"`{text(error.at)}` is nowhere a real number: it needs {text(error.needs)}",
            at=error.at, needs=error.needs,
        ) from None  # fmt: skip
    data = replace(data, joints=joints(data, deadline))
    left = None if seconds is None else max(0.0, deadline - perf_counter())
    return Derivation(data, verify, left)


def gradient(source: Source, wrt: Names = (), **options: Any) -> Derivation:
    """The gradient of a scalar output, a row; see `derive` for the options.

    >>> print(gradient("x1^2 + x1*x2").expression)
    [2*x1 + x2, x1]
    """
    return derive(source, wrt, **options)


def jacobian(source: Source, wrt: Names = (), **options: Any) -> Derivation:
    """The Jacobian of one or several outputs; see `derive` for the options.

    >>> print(jacobian(["x^2*y", "x + y"], wrt=["x", "y"], layout="denominator").expression)
    [2*x*y, 1; x^2, 1]
    """
    return derive(source, wrt, **options)


def hessian(source: Source, wrt: Names = (), **options: Any) -> Derivation:
    """The matrix of second derivatives of a scalar output.

    >>> print(hessian("x1^2*x2").expression)
    [2*x2, 2*x1; 2*x1, 0]
    """
    return derive(source, wrt, order=2, **options)


def directional(
    source: Source,
    wrt: Names = (),
    *,
    direction: str | Sequence[str | Expr | Number],
    **options: Any,
) -> Derivation:
    """The directional derivative: the Jacobian times a direction.

    >>> print(directional("x^2*y", direction=[1, "h"]).expression)
    h*x^2 + 2*x*y
    """
    return derive(source, wrt, jvp=direction, **options)


def vjp(
    source: Source, wrt: Names = (), *, weights: str | Sequence[str | Expr | Number], **options: Any
) -> Derivation:
    """The gradient of a weighted sum of the outputs: weights times the Jacobian.

    >>> print(vjp("[x1*x2, x1 + x2]", weights=[-5, 2]).expression)
    [2 - 5*x2, 2 - 5*x1]
    """
    return derive(source, wrt, vjp=weights, **options)


def symbols(names: str) -> Any:
    """Symbols to build expressions from with Python's operators.

    >>> x, y = symbols("x, y")
    >>> print(derive(x**2 * y, wrt=[x]).expression)
    2*x*y
    >>> W, v = symbols("W: matrix(m, n), v: vector(n)")
    >>> (W @ v).shape
    ('m',)
    """
    if ":" in names:
        found = parse_symbols(names)
    else:
        found = tuple(symbol(canonical_name(n)) for n in names.replace(",", " ").split())
    return found[0] if len(found) == 1 else found
