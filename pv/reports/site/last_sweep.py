"""What broke last night: the last sweep, by its journal."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from pv.errors import PvError
from pv.journal import ends, latest_journal, read_journal
from pv.needs import spell_duration
from pv.outcome import EXITS, Discharge

__all__ = ["Broken", "LastSweep", "last_sweep"]


@dataclasses.dataclass(frozen=True)
class Broken:
    """A falsifier that did not pass, or passed only when it was tried again."""

    address: str
    outcome: str
    why: str
    seconds: float
    attempts: tuple[str, ...] = ()
    """What earlier attempts ended with."""


@dataclasses.dataclass(frozen=True)
class LastSweep:
    """What the newest journal says; `fault` alone where it cannot be read."""

    journal: str = ""
    began: str = ""
    took: str = ""
    """In words; of a sweep that was not finished, how far it came."""
    command: str = ""
    counts: Mapping[str, int] = dataclasses.field(default_factory=dict)
    failed: tuple[Broken, ...] = ()
    errors: tuple[Broken, ...] = ()
    declined: tuple[Broken, ...] = ()
    retried: tuple[Broken, ...] = ()
    """What passed at last."""
    stepped_over: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    """What was planned and not begun."""
    fault: str = ""


def last_sweep(folder: Path) -> LastSweep | None:
    """Read the journal that was begun last in `folder`; None where there is none."""
    path = latest_journal(folder)
    if path is None:
        return None
    try:
        reading = read_journal(path)
        ended = [end for end, _ in ends(reading)]
    except (PvError, OSError) as error:
        told = error.what if isinstance(error, PvError) else str(error.strerror)
        return LastSweep(journal=path.name, fault=told)
    began = str(reading.sweep["at"])
    finished = str(reading.finish["at"]) if reading.finish else ""
    if finished and reading.finish and reading.finish.get("whole", True):
        took = _between(began, finished)
    else:
        took = f"not finished: {len(reading.outcomes)} of {len(reading.planned)} ended"
    broken: dict[str, list[Broken]] = {"failed": [], "errors": [], "declined": [], "retried": []}
    for end in ended:
        one = _broken(end)
        exit_ = EXITS[end.outcome].name
        kind = {"REJECTED": "failed", "ERROR": "errors", "DECLINED": "declined"}.get(exit_, "retried")
        if kind != "retried" or one.attempts:
            broken[kind].append(one)
    return LastSweep(
        journal=path.name,
        began=began,
        took=took,
        command=" ".join(str(word) for word in reading.sweep.get("argv", ())),
        counts=dict(sorted(Counter(reading.outcomes.values()).items())),
        failed=tuple(broken["failed"]),
        errors=tuple(broken["errors"]),
        declined=tuple(broken["declined"]),
        retried=tuple(broken["retried"]),
        stepped_over=reading.stepped_over,
        left=reading.left,
    )


def _broken(end: Discharge) -> Broken:
    failing = [line["text"] for line in (end.verdict or {}).get("lines", ()) if not line["truth"]]
    why = end.message.partition("\n")[0]
    if failing:
        why = "; ".join(failing) + (f" ({why})" if why else "")
    return Broken(end.address, end.outcome, why, end.seconds, end.attempts)


def _between(began: str, ended: str) -> str:
    taken = dt.datetime.fromisoformat(ended) - dt.datetime.fromisoformat(began)
    return spell_duration(max(0.0, taken.total_seconds()))
