"""Try inputs under libFuzzer, which keeps those that reach new code: for where atheris is installed.

Source: https://github.com/google/atheris. Damage is libFuzzer's own and, in turn, the format's.
"""

from __future__ import annotations

import contextlib
import importlib.util
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from benchmarks.fuzz.byte_damage import damaged

if TYPE_CHECKING:
    from benchmarks.fuzz.loop import Trial

__all__ = ["instrumented", "is_installed", "try_guided"]


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
    """Try inputs for so many seconds; ends the process, as libFuzzer does."""
    import atheris

    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(trial.target.seeds()):
        (corpus / f"seed-{number}").write_bytes(data)

    def damage(data: bytes, most: int, number: int) -> bytes:
        random = Random(number)
        kind = random.random()
        if kind < 0.2:
            found = trial.target.made(random)
        elif kind < 0.6:
            found = damaged(data, random, trial.target.words)
        else:
            found = atheris.Mutate(data, most)
        return trial.target.mended(found, random)[:most]

    def one(data: bytes) -> None:
        trial.one(data)

    arguments = [
        "fuzz",
        f"-max_total_time={max(1, round(seconds))}",
        f"-seed={seed}",
        "-max_len=65536",
        "-rss_limit_mb=0",
        "-timeout=0",
        "-verbosity=0",
        "-print_final_stats=0",
        "-reload=0",
        str(corpus),
    ]
    atheris.Setup(arguments, one, custom_mutator=damage)
    atheris.Fuzz()
