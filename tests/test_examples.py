"""The examples run, and reach what they promise; the pages of the documentation are true."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path
from types import ModuleType

import pytest
from array_points import numbers

import chainrule as cr
from chainrule.cli import main

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
NETWORKS = (ROOT / "docs" / "networks.md").read_text(encoding="utf-8")


def loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("seed", [0, 1])
def test_digits_are_read(seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("sklearn")
    accuracy = loaded("digits").main(seed=seed)
    assert accuracy >= 0.95
    assert "of the held-back digits are read correctly" in capsys.readouterr().out


def test_without_training_they_are_not(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("sklearn")
    assert loaded("digits").main(epochs=0) < 0.5


def test_scipy_fits_a_logistic_regression(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("scipy")
    pytest.importorskip("sklearn")
    accuracy, slope = loaded("logistic_scipy").main()
    assert accuracy > 0.97
    assert slope < 1e-5
    assert "examples are classified correctly" in capsys.readouterr().out


def test_newton_with_a_sparse_hessian(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("scipy")
    steps, error = loaded("newton").main(n=1000)
    assert steps <= 5
    assert error < 1e-7  # a tenth of the square of the distance of points
    assert "3 products for 2,998 entries" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "output"),
    re.findall(r"```console\n\$ chainrule ([^\n]*)\n(.*?)```", NETWORKS, re.DOTALL),
)
def test_what_the_documentation_of_networks_shows(
    command: str, output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(shlex.split(command)) == 0
    assert capsys.readouterr().out == output


def test_the_losses_of_the_documentation_are_those_of_the_programs() -> None:
    table = re.findall(r"^\| `(\w+)` \| `([^`]*)`", NETWORKS, re.M)
    assert len(table) == 4
    for loss, written in table:
        source = cr.mlp([3, 2], loss=loss).source
        assert source.splitlines()[-1] == "loss = " + re.sub(r"\b[AZ]\b", "Z1", written)


@pytest.mark.parametrize(
    ("name", "gradients"),
    [
        ("linear_regression", {"w": "2/N*(X' @ (yhat - y))", "b": "2/N*sum(yhat - y)"}),
        ("logistic_regression", {"w": "(X' @ (p - y))/N", "b": "sum(p - y)/N"}),
    ],
)
def test_the_regressions_have_the_gradients_of_the_lecture(
    name: str, gradients: dict[str, str]
) -> None:
    source = (EXAMPLES / f"{name}.chain").read_text(encoding="utf-8")
    found = cr.derive(source, list(gradients))
    assert found.verification.status == "verified"
    statements = source.rpartition("loss =")[0]
    for variable, block in found.data.result.wrt.items():
        right = cr.parse(f"{statements}right = {gradients[variable]}").written_out()["right"]
        # The derivation's own form may be another: they agree where one would round.
        assert numbers(block.written) == pytest.approx(numbers(right), rel=1e-12)
