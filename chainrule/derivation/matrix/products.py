"""Products, transposes and sums of matrices in the form a person would write.

A product is a scalar coefficient and a chain of factors that multiply as matrices: a vector
is a column, its transpose a row. Neighbours in the chain meet by named rules, a row and a
column further on make a scalar. Identities as in Petersen & Pedersen, *The Matrix Cookbook*
(2012), section 1, and Magnus & Neudecker (2019), chapter 2.
"""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.core import arrays
from chainrule.core.arithmetic import ADD, DIV, MUL, NEG, SUB, div, mul, neg
from chainrule.core.expr import ONE, ZERO, Apply, Expr, apply, topological
from chainrule.core.linmap import Cut
from chainrule.core.ops import lookup
from chainrule.core.shape import Shape
from chainrule.derivation.matrix.regions import (
    Regions,
    entrywise,
    region,
    sum_of_terms,
    terms_of,
)

Chain = tuple[Expr, list[Expr]]

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


def is_column(node: Expr) -> bool:
    """Whether it multiplies as a column."""
    return len(node.shape) == 1


def is_row(node: Expr) -> bool:
    """Whether it multiplies as a row: one times a column is a scalar."""
    return len(node.shape) == 2 and node.shape[0] == 1


def flipped(factor: Expr) -> Expr:
    """The transpose of one factor; of a vector's row, the vector."""
    if is_row(factor) and _of_vector(factor):
        return _as_column(factor)
    if arrays.is_op(factor, "index") and is_row(factor.args[0]) and is_column(factor):
        return factor.args[0]
    if arrays.is_op(factor, "inv"):
        inner = factor.args[0]
        if arrays.is_op(inner, "transpose"):
            return apply(lookup("inv"), inner.args[0])
        if arrays.is_op(inner, "matmul"):
            chain = read(inner)[1]
            nested = any(arrays.is_op(f, "inv") for f in chain)
            if not nested and chain == reversed_chain(chain):  # symmetric, as X' X
                return factor
    return arrays.transpose(factor)


def _as_column(row: Expr) -> Expr:
    """The vector that a row is the transpose of; element by element, of each part."""
    done: dict[Expr, Expr] = {}
    for node in region(row):
        if entrywise(node) and isinstance(node, Apply):
            done[node] = apply(node.op, *(done[a] for a in node.args))
        elif not node.shape:
            done[node] = node
        else:
            factors = read(node)[1]
            chain = [*(flipped(f) for f in factors[:0:-1]), arrays.column(factors[0])]
            done[node] = _joined(chain)
    return done[row]


def _of_vector(row: Expr) -> bool:
    """Whether a matrix of one row comes from a vector, and is not a matrix by declaration."""
    for node in region(row):
        if node.shape and not entrywise(node):
            first = read(node)[1][0]
            if arrays.is_op(first, "ones", "zeros"):
                return True
            return arrays.is_op(first, "transpose") and is_column(first.args[0])
    return False


def factored(node: Expr) -> tuple[Expr, Expr]:
    """A scalar factor and the rest, also of a longer product element by element."""
    coefficient, rest = arrays.factored(node)
    if rest.op is not MUL and rest.op is not DIV:
        return coefficient, rest
    stack = [(rest, False)]
    above: Expr = ONE
    below: Expr = ONE
    found = False
    while stack:
        part, under = stack.pop()
        if part.op is MUL or part.op is DIV:
            stack.append((part.args[1], under != (part.op is DIV)))
            stack.append((part.args[0], under))
            continue
        c, part = arrays.factored(part) if part.shape else (part, ONE)
        found = found or c is not ONE
        coefficient = div(coefficient, c) if under else mul(coefficient, c)
        above, below = (above, mul(below, part)) if under else (mul(above, part), below)
    if not found:
        return coefficient, rest
    rest = div(above, below)
    return (coefficient, rest) if rest.shape == node.shape else arrays.factored(node)


def reversed_chain(factors: Sequence[Expr]) -> list[Expr]:
    """The transpose of a product: (A B)' = B' A'."""
    return [flipped(f) for f in reversed(factors)]


def read(node: Expr) -> Chain:
    """A coefficient and the factors of a product; anything else is one factor."""
    if not node.shape:
        return _read_scalar(node)
    coefficient: Expr = ONE
    factors: list[Expr] = []
    stack = [node]
    while stack:
        c, core = factored(stack.pop())
        coefficient = mul(coefficient, c)
        if arrays.is_op(core, "matmul") and _as_matrices(*core.args):
            stack += core.args[::-1]
        else:
            d, atoms = _atoms(core)
            coefficient = mul(coefficient, d)
            factors += atoms
    return coefficient, factors


