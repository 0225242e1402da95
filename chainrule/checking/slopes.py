"""The slopes of a loss, by differences of its values with the step sizes that its noise allows.

Press et al., *Numerical Recipes* (2007), section 5.7; Moré & Wild, *Estimating computational
noise* (2011), for the table of differences.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

from chainrule.core.errors import ChainruleError, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[Any]

Step = Callable[..., tuple[Any, Mapping[str, Any]]]

_SHRINKINGS = 6
_SMALL = 0.05  # entries around 0 are moved as those of this size


def as_array(value: Any) -> Array:
    """An array that is not the caller's own."""
    import numpy as np

    try:
        return np.array(value)
    except ValueError:  # lists of unequal lengths
        raise UsageError("one of the inputs is no array of numbers") from None


def called(step: Step, inputs: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The loss and copies of the gradients: a step may hand out its buffers."""
    import numpy as np

    answer = step(**plain(inputs))
    if not (isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[1], Mapping)):
        raise UsageError(
            "the step does not return a loss and a dictionary of gradients",
            hint="return (loss, {'W': …})",
        )
    loss, grads = answer
    if np.ndim(loss) != 0:
        raise UsageError(
            f"the loss has the shape {np.shape(loss)}", hint="gradients are of one number"
        )
    if not grads:
        raise UsageError("the step returns no gradient", hint="return (loss, {'W': …})")
    return loss, {name: np.array(g) for name, g in grads.items()}


class Slope(NamedTuple):
    """A slope measured with one step size.

    `doubt` is how much of it may be rounding; `left` and `right` are the one-sided slopes.
    """

    value: float
    doubt: float
    left: float
    right: float

    def error(self, claimed: float, own: float, tolerance: float) -> float:
        """The relative error of a claimed slope; rounding alone stays within the tolerance.

        `own` is how much of the claim may be rounding.
        """
        gap = abs(claimed - self.value)
        size = max(abs(claimed), abs(self.value), (self.doubt + own) / tolerance)
        return gap / size if gap else 0.0

    @property
    def telling(self) -> bool:
        """Whether the one-sided slopes differ by more than rounding."""
        return abs(self.right - self.left) > 20 * self.doubt


class Loss:
    """The loss around the inputs, in the best precision that the step works in.

    Attributes:
        inputs: in that precision.
        here: the loss there.
        noise: the size of the rounding errors in it.
        dtype: `float64` or `float32`.
    """

    def __init__(
        self, step: Step, inputs: dict[str, Array], names: list[str], loss: Any,
        rng: np.random.Generator,
    ) -> None:  # fmt: skip
        self._step, self.rng = step, rng
        self.inputs = {n: _real(a) if n in names else a for n, a in inputs.items()}
        wide = {n: _widened(a) for n, a in self.inputs.items()}
        try:
            found, _ = called(step, wide)
        except (TypeError, ValueError, ChainruleError):
            found = loss  # the step takes the precision that was given, and no other
        else:
            self.inputs = wide
        self.here = float(found)
        if not isfinite(self.here):
            raise UsageError(f"the loss is {self.here} at the inputs")
        self._value = self._value_alone()
        self.noise = self._measured_noise(names)
        coarse = str(getattr(found, "dtype", "")) == "float32" or self.noise > 3e-9 * abs(self.here)
        self.dtype = "float32" if coarse else "float64"
        relative = self.noise / max(abs(self.here), self.noise, 1e-8)
        self._step_size = max(relative, 2.0**-53) ** 0.2

    def _at(self, moved: Mapping[str, Array]) -> float:
        given = plain({**self.inputs, **moved})
        return float(self._step(**given)[0] if self._value is None else self._value(**given))

    def _value_alone(self) -> Callable[..., Any] | None:
        """`step.value`, which spares the gradients, if it gives the same number here."""
        value = getattr(self._step, "value", None)
        if not callable(value):
            return None
        try:
            alone = float(value(**plain(self.inputs)))
        except (TypeError, ValueError, ChainruleError):
            return None
        return value if abs(alone - self.here) <= 1e-6 * abs(self.here) else None

    def _measured_noise(self, names: list[str]) -> float:
        """Rounding errors, from fourth differences of the loss at points close together."""
        import numpy as np

        signs = {n: self.rng.choice([-1.0, 1.0], self.inputs[n].shape) for n in names}

        def values(spacing: float) -> Array:
            return np.array([
                self._at({
                    n: _moved(self.inputs[n], k * spacing * sign * self.scale(n))
                    for n, sign in signs.items()
                })
                for k in range(9)
            ])  # fmt: skip

        found = values(16 * max(np.finfo(self.inputs[n].dtype).eps for n in names))
        if len(set(found)) <= 2:  # a step that rounds its inputs sees no difference
            found = values(16 * float(np.finfo(np.float32).eps))
        fourth = np.diff(found, 4)
        spread = float(np.sqrt(np.mean(fourth**2) / 70)) if np.isfinite(fourth).all() else 0.0
        return max(spread, 2.0**-53 * abs(self.here), 1e-300)

    def scale(self, name: str) -> Any:
        """The size of each entry; of small ones that of the whole, or 1/20."""
        import numpy as np

        a = np.abs(self.inputs[name].astype(np.float64))
        typical = float(np.sqrt(np.mean(a**2))) if a.size else 1.0
        return np.maximum(a, max(typical, _SMALL))

    def slopes(self, name: str, direction: Array) -> Iterator[Slope]:
        """The derivative along a direction, with smaller and smaller steps."""
        h = self._step_size
        for _ in range(_SHRINKINGS):
            yield self._slope(name, direction, h)
            h /= 4

    def _slope(self, name: str, direction: Array, h: float) -> Slope:
        a = self.inputs[name]
        ahead, behind, near, close = (
            self._at({name: _moved(a, k * h * direction)}) for k in (1, -1, 0.5, -0.5)
        )
        coarse, fine = (ahead - behind) / (2 * h), (near - close) / h
        left, right = (self.here - close) / (h / 2), (near - self.here) / (h / 2)
        return Slope((4 * fine - coarse) / 3, 4 * self.noise / h, left, right)


def plain(inputs: Mapping[str, Array]) -> dict[str, Any]:
    return {name: a if a.ndim else a[()] for name, a in inputs.items()}


def _moved(a: Array, shift: Array) -> Array:
    return (a + shift).astype(a.dtype)


def _real(a: Array) -> Array:
    return a if a.dtype.kind == "f" else a.astype("float64")


def _widened(a: Array) -> Array:
    return a.astype("float64") if a.dtype.kind == "f" and a.dtype.itemsize < 8 else a
