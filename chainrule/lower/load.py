"""Running text that this package wrote: never text of a user's."""

from __future__ import annotations

import linecache
import weakref
from collections.abc import Sequence
from itertools import count
from typing import Any

_numbers = count(1)


def load(source: str) -> dict[str, Any]:
    """The names that a generated module defines; tracebacks show its lines."""
    return Loaded([source]).names


class Loaded:
    """A generated module; of its functions each is compiled when it is first asked for.

    Python takes longer to compile a function than we do to write it, and three thousand bytes
    a line.

    Attributes:
        source: the whole text.
        names: what is defined so far.
    """

    def __init__(self, parts: Sequence[str], functions: Sequence[str] = ()) -> None:
        """Load the first of the parts; the others define one of the functions each, in order."""
        number = next(_numbers)
        # Between angle brackets alone, tracebacks would not ask for the lines.
        self._file = f"<chainrule>/gradient code {number}"
        self.source = text = "".join(parts)
        linecache.cache[self._file] = (lambda: text,)
        weakref.finalize(self, linecache.cache.pop, self._file, None)
        self.names: dict[str, Any] = {"__name__": self._file}
        self._waiting: dict[str, tuple[int, int]] = {}  # where in the text
        place = len(parts[0])
        self._run(0, place)
        for name, part in zip(functions, parts[1:], strict=True):
            self._waiting[name] = place, place + len(part)
            place += len(part)

    def __getitem__(self, name: str) -> Any:
        """The function of this name."""
        waiting = self._waiting.get(name)
        if waiting is not None:
            self._run(*waiting)
            self._waiting.pop(name, None)
        return self.names[name]

    def _run(self, start: int, end: int) -> None:
        text = "\n" * self.source.count("\n", 0, start) + self.source[start:end]
        exec(compile(text, self._file, "exec", dont_inherit=True), self.names)
