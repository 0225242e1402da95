"""A fully connected network, and the program in the language that it is.

Layer l maps `A(l-1)`, one example a row, to `Zl = A(l-1) @ Wl + bl` and `Al = f(Zl)`; the loss
is a mean over the examples. Everything else (gradients, code, derivations) comes from the
program, which is text like any other.

>>> net = Architecture([3, 2, 1], activation="tanh", loss="mse")
>>> print(net.source, end="")
X: matrix(N, 3); Y: matrix(N, 1)
W1: matrix(3, 2); b1: vector(2)
W2: matrix(2, 1); b2: vector(1)
Z1 = X @ W1 + b1
A1 = tanh(Z1)
Z2 = A1 @ W2 + b2
loss = mse(Z2, Y)
>>> net.parameter_count
11
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from functools import cached_property
from operator import index
from reprlib import repr as shortened
from typing import NamedTuple

from chainrule.core.errors import UsageError
from chainrule.core.expr import const, number_text
from chainrule.core.program import Program
from chainrule.syntax.parser import parse

LEAK = 0.01
"""The slope of leaky_relu below 0 where none is given (Maas et al. 2013, sec. 2)."""


class Activation(NamedTuple):
    """A function applied entry by entry; `slope` is that of leaky_relu below 0."""

    name: str
    slope: float = 0.0

    def __str__(self) -> str:
        return f"{self.name}({_number(self.slope)})" if self.name == "leaky_relu" else self.name

    def of(self, name: str) -> str:
        """The activation of a name, in the language."""
        if self.name == "identity":
            return name
        slope = f", {_number(self.slope)}" if self.slope else ""
        return f"{self.name}({name}{slope})"


class Loss(NamedTuple):
    """How the outputs are compared with the targets Y.

    Attributes:
        written: the loss in the language, over the outputs `A`; `over` divides by the batch size.
        logits: whether it takes the last layer's Z, before any activation.
        link: the function that makes predictions of logits.
        says: what it is, in words.
    """

    written: str
    logits: bool
    link: str
    says: str


ACTIVATIONS = (
    "identity", "relu", "leaky_relu", "tanh", "sigmoid", "elu", "gelu", "silu", "softplus",
)  # fmt: skip
LOSSES = {
    "mse": Loss("mse({A}, Y)", False, "", "mean over all entries of (A - Y)^2"),
    "squared_error": Loss(
        "sum((Y - {A}).^2){over}", False, "", "mean over the examples of the sum of (Y - A)^2"
    ),
    # -(y ln p + (1 - y) ln(1 - p)) with p = sigmoid(z) is softplus(z) - y z: no logarithm of 0.
    "binary_cross_entropy": Loss(
        "mean(softplus({A}) - Y .* {A})", True, "sigmoid",
        "mean of -(Y ln p + (1 - Y) ln(1 - p)), p = sigmoid(Z)",
    ),
    "cross_entropy": Loss(
        "cross_entropy({A}, Y)", True, "softmax",
        "mean over the examples of -sum(Y ln p), p = softmax(Z)",
    ),
}  # fmt: skip


class Layer(NamedTuple):
    """One affine map and its activation; `number` counts from 1."""

    number: int
    inputs: int
    outputs: int
    activation: Activation

    @property
    def weights(self) -> str:
        """The name of the matrix, of shape (inputs, outputs)."""
        return f"W{self.number}"

    @property
    def biases(self) -> str:
        """The name of the vector, of shape (outputs,)."""
        return f"b{self.number}"

    @property
    def parameter_count(self) -> int:
        """Weights and biases: a weight for each pair of units, a bias for each output."""
        return self.outputs * (self.inputs + 1)

    @property
    def value(self) -> str:
        """The name of what the layer puts out."""
        return f"{'Z' if self.activation.name == 'identity' else 'A'}{self.number}"


class Architecture:
    """Sizes, activations, loss and penalty of a fully connected network, and its program.

    Args:
        sizes: of the input and of every layer, as `[784, 512, 256, 10]`.
        activation: of the hidden layers; one name for all, or one for each of them.
            `leaky_relu(0.2)` states the slope below 0.
        loss: `mse`, `squared_error`, `binary_cross_entropy` or `cross_entropy`; the last two
            take logits, and contain sigmoid or softmax.
        l2: the penalty lambda/2 * (sum of all squared weights) is added to the loss, so lambda W
            to the gradient by W. Biases are not penalised.
        batch: the number of examples: a name, or a number.
        output: activation of the last layer, for `mse` and `squared_error`.

    Raises:
        UsageError: sizes, names or numbers that make no network.

    Source: Rumelhart, Hinton & Williams 1986; Goodfellow et al. 2016, sec. 6.2 (losses) and
    7.1.1 (the penalty).
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        activation: str | Sequence[str] = "relu",
        loss: str = "cross_entropy",
        l2: float = 0.0,
        batch: int | str = "N",
        output: str = "identity",
    ) -> None:
        self.sizes = _sizes(sizes)
        self.loss = _known(loss, LOSSES, "loss")
        self.l2 = _penalty(l2)
        self.batch = _batch(batch)
        hidden = _hidden(activation, len(self.sizes) - 2)
        last = _activation(output)
        if LOSSES[loss].logits and last.name != "identity":
            raise UsageError(
                f"{loss} takes logits: the last layer has no activation of its own",
                hint=f"leave output out; {LOSSES[loss].link} is part of the loss",
            )
        if loss == "cross_entropy" and self.sizes[-1] == 1:
            raise UsageError(
                "the softmax of one output is always 1",
                hint="use binary_cross_entropy, or give the last layer an output for each class",
            )
        pairs = zip(self.sizes[:-1], self.sizes[1:], [*hidden, last], strict=True)
        self.layers = tuple(Layer(i + 1, m, n, f) for i, (m, n, f) in enumerate(pairs))

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the weights and biases, layer by layer."""
        return tuple(name for u in self.layers for name in (u.weights, u.biases))

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every parameter, by name."""
        return {
            name: shape
            for u in self.layers
            for name, shape in ((u.weights, (u.inputs, u.outputs)), (u.biases, (u.outputs,)))
        }

    @property
    def parameter_count(self) -> int:
        """All weights and biases."""
        return sum(u.parameter_count for u in self.layers)

    @cached_property
    def source(self) -> str:
        """The network and its loss, in the language."""
        data = (
            f"X: matrix({self.batch}, {self.sizes[0]}); Y: matrix({self.batch}, {self.sizes[-1]})"
        )
        return "\n".join([data, *self._layers(), *self._loss()]) + "\n"

    @cached_property
    def program(self) -> Program:
        """`source`, read."""
        return parse(self.source)

    @cached_property
    def prediction_source(self) -> str:
        """The network without its loss: values, or probabilities where the loss has logits.

        For any number N of examples.
        """
        last, link = self.layers[-1].value, LOSSES[self.loss].link
        result = f"P = {link}({last})" if link else f"P = {last}"
        return "\n".join([f"X: matrix(N, {self.sizes[0]})", *self._layers(), result]) + "\n"

    def _layers(self) -> list[str]:
        lines = [
            f"{u.weights}: matrix({u.inputs}, {u.outputs}); {u.biases}: vector({u.outputs})"
            for u in self.layers
        ]
        below = "X"
        for u in self.layers:
            lines.append(f"Z{u.number} = {below} @ {u.weights} + {u.biases}")
            if u.activation.name != "identity":
                lines.append(f"A{u.number} = {u.activation.of(f'Z{u.number}')}")
            below = u.value
        return lines

    def _loss(self) -> list[str]:
        over = "" if self.batch == 1 else f"/{self.batch}"
        written = LOSSES[self.loss].written.format(A=self.layers[-1].value, over=over)
        if not self.l2:
            return [f"loss = {written}"]
        squares = " + ".join(f"sum({u.weights}.^2)" for u in self.layers)
        return [f"penalty = {squares}", f"loss = {written} + {_number(self.l2)}/2*penalty"]


