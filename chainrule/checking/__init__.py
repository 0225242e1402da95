"""Oracles: SymPy, numbers to 50 digits, differences; answers checked against them."""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from chainrule.checking import array_answers as array_answers
    from chainrule.checking import array_results as array_results
    from chainrule.checking import array_verify as array_verify

# Loaded on first use: scalars need nothing of arrays.
_ARRAYS = ("array_answers", "array_results", "array_verify")


def __getattr__(name: str) -> object:
    if name in _ARRAYS:
        return import_module(f"chainrule.checking.{name}")
    raise AttributeError(f"module 'chainrule.checking' has no attribute {name!r}")
