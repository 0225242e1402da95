"""Rewrites that keep the mathematics and make the numbers stable, before differentiation.

Each is recorded. What they are after: an exponential that overflows although the result does
not, a logarithm of a number that was rounded to 0, a division of 0 by 0 where the value or
the slope is known. Higham, *Accuracy and Stability of Numerical Algorithms* (2002), 1.14;
Blanchard, Higham & Higham, *Accurately computing the log-sum-exp* (2021).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from chainrule.core.arithmetic import ADD, EXP, LN, MUL, NEG, POW, SUB, add, mul, neg, sub
from chainrule.core.expr import ONE, TWO, Apply, Const, Expr, apply, free_symbols, topological
from chainrule.core.ops import lookup
from chainrule.lower import private


class Rewrite(NamedTuple):
    """What was rewritten, to what, and by which rule."""

    rule: str
    before: Expr
    after: Expr


class Stable(NamedTuple):
    """What the roots became, and by which rewrites."""

    roots: list[Expr]
    rewrites: list[Rewrite]


def stabilize(roots: Sequence[Expr]) -> Stable:
    """Rewrite everything below the roots.

    >>> from chainrule.core.expr import symbol
    >>> z = symbol("z", ("n",))
    >>> stabilize([apply(LN, apply(lookup("softmax"), z))]).roots
    [log_softmax(z)]
    """
    new: dict[Expr, Expr] = {}
    rewrites: list[Rewrite] = []
    for node in topological(roots):
        now: Expr = node
        for a in node.args:
            if new[a] is not a:
                assert node.op is not None
                now = apply(node.op, *[new[a] for a in node.args])
                break
        # What a rule gives may be what another rule is for.
        for _ in range(8):
            found = _apply_rules(now)
            if found is None:
                break
            rewrites.append(Rewrite(found[0], now, found[1]))
            now = found[1]
        new[node] = now
    return Stable([new[root] for root in roots], rewrites)


def _apply_rules(node: Expr) -> tuple[str, Expr] | None:
    if node.op is None:
        return None
    for name, rule in _RULES.get(node.op.name, ()):
        found = rule(node, *node.args)
        if found is not None:
            return name, found
    return None


# ---- what the rules look for


def _is(node: Expr, *names: str) -> bool:
    return node.op is not None and node.op.name in names


def _plus(node: Expr) -> Iterator[tuple[Expr, Expr]]:
    """The terms of a sum, in both orders."""
    if node.op is ADD:
        yield node.args[0], node.args[1]
        yield node.args[1], node.args[0]


def _one_plus_exp(node: Expr) -> Expr | None:
    """z, where the node is 1 + e^z."""
    for a, b in _plus(node):
        if a is ONE and b.op is EXP:
            return b.args[0]
    return None


def _one(node: Expr) -> bool:
    return node is ONE or _is(node, "ones")


def _call(name: str, *args: Expr) -> Expr:
    return apply(lookup(name), *args)


def _softplus(z: Expr) -> Expr:
    return _call("softplus", z)


# ---- logarithms


def _ln_softmax(node: Apply, a: Expr) -> Expr | None:
    return _call("log_softmax", a.args[0]) if _is(a, "softmax") else None


def _ln_sigmoid(node: Apply, a: Expr) -> Expr | None:
    if _is(a, "sigmoid"):
        return neg(_softplus(neg(a.args[0])))
    if a.op is SUB and _one(a.args[0]) and _is(a.args[1], "sigmoid"):
        return neg(_softplus(a.args[1].args[0]))
    return None


def _ln_sum_exp(node: Apply, a: Expr) -> Expr | None:
    if not (_is(a, "sum") and a.args[0].op is EXP):
        return None
    z = a.args[0].args[0]
    if len(z.shape) == 1:
        return _call("logsumexp", z)
    if len(a.args) == 1:
        return _call("logsumexp", _call("logsumexp", z))
    assert isinstance(a.args[1], Const)
    return _call("logsumexp", z if a.args[1].value == 1 else _call("transpose", z))


def _ln_exp_plus(node: Apply, a: Expr) -> Expr | None:
    z = _one_plus_exp(a)
    if z is not None:
        return _softplus(z)
    for p, q in _plus(a):
        if p.op is EXP and q.op is EXP and p.shape == q.shape:
            return add(p.args[0], _softplus(sub(q.args[0], p.args[0])))
    return None


def _ln_exp(node: Apply, a: Expr) -> Expr | None:
    return a.args[0] if a.op is EXP else None


# ---- quotients


def _logistic(node: Apply, a: Expr, b: Expr) -> Expr | None:
    z = _one_plus_exp(b)
    if z is None:
        return None
    if a is ONE:
        return _call("sigmoid", neg(z))
    if a.op is EXP and a.args[0] is z:
        return _call("sigmoid", z)
    return None


def _exp_over_sum(node: Apply, a: Expr, b: Expr) -> Expr | None:
    alike = a.op is EXP and len(a.shape) == 1 and _is(b, "sum") and b.args[0] is a
    return _call("softmax", a.args[0]) if alike else None


def _tanh(node: Apply, a: Expr, b: Expr) -> Expr | None:
    if a.op is not SUB or b.op is not ADD or a.args != b.args:
        return None
    p, q = a.args
    alike = p.op is EXP and q.op is EXP and neg(p.args[0]) is q.args[0]
    return _call("tanh", p.args[0]) if alike else None


# ---- norms and 0 times infinity


def _root_of_squares(node: Apply, a: Expr) -> Expr | None:
    squared = None
    if _is(a, "sum") and len(a.args) == 1:
        inner = a.args[0]
        square = inner.op is POW and inner.args[1] is TWO
        if square or (inner.op is MUL and inner.args[0] is inner.args[1]):
            squared = inner.args[0]
    elif _is(a, "dot") and a.args[0] is a.args[1]:
        squared = a.args[0]
    elif _is(a, "matmul") and not a.shape and a.args[1].shape:
        left, right = a.args
        if left is right or (_is(left, "transpose") and left.args[0] is right):
            squared = right
    return None if squared is None or not squared.shape else apply(private.NORM, squared)


def _norm(node: Apply, a: Expr) -> Expr | None:
    return None if node.op is private.NORM else apply(private.NORM, a)


def _zero_times_ln(node: Apply, a: Expr, b: Expr) -> Expr | None:
    for x, y in ((a, b), (b, a)):
        if y.op is not LN:
            continue
        factor: Expr = ONE
        if x.op is NEG:
            factor, x = neg(ONE), x.args[0]
        if isinstance(x, Const) or not x.shape == y.shape == node.shape or not free_symbols([x]):
            continue
        return mul(factor, apply(private.XLOGY, x, y.args[0]))
    return None


# ---- signs


def _sign_first(node: Apply, a: Expr, *axis: Expr) -> Expr | None:
    return neg(apply(node.op, a.args[0], *axis)) if a.op is NEG else None


def _signs(node: Apply, a: Expr) -> Expr | None:
    return a.args[0] if a.op is NEG else None


def _elu(node: Apply, a: Expr) -> Expr | None:
    return None if node.op is private.ELU else apply(private.ELU, a)


# ---- cross-entropy


def _probability_loss(node: Apply, p: Expr, y: Expr) -> Expr | None:
    if node.op in (private.PROBABILITY_LOSS, private.LOGIT_LOSS):
        return None
    if _is(p, "sigmoid"):
        return apply(private.LOGIT_LOSS, p.args[0], y)
    return apply(private.PROBABILITY_LOSS, p, y)


def _written_cross_entropy(node: Apply, a: Expr, b: Expr) -> Expr | None:
    """y softplus(-z) + (1 - y) softplus(z), with one sign before both, is softplus(z) - y z."""
    odd, first = _sign(a)
    second_odd, second = _sign(b)
    if odd != (second_odd ^ (node.op is SUB)) or first.op is not MUL or second.op is not MUL:
        return None
    for p, q in ((first, second), (second, first)):
        for y, below in (p.args, p.args[::-1]):
            for rest, above in (q.args, q.args[::-1]):
                if not (_is(below, "softplus") and _is(above, "softplus")):
                    continue
                z = above.args[0]
                if (
                    rest.op is SUB
                    and _one(rest.args[0])
                    and rest.args[1] is y
                    and (neg(z) is below.args[0] or z is neg(below.args[0]))
                ):
                    loss = sub(_softplus(z), mul(y, z))
                    return neg(loss) if odd else loss
    return None


def _sign(node: Expr) -> tuple[bool, Expr]:
    """Whether a sign stands before a product or before one of its factors, and the rest."""
    odd = False
    while node.op is NEG:
        odd, node = not odd, node.args[0]
    if node.op is MUL:
        a, b = node.args
        while a.op is NEG:
            odd, a = not odd, a.args[0]
        while b.op is NEG:
            odd, b = not odd, b.args[0]
        node = apply(MUL, a, b)
    return odd, node


_RULES: dict[str, tuple[tuple[str, Callable[..., Expr | None]], ...]] = {
    "ln": (
        ("ln(softmax(z)) = log_softmax(z)", _ln_softmax),
        ("ln(sigmoid(z)) = -softplus(-z)", _ln_sigmoid),
        ("ln(sum(exp(z))) = logsumexp(z)", _ln_sum_exp),
        ("ln(1 + exp(z)) = softplus(z)", _ln_exp_plus),
        ("ln(exp(z)) = z", _ln_exp),
    ),
    "div": (
        ("1/(1 + exp(-z)) = sigmoid(z)", _logistic),
        ("exp(z)/sum(exp(z)) = softmax(z)", _exp_over_sum),
        ("(exp(z) - exp(-z))/(exp(z) + exp(-z)) = tanh(z)", _tanh),
    ),
    "sqrt": (("sqrt(sum(x^2)) = norm(x)", _root_of_squares),),
    "elu": (("the slope of elu is exp(min(x, 0))", _elu),),
    "sum": (("a sign before a sum", _sign_first),),
    "mean": (("a sign before a mean", _sign_first),),
    "neg": (("-(-x) = x", _signs),),
    "norm": (("the slope of norm at 0 is 0", _norm),),
    "mul": (("0 ln(0) = 0", _zero_times_ln),),
    "binary_cross_entropy": (("cross-entropy of a sigmoid, by its logit", _probability_loss),),
    "add": (("-y ln(p) - (1 - y) ln(1 - p) = softplus(z) - y z", _written_cross_entropy),),
    "sub": (("-y ln(p) - (1 - y) ln(1 - p) = softplus(z) - y z", _written_cross_entropy),),
}
