"""The text of a worked derivation: its lines, without what only sets them, and its brackets."""

from __future__ import annotations

import re
from collections.abc import Iterator

_ENVIRONMENT = re.compile(
    r"\\(?:begin|end)\{(?:align|aligned|gather|gathered|equation|split|eqnarray|multline|flalign)"
    r"\*?\}"
    r"|\\(?:nonumber|notag)\b|\\(?:label|tag|intertext|text)\{[^{}]*\}|\$\$|\\\[|\\\]"
)
_INLINE = re.compile(r"\$([^$]+)\$")
_BULLET = re.compile(
    r"^\s*(?:\(?\d{1,3}[.)]\s+|[*•]\s+(?=[a-zA-Z\\].*=)|=>|⇒|→|\\Rightarrow|\\implies|\\iff)\s*"
)


def rows(text: str) -> Iterator[tuple[int, str]]:
    """The lines with their numbers in the text, without what only sets them."""
    before, begins, inside = text.partition(r"\begin{document}")
    if begins:
        text = "\n" * before.count("\n") + inside.partition(r"\end{document}")[0]
    waiting: tuple[int, str] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        typeset = "\\" in line
        line = re.sub(r"(?<!\\)%.*$", "", line) if typeset else re.sub(r"#.*$", "", line)
        line = _ENVIRONMENT.sub(" ", line).replace("&", " ")
        formulas = _INLINE.findall(line)
        if formulas and re.search(r"[A-Za-z]{2}", _INLINE.sub("", line)):
            line = r" \\ ".join(f for f in formulas if "=" in f)  # words around formulas
        for piece in re.split(r"\\\\(?:\[[^\]]*\])?|(?<!\\);", line):
            row = _BULLET.sub("", piece).strip().strip("$").strip()
            row = row.removesuffix(".").removesuffix(",").strip()
            if not row:
                continue
            goes_on = row.startswith(("+", "-", r"\cdot", "*")) and waiting is not None
            if waiting is not None and (goes_on or waiting[1].endswith(("=", "+", "-", "*"))):
                waiting = waiting[0], f"{waiting[1]} {row}"
                continue
            if waiting is not None:
                yield waiting
            waiting = number, row
    if waiting is not None:
        yield waiting


def group_end(text: str, start: int) -> int | None:
    """The end of the bracketed group that begins at `start`, if one does."""
    rest = text[start:]
    opening = re.match(r"\s*(?:\\left\s*)?([(\[{]|\\\{)", rest)
    if not opening:
        return None
    depth, place = 0, start + opening.end() - 1
    while place < len(text):
        c = text[place]
        depth += (c in "([{") - (c in ")]}")
        place += 1
        if depth == 0:
            return place
    return None


def term_end(text: str, start: int) -> int:
    """The end of the term that begins at `start`: up to a sign outside brackets."""
    depth, begun = 0, False
    for place in range(start, len(text)):
        c = text[place]
        depth += (c in "([{") - (c in ")]}")
        if depth < 0 or (begun and depth == 0 and c in "+-" and text[place - 1] != "^"):
            return place
        begun = begun or not c.isspace()
    return len(text)


def opening(text: str, closing: int) -> int | None:
    """Where the bracket opens that closes at `closing`."""
    depth = 0
    for place in range(closing, -1, -1):
        depth += (text[place] == ")") - (text[place] == "(")
        if depth == 0:
            return place
    return None
