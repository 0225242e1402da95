"""Sentences of a page: names, conditions, notices, where it holds, what the oracles say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from chainrule.core.arithmetic import ADD
from chainrule.core.expr import ZERO, Apply, Expr, const, symbol
from chainrule.core.ops import Kink
from chainrule.core.program import Notice
from chainrule.derivation.steps import Derivation, Joint, Method, Status, Verification
from chainrule.render.blocks import Block, Code, Math, Page, Paragraph, Prose, Tone


def plural(word: str, names: Sequence[str]) -> str:
    """The word, for one name or for several."""
    return word if len(names) == 1 else word + "s"


def ambiguity(notice: Notice) -> Paragraph:
    """How a place was read, and what to write for the other reading."""
    hint: Prose = ("; ", *_marked(notice.hint)) if notice.hint else ()
    return Paragraph((*_marked(notice.message), *hint, "."), "warning")


def _marked(words: str) -> Prose:
    """What stands between backticks, as the user's words."""
    pieces = words.split("`")
    if len(pieces) % 2 == 0:
        return (words,)
    return tuple(Code(piece) if i % 2 else piece for i, piece in enumerate(pieces) if piece)


def validity(d: Derivation, shown: Callable[[str], Math]) -> Iterator[Block]:
    """Where the derivation holds, and what is used where it does not."""
    if d.domain:
        prose: Prose = ("Valid for ",)
        for i, relation in enumerate(d.domain):
            prose += (*((" and ",) if i else ()), *condition(relation))
        yield Paragraph((*prose, "."))
    elif d.variables and not d.kinks:
        all_real = f"Valid for {'every' if len(d.variables) == 1 else 'all'} real "
        yield Paragraph((all_real, *listing(d.variables, shown), "."))
    for kink in d.kinks:
        yield Paragraph(_kink(kink), "note")
    for joint in d.joints:
        yield Paragraph(_joint(joint), "note")
    for remark in d.remarks:
        yield Paragraph((remark[:1].upper() + remark[1:].rstrip(".") + ".",), "note")


def _kink(kink: Kink) -> Prose:
    where = condition(kink.where)
    return ("Kink where ", *where, f"; the convention used there: {kink.convention}.")


def _joint(joint: Joint) -> Prose:
    place = Math((symbol(joint.variable), const(joint.at)))
    (left, here, right), (below, above) = joint.values, joint.slopes
    if left != right:
        found = f" the value jumps from {left:.6g} to {right:.6g}: no derivative there."
    elif not joint.continuous:
        found = f" the value is {here:.6g}, but {left:.6g} around it: no derivative there."
    elif not joint.smooth:
        slopes = f"{below:.6g} to the left and {above:.6g} to the right"
        found = f" the slope is {slopes}: no derivative there."
    else:
        found = f" values and slopes meet: the derivative there is {above:.6g}."
    return ("At ", place, found)


def condition(relation: Expr) -> Prose:
    """A relation in a sentence."""
    prose: Prose = ()
    for i, one in enumerate(_alternatives(relation)):
        equation = isinstance(one, Apply) and one.op.name == "=="
        prose += (*((" or ",) if i else ()), Math(one.args if equation else (one,)))
    return prose


def _alternatives(relation: Expr) -> tuple[Expr, ...]:
    """The relations one of which holds: their sum is then positive."""
    if isinstance(relation, Apply) and relation.op.name == ">" and relation.args[1] is ZERO:
        total = relation.args[0]
        if isinstance(total, Apply) and total.op is ADD and all(map(_is_relation, total.args)):
            return total.args
    return (relation,)


def _is_relation(e: Expr) -> bool:
    return isinstance(e, Apply) and e.op.notation == "relation"


def quantity(name: str) -> Math:
    """A name in a sentence."""
    return Math((symbol(name),))


def listing(names: Sequence[str], shown: Callable[[str], Math] = quantity) -> Prose:
    """Names in a sentence: x, y and z."""
    prose: Prose = ()
    for i, name in enumerate(names):
        if i:
            prose += (" and " if i == len(names) - 1 else ", ",)
        prose += (shown(name),)
    return prose


# ------------------------------------------------------------------------- verification

_ORACLES = {
    "sympy": "SymPy",
    "numeric": "numerical differentiation",
    "directional": "differentiation along random directions",
}


def verification_block(verification: Verification) -> Page:
    """What the oracles say, in a sentence or two."""
    prose: Prose = (f"{verification.status}: ",)
    for i, method in enumerate(verification.methods):
        prose += (*(("; ",) if i else ()), *_said(method))
    if not verification.methods:
        prose += ("no oracle was asked",)
    blocks = [Paragraph(prose, _STATUS_TONES[verification.status])]
    undecided = sum(status != "verified" for status in verification.edges)
    if undecided and verification.status == "verified":
        of = f"{undecided} of {len(verification.edges)} local derivatives"
        blocks.append(Paragraph((f"{of} could not be decided alone.",), "note"))
    return Page(tuple(blocks))


_STATUS_TONES: dict[Status, Tone] = {"verified": "good", "failed": "bad", "unverified": "note"}


def _said(method: Method) -> Prose:
    oracle = _ORACLES.get(method.name, method.name)
    if method.status == "verified":
        said = f"{oracle} agrees"
        if method.points is not None:
            said += f" at {method.points} point{'s' * (method.points != 1)}"
        if method.largest_relative_error is not None:
            said += f" (largest relative error {method.largest_relative_error:.1g})"
        return (said,)
    verb = "disagrees" if method.status == "failed" else "does not decide"
    return (f"{oracle} {verb}", *((": ", *_marked(method.detail)) if method.detail else ()))
