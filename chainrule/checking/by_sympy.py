"""Local derivatives, and small results whole, against SymPy's own differentiation.

SymPy's release fails on deep expressions, so it is asked edge by edge, and about the whole
only where that is small. Its `simplify` and `equals` do not decide here: a difference is 0
after cheap normalisation (proved), or both sides are compared at points in the domain of
both, to 50 digits (agreed numerically).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from time import perf_counter
from typing import Any

from chainrule.checking.edges import Local, kinks_of, statuses
from chainrule.checking.numbers import Tape, context
from chainrule.checking.patience import interrupted
from chainrule.checking.points import Point, Search, in_words
from chainrule.checking.to_sympy import LOADING, Declined, converted
from chainrule.core.expr import Apply, Expr, fold, free_symbols
from chainrule.core.ops import Kink
from chainrule.derivation.steps import Derivation, Method, Status

_DIGITS = 50
_TOLERANCE = 1e-35
_POINTS = 3
# Sizes up to which SymPy answers in milliseconds; `tree` counts nodes as written out.
_TREE = 300
_DEPTH = 30
_BENT = 4  # nodes with kinks: Piecewise and Max are slow
_ENTRIES = 25
_ORDER = 4
_EXPANDABLE = 150
_KINDS = 300  # intermediates that differ in more than names


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came out for one derivative: proved, agreed at so many points, or refuted."""

    status: Status
    points: int = 0
    witness: str = ""


def verify_by_sympy(
    derivation: Derivation, deadline: float = float("inf")
) -> tuple[Method, list[Status]]:
    """Compare every local derivative with SymPy's, and the result where it is small.

    The method's status is about the result; each edge has its own.
    """

    def decide(local: Local) -> Method:
        return _guarded(lambda: _decide_local(local), deadline)

    found, answers = statuses(derivation, decide, _KINDS)
    for question, method in answers:
        if method.status == "failed":
            witness = question.in_its_names(method.detail)
            return Method("sympy", "failed", f"local derivative of {witness}"), found
    whole = _guarded(lambda: _decide_whole(derivation), deadline)
    if whole.status == "verified":
        return whole, found
    if found and all(status == "verified" for status in found):
        detail = f"its local derivatives agree with ours, the whole it leaves open: {whole.detail}"
        return Method("sympy", whole.status, detail), found
    return whole, found


def _guarded(decide: Callable[[], list[_Answer]], deadline: float) -> Method:
    """What `decide` finds; SymPy raises exceptions of many kinds, none of which may pass."""
    try:
        if "sympy" not in sys.modules and perf_counter() + LOADING > deadline:
            return Method("sympy", "unverified", "too little time was left to load SymPy")
        import sympy  # noqa: F401  (loaded before anything can interrupt it)

        with interrupted(deadline):
            if perf_counter() > deadline:
                raise TimeoutError
            answers = decide()
    except TimeoutError:
        return Method("sympy", "unverified", "the time for it ran out")
    except Declined as declined:
        return Method("sympy", "unverified", str(declined))
    except Exception as error:
        return Method("sympy", "unverified", f"SymPy raised {type(error).__name__}")
    for answer in answers:
        if answer.status == "failed":
            return Method("sympy", "failed", answer.witness)
    if any(answer.status == "unverified" for answer in answers):
        return Method("sympy", "unverified", "no point in the domain of both was found")
    compared = [answer.points for answer in answers if answer.points]
    if compared:
        return Method("sympy", "verified", "agreed numerically", min(compared))
    return Method("sympy", "verified", "proved")


def _decide_local(local: Local) -> list[_Answer]:
    import sympy

    _check_size([local.function], [c for _, c in local.claims])
    claims = [c for _, c in local.claims]
    names = _real_symbols([local.function, *claims])
    function, *theirs = converted([local.function, *claims], names)
    comparison = _Comparison([local.function], claims, (), kinks_of(local.function), names)
    answers = []
    for i, (by, claim) in enumerate(local.claims):
        derivative = sympy.diff(function, names[by]) if by in names else sympy.Integer(0)
        answers.append(comparison.compare(derivative, theirs[i], claim, local.place(by)))
    return answers


def _decide_whole(d: Derivation) -> list[_Answer]:
    import sympy

    flat = [
        (entry, target)
        for row, targets in zip(d.result.entries, d.targets, strict=True)
        for entry, target in zip(row, targets, strict=True)
    ]
    if len(flat) > _ENTRIES:
        raise Declined("the result has too many entries")
    if any(len(by) > _ORDER for _, target in flat for _, _, by in target.terms):
        raise Declined("the order is too high")
    entries = [entry for entry, _ in flat]
    weights = list(dict.fromkeys(w for _, target in flat for w, _, _ in target.terms))
    _check_size(d.functions, [*entries, *weights])
    names = _real_symbols([*d.functions, *entries, *weights])
    for variable in d.variables:
        names.setdefault(variable, sympy.Symbol(variable, real=True))
    theirs = converted([*d.functions, *entries, *weights], names)
    functions, theirs = theirs[: len(d.functions)], theirs[len(d.functions) :]
    weight = dict(zip(weights, theirs[len(entries) :], strict=True))
    comparison = _Comparison([*d.functions, *weights], entries, d.domain, d.kinks, names)
    answers = []
    for i, (entry, target) in enumerate(flat):
        derivative = sympy.Integer(0)
        for w, f, by in target.terms:
            derivative += weight[w] * sympy.diff(functions[f], *(names[v] for v in by))
        answers.append(comparison.compare(derivative, theirs[i], entry, ""))
    return answers


