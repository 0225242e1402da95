"""Read handwritten digits: a network of two layers, trained by generated code alone.

    python examples/digits.py [--epochs 20] [--seed 0]

The network is a program; `compile` writes its gradients as NumPy code, and plain stochastic
gradient descent does the rest. The data are the 1,797 digits of 8 by 8 pixels that come with
scikit-learn; every fifth is held back.
"""

from __future__ import annotations

import argparse

import numpy as np
from rich.console import Console
from rich.progress import Progress
from sklearn.datasets import load_digits

import chainrule as cr


def main(epochs: int = 20, seed: int = 0, batch: int = 32, rate: float = 0.2) -> float:
    """Train, and return the fraction of the held-back digits that are read correctly."""
    pixels, labels = load_digits(return_X_y=True)
    X = (pixels / 16).astype(np.float32)
    Y = np.eye(10, dtype=np.float32)[labels]
    held = np.arange(len(X)) % 5 == 0

    net = cr.mlp([64, 48, 10], activation="relu", loss="cross_entropy", l2=1e-4)
    step = net.compile("float32")
    rng = np.random.default_rng(seed)
    parameters = net.initial(rng, dtype="float32")

    console = Console()
    console.print(f"{net!r}: {np.sum(~held)} digits to learn from, {np.sum(held)} held back")
    train = np.flatnonzero(~held)
    loss = np.nan
    with Progress(console=console) as progress:
        task = progress.add_task("training", total=epochs)
        for _ in range(epochs):
            rng.shuffle(train)
            for rows in np.array_split(train, len(train) // batch):
                loss, gradients = step(X=X[rows], Y=Y[rows], **parameters)
                for name, slope in gradients.items():
                    parameters[name] -= rate * slope
            progress.update(task, advance=1, description=f"loss {loss:.4f}")

    read = net.predict(X[held], **parameters).argmax(axis=1)
    accuracy = float(np.mean(read == labels[held]))
    console.print(f"{accuracy:.1%} of the held-back digits are read correctly")
    return accuracy


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="train a network on scikit-learn's digits")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    main(arguments.epochs, arguments.seed)
