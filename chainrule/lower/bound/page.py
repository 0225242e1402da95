"""Lines of the preallocated module, laid out as `ruff format` leaves them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_WIDTH = 88
_OPEN, _CLOSE = "([{", ")]}"


def folded(text: str, indent: int) -> list[str]:
    """A statement; one argument a line where it is too long.

    >>> folded("add(first, second)", 75)
    ['add(', '    first,', '    second,', ')']
    """
    code = text.partition("  # ")[0]
    if len(code) + indent <= _WIDTH:
        return [text] if len(text) + indent <= _WIDTH else [code]
    if code[-1] not in ")}":
        return [code]
    level, start = 0, 0
    for i in reversed(range(len(code))):
        level += (code[i] in _CLOSE) - (code[i] in _OPEN)
        if not level:
            start = i + 1
            break
    items, level, last = [], 0, start
    for i in range(start, len(code) - 1):
        level += (code[i] in _OPEN) - (code[i] in _CLOSE)
        if code[i] == "," and not level:
            items.append(code[last:i].strip())
            last = i + 1
    items.append(code[last:-1].strip())
    return [code[:start], *(f"    {item}," for item in items if item), code[-1]]


def listed(
    head: str, items: Sequence[str], tail: str, indent: int, brackets: tuple[str, str] = ("", "")
) -> list[str]:
    """Items on one line, or on one each; `brackets` are needed only then, or for one item."""
    one = head + ", ".join(items) + tail
    if brackets[0] and len(items) == 1:
        one = f"{head}{brackets[0]}{items[0]},{brackets[1]}{tail}"
    if len(one) + indent <= _WIDTH:
        return [one]
    return [head + brackets[0], *(f"    {item}," for item in items), brackets[1] + tail.lstrip(",")]


def chunks(names: Sequence[str], joint: str, indent: int) -> list[str]:
    """Names joined, as many on a line as it takes."""
    lines: list[str] = []
    for name in names:
        if lines and len(lines[-1]) + len(joint) + len(name) + indent <= _WIDTH:
            lines[-1] += joint + name
        else:
            lines.append(name)
    return lines


def header(
    dtype: str,
    inputs: Mapping[str, tuple[int, ...]],
    functions: Mapping[str, str],
    typed: bool = False,
) -> list[str]:
    """The module's docstring, its imports and its dtype."""
    lines = ['"""The value and its derivatives, in memory that is allocated once.', ""]
    lines += [
        "`step = bind()`, then `value, grads = step(...)` with these arguments, all by name:",
        "",
    ]
    for name, shape in inputs.items():
        lines.append(f"    {name}: {shape if shape else 'a number'}")
    lines += [
        "",
        "The arrays in `grads` are the same ones each time: the next step writes over them.",
    ]
    lines += ["The last argument of a call is where its result goes; a comment says what that is."]
    lines += ['"""', ""]
    if typed:
        lines += ["from typing import Any", ""]
    lines.append("import numpy as np")
    names = [n if n == own else f"{n} as {own}" for n, own in sorted(functions.items())]
    if names:
        one = f"from numpy import {', '.join(names)}"
        many = ["from numpy import (", *(f"    {name}," for name in names), ")"]
        lines += [one] if len(one) <= _WIDTH else many
    return [*lines, "", f"dtype = np.{dtype}"]


def step_head(names: Sequence[str], arrays: Sequence[str]) -> list[str]:
    """The signature of the step, and the look at arrays that are new."""
    lines = [f"    {line}" for line in listed("def step(", ["*", *names] if names else [], "):", 4)]
    if len(lines) > 1:
        lines[1] = "        *,"
    lines += ['        """The value, and its derivatives by name."""']
    if not arrays:
        return lines
    tests = [f"{name} is not {name}_seen" for name in arrays]
    one = f"        if {' or '.join(tests)}:"
    if len(one) <= _WIDTH:
        lines.append(one)
    else:
        lines += ["        if (", f"            {tests[0]}"]
        lines += [f"            or {test}" for test in tests[1:]] + ["        ):"]
    return lines + [f"            {line}" for line in listed("look(", arrays, ")", 12)]


def check_lines() -> list[str]:
    """The function that refuses what does not fit."""
    return _CHECK.split("\n")


_CHECK = '''\
def check(name, array, shape, dtype):
    """Raise an error that names the argument that does not fit."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name} is a {type(array).__name__}, expected an array")
    if not np.issubdtype(array.dtype, dtype):
        raise TypeError(f"{name} is {array.dtype}, expected {dtype.__name__}")
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}, expected {shape}")'''
