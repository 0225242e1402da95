"""Fully connected networks: their programs, derivations and gradient code.

>>> net = mlp([3, 3, 2, 1], activation="sigmoid", output="sigmoid", loss="squared_error")
>>> [layer.parameter_count for layer in net.layers], net.parameter_count
([12, 8, 3], 23)
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TextIO

import chainrule
from chainrule import api
from chainrule.inputs import Names
from chainrule.network import page as pages
from chainrule.network.architecture import Architecture
from chainrule.network.initial import initial
from chainrule.render import html, latex_page, markdown, terminal
from chainrule.render.blocks import Block, Heading, Listing, Page

if TYPE_CHECKING:
    import numpy as np

    from chainrule.compiled import Dtype, GradientFunction

__all__ = ["Network", "mlp"]


class Network(Architecture):
    """A fully connected network; see `mlp`."""

    def initial(
        self,
        rng: np.random.Generator | int | None = None,
        scheme: str = "he",
        dtype: Any = "float64",
    ) -> dict[str, np.ndarray[Any, Any]]:
        """Random weights (`he`, `xavier` or `lecun`) and biases of 0, by name.

        Source: `chainrule.network.initial.scale` has the formulas and where they are from.
        """
        return initial(self, rng, scheme, dtype)

    def derive(self, wrt: Names = (), **options: Any) -> api.Derivation:
        """The derivation of the loss's gradients, by all parameters unless `wrt` says which."""
        return api.derive(self.program, wrt or list(self.parameters), **options)

    def compile(self, dtype: Dtype | None = "float64") -> GradientFunction:
        """Gradient code of the loss: `step(X=…, Y=…, W1=…, …)` gives it and its gradients.

        `dtype`: of the code, to which arguments are converted; None: that of the arguments.
        """
        # Of the package, which loads code generation and NumPy when they are asked for.
        return chainrule.compile(self.program, list(self.parameters), dtype=dtype)

    def predict(self, X: Any, **parameters: Any) -> np.ndarray[Any, Any]:
        """What the network says of the examples in the rows of X, shape (len(X), sizes[-1]).

        Probabilities where the loss takes logits; the values of the last layer elsewhere.

        Raises:
            UsageError: a parameter has no value. ShapeError: one does not fit.
        """
        import numpy as np

        examples = np.asarray(X)
        weights = np.zeros((*examples.shape[:1], self.sizes[-1]), examples.dtype)
        _, found = self._prediction(X=examples, C=weights, **parameters)
        predicted: np.ndarray[Any, Any] = found["C"]
        return predicted

    @cached_property
    def _prediction(self) -> GradientFunction:
        # The gradient of sum(C .* P) by C is P.
        declared = f"C: matrix(N, {self.sizes[-1]})\n"
        return chainrule.compile(f"{declared}{self.prediction_source}sum(C .* P)", "C")

    def __repr__(self) -> str:
        sizes = "-".join(map(str, self.sizes))
        return f"<Network {sizes}: {self.parameter_count:,} parameters, {self.loss}>"

    def __str__(self) -> str:
        return self.text()

    def page(self, backprop: bool = False, code: bool = False, dtype: Dtype = "float64") -> Page:
        """Layers, loss and program; the equations of backpropagation; the gradient code."""
        blocks: list[Block] = []
        if backprop:
            blocks += pages.backpropagation(self.derive(verify="off").data)
        if code:
            source = self.compile(dtype).source
            blocks += [Heading(1, ("Gradient code",)), Listing(source, "python")]
        return pages.page(self, tuple(blocks))

    def text(self, **parts: Any) -> str:
        """Plain text of 80 columns; `parts` as of `page`."""
        return terminal.plain(self.page(**parts))

    def latex(self, **parts: Any) -> str:
        """A document that compiles with pdflatex; `parts` as of `page`."""
        return latex_page.document(self.page(**parts))

    def markdown(self, **parts: Any) -> str:
        """Markdown with GitHub's `$…$`; `parts` as of `page`."""
        return markdown.markdown(self.page(**parts))

    def html(self, **parts: Any) -> str:
        """One HTML file that needs nothing else; `parts` as of `page`."""
        return html.html(self.page(**parts))

    def json(self, backprop: bool = False, code: bool = False, dtype: Dtype = "float64") -> str:
        """One JSON object, schema `chainrule/network/1`."""
        shown = pages.to_dict(self)
        if backprop:
            shown["backpropagation"] = pages.equations(self.derive(verify="off").data)
        if code:
            shown["code"] = self.compile(dtype).source
        return json.dumps(shown, ensure_ascii=False, indent=2)

    def show(self, file: TextIO, **parts: Any) -> None:
        """Write the page to a file or a terminal; `parts` as of `page`."""
        terminal.write(self.page(**parts), file)


def mlp(
    sizes: Sequence[int],
    activation: str | Sequence[str] = "relu",
    loss: str = "cross_entropy",
    l2: float = 0.0,
    batch: int | str = "N",
    output: str = "identity",
) -> Network:
    """A fully connected network (multi-layer perceptron) as a program of the language.

    Args:
        sizes: of the input and of every layer, as `[784, 512, 256, 10]`.
        activation: identity, relu, leaky_relu, tanh, sigmoid, elu, gelu, silu or softplus, for
            all hidden layers, or a list with one for each. `leaky_relu(0.2)` states the slope.
        loss: mse, squared_error, binary_cross_entropy or cross_entropy; the last two take
            logits, and contain sigmoid or softmax.
        l2: adds l2/2 times the sum of all squared weights to the loss; biases are left out.
        batch: the number of examples, or its name.
        output: activation of the last layer, for mse and squared_error.

    Raises:
        UsageError: sizes, names or numbers that make no network.

    Examples are the rows of X: matrix(N, sizes[0]) and of Y: matrix(N, sizes[-1]); layer l has
    Wl: matrix(sizes[l - 1], sizes[l]) and bl: vector(sizes[l]).

    >>> print(mlp([2, 1], loss="binary_cross_entropy", l2=0.01).source, end="")
    X: matrix(N, 2); Y: matrix(N, 1)
    W1: matrix(2, 1); b1: vector(1)
    Z1 = X @ W1 + b1
    penalty = sum(W1.^2)
    loss = mean(softplus(Z1) - Y .* Z1) + 0.01/2*penalty
    """
    return Network(sizes, activation=activation, loss=loss, l2=l2, batch=batch, output=output)
