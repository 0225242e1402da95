"""Claims about large arrays, along random directions in double precision.

Of an array output the sum weighted with a random cotangent is differentiated, so that every
claim is about the gradient of a number; a linear map is checked by its adjoint identity too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from time import perf_counter
from typing import Any
from zlib import crc32

from chainrule.checking.array_claims import ArrayClaim
from chainrule.checking.array_floats import float_values
from chainrule.checking.array_points import class_numbers, count_of, small_sizes
from chainrule.checking.gradients import check_gradients
from chainrule.core.errors import UsageError
from chainrule.core.expr import Expr, Sym, free_symbols, topological
from chainrule.core.shape import size_of
from chainrule.derivation.steps import Method

_LARGEST = 60_000_000  # numbers in memory
_TOLERANCE = 1e-5
_ADJOINT = 1e-9
_DIRECTIONS = 2
_TRIES = 6
_SMALL = 1_000  # entries; of more, some are on either side of a kink at any point


def compare(claims: Sequence[ArrayClaim], text: str = "", deadline: float = float("inf")) -> Method:
    """Compare claimed first derivatives with differences, at the sizes that are given.

    >>> from chainrule.core.arrays import outer
    >>> from chainrule.core.expr import symbol
    >>> W, x, v = symbol("W", (300, 200)), symbol("x", (200,)), symbol("v", (300,))
    >>> claim = ArrayClaim(v @ (W @ x), (W,), "gradient", (outer(v, x),), "y")
    >>> compare([claim]).status
    'verified'
    >>> compare([claim._replace(expressions=(2 * outer(v, x),))]).status
    'failed'
    """
    roots = [f for c in claims for f in (c.function, *c.expressions, *c.adjoints)]
    sizes = small_sizes(roots)
    if sizes is None:
        return Method("directional", "unverified", "no small sizes fit all the shapes")
    if any(c.kind not in ("gradient", "jacobian", "tensor") for c in claims):
        return Method("directional", "unverified", "it is too large to be checked")
    if sum(count_of(node, sizes) for node in topological(roots)) > _LARGEST:
        return Method("directional", "unverified", "it is too large to be checked")
    worst = 0.0
    for claim in claims:
        try:
            found = _Check(claim, sizes, text, deadline).run()
        except TimeoutError:
            return Method("directional", "unverified", "the time for it ran out")
        if found.status != "verified":
            return found
        worst = max(worst, found.largest_relative_error or 0.0)
    return Method("directional", "verified", "in double precision", 1, worst)


class _Check:
    def __init__(
        self, claim: ArrayClaim, sizes: Mapping[str, int], text: str, deadline: float
    ) -> None:
        import numpy as np

        self.claim, self.sizes, self._deadline = claim, sizes, deadline
        self._draw = np.random.default_rng(crc32(text.encode()))
        terms = [*claim.expressions, *claim.adjoints]
        if claim.weights is not None:
            terms.append(claim.weights)
        self._terms = terms
        self._probes = claim.probes()
        self._symbols = [
            s for s in free_symbols([claim.function, *terms, *claim.by])
            if (s.shape or s.name not in sizes) and s not in self._probes
        ]  # fmt: skip

    def run(self) -> Method:
        """The claim at a point where everything is defined, or at several of small arrays."""
        import numpy as np

        if self.claim.misfit:
            return Method("directional", "failed", self.claim.misfit)
        small = sum(count_of(s, self.sizes) for s in self._symbols) < _SMALL
        found = Method("directional", "unverified", "no point in the domain was found")
        for point in self._points():
            value, slope = self.value(point), self.slope(point)
            if not (np.isfinite(value) and np.isfinite(slope).all()):
                continue
            adjoint = self._adjoint(point)
            if adjoint > _ADJOINT:
                detail = f"{self.claim.place}the action on a change is not that on a cotangent"
                return Method("directional", "failed", detail, 1, adjoint)
            found = self._differences(point)
            if not small or found.status != "verified":
                break
        return found

    def _differences(self, point: dict[str, Any]) -> Method:
        by = self.claim.by[0].name
        try:
            report = check_gradients(
                _Step(self, point), {by: point[by]}, "directions",
                tolerance=_TOLERANCE, directions=_DIRECTIONS,
            )  # fmt: skip
        except UsageError as error:
            return Method("directional", "unverified", error.message)
        found = report.worst
        if report.ok:
            return Method("directional", "verified", "", 1, found.error)
        where = f"at {by}[{', '.join(map(str, found.entry))}] " if found.entry else ""
        witness = f"{where}{found.claimed:.6g}, numerically {found.measured:.6g}"
        return Method("directional", "failed", f"{self.claim.place}{witness}", 1, found.error)

    def _points(self) -> Iterator[dict[str, Any]]:
        for attempt in range(_TRIES):
            point = {s.name: self._random(s, attempt) for s in self._symbols}
            point |= {s.name: self._random(s, 0) for s in self._probes}
            if self._weight is None:
                point["cotangent of the output"] = self._random_of(self.claim.function)
            yield point

    @property
    def _weight(self) -> Expr | Sym | None:
        """What the output is weighted with, by the claim; None where that is left open."""
        if self.claim.weights is not None:
            return self.claim.weights
        for probe in self._probes:
            if probe.name == f"{self.claim.output}_bar":
                return probe
        return None

    def _random(self, symbol: Sym, attempt: int) -> Any:
        classes = class_numbers([self.claim.function]).get(symbol)
        shape = tuple(size_of(d, self.sizes) for d in symbol.shape)
        if classes is not None:
            return self._draw.integers(size_of(classes, self.sizes), size=shape)
        scale = (shape[0] ** -0.5 if len(shape) == 2 else 1.0) * (1.0, 0.3, 3.0)[attempt % 3]
        found = scale * self._draw.uniform(0.2, 1.0, shape)
        return found if attempt % 2 else found * self._draw.choice([-1.0, 1.0], shape)

    def _random_of(self, node: Expr) -> Any:
        shape = tuple(size_of(d, self.sizes) for d in node.shape)
        return self._draw.uniform(0.2, 1.0, shape) * self._draw.choice([-1.0, 1.0], shape)

    def _values(self, roots: Sequence[Expr], point: Mapping[str, Any]) -> list[Any]:
        if perf_counter() > self._deadline:
            raise TimeoutError
        return float_values(roots, point, self.sizes)

    def value(self, point: Mapping[str, Any]) -> float:
        """The output, weighted to a number."""
        import numpy as np

        (value,) = self._values([self.claim.function], point)
        return float(np.vdot(self._cotangent(point), value))

    def _cotangent(self, point: Mapping[str, Any]) -> Any:
        if self._weight is not None:
            return self._values([self._weight], point)[0]
        return point["cotangent of the output"] if self.claim.function.shape else 1.0

    def slope(self, point: Mapping[str, Any]) -> Any:
        """What the claim says is the gradient of that number."""
        claim = self.claim
        shape = tuple(size_of(d, self.sizes) for d in claim.by[0].shape)
        terms = claim.adjoints if claim.kind == "tensor" else claim.expressions
        if claim.kind == "tensor" and not terms:
            return self._zero_slope(point, shape)
        total = sum(self._values(terms, point))
        if claim.kind != "jacobian":
            return total
        cotangent = self._cotangent(point)
        count = int(max(1, getattr(cotangent, "size", 1)))
        flat = total.reshape(-1, count) if claim.transposed else total.reshape(count, -1).T
        return (flat @ _flat(cotangent)).reshape(shape)

    def _zero_slope(self, point: Mapping[str, Any], shape: tuple[int, ...]) -> Any:
        """The gradient where the action on a change alone is claimed: it has to be 0."""
        import numpy as np

        pushed = sum(self._values(self.claim.expressions, point))
        return np.full(shape, np.nan) if np.any(pushed) else np.zeros(shape)

    def _adjoint(self, point: Mapping[str, Any]) -> float:
        """How far <push(dx), g> is from <dx, pull(g)>, relative to their size."""
        import numpy as np

        if self.claim.kind != "tensor" or not self.claim.adjoints:
            return 0.0
        pushed = _flat(sum(self._values(self.claim.expressions, point)))
        pulled = _flat(self.slope(point))
        change = _flat(point[f"d{self.claim.by[0].name}"])
        one, other = pushed * _flat(self._cotangent(point)), pulled * change
        size = float(np.abs(one).sum() + np.abs(other).sum())
        return abs(float(one.sum() - other.sum())) / size if size else 0.0


class _Step:
    """The number and its claimed gradient, as `check_gradients` calls them."""

    def __init__(self, check: _Check, point: dict[str, Any]) -> None:
        self._check, self._point = check, point

    def value(self, **moved: Any) -> float:
        """The number alone."""
        return self._check.value({**self._point, **moved})

    def __call__(self, **moved: Any) -> tuple[float, dict[str, Any]]:
        point = {**self._point, **moved}
        (by,) = moved
        return self._check.value(point), {by: self._check.slope(point)}


def _flat(value: Any) -> Any:
    import numpy as np

    return np.asarray(value, dtype=float).reshape(-1)
