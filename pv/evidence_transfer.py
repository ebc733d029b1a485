"""Records on their way from one host to another: as they are, and verified before they are written.

A *bundle* is JSON: file name relative to the evidence folder → text. It holds records, and beside each the
sidecars that it names, and nothing else: no signatures, since what makes bundles has just measured.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from pv.config import Config
from pv.errors import EvidenceError
from pv.evidence import Record, parse_record, record_path, sidecars_of, write_unchanged
from pv.evidence_files import SIDECAR_SUFFIX, envelope_of, is_record_name
from pv.regular_file import read_regular_file
from pv.verify import verify

__all__ = ["Carried", "bundle_of", "carry", "check", "is_name", "place", "receive", "unbundle"]

_PART = re.compile(r"[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*")
"""One part of a record's name: no hidden file, no way up, nothing that drives a terminal."""


@dataclasses.dataclass(frozen=True)
class Carried:
    """A record and its sidecars as bytes; not verified until :func:`check` says so."""

    name: str
    """Relative to the evidence folder: ``contract/ID/file.json``."""
    data: bytes
    sidecars: Mapping[str, bytes]
    """Name → bytes of what lies beside it."""
    envelope: bytes | None = None
    """Its signatures, where it has any: :mod:`pv.signatures` judges them, here they are only carried."""

    @property
    def digest(self) -> str:
        """The sha256 of the record's bytes: what stores and ledgers know it by."""
        return hashlib.sha256(self.data).hexdigest()


def carry(path: Path) -> Carried:
    """Read the record at `path` as it is, with what lies beside it; it lies in an evidence folder.

    Raises
    ------
    EvidenceError
        It or a sidecar cannot be read, or it is not strict JSON.
    """
    path = path.absolute()
    name = "/".join(path.parts[-3:])
    data = _read(path)
    while True:
        try:
            sidecars = {other: _read(path.with_name(other)) for other in sidecars_of(name, data)}
        except EvidenceError:
            # A writer may have replaced the record since, and taken the sidecar of the old one away.
            if (now := _read(path)) == data:
                raise
            data = now
        else:
            signed = envelope_of(path)
            return Carried(name, data, sidecars, _read(signed) if os.path.lexists(signed) else None)


