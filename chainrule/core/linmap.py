"""Local derivatives as linear maps: what stands on an edge of the graph.

A map takes the change of one argument to the change of the value. Along a path maps
compose, over paths they add: that is the chain rule for scalars, vectors and matrices
alike. `push` applies a map to a tangent (forward mode), `pull` its adjoint to a cotangent
(reverse mode): <push(dx), g> = <dx, pull(g)>; `matrix` is the Jacobian in numerator layout
where both ends are scalars or vectors.

Magnus & Neudecker, *Matrix Differential Calculus* (2019), chapters 5 and 9; Griewank &
Walther, *Evaluating Derivatives* (2008), chapter 3.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

from chainrule.core import arrays
from chainrule.core.arithmetic import filled, size
from chainrule.core.expr import ONE, ZERO, Expr, apply, const
from chainrule.core.ops import lookup
from chainrule.core.shape import Dim, Shape, add_dims


class LinMap:
    """A linear map from arrays of shape `domain` to arrays of shape `codomain`; never changed.

    Equal maps are those with equal parts; written out, because a dataclass takes a millisecond
    to make, and every command would make them all.
    """

    __slots__ = ("codomain", "domain")
    __match_args__: tuple[str, ...] = ("domain", "codomain")
    domain: Shape
    codomain: Shape

    def __init__(self, domain: Shape, codomain: Shape) -> None:
        self.domain, self.codomain = domain, codomain

    def _parts(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__match_args__}

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash((type(self), *self._parts().values()))

    def __repr__(self) -> str:
        inner = ", ".join(f"{name}={value!r}" for name, value in self._parts().items())
        return f"{type(self).__name__}({inner})"

    def replace(self, **parts: Any) -> LinMap:
        """The map with other parts."""
        return type(self)(**{**self._parts(), **parts})

    def push(self, dx: Expr) -> Expr:
        """The map applied to a tangent of shape `domain`."""
        raise NotImplementedError

    def pull(self, g: Expr) -> Expr:
        """The adjoint applied to a cotangent of shape `codomain`."""
        raise NotImplementedError

    def matrix(self) -> Expr | None:
        """The Jacobian: a scalar, a column, a row or a matrix; None for higher order."""
        if len(self.domain) > 1 or len(self.codomain) > 1:
            return None
        if not self.domain:
            return self.push(ONE)
        if not self.codomain:
            return arrays.transpose(self.pull(ONE))
        return self._matrix()

    def _matrix(self) -> Expr:
        """The Jacobian from vector to vector."""
        raise NotImplementedError


class Zero(LinMap):
    """No dependence."""

    __slots__ = ()

    def push(self, dx: Expr) -> Expr:
        return arrays.zeros(self.codomain)

    def pull(self, g: Expr) -> Expr:
        return arrays.zeros(self.domain)

    def _matrix(self) -> Expr:
        return arrays.zeros((*self.codomain, *self.domain))


class _By(LinMap):
    """A map with a coefficient."""

    __slots__ = ("by",)
    __match_args__ = ("domain", "codomain", "by")
    by: Expr

    def __init__(self, domain: Shape, codomain: Shape, by: Expr) -> None:
        self.domain, self.codomain, self.by = domain, codomain, by


class Scale(_By):
    """dx -> by .* dx: a diagonal. `by` broadcasts to the shape of both ends."""

    __slots__ = ()

    def push(self, dx: Expr) -> Expr:
        return arrays.hadamard(self.by, dx) if self.by is not ONE else dx

    def pull(self, g: Expr) -> Expr:
        return arrays.hadamard(g, self.by) if self.by is not ONE else g

    def _matrix(self) -> Expr:
        if self.by.shape:
            return arrays.diag(arrays.spread(self.by, self.domain))
        return arrays.scaled(self.by, arrays.eye(self.domain[0]))


def identity(shape: Shape) -> Scale:
    """dx -> dx."""
    return Scale(shape, shape, ONE)


class Left(_By):
    """dx -> by @ dx."""

    __slots__ = ()

    def push(self, dx: Expr) -> Expr:
        return arrays.shaped(arrays.matmul(self.by, dx), self.codomain)

    def pull(self, g: Expr) -> Expr:
        if not g.shape:  # a row times a column
            return arrays.scaled(g, arrays.column(self.by))
        if len(self.by.shape) == len(g.shape) == 1:
            return arrays.outer(self.by, g)
        return arrays.shaped(arrays.matmul(arrays.transpose(self.by), g), self.domain)

    def _matrix(self) -> Expr:
        return self.by


class Right(_By):
    """dx -> dx @ by."""

    __slots__ = ()

    def push(self, dx: Expr) -> Expr:
        return arrays.shaped(arrays.matmul(dx, self.by), self.codomain)

    def pull(self, g: Expr) -> Expr:
        if not g.shape:  # a row times a column
            return arrays.scaled(g, arrays.transpose(self.by))
        if len(self.by.shape) == 1:
            return arrays.outer(g, self.by)
        if len(self.domain) == 2:
            return arrays.matmul(g, arrays.transpose(self.by))
        if len(g.shape) == 1:
            return arrays.shaped(arrays.matmul(self.by, g), self.domain)
        return arrays.matmul(g, arrays.column(self.by))  # column times row

    def _matrix(self) -> Expr:
        return arrays.transpose(self.by)


class Inner(_By):
    """dx -> <by, dx>, the sum of the products of entries: a row."""

    __slots__ = ()

    def push(self, dx: Expr) -> Expr:
        return arrays.dot(self.by, dx)

    def pull(self, g: Expr) -> Expr:
        return arrays.scaled(g, self.by)


class Along(_By):
    """ds -> ds * by for a scalar s: a column."""

    __slots__ = ()

    def push(self, dx: Expr) -> Expr:
        return arrays.scaled(dx, self.by)

    def pull(self, g: Expr) -> Expr:
        return arrays.dot(self.by, g)


class Outer(LinMap):
    """dx -> outer(dx, by), or outer(by, dx) where dx is `second`."""

    __slots__ = ("by", "second")
    __match_args__ = ("domain", "codomain", "by", "second")
    by: Expr
    second: bool

    def __init__(self, domain: Shape, codomain: Shape, by: Expr, second: bool = False) -> None:
        self.domain, self.codomain = domain, codomain
        self.by, self.second = by, second

    def push(self, dx: Expr) -> Expr:
        return arrays.outer(self.by, dx) if self.second else arrays.outer(dx, self.by)

    def pull(self, g: Expr) -> Expr:
        product = arrays.matmul(arrays.transpose(g) if self.second else g, self.by)
        return arrays.shaped(product, self.domain)


class Exponential(_By):
    """dX -> the Fréchet derivative of the matrix exponential at `by`, in direction dX."""

    __slots__ = ()

    def push(self, dx: Expr) -> Expr:
        return arrays.frechet(self.by, dx)

    def pull(self, g: Expr) -> Expr:
        return arrays.frechet(arrays.transpose(self.by), g)


class Transpose(LinMap):
    """dX -> dX'; a vector becomes a row."""

    __slots__ = ()

    def push(self, dx: Expr) -> Expr:
        return arrays.transpose(dx)

    def pull(self, g: Expr) -> Expr:
        return arrays.column(g) if len(self.domain) == 1 else arrays.transpose(g)


