"""Operations on values with one axis in front of those that their nodes know of.

The rows of a Jacobian are pulled back together, one entry of the output each. A vector of
which row i has only its entry i is a diagonal matrix: it is kept as its diagonal for as long
as it only meets element-wise operations, and multiplies a matrix by broadcasting.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chainrule.core import arrays
from chainrule.core.errors import UnsupportedError
from chainrule.core.expr import Apply
from chainrule.core.shape import Dim, add_dims
from chainrule.lower.numpy_code import Code, filled

Size = Callable[[Dim], str]


def write_batched(node: Apply, args: Sequence[Code], size: Size, dtype: str) -> Code:
    """The operation, where an operand has the axis in front.

    Args:
        size: the code of a dimension.

    Raises:
        UnsupportedError: for an operation that cannot be done for all rows together.
    """
    name = node.op.name
    if name == "basis":
        return _basis(node, size, dtype)
    if name == "stack":
        parts = ", ".join(a.text for a in args)
        return Code(f"np.array([{parts}], {dtype})" if not node.shape else f"np.stack([{parts}])")
    diagonal = _diagonal(node, args)
    if diagonal is not None:
        return diagonal
    args = [_dense(a) for a in args]
    if node.op.shape is None:
        return _elementwise(node, args)
    special = _SPECIAL.get(name)
    if special is None:
        raise UnsupportedError(
            f"the Jacobian through `{name}` is not compiled",
            hint="ask for the gradient of one entry, or of a sum",
        )
    return special(node, args, size)


def _basis(node: Apply, size: Size, dtype: str) -> Code:
    dims = [Code(size(d), 6 if isinstance(d, int) or d.isidentifier() else 1) for d in node.shape]
    if len(dims) == 1:
        return Code(f"np.eye({dims[0].text}, dtype={dtype})", diagonal="1")
    count = filled("{0} * {1}", dims).text
    shape = ", ".join(d.text for d in dims)
    return Code(f"np.eye({count}, dtype={dtype}).reshape(-1, {shape})")


def _dense(code: Code) -> Code:
    return code._replace(diagonal="")


def _diagonal(node: Apply, args: Sequence[Code]) -> Code | None:
    """The result as a diagonal, or as rows scaled by one; None where it is neither."""
    slots = [i for i, a in enumerate(args) if a.diagonal]
    if not slots:
        return None
    name, first = node.op.name, slots[0]
    d = args[first].diagonal
    if name == "neg":
        return _as_diagonal(filled("-{0}", [Code(d, args[first].binds)]))
    if len(slots) == 1 and name in ("mul", "div") and (name == "mul" or first == 0):
        other = args[1 - first]
        if other.batched or len(node.shape) != 1:
            return None
        if d == "1" and not node.args[1 - first].shape:
            return None
        if name == "mul" and d == "1":
            return _as_diagonal(other)
        pair = [Code(d, args[first].binds), other]
        template = "{0} * {1}" if name == "mul" else "{0} / {1}"
        return _as_diagonal(filled(template, pair if first == 0 else pair[::-1]))
    if name == "matmul" and not args[1 - first].batched and node.shape:
        matrix = args[1 - first]
        if first == 1:
            matrix = filled("{0}.T", [matrix])
        return _rows(d, matrix)
    return None


def _rows(d: str, matrix: Code) -> Code:
    text = matrix.text.removesuffix(".T.T") if matrix.text.endswith(".T.T") else matrix.text
    matrix = matrix._replace(text=text)
    if d == "1":
        return matrix._replace(batched=True)
    return filled("{0}[:, None] * {1}", [Code(d, 6 if d.isidentifier() else 1), matrix])._replace(
        batched=True
    )


def _as_diagonal(code: Code) -> Code:
    return Code(f"np.diag({code.text})", 6, diagonal=code.text, binds=code.binding)


def _aligned(node: Apply, args: Sequence[Code]) -> list[Code]:
    """Operands of an element-wise operation: axes of length 1 behind the one in front."""
    out = []
    for a, argument in zip(args, node.args, strict=True):
        gap = len(node.shape) - len(argument.shape)
        if a.batched and gap:
            axes = ", ".join([":", *["None"] * gap, *[":"] * len(argument.shape)])
            a = filled(f"{{0}}[{axes}]", [a])
        out.append(a)
    return out


def _elementwise(node: Apply, args: Sequence[Code]) -> Code:
    if node.op.name == "piecewise" or node.op.variadic:
        raise UnsupportedError(f"the Jacobian through `{node.op.name}` is not compiled")
    return filled(node.op.numpy, _aligned(node, args))


def _last(rank: int) -> str:
    return "axis=-1" if rank == 1 else "axis=(-2, -1)"


def _sum(node: Apply, args: Sequence[Code], size: Size) -> Code:
    rank = len(node.args[0].shape)
    axis = f"axis={int(args[1].text) - rank}" if len(args) == 2 else _last(rank)
    return filled(f"{{0}}.{node.op.name}({axis})", args[:1])


def _dot(node: Apply, args: Sequence[Code], size: Size) -> Code:
    return filled(f"({{0}} * {{1}}).sum({_last(len(node.args[0].shape))})", args)


def _matmul(node: Apply, args: Sequence[Code], size: Size) -> Code:
    (a, b), ranks = args, [len(x.shape) for x in node.args]
    if ranks == [1, 1]:
        return _dot(node, args, size)
    if ranks == [2, 1] and not node.shape:
        return filled("({0} * {1}[..., None, :]).sum(axis=(-2, -1))", args)
    if ranks == [2, 1]:
        if not a.batched:
            right = (
                a.text.removesuffix(".T") if a.text.endswith(".T") else filled("{0}.T", [a]).text
            )
            return filled("{0} @ {1}", [b, Code(right)])
        return filled("{0} @ {1}" if not b.batched else "({0} @ {1}[..., None])[..., 0]", args)
    if ranks == [1, 2] and node.args[1].shape[0] == 1 and node.args[0].shape[0] != 1:
        return filled("{0}[..., None] * {1}", args)
    if ranks == [1, 2] and a.batched and b.batched:
        return filled("({0}[:, None] @ {1})[:, 0]", args)
    return filled("{0} @ {1}", args)


def _transpose(node: Apply, args: Sequence[Code], size: Size) -> Code:
    vector = len(node.args[0].shape) == 1
    return filled("{0}[:, None]" if vector else "{0}.swapaxes(-1, -2)", args)


def _full(node: Apply, args: Sequence[Code], size: Size) -> Code:
    gap = len(node.shape) - len(node.args[0].shape)
    axes = ", ".join([":", *["None"] * gap, *[":"] * len(node.args[0].shape)])
    value = filled(f"{{0}}[{axes}]", args[:1]) if gap else args[0]
    dims = ", ".join(size(d) for d in node.shape)
    return Code(f"np.broadcast_to({value.text}, (len({args[0].text}), {dims}))")


def _index(node: Apply, args: Sequence[Code], size: Size) -> Code:
    return filled(f"{{0}}[:, {', '.join(a.text for a in args[1:])}]", args[:1])


def _slice(node: Apply, args: Sequence[Code], size: Size) -> Code:
    bounds = [a.text for a in args[1:]]
    ranges = [f"slice({low}, {high})" for low, high in zip(bounds[::2], bounds[1::2], strict=True)]
    return filled(f"{{0}}[:, {', '.join(ranges)}]", args[:1])


def _concat(node: Apply, args: Sequence[Code], size: Size) -> Code:
    """Parts that are zeros around one that is not are padding."""
    axis, parts = int(args[0].text), list(zip(node.args[1:], args[1:], strict=True))
    inner = [i for i, (_, code) in enumerate(parts) if code.batched]
    zeros = [i for i, (part, _) in enumerate(parts) if arrays.is_zero(part)]
    if len(inner) == len(parts):
        return Code(f"np.concatenate(({', '.join(a.text for a in args[1:])}), axis={axis + 1})")
    if len(inner) != 1 or len(zeros) != len(parts) - 1:
        raise UnsupportedError("the Jacobian through `concat` of these parts is not compiled")
    lengths = [part.shape[axis] for part, _ in parts]
    before = size(add_dims(*lengths[: inner[0]]) if inner[0] else 0)
    after = size(add_dims(*lengths[inner[0] + 1 :]) if inner[0] + 1 < len(parts) else 0)
    widths = ["(0, 0)"] * (len(node.shape) + 1)
    widths[axis + 1] = f"({before}, {after})"
    return Code(f"np.pad({parts[inner[0]][1].text}, ({', '.join(widths)}))")


def _diag(node: Apply, args: Sequence[Code], size: Size) -> Code:
    return filled(f"{{0}}[..., None] * np.eye({size(node.shape[0])}, dtype=bool)", args)


_SPECIAL: dict[str, Callable[[Apply, Sequence[Code], Size], Code]] = {
    "sum": _sum, "mean": _sum, "dot": _dot, "matmul": _matmul, "transpose": _transpose,
    "full": _full, "index": _index, "slice": _slice, "concat": _concat, "diag": _diag,
    "column": lambda n, a, s: filled("{0}[..., None]", a),
    "flat": lambda n, a, s: filled("{0}[..., 0]", a),
    "rowsum": lambda n, a, s: filled(
        "{0}.sum(axis=-1, keepdims=True)" if n.shape else "{0}.sum(axis=-1)", a),
    "diagonal": lambda n, a, s: filled("np.diagonal({0}, axis1=-2, axis2=-1)", a),
    "trace": lambda n, a, s: filled("np.trace({0}, axis1=-2, axis2=-1)", a),
}  # fmt: skip
