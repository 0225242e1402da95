"""Sums of products of matrices: like diagonals, common factors, sums of scalars."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.core import arrays
from chainrule.core.arithmetic import DIV, MUL, NEG, div, mul, neg
from chainrule.core.expr import ONE, Expr
from chainrule.derivation.matrix.chains import (
    Chain,
    as_column,
    is_column,
    is_row,
    joined,
    of_vector,
    read,
    read_scalar,
    reversed_chain,
)
from chainrule.derivation.matrix.products import (
    COLLECT,
    DIAGONAL_SUM,
    ONE_SUM,
    TRANSPOSED_SUM,
    Products,
    zeros_or_diagonal,
)
from chainrule.derivation.matrix.regions import entrywise, region, sum_of_terms, terms_of

Term = tuple[bool, Expr, list[Expr]]  # whether it is subtracted, its coefficient and chain


class Rules(Products):
    """The rules of products, and those of sums of products."""

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
            rest = [(minus, joined(f)) for minus, _, f in chains]
            return arrays.scaled(common, _untransposed_first(rest))
        if common is not None:
            return _untransposed_first([(minus, joined(f)) for minus, _, f in chains])
        return sum_of_terms([(minus, self.in_front(term)) for minus, term in terms])

    def grouped(self, chains: Sequence[Term]) -> Expr | None:
        """A sum where some terms, not all, have a coefficient and an end in common."""
        waiting = list(chains)
        out: list[tuple[bool, Expr]] = []
        while waiting:
            minus, c, f = waiting.pop(0)
            for at in (-1, 0):
                group = [
                    t for t in waiting
                    if t[1] is c and len(t[2]) > 1 and len(f) > 1 and t[2][at] is f[at]
                ]  # fmt: skip
                if group:
                    break
            if group:
                waiting = [t for t in waiting if t not in group]
                parts = [(m, self.written(e, list(h))) for m, e, h in ((minus, c, f), *group)]
                out.append((False, self.collected(sum_of_terms(parts))))
            else:
                out.append((minus, self.written(c, list(f))))
        return sum_of_terms(out) if len(out) < len(chains) else None

    def in_front(self, term: Expr) -> Expr:
        """A product of matrices with its coefficient in front: 2/N * X' @ u."""
        coefficient, factors = read(term)
        if len(factors) == 1 and entrywise(factors[0]):
            return term
        if len(factors) == 1 and arrays.is_op(factors[0], "diag"):
            return self.written(coefficient, factors)
        return arrays.scaled(self.regions.simplified(coefficient), joined(factors))

    def diagonals(self, chains: Sequence[Term]) -> Expr | None:
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
        if not of_vector(row):
            return None
        self.fire(TRANSPOSED_SUM)
        return arrays.transpose(self.simple(as_column(row)))

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
        rest = [(minus, arrays.scaled(c, joined(f[1:]))) for minus, c, f in turned]
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
        _, chain = read_scalar(node)
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


def _untransposed_first(terms: list[tuple[bool, Expr]]) -> Expr:
    """A + A', not A' + A."""
    if len(terms) == 2 and not any(minus for minus, _ in terms):
        (_, first), (_, second) = terms
        if arrays.is_op(first, "transpose") and not arrays.is_op(second, "transpose"):
            terms = terms[::-1]
    return sum_of_terms(terms)


def _common_coefficient(chains: Sequence[Term]) -> Expr | None:
    first = chains[0][1]
    return first if all(c is first for _, c, _ in chains) else None
