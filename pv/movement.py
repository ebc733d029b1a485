"""What became of statuses since a git revision: promoted, demoted, new, gone."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pv.config import Config
from pv.contract import NotAContractError, load_contract
from pv.errors import PvError
from pv.repository import find_contracts
from pv.revision_tree import materialised
from pv.status import derive, rank
from pv.tally import Row

__all__ = ["Change", "Moved", "Past", "changes_since", "past_statuses"]


@dataclasses.dataclass(frozen=True)
class Past:
    """The statuses at a revision, by ``contract#ID``, and the contracts that could not be read there."""

    revision: str
    commit: str
    statuses: Mapping[str, str]
    contracts: frozenset[str]
    unreadable: Mapping[str, str]
    """Stem → why."""


@dataclasses.dataclass(frozen=True)
class Moved:
    """One falsifier whose status is another now; `before` is None where it is new, `after` where gone."""

    address: str
    before: str | None
    after: str | None
    reason: str = ""

    @property
    def direction(self) -> str:
        """``promoted``, ``demoted``, ``new``, ``gone``, or ``changed`` where neither ranks higher."""
        if self.before is None:
            return "new"
        if self.after is None:
            return "gone"
        if "EXCLUDED" in {self.before, self.after}:
            return "changed"
        then, now = rank(self.before), rank(self.after)
        if then is None or now is None or then == now:
            return "changed"
        return "promoted" if now > then else "demoted"

    def to_json(self) -> dict[str, str | None]:
        """Return the plain form that reports hold."""
        return {
            "falsifier": self.address,
            "before": self.before,
            "after": self.after,
            "direction": self.direction,
            "reason": self.reason,
        }


@dataclasses.dataclass(frozen=True)
class Change:
    """What changed: the tally by status, each falsifier that moved, contracts that came and went."""

    past: Past
    tally: Mapping[str, int]
    by_contract: Mapping[str, Mapping[str, int]]
    moved: tuple[Moved, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]


def past_statuses(config: Config, revision: str) -> Past:
    """Derive every status from the tree at `revision`, with the engine of today.

    Raises
    ------
    SelectionError, ConfigError
        See :func:`pv.revision_tree.materialised`.
    """
    statuses: dict[str, str] = {}
    stems: set[str] = set()
    unreadable: dict[str, str] = {}
    with materialised(config.root, revision) as past:
        for path in _contract_files(past.config):
            try:
                contract = load_contract(path)
            except NotAContractError:
                continue
            except PvError as error:
                unreadable[path.stem] = error.what
                continue
            stems.add(contract.stem)
            for falsifier in contract.falsifiers:
                status = derive(contract, falsifier, past.config)
                statuses[f"{contract.stem}#{falsifier.id}"] = status.name
        return Past(revision, past.commit, statuses, frozenset(stems), unreadable)


def changes_since(past: Past, rows: Sequence[Row], stems: Iterable[str], *, whole: bool) -> Change:
    """Compare `rows` with the past. `stems` are the contracts whose falsifiers are all among the rows.

    `whole` says that the rows are those of the whole project, so that contracts can be missed.
    """
    listed = set(stems)
    now = {row.address: row for row in rows}
    unread = set(past.unreadable)
    present = {row.contract.stem for row in rows} | listed
    moved = [
        Moved(address, past.statuses.get(address), row.status.name, row.status.reason)
        for address, row in now.items()
        if row.contract.stem not in unread and past.statuses.get(address) != row.status.name
    ]
    gone = [
        address
        for address in past.statuses
        if address not in now and (_stem(address) in listed or (whole and _stem(address) not in present))
    ]
    moved += [Moved(address, past.statuses[address], None) for address in gone]
    tally: Counter[str] = Counter()
    by_contract: dict[str, Counter[str]] = {}
    for one in moved:
        for name, count in ((one.before, -1), (one.after, 1)):
            if name is not None and name != "EXCLUDED":
                tally[name] += count
                by_contract.setdefault(_stem(one.address), Counter())[name] += count
    return Change(
        past=past,
        tally=_sorted(tally),
        by_contract={stem: _sorted(counts) for stem, counts in by_contract.items()},
        moved=tuple(moved),
        added=tuple(sorted(present - past.contracts - unread)),
        removed=tuple(sorted(past.contracts - present)) if whole else (),
    )


def _stem(address: str) -> str:
    return address.rpartition("#")[0]


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    """Best first, without what did not change."""
    kept = {name: count for name, count in counts.items() if count}
    return dict(sorted(kept.items(), key=lambda item: (-(rank(item[0]) or 0), item[0])))


def _contract_files(config: Config) -> list[Path]:
    found: dict[Path, None] = {}
    for folder in config.contracts:
        path = config.root / folder
        if path.is_file() or (path.is_dir() and any(path.rglob("*.y*ml"))):
            found.update(dict.fromkeys(find_contracts([str(path)])))
    return list(found)
