"""Names of the language as names of Python: safe, distinct, the same every time."""

from __future__ import annotations

import builtins
import keyword
from collections.abc import Iterable

_HARD_TO_READ = {"l", "O", "I"}  # style checkers refuse them
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
        text = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in name)
        text = text.lstrip("_") or "v"
        if text[0].isdigit():
            text = f"v{text}"
        while text in self._taken:
            text += "_"
        self._taken.add(text)
        return text

    def numbered(self, letter: str) -> str:
        """The next free one of `u1`, `u2`, …"""
        while True:
            self._counts[letter] = count = self._counts.get(letter, 0) + 1
            if (text := f"{letter}{count}") not in self._taken:
                self._taken.add(text)
                return text
