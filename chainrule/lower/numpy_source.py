"""A schedule as a readable NumPy module: value and derivatives, nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from chainrule.core.errors import UsageError
from chainrule.core.expr import Apply, Expr
from chainrule.core.shape import Dim, Shape, affine
from chainrule.lower.formulas import Formulas, Text
from chainrule.lower.helpers import helper_texts
from chainrule.lower.identifiers import Identifiers
from chainrule.lower.numpy_expression import dimension_code
from chainrule.lower.numpy_lines import KINDS, RESERVED, Body, Line, is_view
from chainrule.lower.python_layout import (
    WIDTH,
    commented,
    filled_lines,
    quoted,
    signature,
    text_lines,
    tuple_text,
    wrapped,
)
from chainrule.lower.schedule import Names, Schedule

__all__ = ["RESERVED", "Module"]
_BESIDE = WIDTH - 8  # letters of a line and its comment, behind it
_SMALL = 64  # an array with an axis this short is not worth a line that frees it
_WORD = re.compile(r"(?<![.\w])\w+(?!=|\w)")
_IN_PLACE = re.compile(r"np\.(?:exp|tanh|maximum|log|sqrt|sin|cos)\((\w+)(?:, 0)?\)")


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
        dtype: `float32`, `float64`, or empty: as the arrays come.
    """

    def __init__(self, schedule: Schedule, text: Text, dtype: str) -> None:
        self.schedule = schedule
        self._made = Formulas(text)
        self.dtype = dtype
        symbols = schedule.lowered.inputs
        dims = [n for s in symbols for d in s.shape for n in affine(d) if n]
        self.names = Names(schedule, RESERVED)
        self._dimensions = {name: self.names.fresh(name) for name in dict.fromkeys(dims)}
        self.inputs = {s.name: self.names.of[s] for s in symbols}
        self.arrays = {self.names.of[s]: s.shape for s in symbols if s.shape}
        self.scalars = [self.names.of[s] for s in symbols if not s.shape]
        safe = Identifiers(RESERVED)
        self._heads = {
            name: self.names.given.get(node) or safe.fresh(name)
            for name, node in schedule.outputs.items()
        }
        self.output = ", ".join(self._heads.values())
        self.mode = schedule.lowered.mode
        self.name, self._results, _ = KINDS[self.mode]
        self._dtype = f"np.{dtype}" if dtype else "dtype" if self.arrays else "np.float64"

    def write(self) -> list[str]:
        """The text of the module, in parts: its head, and each function."""
        schedule = self.schedule
        scalar = not any(node.shape for node in schedule.outputs.values())
        value = "float" if scalar and len(schedule.outputs) == 1 else "Array"
        kind = "float" if value == "float" and not self.arrays else "Array"
        what = f"{self.output} and {KINDS[self.mode][2]}"
        derived = self._function(
            self.name, schedule.order, schedule.results,
            f"tuple[{value}, dict[str, {kind}]]", f"The value of {what}.",
        )  # fmt: skip
        forward = schedule.order[: schedule.forward]
        plain = self._function("value", forward, {}, value, f"The value of {self.output}.")
        helpers = helper_texts([plain, derived])
        head = self._head(helpers, "Array" in (value, kind))
        return [f"{head}\n\n", f"{plain}\n\n", derived]

    def _head(self, helpers: Sequence[str], arrays: bool) -> str:
        lines = ['"""Values and derivatives, in NumPy alone; made by chainrule."""', ""]
        if helpers:
            lines += ["from typing import Any", ""]
        lines.append("import numpy as np")
        kind = f"  # of np.{self.dtype}" if self.dtype else ""
        if arrays or self.arrays:
            lines += ["from numpy.typing import NDArray", ""]
            lines.append(f"Array = NDArray[np.floating]{kind}")
        if self.arrays:
            entries = [
                " ".join([a, *(self._dim(d).replace(" ", "") for d in shape)])
                for a, shape in self.arrays.items()
            ]
            lines += text_lines("SHAPES = ", entries)
            labels = [self.inputs[n] for n in self.schedule.lowered.labels]
            wrong = f"a.dtype != np.{self.dtype}" if self.dtype else 'a.dtype.kind != "f"'
            if labels:
                wrong = f"({wrong} and name not in {tuple_text([quoted(n) for n in labels])})"
            dtype = f"{self.dtype} " if self.dtype else ""
            lines += ["", _CHECK.format(wrong=wrong, dtype=dtype).rstrip()]
        if self.arrays and helpers:
            lines.append("\n")
        elif helpers:
            lines.append("" if helpers[0].startswith("ERF") else "\n")
        lines.append("\n\n\n".join(helpers))
        return "\n".join(lines).rstrip() + "\n"

    def _dim(self, dim: Dim) -> str:
        return str(dim) if isinstance(dim, int) else dimension_code(dim, self._dimensions)

    def _function(
        self, name: str, order: Sequence[Apply], grads: Mapping[str, Expr],
        result: str, title: str,
    ) -> str:  # fmt: skip
        ys = [*self.schedule.outputs.values()]
        targets = self._targets(grads)
        body = Body(self.schedule, self._dtype, self.names, self._dimensions, targets, self._made)
        last = ys[0] if not grads and len(ys) == 1 and not ys[0].shape else None
        body.run(order, [*ys, *grads.values()], last)
        scalar = "float | np.float32" if self.dtype == "float32" else "float"
        arguments = [
            f"{a}: {'Array' if a in self.arrays else scalar}" for a in self.inputs.values()
        ]
        after = self._lines(body, [*ys, *grads.values()], bool(grads))
        after += self._returned(body, ys, grads, targets)
        words: set[str] = set()
        if body.dimensions.used or self._dtype == "dtype":
            code = [line.partition("  #")[0] for line in after if not line.startswith("#")]
            words = {word for line in code for word in _WORD.findall(line)}
        inside = self._checks(body, words)
        if targets:
            inside.append(f"{self._results}: dict[str, Array] = {{}}")
        inside += after
        lines = signature(name, arguments, result) + self._docstring(title, body, grads)
        return "\n".join(lines) + "\n    " + "\n    ".join(inside) + "\n"

    def _targets(self, grads: Mapping[str, Expr]) -> dict[Expr, str]:
        """Where results are put, if they are too many to be listed at the end."""
        line = "return float(), {" + ", ".join(f'"{n}": {self.inputs[n]}_bar' for n in grads) + "}"
        if len(line) + len(self.output) + 4 <= WIDTH or not self.arrays:
            return {}
        if self.mode == "jacobian":
            return {}
        made = set(self.schedule.order).difference(self.schedule.called)
        return {
            node: f"{self._results}[{quoted(n)}]" for n, node in reversed([*grads.items()])
            if node.shape and node in made
        }  # fmt: skip

    def _checks(self, body: Body, words: set[str]) -> list[str]:
        """Shapes, dtypes, and the sizes that the body needs."""
        lines = []
        needed = [d for d in body.dimensions.used if self._dimensions[d] in words]
        if self.arrays:
            call = wrapped("check(", list(self.arrays), ")")
            if len(needed) == 1 and any(needed[0] in shape for shape in self.arrays.values()):
                name = self._dimensions[needed[0]]
                call[0] = f"{name} = {call[0]}"
                call[-1] += f"[{quoted(name)}]"
                if len(call) == 1 and len(call[0]) + 4 > WIDTH:
                    call = wrapped(f"{name} = check(", list(self.arrays), f")[{quoted(name)}]", 0)
                needed = []
            elif needed:
                call[0] = f"sizes = {call[0]}"
                if len(call) == 1 and len(call[0]) + 4 > WIDTH:
                    call = wrapped("sizes = check(", list(self.arrays), ")", 0)
            lines += call
        for dim in needed:
            lines.append(f"{self._dimensions[dim]} = {self._size(dim)}")
        if self._dtype == "dtype" and ("dtype" in words or self.scalars):
            lines.append(f"dtype = np.result_type({', '.join(self.arrays)}).type")
        for scalar in self.scalars:
            lines.append(f"{scalar} = {self._dtype}({scalar})")
        return lines

    def _shape(self, shape: Shape) -> str:
        return tuple_text([self._dim(d) for d in shape]) if shape else ""

    def _size(self, dim: str) -> str:
        for shape in self.arrays.values():
            if dim in shape:
                return f'sizes["{self._dimensions[dim]}"]'
        raise UsageError(f"the size of {dim} cannot be read off the inputs")

    def _docstring(self, title: str, body: Body, grads: Mapping[str, Expr]) -> list[str]:
        made: dict[Expr, Line] = {line.node: line for line in body.lines}
        inner = []
        for name, node in grads.items():
            if node in made and made[node].batched:
                formula = made[node].code
                if body.code_of(node).diagonal:
                    formula = f"np.diag({formula})"
            elif node in made:
                formula = self._made.written(made[node].mathematics)
            else:
                formula = body.code_of(node).text
            inner.append(f"{self._derivative(self.inputs[name], made.get(node))} = {formula}")
        if not inner:
            return [f'    """{title}"""']
        return [f'    """{title}', "", *filled_lines(inner), '    """']

    def _derivative(self, by: str, line: Line | None) -> str:
        """`dL/dW`; of a Hessian times a direction, `dL_dot/dW`."""
        head = ""
        if line is not None and line.node in self.schedule.of:
            head = self.schedule.heads.get(line.node, self.schedule.head)
        output = self.output if len(self.schedule.outputs) == 1 else f"({self.output})"
        if head and head not in self._heads:
            head = f"{output}_dot"
        return f"d{self._heads.get(head, head) or output}/d{by}"

    def _lines(self, body: Body, results: Sequence[Expr], frees: bool) -> list[str]:
        """The assignments; `frees`: with lines that give back the memory of large matrices."""
        last: dict[Expr, int] = {}
        for i, line in enumerate(body.lines):
            for a in line.reads:
                last[a] = i
        owned = {line.node for line in body.lines if line.node.shape and _is_large(line.node)}
        if owned:
            owned.difference_update(results)
            for line in body.lines:
                if is_view(line.node):
                    owned.difference_update((line.node, *line.reads))
        lines: list[str] = []
        dead: list[str] = []
        for i, line in enumerate(body.lines):
            node, code = line.node, line.code
            ends: Sequence[Expr] = ()
            if owned:
                ends = [a for a in line.reads if a in owned and last[a] == i]
                if len(ends) == 1 and ends[0].shape == node.shape:
                    called = _IN_PLACE.fullmatch(code)
                    if called and self.names.of[ends[0]] == called[1]:
                        code = f"{code[:-1]}, out={called[1]})"
                        ends = ()
                if dead and _is_large(node):
                    lines.append(f"del {', '.join(dead)}")
                    dead = []
            code = f"{line.target} = {code}"
            comments = self._comments(line, body)
            if len(code) + len(comments[0]) <= _BESIDE:
                lines.append(f"{code}  # {comments[0]}")
            else:
                lines += commented(code, comments)
            if frees:
                dead += [self.names.of[a] for a in ends]
        return lines

    def _comments(self, line: Line, body: Body) -> list[str]:
        """From the fullest to the shortest."""
        if line.batched:
            return self._batched_comments(line, body)
        shape = self._shape(line.node.shape)
        formula = self._made.written(line.mathematics)
        lead = f"{shape}  " if shape else ""
        of = self._called(line.node, body)
        if not of:
            return [f"{lead}{formula}", shape]
        by = self._derivative(of, line)
        return [f"{lead}{by} = {formula}", f"{lead}{by}", shape]

    def _batched_comments(self, line: Line, body: Body) -> list[str]:
        """Of the rows of a Jacobian together: their shape, and what they are."""
        outputs = list(self.schedule.outputs.values())
        rows = outputs[0].shape if len(outputs) == 1 else (len(outputs),)
        front = " * ".join(self._dim(d) for d in rows)
        shape = tuple_text([front, *(self._dim(d) for d in line.node.shape)])
        if body.code_of(line.node).diagonal:
            shape = f"diagonal of {shape}"
        of = self._called(line.node, body)
        return [f"{shape}  {self._derivative(of, line)}", shape] if of else [shape]

    def _called(self, node: Expr, body: Body) -> str:
        """What it is the derivative by: a name or a formula; empty where no line has it."""
        of = self.schedule.of.get(node)
        if of is None:
            return ""
        name = self.names.of.get(of)
        if name is None:
            formula = body.formula(of)
            return "" if formula is None else f"({self._made.written(formula)})"
        return name

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
        made = body.formula(ys[0])
        if not grads and value.startswith("float(") and made is not None:
            formula = self._made.written(made)
            return commented(f"return {value}", [f"{self.output} = {formula}", formula])
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
            if code != f"{self._results}[{quoted(name)}]":
                entries[quoted(name)] = code
        if targets:
            put = [f"{self._results}[{n}] = {code}" for n, code in entries.items()]
            return [*put, f"return {value}, {self._results}"]
        return wrapped(f"return {value}, {{", [f"{n}: {code}" for n, code in entries.items()], "}")

    def _result(self, body: Body, name: str, node: Expr, ys: Sequence[Expr]) -> str:
        """A derivative in its full shape."""
        code = body.code_of(node)
        if self.mode == "jacobian" and (ys[0].shape or len(ys) > 1):
            (variable,) = (s for s in self.schedule.lowered.inputs if s.name == name)
            axes = [str(len(ys))] if len(ys) > 1 else [body.dimensions.code(d) for d in ys[0].shape]
            shape = ", ".join([*axes, *(body.dimensions.code(d) for d in variable.shape)])
            if not code.batched:
                return f"np.zeros(({shape},), {self._dtype})"
            return f"{code.text}.reshape({shape})" if len(ys[0].shape) == 2 else code.text
        if node.shape:
            return code.text
        return f"np.asarray({code.text}, {self._dtype})" if self.arrays else f"float({code.text})"


def _is_large(node: Expr) -> bool:
    return len(node.shape) == 2 and not any(isinstance(d, int) and d <= _SMALL for d in node.shape)
