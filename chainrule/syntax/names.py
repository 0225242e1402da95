"""Names: which spellings are one name, and which need no declaration.

A name is a letter or a Greek letter, alone, with digits or with a subscript. `θ` and `theta`
are one name, and so are `x1`, `x_1`, `x₁` and `x_{1}`. Any other word is a name only where it
is declared or defined.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from chainrule.core import ops, table
from chainrule.core.errors import ParseError, Span, UnknownNameError
from chainrule.core.greek import GREEK_LETTERS
from chainrule.syntax.lexer import short

GREEK_SIGNS = GREEK_LETTERS | {
    "ς": "sigma",
    "ϑ": "theta",
    "ϕ": "phi",
    "ϵ": "epsilon",
    "ϱ": "rho",
    "\u2126": "Omega",
    "\u00b5": "mu",
    "\u2206": "Delta",
}
"""Greek letters by sign; variants are the same letter. Signs that look Latin are left out."""

GREEK = frozenset(GREEK_SIGNS.values()) | frozenset(
    [
        "omicron",
        "Alpha",
        "Beta",
        "Epsilon",
        "Zeta",
        "Eta",
        "Iota",
        "Kappa",
        "Mu",
        "Nu",
        "Omicron",
        "Rho",
        "Tau",
        "Upsilon",
        "Chi",
    ]
)
"""Greek letters by name."""

assert table  # it fills the registry that FUNCTIONS reads

RESERVED = frozenset({"if", "else", "otherwise"})
CONSTANTS = frozenset({"e", "pi"})

_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉ₐₑₒₓₕₖₗₘₙₚₛₜᵢⱼᵣᵤᵥ", "0123456789aeoxhklmnpstijruv")
_SIGNS = str.maketrans(GREEK_SIGNS)
_NAME = re.compile(r"([A-Za-z]+)([0-9]*)((?:_[A-Za-z0-9]+)*)")
_FUNCTION_LETTERS = frozenset({"f", "g", "h", "F", "G", "phi", "psi"})
_NOTATIONS = "sum product fraction prefix relation constant piecewise matmul index slice"
_HIDDEN = frozenset(_NOTATIONS.split())

FUNCTIONS = {
    spelling: row
    for spelling, row in ops.spellings().items()
    if row.notation not in _HIDDEN and spelling not in GREEK_SIGNS
}
"""The functions people write by name; signs and braces have rows of their own."""
_BY_LOWER_CASE = {spelling.lower(): row for spelling, row in FUNCTIONS.items()}


def canonical(text: str) -> str:
    """The one spelling, in ASCII, of a word that may be a name.

    >>> canonical("θ₁"), canonical("x_{12}"), canonical("w_k"), canonical("loss_1")
    ('theta1', 'x12', 'w_k', 'loss_1')
    """
    if not text.isascii():
        head = text.rstrip("₀₁₂₃₄₅₆₇₈₉ₐₑₒₓₕₖₗₘₙₚₛₜᵢⱼᵣᵤᵥ")
        if head != text:
            text = f"{head}_{text[len(head) :].translate(_SUBSCRIPTS)}"
        text = text.translate(_SIGNS)
    if "_" in text:
        text = text.replace("{", "").replace("}", "")
        stem, _, index = text.partition("_")
        if index.isdigit() and _is_letter(stem):
            return stem + index
    return text


def known_names(names: Iterable[str]) -> frozenset[str]:
    """Names that are known where an expression is read: made once for many expressions."""
    return frozenset(map(canonical, names))


def canonical_name(text: str) -> str:
    """The name that `text` spells, as symbols carry it.

    >>> canonical_name(" θ "), canonical_name("x_1")
    ('theta', 'x1')
    """
    word = text.strip()
    name = canonical(word)
    span = Span(0, len(text))
    if not _NAME.fullmatch(name):
        hint = "write one, as x1, theta or loss"
        raise ParseError(f"`{short(word)}` is not a name", span, text, hint)
    if name in RESERVED or (is_function(name) and not needs_no_declaration(name)):
        raise UnknownNameError(f"`{word}` is not a variable", span, text, "write a name, as x")
    return name


def needs_no_declaration(name: str) -> bool:
    """Whether a canonical name is a letter, alone or with digits or a subscript."""
    match = _NAME.fullmatch(name)
    return (
        match is not None
        and _is_letter(match[1])
        and (not match[3] or (not match[2] and match[3].count("_") == 1))
    )


def stem(name: str) -> str:
    """The letters that a name begins with."""
    match = _NAME.match(name)
    return match[1] if match else ""


def _is_letter(stem: str) -> bool:
    return len(stem) == 1 or stem in GREEK


def is_function_letter(name: str) -> bool:
    """Whether a name is read as a function when it is applied: `f`, `g1`, `φ_k`."""
    return stem(name) in _FUNCTION_LETTERS and needs_no_declaration(name)


def function_row(word: str) -> ops.Operator | None:
    """The row of the function of this name, in any case (`Sin`, `EXP`)."""
    row = FUNCTIONS.get(word)
    if row is None and len(word) > 1 and word not in GREEK:
        row = _BY_LOWER_CASE.get(word.lower())
    return row


def is_function(word: str) -> bool:
    """Whether a word names a function of the table."""
    return function_row(word) is not None
