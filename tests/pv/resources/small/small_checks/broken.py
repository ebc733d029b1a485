"""Checks that break, each in its own way. None may leave evidence or a process behind."""

from __future__ import annotations

import os
import subprocess
import time

from pv.check import Metric, Run, check

from .outside import add


@check(metrics=[Metric("x")])
def breaks(run: Run, *, how: str) -> None:
    """Break as `how` says, after a measurement that would have passed."""
    run.record("x", 1.0)
    if how == "raises":
        raise RuntimeError("upside \x1b[31mdown\n::error::injected")
    if how == "hangs":
        while True:
            time.sleep(1)
    if how == "allocates":
        hoard = []
        while True:
            hoard.append(bytes(range(256)) * (1 << 14))
    if how == "leaves":
        os._exit(0)
    if how == "forks":
        while True:
            os.fork()
    if how == "prints":
        block = b"x" * (1 << 20)
        for _ in range(1 << 10):
            os.write(1, block)
        raise RuntimeError("after a gigabyte of output")
    if how == "orphans":
        subprocess.Popen(["sleep", "600.25"], start_new_session=True)
        raise RuntimeError("after it left a process")
    if how == "edits":
        add(__file__, "\nEDITED = True\n")
    if how == "labels":
        run.record("x", 1.0, label="\ud800")
    if how == "reads":
        with open("contracts/small-v1.yaml", encoding="utf-8") as file:  # noqa: PTH123  what the hook must see
            run.record("x", float(len(file.read())))


@breaks.counter_example("never", of="how")
def never(how: str) -> str:
    """Never reached."""
    return how
