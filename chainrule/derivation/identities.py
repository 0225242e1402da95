"""Identities between squares of functions: sin^2 + cos^2 = 1 and its relatives."""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.core.expr import Apply, apply
from chainrule.core.ops import lookup
from chainrule.derivation.polynomials import Ring

PYTHAGOREAN, HYPERBOLIC = "Pythagorean identity", "hyperbolic identity"


@dataclass(frozen=True, slots=True)
class Identity:
    """f(u)^2 = constant + factor * g(u)^2; `free`: g may be new to the expression."""

    f: str
    g: str
    constant: int
    factor: int
    free: bool
    rule: str


IDENTITIES = (
    Identity("sin", "cos", 1, -1, True, PYTHAGOREAN),
    Identity("cos", "sin", 1, -1, True, PYTHAGOREAN),
    Identity("tan", "sec", -1, 1, True, PYTHAGOREAN),
    Identity("sec", "tan", 1, 1, True, PYTHAGOREAN),
    Identity("cot", "csc", -1, 1, True, PYTHAGOREAN),
    Identity("csc", "cot", 1, 1, True, PYTHAGOREAN),
    Identity("sinh", "cosh", -1, 1, True, HYPERBOLIC),
    Identity("cosh", "sinh", 1, 1, True, HYPERBOLIC),
    Identity("tanh", "sech", 1, -1, False, HYPERBOLIC),
    Identity("sech", "tanh", 1, -1, False, HYPERBOLIC),
    Identity("coth", "csch", 1, 1, False, HYPERBOLIC),
    Identity("csch", "coth", -1, 1, False, HYPERBOLIC),
)


def applicable(ring: Ring) -> list[tuple[Identity, int, int]]:
    """The identities that apply to kernels of the ring, with the places of f(u) and g(u)."""
    found = []
    for kernel in list(ring.kernels):
        if not isinstance(kernel, Apply) or len(kernel.args) != 1:
            continue
        for identity in IDENTITIES:
            if identity.f != kernel.op.name:
                continue
            partner = apply(lookup(identity.g), *kernel.args)
            if partner in ring.place or identity.free:
                found.append((identity, ring.place[kernel], ring.kernel(partner)))
    return found