def _read_scalar(node: Expr) -> Chain:
    if arrays.is_op(node, "matmul", "dot") and node.args[0].shape:
        a, b = node.args
        c, left = read(a)
        d, right = read(b)
        if is_column(a) and is_column(b):
            return mul(c, d), reversed_chain(left) + right
        if is_row(a) and is_column(b):
            return mul(c, d), left + right
    return node, []


def _as_matrices(a: Expr, b: Expr) -> bool:
    """Whether a vector on the left stands for a column, not for a row."""
    return len(a.shape) == 2 or (is_row(b) and a.shape[0] != 1)


def _atoms(node: Expr) -> Chain:
    """One factor, or the factors of an outer product, a row, or a vector times a matrix."""
    coefficient, core = factored(node)
    if arrays.is_op(core, "ones") and len(core.shape) == 2 and not is_row(core):
        rows, columns = core.shape
        return coefficient, [arrays.ones((rows,)), arrays.ones((1, columns))]
    if arrays.is_op(core, "outer"):
        c, left = read(core.args[0])
        d, right = read(core.args[1])
        return mul(coefficient, mul(c, d)), left + reversed_chain(right)
    if arrays.is_op(core, "transpose"):
        c, inner = read(core.args[0])
        return mul(coefficient, c), reversed_chain(inner)
    if arrays.is_op(core, "matmul") and not _as_matrices(*core.args):
        c, left = read(core.args[0])
        d, right = read(core.args[1])
        return mul(coefficient, mul(c, d)), reversed_chain(right) + left
    if arrays.is_op(core, "diag"):
        c, inside = factored(core.args[0])
        if arrays.is_op(inside, "ones"):
            return mul(coefficient, c), [arrays.eye(inside.shape[0])]
        return mul(coefficient, c), [apply(lookup("diag"), inside)]
    return coefficient, [core]


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
                return mul(coefficient, _joined([arrays.transpose(first), second]))
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
                moved.append((minus, arrays.scaled(c, _joined(reversed_chain(chain)))))
            if _transposes(t for _, t in moved) <= _transposes(t for _, t in terms):
                self.fire(TRANSPOSED_SUM)
                return arrays.scaled(coefficient, self.simple(sum_of_terms(moved)))
        return arrays.scaled(coefficient, flipped(only))

    def column(self, row: Expr) -> Expr:
        """The vector that a row is the transpose of."""
        if _of_vector(row):
            if entrywise(row) and len(terms_of(row)) > 1:
                self.fire(TRANSPOSED_SUM)
            elif len(read(row)[1]) > 1:
                self.fire(TRANSPOSED_PRODUCT)
            return self.simple(_as_column(row))
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
                if not (chain and is_row(chain[0]) and _of_vector(chain[0])):
                    break
                chain = reversed_chain(chain)
            while chain and is_column(chain[-1]):
                at = max((i for i, f in enumerate(chain) if arrays.is_op(f, "diag")), default=-1)
                if at < 0:
                    break
                self.fire(DIAGONAL_COLUMN)
                c, vector = factored(self.times(chain[at].args[0], _joined(chain[at + 1 :])))
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
        for a, b in ((left, right), (right, left)):
            if arrays.is_op(a, "inv") and a.args[0] is b:
                self.fire(INVERSE)
                return arrays.eye(a.shape[0])
        if arrays.is_op(left, "transpose") and arrays.is_op(right, "transpose"):
            first, second = right.args[0], left.args[0]
            if any(arrays.is_op(m, "inv") for m in (first, second)):
                return self.meet(first, second)
        return None

    def chosen(self, left: Expr, right: Expr) -> Expr | None:
        """A part of a vector, as the part of the identity times it; or put back in its place."""
        if arrays.is_op(left, "slice") and is_column(right):
            cut = _selection(left)
            return None if cut is None else cut.push(right)
        if arrays.is_op(left, "transpose") and is_column(right):
            cut = _selection(left.args[0])
            return None if cut is None else cut.pull(right)
        if is_row(left) and _of_vector(left):
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
            return _joined([arrays.transpose(first), second])
        return _joined(chain)

    def written(self, coefficient: Expr, chain: list[Expr]) -> Expr:
        """The expression of a coefficient and a chain in normal form."""
        if self.careful:
            coefficient = self.regions.simplified(coefficient)
        if not chain:
            return coefficient
        if len(chain) == 1 and arrays.is_op(chain[0], "diag"):
            inside = arrays.scaled(coefficient, chain[0].args[0])
            return zeros_or_diagonal(self.simple(inside))
        return self.simple(arrays.scaled(coefficient, _joined(chain)))

    def collected(self, node: Expr) -> Expr:
        """A sum of products with what they have in common drawn out."""
        terms = terms_of(node)
        if not node.shape:
            return self.scalars(node, terms) if len(terms) > 1 else node
        if is_row(node) and len(terms) > 1:
            row = self.rows(node)
            if row is not None:
                return row
        if any(t.shape != node.shape for _, t in terms):
            return node
        if len(terms) == 1:
            return self.in_front(node)
        chains = [(minus, *read(term)) for minus, term in terms]
        merged = self.diagonals(chains)
        if merged is not None:
            return merged
        common = _common_coefficient(chains)
        for last in (False, True):
            at = -1 if last else 0
            shared = chains[0][2][at]
            if all(len(f) > 1 and f[at] is shared for _, _, f in chains):
                self.fire(COLLECT)
                rest = []
                for minus, c, f in chains:
                    kept = f[:-1] if last else f[1:]
                    part = self.written(ONE if common is not None else c, list(kept))
                    rest.append((minus, part))
                inner = self.simple(_untransposed_first(rest))
                c, factors = read(inner)
                chain = [*factors, shared] if last else [shared, *factors]
                return self.product(c if common is None else mul(common, c), chain, node.shape)
        grouped = self.grouped(chains)
        if grouped is not None:
            return grouped
        if common is not None and common is not ONE:
            rest = [(minus, _joined(f)) for minus, _, f in chains]
            return arrays.scaled(common, _untransposed_first(rest))
        if common is not None:
            return _untransposed_first([(minus, _joined(f)) for minus, _, f in chains])
        return sum_of_terms([(minus, self.in_front(term)) for minus, term in terms])

    def grouped(self, chains: Sequence[tuple[bool, Expr, list[Expr]]]) -> Expr | None:
        """A sum where two terms, not all, have a coefficient and an end in common."""
        for i, (_, c, f) in enumerate(chains):
            for j in range(i + 1, len(chains)):
                _, d, g = chains[j]
                if c is d and len(f) > 1 and len(g) > 1 and (f[0] is g[0] or f[-1] is g[-1]):
                    pair = [(m, self.written(e, list(h))) for m, e, h in (chains[i], chains[j])]
                    rest = [
                        (m, self.written(e, list(h)))
                        for k, (m, e, h) in enumerate(chains) if k not in (i, j)
                    ]  # fmt: skip
                    return self.collected(
                        sum_of_terms([(False, self.collected(sum_of_terms(pair))), *rest])
                    )
        return None

    def in_front(self, term: Expr) -> Expr:
        """A product of matrices with its coefficient in front: 2/N * X' @ u."""
        coefficient, factors = read(term)
        if len(factors) == 1 and entrywise(factors[0]):
            return term
        if len(factors) == 1 and arrays.is_op(factors[0], "diag"):
            return self.written(coefficient, factors)
        return arrays.scaled(self.regions.simplified(coefficient), _joined(factors))

    def diagonals(self, chains: Sequence[tuple[bool, Expr, list[Expr]]]) -> Expr | None:
        """diag(x) + diag(y) as one diagonal; None where there are not two."""
        own = [(m, c, f) for m, c, f in chains if len(f) == 1 and arrays.is_op(f[0], "diag")]
        if len(own) < 2:
            return None
        self.fire(DIAGONAL_SUM)
        inside = self.simple(sum_of_terms([(m, arrays.scaled(c, f[0].args[0])) for m, c, f in own]))
        rest = [(m, self.written(c, f)) for m, c, f in chains if (m, c, f) not in own]
        diagonal = zeros_or_diagonal(inside)
        return self.simple(sum_of_terms([(False, diagonal), *rest])) if rest else diagonal

    def rows(self, row: Expr) -> Expr | None:
        """a' + b' as (a + b)'; None where a part is another product."""
        for node in region(row):
            plain = arrays.is_op(node, "transpose", "ones") and not is_column(node)
            if node.shape and not entrywise(node) and not plain:
                return None
        if not _of_vector(row):
            return None
        self.fire(TRANSPOSED_SUM)
        return arrays.transpose(self.simple(_as_column(row)))

    def scalars(self, node: Expr, terms: Sequence[tuple[bool, Expr]]) -> Expr:
        """A sum of scalars: u' A x + x' B u as u' (A + B') x; sums of entries as one."""
        chains = [(minus, *_scalar_chain(term)) for minus, term in terms]
        if not all(len(f) > 1 for _, _, f in chains):
            return self.one_sum(node, terms)
        _, _, first = chains[0]
        turned = []
        for minus, c, f in chains:
            other = reversed_chain(f)
            ends = [g for g in (f, other) if g[0] is first[0] and g[-1] is first[-1]]
            starts = [g for g in (f, other) if g[0] is first[0]]
            if not (ends or starts):
                return node
            turned.append((minus, c, (ends or starts)[0]))
        rest = [(minus, arrays.scaled(c, _joined(f[1:]))) for minus, c, f in turned]
        if len({e.shape for _, e in rest}) > 1:
            return node
        self.fire(COLLECT)
        c, factors = read(self.simple(_untransposed_first(rest)))
        return self.product(c, [first[0], *factors], ())

    def one_sum(self, node: Expr, terms: Sequence[tuple[bool, Expr]]) -> Expr:
        """c sum(x) + d sum(y) as sum(c x + d y)."""
        found: list[tuple[bool, Expr]] = []
        shapes = set()
        for minus, term in terms:
            factor, total = _multiple_of_sum(term)
            if total is None:
                return node
            shapes.add(total.args[0].shape)
            found.append((minus, arrays.scaled(factor, total.args[0])))
        if len(shapes) > 1:
            return node
        self.fire(ONE_SUM)
        return self.summed(self.simple(sum_of_terms(found)), None)


