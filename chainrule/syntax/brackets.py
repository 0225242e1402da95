"""The brackets of a statement, seen and unseen: a stack, and where factors and products begin.

An argument without brackets (`sin 2x`) is opened and closed here like a bracket, by words of
no width; so is a product without a sign.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence

from chainrule.core.errors import ArityError, UnsupportedError
from chainrule.syntax.lexer import DEEPEST, Token, too_deep
from chainrule.syntax.names import CONSTANTS, FUNCTIONS, canonical, is_function_letter
from chainrule.syntax.notices import Doubts
from chainrule.syntax.scope import Scope

OPENER_OF = {
    "CLOSE": "OPEN",
    "RSQUARE": "LSQUARE",
    "RBRACE": "LBRACE",
    "FLOOR_CLOSE": "FLOOR_OPEN",
    "CEIL_CLOSE": "CEIL_OPEN",
    "BAR_CLOSE": "BAR_OPEN",
    "NORM_CLOSE": "NORM_OPEN",
    "GROUP_CLOSE": "GROUP_OPEN",
}
_CLOSING_SIGN = {
    "OPEN": ")",
    "LSQUARE": "]",
    "FLOOR_OPEN": "⌋",
    "CEIL_OPEN": "⌉",
    "BAR_OPEN": "|",
    "NORM_OPEN": "‖",
}
_BARS = frozenset({"BAR_OPEN", "FLOOR_OPEN", "CEIL_OPEN", "NORM_OPEN"})
PRODUCTS = frozenset({"STAR", "SLASH", "AT", "DOT_STAR", "DOT_SLASH"})
_UNSEEN = frozenset({"BARE", "RADICAL"})


class Frame:
    """An open bracket.

    Attributes:
        kind: the kind of the opening word; `BARE` for an argument without brackets,
            `RADICAL` for the one factor under a `√`.
        opener: its place among the words handed on.
        function: the place of the function whose argument or script it is, or -1.
        script: whether it is an exponent or index of the function, not its argument.
        start: where the current product begins, or -1.
        slash: the place of a `/` whose divisor is the last factor, or -1.
        joint: the place of the last product without a sign, or -1.
        varying: how many factors of the current product are not numbers.
        full: whether the argument is over after one factor, as after bars.
    """

    __slots__ = (
        "full", "function", "joint", "kind", "opener", "script", "slash", "start", "varying",
    )  # fmt: skip

    def __init__(self, kind: str, opener: int, function: int = -1, script: bool = False) -> None:
        self.kind, self.opener, self.function, self.script = kind, opener, function, script
        self.start = self.slash = self.joint = -1
        self.varying = 0
        self.full = False


class Brackets:
    """The state of reading one statement.

    Attributes:
        tokens: the words as they are written.
        out: the words handed on to the grammar.
        partner: for the place of an opening word in `out`, that of the closing one.
        frames: the open brackets.
        seen: those of them that are written.
        ended: whether an operand ends at the last word.
        awaiting: the place in `out` of a function that has no argument yet, or -1.
    """

    def __init__(self, tokens: Sequence[Token], scope: Scope, doubts: Doubts) -> None:
        self.tokens, self.scope, self.doubts = tokens, scope, doubts
        self.out: list[Token] = []
        self.partner: dict[int, int] = {}
        self.frames = [Frame("START", -1)]
        self.seen = self.frames[:]
        self.ended = False
        self.awaiting = -1

    # ---- operands

    def operand(self, token: Token, is_function: bool = False, varies: bool = True) -> None:
        """Prepare for a word that begins an operand: an argument, a product without a sign."""
        if self.awaiting >= 0:
            self.open_bare(token)
        elif self.ended:
            self._juxtapose(token, is_function)
            self.frames[-1].varying += varies
        frame = self.frames[-1]
        if frame.start < 0:
            frame.start = len(self.out)
            frame.varying = int(varies)
            frame.full = frame.kind == "BARE" and token.kind in _BARS

    def value(self, token: Token, varies: bool = True) -> None:
        """Hand on a number or a name."""
        self.operand(token, varies=varies)
        self.out.append(token)
        self.ended = True

    def _juxtapose(self, token: Token, is_function: bool) -> None:
        apart: Frame | None = None
        while True:
            frame = self.frames[-1]
            if frame.kind == "RADICAL":
                if token.start == self.out[-1].end and token.kind == "NAME":
                    self.doubts.add("radical", frame.function, frame.opener, len(self.out))
            elif frame.kind != "BARE":
                break
            elif self._is_apart(token, frame):
                apart = frame
            elif not is_function and not frame.full:
                break
            self._pop(token)
        if apart is not None:
            self.doubts.add("bare", apart.function, apart.opener, len(self.out))
        last, here = self.out[-1], len(self.out)
        if token.kind == "NUMBER":
            self._refuse_number(token, last)
        if frame.slash >= 0:
            if self._is_doubtful_divisor(token, frame.slash):
                self.doubts.add("divisor", frame.start, frame.slash, here)
            frame.slash = -1
        if token.start == last.end and not self.scope.latex:
            self._doubt_glued(token, last, here)
        if token.kind != "NAME" or token.start > last.end:  # sin βx leaves no doubt
            frame.joint = here
        self.out.append(Token("JUXTAPOSED", "", token.start, token.start))

    def _is_apart(self, token: Token, frame: Frame) -> bool:
        """`sin x (x + 1)`: a space, where typing has them, ends an argument before a bracket."""
        spaced = not self.scope.latex and token.start > self.out[-1].end
        return spaced and token.kind == "OPEN" and frame.varying > 0

    def _refuse_number(self, token: Token, last: Token) -> None:
        before = self.scope.written(last) or "this"
        if last.kind == "NUMBER":
            hint = f"write {before}*{token.text}"
            if token.start == last.end:
                hint = "a number has one decimal point"
            raise self.scope.wrong(token, "two numbers stand side by side", hint)
        powers = f" or {before}^{token.text}" if last.kind == "NAME" else ""
        raise self.scope.wrong(
            token,
            f"the number {token.text} stands right after `{before}`",
            f"write {before}*{token.text}{powers}" if powers else "write * or ^ between them",
        )

    def _is_doubtful_divisor(self, token: Token, slash: int) -> bool:
        """`1/2x` and `a/b c` are doubtful, `1/2 x` is not."""
        divisor = self.out[slash + 1]
        return (
            token.start == self.out[-1].end
            or self.out[slash].end != divisor.start
            or divisor.kind not in ("NUMBER", "OPEN")
        )

    def _doubt_glued(self, token: Token, last: Token, here: int) -> None:
        """`e^2x`, `2x3`, `f^2(x)` look like `e^(2x)`, `2x^3`, `f(x)^2`, and `Δx` like one name."""
        if (
            last.kind == "NAME"
            and token.kind == "NAME"
            and canonical(last.text) in ("Delta", "delta")
        ):
            self.doubts.add("delta", here - 1, here, here)
        if last.kind != "NUMBER":
            return
        sign = here - 3 if self.out[here - 2].kind == "MINUS" else here - 2
        if sign >= 1 and self.out[sign].kind == "POW":
            base = self.out[sign - 1]
            if token.kind == "OPEN" and is_function_letter(base.text):
                self.doubts.add("power of a letter", sign - 1, sign, here)
            elif base.kind == "NUMBER" or base.text in CONSTANTS:
                self.doubts.add("exponent", sign - 1, sign, here)
        elif (
            token.kind == "NAME" and token.text.isalnum() and self.scope.is_single_index(token.text)
        ):
            self.doubts.add("index", here - 1, here, here)

    # ---- arguments without brackets

    def open_bare(self, token: Token) -> None:
        """Open the argument of the function that awaits one."""
        function = self.out[self.awaiting]
        if self._is_listing():
            raise self.scope.wrong(
                function,
                f"`{function.text}` needs brackets round its arguments",
                f"write {function.text}(x, y)",
                ArityError,
            )
        self.frames.append(Frame("BARE", len(self.out), self.awaiting))
        self.out.append(Token("OPEN", "", token.start, token.start))
        self.awaiting, self.ended = -1, False

    def open_radicand(self, token: Token) -> None:
        """Open the factor under the root sign before it."""
        self.frames.append(Frame("RADICAL", len(self.out), len(self.out) - 1))
        self.out.append(Token("OPEN", "", token.end, token.end))
        self.awaiting = -1

    def close_unseen(self, token: Token) -> None:
        """Close the arguments without brackets that end before `token`."""
        self.need_argument()
        while self.frames[-1].kind in _UNSEEN:
            self._pop(token)

    def need_argument(self) -> None:
        """No function may still await its argument."""
        if self.awaiting >= 0:
            function = self.out[self.awaiting]
            written = self.scope.written(function)
            raise self.scope.wrong(
                function, f"`{written}` needs an argument", f"write {written}(x)", ArityError
            )

    def _pop(self, token: Token) -> None:
        frame = self.frames.pop()
        if frame.kind == "BARE":
            if frame.varying > 1 and frame.joint >= 0:
                self.doubts.add("chain", frame.function, frame.opener, frame.joint)
            if token.kind in PRODUCTS and self._could_run_on(token):
                self.doubts.add("bare", frame.function, frame.opener, len(self.out) + 1)
        end = self.out[-1].end
        self.partner[frame.opener] = len(self.out)
        self.out.append(Token("CLOSE", "", end, end))

    def _could_run_on(self, operator: Token) -> bool:
        """Whether what follows could belong to a bare argument: no function and no bracket."""
        place = bisect(self.tokens, operator.start, key=_start)
        following = self.tokens[place] if place < len(self.tokens) else operator
        if following.kind == "NAME":
            return self.scope.row(following, True) is None
        return following.kind not in ("OPEN", "LBRACE")

    # ---- brackets

    def open(self, token: Token) -> None:
        """Open a bracket: round the arguments of a function, or round an operand."""
        function = -1
        if self.awaiting >= 0 and (
            token.kind in ("OPEN", "GROUP_OPEN") or (token.kind == "LBRACE" and self._is_listing())
        ):
            function, self.awaiting = self.awaiting, -1
            token = token._replace(kind="OPEN")  # \sin{x} is sin(x)
        elif token.kind == "LSQUARE" and self.ended:
            pass  # an index
        elif token.kind == "LSQUARE" and self.out:
            self._refuse_square(token)
        else:
            self.operand(token)
        if len(self.frames) > DEEPEST:
            raise too_deep(token, self.scope.source)
        self._push(Frame(token.kind, len(self.out), function))
        self.out.append(token)
        self.ended = False

    def _push(self, frame: Frame) -> None:
        self.frames.append(frame)
        self.seen.append(frame)

    def _is_listing(self) -> bool:
        """Whether the function that awaits arguments takes several: `max{x, y}`."""
        row = FUNCTIONS.get(self.out[self.awaiting].text)
        return row is not None and (row.variadic or not row.accepts(1))

    def open_script(self, token: Token) -> None:
        """Open a bracket round an exponent or an index of the function that awaits arguments."""
        self._push(Frame(token.kind, len(self.out), self.awaiting, script=True))
        self.out.append(token)
        self.awaiting, self.ended = -1, False

    def _refuse_square(self, token: Token) -> None:
        last = self.out[-1]
        if last.kind == "LSQUARE":
            message = "a matrix is not written out entry by entry"
            hint = "write one vector, [e1, e2]; or declare it: X: matrix(2, 2)"
            raise self.scope.wrong(token, message, hint, UnsupportedError)
        hint = "group with round brackets"
        if self.awaiting >= 0:
            hint = f"write {self.scope.written(self.out[self.awaiting])}(x)"
        raise self.scope.wrong(token, "square brackets hold the outputs", hint)

    def close(self, token: Token) -> None:
        """Close a bracket."""
        self.close_unseen(token)
        frame = self.frames[-1]
        if (
            token.kind in ("GROUP_CLOSE", "RBRACE")
            and frame.kind == "OPEN"
            and self.out[frame.opener].text == "{"
        ):
            token = token._replace(kind="CLOSE")
        if frame.kind != OPENER_OF[token.kind]:
            if len(self.frames) == 1:
                raise self.scope.wrong(
                    token, f"`{token.text}` closes nothing", "leave it out, or open it"
                )
            opener = self.out[frame.opener]
            raise self.scope.wrong(
                opener,
                f"`{opener.text}` is not closed before `{token.text}`",
                f"add `{_CLOSING_SIGN.get(opener.kind, '}')}`",
            )
        if frame.opener == len(self.out) - 1 and frame.function >= 0 and not frame.script:
            self.awaiting = frame.function
            self.need_argument()
        self.frames.pop()
        self.seen.pop()
        self.partner[frame.opener] = len(self.out)
        self.out.append(token)
        self.ended = True
        if frame.script:
            self.awaiting, self.ended = frame.function, False

    def part(self, token: Token) -> None:
        """Go on after what parts or ends the two arguments of a `\\frac` or a root."""
        self.close_unseen(token)
        frame = self.frames[-1]
        if token.kind == "END":
            self.frames.pop()
            self.seen.pop()
            self.partner[frame.opener] = len(self.out)
        else:
            self.new_product()
        self.out.append(token)
        self.ended = token.kind == "END"

    def separate(self, token: Token) -> None:
        """Hand on a word between two expressions, or `otherwise`, after one."""
        self.close_unseen(token)
        self.new_product()
        self.out.append(token)
        self.ended = token.kind == "OTHERWISE"

    def is_bar_open(self, kind: str = "BAR_OPEN") -> bool:
        """Whether a bar can close here."""
        return self.seen[-1].kind == kind and self.ended

    def is_in_braces(self) -> bool:
        """Whether the innermost bracket that is seen is `{`."""
        return self.seen[-1].kind == "LBRACE"

    def is_in_arguments(self) -> bool:
        """Whether the innermost bracket holds the arguments of a function."""
        frame = self.frames[-1]
        return frame.kind == "OPEN" and frame.function >= 0 and not frame.script

    def new_product(self) -> None:
        """A product begins with the next operand."""
        frame = self.frames[-1]
        frame.start = frame.slash = -1

    def finish(self) -> list[Token]:
        """The words handed on, when all are read."""
        end = self.tokens[-1].end if self.tokens else 0
        self.close_unseen(Token("$END", "", end, end))
        if len(self.frames) > 1:
            opener = self.out[self.frames[-1].opener]
            closing = _CLOSING_SIGN.get(opener.kind, "}")
            hint = "write abs(x) where bars are in doubt" if closing == "|" else f"add `{closing}`"
            raise self.scope.wrong(opener, f"`{opener.text}` is never closed", hint)
        self.doubts.settle(self.out, self.partner)
        return self.out


def _start(token: Token) -> int:
    return token.start
