"""From nodes to NumPy calls: what each row of the operator table computes, with `out=`.

Element-wise rows say it in their column `numpy`, which is read as a tree of ufuncs; the
structural rows and the few that have a faster form stand here.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction

from chainrule.core.errors import UnsupportedError
from chainrule.core.expr import Apply, Const, Expr, Sym, topological
from chainrule.core.shape import Dim, affine, size_of
from chainrule.lower.bound_tape import BINARY, UNARY, Tape, Value

_OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide",
    ast.Pow: "power", ast.Gt: "greater", ast.GtE: "greater_equal", ast.Lt: "less",
    ast.LtE: "less_equal", ast.Eq: "equal", ast.NotEq: "not_equal",
}  # fmt: skip
_SPELLED = {"abs": "absolute", "pow": "power", "asin": "arcsin", "acos": "arccos"}
# Few classes: a softmax runs along whole rows when the classes come first.
_FEW = 32


class Calls:
    """The calls of a program.

    Attributes:
        tape: what was called so far.
        quick_tanh: tanh by one exponential, accurate to the rounding of 1.
    """

    def __init__(
        self,
        sizes: Mapping[str, int],
        dtype: str,
        block: tuple[str, int] | None = None,
        quick_tanh: bool = False,
    ) -> None:
        self.tape = Tape()
        self.quick_tanh = quick_tanh
        self._sizes = dict(sizes)
        self._dtype = dtype
        self._block = block
        self._values: dict[Expr, Value] = {}
        self._turned: set[Expr] = set()  # nodes whose value holds the transpose

    # ---- shapes

    def number(self, dim: Dim) -> int:
        """The size of a dimension, of all rows."""
        return size_of(dim, self._sizes)

    def sized(self, shape: Sequence[Dim]) -> tuple[tuple[int, ...], tuple[bool, ...]]:
        """A shape in numbers, and which of its axes run over the rows of a block."""
        if self._block is None:
            return tuple(self.number(d) for d in shape), (False,) * len(shape)
        name, rows = self._block
        for d in shape:
            if d != name and name in affine(d):
                raise UnsupportedError(f"a block of {d} rows")
        return (
            tuple(rows if d == name else self.number(d) for d in shape),
            tuple(d == name for d in shape),
        )

    # ---- nodes

    def add(self, roots: Iterable[Expr], names: Mapping[Expr, str], kinds: Mapping[str, str]) -> None:
        """Enter the calls of the nodes; `names` are the schedule's, `kinds` those of inputs."""
        order = topological(roots)
        self._mark(order)
        for node in order:
            if node in self._values:
                continue
            turned = False
            if isinstance(node, Const):
                value = self.tape.const(float(node.value))
            elif isinstance(node, Sym):
                value = self._symbol(node, kinds)
            else:
                assert isinstance(node, Apply)
                value, turned = self._apply(node)
            self._values[node] = value
            if turned:
                self._turned.add(node)
            if not value.name:
                value.name = names.get(node, "")

    def plain(self, node: Expr) -> Value:
        """The value of a node."""
        value = self._values[node]
        return self.tape.transpose(value) if node in self._turned else value

    def turned(self, node: Expr) -> Value:
        """The value of the transpose of a matrix, of a vector as a column."""
        value = self._values[node]
        if node in self._turned or not value.shape:
            return value
        if len(value.shape) == 1:
            return self.tape.lift(value, 1)
        view = self.tape.transpose(value)
        # Strided reads cost more than one copy where the entries are used more than once.
        return self.tape.copy(view) if view.base.op == "input" else view

    def _symbol(self, node: Sym, kinds: Mapping[str, str]) -> Value:
        if not node.shape and node.name in self._sizes:
            return self.tape.const(self._sizes[node.name])
        return self.input(node.name, node.shape, kinds.get(node.name, "float"))

    def input(self, name: str, shape: Sequence[Dim], kind: str) -> Value:
        """The value of an input."""
        numbers, rows = self.sized(shape)
        return self.tape.make("input", (), (name,), numbers, rows, kind)  # type: ignore[arg-type]

    def _mark(self, order: Sequence[Expr]) -> None:
        """Which nodes are better computed as their transposes: logits of few classes."""
        self._wanted: set[Expr] = set()
        for node in reversed(order):
            if not isinstance(node, Apply):
                continue
            name = node.op.name
            if name in ("softmax", "log_softmax", "logsumexp", "cross_entropy", "rowmax"):
                logits = node.args[0]
                if len(logits.shape) == 2:
                    (n, k), _ = self.sized(logits.shape)
                    if 1 < k <= _FEW and n >= 2 * k:
                        self._wanted.add(logits)
            if node in self._wanted and node.op.shape is None:
                self._wanted.update(
                    a for a in node.args if a.shape == node.shape and isinstance(a, Apply)
                )

    def _apply(self, node: Apply) -> tuple[Value, bool]:
        """The value, and whether it holds the transpose."""
        name, args = node.op.name, node.args
        if node.op.shape is None:
            turned = len(node.shape) == 2 and (
                node in self._wanted
                or any(a in self._turned and a.shape == node.shape for a in args)
            )
            given = [self.turned(a) if turned else self.plain(a) for a in args]
            return self._elementwise(node, given), turned
        if node in self._wanted and name == "matmul" and len(args[0].shape) == len(args[1].shape):
            a, b = (self.tape.transpose(self.plain(x)) for x in args)
            return self.tape.dot(b, a), True
        if name in ("softmax", "log_softmax") and args[0] in self._turned:
            return _STRUCTURAL[name](self, node, [self._values[args[0]]]), True
        rule = _STRUCTURAL.get(name)
        given = [self.plain(a) for a in args]
        if rule is not None:
            return rule(self, node, given), False
        return self._other(node, given), False

    def _elementwise(self, node: Apply, given: list[Value]) -> Value:
        name, tape = node.op.name, self.tape
        if name in _DIRECT:
            return tape.ufunc(_DIRECT[name], *given)
        rule = _ELEMENTWISE.get(name)
        if rule is not None:
            return rule(self, given)
        template = node.op.numpy
        if node.op.variadic or not template:
            return self._other(node, given)
        try:
            return self._read(_parsed(template, len(given)), given)
        except KeyError:
            return self._other(node, given)

    def _read(self, tree: ast.expr, given: list[Value]) -> Value:
        """A formula of a row as ufuncs; KeyError where it is none."""
        tape = self.tape
        match tree:
            case ast.Name(id=name) if name.startswith("_"):
                return given[int(name[1:])]
            case ast.Constant(value=int() | float() as number):
                return tape.const(number)
            case ast.Attribute(value=ast.Name(id="np"), attr="pi" | "e" as name):
                return tape.const(getattr(math, name))
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return tape.ufunc("negative", self._read(inner, given))
            case ast.BinOp(left=left, op=op, right=right):
                a, b = self._read(left, given), self._read(right, given)
                return self._power(a, b) if isinstance(op, ast.Pow) else tape.ufunc(
                    _OPERATORS[type(op)], a, b
                )
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return tape.ufunc(
                    _OPERATORS[type(op)], self._read(left, given), self._read(right, given)
                )
            case ast.Call(func=ast.Attribute(value=ast.Name(id="np"), attr=name), args=args, keywords=[]):
                name = _SPELLED.get(name, name)
                if name != "where" and name not in BINARY | UNARY:
                    raise KeyError(name)
                values = [self._read(a, given) for a in args]
                if name == "where":
                    return tape.where(*values)
                return self._tanh(values[0]) if name == "tanh" else tape.ufunc(name, *values)
        raise KeyError(ast.dump(tree))

    def _other(self, node: Apply, given: list[Value]) -> Value:
        """A call of the row's own formula, which allocates."""
        raise UnsupportedError(f"{node.op.name} in the preallocated form")

    # ---- pieces

    def _power(self, a: Value, b: Value) -> Value:
        tape, exponent = self.tape, b.number
        if exponent == 1:
            return a
        if exponent == 2:
            return tape.ufunc("multiply", a, a)
        if exponent == 3 and a.shape:
            return tape.ufunc("multiply", tape.ufunc("multiply", a, a), a)
        if exponent == -1:
            return tape.ufunc("divide", tape.const(1), a)
        if exponent == 0.5:
            return tape.ufunc("sqrt", a)
        if exponent == -2:
            return tape.ufunc("divide", tape.const(1), tape.ufunc("multiply", a, a))
        return tape.ufunc("power", a, b)

    def _tanh(self, a: Value) -> Value:
        tape = self.tape
        if not self.quick_tanh or not a.shape:
            return tape.ufunc("tanh", a)
        # 1 - 2 / (exp(2 a) + 1)
        grown = tape.ufunc("exp", tape.ufunc("multiply", a, tape.const(2)))
        below = tape.ufunc("add", grown, tape.const(1))
        return tape.ufunc("subtract", tape.const(1), tape.ufunc("divide", tape.const(2), below))

    def _capped_exp(self, a: Value) -> Value:
        """exp(a), held where it would overflow: at exp(_CAP), against which 1 is nothing."""
        return self.tape.ufunc("exp", self.tape.ufunc("minimum", a, self.tape.const(_CAP)))

    def _sigmoid(self, given: list[Value]) -> Value:
        tape, e = self.tape, self._capped_exp(given[0])
        return tape.ufunc("divide", e, tape.ufunc("add", e, tape.const(1)))

    def _softplus(self, given: list[Value]) -> Value:
        tape, (a,) = self.tape, given
        beyond = tape.ufunc("maximum", tape.ufunc("subtract", a, tape.const(_CAP)), tape.const(0))
        return tape.ufunc("add", self._log1p(self._capped_exp(a)), beyond)

    def _log1p(self, e: Value) -> Value:
        """log(1 + e): with u = 1 + e rounded, log(u) + (e - (u - 1))/u, which NumPy has fast."""
        tape, one = self.tape, self.tape.const(1)
        if self._dtype != "float32" or not e.shape:
            return tape.ufunc("log1p", e)
        u = tape.ufunc("add", e, one)
        lost = tape.ufunc("subtract", e, tape.ufunc("subtract", u, one))
        return tape.ufunc("add", tape.ufunc("log", u), tape.ufunc("divide", lost, u))

    def _relation(self, op: str, given: list[Value]) -> Value:
        a, b = given
        # z > 0 as relu(z) > 0, so that relu may be computed in place.
        if op == "greater" and b.number == 0 and a.shape:
            a = self.tape.known("maximum", a, b) or a
        return self.tape.ufunc(op, a, b)

    def _cases(self, given: list[Value]) -> Value:
        pairs = len(given) // 2
        out = given[-1] if len(given) % 2 else self.tape.const(math.nan)
        for i in reversed(range(pairs)):
            mask = given[2 * i + 1]
            if mask.kind != "bool":
                mask = self.tape.ufunc("not_equal", mask, self.tape.const(0))
            out = self.tape.where(mask, given[2 * i], out)
        return out

    def _extremum(self, op: str, given: list[Value]) -> Value:
        out = given[0]
        for value in given[1:]:
            out = self.tape.ufunc(op, out, value)
        return out

    # ---- structural rows

    def _matmul(self, node: Apply, given: list[Value]) -> Value:
        tape, (a, b) = self.tape, given
        if len(a.shape) == 1 and len(b.shape) == 2 and b.shape[0] == 1 and a.shape[0] != 1:
            return tape.ufunc("multiply", tape.lift(a, 1), b)
        if len(a.shape) == 2 and len(b.shape) == 1 and a.shape[0] == 1:
            return tape.dot(tape.drop(a, 0), b)
        return tape.dot(a, b)

    def _transpose(self, node: Apply, given: list[Value]) -> Value:
        (a,) = given
        return self.tape.transpose(a) if len(a.shape) == 2 else self.tape.lift(a, 0)

    def _outer(self, node: Apply, given: list[Value]) -> Value:
        a, b = given
        return self.tape.ufunc("multiply", self.tape.lift(a, 1), self.tape.lift(b, 0))

    def _sum(self, node: Apply, given: list[Value]) -> Value:
        axis = given[1].number if len(given) > 1 else None
        return self.tape.total(given[0], None if axis is None else int(axis))

    def _mean(self, node: Apply, given: list[Value]) -> Value:
        shape = [self.number(d) for d in node.args[0].shape]
        count = math.prod(shape) if len(given) == 1 else shape[int(given[1].number or 0)]
        return self.tape.ufunc("divide", self._sum(node, given), self.tape.const(count))

    def _mse(self, node: Apply, given: list[Value]) -> Value:
        gap = self.tape.ufunc("subtract", *given)
        count = math.prod(self.number(d) for d in node.args[0].shape)
        squares = self.tape.vdot(gap, gap) if gap.shape else self.tape.ufunc("multiply", gap, gap)
        return self.tape.ufunc("divide", squares, self.tape.const(count))

    def _along_rows(self, node: Apply, given: list[Value]) -> Value:
        """The greatest, or the sum, of each row, as a column."""
        tape, op = self.tape, "maximum" if node.op.name == "rowmax" else "add"
        if len(node.args[0].shape) < 2:
            return tape.reduce(op, given[0], 0)
        if node.args[0] in self._turned:
            return tape.lift(tape.reduce(op, self._values[node.args[0]], 0), 1)
        found = tape.reduce(op, given[0], 1) if op == "maximum" else tape.total(given[0], 1)
        return tape.lift(found, 1)

    def _full(self, node: Apply, given: list[Value]) -> Value:
        shape, rows = self.sized(node.shape)
        return self.tape.ufunc("add", self.tape.full(0.0, shape, rows), given[1])

    def _norm(self, node: Apply, given: list[Value]) -> Value:
        return self.tape.ufunc("sqrt", self.tape.vdot(given[0], given[0]))

    def _shifted(self, z: Value, first: bool) -> tuple[Value, Value, Value, Value]:
        """Row maxima, z minus them, its exponential, their sums over the classes."""
        tape = self.tape
        axis = 0 if first or len(z.shape) == 1 else 1

        def spread(v: Value) -> Value:
            return tape.lift(v, 1) if axis == 1 else v

        top = tape.reduce("maximum", z, axis)
        gap = tape.ufunc("subtract", z, spread(top))
        e = tape.ufunc("exp", gap)
        if len(z.shape) == 1:
            total = tape.total(e)
        elif axis == 0:
            total = tape.reduce("add", e, 0)
        else:
            total = tape.total(e, 1)
        return top, gap, e, total

    def _softmax(self, node: Apply, given: list[Value]) -> Value:
        first = node.args[0] in self._turned
        _, _, e, total = self._shifted(given[0], first)
        if len(e.shape) == 2 and not first:
            total = self.tape.lift(total, 1)
        return self.tape.ufunc("divide", e, total)

    def _log_softmax(self, node: Apply, given: list[Value]) -> Value:
        first = node.args[0] in self._turned
        _, gap, _, total = self._shifted(given[0], first)
        log = self.tape.ufunc("log", total)
        if len(gap.shape) == 2 and not first:
            log = self.tape.lift(log, 1)
        return self.tape.ufunc("subtract", gap, log)

    def _logsumexp(self, node: Apply, given: list[Value]) -> Value:
        first = node.args[0] in self._turned
        z = self._values[node.args[0]] if first else given[0]
        top, _, _, total = self._shifted(z, first)
        return self.tape.ufunc("add", self.tape.ufunc("log", total), top)

    def _cross_entropy(self, node: Apply, given: list[Value]) -> Value:
        tape, logits = self.tape, node.args[0]
        first = logits in self._turned
        z = self._values[logits] if first else given[0]
        _, gap, _, total = self._shifted(z, first)
        labels = self.turned(node.args[1]) if first else given[1]
        rows = 1 if len(node.args[0].shape) == 1 else self.number(node.args[0].shape[0])
        picked = tape.vdot(gap, labels)
        loss = tape.ufunc("subtract", tape.total(tape.ufunc("log", total)), picked)
        return tape.ufunc("divide", loss, tape.const(rows))

    def _filled(self, node: Apply, given: list[Value]) -> Value:
        shape, rows = self.sized(node.shape)
        return self.tape.full(1.0 if node.op.name == "ones" else 0.0, shape, rows)


