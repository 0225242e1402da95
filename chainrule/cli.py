"""The command line: arguments in, renderers out."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Callable, Sequence
from io import TextIOWrapper

import chainrule
from chainrule.arguments import parsed

_ENDINGS = {
    ".tex": "latex", ".md": "markdown", ".json": "json", ".txt": "text", ".html": "html",
    ".py": "python",
}  # fmt: skip
_LATER = {
    "graph": "the computation graph as a picture",
    "worksheet": "worksheets",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return the exit code. Results to stdout, messages to stderr."""
    # Start-up makes many objects that stay: looking for garbage among them is a tenth of it.
    gc.set_threshold(200_000, 20, 20)
    # Where a shell has closed one of them (`>&-`), Python has None in its place.
    sys.stdout, sys.stderr = sys.stdout or _nowhere(), sys.stderr or _nowhere()
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments and arguments[0] in _LATER:
        print(f"chainrule {arguments[0]}: {_LATER[arguments[0]]}: not yet", file=sys.stderr)
        return 2
    args = parsed(arguments)
    if isinstance(args, int):
        return args
    try:
        code = _COMMANDS[args.command](args)
        sys.stdout.flush()
        return code
    except chainrule.ChainruleError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:  # of the output; files have errors of ours
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # `| head`: nobody is left to tell
            return 0
        print(f"error: the output cannot be written: {error.strerror}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _derive(args: argparse.Namespace) -> int:
    form = args.format or _ENDINGS.get(os.path.splitext(args.output)[1].lower(), "text")
    source = _source(args.expression)
    derivation = chainrule.derive(
        source, args.wrt, at=args.at, order=args.order, granularity=args.granularity,
        style=args.style, expand_powers=args.expand_powers, layout=args.layout, jvp=args.jvp,
        vjp=args.vjp, max_paths=args.max_paths, verify=args.verify, strict=args.strict,
        latex_input=True if args.latex_input else None, timeout=args.timeout,
    )  # fmt: skip
    if form == "text" and not args.output:
        # The derivation is on screen before the oracles, which are slow to load, have spoken.
        derivation.show(sys.stdout)
    else:
        faces: dict[str, Callable[[], str]] = {
            "text": derivation.__str__,
            "latex": lambda: derivation.latex(fragment=args.fragment),
            "markdown": derivation.markdown,
            "html": derivation.html,
            "json": derivation.json,
            "python": lambda: _code(args, derivation),
        }
        shown = faces[form]()
        _write(shown if shown.endswith("\n") else shown + "\n", args.output)
    return 1 if derivation.verification.status == "failed" else 0


def _code(args: argparse.Namespace, derivation: chainrule.Derivation) -> str:
    """NumPy code for what was derived."""
    if args.order > 1 or args.jvp or args.vjp:
        raise chainrule.UsageError(
            "--format python is for first derivatives", hint="see chainrule compile --mode hvp"
        )
    scalar = len(derivation.data.outputs) == 1 and not derivation.data.functions[0].shape
    program, variables = derivation.data.program, list(derivation.data.variables)
    return chainrule.compile(program, variables, mode="gradient" if scalar else "jacobian").source


def _check(args: argparse.Namespace) -> int:
    from_ending = {**_ENDINGS, ".csv": "csv"}
    form = args.format or from_ending.get(os.path.splitext(args.output)[1].lower(), "text")
    if args.total is not None and not args.batch:
        raise chainrule.UsageError("--total is for a table", hint="see --batch, or --timeout")
    if args.batch:
        return _check_batch(args, form)
    if form not in ("text", "markdown", "json"):
        raise chainrule.UsageError(f"--format {form}: not for one answer")
    found: chainrule.Verdict | chainrule.Worked | chainrule.Count
    if args.network:
        found = chainrule.check_count(args.network, args.answer or args.expression)
    elif args.steps:
        text = _standard_input() if args.steps == "-" else _file(args.steps)
        source = _source(args.expression) if args.expression else None
        found = chainrule.check_steps(text, source, args.wrt, timeout=args.timeout)
    else:
        if not args.expression or not args.answer:
            raise chainrule.UsageError(
                "an expression and an answer are needed", hint='chainrule check "x^2" "2*x"'
            )
        found = chainrule.check(
            _source(args.expression), _source(args.answer), args.wrt, order=args.order,
            layout=args.layout, latex_input=True if args.latex_input else None,
            strict=args.strict, timeout=args.timeout,
        )  # fmt: skip
    if form == "text" and not args.output:
        found.show(sys.stdout)
    else:
        shown = {"text": found.__str__, "markdown": found.markdown, "json": found.json}[form]()
        _write(shown if shown.endswith("\n") else shown + "\n", args.output)
    return 0 if found.correct else 1


def _check_batch(args: argparse.Namespace, form: str) -> int:
    rows = chainrule.check_batch(
        _file(args.batch), _progress(), timeout=args.timeout, total=args.total
    )
    _write(chainrule.batch_as(rows, form), args.output)
    found = {row.status for row in rows}
    if found & {"wrong", "undecided"}:
        return 1
    return 2 if "unusable" in found else 0


def _compile(args: argparse.Namespace) -> int:
    step = chainrule.compile(
        _source(args.expression), args.wrt, dtype=args.dtype, mode=args.mode,
        latex_input=True if args.latex_input else None, strict=args.strict,
    )  # fmt: skip
    for notice in step.program.notices:
        print(f"note: {notice.message}", file=sys.stderr)
    _write(step.source, args.output)
    return 0


def _network(args: argparse.Namespace) -> int:
    endings = {**_ENDINGS, ".chain": "chain"}
    form = args.format or endings.get(os.path.splitext(args.output)[1].lower(), "text")
    activations = args.activation.split(",") if "," in args.activation else args.activation
    few = args.batch.isdecimal() and len(args.batch) < 20
    batch = int(args.batch) if few else args.batch
    sizes = args.sizes.replace(",", "-").split("-")
    net = chainrule.mlp(
        [int(n) if n.isdecimal() and len(n) < 20 else n for n in sizes], activations, args.loss,
        args.l2, batch, args.output_activation,
    )  # fmt: skip
    parts = {"backprop": args.backprop, "code": args.compile, "dtype": args.dtype}
    if form == "text" and not args.output:
        net.show(sys.stdout, **parts)
        return 0
    shown = {
        "text": lambda: net.text(**parts),
        "latex": lambda: net.latex(**parts),
        "markdown": lambda: net.markdown(**parts),
        "html": lambda: net.html(**parts),
        "json": lambda: net.json(**parts),
        "chain": lambda: net.source,
        "python": lambda: net.compile(args.dtype).source,
    }[form]()
    _write(shown if shown.endswith("\n") else shown + "\n", args.output)
    return 0


def _progress() -> Callable[[int, int], None]:
    """A bar on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        return lambda done, of: None

    def draw(done: int, of: int) -> None:
        filled = 40 * done // of
        end = "\n" if done == of else ""
        bar = "#" * filled + "." * (40 - filled)
        print(f"\r[{bar}] {done}/{of}", end=end, file=sys.stderr, flush=True)

    return draw


def _source(argument: str) -> str:
    """The text, or what the file of this name holds."""
    if len(argument) > 255 or "\0" in argument or "\n" in argument or not os.path.isfile(argument):
        return argument
    return _file(argument)


def _file(path: str) -> str:
    try:
        with open(path, encoding="utf-8-sig") as file:  # editors may begin with a mark
            return file.read(2_000_001)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise chainrule.UsageError(f"{path} cannot be read: {error}") from None


def _standard_input() -> str:
    if sys.stdin is None:
        raise chainrule.UsageError("there is no standard input to read")
    try:
        return sys.stdin.read(2_000_001).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise chainrule.UsageError(f"the standard input cannot be read: {error}") from None


def _nowhere() -> TextIOWrapper:
    return open(os.devnull, "w", encoding="utf-8")


def _write(shown: str, path: str) -> None:
    if not path:
        try:
            sys.stdout.write(shown)
        except UnicodeEncodeError:  # no Greek in it; HTML and JSON are UTF-8 by definition
            if not isinstance(sys.stdout, TextIOWrapper):
                raise
            sys.stdout.reconfigure(encoding="utf-8")
            sys.stdout.write(shown)
        return
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(shown)
    except (OSError, ValueError) as error:
        told = error.strerror if isinstance(error, OSError) else "no name of a file"
        raise chainrule.UsageError(f"{path!r} cannot be written: {told}") from None


_COMMANDS = {"derive": _derive, "check": _check, "compile": _compile, "network": _network}
