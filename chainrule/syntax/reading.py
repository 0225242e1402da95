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

from chainrule.syntax import mistakes
from chainrule.syntax.brackets import OPENER_OF, PRODUCTS, Brackets
from chainrule.syntax.functions import (
    function,
    prime,
    radical,
    script,
    subscript,
    superscript,
    transpose,
)
from chainrule.syntax.heads import derivative, leibniz
from chainrule.syntax.latex_arrays import with_arrays
from chainrule.syntax.lexer import CLOSING, OPENING, Token, check_number, kind_at
from chainrule.syntax.names import FUNCTIONS, canonical
from chainrule.syntax.notices import Doubts
from chainrule.syntax.quantities import late, quotient, word
from chainrule.syntax.scope import Scope

_BEFORE_OTHER_SQUARES = frozenset({"NAME", "PRIME", "TRANSPOSE", "LSQUARE", "RSQUARE", "RBRACE"})
_IN_AN_INDEX = frozenset({"NUMBER", "NAME", "PLUS", "MINUS", "COMMA", "COLON"})
_PARTING_VALUES = frozenset({"PLUS", "MINUS", "STAR", "SLASH", "POW", "COMMA"})
_SHORT_NUMBER = 15
_SEPARATORS = ("COMMA", "RELATION", "EQUALS", "COLON", "ARROW", "IF", "ELSE", "OTHERWISE")


def read(tokens: Sequence[Token], scope: Scope, doubts: Doubts, start: int = 0) -> list[Token]:
    """The words of a statement for the grammar, from the word number `start` on."""
    if (settled := _settled(tokens, start, scope)) is not None:
        return settled
    tokens = _grouped(tokens, start, scope)
    if scope.latex:
        tokens = with_arrays(tokens, start, scope)
    state = Brackets(tokens, scope, doubts)
    place = start
    while place < len(tokens):
        token = tokens[place]
        place += _READERS.get(token.kind, _unknown)(state, token, place) or 1
    return state.finish()


def _settled(tokens: Sequence[Token], start: int, scope: Scope) -> list[Token] | None:
    """The words, where there is nothing to settle; None where there may be.

    So it is where values and signs take turns, round brackets stand round values or after a
    function of the table, and every name has been read before: what scale and machines make.
    """
    plain, functions = scope.plain, scope.called
    found: list[Token] = []
    ended = awaits = False  # whether a value ends here; whether a function wants its bracket
    depth = 0
    for token in tokens[start:] if start else tokens:
        kind, text, first, end = token
        if kind == "NAME":
            if ended or awaits:
                return None
            if name := plain.get(text):
                if name != text:
                    token = Token("NAME", name, first, end)
                ended = True
            elif name := functions.get(text):
                token = Token("FUNCTION", name, first, end)
                awaits = True
            else:
                return None
        elif kind == "OPEN":
            if ended:
                return None
            depth += 1
            awaits = False
        elif awaits:
            return None
        elif kind in _PARTING_VALUES:
            if kind == "SLASH" and found and found[-1][1] == "1":  # x^1/2
                return None
            if kind == "COMMA" and not ended:
                return None
            ended = False
        elif kind == "NUMBER":
            if ended or len(text) > _SHORT_NUMBER or not text.isdigit():
                return None
            ended = True
        elif kind == "CLOSE" and ended and depth:
            depth -= 1
        else:
            return None
        found.append(token)
    return None if depth or awaits or scope.latex else found


def _grouped(tokens: Sequence[Token], start: int, scope: Scope) -> Sequence[Token]:
    """Square brackets that only group, as in `[x + 1]^2`, as round ones.

    They hold outputs where they are the whole statement, or have a comma; after a name they
    are an index, and after a bracket where they hold nothing but dimensions.
    """
    found = list(tokens)
    stack: list[tuple[int, bool]] = []  # the place of each open bracket, whether it may group
    for place in range(start, len(tokens)):
        kind = tokens[place].kind
        if kind in OPENING:
            before = tokens[place - 1].kind if place > start else ""
            stack.append((place, kind == "LSQUARE" and before not in _BEFORE_OTHER_SQUARES))
        elif kind in ("COMMA", "COLON") and stack:
            stack[-1] = stack[-1][0], False
        elif kind in CLOSING and stack:
            opener, group = stack.pop()
            whole = opener == start and place == len(tokens) - 1
            index = (
                kind == "RSQUARE"
                and opener > start
                and tokens[opener - 1].kind == "CLOSE"
                and (place == opener + 2 or _is_index(tokens, opener + 1, place, scope))
            )
            if group and not whole and not index and kind == "RSQUARE":
                found[opener] = tokens[opener]._replace(kind="OPEN")
                found[place] = tokens[place]._replace(kind="CLOSE")
    return found


