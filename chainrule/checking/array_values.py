"""Values of expressions over vectors and matrices, entry by entry.

The operator table's columns `mpmath` and `sympy` are read, never a map or a template of
generated code: this is what those are checked against. Scalar rows are applied to one entry
after the other with NumPy's broadcasting, the others to arrays of objects.

>>> from chainrule.checking.numbers import context
>>> from chainrule.core.arrays import total
>>> from chainrule.core.expr import symbol
>>> X, w = symbol("X", ("N", "d")), symbol("w", ("d",))
>>> values = {"X": [[1, 2, 0], [0, 1, 1]], "w": [1, -1, 4]}
>>> [float(v) for v in evaluate([total(X @ w), symbol("N")], values, {"N": 2, "d": 3}, context(20))]
[2.0, 2.0]
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from functools import reduce
from itertools import repeat
from operator import mul
from time import perf_counter
from typing import Any

from chainrule.checking import patience
from chainrule.checking.array_floats import float_values
from chainrule.checking.numbers import branch, context, kept, number, too_large
from chainrule.checking.to_sympy import MANY_BITS, Declined
from chainrule.core.errors import ShapeError, UsageError
from chainrule.core.expr import Apply, Const, Expr, Sym, topological
from chainrule.core.shape import Shape, affine, shape_text, size_of
from chainrule.core.table.abstract import AbstractOperator

HEAVY = frozenset({"expm", "expm_frechet"})
_CONSTANTS = frozenset({"ones", "zeros", "eye", "unit"})
_LARGEST = 50_000  # numbers computed with many digits

Values = tuple[Any, int]  # a number or an array of numbers, and its greatest binary exponent


class ArrayTape:
    """Expressions laid out in one order, to be evaluated many times at given sizes.

    Attributes:
        nodes: the expressions below the roots, arguments first.
        work: how many numbers one evaluation computes, products' terms included.
        magnitude, clamped: as those of `numbers.Tape`, after `run` in an mpmath context.
    """

    def __init__(
        self, roots: Sequence[Expr], sizes: Mapping[str, int], deadline: float = float("inf")
    ) -> None:
        self._roots, self._sizes = list(roots), sizes
        self._deadline = min(deadline, patience.limit())
        self.nodes = topological(roots)
        self._shapes = {
            node: tuple(size_of(dim, sizes) for dim in node.shape) for node in self.nodes
        }
        self.work = sum(self._work(node) for node in self.nodes)
        self.magnitude, self.clamped = 0, False

    def _work(self, node: Expr) -> int:
        entries: int = reduce(mul, self._shapes[node], 1)
        if node.op is not None and node.op.name == "matmul":
            return entries * self._shapes[node.args[0]][-1]
        return entries

    def run(self, module: Any, values: Mapping[str, Any]) -> list[Any]:
        """The roots' values: numbers, and arrays of numbers with dtype object.

        Args:
            module: an mpmath context, or sympy.
            values: by name: numbers (or SymPy expressions), and arrays or nested lists of them.
                A dimension is the number it has in `sizes`.

        Where a number is undefined or beyond the range kept here it is nan in mpmath.

        Raises:
            KeyError: a name has no value. ShapeError: a value does not fit its name's shape.
            Declined: SymPy would write out a constant of too many digits.
            TimeoutError: past the deadline.
        """
        step = self._by_sympy if hasattr(module, "Rational") else self._by_mpmath
        self.magnitude, self.clamped = 0, False
        found: dict[Expr, Values] = {}
        for node in self.nodes:
            if perf_counter() > self._deadline:
                raise TimeoutError
            if isinstance(node, Apply) and isinstance(node.op, AbstractOperator) and node.op.shapes:
                found[node] = self._named(module, node, node.op, [found[a] for a in node.args])
            elif isinstance(node, Apply) and node.op.name not in _CONSTANTS:
                found[node] = step(module, node, [found[a] for a in node.args])
            elif isinstance(node, Apply):
                found[node] = self._constant(module, node, [found[a][0] for a in node.args])
            else:
                found[node] = self._leaf(module, node, values)
        return [found[root][0] for root in self._roots]

    def _leaf(self, module: Any, node: Expr, values: Mapping[str, Any]) -> Values:
        import numpy as np

        if isinstance(node, Const):
            return self._kept(module, _number(module, node.value))
        assert isinstance(node, Sym)
        if not node.shape and node.name in self._sizes and node.name not in values:
            return self._kept(module, _number(module, self._sizes[node.name]))
        given = values[node.name]
        shape = self._shapes[node]
        if not shape and np.ndim(given) == 0:
            return self._kept(module, _number(module, _item(given)))
        array = np.array(given, dtype=object)
        if array.shape != shape:
            raise ShapeError(
                f"{node.name} is of shape {array.shape}", hint=f"{shape} was expected",
                shapes=(node.shape,),
            )  # fmt: skip
        own = getattr(module, "mpf", None)
        flat = [
            self._kept(module, v if type(v) is own else _number(module, _item(v)))
            for v in array.flat
        ]
        return _filled(shape, [v for v, _ in flat]), max((t for _, t in flat), default=0)

    def _constant(self, module: Any, node: Apply, args: Sequence[Any]) -> Values:
        zero, one = _number(module, 0), _number(module, 1)
        name, shape = node.op.name, self._shapes[node]
        array = _filled(shape, repeat(one if name == "ones" else zero))
        if name == "eye":
            for i in range(shape[0]):
                array[i, i] = one
        elif name == "unit":
            array[int(args[1])] = one
        return array, 1

    def _named(
        self, module: Any, node: Apply, op: AbstractOperator, args: Sequence[Values]
    ) -> Values:
        """The fixed function that a declared function of arrays stands for."""
        import numpy as np

        shape, sizes = self._shapes[node], [self._shapes[a] for a in node.args]
        flat = [
            v for (a, _), size in zip(args, sizes, strict=True) for v in (a.flat if size else [a])
        ]
        places = np.ndindex(*shape)
        entries = [self._kept(module, op.entry(module, p, sizes, flat)) for p in places]
        largest = max((top for _, top in entries), default=0)
        values = [value for value, _ in entries]
        return (_filled(shape, values) if shape else values[0]), largest

    def _by_mpmath(self, m: Any, node: Apply, args: list[Values]) -> Values:
        op = node.op
        if op.shape is None:
            return self._entries(m, node, args)
        # Dozens of products of matrices take seconds, and look at no clock.
        moment = self._deadline if op.name in HEAVY else float("inf")
        try:
            with patience.interrupted(moment):
                value = op.mpmath(m, *(value for value, _ in args))
        except TimeoutError:
            raise
        except (OverflowError, MemoryError, NotImplementedError):
            self.clamped = True
            value = m.nan
        except Exception:  # a singular matrix, in one of the many ways in which mpmath says so
            value = m.nan
        return self._checked(m, node, value)

    def _entries(self, m: Any, node: Apply, args: list[Values]) -> Values:
        """A scalar row, entry by entry."""
        op = node.op
        function, notation, tops = op.mpmath, op.notation, [top for _, top in args]
        shape = self._shapes[node]
        guarded = too_large(notation, tops) if notation != "piecewise" else False
        largest, out = 0, []
        for operands in _broadcast(shape, [value for value, _ in args]):
            if perf_counter() > self._deadline:
                raise TimeoutError
            value, top = None, 0
            if notation == "piecewise":
                value, top = branch([None if m.isnan(v) else v for v in operands], tops)
            elif any(v != v for v in operands):
                pass
            elif guarded and too_large(notation, [kept(m, v)[1] for v in operands]):
                self.clamped = True
            else:
                try:
                    value = function(m, *operands)
                except (OverflowError, MemoryError, NotImplementedError):
                    self.clamped = True
                except Exception:  # a pole, in one of the many ways in which mpmath says so
                    pass
                else:
                    value, top = self._kept(m, value)
            out.append(m.nan if value is None else value)
            largest = max(largest, top)
        return (_filled(shape, out) if shape else out[0]), largest

    def _checked(self, m: Any, node: Apply, value: Any) -> Values:
        """What a row over arrays gave, in the node's shape, entries out of range as nan."""
        import numpy as np

        shape = self._shapes[node]
        given = np.asarray(value, dtype=object)
        wanted = reduce(mul, shape, 1)
        flat = list(given.flat) if given.size == wanted else [m.nan] * wanted
        largest = 0
        for i, entry in enumerate(flat):
            flat[i], top = self._kept(m, _item(entry))
            largest = max(largest, top)
        return (_filled(shape, flat) if shape else flat[0]), largest

    def _kept(self, module: Any, value: Any) -> Values:
        if hasattr(module, "Rational"):
            return value, 0
        held, top = kept(module, value)
        if held is None:
            self.clamped = self.clamped or top > 0
            return module.nan, 0
        self.clamped = self.clamped or bool(value and not held)
        self.magnitude = max(self.magnitude, top)
        return held, top

    def _by_sympy(self, s: Any, node: Apply, args: list[Values]) -> Values:
        import numpy as np

        op, shape = node.op, self._shapes[node]
        operands = [value for value, _ in args]
        if op.shape is not None:
            flat = [_number(s, _item(v)) for v in np.asarray(op.sympy(s, *operands)).flat]
            return (_filled(shape, flat) if shape else flat[0]), 0
        out = []
        for entry in _broadcast(shape, operands):
            if op.notation == "power" and entry[0].is_Rational and entry[1].is_Rational:
                bits = max(int(entry[0].p).bit_length(), int(entry[0].q).bit_length())
                if bits * abs(entry[1]) > MANY_BITS:
                    raise Declined("a constant has too many digits")
            out.append(op.sympy(s, *entry))
        return (_filled(shape, out) if shape else out[0]), 0


