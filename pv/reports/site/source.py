"""What the pages are made of: everything that was read and derived, before anything is rendered."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

from pv.config import Config
from pv.contract import Contract
from pv.coverage import ContractCoverage, cover
from pv.reports.gathering import moved, where_of
from pv.reports.model import top_of
from pv.reports.site.investigations import Found
from pv.reports.site.last_sweep import LastSweep
from pv.reports.site.provenance import Made
from pv.reports.status import StatusReport
from pv.tally import Row, by_contract
from pv.waivers import Waiver

__all__ = ["Source"]


@dataclasses.dataclass(frozen=True)
class Source:
    """The statuses and what stands beside them; `today` is the UTC day by which waivers expire."""

    report: StatusReport
    config: Config
    today: dt.date
    waivers: Sequence[Waiver] = ()
    investigations: Sequence[Found] = ()
    sweep: LastSweep | None = None
    commit: str = ""
    """The revision that the statuses are of; empty where there is none."""
    origins: dict[str, Made] = dataclasses.field(default_factory=dict)
    """Subjects that were looked up already."""

    @functools.cached_property
    def rows(self) -> Mapping[str, Row]:
        """Address → row, of the falsifiers that have a page."""
        return {row.address: row for row in self.report.rows}

    @functools.cached_property
    def groups(self) -> Mapping[str, Sequence[Row]]:
        """Stem → the rows of a contract that has a page."""
        return by_contract(self.report.rows)

    @functools.cached_property
    def contracts(self) -> Mapping[str, Contract]:
        """Stem → contract."""
        return {stem: rows[0].contract for stem, rows in self.groups.items()}

    @functools.cached_property
    def coverage(self) -> Mapping[str, ContractCoverage]:
        """Stem → how its obligations are covered."""
        return {
            stem: cover(rows[0].contract, self.config, {row.falsifier.id: row.status for row in rows})
            for stem, rows in self.groups.items()
        }

    @functools.cached_property
    def named(self) -> Mapping[str, str]:
        """An id, an alias, or either after ``contract#`` → the one address that it means here."""
        found: dict[str, set[str]] = {}
        for row in self.report.rows:
            for name in (row.falsifier.id, *row.falsifier.aliases):
                found.setdefault(name, set()).add(row.address)
                found.setdefault(f"{row.contract.stem}#{name}", set()).add(row.address)
        return {name: addresses.pop() for name, addresses in found.items() if len(addresses) == 1}

    @functools.cached_property
    def _paths(self) -> dict[str, str]:
        return {}

    def place_of(self, row: Row) -> str:
        """Return where a falsifier stands, relative to the top of the repository."""
        where = row.falsifier.where
        if where.path not in self._paths:
            here = where_of(row.falsifier, self.config)
            self._paths[where.path] = moved(here, top_of(self.config.root.resolve())).path
        return f"{self._paths[where.path]}:{where.line}:{where.column}"

    def shown(self, record: Path) -> str:
        """Return the path of a record, relative to the project."""
        return f"{self.config.relative(self.config.evidence)}/{record.relative_to(self.config.evidence)}"

    @functools.cached_property
    def cited(self) -> Mapping[str, Sequence[Found]]:
        """Address → the investigations that name it."""
        found: dict[str, list[Found]] = {}
        for one in self.investigations:
            for name in one.investigation.falsifiers if one.investigation else ():
                if address := self.named.get(name):
                    found.setdefault(address, []).append(one)
        return found
