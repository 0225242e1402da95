"""Pages in every format: what stands on them, their width, what is escaped."""

from __future__ import annotations

import io
import json
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

import chainrule.api as cr
from chainrule.core.arithmetic import ADD, MUL
from chainrule.core.expr import Expr, apply, symbol
from chainrule.core.ops import lookup
from chainrule.derivation.steps import Method, Verification
from chainrule.render import latex_page, markdown, terminal
from chainrule.render.blocks import Page
from chainrule.render.page import page, verification_block
from chainrule.syntax.parser import parse

CORPUS = [
    "ln(sin(x^3)^2)",
    "x*exp(x^2)",
    "x^x",
    "1/2x + 99",
    "[3x^2(2y+7), 4x+y^2]",
    "g1 = x^2; g2 = 3x; [ln(g1), sin(g2)]",
    "sqrt(1 + sqrt(1 + sqrt(1 + x^2)))*abs(x - 1)",
    "{sin(x)*exp(x) if x > 0, cos(x)/(x^2 + 1) if x > -1, x^3}",
    "max(x^2, y^2, x*y)",
    "sigmoid(w1*x1 + w2*x2 + w3*x3 + b)*tanh(v1*x1 + v2*x2)",
    "exp(-((x - a)^2/(2*s^2) + (y - b)^2/(2*r^2)))/(2*pi*s*r)",
    "(x+1)^3*sin(x)*exp(x^2)*ln(x^2+1)/(sqrt(x^2+x+1)*cosh(x))",
    "123456789012345678901234567890*x^2 + 0.000000000001*x",
    "f(g1(x), g2(x))",
]
AGREED = Verification(
    "verified",
    (Method("sympy", "verified"), Method("numeric", "verified", "", 5, 1.2e-15)),
)


def whole(source: str | Expr, **options: object) -> Page:
    return page(cr.derive(source, verify="off", **options).data, AGREED)  # type: ignore[arg-type]


def sections(shown: str) -> list[str]:
    return [line for line in shown.splitlines() if re.match(r"\d+\. |Read as|Result", line)]


# The terminal.


@pytest.mark.parametrize("source", CORPUS)
@pytest.mark.parametrize("width", [40, 80])
def test_lines_fit_and_nothing_is_cut(source: str, width: int) -> None:
    """What is wrapped is what is written on one line, but for blanks."""
    made = whole(source)
    narrow, wide = terminal.plain(made, width), terminal.plain(made, 100_000)
    assert max(map(len, narrow.splitlines())) <= width
    for result in re.findall(r"Result\n(.*?)\n\n", wide, re.DOTALL):
        if "[ " not in result:
            assert _bare(result) in _bare(narrow)


def _bare(words: str) -> str:
    return re.sub(r"\s", "", words)


def test_sections_in_the_order_in_which_a_derivation_is_told() -> None:
    assert sections(terminal.plain(whole("x*exp(x^2)"))) == [
        "Read as",
        "1. Intermediate variables",
        "2. Local derivatives",
        "3. Chain rule: 2 paths from y to x",
        "4. Substitute back",
        "5. Simplify",
        "Result",
    ]


def test_a_local_derivative_is_told_apart_from_the_total_one() -> None:
    shown = terminal.plain(whole("x*exp(x^2)"))
    assert "∂y/∂x   = u2" in shown
    assert "dy/dx = exp(x^2)*(2*x^2 + 1)" in shown
    assert "∂ is the derivative along one edge" in shown
    assert "∂" not in terminal.plain(whole("ln(sin(x^3)^2)"))


def test_several_variables_are_partial() -> None:
    shown = terminal.plain(whole("x1^2*x2"))
    assert "∂y/∂x1 = 2*x1*x2" in shown and "dy/dx1" not in shown
    assert "∇y = [2*x1*x2, x1^2]" in shown


def test_numbers_stand_beside_the_formulas() -> None:
    shown = terminal.plain(whole("ln(sin(x^3)^2)", at="x=2"))
    assert re.search(r"du1/dx  = 3\*x\^2 +power rule +12$", shown, re.MULTILINE)
    assert "≈ -3.52956 at x = 2" in shown