def evaluate(
    roots: Sequence[Expr], values: Mapping[str, Any], sizes: Mapping[str, int], module: Any
) -> list[Any]:
    """The roots' values at the given sizes: numbers, or NumPy arrays of them (dtype object).

    Args:
        values: by name, numbers and arrays (nested lists, NumPy) of the names' shapes.
        sizes: of the named dimensions.
        module: an mpmath context (see `numbers.context`), or sympy: then the values may be
            SymPy expressions.
    """
    return ArrayTape(roots, sizes).run(module, values)


def numbers_at(
    roots: Sequence[Expr], values: Mapping[str, Any], others: Iterable[Sym] = ()
) -> list[Any]:
    """The roots' values in double precision: floats and arrays, sizes read off the values.

    Sizes are also read off the values of `others`, which need not have one. They are computed
    with 30 digits, of large arrays in double precision; where one is undefined it is nan.

    Raises:
        UsageError: a name has no value.
        ShapeError: values do not fit the shapes, or each other.
    """
    import numpy as np

    needed = [node for node in topological(roots) if isinstance(node, Sym)]
    sizes = sizes_from(dict.fromkeys([*needed, *others]), values)
    for leaf in needed:
        if leaf.name not in values and not (leaf.name in sizes and not leaf.shape):
            raise UsageError(f"{leaf.name} has no value", hint=f"call it with {leaf.name}=…")
    tape = ArrayTape(roots, sizes)
    if tape.work > _LARGEST:
        return float_values(roots, values, sizes)
    found = tape.run(context(30), values)
    return [np.array(v, dtype=float) if isinstance(v, np.ndarray) else _float(v) for v in found]


