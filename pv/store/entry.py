"""An entry of a store: that there is a record, for which place, and what it is ranked by."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

from pv.errors import EvidenceError
from pv.evidence_choice import Candidate
from pv.evidence_transfer import is_name
from pv.record_facts import Refused

__all__ = [
    "FOLDER",
    "SIGNATURES",
    "Entry",
    "address_of",
    "entry_name",
    "folder_of",
    "object_name",
    "read_entry",
    "signatures_folder",
]

FOLDER = "records"
SIGNATURES = "signatures"
VERSION = 1
_DIGEST = re.compile(r"[0-9a-f]{64}")
_STATED = ("name", "contract", "identifier", "base_level", "clause", "inputs", "started_at")


@dataclasses.dataclass(frozen=True)
class Entry:
    """A candidate, and the digests of its sidecars by name."""

    candidate: Candidate
    sidecars: Mapping[str, str]

    def to_bytes(self) -> bytes:
        """Return what the store holds: the same bytes for the same record, whoever writes them."""
        stated = dataclasses.asdict(self.candidate)
        document = {"version": VERSION, **stated, "sidecars": dict(self.sidecars)}
        return json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"


def folder_of(contract: str, identifier: str) -> str:
    """Return the folder of one falsifier's entries; names are quoted as in URLs."""
    return f"{FOLDER}/{quote(contract, safe='')}/{quote(identifier, safe='')}"


def address_of(entry: Entry | Refused) -> tuple[str, str]:
    """Return contract and id of the falsifier that an entry is of, or what lies in its place."""
    if isinstance(entry, Entry):
        return entry.candidate.contract, entry.candidate.identifier
    _, contract, identifier, *_ = *entry.name.split("/"), "", ""
    return unquote(contract), unquote(identifier)


def entry_name(candidate: Candidate) -> str:
    """Return where the entry of `candidate` lies in a store."""
    return f"{folder_of(candidate.contract, candidate.identifier)}/{candidate.digest}.json"


def object_name(digest: str) -> str:
    """Return where the bytes of that sha256 lie in a store."""
    return f"objects/{digest[:2]}/{digest}"


def signatures_folder(digest: str) -> str:
    """Return the folder of the envelopes of the record that has that sha256."""
    return f"{SIGNATURES}/{digest}"


def read_entry(name: str, data: bytes) -> Entry:
    """Read the entry that lies at `name`.

    Raises
    ------
    EvidenceError
        It is none, or another one than its name says.
    """
    try:
        document = json.loads(data)
        sidecars: dict[str, str] = dict(document["sidecars"])
        texts = [*(document[key] for key in _STATED), document["digest"], *sidecars, *sidecars.values()]
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("a value is no text")
        if not all(map(_DIGEST.fullmatch, [document["digest"], *sidecars.values()])):
            raise ValueError("a digest is none")
        entry = Entry(
            Candidate(digest=document["digest"], **{key: document[key] for key in _STATED}), sidecars
        )
        _refuse_other(entry, document["version"], name)
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise EvidenceError(
            f"{name} in the store is no entry: {error}", remedy="remove it, and push the record again"
        ) from error
    return entry


def _refuse_other(entry: Entry, version: Any, name: str) -> None:
    if version != VERSION:
        raise ValueError(f"it is of version {version!r}")
    candidate = entry.candidate
    inside = candidate.name.startswith(f"{candidate.contract}/{candidate.identifier}/")
    if not is_name(candidate.name) or not inside:
        raise ValueError("its record would lie elsewhere")
    if entry_name(candidate) != name:
        raise ValueError("it is another one than its name says")
