"""What callers give, as the passes take it: programs, names, components, points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chainrule.checking.numbers import at_point
from chainrule.core.errors import UsageError
from chainrule.core.expr import Const, Expr, Number, free_symbols, lift
from chainrule.core.program import Program
from chainrule.derivation.combine import Point
from chainrule.render.text import text
from chainrule.syntax.names import canonical_name
from chainrule.syntax.names import known_names as as_known
from chainrule.syntax.parser import parse, parse_expression

Source = str | Program | Expr | Sequence[str] | Sequence[Expr]
Names = str | Sequence[str] | Sequence[Expr] | Expr


def program_of(source: Source, latex_input: bool | None, strict: bool) -> Program:
    """What is given as a program, whatever form it has."""
    source = getattr(source, "program", source)  # of a network, of compiled code
    if isinstance(source, Program):
        return source
    if isinstance(source, str):
        return parse(source, latex=latex_input, strict=strict)
    outputs = [source] if isinstance(source, Expr) else list(source)
    if outputs and all(isinstance(o, str) for o in outputs):
        joined = ", ".join(str(o) for o in outputs)
        return parse(f"[{joined}]", latex=latex_input, strict=strict)
    expressions = [o for o in outputs if isinstance(o, Expr)]
    if len(expressions) != len(outputs) or not outputs:
        raise UsageError("the outputs are all texts or all expressions", hint="do not mix them")
    taken = {s.name for s in free_symbols(expressions)}
    letter = next(c for c in "yzwvutsrqp" if not any(n == c or n.startswith(c) for n in taken))
    names = (
        [letter] if isinstance(source, Expr) else [f"{letter}{i + 1}" for i in range(len(outputs))]
    )
    shown = ", ".join(text(e) for e in expressions)
    return Program(
        source=shown if isinstance(source, Expr) else f"[{shown}]",
        assignments=tuple(zip(names, expressions, strict=True)),
        outputs=tuple(names),
        vector=not isinstance(source, Expr),
    )


def names_of(wrt: Names) -> list[str]:
    """Names to differentiate by, from a text or a list."""
    if isinstance(wrt, Expr):
        wrt = [wrt]
    if isinstance(wrt, str):
        wrt = [w for w in wrt.split(",") if w.strip()]
    found = []
    for name in wrt:
        if isinstance(name, str):
            found.append(canonical_name(name.strip()))
        else:
            shown = getattr(name, "name", None)
            if shown is None:
                raise UsageError(
                    f"{text(name)} is not a name",
                    hint="differentiate by a name; introduce one with a statement, as u = x + y",
                )
            found.append(shown)
    return found


def known_names(program: Program) -> list[str]:
    """Every name that occurs in the program."""
    names = [s.name for s in free_symbols(e for _, e in program.assignments)]
    return [*names, *(n for n, _ in program.assignments), *program.declared]


def components_of(given: str | Sequence[str | Expr | Number], program: Program) -> list[Expr]:
    """The components of a direction, or weights: a list, or a text with commas."""
    if isinstance(given, str):
        given = _split(given)
    names = as_known(known_names(program))
    return [parse_expression(c, names=names) if isinstance(c, str) else lift(c) for c in given]


def _split(listing: str) -> list[str]:
    """Split at the commas that stand outside brackets."""
    parts, depth = [""], 0
    for c in listing:
        depth += (c in "([{") - (c in ")]}")
        if c == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += c
    return [p.strip() for p in parts if p.strip()]


def point_of(at: str | Mapping[str, Number | str] | None, program: Program) -> Point | None:
    """The point of `--at`: values by name, or a text such as `x=2, y=pi/3`."""
    if not at:
        return None
    if isinstance(at, str):
        pairs = []
        for part in _split(at):
            name, equals, value = part.partition("=")
            if not equals:
                raise UsageError(f"`{part}` gives no value", hint="write --at x=2,y=3")
            pairs.append((name.strip(), value.strip()))
        at = dict(pairs)
    names = set(known_names(program))
    given = {n if n in names else canonical_name(n): _number(v) for n, v in at.items()}
    return Point(given, at_point)


def _number(value: Number | str) -> Number:
    if not isinstance(value, str):
        return value
    expression = parse_expression(value)
    if isinstance(expression, Const):
        return expression.value
    (number,) = at_point([expression], {}) if not free_symbols([expression]) else [None]
    if number is None:
        raise UsageError(f"`{value}` is not a number", hint="write a value such as 2, 1/3 or pi/4")
    return number


def seconds_of(timeout: float | None) -> float | None:
    """A limit of time; None is none.

    Raises:
        UsageError: it is not positive.
    """
    if timeout is not None and not timeout > 0:
        raise UsageError(f"the timeout is {timeout}", hint="give a positive number of seconds")
    return timeout
