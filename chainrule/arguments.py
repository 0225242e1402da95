"""The arguments of the command line: what each command takes, and how it is told."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import chainrule

_FORMATS = ("text", "latex", "markdown", "html", "json", "python")
_DESCRIPTION = "Derivatives with every step, checked."
_EPILOG = """\
examples:
  chainrule derive "ln(sin(x^3)^2)"
  chainrule derive "x1^2 + x1*x2" --order 2
  chainrule derive "[x*y, sin(x)]" --wrt x,y --at x=1,y=2
  chainrule derive "\\frac{d}{dx} x e^{x^2}" -o solution.tex
  chainrule check "x*exp(x^2)" "2*x*exp(x^2)"
  chainrule compile "x*exp(x^2)" -o grad.py

`chainrule derive --help` lists the options.
"""
_DERIVE_EPILOG = """\
examples:
  chainrule derive "x*exp(x^2)"                     every step on the screen
  chainrule derive "x^2*y" --wrt x --at x=2,y=3     with numbers beside the formulas
  chainrule derive "x^x" --order 2                  second derivative
  chainrule derive "[x*y, x + y]" --vjp -1,2        weights times the Jacobian
  chainrule derive program.chain -o solution.md     a file in, a file out

exit code: 0 done and verified, 1 the verification failed, 2 unusable input
"""
_CHECK_EPILOG = """\
examples:
  chainrule check "x*exp(x^2)" "2*x*exp(x^2)"       right or wrong, and why
  chainrule check "x^2*y" "[2xy, x^2]"              a gradient
  chainrule check "ln x" "dy/dx = \\frac{1}{x}"       as people write it
  chainrule check --steps solution.tex              a worked derivation, line by line
  chainrule check --batch answers.csv -o out.csv    columns id, expression, variable, answer

exit code: 0 right, 1 wrong or undecided, 2 unusable input
"""

_COMPILE_EPILOG = """\
examples:
  chainrule compile "x*exp(x^2)"                    value and derivative of a formula
  chainrule compile net.chain --wrt W1,b1 --dtype float32 -o grad.py
  chainrule compile "[x*y, sin(x)]" --mode jacobian -o jacobian.py
  chainrule compile "x^2*y" --mode hvp              Hessian times a direction v_x, v_y

net.chain:
  X: matrix(N, d); y: vector(N); w: vector(d)
  loss = mean((X @ w - y)^2)

The module needs NumPy alone: loss, grads = value_and_grad(X=X, y=y, w=w)
"""
_NETWORK_EPILOG = """\
examples:
  chainrule network 784-512-256-10                  layers, parameter counts, program
  chainrule network 3-3-2-1 --activation sigmoid --output-activation sigmoid \\
      --loss squared_error --backprop               the equations of backpropagation
  chainrule network 64-32-10 --activation tanh,gelu --l2 1e-4 -o net.chain
  chainrule network 64-32-10 --dtype float32 -o grad.py     gradient code

