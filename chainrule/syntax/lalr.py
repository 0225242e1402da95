"""The driver of the tables: shift and reduce in one loop, whatever the depth."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

from chainrule.core.errors import ChainruleError, Span
from chainrule.syntax.lexer import Token
from chainrule.syntax.tables import END, Tables


class Unexpected(Exception):
    """No sentence of the grammar goes on with the token at `place`."""

    def __init__(self, place: int) -> None:
        super().__init__(place)
        self.place = place


class Words:
    """The words of a statement, and which of them each value on the stack stands for.

    Attributes:
        tokens: the words.
        place: that of the word ahead.
        starts: for each value on the stack the place of its first word.
        values: of the production that an action refused.
    """

    __slots__ = ("place", "starts", "tokens", "values")

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.place = 0
        self.starts = array("l")
        self.values: list[Any] = []

    def children(self, size: int) -> list[tuple[int, int]]:
        """The words of each child of the production of this size that is reduced now."""
        starts = [*self.starts[-size:], self.place]
        return list(pairwise(starts))

    def span(self, first: int, after: int) -> Span:
        """The place in the source of some words."""
        return Span(self.tokens[first].start, self.tokens[after - 1].end)


def run(tables: Tables, words: Words, actions: Mapping[str, Callable[..., Any]]) -> Any:
    """Parse the words; each production calls its action with its children, tokens as they are."""
    states, rules, jumps = tables.states, tables.rules, tables.jumps
    path = [0]
    values: list[Any] = []
    starts = words.starts
    row = states[0]
    for place, token in enumerate((*words.tokens, Token(END, "", 0, 0))):
        kind = token[0]
        words.place = place
        while True:
            step = row.get(kind)
            if step is None:
                raise Unexpected(place)
            if step >= 0:
                break
            symbol, size, action = rules[~step]
            try:
                if size == 1:
                    values[-1] = actions[action](values[-1])
                    path.pop()
                else:
                    result = actions[action](*values[-size:])
                    del values[-size:], path[-size:], starts[1 - size :]
                    values.append(result)
            except ChainruleError:
                words.values = values[-size:]
                raise
            state = path[-1]
            step = jumps.get((state, symbol, kind), -1)
            if step < 0:
                step = tables.jump(state, symbol, kind)
            path.append(step)
            row = states[step]
        path.append(step)
        row = states[step]
        values.append(token)
        starts.append(place)
    return values[0]
