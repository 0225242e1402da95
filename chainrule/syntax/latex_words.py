r"""What LaTeX commands mean: tables for `chainrule.syntax.latex`."""

from __future__ import annotations

_TYPESETTING = r"""
, ; : ! > ( ) [ ] left right middle big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr Biggl Biggr
displaystyle textstyle scriptstyle limits nolimits quad qquad thinspace medspace thickspace
enspace mathstrut strut nonumber notag mleft mright
"""
DROPPED = frozenset(_TYPESETTING.split()) | {" ", "\n"}
"""Commands that only set the type."""

SIGNS = {
    command: (kind, text)
    for commands, kind, text in (
        ("cdot times ast", "STAR", "*"),
        ("div", "SLASH", "/"),
        ("le leq leqslant", "RELATION", "<="),
        ("ge geq geqslant", "RELATION", ">="),
        ("ne neq", "RELATION", "!="),
        ("lt", "RELATION", "<"),
        ("gt", "RELATION", ">"),
        ("lvert", "BAR_OPEN", "|"),
        ("rvert", "BAR_CLOSE", "|"),
        ("vert mid", "BAR", "|"),
        ("lfloor", "FLOOR_OPEN", "⌊"),
        ("rfloor", "FLOOR_CLOSE", "⌋"),
        ("lceil", "CEIL_OPEN", "⌈"),
        ("rceil", "CEIL_CLOSE", "⌉"),
        ("{ lbrace", "LBRACE", "{"),
        ("} rbrace", "RBRACE", "}"),
        ("partial", "PARTIAL", "∂"),
        ("prime", "PRIME", "'"),
        ("to", "ARROW", "->"),
        ("colon", "COLON", ":"),
        ("odot circ", "DOT_STAR", ".*"),
        ("oslash", "DOT_SLASH", "./"),
        ("lVert", "NORM_OPEN", "‖"),
        ("rVert", "NORM_CLOSE", "‖"),
        ("Vert |", "NORM", "‖"),
        ("exponentialE", "NAME", "e"),
        ("differentialD", "LETTER", "d"),
    )
    for command in commands.split()
}
"""Commands for signs of the language: kind and text of the word."""

ALPHABETS = frozenset(
    ["mathrm", "mathbf", "mathit", "mathsf", "boldsymbol", "bm", "vec", "rm", "it", "bf", "text"]
)
"""Commands for the shape of the letter that follows, where it stands in no braces."""

FRACTIONS = frozenset({"frac", "dfrac", "tfrac", "cfrac"})

VARIANTS = {
    "varepsilon": "epsilon",
    "vartheta": "theta",
    "varphi": "phi",
    "varrho": "rho",
    "varsigma": "sigma",
    "varkappa": "kappa",
}

CASES = dict.fromkeys(("if", "for", "when", "where"), "IF") | {
    "otherwise": "OTHERWISE",
    "else": "OTHERWISE",
}
"""Words in `cases`."""

SETTINGS = frozenset(
    ["equation", "align", "aligned", "gather", "gathered", "displaymath", "math", "split"]
)
MATRICES = frozenset(["matrix", "pmatrix", "bmatrix", "smallmatrix"])
"""Arrays below each other, or side by side."""

OTHER_MATRICES = {
    "vmatrix": r"a determinant is written \det(X)",
    "Vmatrix": r"a norm is written \|X\|",
    "array": r"write \begin{bmatrix}",
}

BOLD = ("mathbf", "boldsymbol", "bm")
FILLED = {"1": "ones", "0": "zeros", "I": "eye"}
"""Bold signs of constant arrays."""
ENTRYWISE = frozenset({"odot", "circ"})
"""Commands in front of an exponent that acts entry by entry."""

TRANSPOSES = frozenset({"top", "intercal"})
"""Commands for the transpose, after `^`."""
INVERSE_TRANSPOSE = "-⊤"

HINTS = {
    "int": "chainrule differentiates; it does not integrate",
    "lim": "chainrule differentiates; it does not take limits",
    "sum": r"write all terms out; over the entries of an array, \operatorname{sum}(x)",
    "top": r"a transpose is an exponent: X^\top",
    "intercal": r"a transpose is an exponent: X^\top",
    "otimes": r"of two vectors write \operatorname{outer}(u, v)",
    "nabla": "write the expression alone: several variables give a gradient",
    "mathbf": r"write \mathbf{x}",
    "prod": "write all factors out",
    "infty": "infinity is not a number here",
    "pm": "write the two cases as two outputs",
    "hat": "write a subscript, as x_{hat}",
    "bar": "write a subscript, as x_{bar}",
    "tilde": "write a subscript, as x_{tilde}",
    "dot": "write a function and a prime, as f'(t)",
    "binom": "write it with gamma",
    "hspace": "leave it out",
    "label": "leave it out",
    "tag": "leave it out",
    "color": "leave it out",
}
"""What to write instead of other commands."""
