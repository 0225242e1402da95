"""Names of the language as names of Python: safe, distinct, the same every time."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterable

_HARD_TO_READ = {"l", "O", "I"}  # style checkers refuse them
_OTHER = re.compile("[^0-9A-Za-z_]")
_MOST_MARKS = 8
_PYTHON = {*keyword.kwlist, *keyword.softkwlist, *dir(builtins), *_HARD_TO_READ}


class Identifiers:
    """Gives each name one identifier of its own.

    >>> names = Identifiers(["np"])
    >>> [names.fresh(n) for n in ("W1", "lambda", "np", "W1", "x'", "__doc__")]
    ['W1', 'lambda_', 'np_', 'W1_', 'x_', 'doc__']
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {*_PYTHON, *taken}
        self._counts: dict[str, int] = {}

    def fresh(self, name: str) -> str:
        """An identifier for the name that nothing else has."""
        text = _OTHER.sub("_", name).lstrip("_") or "v"
        if text[0].isdigit():
            text = f"v{text}"
        if text in self._taken:
            text = self._varied(text)
        self._taken.add(text)
        return text

    def suffixed(self, identifier: str, suffix: str) -> str:
        """An identifier that nothing else has, made of another one."""
        text = identifier + suffix
        if text in self._taken:
            text = self._varied(text)
        self._taken.add(text)
        return text

    def _varied(self, text: str) -> str:
        """The identifier with marks behind it; with a number where many names look alike."""
        for _ in range(_MOST_MARKS):
            text += "_"
            if text not in self._taken:
                return text
        return self.numbered(text)

    def numbered(self, letter: str) -> str:
        """The next free one of `u1`, `u2`, …"""
        count = self._counts.get(letter, 0) + 1
        while (text := f"{letter}{count}") in self._taken:
            count += 1
        self._counts[letter] = count
        self._taken.add(text)
        return text
