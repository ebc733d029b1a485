"""Which proof obligations are covered by falsifiers that ran, and how far: declared is not covered.

Of the falsifiers that name an obligation, one that is falsified decides; else the best one does. An
obligation without an id cannot be named, and is counted as uncovered. What was never run because it
needs a GPU, a subject or a module is counted apart from what somebody could have run, with what it
needs. Obligations that do not apply are outside of the count; that one is said to be proved is shown,
and covers nothing: pv proves nothing.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Literal, get_args

from pv.config import Config
from pv.contract import LEVELS, Contract, Level, Obligation
from pv.status import Status, derive
from pv.tally import wanting

__all__ = ["COUNTED", "KINDS", "ContractCoverage", "Covered", "Kind", "count", "cover", "share"]

Kind = Literal[
    "live",
    "functional",
    "algorithm",
    "refuted",
    "stale",
    "falsified",
    "vacuous",
    "declined",
    "never run",
    "unbound",
    "proved",
    "uncovered",
    "not applicable",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""Best first; ``not applicable`` is outside of the count."""

COUNTED: Mapping[Level, frozenset[Kind]] = {
    level: frozenset(LEVELS[LEVELS.index(level) :]) for level in LEVELS
}
"""Lowest level that counts → the kinds that are covered."""

_OF_STATUS: Mapping[str, Kind] = {
    "DISCHARGED": "live",
    "FUNCTIONAL": "functional",
    "PARTIAL_ALGORITHM_LEVEL": "algorithm",
    "REFUTED": "refuted",
    "STALE": "stale",
    "FALSIFIED": "falsified",
    "VACUOUS": "vacuous",
}


@dataclasses.dataclass(frozen=True)
class Covered:
    """One obligation: how it is covered, and by which falsifiers, the one that decides first."""

    obligation: Obligation
    kind: Kind
    falsifiers: tuple[str, ...]
    reason: str


@dataclasses.dataclass(frozen=True)
class ContractCoverage:
    """The obligations of one contract."""

    contract: Contract
    obligations: tuple[Covered, ...]


def cover(
    contract: Contract, config: Config, statuses: Mapping[str, Status] | None = None
) -> ContractCoverage:
    """Say of each obligation of `contract` how it is covered, by the statuses that evidence supports.

    `statuses` are those of its falsifiers by id, where the caller has derived some already.
    """
    known = statuses or {}
    naming: dict[str, list[tuple[str, Kind, Status]]] = {}
    for falsifier in contract.falsifiers:
        if falsifier.excluded or not falsifier.covers:
            continue
        status = known.get(falsifier.id) or derive(contract, falsifier, config)
        kind = _OF_STATUS.get(status.name, "never run" if falsifier.bound else "unbound")
        if kind == "never run" and (wants := wanting(falsifier, config)):
            kind = "declined"
            reason = f"{status.reason}; {', '.join(wants)}, then: pv discharge {contract.stem}#{falsifier.id}"
            status = dataclasses.replace(status, reason=reason)
        for identifier in dict.fromkeys(falsifier.covers):
            naming.setdefault(identifier, []).append((falsifier.id, kind, status))
    return ContractCoverage(contract, tuple(_one(o, naming) for o in contract.obligations))


def _one(obligation: Obligation, naming: Mapping[str, Sequence[tuple[str, Kind, Status]]]) -> Covered:
    if obligation.not_applicable:
        return Covered(obligation, "not applicable", (), obligation.na_reason or "no reason is given")
    found = naming.get(obligation.id, ()) if obligation.id else ()
    if not found:
        if obligation.proved:
            return Covered(obligation, "proved", (), "said to be proved; pv runs no prover")
        why = "no falsifier names it" if obligation.id else "it has no id, so that nothing can name it"
        return Covered(obligation, "uncovered", (), why)
    ordered = sorted(found, key=lambda item: (item[1] != "falsified", KINDS.index(item[1])))
    deciding, kind, status = ordered[0]
    return Covered(obligation, kind, tuple(name for name, _, _ in ordered), f"{deciding}: {status.reason}")


def count(covered: Iterable[Covered]) -> dict[Kind, int]:
    """Count the kinds, best first; kinds that do not occur are left out."""
    counts = Counter(one.kind for one in covered)
    return {kind: counts[kind] for kind in KINDS if counts[kind]}


def share(covered: Sequence[Covered], level: Level) -> Fraction | None:
    """Return the exact share that is covered at `level` or above; None where no obligation counts."""
    counting = [one for one in covered if one.kind != "not applicable"]
    if not counting:
        return None
    return Fraction(sum(one.kind in COUNTED[level] for one in counting), len(counting))
