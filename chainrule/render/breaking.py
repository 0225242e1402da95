"""Breaking long formulas over lines, for notations that do not break them by themselves.

Widths are estimates in em of a ten point serif face, rather too wide than too narrow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from chainrule.render.boxes import Box, Kind

_DEEPEST = 60  # storeys that are opened; pages name what is deeper
_DIGITS = 0.52
_INDENT = 2.0
_LEAD = _INDENT + 1.5  # the indent and a sign stand before what is on a line alone


Widths = dict[int, tuple[float, Box]]
"""Widths by identity of the box, which is held so that no other gets its identity."""


def width(box: Box) -> float:
    """The estimated width of a layout."""
    order = [box]
    for current in order:
        order += current.parts
    # Backwards, the parts of a box are the last ones that belong to no box yet.
    widths = [0.0] * len(order)
    end = len(order)
    for i in range(len(order) - 1, -1, -1):
        current = order[i]
        begin = end - len(current.parts)
        widths[i] = _WIDTHS[current.kind](current, widths[begin:end])
        end = begin
    return widths[0]


def _known_width(box: Box, known: Widths) -> float:
    """The same, with the widths of all parts, which are asked for again."""
    stack: list[tuple[Box, bool]] = [(box, False)]
    while stack:
        current, ready = stack.pop()
        if id(current) in known:
            continue
        if not ready:
            stack.append((current, True))
            stack.extend((part, False) for part in current.parts)
        else:
            parts = [known[id(part)][0] for part in current.parts]
            known[id(current)] = (_WIDTHS[current.kind](current, parts), current)
    return known[id(box)][0]


def _name(box: Box, parts: list[float]) -> float:
    head, _, index = box.text.partition("_")
    return 0.6 * len(head) + 0.45 * len(index)


def _raised(box: Box, parts: list[float]) -> float:
    return parts[0] + 0.75 * parts[1]


def _exponential(box: Box, parts: list[float]) -> float:
    return 0.5 + 0.75 * parts[0] if box.latex == "e" else 2.9 + parts[0]


def _call(box: Box, parts: list[float]) -> float:
    return 0.55 * len(box.text) + 1.1 + sum(parts) + 0.5 * len(parts)


def _cases(box: Box, parts: list[float]) -> float:
    return max(parts[::2]) + max(parts[1::2], default=0.0) + 5.0


def _matrix(box: Box, parts: list[float]) -> float:
    columns = max(1, int(box.text))
    return sum(max(parts[i::columns]) + 1.0 for i in range(min(columns, len(parts)))) + 1.0


def _within(overhead: float) -> Callable[[Box, list[float]], float]:
    return lambda box, parts: sum(parts) + overhead


_WIDTHS: dict[Kind, Callable[[Box, list[float]], float]] = {
    "row": lambda box, parts: sum(parts),
    "number": lambda box, parts: _DIGITS * len(box.text),
    "symbol": _name,
    "array": _name,
    "constant": lambda box, parts: 0.6 * len(box.text),
    "sign": lambda box, parts: 0.8 if box.text == "-" else 1.5,
    "times": lambda box, parts: 0.85 if box.latex else 0.2,
    "either": lambda box, parts: parts[1],
    "script": _raised,
    "power": _raised,
    "fraction": lambda box, parts: max(parts) + 0.3,
    "derivative": lambda box, parts: max(parts) + 0.9,
    "exponential": _exponential,
    "logarithm": lambda box, parts: 2.6 + parts[0] + 0.75 * parts[1],
    "part": lambda box, parts: 0.7 + sum(parts) + 0.5 * len(parts),
    "call": _call,
    "applied": _call,
    "cases": _cases,
    "matrix": _matrix,
    "lines": lambda box, parts: max(parts) + 2.0,
    "root": _within(0.9),
    "delimited": _within(0.7),
    "fence": lambda box, parts: parts[0] if box.text == "line" else sum(parts) + 0.9,
}


def lines(box: Box, room: float, depth: int = 0, known: Widths | None = None) -> list[Box]:
    """The layout as lines of at most about `room` em; what can be broken is broken.

    Sums are broken before their signs, then products; what is too wide in itself is opened:
    the lines inside brackets, fractions and cases become a stack of lines of their own.
    """
    fits = width(box) <= room if known is None else _known_width(box, known) <= room
    if depth > _DEEPEST or fits:
        return [box]
    known = {} if known is None else known
    room = max(room, 6.0)
    pieces = []
    for piece in _pieces(box):
        wide = _known_width(piece, known) > room - _LEAD
        pieces.append(_opened(piece, room - _LEAD, depth + 1, known) if wide else piece)
    widths = [_known_width(piece, known) for piece in pieces]
    out: list[Box] = []
    start = 0
    while start < len(pieces):
        stop = _end(pieces, widths, start, room - (_INDENT if out else 0.0))
        first = _leading(pieces[start]) if out else pieces[start]
        out.append(_line([first, *pieces[start + 1 : stop]]))
        start = stop
    return out


def _end(pieces: list[Box], widths: list[float], start: int, room: float) -> int:
    """Where the line that begins at `start` ends: before its lowest sign that is not too early."""
    taken = 0.0
    best: tuple[bool, int, int] | None = None
    for i in range(start, len(pieces)):
        rank = _rank(pieces[i])
        if i > start and rank is not None and (best is None or taken <= room):
            place = (taken < room / 3, rank, -i)
            best = place if best is None else min(best, place)
        taken += widths[i]
        if taken > room and best is not None:
            return -best[2]
    return len(pieces)


def _pieces(box: Box) -> Iterator[Box]:
    """The row's members and those of rows within it: what stands side by side."""
    stack = [box]
    while stack:
        current = stack.pop()
        if current.kind == "row" or (current.kind == "fence" and current.text == "line"):
            stack.extend(reversed(current.parts))
        elif current.kind == "either":
            stack.append(current.parts[1])
        else:
            yield current


