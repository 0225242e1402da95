"""Derivatives of functions of arrays by SymPy, entry by entry, and claims compared with them.

Released SymPy differentiates some matrix expressions to a silent 0, so it never sees one:
functions are evaluated on arrays of its symbols, and each entry is differentiated by each
entry. Both sides are then compared at points, to 50 digits; `simplify` decides nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any

from chainrule.checking import patience
from chainrule.checking.array_claims import ArrayClaim, Comparison, Shift
from chainrule.checking.array_differences import in_words, point_in
from chainrule.checking.array_points import (
    ArrayPoint,
    ArraySearch,
    class_numbers,
    count_of,
    small_sizes,
)
from chainrule.checking.array_values import HEAVY, ArrayTape
from chainrule.checking.differences import Estimate, digits_of, relative_error
from chainrule.checking.numbers import context
from chainrule.checking.to_sympy import LOADING, Declined
from chainrule.core.expr import Apply, Expr, Sym, fold, topological
from chainrule.core.shape import size_of
from chainrule.derivation.steps import Method

_DIGITS = 50
_TOLERANCE = 1e-30
_POINTS = 2
# Sizes up to which SymPy answers in milliseconds; `tree` counts an entry's nodes as written out.
_TREE = 130
_ENTRIES = 250  # derivatives of an entry by an entry
_WORK = 5_000  # their trees together

_SECONDS = 2.0


class Symbolic:
    """An oracle: SymPy's derivatives at a point."""

    def __init__(self, known: Derivatives, point: ArrayPoint) -> None:
        self.m = context(_DIGITS + 10)
        self._known, self._values = known, known.values_at(point)
        self._found: dict[Any, Any] = {}

    def along(self, function: Expr, shifts: Sequence[Shift]) -> list[Estimate]:
        """The derivative along one direction after the other, entry by entry."""
        import numpy as np

        m = self.m
        terms: list[tuple[Any, tuple[Any, ...]]] = [(m.one, ())]
        for shift in shifts:
            steps = [
                (weight, entry)
                for variable, direction in shift.items()
                for weight, entry in zip(
                    np.asarray(direction, dtype=object).reshape(-1),
                    self._known.entries(variable),
                    strict=True,
                )
                if weight
            ]
            terms = [(w * weight, (*by, e)) for w, by in terms for weight, e in steps]
        return [
            self._sum([(w, self._value(function, i, by)) for w, by in terms])
            for i in range(self._known.count(function))
        ]

    def _sum(self, terms: Sequence[tuple[Any, Any]]) -> Estimate:
        if any(value is None for _, value in terms):
            return Estimate(None, self.m.zero)
        total = sum((w * value for w, value in terms), self.m.zero)
        size = sum((abs(w * value) for w, value in terms), self.m.zero)
        return Estimate(total, size * self.m.mpf(10) ** (3 - _DIGITS))

    def _value(self, function: Expr, i: int, by: tuple[Any, ...]) -> Any:
        key = (function, i, by)
        if key not in self._found:
            self._found[key] = self._number(self._known.derivative(function, i, by))
        return self._found[key]

    def _number(self, derivative: Any) -> Any:
        self._known.check_time()
        value = derivative.xreplace(self._values).evalf(_DIGITS)
        if value.is_Rational:
            return self.m.mpf(int(value.p)) / int(value.q)
        return self.m.make_mpf(value._mpf_) if value.is_Float else None


class Derivatives:
    """The functions over SymPy's symbols, and their derivatives, each taken once."""

    def __init__(
        self, functions: Sequence[Expr], symbols: Sequence[Sym], sizes: Mapping[str, int],
        fixed: Mapping[str, Any], deadline: float,
    ) -> None:  # fmt: skip
        import numpy as np
        import sympy

        self._deadline = deadline
        self._entries: dict[Sym, list[Any]] = {}
        values: dict[str, Any] = {}
        for number, variable in enumerate(symbols):
            if variable.name in fixed:
                values[variable.name] = fixed[variable.name]
                continue
            shape = tuple(size_of(d, sizes) for d in variable.shape)
            array = np.empty(shape, dtype=object)
            for place in np.ndindex(*shape):
                name = "_".join(map(str, ("v", number, *place)))
                array[place] = sympy.Symbol(name, real=True)
            self._entries[variable] = list(array.reshape(-1))
            values[variable.name] = array if shape else array[()]
        found = ArrayTape(functions, sizes, deadline).run(sympy, values)
        self._functions = {
            f: list(np.asarray(v, dtype=object).reshape(-1))
            for f, v in zip(functions, found, strict=True)
        }
        self._taken: dict[Any, Any] = {}

    def check_time(self) -> None:
        """TimeoutError past the deadline."""
        if perf_counter() > self._deadline:
            raise TimeoutError

    def entries(self, variable: Sym) -> list[Any]:
        """The SymPy symbols of a variable."""
        return self._entries[variable]

    def count(self, function: Expr) -> int:
        """The number of entries of a function."""
        return len(self._functions[function])

    def derivative(self, function: Expr, i: int, by: tuple[Any, ...]) -> Any:
        """The derivative of an entry."""
        import sympy

        taken = self._functions[function][i]
        for k, entry in enumerate(by, 1):
            key = (function, i, by[:k])
            if key not in self._taken:
                self.check_time()
                derivative = sympy.diff(taken, entry)
                if derivative.has(sympy.Derivative, sympy.Subs):
                    raise Declined("SymPy leaves a derivative undone")
                self._taken[key] = derivative
            taken = self._taken[key]
        return taken

    def values_at(self, point: ArrayPoint) -> dict[Any, Any]:
        """SymPy's numbers for its symbols."""
        import numpy as np
        import sympy

        return {
            entry: sympy.Rational(v.numerator, v.denominator)
            for variable, entries in self._entries.items()
            for entry, v in zip(
                entries, np.asarray(point[variable.name], dtype=object).reshape(-1), strict=True
            )
        }


