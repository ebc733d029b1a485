"""Evidence: one JSON record of one run, an in-toto Statement v1, sealed section by section.

``evidence/<contract>/<ID>/<level>-<subject>-<device>[-<run>].json``. The seal lets a reader name the
section that was edited; it is no signature, which :mod:`pv.signatures` makes. The verdict that is stored is
never trusted: see :mod:`pv.verify`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import glob
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from pv.canonical import canonical, digest_of
from pv.errors import EvidenceError
from pv.evidence_files import SIDECAR_SUFFIX, envelope_of, is_record_name
from pv.regular_file import read_regular_file
from pv.semantics import SEMANTICS
from pv.whole_file import make_folder, replace_file

__all__ = [
    "PREDICATE_TYPE",
    "SCHEMA_VERSION",
    "STATEMENT_TYPE",
    "Record",
    "RepeatedKeyError",
    "locked",
    "parse_record",
    "parse_strict",
    "read_record",
    "record_path",
    "records_of",
    "remove_partial",
    "seal",
    "sections",
    "sidecars_of",
    "spelled",
    "statement",
    "superseded",
    "write_record",
    "write_unchanged",
]

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:pv:discharge:v1"
SCHEMA_VERSION = 2
_SIDECAR_BYTES = 1 << 18
_LONGEST_NAME = 255  # bytes that Linux has for the name of a file


class RepeatedKeyError(EvidenceError):
    """A file has a key twice: two readers would read two things."""


@dataclasses.dataclass(frozen=True)
class Record:
    """A record as read: its file and its statement, not yet verified."""

    path: Path
    statement: Mapping[str, Any]

    @property
    def predicate(self) -> Mapping[str, Any]:
        """The part that is ours."""
        predicate: Mapping[str, Any] = self.statement["predicate"]
        return predicate


def record_path(
    evidence: Path,
    contract: str,
    identifier: str,
    level: str,
    subject: str,
    device: str,
    run: str | None = None,
) -> Path:
    """Return where the record of one run lies; `run` is its key, where a claim is about several."""
    name = "-".join([level, subject, device, *([run] if run else [])])
    return evidence / contract / identifier / f"{name}.json"


def statement(predicate: Mapping[str, Any]) -> dict[str, Any]:
    """Wrap `predicate` into a sealed in-toto statement; its subjects repeat the predicate's inputs."""
    whole: dict[str, Any] = {
        "_type": STATEMENT_TYPE,
        "subject": subjects_of(predicate),
        "predicateType": PREDICATE_TYPE,
        "predicate": dict(predicate),
    }
    whole["predicate"]["seal"] = seal(whole)
    return whole


