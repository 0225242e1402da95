"""What generated code looks like: formatted, typed, safe, short, and the same every time."""

from __future__ import annotations

import ast
import gc
import linecache
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from test_compile import CURVED, DECLARED, SCALAR_OUTPUTS, SCALARS, VECTOR_OUTPUTS

import chainrule as cr
from chainrule.core.expr import apply, symbol
from chainrule.core.ops import lookup
from chainrule.core.program import Program
from chainrule.lower.identifiers import Identifiers
from chainrule.lower.python_layout import quoted

CLASSIFIER = """
X: matrix(N, 784); Y: matrix(N, 10)
W1: matrix(784, 512); b1: vector(512)
W2: matrix(512, 256); b2: vector(256)
W3: matrix(256, 10); b3: vector(10)
Z1 = X @ W1 + b1
A1 = relu(Z1)
Z2 = A1 @ W2 + b2
A2 = relu(Z2)
Z3 = A2 @ W3 + b3
L = cross_entropy(Z3, Y)
"""
PARAMETERS = "W1, b1, W2, b2, W3, b3"


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Modules of every kind, in one folder."""
    folder = tmp_path_factory.mktemp("made")
    requests = [(w, DECLARED + t, "gradient") for w, t in SCALAR_OUTPUTS]
    requests += [(w, t, "gradient") for w, t in SCALARS]
    requests += [
        (w, t if t[0] == "[" or "vector" in t else DECLARED + t, "jacobian")
        for w, t in VECTOR_OUTPUTS
    ]
    requests += [(w, DECLARED + t, "hvp") for w, t in CURVED]
    requests.append((PARAMETERS, CLASSIFIER, "gradient"))
    for i, (wrt, text, mode) in enumerate(requests):
        dtype = (None, "float32", "float64")[i % 3]
        source = cr.compile(text, wrt, mode=mode, dtype=dtype).source  # type: ignore[arg-type]
        (folder / f"made{i}.py").write_text(source)
    return folder


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


PROJECT = str(Path(__file__).parent.parent / "pyproject.toml")


@pytest.mark.parametrize("config", [["--isolated"], ["--config", PROJECT]], ids=["plain", "ours"])
def test_ruff_finds_nothing(modules: Path, config: list[str]) -> None:
    ruff = [sys.executable, "-m", "ruff"]
    run(*ruff, "check", *config, str(modules))
    run(*ruff, "format", "--check", *config, str(modules))


def test_mypy_finds_nothing(modules: Path) -> None:
    cache = str(modules / "cache")
    run(sys.executable, "-m", "mypy", "--strict", "--cache-dir", cache, "--config-file", "",
        *map(str, sorted(modules.glob("*.py"))))  # fmt: skip


def test_a_classifier_reads_like_a_textbook() -> None:
    source = cr.compile(CLASSIFIER, PARAMETERS, dtype="float32").source
    lines = [line for line in source.splitlines() if line.strip()]
    assert len(lines) < 60
    for wanted in (
        "    Z1 = X @ W1 + b1  # (N, 512)  X @ W1 + b1",
        "    Z3_bar = (Z3_exp / Z3_sum - Y) / N  # (N, 10)  dL/dZ3 = (softmax(Z3) - Y)/N",
        '    grads["W2"] = A1.T @ Z2_bar  # (512, 256)  dL/dW2 = A1\' @ Z2_bar',
        '    grads["b1"] = Z1_bar.sum(axis=0)  # (512,)  dL/db1 = sum(Z1_bar, axis=0)',
    ):
        assert wanted in lines
    assert "dL/dX" not in source  # only what is asked for
    assert source.count("np.exp") == 2  # one exponential a function


def test_every_assignment_says_its_mathematics() -> None:
    source = cr.compile(CLASSIFIER, PARAMETERS).source
    body = source[source.index("def value(") :].splitlines()
    for before, line in pairwise(body):
        plain = ("grads: ", "N = check", "dtype =")
        if " = " in line and "#" not in line and not line.strip().startswith((*plain, "dL")):
            assert before.strip().startswith("#"), line


def test_only_what_is_asked_for_is_computed() -> None:
    last = cr.compile(CLASSIFIER, "b3").source
    assert "Z2_bar" not in last
    assert "W3.T" not in last


def assigned_and_read(source: str, function: str) -> tuple[set[str], set[str]]:
    (tree,) = (
        n for n in ast.walk(ast.parse(source))
        if isinstance(n, ast.FunctionDef) and n.name == function
    )  # fmt: skip
    names = [n for n in ast.walk(tree) if isinstance(n, ast.Name)]
    return (
        {n.id for n in names if isinstance(n.ctx, ast.Store)},
        {n.id for n in names if isinstance(n.ctx, ast.Load)},
    )


@pytest.mark.parametrize(("wrt", "text"), [(w, DECLARED + t) for w, t in SCALAR_OUTPUTS])
def test_no_line_is_dead_and_nothing_loops(wrt: str, text: str) -> None:
    source = cr.compile(text, wrt).source
    for function in ("value", "value_and_grad"):
        stored, loaded = assigned_and_read(source, function)
        assert stored <= loaded
    functions = {n.name: n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef)}
    for name in ("value", "value_and_grad"):
        loops = (ast.For, ast.While, ast.comprehension)
        assert not any(isinstance(n, loops) for n in ast.walk(functions[name]))


HOSTILE = [
    "import", "class", "None", "exec", "eval", "print", "open", "dict", "float", "np", "Array",
    "SHAPES", "check", "grads", "sizes", "dtype", "value", "value_and_grad", "lambda", "match",
    "u1", "t1", "x_bar", "l", "O", "I", "__import__", "__builtins__", "_erf", "x", "x_", "os",
    "a; import os", "a\nimport os", 'a"""', "a{0}", "$x$", "<script>", "\\input{x}", "# x", "",
]  # fmt: skip


