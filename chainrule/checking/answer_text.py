r"""The notation of answers: heads such as `y' =` and `\frac{dy}{dx} =`, lists, matrices.

An answer is taken apart at its equals signs and brackets; nothing is parsed here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from chainrule.syntax.names import GREEK, canonical_name

_NAME = rf"(?:(?:{'|'.join(sorted(GREEK))}|[A-Za-z\u0370-\u03ff])(?:\d+|_\w+)?)"
_ARGUMENTS = r"(?:\([^()]*\))?"
_PRIME = re.compile(rf"^({_NAME})('+){_ARGUMENTS}$")
_LEIBNIZ = re.compile(rf"^\(?[d∂](?:\^?(\d))?([^\W\d]\w*){_ARGUMENTS}/[d∂]({_NAME}?)(?:\^?\d)?\)?$")
_OPERATOR = re.compile(rf"^\(?[d∂](?:\^(\d))?/[d∂]({_NAME}?)(?:\^\d)?\)?(.*)$")
_SUBSCRIPT = re.compile(rf"^([fFgGhuvwyz])_({_NAME}){_ARGUMENTS}$")
_GRADIENT = re.compile(rf"^(?:∇|grad|D|J|H|Jacobian|gradient|Hessian)_?{_NAME}?{_ARGUMENTS}$")
_NABLA = re.compile(rf"^(?:∇|grad)_({_NAME})({_NAME})?{_ARGUMENTS}$")
_BARE = re.compile(rf"^({_NAME}){_ARGUMENTS}$")
_WORDS = re.compile(r"^(?:answer|derivative|the derivative|result|solution)\s*(?:is|:|$)", re.I)
_MATRIX = re.compile(r"\\begin\{(?:[pbvBV]?matrix|smallmatrix|array)\}(?:\{[lcr|]*\})?(.*?)"
                     r"\\end\{(?:[pbvBV]?matrix|smallmatrix|array)\}", re.S)  # fmt: skip
_SPACES = re.compile(r"\\[,;:!]|\\(?:quad|qquad|displaystyle|limits)\b|\\ |[$&~]|\s+")
_TRANSPOSED = re.compile(
    r"\^\{?\s*(?:T|\\top|\\intercal|\\mathsf\{T\}|\\mathrm\{T\})\s*\}?$|\.T$|'$"
)
_GROUP = r"\{([^{}]*(?:\{[^{}]*\}[^{}]*)*)\}"
_FRACTION = re.compile(rf"\\[dt]?frac\s*{_GROUP}\s*{_GROUP}")
_PAIRS = {"(": ")", "[": "]", "<": ">", "⟨": "⟩"}  # braces are cases


class Head(NamedTuple):
    """What stands before the equals sign of an answer.

    Attributes:
        of: the name that is differentiated, or nothing.
        by: the variable, or nothing.
        order: how many times; 0 where nothing says that it is a derivative (`y = …`).
        body: what `d/dx` is applied to.
    """

    of: str = ""
    by: str = ""
    order: int = 1
    body: str = ""


def undressed(text: str) -> str:
    """The text without dollar signs, `\\[ … \\]` and a full stop at the end."""
    text = text.strip()
    for opening, closing in (("$$", "$$"), ("$", "$"), (r"\[", r"\]"), (r"\(", r"\)")):
        if text.startswith(opening) and text.endswith(closing) and len(text) > 2 * len(opening):
            text = text[len(opening) : -len(closing)].strip()
    text = _WORDS.sub("", text).strip()
    return text[:-1].rstrip() if text.endswith((".", ",", ";")) else text


def split_equals(text: str) -> list[str]:
    """The parts between equals signs outside brackets; `==`, `<=`, `≤` part nothing."""
    parts = split_outside(text, "=")
    return [p.strip().removesuffix(":").strip() for p in parts]


def split_outside(text: str, separators: str) -> list[str]:
    """Split outside brackets and environments."""
    parts, depth, start, place = [], 0, 0, 0
    while place < len(text):
        c = text[place]
        if c == "\\":
            word = re.match(r"\\(?:begin|end)\{|\\[A-Za-z]+|\\.", text[place:], re.S)
            found = word.group() if word else c
            depth += found.startswith(r"\begin") - found.startswith(r"\end")
            place += len(found) - (found.endswith("{"))
            if found.startswith((r"\begin", r"\end")):
                close = text.find("}", place)
                place = len(text) if close < 0 else close + 1
            continue
        if c in "([{⟨":
            depth += 1
        elif c in ")]}⟩":
            depth = max(0, depth - 1)
        elif c in separators and depth == 0:
            around = text[place - 1 : place] + text[place + 1 : place + 2]
            if c != "=" or not ("=" in around or text[place - 1 : place] in ("<", ">", "!")):
                parts.append(text[start:place])
                start = place + 1
        place += 1
    parts.append(text[start:])
    return parts


def head_of(text: str, free: Collection[str] = ()) -> Head | None:
    """What the left side of an answer says is given; None where it is an expression.

    >>> head_of(r"\\frac{dy}{dx}")
    Head(of='y', by='x', order=1, body='')
    """
    plain = _plain(text)
    if found := _PRIME.match(plain):
        return Head(found[1], "", len(found[2]))
    if found := _LEIBNIZ.match(plain):
        return Head(found[2], _name(found[3]), int(found[1] or 1))
    if found := _OPERATOR.match(plain):
        body = _body(text)
        inside = _BARE.match(_plain(body))
        return Head(inside[1] if inside else "", _name(found[2]), int(found[1] or 1), body)
    if (found := _SUBSCRIPT.match(plain)) and plain not in free:
        return Head(found[1], _name(found[2]))
    if found := _NABLA.match(plain):
        return Head(found[2] or "", _name(found[1]))
    if _GRADIENT.match(plain) and plain not in free:
        return Head()
    if (found := _BARE.match(plain)) and found[1] not in free:
        return Head(found[1], "", 0)
    return None


def _plain(text: str) -> str:
    """A left side without what LaTeX adds to it."""
    text = _SPACES.sub("", undressed(text))
    for typeset, written in (
        (r"\left", ""), (r"\right", ""), (r"\mathrm{d}", "d"), (r"\operatorname{d}", "d"),
        (r"\mathbf", ""), (r"\partial", "∂"), (r"^{\prime}", "'"), (r"^\prime", "'"),
        (r"\prime", "'"), ("^{''}", "''"), ("^{'}", "'"), ("’", "'"), ("′", "'"), ("″", "''"),
        (r"\nabla", "∇"), ("\\dfrac", "\\frac"), ("\\tfrac", "\\frac"),
    ):  # fmt: skip
        text = text.replace(typeset, written)
    text = _FRACTION.sub(r"\1/\2", text)
    text = re.sub(r"\\frac([d∂])\{?([d∂]\w)\}?", r"\1/\2", text)
    return text.replace("{", "").replace("}", "").replace("\\", "")


def _body(text: str) -> str:
    """What `d/dx` is applied to, as written."""
    if frac := _FRACTION.match(text.lstrip()):
        text = text.lstrip()
        return text[frac.end() :].strip()
    plain = re.match(rf"\s*\(?\s*[d∂](?:\^\d)?\s*/\s*[d∂]\s*{_NAME}(?:\^\d)?\s*\)?", text)
    return text[plain.end() :].strip() if plain else ""


def _name(text: str) -> str:
    return canonical_name(text) if text else ""


def rows_of(text: str) -> tuple[list[list[str]], bool]:
    """The entries of a list or a matrix, row by row, and whether it was one."""
    text = text.strip()
    transposed = False
    inner = text
    if found := _TRANSPOSED.search(inner):
        shorter = inner[: found.start()].rstrip()
        if shorter.endswith((")", "]", "}", "⟩", ">")) and _unwrapped(shorter) is not None:
            inner, transposed = shorter, True
    rows = _matrix(inner)
    if rows is None:
        return [[text]], False
    return ([list(c) for c in zip(*rows, strict=False)] if transposed else rows), True


def _matrix(text: str) -> list[list[str]] | None:
    """The cells, or None where the text is no list."""
    bare = re.sub(r"\\left\s*[(\[.|]|\\right\s*[)\].|]", "", text).strip()
    if found := _MATRIX.fullmatch(bare):
        rows = [r for r in re.split(r"\\\\(?:\[[^\]]*\])?|\\cr\b", found[1]) if r.strip()]
        return [[cell.strip() for cell in row.split("&")] for row in rows]
    inside = _unwrapped(text)
    if inside is None:
        whole = split_outside(text, ",")
        return [[p.strip() for p in whole]] if len(whole) > 1 else None
    rows_text = [r for r in split_outside(inside, ";") if r.strip()]
    cells = [[c.strip() for c in split_outside(row, ",") if c.strip()] for row in rows_text]
    if len(cells) == 1 and len(cells[0]) > 1:
        nested = [_unwrapped(c) for c in cells[0]]
        if all(n is not None and len(split_outside(n, ",")) > 1 for n in nested):
            return [[c.strip() for c in split_outside(n, ",")] for n in nested if n is not None]
        column = [n for n in nested if n is not None]
        if len(column) == len(nested) and all(c.startswith("[") for c in cells[0]):
            return [[n.strip()] for n in column]
    if len(cells) > 1 or (cells and len(cells[0]) > 1) or text.startswith("["):
        return cells
    return None


def _unwrapped(text: str) -> str | None:
    """What stands in the brackets, where one pair is around the whole text."""
    text = re.sub(r"\\left\s*|\\right\s*", "", text).strip()
    text = text.replace(r"\langle", "⟨").replace(r"\rangle", "⟩").replace(r"\{", "{")
    text = text.replace(r"\}", "}").strip()
    if len(text) < 2 or _PAIRS.get(text[0]) != text[-1]:
        return None
    depth = 0
    for i, c in enumerate(text):
        depth += (c in "([{⟨") - (c in ")]}⟩")
        if depth == 0 and text[0] != "<" and i < len(text) - 1:
            return None
    return text[1:-1]


def heads_of(parts: Sequence[str], free: Collection[str]) -> tuple[list[Head], list[str]]:
    """The heads at the beginning, and what follows."""
    heads: list[Head] = []
    for i, part in enumerate(parts):
        head = head_of(part, free) if i < len(parts) - 1 else None
        if head is None:
            return heads, list(parts[i:])
        heads.append(head)
    return heads, []
