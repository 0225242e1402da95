"""A network on a page: its layers with their parameter counts, and its program."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chainrule.core.shape import Shape, shape_text
from chainrule.derivation.steps import Derivation, Gradient, Line, Partial
from chainrule.network.architecture import LOSSES, Architecture
from chainrule.network.initial import scale
from chainrule.render.blocks import (
    Block,
    Equations,
    Heading,
    Listing,
    Page,
    Paragraph,
    Prose,
    Table,
)
from chainrule.render.notation import Notation
from chainrule.render.page import step_rows
from chainrule.render.text import text

_SHOWN = 8  # scales that are listed


def page(network: Architecture, more: tuple[Block, ...] = ()) -> Page:
    """Layers, loss and program, and what else there is to say about it."""
    return Page((*_network(network), *more))


def _network(network: Architecture) -> Iterator[Block]:
    yield Heading(0, (f"Network {'-'.join(map(str, network.sizes))}",))
    yield _table(network)
    yield Paragraph(_loss(network))
    scales = [scale("he", u.inputs, u.outputs, u.activation.slope) for u in network.layers]
    shown = ", ".join(f"{value:.4g}" for value in scales[:_SHOWN]) + ", …" * (len(scales) > _SHOWN)
    yield Paragraph((f"Initial weights after He: normal, standard deviation {shown}.",))
    yield Heading(1, ("Program",))
    yield Listing(network.source)


def _table(network: Architecture) -> Table:
    rows: list[tuple[Prose, ...]] = [
        (
            (str(u.number),), (f"{u.weights}: {u.inputs} × {u.outputs}",),
            (f"{u.inputs * u.outputs:,}",), (f"{u.biases}: {u.outputs}",), (str(u.activation),),
            (f"{u.parameter_count:,}",),
        )
        for u in network.layers
    ]  # fmt: skip
    total = f"{network.parameter_count:,}"
    rows.append((("total",), (), (), (), (), (total,)))
    header = ("layer", "weights", "count", "biases", "activation", "parameters")
    return Table(header, tuple(rows), frozenset((2, 5)), total=True)


def _loss(network: Architecture) -> Prose:
    row = LOSSES[network.loss]
    last = f"{'Z' if row.logits else ''}{network.layers[-1].value[row.logits :]}"
    says = row.says.replace("(Z)", f"({last})").replace("A", last)
    prose: Prose = (f"Loss {network.loss.replace('_', ' ')}: {says}.",)
    if network.l2:
        prose += (
            f" The penalty {network.l2:g}/2 * (sum of the squared weights) adds "
            f"{network.l2:g}*W to the gradient by each W; biases have none.",
        )
    return prose


def backpropagation(derivation: Derivation) -> Iterator[Block]:
    """The equations of backpropagation in matrix form, as the derivation has them.

    Those of quantities that the program names, each with the shape of the gradient.
    """
    notation = Notation(derivation)
    shapes = _shapes(derivation)
    rows = []
    for step in derivation.steps:
        if step.topic == _BACKWARD:
            for line, row in zip(step.lines, step_rows(step, notation), strict=True):
                if (name := _quantity(line)) in shapes:
                    last = row.right[-1:]
                    rows.append(row._replace(right=last, rule=shape_text(shapes[name])))
    yield Heading(1, ("Backpropagation",))
    yield Equations(tuple(rows))
    if conventions := dict.fromkeys(kink.convention for kink in derivation.kinks):
        yield Paragraph((f"Conventions at kinks: {', '.join(conventions)}.",), "note")


def equations(derivation: Derivation) -> list[dict[str, str]]:
    """The equations of backpropagation as text, with the rule that gave each."""
    notation = Notation(derivation)
    shapes = _shapes(derivation)
    return [
        {
            "text": " = ".join(text(notation.formula(line.parts[i])) for i in (0, -1)),
            "rule": line.because,
        }
        for step in derivation.steps
        if step.topic == _BACKWARD
        for line in step.lines
        if _quantity(line) in shapes
    ]


_BACKWARD = "cotangents"


def _shapes(derivation: Derivation) -> dict[str, Shape]:
    """What the program names, and not the derivation alone."""
    program = derivation.program
    return {**program.declared, **{name: e.shape for name, e in program.assignments}}


def _quantity(line: Line) -> str:
    """The name of what the line has the gradient by."""
    left = line.parts[0]
    return left.by if isinstance(left, Gradient | Partial) else ""


def to_dict(network: Architecture) -> dict[str, Any]:
    """The network as JSON has it, schema `chainrule/network/1`."""
    return {
        "schema": "chainrule/network/1",
        "sizes": list(network.sizes),
        "batch": network.batch,
        "loss": network.loss,
        "l2": network.l2,
        "layers": [
            {
                "number": u.number,
                "weights": {"name": u.weights, "shape": [u.inputs, u.outputs]},
                "biases": {"name": u.biases, "shape": [u.outputs]},
                "activation": str(u.activation),
                "parameters": u.parameter_count,
                "he_scale": scale("he", u.inputs, u.outputs, u.activation.slope),
            }
            for u in network.layers
        ],
        "parameters": network.parameter_count,
        "program": network.source,
    }
