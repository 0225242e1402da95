r"""Answers as people write them: `y' = …`, `\frac{dy}{dx} = …`, `f_x = …`, lists, matrices.

Each entry of an answer is an expression in the language or in LaTeX.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import NamedTuple

from chainrule.checking.answer_text import (
    Head,
    head_of,
    heads_of,
    rows_of,
    split_equals,
    split_outside,
    undressed,
)
from chainrule.core.errors import ShapeError, Span, UnknownNameError, UsageError
from chainrule.core.expr import ONE, ZERO, Expr, free_symbols, substitute, symbol
from chainrule.core.program import Program
from chainrule.core.shape import Shape
from chainrule.derivation.backward import gradient
from chainrule.syntax.names import known_names
from chainrule.syntax.parser import parse_expression

_LONGEST = 20_000
_MOST_WORDS = 50
_SIGNS = ("", "*", "·", "⋅", "×", r"\cdot", r"\times")


class Given(NamedTuple):
    """An answer as it was read.

    Attributes:
        rows: its entries; one row with one entry for a lone expression.
        vector: whether it was written as a list or a matrix.
        labels: what stands before the entries' own equals signs, row by row.
        heads: what stands before the equals signs, outermost first.
        earlier: further expressions before the last equals sign.
        constant: the name of a constant of integration that was dropped.
        texts: each entry as written.
    """

    rows: tuple[tuple[Expr, ...], ...]
    vector: bool
    labels: tuple[Head | None, ...]
    heads: tuple[Head, ...]
    earlier: tuple[Expr, ...]
    constant: str
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Names:
    """What names in an answer may mean.

    `free` are the names of the expression itself; `meanings` are the names it defines, written
    out over those; `shapes` are those of vectors and matrices.
    """

    free: tuple[str, ...]
    meanings: dict[Expr, Expr]
    shapes: Mapping[str, Shape] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def of(cls, program: Program, variables: Sequence[str]) -> Names:
        """The names of a program."""
        written = program.written_out()
        inside = free_symbols(written.values())
        free = dict.fromkeys([*variables, *(s.name for s in inside)])
        meanings: dict[Expr, Expr] = {
            symbol(n, e.shape): e for n, e in written.items() if n not in free
        }
        shapes = {s.name: s.shape for s in (*inside, *free_symbols(meanings)) if s.shape}
        shapes |= {n: s for n, s in program.declared.items() if s}
        return cls((*free, *program.dimensions), meanings, shapes)

    @cached_property
    def words(self) -> frozenset[str]:
        """The names, for the parser."""
        return known_names([*self.free, *(s.name for s in free_symbols(self.meanings))])


def read_answer(text: str, names: Names) -> Given:
    """Read an answer.

    Raises:
        ChainruleError: it is not an answer; where the place is known, with a caret.

    >>> given = read_answer("dy/dx = 2x + C", Names(("x",), {}))
    >>> given.rows, given.heads[0].by, given.constant
    (((mul(2, x),),), 'x', 'C')
    """
    if len(text) > _LONGEST:
        raise UsageError("the answer is too long", hint=f"at most {_LONGEST:,} characters")
    if not text.strip():
        raise UsageError("the answer is empty", hint="write an expression, as 2*x")
    heads, earlier, rows, vector = _taken_apart(undressed(text), names)
    entries, labels, texts = [], [], []
    constant = ""
    for row in rows:
        read = []
        for cell in row:
            *before, value = split_equals(cell)
            labels.append(head_of(before[0], names.free) if before else None)
            found, dropped = _entry(value, names)
            constant = constant or dropped
            read.append(found)
            texts.append(value.strip())
        entries.append(tuple(read))
    if len({len(row) for row in entries}) > 1:
        raise UsageError(
            "the rows of the matrix are not equally long",
            hint="part entries by commas and rows by semicolons: [a, b; c, d]",
        )
    return Given(
        tuple(entries), vector, tuple(labels), tuple(heads),
        tuple(expression(p, names) for p in earlier), constant, tuple(texts),
    )  # fmt: skip


def _taken_apart(text: str, names: Names) -> tuple[list[Head], list[str], list[list[str]], bool]:
    """Heads, further formulas, the cells of the last, and whether it is a list."""
    labelled = split_outside(text, ",;\n")
    if len(labelled) > 1 and all(len(split_equals(part)) > 1 for part in labelled):
        return [], [], [[part.strip() for part in labelled]], True  # f_x = …, f_y = …
    parts = [p for p in split_equals(text) if p.strip()]
    if not parts:
        raise UsageError("the answer is empty", hint="write an expression after the equals sign")
    heads, rest = heads_of(parts, names.free)
    rows, vector = rows_of(rest[-1])
    return heads, [p for p in rest[:-1] if len(rows_of(p)[0]) == 1], rows, vector


def expression(text: str, names: Names) -> Expr:
    """An expression over the free names; what the program defines is written out.

    `xy` is `x y` here, where both are names of the question: nothing else can be meant.

    >>> expression("2xy", Names(("x", "y"), {}))
    mul(mul(2, x), y)
    """
    text = text.strip()
    for _ in range(_MOST_WORDS):
        try:
            value = parse_expression(text, names=names.words, declared=names.shapes or None)
        except UnknownNameError as error:
            apart = _letters(text, error.span, names)
            if not apart:
                raise
            text = apart
        except ShapeError as error:
            joined = _multiplied(text, error)
            if not joined:
                raise
            text = joined
        else:
            return substitute([value], names.meanings)[0]
    raise UsageError("the answer has too many names run together", hint="write x*y")


def _multiplied(text: str, error: ShapeError) -> str:
    """The text with `@` where a matrix product was written as `X*w` or `X w`."""
    if error.span is None or not error.others or not all(error.shapes[:2]):
        return ""
    left, right = error.span.end, error.others[0].start
    if text[left:right].strip() not in _SIGNS:
        return ""
    return f"{text[:left]} @ {text[right:]}"


def _letters(text: str, span: Span | None, names: Names) -> str:
    """The text with a word taken apart into names of one letter, if it is made of them."""
    word = text[span.start : span.end] if span else ""
    if span is None or len(word) < 2 or not set(word) <= names.words:
        return ""
    return f"{text[: span.start]} {' '.join(word)} {text[span.end :]}"


def _entry(text: str, names: Names) -> tuple[Expr, str]:
    """An entry, and the name of the constant of integration that it ended in."""
    value = expression(text, names)
    if names.shapes:
        return value, ""
    extra = [s for s in free_symbols([value]) if s.name not in names.free]
    if len(extra) == 1 and extra[0].name in ("C", "c", "K", "k"):
        (slope,) = gradient(value, extra)
        if slope is ONE:
            rest = _without(value, extra[0])
            return rest, extra[0].name
    return value, ""


def _without(value: Expr, constant: Expr) -> Expr:
    from_sum = substitute([value], {constant: ZERO})[0]
    if len(value.args) == 2 and value.args[1] is constant:
        return value.args[0]
    return from_sum
