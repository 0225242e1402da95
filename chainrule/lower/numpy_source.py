"""A schedule as a readable NumPy module: value and derivatives, nothing else.

Statements as a textbook writes them: what is used once stands where it is used, what has a
name in the program or in its derivation keeps a line of its own.
"""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from chainrule.core import arrays
from chainrule.core.errors import UsageError
from chainrule.core.expr import Apply, Const, Expr, Sym, apply, symbol
from chainrule.core.shape import Dim, Shape, affine
from chainrule.lower.helpers import helper_texts
from chainrule.lower.identifiers import Identifiers
from chainrule.lower.numpy_code import Code, repeated
from chainrule.lower.numpy_expression import Expressions, dimension_code, literal
from chainrule.lower.private import BASIS, COLUMN, FLAT
from chainrule.lower.schedule import Schedule, Statement

_WIDTH = 88
_LONGEST = 66  # of an expression that has parts written in place
_MOST_OPERATIONS = 6
_SMALL = 64  # an array with an axis this short is not worth a line that frees it
_KINDS = {
    "gradient": ("value_and_grad", "grads", "its gradient"),
    "jacobian": ("value_and_jacobian", "jacobian", "its Jacobian"),
    "hvp": ("value_and_hvp", "products", "its Hessian times the direction"),
}
RESERVED = (
    "np", "Any", "Array", "SHAPES", "check", "sizes", "dtype", "value",
    *(name for kind in _KINDS.values() for name in kind[:2]),
)  # fmt: skip

Text = Callable[[Expr], str]


_WORD = re.compile(r"\w+")
_SHARED = re.compile(r"\w+(\.T)?")
_IN_PLACE = re.compile(r"np\.(?:exp|tanh|maximum|log|sqrt|sin|cos)\((\w+)(?:, 0)?\)")


class Line(NamedTuple):
    """An assignment: what it reads are nodes that have lines or are inputs."""

    target: str
    statement: Statement
    code: Code
    reads: tuple[Expr, ...]
    mathematics: Expr


class _Part(NamedTuple):
    """A statement that has no line yet."""

    statement: Statement
    code: Code
    reads: tuple[Expr, ...]
    mathematics: Expr


class Names:
    """What the code calls nodes; an unnamed one gets its number when it gets a line."""

    def __init__(self, schedule: Schedule, dimensions: Iterable[str]) -> None:
        self._identifiers = Identifiers(RESERVED)
        fresh = self._identifiers.fresh
        self.of: dict[Expr, str] = {s: fresh(s.name) for s in schedule.lowered.inputs}
        self._given = {s.node: fresh(s.name) for s in schedule.statements if s.named}
        self.dimensions = {name: fresh(name) for name in dimensions}

    def name(self, s: Statement) -> str:
        """The name of a statement that gets a line now."""
        if s.node not in self.of:
            if s.node in self._given:
                found = self._given[s.node]
            elif s.of in self.of:
                found = self._identifiers.fresh(f"{self.of[s.of]}_bar")
            elif s.base in self.of:
                found = self._identifiers.fresh(f"{self.of[s.base]}_{s.suffix}")
            else:
                found = self._identifiers.numbered("u" if s.stage == "forward" else "t")
            self.of[s.node] = found
        return self.of[s.node]


