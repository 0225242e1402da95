"""Gradient code: a program in, a NumPy function and its text out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from chainrule.core.collector import paused
from chainrule.core.errors import DomainError, ShapeError, UsageError
from chainrule.core.expr import Expr
from chainrule.core.program import Program, over_inputs
from chainrule.core.shape import affine, shape_text, size_of
from chainrule.derivation.build import resolve_variables
from chainrule.derivation.cut import cut
from chainrule.inputs import Names, Source, names_of, program_of
from chainrule.lower.bound import Bound, bind
from chainrule.lower.load import Loaded
from chainrule.lower.lowering import DIRECTION, MODES, Mode, lower
from chainrule.lower.numpy_source import RESERVED, Module
from chainrule.lower.schedule import Schedule, schedule
from chainrule.render.text import text
from chainrule.syntax.names import canonical_name

Dtype = Literal["float32", "float64"]
DTYPES = ("float32", "float64")
Vector = np.ndarray[Any, np.dtype[np.float64]]


class GradientFunction:
    """A compiled program: call it with a value for each input.

    Attributes:
        program: what was compiled.
        wrt: the variables, in order.
        dtype: of the code; None: that of the arrays it is called with.
        mode: what is computed beside the value: `gradient`, `jacobian`, or `hvp`.
        source: the text of the module, which can be imported without chainrule.
        schedule: the statements that the module was written from.

    >>> step = compile("x*exp(x^2)")
    >>> step(x=0.0)
    (0.0, {'x': 1.0})
    """

    def __init__(
        self, program: Program, wrt: Sequence[str], dtype: Dtype | None, mode: Mode = "gradient"
    ) -> None:
        self.program, self.wrt, self.dtype, self.mode = program, tuple(wrt), dtype, mode
        with paused():
            lowered = lower(program, wrt, _lesson(program, wrt), mode)
            self.schedule: Schedule = schedule(lowered, RESERVED)
            module = Module(self.schedule, text, dtype or "")
            parts = module.write()
            self._name, self._inputs = module.name, module.inputs
            self._functions = Loaded(parts, ["value", self._name])
            del lowered, module, parts  # before the collector looks at what is left
        self.source: str = self._functions.source

    def __repr__(self) -> str:
        outputs = ", ".join(self.schedule.outputs)
        return f"<GradientFunction: {outputs} and its gradient by {', '.join(self.wrt)}>"

    def __call__(self, direction: Mapping[str, Any] | None = None, /, **values: Any) -> Any:
        """The value, and its derivatives by name of the variable.

        A gradient, and a Hessian times a direction, has the shape of its variable; of a scalar
        it is a float, or an array of shape () where the program has arrays. A Jacobian has the
        axes of the output (of several outputs one), then those of the variable.

        Args:
            direction: of mode `hvp`, by name of the variable; or give `v_W` for each `W`.
            values: one for each input.

        Raises:
            UsageError: an input has no value, or a name is none.
            ShapeError: a value does not fit.
            DomainError: a matrix is to be inverted, and has no inverse; a size less a size is 0,
                and divides a number.
        """
        if direction is not None:
            values |= {DIRECTION + name: v for name, v in direction.items()}
        value, grads = self._run(self._name, values)
        return value, {name: grads[name] for name in self.wrt}

    def value(self, /, **values: Any) -> Any:
        """The value alone: a float, or an array where the output is one or there are several."""
        return self._run("value", values)

    def _run(self, function: str, values: Mapping[str, Any]) -> Any:
        arguments = self._arguments(values)
        try:
            return self._functions[function](*arguments)
        except np.linalg.LinAlgError:
            raise DomainError("a matrix has no inverse at these values") from None
        except ZeroDivisionError:
            raise DomainError("a number made of dimensions is divided by 0") from None
        except IndexError:
            raise ShapeError("an entry is asked for that an array of this size has not") from None

    def flat(self, /, **data: Any) -> FlatFunction:
        """The function of one vector that holds all variables, as `scipy.optimize` wants it.

        Args:
            data: values of the inputs that are no variables. A variable may be given as its
                shape, or as an array of its shape; a dimension that no array has, as a number.

        >>> step = compile("X: matrix(N, d); y: vector(N); w: vector(d); mean((X @ w - y)^2)", "w")
        >>> f = step.flat(X=[[1.0, 2.0], [3.0, 4.0]], y=[1.0, 1.0])
        >>> f(f.pack(w=[0.0, 0.0]))
        (1.0, array([-4., -6.]))
        """
        return FlatFunction(self, data)

    def bind(
        self, dimensions: Mapping[str, int] | None = None, /, *,
        fast_tanh: bool = False, copy: bool = False, **sizes: int,
    ) -> Bound:  # fmt: skip
        """The form that allocates its memory once, for dimensions of these sizes.

        The gradients that it returns are the same arrays each time: the next call writes over
        them. `batch` is the size of the one named dimension there is.

        Args:
            dimensions: sizes by name, for names that are options of this function.
            fast_tanh: tanh accurate to the rounding of 1, twice as fast.
            copy: return arrays of their own with each call.
            sizes: of the named dimensions.

        Raises:
            UsageError: a dimension has no size, or none of this name is there.

        >>> import numpy as np
        >>> step = compile("X: matrix(N, 2); w: vector(2); mean((X @ w)^2)", wrt=["w"])
        >>> bound = step.bind(N=3)
        >>> bound(X=np.ones((3, 2)), w=np.ones(2))
        (4.0, {'w': array([4., 4.])})
        """
        sizes = {**(dimensions or {}), **sizes}
        return bind(self.schedule, sizes, self.dtype or "float64", fast_tanh=fast_tanh, copy=copy)

    def _arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """The values in the code's own order, as arrays of one dtype.

        Python looks for an argument by name among all of them.
        """
        inputs = {s.name: s for s in self.schedule.lowered.inputs}
        given: dict[str, Any] = {}
        for spelled, v in values.items():
            name = spelled if spelled in inputs else canonical_name(spelled)
            if name in given:
                raise UsageError(f"{name} has two values", hint=f"{spelled} is {name}, too")
            given[name] = v
        for name in given:
            if name not in inputs:
                raise UsageError(f"{name} is no input", hint=f"the inputs: {', '.join(inputs)}")
        for name in inputs:
            if name not in given:
                raise UsageError(f"{name} has no value", hint=f"call it with {name}=…")
        labels = self.schedule.lowered.labels
        arrays = {name: _numbers(name, given[name]) for name in inputs}
        dtype = self.dtype or _common([a for n, a in arrays.items() if a.ndim and n not in labels])
        converted = {}
        for name, leaf in inputs.items():
            array = arrays[name]
            if name not in labels:
                array = _numbers(name, array, dtype)
            if array.ndim != len(leaf.shape):
                raise ShapeError(
                    f"{name} is a {shape_text(leaf.shape)}, and its value has the shape "
                    f"{array.shape}", shapes=(leaf.shape,),
                )  # fmt: skip
            converted[name] = array if leaf.shape else array[()]
        self._fit(converted)
        return [*converted.values()]

    def _fit(self, values: Mapping[str, Any]) -> None:
        """Refuse arrays whose dimensions do not agree."""
        inputs = self.schedule.lowered.inputs
        sizes: dict[str, int] = {}
        for leaf in inputs:
            for dim, size in zip(leaf.shape, np.shape(values[leaf.name]), strict=True):
                if isinstance(dim, str) and dim.isidentifier():
                    sizes.setdefault(dim, size)
        for leaf in inputs:
            found = np.shape(values[leaf.name])
            known = all(name in sizes for d in leaf.shape for name in affine(d) if name)
            expected = tuple(size_of(d, sizes) for d in leaf.shape) if known else found
            if found != expected:
                where = ", ".join(f"{n} = {k}" for n, k in sizes.items())
                raise ShapeError(
                    f"{leaf.name} has the shape {found}, not {expected}",
                    shapes=(leaf.shape,), hint=f"the other arrays say {where}" if where else "",
                )  # fmt: skip


class FlatFunction:
    """Value and gradient as functions of one vector; made by `GradientFunction.flat`.

    Attributes:
        shapes: of the variables, in the order in which the vector has them.
        size: the length of the vector.
    """

    def __init__(self, step: GradientFunction, data: Mapping[str, Any]) -> None:
        if step.mode != "gradient":
            raise UsageError("the flat form is of a gradient", hint="mode='gradient'")
        leaves = {s.name: s for s in step.schedule.lowered.inputs}
        self._step = step
        self._data = {n: v for n, v in data.items() if n in leaves and n not in step.wrt}
        sizes: dict[str, int] = {}
        for name, value in data.items():
            if name in leaves:
                given = isinstance(value, tuple) and name in step.wrt
                shape = (
                    tuple(_size(name, n) for n in value) if given else _numbers(name, value).shape
                )
                dims = leaves[name].shape
                if len(shape) != len(dims):
                    raise ShapeError(
                        f"{name} is a {shape_text(dims)}, not of shape {shape}", shapes=(dims,)
                    )
                known = zip(dims, shape, strict=True)
                sizes.update({d: n for d, n in known if isinstance(d, str) and d.isidentifier()})
            elif name in step.program.dimensions:
                sizes[name] = _size(name, value)
            else:
                raise UsageError(
                    f"{name} is neither an input nor a dimension",
                    hint=f"the inputs: {', '.join(leaves)}",
                )
        missing = [n for n in leaves if n not in step.wrt and n not in self._data]
        if missing:
            raise UsageError(f"{missing[0]} has no value", hint=f"flat({missing[0]}=…)")
        unknown = {n for v in step.wrt for d in leaves[v].shape for n in affine(d) if n}
        for name in sorted(unknown - set(sizes)):
            raise UsageError(f"the size of {name} is not known", hint=f"give it: flat({name}=10)")
        self.shapes = {v: tuple(size_of(d, sizes) for d in leaves[v].shape) for v in step.wrt}
        self._counts = [int(np.prod(shape, dtype=int)) for shape in self.shapes.values()]
        self.size = sum(self._counts)

    def pack(self, values: Mapping[str, Any] | None = None, /, **more: Any) -> Vector:
        """The variables' values in one vector."""
        given = {**(values or {}), **more}
        for name, shape in self.shapes.items():
            if name not in given or _numbers(name, given[name]).shape != shape:
                raise ShapeError(f"{name} needs a value of shape {shape}")
        return np.concatenate([_numbers(n, given[n], "float64").ravel() for n in self.shapes])

    def unpack(self, vector: Any) -> dict[str, Any]:
        """The variables' values by name, as views of the vector."""
        vector = _numbers("the vector", vector, "float64")
        if vector.shape != (self.size,):
            raise ShapeError(f"a vector of {self.size} numbers is needed, not {vector.shape}")
        parts = np.split(vector, np.cumsum(self._counts)[:-1])
        named = zip(self.shapes.items(), parts, strict=True)
        return {name: part.reshape(shape) for (name, shape), part in named}

    def __call__(self, vector: Any) -> tuple[float, Vector]:
        """The value and its gradient, a vector."""
        value, grads = self._step(**self._data, **self.unpack(vector))
        return value, self.pack(grads)


