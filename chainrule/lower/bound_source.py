"""The preallocated form as a module: `bind()` allocates, the step it returns writes there."""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from chainrule.lower.bound_memory import FREE, UFUNCS, Layout, Parts, Store
from chainrule.lower.bound_tape import SMALL, Value

_ROOM = 88
_NUMBERS = {0.0: "zero", 1.0: "one", 2.0: "two", 0.5: "half", -1.0: "minus_one"}


@dataclass(slots=True)
class Module:
    """Writes the module.

    Attributes:
        dtype: of all arrays but masks and labels.
        layout: where results lie.
        parts: the calls in order.
        rows, total: how many rows a block has, and all have.
        inputs: names of the inputs, in order of the signature, with what they look like.
        outputs: the name of the loss, and the gradients by name.
    """

    dtype: str
    layout: Layout
    parts: Parts
    rows: int  # of a block
    total: int
    inputs: Mapping[str, Value]
    loss: Value
    grads: Mapping[str, Value]
    description: Sequence[str]
    quiet: bool = False
    _names: dict[object, str] = field(default_factory=dict)
    _taken: set[str] = field(default_factory=set)
    _setup: list[str] = field(default_factory=list)  # allocations, in bind
    _seen: list[str] = field(default_factory=list)  # views of inputs, when they are new
    _views: list[str] = field(default_factory=list)  # names of these
    _block: dict[str, str] = field(default_factory=dict)  # name in the loop: what it is, whole
    _used: set[str] = field(default_factory=set)  # functions of NumPy

    # ---- names

    def fresh(self, wish: str) -> str:
        """A name that nothing else has."""
        base = wish if wish.isidentifier() and not keyword.iskeyword(wish) else "t"
        name, count = base, 1
        while name in self._taken:
            count += 1
            name = f"{base}_{count}"
        self._taken.add(name)
        return name

    def func(self, name: str) -> str:
        """A function of NumPy, imported by name."""
        self._used.add(name)
        return name

    # ---- operands

    def operand(self, value: Value) -> str:
        """The text of a value that has been computed."""
        known = self._names.get(value)
        if known is not None:
            return known
        if value.op == "const":
            return _literal(value.number or 0.0)
        if value.op == "full":
            name = self.constant(float(value.attrs[0]), value.shape, any(value.rows))  # type: ignore[arg-type]
        elif value.op == "view":
            name = self._view(value)
        else:
            name = self._memory(value)
        self._names[value] = name
        return name

    def constant(self, number: float, shape: tuple[int, ...], rows: bool = False) -> str:
        """An array of one number."""
        key = ("constant", number, shape, rows)
        if key not in self._names:
            size = "x".join(map(str, shape))
            stem = _NUMBERS.get(number, "c")
            name = self.fresh(f"{stem}_{size}" if size else stem)
            make = {0.0: "zeros", 1.0: "ones"}.get(number)
            whole = f"np.{make}({shape}, dtype)" if make else f"np.full({shape}, {number!r}, dtype)"
            self._names[key] = self._rowwise(name, whole) if rows else self._set(name, whole)
        return self._names[key]

    def _set(self, name: str, text: str) -> str:
        self._setup.append(f"{name} = {text}")
        return name

    def _rowwise(self, name: str, text: str) -> str:
        """Memory of which the last block uses the beginning."""
        whole = self.fresh(f"{name}_rows")
        self._set(whole, text)
        self._block[name] = whole
        return name

    def _memory(self, value: Value) -> str:
        store = self.layout.of[value]
        key = (store, value.shape)
        if key in self._names:
            return self._names[key]
        named = [v.name for v in store.values if v.shape == value.shape and v.name]
        name = self._names[key] = self.fresh(named[0] if named else "t1")
        dtype = "bool" if store.kind == "bool" else "dtype"
        if all(v.shape == value.shape for v in store.values):
            text = f"np.empty({value.shape}, {dtype})"
        else:
            text = f"{self._whole(store)}[:{value.size}].reshape{value.shape}"
            if len(value.shape) == 1:
                text = f"{self._whole(store)}[:{value.size}]"
        return self._rowwise(name, text) if store.rows else self._set(name, text)

    def _whole(self, store: Store) -> str:
        if store not in self._names:
            dtype = "bool" if store.kind == "bool" else "dtype"
            name = self._names[store] = self.fresh("shared")
            self._set(name, f"np.empty({store.size}, {dtype})")
        return self._names[store]

    def _view(self, value: Value) -> str:
        source = self.operand(value.args[0])
        text = f"{source}{value.attrs[0]}"
        base = value.base
        if not value.shape or any(base.rows):
            return text  # a scalar is read when it is needed; a block's view is made in the loop
        suffix = {".T": "T", "[None]": "row", "[:, None]": "col"}.get(str(value.attrs[0]), "part")
        name = self.fresh(f"{source}_{suffix}")
        if base.op == "input":
            self._views.append(name)
            self._seen.append(f"{name} = {text}")
            return name
        return self._set(name, text)

    def flat(self, value: Value) -> str:
        """The value as one axis, for a product with itself."""
        text = self.operand(value)
        if len(value.shape) < 2 or value.op == "input" or value.base is not value:
            return text
        if any(value.rows):
            return f"{text}.ravel()"
        key = ("flat", text)
        if key not in self._names:
            self._names[key] = self._set(self.fresh(f"{text}_flat"), f"{text}.ravel()")
        return self._names[key]

    # ---- calls

    def call(self, value: Value, out: str) -> str:
        """The statement that computes a value; `out` is where, or the name of a scalar."""
        op, args = value.op, value.args
        if not value.shape:
            return f"{out} = {self._scalar(value)}"
        if op in UFUNCS:
            texts = [self._argument(a, value) for a in args]
            return self._ufunc(op, texts, out)
        if op == "dot":
            return f"{self.operand(args[0])}.dot({self.operand(args[1])}, {out})"
        if op == "reduce":
            return f"{self.func(str(value.attrs[0]))}.reduce({self.operand(args[0])}, {value.attrs[1]}, None, {out})"
        if op == "copy":
            return f"{self.func('copyto')}({out}, {self.operand(args[0])})"
        if op == "where":
            mask, yes, no = (self.operand(a) for a in args)
            copy = self.func("copyto")
            first = "" if no == out else f"{copy}({out}, {no})\n"
            return f"{first}{copy}({out}, {yes}, where={mask})"
        assert op == "call", op
        text = str(value.attrs[0]).format(*(self.operand(a) for a in args))
        return f"{out}[...] = {text}"

    def _ufunc(self, op: str, texts: list[str], out: str) -> str:
        # The third position is deprecated for these two.
        last = f"out={out}" if op in ("maximum", "minimum") else out
        return f"{self.func(op)}({', '.join((*texts, last))})"

    def _argument(self, a: Value, value: Value) -> str:
        if a.op == "full" and len(a.shape) <= len(value.shape) and a.size <= value.size:
            number = float(a.attrs[0])  # type: ignore[arg-type]
        elif a.op == "const":
            number = a.number or 0.0
        else:
            return self.operand(a)
        rows = any(value.rows)
        if value.op in ("maximum", "minimum"):
            wide = len(value.shape) == 2 and value.shape[1] >= 16
            if wide and value.size > SMALL:
                return self.constant(number, value.shape[1:])
            return self.constant(number, value.shape, rows)
        if value.size <= SMALL:
            return self.constant(number, value.shape, rows)
        return self.constant(number, ())

    def _scalar(self, value: Value) -> str:
        op, args = value.op, value.args
        signs = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}
        if op in signs:
            a, b = (self._bracketed(x) for x in args)
            return f"{a} {signs[op]} {b}"
        if op == "negative":
            return f"-{self._bracketed(args[0])}"
        if op == "power":
            return f"{self._bracketed(args[0])} ** {self._bracketed(args[1])}"
        if op in UFUNCS:
            return f"{self.func(op)}({', '.join(self.operand(a) for a in args)})"
        if op == "dot" or (op == "vdot" and len(args[0].shape) == 1):
            return f"{self.operand(args[0])}.dot({self.operand(args[1])})"
        if op == "vdot":
            a, b = self.flat(args[0]), self.flat(args[1])
            plain = a != self.operand(args[0]) and b != self.operand(args[1])
            return f"{a}.dot({b})" if plain else f"{self.func('vdot')}({a}, {b})"
        if op == "sum":
            return f"{self.func('add')}.reduce({self.operand(args[0])}, None)"
        if op == "reduce":
            return f"{self.func(str(value.attrs[0]))}.reduce({self.operand(args[0])}, None)"
        if op == "where":
            mask, yes, no = (self.operand(a) for a in args)
            return f"({yes} if {mask} else {no})"
        if op == "copy":
            return f"dtype({self.operand(args[0])})"
        assert op == "call", op
        return str(value.attrs[0]).format(*(self.operand(a) for a in args))

    def _bracketed(self, value: Value) -> str:
        text = self.operand(value)
        return f"({text})" if text.startswith("-") else text

    # ---- the module

    def statements(self, values: Iterable[Value], clear: list[str] | None = None) -> list[str]:
        """The calls; in the loop, sums over rows are added up, and `clear` is what starts them."""
        lines: list[str] = []
        for value in values:
            if value.op in FREE:
                continue
            if clear is not None and not any(value.rows):
                lines.extend(self._summed(value, clear))
            elif value.shape:
                lines.extend(self.call(value, self.operand(value)).split("\n"))
            else:
                name = self.fresh(value.name or "s1")
                lines.append(self.call(value, name))
                self._names[value] = name
        return lines

    def _summed(self, value: Value, clear: list[str]) -> list[str]:
        if not value.shape:
            name = self.fresh(value.name or "s1")
            clear.append(f"{name} = 0.0")
            line = f"{name} += {self._scalar(value)}"
            self._names[value] = name
            return [line]
        out = self.operand(value)
        part = self._set(self.fresh(f"{out}_part"), f"np.empty_like({out})")
        clear.append(f"{out}.fill(0.0)")
        return [self.call(value, part), f"{self.func('add')}({out}, {part}, {out})"]

    def write(self) -> str:
        """The text of the module."""
        for name, value in self.inputs.items():
            self._taken.add(name)
            self._names[value] = name
        self._taken |= {"np", "dtype", "blocks", "bind", "step", "look", "grads", "loss"}
        self._taken |= set(UFUNCS) | {"copyto", "vdot"}
        parts = self.parts
        body = self.statements(parts.before)
        if parts.inside:
            body += self._loop()
            body += self.statements(parts.after)
        loss = self.operand(self.loss)
        grads = {name: self.operand(value) for name, value in self.grads.items()}
        return self._page(body, loss, grads)

    def _loop(self) -> list[str]:
        parts = self.parts
        rowwise = {n: v for n, v in self.inputs.items() if any(v.rows)}
        for name, value in rowwise.items():
            inner = self._names[value] = self.fresh(f"{name}_k")
            self._block[inner] = name
        clear: list[str] = []
        inside = self.statements(parts.inside, clear)
        head = f"for {', '.join(self._block)} in blocks:"
        if len(self._block) == 1:
            head = f"for ({next(iter(self._block))},) in blocks:"
        return [*clear, *_wrapped(head), *(f"    {line}" for line in inside)]

    def _page(self, body: list[str], loss: str, grads: dict[str, str]) -> str:
        names = list(self.inputs)
        arrays = [n for n, v in self.inputs.items() if v.shape]
        numbers = [n for n, v in self.inputs.items() if not v.shape]
        used = sorted(self._used)
        out = ['"""' + self.description[0], *self.description[1:], '"""', ""]
        out += ["import numpy as np"]
        out += _import(used)
        out += ["", f"dtype = np.{self.dtype}", "", "", "def bind():"]
        out += ['    """Allocate; what the step returns lies in this memory until its next call."""']
        out += [f"    {line}" for line in self._setup]
        shown = ", ".join(f'"{name}": {text}' for name, text in grads.items())
        out += [f"    grads = {{{shown}}}"]
        kept = [f"{n}_seen" for n in arrays] + self._views + (["blocks"] if self._block else [])
        if kept:
            out += [f"    {' = '.join(kept)} = None"]
        out += ["", f"    def look({', '.join(arrays)}):"]
        out += ['        """Check the arrays, and keep views of them."""']
        out += _nonlocal(kept, 8)
        for name in arrays:
            value = self.inputs[name]
            total = tuple(self.total if r else n for n, r in zip(value.shape, value.rows, strict=True))
            kind = "np.integer" if value.kind == "int" else "dtype"
            out += [f'        check("{name}", {name}, {total}, {kind})']
        out += [f"        {line}" for line in self._seen]
        if self._block:
            out += self._blocks()
        out += [f"        {n}_seen = {n}" for n in arrays]
        out += ["", f"    def step(*, {', '.join(names)}):"]
        out += ['        """The loss, and its gradients by name."""']
        new = " or ".join(f"{n} is not {n}_seen" for n in arrays)
        if arrays:
            out += [f"        if {new}:", f"            look({', '.join(arrays)})"]
        out += [f"        {n} = dtype({n})" for n in numbers]
        out += [f"        {line}" for line in body]
        out += [f"        return {loss}, grads", "", "    return step", ""]
        out += ["", *_CHECK]
        return "\n".join(out) + "\n"

    def _blocks(self) -> list[str]:
        rows, total = self.rows, self.total
        lines = ["        blocks = []", f"        for i in range(0, {total}, {rows}):"]
        lines += [f"            n = min({rows}, {total} - i)"]
        given = {f"{name}": f"{name}[i : i + n]" for name in self.inputs}
        items = [given.get(whole, f"{whole}[:n]") for whole in self._block.values()]
        lines += [f"            blocks.append(({', '.join(items)},))"]
        return lines


_CHECK = '''\
def check(name, array, shape, dtype):
    """Raise an error that names the argument that does not fit."""
    if not isinstance(array, np.ndarray) or not np.issubdtype(array.dtype, dtype):
        kind = getattr(array, "dtype", type(array).__name__)
        raise TypeError(f"{name} is {kind}, expected an array of {dtype.__name__}")
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}, expected {shape}")'''.split("\n")


def _literal(number: float) -> str:
    return repr(number)


def _wrapped(head: str) -> list[str]:
    return [head]


def _import(names: list[str]) -> list[str]:
    return [f"from numpy import {', '.join(names)}"] if names else []


def _nonlocal(names: Sequence[str], indent: int) -> list[str]:
    return [f"{' ' * indent}nonlocal {', '.join(names)}"] if names else []
