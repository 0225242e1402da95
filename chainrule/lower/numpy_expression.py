"""Operations as NumPy expressions, from the column `numpy` of the operator table.

What a row's template does not say is decided here: axes, shapes, dtypes, truth values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from math import isinf

from chainrule.core import arrays
from chainrule.core.errors import UnsupportedError
from chainrule.core.expr import Apply, Const, number_text
from chainrule.core.ops import Operator
from chainrule.core.shape import Dim, Shape, affine
from chainrule.core.table.abstract import AbstractOperator
from chainrule.lower.branches import Floats
from chainrule.lower.helpers import TEMPLATES
from chainrule.lower.numpy_batched import write_batched
from chainrule.lower.numpy_code import (
    ATOM,
    PRODUCT,
    UNARY,
    Code,
    Template,
    filled,
    filling,
    operation_code,
    read,
)

_LARGEST_INT = 2**31  # larger ones are written as floats: NumPy has no use for them
_FEW = 8
_DEEPEST = 32  # calls in calls; Python reads 200

_RELATIONS = {sign: f"{{0}} {sign} {{1}}" for sign in ("<", "<=", ">", ">=", "==", "!=")}
_BATCHED = frozenset({"basis", "stack"})
_PYTHON_ARITHMETIC = frozenset({"add", "sub", "mul", "div", "neg", "pow"})


def literal(node: Const) -> Code:
    """A number of Python with the value of the constant.

    >>> from chainrule.core.expr import const
    >>> literal(const(Fraction(1, 3))).text, literal(const(-0.5)).text
    ('1 / 3', '-0.5')
    """
    value = Fraction(node.value)
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    if isinf(number):
        raise UnsupportedError(
            f"the constant {number_text(node)[:20]}… is larger than any floating-point number"
        )
    if value.denominator == 1:
        text = str(node.value) if abs(value) < _LARGEST_INT else repr(number)
    elif node.decimal or max(abs(value.numerator), value.denominator) >= _LARGEST_INT:
        text = repr(number)
    else:
        text = f"{value.numerator} / {value.denominator}"
    binding = PRODUCT if "/" in text else UNARY if text[0] == "-" else ATOM
    return Code(text, binding, python=True, number=number)


def _small(code: Code) -> bool:
    return code.number is not None and abs(code.number) <= 16


def _is_short(code: Code) -> bool:
    """Whether it is a number, or a few operations on sizes: no giant whole number."""
    return code.operations <= _FEW or code.text.startswith("float(")


def _known(node: Apply, args: Sequence[Code]) -> Code | None:
    """A constant as the number that it is; sums of dimensions and what Python lacks stay."""
    numbers = [a.number for a in args]
    if any(n is None for n in numbers):
        return None
    try:
        number = float(node.op.mpmath(Floats(), *numbers))
    except OverflowError:
        number = float("inf")
    except (ValueError, ZeroDivisionError):
        number = float("nan")
    except (AttributeError, TypeError, NotImplementedError):  # a row of generated code stays
        return None
    if isinf(number):
        raise UnsupportedError(f"the constant {node!r} is larger than any floating-point number")
    if not args:  # e and pi have names
        return Code(node.op.numpy, python=True, number=number)
    text = str(int(number)) if number.is_integer() and abs(number) < _LARGEST_INT else repr(number)
    if number != number:
        text = "np.nan"
    return Code(text, UNARY if text[0] == "-" else ATOM, python=True, number=number)


def _plain(op: Operator) -> Template | None:
    """The template of a row that says it all; None where something is decided here."""
    decided = isinstance(op, AbstractOperator) or op.notation == "relation" or op.shape is not None
    if decided or op.variadic or op.name in _BATCHED or op.name == "piecewise":
        return None
    template = TEMPLATES.get(op.name, op.numpy)
    return None if "{dtype}" in template else read(template)


def dimension_code(dim: Dim, names: Mapping[str, str]) -> str:
    """The size of a dimension, over the identifiers of the named ones.

    >>> dimension_code("2*m + n - 1", {"m": "m", "n": "n"})
    '2 * m + n - 1'
    """
    text = ""
    for name, count in affine(dim).items():
        size = str(abs(count)) if not name else names[name]
        if name and abs(count) != 1:
            size = f"{abs(count)} * {size}"
        sign = "-" if count < 0 else "+"
        text = f"{text} {sign} {size}" if text else size if count > 0 else f"-{size}"
    return text or "0"


class Expressions:
    """Writes operations.

    Attributes:
        dtype: how the code calls the dtype of its arrays.
        dimension: the code of a dimension.
    """

    def __init__(self, dtype: str, dimension: Callable[[Dim], str]) -> None:
        self.dtype = dtype
        self.dimension = dimension
        self._plain: dict[Operator, Template | None] = {}  # what is filled in, and nothing else

    def write(self, node: Apply, args: Sequence[Code]) -> Code:
        """The operation on operands that are written already."""
        op = node.op
        operations, python = 1, not node.shape
        if op in self._plain:
            plain = self._plain[op]
        else:
            plain = self._plain[op] = _plain(op)
        for a in args:
            operations += a.operations
            if not a.python:
                python = False
                if a.test or a.batched:
                    plain = None
            elif a.test:
                plain = None
        if plain and not python:
            text, binding = filling(plain, args)
            return operation_code(text, binding, operations)
        if isinstance(op, AbstractOperator):
            raise UnsupportedError(
                f"{op.name} is only a name: there is no code for it",
                hint="define it by a statement, as `u = x^2`",
            )
        if op.name in _BATCHED or any(a.batched for a in args):
            args = [self.number(a) for a in args]
            found = write_batched(node, args, self.dimension, self.dtype)
            return found._replace(batched=True, operations=operations)
        if op.notation == "relation":
            found = filled(_RELATIONS[op.name], [self.number(a) for a in args])
            return found._replace(test=True, python=python, operations=operations)
        if python and (known := _known(node, args)) is not None:
            return known
        # True and False stand for 1 and 0 only beside an array or scalar with the dtype.
        beside = op.name == "mul" and any(not (a.test or a.python) for a in args)
        if not beside and op.name != "piecewise":
            args = [self.number(a) for a in args]
        if python and op.name == "pow" and not (_small(args[1]) and _is_short(args[0])):
            # No giant whole numbers, and infinity where it is too large.
            found = filled("float(np.power(float({0}), {1}))", args)
            return found._replace(python=True, operations=operations)
        if python and op.name == "div" and args[1].number == 0:
            # Python's numbers refuse what NumPy's say is infinite.
            found = filled("float(np.divide({0}, {1}))", args)
            return found._replace(python=True, operations=operations)
        if python and op.name == "mul" and not all(map(_is_short, args)):
            return filled("float({0}) * {1}", args)._replace(python=True, operations=operations)
        found = self._special(node, args)
        if python and op.name not in _PYTHON_ARITHMETIC and args:
            found = Code(f"float({found.text})")
        return found._replace(python=python, operations=operations)

    def number(self, code: Code) -> Code:
        """A truth value as a number of the dtype."""
        if not code.test:
            return code
        if code.python:
            return code._replace(text=f"float({code.text})", binding=ATOM, test=False)
        found = filled("{0}.astype({1})", (code, Code(self.dtype)))
        return found._replace(operations=code.operations)

    def _special(self, node: Apply, args: Sequence[Code]) -> Code:
        op, shape = node.op, node.shape
        match op.name:
            case "sum" | "mean":
                axis = f"axis={args[1].text}" if len(args) == 2 else ""
                return filled(op.numpy.replace("{axis}", axis), args[:1])
            case "rowmax" | "rowsum":
                keep = "axis=1, keepdims=True" if shape else ""
                return filled(op.numpy.replace("{keep}", keep), args)
            case "ones" | "zeros" | "full" | "eye" | "unit" | "one_hot":
                template = op.numpy.replace("{shape}", self.shape(shape))
                return filled(template.replace("{dtype}", self.dtype), args)
            case "index":
                places = ", ".join(a.text for a in args[1:])
                return filled(f"{{0}}[{places}]", args[:1])
            case "slice":
                return filled(f"{{0}}[{_ranges(node, args)}]", args[:1])
            case "concat":
                parts = ", ".join(a.text for a in args[1:])
                return Code(f"np.concatenate(({parts}), axis={args[0].text})")
            case "max" | "min":
                return _nested(f"np.{op.name}imum", args)
            case "piecewise":
                return self._cases(args)
            case "matmul" if not shape and len(node.args[0].shape) == 2:
                return filled("({0} @ {1})[0]", args)
            case "matmul" if _is_outer(node):
                return filled("np.outer({0}, {1})", args)
            case "transpose" if len(node.args[0].shape) == 1:
                return filled("{0}[None, :]", args)
            case "diagonal":
                return filled("np.diagonal({0}).copy()", args)
            case "matmul" | "transpose" if len(node.args[0].shape) == 0:
                return args[0]
        return self._filled(TEMPLATES.get(op.name, op.numpy), args)

    def _filled(self, template: str, args: Sequence[Code]) -> Code:
        return filled(template.replace("{dtype}", self.dtype), args)

    def _cases(self, args: Sequence[Code]) -> Code:
        """Nested `np.where`; at least one branch has the dtype of the arrays."""
        branches = [self.number(a) for a in args[0::2]]
        conditions = args[1::2]
        if len(branches) == len(conditions):
            branches.append(Code("np.nan", python=True))
        if all(b.python for b in branches):
            branches[-1] = Code(f"{self.dtype}({branches[-1].text})")
        found = branches.pop()
        tests = [c if c.test else filled("{0} != 0", (c,)) for c in conditions]
        if len(tests) > _DEEPEST:
            held, values = (", ".join(code.text for code in codes) for codes in (tests, branches))
            return Code(f"np.select([{held}], [{values}], {found.text})[()]")
        for branch, test in zip(reversed(branches), reversed(tests), strict=True):
            found = filled("np.where({0}, {1}, {2})", (test, branch, found))
        return found

    def shape(self, shape: Shape) -> str:
        """A tuple, or the one dimension."""
        dims = [self.dimension(d) for d in shape]
        return dims[0] if len(dims) == 1 else f"({', '.join(dims)})"


def _is_outer(node: Apply) -> bool:
    a, b = node.args
    return len(a.shape) == 1 and len(b.shape) == 2 and b.shape[0] == 1 and a.shape[0] != 1


def _ranges(node: Apply, args: Sequence[Code]) -> str:
    parts = []
    for axis, dim in enumerate(node.args[0].shape):
        low, high = args[2 * axis + 1 : 2 * axis + 3]
        ends = ["" if low.text == "0" else low.text, high.text]
        if arrays.dim_of(node.args[2 * axis + 2]) == dim:
            ends[1] = ""
        simple = all(end.isidentifier() or end.isdigit() for end in ends if end)
        parts.append(":".join(ends) if simple else " : ".join(ends).strip())
    return ", ".join(parts)


def _nested(function: str, args: Sequence[Code]) -> Code:
    """A function of two, of many: one after the other, or of halves where they are very many."""
    texts = [a.text for a in args]
    while len(texts) > _DEEPEST:
        pairs = [f"{function}({a}, {b})" for a, b in zip(texts[::2], texts[1::2], strict=False)]
        texts = pairs + texts[len(pairs) * 2 :]
    found = texts[0]
    for text in texts[1:]:
        found = f"{function}({found}, {text})"
    return args[0] if len(args) == 1 else Code(found)
