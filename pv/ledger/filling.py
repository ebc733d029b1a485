"""From records to the ledger: all that a source has, or what a sweep has just recorded."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Collection, Iterable, Iterator

from pv.config import Config
from pv.errors import PvError
from pv.history_sources import SOURCES, committed, remember
from pv.ledger.ledger import Ledger, open_ledger
from pv.printable import printable
from pv.record_facts import Facts, Refused

__all__ = ["FILLED_FROM", "Filled", "enter_sweep", "fill"]

FILLED_FROM = ("folder", "git", "store")
_AT_ONCE = 500


@dataclasses.dataclass(frozen=True)
class Filled:
    """How many records were read and how many of them are new to the ledger; and what does not verify."""

    read: int
    new: int
    refused: tuple[Refused, ...]


def fill(ledger: Ledger, config: Config, sources: Collection[str]) -> Filled:
    """Enter every record of `sources` into `ledger`; what is there already is not verified again.

    Raises
    ------
    PvError
        A source cannot be read.
    LedgerError
        The ledger cannot be written. What was entered so far stays.
    """
    for one in ledger.facts():
        remember(one, config)
    return _enter(ledger, (one for source in sources for one in _everything(source, config)))


def enter_sweep(addresses: Iterable[str], config: Config) -> None:
    """Enter what the evidence folder holds of `addresses` into the ledger that ``pv.toml`` names.

    A ledger that is away fails no sweep: the records are in the folder, and can be entered later.
    """
    try:
        ledger = open_ledger(None, config)
        pairs = [address.rpartition("#")[::2] for address in addresses]
        filled = _enter(ledger, (one for pair in pairs for one in SOURCES["folder"](pair, config)))
    except PvError as error:
        print(printable(f"not entered into the ledger: {error.what}"), file=sys.stderr)
        print("    `pv evidence ledger` enters it later", file=sys.stderr)
    else:
        print(printable(f"ledger   {filled.new} entered: {ledger.shown}"), file=sys.stderr)


def _enter(ledger: Ledger, found: Iterable[Facts | Refused]) -> Filled:
    refused: dict[Refused, None] = {}
    seen: set[str] = set()
    waiting: list[Facts] = []
    new = 0
    for one in found:
        if isinstance(one, Refused):
            refused[one] = None
        elif one.digest not in seen:
            seen.add(one.digest)
            waiting.append(one)
        if len(waiting) == _AT_ONCE:
            new += ledger.enter(waiting)
            waiting = []
    return Filled(len(seen), new + ledger.enter(waiting), tuple(refused))


def _everything(source: str, config: Config) -> Iterator[Facts | Refused]:
    if source == "store":
        from pv.store import open_store

        store = open_store(None, config)
        yield from store.verified(store.entries(), config.past.get("verified", {}))
        return
    if source == "git":
        addresses = sorted(committed(config).records)
    else:
        addresses = sorted(
            (folder.parent.name, folder.name) for folder in config.evidence.glob("*/*") if folder.is_dir()
        )
    for address in addresses:
        yield from SOURCES[source](address, config)
