"""Expressions with arrays as numbers at a random point, by mpmath: no code of the passes."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.checking.array_values import evaluate
from chainrule.checking.numbers import context
from chainrule.core.expr import Expr, free_symbols
from chainrule.core.shape import size_of

SIZES = {"N": 4, "M": 3, "m": 2, "n": 3}


def numbers(expression: Expr, seed: int = 0) -> np.ndarray[Any, Any]:
    """The entries; a name has the same random value in every expression."""
    values = {}
    for symbol in free_symbols([expression]):
        if symbol.name not in SIZES:
            rng = np.random.default_rng([seed, *symbol.name.encode()])
            shape = tuple(size_of(dim, SIZES) for dim in symbol.shape)
            values[symbol.name] = rng.uniform(0.1, 0.9, shape).tolist()
    (found,) = evaluate([expression], values, SIZES, context(30))
    return np.asarray(found, dtype=float)
