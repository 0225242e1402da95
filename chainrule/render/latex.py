r"""Formulas in LaTeX, with every argument in brackets: `\sin\left(x^{2}\right)`."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from operator import attrgetter

from chainrule.core.greek import GREEK_LETTERS
from chainrule.derivation.steps import Formula
from chainrule.render.boxes import (
    GREEK_NAMES,
    Box,
    Drawn,
    Draws,
    Label,
    between,
    emit,
    split_name,
)
from chainrule.render.patterns import Face

_ESCAPES = {
    "\\": r"\backslash ", "{": r"\{", "}": r"\}", "_": r"\_", "#": r"\#", "$": r"\$", "%": r"\%",
    "&": r"\&", "^": r"\wedge ", "~": r"\sim ", " ": r"\ ", "'": r"\prime ", "*": r"\ast ",
    "[": r"\lbrack ", "]": r"\rbrack ",
}  # fmt: skip


def latex(formula: Formula | Label) -> str:
    r"""The formula in LaTeX; `parse(…, latex=True)` reads the same expression from it.

    >>> from chainrule.core.expr import symbol
    >>> x, t = symbol("x"), symbol("theta_1")
    >>> print(latex(2 * x * (x + 1) / t**2))
    \frac{2 x \left(x + 1\right)}{\theta_{1}^{2}}
    """
    return FACE.line((formula,))


@lru_cache(maxsize=4096)
def name(text: str, bold: bool = False) -> str:
    r"""A name: `x_{1}`, `\theta_{k}`, `\mathrm{loss}`; special characters are escaped.

    Those of vectors and matrices are bold: `\mathbf{W}_{1}`, `\boldsymbol{\theta}`.

    >>> name("x1"), name("theta_k"), name("loss"), name(r"a\b")
    ('x_{1}', '\\theta_{k}', '\\mathrm{loss}', '\\mathrm{a\\backslash b}')
    >>> name("W1", bold=True), name("logits", bold=True)
    ('\\mathbf{W}_{1}', '\\mathbf{logits}')
    """
    head, index, primes = split_name(text)
    shown = _letter(head, bold) or _upright(head, bold)
    if index:
        below = index if index.isdigit() else _letter(index) or _upright(index)
        shown = f"{shown}_{{{below}}}"
    return shown + "'" * primes


def _letter(text: str, bold: bool = False) -> str:
    if len(text) == 1 and text.isascii() and text.isalpha():
        return rf"\mathbf{{{text}}}" if bold else text
    greek = GREEK_LETTERS.get(text, text)
    if greek not in GREEK_NAMES:
        return ""
    return rf"\boldsymbol{{\{greek}}}" if bold else f"\\{greek}"


def _upright(text: str, bold: bool = False) -> str:
    shown = "".join(_upright_character(c) for c in text)
    return (r"\mathbf{" if bold else r"\mathrm{") + shown + "}"


def _upright_character(c: str) -> str:
    if c in _ESCAPES:
        return _ESCAPES[c]
    if c in GREEK_LETTERS:
        return f"\\{GREEK_LETTERS[c]} "
    return c if c.isascii() and c.isprintable() and c != "`" else f"[U{{+}}{ord(c):04X}]"


_WORDS = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}", "'": r"\textquotesingle{}", "\n": " ", "\t": " ",
    "∂": r"$\partial$", "≈": r"$\approx$", "≤": r"$\le$", "≥": r"$\ge$", "≠": r"$\ne$",
    "·": r"$\cdot$", "×": r"$\times$", "√": r"$\surd$", "⊙": r"$\odot$", "∇": r"$\nabla$",
    "²": r"$^2$", "³": r"$^3$",
}  # fmt: skip


@lru_cache(maxsize=1024)
def words(text: str) -> str:
    r"""Words, as they can stand in text: every character that LaTeX acts on is escaped.

    >>> print(words("50% of π_1 {x}"))
    50\% of $\pi$\_1 \{x\}
    """
    return "".join(_word(c) for c in text)


def _word(c: str) -> str:
    if c in _WORDS:
        return _WORDS[c]
    if c in GREEK_LETTERS:
        return f"$\\{GREEK_LETTERS[c]}$"
    if c.isascii() and c.isprintable():
        return c
    letter, _, accent = unicodedata.decomposition(c).partition(" ")  # é is e with an acute
    if accent in _ACCENTS and (base := chr(int(letter, 16))).isascii():
        return f"\\{_ACCENTS[accent]}{{{base}}}"
    return f"[U+{ord(c):04X}]"


_ACCENTS = {"0300": "`", "0301": "'", "0302": "^", "0303": "~", "0308": '"', "0327": "c "}


def write(box: Box) -> str:
    """A layout in LaTeX."""
    return emit(box, _DRAWS)


def _digits(text: str) -> str:
    """A number without `e`, which LaTeX would set as a letter."""
    mantissa, e, exponent = text.partition("e")
    if not e:
        return text
    sign, whole, shift = "-" * text.startswith("-"), mantissa.lstrip("-"), int(exponent)
    if shift >= 0:
        return f"{sign}{whole}{'0' * shift}.0"
    whole = whole.rjust(1 - shift, "0")
    return f"{sign}{whole[:shift]}.{whole[shift:]}"


_SIGNS = {" · ": r" \cdot ", " * ": r" \cdot ", " <- ": r" \leftarrow "}
_DELIMITERS = {
    "abs": (r"\left|", r"\right|"),
    "floor": (r"\left\lfloor ", r"\right\rfloor"),
    "ceil": (r"\left\lceil ", r"\right\rceil"),
    "norm": (r"\left\lVert ", r"\right\rVert"),
    "dot": (r"\left\langle ", r"\right\rangle"),
}


def _derivative(box: Box) -> Drawn:
    d = "d " if box.latex == "d" else r"\partial "
    return (r"\frac{" + d, box.parts[0], "}{" + d, box.parts[1], "}")


def _exponential(box: Box) -> Drawn:
    opening, closing = ("e^{", "}") if box.latex == "e" else (r"\exp\left(", r"\right)")
    return (opening, *box.parts, closing)


def _delimited(box: Box) -> Drawn:
    opening, closing = _DELIMITERS[box.text]
    return (opening, *between(box.parts, ", "), closing)


def _cases(box: Box) -> Drawn:
    items: list[Box | str] = [r"\begin{cases}"]
    for i, part in enumerate(box.parts):
        if i % 2:
            items += [r" & \text{if } ", part]
        else:
            items += [r" \\ " if i else " ", part]
    if len(box.parts) % 2:
        items.append(r" & \text{otherwise}")
    return (*items, r" \end{cases}")


def _matrix(box: Box) -> Drawn:
    columns = max(1, int(box.text))
    begin, end = r"\begin{bmatrix}", r"\end{bmatrix}"
    if columns > 10:  # as many as amsmath's matrices have
        begin = rf"\left[\begin{{array}}{{{'c' * columns}}}"
        end = r"\end{array}\right]"
    items: list[Box | str] = [begin]
    for i, part in enumerate(box.parts):
        items += ["" if i == 0 else " & " if i % columns else r" \\ ", part]
    return (*items, end)


def _lines(box: Box) -> Drawn:
    below = between(box.parts, r" \\ & \quad {}")
    return (r"\begin{aligned} & ", *below, r" \end{aligned}")


_DRAWS: Draws = {
    "row": attrgetter("parts"),
    "number": lambda box: _digits(box.text),
    "symbol": lambda box: name(box.text),
    "array": lambda box: name(box.text, bold=True),
    "either": lambda box: box.parts[1:],
    "script": lambda box: (box.parts[0], "_{", box.parts[1], "}"),
    "part": lambda box: (box.parts[0], "[", *between(box.parts[1:], ", "), "]"),
    "constant": attrgetter("latex"),
    "sign": lambda box: box.latex or _SIGNS.get(box.text, box.text),
    "times": lambda box: f" {box.latex} " if box.latex else " ",
    "fraction": lambda box: (r"\frac{", box.parts[0], "}{", box.parts[1], "}"),
    "derivative": _derivative,
    "power": lambda box: (box.parts[0], "^{" + box.latex, box.parts[1], "}"),
    "root": lambda box: (box.latex, "{", *box.parts, "}"),
    "exponential": _exponential,
    "logarithm": lambda box: (
        r"\log_{", box.parts[1], r"}\left(", box.parts[0], r"\right)",
    ),
    "delimited": _delimited,
    "fence": lambda box: (
        box.parts if box.text == "line" else (r"\left(", *box.parts, r"\right)")
    ),
    "call": lambda box: (box.latex, r"\left(", *between(box.parts, ", "), r"\right)"),
    "applied": lambda box: (
        box.parts[0], box.latex, r"\left(", *between(box.parts[1:], ", "), r"\right)",
    ),
    "cases": _cases,
    "matrix": _matrix,
    "lines": _lines,
}  # fmt: skip

FACE = Face(write, name)
"""LaTeX as it is read; what other faces make of it has patterns of its own."""
