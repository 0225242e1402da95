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
from chainrule.core.ops import lookup
from chainrule.core.shape import Shape
from chainrule.derivation.matrix.regions import Regions, entrywise

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
        return arrays.column(factor)
    if arrays.is_op(factor, "inv") and arrays.is_op(factor.args[0], "transpose"):
        return apply(lookup("inv"), factor.args[0].args[0])
    return arrays.transpose(factor)


def _of_vector(row: Expr) -> bool:
    """Whether a matrix of one row comes from a vector, and is not a matrix by declaration."""
    for _, term in terms_of(row):
        first = read(term)[1][0]
        if arrays.is_op(first, "ones", "zeros"):
            return True
        if arrays.is_op(first, "transpose") and is_column(first.args[0]):
            return True
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
    factors: list[Expr] = []  # from the right
    coefficient, core = factored(node)
    while arrays.is_op(core, "matmul") and _as_matrices(*core.args):
        c, last = _atoms(core.args[1])
        factors += reversed(last)
        d, core = factored(core.args[0])
        coefficient = mul(mul(coefficient, c), d)
    c, first = _atoms(core)
    return mul(coefficient, c), first + factors[::-1]


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


def terms_of(node: Expr) -> list[tuple[bool, Expr]]:
    """The terms of a sum, and whether each is subtracted."""
    found: list[tuple[bool, Expr]] = []
    stack = [(False, node)]
    while stack:
        minus, top = stack.pop()
        if top.op is ADD or top.op is SUB:
            stack.append((minus != (top.op is SUB), top.args[1]))
            stack.append((minus, top.args[0]))
        elif top.op is NEG:
            stack.append((not minus, top.args[0]))
        else:
            found.append((minus, top))
    return found