def test_hostile_names_do_nothing() -> None:
    """Names that a text cannot have, given by Python: they become harmless identifiers."""
    leaves = [symbol(name) for name in HOSTILE]
    total = leaves[0]
    for leaf in leaves[1:]:
        total = total * 2 + leaf * leaf
    program = Program("hostile", (('y"""\nimport os', total),), ('y"""\nimport os',))
    step = cr.compile(program, leaves)
    tree = ast.parse(step.source)
    assert [type(n) for n in tree.body] == [ast.Expr, ast.Import, *[ast.FunctionDef] * 2]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            assert ast.unparse(node) == "import numpy as np"
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) in ("np.float64", "float")
        if isinstance(node, ast.Name | ast.arg):
            name = node.id if isinstance(node, ast.Name) else node.arg
            assert not name.startswith("_")
        if isinstance(node, ast.Attribute):
            assert ast.unparse(node) == "np.float64"
    value, grads = step(**{name: float(i) for i, name in enumerate(HOSTILE)})
    assert list(grads) == HOSTILE
    assert np.isfinite(value)
    assert grads[HOSTILE[-1]] == 2 * (len(HOSTILE) - 1)


LETTERS = {
    "newline": "a\nimport os", "return": "a\rimport os", "form feed": "a\x0cimport os",
    "next line": "a\x85import os", "line separator": "a\u2028import os",
    "triple quotes": 'a"""\nimport os\n"""', "backslash": "a\\", "quote": "\\'", "quotes": '\\"',
    "NUL": "a\0b", "right to left": "a\u202eb", "mark": "\u200fa", "escape": "\\N{BULLET}",
    "half an escape": "\\U0000", "surrogate": "a\ud800", "braces": "{0}", "attribute": "{a.real}",
    "percent": "%s", "comment": "a  # b", "keyword": "lambda", "soft keyword": "match",
    "constant": "None", "builtin": "float", "module": "np", "function": "value_and_grad",
    "dunder": "__import__", "bold": "\U0001d431", "bold keyword": "\U0001d422f",
    "ligature": "\ufb01", "as the ligature": "fi", "micro": "\u00b5", "mu": "\u03bc",
    "emoji": "\U0001f600", "prime": "x'", "as the prime": "x_", "empty": "", "digit": "1",
    "derivative": "dy/dx", "gradient": "\u2207y", "place": "\x010\x02", "internal": "cotangent 1",
    "self": "self", "copy": "copy", "direction": "direction", "cotangent": "zz_bar", "number": "t1",
}  # fmt: skip


