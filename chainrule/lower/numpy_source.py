"""A schedule as a readable NumPy module: value and derivatives, nothing else.

Statements as a textbook writes them: what is used once stands where it is used, what has a
name in the program or in its derivation keeps a line of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from chainrule.core import arrays
from chainrule.core.errors import UsageError
from chainrule.core.expr import Apply, Const, Expr, Sym, apply, symbol
from chainrule.core.shape import Dim, Shape, affine
from chainrule.lower.identifiers import Identifiers
from chainrule.lower.kernels import COLUMN, FLAT
from chainrule.lower.numpy_expression import (
    Code,
    Expressions,
    dimension_code,
    literal,
    repeated,
)
from chainrule.lower.schedule import Schedule, Statement

_WIDTH = 88
_LONGEST = 56  # of an expression that has parts written in place
_MOST_OPERATIONS = 4
RESERVED = ("np", "Array", "NDArray", "SHAPES", "check", "value", "value_and_grad", "dtype")

Text = Callable[[Expr], str]


class Line(NamedTuple):
    """An assignment: what it reads are nodes that have lines or are inputs."""

    statement: Statement
    code: Code
    reads: tuple[Expr, ...]
    mathematics: Expr


@dataclass(slots=True)
class _Part:
    """A statement that has no line yet."""

    statement: Statement
    code: Code
    reads: tuple[Expr, ...]
    mathematics: Expr


class Body:
    """The statements of one function, as lines.

    Attributes:
        lines: in order.
        dimensions: the named dimensions that the lines use.
    """

    def __init__(self, schedule: Schedule, dtype: str, names: dict[str, str]) -> None:
        self.schedule = schedule
        self.lines: list[Line] = []
        self.dimensions: dict[str, None] = {}
        self._names = names
        self._expressions = Expressions(dtype, self._dimension)
        self._parts: dict[Expr, _Part] = {}  # written in place, or not yet at all
        self._tests: set[Expr] = set()
        self._wanted: set[Expr] = set()
        inputs = {s.name for s in schedule.lowered.inputs}
        self._sizes = lambda node: isinstance(node, Sym) and node.name not in inputs

    def _dimension(self, dim: Dim) -> str:
        self.dimensions.update(dict.fromkeys(name for name in affine(dim) if name))
        return dimension_code(dim, self._names)

    def run(self, statements: Iterable[Statement], results: Iterable[Expr]) -> None:
        """Write the statements; the results get lines of their own."""
        wanted = self._wanted = set(results)
        statements = list(statements)
        uses: Counter[Expr] = Counter(wanted)
        for s in statements:
            uses.update(s.node.args)
        for s in statements:
            part = self._written(s)
            self._parts[s.node] = part
            if not self._may_wait(part, uses[s.node], s.node in wanted):
                self._emit(s.node)

    def _may_wait(self, part: _Part, uses: int, wanted: bool) -> bool:
        """Whether it is written where it is used, rather than on a line of its own."""
        if wanted or part.statement.named:
            return False
        if part.code.python or (_is_view(part.statement.node) and not part.code.operations):
            return True
        return uses == 1

    def _written(self, s: Statement) -> _Part:
        """The statement with its operands in place, where that stays readable."""
        while True:
            codes, reads, formulas, waiting = [], [], [], []
            for slot, a in enumerate(s.node.args):
                part = self._parts.get(a)
                if part is None:
                    codes.append(self._leaf(a))
                    formulas.append(self._formula(a))
                    if codes[-1].text.isidentifier() and not self._sizes(a):
                        reads.append(a)
                    continue
                once = s.node.args.count(a) == 1 and not repeated(s.node.op.numpy, slot)
                if not once and part.code.operations and not part.code.python:
                    self._emit(a)
                    break
                codes.append(part.code)
                formulas.append(part.mathematics)
                reads += part.reads
                if part.code.operations and not part.code.python:
                    waiting.append(a)
            else:
                code = self._expressions.write(s.node, codes)
                if _is_view(s.node):
                    code = code._replace(operations=code.operations - 1)
                if not waiting or (
                    len(code.text) <= _LONGEST and code.operations <= _MOST_OPERATIONS
                ):
                    return _Part(s, code, tuple(dict.fromkeys(reads)), _apply(s.node, formulas))
                self._emit(max(waiting, key=lambda a: self._parts[a].code.operations))

    def _emit(self, node: Expr) -> None:
        part = self._parts.pop(node)
        code = self._expressions.number(part.code) if node in self._wanted else part.code
        if code.test:
            self._tests.add(node)
        self.lines.append(Line(part.statement, code, part.reads, part.mathematics))

    def _leaf(self, node: Expr) -> Code:
        if isinstance(node, Const):
            return literal(node)
        if isinstance(node, Sym) and self._sizes(node):
            return Code(self._dimension(node.name), python=True)
        return Code(self.schedule.names[node], test=node in self._tests)

    def _formula(self, node: Expr) -> Expr:
        if isinstance(node, Const) or (isinstance(node, Sym) and self._sizes(node)):
            return node
        return symbol(self.schedule.names[node], node.shape)

    def code_of(self, node: Expr) -> str:
        """A result: its name, or a constant."""
        part = self._parts.get(node)
        return part.code.text if part is not None else self._leaf(node).text


def _is_view(node: Apply) -> bool:
    return node.op is COLUMN or node.op is FLAT or (node.op.name == "transpose")


def _apply(node: Apply, formulas: Sequence[Expr]) -> Expr:
    if node.op in (COLUMN, FLAT):
        return formulas[0]
    try:
        return apply(node.op, *formulas)
    except Exception:
        return apply(node.op, *node.args)


_SCALAR = "float"
_CHECK = '''
def check(*arrays: Array) -> None:
    """Refuse an array that does not fit, by its name."""
    sizes: dict[int | str, int] = {{}}
    for (name, shape), array in zip(SHAPES.items(), arrays, strict=True):
        if {wrong}:
            raise TypeError(f"{{name}} has the dtype {{array.dtype}}, not {dtype}")
        expected = tuple(sizes.get(dim, dim) for dim in shape)
        for dim, size in zip(shape, array.shape, strict=False):
            sizes.setdefault(dim, size if isinstance(dim, str) else dim)
        if array.shape != tuple(sizes.get(dim) for dim in shape):
            raise ValueError(f"{{name}} has the shape {{array.shape}}, not {{expected}}")
'''


class Module:
    """Writes the module of a schedule.

    Attributes:
        text: how a formula is written in comments.
        dtype: `float32`, `float64`, or empty: as the arrays come.
    """

    def __init__(self, schedule: Schedule, text: Text, dtype: str) -> None:
        self.schedule = schedule
        self.text = text
        self.dtype = dtype
        self.output = " ".join(schedule.outputs)
        symbols = schedule.lowered.inputs
        self.arrays = {schedule.inputs[s.name]: s.shape for s in symbols if s.shape}
        self.scalars = [schedule.inputs[s.name] for s in symbols if not s.shape]
        self.arguments = list(schedule.inputs.values())
        taken = Identifiers([*RESERVED, *schedule.names.values()])
        dims = [n for s in symbols for d in s.shape for n in affine(d) if n]
        self.dims = {d: taken.fresh(d) for d in dict.fromkeys(dims)}

    def write(self) -> str:
        """The text of the module."""
        schedule = self.schedule
        (y,) = schedule.outputs.values()
        forward = [s for s in schedule.statements if s.stage == "forward"]
        parts = [self._head()]
        parts.append(self._function(
            "value", forward, {}, "float", f"The value of {self.output}."))
        grads = schedule.results
        kind = "Array" if any(n.shape for n in grads.values()) else "float"
        parts.append(self._function(
            "value_and_grad", schedule.statements, grads, f"tuple[float, dict[str, {kind}]]",
            f"The value of {self.output} and its gradient."))
        return "\n\n".join(parts)

    def _head(self) -> str:
        lines = ['"""Value and gradient, in NumPy alone; made by chainrule."""', "", "import numpy as np"]
        if self.arrays:
            kind = f"np.{self.dtype}" if self.dtype else "np.floating[Any]"
            if not self.dtype:
                lines[2:2] = ["from typing import Any", ""]
            lines += ["from numpy.typing import NDArray", "", f"Array = NDArray[{kind}]"]
            shapes = {a: tuple(self._dim(d) for d in shape) for a, shape in self.arrays.items()}
            entries = [f"{_quoted(a)}: {_tuple(shape)}" for a, shape in shapes.items()]
            lines += _wrapped("SHAPES: dict[str, tuple[int | str, ...]] = {", entries, "}")
            wrong = f"array.dtype != np.{self.dtype}" if self.dtype else 'array.dtype.kind != "f"'
            dtype = self.dtype or "of real numbers"
            lines += ["", _CHECK.format(wrong=wrong, dtype=dtype).rstrip()]
        return "\n".join(lines) + "\n"

    def _dim(self, dim: Dim) -> str:
        return str(dim) if isinstance(dim, int) else _quoted(dimension_code(dim, self.dims))

    def _function(
        self, name: str, statements: Iterable[Statement], grads: dict[str, Expr],
        result: str, title: str,
    ) -> str:  # fmt: skip
        (y,) = self.schedule.outputs.values()
        dtype = f"np.{self.dtype}" if self.dtype else "dtype"
        body = Body(self.schedule, dtype, self.dims)
        body.run(statements, [y, *grads.values()])
        arguments = [f"{a}: {'Array' if a in self.arrays else 'float'}" for a in self.arguments]
        lines = _signature(name, arguments, result)
        lines += self._docstring(title, body, grads)
        indented: list[str] = []
        if self.arrays:
            indented += _wrapped("check(", list(self.arrays), ")")
        for scalar in self.scalars:
            indented.append(f"{scalar} = {dtype}({scalar})")
        indented += self._sizes(body.dimensions)
        indented += self._lines(body, [y, *grads.values()])
        indented += self._returned(body, y, grads)
        return "\n".join([*lines, *("    " + line if line else "" for line in indented)]) + "\n"

    def _docstring(self, title: str, body: Body, grads: dict[str, Expr]) -> list[str]:
        inner = []
        if grads:
            made = {line.statement.node: line for line in body.lines}
            for name, node in grads.items():
                identifier = self.schedule.inputs[name]
                formula = self.text(made[node].mathematics) if node in made else body.code_of(node)
                inner.append(f"d{self.output}/d{identifier} = {formula}{_shown(node.shape)}")
        if not inner:
            return [f'    """{title}"""']
        return [f'    """{title}', "", *("    " + line for line in inner), '    """']

    def _sizes(self, used: Iterable[str]) -> list[str]:
        lines = []
        for name in used:
            for a, shape in self.arrays.items():
                if name in shape:
                    lines.append(f"{self.dims[name]} = {a}.shape[{shape.index(name)}]")
                    break
            else:
                raise UsageError(f"the size of {name} cannot be read off the inputs")
        return lines

    def _lines(self, body: Body, results: Sequence[Expr]) -> list[str]:
        lines = []
        for line in body.lines:
            s = line.statement
            code = f"{s.name} = {line.code.text}"
            lines.append(_commented(code, self._comments(line)))
        return lines

    def _comments(self, line: Line) -> list[str]:
        """From the fullest to the shortest."""
        s = line.statement
        shape = _shown(s.node.shape).strip()
        of = f"d{self.output}/d{s.of}" if s.of else ""
        formula = self.text(line.mathematics)
        full = f"{of} = {formula}" if of else formula
        return [f"{shape}  {full}".strip(), f"{shape}  {of}".strip(), shape]

    def _returned(self, body: Body, y: Expr, grads: dict[str, Expr]) -> list[str]:
        loss = f"float({body.code_of(y)})"
        if not grads:
            return [f"return {loss}"]
        entries = []
        kind = "Array" if any(n.shape for n in grads.values()) else "float"
        for name, node in grads.items():
            code = body.code_of(node)
            if not node.shape:
                code = f"float({code})" if kind == "float" else f"np.asarray({code}, {body._expressions.dtype})"
            entries.append(f"{_quoted(name)}: {code}")
        return _wrapped(f"return {loss}, {{", entries, "}")


def _quoted(name: str) -> str:
    return f'"{name}"'


def _tuple(items: Sequence[str]) -> str:
    return f"({', '.join(items)}{',' if len(items) == 1 else ''})"


def _shown(shape: Shape) -> str:
    return f"  ({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})" if shape else ""


def _commented(code: str, comments: Sequence[str]) -> str:
    for comment in comments:
        if comment and len(code) + len(comment) + 8 <= _WIDTH:
            return f"{code}  # {comment}"
    return code


def _signature(name: str, arguments: Sequence[str], result: str) -> list[str]:
    line = f"def {name}({', '.join(arguments)}) -> {result}:"
    if len(line) <= _WIDTH:
        return [line]
    middle = f"    {', '.join(arguments)}"
    if len(line) > 100 and len(middle) <= _WIDTH:
        return [f"def {name}(", middle, f") -> {result}:"]
    return [f"def {name}(", *(f"    {a}," for a in arguments), f") -> {result}:"]


def _wrapped(head: str, entries: Sequence[str], tail: str) -> list[str]:
    line = head + ", ".join(entries) + tail
    if len(line) + 4 <= _WIDTH:
        return [line]
    return [head, *(f"    {e}," for e in entries), tail]