def test_the_reading_names_the_other_one() -> None:
    shown = terminal.plain(whole("1/2x"))
    assert "y = (1/2)*x" in shown and "1/(2" in shown


def test_a_result_too_wide_for_a_matrix_is_listed() -> None:
    shown = terminal.plain(whole("exp(x^2 + y^2)*sin(x*y)*cos(x - y)"))
    assert "The entries of ∇z:" in shown
    assert "  ∂z/∂x = " in shown


def test_a_matrix_is_drawn_as_one() -> None:
    shown = terminal.plain(whole("[3x^2(2y+7), 4x+y^2]"))
    assert "J = [ 6*x*(2*y + 7)   6*x^2 ]\n      [ 4               2*y   ]" in shown


def test_plain_when_piped_and_coloured_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    made = whole("x*exp(x^2)")
    pipe, screen = io.StringIO(), Terminal()
    terminal.write(made, pipe)
    terminal.write(made, screen)
    assert "\x1b" not in pipe.getvalue()
    assert "\x1b[1" in screen.getvalue()
    without = re.sub(r"\x1b\[[\d;]*m", "", screen.getvalue())
    assert [line.rstrip() for line in without.splitlines()] == pipe.getvalue().splitlines()
    monkeypatch.setenv("NO_COLOR", "1")
    plain = Terminal()
    terminal.write(made, plain)
    assert plain.getvalue() == pipe.getvalue()


def test_what_the_encoding_lacks_is_written_otherwise() -> None:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="ascii")
    terminal.write(whole("x1^2*x2", at="x1=1/3,x2=2"), file)
    file.flush()
    shown = raw.getvalue().decode("ascii")
    assert "dy/dx1 = 2*x1*x2" in shown and "grad y" in shown and "?" not in shown


# Verification.

VERDICTS = [
    (AGREED, "verified: SymPy agrees; numerical differentiation agrees at 5 points "
             "(largest relative error 1e-15)"),
    (Verification("failed", (Method("numeric", "failed", "at x = 2: `3` against `4`"),)),
     "failed: numerical differentiation disagrees: at x = 2: `3` against `4`"),
    (Verification("unverified", (Method("sympy", "unverified", "out of time"),)),
     "unverified: SymPy does not decide: out of time"),
    (Verification("unverified"), "unverified: no oracle was asked"),
]  # fmt: skip


@pytest.mark.parametrize(("verification", "sentence"), VERDICTS)
def test_verdicts(verification: Verification, sentence: str) -> None:
    assert terminal.plain(verification_block(verification), 200) == sentence + "\n"


# JSON.


@pytest.mark.parametrize("source", CORPUS)
def test_json_says_what_the_contract_of_the_schema_asks(source: str) -> None:
    d = cr.derive(source, verify="numeric")
    shown = json.loads(d.json())
    assert shown["schema"] == "chainrule/derivation/1"
    assert shown["input"] == source
    entries = shown["result"]["entries"]
    assert shown["result"]["shape"] == [len(entries), len(entries[0])]
    assert {step["kind"] for step in shown["steps"]} >= {"introduce", "local", "verify"}
    for step in shown["steps"]:
        assert step["title"] and step["lines"]
        assert all({"text", "latex", "rule"} <= line.keys() for line in step["lines"])
    assert [edge["rule"] for edge in shown["local_derivatives"]] == [e.rule for e in d.edges]
    for path, p in zip(shown["paths"], d.paths, strict=True):
        assert path["nodes"] == list(p.nodes) and len(path["factors"]) == len(p.factors)
    if "f(" not in source:  # derivatives of functions that are only named are not in the language
        for row, known in zip(entries, d.result.entries, strict=True):
            for entry, e in zip(row, known, strict=True):
                assert parse(entry).written_out().popitem()[1] is e


def test_json_keeps_long_path_counts_exact() -> None:
    e: Expr = symbol("x")
    for _ in range(64):
        e = apply(ADD, apply(lookup("sin"), e), apply(lookup("cos"), e))
    shown = json.loads(cr.derive(e, verify="off").json())
    assert shown["path_count"] == {"y": {"x": 2**64}}


# Documents.


