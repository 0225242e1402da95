"""Python expressions as text, with the brackets that they need.

It is Python's own syntax tree of a template that says how tightly its parts bind.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple


class Code(NamedTuple):
    """A Python expression.

    Attributes:
        text: formatted as ruff does.
        binding: how tightly it binds: 6 needs no brackets anywhere, 1 is a comparison.
        number: its value, where that is known.
        python: whether its value is a number of Python, which takes the dtype of what it meets.
        test: whether its value is true or false, entry by entry.
        operations: how many it has.
        batched: whether the value has an axis in front that its node does not know of.
        diagonal: then, the text of a vector, if it is the diagonal matrix of that.
        binds: how tightly that text binds.
    """

    text: str
    binding: int = 6
    python: bool = False
    test: bool = False
    operations: int = 0
    batched: bool = False
    diagonal: str = ""
    binds: int = 6
    number: float | None = None


_new = tuple.__new__  # what the class does, without the call


def name_code(name: str) -> Code:
    """A name."""
    return _new(Code, (name, 6, False, False, 0, False, "", 6, None))


def operation_code(text: str, binding: int, operations: int) -> Code:
    """An operation of NumPy."""
    return _new(Code, (text, binding, False, False, operations, False, "", 6, None))


_PLACE = re.compile(r"\{(\d+)\}")
ATOM, POWER, UNARY, PRODUCT, SUM, TEST = 6, 5, 4, 3, 2, 1
_BINDING: dict[type[ast.AST], int] = {
    ast.Add: SUM, ast.Sub: SUM, ast.Mult: PRODUCT, ast.Div: PRODUCT, ast.MatMult: PRODUCT,
    ast.Pow: POWER,
}  # fmt: skip


Template = tuple[int, str, tuple[tuple[int, int, str], ...]]


@lru_cache(maxsize=4096)
def read(template: str) -> Template:
    """How the template binds, how it starts, and each place: slot, least binding, what follows.

    It is Python's own syntax tree that says what stands beside an operator.
    """
    tree = ast.parse(_PLACE.sub(r"_\1", template), mode="eval").body
    needed: dict[tuple[int, int], int] = {}
    for parent in ast.walk(tree):
        for child in ast.iter_child_nodes(parent):
            if isinstance(child, ast.Name) and child.id[0] == "_" and child.id[1:].isdigit():
                needed[child.lineno, child.col_offset] = _least(parent, child)
    start, *rest = _PLACE.split(template)
    # `{0}` is a character longer than `_0`.
    found = [f.start() - shift for shift, f in enumerate(_PLACE.finditer(template))]
    places = [
        (int(slot), needed.get((1, column), 0), after)
        for slot, after, column in zip(rest[::2], rest[1::2], found, strict=True)
    ]
    return _binds(tree), start, tuple(places)


def _least(parent: ast.AST, child: ast.AST) -> int:
    if isinstance(parent, ast.BinOp):
        own = _BINDING[type(parent.op)]
        if own == POWER:
            return ATOM
        return own if child is parent.left else own + 1
    if isinstance(parent, ast.UnaryOp):
        return ATOM
    if isinstance(parent, ast.Compare):
        return SUM
    inside = isinstance(parent, ast.Attribute) or (
        isinstance(parent, ast.Subscript) and child is parent.value
    )
    return ATOM if inside else 0


def _binds(tree: ast.expr) -> int:
    if isinstance(tree, ast.BinOp):
        return _BINDING[type(tree.op)]
    if isinstance(tree, ast.UnaryOp):
        return UNARY
    return TEST if isinstance(tree, ast.Compare) else ATOM


def filled(template: str, args: Sequence[Code]) -> Code:
    """The template with its operands, bracketed where Python needs it."""
    return Code(*filling(read(template), args))


def filling(template: Template, args: Sequence[Code]) -> tuple[str, int]:
    """The text of the template with its operands, and how it binds."""
    binding, start, places = template
    text = start
    for slot, least, after in places:
        code = args[slot]
        text += code[0] + after if code[1] >= least else f"({code[0]}){after}"
    if binding == POWER and _SIMPLE.fullmatch(text):
        text = text.replace(" ** ", "**")
    return text, binding


_SIMPLE = re.compile(r"[\w.]+ \*\* -?[\w.]+")


@lru_cache(maxsize=4096)
def repeated(template: str, slot: int) -> bool:
    """Whether an operand stands more than once."""
    return template.count(f"{{{slot}}}") > 1
