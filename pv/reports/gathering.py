"""From what a command knows to a :class:`pv.reports.model.Report`, and to the files that were asked for.

``with reporting(arguments.report, …) as gathered:`` around a command. Whatever happens in the block, the
reports are written: a command that broke has a report that says so, and what it had found by then.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
import shlex
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pv import __version__
from pv.config import Config
from pv.contract import Contract, Falsifier
from pv.errors import Location, PvError
from pv.exits import Exit
from pv.finding import Finding
from pv.outcome import Discharge
from pv.printable import printable
from pv.reports.discharge import margin
from pv.reports.model import Report, Result, Step, top_of
from pv.status import derive
from pv.tally import Row

__all__ = [
    "Gathered",
    "moved",
    "reproduction",
    "result_of_discharge",
    "result_of_row",
    "where_of",
    "worst_cases",
]


class Gathered:
    """What a command has found so far, and how it ended."""

    def __init__(self, command: str, root: Path) -> None:
        self.command = command
        self.base = top_of(root.resolve())
        self.results: list[Result] = []
        self.findings: list[Finding] = []
        self.files: list[str] = []
        self.strict = False
        self.ended: Exit | None = None
        self._started = dt.datetime.now(dt.UTC)
        self._clock = time.monotonic()

    def add_findings(self, findings: Iterable[Finding], files: Iterable[str | Path]) -> None:
        """Take what was found in `files`, with positions moved to the top of the repository."""
        self.files += [moved(Location(str(path), 1, 1), self.base).path for path in files]
        self.findings += [dataclasses.replace(one, where=moved(one.where, self.base)) for one in findings]

    def report(self, error: BaseException | None = None) -> Report:
        """Return the report; `error` is what ended the command, where something did."""
        ended = Exit.ERROR if self.ended is None else self.ended
        told = ""
        if isinstance(error, PvError):
            ended, told = error.exit, str(error)
        elif isinstance(error, KeyboardInterrupt):
            ended, told = Exit.INTERRUPTED, "interrupted"
        elif isinstance(error, SystemExit):
            told = f"ended with {error.code}"
        elif error is not None:
            told = f"{type(error).__name__}: {error}"
        elif self.ended is None:
            told = "the command did not say how it ended"
        return Report(
            command=self.command,
            version=__version__,
            ended=ended,
            base=str(self.base),
            started=self._started.isoformat(timespec="seconds"),
            seconds=round(time.monotonic() - self._clock, 3),
            files=tuple(dict.fromkeys(self.files)),
            results=tuple(self.results),
            findings=tuple(self.findings),
            strict=self.strict,
            error=told,
        )


def moved(where: Location, base: Path) -> Location:
    """Return `where` with a path relative to `base`, where it lies below it; others stay as they are."""
    # By the links of the way to it, not of the file: a contract that is a link is shown by its own name.
    path = os.path.normpath(Path(where.path).absolute())
    for start in (base, base.resolve()):
        if Path(path).is_relative_to(start):
            return dataclasses.replace(where, path=Path(path).relative_to(start).as_posix())
    return where


def result_of_discharge(
    contract: Contract,
    falsifier: Falsifier,
    end: Discharge,
    config: Config,
    *,
    waived: str = "",
    options: Sequence[str] = (),
) -> Result:
    """Return how a run ended; `options` are the words that it was asked for with, besides the level."""
    verdict = end.verdict or {}
    closest: Mapping[str, Any] = verdict.get("closest") or {}
    try:
        status = derive(contract, falsifier, config).name
    except PvError:
        status = ""  # the run was judged all the same
    return Result(
        address=end.address,
        where=moved(where_of(falsifier, config), top_of(config.root.resolve())),
        rule=end.rule,
        outcome=end.outcome,
        status=status,
        level=end.level or "",
        subject=end.subject or "",
        device=end.device or "",
        message=end.message if end.outcome != "Pass" else "",
        detail=end.detail,
        margin=margin(end.verdict),
        relative=_number(closest.get("relative")),
        seconds=end.seconds,
        fresh=end.fresh,
        lines=tuple((line["text"], bool(line["truth"])) for line in verdict.get("lines", ())),
        worst=tuple(worst_cases(verdict)),
        missed=tuple(plant.name for plant in end.plants if not plant.caught),
        declined=tuple(Step(one.level, one.why, one.command) for one in end.declined),
        records=end.records,
        attempts=end.attempts,
        waived=waived,
        reproduce=reproduction(end.address, end.level, options),
    )


def result_of_row(row: Row, config: Config, waived: str = "", *, begun: bool = True) -> Result:
    """Return what evidence supports for one falsifier; `begun` is False where it was to run and did not."""
    records = row.status.records
    last = records[-1].predicate if records else None
    verdict = last["verdict"] if last else {}
    place = last["place"] if last else {}
    return Result(
        address=row.address,
        where=moved(where_of(row.falsifier, config), top_of(config.root.resolve())),
        rule=row.falsifier.rule,
        status=row.status.name,
        level=str(place.get("level", "")),
        subject=str(place.get("subject", "")),
        device=str(place.get("device", "")),
        message=row.status.reason,
        margin=margin(verdict or None),
        relative=_number((verdict.get("closest") or {}).get("relative")),
        seconds=float(last["run"]["seconds"]) if last else 0.0,
        fresh=bool(last) and row.status.name != "STALE",
        lines=tuple((line["text"], bool(line["truth"])) for line in verdict.get("lines", ())),
        worst=tuple(worst_cases(verdict)),
        records=tuple(config.relative(record.path) for record in records),
        waived=waived,
        begun=begun,
        reproduce=reproduction(row.address, place.get("level")),
    )


def where_of(falsifier: Falsifier, config: Config) -> Location:
    """Return where a falsifier stands, by a path that leads there from the folder of the command."""
    # Contracts are found from the folder of the command, or from that of the project.
    where = falsifier.where
    if Path(where.path).exists():
        return where
    return dataclasses.replace(where, path=str(config.root / where.path))


def worst_cases(verdict: Mapping[str, Any]) -> Iterator[str]:
    """Yield the worst cases of a verdict, in words."""
    for line in verdict.get("lines", ()):
        for trace in line["comparisons"]:
            for case in trace.get("worst", ()):
                yield f"{trace['text']}: {case['label'] or 'sample ' + str(case['index'])}: {case['value']}"


def reproduction(address: str, level: str | None, options: Sequence[str] = ()) -> str:
    """Return the command that judges a falsifier again and records nothing, quoted for a shell."""
    words = ["pv", "discharge", address]
    words += ["--level", level] if level else []
    # Control characters do not belong on anybody's command line, in whatever quotes.
    return " ".join(shlex.quote(printable(word)) for word in (*words, *options, "--no-record"))


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
