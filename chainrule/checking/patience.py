"""How long this thread may go on evaluating: everything that computes values looks at it.

What looks at no clock, as SymPy, is `interrupted`.

>>> with until(perf_counter() - 1):
...     hurry()
Traceback (most recent call last):
TimeoutError
>>> hurry()
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from types import FrameType

_FOREVER = float("inf")
_EVENTS = 32  # calls and returns from one look at the clock to the next
_own = threading.local()


class _TooLate(BaseException):
    """No `except Exception` may swallow it."""


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


@contextmanager
def interrupted(moment: float) -> Iterator[None]:
    """Pure Python code that is ended with a TimeoutError at this moment.

    The interpreter calls a function of ours at calls and returns, in this thread alone, which
    no timer does that Python has. Where somebody else measures, nothing is interrupted.

    >>> def work():
    ...     while True:
    ...         len(())
    >>> with interrupted(perf_counter() + 0.01):
    ...     work()
    Traceback (most recent call last):
    TimeoutError
    """
    if moment == _FOREVER or sys.getprofile() is not None:
        yield
        return
    left = _EVENTS

    def watch(frame: FrameType, event: str, argument: object) -> None:
        nonlocal left
        left -= 1
        if not left:
            left = _EVENTS
            if perf_counter() > moment:
                raise _TooLate

    try:
        sys.setprofile(watch)
        yield
    except _TooLate:
        raise TimeoutError from None
    finally:
        sys.setprofile(None)