def sum_of_terms(terms: Sequence[tuple[bool, Expr]]) -> Expr:
    """The sum; one that is not subtracted comes first, if there is one."""
    ordered = list(terms)
    first = next((i for i, (minus, _) in enumerate(ordered) if not minus), 0)
    ordered.insert(0, ordered.pop(first))
    minus, total = ordered[0]
    total = neg(total) if minus else total
    for minus, term in ordered[1:]:
        total = apply(SUB if minus else ADD, total, term)
    return total


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
        return arrays.total(node, axis)

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
            moved = [(minus, self.transposed(term)) for minus, term in terms]
            if _transposes(t for _, t in moved) <= _transposes(t for _, t in terms):
                self.fire(TRANSPOSED_SUM)
                return arrays.scaled(coefficient, self.simple(sum_of_terms(moved)))
        return arrays.scaled(coefficient, flipped(only))

    def column(self, row: Expr) -> Expr:
        """The vector that a row is the transpose of."""
        terms = terms_of(row)
        if len(terms) > 1 and all(term.shape == row.shape for _, term in terms):
            self.fire(TRANSPOSED_SUM)
            return self.simple(sum_of_terms([(minus, self.column(term)) for minus, term in terms]))
        coefficient, factors = read(row)
        if len(factors) > 1:
            self.fire(TRANSPOSED_PRODUCT)
        chain = [*(flipped(f) for f in factors[:0:-1]), arrays.column(factors[0])]
        return self.product(coefficient, chain, row.shape[1:])

    def product(self, coefficient: Expr, factors: Sequence[Expr], shape: Shape) -> Expr:
        """The product of the factors, which has this shape."""
        at = _to_distribute(factors)
        if at is not None:
            self.fire(DISTRIBUTE)
            parts = []
            for minus, term in terms_of(factors[at]):
                c, inner = read(term)
                chain = [*factors[:at], *inner, *factors[at + 1 :]]
                parts.append((minus, self.product(mul(coefficient, c), chain, shape)))
            return self.simple(sum_of_terms(parts))
        stack: list[Expr] = []
        for factor in factors:
            if arrays.is_zero(factor):
                self.fire(NOTHING)
                return arrays.zeros(shape)
            coefficient = mul(coefficient, self.push(stack, factor))
        if not stack and shape:
            stack.append(arrays.eye(shape[0]))
        return self.written(coefficient, stack)

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
        for a, b in ((left, right), (right, left)):
            if arrays.is_op(a, "inv") and a.args[0] is b:
                self.fire(INVERSE)
                return arrays.eye(a.shape[0])
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
            return self.one_sum(node, terms) if len(terms) > 1 else node
        if any(t.shape != node.shape for _, t in terms):
            return node
        if len(terms) == 1:
            return self.in_front(node)
        chains = [(minus, *read(term)) for minus, term in terms]
        if not any(len(f) > 1 or arrays.is_op(f[0], "diag", "transpose") for _, _, f in chains):
            return node
        merged = self.diagonals(chains) or self.rows(chains)
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
        if common is not None and common is not ONE:
            rest = [(minus, _joined(f)) for minus, _, f in chains]
            return arrays.scaled(common, _untransposed_first(rest))
        if common is not None:
            return _untransposed_first([(minus, _joined(f)) for minus, _, f in chains])
        return sum_of_terms([(minus, self.in_front(term)) for minus, term in terms])

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
        inside = self.simple(
            sum_of_terms([(m, arrays.scaled(c, f[0].args[0])) for m, c, f in own])
        )
        rest = [(m, self.written(c, f)) for m, c, f in chains if (m, c, f) not in own]
        diagonal = zeros_or_diagonal(inside)
        return self.simple(sum_of_terms([(False, diagonal), *rest])) if rest else diagonal

    def rows(self, chains: Sequence[tuple[bool, Expr, list[Expr]]]) -> Expr | None:
        """a' + b' as (a + b)'; None where a term is another product."""
        vectors = []
        for minus, c, f in chains:
            column = flipped(f[0]) if len(f) == 1 and is_row(f[0]) else f[0]
            if not is_column(column):
                return None
            vectors.append((minus, arrays.scaled(c, column)))
        self.fire(TRANSPOSED_SUM)
        return arrays.transpose(self.simple(sum_of_terms(vectors)))

    def one_sum(self, node: Expr, terms: Sequence[tuple[bool, Expr]]) -> Expr:
        """c sum(x) + d sum(y) as sum(c x + d y)."""
        found = []
        for minus, term in terms:
            factor, total = _multiple_of_sum(term)
            if total is None or (found and total.args[0].shape != found[0][1].shape):
                return node
            found.append((minus, arrays.scaled(factor, total.args[0])))
        self.fire(ONE_SUM)
        return self.summed(self.simple(sum_of_terms(found)), None)


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
    for i in range(len(chain) - 1):
        if is_column(chain[i]) and is_row(chain[i + 1]):
            right = _joined(reversed_chain(chain[i + 1 :]))
            return apply(lookup("outer"), _joined(chain[: i + 1]), right)
    product = chain[0]
    for factor in chain[1:]:
        product = apply(lookup("matmul"), product, factor)
    return product


def _to_distribute(factors: Sequence[Expr]) -> int | None:
    """Where a sum with a diagonal or an outer product meets a row or a column."""
    for i, factor in enumerate(factors):
        if len(factor.shape) == 2 and (factor.op is ADD or factor.op is SUB):
            beside = (i and is_row(factors[i - 1])) or (
                i + 1 < len(factors) and is_column(factors[i + 1])
            )
            special = any(
                arrays.is_op(factored(t)[1], "diag", "outer", "eye")
                for _, t in terms_of(factor)
            )
            if beside and special:
                return i
    return None


def _transposes(nodes: object) -> int:
    return sum(arrays.is_op(n, "transpose") for n in topological(list(nodes)))  # type: ignore[call-overload]


def _size(node: Expr) -> int:
    return len(topological([node])) if node is not ZERO else 0
