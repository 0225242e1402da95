"""Gradient code: a program in, a NumPy function and its text out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from chainrule.core.errors import UsageError
from chainrule.derivation.build import resolve_variables
from chainrule.inputs import Names, Source, names_of, program_of
from chainrule.lower.load import load
from chainrule.lower.numpy_source import RESERVED, Module
from chainrule.lower.schedule import Mode, lower, schedule
from chainrule.render.text import text

Dtype = Literal["float32", "float64"]


class GradientFunction:
    """A compiled program: call it with a value for each input.

    >>> step = compile("x*exp(x^2)")
    >>> value, grads = step(x=0.0)
    >>> grads["x"]
    1.0
    """

    def __init__(self, program: Any, wrt: Sequence[str], dtype: Dtype | None) -> None:
        self.program, self.wrt, self.dtype = program, tuple(wrt), dtype
        self.schedule = schedule(lower(program, wrt), RESERVED)
        self.source = Module(self.schedule, text, dtype or "").write()
        self._functions = load(self.source)

    def __call__(self, **values: Any) -> Any:
        """The value and the gradients by name."""
        return self._functions["value_and_grad"](**self._arguments(values))

    def value(self, **values: Any) -> Any:
        """The value alone."""
        return self._functions["value"](**self._arguments(values))

    def _arguments(self, values: Mapping[str, Any]) -> dict[str, Any]:
        inputs = self.schedule.inputs
        return {inputs[name]: value for name, value in values.items()}


def compile(
    source: Source,
    wrt: Names = (),
    *,
    dtype: Dtype | None = None,
    mode: Mode = "gradient",
    latex_input: bool | None = None,
    strict: bool = False,
) -> GradientFunction:
    """Gradient code of a program."""
    program = program_of(source, latex_input, strict)
    return GradientFunction(program, resolve_variables(program, names_of(wrt)), dtype)