class Body:
    """The statements of one function, as lines.

    Attributes:
        lines: in order.
        dimensions: the named dimensions that the lines use.
    """

    def __init__(
        self, schedule: Schedule, dtype: str, names: Names, targets: Mapping[Expr, str]
    ) -> None:
        self.schedule = schedule
        self.lines: list[Line] = []
        self.dimensions: dict[str, None] = {}
        self._names = names
        self._targets = targets  # results that are put where they belong
        self._expressions = Expressions(dtype, self.dimension)
        self._parts: dict[Expr, _Part] = {}  # written in place, or not yet at all
        self.formulas: dict[Expr, Expr] = {}  # over names of lines
        self._tests: set[Expr] = set()
        self._aliases: set[Expr] = set()  # another name for an array, or a transpose
        self._batched: dict[Expr, bool] = {}  # and whether its line has the diagonal only
        self._wanted: set[Expr] = set()
        self._inputs = {s.name for s in schedule.lowered.inputs}

    def _is_size(self, node: Expr) -> bool:
        return isinstance(node, Sym) and node.name not in self._inputs

    def _name(self, node: Expr) -> str:
        return self._targets.get(node) or self._names.of[node]

    def dimension(self, dim: Dim) -> str:
        self.dimensions.update(dict.fromkeys(name for name in affine(dim) if name))
        return dimension_code(dim, self._names.dimensions)

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
            self.formulas[s.node] = part.mathematics
            if not self._may_wait(part, uses[s.node], s.node in wanted):
                self._emit(s.node)

    def _may_wait(self, part: _Part, uses: int, wanted: bool) -> bool:
        """Whether it is written where it is used, rather than on a line of its own."""
        if part.code.diagonal == "1":
            return True
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
                    if not codes[-1].python:
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
                    return _Part(
                        s, code, tuple(dict.fromkeys(reads)), self._formula_of(s, formulas)
                    )
                self._emit(max(waiting, key=lambda a: self._parts[a].code.operations))

    def _formula_of(self, s: Statement, formulas: Sequence[Expr]) -> Expr:
        """What the statement computes, over names: of a softmax the softmax."""
        whole = self.schedule.wholes.get(s.node)
        if whole is None:
            return _apply(s.node, formulas)
        args = [self.formulas.get(a) if a in self._parts else self._formula(a) for a in whole[1]]
        known = [a for a in args if a is not None]
        return apply(whole[0], *known) if len(known) == len(args) else _apply(s.node, formulas)

    def _emit(self, node: Expr) -> None:
        part = self._parts.pop(node)
        code = self._expressions.number(part.code) if node in self._wanted else part.code
        if code.test:
            self._tests.add(node)
        if code.batched:
            diagonal = code.diagonal not in ("", "1")
            self._batched[node] = diagonal
            if diagonal:
                code = Code(code.diagonal, code.binds, batched=True)
        if _SHARED.fullmatch(code.text) and not self._batched.get(node):
            self._aliases.add(node)
        target = self._targets.get(node) or self._names.name(part.statement)
        self.lines.append(Line(target, part.statement, code, part.reads, part.mathematics))

    def _leaf(self, node: Expr) -> Code:
        if isinstance(node, Const):
            return literal(node)
        if isinstance(node, Sym) and self._is_size(node):
            return Code(self.dimension(node.name), python=True)
        name = self._name(node)
        if node in self._batched:
            if self._batched[node]:
                return Code(f"np.diag({name})", batched=True, diagonal=name)
            return Code(name, batched=True)
        return Code(name, test=node in self._tests)

    def _formula(self, node: Expr) -> Expr:
        if isinstance(node, Const) or (isinstance(node, Sym) and self._is_size(node)):
            return node
        return symbol(self._name(node), node.shape)

    def is_shared(self, node: Expr) -> bool:
        """Whether it is an input, or may look into the memory of one."""
        return not isinstance(node, Apply) or node.op.name in _VIEWS or node in self._aliases

    def code_of(self, node: Expr) -> Code:
        """A result: its name, or a constant."""
        part = self._parts.get(node)
        return part.code if part is not None else self._leaf(node)


_VIEWS = frozenset({"transpose", "index", "slice", "column", "flat"})


def _is_view(node: Apply) -> bool:
    return node.op is COLUMN or node.op is FLAT or (node.op.name == "transpose")


def _apply(node: Apply, formulas: Sequence[Expr]) -> Expr:
    return formulas[0] if node.op is FLAT else apply(node.op, *formulas)


