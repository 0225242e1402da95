"""Input that nobody expected: a result or an error that says why; never a hang, never a blow-up."""

from __future__ import annotations

import ast
import json
import os
import resource
import shlex
import subprocess
import sys
import time
import tracemalloc
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from unicodedata import combining, east_asian_width
from xml.etree import ElementTree

import mpmath
import numpy as np
import pytest

import chainrule as cr
from chainrule import cli

SECONDS = 20.0  # of processor time on a slow machine; each takes one or two
DEEP, WIDE = 100_000, 20_000


@contextmanager
def bounded(seconds: float = SECONDS, megabytes: float = 300) -> Iterator[None]:
    """Little processor time, no deep recursion, and the process does not grow."""
    limit = sys.getrecursionlimit()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    sys.setrecursionlimit(500)
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)
    assert time.process_time() - start < seconds
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < megabytes * 1024


def outcome(text: str) -> str:
    """`derived`, or the message of what could not be read, derived or compiled."""
    try:
        program = cr.parse(text)
        found = cr.derive(program, verify="off", timeout=1)
        assert found.expression
        ast.parse(cr.compile(program).source)
    except cr.ChainruleError as error:
        assert len(error.message) < 400 and "\n" not in error.message
        return error.message
    return "derived"


# ---- size

NUMBERS = {
    "digits": "x + " + "7" * 10_000,
    "decimals": "x*0." + "7" * 10_000,
    "leading zeros": "x + " + "0" * 10_000 + "1",
    "exponent": "x*1e999999999",
    "small": "x*1e-999999999",
    "power": "x + 10^10^10",
    "power of a power": "x^9^9^9^9",
    "tower": "9^9^9^9^x",
    "tower of x": "^".join("x" * 300),
    "power of decimals": "x*1.0000001^1000000000000",
    "fraction": "x/3^100000",
    "root": "(2^100000)^(1/100000)*x",
    "gamma": "gamma(10^9)*x",
    "large order": "d^99999999/dx^99999999 x^2",
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers(name: str) -> None:
    with bounded():
        assert outcome(NUMBERS[name])


NESTED = {
    "parentheses": "(" * DEEP + "x" + ")" * DEEP,
    "unary minus": "-" * DEEP + "x",
    "calls": "sin(" * DEEP + "x" + ")" * DEEP,
    "calls without brackets": "sin " * WIDE + "x",
    "powers": "x" + "^2" * DEEP,
    "roots": "√" * WIDE + "x",
    "sums to the right": "x+(" * WIDE + "x" + ")" * WIDE,
    "sums": "x+" * DEEP + "x",
    "differences": "x-" * WIDE + "x",
    "quotients": "x/" * WIDE + "x",
    "primes": "A: matrix(n, n); trace(A" + "'" * DEEP + ")",
    "LaTeX groups": r"\left(" * 10_000 + "x" + r"\right)" * 10_000,
    "LaTeX fractions": r"\frac{1}{" * 10_000 + "x" + "}" * 10_000,
    "LaTeX roots": r"\sqrt{" * 10_000 + "x" + "}" * 10_000,
}


@pytest.mark.parametrize("name", NESTED)
def test_nesting_is_read_without_recursion(name: str) -> None:
    with bounded(megabytes=600):
        try:
            cr.parse(NESTED[name])
        except cr.ChainruleError as error:
            assert len(error.message) < 400


UNFINISHED = ["(", "[", "{", "|", "sin(", "{x if ", "f(", "((x)", "x^", "-", r"\frac{", r"\left("]


@pytest.mark.parametrize("piece", UNFINISHED)
def test_what_is_never_closed(piece: str) -> None:
    with bounded(), pytest.raises(cr.ChainruleError):
        cr.parse(piece * 20_000)


@pytest.mark.parametrize("name", ["parentheses", "unary minus", "calls", "powers", "sums"])
def test_deep_expressions_pass_every_face(name: str) -> None:
    text = NESTED[name].replace("(" * DEEP, "(" * 2000).replace(")" * DEEP, ")" * 2000)
    text = text.replace("sin(" * DEEP, "sin(" * 2000).replace("-" * DEEP, "-" * 2000)
    text = text.replace("^2" * DEEP, "^2" * 300).replace("x+" * DEEP, "x+" * 2000)
    with bounded(60):
        found = cr.derive(text, verify="numeric", timeout=1)
        for face in (str(found), found.latex(), found.html(), found.markdown(), found.json()):
            assert len(face) < 40_000_000
        assert found.verification.status in ("verified", "unverified")


def test_the_width_of_a_deep_formula_is_found_once() -> None:
    """Each storey of brackets that was opened once measured all that is below it again."""

    def seconds(n: int) -> float:
        found = cr.derive("-" * n + "x", verify="off")
        start = time.process_time()
        found.latex()
        return time.process_time() - start

    assert seconds(4000) < 5


def test_thousands_of_names() -> None:
    with bounded(60):
        found = cr.derive(" + ".join(f"x{i}^2" for i in range(2000)), verify="off", timeout=2)
        assert len(found.data.variables) == 2000
        assert json.loads(found.json())["variables"][1999] == "x1999"
    declared = "; ".join(f"x{i}: vector(n)" for i in range(2000))
    with bounded(60):
        program = cr.parse(declared + "; " + " + ".join(f"sum(x{i})" for i in range(2000)))
        assert len(program.declared) == 2000
        assert "def value_and_grad" in cr.compile(program, ["x7"]).source


@pytest.mark.parametrize("piece", ["π", "x", "erf", "sin", "xπ", "x_1", r"\pi ", "x'", "f ", "|x"])
def test_long_runs_are_read_in_one_pass(piece: str) -> None:
    """Each letter of LaTeX once looked through all letters after it for a function's name."""
    for latex in (False, True):
        with bounded(4):
            try:
                cr.parse(piece * 4000, latex=latex)
            except cr.ChainruleError as error:
                assert error.message


@pytest.mark.parametrize("text", ["\\begin{\n} x \\end{cases", "\\begin{a\nb} x"])
def test_messages_are_one_line_whatever_they_quote(text: str) -> None:
    with pytest.raises(cr.ChainruleError) as caught:
        cr.parse(text, latex=True)
    assert "\n" not in caught.value.message


# ---- letters

LETTERS = {
    "NUL": "x\0+1",
    "right-to-left override": "x\u202e+1",
    "right-to-left mark": "\u200fx",
    "isolate": "x\u2066*y",
    "zero width space": "x\u200b+1",
    "joiner": "x\u200d+1",
    "Cyrillic": "\u0445 + x",
    "Greek capital": "\u0391 + A",
    "combining": "x\u0301",
    "surrogate": "x\ud800",
    "escape": "x\x1b[31m",
    "bell": "x\a",
    "noncharacter": "x\uffff",
    "line separator": "x\u2028y",
    "last of all": "x\U0010ffff",
    "emoji": "x + \U0001f600",
}


@pytest.mark.parametrize("name", LETTERS)
def test_letters(name: str) -> None:
    try:
        found = cr.derive(LETTERS[name], verify="off")
    except cr.ChainruleError as error:
        shown = str(error)
    else:
        shown = str(found) + found.latex() + found.html() + found.json()
    for letter in "\0\x1b\a\u202e\u200f\u2066\u200b\ud800":
        assert letter not in shown


# ---- names

NAMES = [
    "lambda", "class", "None", "True", "import", "exec", "eval", "init", "print", "open", "self",
    "value", "grads", "np", "input", "os", "sys", "frac", "alpha", "infty", "script", "LaTeX",
    "def", "return", "async", "match", "case", "type", "begin", "end", "catcode", "write",
    "csname", "alert", "onload", "href", "style", "body", "html", "globals", "getattr", "dtype",
    "check", "sizes", "Array",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_names_are_harmless_in_every_face(name: str) -> None:
    text = f"{name}: scalar; v: vector({name}1); u = {name}^2; sin(u) + sum(v)*{name}"
    found = cr.derive(text, [name, "v"], verify="off")
    page = found.html()
    main = page[page.index("<main>") : page.index("</main>") + len("</main>")]
    tags = {element.tag for element in ElementTree.fromstring(main).iter()}
    assert not tags & {"script", "style", "a", "img", "body"}
    document = found.latex()
    for command in (rf"\{name}", rf"\begin{{{name}}}"):
        harmless = {r"\alpha", r"\lambda", r"\infty", r"\frac", r"\begin", r"\end"}
        assert command in harmless or command not in document
    assert json.loads(found.json())["variables"] == [name, "v"]
    again = cr.parse(found.data.program.source)
    assert [str(e) for _, e in again.assignments] == [
        str(e) for _, e in found.data.program.assignments
    ]


MATHEMATICS = (
    ast.Module, ast.FunctionDef, ast.arguments, ast.arg, ast.Return, ast.Assign, ast.AugAssign,
    ast.Expr, ast.Name, ast.Load, ast.Store, ast.Constant, ast.BinOp, ast.UnaryOp, ast.operator,
    ast.unaryop, ast.Compare, ast.cmpop, ast.Call, ast.keyword, ast.Attribute, ast.Subscript,
    ast.Slice, ast.Starred, ast.Tuple, ast.List, ast.Dict, ast.If, ast.Raise, ast.JoinedStr,
    ast.FormattedValue, ast.Import, ast.ImportFrom, ast.alias, ast.For, ast.BoolOp, ast.boolop,
    ast.IfExp, ast.AnnAssign, ast.With, ast.withitem, ast.GeneratorExp, ast.comprehension,
    ast.ListComp, ast.Assert,
)  # fmt: skip
BUILTINS = {"float", "int", "len", "map", "range", "zip", "isinstance", "ValueError", "TypeError"}
IMPORTS = ("import numpy as np", "from numpy.typing import NDArray")
PROGRAM = "; ".join(
    [*(f"{n}: matrix(lambda, np)" for n in NAMES if n not in ("lambda", "np")),
     "t: vector(np)",
     "os1 = " + " + ".join(f"sum(tanh({n} @ t))" for n in NAMES if n not in ("lambda", "np")),
     "os1^2 + logsumexp(t)"]
)  # fmt: skip


def test_generated_code_is_mathematics_and_nothing_else() -> None:
    source = cr.compile(PROGRAM).source
    tree = ast.parse(source)
    defined = {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}
    for node in ast.walk(tree):
        assert isinstance(node, MATHEMATICS), ast.dump(node)
        if isinstance(node, ast.Import | ast.ImportFrom):
            assert ast.unparse(node) in IMPORTS
        elif isinstance(node, ast.Attribute):
            assert not node.attr.startswith("_"), ast.unparse(node)
        elif isinstance(node, ast.Name):
            assert not node.id.startswith("__")
        elif isinstance(node, ast.Call):
            called = node.func
            if isinstance(called, ast.Name):
                assert called.id in defined | BUILTINS, called.id
            else:
                assert isinstance(called, ast.Attribute)
                assert "np.lib" not in ast.unparse(called)
    arguments = {a.arg for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)
                 for a in n.args.args}  # fmt: skip
    assert not arguments & {"lambda", "class", "print", "np", "eval", "open", "None"}


TRY = """
import sys
import numpy as np, numpy.typing
code = compile(open(sys.argv[1]).read(), "module", "exec")
seen = []
def watch(event, args):
    if event not in ("exec", "import", "object.__getattr__") or (
        event == "import" and not args[0].startswith("numpy")
    ):
        seen.append(event)
watching = False
sys.addaudithook(lambda event, args: watch(event, args) if watching else None)
space = {"__name__": "module"}
watching = True
exec(code, space)
arrays = {
    name: np.ones((2, 3)) if name != "t" else np.arange(3.0)
    for name in space["value_and_grad"].__code__.co_varnames[
        : space["value_and_grad"].__code__.co_argcount
    ]
}
value, grads = space["value_and_grad"](**arrays)
watching = False
print(seen, float(value), len(grads))
"""


def test_generated_code_touches_nothing(tmp_path: Path) -> None:
    """Python reports files, sockets, processes and imports to a hook: there are none."""
    module = tmp_path / "module.py"
    module.write_text(cr.compile(PROGRAM).source, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", TRY, str(module)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("[] "), done.stdout
    assert done.stdout.split()[-1] == str(len(NAMES) - 2 + 1)


# ---- arrays

HUGE = {
    "product": "A: matrix(1000000000, 1000000000); x: vector(1000000000); sum(A @ x)",
    "square": "A: matrix(1000000000, 1000000000); trace(A @ A)",
    "determinant": "A: matrix(99999, 99999); ln(det(A))",
    "ones": "x: vector(3); sum(ones(1000000000, 1000000000))*sum(x)",
    "identity": "A: matrix(3, 3); trace(A)*trace(eye(999999999))",
    "softmax": "X: matrix(123456789, 987654321); sum(softmax(X) .* X)",
    "names": "A: matrix(1000000000, n); x: vector(n); sum(tanh(A @ x))",
    "outer": "x: vector(1000000000); norm(outer(x, x))",
    "Jacobian": "x: vector(1000000000); x .* x",
}


@pytest.mark.parametrize("name", HUGE)
def test_huge_arrays_are_never_allocated(name: str) -> None:
    cr.derive("x: vector(2); sum(x)").verification  # noqa: B018  (imports what is slow)
    tracemalloc.start()
    try:
        with bounded():
            found = cr.derive(HUGE[name], timeout=2)
            assert found.expression and str(found)
            told = found.verification
            cr.compile(HUGE[name].replace("; x .* x", "; sum(x .* x)"))
        assert tracemalloc.get_traced_memory()[1] < 100 << 20
    finally:
        tracemalloc.stop()
    if told.status != "verified":
        assert told.status == "unverified" and any(m.detail for m in told.methods)


EXTREMES = [
    "x: vector(100000000000000000000000000000); x[99999999999]",
    "x: vector(3); x[10000000000]",
    "x: vector(3); x[3]",
    "x: vector(n); x[-99999999999999999999]",
    "x: vector(n); sum(x[5:99999999999999])",
    "x: vector(5); sum(x[4:2])",
    "x: vector(5); sum(x[2:2])",
    "X: matrix(2, 3); X[1, 3]",
    "X: matrix(2, 3); X[:, -4]",
    "x: vector(3); sum(concat(" + ", ".join(["x"] * 1000) + "))",
    "x: vector(3); sum(ones(10000000000, 10000000000))*sum(x)",
    "A: matrix(3, 3); trace(A)*trace(eye(99999999999))",
    "A: matrix(3, 3); sum(" + "inv(" * 500 + "A" + ")" * 500 + ")",
    "A: matrix(n, n); trace(" + " @ ".join(["A"] * 300) + ")",
    "x: vector(0); sum(x)",
    "x: vector(-3); sum(x)",
    "x: vector(1.5); sum(x)",
    "x: vector(" + "9" * 3000 + "); sum(x)",
    "x: vector(" + "n + " * 2000 + "1); sum(x)",
    "x: vector(n^n^n); sum(x)",
    "x: vector(x); sum(x)",
]


@pytest.mark.parametrize("text", EXTREMES, ids=lambda t: t[:40])
def test_places_and_sizes_at_the_edge(text: str) -> None:
    with bounded(40):
        said = outcome(text)
        if said == "derived":
            told = cr.derive(text, verify="numeric", timeout=1).verification
            assert told.status in ("verified", "unverified")


# ---- time

SLOW = "; ".join(
    ["X: matrix(n, n)", "y: vector(n)",
     *(f"u{k} = tanh(X @ {'u' + str(k - 1) if k else 'y'})" for k in range(60)), "sum(u59^2)"]
)  # fmt: skip


def test_a_timeout_bounds_array_programs_too() -> None:
    start = time.perf_counter()
    found = cr.derive(SLOW, timeout=0.2)
    told = found.verification
    assert time.perf_counter() - start < 8
    assert told.status == "unverified"
    assert any("time" in m.detail for m in told.methods)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (SLOW, "y"),
        ("sin(" * 400 + "x" + ")" * 400, "cos(" * 400 + "x" + ")" * 400),
        ("x^x^x^x*gamma(x)^x*sin(x^x)", "x^x^x^x*gamma(x)^x"),
    ],
    ids=["arrays", "deep", "slow"],
)
def test_a_timeout_bounds_the_check_of_an_answer(text: str, answer: str) -> None:
    cr.check("x^2", "x")  # imports what is slow
    start = time.perf_counter()
    found = cr.check(text, answer, "y" if text is SLOW else "x", timeout=0.3)
    assert time.perf_counter() - start < 8
    assert found.status in ("wrong", "undecided")
    if found.status == "undecided" and found.data.problem:
        assert "the time for it ran out" in str(found)


