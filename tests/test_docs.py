"""The README says what the commands print, and its Python runs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import chainrule as cr
from chainrule.cli import main

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
CONSOLE = "\n".join(re.findall(r"```console\n(.*?)```", README, re.DOTALL))
SHOWN = [
    (command, output)
    for command, output in re.findall(r"^\$ chainrule ([^\n]*)\n((?:(?!\$ ).*\n)*)", CONSOLE, re.M)
    if output.strip()
]
ROW_COMMANDS = re.findall(r"`chainrule (derive [^`]*)`", README)


def settled(text: str) -> str:
    """Without the last digit of rounding, which belongs to the version of mpmath."""
    return re.sub(r"relative\s+error [^)]*", "relative error", text).strip()


@pytest.mark.parametrize(("command", "output"), SHOWN, ids=[c for c, _ in SHOWN])
def test_what_the_readme_shows(
    command: str, output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(shlex.split(command))
    out, err = capsys.readouterr()
    assert settled(out + err) == settled(output)


@pytest.mark.parametrize("command", ROW_COMMANDS)
def test_the_table_of_commands(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    for part in command.split("`, `chainrule "):
        assert main(shlex.split(part)) == 0
    assert "Traceback" not in capsys.readouterr().err


def test_the_python_of_the_readme() -> None:
    source = "".join(re.findall(r"```python\n(.*?)```", README, re.DOTALL))
    exec(compile(source, "README.md", "exec"), {"cr": cr})
    assert SHOWN
    assert len(ROW_COMMANDS) > 5


EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.chain")), ids=lambda p: p.name)
def test_an_example_program_is_derived(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (command,) = re.findall(r"^#   chainrule (.*)$", path.read_text(encoding="utf-8"), re.M)
    assert main(shlex.split(command.replace("examples/", f"{EXAMPLES}/"))) == 0
    assert "verified" in capsys.readouterr().out


def test_the_example_of_a_batch(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--batch", str(EXAMPLES / "answers.csv"), "--format", "csv"]) == 1
    out = capsys.readouterr().out
    assert out.count("right") >= 2
    assert out.count("wrong") >= 3