class _Comparison:
    """SymPy's derivatives against ours, the points found on first need."""

    def __init__(
        self,
        functions: Sequence[Expr],
        claims: Sequence[Expr],
        domain: Sequence[Expr],
        kinks: Sequence[Kink],
        names: Mapping[str, Any],
    ) -> None:
        self._search = Search(
            [*functions, *claims], domain, kinks, repr(functions[0]), enough=_POINTS
        )
        self._points: list[Point] | None = None
        self._names = names

    def compare(self, derivative: Any, claimed: Any, claim: Expr, place: str) -> _Answer:
        """Whether SymPy's derivative is the claim, given also as SymPy has it."""
        if _is_zero(derivative - claimed):
            return _Answer("verified")
        _check_done(derivative)
        if self._points is None:
            self._points = list(islice(self._search, 2 * _POINTS))
        m = context(_DIGITS + 10)
        tape = Tape([claim])
        agreed = 0
        for point in self._points:
            theirs = self._value(derivative, point, m)
            (ours,) = tape.run(m, point)
            if theirs is None or ours is None:
                continue
            rounding = m.ldexp(m.mpf(10) ** -_DIGITS, tape.magnitude)
            if abs(theirs - ours) > _TOLERANCE * max(abs(theirs), abs(ours)) + rounding:
                at = f"at {in_words(point)}: " if point else ""
                numbers = f"{float(ours):.6g}, by SymPy {float(theirs):.6g}"
                return _Answer("failed", witness=f"{place}{at}{numbers}")
            agreed += 1
        return _Answer("verified", agreed) if agreed else _Answer("unverified")

    def _value(self, derivative: Any, point: Point, m: Any) -> Any:
        """The value of SymPy's derivative, by SymPy; None if it is not a real number."""
        import sympy

        digits = _DIGITS + 10
        values = {
            self._names[name]: sympy.Float(sympy.Rational(v.numerator, v.denominator), digits)
            for name, v in point.items()
            if name in self._names
        }
        value = derivative.evalf(_DIGITS, subs=values)
        if value.is_Rational:
            return m.mpf(int(value.p)) / int(value.q)
        if not value.is_Float:
            return None
        return m.make_mpf(value._mpf_)


def _is_zero(difference: Any) -> bool:
    """Whether the difference is identically 0, as far as expanding it shows."""
    import sympy

    if difference == 0:
        return True
    if len(list(islice(sympy.preorder_traversal(difference), _EXPANDABLE))) == _EXPANDABLE:
        return False
    for power in difference.atoms(sympy.Pow):
        if power.base.is_Add and power.exp.is_Integer and abs(power.exp) > 6:
            return False
    if sympy.expand(difference) == 0:
        return True
    return bool(sympy.expand(sympy.fraction(sympy.together(difference))[0]) == 0)


def _check_done(derivative: Any) -> None:
    import sympy

    if derivative.has(sympy.Derivative, sympy.Subs):
        raise Declined("SymPy leaves a derivative undone")


def _real_symbols(roots: Sequence[Expr]) -> dict[str, Any]:
    import sympy

    return {s.name: sympy.Symbol(s.name, real=True) for s in free_symbols(roots)}


def _check_size(functions: Sequence[Expr], results: Sequence[Expr]) -> None:
    """Decline what SymPy would take long over, or fail at."""

    def measure(node: Expr, below: list[tuple[int, int, int]]) -> tuple[int, int, int]:
        tree = 1 + sum(t for t, _, _ in below)
        depth = 1 + max((d for _, d, _ in below), default=0)
        bent = sum(b for _, _, b in below)
        if isinstance(node, Apply) and node.op.kinks(*node.args):
            bent += 1
        # Capped, as a tree may have more nodes than there are atoms.
        return min(tree, 10**6), depth, min(bent, 10**6)

    measures = fold([*functions, *results], measure)
    if any(depth > _DEPTH for _, depth, _ in measures):
        raise Declined("it is too deep")
    if any(tree > _TREE for tree, _, _ in measures) or sum(t for t, _, _ in measures) > 4 * _TREE:
        raise Declined("it is too large")
    if any(bent > _BENT for _, _, bent in measures[: len(functions)]):
        raise Declined("it has too many kinks")
