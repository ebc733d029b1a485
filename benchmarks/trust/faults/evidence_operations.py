"""What is done with evidence: records written, replaced, brought from elsewhere, and tidied up."""

from __future__ import annotations

import functools
from collections.abc import Hashable
from pathlib import Path
from typing import Any

from benchmarks.trust.faults.operations import Operation
from pv.evidence import (
    read_record,
    record_path,
    records_of,
    remove_partial,
    sidecars_of,
    write_record,
    write_unchanged,
)

__all__ = ["ADDRESS", "EVIDENCE", "made", "where"]

ADDRESS = ("crash-v1", "FALSIFY-CRASH-001")
LONG = 1 << 18
"""A note of so many characters goes into a sidecar."""


def made(number: int, length: int = 3) -> dict[str, Any]:
    """Return a predicate that follows from `number`, with a note of `length` characters."""
    return {
        "schema_version": 2,
        "falsifier": {"contract": ADDRESS[0], "id": ADDRESS[1], "version": "1.0.0"},
        "check": {"reference": "checks:crash"},
        "inputs": {"clause": f"{number:064x}", "check": f"{number:064x}"},
        "subjects": {},
        "measurements": {"distance": [number], "note": f"{number % 10}" * length},
        "number": number,
    }


def where(folder: Path, level: str = "live") -> Path:
    """Return where the record lies."""
    return record_path(folder / "evidence", *ADDRESS, level, "s", "cpu")


def read(folder: Path) -> Hashable:
    """Return the numbers of all records, each read whole, and whether it says what was written."""
    found = []
    for path in records_of(folder / "evidence", *ADDRESS):
        predicate = read_record(path).predicate
        number, length = predicate["number"], len(predicate["measurements"]["note"])
        if predicate["measurements"] != made(number, length)["measurements"] or length not in {3, LONG}:
            raise ValueError(f"{path.name} is mixed")
        found.append((path.name, number, length))
    return tuple(found)


def _put(number: int, length: int, folder: Path) -> None:
    write_record(where(folder), made(number, length))


def _nothing(folder: Path) -> None:
    (folder / "evidence").mkdir()


def _import(folder: Path) -> None:
    source = folder / "other"
    data = where(source).read_bytes()
    sidecars = {
        name: where(source).with_name(name).read_bytes() for name in sidecars_of(where(source).name, data)
    }
    write_unchanged(where(folder), data, sidecars)


def _before_import(length: int, folder: Path) -> None:
    _put(1, length, folder)
    _put(2, LONG, folder / "other")


def _killed(folder: Path) -> None:
    """Leave what a writer that was killed leaves."""
    _put(1, 3, folder)
    where(folder).with_name(f".{where(folder).name}.abcdefgh").write_bytes(b"{")


def _tidy(folder: Path) -> None:
    remove_partial(folder / "evidence", *ADDRESS)


def _files(folder: Path) -> Hashable:
    return read(folder), tuple(sorted(path.name for path in where(folder).parent.iterdir()))


_part = functools.partial
EVIDENCE = (
    Operation("record, the first", _nothing, _part(_put, 1, 3), read),
    Operation("record, the first of a project", lambda _: None, _part(_put, 1, 3), read),
    Operation("record, replaced", _part(_put, 1, 3), _part(_put, 2, 3), read),
    Operation("record with a sidecar, the first", _nothing, _part(_put, 1, LONG), read),
    Operation("record with a sidecar, replaced", _part(_put, 1, LONG), _part(_put, 2, LONG), read),
    Operation("record with a sidecar, by one without", _part(_put, 1, LONG), _part(_put, 2, 3), read),
    Operation("record without a sidecar, by one with", _part(_put, 1, 3), _part(_put, 2, LONG), read),
    Operation("record imported over one", _part(_before_import, 3), _import, read),
    Operation("record imported over one with a sidecar", _part(_before_import, LONG), _import, read),
    Operation("what a killed writer left, removed", _killed, _tidy, _files, promise="cache"),
)
