"""The product rules of matrices: what neighbours in a chain make together, and transposes.

Identities as in Petersen & Pedersen, *The Matrix Cookbook* (2012), section 1, and Magnus &
Neudecker (2019), chapter 2. Each rule that fires is noted by its name.
"""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.core import arrays
from chainrule.core.arithmetic import ADD, MUL, SUB, mul
from chainrule.core.expr import ONE, ZERO, Apply, Expr, apply, topological
from chainrule.core.linmap import Cut
from chainrule.core.ops import lookup
from chainrule.core.shape import Shape
from chainrule.derivation.matrix.chains import (
    Chain,
    as_column,
    factored,
    flipped,
    is_column,
    is_row,
    joined,
    of_vector,
    read,
    reversed_chain,
)
from chainrule.derivation.matrix.regions import Regions, entrywise, sum_of_terms, terms_of

ROW_DIAGONAL = "v' diag(x) = (v .* x)'"
ONES_DIAGONAL = "1' diag(x) = x'"
DIAGONAL_COLUMN = "diag(x) v = x .* v"
DIAGONALS = "diag(x) diag(y) = diag(x .* y)"
DIAGONAL_SUM = "diag(x) + diag(y) = diag(x + y)"
ONES_SUM = "1' x = sum(x)"
IDENTITY = "I A = A"
INVERSE = "inv(A) A = I"
TRANSPOSED_PRODUCT = "(A B)' = B' A'"
TRANSPOSED_SUM = "(A + B)' = A' + B'"
DISTRIBUTE = "(A + B) x = A x + B x"
COLLECT = "A x + B x = (A + B) x"
ONE_SUM = "sum(x) + sum(y) = sum(x + y)"
INNER = "u' v = sum(u .* v)"
OUTER_INNER = "sum(A .* outer(u, v)) = u' A v"
TRACE_INNER = "sum(A' .* B) = tr(A B)"
NOTHING = "0 A = 0"
SCALARS = "scalar factors to the front"


