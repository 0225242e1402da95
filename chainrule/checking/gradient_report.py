"""What a comparison of gradients with differences found, parameter by parameter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Checked(NamedTuple):
    """How the gradient by one parameter compares.

    Attributes:
        name, shape: of the parameter.
        error: the largest relative error.
        entry: where it is (empty for a scalar); None where only directions were compared.
        claimed, measured: the two slopes there.
        entries, directions: how many were compared.
        kinks: at how many of them the slopes to the left and to the right differ, and the
            claimed one lies between.
        ok: whether the error is within the tolerance.
        sides: the slopes to the left and to the right, where the claimed one is outside both.
        note: what is wrong in a line, where that can be said.
    """

    name: str
    shape: tuple[int, ...]
    error: float
    entry: tuple[int, ...] | None = None
    claimed: float = 0.0
    measured: float = 0.0
    entries: int = 0
    directions: int = 0
    kinks: int = 0
    ok: bool = True
    sides: tuple[float, float] | None = None
    note: str = ""


@dataclass(frozen=True)
class GradientReport:
    """What `check_gradients` found; print it.

    Attributes:
        parameters: one after the other, in the order of the gradients.
        tolerance: the relative error that is accepted.
        method: `central` or `directions`.
        dtype: the precision in which the loss was evaluated for the differences.
    """

    parameters: tuple[Checked, ...]
    tolerance: float
    method: str
    dtype: str

    @property
    def ok(self) -> bool:
        """Whether every gradient agrees."""
        return all(p.ok for p in self.parameters)

    @property
    def errors(self) -> dict[str, float]:
        """The largest relative error of each parameter."""
        return {p.name: p.error for p in self.parameters}

    @property
    def worst(self) -> Checked:
        """The parameter with the largest error, those that fail first."""
        return max(self.parameters, key=lambda p: (not p.ok, p.error))

    def __str__(self) -> str:
        how = "central differences" if self.method == "central" else "random directions"
        said = "ok" if self.ok else "FAILED"
        title = f"Gradients against {how} in {self.dtype}, tolerance {self.tolerance:.0e}: {said}"
        rows = [
            ("parameter", "shape", "compared", "largest error", ""),
            *map(_row, self.parameters),
        ]
        widths = [max(len(row[i]) for row in rows) for i in range(5)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        notes = [note for p in self.parameters if not p.ok for note in _notes(p)]
        return "\n".join([title, "", *lines, *(["", *notes] if notes else [])])


def _row(p: Checked) -> tuple[str, ...]:
    compared = f"{p.entries}" if p.entries else ""
    if p.directions:
        compared += f"{' + ' if compared else ''}{p.directions} dirs"
    at = f" at {_place(p.entry)}" if p.entry else ""
    kinks = f", {p.kinks} kink{'s' * (p.kinks > 1)}" if p.kinks else ""
    verdict = f"ok{kinks}" if p.ok else "WRONG"
    shape = f"({', '.join(map(str, p.shape))}{',' * (len(p.shape) == 1)})"
    return (_short(p.name, 12), shape, compared, f"{p.error:.1e}{at}", verdict)


def _notes(p: Checked) -> list[str]:
    name = _short(p.name, 30)
    lines = [f"{name}: {p.note}"] if p.note else []
    if p.entry is not None:
        slope = f"the slope is {p.measured:.6g}"
        if p.sides is not None:
            slope = "the slope is {:.6g} to the left and {:.6g} to the right".format(*p.sides)
        lines.append(f"{name}{_place(p.entry)}: the gradient says {p.claimed:.6g}, {slope}")
    return lines


def _place(entry: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, entry))}]" if entry else ""


def _short(name: str, width: int) -> str:
    return name if len(name) <= width else name[: width - 1] + "…"
