"""`chainrule.symbolic` against numerical differentiation, and what its results share."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

import mpmath
import pytest
from hypothesis import given
from hypothesis import strategies as st
from row_forms import all_forms

from chainrule import symbolic as sym
from chainrule.core import ops
from chainrule.core.arithmetic import ADD, DIV, MUL, NEG, POW, SUB
from chainrule.core.errors import ArityError, ShapeError, UnsupportedError, UsageError
from chainrule.core.expr import Apply, Const, Expr, Sym, apply, const, symbol, topological
from chainrule.symbolic.elimination import _eliminate, _graph
from chainrule.symbolic.ordering import _cheapest_first, elimination_order
from chainrule.symbolic.sums import Sums

M = mpmath.MPContext()
M.dps = 60
H = M.mpf(10) ** -20


def values(roots: Sequence[Expr], at: Mapping[Expr, Any]) -> list[Any]:
    """The values by the rows' `mpmath` column, which knows no derivatives."""
    known: dict[Expr, Any] = dict(at)
    for node in topological(roots):
        if isinstance(node, Const):
            value = Fraction(node.value)
            known[node] = M.mpf(value.numerator) / value.denominator
        elif isinstance(node, Apply) and node not in known:
            known[node] = node.op.mpmath(M, *(known[a] for a in node.args))
    return [known[root] for root in roots]


def slopes(ys: Sequence[Expr], xs: Sequence[Expr], at: Mapping[Expr, Any]) -> list[list[Any]]:
    """Rows by columns, by central differences."""
    columns = []
    for x in xs:
        up, down = (values(ys, {**at, x: at[x] + h}) for h in (H, -H))
        columns.append([(u - d) / (2 * H) for u, d in zip(up, down, strict=True)])
    return [list(row) for row in zip(*columns, strict=True)]


def assert_close(ours: Any, theirs: Any) -> None:
    assert abs(ours - theirs) <= M.mpf(10) ** -25 * (1 + abs(theirs)), (ours, theirs)


XS = sym.symbols("x0, x1, x2, x3")
POINT = {x: M.mpf(v) for x, v in zip(XS, ("0.37", "-0.82", "1.13", "0.59"), strict=True)}
NUMBERS = [const(v) for v in (-3, -1, 0, 1, 2, Fraction(-2, 3), 0.5, 1.0)]


def _bounded_quotient(a: Expr, b: Expr) -> Expr:
    return apply(DIV, a, apply(ADD, const(3), sym.sin(b)))


STEPS = [
    lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a * b, lambda a, b: -a,
    lambda a, b: sym.sin(a), lambda a, b: sym.cos(a), lambda a, b: sym.tanh(a),
    lambda a, b: sym.exp(sym.sin(a)), lambda a, b: sym.sin(a) ** 3, lambda a, b: sym.cos(a) ** 2,
    lambda a, b: sym.leaky_relu(a, b), lambda a, b: sym.softplus(a), _bounded_quotient,
    # As the parser builds them, with nothing folded:
    lambda a, b: apply(ADD, a, b), lambda a, b: apply(SUB, a, b), lambda a, b: apply(MUL, a, b),
    lambda a, b: apply(NEG, a), lambda a, b: apply(POW, sym.cos(a), const(2)),
]  # fmt: skip


@st.composite
def programs(draw: st.DrawFn, most: int = 24) -> list[Expr]:
    """Random DAGs: each node is an operation on earlier ones."""
    nodes: list[Expr] = [*XS, draw(st.sampled_from(NUMBERS))]
    for _ in range(draw(st.integers(1, most))):
        step = draw(st.sampled_from(STEPS))
        a, b = (nodes[draw(st.integers(0, len(nodes) - 1))] for _ in range(2))
        nodes.append(step(a, b))
        if len(topological(nodes)) > 60 or abs(values([nodes[-1]], POINT)[0]) > 1e6:
            nodes.pop()
    return nodes


