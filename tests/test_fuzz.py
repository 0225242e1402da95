"""The fuzz script on a few inputs: what broke once, and what a short run comes upon."""

from __future__ import annotations

import random
from collections import Counter

import fuzz
import pytest

PATIENT = 30.0  # seconds of processor time: what is slow here is found by the script itself


@pytest.mark.parametrize("text", fuzz.kept())
def test_what_broke_once_does_not_any_more(text: str) -> None:
    assert not fuzz.exercise(text, seconds=PATIENT)[1]


def test_the_seeds_are_derived_drawn_verified_checked_and_compiled() -> None:
    done: Counter[str] = Counter()
    for text in fuzz.SEEDS:
        counts, broken = fuzz.exercise(text, seconds=PATIENT)
        assert not broken, text
        assert counts["parse: done"] or counts["latex: done"]
        done += counts
    assert all(done[f"{target}: done"] for target in fuzz.TARGETS)


@pytest.mark.parametrize("seed", range(4))
def test_mutants_give_a_result_or_an_error_that_says_what_to_mend(seed: int) -> None:
    rng, known = random.Random(seed), fuzz.corpus()
    for _ in range(40):
        text = fuzz.mutated(rng.choice(known), known, rng)
        assert not fuzz.exercise(text, seconds=PATIENT)[1], text


def test_a_crash_and_a_hang_are_found() -> None:
    def crash(text: str, program: object, answer: str) -> None:
        raise ZeroDivisionError

    def hang(text: str, program: object, answer: str) -> None:
        while True:
            pass

    assert fuzz.guarded(crash, "", None, "")[0] == "ZeroDivisionError"
    outcome, trace = fuzz.guarded(hang, "", None, "", seconds=0.05)
    assert (outcome, bool(trace)) == ("Hang", True)
