"""Reading functions: what stands between the name and the argument, and inverse functions.

`sin^2 x` raises the result, `sin^-1 x` is the inverse, `log_2 x` has a base, `f''(x)` and
`f^(0,1)(x, y)` are derivatives of a function that is only named.
"""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.core.errors import UnsupportedError
from chainrule.core.ops import Operator
from chainrule.syntax.brackets import Brackets
from chainrule.syntax.lexer import Token, check_number, kind_at
from chainrule.syntax.names import FUNCTIONS, canonical
from chainrule.syntax.scope import orders

_MINUS_ONE = {
    ("POW", "MINUS", "NUMBER"): 2,
    ("POW", "OPEN", "MINUS", "NUMBER", "CLOSE"): 3,
    ("POW", "LBRACE", "MINUS", "NUMBER", "RBRACE"): 3,
    ("POW", "GROUP_OPEN", "MINUS", "NUMBER", "GROUP_CLOSE"): 3,
}
_RADICANDS = frozenset(
    ("NUMBER", "NAME", "RADICAL", "BAR", "BAR_OPEN", "LBRACE", "FLOOR_OPEN", "CEIL_OPEN")
)
_MOST_PRIMES = 50
_SCRIPTS = frozenset({"OPEN", "LBRACE", "GROUP_OPEN"})


def function(state: Brackets, token: Token, place: int, row: Operator | None) -> int:
    state.operand(token, is_function=True)
    after = place + 1
    numbers: list[Token] = []
    if row is not None and (skip := _inverse(state.tokens, after)):
        inverse = FUNCTIONS.get(f"arc{row.name}")
        if inverse is None:
            raise state.scope.wrong(
                token,
                f"`{token.text}` with the exponent -1 is not in the table",
                f"for the reciprocal write 1/{token.text}(x)",
            )
        after += skip
        token = token._replace(text=inverse.name, end=state.tokens[after - 1].end)
    elif row is None and (found := orders(state.tokens, after)):
        numbers, after = found
    state.out.append(token._replace(kind="FUNCTION"))
    state.awaiting, state.ended = len(state.out) - 1, False
    if numbers:
        _write_orders(state, numbers)
    return after - place


def own_function(
    state: Brackets, token: Token, name: str, parameters: tuple[str, ...], place: int
) -> int:
    """`g(x)` after `g(x) = …` is that statement's result."""
    scope, tokens = state.scope, state.tokens
    end = place + 2 + 2 * len(parameters)
    written = [canonical(t.text) for t in tokens[place + 2 : end]]
    wanted = [word for parameter in parameters for word in (parameter, ",")]
    wanted[-1] = ")"
    if written != wanted:
        raise scope.wrong(
            token,
            f"`{token.text}` at another place than ({', '.join(parameters)}): not yet",
            "write its expression out",
            UnsupportedError,
        )
    state.value(Token("NAME", name, token.start, tokens[end - 1].end))
    return end - place


def _inverse(tokens: Sequence[Token], place: int) -> int:
    """How many words an exponent -1 at `place` has; 0 where there is none."""
    if kind_at(tokens, place) == "SUPERSCRIPT":
        return int(tokens[place].text == "⁻¹")
    for kinds, one in _MINUS_ONE.items():
        here = tokens[place : place + len(kinds)]
        if tuple(t.kind for t in here) == kinds and here[one].text == "1":
            return len(kinds)
    return 0


def _write_orders(state: Brackets, numbers: list[Token]) -> None:
    """The orders of a derivative, however written, as `^(0,1)`."""
    start, end = numbers[0].start, numbers[-1].end
    state.out += Token("POW", "^", start, start), Token("OPEN", "(", start, start)
    for i, number in enumerate(numbers):
        if i:
            state.out.append(Token("COMMA", ",", number.start, number.start))
        check_number(number, state.scope.source)
        state.out.append(number)
    state.out.append(Token("CLOSE", ")", end, end))


def indexed_logarithm(state: Brackets, token: Token, place: int) -> int:
    """`log_2` is the function, an index and a number."""
    index = token.text[4:].strip("{}")
    start = token.start + 4
    taken = function(state, token._replace(text="log", end=token.start + 3), place, None)
    state.out.append(Token("SUBSCRIPT", "_", start - 1, start))
    base = Token("NUMBER" if index.isdigit() else "NAME", index, start, token.end)
    if base.kind == "NUMBER":
        check_number(base, state.scope.source)
    else:
        base = base._replace(text=state.scope.variable(base))
    state.out.append(base)
    return taken


def script(state: Brackets, token: Token, place: int) -> int:
    """An exponent or an index of a function: one number, name or bracket."""
    tokens, after = state.tokens, place + 1
    state.out.append(token)
    if kind_at(tokens, after) == "MINUS":
        state.out.append(tokens[after])
        after += 1
        if kind_at(tokens, after) == "NUMBER":
            state.doubts.add("reciprocal", state.awaiting, len(state.out), len(state.out))
    kind = kind_at(tokens, after)
    if kind == "NUMBER":
        check_number(tokens[after], state.scope.source)
        state.out.append(tokens[after])
    elif kind == "NAME" and not state.scope.row(tokens[after], False):
        state.out.append(tokens[after]._replace(text=state.scope.variable(tokens[after])))
    elif kind in _SCRIPTS:
        state.open_script(tokens[after])
    else:
        raise state.scope.wrong(token, f"`{token.text}` has nothing on its right", "write sin^2(x)")
    return after + 1 - place


def subscript(state: Brackets, token: Token, place: int) -> int:
    if state.awaiting < 0 or state.out[state.awaiting].text != "log":
        raise state.scope.wrong(
            token, "a subscript cannot stand here", "names have one, as x_1; so has the logarithm"
        )
    return script(state, token, place)


def prime(state: Brackets, token: Token, place: int) -> None:
    """A derivative of a function that is named; after a quantity, the transpose."""
    if state.awaiting < 0:
        transpose(state, token, place)
        return
    function = state.out[state.awaiting].text
    if function in FUNCTIONS:
        raise state.scope.wrong(token, f"`{function}'` is not read", f"write d/dx {function}(x)")
    count = sum({"″": 2, "‴": 3}.get(c, 1) for c in token.text)
    if count > _MOST_PRIMES:
        raise state.scope.wrong(token, f"a derivative of order {count}", f"write {function}'(x)")
    state.out.append(Token("PRIMES", "'" * count, token.start, token.end))


def transpose(state: Brackets, token: Token, place: int) -> None:
    if not state.ended:
        state.need_argument()
        raise state.scope.wrong(
            token, f"`{token.text}` has nothing on its left", "a transpose is written X'"
        )
    if len(token.text) > _MOST_PRIMES:
        raise state.scope.wrong(token, "too many transposes", "write X or X'")
    state.out.append(token)


def radical(state: Brackets, token: Token, place: int) -> None:
    """`√` takes one factor, with its powers."""
    state.operand(token)
    name = "sqrt" if token.text == "√" else "cbrt"
    state.out.append(token._replace(kind="FUNCTION", text=name))
    state.awaiting, state.ended = len(state.out) - 1, False
    if kind_at(state.tokens, place + 1) in _RADICANDS:
        state.open_radicand(token)


def superscript(state: Brackets, token: Token, place: int) -> None:
    if len(token.text) > 9:
        raise state.scope.wrong(token, "an exponent too long to be raised", "write it after ^")
    state.out.append(token)
    if state.awaiting < 0 and not state.ended:
        raise state.scope.wrong(token, f"`{token.text}` has nothing on its left", "write x^2")
