"""The command line as a user runs it: output, messages, exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from chainrule.cli import main


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    out, err = capsys.readouterr()
    return code, out, err


def test_derivation_on_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "derive", "ln(sin(x^3)^2)")
    assert (code, err) == (0, "")
    for line in ("u1 = x^3", "cos(u1)", "y <- u3 <- u2 <- u1 <- x", "6*x^2*cos(x^3)/sin(x^3)"):
        assert line in " ".join(out.split()) or line in out
    assert "erified" in out
    assert all(len(line) <= 80 for line in out.splitlines())
    assert "\x1b" not in out


@pytest.mark.parametrize(
    ("ending", "sign"),
    [
        (".tex", r"\documentclass"),
        (".md", "$"),
        (".json", '"schema"'),
        (".txt", "du1/dx"),
        (".html", "</math>"),
    ],
)
def test_the_ending_picks_the_format(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, ending: str, sign: str
) -> None:
    path = tmp_path / f"out{ending}"
    assert run(capsys, "derive", "sin(x^2)", "-o", str(path)) == (0, "", "")
    assert sign in path.read_text(encoding="utf-8")


MINUS = [
    (["derive", "-x^2", "--format", "json"], [["-2*x"]]),
    (["derive", "--format", "json", "--", "-x^2"], [["-2*x"]]),
    (["derive", "[x*y, x]", "--vjp", "-1,2", "--format", "json"], [["2 - y", "-x"]]),
    (["derive", "x^2", "--jvp", "-h", "--format=json"], [["-2*h*x"]]),
]


@pytest.mark.parametrize(("arguments", "entries"), MINUS)
def test_a_minus_is_not_an_option(
    capsys: pytest.CaptureFixture[str], arguments: list[str], entries: list[list[str]]
) -> None:
    code, out, err = run(capsys, *arguments)
    assert (code, err) == (0, "")
    assert json.loads(out)["result"]["entries"] == entries


UNUSABLE = [
    ["derive", "x +"],
    ["derive", "x^2", "--wrt", "2"],
    ["derive", "x^2", "--order", "0"],
    ["derive", "x^2", "--at", "x"],
    ["derive", "x^2*y", "--at", "x=1"],
    ["derive", "x^2", "--jvp", "1,2"],
    ["derive", "x^2", "-o", "/nonexistent/file.tex"],
    ["derive", "1/2x", "--strict"],
    ["derive", "ln(0)", "--wrt", "x"],
    ["derive", "99"],
    ["derive", ""],
    ["derive"],
    ["derive", "x", "--nonsense"],
    ["nonsense"],
    ["check", "x", "1 +"],
    [],
]


@pytest.mark.parametrize("arguments", UNUSABLE, ids=" ".join)
def test_unusable_input_is_exit_code_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert err
    assert "Traceback" not in err


def test_a_file_is_read(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "program.chain"
    path.write_text("# two lines\nz = x^2\nsin(z)\n", encoding="utf-8")
    code, out, _ = run(capsys, "derive", str(path), "--format", "json")
    assert code == 0
    assert json.loads(out)["result"]["entries"] == [["2*x*cos(x^2)"]]


def test_help_is_light() -> None:
    probe = (
        "import sys; from chainrule.cli import main; main(['--help']);"
        "bad = [m for m in ('sympy', 'numpy', 'lark', 'rich', 'mpmath') if m in sys.modules];"
        "sys.exit(len(bad))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, check=False)
    assert done.returncode == 0
    assert b"derive" in done.stdout


def test_derivation_is_printed_before_sympy_is_loaded() -> None:
    """The derivation needs neither SymPy nor Lark nor rich when it is piped."""
    probe = (
        "import sys; from chainrule.cli import main; main(['derive', 'x^2', '--verify', 'off']);"
        "bad = [m for m in ('sympy', 'numpy', 'lark', 'rich', 'mpmath') if m in sys.modules];"
        "print(bad, file=sys.stderr); sys.exit(len(bad))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f'"{sys.executable}" -m chainrule derive "x^2" | head -1'
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, check=False, env=dict(os.environ)
    )
    assert done.stderr == b""


@pytest.mark.parametrize(("program", "function"), [
    ("x*exp(x^2)", "value_and_grad"),
    ("[x*y, x + y]", "value_and_jacobian"),
    ("A: matrix(m, n); x: vector(n); sum(tanh(A @ x))", "value_and_grad"),
])  # fmt: skip
def test_a_derivation_as_code(
    program: str, function: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["derive", program, "--format", "python", "--verify", "off"]) == 0
    assert f"def {function}(" in capsys.readouterr().out


def test_code_is_for_first_derivatives(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["derive", "x^2", "--format", "python", "--order", "2"]) == 2
    assert "compile --mode hvp" in capsys.readouterr().err


def test_numbers_of_paths(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["derive", "x^2", "--max-paths", "-1", "--verify", "off"]) == 2
    assert "-1 paths" in capsys.readouterr().err
    assert main(["derive", "x^2", f"--max-paths={10**30}", "--verify", "off"]) == 0


def test_expressions_may_begin_with_signs(capsys: pytest.CaptureFixture[str]) -> None:
    for signs in ("-", "--", "---"):
        assert main(["derive", f"{signs}2x", "--verify", "off"]) == 0
        assert f"dy/dx = {'-2' if len(signs) % 2 else '2'}\n" in capsys.readouterr().out
    assert main(["derive", "x^2", "--verfy", "off"]) == 2


def test_output_that_cannot_be_written() -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no full device here")
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(
            [sys.executable, "-m", "chainrule", "derive", "x^2", "--verify", "off"],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("error: the output cannot be written")


def test_a_worked_answer_that_claims_nothing(tmp_path: Path) -> None:
    file = tmp_path / "worked.txt"
    for nothing in ("once upon a time", "y = x^2", "\0" * 5000):
        file.write_text(nothing, encoding="utf-8")
        assert main(["check", "--steps", str(file)]) == 2


def test_a_point_with_many_names_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"x_{i}" for i in range(9)]
    at = ",".join(f"{name}={i}" for i, name in enumerate(names))
    assert main(["derive", "*".join(names), "--wrt", "x_0", "--at", at, "--verify", "off"]) == 0
    assert "at the given point" in capsys.readouterr().out