def _read(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise EvidenceError(f"{path.name} is no regular file", remedy="take it away")
        return read_regular_file(path)
    except OSError as error:
        raise EvidenceError(
            f"{path.name} cannot be read: {error.strerror}", remedy="restore it, or discharge again"
        ) from error


def bundle_of(paths: Iterable[Path]) -> dict[str, str]:
    """Return the records at `paths`, which lie in an evidence folder, and their sidecars as a bundle.

    Raises
    ------
    EvidenceError
        One cannot be read, or is not text in UTF-8.
    """
    bundle: dict[str, str] = {}
    for path in paths:
        carried = carry(path)
        folder = PurePosixPath(carried.name).parent
        files = {carried.name: carried.data}
        files |= {str(folder / name): data for name, data in carried.sidecars.items()}
        for name, data in files.items():
            try:
                bundle[name] = data.decode("utf-8")
            except UnicodeDecodeError as error:
                raise EvidenceError(
                    f"{name}: not strict JSON: {error}", remedy="restore it from git, or discharge again"
                ) from error
    return bundle


def unbundle(bundle: Mapping[str, str]) -> list[Carried]:
    """Return the records of a bundle, in the order of their names; not verified.

    Raises
    ------
    EvidenceError
        A name is not that of a file in an evidence folder, a sidecar is missing, or one belongs to no record.
    """
    files: dict[str, bytes] = {}
    for name, text in bundle.items():
        if not is_name(name):
            raise EvidenceError(f"{name!r} is no name of a record", remedy="make the bundle again")
        try:
            files[name] = text.encode("utf-8")
        except (UnicodeEncodeError, AttributeError) as error:
            raise EvidenceError(f"{name}: not text in UTF-8", remedy="make the bundle again") from error
    found: list[Carried] = []
    used: set[str] = set()
    for name in sorted(files):
        if name.endswith(SIDECAR_SUFFIX):
            continue
        if not is_record_name(name):
            raise EvidenceError(f"{name} is no record", remedy="make the bundle again")
        folder = PurePosixPath(name).parent
        sidecars: dict[str, bytes] = {}
        for beside in sidecars_of(name, files[name]):
            whole = str(folder / beside)
            if whole not in files:
                raise EvidenceError(
                    f"{name}: its sidecar {beside} did not come with it", remedy="make the bundle again"
                )
            sidecars[beside] = files[whole]
            used.add(whole)
        used.add(name)
        found.append(Carried(name, files[name], sidecars))
    if idle := sorted(set(files) - used):
        raise EvidenceError(f"{idle[0]} belongs to no record beside it", remedy="make the bundle again")
    return found


def place(carried: Carried) -> str:
    """Return the name under which the record says that it lies, whatever file it was found in.

    Raises
    ------
    EvidenceError
        It has not the shape of a record, or its place is none.
    """
    predicate = parse_record(Path(carried.name), carried.data, carried.sidecars.get).predicate
    try:
        falsifier, where = predicate["falsifier"], predicate["place"]
        run = where.get("run")
        parts = record_path(
            Path(),
            _text(falsifier["contract"]),
            _text(falsifier["id"]),
            _text(where["level"]),
            _text(where["subject"]),
            _text(where["device"]),
            None if run is None else _text(run),
        ).parts
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise EvidenceError(
            f"{carried.name} has not the shape of a record", remedy="`pv evidence verify` says more"
        ) from error
    name = "/".join(parts)
    if not is_name(name) or not is_record_name(name):
        raise EvidenceError(f"{carried.name}: section place is none", remedy="discharge again")
    return name


def is_name(name: str) -> bool:
    """Tell whether `name` is that of a file in an evidence folder, and leads nowhere else."""
    parts = name.split("/")
    return len(parts) == 3 and all(map(_PART.fullmatch, parts)) and name.endswith(".json")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def check(carried: Carried, evidence: Path) -> Record:
    """Return the record as read and verified, as it would lie below `evidence`.

    Raises
    ------
    EvidenceError
        It does not verify, says that it lies elsewhere, or would write over another record's sidecar.
    """
    if not is_name(carried.name) or not is_record_name(carried.name):
        raise EvidenceError(f"{carried.name!r} is no name of a record", remedy="carry it again")
    for name, series in carried.sidecars.items():
        # Named by its record and its bytes: so it is nobody else's.
        digest = hashlib.sha256(series.removesuffix(b"\n")).hexdigest()
        if name != f"{PurePosixPath(carried.name).stem}.{digest[:12]}.series.json":
            raise EvidenceError(
                f"{carried.name}: its sidecar {name} is not named by its bytes", remedy="discharge again"
            )
    if carried.sidecars and tuple(sorted(carried.sidecars)) != sidecars_of(carried.name, carried.data):
        raise EvidenceError(f"{carried.name}: other sidecars came with it", remedy="carry it again")
    record = parse_record(evidence / carried.name, carried.data, carried.sidecars.get)
    verify(record)
    return record


def receive(bundle: Mapping[str, str], config: Config) -> tuple[str, ...]:
    """Write the records of a bundle into the evidence folder; return their names, sorted.

    All are verified before the first is written. They take the place of what was there, as those of a
    discharge on this host do; :mod:`pv.evidence_import` is for records that must be better to be taken.

    Raises
    ------
    EvidenceError
        The bundle is none, or one of its records does not verify: nothing was written.
    """
    every = unbundle(bundle)
    for carried in every:
        check(carried, config.evidence)
    for carried in every:
        write_unchanged(config.evidence / carried.name, carried.data, carried.sidecars)
    return tuple(carried.name for carried in every)