def _scalar_chain(term: Expr) -> Chain:
    """A scalar as a coefficient times a row, matrices and a column."""
    found: list[Expr] | None = None
    factor: Expr = ONE
    stack: list[tuple[Expr, bool]] = [(term, False)]
    while stack:
        node, below = stack.pop()
        if node.op in (MUL, DIV) and not node.args[0].shape and not node.args[1].shape:
            stack.append((node.args[0], below))
            stack.append((node.args[1], below != (node.op is DIV)))
            continue
        _, chain = _read_scalar(node)
        if chain and found is None and not below:
            found = chain
        else:
            factor = div(factor, node) if below else mul(factor, node)
    return factor, found or []


def _multiple_of_sum(term: Expr) -> tuple[Expr, Expr | None]:
    """A scalar as a factor times the sum of an array's entries."""
    factor: Expr = ONE
    total: Expr | None = None
    stack: list[tuple[Expr, bool]] = [(term, False)]
    while stack:
        node, below = stack.pop()
        if node.op in (MUL, DIV):
            stack.append((node.args[0], below))
            stack.append((node.args[1], below != (node.op is DIV)))
        elif node.op is NEG:
            stack.append((node.args[0], below))
            factor = neg(factor)
        elif total is None and not below and arrays.is_op(node, "sum") and len(node.args) == 1:
            total = node
        else:
            factor = div(factor, node) if below else mul(factor, node)
    return factor, total


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


