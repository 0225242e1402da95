"""chainrule: derivatives with every step, checked.

>>> import chainrule as cr
>>> d = cr.derive("x*exp(x^2)")
>>> print(d.expression)
exp(x^2)*(2*x^2 + 1)
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False  # type checkers know the name; importing it takes a tenth of `--help`
if TYPE_CHECKING:
    from chainrule.answers import (
        Count,
        Verdict,
        Worked,
        batch_as,
        check,
        check_batch,
        check_count,
        check_steps,
    )
    from chainrule.api import (
        Derivation,
        derive,
        directional,
        gradient,
        hessian,
        jacobian,
        parse,
        symbols,
        vjp,
    )
    from chainrule.checking.gradient_report import GradientReport
    from chainrule.checking.gradients import check_gradients
    from chainrule.compiled import GradientFunction, compile
    from chainrule.core.errors import ChainruleError, UsageError
    from chainrule.fully_connected import Network, mlp

__version__ = "0.1.0"
_ELSEWHERE = {  # what is not in chainrule.api
    "chainrule.answers": (
        "Count", "Verdict", "Worked", "batch_as", "check", "check_batch", "check_count",
        "check_steps",
    ),
    "chainrule.checking.gradient_report": ("GradientReport",),
    "chainrule.checking.gradients": ("check_gradients",),
    "chainrule.compiled": ("GradientFunction", "compile"),
    "chainrule.fully_connected": ("Network", "mlp"),
}  # fmt: skip
__all__ = [
    "ChainruleError",
    "Count",
    "Derivation",
    "GradientFunction",
    "GradientReport",
    "Network",
    "UsageError",
    "Verdict",
    "Worked",
    "batch_as",
    "check",
    "check_batch",
    "check_count",
    "check_gradients",
    "check_steps",
    "compile",
    "derive",
    "directional",
    "gradient",
    "hessian",
    "jacobian",
    "mlp",
    "parse",
    "symbols",
    "vjp",
]


def __getattr__(name: str) -> object:
    # Loaded on first use: `chainrule --help` needs none of it.
    if name in __all__:
        home = next((m for m, names in _ELSEWHERE.items() if name in names), "chainrule.api")
        module = importlib.import_module(home)
        elsewhere = [n for names in _ELSEWHERE.values() for n in names]
        public = _ELSEWHERE.get(home) or [n for n in __all__ if n not in elsewhere]
        globals().update({n: getattr(module, n) for n in public})
        return globals()[name]
    raise AttributeError(f"module 'chainrule' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
