"""How many parameters has a fully connected network? An answer checked, the slip named.

>>> found = check_count([3, 3, 2, 1], 21)
>>> found.right, found.slips
(23, (Slip(kind='biases of a layer left out', layer=2),))
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from chainrule.core.errors import UsageError

_MOST_SLIPS = 2


class Slip(NamedTuple):
    """What gives the wrong number; `layer` counts from 1, 0 where it is about all of them."""

    kind: str
    layer: int = 0


class CountVerdict(NamedTuple):
    """The number of parameters of a network, as it is and as it was given."""

    sizes: tuple[int, ...]
    given: int
    right: int
    slips: tuple[Slip, ...] = ()

    @property
    def correct(self) -> bool:
        """Whether the numbers are equal."""
        return self.given == self.right

    @property
    def layers(self) -> tuple[tuple[int, int], ...]:
        """Inputs and outputs of each layer."""
        return tuple(zip(self.sizes, self.sizes[1:], strict=False))


def check_count(sizes: Sequence[int], given: int) -> CountVerdict:
    """Check the number of weights and biases: K*M + K for a layer of K units with M inputs.

    Raises:
        UsageError: the sizes are those of no network.

    Source: Goodfellow et al. 2016, sec. 6.4.
    """
    if len(sizes) < 2 or any(n < 1 for n in sizes):
        raise UsageError(
            "a network has an input and at least one layer, none of them empty",
            hint="write the sizes as 3-3-2-1",
        )
    found = CountVerdict(tuple(sizes), given, 0)
    right = sum(n * (m + 1) for m, n in found.layers)
    slips = (
        () if given == right else tuple(s for s, count in _slips(found.layers) if count == given)
    )
    return found._replace(right=right, slips=slips[:_MOST_SLIPS])


def _slips(layers: Sequence[tuple[int, int]]) -> Iterator[tuple[Slip, int]]:
    """Each slip, and the number that it gives."""
    weights, biases = sum(m * n for m, n in layers), sum(n for _, n in layers)
    yield Slip("biases left out"), weights
    yield Slip("a bias for each input"), weights + sum(m for m, _ in layers)
    yield Slip("one bias a layer"), weights + len(layers)
    yield Slip("biases of the input"), weights + biases + layers[0][0]
    yield Slip("units counted"), layers[0][0] + biases
    for i, (m, n) in enumerate(layers, 1):
        yield Slip("biases of a layer left out", i), weights + biases - n
        yield Slip("a layer left out", i), weights + biases - n * (m + 1)
