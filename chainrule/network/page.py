"""A network on a page: its layers with their parameter counts, and its program."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chainrule.derivation.steps import Derivation
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
from chainrule.render.page import step_rows, step_title
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
    """The equations of backpropagation in matrix form, as the derivation has them."""
    notation = Notation(derivation)
    for step in derivation.steps:
        if step.topic in _BACKWARD:
            yield Heading(1, step_title(step, notation))
            yield Equations(tuple(step_rows(step, notation)))


def equations(derivation: Derivation) -> list[dict[str, str]]:
    """The equations of backpropagation as text, with the rule that gave each."""
    notation = Notation(derivation)
    return [
        {"text": " = ".join(text(notation.formula(p)) for p in line.parts), "rule": line.because}
        for step in derivation.steps
        if step.topic in _BACKWARD
        for line in step.lines
    ]


_BACKWARD = ("cotangents",)


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
