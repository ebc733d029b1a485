"""Which records count: those that verify and, where ``pv.toml`` names a policy, that satisfy it.

Whatever rests on a record reads it here: statuses, what is fresh enough not to be run again, and gates.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from pv.config import Config
from pv.errors import EvidenceError
from pv.evidence import Record, read_record
from pv.verify import verify

__all__ = ["Fault", "counted_record", "counted_records"]


@dataclasses.dataclass(frozen=True)
class Fault:
    """Why a record counts for nothing, and what to do about it where a policy refuses it."""

    what: str
    step: str = ""


def counted_records(paths: Iterable[Path], config: Config) -> tuple[list[Record], list[Fault]]:
    """Return the records that count for a status, and why each of the others does not.

    Raises
    ------
    PolicyError, ConfigError
        See :func:`counted_record`.
    """
    records: list[Record] = []
    faults: list[Fault] = []
    for path in paths:
        try:
            records.append(counted_record(path, config, outcomes_only=True))
        except EvidenceError as error:
            faults.append(Fault(error.what, error.remedy if config.policies else ""))
    return records, faults


def counted_record(path: Path, config: Config, *, outcomes_only: bool = False) -> Record:
    """Return the record at `path`, if it counts in the project `config`.

    With `outcomes_only`, it is verified as far as a status needs (:func:`pv.verify.verify`).

    Raises
    ------
    EvidenceError
        It cannot be read, does not verify, or does not satisfy a policy of the project.
    PolicyError, ConfigError
        A policy cannot be read, or what verifies signatures is not installed: nothing can be told then.
    """
    if config.policies:
        # Imported late: most projects demand no signature, and what verifies one takes long to import.
        from pv.signatures.demanded import demanded_record

        return demanded_record(path, config, outcomes_only=outcomes_only)
    record = read_record(path)
    verify(record, outcomes_only=outcomes_only)
    return record
