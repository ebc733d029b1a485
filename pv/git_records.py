"""Every record that was ever committed: the evidence folder keeps the latest, git keeps the others."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from pv.config import Config
from pv.errors import EvidenceError, SelectionError
from pv.evidence import sidecars_of
from pv.evidence_files import SIDECAR_SUFFIX, is_record_name
from pv.evidence_transfer import Carried
from pv.git import Repository, find_repository
from pv.git_objects import Blobs
from pv.record_facts import Refused

__all__ = ["Committed", "committed_records"]


@dataclasses.dataclass(frozen=True)
class Committed:
    """Where the versions of all evidence files lie among git's objects."""

    records: Mapping[tuple[str, str], tuple[tuple[str, str], ...]]
    """(contract, ID) → (name, blob) of each version of each record, the latest commit first."""
    sidecars: Mapping[str, str]
    """Name → blob; their names hold their digests, so that each has one version."""

    blobs: Blobs | None = dataclasses.field(repr=False, compare=False)
    """What reads them; None where there are none."""

    def read(self, contract: str, identifier: str) -> Iterator[Carried | Refused]:
        """Yield the records of one falsifier, as they were committed; not verified.

        Raises
        ------
        SelectionError
            Git does not have an object, as in a partial clone.
        """
        for name, blob in self.records.get((contract, identifier), ()):
            assert self.blobs is not None  # noqa: S101 -- there are records
            data = self.blobs.read(blob)
            folder = PurePosixPath(name).parent
            try:
                beside = sidecars_of(name, data)
                series = {other: self.blobs.read(self.sidecars[str(folder / other)]) for other in beside}
            except KeyError as error:
                yield Refused(name, f"its sidecar {error.args[0]} was never committed")
            except EvidenceError as error:
                yield Refused.of(name, error)
            else:
                yield Carried(name, data, series)


def committed_records(config: Config) -> Committed:
    """List every version of every evidence file that the current branch's history has.

    Empty where the project is in no git repository, or nothing was committed yet.
    """
    records: dict[tuple[str, str], dict[tuple[str, str], None]] = {}
    sidecars: dict[str, str] = {}
    try:
        repository = find_repository(config.root)
    except SelectionError:
        return Committed({}, {}, None)
    if config.evidence.resolve().is_relative_to(config.root):
        for path, blob in _versions(repository, config):
            if len(path.parts) != 3 or path.suffix != ".json":
                continue
            if path.name.endswith(SIDECAR_SUFFIX):
                sidecars.setdefault(str(path), blob)
            elif is_record_name(path.name):
                records.setdefault((path.parts[0], path.parts[1]), {})[str(path), blob] = None
    return Committed(
        {address: tuple(versions) for address, versions in records.items()},
        sidecars,
        Blobs(repository) if records else None,
    )


def _versions(repository: Repository, config: Config) -> Iterator[tuple[PurePosixPath, str]]:
    """Yield path below the evidence folder and blob of each file that a commit added or altered."""
    folder = config.evidence.resolve().relative_to(repository.top.resolve())
    words = ("log", "-z", "--raw", "--no-abbrev", "--no-renames", "--diff-filter=AM", "-m", "--format=")
    try:
        told = repository.run(*words, "--", f"{folder}/")
    except SelectionError:
        return
    parts = iter(told.split(b"\0"))
    for part in parts:
        # ":<mode> <mode> <blob> <blob> <letter>", then the path
        words_of = part.strip(b"\n").decode("ascii", "replace").split()
        if len(words_of) == 5 and words_of[0].startswith(":"):
            path = PurePosixPath(os.fsdecode(next(parts)))
            yield path.relative_to(folder), words_of[3]
