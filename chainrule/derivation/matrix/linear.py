"""The Jacobian read off a differential: from dy = A dx to A.

Magnus & Neudecker, *Matrix Differential Calculus* (2019), chapter 5, the first
identification theorem.
"""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.core import arrays
from chainrule.core.arithmetic import ADD, DIV, MUL, NEG, SUB, div
from chainrule.core.expr import ONE, ZERO, Apply, Expr, apply, symbol, topological
from chainrule.core.linmap import LinMap
from chainrule.core.ops import lookup
from chainrule.derivation.matrix.chains import flipped, is_column, is_row
from chainrule.derivation.matrix.simplify import ArraySimplifier


def jacobian_of(m: LinMap, simplify: ArraySimplifier) -> Expr | None:
    """The Jacobian in numerator layout; None where it is a tensor of order three or more."""
    if len(m.domain) > 1 or len(m.codomain) > 1:
        return None
    known = m.matrix()
    if known is not None or not m.domain:
        return m.push(ONE) if known is None else known
    change = symbol("d ", m.domain)  # a name that no program has
    return coefficient(simplify(m.push(change)).result, change)


@dataclass(frozen=True, slots=True)
class _Linear:
    """A node that is linear in the change: `jacobian` of it, or of its transpose if a row.

    With `left` and `right` it is the matrix left @ diag(e) @ right, and the Jacobian that of e.
    """

    jacobian: Expr
    row: bool = False
    left: Expr | None = None
    right: Expr | None = None


def coefficient(value: Expr, change: Expr) -> Expr | None:
    """The matrix A with value = A @ change; None where it cannot be read off.

    >>> x, A = symbol("x", ("n",)), symbol("A", ("m", "n"))
    >>> coefficient(A @ (x * symbol("h", ("n",))), symbol("h", ("n",)))
    matmul(A, diag(x))
    """
    found: dict[Expr, _Linear] = {change: _Linear(arrays.eye(change.shape[0]))}
    for node in topological([value]):
        if isinstance(node, Apply) and any(a in found for a in node.args):
            step = _step(node, found)
            if step is None:
                return None
            found[node] = step
    done = found.get(value)
    if done is None:
        return arrays.zeros((*value.shape, *change.shape) if value.shape else (1, *change.shape))
    return done.jacobian if not done.row and done.left is None else None


def _step(node: Apply, found: dict[Expr, _Linear]) -> _Linear | None:
    parts = [found.get(a) for a in node.args]
    if any(p is not None and p.left is not None for p in parts) and node.op.name != "matmul":
        return None
    op, args = node.op, node.args
    if op in (ADD, SUB, NEG):
        return _sum(node, parts)
    if op in (MUL, DIV):
        return _scaled(node, parts)
    if op.name == "matmul":
        return _product(args[0], args[1], parts)
    (own,) = parts[:1]
    if op.name == "dot" and is_column(args[0]) and parts.count(None) == 1:
        slot = 0 if own is not None else 1
        linear = parts[slot]
        assert linear is not None
        return _Linear(_times(arrays.transpose(args[1 - slot]), linear.jacobian))
    if own is None:
        return None
    if op.name == "transpose" and (is_column(args[0]) or own.row):
        return _Linear(own.jacobian, not own.row)
    if op.name == "sum" and is_column(args[0]):
        return _Linear(_times(arrays.ones((1, *args[0].shape)), own.jacobian))
    if op.name == "diag":
        unit = arrays.eye(args[0].shape[0])
        return _Linear(own.jacobian, False, unit, unit)
    if op.name in ("index", "slice") and is_column(args[0]):
        if op.name == "slice":
            columns = own.jacobian.shape[1:]
            bounds = [*args[1:], *(_bounds(columns[0]) if columns else [])]
            return _Linear(apply(op, own.jacobian, *bounds))
        if len(own.jacobian.shape) == 2:
            picked = apply(op, own.jacobian, args[1])
            return _Linear(arrays.transpose(picked))
    return None


def _bounds(dim: int | str) -> list[Expr]:
    from_size = arrays.count((dim,))
    return [ZERO, from_size]


def _sum(node: Apply, parts: list[_Linear | None]) -> _Linear | None:
    """Of terms of one shape; a term without the change would not be linear."""
    rows = {p.row for p in parts if p is not None}
    if None in parts or len(rows) != 1 or any(a.shape != node.shape for a in node.args):
        return None
    jacobians = [p.jacobian for p in parts if p is not None]
    return _Linear(apply(node.op, *jacobians), rows.pop())


def _scaled(node: Apply, parts: list[_Linear | None]) -> _Linear | None:
    """Times or divided by what does not change."""
    if parts.count(None) != 1 or (node.op is DIV and parts[0] is None):
        return None
    slot = 0 if parts[0] is not None else 1
    own, other = parts[slot], node.args[1 - slot]
    assert own is not None
    factor = div(ONE, other) if node.op is DIV else other
    if not factor.shape:
        return _Linear(arrays.scaled(factor, own.jacobian), own.row)
    if own.row or len(node.shape) != 1:
        return None
    if not node.args[slot].shape:  # a scalar change times a vector
        return _Linear(_times(factor, own.jacobian))
    return _Linear(_times(arrays.diag(factor), own.jacobian))


def _product(a: Expr, b: Expr, parts: list[_Linear | None]) -> _Linear | None:
    left, right = parts
    if (left is None) == (right is None):
        return None
    if right is not None:
        if right.left is not None and right.right is not None:
            return _Linear(right.jacobian, False, _times(a, right.left), right.right)
        if is_column(a) and is_column(b):
            return _Linear(_times(arrays.transpose(a), right.jacobian))
        return None if right.row or is_column(a) else _Linear(_times(a, right.jacobian))
    assert left is not None
    if left.left is not None and left.right is not None:
        if is_column(b):
            inner = _times(left.right, b)
            return _Linear(_times(_times(left.left, arrays.diag(inner)), left.jacobian))
        return _Linear(left.jacobian, False, left.left, _times(left.right, b))
    if left.row or is_column(a):
        # (e' B)' = B' e
        flip = arrays.transpose(b)
        keeps = left.row and len(b.shape) == 2 and is_row(a)
        return _Linear(_times(flip, left.jacobian), keeps)
    return None


def _times(a: Expr, b: Expr) -> Expr:
    """The product of two Jacobians."""
    if not a.shape or not b.shape:
        return arrays.scaled(a, b)
    if is_column(a):
        return apply(lookup("outer"), a, flipped(b))
    return arrays.matmul(a, b)
