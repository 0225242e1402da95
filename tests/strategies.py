"""Hypothesis strategies for expressions: every row of the operator table, nested, as typed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import chainrule.core.table
from chainrule.core import ops
from chainrule.core.arithmetic import PI, E, size
from chainrule.core.expr import ONE, TWO, ZERO, Const, Expr, Sym, apply, const, symbol
from chainrule.core.ops import Operator
from chainrule.core.shape import Shape
from chainrule.core.table import abstract
from chainrule.core.table.piecewise import PIECEWISE
from chainrule.core.table.special import POLYGAMMA

assert chainrule.core.table

NAMES = ("x", "y", "t", "x1", "w12", "theta", "lambda", "u_k", "beta1", "Delta", "A", "d")

_SPECIAL = (PIECEWISE, POLYGAMMA)  # rows whose arguments have a form of their own
OPERATORS = tuple(
    row
    for row in ops.rows()
    if row not in _SPECIAL and row.arity != (0, 0) and row.shape is None  # those of scalars
)
UNARY = tuple(row for row in OPERATORS if row.arity == (1, 1))
RELATIONS = tuple(row for row in OPERATORS if row.notation == "relation")
ARITHMETIC = tuple(
    row for row in OPERATORS if row.notation in ("sum", "product", "fraction", "prefix", "power")
)


def integers() -> SearchStrategy[Const]:
    """Whole numbers: mostly small, of either sign, sometimes long."""
    return st.one_of(st.integers(-12, 12), st.integers(-(10**40), 10**40)).map(const)


def fractions() -> SearchStrategy[Const]:
    """Fractions that are not whole."""
    return (
        st.builds(Fraction, st.integers(-50, 50), st.integers(2, 30))
        .filter(lambda value: value.denominator > 1)
        .map(const)
    )


def decimals() -> SearchStrategy[Const]:
    """Decimal numbers, from tiny to huge, whole ones too (`2.0`)."""

    def build(digits: int, exponent: int) -> Const:
        return const(digits * Fraction(10) ** exponent, decimal=True)

    return st.one_of(
        st.builds(build, st.integers(-9999, 9999), st.integers(-4, 1)),
        st.builds(build, st.integers(-999, 999), st.integers(-40, 40)),
    )


def constants() -> SearchStrategy[Const]:
    """Numbers of every kind."""
    return st.one_of(integers(), fractions(), decimals())


def symbols(names: Sequence[str] = NAMES) -> SearchStrategy[Sym]:
    """Names that need no declaration."""
    return st.sampled_from(names).map(symbol)


def leaves(names: Sequence[str] = NAMES) -> SearchStrategy[Expr]:
    """What an expression ends in."""
    return st.one_of(symbols(names), constants(), st.sampled_from([apply(E), apply(PI)]))


def expressions(
    names: Sequence[str] = NAMES,
    operators: Sequence[Operator] = OPERATORS,
    *,
    most_leaves: int = 12,
    special: bool = True,
    functions: bool = False,
) -> SearchStrategy[Expr]:
    """Trees over the rows, built with `apply` (nothing folded), in any domain or none.

    `special` adds cases and polygamma; `functions` adds functions that are only named, and
    their derivatives.
    """

    def extend(inner: SearchStrategy[Expr]) -> SearchStrategy[Expr]:
        kinds = [st.sampled_from(operators).flatmap(lambda row: applications(row, inner))]
        arithmetic = [row for row in operators if row in ARITHMETIC]
        if arithmetic:  # as often as all functions together: brackets are where printers fail
            kinds.append(st.sampled_from(arithmetic).flatmap(lambda row: applications(row, inner)))
        if special:
            kinds += [cases(inner), polygammas(inner)]
        if functions:
            kinds.append(named_functions(inner))
        return st.one_of(kinds)

    return st.recursive(leaves(names), extend, max_leaves=most_leaves)


def applications(row: Operator, inner: SearchStrategy[Expr]) -> SearchStrategy[Expr]:
    """The row applied to as many arguments as it takes; up to four where it takes any number."""
    low, high = row.arity
    arguments = st.lists(inner, min_size=low, max_size=4 if high is None else high)
    return arguments.map(lambda args: apply(row, *args))


def relations(inner: SearchStrategy[Expr]) -> SearchStrategy[Expr]:
    """Comparisons."""
    return st.sampled_from(RELATIONS).flatmap(lambda row: applications(row, inner))


def cases(inner: SearchStrategy[Expr]) -> SearchStrategy[Expr]:
    """Piecewise expressions of one to three branches, with or without a default."""
    branch = st.tuples(inner, st.one_of(relations(inner), inner))

    def build(branches: list[tuple[Expr, Expr]], default: Expr | None) -> Expr:
        args = [part for pair in branches for part in pair]
        return apply(PIECEWISE, *args, *([] if default is None else [default]))

    return st.builds(build, st.lists(branch, min_size=1, max_size=3), st.one_of(st.none(), inner))


def polygammas(inner: SearchStrategy[Expr]) -> SearchStrategy[Expr]:
    """Derivatives of digamma."""
    return st.builds(lambda order, a: apply(POLYGAMMA, const(order), a), st.integers(1, 4), inner)


def named_functions(inner: SearchStrategy[Expr]) -> SearchStrategy[Expr]:
    """`f(x)`, `g1(x, y)`, `F(x, y, z)` and their derivatives."""

    def applied(name: str, arity: int) -> SearchStrategy[Expr]:
        orders = st.tuples(*[st.integers(0, 3)] * arity)
        arguments = st.tuples(*[inner] * arity)
        return st.builds(
            lambda k, args: apply(abstract.function(name, arity, k), *args), orders, arguments
        )

    return st.one_of(applied("f", 1), applied("g1", 2), applied("F", 3), applied("phi", 1))


# Vectors and matrices: every row of the table that has a shape of its own.

DECLARATIONS = (
    "A: matrix(n, n), B: matrix(n, n), X: matrix(m, n), W1: matrix(m, n), x: vector(n), "
    "theta: vector(n), u: vector(m), logits: vector(m), R: matrix(1, n), P: matrix(3, 3), "
    "p: vector(3), c: scalar"
)
SHAPED: dict[Shape, tuple[str, ...]] = {
    (): ("c", "t", "n"),
    ("n",): ("x", "theta"),
    ("m",): ("u", "logits"),
    (3,): ("p",),
    ("n", "n"): ("A", "B"),
    ("m", "n"): ("X", "W1"),
    (1, "n"): ("R",),
    (3, 3): ("P",),
}
_ENTRYWISE = ("sin", "exp", "abs", "sqrt", "floor", "sigmoid", "relu", "neg", "ln", "cbrt")
_TWO = ("add", "sub", "mul", "div", "pow", ">", "max", "leaky_relu")


def _of(name: str, *args: Expr) -> Expr:
    return apply(ops.lookup(name), *args)


@st.composite
def arrays(draw: st.DrawFn, shape: Shape | None = None, depth: int = 4) -> Expr:
    """An expression over the names of `DECLARATIONS`, of this shape or of any, as typed."""
    if shape is None:
        shape = draw(st.sampled_from(list(SHAPED)))

    def inner(of: Shape) -> Expr:
        return draw(arrays(of, depth - draw(st.integers(1, 2))))

    def any_vector() -> Expr:
        return inner(draw(st.sampled_from([s for s in SHAPED if len(s) == 1])))

    def any_matrix() -> Expr:
        return inner(draw(st.sampled_from([s for s in SHAPED if len(s) == 2])))

    def square() -> Expr:
        return inner(draw(st.sampled_from([("n", "n"), (3, 3)])))

    def entrywise() -> Expr:
        if draw(st.booleans()):
            return _of(draw(st.sampled_from(_ENTRYWISE)), inner(shape))
        other = () if draw(st.integers(0, 3)) == 0 else shape
        if shape == ("m", "n") and draw(st.integers(0, 3)) == 0:
            other = ("n",)
        pair = [inner(shape), inner(other)]
        return _of(draw(st.sampled_from(_TWO)), *(pair[::-1] if draw(st.booleans()) else pair))

    if depth <= 0:
        leaf: list[Expr] = [symbol(name, shape) for name in SHAPED[shape]]
        if shape:
            filling = draw(st.sampled_from(["ones", "zeros"]))
            leaf.append(apply(ops.lookup(filling), *map(size, shape)))
        else:
            leaf.append(draw(constants()))
        return draw(st.sampled_from(leaf))
    ways: list[Callable[[], Expr]] = [entrywise, entrywise]
    if not shape:
        ways += [
            lambda: _of(draw(st.sampled_from(["sum", "mean", "norm"])), any_matrix()),
            lambda: _of(draw(st.sampled_from(["sum", "norm", "logsumexp"])), any_vector()),
            lambda: _of(draw(st.sampled_from(["dot", "matmul"])), inner(("n",)), inner(("n",))),
            lambda: _of("matmul", _of("transpose", inner(("m",))), inner(("m",))),
            lambda: _of(draw(st.sampled_from(["trace", "det"])), square()),
            lambda: _of("index", any_vector(), const(draw(st.integers(0, 2)))),
            lambda: _of("index", any_matrix(), const(0), const(draw(st.integers(0, 2)))),
            lambda: _of(
                draw(st.sampled_from(["mse", "cross_entropy"])),
                inner(("m", "n")),
                inner(("m", "n")),
            ),
        ]
    elif len(shape) == 1:
        ways += [
            lambda: _of("matmul", inner((*shape, *shape)) if shape != ("m",) else inner(("m", "n")),
                        inner(shape) if shape != ("m",) else inner(("n",))),
            lambda: _of("softmax", inner(shape)),
        ]  # fmt: skip
        if shape == ("n",):
            ways += [
                lambda: _of("sum", inner(("m", "n")), ZERO),
                lambda: _of("index", inner(("m", "n")), const(1)),
                lambda: _of("index", _of("transpose", inner(("n", "n"))), const(1)),
                lambda: _of("matmul", _of("transpose", inner(("m", "n"))), inner(("m",))),
                lambda: _of("slice", _of("concat", ZERO, inner(("m",)), inner(("n",))),
                            symbol("m"), size("m + n")),
            ]  # fmt: skip
        if shape == (3,):
            ways += [
                lambda: _of("diagonal", inner((3, 3))),
                lambda: _of("slice", _of("concat", ZERO, inner((3,)), inner((3,))), TWO, const(5)),
            ]
    elif shape[0] == 1:
        ways += [
            lambda: _of("transpose", inner(("n",))),
            lambda: _of("slice", inner(("m", "n")), ONE, TWO, ZERO, symbol("n")),
            lambda: _of("matmul", inner(shape), inner(("n", "n"))),
        ]
    else:
        ways += [
            lambda: _of("matmul", inner(shape), inner((shape[1], shape[1]))),
            lambda: _of("softmax", inner(shape)),
            lambda: _of("transpose", _of("transpose", inner(shape))),
            lambda: _of("outer", inner(shape[:1]), inner(shape[1:])),
        ]
        if shape[0] == shape[1]:
            ways += [
                lambda: _of("transpose", inner(shape)),
                lambda: _of(draw(st.sampled_from(["inv", "expm"])), inner(shape)),
                lambda: _of("diag", inner(shape[:1])),
                lambda: apply(ops.lookup("eye"), size(shape[0])),
                lambda: _of(
                    "slice", _of("concat", ONE, inner(shape), inner(shape)),
                    ZERO, size(shape[0]), ZERO, size(shape[0]),
                ),
            ]  # fmt: skip
    return draw(st.sampled_from(ways))()
