"""The working stack that defects are planted on: this project with its engine, and projects of their own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.replay.defect import Played, Said
from benchmarks.replay.project import Project
from pv.config import Config, load_config
from pv.contract import Falsifier
from pv.discharge_check import Work
from pv.evidence import read_record
from pv.measuring import Stop
from pv.outcome import Discharge, Options
from pv.recorded import Enough
from pv.reports.discharge import told
from pv.runner import Runner
from pv.selection import select
from pv.subjects import Subjects
from pv.verify import verify

__all__ = ["ROOT", "ReplayError", "Stack"]

ROOT = Path(__file__).resolve().parents[2]
_LINES = 2
"""How many failing lines of a rule are shown, and how much of what explains each."""


class ReplayError(Exception):
    """A defect could not be planted, or the control could not be judged."""


class _Whole(Work):
    """A discharge whose damaged runs go on to their end: what they measured is shown to people."""

    def _enough(self) -> Enough:
        return lambda _: False


class Stack:
    """Our project, judged by its own engine, and an empty folder; use it as a context.

    Parameters
    ----------
    folder
        Where evidence of the replay and small projects are written; our own evidence stays as it is.
    """

    def __init__(self, folder: Path, root: Path = ROOT) -> None:
        self.folder = folder
        self.config: Config = load_config(root)
        self._runner = Runner(root / ".pv")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.close()

    def project(self, name: str) -> Project:
        """Return a new small project."""
        return Project(self.folder / name)

    def planted(self, falsifier: str, counter_example: str) -> Played:
        """Judge a falsifier of this project as it is, and with one of its counter-examples planted.

        The check, the rule and the subject are those of the contract; what is left out are the other
        counter-examples and the doses. Both verdicts are read from the record, which is verified.

        Raises
        ------
        ReplayError
            It was not judged, or not both times.
        PvError
            There is no such falsifier, or no such counter-example of it.
        """
        (chosen,) = select([falsifier], self.config)
        clause = dataclasses.replace(chosen.falsifier, counter_examples=(counter_example,), must_detect={})
        evidence = self.folder / f"{falsifier}.{counter_example}"
        config = dataclasses.replace(self.config, evidence=evidence)
        options = Options(level="algorithm", device="cpu", force=True)
        work = _Whole(
            chosen.contract, clause, config, Subjects(config), self._runner, options, lambda *_: None, []
        )
        try:
            work.run()
        except Stop as stop:
            raise ReplayError(f"{falsifier}: {stop.message} {stop.detail}".strip()) from stop
        finally:
            work.release()
        (path,) = evidence.rglob("algorithm-*.json")
        record = read_record(path)
        verify(record)
        control = record.predicate["verdict"]
        shown = record.predicate["counter_examples"].get(counter_example)
        if shown is None:
            raise ReplayError(f"{falsifier} fails before anything is planted: {_message(clause, control)}")
        return Played(_said(clause, control), _said(clause, shown["verdict"]))


def _said(clause: Falsifier, verdict: Mapping[str, Any]) -> Said:
    if verdict["outcome"] == "Pass":
        return Said(())
    return Said((clause.id,), _message(clause, verdict))


def _message(clause: Falsifier, verdict: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what ``pv discharge`` prints of this verdict, without the lines that hold."""
    # Of a line of several comparisons only those that are false are to be explained. Lines over what was
    # not measured say the least, and come last.
    failing_only = [
        {**line, "comparisons": [each for each in line["comparisons"] if not each["truth"]]}
        for line in verdict["lines"]
        if not line["truth"]
    ]
    failing_only.sort(key=lambda line: not any("left" in each for each in line["comparisons"]))
    cut = {**verdict, "lines": failing_only}
    end = Discharge(clause.id, clause.rule, "Fail", message=clause.if_fails, verdict=cut)
    kept: list[str] = []
    failing = explained = 0
    for line in told(end)[2:]:
        word = line[:14].strip()
        failing += word == "FAILS"
        explained = 0 if word else explained + 1
        if word == "because" or (word in {"FAILS", ""} and 0 < failing <= _LINES and explained <= _LINES):
            kept.append(" ".join(line.split()))
    return tuple(kept)