def _float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def sizes_from(symbols: Iterable[Sym], values: Mapping[str, Any]) -> dict[str, int]:
    """The sizes of the named dimensions, read off the shapes of the values.

    Raises:
        ShapeError: a value has another rank, or two values say different sizes.

    >>> from chainrule.core.expr import symbol
    >>> sizes_from([symbol("X", ("N", "d"))], {"X": [[1, 2, 3], [4, 5, 6]]})
    {'N': 2, 'd': 3}
    """
    import numpy as np

    sizes: dict[str, int] = {}
    equations: list[tuple[Sym, dict[str, int], int]] = []
    for symbol in symbols:
        if not symbol.shape or symbol.name not in values:
            continue
        shape = np.shape(values[symbol.name])
        if len(shape) != len(symbol.shape):
            raise _misfit(symbol, shape)
        for dim, size in zip(symbol.shape, shape, strict=True):
            equations.append((symbol, affine(dim), size))
    # Dimensions that are sums are solved for their one unknown name, once the others are known.
    equations.sort(key=lambda equation: len(equation[1]))
    for symbol, terms, size in equations:
        rest = size - sum(c * (sizes.get(n, 0) if n else 1) for n, c in terms.items())
        unknown = [n for n in terms if n and n not in sizes]
        if len(unknown) == 1 and rest % terms[unknown[0]] == 0:
            sizes[unknown[0]] = rest // terms[unknown[0]]
        elif unknown or rest:
            raise _misfit(symbol, np.shape(values[symbol.name]))
    return sizes


def _misfit(symbol: Sym, shape: Shape) -> ShapeError:
    return ShapeError(
        f"{symbol.name} is a {shape_text(symbol.shape)}, and the value has the shape {shape}",
        hint="equal names of dimensions stand for equal sizes", shapes=(symbol.shape,),
    )  # fmt: skip


def _item(value: Any) -> Any:
    return value.item() if hasattr(value, "item") and hasattr(value, "dtype") else value


def _number(module: Any, value: Any) -> Any:
    if not hasattr(module, "Rational"):
        return number(module, value)
    if isinstance(value, float):
        return module.Rational(repr(value))
    if isinstance(value, Fraction):
        return module.Rational(value.numerator, value.denominator)
    return module.Integer(value) if isinstance(value, int) else value


def _filled(shape: tuple[int, ...], entries: Iterable[Any]) -> Any:
    import numpy as np

    array = np.empty(shape, dtype=object)
    for place, entry in zip(np.ndindex(*shape), entries, strict=False):
        array[place] = entry
    return array


def _broadcast(shape: tuple[int, ...], operands: Sequence[Any]) -> Iterable[tuple[Any, ...]]:
    """The operands' entries, in the order of an array of this shape."""
    import numpy as np

    if not shape:
        return [tuple(operands)]
    stretched = [
        np.broadcast_to(a, shape).flat if isinstance(a, np.ndarray) else repeat(a)
        for a in operands
    ]  # fmt: skip
    return zip(*stretched, strict=False)