@given(programs(), st.data())
def test_random_dags_against_differences(nodes: list[Expr], data: st.DataObject) -> None:
    ys = data.draw(st.lists(st.sampled_from(nodes), min_size=1, max_size=5))
    xs = data.draw(st.lists(st.sampled_from(XS), min_size=1, max_size=4, unique=True))
    expected = slopes(ys, xs, POINT)
    dense = sym.jacobian(ys, xs)
    sparse = sym.jacobian(ys, xs, sparse=True)
    flat = values([e for row in dense for e in row], POINT)
    for ours, theirs in zip(flat, [e for row in expected for e in row], strict=True):
        assert_close(ours, theirs)
    assert {(i, j): e for i, row in enumerate(dense) for j, e in enumerate(row)
            if (i, j) in sparse} == sparse  # fmt: skip
    assert list(sparse) == sorted(sparse)
    assert all(dense[i][j] is const(0) for i in range(len(ys)) for j in range(len(xs))
               if (i, j) not in sparse)  # fmt: skip
    for i, y in enumerate(ys):
        for ours, theirs in zip(values(sym.gradient(y, xs), POINT), expected[i], strict=True):
            assert_close(ours, theirs)
    direction = [3, const(-2), Fraction(1, 2), 0.25][: len(xs)]
    weights = list(range(2, 2 + len(ys)))
    pushed = values(sym.jvp(ys, xs, direction), POINT)
    pulled = values(sym.vjp(ys, xs, weights), POINT)
    numbers = values([d if isinstance(d, Expr) else const(d) for d in direction], POINT)
    for i in range(len(ys)):
        assert_close(pushed[i], sum(n * e for n, e in zip(numbers, expected[i], strict=True)))
    for j in range(len(xs)):
        assert_close(pulled[j], sum(w * row[j] for w, row in zip(weights, expected, strict=True)))


@given(programs(12))
def test_random_hessians_against_differences(nodes: list[Expr]) -> None:
    y = nodes[-1]
    expected = slopes(sym.gradient(y, XS), XS, POINT)
    ours = values([e for row in sym.hessian(y, XS) for e in row], POINT)
    for a, b in zip(ours, [e for row in expected for e in row], strict=True):
        assert_close(a, b)
    sparse = sym.hessian(y, XS, sparse=True)
    rows = [[sparse.get((i, j), const(0)) for j in range(4)] for i in range(4)]
    assert rows == sym.hessian(y, XS)


@given(programs(16), st.randoms(use_true_random=False))
def test_any_order_of_elimination_gives_the_jacobian(nodes: list[Expr], random: Any) -> None:
    """Forwards, backwards, cheapest first and at random: the entries have the same values."""
    ys = nodes[-4:]
    expected = slopes(ys, XS, POINT)
    for choose in ("forwards", "backwards", "cheapest", "random"):
        sums = Sums(topological(ys))
        rows, inner = _graph(ys, XS, topological(ys), sums)
        order = inner[::-1] if choose == "forwards" else list(inner)
        if choose == "cheapest":
            order = _cheapest_first(inner, 10**9) or []
            assert {*order} == {*inner}
        elif choose == "random":
            random.shuffle(order)
        for vertex in order:
            _eliminate(vertex, sums)
        for i, row in enumerate(rows):
            found = dict.fromkeys(XS, M.mpf(0))
            for x, label in row.below.items():
                terms = label if isinstance(label, list) else [label]
                signs = [-1 if type(t).__name__ == "Minus" else 1 for t in terms]
                plain = [t if isinstance(t, Expr) else t.of for t in terms]
                found[x] = sum(s * v for s, v in zip(signs, values(plain, POINT), strict=True))
            for x, theirs in zip(XS, expected[i], strict=True):
                assert_close(found[x], theirs)


def test_order_of_a_narrow_waist() -> None:
    """Wide, narrow, wide: what is in the middle goes first, at less cost than either sweep."""
    xs = sym.symbols([f"p{i}" for i in range(40)])
    layer: Sequence[Expr] = xs
    for width in (3, 3, 3, 40):
        layer = [sym.sin(sum((x * (i + j + 2) for i, x in enumerate(layer)), const(0)))
                 for j in range(width)]  # fmt: skip
    sums = Sums(topological(layer))
    _, inner = _graph(layer, xs, topological(layer), sums)
    cheapest = elimination_order(inner)
    assert cheapest not in (inner, inner[::-1])
    entries = sym.jacobian(layer, xs, sparse=True)
    assert len(entries) == 1600
    # 1600 entries are sums of three products; a factor more would be a sweep a row or column.
    assert sym.count_operations(entries) <= 1600 * 5 + 40 * 3 * 12


