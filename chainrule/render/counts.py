"""The verdict on a number of parameters in words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from chainrule.render.blocks import Block, Page, Paragraph

if TYPE_CHECKING:
    from chainrule.checking.counts import CountVerdict, Slip

SCHEMA = "chainrule/count/1"
_SENTENCES = {
    "biases left out": "the biases are left out",
    "a bias for each input": "a layer has a bias for each of its units, not for each input",
    "one bias a layer": "a layer has a bias for each of its units, not a single one",
    "biases of the input": "the input has no biases",
    "units counted": "these are the units, not the weights and biases between them",
    "biases of a layer left out": "the biases of layer {layer} are left out",
    "a layer left out": "layer {layer} is left out",
}


def sentence(slip: Slip) -> str:
    """What went wrong, without a full stop."""
    return _SENTENCES[slip.kind].format(layer=slip.layer)


def page(verdict: CountVerdict) -> Page:
    """The verdict, and the count layer by layer."""
    blocks: list[Block] = []
    network = "-".join(map(str, verdict.sizes))
    if verdict.correct:
        blocks.append(Paragraph((f"Right: {network} has {verdict.right:,} parameters.",), "good"))
    else:
        said = f"Wrong: {network} has {verdict.right:,} parameters, not {verdict.given:,}."
        blocks.append(Paragraph((said,), "bad"))
        for i, slip in enumerate(verdict.slips):
            start = "It could also be that " if i else "Likely mistake: "
            blocks.append(Paragraph((f"{start}{sentence(slip)}.",)))
    for i, (m, n) in enumerate(verdict.layers, 1):
        count = f"{n:,}*{m:,} weights and {n:,} biases are {n * (m + 1):,}"
        blocks.append(Paragraph((f"Layer {i}: {count}.",)))
    return Page(tuple(blocks))


def to_json(verdict: CountVerdict) -> str:
    """One JSON object, schema `chainrule/count/1`."""
    return json.dumps({
        "schema": SCHEMA, "network": list(verdict.sizes), "given": verdict.given,
        "right": verdict.right, "correct": verdict.correct,
        "layers": [n * (m + 1) for m, n in verdict.layers],
        "diagnosis": [
            {"kind": s.kind, "layer": s.layer or None, "message": sentence(s)}
            for s in verdict.slips
        ],
    }, indent=2)  # fmt: skip
