"""Values of expressions over large arrays, in double precision.

The operator table's column `mpmath` is given a context of NumPy's functions in place of
mpmath's, and whole arrays; what does not take arrays is applied entry by entry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial, reduce
from typing import Any

from chainrule.core.expr import Apply, Const, Expr, Sym, topological
from chainrule.core.shape import size_of

_SPELLED = {
    "log": "log", "acos": "arccos", "asin": "arcsin", "atan": "arctan", "acosh": "arccosh",
    "asinh": "arcsinh", "atanh": "arctanh", "mpf": "float64", "fabs": "abs",
}  # fmt: skip
_ALIKE = frozenset((
    "exp", "expm1", "log1p", "sqrt", "cbrt", "sign", "floor", "ceil", "sin", "cos", "tan", "sinh",
    "cosh", "tanh", "pi", "nan", "abs", "power",
))  # fmt: skip


class Doubles:
    """A context as mpmath's, over numbers and arrays in double precision."""

    def __init__(self) -> None:
        import numpy as np
        from mpmath import fp

        self._np, self._fp = np, fp
        self.zero, self.one = 0.0, 1.0
        self.matrix, self.det, self.inverse = np.array, np.linalg.det, np.linalg.inv

    def __getattr__(self, name: str) -> Any:
        if name in _SPELLED or name in _ALIKE:
            return getattr(self._np, _SPELLED.get(name, name))
        found = getattr(self._fp, name)
        return _by_entry(found) if callable(found) and name != "expm" else found


def _by_entry(function: Callable[..., Any]) -> Callable[..., Any]:
    import numpy as np

    def apply(*args: Any) -> Any:
        return np.frompyfunc(number, len(args), 1)(*args)

    def number(*entry: Any) -> float:
        try:
            return float(function(*entry))
        except (ValueError, TypeError, ArithmeticError):
            return float("nan")

    return apply


@cache
def doubles() -> Doubles:
    """The context, made once."""
    return Doubles()


def float_values(
    roots: Sequence[Expr], values: Mapping[str, Any], sizes: Mapping[str, int]
) -> list[Any]:
    """The roots' values: floats and arrays of them; nan where undefined.

    >>> from chainrule.core.arrays import total
    >>> from chainrule.core.expr import symbol
    >>> X, w = symbol("X", ("N", "d")), symbol("w", ("d",))
    >>> float_values([total(X @ w)], {"X": [[1, 2], [0, 1]], "w": [3, 1]}, {"N": 2, "d": 2})
    [6.0]
    """
    import numpy as np

    found: dict[Expr, Any] = {}
    with np.errstate(all="ignore"):
        for node in topological(roots):
            shape = tuple(size_of(dim, sizes) for dim in node.shape)
            if isinstance(node, Const):
                found[node] = float(node.value)
            elif isinstance(node, Sym):
                own = node.name in sizes and not node.shape and node.name not in values
                found[node] = np.asarray(
                    sizes[node.name] if own else values[node.name], dtype=float
                )[()]  # fmt: skip
            elif isinstance(node, Apply):
                found[node] = _applied(node, [found[a] for a in node.args], shape)
    return [v if np.ndim(v) else float(v) for v in (found[root] for root in roots)]


@cache
def _comparing() -> Mapping[str, Callable[..., Any]]:
    """The functions that compare numbers, for arrays."""
    import numpy as np

    return {
        "relu": lambda m, a: np.maximum(a, 0),
        "max": lambda m, *args: reduce(np.maximum, args),
        "min": lambda m, *args: reduce(np.minimum, args),
        "<": lambda m, a, b: np.less(a, b),
        "<=": lambda m, a, b: np.less_equal(a, b),
        ">": lambda m, a, b: np.greater(a, b),
        ">=": lambda m, a, b: np.greater_equal(a, b),
    }


def _applied(node: Apply, args: list[Any], shape: tuple[int, ...]) -> Any:
    import numpy as np

    name, m = node.op.name, doubles()
    if name in ("ones", "zeros"):
        return np.full(shape, float(name == "ones"))
    if name == "eye":
        return np.eye(shape[0])
    if name == "unit":
        return np.eye(1, shape[0], int(args[1]))[0]
    if node.op.notation == "piecewise":
        conditions = [np.broadcast_to(np.asarray(c) != 0, shape) for c in args[1::2]]
        otherwise = args[-1] if len(args) % 2 else np.nan
        return np.select(conditions, [np.broadcast_to(a, shape) for a in args[:-1:2]], otherwise)
    try:
        value = np.asarray(_comparing().get(name, node.op.mpmath)(m, *args), dtype=float)
    except (ValueError, TypeError):  # it asks whether an array is true, or greater
        if node.op.shape is not None:
            return np.full(shape, np.nan)
        value = np.asarray(_by_entry(partial(node.op.mpmath, m))(*args), dtype=float)
    except (ArithmeticError, np.linalg.LinAlgError):
        return np.full(shape, np.nan)
    return (np.broadcast_to(value, shape) if node.op.shape is None else value.reshape(shape))[()]
