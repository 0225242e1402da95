"""What the oracles say about a derivation, together."""

from __future__ import annotations

from time import perf_counter
from typing import Literal

from chainrule import checking
from chainrule.checking import patience
from chainrule.checking.by_numbers import verify_by_numbers
from chainrule.checking.by_sympy import verify_by_sympy
from chainrule.checking.edges import by_numbers, statuses
from chainrule.derivation.steps import Derivation, Method, Status, Verification

_KINDS = 200  # intermediates that differ in more than names


def verify(
    derivation: Derivation,
    mode: Literal["symbolic", "numeric", "off"] = "symbolic",
    seconds: float | None = None,
) -> Verification:
    """Verify the result and the local derivatives of a derivation.

    Args:
        derivation: what to verify.
        mode: `numeric` compares with difference quotients, `symbolic` asks SymPy as well.
        seconds: how long it may take, roughly; what is not decided by then is unverified.

    Returns:
        failed if an oracle refutes the result or a local derivative; verified if one
        confirms the result.
    """
    if mode == "off":
        return Verification("unverified")
    deadline = float("inf") if seconds is None else perf_counter() + seconds
    with patience.until(deadline):
        if derivation.result.blocks:
            return checking.array_verify.verify_arrays(derivation, mode, deadline)
        return _verify(derivation, mode, deadline)


def _verify(derivation: Derivation, mode: str, deadline: float) -> Verification:
    methods: list[Method] = []
    edges: list[Status] = ["unverified"] * len(derivation.edges)
    # Numbers first: where time is short, they decide most in it.
    numeric = verify_by_numbers(derivation, deadline)
    if mode == "symbolic":
        by_sympy, edges = verify_by_sympy(derivation, deadline)
        methods.append(by_sympy)
    if "unverified" in edges:
        numeric, edges = _with_edges(derivation, numeric, edges, deadline)
    methods.append(numeric)
    said = {method.status for method in methods}
    status: Status = "failed" if "failed" in said else "verified"
    if not said & {"failed", "verified"}:
        status = "unverified"
    return Verification(status, tuple(methods), tuple(edges))


def _with_edges(
    derivation: Derivation, result: Method, edges: list[Status], deadline: float
) -> tuple[Method, list[Status]]:
    """Decide by numbers the local derivatives that are still open."""
    found, answers = statuses(derivation, lambda local: by_numbers(local, deadline), _KINDS)
    merged = [new if old == "unverified" else old for old, new in zip(edges, found, strict=True)]
    for question, method in answers:
        if method.status == "failed" and result.status != "failed":
            witness = f"local derivative of {question.in_its_names(method.detail)}"
            result = Method("numeric", "failed", witness, method.points)
    return result, merged