class Sum(LinMap):
    """dx -> its sum over `axis`, or over all entries."""

    __slots__ = ("axis",)
    __match_args__ = ("domain", "codomain", "axis")
    axis: int | None

    def __init__(self, domain: Shape, codomain: Shape, axis: int | None = None) -> None:
        self.domain, self.codomain = domain, codomain
        self.axis = axis

    def push(self, dx: Expr) -> Expr:
        return arrays.total(dx, self.axis)

    def pull(self, g: Expr) -> Expr:
        return arrays.spread(g, self.domain, self.axis)


class Spread(LinMap):
    """dx -> dx repeated along the new `axis`, or as NumPy broadcasts: the adjoint of a sum."""

    __slots__ = ("axis",)
    __match_args__ = ("domain", "codomain", "axis")
    axis: int | None

    def __init__(self, domain: Shape, codomain: Shape, axis: int | None = None) -> None:
        self.domain, self.codomain = domain, codomain
        self.axis = axis

    def push(self, dx: Expr) -> Expr:
        return arrays.spread(dx, self.codomain, self.axis)

    def pull(self, g: Expr) -> Expr:
        return arrays.gathered(g, self.domain, self.axis)

    def _matrix(self) -> Expr:
        # From one entry to many.
        return filled("ones", (*self.codomain, 1))


