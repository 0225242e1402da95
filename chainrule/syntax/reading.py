"""The reading of words: what a grammar without context cannot settle.

One pass over the words of a statement, with a stack of open brackets, decides

- which words are functions, quantities, products that need a sign (`xy`);
- where a product without a sign stands: it binds like `*`, from the left;
- where the argument of a function without brackets ends: `sin 2x cos 3x` goes on over
  factors side by side, up to the next operator or function;
- which bars open and which close.

It hands on words that the grammar reads in one way only, and notes what a person could have
read otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.core.errors import ArityError, ParseError, UnsupportedError
from chainrule.core.ops import Operator
from chainrule.syntax import mistakes
from chainrule.syntax.heads import leibniz
from chainrule.syntax.lexer import Token, check_number
from chainrule.syntax.names import CONSTANTS, FUNCTIONS, canonical
from chainrule.syntax.notices import Doubts
from chainrule.syntax.scope import Scope, applied, orders

_CLOSING = {
    "CLOSE": "OPEN", "RSQUARE": "LSQUARE", "RBRACE": "LBRACE", "FLOOR_CLOSE": "FLOOR_OPEN",
    "CEIL_CLOSE": "CEIL_OPEN", "BAR_CLOSE": "BAR_OPEN", "GROUP_CLOSE": "GROUP_OPEN",
}  # fmt: skip
_OPENING = frozenset(_CLOSING.values()) | {"FRACTION", "ROOT", "INDEX"}
_BARS = frozenset({"BAR_OPEN", "FLOOR_OPEN", "CEIL_OPEN"})
_CASES = {"if": "IF", "else": "ELSE", "otherwise": "OTHERWISE"}
_ARRAY_SIGNS = {
    "@": "the matrix product", ".*": "the product entry by entry", "⊙": "the product entry by entry",
    ".^": "the power entry by entry", "./": "the quotient entry by entry", ".T": "the transpose",
    "‖": "the norm of a vector", "⊤": "the transpose",
}  # fmt: skip
_SIGNS = {
    "!": "a factorial is written gamma(x + 1)",
    "%": "a percentage is written x/100",
    "&": "two conditions hold together in (x > 0)*(x < 1)",
    "∧": "two conditions hold together in (x > 0)*(x < 1)",
    "∨": "write one case after the other: {a if x < 0, a if x > 1, b}",
    "$": "leave the dollar signs out",
    "~": "leave it out",
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
    "∓": "write the two cases as two outputs: [a - b, a + b]",
    "∘": "a composition f(g(x)) is written so",
}


class Frame:
    """An open bracket, or the argument of a function without brackets.

    Attributes:
        kind: the kind of the opening word; `BARE` for an argument without brackets,
            `RADICAL` for the one factor under a `√`.
        opener: its place among the words handed on.
        function: the place of the function whose argument or script it is, or -1.
        script: whether it is an exponent or index of the function, not its argument.
        start: where the current product begins, or -1.
        slash: the place of a `/` whose divisor is the last factor, or -1.
        varying: factors of the current product that are not numbers.
        joint: the place of the last sign-less product.
        full: whether the argument is over after one factor, as after bars.
    """

    __slots__ = ("full", "function", "joint", "kind", "opener", "script", "slash", "start", "varying")

    def __init__(self, kind: str, opener: int, function: int = -1, script: bool = False) -> None:
        self.kind, self.opener, self.function, self.script = kind, opener, function, script
        self.start = self.slash = self.joint = -1
        self.varying = 0
        self.full = False


class Reading:
    """The reading of one statement."""

    def __init__(self, tokens: Sequence[Token], scope: Scope, doubts: Doubts, latex: bool) -> None:
        self.tokens, self.scope, self.doubts, self.latex = tokens, scope, doubts, latex
        self.source = scope.source
        self.out: list[Token] = []
        self.partner: dict[int, int] = {}
        self.frames = [Frame("START", -1)]
        self.ended = False  # whether an operand ends at the last word
        self.awaiting = -1  # the place of a function that has no argument yet

    def read(self, start: int = 0) -> list[Token]:
        """The words for the grammar, from the word number `start` on."""
        tokens = self.tokens
        place = start
        while place < len(tokens):
            token = tokens[place]
            handler = _HANDLERS.get(token.kind)
            if handler is None:
                raise mistakes.unexpected([*self.out, token], len(self.out), self.source)
            place = handler(self, token, place)
        end = tokens[-1].end if tokens else len(self.source)
        self._close_bare(Token("$END", "", end, end))
        if len(self.frames) > 1:
            opener = self.out[self.frames[-1].opener]
            raise ParseError(
                f"`{opener.text}` is never closed", opener.span, self.source,
                "write abs(x) where bars are in doubt" if opener.kind == "BAR_OPEN" else
                f"add `{_closer_of(opener.kind)}`",
            )  # fmt: skip
        self.doubts.settle(self.out, self.partner, self.source)
        return self.out

    # ---- operands

    def _operand(self, token: Token, is_function: bool = False, varies: bool = True) -> None:
        """Prepare for a word that begins an operand: an argument, a product without a sign."""
        if self.awaiting >= 0:
            self._open_bare(token)
        elif self.ended:
            self._juxtapose(token, is_function)
        frame = self.frames[-1]
        if frame.start < 0:
            frame.start = len(self.out)
            frame.varying = 0
        frame.varying += varies
        if frame.kind == "BARE" and token.kind in _BARS and frame.start == len(self.out):
            frame.full = True

    def _juxtapose(self, token: Token, is_function: bool) -> None:
        while True:
            frame = self.frames[-1]
            if frame.kind == "RADICAL":
                if token.start == self.out[-1].end and self.out[-1].kind in ("NUMBER", "NAME"):
                    self.doubts.add("radical", frame.opener - 1, frame.opener, len(self.out))
            elif frame.kind != "BARE" or not (is_function or frame.full):
                break
            self._pop(token)
        last = self.out[-1]
        if token.kind == "NUMBER":
            before = last.text or self.source[last.start : last.end]
            if last.kind == "NUMBER":
                message, hint = "two numbers stand side by side", f"write {before}*{token.text}"
            else:
                message = f"the number {token.text} stands right after `{before}`"
                hint = f"write {before}*{token.text} or {before}^{token.text}" if last.kind == "NAME" else "write * or ^"
            raise ParseError(message, token.span, self.source, hint)
        here = len(self.out)
        glued = token.start == last.end
        if frame.slash >= 0:
            if glued or self.out[frame.slash].end != self.out[frame.slash + 1].start:
                self.doubts.add("divisor", frame.start, frame.slash, here)
            frame.slash = -1
        if glued and not self.latex:
            if last.kind == "NUMBER":
                self._glued_number(token, here)
            elif token.kind == "NAME" and canonical(last.text) in ("Delta", "delta") and last.kind == "NAME":
                self.doubts.add("delta", here - 1, here, here)
        frame.joint = here
        self.out.append(Token("JUXTAPOSED", "", token.start, token.start))

    def _glued_number(self, token: Token, here: int) -> None:
        """`e^2x` and `2x3` look like `e^(2x)` and `2x^3`."""
        base = here - 2
        if base >= 0 and self.out[base].kind == "MINUS":
            base -= 1
        if base >= 1 and self.out[base].kind == "POW":
            if self.out[base - 1].kind == "NUMBER" or self.out[base - 1].text in CONSTANTS:
                self.doubts.add("exponent", base - 1, base, here)
        elif token.kind == "NAME":
            name = canonical(token.text)
            letter = name.rstrip("0123456789")
            if letter != name and "_" not in token.text and token.text.isascii() and not self.scope.knows(name):
                siblings = [w for w in self.scope.words if w != name and w.rstrip("0123456789") == letter != w]
                if not siblings:
                    self.doubts.add("index", here - 1, here, here)

    def _number(self, token: Token, place: int) -> int:
        check_number(token, self.source)
        self._operand(token, varies=False)
        if self.latex and len(token.text) > 1 and self.out and self.out[-1].kind == "POW":
            self.doubts.add("typeset", len(self.out) - 1, len(self.out), len(self.out))
        self.out.append(token)
        self.ended = True
        return place + 1

    def _word(self, token: Token, place: int) -> int:
        if token.text in _CASES and self._inside() == "LBRACE" and not self.scope.is_own(token.text):
            return self._case(Token(_CASES[token.text], *token[1:]), place)
        if found := leibniz(self.tokens, place, self.scope):
            name, after = found
            whole = Token("NAME", name, token.start, self.tokens[after - 1].end)
            self._operand(whole)
            self.out.append(whole)
            self.ended = True
            return after
        tokens = self.tokens
        following = tokens[place + 1].kind if place + 1 < len(tokens) else ""
        name = canonical(token.text)
        if applied(tokens, place) and self.scope.is_applied(name):
            return self._function(token._replace(text=name), place, None)
        if row := self.scope.row(token, following == "OPEN"):
            return self._function(token._replace(text=row), place, FUNCTIONS[row])
        if not self.latex and token.text[:4].lower() == "log_" and not self.scope.is_own(name):
            return self._indexed_logarithm(token, place)
        if following == "OPEN":
            self._check_product(token, name, place)
            parameters = self.scope.defined.get(name)
            if parameters:
                return self._own_function(token, name, parameters, place)
        name = self.scope.variable(token)
        self._operand(token, varies=name not in CONSTANTS)
        self.out.append(token._replace(text=name))
        self.ended = True
        return place + 1

    def _check_product(self, token: Token, name: str, place: int) -> None:
        """A name before a bracket: a product, unless what follows is a list of arguments."""
        tokens = self.tokens
        if not self.scope.is_own(name) and len(name) > 1 and not _is_letter_name(name):
            raise mistakes.unknown_name(token, self.source, True, self.scope.knows)
        inside = [t.kind for t in tokens[place + 2 : place + 4]]
        if inside == ["NAME", "COMMA"] or inside == ["NUMBER", "COMMA"]:
            raise ParseError(
                f"`{token.text}` is not a function", token.span, self.source,
                f"declare it: {token.text}: function(scalar, scalar) -> scalar",
            )  # fmt: skip
        if (
            inside == ["NAME", "CLOSE"]
            and name not in self.scope.defined
            and canonical(tokens[place + 2].text) not in CONSTANTS
        ):
            self.doubts.now("applied", token, tokens[place + 3], token.text, tokens[place + 2].text)

    def _own_function(self, token: Token, name: str, parameters: tuple[str, ...], place: int) -> int:
        """`g(x)` after `g(x) = …` is that statement's result."""
        after = place + 2
        for i, parameter in enumerate(parameters):
            wanted = ("NAME", "COMMA" if i + 1 < len(parameters) else "CLOSE")
            here = self.tokens[after : after + 2]
            if tuple(t.kind for t in here) != wanted or canonical(here[0].text) != parameter:
                raise UnsupportedError(
                    f"`{token.text}` at another place than ({', '.join(parameters)}): not yet",
                    token.span, self.source, "write its expression out",
                )  # fmt: skip
            after += 2
        self._operand(token)
        self.out.append(token._replace(text=name))
        self.ended = True
        return after

    # ---- functions

    def _function(self, token: Token, place: int, row: Operator | None) -> int:
        self._operand(token, is_function=True)
        after = place + 1
        if row is not None and (skip := self._inverse(after)):
            inverse = FUNCTIONS.get(f"arc{row.name}")
            if inverse is None:
                raise ParseError(
                    f"`{token.text}` with the exponent -1 is not in the table", token.span, self.source,
                    f"for the reciprocal write 1/{token.text}(x)",
                )  # fmt: skip
            token = token._replace(text=inverse.name, end=self.tokens[skip - 1].end)
            after = skip
        self.out.append(token._replace(kind="FUNCTION"))
        self.awaiting = len(self.out) - 1
        self.ended = False
        if row is None and (found := orders(self.tokens, after)):
            self._orders(*found)
            after = found[1]
        return after

    def _orders(self, numbers: list[Token], after: int) -> None:
        """The orders of a derivative, however written, as `^(0,1)`."""
        start, end = numbers[0].start, self.tokens[after - 1].end
        self.out += Token("POW", "^", start, start), Token("OPEN", "(", start, start)
        for i, number in enumerate(numbers):
            if i:
                self.out.append(Token("COMMA", ",", number.start, number.start))
            check_number(number, self.source)
            self.out.append(number)
        self.out.append(Token("CLOSE", ")", end, end))

    def _inverse(self, place: int) -> int:
        """The place after an exponent -1 at `place`, or 0."""
        tokens = self.tokens
        if place < len(tokens) and tokens[place].kind == "SUPERSCRIPT":
            return place + 1 if tokens[place].text == "⁻¹" else 0
        spelled = [t.kind for t in tokens[place : place + 5]]
        if spelled[:3] == ["POW", "MINUS", "NUMBER"]:
            return place + 3 if tokens[place + 2].text == "1" else 0
        if spelled[:1] == ["POW"] and spelled[2:4] == ["MINUS", "NUMBER"] and tokens[place + 3].text == "1":
            if (spelled[1], *spelled[4:]) in (("OPEN", "CLOSE"), ("LBRACE", "RBRACE"), ("GROUP_OPEN", "GROUP_CLOSE")):
                return place + 5
        return 0

    def _indexed_logarithm(self, token: Token, place: int) -> int:
        """`log_2` is the function, an index and a number."""
        index = token.text[4:].strip("{}")
        start = token.start + 4
        after = self._function(token._replace(text="log", end=token.start + 3), place, None)
        self.out.append(Token("SUBSCRIPT", "_", start - 1, start))
        if index.isdigit():
            self.out.append(Token("NUMBER", index, start, token.end))
        else:
            base = self.scope.variable(Token("NAME", index, start, token.end))
            self.out.append(Token("NAME", base, start, token.end))
        return after

    def _open_bare(self, token: Token) -> None:
        function = self.out[self.awaiting]
        row = FUNCTIONS.get(function.text)
        if row is not None and not row.accepts(1):
            raise ArityError(
                f"`{function.text}` needs brackets round its arguments", function.span, self.source,
                f"write {function.text}(x, y)",
            )  # fmt: skip
        self.frames.append(Frame("BARE", len(self.out), self.awaiting))
        self.out.append(Token("OPEN", "", token.start, token.start))
        self.awaiting, self.ended = -1, False

    def _need_argument(self) -> None:
        if self.awaiting >= 0:
            function = self.out[self.awaiting]
            written = self.source[function.start : function.end]
            raise ArityError(
                f"`{written}` needs an argument", function.span, self.source, f"write {written}(x)"
            )

    def _script(self, token: Token, place: int) -> int:
        """An exponent or an index of a function: one number, name or bracket."""
        self.out.append(token)
        after = place + 1
        kinds = [t.kind for t in self.tokens[after : after + 2]]
        if kinds[:1] == ["MINUS"]:
            self.out.append(self.tokens[after])
            if kinds[1:] == ["NUMBER"]:
                self.doubts.add("reciprocal", self.awaiting, after, len(self.out))
            after += 1
            kinds = kinds[1:]
        if kinds[:1] == ["NUMBER"]:
            check_number(self.tokens[after], self.source)
            self.out.append(self.tokens[after])
            return after + 1
        if kinds[:1] == ["NAME"] and not self.scope.row(self.tokens[after], False):
            word = self.tokens[after]
            self.out.append(word._replace(text=self.scope.variable(word)))
            return after + 1
        if kinds[:1] in (["OPEN"], ["LBRACE"], ["GROUP_OPEN"]):
            self.frames.append(Frame(kinds[0], len(self.out), self.awaiting, script=True))
            self.out.append(self.tokens[after])
            self.awaiting, self.ended = -1, False
            return after + 1
        raise ParseError(
            f"`{token.text}` has nothing on its right", token.span, self.source, "write sin^2(x)"
        )

    # ---- brackets

    def _open(self, token: Token, place: int) -> int:
        function = -1
        if self.awaiting >= 0 and token.kind in ("OPEN", "GROUP_OPEN"):
            function, self.awaiting = self.awaiting, -1
            if token.kind == "GROUP_OPEN":  # \sin{x}
                token = token._replace(kind="OPEN")
        elif token.kind == "LSQUARE" and self.out:
            self._square(token)
        else:
            self._operand(token)
        self.frames.append(Frame(token.kind, len(self.out), function))
        self.out.append(token)
        self.ended = False
        return place + 1

    def _square(self, token: Token) -> None:
        last = self.out[-1]
        if last.kind == "LSQUARE":
            raise UnsupportedError(
                "matrices are not read yet", token.span, self.source, "write one vector: [e1, e2]"
            )
        if self.ended and last.kind in ("NAME", "CLOSE"):
            raise UnsupportedError(
                "entries of arrays `x[i]` are not read yet", token.span, self.source,
                "write x1, x2, …; group with round brackets",
            )  # fmt: skip
        raise ParseError(
            "square brackets hold the outputs", token.span, self.source, "group with round brackets"
        )

    def _close(self, token: Token, place: int) -> int:
        self._close_bare(token)
        frame = self.frames[-1]
        if frame.kind == "OPEN" and token.kind == "GROUP_CLOSE" and frame.function >= 0:
            token = token._replace(kind="CLOSE")
        if frame.kind != _CLOSING[token.kind]:
            if len(self.frames) == 1:
                raise ParseError(
                    f"`{token.text}` closes nothing", token.span, self.source, "leave it out, or open it"
                )
            opener = self.out[frame.opener]
            raise ParseError(
                f"`{opener.text}` is not closed before `{token.text}`", opener.span, self.source,
                f"add `{_closer_of(opener.kind)}`",
            )  # fmt: skip
        self.frames.pop()
        self.partner[frame.opener] = len(self.out)
        self.out.append(token)
        self.ended = True
        if frame.script:
            self.awaiting, self.ended = frame.function, False
        return place + 1

    def _bar(self, token: Token, place: int) -> int:
        """A bar closes where an operand has ended and a bar is open; else it opens."""
        if self.ended:
            for frame in reversed(self.frames):
                if frame.kind == "BAR_OPEN":
                    return self._close(token._replace(kind="BAR_CLOSE"), place)
                if frame.kind not in ("BARE", "RADICAL"):
                    break
        return self._open(token._replace(kind="BAR_OPEN"), place)

    def _between(self, token: Token, place: int) -> int:
        """What parts the two arguments of a `\\frac` or a `\\sqrt[…]`, and its end."""
        self._close_bare(token)
        frame = self.frames[-1]
        if token.kind == "END":
            self.frames.pop()
            self.partner[frame.opener] = len(self.out)
        frame.start = frame.slash = -1
        self.out.append(token)
        self.ended = token.kind == "END"
        return place + 1

    def _close_bare(self, token: Token) -> None:
        """Close the arguments without brackets that end before `token`."""
        self._need_argument()
        while self.frames[-1].kind in ("BARE", "RADICAL"):
            self._pop(token)

    def _pop(self, token: Token) -> None:
        frame = self.frames.pop()
        if frame.kind == "BARE":
            if frame.varying > 1 and frame.joint > 0:
                self.doubts.add("chain", frame.function, frame.opener, frame.joint)
            following = self._after(token)
            if token.kind in ("STAR", "SLASH") and following and not self._is_function_word(following):
                self.doubts.add("bare", frame.function, frame.opener, len(self.out) + 1)
        end = self.out[-1].end
        self.partner[frame.opener] = len(self.out)
        self.out.append(Token("CLOSE", "", end, end))

    def _after(self, token: Token) -> Token | None:
        """The word after `token`, found from where the reading stands."""
        return self.tokens[self.at + 1] if self.at + 1 < len(self.tokens) else None

    at = 0

    def _is_function_word(self, token: Token) -> bool:
        return token.kind == "NAME" and self.scope.row(token, True) is not None

    def _inside(self) -> str:
        for frame in reversed(self.frames):
            if frame.kind not in ("BARE", "RADICAL"):
                return frame.kind
        return "START"

    # ---- operators

    def _sum(self, token: Token, place: int) -> int:
        if self.ended:
            self._close_bare(token)
            self._new_product()
        elif self.awaiting >= 0:
            self._open_bare(token)
        self.out.append(token)
        self.ended = False
        return place + 1

    def _product(self, token: Token, place: int) -> int:
        self.at = place
        if self.ended or self.awaiting >= 0:
            self._close_bare(token)
        frame = self.frames[-1]
        if token.kind == "SLASH":
            frame.slash = len(self.out)
            self._half(place)
        else:
            frame.slash = -1
        frame.varying = 0
        self.out.append(token)
        self.ended = False
        return place + 1

    def _half(self, place: int) -> None:
        """`x^1/2` looks like `x^(1/2)`."""
        out, tokens = self.out, self.tokens
        if len(out) > 2 and out[-2].kind == "POW" and out[-1].text == "1" and place + 1 < len(tokens):
            if tokens[place + 1].kind == "NUMBER" and tokens[place + 1].start == out[-1].end + 1:
                self.doubts.add("half", self.frames[-1].start, len(out) - 1, len(out))

    def _power(self, token: Token, place: int) -> int:
        if self.awaiting >= 0:
            return self._script(token, place)
        if self.frames[-1].kind == "RADICAL" and self.ended:
            frame = self.frames[-1]
            self.doubts.add("radical power", frame.opener - 1, frame.opener, len(self.out))
        self.out.append(token)
        self.ended = False
        return place + 1

    def _superscript(self, token: Token, place: int) -> int:
        self.out.append(token)
        if self.awaiting < 0 and not self.ended:
            raise mistakes.unexpected(self.out, len(self.out) - 1, self.source)
        return place + 1

    def _subscript(self, token: Token, place: int) -> int:
        if self.awaiting < 0 or self.out[self.awaiting].text != "log":
            raise ParseError(
                "a subscript cannot stand here", token.span, self.source, "names have one, as x_1; so has \\log_2"
            )
        return self._script(token, place)

    def _prime(self, token: Token, place: int) -> int:
        if self.awaiting < 0 or self.out[self.awaiting].text in FUNCTIONS:
            if self.awaiting >= 0:
                function = self.out[self.awaiting].text
                raise ParseError(
                    f"`{function}'` is not read", token.span, self.source, f"write d/dx {function}(x)"
                )
            raise UnsupportedError(
                "a prime after a quantity, the transpose: arrays are not read yet", token.span, self.source,
                "for a derivative write f'(x)",
            )  # fmt: skip
        count = sum({"″": 2, "‴": 3}.get(c, 1) for c in token.text)
        self.out.append(Token("PRIMES", "'" * count, token.start, token.end))
        return place + 1

    def _radical(self, token: Token, place: int) -> int:
        """`√` takes one factor, with its powers."""
        self._operand(token)
        name = "sqrt" if token.text == "√" else "cbrt"
        self.out.append(token._replace(kind="FUNCTION", text=name))
        following = self.tokens[place + 1].kind if place + 1 < len(self.tokens) else ""
        self.awaiting, self.ended = len(self.out) - 1, False
        if following not in ("OPEN", "GROUP_OPEN", "POW", "SUPERSCRIPT"):
            if following not in ("NUMBER", "NAME", "RADICAL", "BAR", "BAR_OPEN", "LBRACE", "FLOOR_OPEN", "CEIL_OPEN"):
                self._need_argument()
            self.awaiting = -1
            self.frames.append(Frame("RADICAL", len(self.out), len(self.out) - 1))
            self.out.append(Token("OPEN", "", token.end, token.end))
        return place + 1

    def _separate(self, token: Token, place: int) -> int:
        self._close_bare(token)
        self._new_product()
        self.out.append(token)
        self.ended = False
        return place + 1

    def _case(self, token: Token, place: int) -> int:
        self._close_bare(token)
        self._new_product()
        self.out.append(token)
        self.ended = token.kind == "OTHERWISE"
        return place + 1

    def _new_product(self) -> None:
        frame = self.frames[-1]
        frame.start = frame.slash = -1

    def _sign(self, token: Token, place: int) -> int:
        if token.text in _ARRAY_SIGNS:
            raise UnsupportedError(
                f"`{token.text}`, {_ARRAY_SIGNS[token.text]}: arrays are not read yet", token.span, self.source,
                "write the entries out",
            )  # fmt: skip
        raise ParseError(
            f"`{token.text}` is not part of the language", token.span, self.source, _SIGNS.get(token.text, "leave it out")
        )

    def _partial(self, token: Token, place: int) -> int:
        if found := leibniz(self.tokens, place, self.scope):
            name, after = found
            whole = Token("NAME", name, token.start, self.tokens[after - 1].end)
            self._operand(whole)
            self.out.append(whole)
            self.ended = True
            return after
        raise ParseError(
            "`∂` belongs to a derivative", token.span, self.source, "write ∂/∂x at the start, or ∂f/∂x"
        )

    def _fraction(self, token: Token, place: int) -> int:
        if leibniz(self.tokens, place, self.scope):
            return self._word(token, place)
        return self._open(token, place)


