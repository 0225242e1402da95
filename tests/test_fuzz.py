"""The fuzz script on a few inputs: what broke once, and what a short run comes upon."""

from __future__ import annotations

import random

import fuzz
import pytest

PATIENT = 30.0  # seconds of processor time: machines that run tests are slower


@pytest.mark.parametrize("text", [*fuzz.SEEDS, *fuzz.kept()])
def test_what_broke_once_does_not_any_more(text: str) -> None:
    done, broken = fuzz.exercise(text, seconds=PATIENT)
    assert not broken
    assert done["parse: done"] or text not in fuzz.SEEDS


def test_the_seeds_reach_every_target() -> None:
    reached = {name for text in fuzz.SEEDS for name in fuzz.exercise(text, seconds=PATIENT)[0]}
    assert {f"{target}: done" for target in fuzz.TARGETS} <= reached
    assert set(fuzz.EVERY) == set(fuzz.TARGETS)


@pytest.mark.parametrize("seed", range(4))
def test_mutants_give_a_result_or_an_error_that_says_what_to_mend(seed: int) -> None:
    rng, known = random.Random(seed), fuzz.corpus()
    for _ in range(40):
        text = fuzz.mutated(rng.choice(known), known, rng)
        assert not fuzz.exercise(text, seconds=PATIENT)[1], text


def test_a_crash_and_a_hang_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert issubclass(fuzz.cr.ChainruleError, Exception)  # loads what is loaded on first use

    def broken(text: str, program: object, answer: str) -> None:
        while text == "hang":
            pass
        raise MemoryError if text == "large" else ZeroDivisionError

    monkeypatch.setitem(fuzz.TARGETS, "parse", broken)
    for text, name in {
        "crash": "ZeroDivisionError",
        "large": "MemoryError",
        "hang": "Hang",
    }.items():
        done, found = fuzz.exercise(text, ["parse"], seconds=0.05)
        assert done[f"parse: {name}"] == 1
        assert [target for target, _ in found] == ["parse"]


def test_a_run_counts_what_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[str] = []
    monkeypatch.setattr(fuzz, "keep", lambda text, target, trace: found.append(text))
    report = fuzz.plain(30, 60, seed=5).report()
    assert report["inputs"] == report["parse"] == report["latex"] == 30
    assert report["broken"] == len(found) == 0