def test_an_answer_without_time_is_undecided_and_says_so() -> None:
    found = cr.check("x^2*sin(x)", "2*x*sin(x) + x^2*cos(x)", timeout=1e-9)
    assert found.status == "undecided"
    assert "Undecided: the time for it ran out." in str(found)
    assert json.loads(found.json())["problem"] == "time"
    arrays = cr.check("x: vector(n); sum(x^2)", "2*x", timeout=1e-9)
    assert arrays.status == "undecided" and arrays.data.problem == "time"
    with pytest.raises(cr.UsageError, match="timeout"):
        cr.check("x^2", "2*x", timeout=0)


def test_a_number_of_dimensions_divided_by_zero() -> None:
    """Python's numbers raise an error of their own where NumPy's are infinite."""
    step = cr.compile("X: matrix(1, n); mean(abs(X))/0", "X")
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value, grads = step(X=np.ones((1, 2)))
        assert np.isinf(value) and np.isinf(grads["X"]).all()
    step = cr.compile("x: vector(n); sum(x^2)*(1/(n - 1))", "x")
    assert step(x=np.ones(2))[0] == 2
    with pytest.raises(cr.ChainruleError, match="divided by 0"):
        step(x=np.ones(1))
    with pytest.raises(cr.ChainruleError, match="divided by 0"):
        step.value(x=np.ones(1))


