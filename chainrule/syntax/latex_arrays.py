r"""LaTeX that is told by what is an array: `x[0]` and `[…]` that groups, `\mathbf{I}_{n}`.

A look over the words of a statement before they are read.
"""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.core.errors import ChainruleError
from chainrule.syntax.latex_words import BOLD
from chainrule.syntax.lexer import CLOSING, OPENING, Token
from chainrule.syntax.names import canonical
from chainrule.syntax.scope import Scope

_ENDS = frozenset({"CLOSE", "RSQUARE", "FLOOR_CLOSE", "CEIL_CLOSE", "TRANSPOSE", "PRIME"})
_IN_AN_INDEX = frozenset({"NUMBER", "NAME", "PLUS", "MINUS", "STAR"})
_LONGEST_INDEX = 500  # words
_BOLD = tuple(f"\\{word}" for word in BOLD)


def with_arrays(tokens: Sequence[Token], start: int, scope: Scope) -> list[Token]:
    """The words, with brackets that hold an index as square ones, and identities as calls."""
    found = list(tokens[:start])
    opened: list[int] = []  # the place of each open bracket in `found`
    parting: set[int] = set()  # those with a comma or a colon
    last = ""  # what opened the bracket that ends at the last word
    for token in tokens[start:]:
        if token.kind in OPENING:
            opened.append(len(found))
        elif token.kind in ("COMMA", "COLON") and opened:
            parting.add(opened[-1])
        elif token.kind in CLOSING and opened:
            at = opened.pop()
            last = found[at].kind
            squares = found[at].kind == "OPEN" and found[at].text == "[" and token.text == "]"
            if squares and _is_part(found, at, start, at in parting, scope):
                found[at] = found[at]._replace(kind="LSQUARE")
                token = token._replace(kind="RSQUARE")
        elif token.kind == "NAME":
            found += _name(token, scope)
            continue
        if token.kind == "END" and last in ("ROOT", "INDEX"):
            token = token._replace(text="root")
        found.append(token)
    return found


def _is_part(found: Sequence[Token], at: int, start: int, parts: bool, scope: Scope) -> bool:
    """Whether the bracket from `at` on stands behind an array, or holds what is no factor."""
    if at <= start or len(found) - at > _LONGEST_INDEX:
        return False
    before, inside = found[at - 1], found[at + 1 :]
    number = len(inside) == 1 and inside[0].kind == "NUMBER"
    if before.kind == "NAME":
        name = canonical(before.text)
        if name not in scope.shapes:
            is_name = scope.row(before, True) is None and not scope.is_applied(name)
            return is_name and (number or any(t.kind == "COLON" for t in inside))
    elif before.kind in ("TRANSPOSE", "PRIME"):
        owner = found[at - 2]
        if owner.kind == "NAME" and canonical(owner.text) not in scope.shapes:
            return False
    elif before.kind not in _ENDS and not (before.kind == "END" and before.text == "root"):
        return False
    if not (scope.shapes or scope.signatures):
        return False
    return parts or all(
        t.kind in _IN_AN_INDEX and (t.kind != "NAME" or canonical(t.text) in scope.dimensions)
        for t in inside
    )


def _name(token: Token, scope: Scope) -> list[Token]:
    """A name; an identity matrix as `eye(n)`; an error where it looks like another array."""
    name = canonical(token.text)
    stem, _, index = token.text.partition("_")
    if scope.is_own(name) or not (index or stem == "I"):
        return [token]
    bold = scope.written(token).startswith(_BOLD)
    if canonical(stem) in scope.shapes:
        raise _told(
            token, scope, "an entry, or a name?", f"an entry is {stem}[0], from 0; declare a name"
        )
    if stem == "e" and bold:
        raise _told(
            token,
            scope,
            "a unit vector has no dimension here",
            r"write \operatorname{unit}(n, 0), counted from 0",
        )
    if stem == "I" and index and (bold or _is_dimension(index, scope)):
        kind = "NUMBER" if index.isdigit() else "NAME"
        return [
            token._replace(kind="CALL", text="eye"),
            *(
                token._replace(kind=kind, text=text, start=token.end)
                for kind, text in (("OPEN", "("), (kind, index), ("CLOSE", ")"))
            ),
        ]
    if stem == "I" and not index and scope.has_matrix:
        raise _told(token, scope, "an identity without its dimension", r"write \mathbf{I}_{n}")
    return [token]


def _is_dimension(index: str, scope: Scope) -> bool:
    return canonical(index) in scope.dimensions or index in scope.sizes


def _told(token: Token, scope: Scope, message: str, hint: str) -> ChainruleError:
    return scope.wrong(token, f"`{scope.written(token)}`: {message}", hint)
