"""The result of an array derivation at a point, as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chainrule.checking.array_values import numbers_at, sizes_from
from chainrule.core.expr import Sym, free_symbols, symbol
from chainrule.core.shape import size_of
from chainrule.derivation.steps import Block, Derivation


def value_of(derivation: Derivation, values: Mapping[str, Any]) -> Any:
    """The result where the names have these values.

    Returns:
        A float where output and variable are scalars; for a directional derivative the value,
        of the output's shape; else a dictionary from variable to array. A gradient has the
        variable's shape, a Jacobian the output's axes and then the variable's (in denominator
        layout the variable's first), a block of a Hessian those of its two variables, under
        the key `x, z` where there are several. Of several scalar outputs the gradients are
        stacked along a first axis; of several arrays the keys are `y1, x`.

    Raises:
        UsageError: a name has no value. ShapeError: a value of another shape.
    """
    import numpy as np

    blocks = derivation.result.blocks
    found = [_block(derivation, block, values) for block in blocks]
    if derivation.result.kind == "derivative":
        if len(found) == 1:
            return found[0]
        return {b.output: np.array(v) for b, v in zip(blocks, found, strict=True)}
    arrays = [(block, np.array(v)) for block, v in zip(blocks, found, strict=True)]
    if derivation.result.kind == "hessian":
        lone = len(derivation.variables) == 1
        return {b.variables[0] if lone else ", ".join(b.variables): v for b, v in arrays}
    if len({b.output for b in blocks}) == 1:
        return {b.variables[0]: v for b, v in arrays}
    if all(b.kind == "gradient" for b in blocks):
        return {
            v: np.stack([a for b, a in arrays if b.variables == (v,)]) for v in derivation.variables
        }
    return {f"{b.output}, {b.variables[0]}": v for b, v in arrays}


def _block(derivation: Derivation, block: Block, values: Mapping[str, Any]) -> Any:
    if block.kind == "tensor":
        return _tensor(derivation, block, values)
    (number,) = numbers_at([block.written], values, _names(derivation))
    if block.kind == "jacobian" and block.transposed and len(block.shape) == 2:
        scalar = not derivation.program.symbol(block.variables[0]).shape
        return number[0] if scalar else number  # a row: the axes of the output alone
    return number


def _names(derivation: Derivation) -> list[Sym]:
    """The free names of the program; their values say what the sizes are."""
    return free_symbols(derivation.functions)


def _tensor(derivation: Derivation, block: Block, values: Mapping[str, Any]) -> Any:
    """All entries: the action on each entry's change in turn."""
    import numpy as np

    variable = derivation.program.symbol(block.variables[0])
    change = symbol(f"d{variable.name}", variable.shape)
    sizes = sizes_from(_names(derivation), values)
    shape = tuple(size_of(dim, sizes) for dim in variable.shape)
    columns = []
    for place in np.ndindex(*shape):
        unit = np.zeros(shape)
        unit[place] = 1
        (column,) = numbers_at([block.written], {**values, change.name: unit}, _names(derivation))
        columns.append(column)
    out = np.array(columns).reshape(*shape, *np.shape(columns[0]))
    if block.transposed:
        return out
    return np.moveaxis(out, range(len(shape)), range(-len(shape), 0))
