"""What people write by mistake, and what to tell them.

Pairs of neighbouring words that no sentence of the language has, each with an example that makes
it; signs that mean something elsewhere.
"""

from __future__ import annotations

from typing import NamedTuple

from chainrule.core.errors import ChainruleError, ParseError
from chainrule.syntax.lexer import CLOSING, OPENING, Token, short


def foreign_sign(token: Token, source: str) -> ChainruleError:
    """The error for a sign that the language knows of but does not have."""
    hint = _SIGNS.get(token.text, "leave it out")
    return ParseError(f"`{token.text}` is not part of the language", token.span, source, hint)


_SIGNS = {
    "!": "a factorial is written gamma(x + 1)",
    "%": "a percentage is written x/100",
    "&": "two conditions hold together in (x > 0)*(x < 1)",
    "∧": "two conditions hold together in (x > 0)*(x < 1)",
    "∨": "write one case after the other: {a if x < 0, a if x > 1, b}",
    "$": "leave the dollar signs out",
    "?": "cases are written {-x if x < 0, x}",
    "\\": "LaTeX commands are a backslash and letters, as \\sin",
    '"': "leave the quotation marks out",
    "∇": "write the expression alone: several variables give a gradient",
    "∫": "chainrule differentiates; it does not integrate",
    "∑": "write all terms out",
    "∏": "write all factors out",
    "∞": "infinity is not a number here",
    "→": "chainrule differentiates; it does not take limits",
    "±": "write the two cases as two outputs: [a + b, a - b]",
    "∈": "a shape is declared: x: vector(n), X: matrix(m, n)",
    "∓": "write the two cases as two outputs: [a - b, a + b]",
}


class Mistake(NamedTuple):
    """A word that cannot stand after another.

    Attributes:
        before, this: the kinds of the two words, any of several; `*` is every kind.
        example: a text that makes the mistake.
        message, hint: what to say; `{before}` and `{this}` are the words.
    """

    before: str
    this: str
    example: str
    message: str
    hint: str


_TIGHT = "STAR SLASH POW AT DOT_STAR DOT_SLASH DOT_POW RELATION"
_OPERATORS = f"PLUS MINUS JUXTAPOSED {_TIGHT}"
_OPENERS = (
    "OPEN LSQUARE LBRACE BAR_OPEN FLOOR_OPEN CEIL_OPEN NORM_OPEN FRACTION OVER ROOT INDEX OF "
    "GROUP_OPEN"
)
_CLOSERS = (
    "CLOSE RSQUARE RBRACE BAR_CLOSE FLOOR_CLOSE CEIL_CLOSE NORM_CLOSE GROUP_CLOSE END OVER OF"
)
_START = "START EQUALS DERIVATIVE COMMA IF ELSE"
_CASES = "cases are written {{-x if x < 0, x}}"

