"""The preallocated form as a module: `bind()` allocates, the step it returns writes there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from chainrule.lower.bound.memory import Layout, Parts
from chainrule.lower.bound.operands import Operands
from chainrule.lower.bound.page import check_lines, chunks, folded, header, listed, step_head
from chainrule.lower.bound.values import FREE, SMALL, UFUNCS, Value
from chainrule.lower.helpers import helper_texts
from chainrule.lower.python_layout import quoted

_SIGNS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**"}


@dataclass(frozen=True, slots=True)
class Plan:
    """What the module computes, and where.

    Attributes:
        dtype: of all arrays but masks and labels.
        inputs: by identifier, in the order of the signature.
        value: the output.
        results: its derivatives by name.
        parts: the calls in order.
        layout: where their results lie.
        rows, total: how many rows a block has, and all have.
        copied: whether each call returns arrays of its own.
    """

    dtype: str
    inputs: Mapping[str, Value]
    value: Value
    results: Mapping[str, Value]
    parts: Parts
    layout: Layout
    rows: int = 0
    total: int = 0
    copied: bool = False


class Module:
    """Writes the module of a plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._at = Operands(plan.layout, plan.inputs)

    def write(self) -> str:
        """The text of the module."""
        plan = self.plan
        body = self._statements(plan.parts.before)
        if plan.parts.inside:
            body += self._loop()
            body += self._statements(plan.parts.after)
        value = self._at.operand(plan.value)
        body.append(
            f"return {value if plan.value.shape else f'float({value})'}, {self._grads(body)}"
        )
        return "\n".join(self._page(body)) + "\n"

    # ---- calls

    def _call(self, value: Value, out: str) -> list[str]:
        """The statements that compute an array, into `out`."""
        op, args = value.op, value.args
        if op in UFUNCS:
            texts = [self._argument(a, value) for a in args]
            # The third position is deprecated for these two.
            texts.append(f"out={out}" if op in ("maximum", "minimum") else out)
            line = f"{self._at.function(op)}({', '.join(texts)})"
            if value.attrs == ("overflows",):
                return ['with np.errstate(over="ignore"):', f"    {line}"]
            return [line]
        if op == "dot":
            return [f"{self._at.operand(args[0])}.dot({self._at.operand(args[1])}, {out})"]
        if op == "reduce":
            call = f"{self._at.function(value.text)}.reduce"
            return [f"{call}({self._at.operand(args[0])}, {int(value.attrs[1])}, None, {out})"]
        if op == "copy":
            return [f"{self._at.function('copyto')}({out}, {self._at.operand(args[0])})"]
        if op == "where":
            copy = self._at.function("copyto")
            mask, yes, no = (self._at.operand(a) for a in args)
            first = [] if no == out else [f"{copy}({out}, {no})"]
            return [*first, f"{copy}({out}, {yes}, where={mask})"]
        return [f"{out}[...] = {self._written(value)}"]

    def _argument(self, a: Value, value: Value) -> str:
        """An operand; a number as the array that makes the call shortest."""
        if a.op not in ("const", "full") or a.size > value.size:
            return self._at.operand(a)
        number, shape = float(a.attrs[0]), value.shape
        if value.op in ("maximum", "minimum"):
            # Only with an array on both sides are these two vectorised.
            row = len(shape) == 2 and shape[1] >= 16 and value.size > SMALL
            return (
                self._at.constant(number, shape[1:])
                if row
                else self._at.constant(number, shape, any(value.rows))
            )
        if value.size <= SMALL:
            return self._at.constant(number, shape, any(value.rows))
        return self._at.constant(number, ())

    def _scalar(self, value: Value) -> str:
        """The expression of a scalar."""
        op, args = value.op, value.args
        if op in _SIGNS:
            a, b = (self._bracketed(x) for x in args)
            return f"{a}**{b}" if op == "power" else f"{a} {_SIGNS[op]} {b}"
        if op in UFUNCS:
            return f"{self._at.function(op)}({', '.join(self._at.operand(a) for a in args)})"
        if op == "dot" or (op == "vdot" and len(args[0].shape) == 1):
            return f"{self._at.operand(args[0])}.dot({self._at.operand(args[1])})"
        if op == "vdot":
            if all(a.op not in FREE for a in args):
                return f"{self._at.flat(args[0])}.dot({self._at.flat(args[1])})"
            a, b = (self._at.operand(x) for x in args)
            return f"{self._at.function('vdot')}({a}, {b})"
        if op == "sum":
            return f"{self._at.function('add')}.reduce({self._at.operand(args[0])}, None)"
        if op == "reduce":
            return f"{self._at.function(value.text)}.reduce({self._at.operand(args[0])}, None)"
        if op == "where":
            mask, yes, no = (self._at.operand(a) for a in args)
            return f"{yes} if {mask} else {no}"
        return f"dtype({self._at.operand(args[0])})" if op == "copy" else self._written(value)

    def _bracketed(self, value: Value) -> str:
        text = self._at.operand(value)
        return f"({text})" if text.startswith("-") else text

    def _written(self, value: Value) -> str:
        """A call as the readable form writes it."""
        text = value.text
        for place, a in zip(map(str, value.attrs[1:]), value.args, strict=True):
            text = text.replace(place, self._at.operand(a))
        return text

    def _statements(self, values: Iterable[Value], start: list[str] | None = None) -> list[str]:
        """The calls; in the loop, sums over rows are added up from what `start` sets."""
        lines: list[str] = []
        for value in values:
            if value.op in FREE:
                continue
            if start is not None and not any(value.rows):
                lines += self._summed(value, start)
            elif value.shape:
                out = self._at.operand(value)
                calls = self._call(value, out)
                if value.name and value.name != out:
                    calls[-1] += f"  # {value.name}"
                lines += calls
            else:
                text = self._scalar(value)
                name = self._at.names[value] = self._at.fresh(value)
                lines.append(f"{name} = {text}")
        return lines

    def _summed(self, value: Value, start: list[str]) -> list[str]:
        if not value.shape:
            text = self._scalar(value)
            name = self._at.names[value] = self._at.fresh(value)
            start.append(f"{name} = 0.0")
            return [f"{name} += {text}"]
        out = self._at.operand(value)
        part = self._at.reserve(self._at.ids.fresh(f"{out}_block"), f"np.empty_like({out})")
        start.append(f"{out}.fill(0.0)")
        return [*self._call(value, part), f"{self._at.function('add')}({out}, {part}, {out})"]

    def _loop(self) -> list[str]:
        for name, value in self.plan.inputs.items():
            if any(value.rows):
                inner = self._at.names[value] = self._at.ids.fresh(f"{name}_block")
                self._at.block[inner] = name
        start: list[str] = []
        inside = self._statements(self.plan.parts.inside, start)
        head = listed("for ", list(self._at.block), " in blocks:", 8, ("(", ")"))
        return [*start, *head, *(f"    {line}" for line in inside)]

    # ---- the module

    def _grads(self, body: list[str]) -> str:
        """The dictionary of results: the same one each time, where nothing is copied."""
        results = self.plan.results
        arrays = any(value.shape for value in self.plan.inputs.values())
        texts = {}
        for name, value in results.items():
            text = self._at.operand(value)
            if value.shape:
                texts[name] = f"{text}.copy()" if self.plan.copied else text
            else:
                texts[name] = f"np.asarray({text}, dtype)" if arrays else f"float({text})"
        entries = [f"{quoted(name)}: {text}" for name, text in texts.items()]
        if self.plan.copied:
            body += listed("results = {", entries, "}", 8)
            return "results"
        late = {n for n, value in results.items() if not value.shape}
        body += [f"grads[{quoted(name)}] = {texts[name]}" for name in texts if name in late]
        entries = [f"{quoted(n)}: {'None' if n in late else text}" for n, text in texts.items()]
        self._at.setup += listed("grads = {", entries, "}", 4)
        return "grads"

    def _page(self, body: Sequence[str]) -> list[str]:
        plan = self.plan
        arrays = [name for name, value in plan.inputs.items() if value.shape]
        kept = [f"{name}_seen" for name in arrays] + list(self._at.seen)
        if self._at.block:
            kept.append("blocks")
        helpers = helper_texts([*self._at.setup, *body])
        shapes = {name: self._total(value) for name, value in plan.inputs.items()}
        lines = header(plan.dtype, shapes, self._at.functions, bool(helpers))
        for helper in helpers:
            lines += ["", "", *helper.strip().split("\n")]
        lines += ["", "", "def bind():"]
        lines += ['    """Allocate; the results of a step lie in this memory until the next."""']
        lines += [f"    {line}" for text in self._at.setup for line in folded(text, 4)]
        if kept:
            lines += [f"    {line} = None" for line in chunks(kept, " = ", 11)]
            lines += ["", *self._look(arrays, kept)]
        lines += ["", *step_head(list(plan.inputs), arrays)]
        for name, value in plan.inputs.items():
            if not value.shape:
                lines.append(f"        {name} = dtype({name})")
        lines += [f"        {line}" for text in body for line in folded(text, 8)]
        return [*lines, "", "    return step", "", "", *check_lines()]

    def _look(self, arrays: Sequence[str], kept: Sequence[str]) -> list[str]:
        """The function that checks the inputs when they are new, and keeps views of them."""
        lines = [f"    {line}" for line in listed("def look(", arrays, "):", 4)]
        lines += ['        """Check the arrays; keep views of them."""']
        lines += [f"        nonlocal {line}" for line in chunks(kept, ", ", 17)]
        for name in arrays:
            value = self.plan.inputs[name]
            kind = "np.number" if value.kind == "int" else "dtype"
            lines += [f'        check("{name}", {name}, {self._total(value)}, {kind})']
        lines += [f"        {name} = {text}" for name, text in self._at.seen.items()]
        if self._at.block:
            given = {name: f"{name}[i : i + n]" for name in self.plan.inputs}
            parts = [given.get(whole, f"{whole}[:n]") for whole in self._at.block.values()]
            lines += ["        blocks = []"]
            lines += [f"        for i in range(0, {self.plan.total}, {self.plan.rows}):"]
            lines += [f"            n = min({self.plan.rows}, {self.plan.total} - i)"]
            single = "," if len(parts) == 1 else ""
            lines += [
                f"            {line}" for line in listed("block = (", parts, f"{single})", 12)
            ]
            lines += ["            blocks.append(block)"]
        return lines + [f"        {name}_seen = {name}" for name in arrays]

    def _total(self, value: Value) -> tuple[int, ...]:
        """The shape of an input as it is given, all rows of it."""
        pairs = zip(value.shape, value.rows, strict=True)
        return tuple(self.plan.total if rows else n for n, rows in pairs)
