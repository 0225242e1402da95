"""The driver of the tables: shift and reduce in one loop, whatever the depth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chainrule.syntax.lexer import Token
from chainrule.syntax.tables import END, Tables


class Unexpected(Exception):
    """No sentence of the grammar goes on with the token at `place`."""

    def __init__(self, place: int) -> None:
        super().__init__(place)
        self.place = place


def run(tables: Tables, tokens: list[Token], actions: Mapping[str, Callable[..., Any]]) -> Any:
    """Parse the tokens; each production calls its action with its children, tokens as they are."""
    states, rules = tables.states, tables.rules
    path = [0]
    values: list[Any] = []
    row = states[0]
    end = Token(END, "", 0, 0)
    for place in range(len(tokens) + 1):
        token = tokens[place] if place < len(tokens) else end
        kind = token.kind
        while True:
            step = row.get(kind)
            if step is None:
                raise Unexpected(place)
            if step >= 0:
                break
            symbol, size, action = rules[~step]
            if action:
                result = actions[action](*values[-size:])
                del values[-size:], path[-size:]
                values.append(result)
            else:
                del path[-size:]
            row = states[path[-1]]
            step = row[symbol]
            path.append(step)
            row = states[step]
        path.append(step)
        row = states[step]
        values.append(token)
    return values[0]
