"""A short way to write the row of a function of one variable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.core.expr import Expr
from chainrule.core.ops import Operator, register


def unary(name: str, derivative: Callable[[Expr, Expr], Expr], **columns: Any) -> Operator:
    """Register a function of one variable; `derivative(node, u)` is its derivative.

    Columns not given follow the name: mpmath, SymPy and NumPy spell it alike, LaTeX has it
    as a command, the rule is called `derivative of NAME`.
    """
    columns.setdefault("sympy", lambda s, a: getattr(s, name)(a))
    columns.setdefault("mpmath", lambda m, a: getattr(m, name)(a))
    columns.setdefault("numpy", f"np.{name}({{0}})")
    columns.setdefault("latex", f"\\{name}")
    rule = columns.pop("rule", f"derivative of {name}")
    return register(Operator(name, (1, 1), (derivative,), (rule,), **columns))
