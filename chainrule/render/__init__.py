"""Faces of derivations and verdicts: text, LaTeX, Markdown, HTML, JSON."""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from chainrule.render import html as html

_LATE = ("html",)  # loaded on first use: MathML is asked for less often than text


def __getattr__(name: str) -> object:
    if name in _LATE:
        return import_module(f"chainrule.render.{name}")
    raise AttributeError(f"module 'chainrule.render' has no attribute {name!r}")
