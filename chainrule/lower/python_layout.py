"""Lines of Python laid out as `ruff format` leaves them, at 88 columns and at 100.

What fits 88 columns stands on one line; what does not is broken with a trailing comma, which
is stable at any width.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

WIDTH = 88


def text_lines(head: str, entries: Sequence[str]) -> list[str]:
    """A text of entries with commas between them, over several lines where it is long."""
    line = f'{head}"{", ".join(entries)}"'
    if len(line) <= WIDTH:
        return [line]
    lines = [""]
    for i, entry in enumerate(entries):
        piece = entry + (", " if i < len(entries) - 1 else "")
        if len(lines[-1]) + len(piece) + 6 > WIDTH:
            lines.append("")
        lines[-1] += piece
    return [f"{head}(", *(f'    "{line}"' for line in lines), ")"]


def filled_lines(entries: Sequence[str]) -> list[str]:
    """Entries with semicolons between them; a long one is broken at its spaces."""
    lines = [""]
    for entry in entries:
        joined = f"{lines[-1]}; {entry}" if lines[-1] else entry
        if len(joined) + 4 <= WIDTH:
            lines[-1] = joined
        elif len(entry) + 4 <= WIDTH:
            lines.append(entry)
        else:
            lines += textwrap.wrap(
                entry, WIDTH - 4, subsequent_indent="    ", break_long_words=False,
                break_on_hyphens=False,
            )  # fmt: skip
    return ["    " + line for line in lines if line]


_SIGN = re.compile(r"[^\w .']", re.ASCII)


def quoted(name: str) -> str:
    """A literal of this text, whatever it is made of: letters, and escapes for all else.

    >>> print(quoted("W1"), quoted('a"b #'))
    "W1" "a\\x22b \\x23"
    """

    def escaped(found: re.Match[str]) -> str:
        code = ord(found[0])
        if code > 0xFFFF:
            return f"\\U{code:08x}"
        return f"\\u{code:04x}" if code > 0xFF else f"\\x{code:02x}"

    return f'"{_SIGN.sub(escaped, name)}"'


def tuple_text(items: Sequence[str]) -> str:
    return f"({', '.join(items)}{',' if len(items) == 1 else ''})"


def commented(code: str, comments: Sequence[str]) -> list[str]:
    """The line with the first of the comments that fits behind it, else the last one above."""
    room = WIDTH - 8 - len(code)
    for comment in comments:
        if comment and len(comment) <= room:
            return [f"{code}  # {comment}"]
    above = next((c for c in reversed(comments) if c), "")
    if not above:
        return [code]
    # No more than can be on the line is looked at: a formula may be very long.
    short = textwrap.shorten(above[: 20 * WIDTH], WIDTH - 10, placeholder=" …")
    return [f"# {short}", code]


def signature(name: str, arguments: Sequence[str], result: str) -> list[str]:
    line = f"def {name}({', '.join(arguments)}) -> {result}:"
    if len(line) <= WIDTH:
        return [line]
    middle = f"    {', '.join(arguments)}"
    if len(line) > 100 and len(middle) <= WIDTH:
        return [f"def {name}(", middle, f") -> {result}:"]
    return [f"def {name}(", *(f"    {a}," for a in arguments), f") -> {result}:"]


def wrapped(head: str, entries: Sequence[str], tail: str, width: int = WIDTH) -> list[str]:
    line = head + ", ".join(entries) + tail
    if len(line) + 4 <= width:
        return [line]
    return [head, *(f"    {e}," for e in entries), tail]
