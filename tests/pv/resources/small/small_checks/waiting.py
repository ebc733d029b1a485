"""A check that waits until it is let go, and says each time that it begins."""

from __future__ import annotations

import time
from pathlib import Path

from pv.check import Metric, Run, check

from .outside import add


@check(metrics=[Metric("x")])
def waits(run: Run, *, log: str, gate: str, value: float) -> None:
    """Add a line to the file `log` and wait for the file `gate`; both lie outside of the project."""
    value = run.role("value", value)
    add(log, f"{value}\n")
    while not Path(gate).exists():
        time.sleep(0.05)
    run.record("x", value)


@waits.counter_example("less", of="value")
def less(value: float) -> float:
    """One less."""
    return value - 1
