"""Text that cannot be read: one line says why, a frame where, a hint what to write instead."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chainrule.core import errors
from chainrule.core.errors import AmbiguityError, ArityError, ChainruleError, ParseError
from chainrule.syntax import mistakes
from chainrule.syntax.names import FUNCTIONS, canonical_name
from chainrule.syntax.parser import parse, parse_expressions

CASES = Path(__file__).with_name("cases") / "bad_input.txt"


def _cases() -> list[tuple[str, bool, str, int, str, str]]:
    """The blocks of the file: text, whether it is LaTeX, kind of error, column, message, hint."""
    found = []
    latex = False
    for block in CASES.read_text(encoding="utf-8").strip().split("\n\n")[1:]:
        if block == "LATEX":
            latex = True
            continue
        text, told, hint = block.split("\n")
        match = re.fullmatch(r"  (\w+) at (\d+): (.*)", told)
        assert match, block
        decoded = [
            re.sub(r"\\u([0-9a-f]{4})", lambda m: chr(int(m[1], 16)), part)
            for part in (text, match[3])
        ]
        found.append((decoded[0], latex, match[1], int(match[2]), decoded[1], hint[4:]))
    return found


@pytest.mark.parametrize(("text", "latex", "kind", "column", "message", "hint"), _cases())
def test_mistakes(text: str, latex: bool, kind: str, column: int, message: str, hint: str) -> None:
    with pytest.raises(ChainruleError) as caught:
        parse(text, latex=latex)
    error = caught.value
    assert type(error) is getattr(errors, kind)
    assert (error.column, error.message, error.hint) == (column, message, hint)
    assert error.source == text


def test_there_are_many_of_them() -> None:
    assert len(_cases()) > 250


WHOLE = [
    (
        "x + (2",
        """\
`(` is never closed
  |
