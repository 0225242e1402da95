"""What mathematical layout is made of: boxes, and when they stand in brackets.

A layout is a small tree of boxes. It serves two notations at once: the *line* (the
language itself, `(a + b)/c`) and the *plane* (LaTeX, where the bar of a fraction groups).
Each box knows how tightly it binds in either, and a fence says in which it stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from chainrule.core.greek import GREEK_LETTERS
from chainrule.core.ops import is_spelling

Kind = Literal[
    "row", "number", "symbol", "constant", "sign", "times", "call", "fraction", "power", "root",
    "delimited", "exponential", "logarithm", "fence", "cases", "matrix", "derivative", "applied",
    "lines", "array", "script", "part", "either",
]  # fmt: skip
Edge = Literal["number", "letter", "name", "word", "fence", "fraction", "other"]

OPEN, CASES, RELATION, SUM, MINUS, HADAMARD, PRODUCT = 0, 3, 5, 10, 15, 18, 20
POWER, FRACTION, ATOM = 40, 45, 50


class Box(NamedTuple):
    """A piece of layout.

    Attributes:
        kind: what is drawn; of `either` the first part on the line, the second in the plane.
        parts: the boxes inside.
        text, latex: what is written: a name, a number, a sign, the head of a function.
        line, plane: how tightly it binds in either notation.
        starts, ends: what stands at its ends in the plane, for products without a sign.
    """

    kind: Kind
    parts: tuple[Box, ...] = ()
    text: str = ""
    latex: str = ""
    line: int = ATOM
    plane: int = ATOM
    starts: Edge = "other"
    ends: Edge = "other"


class Label(NamedTuple):
    """A left-hand side that is no formula, as `∇y`."""

    box: Box


def label(text: str, latex: str = "") -> Label:
    """A label that is the same in every notation but LaTeX."""
    return Label(Box("constant", (), text, latex or text))


Drawn = str | tuple["Box | str", ...]
Draws = Mapping[Kind, Callable[[Box], Drawn]]
"""What a box of each kind consists of in one notation, in order."""


def emit(box: Box, draws: Draws) -> str:
    """Write a layout."""
    out: list[str] = []
    write = out.append
    stack: list[Iterator[Box | str]] = [iter((box,))]
    while stack:
        for item in stack[-1]:
            if isinstance(item, str):
                write(item)
                continue
            drawn = draws[item.kind](item)
            if isinstance(drawn, str):
                write(drawn)
            else:
                stack.append(iter(drawn))
                break
        else:
            stack.pop()
    return "".join(out)


def between(parts: Sequence[Box], separator: str) -> tuple[Box | str, ...]:
    """The parts with something between them."""
    items: list[Box | str] = []
    for part in parts:
        items += (separator, part)
    return tuple(items[1:])


def joined(parts: list[Box], sign: Box, level: int) -> Box:
    if len(parts) == 1:
        return parts[0]
    row = [parts[0]]
    for part in parts[1:]:
        row += [sign, part]
    return in_row(row, level, level)


def in_row(parts: Sequence[Box], line: int, plane: int) -> Box:
    return Box("row", tuple(parts), "", "", line, plane, parts[0].starts, parts[-1].ends)


@lru_cache(maxsize=256)
def sign_box(text: str, latex: str = "") -> Box:
    """A sign between operands, or in front of one."""
    return Box("sign", (), text, latex)


def number_box(text: str) -> Box:
    level = MINUS if text.startswith("-") else ATOM
    return Box("number", (), text, "", level, level, "number", "number")


GREEK_NAMES = frozenset(GREEK_LETTERS.values())
_INDEXED = re.compile(r"([^\W\d_]+)(?:_([^\W_]+)|([0-9]+))", re.ASCII)


@lru_cache(maxsize=4096)
def split_name(name: str) -> tuple[str, str, int]:
    """A name as its letter, what stands below the line, and the number of primes.

    >>> split_name("x1"), split_name("theta_k'"), split_name("loss_2")
    (('x', '1', 0), ('theta', 'k', 1), ('loss_2', '', 0))
    """
    stem = name.rstrip("'")
    if not stem:
        return name, "", 0
    primes = len(name) - len(stem)
    match = _INDEXED.fullmatch(stem)
    if match and is_letter(match[1]):
        return match[1], match[2] or match[3], primes
    return stem, "", primes


def is_letter(word: str) -> bool:
    """Whether it is one letter, Greek ones by name or sign."""
    return len(word) == 1 or word in GREEK_NAMES


class ArrayName(str):
    """The name of a vector or a matrix."""

    __slots__ = ()


def quantity_box(name: str) -> Box:
    """A name, of a number or of an array."""
    return array_box(name) if isinstance(name, ArrayName) else name_box(name)


@lru_cache(maxsize=4096)
def name_box(name: str) -> Box:
    """The name of a number.

    A name may be a derivative: `dy/dx`, `∂y/∂x`, `∇y/∇x` (a gradient), `∂x` (a differential).
    """
    if made := _made_of(name, str):
        return made
    # `f(…)` would be read as a call, and `d x` as a differential.
    callable_name = name.rstrip("0123456789").partition("_")[0]
    read_as_call = callable_name in _FUNCTION_LETTERS or name == "d" or is_spelling(name)
    edge: Edge = "name" if read_as_call else "letter"
    return Box("symbol", (), name, "", ATOM, ATOM, edge, edge)


@lru_cache(maxsize=1024)
def array_box(name: str) -> Box:
    """The name of a vector or a matrix, or that of a derivative which is one."""
    if made := _made_of(name, ArrayName):
        return made
    edge: Edge = "letter" if is_letter(split_name(name)[0]) else "word"
    return Box("array", (), name, "", ATOM, ATOM, edge, edge)


_DERIVATIVE_SIGNS = ("d", "∂", "∇")
_FUNCTION_LETTERS = frozenset(["f", "g", "h", "F", "G", "φ", "ψ", "phi", "psi"])


def _made_of(name: str, kind: type[str]) -> Box | None:
    """The derivative that a name is, by a quantity of this kind; None for other names."""
    head, slash, by = name.partition("/")
    if not slash:
        return differential_box(kind(name[1:])) if name[:1] == "∂" and name[1:] else None
    if head[:1] not in _DERIVATIVE_SIGNS or by[:1] != head[:1] or not len(head) > 1 < len(by):
        return None
    if head[0] == "∇":
        return gradient_box(head[1:], kind(by[1:]))
    plain = "d" if head[0] == "d" else ""
    return derivative_box("∂", head[1:], kind(by[1:]), plain)


@lru_cache(maxsize=4096, typed=True)
def derivative_box(sign: str, of: str, by: str, plain: str = "") -> Box:
    """`dy/dx`; `plain` is the sign on the line, where it differs."""
    return quotient_box(sign, quantity_box(of), quantity_box(by), plain)


def quotient_box(sign: str, above: Box, below: Box, plain: str = "") -> Box:
    """A derivative, of what is above by what is below."""
    return Box(
        "derivative", (above, below), plain or sign, sign, PRODUCT, FRACTION,
        "fraction", "fraction",
    )  # fmt: skip


_THIN = Box("times", (), "", r"\,")


def gradient_box(of: str, by: str) -> Box:
    """`∇_x y`."""
    by_box, of_box = quantity_box(by), quantity_box(of)
    line = in_row([sign_box("∇_"), by_box, sign_box(" "), of_box], PRODUCT, PRODUCT)
    nabla = Box("constant", (), "∇", r"\nabla")
    head = Box("script", (nabla, by_box))
    return either(line, in_row([head, _THIN, of_box], PRODUCT, PRODUCT))


def higher_box(sign: str, of: str, by: Sequence[tuple[str, int]]) -> Box:
    """`d^2y/dx^2`: by each name so many times."""
    d = Box("constant", (), sign, "d" if sign == "d" else r"\partial ")
    order = number_box(str(sum(times for _, times in by)))
    line = [d, sign_box("^"), order, quantity_box(of), sign_box("/")]
    below: list[Box] = []
    for name, times in by:
        box, many = quantity_box(name), number_box(str(times))
        line += [d, box, *((sign_box("^"), many) if times > 1 else ())]
        below += [d, Box("power", (box, many)) if times > 1 else box]
    above = in_row([Box("power", (d, order)), quantity_box(of)], ATOM, ATOM)
    return either(
        in_row(line, PRODUCT, FRACTION), Box("fraction", (above, in_row(below, ATOM, ATOM)))
    )


def differential_box(of: str) -> Box:
    """`dx`, the change of x."""
    sign = Box("constant", (), "d", "d", starts="word")
    word = not is_letter(split_name(of)[0])
    parts = [sign, _THIN, quantity_box(of)] if word else [sign, quantity_box(of)]
    return in_row(parts, ATOM, ATOM)._replace(ends="word")


def fenced(box: Box, line: int, plane: int) -> Box:
    """The box, in brackets in the notations where it binds less tightly than asked."""
    in_line, in_plane = box.line < line, box.plane < plane
    if not in_line and not in_plane:
        return box
    where = "both" if in_line and in_plane else "line" if in_line else "plane"
    return Box(
        "fence", (box,), where, "", ATOM if in_line else box.line, ATOM if in_plane else box.plane,
        "fence" if in_plane else box.starts, "fence" if in_plane else box.ends,
    )  # fmt: skip


def call_box(text: str, latex: str, parts: Sequence[Box]) -> Box:
    return Box("call", tuple(parts), text, latex)


def _is_derivative(box: Box) -> bool:
    return (box.parts[-1] if box.kind == "row" else box).kind == "derivative"


def either(line: Box, plane: Box) -> Box:
    """What is drawn in different ways in the two notations."""
    return Box("either", (line, plane), "", "", line.line, plane.plane, plane.starts, plane.ends)


def times_box(left: Box, right: Box) -> Box:
    """The sign of a product with a number, in the plane only where it is needed."""
    spaced = _is_derivative(left) or _is_derivative(right)
    ends, starts = left.ends, right.starts
    dot = (
        starts == "number"
        or (ends == "name" and starts != "other")
        or (ends == "number" and starts == "fraction")
        or (left.kind == "symbol" and left.text == "d")
    )
    return _TIMES[spaced, dot]


_TIMES = {
    (spaced, dot): Box("times", (), " * " if spaced else "*", r"\cdot" if dot else "")
    for spaced in (False, True)
    for dot in (False, True)
}
