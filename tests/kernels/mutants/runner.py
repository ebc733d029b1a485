"""Mutants in processes of their own, several at a time: a hang or a crash ends one process and no more."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import pytest

from tests.kernels.mutants.catalogue import Mutant
from tests.kernels.mutants.suite import run_suite, stage_of

__all__ = ["Outcome", "run", "run_one"]

QUIET_SECONDS = 300.0
"""After so long in one test a mutant hangs."""
_PRELOADED = ["torch", "triton", "triton.runtime.interpreter", "pytest", "hypothesis", "numpy"]
"""Imported once, and nothing of ours: each child imports its own mutant."""


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant.

    Parameters
    ----------
    stage
        Where it was caught: a stage of the suite, ``import``, ``crash`` or ``hang``; empty if it survived.
    test
        The test that failed or was running.
    seconds
        How long that took.
    """

    mutant: Mutant
    stage: str
    test: str
    seconds: float

    @property
    def caught(self) -> bool:
        """Whether anything went wrong in it."""
        return bool(self.stage)


def _child(connection: Connection, kernel: str, module: str, text: str, only: str) -> None:
    def report(what: str, test: str) -> None:
        connection.send((what, test))

    connection.send(("begin", ""))
    # What a mutant or a test prints is nobody's business here.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    connection.send(("end", str(run_suite(kernel, module, text, report, only))))


def _start(*arguments: Any) -> tuple[BaseProcess, Connection]:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(theirs, *arguments), daemon=True)
    process.start()
    theirs.close()
    return process, ours


def run_one(mutant: Mutant, *, quiet: float = QUIET_SECONDS, only: str = "") -> Outcome:
    """Run the suite on one mutant, until a test fails, the process dies, or a test takes `quiet` seconds.

    Raises
    ------
    RuntimeError
        The suite did not begin, or had no test: nothing could have been caught.
    """
    started = time.monotonic()
    process, connection = _start(mutant.kernel, mutant.module, mutant.text, only)
    stage, test, ended = "", "", ""
    while not stage and not ended:
        try:
            if not connection.poll(quiet):
                stage = "hang"
                break
            what, said = connection.recv()
        except EOFError:
            process.join()
            if not test and process.exitcode not in {-signal.SIGSEGV, -signal.SIGBUS}:
                raise RuntimeError(f"the suite could not be started; exit code {process.exitcode}") from None
            stage = "crash"
            break
        if what == "begin":
            test = said
        elif what == "fail":
            stage, test = stage_of(said), said
        else:
            ended = said
    process.kill()
    process.join()
    connection.close()
    if ended and not stage and ended != str(int(pytest.ExitCode.OK)):
        # No test failed, but one could not be collected, since the mutant raises while it is imported.
        if ended != str(int(pytest.ExitCode.INTERRUPTED)):
            raise RuntimeError(
                f"pytest ended with {ended} on the mutant of {mutant.function}: {mutant.after}"
            )
        stage = "import"
    return Outcome(mutant, stage, test, time.monotonic() - started)


def run(
    mutants: Iterable[Mutant], jobs: int, one: Callable[[Mutant], Outcome] = run_one
) -> Iterator[Outcome]:
    """Yield the outcomes as they come, `jobs` at a time."""
    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(one, mutant) for mutant in mutants]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