1 | x + (2
  |     ^
  = add `)`""",
    ),
    (
        "u = x^2\nv = 3u +\nln(v)",
        """\
`v` is used before it is defined
  |
3 | ln(v)
  |    ^
  = move the line `v = …` up""",
    ),
    (
        "x^2 + 3y -",
        """\
the text ends after `-`
  |
1 | x^2 + 3y -
  |          ^
  = complete it, or leave `-` out""",
    ),
    (
        "a = 1\n\tb = sinx",
        """\
`sinx` is not a known name
  |
2 |     b = sinx
  |         ^^^^
  = write sin(x)""",
    ),
    (
        "2*х^2",
        """\
`х` (U+0445 CYRILLIC SMALL LETTER HA) is not part of the language
  |
1 | 2*х^2
  |   ^
  = write `x` from the Latin keyboard""",
    ),
    (
        "x\u202e+1",
        """\
a hidden character (U+202E RIGHT-TO-LEFT OVERRIDE) is not part of the language
  |
1 | x�+1
  |  ^
  = it cannot be seen: delete it""",
    ),
    (
        "x\x00",
        """\
a hidden character (U+0000 control character) is not part of the language
  |
1 | x�
  |  ^
  = it cannot be seen: delete it""",
    ),
    (
        "日本 + 1",
        """\
`日` (U+65E5 CJK UNIFIED IDEOGRAPH-65E5) is not part of the language
  |
1 | 日本 + 1
  | ^^
  = names are Latin or Greek letters""",
    ),
    (
        "W: matrix(m, n); W @ x",
        """\
`@` is for vectors and matrices: `W` is matrix(m, n), `x` is a scalar
  |
1 | W: matrix(m, n); W @ x
  |                  ^   ^
  = declare it above: x: vector(n)""",
    ),
    (
        "sqr(x) + 1",
        """\
`sqr` is not a function
  |
1 | sqr(x) + 1
  | ^^^
  = did you mean `sqrt`?""",
    ),
    (
        r"\frac{1}{x",
        r"""`{` is never closed
  |
1 | \frac{1}{x
  |         ^
  = add `}`""",
    ),
    (
        "7" * 10_000,
        f"""\
a number of 10000 digits; at most 1000 are read
  |
1 | {"7" * 72}…
  | {"^" * 72}
  = write a name for it""",
    ),
    (
        "+".join(["x"] * 60) + " + ln(sin)" + "+x" * 60,
        """\
`sin` needs an argument
  |
1 | …+x+x+x+x+x+x+x+x+x+x+x+x+x+x+x + ln(sin)+x+x+x+x+x+x+x+x+x+x+x+x+x+x+x+x…
  |                                      ^^^
  = write sin(x)""",
    ),
    (
        "x = 1\n" * 10_000_000,
        """\
a text of 60,000,000 characters; at most 50,000,000 are read
= split it into smaller programs""",
    ),
]


@pytest.mark.parametrize(("text", "whole"), WHOLE)
def test_whole_messages(text: str, whole: str) -> None:
    with pytest.raises(ChainruleError) as caught:
        parse(text)
    assert str(caught.value) == whole


@pytest.mark.parametrize("row", mistakes.MISTAKES)
def test_each_row_of_the_table_has_an_example_that_makes_it(row: mistakes.Mistake) -> None:
    with pytest.raises(ParseError) as caught:
        parse(row.example)
    pattern = re.escape(row.message).replace(r"\{before\}", ".+").replace(r"\{this\}", ".+")
    assert re.fullmatch(pattern, caught.value.message)


@pytest.mark.parametrize("spelling", sorted(FUNCTIONS))
def test_every_function_alone_needs_an_argument(spelling: str) -> None:
    alone = f"1 + {spelling}()" if spelling in ("gamma", "Gamma") else f"1 + {spelling} * 2"
    with pytest.raises(ArityError) as caught:
        parse(alone)
    assert caught.value.message == f"`{spelling}` needs an argument"
    assert caught.value.column == 5


# ---- size and depth: an answer or an error in bounded time, and never a deep stack

DEEP, LONG = 100_000, 10_000


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("(" * DEEP + "x" + ")" * DEEP, True),
        ("-" * DEEP + "x", True),
        ("^".join(["x"] * DEEP), True),
        ("sin(" * DEEP + "x" + ")" * DEEP, True),
        ("sin " * LONG + "x", True),
        ("√" * LONG + "x", True),
        ("f(" * LONG + "x" + ")" * LONG, True),
        ("|" * LONG + "x" + "|" * LONG, True),
        ("1/2(" * LONG + "x" + ")" * LONG, True),
        ("{" * LONG + "x" + "}" * LONG, True),
        (r"\frac{1}{" * LONG + "x" + "}" * LONG, True),
        ("+".join(f"2a{i}" for i in range(LONG)), True),
        ("max(" + "x," * LONG + "x)", True),
        ("x " * LONG, True),
        ("x: (n)\n" + "@".join(["x"] * LONG), False),
        ("A: (n, n)\n" + "@".join(["A"] * LONG), True),
        ("A: (n, n)\n" + "(" * LONG + "A" + ")'" * LONG, True),
        ("A: (n, n)\nA" + "[0]" * LONG, False),
        ("A: (n, n)\n" + "A[" * LONG + "0" + "]" * LONG, False),
        ("A: (n, n)\n" + "(A)[" * LONG + "0" + "]" * LONG, False),
        ("A: (n, n)\n" + "‖A‖" * LONG, True),
        ("A: (n, n)\n" + "concat(" * LONG + "A" + ", A)" * LONG, True),
        ("x: (n)\n" * LONG, False),
        ("x: (" + "n, " * LONG + "n); x", False),
        ("(" * LONG, False),
        (")" * LONG, False),
        ("|" * LONG + "x", False),
        ("[" * LONG, False),
        ("," * LONG, False),
        ("x\n" * LONG, False),
        ("d/dx " * LONG, False),
        ("a" * LONG, False),
        ("sin" * LONG, False),
        ("x" + "_a" * LONG, False),
        ("f" + "'" * LONG + "(x)", False),
        ("x" + "²" * LONG, False),
        (r"\text{" * LONG, False),
        (" " * 10_000_000, False),
        ("x+" * 5_000_000 + "x", False),
    ],
    ids=lambda value: value[:12] if isinstance(value, str) else str(value),
)
def test_large_texts(text: str, reads: bool) -> None:
    if reads and len(text) <= 1_000_000:
        assert parse(text).outputs
        return
    with pytest.raises(ChainruleError) as caught:
        parse(text)
    assert "\n" not in caught.value.message
    assert len(str(caught.value)) < 2000


# ---- any text at all

_WORDS = """
x y f g1 θ e pi sin ln max log_2 gamma xy if else otherwise d dx dy ∂ d/dx 1 2 0.5 1e3 + - * / ^
** ( ) [ ] { } | ⌊ ⌋ √ ∛ , ; : = == < >= -> ' ² ⁻¹ ! @ . _ # ° f(x) x: scalar
.* ⊙ .^ ./ .T ⊤ ‖ ‖_2 [0] [:, 1] [1:n] sum( axis=0 A w n A: matrix(n, n) w: vector(n)
"""
_COMMANDS = r"""
\frac \sqrt \sqrt[3] { } {x} ^ _ _{12} \left( \right) \left| \right| \sin \ln \log_ \theta \pi x
y 2 12 + - \cdot / = < \le & \\ \begin{cases} \end{cases} \text{if} \text{otherwise} \partial d
\mathrm{loss} \operatorname{sigmoid} \frac{d}{dx} \prime ' | [ ] , \, $
\foo \Gamma \begin{align} \max \mathbf{A} w ^\top \odot \| \lVert \rVert \det \boldsymbol
"""
WORDS = st.sampled_from([*_WORDS.split(), "\n", "\t"])
COMMANDS = st.sampled_from(_COMMANDS.split())


ARRAYS = "A: matrix(n, n), w: vector(n)\n"


def check(text: str, latex: bool | None = None) -> None:
    """Read in every way: a result, or an error that is about this text."""
    for strict in (False, True):
        try:
            program = parse(text, latex=latex, strict=strict)
        except ChainruleError as error:
            assert error.message
            assert "\n" not in error.message
            assert error.hint
            assert error.span is not None or len(text) > 1_000_000
            assert 0 <= error.span.start <= error.span.end <= len(text)  # type: ignore[union-attr]
            assert str(error).startswith(error.message)
        else:
            assert program.outputs
            assert program.outputs == tuple(
                n for n, _ in program.assignments[-len(program.outputs) :]
            )
            assert not (strict and program.notices)
            for notice in program.notices:
                assert 0 <= notice.span.start < notice.span.end <= len(text)
                error = AmbiguityError(notice.message, notice.span, text, notice.hint)
                assert "\n" not in notice.message and notice.hint and str(error)
    for read in (parse_expressions, canonical_name):
        try:
            read(text)
        except ChainruleError as error:
            assert error.message and "\n" not in error.message


@given(st.text(max_size=40))
@example("")
@example("\\")
@example("$$")
def test_any_text(text: str) -> None:
    check(text)
    check(text, latex=True)


@given(st.lists(WORDS, max_size=14).map(" ".join))
def test_any_words(text: str) -> None:
    check(text)


@given(st.lists(WORDS, max_size=14).map(" ".join))
def test_any_words_about_arrays(text: str) -> None:
    check(ARRAYS + text)


@given(st.lists(WORDS, max_size=14).map("".join))
def test_any_words_without_spaces(text: str) -> None:
    check(text)


@given(st.lists(COMMANDS, max_size=14).map(" ".join))
def test_any_latex(text: str) -> None:
    check(text, latex=True)
    check(ARRAYS + text, latex=True)