def _lesson(program: Program, wrt: Sequence[str]) -> dict[str, Expr]:
    """The intermediates of the derivation, over the program's inputs."""
    return over_inputs((name, expression) for name, expression, _ in cut(program, wrt))


def _numbers(name: str, value: Any, dtype: str | None = None) -> np.ndarray[Any, Any]:
    """A caller's value as an array; NumPy would also take None, dates, and half of 1 + 2i."""
    try:
        array = np.asarray(value)
        if array.dtype.kind == "O" and not any(v is None or isinstance(v, str) for v in array.flat):
            array = array.astype(dtype or "float64")  # of fractions, say
        if array.dtype.kind in "biuf" and not isinstance(value, np.ma.MaskedArray):
            return array if dtype is None else array.astype(dtype, copy=False)
    except (TypeError, ValueError, OverflowError):
        pass
    raise UsageError(f"the value of {name} is no array of numbers")


def _size(name: str, value: Any) -> int:
    """A caller's size of a dimension."""
    if not isinstance(value, int | np.integer) or value < 0:
        raise UsageError(f"{value!r} is no size, given for {name}", hint="give a whole number")
    return int(value)


def _common(arrays: Sequence[np.ndarray[Any, Any]]) -> str:
    """float32 where every array of floats is no wider, else float64."""
    floats = [a.dtype for a in arrays if a.dtype.kind == "f"]
    return "float32" if floats and all(d.itemsize <= 4 for d in floats) else "float64"


