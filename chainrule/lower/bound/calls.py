"""From nodes to NumPy calls that have a place for their result.

Element-wise rows say what they are in their column `numpy`, which is read as a tree of
ufuncs; the structural rows stand in `bound_rows`, with the few that have a faster form here.
What is neither is called as the readable form calls it, and copied.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache

from chainrule.core.errors import UnsupportedError
from chainrule.core.expr import Apply, Const, Expr, Sym, const
from chainrule.core.shape import Dim, Shape, affine, size_of
from chainrule.lower.bound.rows import LIMITS, ROWS, ROWWISE, SOFTMAXES, Given, Setting
from chainrule.lower.bound.tape import Tape
from chainrule.lower.bound.values import FREE, UFUNCS, Kind, Value
from chainrule.lower.numpy_code import Code
from chainrule.lower.numpy_expression import Expressions, literal

_OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide",
    ast.Pow: "power", ast.Gt: "greater", ast.GtE: "greater_equal", ast.Lt: "less",
    ast.LtE: "less_equal", ast.Eq: "equal", ast.NotEq: "not_equal",
}  # fmt: skip
# Few classes: the softmax of many rows runs along whole columns when the classes come first.
_FEW = 32
# exp(80) + 1 is exp(80) in either dtype, and far from overflow.
_CAP = 80.0


class Calls:
    """The calls of a program.

    Args:
        sizes: of the named dimensions.
        dtype: of all arrays but labels.
        block: a dimension to take in parts, and the size of one.
        fast_tanh: tanh by one exponential, which is accurate to the rounding of 1.
    """

    def __init__(
        self,
        sizes: Mapping[str, int],
        dtype: str,
        block: tuple[str, int] | None = None,
        fast_tanh: bool = False,
    ) -> None:
        self.tape = Tape()
        self._sizes = sizes
        self._block = block
        self._dtype = dtype
        self._fast_tanh = fast_tanh
        self._values: dict[Expr, Given] = {}
        self._wanted: set[Expr] = set()  # nodes better computed as their transposes
        self._setting = Setting(self.tape, dtype, self.number, self.sized)
        self._texts = Expressions("dtype", lambda dim: str(self.number(dim)))

    # ---- shapes

    def number(self, dim: Dim) -> int:
        """The size of a dimension, of all rows."""
        return size_of(dim, self._sizes)

    def sized(self, shape: Shape) -> tuple[tuple[int, ...], tuple[bool, ...]]:
        """A shape in numbers, and which of its axes run over the rows of a block.

        Raises:
            UnsupportedError: a dimension is made of the blocks' one.
        """
        if self._block is None:
            return tuple(self.number(d) for d in shape), (False,) * len(shape)
        name, rows = self._block
        for d in shape:
            if d != name and name in affine(d):
                raise UnsupportedError(f"blocks of a dimension {d}")
        numbers = tuple(rows if d == name else self.number(d) for d in shape)
        return numbers, tuple(d == name for d in shape)

    # ---- nodes

    def add(
        self, nodes: Sequence[Expr], names: Mapping[Expr, str], labels: Iterable[str] = ()
    ) -> None:
        """Enter the calls of the nodes, arguments first.

        Args:
            nodes: all that is to be computed, in order, with the leaves.
            names: what the schedule calls them.
            labels: inputs that are class numbers.
        """
        self._mark(nodes)
        numbers = set(labels)
        for node in nodes:
            given = Given(self.tape.const(0))
            if isinstance(node, Const):
                given = Given(self.tape.const(float(node.value)))
            elif isinstance(node, Sym):
                if not node.shape and node.name in self._sizes:
                    given = Given(self.tape.const(self._sizes[node.name]))
                else:
                    kind: Kind = "int" if node.name in numbers else "float"
                    given = Given(self.input(node.name, node.shape, kind))
            elif isinstance(node, Apply):
                given = self._apply(node)
            self._values[node] = given
            base = given.value.base
            if isinstance(node, Apply) and base.size == given.value.size:
                base.name = base.name or names.get(node, "")

    def input(self, name: str, shape: Shape, kind: Kind = "float") -> Value:
        """The value of an input."""
        numbers, rows = self.sized(shape)
        return self.tape.make("input", (), (name,), numbers, rows, kind)

    def results(self, nodes: Iterable[Expr]) -> list[Value]:
        """The values of nodes, each in memory of its own: a caller may write there."""
        found: list[Value] = []
        taken: set[Value] = set()
        for i, node in enumerate(nodes):
            value = self.tape.floating(self.plain(node))
            if value.shape and (value.base.op in FREE or value.base in taken):
                value = self.tape.make(
                    "copy", (value,), ("result", float(i)), value.shape, value.rows
                )
            taken.add(value.base)
            found.append(value)
        return found

    def plain(self, node: Expr) -> Value:
        """The value of a node."""
        value, turned = self._values[node]
        return self.tape.transpose(value) if turned else value

    def _transposed(self, node: Expr) -> Value:
        """What a node is in an element-wise call on transposes."""
        value, turned = self._values[node]
        if turned or not value.shape:
            return value
        if len(value.shape) == 1:
            return self.tape.lift(value, 1)
        view = self.tape.transpose(value)
        # One copy costs less than reading with strides, where it is read more than once.
        return self.tape.copy(view) if value.base.op == "input" and value.shape[1] > 1 else view

    def _mark(self, nodes: Sequence[Expr]) -> None:
        """Logits of few classes, and what they are computed from element by element."""
        for node in reversed(nodes):
            if not isinstance(node, Apply):
                continue
            if node.op.name in SOFTMAXES and len(node.args[0].shape) == 2:
                n, k = (self.number(d) for d in node.args[0].shape)
                if 1 < k <= _FEW and n >= 2 * k:
                    self._wanted.add(node.args[0])
            if node in self._wanted and node.op.shape is None:
                same = (a for a in node.args if a.shape == node.shape and isinstance(a, Apply))
                self._wanted.update(same)

    def _apply(self, node: Apply) -> Given:
        name, args = node.op.name, node.args
        given = [self._values[a] for a in args]
        if node.op.shape is None:
            turned = len(node.shape) == 2 and (
                node in self._wanted
                or any(g.turned and a.shape == node.shape for g, a in zip(given, args, strict=True))
            )
            values = [self._transposed(a) if turned else self.plain(a) for a in args]
            return Given(self._elementwise(node, values, turned), turned)
        if name == "matmul" and node in self._wanted and len(args[0].shape) == len(args[1].shape):
            a, b = (self.tape.transpose(self.plain(x)) for x in args)
            return Given(self.tape.dot(b, a), True)
        if name in ROWWISE:
            return Given(ROWWISE[name](self._setting, node, *given), given[0].turned)
        if name in ROWS:
            return Given(ROWS[name](self._setting, node, *given))
        return Given(self._called(node, [self.plain(a) for a in args]))

    def _called(self, node: Apply, values: Sequence[Value], turned: bool = False) -> Value:
        """A call as the readable form writes it, which allocates."""
        codes = []
        for i, value in enumerate(values):
            number = value.number
            if number is None or value.shape:
                codes.append(Code(f"ARG{i}_", test=value.kind == "bool"))
            else:
                codes.append(literal(const(int(number) if number.is_integer() else number)))
        text = self._texts.write(node, codes).text
        shape, rows = self.sized(node.shape[::-1] if turned else node.shape)
        arrays = tuple(v for v in values if v.number is None)
        texts = [f"ARG{i}_" for i, v in enumerate(values) if v.number is None]
        op = "call" if arrays else "fixed"
        return self.tape.make(op, arrays, (text, *texts), shape, rows)

    # ---- element by element

    def _elementwise(self, node: Apply, given: Sequence[Value], turned: bool) -> Value:
        rule = _ELEMENTWISE.get(node.op.name)
        if rule is not None:
            return rule(self, *given)
        try:
            return self._read(_parsed(node.op.numpy, len(given)), given)
        except (KeyError, SyntaxError, IndexError):
            return self._called(node, given, turned)

    def _read(self, tree: ast.expr, given: Sequence[Value]) -> Value:
        """A formula of a row as ufuncs; KeyError where it is more than that.

        It recurses over the formula of one row, not over an expression.
        """
        tape = self.tape
        match tree:
            case ast.Name(id=name) if name.startswith("_"):
                return given[int(name[1:])]
            case ast.Constant(value=int() | float() as number):
                return tape.const(number)
            case ast.Attribute(value=ast.Call(func=ast.Attribute(attr="finfo")), attr=name):
                return tape.const(LIMITS[self._dtype][name])
            case ast.Attribute(value=ast.Name(id="np"), attr="pi" | "e" as name):
                return tape.const(math.pi if name == "pi" else math.e)
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return tape.scale(self._read(inner, given), -1)
            case ast.BinOp(left=left, op=ast.Pow(), right=right):
                return self._power(self._read(left, given), self._read(right, given))
            case (
                ast.BinOp(left=left, op=op, right=right)
                | ast.Compare(left=left, ops=[op], comparators=[right])
            ):
                name = _OPERATORS[type(op)]
                return tape.ufunc(name, self._read(left, given), self._read(right, given))
            case ast.Call(func=ast.Attribute(value=ast.Name(id="np"), attr=name), keywords=[]):
                values = [self._read(a, given) for a in tree.args]
                if name == "where":
                    return tape.where(*values)
                name = "absolute" if name == "abs" else name
                if name in UFUNCS:
                    return tape.ufunc(name, *values)
        raise KeyError(ast.dump(tree))

    def _power(self, a: Value, b: Value) -> Value:
        tape, exponent = self.tape, b.number
        if exponent == 1:
            return a
        if exponent in (2, 3, -2) and a.shape:
            square = tape.ufunc("multiply", a, a)
            if exponent == 3:
                return tape.ufunc("multiply", square, a)
            return square if exponent == 2 else tape.ufunc("divide", tape.const(1), square)
        if exponent == -1:
            return tape.ufunc("divide", tape.const(1), a)
        if exponent == 0.5:
            return tape.ufunc("sqrt", a)
        return tape.ufunc("power", a, b)

    def _negative(self, a: Value) -> Value:
        return self.tape.scale(a, -1)

    def _tanh(self, a: Value) -> Value:
        """1 - 2/(exp(2 a) + 1), where that will do."""
        tape, two = self.tape, self.tape.const(2)
        if not self._fast_tanh or not a.shape:
            return tape.ufunc("tanh", a)
        doubled = tape.ufunc("multiply", a, two)
        raised = tape.make("exp", (doubled,), ("overflows",), a.shape, a.rows)
        below = tape.ufunc("add", raised, tape.const(1))
        return tape.ufunc("subtract", tape.const(1), tape.ufunc("divide", two, below))

    def _capped(self, a: Value) -> Value:
        """exp(a), held at a number against which 1 is nothing."""
        return self.tape.ufunc("exp", self.tape.ufunc("minimum", a, self.tape.const(_CAP)))

    def _sigmoid(self, a: Value) -> Value:
        raised = self._capped(a)
        return self.tape.ufunc("divide", raised, self.tape.ufunc("add", raised, self.tape.const(1)))

    def _softplus(self, a: Value) -> Value:
        """log(1 + exp(a)), with the exponential that `_sigmoid` has."""
        tape = self.tape
        beyond = tape.ufunc("maximum", tape.ufunc("subtract", a, tape.const(_CAP)), tape.const(0))
        return tape.ufunc("add", self._log1p(self._capped(a)), beyond)

    def _log1p(self, e: Value) -> Value:
        """log(1 + e): with u = 1 + e rounded, log(u) + (e - (u - 1))/u, a third of the time."""
        tape, one = self.tape, self.tape.const(1)
        if self._dtype != "float32" or not e.shape:
            return tape.ufunc("log1p", e)
        u = tape.ufunc("add", e, one)
        lost = tape.ufunc("subtract", e, tape.ufunc("subtract", u, one))
        return tape.ufunc("add", tape.ufunc("log", u), tape.ufunc("divide", lost, u))

    def _relu(self, a: Value) -> Value:
        return self.tape.ufunc("maximum", a, self.tape.const(0))

    def _leaky(self, a: Value, slope: Value) -> Value:
        """The greater of a and slope * a, for a slope from 0 to 1."""
        tape, scaled = self.tape, self.tape.ufunc("multiply", a, slope)
        if slope.number is not None and 0 <= slope.number <= 1:
            return tape.ufunc("maximum", a, scaled)
        return tape.where(tape.ufunc("greater", a, tape.const(0)), a, scaled)

    def _greater(self, a: Value, b: Value) -> Value:
        # z > 0 as relu(z) > 0, so that relu may be written over z.
        relu = self.tape.known("maximum", a, b) if b.number == 0 and a.shape else None
        return self.tape.ufunc("greater", relu or a, b)

    def _cases(self, *given: Value) -> Value:
        out = given[-1] if len(given) % 2 else self.tape.const(math.nan)
        for i in reversed(range(len(given) // 2)):
            mask = given[2 * i + 1]
            if mask.kind != "bool":
                mask = self.tape.ufunc("not_equal", mask, self.tape.const(0))
            out = self.tape.where(mask, given[2 * i], out)
        return out

    def _extremum(self, op: str, *given: Value) -> Value:
        out = given[0]
        for value in given[1:]:
            out = self.tape.ufunc(op, out, value)
        return out


def _direct(op: str) -> Callable[..., Value]:
    return lambda calls, *given: calls.tape.ufunc(op, *given)


_ELEMENTWISE: dict[str, Callable[..., Value]] = {
    "add": _direct("add"),
    "sub": _direct("subtract"),
    "mul": _direct("multiply"),
    "div": _direct("divide"),
    "neg": Calls._negative,
    "pow": Calls._power,
    "tanh": Calls._tanh,
    "sigmoid": Calls._sigmoid,
    "softplus": Calls._softplus,
    "relu": Calls._relu,
    "leaky_relu": Calls._leaky,
    "piecewise": Calls._cases,
    "max": lambda calls, *given: calls._extremum("maximum", *given),
    "min": lambda calls, *given: calls._extremum("minimum", *given),
    ">": Calls._greater,
}


@lru_cache(maxsize=256)
def _parsed(template: str, count: int) -> ast.expr:
    text = template.format(*(f"_{i}" for i in range(count)), dtype="dtype")
    return ast.parse(text, mode="eval").body