def subjects_of(predicate: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List what the statement is about: the clause, the check's closure, each artefact by its digest."""
    falsifier = predicate["falsifier"]
    named = [
        (f"clause:{falsifier['contract']}#{falsifier['id']}", predicate["inputs"]["clause"]),
        (f"check:{predicate['check']['reference']}", predicate["inputs"]["check"]),
        *((f"artefact:{role}={s['name']}", s["sha256"]) for role, s in sorted(predicate["subjects"].items())),
    ]
    return [{"name": name, "digest": {"sha256": digest}} for name, digest in named]


def sections(whole: Mapping[str, Any]) -> dict[str, Any]:
    """Name the parts that are sealed one by one: every key of the predicate, and the statement around it."""
    parts = {key: value for key, value in whole["predicate"].items() if key != "seal"}
    parts["statement"] = {key: value for key, value in whole.items() if key != "predicate"}
    return parts


def seal(whole: Mapping[str, Any]) -> dict[str, str]:
    """Return section → sha256 of its canonical spelling."""
    return {name: digest_of(part) for name, part in sorted(sections(whole).items())}


def write_record(path: Path, predicate: Mapping[str, Any]) -> None:
    """Write one record atomically: readers see the old one or the new one, never half.

    Long series go into a sidecar beside it, written first and named by its digest, so that the old
    record keeps its own until it is replaced. Writers of one folder wait for each other.
    """
    make_folder(path.parent)
    with locked(path.parent):
        _write_record(path, predicate)


def _write_record(path: Path, predicate: Mapping[str, Any]) -> None:
    long = {key: predicate[key] for key in ("measurements", "counter_examples", "runs") if key in predicate}
    kept = dict(predicate)
    sidecar: Path | None = None
    if len(canonical(long)) > _SIDECAR_BYTES:
        sidecar = path.with_name(f"{path.stem}.{digest_of(long)[:12]}{SIDECAR_SUFFIX}")
        replace_file(sidecar, canonical(long) + b"\n")
        for key, value in long.items():
            kept[key] = {"sidecar": sidecar.name, "sha256": digest_of(value)}
    _replace_record(path, spelled(statement(kept)), {sidecar.name} if sidecar else set())


def spelled(whole: Mapping[str, Any]) -> bytes:
    """Return a statement as it is written into a file: one spelling, which whoever reads it can make again.

    Raises
    ------
    ValueError
        It holds NaN or an infinity, which JSON cannot spell.
    """
    text = json.dumps(whole, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"


def write_unchanged(
    path: Path,
    data: bytes,
    sidecars: Mapping[str, bytes],
    still: Callable[[], bool] = lambda: True,
) -> bool:
    """Put the bytes of a record that was made elsewhere at `path`, its `sidecars` (name → bytes) first.

    Atomic, and under the folder's lock, as :func:`write_record`. Whether the record is in order is for the
    caller to have made sure of. `still` is asked under the lock; where it says no, nothing is written and
    False is returned.
    """
    make_folder(path.parent)
    with locked(path.parent):
        if not still():
            return False
        for partial in path.parent.glob(f".{glob.escape(path.stem)}.*"):
            partial.unlink(missing_ok=True)  # a writer was killed here
        for name, series in sorted(sidecars.items()):
            replace_file(path.with_name(name), series)
        _replace_record(path, data, set(sidecars))
    return True


def _replace_record(path: Path, data: bytes, sidecars: AbstractSet[str]) -> None:
    # First what signed the old one: a reader may find the old record unsigned, but never the new one beside
    # an envelope of another. The same bytes stay signed.
    signed = envelope_of(path)
    if signed.is_file() and not (path.is_file() and path.read_bytes() == data):
        signed.unlink(missing_ok=True)
    replace_file(path, data)
    for other in path.parent.glob(f"*{SIDECAR_SUFFIX}"):
        if other.name not in sidecars and re.fullmatch(
            rf"{re.escape(path.stem)}\.[0-9a-f]{{12}}", other.name[: -len(SIDECAR_SUFFIX)]
        ):
            other.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Have the folder of one falsifier to oneself: every writer waits, readers do not."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        # Some network file systems cannot: there, the last writer wins.
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def read_record(path: Path) -> Record:
    """Read one record; long series are brought in from the sidecar, whose digest is checked.

    Raises
    ------
    EvidenceError
        It cannot be read, is not strict JSON, has not the shape of a record, or its sidecar differs.
    """
    if path.exists() and not path.is_file():
        raise EvidenceError(f"{path.name} is no regular file", remedy="take it away")
    data = _read_bytes(path)

    def beside(name: str) -> bytes | None:
        sidecar = path.with_name(name)
        try:
            return read_regular_file(sidecar) if sidecar.is_file() else None
        except FileNotFoundError:  # it may go after it was seen
            return None
        except OSError as error:
            raise EvidenceError(
                f"{name[:60]} cannot be read: {error.strerror}", remedy="restore it, or discharge again"
            ) from error

    while True:
        try:
            return parse_record(path, data, beside)
        except EvidenceError:
            # A writer may have replaced the record since, and taken the sidecar of the old one away.
            if (now := _read_bytes(path)) == data:
                raise
            data = now


def _read_bytes(path: Path) -> bytes:
    try:
        return read_regular_file(path)
    except OSError as error:
        raise EvidenceError(
            f"{path.name} cannot be read: {error.strerror}", remedy="restore it, or discharge again"
        ) from error


def superseded(path: Path, clause: str) -> dict[str, str] | None:
    """Return the version and clause digest of the record at `path` whose place a record of `clause` takes.

    A record of the same clause hands on what it superseded itself: measuring again does not make forget
    that the clause was changed. None where nothing is superseded.
    """
    try:
        predicate = read_record(path).predicate
        stated, before = predicate["falsifier"], str(predicate["inputs"]["clause"])
        if (predicate["schema_version"], predicate["inputs"]["semantics"]) != (SCHEMA_VERSION, SEMANTICS):
            return None  # another engine may have digested the same clause in another way
        if before != clause:
            return {"version": str(stated["version"]), "clause": before}
        known = stated.get("supersedes")
        return {"version": str(known["version"]), "clause": str(known["clause"])} if known else None
    except (EvidenceError, LookupError, TypeError, AttributeError):
        return None


def parse_record(path: Path, data: bytes, read_sidecar: Callable[[str], bytes | None]) -> Record:
    """Parse the bytes of a record; `read_sidecar` gives the bytes of a file beside it, None where it is not.

    Raises
    ------
    EvidenceError
        As :func:`read_record`.
    """
    whole = parse_strict(path.name, data)
    if (
        not isinstance(whole, dict)
        or not isinstance(whole.get("predicate"), dict)
        or not isinstance(whole["predicate"].get("seal"), dict)
    ):
        raise _unusable(path.name, "section statement is not that of a record")
    predicate = whole["predicate"]
    for key, stored in [*predicate.items()]:
        if isinstance(stored, dict) and set(stored) == {"sidecar", "sha256"}:
            name = _sidecar_name(path.name, key, stored)
            series = parse_strict(name, read_sidecar(name) or b"null")
            if not isinstance(series, dict) or digest_of(series.get(key)) != stored["sha256"]:
                raise _unusable(path.name, f"section {key} differs from its sidecar {stored['sidecar']}")
            if predicate["seal"].get(key) != digest_of(stored):
                raise _unusable(path.name, f"section {key} was altered after it was sealed")
            predicate[key] = series[key]
            predicate["seal"][key] = digest_of(series[key])
    return Record(path, whole)


def sidecars_of(name: str, data: bytes) -> tuple[str, ...]:
    """Return the names of the sidecars that the bytes of the record called `name` refer to, sorted.

    Raises
    ------
    EvidenceError
        They are not strict JSON, or name a sidecar that cannot lie beside the record.
    """
    whole = parse_strict(name, data)
    predicate = whole.get("predicate") if isinstance(whole, dict) else None
    found = set()
    for key, stored in predicate.items() if isinstance(predicate, dict) else ():
        if isinstance(stored, dict) and set(stored) == {"sidecar", "sha256"}:
            found.add(_sidecar_name(name, key, stored))
    return tuple(sorted(found))


def _sidecar_name(record: str, key: str, stored: Mapping[str, Any]) -> str:
    name = str(stored["sidecar"])
    too_long = len(name.encode("utf-8", "surrogatepass")) > _LONGEST_NAME
    if not name.endswith(SIDECAR_SUFFIX) or "/" in name or "\0" in name or too_long:
        raise _unusable(record, f"section {key} names no sidecar")
    return name


def records_of(evidence: Path, contract: str, identifier: str) -> list[Path]:
    """List the record files of one falsifier, sorted by name."""
    folder = evidence / contract / identifier
    return sorted(path for path in folder.glob("*.json") if is_record_name(path.name))


def remove_partial(evidence: Path, contract: str, identifier: str) -> None:
    """Remove what a writer that was killed had not renamed yet; no other is at it while we hold the lock."""
    folder = evidence / contract / identifier
    if folder.is_dir():
        with locked(folder):
            for partial in folder.glob(".*.json.*"):
                partial.unlink(missing_ok=True)


def _unusable(name: str, why: str) -> EvidenceError:
    return EvidenceError(f"{name}: {why}", remedy="restore it from git, or discharge again")


def parse_strict(name: str, data: bytes) -> Any:
    """Parse the bytes of a file called `name` as JSON that has one meaning: no key twice, no NaN.

    Raises
    ------
    EvidenceError
        They are not that; a key that stands twice has an error of its own.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise RepeatedKeyError(
                f"{name}: not strict JSON: key {twice!r} stands twice",
                remedy="restore it from git, or discharge again",
            )
        return found

    def refuse(word: str) -> Any:
        raise ValueError(f"{word} is not JSON")

    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=unique, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise _unusable(name, f"not strict JSON: {error}") from error