def compile(
    source: Source,
    wrt: Names = (),
    *,
    dtype: Dtype | None = None,
    mode: Mode = "gradient",
    latex_input: bool | None = None,
    strict: bool = False,
) -> GradientFunction:
    """Gradient code of a program: NumPy, readable, self-contained.

    Args:
        source: a text in the language or in LaTeX, a parsed program, a network, an expression.
        wrt: the variables, as `"W, b"` or a list; by default every free name.
        dtype: `float32` or `float64`; None: that of the arrays it is called with.
        mode: `gradient`; `jacobian`, also of a vector output; `hvp`, the Hessian times a direction.
        latex_input, strict: as in `chainrule.derive`.

    Raises:
        ChainruleError: the text cannot be read, or the output does not fit the mode.

    >>> import numpy as np
    >>> step = compile("x: vector(n); A: matrix(n, n); x' @ A @ x", wrt=["x"])
    >>> step(x=np.array([1.0, 2.0]), A=np.eye(2))
    (5.0, {'x': array([2., 4.])})
    """
    program = program_of(source, latex_input, strict)
    if dtype is not None and dtype not in DTYPES:
        raise UsageError(f"dtype {dtype!r}", hint="float32 or float64")
    if mode not in MODES:
        raise UsageError(f"mode {mode!r}", hint=f"one of {', '.join(MODES)}")
    return GradientFunction(program, resolve_variables(program, names_of(wrt)), dtype, mode)