class Products:
    """The rules, at work on nodes whose arguments are in normal form.

    `careful`: element-wise parts are simplified too; else products are only multiplied out.
    """

    def __init__(self, regions: Regions, careful: bool) -> None:
        self.regions = regions
        self.careful = careful

    def fire(self, rule: str) -> None:
        """Note that a rule changed something."""
        self.regions.fired[rule] = None

    def simple(self, node: Expr) -> Expr:
        """The normal form of a node that may act element by element."""
        return self.collected(self.regions.simplified(node)) if self.careful else node

    def visit(self, node: Apply, args: Sequence[Expr]) -> Expr:
        """The normal form of a node that does not act element by element."""
        same = apply(node.op, *args)
        match node.op.name:
            case "matmul" | "outer":
                return self.product(*read(same), same.shape)
            case "dot" if is_column(args[0]):
                return self.product(*read(same), ())
            case "dot":
                c, a = factored(args[0])
                d, b = factored(args[1])
                inner = self.inner(a, b)
                return mul(mul(c, d), arrays.dot(a, b) if inner is None else inner)
            case "transpose":
                found = self.transposed(args[0])
                if found.shape != same.shape:  # of a row, a matrix of one column
                    return arrays.outer(found, arrays.ones((1,)))
                return found
            case "index" if is_row(args[0]) and args[1:] == [ZERO]:
                return self.column(args[0])
            case "sum":
                return self.summed(args[0], None if len(args) < 2 else int(args[1].value))  # type: ignore[attr-defined]
            case "diag":
                return arrays.diag(args[0])
            case "diagonal":
                return arrays.diagonal(args[0])
            case "inv" if arrays.is_op(args[0], "inv"):
                return args[0].args[0]
            case "trace":
                factor, rest = factored(args[0])
                return mul(factor, self.trace(rest))
            case "expm_frechet":
                return arrays.frechet(*args)
        return same

    def trace(self, node: Expr) -> Expr:
        """The trace of a matrix without coefficient."""
        if arrays.is_op(node, "eye"):
            return arrays.count(node.shape[:1])
        if arrays.is_op(node, "outer"):
            u, v = node.args
            return self.product(*read(apply(lookup("dot"), u, v)), ())
        return apply(lookup("trace"), node)

    def summed(self, node: Expr, axis: int | None) -> Expr:
        """The sum of entries."""
        coefficient, rest = factored(node)
        if axis is None and rest.op is MUL and rest.args[0].shape == rest.args[1].shape:
            inner = self.inner(*rest.args)
            if inner is not None:
                return mul(coefficient, inner)
            if is_column(rest) and not any(map(entrywise, rest.args)):
                first, second = sorted(rest.args, key=_place)
                return mul(coefficient, joined([arrays.transpose(first), second]))
        return arrays.scaled(coefficient, arrays.total(rest, axis))

    def inner(self, a: Expr, b: Expr) -> Expr | None:
        """The inner product of two matrices where it is a product: u' A v, or a trace."""
        if len(a.shape) != 2:
            return None
        for this, other in ((a, b), (b, a)):
            if arrays.is_op(this, "outer"):
                self.fire(OUTER_INNER)
                u, v = this.args
                return self.product(
                    *read(apply(lookup("dot"), u, apply(lookup("matmul"), other, v))), ()
                )
        for this, other in ((a, b), (b, a)):
            if arrays.is_op(this, "transpose") and len(this.args[0].shape) == 2:
                self.fire(TRACE_INNER)
                whole = apply(lookup("matmul"), this.args[0], other)
                return self.trace(self.product(*read(whole), whole.shape))
        return None

    def transposed(self, node: Expr) -> Expr:
        """The transpose, moved to the factors and terms where that makes it simpler."""
        coefficient, factors = read(node)
        if len(factors) > 1:
            self.fire(TRANSPOSED_PRODUCT)
            chain = reversed_chain(factors)
            shape = (1, *node.shape) if is_column(node) else node.shape[::-1]
            return self.product(coefficient, chain, shape[:1] if is_column(chain[-1]) else shape)
        (only,) = factors
        terms = terms_of(only)
        if len(terms) > 1 and all(term.shape == only.shape for _, term in terms):
            moved = []
            for minus, term in terms:
                c, chain = read(term)
                moved.append((minus, arrays.scaled(c, joined(reversed_chain(chain)))))
            if _transposes(t for _, t in moved) <= _transposes(t for _, t in terms):
                self.fire(TRANSPOSED_SUM)
                return arrays.scaled(coefficient, self.simple(sum_of_terms(moved)))
        return arrays.scaled(coefficient, flipped(only))

    def column(self, row: Expr) -> Expr:
        """The vector that a row is the transpose of."""
        if of_vector(row):
            if entrywise(row) and len(terms_of(row)) > 1:
                self.fire(TRANSPOSED_SUM)
            elif len(read(row)[1]) > 1:
                self.fire(TRANSPOSED_PRODUCT)
            return self.simple(as_column(row))
        coefficient, factors = read(row)
        chain = [*(flipped(f) for f in factors[:0:-1]), arrays.column(factors[0])]
        return self.product(coefficient, chain, row.shape[1:])

    def product(self, coefficient: Expr, factors: Sequence[Expr], shape: Shape) -> Expr:
        """The product of the factors, which has this shape."""
        done: list[tuple[bool, Expr]] = []
        waiting = [(False, coefficient, list(factors))]
        while waiting:
            minus, c, chain = waiting.pop()
            # The number 1 as a matrix, of a vector's row that was transposed again.
            chain = [f for f in chain[:-1] if not _is_one(f)] + chain[-1:]
            at = _to_distribute(chain)
            if at is None:
                done.append((minus, self.multiplied(c, chain, shape)))
                continue
            self.fire(DISTRIBUTE)
            for sign, term in reversed(terms_of(chain[at])):
                d, inner = read(term)
                whole = [*chain[:at], *inner, *chain[at + 1 :]]
                waiting.append((minus != sign, mul(c, d), whole))
        return done[0][1] if len(done) == 1 and not done[0][0] else self.simple(sum_of_terms(done))

    def multiplied(self, coefficient: Expr, factors: Sequence[Expr], shape: Shape) -> Expr:
        """The product of factors none of which is a sum to be multiplied out."""
        stack: list[Expr] = []
        for factor in factors:
            if arrays.is_zero(factor):
                self.fire(NOTHING)
                return arrays.zeros(shape)
            coefficient = mul(coefficient, self.push(stack, factor))
        if not stack and shape:
            stack.append(arrays.eye(shape[0]))
        c, stack = self.beside_vectors(stack)
        return self.written(mul(coefficient, c), stack)

    def beside_vectors(self, chain: list[Expr]) -> Chain:
        """diag(d) A x as d .* (A x), and r' A diag(d) as (d .* (A' r))'."""
        coefficient: Expr = ONE
        for turned in (False, True):
            if turned:
                if not (chain and is_row(chain[0]) and of_vector(chain[0])):
                    break
                chain = reversed_chain(chain)
            while chain and is_column(chain[-1]):
                at = max((i for i, f in enumerate(chain) if arrays.is_op(f, "diag")), default=-1)
                if at < 0:
                    break
                self.fire(DIAGONAL_COLUMN)
                c, vector = factored(self.times(chain[at].args[0], joined(chain[at + 1 :])))
                coefficient = mul(coefficient, c)
                chain = [*chain[:at], vector]
            if turned:
                chain = reversed_chain(chain)
        return coefficient, chain

    def push(self, stack: list[Expr], factor: Expr) -> Expr:
        """Put one more factor on a chain; returns the scalar that came of it."""
        coefficient: Expr = ONE
        while True:
            if arrays.is_op(factor, "eye"):
                self.fire(IDENTITY)
                return coefficient
            met = self.meet(stack[-1], factor) if stack else None
            if met is None:
                break
            stack.pop()
            c, factor = factored(met)
            coefficient = mul(coefficient, c)
        if is_column(factor):
            rows = [i for i, f in enumerate(stack) if is_row(f)]
            if rows:
                segment = [*stack[rows[-1] :], factor]
                del stack[rows[-1] :]
                if stack:
                    self.fire(SCALARS)
                return mul(coefficient, self.scalar(segment))
        stack.append(factor)
        return coefficient

    def meet(self, left: Expr, right: Expr) -> Expr | None:
        """What two neighbours make together; None where they stay two."""
        if arrays.is_op(right, "diag"):
            (d,) = right.args
            if arrays.is_op(left, "diag"):
                self.fire(DIAGONALS)
                return arrays.diag(self.times(left.args[0], d))
            if is_row(left):
                row = flipped(left)
                if is_column(row):
                    self.fire(ONES_DIAGONAL if arrays.is_op(row, "ones") else ROW_DIAGONAL)
                    return arrays.transpose(self.times(row, d))
        if arrays.is_op(left, "diag") and is_column(right):
            self.fire(DIAGONAL_COLUMN)
            return self.times(left.args[0], right)
        chosen = self.chosen(left, right)
        if chosen is not None:
            return chosen
        if arrays.is_op(left, "transpose") and arrays.is_op(right, "transpose"):
            first, second = right.args[0], left.args[0]
            if arrays.is_op(first, "inv") or arrays.is_op(second, "inv"):
                return self.undone(first, second)
        return self.undone(left, right)

    def undone(self, left: Expr, right: Expr) -> Expr | None:
        """The identity, where one neighbour is the inverse of the other."""
        for a, b in ((left, right), (right, left)):
            if arrays.is_op(a, "inv") and a.args[0] is b:
                self.fire(INVERSE)
                return arrays.eye(a.shape[0])
        return None

    def chosen(self, left: Expr, right: Expr) -> Expr | None:
        """A part of a vector, as the part of the identity times it; or put back in its place."""
        if arrays.is_op(left, "slice") and is_column(right):
            cut = _selection(left)
            return None if cut is None else cut.push(right)
        if arrays.is_op(left, "transpose") and is_column(right):
            cut = _selection(left.args[0])
            return None if cut is None else cut.pull(right)
        if is_row(left) and of_vector(left):
            cut = _selection(right)
            return None if cut is None else arrays.transpose(cut.pull(flipped(left)))
        return None

    def times(self, a: Expr, b: Expr) -> Expr:
        """The product element by element."""
        return self.simple(arrays.hadamard(a, b))

    def scalar(self, chain: list[Expr]) -> Expr:
        """The value of a row times matrices times a column."""
        row = flipped(chain[0])
        if arrays.is_op(row, "ones"):
            self.fire(ONES_SUM)
            return self.summed(self.written(ONE, chain[1:]), None)
        if len(chain) == 2 and is_column(row):
            column = chain[1]
            if arrays.is_op(column, "ones"):
                self.fire(ONES_SUM)
                return self.summed(row, None)
            if self.careful and (entrywise(row) or entrywise(column)):
                together = self.times(row, column)
                if _size(together) < max(_size(row), _size(column)):
                    self.fire(INNER)
                    return self.summed(together, None)
            first, second = sorted((row, column), key=_place)
            return joined([arrays.transpose(first), second])
        return joined(chain)

    def collected(self, node: Expr) -> Expr:
        """A sum with what its terms have in common drawn out; here, as it is."""
        return node

    def written(self, coefficient: Expr, chain: list[Expr]) -> Expr:
        """The expression of a coefficient and a chain in normal form."""
        if self.careful:
            coefficient = self.regions.simplified(coefficient)
        if not chain:
            return coefficient
        if len(chain) == 1 and arrays.is_op(chain[0], "diag"):
            inside = arrays.scaled(coefficient, chain[0].args[0])
            return zeros_or_diagonal(self.simple(inside))
        return self.simple(arrays.scaled(coefficient, joined(chain)))


