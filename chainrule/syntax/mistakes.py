"""What people write by mistake, and what to tell them.

Two tables: words that mean something elsewhere, and pairs of neighbouring words that no
sentence of the language has. Each row of the second carries an example that makes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from chainrule.core.errors import ChainruleError, ParseError, Span, UnknownNameError, UnsupportedError
from chainrule.syntax.lexer import Token
from chainrule.syntax.names import CONSTANTS, FUNCTIONS, GREEK, canonical, function_row

ARRAY_FUNCTIONS = {
    "softmax": "the softmax of a vector",
    "log_softmax": "the logarithm of softmax",
    "logsumexp": "the logarithm of a sum of exponentials",
    "cross_entropy": "the cross-entropy of logits and labels",
    "binary_cross_entropy": "the binary cross-entropy",
    "mse": "the mean squared error",
    "sum": "a sum over entries",
    "mean": "a mean over entries",
    "dot": "the dot product",
    "norm": "the norm of a vector",
    "trace": "the trace of a matrix",
    "tr": "the trace of a matrix",
    "det": "the determinant of a matrix",
    "inv": "the inverse of a matrix",
    "expm": "the exponential of a matrix",
    "diag": "a diagonal",
    "outer": "the outer product",
    "transpose": "the transpose",
    "concat": "a concatenation",
}

_ELSEWHERE = {
    "ac": "arc-functions are written arccos(x), arcsin(x)",
    "pow": "write x^2",
    "power": "write x^2",
    "square": "write x^2",
    "factorial": "write gamma(x + 1)",
    "fact": "write gamma(x + 1)",
    "root": "write sqrt(x), cbrt(x) or x^(1/4)",
    "nthroot": "write x^(1/4)",
    "piecewise": "cases are written {-x if x < 0, x}",
    "where": "cases are written {-x if x < 0, x}",
    "int": "write floor(x)",
    "round": "write floor(x + 1/2)",
    "trunc": "write sign(x)*floor(abs(x))",
    "mod": "write x - floor(x)",
    "frac": "write x - floor(x)",
    "lgamma": "write ln(gamma(x))",
    "loggamma": "write ln(gamma(x))",
    "beta": "write gamma(x)*gamma(y)/gamma(x + y)",
    "erfc": "write 1 - erf(x)",
    "erfinv": "erf has no inverse in the table yet",
    "log1p": "write ln(1 + x)",
    "expm1": "write exp(x) - 1",
    "exp2": "write 2^x",
    "atan2": "write arctan(y/x), with x > 0",
    "hypot": "write sqrt(x^2 + y^2)",
    "sinc": "write sin(x)/x",
    "versin": "write 1 - cos(x)",
    "step": "write heaviside(x)",
    "theta_function": "write heaviside(x)",
    "sigma_function": "write sigmoid(x)",
    "and": "two conditions hold together in (x > 0)*(x < 1)",
    "or": "write one case after the other: {a if x < 0, a if x > 1, b}",
    "not": "turn the relation round",
    "inf": "infinity is not a number here",
    "infinity": "infinity is not a number here",
    "nan": "not-a-number is not a number here",
    "diff": "write d/dx in front of the expression",
    "derivative": "write d/dx in front of the expression",
    "integral": "chainrule differentiates; it does not integrate",
    "int_": "chainrule differentiates; it does not integrate",
    "limit": "chainrule differentiates; it does not take limits",
    "lim": "chainrule differentiates; it does not take limits",
    "grad": "write the expression alone and ask for --wrt x,y",
    "def": "functions are written f(x) = x^2",
    "lambda": "functions are written f(x) = x^2",
    "let": "names are given as u = x^2",
    "return": "write the expression alone",
    "true": "write 1",
    "false": "write 0",
    "I": "only real numbers are read",
}


def unknown_name(
    token: Token, source: str, is_applied: bool, known: Callable[[str], bool]
) -> ChainruleError:
    """The error for a word that is no name and no function."""
    word = token.text
    name = canonical(word)
    if name.lower() in ARRAY_FUNCTIONS:
        return UnsupportedError(
            f"`{word}`, {ARRAY_FUNCTIONS[name.lower()]}: arrays are not read yet",
            token.span, source, "write the entries out",
        )  # fmt: skip
    message = f"`{word}` is not a function" if is_applied else f"`{word}` is not a known name"
    hint = _ELSEWHERE.get(name) or _ELSEWHERE.get(name.lower())
    split = _split(name, known)
    close = _closest(name)
    if hint is None and is_applied:
        if close:
            hint = f"did you mean `{close}`?"
        elif split and not function_row(split[-1]):
            hint = f"write {'*'.join(split)}*(…) for a product"
        elif split:
            hint = f"write {'*'.join(split[:-1])}*{split[-1]}(…)"
        else:
            hint = f"a function of your own is declared: {word}: function(scalar) -> scalar"
    elif hint is None:
        argument = "x"
        if split and any(function_row(part) for part in split):
            hint = f"write {_as_product(split, argument)}"
        elif close and len(name) > 3:
            hint = f"did you mean `{close}`?"
        elif split:
            hint = f"write {'*'.join(split)}, or declare {word}"
        else:
            hint = f"declare it: {word}: scalar"
    return UnknownNameError(message, token.span, source, hint)


def _as_product(parts: list[str], argument: str) -> str:
    """`sinx` as sin(x), `xsin` as x*sin(x), `sin2x` as sin(2*x)."""
    for i, part in enumerate(parts):
        if function_row(part):
            rest = "*".join(parts[i + 1 :]) or argument
            if any(function_row(p) for p in parts[i + 1 :]):
                rest = _as_product(parts[i + 1 :], argument)
            return "*".join([*parts[:i], f"{part}({rest})"])
    return "*".join(parts)


def _split(word: str, known: Callable[[str], bool]) -> list[str]:
    """A word as functions, names, numbers run together; empty if it cannot be."""
    if "_" in word or len(word) > 24:
        return []
    parts: list[str] = []
    at = 0
    while at < len(word):
        for end in range(len(word), at, -1):
            piece = word[at:end]
            if len(piece) == 1 or (piece != word and _is_word(piece, known)) or piece.isdigit():
                parts.append(piece)
                at = end
                break
    return parts if len(parts) > 1 else []


def _is_word(piece: str, known: Callable[[str], bool]) -> bool:
    letters = piece.rstrip("0123456789")
    return (
        known(piece)
        or piece in CONSTANTS
        or piece in GREEK
        or (len(piece) > 1 and piece in FUNCTIONS)
        or (len(letters) == 1 and letters != piece)
    )


def _closest(word: str) -> str:
    """The function whose spelling is nearest, if it is near."""
    lower = word.lower()
    limit = 1 if len(word) < 5 else 2
    best = ""
    for spelling in sorted(FUNCTIONS):
        if abs(len(spelling) - len(word)) <= limit and len(spelling) > 2:
            distance = _distance(lower, spelling.lower(), limit)
            if distance <= limit:
                best, limit = spelling, distance - 1
    return best


def _distance(a: str, b: str, limit: int) -> int:
    """How many letters to add, drop, change or swap."""
    if len(a) > 30:
        return limit + 1
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, c in enumerate(a, 1):
        last, before, row = before, row, [i] + [0] * len(b)
        for j, d in enumerate(b, 1):
            row[j] = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (c != d))
            if i > 1 and j > 1 and c == b[j - 2] and a[i - 2] == d:
                row[j] = min(row[j], last[j - 2] + 1)
    return row[-1]


class Mistake(NamedTuple):
    """A word that cannot stand after another: `{before}`, `{this}` are filled in."""

    before: str
    this: str
    message: str
    hint: str
    example: str


_OPERATORS = "PLUS MINUS STAR SLASH POW RELATION JUXTAPOSED"
_OPENERS = "OPEN LSQUARE LBRACE BAR_OPEN FLOOR_OPEN CEIL_OPEN FRACTION OVER ROOT INDEX OF GROUP_OPEN"
_CLOSERS = "CLOSE RSQUARE RBRACE BAR_CLOSE FLOOR_CLOSE CEIL_CLOSE GROUP_CLOSE END OVER"

MISTAKES = (
    Mistake("START", "$END", "there is nothing to differentiate", "write an expression, as x^2", ""),
    Mistake("EQUALS", "$END", "nothing stands after `=`", "write y = x^2", "y ="),
    Mistake("DERIVATIVE", "$END", "nothing stands after `d/dx`", "write d/dx x^2", "d/dx"),
    Mistake(_OPERATORS, "$END", "the text ends after `{before}`", "complete it, or leave `{before}` out", "x +"),
    Mistake(_OPERATORS, "STAR SLASH POW RELATION", "`{this}` cannot follow `{before}`", "leave one of them out", "x + * y"),
    Mistake(_OPERATORS, _CLOSERS, "`{before}` has nothing on its right", "complete it, or leave `{before}` out", "(x +)"),
    Mistake(_OPERATORS, "COMMA", "`{before}` has nothing on its right", "complete it, or leave `{before}` out", "max(x +, y)"),
    Mistake(_OPERATORS, "IF ELSE OTHERWISE", "`{before}` has nothing on its right", "complete it", "{x + if x > 0, 1}"),
    Mistake("START EQUALS DERIVATIVE", "STAR SLASH POW RELATION", "`{this}` has nothing on its left", "start with a number, a name or a bracket", "* x"),
    Mistake(_OPENERS, "STAR SLASH POW RELATION", "`{this}` has nothing on its left", "start with a number, a name or a bracket", "(* x)"),
    Mistake("COMMA", "STAR SLASH POW RELATION", "`{this}` has nothing on its left", "start with a number, a name or a bracket", "max(x, * y)"),
    Mistake(_OPENERS, _CLOSERS, "nothing stands between the brackets", "write what is meant, or leave them out", "x + ()"),
    Mistake("COMMA", _CLOSERS + " COMMA $END", "nothing stands after the comma", "leave the comma out", "max(x, )"),
    Mistake(_OPENERS, "COMMA", "nothing stands before the comma", "leave the comma out", "max(, x)"),
    Mistake("START", "COMMA", "nothing stands before the comma", "leave the comma out", ", x"),
    Mistake("NUMBER", "COMMA", "a comma cannot stand here", "decimals have a point: 3.14; several outputs are written [e1, e2]", "3,14"),
    Mistake("*", "COMMA", "a comma cannot stand here", "several outputs are written [e1, e2]", "x, y"),
    Mistake("*", "RELATION", "a second comparison cannot follow", "write (0 < x)*(x < 1): 1 where both hold", "0 < x < 1"),
    Mistake("*", "EQUALS", "`=` names a result and stands after one name", "write y = x^2; to compare, ==", "x + 1 = 2"),
    Mistake("*", "COLON", "`:` declares a name", "write x: scalar", "(x : 2)"),
    Mistake("*", "LSQUARE", "square brackets hold the outputs", "group with round brackets", "x + [y]"),
    Mistake("*", "IF OTHERWISE ELSE", "`{this}` cannot stand here", "cases are written {-x if x < 0, x}", "{if x > 0}"),
    Mistake("IF", "*", "a condition is missing", "cases are written {-x if x < 0, x}", "{x if}"),
    Mistake("*", "DERIVATIVE", "`d/dx` stands at the start", "write d/dx (…)", "2 + d/dx x"),
    Mistake("*", "ARROW", "`->` belongs in a declaration", "write g: function(scalar) -> scalar", "x -> 2"),
)  # fmt: skip


def unexpected(tokens: list[Token], place: int, source: str) -> ChainruleError:
    """The error for the word at `place`, where no sentence goes on."""
    this = tokens[place] if place < len(tokens) else Token("$END", "", len(source), len(source))
    before = tokens[place - 1] if place else Token("START", "", 0, 0)
    while before.kind == "JUXTAPOSED" or (not before.text and before.kind in ("OPEN", "CLOSE") and place > 1):
        place -= 1
        before = tokens[place - 1] if place else Token("START", "", 0, 0)
    for row in MISTAKES:
        if _matches(row.before, before.kind) and _matches(row.this, this.kind):
            words = {"before": before.text, "this": this.text}
            span = before.span if this.kind == "$END" and before.text else this.span
            if "before" in row.message and "this" not in row.message:
                span = before.span
            return ParseError(row.message.format(**words), span, source, row.hint.format(**words))
    if this.kind == "$END":
        return ParseError("the text ends too early", Span(len(source), len(source)), source, "complete it")
    shown = this.text or before.text
    return ParseError(f"`{shown}` cannot stand here", this.span, source, _after(before))


def _after(before: Token) -> str:
    return f"after `{before.text}` an operator or the end is expected" if before.text else "leave it out"


def _matches(kinds: str, kind: str) -> bool:
    return kinds == "*" or kind in kinds.split()


def examples() -> Iterator[tuple[str, Mistake]]:
    """Each row of the table with the text that shows it."""
    return ((row.example, row) for row in MISTAKES)
