"""One input: how reading it ended."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Literal

from benchmarks.fuzz.peak import begin_anew, peak_kibibytes
from benchmarks.fuzz.target import Target

__all__ = ["MEBIBYTES", "SECONDS", "Ending", "attempt"]

SECONDS = 2.0
"""Of processor, for one input of at most 64 KiB."""
MEBIBYTES = 96
"""That one input may take beyond what the process has."""

Kind = Literal["accepted", "rejected", "escaped"]


@dataclasses.dataclass(frozen=True)
class Ending:
    """How it ended.

    Parameters
    ----------
    kind
        Accepted, rejected by the layer's own error, or escaped.
    key
        Where: the same for inputs that end at the same line.
    message
        What was raised; empty where nothing was.
    seconds, mebibytes
        Of processor; and by how much the memory of the process grew, at most, meanwhile.
    """

    kind: Kind
    key: tuple[str, ...]
    message: str
    seconds: float
    mebibytes: float


def attempt(target: Target, data: bytes, folder: Path) -> Ending:
    """Read `data` as `target` does, in `folder`, and say how it ended."""
    before = begin_anew()
    started = time.process_time()
    kind: Kind = "accepted"
    key: tuple[str, ...] = ()
    message = ""
    try:
        target.read(data, folder)
    except KeyboardInterrupt:
        raise
    except target.errors as error:
        kind, key, message = "rejected", _place(error), str(error)
        if not message.strip():
            kind, message = "escaped", f"{type(error).__name__} without a message"
    except BaseException as error:  # a panic of Rust is no Exception
        kind, key, message = "escaped", _place(error), f"{type(error).__name__}: {error}"
    seconds = time.process_time() - started
    mebibytes = (peak_kibibytes() - before) / 1024
    if seconds > SECONDS or mebibytes > MEBIBYTES:
        cost = f"took {seconds:.1f} s and {mebibytes:.0f} MiB"
        kind, key, message = "escaped", ("cost", *key), f"{cost}; {message or 'accepted'}"
    return Ending(kind, key, message, seconds, mebibytes)


def _place(error: BaseException) -> tuple[str, ...]:
    """Name the type and the line that raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return (type(error).__name__,)
    return type(error).__name__, Path(trace.tb_frame.f_code.co_filename).name, str(trace.tb_lineno)
