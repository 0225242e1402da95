"""Random parameters to start from: the scales that keep the signals of a deep network alive."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Any

from chainrule.core.errors import UsageError
from chainrule.network.architecture import Architecture

if TYPE_CHECKING:
    import numpy as np

SCHEMES = ("he", "xavier", "lecun")


def scale(scheme: str, inputs: int, outputs: int, slope: float = 0.0) -> float:
    """The standard deviation of the weights of a layer with so many inputs and outputs.

    `he` keeps the variance through relu, and through leaky relu with the given slope below 0;
    `xavier` weighs forward and backward pass; `lecun` keeps it through the affine map alone.

    >>> scale("he", 50, 20) == sqrt(2 / 50), scale("he", 50, 20, slope=0.5) == sqrt(2 / 62.5)
    (True, True)

    Raises:
        UsageError: there is no such scheme.

    Source: He et al. 2015, eqs. 10 and 15: sqrt(2/((1 + a^2) n)); Glorot & Bengio 2010, eq. 12;
    LeCun et al. 1998 (Efficient BackProp), eq. 16.
    """
    if scheme == "he":
        return sqrt(2 / ((1 + slope**2) * inputs))
    if scheme == "xavier":
        return sqrt(2 / (inputs + outputs))
    if scheme == "lecun":
        return sqrt(1 / inputs)
    raise UsageError(f"there is no scheme {scheme!r}", hint=f"there are {', '.join(SCHEMES)}")


def initial(
    network: Architecture,
    rng: np.random.Generator | int | None = None,
    scheme: str = "he",
    dtype: Any = "float64",
) -> dict[str, np.ndarray[Any, Any]]:
    """Normal weights of the scheme's scale, and biases of 0, by name.

    Raises:
        UsageError: there is no such scheme; a dtype other than float32 and float64.
    """
    import numpy as np

    try:
        kind = np.dtype(dtype)
    except TypeError:
        kind = np.dtype(object)
    if kind not in (np.float32, np.float64):
        raise UsageError(f"the dtype is {dtype!r}", hint="float32 or float64")
    draw = np.random.default_rng(rng)
    values: dict[str, np.ndarray[Any, Any]] = {}
    for u in network.layers:
        deviation = scale(scheme, u.inputs, u.outputs, u.activation.slope)
        weights = draw.standard_normal((u.inputs, u.outputs), dtype=kind)
        weights *= kind.type(deviation)
        values[u.weights] = weights
        values[u.biases] = np.zeros(u.outputs, kind)
    return values