def compare(
    claims: Sequence[ArrayClaim],
    text: str = "",
    *,
    points: int = _POINTS,
    deadline: float = float("inf"),
) -> Method:
    """Compare claimed derivatives with SymPy's, at the smallest sizes, entry by entry.

    >>> from chainrule.core.arrays import dot
    >>> from chainrule.core.expr import symbol
    >>> A, B = symbol("A", ("m", "n")), symbol("B", ("m", "n"))
    >>> compare([ArrayClaim(dot(A, B), (A,), "gradient", (B,), "y")]).status
    'verified'
    """
    deadline = min(deadline, perf_counter() + _SECONDS)
    if perf_counter() > deadline:
        return Method("sympy", "unverified", "the time for it ran out")
    if "sympy" not in sys.modules and patience.limit() < perf_counter() + LOADING:
        return Method("sympy", "unverified", "too little time was left to load SymPy")
    try:
        import sympy  # noqa: F401  (loaded before anything can interrupt it)

        with patience.interrupted(patience.limit()):
            return _compare(claims, text, points, deadline)
    except TimeoutError:
        return Method("sympy", "unverified", "the time for it ran out")
    except Declined as declined:
        return Method("sympy", "unverified", str(declined))
    except Exception as error:  # SymPy raises exceptions of many kinds, none of which may pass
        return Method("sympy", "unverified", f"SymPy raised {type(error).__name__}")


def _compare(claims: Sequence[ArrayClaim], text: str, points: int, deadline: float) -> Method:
    for claim in claims:
        if claim.misfit:
            return Method("sympy", "failed", claim.misfit)
    functions = list(dict.fromkeys(c.function for c in claims))
    terms = [t for c in claims for t in (*c.expressions, *c.adjoints)]
    sizes = small_sizes([*functions, *terms], smallest=2)
    if sizes is None:
        raise Declined("no small sizes fit all the shapes")
    comparison = Comparison(claims, sizes, deadline)
    _check_size(comparison)
    search = ArraySearch(
        functions, comparison.free(), sizes, text, enough=points, deadline=deadline
    )
    first = next(iter(search), None)
    if first is None:
        raise Declined("no point in the domain was found")
    # Numbers of classes are none that SymPy may have as symbols.
    classes = {s.name: first[s.name] for s in class_numbers(functions) if isinstance(s, Sym)}
    known = Derivatives(functions, search.symbols, sizes, classes, deadline)
    compared, worst = 0, 0.0
    open_places: set[int] | None = None
    for point in search:
        point |= classes
        oracle = Symbolic(known, point)
        rounding = oracle.m.mpf(10) ** (3 - _DIGITS)
        undecided = set()
        for i, pair in enumerate(comparison.pairs(point_in(oracle.m, point), oracle, rounding)):
            error = relative_error(pair.claimed, pair.measured)
            if error is None:
                undecided.add(i)
            elif error > _TOLERANCE:
                where = f"{pair.place}: " if pair.place else ""
                numbers = f"{digits_of(pair.claimed.value)}, by SymPy "
                numbers += digits_of(pair.measured.value)
                witness = f"at {in_words(point, sizes)}: {where}{numbers}"
                return Method("sympy", "failed", witness, compared + 1, error)
            worst = max(worst, error or 0.0)
        open_places = undecided if open_places is None else open_places & undecided
        compared += 1
    if not compared:
        raise Declined("no point in the domain was found")
    if open_places:
        raise Declined("some entries have no value by SymPy")
    return Method("sympy", "verified", "entry by entry, agreed numerically", compared, worst)


def _check_size(comparison: Comparison) -> None:
    """Decline what SymPy would take long over."""
    sizes = comparison.sizes

    def tree(node: Expr, below: list[int]) -> int:
        if not isinstance(node, Apply):
            return 1
        own = max(1, count_of(node, sizes))
        total = 1
        for argument, t in zip(node.args, below, strict=True):
            many = -(-count_of(argument, sizes) // own)
            if node.op.name == "matmul":
                many = max(many, size_of(node.args[0].shape[-1], sizes))
            elif node.op.name in ("det", "inv"):
                many = max(many, count_of(argument, sizes))
            elif node.op.name == "softmax" and node.shape:
                many = size_of(node.shape[-1], sizes)
            total += t * many
        return min(total, 10**9)

    if any(isinstance(n, Apply) and n.op.name in HEAVY for n in topological(comparison.functions)):
        raise Declined("SymPy would take long over a matrix exponential")
    trees = dict(zip(comparison.functions, fold(comparison.functions, tree), strict=True))
    if any(t > _TREE for t in trees.values()):
        raise Declined("it is too large")
    entries = work = 0
    for claim in comparison.claims:
        count = count_of(claim.function, sizes)
        for variable in claim.by:
            count *= count_of(variable, sizes)
        entries += count
        work += count * trees[claim.function]
    if entries > _ENTRIES or work > _WORK:
        raise Declined("it has too many entries")