_CAP = 80.0
_DIRECT = {
    "add": "add", "sub": "subtract", "mul": "multiply", "div": "divide", "neg": "negative",
    "exp": "exp", "ln": "log", "sqrt": "sqrt",
}  # fmt: skip
_SIGNS = {
    ">": "greater", ">=": "greater_equal", "<": "less", "<=": "less_equal", "==": "equal",
    "!=": "not_equal",
}  # fmt: skip
_ELEMENTWISE: dict[str, Callable[[Calls, list[Value]], Value]] = {
    "power": lambda c, v: c._power(*v),
    "tanh": lambda c, v: c._tanh(v[0]),
    "sigmoid": Calls._sigmoid,
    "softplus": Calls._softplus,
    "piecewise": Calls._cases,
    "max": lambda c, v: c._extremum("maximum", v),
    "min": lambda c, v: c._extremum("minimum", v),
    "relu": lambda c, v: c.tape.ufunc("maximum", v[0], c.tape.const(0)),
    **{sign: (lambda c, v, op=op: c._relation(op, v)) for sign, op in _SIGNS.items()},
}
_STRUCTURAL: dict[str, Callable[[Calls, Apply, list[Value]], Value]] = {
    "matmul": Calls._matmul,
    "transpose": Calls._transpose,
    "dot": lambda c, n, v: c.tape.vdot(*v),
    "outer": Calls._outer,
    "sum": Calls._sum,
    "mean": Calls._mean,
    "mse": Calls._mse,
    "norm": Calls._norm,
    "softmax": Calls._softmax,
    "log_softmax": Calls._log_softmax,
    "logsumexp": Calls._logsumexp,
    "cross_entropy": Calls._cross_entropy,
    "rowmax": Calls._along_rows,
    "rowsum": Calls._along_rows,
    "column": lambda c, n, v: c.tape.lift(v[0], 1),
    "flat": lambda c, n, v: c.tape.drop(v[0], 1),
    "full": Calls._full,
    "ones": Calls._filled,
    "zeros": Calls._filled,
}


def _parsed(template: str, count: int) -> ast.expr:
    return ast.parse(template.format(*(f"_{i}" for i in range(count))), mode="eval").body