activations: identity relu leaky_relu leaky_relu(0.2) tanh sigmoid elu gelu silu
softplus; losses: mse squared_error binary_cross_entropy cross_entropy
"""


def parsed(arguments: Sequence[str]) -> argparse.Namespace | int:
    """What the arguments say; an exit code where that is all (help, the version, a mistake)."""
    parser = _parser()
    try:
        args = parser.parse_args(_guarded(list(arguments)))
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 2
    if args.command is None:
        parser.print_help(sys.stderr)
        return 2
    return args


def _formatter(prog: str) -> argparse.HelpFormatter:
    # A width of our own: looking it up would load compression libraries, a third of the time.
    return argparse.RawDescriptionHelpFormatter(prog, width=80)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "chainrule", description=_DESCRIPTION, epilog=_EPILOG,
        formatter_class=_formatter, allow_abbrev=False,
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"chainrule {chainrule.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    derive = commands.add_parser(
        "derive", help="derivative, gradient or Jacobian, step by step",
        description="Derive an expression step by step.", epilog=_DERIVE_EPILOG,
        formatter_class=_formatter, allow_abbrev=False,
    )  # fmt: skip
    add = derive.add_argument
    add("expression", metavar="EXPR", help="an expression, a program, or a file with one")
    add("--wrt", default="", metavar="x,y", help="names to differentiate by")
    add("--at", default="", metavar="x=2,y=3", help="show every formula's value at a point")
    add("--order", type=int, default=1, metavar="N", help="order; 2 in several names: Hessian")
    add("--granularity", choices=("textbook", "fine"), default="textbook", help="size of a step")
    add("--style", choices=("paths", "total", "backprop"), default="paths", help="way to combine")
    add("--expand-powers", action="store_true", help="write x^3 as x*x*x")
    add("--layout", choices=("numerator", "denominator"), default="numerator",
        help="rows of a Jacobian: outputs, or variables")  # fmt: skip
    add("--jvp", default="", metavar="h1,h2", help="directional derivative")
    add("--vjp", default="", metavar="v1,v2", help="weights for the outputs")
    add("--max-paths", type=int, default=None, metavar="N", help="list at most N paths")
    add("--verify", choices=("symbolic", "numeric", "off"), default="symbolic",
        help="by SymPy and numbers, by numbers, or not")  # fmt: skip
    add("--timeout", type=float, default=None, metavar="S", help="seconds to simplify and verify")
    add("--latex-input", action="store_true", help="read EXPR as LaTeX")
    add("--strict", action="store_true", help="make every ambiguous reading an error")
    add("--format", choices=_FORMATS, default=None, help="text unless -o says otherwise")
    add("--fragment", action="store_true", help="LaTeX to include in a document")
    add("-o", "--output", default="", metavar="FILE", help="its ending picks the format")
    _add_check(commands)
    _add_compile(commands)
    _add_network(commands)
    return parser


def _add_check(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    check = commands.add_parser(
        "check", help="is this answer right, and if not, where and why?",
        description="Check an answer, a worked derivation, or a table of answers.",
        epilog=_CHECK_EPILOG, formatter_class=_formatter, allow_abbrev=False,
    )  # fmt: skip
    add = check.add_argument
    add("expression", metavar="EXPR", nargs="?", default="", help="what is differentiated")
    add("answer", metavar="ANSWER", nargs="?", default="", help="the answer, or a file with it")
    add("--wrt", default="", metavar="x,y", help="names to differentiate by")
    add("--order", type=int, default=1, metavar="N", help="order of the derivative")
    add("--layout", choices=("numerator", "denominator"), default=None,
        help="layout of a Jacobian; either is right unless this is given")  # fmt: skip
    add("--timeout", type=float, default=None, metavar="S",
        help="seconds for an answer: each one of a table; of --steps for all lines")  # fmt: skip
    add("--total", type=float, default=None, metavar="S",
        help="seconds for a whole table; rows it does not reach are undecided")  # fmt: skip
    add("--steps", default="", metavar="FILE", help="check a worked derivation; - reads stdin")
    add("--batch", default="", metavar="FILE.csv", help="check a table of answers")
    add("--network", default="", metavar="3-3-2-1",
        help="check the number of parameters of a fully connected network")  # fmt: skip
    add("--latex-input", action="store_true", help="read EXPR as LaTeX")
    add("--strict", action="store_true", help="make every ambiguous reading an error")
    add("--format", choices=("text", "markdown", "json", "csv"), default=None,
        help="text unless -o says otherwise; csv for a table")  # fmt: skip
    add("-o", "--output", default="", metavar="FILE", help="its ending picks the format")


def _add_compile(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    compiling = commands.add_parser(
        "compile", help="a program's value and gradient as NumPy code",
        description="Write the value and the derivatives of a program as a NumPy module.",
        epilog=_COMPILE_EPILOG, formatter_class=_formatter, allow_abbrev=False,
    )  # fmt: skip
    add = compiling.add_argument
    add("expression", metavar="PROGRAM", help="a program, or a file with one")
    add("--wrt", default="", metavar="W1,b1", help="names to differentiate by; all unless given")
    add("--dtype", choices=("float32", "float64"), default=None,
        help="of the arrays; as they come unless given")  # fmt: skip
    add("--mode", choices=("gradient", "jacobian", "hvp"), default="gradient",
        help="of one scalar; of scalars or an array; Hessian times a direction")  # fmt: skip
    add("--target", choices=("numpy",), default="numpy", help="the library that the code calls")
    add("--latex-input", action="store_true", help="read PROGRAM as LaTeX")
    add("--strict", action="store_true", help="make every ambiguous reading an error")
    add("-o", "--output", default="", metavar="FILE.py", help="where to write it")


def _add_network(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    network = commands.add_parser(
        "network", help="a fully connected network: layers, program, backpropagation, code",
        description="A fully connected network as a program.", epilog=_NETWORK_EPILOG,
        formatter_class=_formatter, allow_abbrev=False,
    )  # fmt: skip
    add = network.add_argument
    add("sizes", metavar="SIZES", help="of the input and of every layer, as 784-512-256-10")
    add("--activation", default="relu", metavar="F[,G]", help="of all hidden layers, or of each")
    add("--loss", default="cross_entropy", metavar="LOSS", help="how outputs are compared")
    add("--output-activation", default="identity", metavar="F", help="of the last layer")
    add("--l2", type=float, default=0.0, metavar="X", help="adds X/2 * (sum of squared weights)")
    add("--batch", default="N", metavar="N", help="number of examples, or its name")
    add("--backprop", action="store_true", help="show the equations of backpropagation")
    add("--compile", action="store_true", help="show the gradient code")
    add("--dtype", choices=("float64", "float32"), default="float64", help="of the code")
    add("--format", default=None,
        choices=("text", "latex", "markdown", "html", "json", "chain", "python"),
        help="text unless -o says otherwise; chain: the program, python: the code")  # fmt: skip
    add("-o", "--output", default="", metavar="FILE", help="its ending picks the format")


def _guarded(arguments: list[str]) -> list[str]:
    """Values and expressions may begin with a minus: `derive -x^2 --vjp -1,2`, `derive --2x`."""
    if not arguments or arguments[0].startswith("-"):
        return arguments
    flags = {
        "--backprop", "--compile", "--expand-powers", "--latex-input", "--strict", "--fragment",
        "--help", "-h",
    }  # fmt: skip

    def option(argument: str) -> bool:
        name = argument.partition("=")[0]
        return (
            name.startswith("--") and name[2:].replace("-", "_").isidentifier() and name[2:3] != "-"
        )

    options: list[str] = []
    operands: list[str] = []
    rest = iter(arguments[1:])
    for argument in rest:
        if argument == "--":
            operands += rest
        elif argument in flags or (option(argument) and "=" in argument):
            options.append(argument)
        elif argument in ("-o", "--output") or option(argument):
            value = next(rest, None)
            name = "--output" if argument == "-o" else argument
            options.append(name if value is None else f"{name}={value}")
        else:
            operands.append(argument)
    return [arguments[0], *options, "--", *operands]
