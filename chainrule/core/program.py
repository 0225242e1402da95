"""What a text says once it is read: statements, outputs, and how it was understood."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from chainrule.core.errors import Span
from chainrule.core.expr import Expr, Sym, apply, symbol
from chainrule.core.shape import Shape

Signature = tuple[tuple[Shape, ...], Shape]


@dataclass(frozen=True, slots=True)
class Notice:
    """A reading that could have been another one.

    Attributes:
        message: how it was read, in one line.
        span: the place in the source.
        hint: what to write for the other reading.
    """

    message: str
    span: Span
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Program:
    """Statements in order; the last ones are the outputs.

    Attributes:
        source: the text.
        assignments: name and expression of each statement, outputs included; an expression
            refers to earlier names by their symbols.
        outputs: the names of the outputs, in order.
        vector: whether the output was written as a vector `[…]`.
        variables: what `d/dx` in the text names, else empty.
        arguments: the arguments of `f(x) = …`, else empty.
        order: of `d^2/dx^2`.
        declared: shapes of declared names.
        notices: ambiguous places and how they were read.
        functions: declared functions of arrays: the shapes of their arguments, and of their value.
        dimensions: the names of dimensions, in order of appearance: scalars in expressions,
            and never variables.
    """

    source: str
    assignments: tuple[tuple[str, Expr], ...]
    outputs: tuple[str, ...]
    vector: bool = False
    variables: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    order: int = 1
    declared: Mapping[str, Shape] = field(default_factory=dict)
    notices: tuple[Notice, ...] = ()
    dimensions: tuple[str, ...] = ()
    functions: Mapping[str, Signature] = field(default_factory=dict)

    def symbol(self, name: str) -> Sym:
        """The symbol that stands for a name in the expressions, with its shape."""
        for known, expression in self.assignments:
            if known == name:
                return symbol(name, expression.shape)
        return symbol(name, self.declared.get(name, ()))

    def written_out(self) -> dict[str, Expr]:
        """Each statement over the free names alone."""
        return over_inputs(self.assignments)


def over_inputs(assignments: Iterable[tuple[str, Expr]]) -> dict[str, Expr]:
    """Each assignment without the names of those before it.

    >>> x, u = symbol("x"), symbol("u")
    >>> over_inputs([("u", 2 * x), ("y", u * u + x)])["y"]
    add(mul(mul(2, x), mul(2, x)), x)
    """
    known: dict[Expr, Expr] = {}  # by name
    written: dict[str, Expr] = {}
    for name, expression in assignments:
        new: dict[Expr, Expr] = {} if known else {expression: expression}
        stack = [expression]
        while stack:
            node = stack[-1]
            if node in new:
                stack.pop()
                continue
            if node.op is None:
                new[node] = known.get(node, node)
                continue
            ready, changed = True, False
            for a in node.args:
                now = new.get(a)
                if now is None:
                    if a.op is None:
                        now = new[a] = known.get(a, a)
                    else:
                        ready = False
                        stack.append(a)
                        continue
                if now is not a:
                    changed = True
            if ready:
                new[node] = apply(node.op, *[new[a] for a in node.args]) if changed else node
        known[symbol(name, expression.shape)] = written[name] = new[expression]
    return written
