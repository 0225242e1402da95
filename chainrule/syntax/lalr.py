"""The driver of the tables: shift and reduce in one loop, whatever the depth."""

from __future__ import annotations

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
        self.starts: list[int] = []
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
    states, rules, tokens = tables.states, tables.rules, words.tokens
    path = [0]
    values: list[Any] = []
    starts = words.starts
    row = states[0]
    end = Token(END, "", 0, 0)
    for place in range(len(tokens) + 1):
        token = tokens[place] if place < len(tokens) else end
        kind = token.kind
        words.place = place
        while True:
            step = row.get(kind)
            if step is None:
                raise Unexpected(place)
            if step >= 0:
                break
            symbol, size, action = rules[~step]
            if action:
                try:
                    result = actions[action](*values[-size:])
                except ChainruleError:
                    words.values = values[-size:]
                    raise
                if size > 1:
                    del values[-size:], path[-size:], starts[1 - size :]
                    values.append(result)
                else:
                    del path[-1]
                    values[-1] = result
            else:
                del path[-size:]
            row = states[path[-1]]
            step = row[symbol]
            path.append(step)
            row = states[step]
        path.append(step)
        row = states[step]
        values.append(token)
        starts.append(place)
    return values[0]