class ToDiagonal(LinMap):
    """dx -> diag(dx), a matrix."""

    __slots__ = ()

    def push(self, dx: Expr) -> Expr:
        return arrays.diag(dx)

    def pull(self, g: Expr) -> Expr:
        return arrays.diagonal(g)


class OfDiagonal(LinMap):
    """dX -> the diagonal of dX."""

    __slots__ = ()

    def push(self, dx: Expr) -> Expr:
        return arrays.diagonal(dx)

    def pull(self, g: Expr) -> Expr:
        return arrays.diag(g)


class Pick(LinMap):
    """dx -> dx[places]: an entry, or a row of a matrix."""

    __slots__ = ("places",)
    __match_args__ = ("domain", "codomain", "places")
    places: tuple[Expr, ...]

    def __init__(self, domain: Shape, codomain: Shape, places: tuple[Expr, ...]) -> None:
        self.domain, self.codomain = domain, codomain
        self.places = places

    def push(self, dx: Expr) -> Expr:
        if arrays.is_zero(dx):
            return arrays.zeros(self.codomain)
        return apply(lookup("index"), dx, *self.places)

    def pull(self, g: Expr) -> Expr:
        units = [
            arrays.unit(dim, place) for dim, place in zip(self.domain, self.places, strict=False)
        ]
        if len(self.domain) == 1:
            return arrays.scaled(g, units[0])
        if self.codomain:
            return arrays.outer(units[0], g)
        return arrays.scaled(g, arrays.outer(*units))


