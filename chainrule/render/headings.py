"""Headings of a page: what a derivation, its steps and its parts are called."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.core.expr import symbol
from chainrule.derivation.steps import Chain, Derivation, Partial, Step, Times
from chainrule.render.blocks import Math, Prose
from chainrule.render.notation import Notation
from chainrule.render.sentences import listing

_ORDINALS = ("", "first", "second", "third", "fourth", "fifth", "sixth")


def step_title(step: Step, notation: Notation) -> Prose:
    """What a step is called."""
    names = step.subject
    match step.topic:
        case "reading":
            return ("Read as",)
        case "intermediates":
            return ("Intermediate variables",)
        case "locals":
            return ("Local derivatives",)
        case "logarithmic":
            return ("Logarithmic differentiation of ", notation.quantity(names[0]))
        case "quotient":
            return ("Quotient rule for ", notation.quantity(names[0]))
        case "path":
            of, by = names
            count = sum(isinstance(line.parts[0], Chain) for line in step.lines)
            if count == 0 and not only_path(step) and not notation.has_edge(of, by):
                return (notation.quantity(of), " does not depend on ", notation.quantity(by))
            paths = f"{count} paths" if count > 1 else "one path"
            return (
                f"Chain rule: {paths} from ",
                notation.quantity(of),
                " to ",
                notation.quantity(by),
            )
        case "first paths":
            count = len(step.lines)
            return ("The first path" if count == 1 else f"The first {count:,} paths",)
        case "total":
            return ("Total derivatives by ", notation.quantity(names[0]))
        case "backprop":
            return ("Backpropagation from ", notation.quantity(names[0]))
        case "layers":
            return ("Layer by layer: a product of Jacobians",)
        case "cotangents":
            return ("Backpropagation from ", notation.quantity(names[0]))
        case "differentials":
            return ("Differentials: the change of every quantity",)
        case "gradient":
            return ("Transposed: the gradient in the shape of ", notation.quantity(names[-1]))
        case "indices":
            return ("Entry by entry",)
        case "actions":
            of, by = names
            start = ("As a linear map: the change of ", notation.quantity(of))
            scalar = Math((symbol(notation.scalar),))
            return (*start, ", and the gradient of any number ", scalar, " computed from it")
        case "curvature":
            return ("The Hessian times a direction",)
        case "direction":
            return ("Directional derivative: the Jacobian times the direction",)
        case "weights":
            return ("Weighted sum of the outputs: the weights times the Jacobian",)
        case "substitute":
            return ("Substitute back",)
        case "simplify":
            return ("Simplify",)
        case "result":
            return ("Result",)
    return (step.topic.capitalize(),)


def entry_title(subject: Sequence[str], notation: Notation) -> Prose:
    """What is said of one derivative among several."""
    return ("Derivative of ", notation.quantity(subject[0]), " by ", notation.quantity(subject[1]))


def page_title(d: Derivation, notation: Notation) -> Prose:
    """What the whole derivation is called."""
    topics = {step.topic for step in d.steps}
    head = d.result.kind.capitalize()
    kinds = {b.kind for b in d.result.blocks}
    if "curvature" in kinds:
        head = "Hessian times a direction,"
    elif "direction" in topics or "direction" in kinds:
        head = "Directional derivative"
    elif "weights" in topics or any(b.weights is not None for b in d.result.blocks):
        head = "Gradient of a weighted sum"
    elif d.result.kind == "derivative" and (order := max(s.stage for s in d.steps)) > 1:
        head = f"{ordinal(order)} derivative".capitalize()
    of, by = listing(d.outputs, notation.quantity), listing(d.variables, notation.quantity)
    return (f"{head} of ", *of, " with respect to ", *by)


def ordinal(order: int) -> str:
    """`second`, `7th`."""
    return _ORDINALS[order] if order < len(_ORDINALS) else f"{order}th"


def only_path(step: Step) -> Chain | None:
    """The path whose edges the line multiplies."""
    edges = step.lines[0].parts[1]
    if not isinstance(edges, Times):
        return None
    partials = [e for e in edges.factors if isinstance(e, Partial)]
    if partials and partials[0].of != step.subject[0]:  # in denominator layout
        partials.reverse()
    return Chain((partials[0].of, *(e.by for e in partials))) if partials else None
