"""The operator table, by family. Importing it registers every row."""

from chainrule.core import arithmetic
from chainrule.core.table import (
    elementary,
    hyperbolic,
    linear,
    losses,
    neural,
    parts,
    piecewise,
    special,
    trigonometric,
)

__all__ = [
    "arithmetic",
    "elementary",
    "hyperbolic",
    "linear",
    "losses",
    "neural",
    "parts",
    "piecewise",
    "special",
    "trigonometric",
]
