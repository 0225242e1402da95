"""Gradients against differences of the loss, for any code that returns both.

Central differences, (f(x + h) - f(x - h)) / (2 h), at two step sizes and extrapolated; one
entry at a time, and along random directions through all entries of a large array. The noise
of the loss is measured, not assumed, and sets the steps. Where the slopes to the left and to
the right differ however small the step is, there is a kink, and a claimed slope between the
two is right.

>>> import numpy as np
>>> def step(X, w):
...     p = X @ w
...     return np.mean(p**2), {"w": X.T @ p / len(p)}
>>> report = check_gradients(step, {"X": np.eye(2), "w": np.array([1.0, 2.0])})
>>> report.ok
False
>>> print(report)
Gradients against central differences in float64, tolerance 1e-06: FAILED
<BLANKLINE>
parameter  shape  compared  largest error
w          (2,)   2         5.0e-01 at [1]  WRONG
<BLANKLINE>
w: each entry is 0.5 times the slope of the loss
w[1]: the gradient says 1, the slope is 2
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, isfinite
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from chainrule.checking.gradient_report import Checked, GradientReport
from chainrule.checking.slopes import Loss, Slope, Step, as_array, called
from chainrule.core.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

Method = Literal["central", "directions"]

_TOLERANCES = {"float64": 1e-6, "float32": 1e-4}
_COARSE = 1e-2  # where the loss itself is only to be had in single precision
_ENTRIES = 200
_DIRECTIONS = 4


def check_gradients(
    step: Step,
    inputs: Mapping[str, Any],
    method: Method = "central",
    *,
    tolerance: float | None = None,
    entries: int = _ENTRIES,
    directions: int = _DIRECTIONS,
    seed: int = 0,
) -> GradientReport:
    """Compare the gradients that `step` returns with differences of its loss.

    Args:
        step: called as `step(**inputs)`, returns the loss and a dictionary of gradients: a
            compiled `GradientFunction`, or any function of your own.
        inputs: where to compare. The names of the gradients are among them; the others (data)
            are left as they are.
        method: `central`: each entry by itself; of a parameter with more than `entries` of
            them a random choice, and random directions through all. `directions`: those alone.
        tolerance: the relative error that is accepted; by default 1e-6 in double precision,
            1e-4 for gradients in single precision, and 1e-2 where the loss is to be had in
            single precision only.
        entries, directions: how many are compared for each parameter.
        seed: of the random choices.

    Raises:
        UsageError: `step` does not return a scalar loss and gradients of its inputs.
    """
    import numpy as np

    if method not in ("central", "directions"):
        raise UsageError(f"the method is {method!r}", hint="it is 'central' or 'directions'")
    if min(entries, directions) < 0:
        raise UsageError("a negative number of entries or directions", hint="0 for none")
    given = {name: as_array(value) for name, value in inputs.items()}
    loss, grads = called(step, given)
    claims = {name: np.array(g, dtype=np.float64) for name, g in grads.items()}
    for name in claims:
        if name not in given:
            raise UsageError(
                f"there is a gradient by {name}, which is not among the inputs",
                hint=f"the inputs are {', '.join(given)}",
            )
    single = any(given[name].dtype.itemsize < 8 for name in claims)
    measured = Loss(step, given, list(claims), loss, np.random.default_rng(seed))
    if tolerance is None:
        tolerance = _TOLERANCES["float32" if single else "float64"]
        if measured.dtype == "float32":
            tolerance = _COARSE
    own = 1e-6 if single else 1e-14  # rounding in the claimed gradients themselves
    found = [
        _Parameter(measured, name, claim, tolerance, own).check(method, entries, directions)
        for name, claim in claims.items()
    ]
    return GradientReport(tuple(found), tolerance, method, measured.dtype)


class _Pair(NamedTuple):
    """A claimed slope, the measured one, and how they compare.

    `sides` are the slopes to the left and to the right of a kink.
    """

    claimed: float
    measured: float
    error: float
    sides: tuple[float, float] | None = None

    def over(self, size: float) -> _Pair:
        """The slopes per unit, measured for a change of this size."""
        sides = None if self.sides is None else (self.sides[0] / size, self.sides[1] / size)
        return _Pair(self.claimed / size, self.measured / size, self.error, sides)


class _Parameter:
    """The claimed gradient by one parameter."""

    def __init__(
        self, loss: Loss, name: str, claims: Array, tolerance: float, rounding: float
    ) -> None:
        import numpy as np

        self._loss, self._name, self._claims, self._tolerance = loss, name, claims, tolerance
        self._shape = loss.inputs[name].shape
        # The entries of a gradient are sums, with rounding of the size of the largest.
        self._own = rounding * float(np.max(np.abs(claims), initial=0.0))
        self._scale = loss.scale(name)

    def check(self, method: Method, entries: int, directions: int) -> Checked:
        import numpy as np

        problem = self._problem()
        if problem:
            return Checked(self._name, self._shape, inf, ok=False, note=problem)
        self._claims = self._claims.reshape(self._shape)
        places = list(np.ndindex(*self._shape))
        along = 0
        if method == "directions" or len(places) > entries:
            along = directions
            picked: list[int] = []
            if method == "central":
                chosen = self._loss.rng.choice(len(places), entries, replace=False)
                picked = sorted(int(i) for i in chosen)
            places = [places[i] for i in picked]
        pairs = {place: self._entry(place) for place in places}
        worst = max((p.error for p in pairs.values()), default=0.0)
        for _ in range(along):
            signs = self._loss.rng.choice([-1.0, 1.0], self._shape)
            pair = self._along(signs * self._scale)
            worst = max(worst, pair.error)
            if pair.error > self._tolerance and not any(map(self._wrong, pairs.values())):
                place = self._culprit(signs * self._scale)
                pairs[place] = self._entry(place)
        return self._checked(pairs, worst, len(places), along)

    def _problem(self) -> str:
        import numpy as np

        shape = self._claims.shape
        if shape != self._shape and not self._claims.size == 1 == np.prod(self._shape):
            turned = ", as that of the transpose" if shape == self._shape[::-1] else ""
            return f"the gradient has the shape {shape}{turned}"
        if not np.isfinite(self._claims).all():
            place = tuple(int(i) for i in np.argwhere(~np.isfinite(self._claims))[0])
            return f"the gradient is {self._claims[place]} at [{', '.join(map(str, place))}]"
        return ""

    def _entry(self, place: tuple[int, ...]) -> _Pair:
        import numpy as np

        direction = np.zeros(self._shape)
        size = direction[place] = float(self._scale[place])
        pair = self._along(direction)
        return pair.over(size)

    def _along(self, direction: Array) -> _Pair:
        """The claimed slope along a direction against the measured one.

        Where they disagree, smaller steps are tried: they leave kinks nearby behind.
        """
        import numpy as np

        claimed = float(np.vdot(self._claims, direction))
        own = self._own * float(np.linalg.norm(direction))
        best: Slope | None = None
        before: Slope | None = None
        sides: tuple[float, float] | None = None
        for found in self._loss.slopes(self._name, direction):
            if not isfinite(found.value):
                continue
            error = found.error(claimed, own, self._tolerance)
            if best is None or error < best.error(claimed, own, self._tolerance):
                best = found
            reach = self._tolerance * max(abs(claimed), abs(found.value))
            if error <= self._tolerance and (found.doubt <= reach or before is None):
                return _Pair(claimed, found.value, error)
            if found.doubt > 0.1 * max(abs(claimed), abs(found.value)):
                break
            if before and found.telling and before.telling:
                gap, earlier = found.right - found.left, before.right - before.left
                if gap / earlier > 0.7:  # of a smooth function it would be a quarter
                    sides = found.left, found.right
                    if (
                        min(sides) - reach - found.doubt
                        <= claimed
                        <= max(sides) + reach + found.doubt
                    ):
                        return _Pair(claimed, found.value, 0.0, sides)
                elif sides is not None:
                    sides = None  # it is nearby, and left behind by now
            before = found
        if best is None:
            return _Pair(claimed, float("nan"), inf)
        return _Pair(claimed, best.value, best.error(claimed, own, self._tolerance), sides)

    def _culprit(self, direction: Array) -> tuple[int, ...]:
        """An entry that disagrees, found by halving a direction along which the sum does."""
        import numpy as np

        places = np.arange(direction.size)
        while len(places) > 1:
            halves = places[: len(places) // 2], places[len(places) // 2 :]
            errors = []
            for half in halves:
                part = np.zeros(direction.size)
                part[half] = direction.reshape(-1)[half]
                pair = self._along(part.reshape(self._shape))
                errors.append(abs(pair.claimed - pair.measured) if pair.error else 0.0)
            places = halves[errors[1] > errors[0]]
        return tuple(int(i) for i in np.unravel_index(int(places[0]), self._shape))

    def _wrong(self, pair: _Pair) -> bool:
        return not pair.error <= self._tolerance

    def _checked(
        self, pairs: dict[tuple[int, ...], _Pair], worst: float, entries: int, along: int
    ) -> Checked:
        wrong = not worst <= self._tolerance
        if not pairs:
            return Checked(
                self._name, self._shape, worst, directions=along, ok=not wrong,
                note=f"the sums along {along} random directions disagree" if wrong else "",
            )  # fmt: skip
        place, pair = max(pairs.items(), key=lambda item: (item[1].error, abs(item[1].claimed)))
        return Checked(
            self._name, self._shape, max(worst, pair.error), place, pair.claimed, pair.measured,
            entries, along, sum(bool(p.sides) and not p.error for p in pairs.values()), not wrong,
            pair.sides if pair.error else None, self._note(pairs) if wrong else "",
        )  # fmt: skip

    def _note(self, pairs: dict[tuple[int, ...], _Pair]) -> str:
        """What all wrong entries have in common, if anything."""
        if len(self._shape) == 2 and self._shape[0] == self._shape[1] > 1:
            turned = [(float(self._claims[j, i]), p) for (i, j), p in pairs.items()]
            if all(abs(c - p.measured) <= 1e-3 * max(abs(c), abs(p.measured)) for c, p in turned):
                return "the gradient is transposed"
        big = [p for p in pairs.values() if p.measured and (p.error or p.claimed)]
        ratios = [p.claimed / p.measured for p in big]
        if len(ratios) < min(2, self._claims.size) or max(ratios) - min(ratios) > 1e-3 * abs(
            ratios[0]
        ):
            wrong = sum(map(self._wrong, pairs.values()))
            return f"{wrong} of {len(pairs)} entries compared disagree" if len(pairs) > 1 else ""
        if abs(ratios[0] + 1) < 1e-3:
            return "the sign is turned"
        return f"each entry is {ratios[0]:.4g} times the slope of the loss"
