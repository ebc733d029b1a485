"""Where the past of a falsifier is found: the evidence folder, git, the ledger, the store."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from pv.config import Config
from pv.errors import EvidenceError
from pv.evidence import records_of
from pv.evidence_transfer import Carried, carry, check
from pv.git_records import Committed, committed_records
from pv.record_facts import Facts, Refused, facts_of

__all__ = ["SOURCES", "Found", "committed", "configured", "gather", "remember"]

Address = tuple[str, str]
_Answer = TypeVar("_Answer")
Source = Callable[[Address, Config], Iterator[Facts | Refused]]

_FEW = 16
_PATIENCE_SECONDS = 2.0


@dataclasses.dataclass(frozen=True)
class Found:
    """The facts of every record of one falsifier, each once; and what was there and does not verify."""

    facts: tuple[Facts, ...]
    refused: tuple[Refused, ...]
    counts: Mapping[str, int]
    """Source → how many records it has."""


def gather(address: Address, config: Config, sources: Collection[str] | None = None) -> Found:
    """Collect the records of the falsifier `address` (contract, id), by default from all that are configured.

    A record that lies in several places is one. Of what git has, the history of the current branch counts.

    Raises
    ------
    PvError
        The ledger or the store cannot be read.
    """
    facts: dict[str, Facts] = {}
    refused: dict[Refused, None] = {}
    counts: dict[str, int] = defaultdict(int)
    for name in configured(config) if sources is None else sources:
        for one in SOURCES[name](address, config):
            if isinstance(one, Refused):
                refused[one] = None
            else:
                facts.setdefault(one.digest, one)
                counts[name] += 1
    ordered = sorted(facts.values(), key=lambda one: (one.started_at, one.digest))
    return Found(tuple(ordered), tuple(refused), dict(counts))


def configured(config: Config) -> list[str]:
    """Return the sources that there are: a ledger that is named or filled, a store that is named."""
    from pv.ledger.place import DEFAULT

    there = {
        "ledger": bool(config.ledger or (config.root / DEFAULT).is_file()),
        "folder": True,
        "git": True,
        "store": bool(config.store),
    }
    return [name for name, is_there in there.items() if is_there]


def committed(config: Config) -> Committed:
    """Return what git has of evidence, listed once a command."""
    if "git" not in config.past:
        config.past["git"] = committed_records(config)
    found: Committed = config.past["git"]
    return found


def _folder(address: Address, config: Config) -> Iterator[Facts | Refused]:
    for path in records_of(config.evidence, *address):
        try:
            yield _verified(carry(path), config)
        except EvidenceError as error:
            yield Refused.of("/".join(path.parts[-3:]), error)


def _git(address: Address, config: Config) -> Iterator[Facts | Refused]:
    for one in committed(config).read(*address):
        if isinstance(one, Refused):
            yield one
            continue
        try:
            yield _verified(one, config)
        except EvidenceError as error:
            yield Refused.of(one.name, error)


def _ledger(address: Address, config: Config) -> Iterator[Facts | Refused]:
    from pv.ledger import open_ledger

    if "ledger" not in config.past:
        config.past["ledger"] = open_ledger(None, config, patience=_PATIENCE_SECONDS)
    ask = config.past["ledger"].facts
    for one in _answers("ledger", ask, lambda facts: (facts.contract, facts.identifier), address, config):
        remember(one, config)
        yield one


def _store(address: Address, config: Config) -> Iterator[Facts | Refused]:
    from pv.store import open_store
    from pv.store.entry import address_of

    if "store" not in config.past:
        config.past["store"] = open_store(None, config)
    store = config.past["store"]
    entries = _answers("store", store.entries, address_of, address, config)
    yield from store.verified(entries, config.past.get("verified", {}))


def _answers(
    source: str,
    ask: Callable[[Sequence[Address]], Sequence[_Answer]],
    of: Callable[[_Answer], Address],
    address: Address,
    config: Config,
) -> Sequence[_Answer]:
    """Ask a source of one falsifier; who asks of many is answered out of one answer about all."""
    asked: set[Address] = config.past.setdefault(f"{source} was asked of", set())
    asked.add(address)
    if len(asked) <= _FEW:
        return ask([address])
    known: dict[Address, list[_Answer]] | None = config.past.get(f"all of {source}")
    if known is None:
        known = defaultdict(list)
        for one in ask(()):
            known[of(one)].append(one)
        config.past[f"all of {source}"] = known
    return known.get(address, ())


SOURCES: Mapping[str, Source] = {"ledger": _ledger, "folder": _folder, "git": _git, "store": _store}
"""The ledger first: what it has was verified when it was entered, and need not be again."""


def remember(facts: Facts, config: Config) -> None:
    """Take it from now on, within this command, that the record of `facts` verifies."""
    config.past.setdefault("verified", {})[facts.digest] = facts


def _verified(carried: Carried, config: Config) -> Facts:
    """Verify a record once a command, however many places it lies in.

    Raises
    ------
    EvidenceError
        It does not verify.
    """
    known: dict[str, Facts] = config.past.setdefault("verified", {})
    if carried.digest not in known:
        known[carried.digest] = facts_of(check(carried, Path()), carried.digest)
    return known[carried.digest]
