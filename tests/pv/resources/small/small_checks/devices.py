"""Checks that say which GPU they saw, and one that breaks at its first run."""

from __future__ import annotations

import os
import time
from pathlib import Path

from pv.check import Metric, Run, check

from .outside import add


@check(metrics=[Metric("x"), Metric("visible", kind="text")])
def holds_a_device(run: Run, *, log: str, seconds: float, value: float) -> None:
    """Note in the folder `log`, which lies outside of the project, when which GPU was held."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    began = time.monotonic_ns()
    time.sleep(seconds)
    add(Path(log, f"{os.getpid()}-{began}"), f"{visible} {began} {time.monotonic_ns()} {run.device}")
    run.record("visible", visible)
    run.record("x", run.role("value", value))


@holds_a_device.counter_example("less", of="value")
def less(value: float) -> float:
    """One less."""
    return value - 1


@check(metrics=[Metric("x")])
def breaks_once(run: Run, *, marker: str, value: float) -> None:
    """Break if the file `marker`, which lies outside of the project, is not there yet; make it."""
    if not Path(marker).exists():
        add(marker, "")
        raise RuntimeError("the device fell off the bus")
    run.record("x", run.role("value", value))


@breaks_once.counter_example("fewer", of="value")
def fewer(value: float) -> float:
    """One fewer."""
    return value - 1


@check(metrics=[Metric("x"), Metric("said", kind="text")])
def says(run: Run, *, text: str, value: float) -> None:
    """Record `text`, as a value and as a label."""
    run.record("said", text, label=text)
    run.record("x", run.role("value", value))


@says.counter_example("least", of="value")
def least(value: float) -> float:
    """Less."""
    return value - 1