def zeros_or_diagonal(vector: Expr) -> Expr:
    """diag(v), with its coefficient inside; of constants, a multiple of the identity."""
    _, rest = factored(vector)
    if arrays.is_op(rest, "ones", "zeros"):
        return arrays.diag(vector)
    return apply(lookup("diag"), vector)


def _untransposed_first(terms: list[tuple[bool, Expr]]) -> Expr:
    """A + A', not A' + A."""
    if len(terms) == 2 and not any(minus for minus, _ in terms):
        (_, first), (_, second) = terms
        if arrays.is_op(first, "transpose") and not arrays.is_op(second, "transpose"):
            terms = terms[::-1]
    return sum_of_terms(terms)


def _common_coefficient(chains: Sequence[tuple[bool, Expr, list[Expr]]]) -> Expr | None:
    first = chains[0][1]
    return first if all(c is first for _, c, _ in chains) else None


def _joined(chain: Sequence[Expr]) -> Expr:
    """The factors multiplied from the left; a column and a row after it as an outer product."""
    ends = [i + 1 for i in range(len(chain) - 1) if is_column(chain[i]) and is_row(chain[i + 1])]
    if not ends:
        return _multiplied(chain)
    scalar: Expr = ONE  # from a row to a column
    for start, end in zip(ends, ends[1:], strict=False):
        scalar = mul(scalar, _multiplied(chain[start:end]))
    left, row = _multiplied(chain[: ends[0]]), chain[ends[-1] :]
    right = _multiplied([*(flipped(f) for f in row[:0:-1]), arrays.column(row[0])])
    if arrays.is_op(left, "ones") and arrays.is_op(right, "ones"):
        return arrays.scaled(scalar, arrays.ones((*left.shape, *right.shape)))
    return arrays.scaled(scalar, apply(lookup("outer"), left, right))


def _multiplied(chain: Sequence[Expr]) -> Expr:
    product = chain[0]
    for factor in chain[1:]:
        product = apply(lookup("matmul"), product, factor)
    return product


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
