"""A verdict on an answer in words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

from chainrule.core.expr import Expr, Sym, const, symbol, topological
from chainrule.derivation.steps import Block as Derivative
from chainrule.derivation.steps import Chain, Gradient, Matrix, Partial
from chainrule.render.blocks import Block, Code, Math, Page, Paragraph, Prose, Shown
from chainrule.render.boxes import Label, higher_box, label
from chainrule.render.latex import latex
from chainrule.render.mistake_words import SENTENCES
from chainrule.render.terminal import plain
from chainrule.render.text import text

if TYPE_CHECKING:
    from chainrule.checking.answer import (
        ArrayCounterexample,
        Counterexample,
        Entry,
        Remark,
        Verdict,
    )
    from chainrule.checking.diagnoses import Diagnosis

_SLOT = re.compile(r"\{(\w+)\}|`([^`]*)`")
_PROBLEMS = {
    "": "too few points were found where the derivative and the answer are both defined",
    "time": "the time for it ran out",
    "shape": "the answer does not have as many entries as the result",
    "transposed": "the answer is the transpose of the result in this layout",
    "order of entries": "the entries are right, but in another order than the variables",
    "misfit": "the shapes in the answer do not fit each other",
    "array shape": "the answer does not have the shape of the result",
}


def page(verdict: Verdict) -> Page:
    """What there is to say, the verdict first."""
    return Page(tuple(_blocks(verdict)))


def _blocks(verdict: Verdict) -> Iterator[Block]:
    d = verdict.derivation
    wrong = [e for e in verdict.entries if e.equality.status == "different"]
    if verdict.status == "right":
        yield Paragraph(("Right: ", *_result(verdict), f". {_basis(verdict)}"), "good")
    elif verdict.status == "undecided":
        yield Paragraph((f"Undecided: {_PROBLEMS[verdict.problem]}.",), "warning")
    elif not wrong:
        yield Paragraph(("Wrong: ", _PROBLEMS[verdict.problem], "."), "bad")
        if verdict.told:
            yield Paragraph(("Likely mistake: ", *sentence(verdict.told[0], verdict), "."))
    for entry in wrong:
        yield Paragraph(("Wrong: ", *_statement(entry, verdict), " is not right."), "bad")
        if entry.counterexample is not None:
            yield Paragraph(_difference(entry.counterexample))
        if verdict.problem in ("order of entries", "transposed"):
            continue
        yield Paragraph(_likely(entry, verdict))
        for other in entry.diagnoses[1:]:
            yield Paragraph(("It could also be that ", *sentence(other, verdict), "."), "note")
    if wrong and verdict.problem:
        yield Paragraph((f"{_PROBLEMS[verdict.problem].capitalize()}.",))
    for said in verdict.remarks:
        yield Paragraph(("Remark: ", *remark(said, verdict), "."), "note")
    if verdict.status != "right":
        yield Paragraph(("The derivative is ", *_result(verdict), "."))
    for notice in d.program.notices:
        yield Paragraph((notice.message, "."), "note")


def _result(verdict: Verdict) -> Prose:
    result = verdict.derivation.result
    if result.blocks:
        shown: list[Any] = []
        for block in result.blocks:
            shown += [", " if shown else "", Math((_block_head(block), block.written))]
        return tuple(item for item in shown if item != "")
    return (_matrix(verdict),)


def _block_head(block: Derivative) -> Shown:
    """∇_w y of a gradient, ∂y/∂x of a Jacobian."""
    if block.kind == "gradient" and block.shape:
        return Gradient(block.output, block.variables[0])
    if len(block.variables) > 1:
        by = [(v, block.variables.count(v)) for v in dict.fromkeys(block.variables)]
        return Label(higher_box("d", block.output, by))
    return Partial(block.output, block.variables[0], total=True)


def _matrix(verdict: Verdict) -> Math:
    entries = verdict.derivation.result.entries
    if len(entries) == len(entries[0]) == 1:
        output, *_ = verdict.derivation.outputs
        by = verdict.derivation.variables[0]
        order = max((len(e.variables) for e in verdict.entries), default=1)
        return Math((_derivative(output, (by,) * order), entries[0][0]))
    return Math((Matrix(entries),))


def _derivative(output: str, by: tuple[str, ...]) -> Shown:
    """dy/dx; of higher order as a label."""
    if len(by) == 1:
        return Partial(output, by[0], total=True)
    return Label(higher_box("d", output, [(b, by.count(b)) for b in dict.fromkeys(by)]))


def _basis(verdict: Verdict) -> str:
    points = min((e.equality.points for e in verdict.entries), default=0)
    if all(e.equality.exact for e in verdict.entries):
        return "The difference simplifies to 0."
    return f"The values agree to 50 digits at {points} points."


def _statement(entry: Entry, verdict: Verdict) -> Prose:
    if any(n.op is not None and n.op.name == "unit" for n in topological([entry.given])):
        return ("the answer",)  # a list of numbers
    for block in verdict.derivation.result.blocks:
        if (block.output, block.variables) == (entry.output, entry.variables):
            return (Math((_block_head(block), entry.given)),)
    return (Math((_derivative(entry.output, entry.variables), entry.given)),)


def _difference(c: Counterexample | ArrayCounterexample) -> Prose:
    if hasattr(c, "sizes"):
        return _array_counterexample(cast("ArrayCounterexample", c))
    return _counterexample(c)


def _array_counterexample(c: ArrayCounterexample) -> Prose:
    place: list[Any] = []
    for name, size in c.sizes.items():
        place += [", ", Math((symbol(name), const(size)))]
    for name, value in c.point.items():
        place += [", ", Math((symbol(name), _array(value)))]
    given: Prose = ("the answer has no value",)
    if c.given is not None:
        given = ("the answer gives ", Math((_array(c.given),)))
    start = ("At ", *place[1:], " ") if place else ("Here ",)
    return (*start, "the derivative is ", Math((_array(c.right),)), ", ", *given, ".")


def _array(value: Any) -> Shown:
    """A number, a vector as a row of its numbers, a matrix."""
    if not isinstance(value, tuple):
        return _number(value)
    rows = value if value and isinstance(value[0], tuple) else (value,)
    return Matrix(tuple(tuple(map(_number, row)) for row in rows))


def _number(value: Any) -> Expr:
    if isinstance(value, int | Fraction):
        return const(value)
    near = Fraction(round(float(value) * 2520), 2520)
    if abs(value - value.__class__(near.numerator) / near.denominator) < 1e-15:
        return const(near)
    return const(float(f"{float(value):.6g}"))


def _counterexample(c: Counterexample) -> Prose:
    place: list[Any] = []
    for name, value in c.point.items():
        place += [", " if place else "At ", Math((symbol(name), value))]
    right: Prose = ("the derivative is ", _value(c.right, c.right_number))
    given: Prose = ("the answer has no value",)
    if c.given is not None and c.given_number is not None:
        given = ("the answer gives ", _value(c.given, c.given_number))
    start: Prose = (*place, " ") if place else ("Here ",)
    return (*start, *right, ", ", *given, ".")


def _value(value: Expr, number: float) -> Math | str:
    """The exact value with its decimal; the decimal alone where the value is long."""
    rounded = f"{number:.6g}"
    shown = text(value)
    if len(shown) > 32:
        return rounded
    if shown.lstrip("-").replace("/", "").isdigit() or shown == rounded:
        return Math((value,))
    return Math((value, label(f"{rounded}…", rf"{rounded}\ldots")))


def _likely(entry: Entry, verdict: Verdict) -> Prose:
    if not entry.diagnoses:
        return ("None of the typical mistakes that were tried gives this answer.",)
    first, *_ = entry.diagnoses
    said: Prose = ("Likely mistake: ", *sentence(first, verdict))
    if first.second is not None:
        said = ("Likely two mistakes: ", *said[1:], "; and ", *sentence(first.second, verdict))
    return (*said, ".", *_where(first, verdict))


def sentence(diagnosis: Diagnosis, verdict: Verdict) -> Prose:
    """The mistake in a sentence without its full stop."""
    words = SENTENCES[diagnosis.kind]
    if diagnosis.throughout:
        return (*_filled(words.throughout or words.once, diagnosis, verdict),)
    return _filled(words.once, diagnosis, verdict)


def _filled(template: str, d: Diagnosis, verdict: Verdict) -> Prose:
    out: list[Any] = []
    place = 0
    for slot in _SLOT.finditer(template):
        out.append(template[place : slot.start()])
        out += [Code(slot[2])] if slot[2] else _slot(slot[1], d, verdict)
        place = slot.end()
    out.append(template[place:])
    return tuple(item for item in out if item != "")


def _slot(name: str, d: Diagnosis, verdict: Verdict) -> list[Any]:
    match name:
        case "factor":
            assert d.at is not None and d.inner is not None and d.right is not None
            return [Math((_slope(d.at, d.inner), d.right))]
        case "on":
            if len(d.path) < 2:
                return []
            return [" on the path ", Math((Chain(d.path),))]
        case "path":
            return [Math((Chain(d.path),))]
        case "at":
            return [_operation(d.at, verdict)]
        case "inner":
            return [Math((d.inner,))] if d.inner is not None else []
        case "used" | "right":
            value = d.used if name == "used" else d.right
            return [Math((value,))] if value is not None else []
        case _:
            raise ValueError(name)


def _slope(of: Expr, by: Expr) -> Shown:
    if isinstance(of, Sym) and isinstance(by, Sym):
        return Partial(of.name, by.name, total=True)
    above, below = text(of), text(by)
    above = above if isinstance(of, Sym) else f"({above})"
    below = below if isinstance(by, Sym) else f"({below})"
    return label(f"d{above}/d{below}", rf"\frac{{d\left({latex(of)}\right)}}{{d {latex(by)}}}")


def _operation(at: Expr | None, verdict: Verdict) -> Math | str:
    """An operation, with what its name stands for."""
    if at is None:
        return ""
    if isinstance(at, Sym):
        for u in verdict.derivation.intermediates:
            if u.name == at.name:
                return Math((at, u.expression))
    return Math((at,))


def _where(d: Diagnosis, verdict: Verdict) -> Prose:
    """What the names in the sentence stand for."""
    told = [d] if d.second is None else [d, d.second]
    named = {name for one in told for name in one.path if len(one.path) > 2}
    shown = {e.name for one in told for e in (one.at, one.inner) if isinstance(e, Sym)}
    steps = verdict.derivation.intermediates
    named |= shown | {name for u in steps if u.name in shown for name in u.operands}
    rows = [u for u in steps if u.name in named]
    if not rows or (len(rows) == 1 and rows[0].name == verdict.derivation.outputs[0]):
        return ()
    out: list[Any] = [" Here "]
    for u in rows:
        out += [", " if len(out) > 1 else "", Math((symbol(u.name), u.expression))]
    return (*(item for item in out if item != ""), ".")


def remark(remark: Remark, verdict: Verdict) -> Prose:
    """What else there is to say, without a full stop."""
    match remark.kind:
        case "constant of integration":
            return (f"a derivative has no constant of integration; + {remark.text} was left out",)
        case "domain":
            assert remark.point is not None
            place: list[Any] = []
            for name, value in remark.point.items():
                place += [", " if place else "", Math((symbol(name), value))]
            return ("the answer has no value at ", *place[1:], " where the derivative exists; "
                    "it is equal wherever both are defined")  # fmt: skip
        case "transposed":
            return (
                "the answer is the transpose, rows and columns exchanged: the Jacobian in "
                "denominator layout, where that of numerator layout is asked for"
                if verdict.problem
                else "the answer is in denominator layout, the transpose of the result shown",
            )
        case "variable":
            return ("differentiated by ", Math((symbol(remark.text),)), "; name another with --wrt")
        case "other differential":
            return (f"the answer says d/d{remark.text}, and the variable is ",
                    Math((symbol(verdict.derivation.variables[0]),)))  # fmt: skip
        case "order":
            return (f"compared with the derivative of order {remark.text}, as the answer says",)
        case "shape":
            given, _, wanted = remark.text.partition("/")
            return (f"the answer is {given}, and the derivative is {wanted}",)
        case "misfit":
            return (remark.text,)
        case "inverse":
            return ("the power -1 of a square matrix was read as its inverse, ", Code("inv(X)"))
        case "row":
            return (f"the answer is a {remark.text}: a row or a column of the same entries",)
        case "chain":
            return (f"part {remark.text} of the equation is not equal to the last",)
    raise ValueError(remark.kind)


def message(verdict: Verdict, diagnosis: Diagnosis) -> str:
    """The sentence as plain text on one line."""
    return on_one_line(sentence(diagnosis, verdict))


def summary(verdict: Verdict) -> str:
    """The verdict on one line."""
    shown = [_joined(block) for block in page(verdict).blocks]
    return " ".join(shown[: 3 if verdict.status == "wrong" else 1])


def on_one_line(prose: Prose) -> str:
    """Sentences as plain text on one line."""
    return _joined(Paragraph(prose))


def _joined(block: Block) -> str:
    return " ".join(plain(Page((block,)), width=100_000).split())
