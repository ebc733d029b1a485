"""Readers with one fault each, which fuzzing must find."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from benchmarks.fuzz.target import Target


def _on_sight(fault: str) -> Target:
    def read(data: bytes, _: Path) -> None:
        if data[:1] != b"x":
            raise ValueError("does not begin with x")
        if b"!" not in data:
            return
        if fault == "signal":
            os.kill(os.getpid(), signal.SIGSEGV)
        if fault == "sleep":
            time.sleep(1000)
        raise KeyError(fault)

    return Target(lambda: [b"xa", b"xb"], lambda _: b"x!", read, (ValueError,), words=(b"!",))


SIGNAL, SLEEP, OTHER = _on_sight("signal"), _on_sight("sleep"), _on_sight("other")
