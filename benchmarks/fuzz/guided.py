"""Try inputs under libFuzzer, which keeps those that reach new code: for where atheris is installed.

Source: https://github.com/google/atheris. Damage is libFuzzer's own and, in turn, the format's.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import time
import traceback
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from benchmarks.fuzz.byte_damage import damaged

if TYPE_CHECKING:
    from benchmarks.fuzz.loop import Trial

__all__ = ["instrumented", "is_installed", "try_guided"]

_NEVER = 1_000_000
"""Seconds. With 0, atheris asks every second whether the input has taken more than none, and ends the process
where it began in an earlier second. How long an input may take is for `attempt`, and for the parent."""


def is_installed() -> bool:
    """Whether atheris can be imported."""
    return importlib.util.find_spec("atheris") is not None


def instrumented() -> contextlib.AbstractContextManager[object]:
    """Return a context in which our modules are imported so that they say which of their code ran."""
    import atheris

    found: contextlib.AbstractContextManager[object] = atheris.instrument_imports(
        include=["pv", "pv_runtime"], enable_loader_override=False
    )
    return found


def try_guided(trial: Trial, seconds: float, seed: int, corpus: Path) -> None:
    """Try inputs for so many seconds by the clock, and end the process: with 0, or 1 where damage fails.

    libFuzzer never returns. It is left at once rather than by its own end, which runs what libraries do at
    exit: whatever else the process ends with is what an input did.
    """
    import atheris

    end = time.monotonic() + seconds

    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(trial.target.seeds()):
        (corpus / f"seed-{number}").write_bytes(data)

    def damage(data: bytes, most: int, number: int) -> bytes:
        random = Random(number)
        kind = random.random()
        try:
            if kind < 0.2:
                found = trial.target.made(random)
            elif kind < 0.6:
                found = damaged(data, random, trial.target.words)
            else:
                found = atheris.Mutate(data, most)
            return trial.target.mended(found, random)[:most]
        except BaseException:  # libFuzzer would report it as a fault of the last input
            traceback.print_exc()
            os._exit(1)

    def one(data: bytes) -> None:
        if time.monotonic() >= end:
            os._exit(0)
        trial.one(data)

    arguments = [
        "fuzz",
        f"-seed={seed}",
        f"-timeout={_NEVER}",
        f"-artifact_prefix={corpus.parent}/",
        "-max_len=65536",
        "-rss_limit_mb=0",
        "-verbosity=0",
        "-print_final_stats=0",
        "-reload=0",
        str(corpus),
    ]
    atheris.Setup(arguments, one, custom_mutator=damage)
    atheris.Fuzz()