_CHECK = '''
def check(*arrays: Array) -> dict[str, int]:
    """The sizes of the dimensions; what does not fit SHAPES is refused by its name."""
    sizes: dict[str, int] = {{}}
    for (name, *dims), a in zip(map(str.split, SHAPES.split(",")), arrays, strict=True):
        for dim, size in zip(dims, a.shape, strict=False):
            sizes.setdefault(dim, int(dim) if dim.isdigit() else size)
        if {wrong} or [*a.shape] != [sizes.get(dim) for dim in dims]:
            raise ValueError(f"{{name}}: {{a.dtype}} {{a.shape}}, not {dtype}{{dims}} {{sizes}}")
    return sizes
'''


class Module:
    """Writes the module of a schedule.

    Attributes:
        text: how a formula is written in comments.
        dtype: `float32`, `float64`, or empty: as the arrays come.
    """

    def __init__(self, schedule: Schedule, text: Text, dtype: str) -> None:
        self.schedule = schedule
        self.text = _remembering(text)
        self.dtype = dtype
        symbols = schedule.lowered.inputs
        dims = [n for s in symbols for d in s.shape for n in affine(d) if n]
        self.names = Names(schedule, dict.fromkeys(dims))
        self.inputs = {s.name: self.names.of[s] for s in symbols}
        self.arrays = {self.names.of[s]: s.shape for s in symbols if s.shape}
        self.scalars = [self.names.of[s] for s in symbols if not s.shape]
        self.output = ", ".join(schedule.outputs)
        self.mode = schedule.lowered.mode
        self.name, self._results, _ = _KINDS[self.mode]
        self._dtype = f"np.{dtype}" if dtype else "dtype" if self.arrays else "np.float64"

    def write(self) -> str:
        """The text of the module."""
        schedule = self.schedule
        forward = [s for s in schedule.statements if s.stage == "forward"]
        scalar = not any(node.shape for node in schedule.outputs.values())
        value = "float" if scalar and len(schedule.outputs) == 1 else "Array"
        kind = "float" if value == "float" and not self.arrays else "Array"
        what = f"{self.output} and {_KINDS[self.mode][2]}"
        derived = self._function(
            self.name, schedule.statements, schedule.results,
            f"tuple[{value}, dict[str, {kind}]]", f"The value of {what}.",
        )  # fmt: skip
        plain = self._function("value", forward, {}, value, f"The value of {self.output}.")
        helpers = helper_texts([plain, derived])
        return "\n\n".join([self._head(helpers, "Array" in derived), plain, derived])

    def _head(self, helpers: Sequence[str], arrays: bool) -> str:
        lines = ['"""Values and derivatives, in NumPy alone; made by chainrule."""', ""]
        if helpers:
            lines += ["from typing import Any", ""]
        lines.append("import numpy as np")
        kind = f"  # of np.{self.dtype}" if self.dtype else ""
        if arrays and not self.arrays:
            lines += ["", f"Array = np.typing.NDArray[np.floating]{kind}"]
        if self.arrays:
            lines += ["", f"Array = np.typing.NDArray[np.floating]{kind}"]
            entries = [
                " ".join([a, *(self._dim(d).replace(" ", "") for d in shape)])
                for a, shape in self.arrays.items()
            ]
            lines += _text_lines("SHAPES = ", entries)
            wrong = f"a.dtype != np.{self.dtype}" if self.dtype else 'a.dtype.kind != "f"'
            lines += [
                "",
                _CHECK.format(wrong=wrong, dtype=f"{self.dtype} " if self.dtype else "").rstrip(),
            ]
        if self.arrays and helpers:
            lines.append("\n")
        elif helpers:
            lines.append("" if helpers[0].startswith("ERF") else "\n")
        lines.append("\n\n\n".join(helpers))
        return "\n".join(lines).rstrip() + "\n"

    def _dim(self, dim: Dim) -> str:
        return str(dim) if isinstance(dim, int) else dimension_code(dim, self.names.dimensions)

    def _function(
        self, name: str, statements: Iterable[Statement], grads: Mapping[str, Expr],
        result: str, title: str,
    ) -> str:  # fmt: skip
        ys = [*self.schedule.outputs.values()]
        targets = self._targets(grads)
        body = Body(self.schedule, self._dtype, self.names, targets)
        body.run(statements, [*ys, *grads.values()])
        scalar = "float | np.float32" if self.dtype == "float32" else "float"
        arguments = [
            f"{a}: {'Array' if a in self.arrays else scalar}" for a in self.inputs.values()
        ]
        after = self._lines(body, [*ys, *grads.values()], bool(grads))
        after += self._returned(body, ys, grads, targets)
        words = {w for line in after for w in _WORD.findall(line.partition("  #")[0])}
        inside = self._checks(body, words)
        if targets:
            inside.append(f"{self._results}: dict[str, Array] = {{}}")
        inside += after
        lines = _signature(name, arguments, result) + self._docstring(title, body, grads)
        return "\n".join([*lines, *("    " + line for line in inside)]) + "\n"

    def _targets(self, grads: Mapping[str, Expr]) -> dict[Expr, str]:
        """Where results are put, if they are too many to be listed at the end."""
        line = "return float(), {" + ", ".join(f'"{n}": {self.inputs[n]}_bar' for n in grads) + "}"
        if len(line) + len(self.output) + 4 <= _WIDTH or not self.arrays:
            return {}
        if self.mode == "jacobian":
            return {}
        made = {s.node for s in self.schedule.statements if not s.named}
        return {
            node: f"{self._results}[{_quoted(n)}]" for n, node in reversed(grads.items())
            if node.shape and node in made
        }  # fmt: skip

    def _checks(self, body: Body, words: set[str]) -> list[str]:
        """Shapes, dtypes, and the sizes that the body needs."""
        lines = []
        needed = [d for d in body.dimensions if self.names.dimensions[d] in words]
        if self.arrays:
            call = _wrapped("check(", list(self.arrays), ")")
            if len(needed) == 1 and any(needed[0] in shape for shape in self.arrays.values()):
                name = self.names.dimensions[needed[0]]
                call[0] = f"{name} = {call[0]}"
                call[-1] += f"[{_quoted(name)}]"
                if len(call) == 1 and len(call[0]) + 4 > _WIDTH:
                    call = _wrapped(f"{name} = check(", list(self.arrays), f")[{_quoted(name)}]", 0)
                needed = []
            elif needed:
                call[0] = f"sizes = {call[0]}"
                if len(call) == 1 and len(call[0]) + 4 > _WIDTH:
                    call = _wrapped("sizes = check(", list(self.arrays), ")", 0)
            lines += call
        for dim in needed:
            lines.append(f"{self.names.dimensions[dim]} = {self._size(dim)}")
        if self._dtype == "dtype" and ("dtype" in words or self.scalars):
            lines.append(f"dtype = np.result_type({', '.join(self.arrays)}).type")
        for scalar in self.scalars:
            lines.append(f"{scalar} = {self._dtype}({scalar})")
        return lines

    def _size(self, dim: str) -> str:
        for shape in self.arrays.values():
            if dim in shape:
                return f'sizes["{self.names.dimensions[dim]}"]'
        raise UsageError(f"the size of {dim} cannot be read off the inputs")

    def _docstring(self, title: str, body: Body, grads: Mapping[str, Expr]) -> list[str]:
        made = {line.statement.node: line for line in body.lines}
        inner = []
        for name, node in grads.items():
            if node in made and made[node].code.batched:
                formula = made[node].code.text
                if body.code_of(node).diagonal:
                    formula = f"np.diag({formula})"
            elif node in made:
                formula = self.text(made[node].mathematics)
            else:
                formula = body.code_of(node).text
            inner.append(f"{self._derivative(self.inputs[name], made.get(node))} = {formula}")
        if not inner:
            return [f'    """{title}"""']
        return [f'    """{title}', "", *_filled_lines(inner), '    """']

    def _derivative(self, by: str, line: Line | None) -> str:
        """`dL/dW`; of a Hessian times a direction, `dL_dot/dW`."""
        head = line.statement.head if line is not None else ""
        output = self.output if len(self.schedule.outputs) == 1 else f"({self.output})"
        return f"d{head or output}/d{by}"

    def _lines(self, body: Body, results: Sequence[Expr], frees: bool) -> list[str]:
        """The assignments; `frees`: with lines that give back the memory of large matrices."""
        last: dict[Expr, int] = {}
        for i, line in enumerate(body.lines):
            last.update(dict.fromkeys(line.reads, i))
        owned = {line.statement.node for line in body.lines if not _is_view(line.statement.node)}
        viewed = {a for line in body.lines if _is_view(line.statement.node) for a in line.reads}
        owned -= {*results, *viewed}
        lines: list[str] = []
        dead: list[str] = []
        for i, line in enumerate(body.lines):
            node = line.statement.node
            ends = [a for a in line.reads if a in owned and last[a] == i and _is_large(a)]
            code = line.code.text
            called = _IN_PLACE.fullmatch(code)
            if called and len(ends) == 1 and self.names.of[ends[0]] == called[1]:
                if ends[0].shape == node.shape:
                    code = f"{code[:-1]}, out={called[1]})"
                    ends = []
            if dead and _is_large(node):
                lines.append(f"del {', '.join(dead)}")
                dead = []
            lines.append(_commented(f"{line.target} = {code}", self._comments(line, body)))
            if frees:
                dead += [self.names.of[a] for a in ends]
        return lines

    def _comments(self, line: Line, body: Body) -> list[str]:
        """From the fullest to the shortest."""
        s = line.statement
        if line.code.batched:
            return self._batched_comments(line, body)
        shape = _shown(s.node.shape)
        formula = self.text(line.mathematics)
        if s.of is None:
            return [f"{shape}  {formula}".strip(), shape]
        of = self.names.of.get(s.of)
        by = self._derivative(of or f"({self.text(body.formulas[s.of])})", line)
        return [f"{shape}  {by} = {formula}".strip(), f"{shape}  {by}".strip(), shape]

    def _batched_comments(self, line: Line, body: Body) -> list[str]:
        """Of the rows of a Jacobian together: their shape, and what they are."""
        s, outputs = line.statement, list(self.schedule.outputs.values())
        axes = outputs[0].shape if len(outputs) == 1 else (len(outputs),)
        if len(axes) == 2:
            axes = (f"{axes[0]}*{axes[1]}",)
        diagonal = bool(body.code_of(s.node).diagonal)
        shape = (
            f"diagonal of {_shown((*axes, *s.node.shape))}"
            if diagonal
            else _shown((*axes, *s.node.shape))
        )
        if s.of is None:
            return [shape]
        of = self.names.of.get(s.of) or f"({self.text(body.formulas[s.of])})"
        return [f"{shape}  {self._derivative(of, line)}", shape]

    def _returned(
        self, body: Body, ys: Sequence[Expr], grads: Mapping[str, Expr],
        targets: Mapping[Expr, str],
    ) -> list[str]:  # fmt: skip
        codes = [body.code_of(y).text for y in ys]
        if len(ys) > 1:
            value = f"np.array([{', '.join(codes)}], {self._dtype})"
        elif ys[0].shape:
            value = f"np.array({codes[0]})" if body.is_shared(ys[0]) else codes[0]
        else:
            value = f"float({codes[0]})"
        if not grads:
            array = len(ys) == 1 and ys[0].shape and not body.is_shared(ys[0])
            return [f"return np.asarray({value})" if array else f"return {value}"]
        entries = {}
        seen: set[Expr] = set()
        for name, node in grads.items():
            code = self._result(body, name, node, ys)
            if node.shape and (node in seen or body.is_shared(node)):
                code = f"{code}.copy()"
            seen.add(node)
            if code != f"{self._results}[{_quoted(name)}]":
                entries[_quoted(name)] = code
        if targets:
            made = [f"{self._results}[{n}] = {code}" for n, code in entries.items()]
            return [*made, f"return {value}, {self._results}"]
        return _wrapped(f"return {value}, {{", [f"{n}: {code}" for n, code in entries.items()], "}")

    def _result(self, body: Body, name: str, node: Expr, ys: Sequence[Expr]) -> str:
        """A derivative in its full shape."""
        code = body.code_of(node)
        if self.mode == "jacobian" and (ys[0].shape or len(ys) > 1):
            (variable,) = (s for s in self.schedule.lowered.inputs if s.name == name)
            axes = [str(len(ys))] if len(ys) > 1 else [body.dimension(d) for d in ys[0].shape]
            shape = ", ".join([*axes, *(body.dimension(d) for d in variable.shape)])
            if not code.batched:
                return f"np.zeros(({shape},), {self._dtype})"
            return f"{code.text}.reshape({shape})" if len(ys[0].shape) == 2 else code.text
        if node.shape:
            return code.text
        return f"np.asarray({code.text}, {self._dtype})" if self.arrays else f"float({code.text})"


