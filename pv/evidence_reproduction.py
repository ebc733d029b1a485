"""Run again what a record says was run, apart from the evidence, and compare."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pv.config import Config
from pv.discharge import Tell, discharge
from pv.evidence import Record, read_record, records_of
from pv.outcome import Discharge, Options
from pv.record_differences import RecordDifferences, compare_records
from pv.runner import Runner
from pv.selection import Selected
from pv.subjects import Subjects
from pv.verify import verify

__all__ = ["Reproduction", "reproduce"]


@dataclasses.dataclass(frozen=True)
class Reproduction:
    """How running it again ended; `differences` is None where there is nothing to compare."""

    end: Discharge
    differences: RecordDifferences | None


def reproduce(
    record: Record,
    item: Selected,
    config: Config,
    subjects: Subjects,
    runner: Runner,
    tell: Tell = lambda _what, _done, _total: None,
) -> Reproduction:
    """Discharge the falsifier of `record` again: same level, kind of device and seed; the evidence stays.

    Raises
    ------
    EvidenceError
        The record does not verify.
    """
    verify(record)
    place, seed = record.predicate["place"], record.predicate["run"]["seed"]
    with _aside(config) as elsewhere:
        options = Options(
            level=place["level"],
            device="cuda" if place["device"].startswith("cuda") else "auto",
            seed=seed,
            force=True,
            argv=("pv", "evidence", "reproduce"),
        )
        end = discharge(item.contract, item.falsifier, elsewhere, subjects, runner, options, tell)
        made = [read_record(path) for path in _made(elsewhere, item)]
        alike = [each for each in made if each.predicate["place"]["level"] == place["level"]]
        return Reproduction(end, compare_records(record, alike[0]) if alike else None)


def _made(config: Config, item: Selected) -> list[Path]:
    return records_of(config.evidence, item.contract.stem, item.falsifier.id)


@contextmanager
def _aside(config: Config) -> Iterator[Config]:
    """Return the configuration with evidence in a folder of its own, which is removed in the end."""
    parent = config.root / ".pv"
    parent.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="reproduced-", dir=parent))
    try:
        yield dataclasses.replace(config, evidence=folder, past={}, names={})
    finally:
        shutil.rmtree(folder, ignore_errors=True)
