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

from chainrule.core.errors import ChainruleError
from chainrule.core.shape import Shape
from chainrule.syntax import mistakes
from chainrule.syntax.brackets import OPENER_OF, PRODUCTS, Brackets
from chainrule.syntax.functions import (
    function,
    indexed_logarithm,
    own_function,
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
from chainrule.syntax.names import CONSTANTS, FUNCTIONS, canonical, needs_no_declaration
from chainrule.syntax.notices import Doubts
from chainrule.syntax.scope import Scope, applied, orders

_BEFORE_OTHER_SQUARES = frozenset({"NAME", "PRIME", "TRANSPOSE", "LSQUARE", "RSQUARE", "RBRACE"})
_IN_AN_INDEX = frozenset({"NUMBER", "NAME", "PLUS", "MINUS", "COMMA", "COLON"})
_PARTING_VALUES = frozenset({"PLUS", "MINUS", "STAR", "SLASH", "POW", "COMMA"})
_SHORT_NUMBER = 15
_CASES = {"if": "IF", "else": "ELSE", "otherwise": "OTHERWISE"}


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


def _word(state: Brackets, token: Token, place: int) -> int | None:
    scope, tokens = state.scope, state.tokens
    if token.text in _CASES and state.is_in_braces() and not scope.is_own(token.text):
        _case(state, token._replace(kind=_CASES[token.text]), place)
        return None
    if found := leibniz(tokens, place, scope):
        return _quotient(state, *found, place)
    if token.text == "d" and derivative(tokens, place, scope):
        raise _late(state, token)
    following = kind_at(tokens, place + 1)
    if following == "EQUALS" and state.is_in_arguments():
        _keyword(state, token)
        return None
    name = canonical(token.text)
    if scope.is_applied(name) and applied(tokens, place):
        if name in scope.signatures:
            _infer(tokens, place + 1, scope.signatures[name][0], scope)
        return function(state, token._replace(text=name), place, None)
    is_before_bracket = following == "OPEN"
    if row := scope.row(token, is_before_bracket or _is_raised_before_bracket(tokens, place + 1)):
        if following == "OPEN" and not needs_no_declaration(name):
            scope.called[token.text] = row
        return function(state, token._replace(text=row), place, FUNCTIONS[row])
    if name[:4].lower() == "log_" and not scope.is_own(name):
        return indexed_logarithm(state, token, place)
    if is_before_bracket:
        _check_product(state, token, name, place)
        if parameters := scope.defined.get(name):
            return own_function(state, token, name, parameters, place)
    name = scope.variable(token)
    scope.settle(token.text, name)
    state.value(token._replace(text=name), varies=name not in CONSTANTS)
    return None


def _call(state: Brackets, token: Token, place: int) -> int:
    """A function of the table that is written with a sign."""
    return function(state, token, place, FUNCTIONS[token.text])


def _infer(tokens: Sequence[Token], place: int, shapes: Sequence[Shape], scope: Scope) -> None:
    """The names among the arguments of a declared function have the shapes that it takes."""
    if found := orders(tokens, place):
        place = found[1]
    place += 1 + (kind_at(tokens, place) == "PRIME")
    for shape in shapes:
        if kind_at(tokens, place) != "NAME" or kind_at(tokens, place + 1) not in ("COMMA", "CLOSE"):
            break
        scope.infer(tokens[place], shape)
        place += 2


def _keyword(state: Brackets, token: Token) -> None:
    """`axis=0` among the arguments of a function."""
    function = state.out[state.frames[-1].function]
    row = FUNCTIONS.get(function.text)
    if row is None or row.shape is None:
        sign = Token("EQUALS", "=", token.end, token.end)
        raise mistakes.unexpected([*state.out, token, sign], len(state.out) + 1, state.scope.source)
    if token.text != "axis":
        raise state.scope.wrong(
            token,
            f"`{function.text}` has no argument named `{token.text}`",
            "an axis is given as axis=0; the rest is left out",
        )
    state.out.append(token._replace(kind="KEYWORD"))


def _is_raised_before_bracket(tokens: Sequence[Token], place: int) -> bool:
    """Whether `^2(` or `^{2/3}(` stands at `place`, as in `\\Gamma^{2}(x)`."""
    if kind_at(tokens, place) != "POW":
        return False
    after = place + 2
    if kind_at(tokens, place + 1) == "GROUP_OPEN":
        while after < len(tokens) and tokens[after - 1].kind not in ("GROUP_CLOSE", "GROUP_OPEN"):
            after += 1
    elif kind_at(tokens, place + 1) != "NUMBER":
        return False
    return kind_at(tokens, after) == "OPEN"


def _quotient(state: Brackets, name: str, after: int, place: int) -> int:
    """A quotient of differentials, `df/dx`, is one name, where derivatives have been found."""
    tokens = state.tokens
    token = Token("NAME", name, tokens[place].start, tokens[after - 1].end)
    if not state.scope.differentials:
        above, _, below = name.partition("/")
        raise state.scope.wrong(
            token,
            f"`{name}` is a derivative that is not known",
            f"give the function: {above[1:]} = {below[1:]}^2; {name}",
        )
    state.value(token)
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


def _norm(state: Brackets, token: Token, place: int) -> None:
    if state.is_bar_open("NORM_OPEN"):
        state.close(token._replace(kind="NORM_CLOSE"))
    elif len(token.text) > 1:
        raise state.scope.wrong(token, f"`{token.text}` closes nothing", "write ‖x‖")
    else:
        state.open(token._replace(kind="NORM_OPEN"))


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


_READERS: dict[str, Callable[[Brackets, Token, int], int | None]] = {
    "NUMBER": _number,
    "NAME": _word,
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
    **dict.fromkeys(("COMMA", "RELATION", "EQUALS", "COLON", "ARROW"), _separator),
    **dict.fromkeys(("IF", "ELSE", "OTHERWISE"), _case),
    **dict.fromkeys(("OVER", "OF", "END"), _part),
    **dict.fromkeys((*OPENER_OF.values(), "ROOT", "INDEX"), _open),
    **dict.fromkeys(OPENER_OF, _close),
}
