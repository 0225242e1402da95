"""Expressions from productions: each action of the grammar builds one node, as typed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.core.arithmetic import ADD, EXP, MUL, NEG, PI, POW, SUB, E
from chainrule.core.errors import ParseError, ShapeError, Span, UnsupportedError
from chainrule.core.expr import Const, Expr, Sym, apply, symbol
from chainrule.core.ops import Operator, lookup
from chainrule.core.table.abstract import AbstractOperator
from chainrule.core.table.elementary import SQRT
from chainrule.core.table.piecewise import ABS, CEIL, FLOOR, PIECEWISE
from chainrule.syntax import arrays
from chainrule.syntax.calls import Function, call
from chainrule.syntax.lalr import Words
from chainrule.syntax.latex_words import INVERSE_TRANSPOSE
from chainrule.syntax.lexer import Token
from chainrule.syntax.notices import Doubts
from chainrule.syntax.numbers import divide, indexed_root, negate, number, script_number
from chainrule.syntax.parsed import (
    Barred,
    Bracketed,
    Case,
    Entrywise,
    Squared,
    Statement,
    Type,
    opened,
)
from chainrule.syntax.scope import Scope

_SIGNS = {"≤": "<=", "≥": ">=", "≠": "!=", "<>": "!="}


def _binary(row: Operator) -> Callable[..., Expr]:
    def build(a: Any, sign: Token, b: Any) -> Expr:
        return apply(
            row, a if isinstance(a, Expr) else a.node, b if isinstance(b, Expr) else b.node
        )

    return build


def _group(opening: Token, value: Any, closing: Token) -> Any:
    if opening.text == "[":
        return Squared(opened(value))
    if isinstance(value, Entrywise):
        return value.node
    if isinstance(value, Const) or getattr(value, "op", None) is E:
        return Bracketed(value)
    return value


def _compare(a: Any, sign: Token, b: Any) -> Expr:
    return apply(lookup(_SIGNS.get(sign.text, sign.text)), opened(a), opened(b))


def _first(value: Any) -> list[Any]:
    return [value]


def _another(values: list[Any], comma: Token, value: Any) -> list[Any]:
    values.append(value)
    return values


def _piecewise(opening: Token, cases: list[Case], closing: Token) -> Any:
    if len(cases) == 1 and cases[0].condition is None:
        return _group(opening, cases[0].value, closing)
    args: list[Expr] = []
    for case in cases:
        args += (case.value,) if case.condition is None else (case.value, case.condition)
    return cases if any(c.condition is None for c in cases[:-1]) else apply(PIECEWISE, *args)


class Building:
    """The actions that need the program's names, or the words they stand for.

    `listing`: whether the statement is a list of expressions, not a vector of outputs.
    """

    def __init__(self, scope: Scope, doubts: Doubts) -> None:
        self.scope, self.doubts = scope, doubts
        self.words = Words([])
        self.listing = False
        self.actions: dict[str, Callable[..., Any]] = {
            **_ACTIONS,
            "vector": self._vector,
            "name": self._name,
            "call": self._call,
            "piecewise": self._piecewise,
            "between": self._between,
            "multiply": self._multiply,
            "juxtapose": self._juxtapose,
            "hadamard": self._hadamard,
            "divide": self._quotient,
            "fraction": lambda sign, a, over, b, end: self._quotient(a, over, b),
            "raise_to": self._power,
            "raise_to_superscript": self._power,
            "absolute": self._absolute,
            "norm": self._norm,
            "part": lambda value, o, places, c: arrays.part(
                opened(value), [opened(p) for p in places], self.scope
            ),
        }

    def _vector(self, opening: Token, values: list[Any], closing: Token) -> Statement:
        entries = tuple(map(opened, values))
        if not self.listing and (array := [e.shape for e in entries if e.shape]):
            alone = "leave the brackets out"
            raise ShapeError(
                "square brackets hold scalars",
                shapes=(array[0],),
                hint=alone if len(entries) == 1 else "join vectors with concat(a, b), or name them",
            )
        return Statement("value", entries, vector=True)

    def _name(self, token: Token) -> Expr:
        if token.text in ("e", "pi") and not self.scope.is_own(token.text):
            return apply(E if token.text == "e" else PI)
        return symbol(token.text, self.scope.shapes.get(token.text, ()))

    def _multiply(self, a: Any, sign: Token, b: Any) -> Expr:
        a, b = opened(a), opened(b)
        return arrays.times(a, sign, b, self.scope) if a.shape and b.shape else apply(MUL, a, b)

    def _juxtapose(self, a: Any, sign: Token, b: Any) -> Any:
        left, right = opened(a), opened(b)
        if not left.shape:
            return apply(MUL, left, right)
        if isinstance(b, Squared) and not right.shape:
            raise ParseError(
                "square brackets behind an array hold an index",
                hint="write x[0], X[0, n - 1]; a product in round brackets",
            )
        if not right.shape:
            node = apply(MUL, left, right)
            return Entrywise(node) if isinstance(a, Entrywise) else node
        if isinstance(a, Entrywise):
            raise ParseError(
                r"which product comes first, `\odot` or that of the arrays side by side?",
                hint=r"put brackets: x \odot (A y), or (x \odot A) y",
            )
        return arrays.side_by_side(left, right, self.scope)

    def _hadamard(self, a: Any, sign: Token, b: Any) -> Any:
        return self._entrywise(arrays.hadamard(opened(a), sign, opened(b), self.scope))

    def _quotient(self, a: Any, sign: Token, b: Any) -> Any:
        if self.scope.latex and sign.kind != "DOT_SLASH" and arrays.is_square(opened(b)):
            raise ParseError(
                "a square matrix below a fraction bar: the inverse, or each entry?",
                hint=r"for the inverse write X^{-1}, entry by entry 1 \oslash X",
            )
        node = divide(a, sign, b)
        return self._entrywise(node) if sign.kind == "DOT_SLASH" else node

    def _entrywise(self, node: Expr) -> Any:
        return Entrywise(node) if self.scope.latex and node.shape else node

    def _power(self, a: Any, *rest: Any) -> Expr:
        """`a^b`, or `a²`: the rest is a sign and an exponent, or both in one."""
        base, exponent = opened(a), opened(rest[1]) if len(rest) > 1 else script_number(rest[0])
        if base.shape or exponent.shape:
            return self._power_of_array(a, base, exponent, 1 + len(rest))
        if base.op is E and base is a:
            return apply(EXP, exponent)
        return apply(POW, base, exponent)

    def _power_of_array(self, a: Any, base: Expr, exponent: Expr, size: int) -> Expr:
        """Entry by entry, with a notice where a matrix has another power."""

        def note(reading: str, other: str) -> None:
            if not self.doubts.wants_more():
                return
            spans = [self.words.span(*words) for words in self.words.children(size)]
            parts = [self.scope.source[place.start : place.end] for place in spans]
            span = Span(spans[0].start, spans[-1].end)
            raised = parts[-1].removeprefix("{").removesuffix("}")
            self.doubts.reading(span, reading, other.format(parts[0], raised))

        if isinstance(exponent, Sym) and exponent.name == "T" and self.scope.is_transpose():
            note("the transpose", "for a power declare T: scalar")
            return apply(arrays.TRANSPOSE, base)
        if exponent.op is NEG and exponent.args[0] is symbol("T") and self.scope.is_transpose():
            if self.scope.latex:
                return _transpose(base, Token("TRANSPOSE", INVERSE_TRANSPOSE, 0, 0))
            raise ParseError("the inverse of a transpose is not written so", hint="write inv(X)'")
        if self.scope.latex:
            return arrays.typeset_power(base, exponent, base.op is E and base is a, note)
        if base.op is E and base is a:
            if arrays.is_square(exponent):
                note("e^x of each entry", "for the exponential of the matrix write expm({1})")
            return apply(EXP, exponent)
        if arrays.is_square(base) and not exponent.shape:
            value = exponent.value if isinstance(exponent, Const) else None
            if value == -1:
                note("1/x of each entry", "for the inverse write inv({0})")
            else:
                power = "{0} @ {0}" if value == 2 else "{0} @ {0} @ …"
                note("a power of each entry", f"for the power of the matrix write {power}")
        return apply(POW, base, exponent)

    def _absolute(self, opening: Token, value: Any, closing: Token) -> Any:
        node = opened(value)
        if not node.shape:
            return apply(ABS, node)
        source = self.scope.source
        doubled = source[opening.start + 1 : opening.start + 2] == source[closing.start - 1] == "|"
        if doubled and isinstance(value, Barred):
            return apply(arrays.NORM, node.args[0])
        return Barred(apply(ABS, node))

    def _norm(self, opening: Token, value: Any, closing: Token) -> Expr:
        index = closing.text.strip("‖_{}")
        if index not in ("", "2", "F", "₂"):
            raise UnsupportedError(
                f"the norm with index {index}",
                closing.span,
                self.scope.source,
                "there is the Euclidean norm, of a matrix the Frobenius norm: ‖x‖",
            )
        return apply(arrays.NORM, opened(value))

    def _between(self, a: Any, first: Token, b: Any, second: Token, c: Any) -> Expr:
        """`0 < x <= 1`: 1 where both hold."""
        left, right = (_SIGNS.get(sign.text, sign.text) for sign in (first, second))
        if left[0] != right[0] or left[0] not in "<>":
            raise self.scope.wrong(
                second,
                "a second comparison cannot follow",
                "write (0 < x)*(x < 1): 1 where both hold",
            )
        return apply(MUL, _compare(a, first, b), _compare(b, second, c))

    def _piecewise(self, opening: Token, cases: list[Case], closing: Token) -> Any:
        node = _piecewise(opening, cases, closing)
        if isinstance(node, list):
            raise ParseError(
                "only the last case may stand without a condition",
                Span(opening.start, closing.end),
                self.scope.source,
                "cases are written {-x if x < 0, x}",
            )
        return node

    def _call(self, head: Function, opening: Token, arguments: list[Any], closing: Token) -> Expr:
        keywords = [a for a in arguments if isinstance(a, arrays.Keyword)]
        args = [opened(a) for a in arguments if not isinstance(a, arrays.Keyword)]
        node = call(head, args, keywords, self.scope)
        if node.op is EXP and self.scope.latex and arrays.is_square(node):
            (first, _), *_, (_, after) = self.words.children(4)
            self.doubts.reading(
                self.words.span(first, after),
                "e^x of each entry",
                r"for the exponential of the matrix write \operatorname{expm}",
            )
        if node.shape and isinstance(node.op, AbstractOperator) and not node.op.shapes:
            name = node.op.name
            if name not in self.scope.functions:
                (first, _), *_, (_, after) = self.words.children(4)
                self.doubts.reading(
                    self.words.span(first, after),
                    f"{name} of each entry",
                    f"for the other reading declare {name}: function(vector(n)) -> scalar",
                )
        return node


def _transpose(value: Any, sign: Token) -> Expr:
    primes = sum({"″": 2, "‴": 3}.get(c, 1) for c in sign.text) if sign.kind == "PRIME" else 1
    value = opened(value)
    if sign.text == INVERSE_TRANSPOSE:
        value = apply(arrays.INVERSE, value)
    return arrays.transposed(value, primes)


def _range(*children: Any) -> arrays.Range:
    """`a:b`, with either end left out."""
    colon = next(i for i, c in enumerate(children) if isinstance(c, Token))
    ends = [opened(c) for c in children if not isinstance(c, Token)]
    low = ends[0] if colon else None
    return arrays.Range(low, ends[-1] if colon < len(children) - 1 else None)


_ACTIONS: dict[str, Callable[..., Any]] = {
    "": lambda value: value,
    "assignment": lambda name, equals, output: output,
    "derivative_of_target": lambda name, equals, by, output: output._replace(derivative=by),
    "definition": lambda name, opening, names, closing, equals, output: output,
    "derivative": lambda by, output: output._replace(derivative=by),
    "bare": lambda output: output,
    "statement": lambda declared: Statement("declaration", declared=tuple(declared)),
    "scalar": lambda value: Statement("value", (opened(value),)),
    "of_the_next_type": lambda word: (word, None),
    "of_type": lambda word, colon, type_: (word, type_),
    "plain_type": lambda word: Type(word.text, word.span),
    "sized_type": lambda word, o, items, c: Type(word.text, word.span, tuple(items)),
    "tuple_type": lambda o, items, c: Type("()", Span(o.start, c.end), tuple(items)),
    "function_type": lambda word, o, items, c, arrow, result: Type(
        word.text, word.span, tuple(items), result
    ),
    "dimension": lambda token: token,
    "first": _first,
    "another": _another,
    "compare": _compare,
    "add": _binary(ADD),
    "subtract": _binary(SUB),
    "matmul": _binary(arrays.MATMUL),
    "negate": negate,
    "same": lambda sign, value: value,
    "raise_entries": _binary(POW),
    "transpose": _transpose,
    "keyword": lambda token, equals, value: arrays.Keyword(token, opened(value)),
    "range": _range,
    "number": lambda token: number(token.text),
    "group": _group,
    "braced": lambda o, value, c: value.node if isinstance(value, Entrywise) else value,
    "floor": lambda o, value, c: apply(FLOOR, opened(value)),
    "ceil": lambda o, value, c: apply(CEIL, opened(value)),
    "root": lambda o, value, c: apply(SQRT, opened(value)),
    "indexed_root": indexed_root,
    "head": lambda token: Function(token),
    "head_primed": lambda token, primes: Function(token, primes=len(primes.text)),
    "head_raised": lambda token, sign, exponent: Function(token, exponent=tuple(exponent)),
    "head_superscript": lambda token, script: Function(token, exponent=(script_number(script),)),
    "head_indexed": lambda token, sign, index: Function(token, base=index[0]),
    "head_indexed_raised": lambda token, s, index, p, exponent: Function(
        token, 0, tuple(exponent), index[0]
    ),
    "head_raised_indexed": lambda token, p, exponent, s, index: Function(
        token, 0, tuple(exponent), index[0]
    ),
    "negative_script": lambda sign, value: [negate(sign, value)],
    "scripts": lambda o, values, c: [opened(v) for v in values],
    "another_default": lambda cases, word, value: [*cases, Case(opened(value), None)],
    "branch": lambda value, word, condition: Case(opened(value), opened(condition)),
    "default": lambda *values: Case(
        next(opened(v) for v in values if not isinstance(v, Token)), None
    ),
}
