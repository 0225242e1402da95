"""Intervals with rational ends: what is known of a value for all real arguments."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple


class Interval(NamedTuple):
    """All values lie above `low` and below `high`; None: no bound; `open_*`: never equal."""

    low: int | Fraction | None = None
    high: int | Fraction | None = None
    open_low: bool = False
    open_high: bool = False
    nonzero: bool = False

    @property
    def positive(self) -> bool:
        """All values are greater than 0."""
        low = self.low
        return low is not None and (low > 0 or (low == 0 and (self.open_low or self.nonzero)))

    @property
    def negative(self) -> bool:
        """All values are less than 0."""
        high = self.high
        return high is not None and (high < 0 or (high == 0 and (self.open_high or self.nonzero)))

    @property
    def nonnegative(self) -> bool:
        """No value is less than 0."""
        return self.low is not None and self.low >= 0

    @property
    def nonpositive(self) -> bool:
        """No value is greater than 0."""
        return self.high is not None and self.high <= 0

    @property
    def excludes_zero(self) -> bool:
        """No value is 0."""
        return self.nonzero or self.positive or self.negative


ANYTHING = Interval()
POSITIVE = Interval(0, None, True)
NONNEGATIVE = Interval(0)


def meet(a: Interval, b: Interval) -> Interval:
    """What lies in both."""
    low, open_low = a.low, a.open_low
    if low is None or (b.low is not None and (b.low, b.open_low) > (low, open_low)):
        low, open_low = b.low, b.open_low
    high, open_high = a.high, a.open_high
    if high is None or (b.high is not None and (b.high, not b.open_high) < (high, not open_high)):
        high, open_high = b.high, b.open_high
    return Interval(low, high, open_low, open_high, a.nonzero or b.nonzero)


def negated(a: Interval) -> Interval:
    """The interval of -u for u in a."""
    low = None if a.high is None else -a.high
    high = None if a.low is None else -a.low
    return Interval(low, high, a.open_high, a.open_low, a.nonzero)


def hull(intervals: Iterable[Interval]) -> Interval:
    """What holds all of the intervals."""
    parts = list(intervals)
    lows = [(a.low, a.open_low) for a in parts]
    highs = [(a.high, a.open_high) for a in parts]
    low = None if any(v is None for v, _ in lows) else min(v for v, _ in lows if v is not None)
    high = None if any(v is None for v, _ in highs) else max(v for v, _ in highs if v is not None)
    return Interval(
        low, high, all(o for v, o in lows if v == low), all(o for v, o in highs if v == high),
        all(a.excludes_zero for a in parts),
    )  # fmt: skip


def like_sign(a: Interval) -> Interval:
    """What has the sign of u for u in a."""
    low, high = (0 if a.nonnegative else None), (0 if a.nonpositive else None)
    return Interval(low, high, nonzero=a.excludes_zero)
