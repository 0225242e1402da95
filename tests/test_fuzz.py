"""The fuzz script on a few inputs: what broke once, and what a short run comes upon."""

from __future__ import annotations

import random

import fuzz
import pytest


@pytest.mark.parametrize("text", [*fuzz.SEEDS, *fuzz.kept()])
def test_what_broke_once_does_not_any_more(text: str) -> None:
    outcome, trace = fuzz.guarded(text)
    assert not trace
    assert outcome != "not read" or text not in fuzz.SEEDS


def test_the_seeds_are_derived_checked_and_compiled() -> None:
    outcomes = {fuzz.exercise(text) for text in fuzz.SEEDS}
    assert any("derived" in o and "compiled" in o for o in outcomes)
    assert any("checked" in o for o in outcomes)


@pytest.mark.parametrize("seed", range(4))
def test_mutants_give_a_result_or_an_error_that_says_what_to_mend(seed: int) -> None:
    rng, known = random.Random(seed), fuzz.corpus()
    for _ in range(40):
        text = fuzz.mutated(rng.choice(known), known, rng)
        _, trace = fuzz.guarded(text)
        assert not trace, text


def test_a_crash_and_a_hang_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(text: str) -> str:
        if text == "hang":
            while True:
                pass
        raise ZeroDivisionError

    monkeypatch.setattr(fuzz, "exercise", broken)
    assert fuzz.guarded("crash")[0] == "ZeroDivisionError"
    outcome, trace = fuzz.guarded("hang", limit=0.05)
    assert (outcome, bool(trace)) == ("Hang", True)
