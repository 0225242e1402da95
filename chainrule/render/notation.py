"""How a derivation writes its derivatives and its long formulas.

Settled once for the whole derivation: where `∂` stands and where `d`, and which shared
parts have names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from chainrule.core.expr import Expr, Sym, free_symbols, substitute, symbol, topological
from chainrule.core.shape import Shape
from chainrule.derivation.steps import (
    Chain,
    Derivation,
    Differential,
    EntryOf,
    Formula,
    Gradient,
    Partial,
)
from chainrule.render.blocks import Math, Shown
from chainrule.render.boxes import PRODUCT, ArrayName, Box, Label, higher_box, in_row, quantity_box
from chainrule.render.sharing import LIMIT, Sign, changed, leaves, measure, shared

_STOREYS = 12  # brackets within brackets: about as many as fit side by side on a page


class Notation:
    """The notation of one derivation.

    A derivative along one edge is `d` where the quantity has one operand only, else `∂`.
    The derivative along all paths is `d` with one variable; with several it is `∂`, as in a
    gradient, unless that could be mistaken for an edge's.

    Attributes:
        order: of the highest derivative.
        weighted: what the result is called where the Jacobian is multiplied.
        both_signs: whether `∂` and `d` of the same two names mean different things here.
    """

    def __init__(self, derivation: Derivation) -> None:
        topics = {step.topic for step in derivation.steps}
        self.weighted = "J h" if "direction" in topics else "v J" if "weights" in topics else ""
        self.order = max((step.stage for step in derivation.steps), default=1)
        self._operands = _operands(derivation)
        self._many = len(derivation.variables) > 1
        self._shapes = _shapes(derivation)
        self._arrays = {n for n, shape in self._shapes.items() if shape}
        self._signs = self._made(derivation)
        self.both_signs = _ambiguous(self._operands, derivation)
        expressions = _expressions(derivation)
        size, depth = measure(expressions)
        long = [e for e in expressions if size[e] > LIMIT or depth[e] >= _STOREYS]
        taken = {n.name for n in size if isinstance(n, Sym)} | set(self._operands)
        parts = shared(long, taken=taken, storeys=_STOREYS)
        self._short = dict(zip(long, parts.formulas, strict=True))
        self._parts = dict(parts.definitions)
        self._told: set[str] = set()

    def formula(self, formula: Formula, by_name: bool = False) -> Formula:
        """The formula with this derivation's signs, and its long expressions shortened.

        `by_name`: an edge's derivative is taken by the name, in all places where it occurs.
        """

        def written(e: Expr) -> Expr:
            e = self._short.get(e, e)
            return substitute([e], self._signs)[0] if self._signs else e

        def signed(sign: Sign) -> Formula:
            name = self._name
            match sign:
                case Partial(of, by, total):
                    return Partial(name(of), name(by), self._is_straight(of, total, by_name))
                case Chain(nodes):
                    return Chain(tuple(map(name, nodes)))
                case Differential(of):
                    return Differential(name(of))
                case Gradient(of, by):
                    return symbol(self._gradient(of, by), self._shapes.get(by, ()))
                case EntryOf(of, at, by, by_at):
                    return EntryOf(name(of), at, name(by), by_at)

        return changed(formula, written, signed)

    def _name(self, name: str) -> str:
        return ArrayName(name) if name in self._arrays else name

    def symbol(self, name: str) -> Sym:
        """What stands for a quantity, with its shape."""
        return symbol(name, self._shapes.get(name, ()))

    def quantity(self, name: str) -> Math:
        """A name in a sentence."""
        return Math((self.symbol(name),))

    def _made(self, derivation: Derivation) -> dict[Expr, Expr]:
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
        return f"∂{of}/∂{by}"

    def has_edge(self, of: str, by: str) -> bool:
        """Whether the quantity `of` is computed directly from `by`."""
        return by in self._operands.get(of, ())

    def _is_straight(self, of: str, total: bool, by_name: bool) -> bool:
        if total:
            return self.both_signs or not (self._many or self._arrays)
        if self._arrays:
            return False
        operands = self._operands.get(of, [])
        return len(set(operands) if by_name else operands) < 2

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
        found: dict[str, Expr] = {}
        stack = [e for f in formulas for e in leaves(f)] if self._parts else []
        while stack:
            for node in topological([stack.pop()]):
                if not isinstance(node, Sym) or node.name not in self._parts:
                    continue
                if node.name not in found and (again or node.name not in self._told):
                    found[node.name] = self._parts[node.name]
                    stack.append(found[node.name])
        self._told.update(found)
        return sorted(found.items(), key=lambda item: int(item[0].lstrip("t")))


def _shapes(derivation: Derivation) -> dict[str, Shape]:
    """The shapes of the names that are arrays."""
    shapes = {s.name: s.shape for s in free_symbols(derivation.functions) if s.shape}
    shapes.update((n, e.shape) for n, e in derivation.program.assignments if e.shape)
    shapes.update((u.name, u.expression.shape) for u in derivation.intermediates)
    shapes.update((n, shape) for n, shape in derivation.program.declared.items() if shape)
    return shapes


def _expressions(derivation: Derivation) -> list[Expr]:
    lines = [line for step in derivation.steps for line in step.lines]
    return list(dict.fromkeys(e for line in lines for part in line.parts for e in leaves(part)))


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