def compiled(documents: Sequence[Page], folder: Path) -> str:
    """What pdflatex says of the pages, in one document."""
    body = r"\newpage ".join(map(latex_page.fragment, documents))
    start, end = latex_page.document(Page(())).split(r"\end{document}")
    (folder / "page.tex").write_text(start + body + r"\end{document}" + end, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
    run = subprocess.run(command, cwd=folder, capture_output=True, timeout=120, check=False)
    said = run.stdout.decode("utf-8", "replace")
    assert run.returncode == 0, said[-2000:]
    return said


def overfull(said: str) -> float:
    return max(map(float, re.findall(r"Overfull \\hbox \(([\d.]+)pt", said)), default=0.0)


@pytest.mark.pdflatex
def test_documents_compile_and_long_formulas_are_broken(tmp_path: Path) -> None:
    pages = [whole(source, order=order) for source in CORPUS[:4] for order in (1, 2)]
    pages += [whole(source) for source in CORPUS[4:]]
    pages += [whole(CORPUS[11], order=2), whole("ln(sin(x^3)^2)", at="x=2")]
    assert overfull(compiled(pages, tmp_path)) < 20.0


def deep(count: int) -> Expr:
    e: Expr = symbol("x")
    for _ in range(count):
        e = apply(lookup("sin"), e)
    return e


def diamonds(count: int) -> Expr:
    e: Expr = symbol("x")
    for _ in range(count):
        e = apply(MUL, apply(ADD, e, symbol("y")), apply(lookup("sin"), e))
    return e


@pytest.mark.pdflatex
def test_deep_and_shared_expressions_compile(tmp_path: Path) -> None:
    assert overfull(compiled([whole(deep(120)), whole(diamonds(40))], tmp_path)) < 20.0


@pytest.mark.parametrize("e", [deep(120), diamonds(40)], ids=["deep", "shared"])
def test_deep_and_shared_expressions_are_shown_in_parts(e: Expr) -> None:
    d = cr.derive(e, verify="off")
    shown = str(d)
    assert "with the shared parts" in shown
    defined = re.findall(r"^  (t\d+) += ", shown, re.MULTILINE)
    assert len(defined) == len(set(defined))
    assert set(re.findall(r"\bt\d+\b", shown)) == set(defined)
    assert len(shown) < 60_000 and len(d.markdown()) < 120_000 and len(d.json()) < 400_000


HOSTILE = [
    "a\\b{}$%#_^~&<>|\"'`",
    "x\x1b[31mred",
    "$\\input{/etc/passwd}$",
    "df/d}x",
    "x_{",
    "*bold*|cell",
    "<script>alert(1)</script>",
    "y\n\n\\end{document}",
    "[a](javascript:b)",
    "```",
    "中文é",
    "\udc80",
]


def hostile() -> cr.Derivation:
    e: Expr = apply(MUL, symbol(HOSTILE[0]), symbol(HOSTILE[1]))
    for name in HOSTILE:
        e = apply(ADD, e, apply(MUL, symbol(name), symbol(name)))
    return cr.derive(e, wrt=[symbol(name) for name in HOSTILE], verify="off")


def test_hostile_names_do_nothing() -> None:
    d = hostile()
    shown = str(d)
    assert "\x1b" not in shown and "\udc80" not in shown
    markdown = d.markdown()
    assert "<script" not in markdown and "\x1b" not in markdown
    assert not re.search(r"^[^$]*\[a\]\(", markdown, re.MULTILINE)
    assert json.loads(d.json())["variables"] == HOSTILE
    document = d.latex()
    assert document.count(r"\end{document}") == 1 and r"\input" not in document
    assert document.isascii()


@pytest.mark.pdflatex
def test_hostile_names_compile(tmp_path: Path) -> None:
    compiled([page(hostile().data)], tmp_path)


def test_hostile_words_do_nothing() -> None:
    source = "1/2x # \\end{document} <script> | `$x$` \x1b[31m %"
    d = cr.derive(source, latex_input=False, verify="off")
    failed = Verification("failed", (Method("numeric", "failed", source),))
    shown = page(d.data, failed)
    assert r"\end{document}" not in latex_page.fragment(shown)
    assert "\x1b" not in terminal.plain(shown)
    assert "<script>" not in markdown.markdown(shown).replace("`", "")
