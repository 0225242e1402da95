"""How the house is built: which layer imports which, and that no walk recurses."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import chainrule

PACKAGE = Path(chainrule.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
SLOW = {"sympy", "numpy", "mpmath", "rich", "lark"}

# Functions that call themselves, yet no deeper than a number that the expression has no say in.
BOUNDED = {
    "core/expr.py": {"_abbreviate"},  # to a depth that it counts down
    "core/arithmetic.py": {"add", "sub", "mul", "div"},  # once, without the signs in front
    "core/arrays.py": {"total"},  # once, for the vectors of a matrix
}


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def imports_inside(function: ast.AST) -> set[str]:
    """The packages that a function imports."""
    found = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found


def recursive_over_expressions(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a function with an expression among its parameters calls itself."""
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    annotations = [ast.unparse(a.annotation) for a in arguments if a.annotation]
    annotations = [text for text in annotations if "Callable" not in text]
    nodes = ("Expr", "Apply")
    if not any(word in nodes for text in annotations for word in _words(text)):
        return False
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            called = node.func
            if isinstance(called, ast.Name) and called.id == function.name:
                return True
            if (
                isinstance(called, ast.Attribute)
                and called.attr == function.name
                and isinstance(called.value, ast.Name)
                and called.value.id in ("self", "cls")
            ):
                return True
    return False


def _words(text: str) -> list[str]:
    return "".join(c if c.isalnum() or c == "_" else " " for c in text).split()


def test_layers_import_downwards_only() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    said = subprocess.run(
        [str(lint), "--no-cache"], cwd=PACKAGE.parent, capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stdout + said.stderr
    assert "2 kept" in said.stdout


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_slow_libraries_are_imported_inside_functions(path: Path) -> None:
    for function in functions(path):
        assert imports_inside(function) <= SLOW, f"{path.name}:{function.lineno}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_function_recurses_over_expressions(path: Path) -> None:
    found = {f.name for f in functions(path) if recursive_over_expressions(f)}
    assert found <= BOUNDED.get(path.relative_to(PACKAGE).as_posix(), set())


def test_the_checks_notice_what_they_look_for() -> None:
    source = """
def walk(node: Expr) -> int:
    return 1 + sum(walk(a) for a in node.args)

class Printer:
    def show(self, parts: tuple[Expr, ...]) -> str:
        from chainrule import api
        return self.show(parts[1:])

def loop(node: Expr) -> int:
    return other(node)
"""
    found = {
        f.name: (recursive_over_expressions(f), imports_inside(f))
        for f in ast.walk(ast.parse(source))
        if isinstance(f, ast.FunctionDef)
    }
    assert found == {
        "walk": (True, set()),
        "show": (True, {"chainrule"}),
        "loop": (False, set()),
    }


@pytest.mark.parametrize("heavy", ["sympy", "numpy", "mpmath", "rich"])
def test_parsing_and_deriving_load_no_slow_library(heavy: str) -> None:
    program = (
        "import sys; from chainrule.syntax.parser import parse; "
        "from chainrule.derivation.build import build; build(parse('ln(sin(x^3)^2)')); "
        f"sys.exit({heavy!r} in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
