"""The reading of words: what a grammar without context cannot settle.

One pass over the words of a statement decides

- which words are functions, quantities, products that need a sign (`xy`);
- where a product without a sign stands: it binds like `*`, from the left;
- where the argument of a function without brackets ends: `sin 2x cos 3x` goes on over
  factors side by side, up to the next operator or function;
- which bars open and which close.

It hands on words that the grammar reads in one way only, and notes what a person could have
read otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chainrule.core.errors import ChainruleError, UnsupportedError
from chainrule.core.ops import Operator
from chainrule.syntax import mistakes
from chainrule.syntax.brackets import OPENER_OF, Brackets
from chainrule.syntax.heads import derivative, leibniz
from chainrule.syntax.lexer import Token, check_number
from chainrule.syntax.names import CONSTANTS, FUNCTIONS, canonical, needs_no_declaration
from chainrule.syntax.notices import Doubts
from chainrule.syntax.scope import Scope, applied, orders

_CASES = {"if": "IF", "else": "ELSE", "otherwise": "OTHERWISE"}
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


def read(tokens: Sequence[Token], scope: Scope, doubts: Doubts, start: int = 0) -> list[Token]:
    """The words of a statement for the grammar, from the word number `start` on."""
    state = Brackets(tokens, scope, doubts)
    place = start
    while place < len(tokens):
        token = tokens[place]
        place += _READERS.get(token.kind, _unknown)(state, token, place) or 1
    return state.finish()


# Each reader takes the state, a word and its place; it returns how many words it took, or
# None for one.


def _number(state: Brackets, token: Token, place: int) -> None:
    check_number(token, state.scope.source)
    if state.scope.latex and len(token.text) > 1 and state.out and state.out[-1].kind == "POW":
        state.doubts.add("typeset", len(state.out) - 1, len(state.out), len(state.out))
    _value(state, token, varies=False)


def _value(state: Brackets, token: Token, varies: bool = True) -> None:
    state.operand(token, varies=varies)
    state.out.append(token)
    state.ended = True


def _word(state: Brackets, token: Token, place: int) -> int | None:
    scope, tokens = state.scope, state.tokens
    if token.text in _CASES and state.is_in_braces() and not scope.is_own(token.text):
        _case(state, token._replace(kind=_CASES[token.text]), place)
        return None
    if found := leibniz(tokens, place, scope):
        return _quotient(state, *found, place)
    if token.text == "d" and derivative(tokens, place, scope):
        raise _late(state, token)
    name = canonical(token.text)
    if scope.is_applied(name) and applied(tokens, place):
        return _function(state, token._replace(text=name), place, None)
    is_before_bracket = _kind(tokens, place + 1) == "OPEN"
    if row := scope.row(token, is_before_bracket):
        return _function(state, token._replace(text=row), place, FUNCTIONS[row])
    if name[:4].lower() == "log_" and not scope.is_own(name):
        return _indexed_logarithm(state, token, place)
    if is_before_bracket:
        _check_product(state, token, name, place)
        if parameters := scope.defined.get(name):
            return _own_function(state, token, name, parameters, place)
    name = scope.variable(token)
    _value(state, token._replace(text=name), varies=name not in CONSTANTS)
    return None


def _quotient(state: Brackets, name: str, after: int, place: int) -> int:
    """A quotient of differentials, `df/dx`, is one name."""
    tokens = state.tokens
    _value(state, Token("NAME", name, tokens[place].start, tokens[after - 1].end))
    return after - place


def _late(state: Brackets, token: Token) -> ChainruleError:
    return state.scope.wrong(
        token,
        "the derivative of a part is not read",
        "d/dx stands at the start and takes all that follows; twice is d^2/dx^2",
    )


def _check_product(state: Brackets, token: Token, name: str, place: int) -> None:
    """A name before a bracket is a product, unless what follows can only be arguments."""
    scope, tokens = state.scope, state.tokens
    if not scope.is_own(name) and not needs_no_declaration(name):
        raise mistakes.unknown_name(token, scope.source, scope.knows, is_applied=True)
    inside = [t.kind for t in tokens[place + 2 : place + 4]]
    if inside in (["NAME", "COMMA"], ["NUMBER", "COMMA"]) and not scope.defined.get(name):
        raise scope.wrong(
            token,
            f"`{token.text}` is not a function",
            f"declare it: {token.text}: function(scalar, scalar) -> scalar",
        )
    if inside == ["NAME", "CLOSE"] and name not in scope.defined:
        argument = tokens[place + 2]
        if canonical(argument.text) not in CONSTANTS and name not in CONSTANTS:
            state.doubts.product(token, argument, tokens[place + 3])


def _own_function(
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
    _value(state, Token("NAME", name, token.start, tokens[end - 1].end))
    return end - place


# ---- functions


def _function(state: Brackets, token: Token, place: int, row: Operator | None) -> int:
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
        _orders(state, numbers)
    return after - place


def _inverse(tokens: Sequence[Token], place: int) -> int:
    """How many words an exponent -1 at `place` has; 0 where there is none."""
    if _kind(tokens, place) == "SUPERSCRIPT":
        return int(tokens[place].text == "⁻¹")
    for kinds, one in _MINUS_ONE.items():
        here = tokens[place : place + len(kinds)]
        if tuple(t.kind for t in here) == kinds and here[one].text == "1":
            return len(kinds)
    return 0


def _orders(state: Brackets, numbers: list[Token]) -> None:
    """The orders of a derivative, however written, as `^(0,1)`."""
    start, end = numbers[0].start, numbers[-1].end
    state.out += Token("POW", "^", start, start), Token("OPEN", "(", start, start)
    for i, number in enumerate(numbers):
        if i:
            state.out.append(Token("COMMA", ",", number.start, number.start))
        check_number(number, state.scope.source)
        state.out.append(number)
    state.out.append(Token("CLOSE", ")", end, end))


def _indexed_logarithm(state: Brackets, token: Token, place: int) -> int:
    """`log_2` is the function, an index and a number."""
    index = token.text[4:].strip("{}")
    start = token.start + 4
    taken = _function(state, token._replace(text="log", end=token.start + 3), place, None)
    state.out.append(Token("SUBSCRIPT", "_", start - 1, start))
    base = Token("NUMBER" if index.isdigit() else "NAME", index, start, token.end)
    if base.kind == "NUMBER":
        check_number(base, state.scope.source)
    else:
        base = base._replace(text=state.scope.variable(base))
    state.out.append(base)
    return taken


def _script(state: Brackets, token: Token, place: int) -> int:
    """An exponent or an index of a function: one number, name or bracket."""
    tokens, after = state.tokens, place + 1
    state.out.append(token)
    if _kind(tokens, after) == "MINUS":
        state.out.append(tokens[after])
        after += 1
        if _kind(tokens, after) == "NUMBER":
            state.doubts.add("reciprocal", state.awaiting, len(state.out), len(state.out))
    kind = _kind(tokens, after)
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


def _subscript(state: Brackets, token: Token, place: int) -> int:
    if state.awaiting < 0 or state.out[state.awaiting].text != "log":
        raise state.scope.wrong(
            token, "a subscript cannot stand here", "names have one, as x_1; so has the logarithm"
        )
    return _script(state, token, place)


def _prime(state: Brackets, token: Token, place: int) -> None:
    if state.awaiting < 0:
        raise state.scope.wrong(
            token,
            "a prime after a quantity, the transpose: arrays are not read yet",
            "for a derivative write d/dx in front",
            UnsupportedError,
        )
    function = state.out[state.awaiting].text
    if function in FUNCTIONS:
        raise state.scope.wrong(token, f"`{function}'` is not read", f"write d/dx {function}(x)")
    count = sum({"″": 2, "‴": 3}.get(c, 1) for c in token.text)
    if count > _MOST_PRIMES:
        raise state.scope.wrong(token, f"a derivative of order {count}", f"write {function}'(x)")
    state.out.append(Token("PRIMES", "'" * count, token.start, token.end))


def _radical(state: Brackets, token: Token, place: int) -> None:
    """`√` takes one factor, with its powers."""
    state.operand(token)
    name = "sqrt" if token.text == "√" else "cbrt"
    state.out.append(token._replace(kind="FUNCTION", text=name))
    state.awaiting, state.ended = len(state.out) - 1, False
    if _kind(state.tokens, place + 1) in _RADICANDS:
        state.open_radicand(token)


# ---- operators and brackets


def _sum(state: Brackets, token: Token, place: int) -> None:
    if state.ended:
        state.close_unseen(token)
        state.new_product()
    elif state.awaiting >= 0:
        following = state.tokens[place + 1 : place + 2]
        if not following or following[0].start > token.end:
            state.need_argument()  # `sin + 1`; but `sin -x` is a sign
        state.open_bare(token)
    state.out.append(token)
    state.ended = False


def _product(state: Brackets, token: Token, place: int) -> None:
    if state.ended or state.awaiting >= 0:
        state.close_unseen(token)
    out, frame = state.out, state.frames[-1]
    frame.slash = len(out) if token.kind == "SLASH" else -1
    frame.varying, frame.joint = 0, -1
    if token.kind == "SLASH" and len(out) > 2 and out[-2].kind == "POW" and out[-1].text == "1":
        following = state.tokens[place + 1 : place + 2]  # x^1/2 looks like x^(1/2)
        if following and following[0].kind == "NUMBER" and following[0].start == out[-1].end + 1:
            state.doubts.add("half", frame.start, len(out) - 1, len(out))
    out.append(token)
    state.ended = False


def _power(state: Brackets, token: Token, place: int) -> int | None:
    if state.awaiting >= 0:
        return _script(state, token, place)
    frame = state.frames[-1]
    if frame.kind == "RADICAL" and state.ended:
        state.doubts.add("radical power", frame.function, frame.opener, len(state.out))
    state.out.append(token)
    state.ended = False
    return None


def _superscript(state: Brackets, token: Token, place: int) -> None:
    if len(token.text) > 9:
        raise state.scope.wrong(token, "an exponent too long to be raised", "write it after ^")
    state.out.append(token)
    if state.awaiting < 0 and not state.ended:
        raise state.scope.wrong(token, f"`{token.text}` has nothing on its left", "write x^2")


def _separator(state: Brackets, token: Token, place: int) -> None:
    state.close_unseen(token)
    state.new_product()
    state.out.append(token)
    state.ended = False


def _case(state: Brackets, token: Token, place: int) -> None:
    _separator(state, token, place)
    state.ended = token.kind == "OTHERWISE"


def _open(state: Brackets, token: Token, place: int) -> None:
    state.open(token)


def _close(state: Brackets, token: Token, place: int) -> None:
    state.close(token)


def _part(state: Brackets, token: Token, place: int) -> None:
    state.part(token)


def _bar(state: Brackets, token: Token, place: int) -> None:
    """A bar closes where an operand has ended and a bar is open; else it opens."""
    if state.is_bar_open():
        state.close(token._replace(kind="BAR_CLOSE"))
    else:
        state.open(token._replace(kind="BAR_OPEN"))


def _fraction(state: Brackets, token: Token, place: int) -> int | None:
    if found := leibniz(state.tokens, place, state.scope):
        return _quotient(state, *found, place)
    if derivative(state.tokens, place, state.scope):
        raise _late(state, token)
    state.open(token)
    return None


def _partial(state: Brackets, token: Token, place: int) -> int:
    if found := leibniz(state.tokens, place, state.scope):
        return _quotient(state, *found, place)
    raise state.scope.wrong(
        token, "`∂` belongs to a derivative", "write ∂/∂x at the start, or ∂f/∂x"
    )


def _sign(state: Brackets, token: Token, place: int) -> None:
    raise mistakes.foreign_sign(token, state.scope.source)


def _unknown(state: Brackets, token: Token, place: int) -> None:
    state.out.append(token)  # the grammar says what is wrong with it


def _kind(tokens: Sequence[Token], place: int) -> str:
    return tokens[place].kind if place < len(tokens) else ""


_READERS: dict[str, Callable[[Brackets, Token, int], int | None]] = {
    "NUMBER": _number,
    "NAME": _word,
    "PARTIAL": _partial,
    "FRACTION": _fraction,
    "RADICAL": _radical,
    "BAR": _bar,
    "POW": _power,
    "SUPERSCRIPT": _superscript,
    "SUBSCRIPT": _subscript,
    "PRIME": _prime,
    "SIGN": _sign,
    **dict.fromkeys(("PLUS", "MINUS"), _sum),
    **dict.fromkeys(("STAR", "SLASH"), _product),
    **dict.fromkeys(("COMMA", "RELATION", "EQUALS", "COLON", "ARROW"), _separator),
    **dict.fromkeys(("IF", "ELSE", "OTHERWISE"), _case),
    **dict.fromkeys(("OVER", "OF", "END"), _part),
    **dict.fromkeys((*OPENER_OF.values(), "ROOT", "INDEX"), _open),
    **dict.fromkeys(OPENER_OF, _close),
}
