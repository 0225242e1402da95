"""What people write by mistake, and what to tell them.

Two tables: words that mean something elsewhere, and pairs of neighbouring words that no
sentence of the language has. Each row of the second carries an example that makes it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from chainrule.core.errors import (
    ChainruleError,
    ParseError,
    UnknownNameError,
)
from chainrule.syntax.lexer import CLOSING, OPENING, Token, short
from chainrule.syntax.names import (
    CONSTANTS,
    FUNCTIONS,
    GREEK,
    canonical,
    function_row,
    needs_no_declaration,
)

_ELSEWHERE = {
    "pow": "write x^2",
    "power": "write x^2",
    "square": "write x^2",
    "matmul": "write A @ B",
    "mm": "write A @ B",
    "multiply": "write u .* v",
    "hadamard": "write u .* v",
    "inner": "write dot(u, v)",
    "vdot": "write dot(u, v)",
    "inverse": "write inv(X)",
    "pinv": "write inv(X'@X)@X'",
    "adj": "write det(X)*inv(X)",
    "logdet": "write ln(det(X))",
    "vec": "vectors and matrices stay as they are declared",
    "kron": "there are matrices and vectors; of two vectors write outer(u, v)",
    "reshape": "arrays keep their shapes; parts are X[a:b, c:d], joints concat(a, b)",
    "flatten": "arrays keep their shapes; a sum over all entries is sum(X)",
    "ravel": "arrays keep their shapes; a sum over all entries is sum(X)",
    "vstack": "write concat(A, B, axis=0)",
    "hstack": "write concat(A, B, axis=1)",
    "stack": "write concat(A, B, axis=0)",
    "concatenate": "write concat(A, B, axis=0)",
    "identity": "write eye(n)",
    "ones_like": "write ones(m, n)",
    "zeros_like": "write zeros(m, n)",
    "average": "write mean(x)",
    "prod": "write exp(sum(ln(x))), of positive entries",
    "std": "write sqrt(mean((x - mean(x))^2))",
    "var": "write mean((x - mean(x))^2)",
    "argmax": "it has no slope; write softmax(x)",
    "einsum": "write products with @ and .*",
    "maximum": "write max(x, y)",
    "minimum": "write min(x, y)",
    "shape": "dimensions are names: X: matrix(N, d)",
    "axis": "an axis is given inside the brackets: sum(X, axis=0)",
    "vector": "declare it in a line above: x: vector(n)",
    "matrix": "declare it in a line above: X: matrix(m, n)",
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
    "and": "two conditions hold together in (x > 0)*(x < 1)",
    "or": "write one case after the other: {a if x < 0, a if x > 1, b}",
    "not": "turn the relation round",
    "inf": "infinity is not a number here",
    "infinity": "infinity is not a number here",
    "nan": "not-a-number is not a number here",
    "diff": "write d/dx in front of the expression",
    "derivative": "write d/dx in front of the expression",
    "integral": "chainrule differentiates; it does not integrate",
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
    token: Token, source: str, known: Callable[[str], bool], is_applied: bool = False
) -> ChainruleError:
    """The error for a word that is no name and no function."""
    word = token.text
    name = canonical(word)
    lower = name.lower()
    message = f"`{word}` is not a {'function' if is_applied else 'known name'}"
    hint = _ELSEWHERE.get(name) or _ELSEWHERE.get(lower) or _guess(name, known, is_applied)
    return UnknownNameError(short(message), token.span, source, short(hint))


def _guess(name: str, known: Callable[[str], bool], is_applied: bool) -> str:
    """What a person who wrote an unknown name may have meant."""
    if name[:3].lower() == "log" and name[3:].isdigit():
        return f"write log_{name[3:]}(x) for that base"
    if name[0] == "d" and len(name) > 1 and (needs_no_declaration(name[1:]) or known(name[1:])):
        return f"a derivative is written d/{name} at the start"
    parts = _split(name, known)
    functions = [part for part in parts if function_row(part)]
    product = "*".join(parts) if 1 < len(parts) < 4 and not functions else ""
    if is_applied:
        if len(parts) == 2 and functions == parts[:1] and parts[1].isdigit():
            return f"write {parts[0]}({parts[1]}*x) or {parts[0]}^{parts[1]}(x)"
        if close := _closest(name) or ("" if len(parts) < 4 else "".join(functions[:1])):
            return f"did you mean `{close}`?"
        if functions == parts[-1:]:
            return f"write {'*'.join(parts)}(x)"
        declared = f"declare {name}: function(scalar) -> scalar"
        return f"write {product}*(…), or {declared}" if len(parts) == 2 and product else declared
    if functions:
        return f"write {_as_product(parts, 'x')}"
    if len(name) > 3 and (close := _closest(name)):
        return f"did you mean `{close}`?"
    return f"write {product}, or declare {name}: scalar" if product else f"declare {name}: scalar"


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
    limit = min(2, (len(word) - 1) // 2)
    found = []
    for spelling in FUNCTIONS:
        if abs(len(spelling) - len(word)) <= limit and len(spelling) > 2:
            distance = _distance(lower, spelling.lower())
            if distance <= limit:
                found.append((distance, -_common(lower, spelling), spelling))
    return min(found)[2] if found else ""


def _common(a: str, b: str) -> int:
    """How many letters two words begin with alike."""
    return next(
        (i for i, (c, d) in enumerate(zip(a, b, strict=False)) if c != d), min(len(a), len(b))
    )


def _distance(a: str, b: str) -> int:
    """How many letters to add, drop, change or swap."""
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
