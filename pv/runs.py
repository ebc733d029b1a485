"""Claims over several runs: one run by seed, by UTC day or by host, and all of them under one rule.

Each run leaves a record of its own, named by its key. The rule is judged over the union of their series,
in which a sample is labelled by its run: ``max(accuracy) - min(accuracy) <= 0.012`` says that no two runs
differ by more. Until as many runs as ``at_least`` are there, nothing is judged.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pv.canonical import digest_of
from pv.contract import LEVELS, Falsifier, Runs
from pv.evidence import Record
from pv.expression import Measurements, measurements_from_json
from pv.expression.values import Series

if TYPE_CHECKING:
    import datetime as dt

__all__ = [
    "CitedRun",
    "cited_runs",
    "complete",
    "copied",
    "counts",
    "host_key",
    "judged_measurements",
    "measurements_together",
    "missing_runs",
    "run_key",
    "union",
]

_MACHINE = Path("/etc/machine-id")


@dataclasses.dataclass(frozen=True)
class CitedRun:
    """An earlier run that a verdict rests on: its key, its record's name and digest, what it measured."""

    key: str
    record: str
    sha256: str
    measurements: Measurements


def run_key(by: str, *, seed: int, today: dt.date) -> str:
    """Name a run: ``seed-7``, ``day-2026-11-20`` (UTC) or ``host-`` and twelve digits of a hash."""
    if by == "seed":
        return f"seed-{seed}"
    return f"day-{today.isoformat()}" if by == "day" else host_key()


def host_key() -> str:
    """Tell this host from others without naming it."""
    import socket  # here, because `pv validate` needs this module but not this function

    try:
        identity = _MACHINE.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        identity = ""
    # A container often has no machine id, but a host name of its own.
    return "host-" + hashlib.sha256(f"pv run\0{identity or socket.gethostname()}".encode()).hexdigest()[:12]


def union(parts: Mapping[str, Measurements]) -> dict[str, Series]:
    """Join what several runs measured, in the order of their keys; a label begins with its run's key.

    A metric that one run did not record is shorter by that much, and the rule sees it.
    """
    joined: dict[str, tuple[list[Any], list[str]]] = {}
    for key in sorted(parts, key=_natural):
        for metric, series in parts[key].items():
            values, labels = joined.setdefault(metric, ([], []))
            values += series.values
            labels += [
                key if (label := series.label(index)) is None else f"{key}/{label}"
                for index in range(len(series))
            ]
    return {metric: Series(tuple(values), tuple(labels)) for metric, (values, labels) in joined.items()}


def _natural(key: str) -> tuple[str, int, str]:
    """Order ``seed-2`` before ``seed-10``."""
    kind, _, rest = key.partition("-")
    return kind, int(rest) if rest.isdigit() else -1, rest


def cited_runs(records: Iterable[Record], *, besides: str) -> tuple[CitedRun, ...]:
    """Return the runs that `records` hold, in the order of their keys, but the one whose key is `besides`."""
    found = [
        CitedRun(
            record.predicate["place"]["run"],
            "/".join(record.path.parts[-3:]),
            digest_of(record.statement),
            measurements_from_json(record.predicate["measurements"]),
        )
        for record in records
    ]
    return tuple(sorted((run for run in found if run.key != besides), key=lambda run: _natural(run.key)))


def judged_measurements(predicate: Mapping[str, Any]) -> Measurements:
    """Return what a record's verdict is about: its own series, joined with those of the runs that it cites.

    Raises
    ------
    EvidenceError
        They have not the shape of measurements.
    """
    own = measurements_from_json(predicate["measurements"])
    runs = predicate.get("runs")
    if runs is None:
        return own
    parts = {cited["key"]: measurements_from_json(cited["measurements"]) for cited in runs["cites"]}
    return union({**parts, runs["key"]: own})


def measurements_together(records: Iterable[Record]) -> Measurements:
    """Return the series of several runs' records, joined.

    Raises
    ------
    EvidenceError
        They have not the shape of measurements.
    """
    return union(
        {
            str(record.predicate["place"]["run"]): measurements_from_json(record.predicate["measurements"])
            for record in records
        }
    )


def copied(records: Iterable[Record]) -> str:
    """Name a run by host that is another's record under its own key; empty if there is none.

    No two hosts begin at one second, take the same time to the millisecond and the same memory to the byte.
    """
    known: dict[tuple[Any, ...], str] = {}
    for record in records:
        place, run = record.predicate["place"], record.predicate["run"]
        facts = (place["level"], run["started_at"], run["seconds"], run["peak_memory_bytes"])
        if other := known.get(facts):
            return f"the runs {other} and {place.get('run')} are one: begun, and measured, at the same time"
        known[facts] = str(place.get("run"))
    return ""


def complete(falsifier: Falsifier, runs: Runs, records: Sequence[Record]) -> tuple[list[Record], str]:
    """Return the runs of every level that has as many as it needs, in the order of their keys.

    The second part says what the highest of the other levels still lacks; empty if none does.
    """
    kept: list[Record] = []
    missing = ""
    for level in LEVELS:
        here = {
            str(record.predicate["place"].get("run")): record
            for record in records
            if record.predicate["place"]["level"] == level
        }
        counted = sorted((key for key in here if counts(runs, key)), key=_natural)
        lacking = missing_runs(runs, counted)
        if not lacking:
            kept += [here[key] for key in counted]
        elif counted or level in falsifier.subjects:
            missing = lacking
    return kept, missing


def counts(runs: Runs, key: str) -> bool:
    """Tell whether the run `key` is one that the claim asks for."""
    if runs.by == "seed":
        return key in {f"seed-{seed}" for seed in runs.seeds}
    return key.startswith(f"{runs.by}-")


def missing_runs(runs: Runs, keys: Sequence[str]) -> str:
    """Say which runs are still missing when those of `keys` are there; empty if none is."""
    present = set(keys)
    if runs.by == "seed":
        missing = [f"{seed}" for seed in runs.seeds if f"seed-{seed}" not in present]
        return f"no run with seed {', '.join(missing)}" if missing else ""
    if len(present) >= runs.at_least:
        return ""
    others = {"day": "another day", "host": "another host"}[runs.by]
    return f"{len(present)} of {runs.at_least} runs by {runs.by}; discharge it again on {others}"
