"""How long this thread may go on evaluating: everything that computes values looks at it.

>>> with until(perf_counter() - 1):
...     hurry()
Traceback (most recent call last):
TimeoutError
>>> hurry()
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

_FOREVER = float("inf")
_own = threading.local()


def limit() -> float:
    """When this thread's time is up, as `time.perf_counter` tells it."""
    return getattr(_own, "limit", _FOREVER)


def hurry() -> None:
    """TimeoutError where the time is up."""
    if perf_counter() > limit():
        raise TimeoutError


@contextmanager
def until(moment: float) -> Iterator[None]:
    """Work that is to end at this moment, or earlier if that has been said before."""
    before = limit()
    _own.limit = min(before, moment)
    try:
        yield
    finally:
        _own.limit = before
