"""Which typical mistake gives a wrong answer over vectors and matrices.

Three kinds of trial: the answer as a whole (summed, turned, a factor), the answer's own
formula with one part transposed or two factors exchanged, and the derivation with one wrong
local derivative. Only what gives exactly the answer, at several sizes, is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import product
from typing import Any, NamedTuple

from chainrule.checking.array_equality import Sample, Values, same_shape
from chainrule.checking.diagnoses import Diagnosis
from chainrule.checking.mistakes import TABLE
from chainrule.checking.patience import limit
from chainrule.checking.places import Place
from chainrule.core import arrays
from chainrule.core.accumulate import cotangents, edge, gradient
from chainrule.core.arithmetic import NEG, SUB, div, mul, neg, size
from chainrule.core.errors import ChainruleError
from chainrule.core.expr import (
    ONE,
    Apply,
    Const,
    Expr,
    Sym,
    apply,
    const,
    depends_on,
    free_symbols,
    substitute,
    symbol,
    topological,
)
from chainrule.core.linmap import Compose, Left, LinMap, Right, Sum
from chainrule.core.ops import lookup
from chainrule.core.shape import dimension_names, size_of
from chainrule.derivation.simplify import simplify

_MOST_NODES = 80
_MOST_OTHERS = 2
_MOST_DIGITS = 4  # of a factor that is told


class Trial(NamedTuple):
    """That `formula`, made with a mistake, is the answer; or, mended, the derivative."""

    rank: int
    told: Diagnosis
    formula: Expr
    mended: bool = False


class Mistakes:
    """The trials for one entry of an answer."""

    def __init__(
        self,
        function: Expr,
        by: Sym,
        right: Expr,
        given: Expr,
        places: Sequence[Sample],
        names: dict[Expr, str],
        others: Sequence[Sym] = (),
    ) -> None:
        """`names`: of the intermediates, by what they stand for; `others`: further variables."""
        self.function, self.by, self.right, self.given = function, by, right, given
        self._places, self._names, self._others = places, names, others
        self._seed: Expr = ONE
        if function.shape:
            self._seed = symbol("cotangent of the output", function.shape)

    def run(self) -> tuple[Diagnosis, ...]:
        """The mistakes that give the answer, the most typical first; of each kind one."""
        trials = [*self.of_the_whole(), *self.in_the_formula()]
        found = [(t.rank, t.told) for t in self._fitting(trials, self.given, self.right)]
        found += self.factors()
        pair = self._along_seed()
        if pair is not None:
            found += [
                (t.rank, t.told) for t in self._fitting(list(self.in_the_derivation()), *pair)
            ]
        found.sort(key=lambda one: one[0])
        kinds: dict[str, Diagnosis] = {}
        for _, told in found:
            kinds.setdefault(told.kind, told)
        return tuple(kinds.values())[: 1 + _MOST_OTHERS]

    def _fitting(self, trials: Sequence[Trial], given: Expr, right: Expr) -> list[Trial]:
        trials = [
            t for t in trials
            if same_shape(t.formula.shape, (right if t.mended else given).shape)
        ]  # fmt: skip
        for sample in self._places:
            if not trials:
                break
            formulas = dict.fromkeys([given, right, *(t.formula for t in trials)])
            values = self._values(list(formulas), sample)
            trials = [
                t for t in trials
                if values.defined(t.formula)
                and values.same(t.formula, right if t.mended else given)
            ]  # fmt: skip
        return trials

    def _values(self, formulas: Sequence[Expr], sample: Sample) -> Values:
        point = dict(sample.point)
        if isinstance(self._seed, Sym):
            point[self._seed.name] = _ramp(self._seed, sample)
        return Values(formulas, Sample(sample.sizes, point))

    # ---- the answer as a whole

    def of_the_whole(self) -> Iterator[Trial]:
        """What was left out at the end, and answers to other questions."""
        g, right = self.given, self.right
        if len(g.shape) == 2 and not self.function.shape:
            yield Trial(0, Diagnosis("transposed gradient"), arrays.transpose(g), True)
        if len(g.shape) > len(right.shape):
            for axis in range(len(g.shape)):
                summed = arrays.total(g, axis if len(g.shape) == 2 else None)
                yield Trial(0, Diagnosis("sum missing", at=self.by), summed, True)
            yield Trial(1, Diagnosis("sum missing", at=self.by), arrays.total(g), True)
        if len(g.shape) == 1 and len(right.shape) == 2:
            yield Trial(0, Diagnosis("diagonal for a matrix"), arrays.diag(g), True)
        if not self.function.shape:
            yield Trial(5, Diagnosis("function itself"), self.function)
            for other in self._others:
                (slope,) = gradient(self.function, [other])
                yield Trial(4, Diagnosis("other variable", other), slope)

    def factors(self) -> list[tuple[int, Diagnosis]]:
        """The answer is a number times the derivative: a constant, or one made of dimensions."""
        if not same_shape(self.given.shape, self.right.shape):
            return []
        ratios = []
        for sample in self._places:
            values = self._values([self.given, self.right], sample)
            if not (values.defined(self.given) and values.defined(self.right)):
                continue
            if values.vanish(self.given, self.right):
                continue
            ratio = values.ratio(self.given, self.right)
            if ratio is None:
                return []
            ratios.append((sample, ratio))
        names = dimension_names(s.shape for s in free_symbols([self.function]))[:4]
        for powers in sorted(
            product((0, 1, -1), repeat=len(names)), key=lambda p: sum(map(abs, p))
        ):
            constants = []
            for sample, ratio in ratios:
                for name, power in zip(names, powers, strict=True):
                    ratio = ratio / sample.sizes[name] ** power
                constants.append(_rational(ratio))
            first = constants[0] if constants else None
            if first and all(c == first for c in constants):
                return [self._factor(first, dict(zip(names, powers, strict=True)))]
        return []

    def _factor(self, constant: Fraction, powers: dict[str, int]) -> tuple[int, Diagnosis]:
        over: Expr = ONE
        for name, power in powers.items():
            if power:
                over = mul(over, size(name)) if power > 0 else div(over, size(name))
        factor = mul(const(constant), over)
        if over is ONE and constant == -1:
            return 3, Diagnosis("opposite sign")
        missing = simplify(div(ONE, factor), deadline=limit()).result
        if constant == 1 and all(p >= 0 for p in powers.values()):
            return 0, Diagnosis("mean forgotten", used=factor, right=missing)
        return 50, Diagnosis(
            "factor of the whole", used=simplify(factor, deadline=limit()).result, right=missing
        )

    # ---- the answer's own formula

    def in_the_formula(self) -> Iterator[Trial]:
        """One part transposed, one transpose too many, two factors exchanged."""
        nodes = topological([self.given])
        if len(nodes) > _MOST_NODES:
            return
        for node in nodes:
            if arrays.is_op(node, "transpose"):
                yield from self._mended(1, Diagnosis("transposed too much", node), node.args[0])
            elif len(node.shape) == 2:
                told = Diagnosis("transpose missing", node)
                yield from self._mended(1, told, arrays.transpose(node))
            if arrays.is_op(node, "matmul"):
                told = Diagnosis("factors exchanged", node)
                try:
                    swapped = apply(lookup("matmul"), node.args[1], node.args[0])
                except ChainruleError:
                    continue
                yield from self._mended(1, told, swapped)

    def _mended(self, rank: int, told: Diagnosis, part: Expr) -> Iterator[Trial]:
        assert told.at is not None
        try:
            (formula,) = substitute([self.given], {told.at: part})
        except ChainruleError:
            return  # it does not fit there
        yield Trial(rank, told, formula, True)

    # ---- the derivation

    def _along_seed(self) -> tuple[Expr, Expr] | None:
        """The answer and the derivative, applied to a cotangent where the output is an array."""
        if not self.function.shape:
            return self.given, self.right
        out, by = self.function.shape, self.by.shape
        if len(out) > 1 or len(by) > 1 or not same_shape(self.given.shape, out + by):
            return None
        given, right = (
            arrays.matmul(arrays.transpose(j), self._seed)
            if len(j.shape) == 2 and by
            else arrays.dot(self._seed, j if len(j.shape) == 1 else arrays.column(j))
            for j in (self.given, self.right)
        )
        return given, right

    def in_the_derivation(self) -> Iterator[Trial]:
        """The derivation with one wrong local derivative."""
        active = depends_on([self.function], [self.by])
        order = [n for n in topological([self.function]) if n in active and isinstance(n, Apply)]
        if len(order) > _MOST_NODES:
            return
        bars = cotangents([self.function], [self._seed], order)
        if not self.function.shape:
            for node in order[:-1]:
                if node in bars:
                    told = Diagnosis("stopped early", self._label(node), self.by)
                    yield Trial(3, told, bars[node])
        (right,) = gradient(self.function, [self.by], self._seed)
        for node in reversed(order):
            if node not in bars or not isinstance(node, Apply):
                continue
            for slot, argument in enumerate(node.args):
                if argument not in active:
                    continue
                pulled = edge(node, slot).pull(bars[node])
                for rank, told, wrong in self._wrong(node, slot, bars[node], active):
                    if wrong.shape != argument.shape:
                        continue
                    change = arrays.plus(wrong, _negative(pulled))
                    (onward,) = gradient_of(argument, self.by, change)
                    yield Trial(rank, told, arrays.plus(right, onward))

    def _wrong(
        self, node: Apply, slot: int, bar: Expr, active: set[Expr]
    ) -> Iterator[tuple[int, Diagnosis, Expr]]:
        """Cotangents of the argument under each mistake."""
        argument, m = node.args[slot], edge(node, slot)
        at, inner = self._label(node), self._label(argument)
        pulled = m.pull(bar)
        if sum(a in active for a in node.args) > 1:
            kind = "part twice" if node.args.count(argument) > 1 else "part left out"
            yield 2, Diagnosis(kind, at, inner), arrays.zeros(argument.shape)
        sign = node.op is NEG or (node.op is SUB and slot == 1)
        yield (1 if sign else 40), Diagnosis("sign of a part", at, inner), _negative(pulled)
        if node.op.shape is None:
            yield from self._elementwise(node, slot, bar, active)
        elif argument.shape == node.shape and not arrays.is_op(node, "transpose"):
            yield 2, Diagnosis("derivative left out", at, inner), bar
        for part in m.maps if isinstance(m, Compose) else (m,):
            if isinstance(part, Sum) and arrays.is_op(node, "mean"):
                wrong = Sum(argument.shape, node.shape, part.axis).pull(bar)
                yield 1, Diagnosis("mean forgotten", right=_over(argument, part.axis)), wrong
        yield from self._turned(m, at, inner, bar)

    def _elementwise(
        self, node: Apply, slot: int, bar: Expr, active: set[Expr]
    ) -> Iterator[tuple[int, Diagnosis, Expr]]:
        """The mistakes with functions of one number, made with each entry."""
        argument = node.args[slot]
        at, inner = self._label(node), self._label(argument)
        local = node.op.partial(node, slot)
        if isinstance(local, Const) and abs(local.value) == 1:
            return
        told = Diagnosis("derivative left out", at, inner, ONE, local)
        yield 2, told, arrays.gathered(bar, argument.shape)
        if argument.shape != node.shape or sum(a in active for a in node.args) > 1:
            return
        plain = symbol("an entry")
        args = [plain if a is argument else a for a in node.args]
        if any(a.shape for a in args):
            return
        place = Place.of(apply(node.op, *args), {plain: ONE}, plain)
        for mistake in TABLE:
            for slope in mistake.slopes(place):
                if slope is place.slope or mistake.kind == "factor missing":
                    continue
                (wrong,) = substitute([slope], {plain: argument})
                used = simplify(slope, deadline=limit()).result
                right = simplify(place.slope, deadline=limit()).result
                used, right = substitute([used, right], {plain: inner})
                told = Diagnosis(mistake.kind, at, inner, used, right)
                yield mistake.rank + 2, told, arrays.hadamard(bar, wrong)

    def _turned(
        self, m: LinMap, at: Expr, inner: Expr, bar: Expr
    ) -> Iterator[tuple[int, Diagnosis, Expr]]:
        """A factor without its transpose, or on the wrong side, where it fits all the same."""
        if not isinstance(m, Left | Right) or len(m.by.shape) != 2 or not bar.shape:
            return
        left, turned = isinstance(m, Left), arrays.transpose(m.by)
        used = self._label(m.by)
        for kind, first, second in (
            ("transpose forgotten", *((m.by, bar) if left else (bar, m.by))),
            ("factor on the wrong side", *((bar, turned) if left else (turned, bar))),
        ):
            try:
                wrong = arrays.matmul(first, second)
            except ChainruleError:
                continue
            yield 2, Diagnosis(kind, at, inner, used, arrays.transpose(used)), wrong

    def _label(self, node: Expr) -> Expr:
        """The node by its name in the derivation, else as it is."""
        return symbol(self._names[node], node.shape) if node in self._names else node


def gradient_of(node: Expr, by: Expr, seed: Expr) -> list[Expr]:
    """The cotangent of `by`, where `node` has the cotangent `seed`."""
    return [seed] if node is by else gradient(node, [by], seed)


def _negative(a: Expr) -> Expr:
    return arrays.scaled(const(-1), a) if a.shape else neg(a)


def _over(argument: Expr, axis: int | None) -> Expr:
    count = arrays.count(argument.shape if axis is None else (argument.shape[axis],))
    return div(ONE, count)


def _rational(ratio: Any) -> Fraction | None:
    """The short fraction that a number is, if it is one."""
    nearest = Fraction(round(float(ratio) * 5040), 5040)
    if len(str(nearest.numerator)) > _MOST_DIGITS or len(str(nearest.denominator)) > _MOST_DIGITS:
        return None
    return nearest if abs(ratio * nearest.denominator - nearest.numerator) < 1e-20 else None


def _ramp(seed: Sym, sample: Sample) -> Any:
    """Different numbers for the entries of a cotangent."""
    import numpy as np

    shape = tuple(size_of(d, sample.sizes) for d in seed.shape)
    array = np.empty(shape, dtype=object)
    for i, place in enumerate(np.ndindex(*shape)):
        array[place] = Fraction(2 * i + 3, 3 * i + 4) * (-1) ** (i % 3)
    return array
