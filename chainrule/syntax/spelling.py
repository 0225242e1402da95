"""Words that are no names and no functions: what was meant, and what to write instead."""

from __future__ import annotations

from collections.abc import Callable

from chainrule.core.errors import ChainruleError, UnknownNameError
from chainrule.syntax.lexer import Token, short
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
