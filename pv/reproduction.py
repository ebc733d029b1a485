"""Whether the verdicts that are on record at a git revision are given again."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping

from pv.config import Config
from pv.contract import Contract, Falsifier
from pv.evidence import read_record, record_path
from pv.outcome import Discharge
from pv.revision import committed_folder

__all__ = ["Recorded", "compared", "recorded_at"]


@dataclasses.dataclass(frozen=True)
class Recorded:
    """A verdict on record; of a claim over several runs it is about them all, or says nothing yet."""

    outcome: str
    level: str
    several: bool


def recorded_at(
    revision: str, contract: Contract, falsifier: Falsifier, config: Config
) -> dict[str, Recorded]:
    """Return the verdicts of `falsifier` at `revision`, by path; of runs, only where enough were there.

    Raises
    ------
    RevisionError
        There is no such revision.
    """
    found = {}
    folder = config.relative(config.evidence / contract.stem / falsifier.id)
    for path, data in committed_folder(config.root, revision, folder).items():
        try:
            predicate = json.loads(data)["predicate"]
            runs = predicate.get("runs")
            if runs is None or len(runs["cites"]) + 1 >= runs["at_least"]:
                verdict = str(predicate["verdict"]["outcome"])
                found[path] = Recorded(verdict, str(predicate["place"]["level"]), runs is not None)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            continue
    return found


def compared(end: Discharge, before: Mapping[str, Recorded], revision: str, config: Config) -> Discharge:
    """Return `end`, or, where a verdict is not the one on record at `revision`, a failure that says so."""
    for name, outcome in _now(end, before, config).items():
        if name in before and before[name].outcome != outcome:
            was = before[name].outcome
            message = f"{outcome} here, {was} in {name} at {revision}: the verdict is not reproduced"
            return dataclasses.replace(end, outcome="Fail", message=message)
    return end


def _now(end: Discharge, before: Mapping[str, Recorded], config: Config) -> dict[str, str]:
    """Return record → outcome as it is now; where nothing was recorded, what was judged last stands in."""
    verdict = str(end.verdict["outcome"]) if end.verdict else ""
    if end.runs:
        # Each run's record was judged with those that were there: only all of them together compare.
        at_level = [path for path, known in before.items() if known.several and known.level == end.level]
        now = {} if end.outcome == "Declined" else dict.fromkeys(at_level, verdict)
        recorded = [path for path in end.records if path not in before or not before[path].several]
    else:
        now, recorded = {}, list(end.records)
    for path in recorded:
        predicate = read_record(config.root / path).predicate
        if "runs" not in predicate:
            now[path] = str(predicate["verdict"]["outcome"])
    if not now and verdict and end.level and end.subject and end.device:
        stem, _, identifier = end.address.partition("#")
        named = record_path(config.evidence, stem, identifier, end.level, end.subject, end.device)
        now[config.relative(named)] = verdict
    return now