def _sizes(sizes: Sequence[int]) -> tuple[int, ...]:
    hint = "give the size of the input and of every layer, as [784, 512, 256, 10]"
    found = []
    for size in sizes if isinstance(sizes, Iterable) else (sizes,):
        try:
            found.append(index(size))
        except TypeError:
            raise UsageError(f"the size {shortened(size)} is no whole number", hint=hint) from None
        if found[-1] < 1:
            raise UsageError(f"a layer of {size} units", hint="every size is at least 1")
    if len(found) < 2:
        raise UsageError("a network has an input and at least one layer", hint=hint)
    return tuple(found)


def _penalty(l2: float) -> float:
    if isinstance(l2, bool) or not isinstance(l2, (int, float)) or not 0 <= l2 < float("inf"):
        raise UsageError(f"l2 is {l2!r}", hint="give a number that is at least 0")
    return l2


def _batch(batch: int | str) -> int | str:
    if isinstance(batch, str) and re.fullmatch(r"[A-Za-z]", batch):
        if batch in "XYPe":
            raise UsageError(f"{batch} is a name of the network", hint="name the batch N")
        return batch
    if isinstance(batch, int) and not isinstance(batch, bool) and batch >= 1:
        return batch
    raise UsageError(
        f"the batch is {shortened(batch)}", hint="give a number of examples, or a letter: N"
    )


def _hidden(activation: str | Sequence[str], count: int) -> list[Activation]:
    if isinstance(activation, str) or not isinstance(activation, Sequence):
        return [_activation(activation)] * count
    if len(activation) != count:
        raise UsageError(
            f"{len(activation)} activations for {count} hidden layers",
            hint="give one for all, or one for each; the last layer's is `output`",
        )
    return [_activation(name) for name in activation]


def _activation(written: str) -> Activation:
    name, slash, rest = str(written).strip().partition("(")
    name = _known(name.strip().replace(" ", "_"), ACTIVATIONS, "activation")
    if not slash:
        return Activation(name, LEAK if name == "leaky_relu" else 0.0)
    try:
        slope = float(rest.removesuffix(")"))
    except ValueError:
        slope = -1.0
    if name != "leaky_relu" or not 0 < slope < 1 or not rest.endswith(")"):
        raise UsageError(
            f"{written} is no activation",
            hint="leaky_relu alone has a parameter, the slope below 0: leaky_relu(0.01)",
        )
    return Activation(name, slope)


def _known(name: str, known: Sequence[str] | dict[str, Loss], what: str) -> str:
    if name in known:
        return name
    close = get_close_matches(str(name), list(known), 1, 0.5)
    meant = f"did you mean {close[0]}? " if close else ""
    raise UsageError(
        f"there is no {what} {shortened(name)}", hint=f"{meant}there are {', '.join(known)}"
    )


def _number(value: float) -> str:
    return number_text(const(value))