# fmt: off
MISTAKES = (
    Mistake("START", "$END", "",
            "there is nothing to differentiate", "write an expression, as x^2"),
    Mistake("EQUALS", "$END", "y =",
            "nothing stands after `=`", "write y = x^2"),
    Mistake("DERIVATIVE", "$END", "d/dx",
            "nothing stands after `{before}`", "write d/dx x^2"),
    Mistake(_OPERATORS, "$END", "x +",
            "the text ends after `{before}`", "complete it, or leave `{before}` out"),
    Mistake(_OPERATORS, _TIGHT, "x + * y",
            "`{this}` cannot follow `{before}`", "leave one of them out"),
    Mistake(_OPERATORS, f"{_CLOSERS} COMMA IF ELSE OTHERWISE", "(x +)",
            "`{before}` has nothing on its right", "complete it, or leave `{before}` out"),
    Mistake(f"{_START} {_OPENERS}", _TIGHT, "* x",
            "`{this}` has nothing on its left", "start with a number, a name or a bracket"),
    Mistake(_OPENERS, _CLOSERS, "x + ()",
            "nothing stands between the brackets", "write what is meant, or leave them out"),
    Mistake("COMMA", f"{_CLOSERS} COMMA $END", "max(x, )",
            "nothing stands after the comma", "leave the comma out"),
    Mistake(f"{_START} {_OPENERS}", "COMMA", "max(, x)",
            "nothing stands before the comma", "leave the comma out"),
    Mistake("NUMBER", "COMMA", "3,14",
            "a comma cannot stand here",
            "decimals have a point: 3.14; several outputs are written [e1, e2]"),
    Mistake("*", "COMMA", "x, y",
            "a comma cannot stand here", "several outputs are written [e1, e2]"),
    Mistake("*", "RELATION", "0 < x < 1 < y",
            "a third comparison cannot follow", "write (0 < x)*(x < y): 1 where both hold"),
    Mistake("COLON", "EQUALS", "x := 2",
            "`:=` is not read", "write x = 2"),
    Mistake("*", "EQUALS", "x + 1 = 2",
            "`=` names a result and stands after one name", "write y = x^2; to compare, =="),
    Mistake("*", "COLON", "(x : 2)",
            "`:` declares a name", "write x: scalar in a line of its own"),
    Mistake("COLON ARROW", "*", "x:",
            "a type is missing", "write x: scalar"),
    Mistake("IF", "*", "{x if}",
            "a condition is missing", _CASES),
    Mistake("*", "IF OTHERWISE ELSE", "{if x > 0}",
            "`{this}` cannot stand here", _CASES),
    Mistake("ELSE", "*", "{x if x > 0 else}",
            "nothing stands after `{before}`", _CASES),
    Mistake("*", "ARROW", "x -> 2",
            "`->` belongs in a declaration", "write g: function(scalar) -> scalar"),
)
# fmt: on


def unexpected(tokens: list[Token], place: int, source: str) -> ChainruleError:
    """The error for the word at `place`, where no sentence goes on."""
    end = Token("$END", "", len(source), len(source))
    this = tokens[place] if place < len(tokens) else end
    while place and tokens[place - 1].start == tokens[place - 1].end:  # words of no width
        place -= 1
    before = tokens[place - 1] if place else Token("START", "", 0, 0)
    words = {"before": _written(before, source), "this": _written(this, source)}
    for row in MISTAKES:
        if _matches(row.before, before.kind) and _matches(row.this, this.kind):
            at = before if "before" in row.message and "this" not in row.message else this
            return ParseError(
                row.message.format(**words), at.span, source, row.hint.format(**words)
            )
    if this.kind == "$END":
        return ParseError("the text ends too early", this.span, source, "complete it")
    hint = f"after `{words['before']}` an operator or the end is expected"
    if before.kind == "START":
        hint = "leave it out"
    return ParseError(f"`{words['this']}` cannot stand here", this.span, source, hint)


def in_declaration(tokens: list[Token], place: int, source: str) -> ChainruleError:
    """The error for the word at `place` of a declaration."""
    depth = sum((t.kind in OPENING) - (t.kind in CLOSING) for t in tokens[:place])
    sums = ("PLUS", "MINUS", "STAR", "SLASH", "POW", "NUMBER", "WORD")
    if depth > 0 and place < len(tokens) and tokens[place].kind in sums:
        at = tokens[place]
        hint = "name it: vector(k); what the name stands for, the arrays say"
        if at.kind == "MINUS" and tokens[place - 1].kind in ("OPEN", "COMMA"):
            hint = "a dimension is at least 1"
        return ParseError("a dimension is a name or a whole number", at.span, source, hint)
    if place < len(tokens) and tokens[place - 1].kind == "WORD" and ":" in {t.text for t in tokens}:
        hint = "types are scalar, vector(n), matrix(m, n), function(scalar) -> scalar"
        return ParseError("this is not a type", tokens[place].span, source, hint)
    return unexpected(tokens, place, source)


def _written(token: Token, source: str) -> str:
    return short(source[token.start : token.end])


def _matches(kinds: str, kind: str) -> bool:
    return kinds == "*" or kind in kinds.split()