@pytest.mark.parametrize("path", ["", "a\0b", "nowhere/deep/x.py", ".", "\ud800/x.py"])
def test_files_that_cannot_be_written(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = cli.main(["compile", "x^2", "--wrt", "x", "-o", path])
    shown = capsys.readouterr()
    assert code == (2 if path else 0)
    assert "Traceback" not in shown.err and ("written" in shown.err or not path)


@pytest.mark.parametrize("dtype", ["float16", "float64); import os", "", 7, float])
def test_no_other_dtype(dtype: object) -> None:
    with pytest.raises(cr.UsageError, match="dtype"):
        cr.compile("x^2", dtype=dtype)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "slope"),
    [("x*gelu(1)", 0.8413447460685429), ("d/dx -x^2*D*y/(-1)", None), ("d/-1 x^2D*y", None)],
)
def test_constants_and_signs_in_generated_code(text: str, slope: float | None) -> None:
    """A row that only code has, of a constant; a quotient by -1 that is folded away."""
    step = cr.compile(text)
    values = {s.name: 1.5 for s in step.schedule.lowered.inputs}
    _, grads = step(**values)
    exact = cr.derive(text, verify="off")(**values)
    expected = exact if isinstance(exact, dict) else {step.wrt[0]: exact}
    for name, value in expected.items():
        assert float(grads[name]) == pytest.approx(float(value), rel=1e-12)
    assert slope is None or grads["x"] == pytest.approx(slope, rel=1e-12)