def test_common_factor_of_all_paths_is_multiplied_once() -> None:
    """m outputs, n inputs, one way through a chain: n + m + n m operations, not n times it."""
    n, m, length = 30, 20, 50
    xs = sym.symbols([f"q{i}" for i in range(n)])
    u = sum((sym.sin(x) for x in xs), const(0))
    for _ in range(length):
        u = sym.exp(sym.sin(u))
    ys = [sym.tanh(u * (i + 2)) for i in range(m)]
    function = sym.count_operations(ys)
    entries = sym.jacobian(ys, xs, sparse=True)
    assert sym.count_operations(entries) <= function + n * m + 4 * length + 5 * m + n


def test_rows_alone_and_columns_alone() -> None:
    """Parts that want opposite directions each get their own: one tall, one wide."""
    n = 30
    xs = sym.symbols([f"r{i}" for i in range(n)])
    wide = sum((x * x for x in xs), const(0))
    for _ in range(5):
        wide = sym.sin(wide) * wide
    (t,) = sym.symbols("t")
    tall = [t]
    for _ in range(n):
        tall.append(sym.sin(tall[-1]) * tall[-2 if len(tall) > 1 else -1])
    ys = [wide, *tall[1:]]
    entries = sym.jacobian(ys, [*xs, t], sparse=True)
    assert sorted(entries) == [(0, j) for j in range(n)] + [(i, n) for i in range(1, n + 1)]
    assert sym.count_operations(entries) <= 4 * sym.count_operations(ys)


def test_sparsity_is_found() -> None:
    x = sym.symbols([f"x{i}" for i in range(50)])
    y = _add([(1 - a) ** 2 + 100 * (b - a**2) ** 2 for a, b in pairwise(x)])
    entries = sym.hessian(y, x, sparse=True)
    assert sorted(entries) == sorted((i, j) for i in range(50) for j in range(50) if abs(i - j) < 2)
    gradient = sym.gradient(y, x)
    assert sym.count_operations(gradient) <= 1.13 * sym.count_operations(y) + 5


@pytest.mark.parametrize("n", [2, 4, 9])
def test_operations_of_a_matrix_function(n: int) -> None:
    """(A + B)(A B)': n^4 + 5 n^3 operations for 2 n^4 entries, each sum of products once."""
    v = sym.symbols([f"m{i}" for i in range(2 * n * n)])
    a = [v[i * n : i * n + n] for i in range(n)]
    b = [v[n * n + i * n : n * n + i * n + n] for i in range(n)]
    r = range(n)
    s = [[a[i][j] + b[i][j] for j in r] for i in r]
    t = [[_add([a[i][k] * b[k][j] for k in r]) for j in r] for i in r]
    ys = [_add([s[i][k] * t[j][k] for k in r]) for i in r for j in r]
    assert sym.count_operations(ys) == 4 * n**3 - n**2
    assert sym.count_operations(sym.jacobian(ys, v, sparse=True)) <= n**4 + 5 * n**3


def _add(terms: Sequence[Expr]) -> Expr:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def test_like_terms_are_collected() -> None:
    """Real and imaginary part of (x + i y)^k: its derivative is k times one before."""
    x, y = sym.symbols("x, y")
    c, s = [x], [y]
    for _ in range(20):
        c, s = [*c, x * c[-1] - y * s[-1]], [*s, x * s[-1] + y * c[-1]]
    entries = sym.jacobian(c + s, [x, y], sparse=True)
    assert sym.count_operations(entries) <= sym.count_operations(c + s) + 20 * 3


def test_zero_derivatives() -> None:
    x, y, z = sym.symbols("x, y, z")
    assert sym.gradient(x - x + y, [x, z]) == [const(0), const(0)]
    assert sym.jacobian([sym.floor(x) * y, 3, z - z], [x, z], sparse=True) == {}
    assert sym.jacobian([3, x], [x, y]) == [[const(0), const(0)], [const(1), const(0)]]
    assert sym.jacobian([], [x]) == [] and sym.jacobian([x], [], sparse=True) == {}


def test_outputs_and_inputs_may_repeat_or_meet() -> None:
    x, y = sym.symbols("x, y")
    assert sym.jacobian([x, x * y, x], [x, y, x]) == [
        [const(1), const(0), const(1)], [y, x, y], [const(1), const(0), const(1)],
    ]  # fmt: skip
    u = sym.sin(x)
    assert sym.gradient(u * u * y, [u]) == [2 * (y * u)]
    entries = sym.jacobian([u * y, u + x], [u, y], sparse=True)
    assert entries == {(0, 0): y, (0, 1): u, (1, 0): const(1)}