def _rank(piece: Box) -> int | None:
    if piece.kind == "times":
        return 2
    if piece.kind == "sign" and piece.text != "-":
        return 0 if piece.text in (" + ", " - ") else 1
    return None


def _leading(sign: Box) -> Box:
    """The sign at the start of a line; of a matrix product there is none."""
    shown = sign.kind == "times" and not sign.latex and sign.text != " @ "
    return sign._replace(latex=r"\cdot") if shown else sign


def _line(pieces: list[Box]) -> Box:
    return pieces[0] if len(pieces) == 1 else Box("row", tuple(pieces))


def _opened(box: Box, room: float, depth: int, known: Widths) -> Box:
    """The box with its inside broken."""
    match box.kind:
        case "number":
            size = max(1, int(room / _DIGITS))
            chunks = [box.text[i : i + size] for i in range(0, len(box.text), size)]
            return Box("lines", tuple(Box("number", (), chunk) for chunk in chunks))
        case "symbol":
            size = max(1, int(room / 0.6))
            chunks = [box.text[i : i + size] for i in range(0, len(box.text), size)]
            return Box("lines", tuple(Box("symbol", (), chunk) for chunk in chunks))
        case "exponential":
            return box._replace(latex=r"\exp", parts=_stacked(box, room - 3.0, depth, known))
        case "power":
            base, exponent = box.parts
            return box._replace(
                parts=(
                    _stack(base, room - 0.75 * _known_width(exponent, known), depth, known),
                    exponent,
                )
            )
        case "cases":
            return box._replace(parts=_stacked(box, room / 2 - 3.0, depth, known))
        case "matrix":
            columns = max(1, int(box.text))
            return box._replace(parts=_stacked(box, room / columns - 1.0, depth, known))
        case "fraction" | "fence" | "root" | "delimited" | "call" | "applied" | "logarithm":
            overhead = _WIDTHS[box.kind](box, [0.0] * len(box.parts))
            if box.kind == "applied":
                name, *arguments = box.parts
                return box._replace(
                    parts=(name, _stack(_listed(arguments), room - overhead, depth, known))
                )
            if box.kind == "call":
                return box._replace(
                    parts=(_stack(_listed(box.parts), room - overhead, depth, known),)
                )
            return box._replace(parts=_stacked(box, room - overhead, depth, known))
    return box


def _listed(parts: Sequence[Box]) -> Box:
    comma = Box("sign", (), ", ")
    row = [item for i, part in enumerate(parts) for item in (*((comma,) if i else ()), part)]
    return Box("row", tuple(row))


def _stacked(box: Box, room: float, depth: int, known: Widths) -> tuple[Box, ...]:
    return tuple(_stack(part, room, depth, known) for part in box.parts)


def _stack(box: Box, room: float, depth: int, known: Widths) -> Box:
    broken = lines(box, room, depth, known)
    return broken[0] if len(broken) == 1 else Box("lines", tuple(broken))
