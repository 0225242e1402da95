"""Identities between squares of functions: sin^2 + cos^2 = 1 and its relatives."""

from __future__ import annotations

from chainrule.core.expr import Apply, apply
from chainrule.core.ops import Square, lookup
from chainrule.derivation.polynomials import Ring


def applicable(ring: Ring) -> list[tuple[Square, int, int]]:
    """The identities that apply to kernels of the ring, with the places of f(u) and g(u)."""
    found = []
    for kernel in list(ring.kernels):
        square = kernel.op.square if isinstance(kernel, Apply) else None
        if square is not None:
            partner = apply(lookup(square.of), *kernel.args)
            if square.free or partner in ring.place:
                found.append((square, ring.place[kernel], ring.kernel(partner)))
    return found
