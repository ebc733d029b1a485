"""What lies in a falsifier's folder of evidence: records, and beside each what belongs to it.

A record is ``<stem>.json``. Its long series lie in a sidecar, ``<stem>.<12 digits>.series.json``, and its
signatures in an envelope, ``<stem>.dsse.json``. Neither is ever a record.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["ENVELOPE_SUFFIX", "SIDECAR_SUFFIX", "envelope_of", "is_record_name", "record_of"]

SIDECAR_SUFFIX = ".series.json"
ENVELOPE_SUFFIX = ".dsse.json"


def is_record_name(name: str) -> bool:
    """Tell whether a file of that name is a record, and not what lies beside one."""
    return name.endswith(".json") and not name.endswith((SIDECAR_SUFFIX, ENVELOPE_SUFFIX))


def envelope_of(record: Path) -> Path:
    """Return where the signatures of the record at `record` lie."""
    return record.with_name(f"{record.stem}{ENVELOPE_SUFFIX}")


def record_of(envelope: Path) -> Path:
    """Return where the record lies that the envelope at `envelope` is beside."""
    return envelope.with_name(f"{envelope.name.removesuffix(ENVELOPE_SUFFIX)}.json")
