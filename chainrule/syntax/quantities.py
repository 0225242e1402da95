"""Reading names: quantities, functions, cases, keywords, quotients of differentials."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.core.errors import ChainruleError
from chainrule.core.shape import Shape
from chainrule.syntax import mistakes
from chainrule.syntax.brackets import Brackets
from chainrule.syntax.functions import function, indexed_logarithm, own_function
from chainrule.syntax.heads import derivative, leibniz
from chainrule.syntax.lexer import Token, kind_at
from chainrule.syntax.names import CONSTANTS, FUNCTIONS, canonical, needs_no_declaration
from chainrule.syntax.scope import Scope, applied, orders
from chainrule.syntax.spelling import unknown_name

CASES = {"if": "IF", "else": "ELSE", "otherwise": "OTHERWISE"}


def word(state: Brackets, token: Token, place: int) -> int | None:
    scope, tokens = state.scope, state.tokens
    if token.text in CASES and state.is_in_braces() and not scope.is_own(token.text):
        state.separate(token._replace(kind=CASES[token.text]))
        return None
    if found := leibniz(tokens, place, scope):
        return quotient(state, *found, place)
    if token.text == "d" and derivative(tokens, place, scope):
        raise late(state, token)
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
        after += 1
        while after < len(tokens) and tokens[after - 1].kind not in ("GROUP_CLOSE", "GROUP_OPEN"):
            after += 1
    elif kind_at(tokens, place + 1) != "NUMBER":
        return False
    return kind_at(tokens, after) == "OPEN"


def quotient(state: Brackets, name: str, after: int, place: int) -> int:
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


def late(state: Brackets, token: Token) -> ChainruleError:
    return state.scope.wrong(
        token,
        "the derivative of a part is not read",
        "d/dx stands at the start and takes all that follows; twice is d^2/dx^2",
    )


def _check_product(state: Brackets, token: Token, name: str, place: int) -> None:
    """A name before a bracket is a product, unless what follows can only be arguments."""
    scope, tokens = state.scope, state.tokens
    if not scope.is_own(name) and not needs_no_declaration(name):
        raise unknown_name(token, scope.source, scope.knows, is_applied=True)
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
