"""The tables that parsing runs on, made from the grammars by Lark ahead of time.

Making an LALR(1) table takes Lark tens of milliseconds, running one takes none: the tables
stand as JSON beside the grammars, with a hash of the grammars in them. Where the hash does
not fit, as after an edit, they are made afresh in memory; to write them, run

    python -m chainrule.syntax.tables
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

GRAMMARS = ("expression", "latex")
_FOLDER = import_module("chainrule.grammar").__path__[0]
_FORMAT = b"1"
END = "$END"


class Tables:
    """What one grammar needs at run time.

    Attributes:
        lexer: one pattern with a named group for each terminal, spaces and comments before it.
        finder: the same for the words alone, whatever they are.
        space: the pattern of spaces and comments, which may be none.
        rules: for each production its symbol, its length and the name of its action, empty
            where the one child passes through.
        states: for each state, by the next symbol: the state to go to, or `~rule` to reduce.
        jumps: what `jump` has found; there are no more than a few for each production.
    """

    __slots__ = ("finder", "jumps", "lexer", "rules", "space", "states")

    def __init__(self, data: dict[str, Any]) -> None:
        patterns = dict(data["lexer"])
        spaces = f"(?>{patterns.pop('SPACE')}|{patterns.pop('COMMENT')})*+"
        groups = "|".join(f"(?P<{name}>{pattern})" for name, pattern in patterns.items())
        self.lexer = re.compile(f"{spaces}(?:{groups})")
        self.finder = re.compile(f"{spaces}({'|'.join(patterns.values())})")
        self.space = re.compile(spaces)
        self.jumps: dict[tuple[int, str, str], int] = {}
        self.rules: list[tuple[str, int, str]] = [tuple(row) for row in data["rules"]]
        names = data["symbols"]
        self.states: list[dict[str, int]] = [
            {names[row[i]]: row[i + 1] for i in range(0, len(row), 2)} for row in data["states"]
        ]

    def jump(self, state: int, symbol: str, kind: str) -> int:
        """The state after `symbol` before a word of this kind, productions without action done.

        A name is an atom, a power, a factor, a product, a term, a sum: one step instead of six.
        """
        found = self.jumps.get((state, symbol, kind))
        if found is None:
            found = self.states[state][symbol]
            while (step := self.states[found].get(kind, 0)) < 0 and not self.rules[~step][2]:
                found = self.states[state][self.rules[~step][0]]
            self.jumps[state, symbol, kind] = found
        return found


_loaded: dict[str, Tables] = {}


def load(grammar: str) -> Tables:
    """The tables of `expression` or `latex`."""
    if grammar not in _loaded:
        data = stored(grammar)
        if data is None or data["sources"] != fingerprint():
            data = make(grammar)
        _loaded[grammar] = Tables(data)
    return _loaded[grammar]


def stored(grammar: str) -> dict[str, Any] | None:
    """The tables as they were written, if they were."""
    try:
        with open(_path(f"{grammar}.json"), encoding="utf-8") as file:
            data: dict[str, Any] = json.load(file)
    except FileNotFoundError:
        return None
    return data


def fingerprint() -> str:
    """A hash of the grammars' text."""
    digest = hashlib.sha256(_FORMAT)
    for name in ("terminals", *GRAMMARS):
        with open(_path(f"{name}.lark"), "rb") as file:
            digest.update(file.read().replace(b"\r\n", b"\n"))
    return digest.hexdigest()[:16]


def make(grammar: str) -> dict[str, Any]:
    """Have Lark make the tables; a conflict in the grammar is an error."""
    from lark.common import ParserConf
    from lark.load_grammar import load_grammar
    from lark.parsers.lalr_analysis import LALR_Analyzer, Shift

    path = _path(f"{grammar}.lark")
    read: Any = load_grammar
    with open(path, encoding="utf-8") as file:
        terminals, rules, _ = read(file.read(), path, [], False)[0].compile(["start"], "*")
    analyzer: Any = LALR_Analyzer(ParserConf(rules, {}, ["start"]), strict=True)
    analyzer.compute_lalr()
    table = analyzer.parse_table

    # Lark numbers states as it meets them in sets; number them from the start instead.
    order = [table.start_states["start"]]
    place = {order[0]: 0}
    for state in order:
        for symbol in sorted(table.states[state]):
            kind, target = table.states[state][symbol]
            if kind is Shift and target not in place:
                place[target] = len(order)
                order.append(target)
    rules = [rule for rule in rules if not rule.origin.name.startswith("$")]
    rules.sort(key=lambda rule: (str(rule), str(rule.alias)))
    numbers = {rule: n for n, rule in enumerate(rules)}
    symbols = sorted({_plain(symbol) for row in table.states.values() for symbol in row})
    index = {name: i for i, name in enumerate(symbols)}

    states = []
    for state in order:
        row: list[int] = []
        for symbol in sorted(table.states[state], key=_plain):
            kind, target = table.states[state][symbol]
            row += index[_plain(symbol)], place[target] if kind is Shift else ~numbers[target]
        if state == table.end_states["start"]:
            row += index[END], 0
        states.append(row)
    return {
        "sources": fingerprint(),
        "lexer": list(_lexer(terminals)),
        "rules": [_rule(rule) for rule in rules],
        "symbols": symbols,
        "states": states,
    }


def _lexer(terminals: list[Any]) -> Iterator[list[str]]:
    """The terminals of this grammar that have a pattern, the ones that can be longest first."""
    own = [t for t in terminals if "__" not in t.name and t.pattern is not None]
    own.sort(key=lambda t: (-t.priority, -t.pattern.max_width, -len(t.pattern.value), t.name))
    return ([str(t.name), t.pattern.to_regexp()] for t in own)


def _rule(rule: Any) -> list[Any]:
    passes = rule.options.expand1 and not rule.alias and len(rule.expansion) == 1
    action = "" if passes else _plain(rule.alias or rule.origin.name)
    return [_plain(rule.origin.name), len(rule.expansion), action]


def _plain(name: str) -> str:
    """A name without the prefix that an import gives it."""
    return str(name).rpartition("__")[2]


def _path(name: str) -> str:
    return os.path.join(_FOLDER, name)


def write() -> None:
    """Write the tables of every grammar beside it."""
    for grammar in GRAMMARS:
        data = make(grammar)
        body = ",\n".join(
            f"{json.dumps(key)}: " + json.dumps(value, ensure_ascii=False, separators=(",", ":"))
            for key, value in data.items()
        )
        with open(_path(f"{grammar}.json"), "w", encoding="utf-8", newline="\n") as file:
            file.write(f"{{\n{body}\n}}\n")


if __name__ == "__main__":
    write()