def _is_letter_name(name: str) -> bool:
    from chainrule.syntax.names import needs_no_declaration

    return needs_no_declaration(name)


def _closer_of(kind: str) -> str:
    return {
        "OPEN": ")", "LSQUARE": "]", "LBRACE": "}", "FLOOR_OPEN": "⌋", "CEIL_OPEN": "⌉", "BAR_OPEN": "|",
    }.get(kind, "}")  # fmt: skip


_HANDLERS = {
    "NUMBER": Reading._number, "NAME": Reading._word, "PARTIAL": Reading._partial,
    "FRACTION": Reading._fraction, "RADICAL": Reading._radical, "BAR": Reading._bar,
    "PLUS": Reading._sum, "MINUS": Reading._sum, "STAR": Reading._product, "SLASH": Reading._product,
    "POW": Reading._power, "SUPERSCRIPT": Reading._superscript, "SUBSCRIPT": Reading._subscript,
    "PRIME": Reading._prime, "COMMA": Reading._separate, "RELATION": Reading._separate,
    "EQUALS": Reading._separate, "COLON": Reading._separate, "ARROW": Reading._separate,
    "OVER": Reading._between, "OF": Reading._between, "END": Reading._between, "SIGN": Reading._sign,
    "IF": Reading._case, "ELSE": Reading._case, "OTHERWISE": Reading._case,
} | dict.fromkeys(_OPENING - {"FRACTION"}, Reading._open) | dict.fromkeys(_CLOSING, Reading._close)  # fmt: skip
