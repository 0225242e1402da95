"""A look over the whole text before it is read: where its statements are, what their names do.

A program may have a million statements, and their words take more memory than the program
does. So they are found here, looked at and dropped, and found again when they are read.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence
from itertools import islice

from chainrule.core.errors import ParseError, Span
from chainrule.syntax.heads import is_declaration, statements, target
from chainrule.syntax.lexer import MOST_STATEMENTS, Token, words
from chainrule.syntax.scope import Scope
from chainrule.syntax.tables import Tables

_PIECE = re.compile(r"[^;\n]+")
_LONGEST_PIECE = 1000  # characters
_SIGNS = frozenset("+-*/^")


def surveyed(source: str, tables: Tables, scope: Scope) -> Iterator[list[Token]]:
    """The words of each statement, when the scope has been told the names of all of them."""
    bounds = _bounds(source, tables, scope)
    if len(bounds) > 2 * MOST_STATEMENTS:
        raise ParseError(
            f"{len(bounds) // 2:,} statements; at most {MOST_STATEMENTS:,} are read",
            Span(*bounds[2 * MOST_STATEMENTS : 2 * MOST_STATEMENTS + 2]),
            source,
            "split the text into smaller programs",
        )
    for start, end in zip(bounds[::2], bounds[1::2], strict=True):
        found = words(source, tables, start, end)
        yield [token for token in found if token[0] != "SEPARATOR"]


def surveyed_together(tokens: Sequence[Token], source: str, scope: Scope) -> list[list[Token]]:
    """The same of words that are there already, as those of LaTeX."""
    return list(_hopeful(statements(tokens, source), scope))


def _hopeful(parts: Iterator[list[Token]], scope: Scope) -> Iterator[list[Token]]:
    """The statements, each surveyed, up to one where reading has to end with an error."""
    for tokens in parts:
        yield tokens
        if not _look(tokens, scope):
            yield from islice(parts, 1)
            return


def _look(tokens: Sequence[Token], scope: Scope) -> bool:
    """Survey a statement; whether another may follow, now that this one is there."""
    if is_declaration(tokens):
        return True
    name = target(tokens)
    first = name is not None and not scope.is_coming(name)  # else it has a meaning already
    scope.survey(tokens, name)
    return first


def _bounds(source: str, tables: Tables, scope: Scope) -> array[int]:
    """Where each statement begins and ends, one after the other."""
    found = array("q")
    at, comment = 0, source.find("#")
    stop = len(source) if comment < 0 else comment
    find = tables.finder.findall
    for piece in _PIECE.finditer(source, 0, stop):
        start, end = piece.span()
        if start < at:
            continue
        if end - start < _LONGEST_PIECE and _is_plain(find(source, start, end), scope):
            found.extend((start, end))
            continue
        parts = statements(words(source, tables, start), source)
        for tokens in islice(parts, 1):
            at = tokens[-1].end
            found.extend((tokens[0].start, at))
            if not _look(tokens, scope):
                for tokens in islice(parts, 1):
                    found.extend((tokens[0].start, tokens[-1].end))
                return found
    for tokens in _hopeful(statements(words(source, tables, max(at, stop)), source), scope):
        found.extend((tokens[0].start, tokens[-1].end))
    return found


def _is_plain(piece: Sequence[str], scope: Scope) -> bool:
    """Whether a piece is a statement for a new name, with names that have been met before.

    Such a one is surveyed without finding out what its words are, and where.
    """
    if len(piece) < 3 or piece[1] != "=":
        return False
    met, depending = scope.words, scope.depending
    depth = 0
    for word in islice(piece, 2, None):
        if word in met:
            if word in depending:
                return False
        elif word == "(":
            depth += 1
        elif word == ")" and depth:
            depth -= 1
        elif word not in _SIGNS and not word.isdigit():
            return False
    name = piece[0]
    if depth or word in _SIGNS or name in met or not (name.isascii() and name[0].isalpha()):
        return False
    return scope.expect(name)
