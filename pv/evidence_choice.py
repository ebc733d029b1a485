"""Which of several records of one place lies in the folder: the same one, in whatever order they come.

The best is the one that is fresh now; then the one whose clause is that of the contract now; then the one
that began later; and of two that began in the same second, the one with the larger digest, so that there
is never a tie. Whether it passed does not count.
"""

from __future__ import annotations

import dataclasses
import enum

from pv.config import Config
from pv.contract import Falsifier
from pv.errors import PvError
from pv.freshness import clause_digest, current_inputs, deciding_digest
from pv.record_facts import Facts
from pv.selection import by_address, load_all

__all__ = ["Agreement", "Candidate", "Chooser", "Rank", "candidate_of"]


class Agreement(enum.IntEnum):
    """How much of a record is what the tree says now."""

    OTHER_CLAUSE = 0
    SAME_CLAUSE = 1
    FRESH = 2


Rank = tuple[Agreement, str, str]


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A record for one place, and all of it that the choice rests on."""

    name: str
    """Its place: ``contract/ID/file.json``."""
    digest: str
    contract: str
    identifier: str
    base_level: str
    clause: str
    inputs: str
    started_at: str

    @property
    def address(self) -> str:
        """The falsifier: ``contract#ID``."""
        return f"{self.contract}#{self.identifier}"


def candidate_of(name: str, facts: Facts) -> Candidate:
    """Return the candidate that a verified record is for the place `name`."""
    return Candidate(
        name,
        facts.digest,
        facts.contract,
        facts.identifier,
        facts.base_level,
        facts.clause,
        facts.inputs,
        facts.started_at,
    )


class Chooser:
    """Ranks candidates by the tree as it stands; reads the contracts once.

    Raises
    ------
    PvError
        A contract cannot be read.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._known = by_address(load_all(config))
        self._now: dict[tuple[str, str], str] = {}

    def foreign(self, candidate: Candidate) -> bool:
        """Tell whether no contract of the project has its falsifier."""
        return candidate.address not in self._known

    def rank(self, candidate: Candidate) -> Rank:
        """Return what candidates of one place are compared by; the largest is the best."""
        return self._agreement(candidate), candidate.started_at, candidate.digest

    def _agreement(self, candidate: Candidate) -> Agreement:
        falsifier = self._known.get(candidate.address)
        if falsifier is None or candidate.clause != clause_digest(falsifier):
            return Agreement.OTHER_CLAUSE
        fresh = candidate.inputs == self._inputs(falsifier, candidate)
        return Agreement.FRESH if fresh else Agreement.SAME_CLAUSE

    def _inputs(self, falsifier: Falsifier, candidate: Candidate) -> str:
        """Return the digest of the inputs now; empty where there are none to compare with.

        A gate rests on other records, which may be on their way too: of gates only the clause counts.
        """
        key = (candidate.address, candidate.base_level)
        if key not in self._now:
            try:
                if falsifier.basis or not falsifier.bound:
                    self._now[key] = ""
                else:
                    now = current_inputs(falsifier, candidate.base_level, self._config)
                    self._now[key] = deciding_digest(now.to_json())
            except PvError:
                self._now[key] = ""
        return self._now[key]
