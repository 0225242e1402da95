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
__all__ = [
    "ChainruleError",
    "Derivation",
    "UsageError",
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
        api = importlib.import_module("chainrule.api")
        globals().update({public: getattr(api, public) for public in __all__})
        return globals()[name]
    raise AttributeError(f"module 'chainrule' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
