"""The preallocated form as a module: `bind()` allocates, the step it returns writes there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan

from chainrule.lower.bound_memory import Layout, Parts, Store
from chainrule.lower.bound_page import check_lines, chunks, folded, header, listed, step_head
from chainrule.lower.bound_tape import FREE, SMALL, UFUNCS, Value
from chainrule.lower.helpers import helper_texts
from chainrule.lower.identifiers import Identifiers

_RESERVED = ("np", "dtype", "bind", "look", "step", "check", "grads", "blocks", "block", "i", "n")
_NUMBERS = {0.0: "zero", 1.0: "one", 2.0: "two", 0.5: "half"}
_SIGNS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**"}
_ARRAYS = {0.0: "np.zeros({}, dtype)", 1.0: "np.ones({}, dtype)"}


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


@dataclass(slots=True)
class Module:
    """Writes the module of a plan."""

    plan: Plan
    _ids: Identifiers = field(init=False)
    _names: dict[object, str] = field(default_factory=dict)
    _setup: list[str] = field(default_factory=list)  # allocations, in bind
    _seen: dict[str, str] = field(default_factory=dict)  # views of inputs, made when these are new
    _block: dict[str, str] = field(default_factory=dict)  # names in the loop: of what a part
    _functions: dict[str, str] = field(default_factory=dict)  # of NumPy, imported by name

    def write(self) -> str:
        """The text of the module."""
        plan = self.plan
        self._ids = Identifiers((*_RESERVED, *plan.inputs, *(f"{n}_seen" for n in plan.inputs)))
        self._names.update((value, name) for name, value in plan.inputs.items())
        body = self._statements(plan.parts.before)
        if plan.parts.inside:
            body += self._loop()
            body += self._statements(plan.parts.after)
        value = self._operand(plan.value)
        body.append(
            f"return {value if plan.value.shape else f'float({value})'}, {self._grads(body)}"
        )
        return "\n".join(self._page(body)) + "\n"

    # ---- names

    def _function(self, name: str) -> str:
        if name not in self._functions:
            self._functions[name] = self._ids.fresh(name)
        return self._functions[name]

    def _fresh(self, value: Value, wish: str = "") -> str:
        wish = wish or value.name
        return self._ids.fresh(wish) if wish else self._ids.numbered("t" if value.shape else "s")

    def _set(self, name: str, text: str) -> str:
        self._setup.append(f"{name} = {text}")
        return name

    def _in_block(self, name: str, text: str) -> str:
        """Memory of which a block uses the beginning."""
        self._block[name] = self._set(self._ids.fresh(f"{name}_all"), text)
        return name

    # ---- operands

    def _operand(self, value: Value) -> str:
        """The text of a value that has been computed."""
        name = self._names.get(value)
        if name is None:
            name = self._names[value] = self._found(value)
        return name

    def _found(self, value: Value) -> str:
        if value.op == "const":
            number = value.number or 0.0
            return "np.nan" if isnan(number) else repr(number)
        if value.op == "full":
            return self._constant(float(value.attrs[0]), value.shape, any(value.rows))
        if value.op == "fixed":
            return self._set(self._ids.fresh("fixed"), value.text)
        if value.op == "view":
            return self._view(value)
        return self._memory(value)

    def _constant(self, number: float, shape: tuple[int, ...], rows: bool = False) -> str:
        """An array of one number."""
        key = ("constant", repr(number), shape, rows)
        if key not in self._names:
            size = "x".join(map(str, shape))
            stem = _NUMBERS.get(number, "const")
            name = self._ids.fresh(f"{stem}_{size}" if size else stem)
            template = _ARRAYS.get(number, f"np.full({{}}, {number!r}, dtype)")
            text = template.format(_shape(shape))
            self._names[key] = self._in_block(name, text) if rows else self._set(name, text)
        return self._names[key]

    def _memory(self, value: Value) -> str:
        store = self.plan.layout.of[value]
        key = (store, value.shape)
        if key in self._names:
            return self._names[key]
        named = next((v for v in store.values if v.shape == value.shape and v.name), value)
        name = self._names[key] = self._fresh(named)
        if all(v.shape == value.shape for v in store.values):
            text = f"np.empty({_shape(value.shape)}, {_dtype(store)})"
        else:
            text = self._whole(store)
            if value.size != store.size:
                text = f"{text}[:{value.size}]"
            if len(value.shape) > 1:
                text = f"{text}.reshape{value.shape}"
        return self._in_block(name, text) if store.rows else self._set(name, text)

    def _whole(self, store: Store) -> str:
        if store not in self._names:
            name = self._names[store] = self._ids.numbered("memory")
            self._set(name, f"np.empty({store.size}, {_dtype(store)})")
        return self._names[store]

    def _view(self, value: Value) -> str:
        source = self._operand(value.args[0])
        text = f"{source}{value.text}"
        base = value.base
        if not value.shape or any(base.rows):
            return text  # an entry is read, and a view of a block made, where it is used
        suffix = {".T": "T", "[None]": "row", "[:, None]": "column"}.get(value.text, "part")
        key = ("view", text)
        if key not in self._names:
            name = self._names[key] = self._ids.fresh(f"{source}_{suffix}")
            if base.op == "input":
                self._seen[name] = text
            else:
                self._set(name, text)
        return self._names[key]

    def _flat(self, value: Value) -> str:
        """An array that owns its memory, as a vector; of others the text as it is."""
        text = self._operand(value)
        if len(value.shape) < 2 or value.op in FREE:
            return text
        if any(value.rows):
            return f"{text}.ravel()"
        key = ("flat", text)
        if key not in self._names:
            self._names[key] = self._set(self._ids.fresh(f"{text}_flat"), f"{text}.ravel()")
        return self._names[key]

    # ---- calls

    def _call(self, value: Value, out: str) -> list[str]:
        """The statements that compute an array, into `out`."""
        op, args = value.op, value.args
        if op in UFUNCS:
            texts = [self._argument(a, value) for a in args]
            # The third position is deprecated for these two.
            texts.append(f"out={out}" if op in ("maximum", "minimum") else out)
            line = f"{self._function(op)}({', '.join(texts)})"
            if value.attrs == ("overflows",):
                return ['with np.errstate(over="ignore"):', f"    {line}"]
            return [line]
        if op == "dot":
            return [f"{self._operand(args[0])}.dot({self._operand(args[1])}, {out})"]
        if op == "reduce":
            call = f"{self._function(value.text)}.reduce"
            return [f"{call}({self._operand(args[0])}, {int(value.attrs[1])}, None, {out})"]
        if op == "copy":
            return [f"{self._function('copyto')}({out}, {self._operand(args[0])})"]
        if op == "where":
            copy = self._function("copyto")
            mask, yes, no = (self._operand(a) for a in args)
            first = [] if no == out else [f"{copy}({out}, {no})"]
            return [*first, f"{copy}({out}, {yes}, where={mask})"]
        return [f"{out}[...] = {self._written(value)}"]

    def _argument(self, a: Value, value: Value) -> str:
        """An operand; a number as the array that makes the call shortest."""
        if a.op not in ("const", "full") or a.size > value.size:
            return self._operand(a)
        number, shape = float(a.attrs[0]), value.shape
        if value.op in ("maximum", "minimum"):
            # Only with an array on both sides are these two vectorised.
            row = len(shape) == 2 and shape[1] >= 16 and value.size > SMALL
            return (
                self._constant(number, shape[1:])
                if row
                else self._constant(number, shape, any(value.rows))
            )
        if value.size <= SMALL:
            return self._constant(number, shape, any(value.rows))
        return self._constant(number, ())

    def _scalar(self, value: Value) -> str:
        """The expression of a scalar."""
        op, args = value.op, value.args
        if op in _SIGNS:
            a, b = (self._bracketed(x) for x in args)
            return f"{a}**{b}" if op == "power" else f"{a} {_SIGNS[op]} {b}"
        if op in UFUNCS:
            return f"{self._function(op)}({', '.join(self._operand(a) for a in args)})"
        if op == "dot" or (op == "vdot" and len(args[0].shape) == 1):
            return f"{self._operand(args[0])}.dot({self._operand(args[1])})"
        if op == "vdot":
            if all(a.op not in FREE for a in args):
                return f"{self._flat(args[0])}.dot({self._flat(args[1])})"
            return f"{self._function('vdot')}({self._operand(args[0])}, {self._operand(args[1])})"
        if op == "sum":
            return f"{self._function('add')}.reduce({self._operand(args[0])}, None)"
        if op == "reduce":
            return f"{self._function(value.text)}.reduce({self._operand(args[0])}, None)"
        if op == "where":
            mask, yes, no = (self._operand(a) for a in args)
            return f"{yes} if {mask} else {no}"
        return f"dtype({self._operand(args[0])})" if op == "copy" else self._written(value)

    def _bracketed(self, value: Value) -> str:
        text = self._operand(value)
        return f"({text})" if text.startswith("-") else text

    def _written(self, value: Value) -> str:
        """A call as the readable form writes it."""
        text = value.text
        for place, a in zip(map(str, value.attrs[1:]), value.args, strict=True):
            text = text.replace(place, self._operand(a))
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
                out = self._operand(value)
                calls = self._call(value, out)
                if value.name and value.name != out:
                    calls[-1] += f"  # {value.name}"
                lines += calls
            else:
                text = self._scalar(value)
                name = self._names[value] = self._fresh(value)
                lines.append(f"{name} = {text}")
        return lines

    def _summed(self, value: Value, start: list[str]) -> list[str]:
        if not value.shape:
            text = self._scalar(value)
            name = self._names[value] = self._fresh(value)
            start.append(f"{name} = 0.0")
            return [f"{name} += {text}"]
        out = self._operand(value)
        part = self._set(self._ids.fresh(f"{out}_block"), f"np.empty_like({out})")
        start.append(f"{out}.fill(0.0)")
        return [*self._call(value, part), f"{self._function('add')}({out}, {part}, {out})"]

    def _loop(self) -> list[str]:
        for name, value in self.plan.inputs.items():
            if any(value.rows):
                inner = self._names[value] = self._ids.fresh(f"{name}_block")
                self._block[inner] = name
        start: list[str] = []
        inside = self._statements(self.plan.parts.inside, start)
        head = listed("for ", list(self._block), " in blocks:", 8, ("(", ")"))
        return [*start, *head, *(f"    {line}" for line in inside)]

    # ---- the module

    def _grads(self, body: list[str]) -> str:
        """The dictionary of results: the same one each time, where nothing is copied."""
        texts = {name: self._operand(value) for name, value in self.plan.results.items()}
        if self.plan.copied:
            texts = {
                name: f"{text}.copy()"
                if self.plan.results[name].shape
                else f"np.asarray({text}, dtype)"
                for name, text in texts.items()
            }
            body += listed("results = {", [f'"{n}": {t}' for n, t in texts.items()], "}", 8)
            return "results"
        for name, value in self.plan.results.items():
            if not value.shape and value.op != "const":
                body.append(f'grads["{name}"] = np.asarray({texts[name]}, dtype)')
                texts[name] = "None"
            elif not value.shape:
                texts[name] = f"np.asarray({texts[name]}, dtype)"
        self._setup += listed("grads = {", [f'"{n}": {t}' for n, t in texts.items()], "}", 4)
        return "grads"

    def _page(self, body: Sequence[str]) -> list[str]:
        plan = self.plan
        arrays = [name for name, value in plan.inputs.items() if value.shape]
        kept = [f"{name}_seen" for name in arrays] + list(self._seen)
        if self._block:
            kept.append("blocks")
        helpers = helper_texts([*self._setup, *body])
        shapes = {name: self._total(value) for name, value in plan.inputs.items()}
        lines = header(plan.dtype, shapes, self._functions, bool(helpers))
        for helper in helpers:
            lines += ["", "", *helper.strip().split("\n")]
        lines += ["", "", "def bind():"]
        lines += ['    """Allocate; the results of a step lie in this memory until the next."""']
        lines += [f"    {line}" for text in self._setup for line in folded(text, 4)]
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
        lines += [f"        {name} = {text}" for name, text in self._seen.items()]
        if self._block:
            given = {name: f"{name}[i : i + n]" for name in self.plan.inputs}
            parts = [given.get(whole, f"{whole}[:n]") for whole in self._block.values()]
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


def _shape(shape: tuple[int, ...]) -> str:
    return str(shape[0]) if len(shape) == 1 else str(shape)


def _dtype(store: Store) -> str:
    return "bool" if store.kind == "bool" else "dtype"
