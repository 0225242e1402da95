"""Names of what the preallocated form computes with: memory, constants, views."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan

from chainrule.lower.bound.memory import Layout, Store
from chainrule.lower.bound.values import FREE, Value
from chainrule.lower.identifiers import Identifiers

_RESERVED = ("np", "dtype", "bind", "look", "step", "check", "grads", "blocks", "block", "i", "n")
_NUMBERS = {0.0: "zero", 1.0: "one", 2.0: "two", 0.5: "half"}
_ARRAYS = {0.0: "np.zeros({}, dtype)", 1.0: "np.ones({}, dtype)"}


class Operands:
    """Texts of operands, and what has to be set up for them.

    Attributes:
        setup: allocations, constants and views of these, in the order of `bind`.
        seen: views of inputs, made when these are new.
        block: names in the loop over blocks of rows, and of what each is a part.
        functions: of NumPy, with the names that they are imported by.
    """

    def __init__(self, layout: Layout, inputs: Mapping[str, Value]) -> None:
        self.layout = layout
        self.ids = Identifiers((*_RESERVED, *inputs, *(f"{name}_seen" for name in inputs)))
        self.names: dict[object, str] = {value: name for name, value in inputs.items()}
        self.setup: list[str] = []
        self.seen: dict[str, str] = {}
        self.block: dict[str, str] = {}
        self.functions: dict[str, str] = {}

    def function(self, name: str) -> str:
        if name not in self.functions:
            self.functions[name] = self.ids.fresh(name)
        return self.functions[name]

    def fresh(self, value: Value, wish: str = "") -> str:
        wish = wish or value.name
        return self.ids.fresh(wish) if wish else self.ids.numbered("t" if value.shape else "s")

    def reserve(self, name: str, text: str) -> str:
        self.setup.append(f"{name} = {text}")
        return name

    def in_block(self, name: str, text: str) -> str:
        """Memory of which a block uses the beginning."""
        self.block[name] = self.reserve(self.ids.fresh(f"{name}_all"), text)
        return name

    def operand(self, value: Value) -> str:
        """The text of a value that has been computed."""
        name = self.names.get(value)
        if name is None:
            name = self.names[value] = self._found(value)
        return name

    def _found(self, value: Value) -> str:
        if value.op == "const":
            number = value.number or 0.0
            return "np.nan" if isnan(number) else repr(number)
        if value.op == "full":
            return self.constant(float(value.attrs[0]), value.shape, any(value.rows))
        if value.op == "fixed":
            return self.reserve(self.ids.fresh("fixed"), value.text)
        if value.op == "view":
            return self._view(value)
        return self._memory(value)

    def constant(self, number: float, shape: tuple[int, ...], rows: bool = False) -> str:
        """An array of one number."""
        key = ("constant", repr(number), shape, rows)
        if key not in self.names:
            size = "x".join(map(str, shape))
            stem = _NUMBERS.get(number, "const")
            name = self.ids.fresh(f"{stem}_{size}" if size else stem)
            template = _ARRAYS.get(number, f"np.full({{}}, {number!r}, dtype)")
            text = template.format(_shape(shape))
            self.names[key] = self.in_block(name, text) if rows else self.reserve(name, text)
        return self.names[key]

    def _memory(self, value: Value) -> str:
        store = self.layout.of[value]
        key = (store, value.shape)
        if key in self.names:
            return self.names[key]
        named = next((v for v in store.values if v.shape == value.shape and v.name), value)
        name = self.names[key] = self.fresh(named)
        if all(v.shape == value.shape for v in store.values):
            text = f"np.empty({_shape(value.shape)}, {_dtype(store)})"
        else:
            text = self._whole(store)
            if value.size != store.size:
                text = f"{text}[:{value.size}]"
            if len(value.shape) > 1:
                text = f"{text}.reshape{value.shape}"
        return self.in_block(name, text) if store.rows else self.reserve(name, text)

    def _whole(self, store: Store) -> str:
        if store not in self.names:
            name = self.names[store] = self.ids.numbered("memory")
            self.reserve(name, f"np.empty({store.size}, {_dtype(store)})")
        return self.names[store]

    def _view(self, value: Value) -> str:
        source = self.operand(value.args[0])
        text = f"{source}{value.text}"
        base = value.base
        if not value.shape or any(base.rows):
            return text  # an entry is read, and a view of a block made, where it is used
        suffix = {".T": "T", "[None]": "row", "[:, None]": "column"}.get(value.text, "part")
        key = ("view", text)
        if key not in self.names:
            name = self.names[key] = self.ids.fresh(f"{source}_{suffix}")
            if base.op == "input":
                self.seen[name] = text
            else:
                self.reserve(name, text)
        return self.names[key]

    def flat(self, value: Value) -> str:
        """An array that owns its memory, as a vector; of others the text as it is."""
        text = self.operand(value)
        if len(value.shape) < 2 or value.op in FREE:
            return text
        if any(value.rows):
            return f"{text}.ravel()"
        key = ("flat", text)
        if key not in self.names:
            self.names[key] = self.reserve(self.ids.fresh(f"{text}_flat"), f"{text}.ravel()")
        return self.names[key]


def _shape(shape: tuple[int, ...]) -> str:
    return str(shape[0]) if len(shape) == 1 else str(shape)


def _dtype(store: Store) -> str:
    return "bool" if store.kind == "bool" else "dtype"
