"""What is asked, by what and of which order; and how long an answer may take."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter

from chainrule.checking.given import Names
from chainrule.core.program import Program
from chainrule.derivation.build import build
from chainrule.derivation.steps import Derivation, Layout

PATIENCE = 10.0  # seconds for an answer, and as long again to say what is wrong with it
_FOREVER = float("inf")


class Task:
    """A program whose derivative is asked for; several answers can be checked against it.

    Attributes:
        asked: the variables that the question names.
        names: what names in an answer mean.
        until: when the answer in hand is to be decided, as `time.perf_counter` tells it.
        latest: when everything is to end, all answers together.
    """

    def __init__(
        self,
        program: Program,
        variables: Sequence[str] = (),
        order: int = 1,
        layout: Layout | None = None,
        seconds: float | None = None,
    ) -> None:
        self.program, self.layout = program, layout
        self.order = program.order if program.order > 1 else order
        self.asked = tuple(variables or program.variables or program.arguments)
        self.names = Names.of(program, self.asked)
        self.until = self.latest = _FOREVER
        self._seconds = seconds
        self._derivations: dict[tuple[tuple[str, ...], int], Derivation] = {}
        self._short: set[tuple[tuple[str, ...], int]] = set()

    def begin(self) -> None:
        """An answer is taken in hand: its time runs. What was cut short is derived anew."""
        for key in self._short:
            self._derivations.pop(key, None)
        self._short.clear()
        self.until = min(perf_counter() + (self._seconds or PATIENCE), self.latest)

    @property
    def explained(self) -> float:
        """Until when it may be asked why an answer is wrong: as long again, unless limited."""
        return min(self.until + (0 if self._seconds else PATIENCE), self.latest)

    @property
    def is_late(self) -> bool:
        """Whether the time for the answer in hand is up."""
        return perf_counter() > self.until

    def derivation(self, variables: tuple[str, ...], order: int) -> Derivation:
        """The derivation by these variables."""
        key = variables, order
        if key not in self._derivations:
            self._derivations[key] = build(
                self.program, variables=variables, order=order, deadline=self.until
            )
            if self.is_late:
                self._short.add(key)
        return self._derivations[key]