def test_the_same_question_has_the_same_answer() -> None:
    x = sym.symbols([f"s{i}" for i in range(6)])
    ys = [sym.sin(a * b) * c - b * b for a, b, c in zip(x, x[1:], x[2:], strict=False)]
    first = sym.jacobian(ys, x, sparse=True)
    assert sym.jacobian(ys, x, sparse=True) == first  # nodes are equal if they are the same


@pytest.mark.parametrize(
    "row", [r for r in ops.rows() if r.shape is None], ids=lambda row: row.name
)
def test_every_row_is_a_function(row: ops.Operator) -> None:
    function = getattr(sym, row.name, None) or sym.__getattr__(row.name)
    low = row.arity[0]
    args = [symbol(f"a{i}") for i in range(low)]
    built = function(*args)
    assert isinstance(built, Apply) and built.op is row and built.args == tuple(args)
    for spelling in row.spellings:
        assert sym.__getattr__(spelling)(*args) is built
    if row.arity[1] is not None:
        with pytest.raises(ArityError, match=re.escape(row.name)):
            function(*args, symbol("more"))


@pytest.mark.parametrize(
    "row", [r for r in ops.rows() if r.shape is not None], ids=lambda row: row.name
)
def test_every_row_over_arrays_is_a_function(row: ops.Operator) -> None:
    function = sym.__getattr__(row.name)
    for node, _ in all_forms(row):
        args, axis = list(node.args), None
        if row.notation == "concat":
            axis = args.pop(0).value
        elif row.notation == "reduction" and len(args) == 2:
            axis = args.pop().value
        built = function(*args) if axis is None else function(*args, axis=axis)
        if row.notation == "reduction" and axis is not None and len(args[0].shape) == 1:
            assert built is function(*args)
        else:
            assert built is node
    if row.arity[1] is not None:
        with pytest.raises(ArityError, match=re.escape(row.name)):
            function(*[symbol("x", ("n",))] * (row.arity[1] + 1))
    if row.notation not in ("concat", "reduction"):
        with pytest.raises(UsageError, match="axis"):
            function(symbol("x", ("n",)), axis=0)


def test_derivatives_of_arrays() -> None:
    X, w, s = symbol("X", ("N", "d")), symbol("w", ("d",)), symbol("s")
    y = sym.sum(sym.tanh(s * (X @ w)))
    assert [g.shape for g in sym.gradient(y, [X, w, s])] == [("N", "d"), ("d",), ()]
    v = symbol("v", ("d",))
    (pushed,) = sym.jvp([X @ w], [w], [v])
    assert pushed is X @ v
    u = symbol("u", ("N",))
    (pulled,) = sym.vjp([X @ w], [w], [u])
    assert pulled is X.T @ u
    assert sym.jacobian([X @ w], [w]) == [[X]]
    assert sym.jacobian([X @ w, s], [w, s], sparse=True) == {(0, 0): X, (1, 1): const(1)}
    ((row,),) = sym.jacobian([sym.sum(X)], [s])
    assert row is const(0)
    assert sym.hessian(sym.dot(w, w), [w]) == [[2 * sym.eye(symbol("d"))]]
    assert sym.diag(symbol("S", (2, 2))).op.name == "diagonal"
    labels = sym.cross_entropy(X, symbol("l", ("N",)))
    assert labels.args[1].op.name == "one_hot"
    with pytest.raises(ShapeError):
        sym.gradient(X @ w, [w])
    with pytest.raises(UnsupportedError):
        sym.jacobian([X @ w], [X])


def test_functions_fold_as_arithmetic_does() -> None:
    (x,) = sym.symbols("x")
    assert sym.exp(0) is const(1) and sym.ln(1) is const(0) and sym.mul(x, 0) is const(0)
    assert sym.add(2, 3) is const(5) and sym.sin(x) is sym.sin(x)
    with pytest.raises(AttributeError, match="no function 'sine'"):
        sym.sine  # noqa: B018
    with pytest.raises(TypeError):
        sym.sin("x")


def test_symbols() -> None:
    assert sym.symbols("a b,c") == sym.symbols(["a", "b", "c"])
    assert all(isinstance(s, Sym) for s in sym.symbols("a b"))


def test_copies_and_pickles_are_the_same_object() -> None:
    x, y = sym.symbols("x, y")
    e = sym.sin(x * y) + 0.5
    assert copy.deepcopy(e) is e and copy.copy(e) is e
    assert pickle.loads(pickle.dumps([e, x]))[0] is e
