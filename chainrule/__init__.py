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
    from chainrule.answers import Verdict, Worked, batch_as, check, check_batch, check_steps
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
    from chainrule.core.errors import ChainruleError, UsageError

__version__ = "0.1.0"
_ANSWERS = ("Verdict", "Worked", "batch_as", "check", "check_batch", "check_steps")
__all__ = [
    "ChainruleError",
    "Derivation",
    "UsageError",
    "Verdict",
    "Worked",
    "batch_as",
    "check",
    "check_batch",
    "check_steps",
    "derive",
    "directional",
    "gradient",
    "hessian",
    "jacobian",
    "parse",
    "symbols",
    "vjp",
]


def __getattr__(name: str) -> object:
    # Loaded on first use: `chainrule --help` needs none of it.
    if name in __all__:
        answers = name in _ANSWERS
        module = importlib.import_module("chainrule.answers" if answers else "chainrule.api")
        public = _ANSWERS if answers else [n for n in __all__ if n not in _ANSWERS]
        globals().update({n: getattr(module, n) for n in public})
        return globals()[name]
    raise AttributeError(f"module 'chainrule' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
