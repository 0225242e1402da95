"""Formulas in MathML Core, which browsers draw by themselves.

W3C, *MathML Core* (2025). Rows are not wrapped, so that a long sum is no deep tree.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from operator import attrgetter

from chainrule.core.greek import GREEK_LETTERS
from chainrule.render.boxes import Box, Drawn, Draws, Kind, between, emit, split_name

_GREEK_SIGNS = {word: sign for sign, word in GREEK_LETTERS.items()}
_SIGNS = {
    "-": "−", " - ": "−", " <= ": "≤", " >= ": "≥", " != ": "≠", " == ": "=", " <- ": "←",
    "'": "⊤",
}  # fmt: skip
_TIMES = {"": "\u2062", r"\cdot": "⋅", r"\odot": "⊙", r"\oslash": "⊘"}
_CONSTANTS = {"pi": "π", "Σ": "∑"}
_DELIMITERS = {
    "abs": ("|", "|"), "floor": ("⌊", "⌋"), "ceil": ("⌈", "⌉"), "norm": ("‖", "‖"),
    "dot": ("⟨", "⟩"),
}  # fmt: skip
# Letters that are bold by themselves, which a font for mathematics has: Latin ones, digits, and
# Greek ones, the small ones slanted.
_BOLD = {
    first + i: bold + i
    for first, count, bold in [
        (0x41, 26, 0x1D400), (0x61, 26, 0x1D41A), (0x30, 10, 0x1D7CE), (0x391, 25, 0x1D6A8),
        (0x3B1, 25, 0x1D736),
    ]
    for i in range(count)
}  # fmt: skip
_COMMA = '<mo separator="true">,</mo>'
_THIN = '<mspace width="0.1em"/>'
_APPLY = "<mo>\u2061</mo>"


def mathml(box: Box) -> str:
    """A layout as one `math` element.

    >>> from chainrule.core.expr import symbol
    >>> from chainrule.render.layout import layout
    >>> print(mathml(layout(symbol("x1"))))
    <math><msub><mi>x</mi><mn>1</mn></msub></math>
    """
    order = [box]
    for current in order:
        order += current.parts
    if _BRACKETED.isdisjoint([part.kind for part in order]):
        return f"<math>{emit(box, _DRAWS)}</math>"
    tall = _tall(order)

    def bracketed(part: Box) -> Drawn:
        shown = _DRAWS[part.kind](part)
        if id(part) in tall:
            return shown
        return tuple(
            item.replace("<mo fence", _LOW) if isinstance(item, str) else item for item in shown
        )

    return f"<math>{emit(box, {**_DRAWS, **dict.fromkeys(_BRACKETED, bracketed)})}</math>"


_BRACKETED: frozenset[Kind] = frozenset(
    ["fence", "call", "applied", "part", "delimited", "exponential", "logarithm"]
)
_LOW = '<mo stretchy="false" fence'
_STOREYED = frozenset(["fraction", "derivative", "matrix", "cases", "lines", "root"])


def _tall(order: list[Box]) -> set[int]:
    """The boxes (by id) that are higher than a line with an exponent; `order` is top down."""
    tall: set[int] = set()
    for current in reversed(order):
        within = current.parts[1:] if current.kind == "either" else current.parts
        if current.kind in _STOREYED or not tall.isdisjoint(map(id, within)):
            tall.add(id(current))
    return tall


def escape(words: str) -> str:
    """Words without what HTML would act on."""
    # Not the standard library's, which reads a table of all entities when it is imported.
    for sign, entity in (("&", "amp"), ("<", "lt"), (">", "gt"), ('"', "quot"), ("'", "#39")):
        words = words.replace(sign, f"&{entity};")
    return words


def _name(box: Box, above: Sequence[Box | str] = ()) -> tuple[Box | str, ...]:
    """A name with what stands below the line, and above it."""
    head, index, primes = split_name(box.text)
    letters = _letters(head, box.kind == "array")
    shown: tuple[Box | str, ...] = (f"<mi>{letters}</mi>",)
    if primes:
        shown = ("<msup>", *shown, f"<mo>{'′' * primes}</mo></msup>")
    below = f"<mn>{index}</mn>" if index.isdigit() else f"<mi>{_letters(index)}</mi>"
    if above and index:
        return ("<msubsup>", *shown, below, *_row(*above), "</msubsup>")
    if above:
        return ("<msup>", *shown, *_row(*above), "</msup>")
    return ("<msub>", *shown, below, "</msub>") if index else shown


@lru_cache(maxsize=4096)
def _letters(text: str, bold: bool = False) -> str:
    shown = _GREEK_SIGNS.get(text, text)
    if bold:
        shown = shown.translate(_BOLD)
    return (
        escape("".join(c if c.isprintable() and c != " " else "\ufffd" for c in shown)) or "\ufffd"
    )


def _row(*items: Box | str) -> tuple[Box | str, ...]:
    """One argument of an element that counts them."""
    return ("<mrow>", *items, "</mrow>")


def _bracketed(opening: str, closing: str, items: Iterable[Box | str]) -> tuple[Box | str, ...]:
    return _row(f'<mo fence="true">{opening}</mo>', *items, f'<mo fence="true">{closing}</mo>')


def _derivative(box: Box) -> Drawn:
    d = "<mi>d</mi>" if box.latex == "d" else "<mo>∂</mo>"
    return ("<mfrac>", *_row(d, box.parts[0]), *_row(d, box.parts[1]), "</mfrac>")


def _power(box: Box) -> Drawn:
    base, exponent = box.parts
    above = ("<mo>⊙</mo>",) if box.latex else ()
    if base.kind in ("symbol", "array"):
        return _name(base, (*above, exponent))
    if base.kind == "script":
        head, below = base.parts
        return ("<msubsup>", *_row(head), *_row(below), *_row(exponent), "</msubsup>")
    return ("<msup>", *_row(base), *_row(*above, exponent), "</msup>")


def _root(box: Box) -> Drawn:
    if box.latex == r"\sqrt":
        return ("<msqrt>", *box.parts, "</msqrt>")
    return ("<mroot>", *_row(*box.parts), "<mn>3</mn></mroot>")


def _exponential(box: Box) -> Drawn:
    if box.latex == "e":
        return ("<msup><mi>e</mi>", *_row(*box.parts), "</msup>")
    return (_THIN, "<mi>exp</mi>", _APPLY, *_bracketed("(", ")", box.parts))


def _logarithm(box: Box) -> Drawn:
    head = (_THIN, "<msub><mi>log</mi>", *_row(box.parts[1]), "</msub>", _APPLY)
    return (*head, *_bracketed("(", ")", box.parts[:1]))


def _call(box: Box) -> Drawn:
    return (_THIN, _head(box), _APPLY, *_bracketed("(", ")", between(box.parts, _COMMA)))


def _number(text: str) -> str:
    digits = escape(text.lstrip("-").replace("e", "×10^"))
    mantissa, power, exponent = digits.partition("×10^")
    shown = f"<mn>{mantissa}</mn>"
    if power:
        shown += f"<mo>×</mo><msup><mn>10</mn><mn>{exponent.replace('-', '−')}</mn></msup>"
    return f"<mrow><mo>−</mo>{shown}</mrow>" if text.startswith("-") else shown


def _constant(box: Box) -> Drawn:
    shown = escape(_CONSTANTS.get(box.text, box.text))
    if shown in ("∑", "∂"):
        return f"<mo>{shown}</mo>"
    upright = ' mathvariant="normal"' if shown in ("∇", "π") else ""
    return f"<mi{upright}>{shown}</mi>"


def _sign(box: Box) -> Drawn:
    if box.text == ", ":
        return _COMMA
    words = box.text.strip()
    if words.isalpha():
        return f"<mtext>{words}\u00a0</mtext>"
    # A sign between terms stays one where a broken line begins with it.
    form = ' form="infix"' if box.text[:1] == " " else ""
    return f"<mo{form}>{escape(_SIGNS.get(box.text, words))}</mo>"


def _head(box: Box) -> str:
    if box.latex == r"\Gamma":
        return '<mi mathvariant="normal">Γ</mi>'
    head, _, base = box.latex.partition("_{")
    if base and head == r"\log":
        return f"<msub><mi>log</mi><mn>{base.rstrip('}')}</mn></msub>"
    return f"<mi>{escape(box.text)}</mi>"


def _applied(box: Box) -> Drawn:
    head, *arguments = box.parts
    shown: tuple[Box | str, ...] = (head,)
    if box.latex.startswith("^"):
        orders = escape(box.latex.strip("^{}"))
        shown = ("<msup>", *_row(head), f"<mtext>{orders}</mtext></msup>")
    elif box.latex:
        shown = ("<msup>", *_row(head), f"<mo>{'′' * len(box.latex)}</mo></msup>")
    return (*shown, _APPLY, *_bracketed("(", ")", between(arguments, _COMMA)))


def _cases(box: Box) -> Drawn:
    parts = box.parts
    items: list[Box | str] = []
    for i in range(0, len(parts), 2):
        items += ["<mtr><mtd>", parts[i], "</mtd><mtd>"]
        if i + 1 < len(parts):
            items += ["<mtext>if\u00a0</mtext>", parts[i + 1]]
        else:
            items.append("<mtext>otherwise</mtext>")
        items.append("</mtd></mtr>")
    return _row('<mo fence="true">{</mo><mtable class="cases">', *items, "</mtable>")


def _table(parts: tuple[Box, ...], columns: int, attributes: str = "") -> tuple[Box | str, ...]:
    items: list[Box | str] = []
    for i, part in enumerate(parts):
        items += ["<mtr>" if i % columns == 0 else "", "<mtd>", part, "</mtd>"]
        items.append("</mtr>" if (i + 1) % columns == 0 else "")
    return (f"<mtable{attributes}>", *items, "</mtable>")


_DRAWS: Draws = {
    "row": attrgetter("parts"),
    "either": lambda box: box.parts[1:],
    "number": lambda box: _number(box.text),
    "symbol": _name,
    "array": _name,
    "constant": _constant,
    "sign": _sign,
    "times": lambda box: (
        '<mspace width="0.17em"/>' if box.latex == r"\," else f"<mo>{_TIMES[box.latex]}</mo>"
    ),
    "fraction": lambda box: ("<mfrac>", *_row(box.parts[0]), *_row(box.parts[1]), "</mfrac>"),
    "derivative": _derivative,
    "power": _power,
    "script": lambda box: ("<msub>", *_row(box.parts[0]), *_row(box.parts[1]), "</msub>"),
    "root": _root,
    "exponential": _exponential,
    "logarithm": _logarithm,
    "delimited": lambda box: _bracketed(*_DELIMITERS[box.text], between(box.parts, _COMMA)),
    "fence": lambda box: box.parts if box.text == "line" else _bracketed("(", ")", box.parts),
    "call": _call,
    "applied": _applied,
    "part": lambda box: (box.parts[0], *_bracketed("[", "]", between(box.parts[1:], _COMMA))),
    "cases": _cases,
    "matrix": lambda box: _bracketed("[", "]", _table(box.parts, max(1, int(box.text)))),
    "lines": lambda box: _table(box.parts, 1, ' class="lines" displaystyle="true"'),
}
