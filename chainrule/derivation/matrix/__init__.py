"""Derivations of programs over vectors and matrices; loaded when there is one."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chainrule.derivation.matrix.build import build_arrays
    from chainrule.derivation.matrix.request import Request

__all__ = ["Request", "build_arrays"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "request" if name == "Request" else "build"
    return getattr(import_module(f"chainrule.derivation.matrix.{home}"), name)
