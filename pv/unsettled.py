"""Which evidence a change of contracts unsettles: records of clauses that are other clauses now, or gone."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pv.config import Config
from pv.contract import Contract, Falsifier
from pv.evidence import records_of
from pv.freshness import clause_digest
from pv.meaning.falsifiers import falsifier_pairs
from pv.regular_file import read_regular_file

__all__ = ["Unsettled", "unsettled"]


@dataclasses.dataclass(frozen=True)
class Unsettled:
    """A record that newer contracts have no use for: its clause changed, is gone, or cites one that did."""

    address: str
    record: str
    why: Literal["clause changed", "falsifier gone", "renamed", "rests on such a record"]

    def to_json(self) -> dict[str, str]:
        """Return the stable form for programs."""
        return {"falsifier": self.address, "record": self.record, "why": self.why}


def unsettled(
    pairs: Sequence[tuple[Contract | None, Contract | None]], config: Config
) -> tuple[Unsettled, ...]:
    """Return the records below the project's evidence that were of an older clause and are of no newer one.

    Those of gates that cite such a record are unsettled with it. Records that fit neither version were stale
    before. What else a record rests on is not looked at: for that, ask ``pv status``.
    """
    found: dict[tuple[str, str], Unsettled] = {}
    changed: dict[str, str] = {}
    for before, after in pairs:
        for one in _of_pair(before, after, config, changed):
            found[one.address, one.record] = one
    for contract in (after for _, after in pairs if after):
        for falsifier in contract.falsifiers:
            cited = {cited.falsifier for cited in falsifier.basis.values()}
            # A gate cites by contract#ID, or by an id that only one contract has.
            if cited.isdisjoint({*changed, *changed.values()}):
                continue
            address = f"{contract.stem}#{falsifier.id}"
            for path in records_of(config.evidence, contract.stem, falsifier.id):
                one = Unsettled(address, config.relative(path), "rests on such a record")
                found.setdefault((one.address, one.record), one)
    return tuple(found[key] for key in sorted(found))


def _of_pair(
    before: Contract | None, after: Contract | None, config: Config, changed: dict[str, str]
) -> Iterator[Unsettled]:
    if before is None:
        return
    # Evidence is filed by the contract's name: an older version that was put aside has another.
    stems = [side.stem for side in (after, before) if side]
    stem = next((stem for stem in stems if (config.evidence / stem).is_dir()), stems[0])
    for old, new in falsifier_pairs(before.falsifiers, after.falsifiers if after else ()):
        if old is None:
            continue
        then = clause_digest(old)
        now = clause_digest(new) if new else ""
        if then == now:
            continue
        for path in records_of(config.evidence, stem, old.id):
            if _clause_of(path) == then:
                changed[f"{stem}#{old.id}"] = old.id
                yield Unsettled(f"{stem}#{old.id}", config.relative(path), _why(old, new))


def _why(old: Falsifier, new: Falsifier | None) -> Literal["clause changed", "falsifier gone", "renamed"]:
    if new is None:
        return "falsifier gone"
    return "clause changed" if new.id == old.id else "renamed"


def _clause_of(path: Path) -> str:
    """Return the digest of the clause that a record is about; empty where it cannot be read."""
    try:
        stated: Mapping[str, Any] = json.loads(read_regular_file(path))["predicate"]["inputs"]
        return str(stated["clause"])
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return ""
