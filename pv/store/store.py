"""Push records into a store, list what it holds, fetch and verify."""

from __future__ import annotations

import functools
import hashlib
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from pv.config import Config
from pv.errors import ConfigError, EvidenceError
from pv.evidence_choice import candidate_of
from pv.evidence_import import Offer
from pv.evidence_transfer import Carried, check
from pv.record_facts import Facts, Refused, facts_of
from pv.signatures.together import signatures_in, signatures_over
from pv.store.entry import (
    FOLDER,
    SIGNATURES,
    Entry,
    entry_name,
    folder_of,
    object_name,
    read_entry,
    signatures_folder,
)
from pv.store.objects import Objects

__all__ = ["Store", "open_store"]

_NOTHING: Mapping[str, Facts] = types.MappingProxyType({})


class Store:
    """A history of records at a URL; see :mod:`pv.store` for how it lies there."""

    def __init__(self, url: str) -> None:
        self._objects = Objects(url)
        self.shown = self._objects.shown

    def push(self, carried: Carried) -> bool:
        """Add a record and its signatures; return False where the record is there already.

        Raises
        ------
        EvidenceError
            It does not verify, its envelope signed other bytes, or the store holds other bytes under a digest
            of its.
        StoreError
            The store cannot be written.
        """
        facts = facts_of(check(carried, Path()), carried.digest)
        digests = {name: hashlib.sha256(data).hexdigest() for name, data in carried.sidecars.items()}
        entry = Entry(candidate_of(carried.name, facts), digests)
        name = entry_name(entry.candidate)
        self._push_signatures(carried)
        known = self._objects.get(name)
        if known == entry.to_bytes():
            return False
        if known is not None:
            raise EvidenceError(
                f"{carried.name}: the store has another entry {name}", remedy="see who changed it there"
            )
        for digest, data in [(digests[key], carried.sidecars[key]) for key in digests] + [
            (carried.digest, carried.data)
        ]:
            if not self._objects.put(object_name(digest), data):
                self._bytes(digest, carried.name)
        return self._objects.put(name, entry.to_bytes())

    def _push_signatures(self, carried: Carried) -> None:
        if carried.envelope is None:
            return
        if not signatures_over(carried):
            raise EvidenceError(
                f"{carried.name}: its envelope has no signature of it",
                remedy="`pv evidence sign` makes it again",
            )
        digest = hashlib.sha256(carried.envelope).hexdigest()
        self._objects.put(f"{signatures_folder(carried.digest)}/{digest}.json", carried.envelope)

    @functools.cached_property
    def _envelopes(self) -> Mapping[str, Sequence[str]]:
        """Record's digest → names of its envelopes, listed once: most records have none."""
        found: dict[str, list[str]] = {}
        for name in self._objects.names(SIGNATURES):
            found.setdefault(name.split("/")[1], []).append(name)
        return found

    def signatures(self, digest: str) -> dict[str, bytes]:
        """Return key id → signature of the record of that digest, of all that pushed it; none is verified.

        Raises
        ------
        StoreError
            The store cannot be read.
        """
        data = self._objects.get(object_name(digest)) if digest in self._envelopes else None
        found: dict[str, bytes] = {}
        if data is not None:
            for _, envelope in self._objects.get_all(self._envelopes[digest]):
                found |= signatures_in(envelope, data)
        return found

    def entries(self, addresses: Sequence[tuple[str, str]] = ()) -> list[Entry | Refused]:
        """List the records of the falsifiers `addresses` (contract, id), or all; and what is no entry.

        Raises
        ------
        StoreError
            The store cannot be read.
        """
        folders = [folder_of(*address) for address in addresses] or [FOLDER]
        names = [name for folder in folders for name in self._objects.names(folder)]
        found: list[Entry | Refused] = []
        for name, data in self._objects.get_all(names):
            try:
                found.append(read_entry(name, data))
            except EvidenceError as error:
                found.append(Refused.of(name, error))
        return found

    def fetch(self, entry: Entry) -> Carried:
        """Return the record of `entry`: its bytes have the digest that it is known by.

        Raises
        ------
        EvidenceError
            Bytes are missing or others. Whether the record verifies is not looked at.
        StoreError
            The store cannot be read.
        """
        name = entry.candidate.name
        data = self._bytes(entry.candidate.digest, name)
        sidecars = {beside: self._bytes(digest, name) for beside, digest in sorted(entry.sidecars.items())}
        return Carried(name, data, sidecars)

    def offers(self, addresses: Sequence[tuple[str, str]] = ()) -> tuple[list[Offer], list[Refused]]:
        """Return what the store offers for the evidence folder, and its faulty entries.

        Raises
        ------
        StoreError
            The store cannot be read.
        """
        entries = self.entries(addresses)
        offers = [
            Offer(
                one.candidate,
                functools.partial(self.fetch, one),
                functools.partial(self.signatures, one.candidate.digest),
            )
            for one in entries
            if isinstance(one, Entry)
        ]
        return offers, [one for one in entries if isinstance(one, Refused)]

    def verified(
        self, entries: Iterable[Entry | Refused], known: Mapping[str, Facts] = _NOTHING
    ) -> Iterator[Facts | Refused]:
        """Yield the facts of each record, fetched and verified, and what does not verify.

        Those `known` by the digest of their record are not fetched.

        Raises
        ------
        StoreError
            The store cannot be read.
        """
        for entry in entries:
            if isinstance(entry, Refused):
                yield entry
            elif entry.candidate.digest in known:
                yield known[entry.candidate.digest]
            else:
                try:
                    carried = self.fetch(entry)
                    yield facts_of(check(carried, Path()), carried.digest)
                except EvidenceError as error:
                    yield Refused.of(entry.candidate.name, error)

    def _bytes(self, digest: str, of: str) -> bytes:
        data = self._objects.get(object_name(digest))
        if data is None:
            raise EvidenceError(
                f"{of}: the store has no object {digest}", remedy="push the record again where it was made"
            )
        if hashlib.sha256(data).hexdigest() != digest:
            raise EvidenceError(
                f"{of}: the object {digest} in the store was corrupted",
                remedy=f"remove {object_name(digest)} there, and push the record again where it was made",
            )
        return data


def open_store(url: str | None, config: Config) -> Store:
    """Open the store at `url`, or the one that ``pv.toml`` names.

    Raises
    ------
    ConfigError
        Neither names one, or nothing that is installed speaks its protocol.
    """
    chosen = url or config.store
    if not chosen:
        raise ConfigError(
            "no store was named, and pv.toml has none", remedy='give its URL, or add [store] url = "..."'
        )
    return Store(chosen)