class Cut(LinMap):
    """dx -> dx[a:b, …], `bounds` of each axis in turn."""

    __slots__ = ("bounds",)
    __match_args__ = ("domain", "codomain", "bounds")
    bounds: tuple[Expr, ...]

    def __init__(self, domain: Shape, codomain: Shape, bounds: tuple[Expr, ...]) -> None:
        self.domain, self.codomain = domain, codomain
        self.bounds = bounds

    def push(self, dx: Expr) -> Expr:
        if arrays.is_zero(dx):
            return arrays.zeros(self.codomain)
        return apply(lookup("slice"), dx, *self.bounds)

    def pull(self, g: Expr) -> Expr:
        if arrays.is_zero(g):
            return arrays.zeros(self.domain)
        concat = lookup("concat")
        for axis in range(len(self.bounds) // 2):
            low, high = map(arrays.dim_of, self.bounds[2 * axis : 2 * axis + 2])
            after = add_dims(self.domain[axis], high, signs=(1, -1))
            parts = [g]
            if low != 0:
                parts.insert(0, self._gap(g, axis, low))
            if after != 0:
                parts.append(self._gap(g, axis, after))
            if len(parts) > 1:
                g = apply(concat, const(axis), *parts)
        return g

    @staticmethod
    def _gap(g: Expr, axis: int, length: Dim) -> Expr:
        return arrays.zeros((*g.shape[:axis], length, *g.shape[axis + 1 :]))

    def _matrix(self) -> Expr:
        return apply(lookup("slice"), arrays.eye(self.domain[0]), *self.bounds[:2],
                     ZERO, size(self.domain[0]))  # fmt: skip


class Place(LinMap):
    """dx -> an array that is dx from `low` on along `axis`, else 0: the adjoint of a cut."""

    __slots__ = ("axis", "low")
    __match_args__ = ("domain", "codomain", "axis", "low")
    axis: int
    low: Expr

    def __init__(self, domain: Shape, codomain: Shape, axis: int, low: Expr) -> None:
        self.domain, self.codomain = domain, codomain
        self.axis, self.low = axis, low

    def _bounds(self) -> tuple[Expr, ...]:
        bounds: list[Expr] = []
        for i, dim in enumerate(self.domain):
            low = arrays.dim_of(self.low) if i == self.axis else 0
            bounds += size(low), size(add_dims(low, dim))
        return tuple(bounds)

    def push(self, dx: Expr) -> Expr:
        return Cut(self.codomain, self.domain, self._bounds()).pull(dx)

    def pull(self, g: Expr) -> Expr:
        return Cut(self.codomain, self.domain, self._bounds()).push(g)

    def _matrix(self) -> Expr:
        return arrays.transpose(Cut(self.codomain, self.domain, self._bounds())._matrix())


class Compose(LinMap):
    """One map after the other: the first in `maps` is applied first."""

    __slots__ = ("maps",)
    __match_args__ = ("domain", "codomain", "maps")
    maps: tuple[LinMap, ...]

    def __init__(self, domain: Shape, codomain: Shape, maps: tuple[LinMap, ...]) -> None:
        self.domain, self.codomain = domain, codomain
        self.maps = maps

    def push(self, dx: Expr) -> Expr:
        return reduce(lambda x, m: m.push(x), self.maps, dx)

    def pull(self, g: Expr) -> Expr:
        return reduce(lambda x, m: m.pull(x), reversed(self.maps), g)

    def matrix(self) -> Expr | None:
        product = None
        for m in self.maps:
            factor = m.matrix()
            if factor is None:
                return LinMap.matrix(self) if not (self.domain and self.codomain) else None
            if product is not None:
                wide = (*m.codomain, *self.domain)
                factor = product_of(factor, product)
                factor = arrays.shaped(
                    factor, wide if m.codomain or not self.domain else (1, *wide)
                )
            product = factor
        return product


class Plus(LinMap):
    """The sum of maps."""

    __slots__ = ("maps",)
    __match_args__ = ("domain", "codomain", "maps")
    maps: tuple[LinMap, ...]

    def __init__(self, domain: Shape, codomain: Shape, maps: tuple[LinMap, ...]) -> None:
        self.domain, self.codomain = domain, codomain
        self.maps = maps

    def push(self, dx: Expr) -> Expr:
        return reduce(arrays.plus, [m.push(dx) for m in self.maps])

    def pull(self, g: Expr) -> Expr:
        return reduce(arrays.plus, [m.pull(g) for m in self.maps])

    def matrix(self) -> Expr | None:
        terms = [m.matrix() for m in self.maps]
        known = [t for t in terms if t is not None]
        return reduce(arrays.plus, known) if len(known) == len(terms) else None


def product_of(a: Expr, b: Expr) -> Expr:
    """The product of two Jacobians, `a` after `b`: a column times a row is a matrix.

    >>> from chainrule.core.expr import symbol
    >>> product_of(symbol("a", ("m",)), arrays.transpose(symbol("b", ("n",))))
    outer(a, b)
    """
    if not a.shape or not b.shape:
        return arrays.scaled(a, b) if not a.shape else arrays.scaled(b, a)
    if len(a.shape) == 1 and len(b.shape) == 2:
        return arrays.outer(a, arrays.column(b))
    return arrays.matmul(a, b)


def compose(*maps: LinMap) -> LinMap:
    """Maps one after the other, the first applied first; identities are dropped."""
    flat: list[LinMap] = []
    for m in maps:
        if isinstance(m, Zero):
            return Zero(maps[0].domain, maps[-1].codomain)
        if isinstance(m, Compose):
            flat += m.maps
        elif not (isinstance(m, Scale) and m.by is ONE):
            flat.append(m)
    if not flat:
        return identity(maps[0].domain)
    return flat[0] if len(flat) == 1 else Compose(maps[0].domain, maps[-1].codomain, tuple(flat))


def elementwise(partial: Expr, domain: Shape, codomain: Shape) -> LinMap:
    """The map of a function of entries with this partial derivative.

    An argument of smaller shape is repeated first.
    """
    if arrays.is_zero(partial):
        return Zero(domain, codomain)
    scale = Scale(codomain, codomain, partial)
    return scale if domain == codomain else compose(Spread(domain, codomain), scale)
