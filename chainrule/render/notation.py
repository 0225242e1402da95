"""How a derivation writes its derivatives and its long formulas.

Settled once for the whole derivation: where `∂` stands and where `d`, and which shared
parts have names.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence

from chainrule.core.expr import Expr, Sym, apply, free_symbols, substitute, symbol
from chainrule.core.ops import lookup
from chainrule.core.shape import Shape
from chainrule.derivation.simplify import overlapping
from chainrule.derivation.steps import (
    Chain,
    Derivation,
    Differential,
    EntryOf,
    Formula,
    Gradient,
    Partial,
    Second,
)
from chainrule.render.array_layout import indexed_by, shaped_box
from chainrule.render.blocks import Math, Shown
from chainrule.render.boxes import (
    ATOM,
    PRODUCT,
    ArrayName,
    Box,
    Label,
    differential_box,
    fenced,
    higher_box,
    in_row,
    quantity_box,
)
from chainrule.render.sharing import LIMIT, Sign, changed, leaves, measure, shared

_APART = 100  # nodes: shorter ones are written out even where they have parts in common
_STOREYS = 12  # brackets within brackets: about as many as fit side by side on a page


class Notation:
    """The notation of one derivation.

    A derivative along one edge is `d` where the quantity has one operand only, else `∂`.
    The derivative along all paths is `d` with one variable; with several it is `∂`, as in a
    gradient, unless that could be mistaken for an edge's.

    In an array program every derivative is `∂`. A gradient, which has the shape of what it is
    by, is `∂y/∂X`, or `∇_x y` where `∂y/∂x` is the row that is its transpose.

    Attributes:
        order: of the highest derivative.
        weighted: what the result is called where the Jacobian is multiplied.
        both_signs: whether `∂` and `d` of the same two names mean different things here.
    """

    def __init__(self, derivation: Derivation, in_language: bool = False) -> None:
        """`in_language`: names that only the derivation has are written as names."""
        topics = {step.topic for step in derivation.steps}
        self.weighted = "J h" if "direction" in topics else "v J" if "weights" in topics else ""
        self.order = max((step.stage for step in derivation.steps), default=1)
        self._operands = _operands(derivation)
        self._many = len(derivation.variables) > 1
        self.both_signs = _ambiguous(self._operands, derivation)
        self._shapes = _shapes(derivation)
        self._arrays = {n for n, shape in self._shapes.items() if shape}
        # Where a row is the transpose of the gradient, or `∂` the derivative along an edge.
        self.rows = derivation.layout == "numerator" and _has_rows(derivation, self._arrays)
        self.nabla = self.rows or (self.both_signs and bool(derivation.result.blocks))
        self._stands = self._weighted_outputs(derivation)
        self.curvatures = self._curvatures(derivation)
        self._made = {of: name for name, of in derivation.made.items()} if in_language else {}
        self._signs = {} if in_language else self._signs_of(derivation)
        expressions = _expressions(derivation)
        size, depth = measure(expressions)
        least = _APART if overlapping([e for e in expressions if size[e] > _APART]) else LIMIT
        long = [e for e in expressions if size[e] > least or depth[e] >= _STOREYS]
        taken = {n.name for n in size if isinstance(n, Sym)} | set(self._operands)
        parts = shared(long, taken=taken, storeys=_STOREYS)
        self._short = dict(zip(long, parts.formulas, strict=True))
        self._parts = dict(parts.definitions)
        self._shortened: set[Expr] = set()  # where parts with names are
        self._told: set[str] = set()

    def formula(self, formula: Formula, by_name: bool = False) -> Formula:
        """The formula with this derivation's signs, and its long expressions shortened.

        `by_name`: an edge's derivative is taken by the name, in all places where it occurs.
        """
        return changed(formula, self._written, self._by_name if by_name else self._signed)

    def _written(self, e: Expr) -> Expr:
        short = self._short.get(e)
        shown = e if short is None else short
        if self._signs:
            shown = substitute([shown], self._signs)[0]
        if short is not None:
            self._shortened.add(shown)
        return shown

    def _by_name(self, sign: Sign) -> Formula:
        return self._signed(sign, by_name=True)

    def _signed(self, sign: Sign, by_name: bool = False) -> Formula:
        if isinstance(sign, Partial):
            straight = self._is_straight(sign.of, sign.total, by_name)
            if straight == sign.total and not self._arrays:
                return sign
            return Partial(self._name(sign.of), self._name(sign.by), straight)
        name = self._name
        match sign:
            case Chain(nodes):
                return Chain(tuple(map(name, nodes))) if self._arrays else sign
            case Differential(of):
                return Differential(name(of))
            case Gradient(of, by):
                made = self._made.get(sign) or self._gradient(of, by)
                return symbol(made, self._shapes.get(by, ()))
            case Second(of, by, then):
                return Second(name(of), name(by), name(then))
            case EntryOf(of, at, by, by_at):
                return EntryOf(name(of), at, name(by), by_at)

    def _weighted_outputs(self, derivation: Derivation) -> dict[str, str]:
        """Names for the sums that weighted outputs make, by output."""
        blocks = derivation.result.blocks
        weighted = dict.fromkeys(b.output for b in blocks if b.weights is not None)
        taken = {*self._operands, *(s.name for s in free_symbols(derivation.functions))}
        letter = next((c for c in "sqrpe" if not any(n.startswith(c) for n in taken)), "s_w")
        self.scalar = letter
        names = [f"{letter}{i + 1}" for i in range(len(weighted))]
        names = [letter] if len(weighted) == 1 else names
        return dict(zip(weighted, names, strict=True))

    def weighted_sums(self, derivation: Derivation) -> list[tuple[Sym, Expr]]:
        """What stands for a weighted output, and the weighted sum that it is."""
        sums: dict[str, Expr] = {}
        for block in derivation.result.blocks:
            if block.weights is not None:
                output = symbol(block.output, block.weights.shape)
                row = "dot" if output.shape else "mul"
                sums[self._stands[block.output]] = apply(lookup(row), block.weights, output)
        return [(symbol(name), value) for name, value in sums.items()]

    def _curvatures(self, derivation: Derivation) -> list[Label]:
        """What a Hessian times a direction is called: `H dx`, or `(H d)_x` of several parts."""
        names = derivation.variables
        found = []
        for block in derivation.result.blocks:
            if block.kind == "curvature":
                change = Box("constant", (), "d", "d")
                if len(names) == 1:
                    change = differential_box(self._name(names[0]))
                hessian = Box("constant", (), "H", "H")
                product = in_row([hessian, Box("times", (), " "), change], PRODUCT, PRODUCT)
                if len(names) > 1:
                    part = quantity_box(self._name(block.variables[0]))
                    product = indexed_by(fenced(product, ATOM, ATOM), [part])
                found.append(Label(product))
        return found

    def direction(self, derivation: Derivation) -> list[tuple[Formula, Expr]]:
        """The change of each variable that was given."""
        given = {v: e for block in derivation.result.blocks for v, e in block.direction.items()}
        return [(self.formula(Differential(v)), change) for v, change in given.items()]

    def _name(self, name: str) -> str:
        return ArrayName(name) if name in self._arrays else name

    def quantity(self, name: str) -> Math:
        """A name in a sentence."""
        return Math((symbol(name, self._shapes.get(name, ())),))

    def declared(self, name: str) -> Math:
        """A name in a sentence, an array with its shape."""
        shape = self._shapes.get(name, ())
        return Math((Label(shaped_box(name, shape)),)) if shape else self.quantity(name)

    def _signs_of(self, derivation: Derivation) -> dict[Expr, Expr]:
        """How the names that only the derivation has are written: `∂L/∂Z1`, `dX`."""
        signs: dict[Expr, Expr] = {}
        for made, of in derivation.made.items():
            if isinstance(of, Gradient):
                shape, shown = self._shapes.get(of.by, ()), self._gradient(of.of, of.by)
            else:
                shape, shown = self._shapes.get(of.of, ()), f"∂{of.of}"
            signs[symbol(made, shape)] = symbol(shown, shape)
        return signs

    def _gradient(self, of: str, by: str) -> str:
        sign = "∇" if self.nabla else "∂"
        of = self._stands.get(of, of) or self.scalar
        return f"{sign}{of}/{sign}{by}"

    def has_edge(self, of: str, by: str) -> bool:
        """Whether the quantity `of` is computed directly from `by`."""
        return by in self._operands.get(of, ())

    def _is_straight(self, of: str, total: bool, by_name: bool) -> bool:
        if total:
            return self.both_signs or not (self._many or self._arrays)
        if self._arrays:
            return False
        operands = self._operands.get(of, ())
        return len(operands) < 2 or (by_name and len(set(operands)) < 2)

    def gradient(self, of: str) -> Label:
        """`∇y`, the whole gradient."""
        nabla = Box("constant", (), "∇", r"\nabla ")
        return Label(in_row([nabla, quantity_box(self._name(of))], PRODUCT, PRODUCT))

    def derivative(self, of: str, by: str, order: int) -> Label:
        """`d^2y/dx^2`."""
        return Label(higher_box("d", of, [(by, order)]))

    def entry(self, of: str, by: Sequence[str]) -> Shown:
        """The derivative that an entry of a result is, by one variable or by several."""
        if len(by) == 1:
            return self.formula(Partial(of, by[0], total=True))
        return Label(higher_box("∂", of, [(v, by.count(v)) for v in dict.fromkeys(by)]))

    def definitions(
        self, formulas: Iterable[Formula], again: bool = False
    ) -> list[tuple[str, Expr]]:
        """The named parts below these formulas; those asked for before only `again`."""
        if not (self._parts and self._shortened):
            return []
        found: dict[str, Expr] = {}
        stack = [e for e in leaves(formulas) if e in self._shortened]
        seen = set(stack)
        while stack:
            node = stack.pop()
            below = node.args
            name = node.name if isinstance(node, Sym) else ""
            if name in self._parts and (again or name not in self._told):
                found[name] = self._parts[name]
                below = (found[name],)
            for part in below:
                if part not in seen:
                    seen.add(part)
                    stack.append(part)
        self._told.update(found)
        return sorted(found.items(), key=lambda item: int(item[0].lstrip("t")))


def _shapes(derivation: Derivation) -> dict[str, Shape]:
    """The shapes of the names that are arrays."""
    shapes = {s.name: s.shape for s in free_symbols(derivation.functions) if s.shape}
    shapes.update((n, e.shape) for n, e in derivation.program.assignments if e.shape)
    for step in derivation.steps:  # of every round of differentiation
        if step.topic == "intermediates":
            named = [line.parts[0] for line in step.lines]
            shapes.update((s.name, s.shape) for s in named if isinstance(s, Sym))
    shapes.update((n, shape) for n, shape in derivation.program.declared.items() if shape)
    return shapes


def _has_rows(derivation: Derivation, arrays: Container[str]) -> bool:
    """Whether the derivative of a number by a vector is written as a row."""
    partials: list[Partial] = []

    def noted(sign: Sign) -> Formula:
        if isinstance(sign, Partial):
            partials.append(sign)
        return sign

    if not derivation.result.blocks:
        return False
    for step in derivation.steps:
        for line in step.lines:
            for part in line.parts:
                changed(part, lambda e: e, noted)
    return any(p.of not in arrays and p.by in arrays for p in partials)


def _expressions(derivation: Derivation) -> list[Expr]:
    return leaves([part for step in derivation.steps for line in step.lines for part in line.parts])


def _operands(derivation: Derivation) -> dict[str, list[str]]:
    """What each quantity is differentiated by along its edges, one a slot."""
    operands: dict[str, list[str]] = {}
    for step in derivation.steps:
        for line in step.lines if step.topic == "locals" else ():
            if isinstance(edge := line.parts[0], Partial):
                operands.setdefault(edge.of, []).append(edge.by)
    return operands


def _ambiguous(operands: Mapping[str, list[str]], derivation: Derivation) -> bool:
    """Whether some quantity has an edge to a name, and longer paths to it as well.

    What counts are the pairs of names whose total derivative is written: by the variables;
    in backpropagation also those of the outputs by every name.
    """
    bit = {v: 1 << i for i, v in enumerate(derivation.variables)}
    reach = dict(bit)
    for of, below in operands.items():
        straight = sum({bit[by] for by in below if by in bit})
        beyond = 0
        for by in below:
            beyond |= 0 if by in bit else reach.get(by, 0)
        if straight & beyond or len([by for by in below if by in bit]) > straight.bit_count():
            return True
        reach[of] = straight | beyond
    if derivation.style != "backprop":
        return False
    return any(_meets_again(operands, output) for output in derivation.outputs)


def _meets_again(operands: Mapping[str, list[str]], output: str) -> bool:
    direct = operands.get(output, [])
    seen: set[str] = set()
    stack = [name for by in direct for name in operands.get(by, ())]
    while stack:
        name = stack.pop()
        if name not in seen:
            seen.add(name)
            stack.extend(operands.get(name, ()))
    return not seen.isdisjoint(direct)