def _remembering(text: Text) -> Text:
    """The text of a formula, made once; of a sum or product of two names without a detour."""
    known: dict[Expr, str] = {}

    def remembered(formula: Expr) -> str:
        found = known.get(formula)
        if found is None:
            plain = len(formula.args) == 2 and all(isinstance(a, Sym) for a in formula.args)
            sign = _PLAIN.get(formula.op.name) if plain and formula.op is not None else None
            if sign is not None and not formula.shape:
                a, b = formula.args
                found = f"{a!r}{sign}{b!r}"
            else:
                found = text(formula)
            known[formula] = found
        return found

    return remembered


_PLAIN = {"add": " + ", "sub": " - ", "mul": "*", "div": "/"}


def _is_large(node: Expr) -> bool:
    return len(node.shape) == 2 and not any(isinstance(d, int) and d <= _SMALL for d in node.shape)


def _text_lines(head: str, entries: Sequence[str]) -> list[str]:
    """A text of entries with commas between them, over several lines where it is long."""
    line = f'{head}"{", ".join(entries)}"'
    if len(line) <= _WIDTH:
        return [line]
    lines = [""]
    for i, entry in enumerate(entries):
        piece = entry + (", " if i < len(entries) - 1 else "")
        if len(lines[-1]) + len(piece) + 6 > _WIDTH:
            lines.append("")
        lines[-1] += piece
    return [f"{head}(", *(f'    "{line}"' for line in lines), ")"]


def _filled_lines(entries: Sequence[str]) -> list[str]:
    """Entries with semicolons between them; a long one is broken at its spaces."""
    lines = [""]
    for entry in entries:
        joined = f"{lines[-1]}; {entry}" if lines[-1] else entry
        if len(joined) + 4 <= _WIDTH:
            lines[-1] = joined
        else:
            lines += textwrap.wrap(
                entry, _WIDTH - 4, subsequent_indent="    ", break_long_words=False,
                break_on_hyphens=False,
            )  # fmt: skip
    return ["    " + line for line in lines if line]


def _quoted(name: str) -> str:
    return f'"{name}"'


def _tuple(items: Sequence[str]) -> str:
    return f"({', '.join(items)}{',' if len(items) == 1 else ''})"


def _shown(shape: Shape) -> str:
    return _tuple([str(d) for d in shape]) if shape else ""


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


def _wrapped(head: str, entries: Sequence[str], tail: str, width: int = _WIDTH) -> list[str]:
    line = head + ", ".join(entries) + tail
    if len(line) + 4 <= width:
        return [line]
    return [head, *(f"    {e}," for e in entries), tail]
