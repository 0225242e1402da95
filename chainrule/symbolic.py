"""The expression DAG without derivations: gradients, Jacobians and Hessians of large programs.

Every row of the operator table is a function here: `sin(x)`, `softplus(x)`, `max(x, y)`.

>>> from chainrule import symbolic as sym
>>> x, y = sym.symbols("x, y")
>>> sym.gradient(x * y + sym.sin(x), [x, y])
[add(cos(x), y), x]
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from chainrule.core import arithmetic, ops, table
from chainrule.core.errors import ArityError
from chainrule.core.expr import ZERO, Apply, Expr, Number, apply, lift, symbol, topological
from chainrule.derivation import backward

__all__ = ["count_operations", "gradient", "hessian", "jacobian", "symbols", "table"]

Sparse = dict[tuple[int, int], Expr]


def symbols(names: str | Sequence[str]) -> tuple[Expr, ...]:
    """Scalar symbols of these names; always a tuple."""
    listed = names.replace(",", " ").split() if isinstance(names, str) else names
    return tuple(symbol(n) for n in listed)


def gradient(y: Expr, xs: Sequence[Expr]) -> list[Expr]:
    """The derivatives of `y` by each of `xs`, by reverse accumulation: linear in the DAG."""
    with _collector_paused():
        return backward.gradient(y, xs)


def jacobian(ys: Sequence[Expr], xs: Sequence[Expr], sparse: bool = False) -> list[list[Expr]] | Sparse:
    """The derivatives of `ys` (rows) by `xs` (columns).

    A sweep an input forwards or a sweep an output backwards, whichever are fewer.

    Returns:
        A list of rows; with `sparse` a dictionary from (row, column) to the entries that
        are not identically 0.
    """
    entries: Sparse = {}
    with _collector_paused():
        if len(xs) < len(ys):
            place = {y: i for i, y in enumerate(ys)}
            for j, x in enumerate(xs):
                for y, slope in zip(ys, backward.tangents(ys, {x: arithmetic.ONE}), strict=True):
                    if slope is not ZERO:
                        entries[place[y], j] = slope
        else:
            column = {x: j for j, x in enumerate(xs)}
            for i, y in enumerate(ys):
                reached = [x for x in _reachable(y) if x in column]
                for x, slope in zip(reached, backward.gradient(y, reached), strict=True):
                    if slope is not ZERO:
                        entries[i, column[x]] = slope
    if sparse:
        return entries
    return [[entries.get((i, j), ZERO) for j in range(len(xs))] for i in range(len(ys))]


def hessian(y: Expr, xs: Sequence[Expr], sparse: bool = False) -> list[list[Expr]] | Sparse:
    """The second derivatives of `y`: the Jacobian of its gradient."""
    return jacobian(gradient(y, xs), xs, sparse)


def count_operations(ys: Expr | Sequence[Expr]) -> int:
    """The number of distinct operations below the expressions; what is shared counts once."""
    roots = [ys] if isinstance(ys, Expr) else list(ys)
    return sum(isinstance(node, Apply) and bool(node.args) for node in topological(roots))


def _reachable(y: Expr) -> list[Expr]:
    return topological([y])


@contextmanager
def _collector_paused() -> Iterator[None]:
    """New nodes stay: looking for garbage among them would take as long as making them."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


_FOLDING: dict[str, Callable[..., Expr]] = {
    "add": arithmetic.add, "sub": arithmetic.sub, "mul": arithmetic.mul, "div": arithmetic.div,
    "pow": arithmetic.power, "neg": arithmetic.neg, "exp": arithmetic.exp, "ln": arithmetic.ln,
}  # fmt: skip


def __getattr__(name: str) -> Any:
    row = ops.spellings().get(name)
    if row is None:
        raise AttributeError(f"module 'chainrule.symbolic' has no function {name!r}")
    build = _FOLDING.get(row.name)

    def function(*args: Expr | Number) -> Expr:
        if not row.accepts(len(args)):
            raise ArityError(f"{row.name} takes {row.arity[0]} arguments, not {len(args)}")
        lifted = [lift(a) for a in args]
        return build(*lifted) if build else apply(row, *lifted)

    function.__name__ = function.__qualname__ = row.name
    function.__doc__ = f"The row `{row.name}` of the operator table."
    globals()[name] = function
    return function