# ---- reading: every kind of text in one pass, its errors too

READ = {
    # name: (text of about so many characters, whether it is LaTeX)
    "open": (lambda n: "(" * n, False),
    "nested": (lambda n: "(" * (n // 2) + "x" + ")" * (n // 2), False),
    "square": (lambda n: "[" * n, False),
    "braces": (lambda n: "{" * n, False),
    "minus": (lambda n: "-" * n + "x", False),
    "unfinished minus": (lambda n: "-" * n, False),
    "bars": (lambda n: "|" * n, False),
    "closed bars": (lambda n: "|x|" * (n // 3), False),
    "bars behind functions": (lambda n: "sin " * (n // 8) + "|x| " * (n // 8), False),
    "digits": (lambda n: "7" * n, False),
    "decimals": (lambda n: "0." + "0" * n + "1", False),
    "letters": (lambda n: "x" * n, False),
    "subscripts": (lambda n: "x" + "_1" * (n // 2), False),
    "primes": (lambda n: "f" + "'" * n + "(x)", False),
    "calls": (lambda n: "f(" * (n // 3) + "x" + ")" * (n // 3), False),
    "commas": (lambda n: "," * n, False),
    "arguments": (lambda n: "max(" + "x," * (n // 2) + "x)", False),
    "parameters": (lambda n: "f(" + "x," * (n // 2) + "x) = 2", False),
    "arguments of a declared function": (
        lambda n: (
            f"g: function({'vector(n), ' * (n // 20)}scalar) -> scalar; "
            f"g({', '.join(f'x{i}' for i in range(n // 20))}, 1)"
        ),
        False,
    ),
    "tower": (lambda n: "9^" * (n // 2) + "9", False),
    "superscripts": (lambda n: "x²" * (n // 2), False),
    "roots": (lambda n: "√" * n, False),
    "indices": (lambda n: "x: vector(n); x" + "[0:n]" * (n // 5), False),
    "cases": (lambda n: "{" + "x if x > 0, " * (n // 12) + "x}", False),
    "doubts": (lambda n: "e^2x " * (n // 5), False),
    "notices": (lambda n: "A: matrix(n, n); " + "(" * (n // 4) + "A" + "^2)" * (n // 4), False),
    "separators": (lambda n: ";" * n, False),
    "comments": (lambda n: "# a; b\n" * (n // 7) + "x", False),
    "one comment": (lambda n: "#" * n, False),
    "spaces": (lambda n: " " * n + "§", False),
    "blank lines": (lambda n: " \r\n" * (n // 3) + "x", False),
    "lines that go on": (lambda n: "x +\n" * (n // 4) + "x", False),
    "unknown behind names": (
        lambda n: "; ".join(f"value{i}: scalar" for i in range(n // 17)) + "; valeu17*x",
        False,
    ),
    "outputs whose names are taken": (
        lambda n: (
            "; ".join(f"{c}1 = x" for c in "yzwvqrstpuabckmn")
            + "; "
            + "; ".join(f"out{i}_1 = x" for i in range(n // 30))
            + "; ["
            + "x," * (n // 4)
            + "x]"
        ),
        False,
    ),
    "declared": (lambda n: ", ".join(f"v{i}" for i in range(n // 8)) + ": vector(n); x", False),
    "dimensions": (lambda n: "x: vector(" + "n + " * (n // 4) + "n); x", False),
    "LaTeX letters": (lambda n: "x" * (n // 4), True),
    "LaTeX braces": (lambda n: "{" * (n // 2) + "x" + "}" * (n // 2), True),
    "LaTeX powers": (lambda n: "x^{" * (n // 4) + "x" + "}" * (n // 4), True),
    "LaTeX gamma": (lambda n: r"\Gamma^{" * (n // 9) + "x" + "}" * (n // 9), True),
    "LaTeX over": (lambda n: "{" * (n // 9) + "a" + r"\over b}" * (n // 9), True),
    "LaTeX entry powers": (lambda n: r"x^{\odot " * (n // 9), True),
    "LaTeX fractions": (lambda n: r"\frac" * (n // 5), True),
    "LaTeX identities": (
        lambda n: (
            "\n".join(f"v_{i}: vector({i + 1})" for i in range(n // 36))
            + "\n"
            + r"I_{3} I \cdot " * (n // 30)
        ),
        True,
    ),
}


def _told(text: str, latex: bool) -> str:
    try:
        cr.parse(text, latex=latex)
    except cr.ChainruleError as error:
        assert len(error.message) < 400
        return str(error)
    return ""


@pytest.mark.parametrize("name", READ)
def test_reading_is_linear(name: str) -> None:
    """Ten times the text takes about ten times as long; what is quadratic takes a hundred."""

    def seconds(text: str) -> float:
        start = time.process_time()
        _told(text, latex)
        return time.process_time() - start

    make, latex = READ[name]
    short, long = make(8_000), make(80_000)
    _told(make(100), latex)
    for _ in range(4):  # something else may have been running
        least, most = min(seconds(short) for _ in range(3)), seconds(long)
        if most < 30 * least + 0.05:
            break
    assert most < 30 * least + 0.05


HOPELESS = {
    "open": "(" * 5_000_000,
    "minus": "-" * 5_000_000,
    "digits": "7" * 5_000_000,
    "letters": "x" * 5_000_000,
    "bars": "|x" * 2_500_000,
    "commas": "x," * 2_500_000,
    "statements without names": "x;" * 2_500_000,
    "the same name": "x = 1;" * 1_000_000,
    "comment": "#" * 5_000_000,
    "LaTeX": r"\sin x + " * 500_000,
    "control": "\0" * 5_000_000,
    "nested": "(" * 250_000 + "x" + ")" * 250_000,
    "bars in bars": "|" * 250_000,
}


@pytest.mark.parametrize("name", HOPELESS)
def test_what_is_hopeless_is_refused_early(name: str) -> None:
    with bounded(SECONDS, megabytes=500), pytest.raises(cr.ChainruleError) as caught:
        cr.parse(HOPELESS[name])
    assert len(str(caught.value)) < 600


def test_fifty_thousand_statements() -> None:
    rows = [
        f"t{i} = t{i - 1}*x" if i % 2 else f"t{i} = sin(t{i - 1}) + 2" for i in range(1, 50_001)
    ]
    text = "; ".join(["t0 = x", *rows])
    assert len(text) > 1_000_000
    with bounded(60, megabytes=400):
        program = cr.parse(text)
    assert len(program.assignments) == 50_001 and program.outputs == ("t50000",)
    assert repr(program.assignments[3][1]) == "mul(t2, x)"
    assert repr(program.assignments[50_000][1]) == "add(sin(t49999), 2)"
    wrong = text.replace("t7777 = t7776*x", "t7777 = t7776*tt")
    with pytest.raises(cr.ChainruleError, match="`tt` is not a known name") as caught:
        cr.parse(wrong)
    assert caught.value.span is not None
    assert wrong[caught.value.span.start : caught.value.span.end] == "tt"


def test_the_survey_sees_what_stands_between_plain_statements() -> None:
    """Statements that are looked at as strings, and those that need their words, in one text."""
    program = cr.parse("a1 = x\nb1 = (a1 +\n  2)*f(x)\nc1 = b1*a1 # = d1; e1\n\nc1 + a1")
    assert [name for name, _ in program.assignments] == ["a1", "b1", "c1", "y"]
    for text, message in {
        "a1 = x; b1 = a1*c1; c1 = x; c1": "`c1` is used before it is defined",
        "a1 = x; a1 = 2; a1": "`a1` has a meaning already",
        "a1 = x; b1 = a1 §; b1": "`§` (U+00A7 SECTION SIGN) is not part of the language",
        "a1 = x; a1*x; b1 = a1; b1": "only the last line may be without a name",
        "a1 = x; b1 = (a1; b1": "`;` cannot stand inside brackets",
        "a1 = x; b1 = a1 +; b1": "the text ends after `+`",
    }.items():
        with pytest.raises(cr.ChainruleError) as caught:
            cr.parse(text)
        assert caught.value.message == message


WIDE = {
    "tabs": "\tx\t+\t" * 30 + "§",
    "wide letters": "x" + "漢" * 200,
    "combining marks": "x" + "\u0301" * 500,
    "surrogates": "x + \ud800\udfff",
    "byte order mark": "\ufeff" * 3 + "x",
    "marks of direction": "x + \u202e\u2066\u200f" * 40,
    "zero width": "x\u200b\u200d\u2060" * 60,
    "full-width": "ｘ＋１" * 60,
    "line ends": "x = 1\r\ny = x §\r\n",
    "long line": "x + " * 50_000 + "§" + " + x" * 50_000,
    "long name": "x + " + "unknown" * 5_000,
    "quoted": r"\text{" + "\u202e\x1b[31m\0" + "}",
}


@pytest.mark.parametrize("name", WIDE)
def test_frames_are_harmless_and_fit_a_terminal(name: str) -> None:
    text = _told(WIDE[name], latex=name == "quoted")
    assert text and all(line.isprintable() for line in text.split("\n"))
    framed = [line for line in text.split("\n")[1:] if "|" in line]
    columns = [sum(1 + (east_asian_width(c) in "WF") for c in line) for line in framed]
    assert framed and max(columns) <= 80 + sum(map(bool, map(combining, text)))


# ---- values that callers give

HOSTILE_VALUES = {
    "nothing": None,
    "a word": "abc",
    "bytes": b"1",
    "lists of unequal lengths": [1, [2, 3]],
    "complex": np.array([1 + 2j, 2]),
    "dates": np.array(["2020-01-01", "2020-01-02"], dtype="M8[D]"),
    "words": np.array(["1", "2"]),
    "objects": np.array([None, 1], dtype=object),
    "half of it masked": np.ma.masked_array([1.0, 2.0], [True, False]),
    "a set": {1, 2},
    "a type": type,
}


@pytest.mark.parametrize("name", HOSTILE_VALUES)
def test_values_that_are_no_numbers(name: str) -> None:
    step = cr.compile("x: vector(n); y: vector(n); sum(x*y)", wrt=["x"])
    value = HOSTILE_VALUES[name]
    with pytest.raises(cr.ChainruleError):
        step(x=value, y=[1.0, 2.0])
    with pytest.raises(cr.ChainruleError):
        step.flat(y=value, x=(2,)).pack(x=value)
    with pytest.raises(cr.ChainruleError):
        step.flat(y=[1.0, 2.0], x=(2,))(value)


@pytest.mark.parametrize("size", ["3", None, 2.5, -1])
def test_sizes_that_are_none(size: object) -> None:
    step = cr.compile("x: vector(n); sum(x^2)")
    with pytest.raises(cr.UsageError, match="no size"):
        step.flat(x=(size,))
    with pytest.raises(cr.UsageError, match="no size"):
        step.flat(n=size)


def test_values_of_every_real_kind() -> None:
    step = cr.compile("x: vector(n); sum(x^2)")
    for value in (
        [Fraction(1, 2), 2],
        np.array([0.5, 2], dtype=">f8"),
        np.array([0.5, 2], np.longdouble),
    ):
        found, grads = step(x=value)
        assert found == 4.25
        assert grads["x"].tolist() == [1.0, 4.0]


def test_arrays_without_the_entry() -> None:
    step = cr.compile("x: vector(n); x[0]^2")
    with pytest.raises(cr.ChainruleError, match="an entry"):
        step(x=[])


@pytest.mark.parametrize("entry", [np.nan, np.inf, -np.inf])
def test_exponentials_of_matrices_that_are_no_numbers(entry: float) -> None:
    step = cr.compile("A: matrix(n, n); trace(expm(A))")
    value, grads = step(A=[[entry, 0.0], [0.0, 1.0]])
    assert np.isnan(value)
    assert np.isnan(grads["A"]).all()
    assert step(A=np.ones((0, 0)))[0] == 0


def test_sizes_beyond_memory() -> None:
    step = cr.compile("A: matrix(n, n); trace(A @ A)")
    for n in (10**7, 10**12):
        with pytest.raises(cr.UsageError, match="memory"):
            step.bind(n=n)


def test_numbers_of_directions_below_zero() -> None:
    step = cr.compile("x^2")
    with pytest.raises(cr.UsageError, match="negative"):
        cr.check_gradients(step, {"x": 1.0}, entries=-1)
    with pytest.raises(cr.UsageError, match="negative"):
        cr.check_gradients(step, {"x": 1.0}, directions=-1)
    with pytest.raises(cr.UsageError, match="no array"):
        cr.check_gradients(step, {"x": [1, [2, 3]]})


# ---- derivatives too small for the digits


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("gelu(x)*abs(x)", "x=-89"),  # 1 + erf(-63) is 0 in any number of digits that is tried
        ("(t - y)*gelu(t)", "t=-89, y=-0.2"),
        ("digamma(x)*x - csch(12345678901234567890)^sign(a)", "x=2, a=1.272"),
    ],
)
def test_what_rounding_takes_for_0_refutes_nothing(text: str, at: str) -> None:
    assert cr.derive(text, at=at).verification.status == "verified"


def test_differentials_have_no_values() -> None:
    text = "silu(x*1)^(arccsc(-2) - binary_cross_entropy(x, y))"
    found = cr.derive(text, style="total", granularity="fine")
    assert found.verification.status == "verified"


def test_second_derivatives_over_the_names_of_their_own_steps() -> None:
    text = "{(y + a)*binary_cross_entropy(t, x) if a*y > x, log2(t + x)}"
    found = cr.derive(text, order=2, max_paths=0)
    assert found.verification.status == "verified"


# ---- streams


def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "chainrule", *arguments]
    return subprocess.run(command, capture_output=True, check=False, **options)  # type: ignore[call-overload, no-any-return]


def test_streams_that_are_closed_or_of_another_encoding() -> None:
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii"}
    shown = run("derive", "sin(α)*x", "--format", "json", "--verify", "off", env=ascii_only)
    assert shown.returncode == 0
    assert json.loads(shown.stdout.decode())["input"] == "sin(α)*x"
    strict = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    read = run("check", "--steps", "-", input=b"x^2\xff = 2*x", env=strict)
    assert (read.returncode, read.stderr[:5]) == (2, b"error")
    module = shlex.quote(sys.executable) + " -m chainrule"
    for line in ("derive x --verify off >&-", "derive x --verify off 2>&-"):
        assert subprocess.run(["sh", "-c", f"{module} {line}"], capture_output=True).returncode == 0
    closed = subprocess.run(["sh", "-c", f"{module} check --steps - <&-"], capture_output=True)
    assert closed.returncode == 2
    assert b"Traceback" not in closed.stderr


def test_files_of_other_editors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.chain"
    path.write_bytes(b"\xef\xbb\xbfx: vector(n)\r\nsum(x^2)\r\n")
    assert cli.main(["derive", str(path), "--verify", "off"]) == 0
    assert "sum(x^2)" in capsys.readouterr().out


def test_a_batch_of_thousands_of_digits(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["network", "3-4-2", "--batch", "9" * 5000]) == 2
    assert "the batch" in capsys.readouterr().err


def test_gamma_and_its_derivatives_far_out() -> None:
    step = cr.compile("digamma(x)", wrt="x")
    with bounded(2), np.errstate(all="ignore"):
        for far in (-1e30, -1e9, -np.inf, np.inf, np.nan):
            step(x=far)  # once counted up to 0, by ones
        value, grads = step(x=-1000000.3)
        assert cr.compile("gamma(x)").value(x=1000.0) == np.inf
        assert cr.compile("gamma(x)").value(x=-1000.5) == 0
    assert value == pytest.approx(np.log(1e6) + np.pi / np.tan(0.3 * np.pi))
    assert grads["x"] == pytest.approx((np.pi / np.sin(0.3 * np.pi)) ** 2, rel=1e-5)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_polygamma_left_of_0(order: int) -> None:
    step = cr.compile(f"polygamma({order}, x)", wrt="x")
    for x in (-0.001, -0.7, -3.2, -40.9):
        value, grads = step(x=x)
        assert value == pytest.approx(float(mpmath.polygamma(order, x)), rel=1e-10)
        assert grads["x"] == pytest.approx(float(mpmath.polygamma(order + 1, x)), rel=1e-10)