def harmless(source: str) -> None:
    """It is text of one kind of line, can be stored, and imports NumPy alone."""
    assert all(c == "\n" or c.isprintable() for c in source)
    source.encode("utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            assert ast.unparse(node) == "import numpy as np"
        if isinstance(node, ast.ImportFrom):
            assert node.module in ("numpy", "numpy.typing", "typing")


def of_scalars(names: Sequence[str], output: str = "y") -> None:
    """3a, doubled and a square added for each other name: whose slope is whose is seen."""
    leaves = [symbol(name) for name in names]
    total = leaves[0] * 3
    for leaf in leaves[1:]:
        total = total * 2 + leaf * leaf
    program = Program("", ((output, total),), (output,))
    step = cr.compile(program, leaves)
    values = {name: 0.1 * i + 0.5 for i, name in enumerate(names)}
    wanted = 1.5
    for name in names[1:]:
        wanted = wanted * 2 + values[name] ** 2
    factors = [2.0 ** (len(names) - 1 - i) for i in range(len(names))]
    bound = step.bind()
    for source in (step.source, bound.source):
        harmless(source)
    assert step.value(**values) == pytest.approx(wanted)
    for value, grads in (step(**values), bound(**values)):
        assert list(grads) == list(names)
        assert value == pytest.approx(wanted)
        assert grads[names[0]] == pytest.approx(3 * factors[0])
        for name, factor in list(zip(names, factors, strict=True))[1:]:
            assert grads[name] == pytest.approx(2 * values[name] * factor)


@pytest.mark.parametrize("kind", LETTERS)
def test_a_name_is_a_name_whatever_its_letters(kind: str) -> None:
    of_scalars([LETTERS[kind], "zz"])
    of_scalars(["q", "zz"], LETTERS[kind])


def test_names_that_look_alike_stay_apart() -> None:
    of_scalars(list(LETTERS.values()))
    of_scalars([chr(0x4E00 + i) for i in range(300)])
    made = cr.compile(Program("", (("y", symbol("一") * symbol("丁")),), ("y",)))
    with pytest.raises(cr.UsageError, match="has two values"):
        cr.compile("x1^2")(x1=1.0, x_1=2.0)
    assert made(一=2.0, 丁=3.0)[1] == {"一": 3.0, "丁": 2.0}


@pytest.mark.parametrize("kind", LETTERS)
def test_a_dimension_is_a_word(kind: str) -> None:
    """Anything else would be read as a sum, or stand in a comment as it is."""
    name = LETTERS[kind]
    x, y = symbol("x", (name,)), symbol("w", ("k", name))
    total = apply(lookup("sum"), x) * symbol(name) + apply(lookup("sum"), y @ x) / symbol(name)
    program = Program(
        "", (("z", total),), ("z",), declared={"x": (name,), "w": ("k", name)},
        dimensions=(name, "k"),
    )  # fmt: skip
    values = {"x": np.ones(3), "w": np.ones((2, 3))}
    try:
        step = cr.compile(program, ["x"])
    except cr.ChainruleError as error:
        assert not name.isidentifier() and "dimension" in error.message
        return
    bound = step.bind({name: 3, "k": 2})
    for source in (step.source, bound.source):
        harmless(source)
    for value, grads in (step(**values), bound(**values)):
        assert value == pytest.approx(11)
        assert grads["x"] == pytest.approx(np.full(3, 3 + 2 / 3))


def test_many_names_that_become_one_word_take_linear_time() -> None:
    """Each was once a mark longer than the one before."""
    names = [chr(0x4E00 + i) for i in range(20_000)]
    identifiers = Identifiers()
    start = time.process_time()
    made = {identifiers.fresh(name) for name in names}
    assert len(made) == len(names) and max(map(len, made)) < 20
    assert time.process_time() - start < 2


@pytest.mark.parametrize("name", list(LETTERS.values()))
def test_a_quoted_name_is_that_name(name: str) -> None:
    text = quoted(name)
    assert ast.literal_eval(text) == name
    assert text.isascii() and not set(text[1:-1]) & set('"#()[]{},;:')


def test_the_code_is_the_same_every_time() -> None:
    program = (
        f"import chainrule as cr, sys; print(cr.compile({CLASSIFIER!r}, {PARAMETERS!r}).source)"
    )
    before = f"import chainrule as cr; cr.compile({CLASSIFIER!r}, 'b1, W1'); {program}"
    texts = {
        subprocess.run([sys.executable, "-c", p], capture_output=True, text=True, check=True).stdout
        for p in (program, before)
    }
    assert len(texts) == 1
    step = cr.compile(CLASSIFIER, PARAMETERS)
    assert step.source == cr.compile(CLASSIFIER, PARAMETERS).source


def test_names_are_those_of_the_derivation() -> None:
    source = cr.compile("x*exp(x^2)").source
    for line in ("u1 = x**2  # x^2", "u2 = np.exp(u1)  # exp(u1)", "y = x * u2  # x*u2"):
        assert f"    {line}" in source.splitlines()


def test_tracebacks_show_the_generated_line() -> None:
    step = cr.compile("x: vector(n); y: vector(n)\ndot(x, y)", "x")
    with pytest.raises(ValueError, match="y: float64") as caught:
        step._functions["value"](x=np.ones(2), y=np.ones(3))
    assert "check(x, y)" in str(caught.getrepr(style="short"))


def test_lines_are_looked_up_as_long_as_the_code_is_there() -> None:
    step = cr.compile("x*exp(x^2)")
    file = step._functions._file
    assert linecache.getlines(file) == step.source.splitlines(keepends=True)
    del step
    gc.collect()
    assert not linecache.getlines(file)


def test_what_compiling_needed_is_free_at_once() -> None:
    """Cycles would hold what the first function was written from while the second is."""
    x = y = symbol("x")
    for _ in range(500):
        y = y * y + x
    program = Program("chain", (("y", y),), ("y",))
    cr.compile(program, "x")  # what is loaded then has cycles of its own
    gc.collect()
    gc.disable()
    try:
        step = cr.compile(program, "x")
        assert gc.collect() < 100
    finally:
        gc.enable()
    assert step.value(x=0.0) == 0


@pytest.mark.parametrize("length", [3_000])
def test_long_programs_have_linear_code(length: int) -> None:
    def code(n: int) -> int:
        x = symbol("x")
        y = x
        for _ in range(n):
            y = y * y + x
        step = cr.compile(Program("chain", (("y", y),), ("y",)), "x")
        value, grads = step(x=0.1)
        assert abs(value - 0.1127016653792583) < 1e-12
        assert abs(grads["x"] - 1.2909944487358056) < 1e-12
        return len(step.source)

    assert code(length) < 11.5 * code(length // 10)


def test_memory_is_parameters_gradients_and_activations() -> None:
    """A float64 gradient of ten million parameters, at the peak."""
    import tracemalloc

    sizes, batch = [784, 2900, 2500, 10], 256
    text = "X: matrix(N, 784); Y: matrix(N, 10)\n"
    for i in range(3):
        text += f"W{i + 1}: matrix({sizes[i]}, {sizes[i + 1]}); b{i + 1}: vector({sizes[i + 1]})\n"
    text += "A1 = tanh(X @ W1 + b1)\nA2 = tanh(A1 @ W2 + b2)\nL = cross_entropy(A2 @ W3 + b3, Y)"
    step = cr.compile(text, PARAMETERS, dtype="float64")
    values = {"X": np.ones((batch, 784)), "Y": np.ones((batch, 10)) / 10}
    for i in range(3):
        values[f"W{i + 1}"] = np.full((sizes[i], sizes[i + 1]), 1e-3)
        values[f"b{i + 1}"] = np.zeros(sizes[i + 1])
    parameters = sum(values[n].nbytes for n in step.wrt)
    activations = 8 * batch * sum(sizes[1:])
    assert parameters > 75e6
    tracemalloc.start()
    step._functions["value_and_grad"](**values)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert parameters + peak < 1.1 * (2 * parameters + activations)
