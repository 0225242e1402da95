"""Arrays that do not fit, in words: the operands as written, their shapes, a caret under each.

Nodes know no places. While an action of the grammar builds one, the words of its children are
on the stack of the parser; from there come the operands of what it refuses.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations

from chainrule.core.errors import ChainruleError, ShapeError, Span
from chainrule.core.expr import Expr, Sym
from chainrule.core.shape import Shape, broadcast, product_shape, shape_text
from chainrule.syntax.lalr import Words
from chainrule.syntax.lexer import CLOSING, OPENING, Token, short
from chainrule.syntax.scope import Scope

_LONGEST = 32
_PARTING = frozenset({"COMMA", "IF", "ELSE", "OTHERWISE", "COLON"})


def located(error: ChainruleError, words: Words, scope: Scope) -> ChainruleError:
    """An error of an action, with its place: at the operands, or at the whole production."""
    children = words.children(len(words.values))
    whole = words.span(children[0][0], children[-1][1])
    source = scope.source
    if not isinstance(error, ShapeError):
        return type(error)(error.message, whole, source, error.hint)
    found = _concerned(_operands(words, children), error.shapes)
    if not found:
        return ShapeError(error.message, whole, source, error.hint, shapes=error.shapes)
    texts = [_shown(source[span.start : span.end]) for _, span in found]
    message = _filled(error.message, texts)
    if message == error.message:
        parts = [f"`{t}` is {_kind(v.shape)}" for t, (v, _) in zip(texts, found, strict=True)]
        message = f"{message}: {', '.join(parts)}"
    hint = _filled(error.hint, texts)
    if error.message.startswith("shapes do not fit") and any(
        token.kind in ("AT", "JUXTAPOSED") for token in words.values if isinstance(token, Token)
    ):
        hint = _inner(found[0][0].shape, found[1][0].shape, texts, scope.latex)
    undeclared = [v for v, _ in found if isinstance(v, Sym) and not scope.knows(v.name)]
    if undeclared and not error.hint.startswith("declare"):
        square = "square" in error.message
        declared = ", ".join(_declaration(v, square) for v in dict.fromkeys(undeclared))
        hint = f"declare {'it' if len(set(undeclared)) == 1 else 'them'} above: {declared}"
        if error.message.startswith("`{0}` is a scalar"):
            hint += f"; {error.hint}"
    first, *others = (span for _, span in found)
    return ShapeError(
        short(message), first, source, short(hint), shapes=error.shapes, others=tuple(others)
    )


def _operands(words: Words, children: Sequence[tuple[int, int]]) -> list[tuple[Expr, Span]]:
    """The expressions among the children, and where they are written."""
    found: list[tuple[Expr, Span]] = []
    for value, (first, after) in zip(words.values, children, strict=True):
        if isinstance(value, list):
            values = [v for item in value for v in (item if isinstance(item, tuple) else (item,))]
            expressions = [e for v in values if (e := _expression(v)) is not None]
            found += zip(expressions, _parts(words, first, after), strict=False)
        elif (expression := _expression(value)) is not None:
            found.append((expression, words.span(first, after)))
    return found


def _expression(value: object) -> Expr | None:
    node = getattr(value, "node", value)
    return node if isinstance(node, Expr) else None


def _parts(words: Words, first: int, after: int) -> list[Span]:
    """What stands between commas."""
    found, depth, start = [], 0, first
    for place in range(first, after + 1):
        kind = words.tokens[place].kind if place < after else "COMMA"
        if depth == 0 and kind in _PARTING:
            if start < place:
                found.append(words.span(start, place))
            start = place + 1
        elif kind == "EQUALS" and depth == 0:
            start = place + 1
        depth += (kind in OPENING) - (kind in CLOSING)
    return found


def _concerned(
    operands: Sequence[tuple[Expr, Span]], shapes: Sequence[Shape]
) -> list[tuple[Expr, Span]]:
    """The operands that have these shapes, in order; of many, two that do not fit."""
    found = []
    rest = list(operands)
    for shape in shapes:
        for i, (value, _) in enumerate(rest):
            if value.shape == shape:
                found.append(rest[i])
                del rest[: i + 1]
                break
    if len(found) > 2:
        for first, second in combinations(found, 2):
            try:
                broadcast(first[0].shape, second[0].shape)
            except ShapeError:
                return [first, second]
    return found[:3]


def _inner(a: Shape, b: Shape, texts: Sequence[str], latex: bool) -> str:
    left = "columns" if len(a) == 2 else "entries"
    right = "rows" if len(b) == 2 else "entries"
    product = "the product" if latex else "`@`"
    names = f"the {left} of `{texts[0]}` and the {right} of `{texts[1]}`"
    hint = f"{product} needs {a[-1]} = {b[0]}: {names}"
    sign, transposed = (" ", r"^\top") if latex else (" @ ", "'")
    turned = (
        (a[::-1], b, f"{{0}}{transposed}{sign}{{1}}"),
        (a, b[::-1], f"{{0}}{sign}{{1}}{transposed}"),
    )
    for p, q, instead in () if latex and "^" in "".join(texts) else turned:
        if len(p) == 2 or len(q) == 2:
            try:
                product_shape(p, q)
            except ShapeError:
                continue
            other = _filled(instead, texts).replace(".T'", "").replace("''", "")
            return f"{hint}; {other} would fit"
    return hint


def _kind(shape: Shape) -> str:
    return shape_text(shape) if shape else "a scalar"


def _shown(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[:20]}…{text[-10:]}"


def _filled(words: str, texts: Sequence[str]) -> str:
    def text(match: re.Match[str]) -> str:
        place = int(match[1])
        return texts[place] if place < len(texts) else match[0]

    return re.sub(r"\{(\d)\}", text, words)


def _declaration(name: Sym, square: bool) -> str:
    if square:
        return f"{name.name}: matrix(n, n)"
    return f"{name.name}: {'matrix(m, n)' if name.name[0].isupper() else 'vector(n)'}"
