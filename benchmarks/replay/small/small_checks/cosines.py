"""Figures of a comparison, a tensor a line, measured as they stand."""

from __future__ import annotations

from pathlib import Path

from pv.check import Metric, Run, check

Figures = list[tuple[str, float]]


def open_figures(path: str) -> Figures:
    """Read names and cosines."""
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    return [(name, float(value)) for name, value in (line.split() for line in lines)]


@check(metrics=[Metric("cosine", low=-1.0, high=1.0)])
def cosines(run: Run, *, figures: Figures) -> None:
    """Record the cosine of every tensor."""
    for name, value in figures:
        run.record("cosine", value, label=name)


@cosines.counter_example("one_tensor_lost", of="figures")
def one_tensor_lost(figures: Figures) -> Figures:
    """Let one tensor have nothing in common with what it was made from."""
    return [(figures[0][0], 0.0), *figures[1:]]
