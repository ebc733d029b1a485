"""Fuzz one format in children: start another where one ended by a signal or stands still."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.fuzz.board import Board, Counts
from benchmarks.fuzz.finds import keep

__all__ = ["STILL", "fuzz"]

STILL = 20.0
"""Seconds by the clock that one input may take before its child is ended: it hangs."""
_ROOT = Path(__file__).parents[2]
_AGAIN = """
import sys, pathlib
from benchmarks.fuzz import attempt, registry
folder = pathlib.Path(sys.argv[2])
ending = attempt.attempt(registry.target_of(sys.argv[1]), (folder / "input").read_bytes(), folder)
sys.exit(ending.kind == "escaped")
"""
_QUIET = {
    **dict.fromkeys(("OMP_NUM_THREADS", "RAYON_NUM_THREADS", "MALLOC_ARENA_MAX"), "1"),
    "TOKENIZERS_PARALLELISM": "false",
}
_OUR_FAULT = 1
"""With which a child ends that fails otherwise than at an input, of which it catches every exception."""
_STARTS = 60.0
"""Seconds that a child may take to import and to read the seeds."""


def fuzz(name: str, engine: str, seconds: float, seed: int, finds: Path) -> Counts:
    """Fuzz the format `name` for so many seconds by the clock, and return what came of it.

    Raises
    ------
    RuntimeError
        The child cannot start, or does not accept a seed.
    """
    total, whole = Counts(), False
    end = time.monotonic() + seconds
    # Memory, where the system has such a folder: a disk would be most of the time.
    shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108
    while not whole and (not total.tried or time.monotonic() < end - 1):
        left = max(end - time.monotonic(), 1.0)
        with tempfile.TemporaryDirectory(prefix="pv-fuzz-", dir=shared) as folder:
            counts, whole = _child(name, engine, left, seed, Path(folder), finds)
        total += counts
        seed += 1
    return total


def _child(
    name: str, engine: str, seconds: float, seed: int, folder: Path, finds: Path
) -> tuple[Counts, bool]:
    """Return what one child counted, and whether it came to its own end; where it did not, that escaped."""
    arguments = [name, engine, str(seconds), str(seed), str(folder), str(finds)]
    with Board(folder / "board") as board, (folder / "said").open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "benchmarks.fuzz.child", *arguments],
            stdout=said,  # where atheris says what was raised
            stderr=said,
            cwd=_ROOT,
            env=_environment(),
        )
        hung = _wait(process, board)
        counts = board.counts()
        if process.returncode == 0:
            return counts, True
        words = (folder / "said").read_text(encoding="utf-8", errors="replace")[-2000:]
        if not counts.tried or process.returncode == _OUR_FAULT:
            raise RuntimeError(f"{name}: the child ended with {process.returncode}: {words}")
        data = board.current()
        how = "hung" if hung else f"ended the process with {process.returncode}"
        if not hung and _reads_well_alone(name, data):
            how += ", but not alone: it takes what was read before it"
        keep(finds, name, ("process", how), f"{how} (seed {seed}): {words}", data)
        return counts + Counts(tried=1, escaped=1), False


def _reads_well_alone(name: str, data: bytes) -> bool:
    """Read an input again in a process that does nothing else, and say whether that came to its end."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "input").write_bytes(data)
        command = [sys.executable, "-P", "-c", _AGAIN, name, folder]
        try:
            ended = subprocess.run(
                command,
                cwd=_ROOT,
                env=_environment(),
                check=False,
                capture_output=True,
                timeout=_STARTS + STILL,
            )
        except subprocess.TimeoutExpired:
            return False
    return ended.returncode == 0


def _environment() -> dict[str, str]:
    return {**os.environ, **_QUIET, "PYTHONPATH": os.pathsep.join((str(_ROOT), *sys.path[1:]))}


def _wait(process: subprocess.Popen[bytes], board: Board) -> bool:
    """Wait for the end; end a child that stands still, and say that it did."""
    tried, since = -1, time.monotonic()
    while True:
        try:
            process.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            now = board.counts().tried
            if now != tried:
                tried, since = now, time.monotonic()
            elif time.monotonic() - since > (STILL if tried > 0 else _STARTS):
                process.kill()
                process.wait()
                return True
        else:
            return False