def _is_index(tokens: Sequence[Token], first: int, after: int, scope: Scope) -> bool:
    return bool(scope.shapes) and all(
        tokens[i].kind in _IN_AN_INDEX
        and (tokens[i].kind != "NAME" or canonical(tokens[i].text) in scope.dimensions)
        for i in range(first, after)
    )


# Each reader takes the state, a word and its place; it returns how many words it took, or
# None for one.


def _number(state: Brackets, token: Token, place: int) -> None:
    check_number(token, state.scope.source)
    if state.scope.latex and len(token.text) > 1 and state.out and state.out[-1].kind == "POW":
        state.doubts.add("typeset", len(state.out) - 1, len(state.out), len(state.out))
    state.value(token, varies=False)


def _call(state: Brackets, token: Token, place: int) -> int:
    """A function of the table that is written with a sign."""
    return function(state, token, place, FUNCTIONS[token.text])


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
    frame.slash = len(out) if token.kind in ("SLASH", "DOT_SLASH") else -1
    frame.varying, frame.joint = 0, -1
    if token.kind == "SLASH" and out and out[-1].text == "1":  # x^1/2 looks like x^(1/2)
        sign = len(out) - (3 if len(out) > 2 and out[-2].kind == "MINUS" else 2)
        following = state.tokens[place + 1] if place + 1 < len(state.tokens) else token
        glued = following.kind == "NUMBER" and following.start == out[-1].end + 1
        if sign > 0 and out[sign].kind == "POW" and glued:
            state.doubts.add("half", frame.start, sign, len(out))
    out.append(token)
    state.ended = False


def _power(state: Brackets, token: Token, place: int) -> int | None:
    if state.awaiting >= 0:
        return script(state, token, place)
    if kind_at(state.tokens, place + 1) == "TRANSPOSE" and state.ended:  # X^⊤
        state.out.append(state.tokens[place + 1]._replace(start=token.start))
        return 2
    frame = state.frames[-1]
    if frame.kind == "RADICAL" and state.ended:
        state.doubts.add("radical power", frame.function, frame.opener, len(state.out))
    state.out.append(token)
    state.ended = False
    return None


def _entry_power(state: Brackets, token: Token, place: int) -> None:
    state.need_argument()
    _power(state, token, place)


def _separator(state: Brackets, token: Token, place: int) -> None:
    state.separate(token)


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


def _norm(state: Brackets, token: Token, place: int) -> None:
    if state.is_bar_open("NORM_OPEN"):
        state.close(token._replace(kind="NORM_CLOSE"))
    elif len(token.text) > 1:
        raise state.scope.wrong(token, f"`{token.text}` closes nothing", "write ‖x‖")
    else:
        state.open(token._replace(kind="NORM_OPEN"))


def _fraction(state: Brackets, token: Token, place: int) -> int | None:
    if found := leibniz(state.tokens, place, state.scope):
        return quotient(state, *found, place)
    if derivative(state.tokens, place, state.scope):
        raise late(state, token)
    state.open(token)
    return None


def _partial(state: Brackets, token: Token, place: int) -> int:
    if found := leibniz(state.tokens, place, state.scope):
        return quotient(state, *found, place)
    raise state.scope.wrong(
        token, "`∂` belongs to a derivative", "write ∂/∂x at the start, or ∂f/∂x"
    )


def _sign(state: Brackets, token: Token, place: int) -> None:
    raise mistakes.foreign_sign(token, state.scope.source)


def _unknown(state: Brackets, token: Token, place: int) -> None:
    state.out.append(token)  # the grammar says what is wrong with it


_READERS: dict[str, Callable[[Brackets, Token, int], int | None]] = {
    "NUMBER": _number,
    "NAME": word,
    "CALL": _call,
    "PARTIAL": _partial,
    "FRACTION": _fraction,
    "RADICAL": radical,
    "BAR": _bar,
    "NORM": _norm,
    "POW": _power,
    "DOT_POW": _entry_power,
    "TRANSPOSE": transpose,
    "SUPERSCRIPT": superscript,
    "SUBSCRIPT": subscript,
    "PRIME": prime,
    "SIGN": _sign,
    **dict.fromkeys(("PLUS", "MINUS"), _sum),
    **dict.fromkeys(PRODUCTS, _product),
    **dict.fromkeys(_SEPARATORS, _separator),
    **dict.fromkeys(("OVER", "OF", "END"), _part),
    **dict.fromkeys((*OPENER_OF.values(), "ROOT", "INDEX"), _open),
    **dict.fromkeys(OPENER_OF, _close),
}
