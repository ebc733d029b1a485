"""Readers with one fault each, which fuzzing must find; and one that is only slow."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from random import Random

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

_SEEN: list[bytes] = []


def _twice(data: bytes, _: Path) -> None:
    """Fail at the second input with a mark, and never where there is but one."""
    if b"!" in data:
        _SEEN.append(data)
    if len(_SEEN) > 1:
        os.kill(os.getpid(), signal.SIGSEGV)


def _slowly(_: bytes, __: Path) -> None:
    """Take more than a second by the clock, across the beginning of one, and none of the processor's."""
    time.sleep(1.1)


def _fails(_: Random) -> bytes:
    raise LookupError("no such field")


TWICE = Target(lambda: [b"xa"], lambda _: b"x!", _twice, (ValueError,), words=(b"!",))
SLOW = Target(lambda: [b"xa"], lambda _: b"x!", _slowly, (ValueError,))
UNMADE = Target(lambda: [b"xa"], _fails, lambda *_: None, (ValueError,))