def zeros_or_diagonal(vector: Expr) -> Expr:
    """diag(v), with its coefficient inside; of constants, a multiple of the identity."""
    _, rest = factored(vector)
    if arrays.is_op(rest, "ones", "zeros"):
        return arrays.diag(vector)
    return apply(lookup("diag"), vector)


def _selection(node: Expr) -> Cut | None:
    """The map of a part of the identity matrix: some of its rows."""
    if not (arrays.is_op(node, "slice") and arrays.is_op(node.args[0], "eye")):
        return None
    low, high, first, last = node.args[1:]
    if first is not ZERO or last is not arrays.count(node.shape[1:]):
        return None
    return Cut(node.shape[1:], node.shape[:1], (low, high))


def _is_one(factor: Expr) -> bool:
    return arrays.is_op(factor, "ones") and factor.shape == (1, 1)


def _to_distribute(factors: Sequence[Expr]) -> int | None:
    """Where a sum with a diagonal or an outer product meets a row or a column."""
    for i, factor in enumerate(factors):
        if len(factor.shape) == 2 and (factor.op is ADD or factor.op is SUB):
            before = factors[i - 1] if i else None
            after = factors[i + 1] if i + 1 < len(factors) else None
            beside = any(
                f is not None and (arrays.is_op(f, "diag") or meets(f))
                for f, meets in ((before, is_row), (after, is_column))
            )
            special = any(
                arrays.is_op(factored(t)[1], "diag", "outer", "eye") for _, t in terms_of(factor)
            )
            if beside and special:
                return i
    return None


def _transposes(nodes: object) -> int:
    return sum(arrays.is_op(n, "transpose") for n in topological(list(nodes)))  # type: ignore[call-overload]


def _place(vector: Expr) -> tuple[int, str]:
    """Where a vector stands in an inner product: what is short comes first."""
    return len(topological([vector])), repr(vector)


def _size(node: Expr) -> int:
    return len(topological([node])) if node is not ZERO else 0
