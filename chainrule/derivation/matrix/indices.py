"""Derivatives entry by entry, with Kronecker deltas: tensors of order three and more.

From the output down, the change of an entry is written over entries of what is below it,
one map of a path after the other; in the end ∂X_kl/∂X_mn is δ_km δ_ln, and a sum over a
letter that a delta fixes falls away.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from chainrule.core.arithmetic import add, mul
from chainrule.core.expr import ONE, ZERO, Expr, Sym, substitute, symbol
from chainrule.core.linmap import (
    Along,
    Compose,
    Cut,
    Inner,
    Left,
    LinMap,
    OfDiagonal,
    Outer,
    Pick,
    Plus,
    Right,
    Scale,
    Spread,
    Sum,
    ToDiagonal,
    Transpose,
    Zero,
)
from chainrule.derivation.matrix.chains import factored
from chainrule.derivation.steps import Delta, Entry, Formula, SumOver, Times
from chainrule.derivation.steps import Plus as Sums

Places = tuple[Expr, ...]
_LETTERS = "ijklmnpqrstabcdfghouvwxyz"


@dataclass(frozen=True, slots=True)
class _Term:
    """coefficient * factors * the change of an entry, summed over letters."""

    coefficient: Expr
    factors: tuple[Delta | Entry, ...]
    letters: tuple[Sym, ...]
    at: Places


def letters(taken: Iterable[str]) -> Iterator[Sym]:
    """Letters for places that name nothing else."""
    used = set(taken)
    yield from (symbol(c) for c in _LETTERS if c not in used)
    count = 1
    while True:
        yield symbol(f"i{count}")
        count += 1


def entries(
    paths: Iterable[Sequence[LinMap]], at: Places, by_at: Places, fresh: Iterator[Sym]
) -> tuple[Formula, ...] | None:
    """The derivative of the entry `at` by the entry `by_at`, as terms of a sum.

    Each path lists its maps from the output down. None where a map has no such form.

    >>> W, x = symbol("W", ("m", "n")), symbol("x", ("n",))
    >>> i, j, k = map(symbol, "ijk")
    >>> entries([[Right(W.shape, ("m",), x)]], (i,), (j, k), letters("ijk"))
    (Times(factors=(Delta(first=i, second=j), Entry(of=x, places=(k,)))),)
    """
    found: list[Formula] = []
    for path in paths:
        terms = [_Term(ONE, (), (), at)]
        for step in path:
            below: list[_Term] = []
            for term in terms:
                expanded = _expand(step, term.at, fresh)
                if expanded is None:
                    return None
                below += (_joined(term, part) for part in expanded)
            terms = below
        for term in terms:
            shown = _contracted(term, by_at)
            if shown is not None:
                found.append(shown)
    return tuple(found)


def summed(terms: Sequence[Formula]) -> Formula:
    """The sum of the terms."""
    return ZERO if not terms else terms[0] if len(terms) == 1 else Sums(tuple(terms))


def _joined(term: _Term, part: _Term) -> _Term:
    return _Term(
        mul(term.coefficient, part.coefficient), term.factors + part.factors,
        term.letters + part.letters, part.at,
    )  # fmt: skip


def _one(by: Expr, places: Places, at: Places, *over: Sym) -> list[_Term]:
    """One term: an entry of `by` times the change at `at`."""
    coefficient, factors = entry(by, places)
    return [] if coefficient is ZERO else [_Term(coefficient, factors, over, at)]


def entry(by: Expr, places: Places) -> tuple[Expr, tuple[Delta | Entry, ...]]:
    """An entry of an array as a coefficient and factors; broadcasting lets places fall away."""
    coefficient: Expr = ONE
    found: list[Delta | Entry] = []
    stack = [(by, places)]
    while stack:
        node, places = stack.pop()
        c, core = factored(node)
        coefficient = mul(coefficient, c)
        places = places[len(places) - len(core.shape) :]
        places = tuple(ZERO if dim == 1 else p for dim, p in zip(core.shape, places, strict=True))
        name = core.op.name if core.op is not None and core.shape else ""
        match name:
            case "ones":
                continue
            case "zeros":
                return ZERO, ()
            case "eye":
                found.append(Delta(*places))
            case "diag":
                found.append(Delta(*places))
                stack.append((core.args[0], places[:1]))
            case "transpose":
                vector = len(core.args[0].shape) == 1
                stack.append((core.args[0], places[1:] if vector else places[::-1]))
            case "outer":
                stack.append((core.args[1], places[1:]))
                stack.append((core.args[0], places[:1]))
            case _ if core.shape:
                found.append(Entry(core, places))
            case _:
                coefficient = mul(coefficient, core)
    return coefficient, tuple(found)


def _expand(m: LinMap, at: Places, fresh: Iterator[Sym]) -> list[_Term] | None:
    """The change at `at` of the value of a map over changes of its argument."""
    match m:
        case Zero():
            return []
        case Scale(by=by):
            return _one(by, at, at)
        case Compose(maps=maps):
            terms = [_Term(ONE, (), (), at)]
            for part in reversed(maps):
                below: list[_Term] = []
                for term in terms:
                    expanded = _expand(part, term.at, fresh)
                    if expanded is None:
                        return None
                    below += (_joined(term, more) for more in expanded)
                terms = below
            return terms
        case Plus(maps=maps):
            parts = [_expand(part, at, fresh) for part in maps]
            known = [term for part in parts if part is not None for term in part]
            return known if None not in parts else None
        case Left(by=by):
            return _left(m, by, at, fresh)
        case Right(by=by):
            return _right(m, by, at, fresh)
        case Inner(by=by):
            over = tuple(next(fresh) for _ in m.domain)
            return _one(by, over, over, *over)
        case Along(by=by):
            return _one(by, at, ())
        case Outer(by=by, second=second):
            return _one(by, at[:1], at[1:]) if second else _one(by, at[1:], at[:1])
    return _moved(m, at, fresh)


def _moved(m: LinMap, at: Places, fresh: Iterator[Sym]) -> list[_Term] | None:
    """Maps that only move entries, repeat them or add them up."""
    match m:
        case Transpose():
            return [_Term(ONE, (), (), at[::-1] if len(m.domain) == 2 else at[1:])]
        case Sum(axis=axis):
            if axis is None or len(m.domain) == 1:
                over = tuple(next(fresh) for _ in m.domain)
                return [_Term(ONE, (), over, over)]
            letter = next(fresh)
            return [_Term(ONE, (), (letter,), (*at[:axis], letter, *at[axis:]))]
        case Spread(axis=axis):
            kept = at[:1] if axis == 1 and len(m.domain) == 1 else at[len(at) - len(m.domain) :]
            return [_Term(ONE, (), (), tuple(
                ZERO if dim == 1 else p for dim, p in zip(m.domain, kept, strict=True)
            ))]  # fmt: skip
        case ToDiagonal():
            return [_Term(ONE, (Delta(*at),), (), at[:1])]
        case OfDiagonal():
            return [_Term(ONE, (), (), at * 2)]
        case Pick(places=places):
            return [_Term(ONE, (), (), (*places, *at))]
        case Cut(bounds=bounds):
            return [_Term(ONE, (), (), tuple(map(add, at, bounds[::2])))]
    return None


def _left(m: LinMap, by: Expr, at: Places, fresh: Iterator[Sym]) -> list[_Term]:
    if len(by.shape) == 1 and len(m.codomain) == 2:  # a column times a row
        return _one(by, at[:1], (ZERO, at[1]))
    letter = next(fresh)
    if len(by.shape) == 1:  # a row times a matrix
        return _one(by, (letter,), (letter, *at), letter)
    return _one(by, ((at or (ZERO,))[0], letter), (letter, *at[1:]), letter)


def _right(m: LinMap, by: Expr, at: Places, fresh: Iterator[Sym]) -> list[_Term]:
    if len(m.domain) == 1 and len(m.codomain) == 2:  # a column times a row
        return _one(by, (ZERO, at[1]), at[:1])
    letter = next(fresh)
    if len(m.domain) == 1:  # a row times a matrix
        return _one(by, (letter, *at), (letter,), letter)
    if len(by.shape) == 1:
        return _one(by, (letter,), ((at or (ZERO,))[0], letter), letter)
    return _one(by, (letter, at[1]), (at[0], letter), letter)


def _contracted(term: _Term, by_at: Places) -> Formula | None:
    """The term with the change of an entry by an entry put in, and sums over deltas done."""
    deltas = [f for f in term.factors if isinstance(f, Delta)]
    deltas += [Delta(a, b) for a, b in zip(term.at, by_at, strict=True)]
    kept: list[Delta] = []
    values = [f for f in term.factors if isinstance(f, Entry)]
    over = list(term.letters)
    while deltas:
        first, second = deltas.pop(0)
        if first is second:
            continue
        bound = first if first in over else second if second in over else None
        if bound is None:
            kept.append(Delta(first, second))
            continue
        assert isinstance(bound, Sym)
        over.remove(bound)
        fixed: dict[Expr, Expr] = {bound: second if bound is first else first}
        deltas = [Delta(*substitute(d, fixed)) for d in deltas]
        kept = [Delta(*substitute(d, fixed)) for d in kept]
        values = [Entry(v.of, tuple(substitute(v.places, fixed))) for v in values]
    factors: list[Formula] = [*kept, *values]
    if term.coefficient is not ONE or not factors:
        factors.insert(0, term.coefficient)
    product = factors[0] if len(factors) == 1 else Times(tuple(factors))
    return SumOver(tuple(over), product) if over else product
