"""Records from elsewhere into the evidence folder: the best of each place, and none that does not verify."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from pv.config import Config
from pv.errors import EvidenceError
from pv.evidence import write_unchanged
from pv.evidence_choice import Agreement, Candidate, Chooser, Rank, candidate_of
from pv.evidence_transfer import Carried, carry, check, place
from pv.record_facts import Refused, facts_of
from pv.regular_file import read_regular_file
from pv.signatures.together import add_signatures, signatures_over

__all__ = ["Decision", "Offer", "offer_of", "take"]

_TRIES = 5
"""How often a decision is made again because another process wrote meanwhile."""


@dataclasses.dataclass(frozen=True)
class Offer:
    """A candidate, and how to get the record that it stands for."""

    candidate: Candidate
    fetch: Callable[[], Carried]
    """Raises :class:`~pv.errors.EvidenceError` where the record is not what was offered."""
    signatures: Callable[[], Mapping[str, bytes]] = dict
    """Key id → signature of it, as they lie there: they are added to the record, whoever took it."""


@dataclasses.dataclass(frozen=True)
class Decision:
    """What became of one offer: ``taken``, ``left`` or ``refused``, and why."""

    name: str
    digest: str
    what: str
    why: str


def offer_of(path: Path) -> Offer:
    """Return the offer that the record file at `path` is, for the place that it names itself.

    Raises
    ------
    EvidenceError
        It does not verify.
    """
    found = carry(path)
    carried = dataclasses.replace(found, name=place(found))
    facts = facts_of(check(carried, Path()), carried.digest)
    return Offer(candidate_of(carried.name, facts), lambda: carried, lambda: signatures_over(carried))


def take(
    offers: Iterable[Offer], config: Config, *, foreign: bool = False, write: bool = True
) -> list[Decision]:
    """Put the best record of each place into the evidence folder, unless a better one lies there.

    :mod:`pv.evidence_choice` says which is better. What is fetched is verified first, and refused where it is
    not what was offered; the next best is tried then. Where the record that lies there does not verify, any
    that does is better. With `foreign`, records of falsifiers that no contract has are taken as well;
    without `write`, the decisions are made and nothing is done.

    Returns
    -------
    list[Decision]
        One for each offer, by name; for each name the best first.

    Raises
    ------
    PvError
        A contract cannot be read.
    OSError
        The folder cannot be written.
    """
    chooser = Chooser(config)
    places: dict[str, dict[str, Offer]] = defaultdict(dict)
    for offer in offers:
        places[offer.candidate.name].setdefault(offer.candidate.digest, offer)
    decisions: list[Decision] = []
    for name in sorted(places):
        ranked = sorted(places[name].values(), key=lambda one: chooser.rank(one.candidate), reverse=True)
        if chooser.foreign(ranked[0].candidate) and not foreign:
            why = "no contract here has this falsifier"
            decisions += [Decision(name, one.candidate.digest, "left", why) for one in ranked]
        else:
            decisions += _fill(name, ranked, chooser, config, write=write)
    return decisions


def _fill(
    name: str, ranked: Sequence[Offer], chooser: Chooser, config: Config, *, write: bool
) -> list[Decision]:
    for _ in range(_TRIES):
        before = _digest(config.evidence / name)
        decisions, chosen = _decide(name, ranked, chooser, config)
        if (
            chosen is None
            or not write
            or write_unchanged(
                config.evidence / name,
                chosen.data,
                chosen.sidecars,
                lambda: _digest(config.evidence / name) == before,  # noqa: B023 -- asked at once
            )
        ):
            return _signed(name, ranked, decisions, config) if write else decisions
    raise EvidenceError(f"{name} is being written all the time", remedy="try again when nothing else runs")


def _signed(
    name: str, ranked: Sequence[Offer], decisions: Sequence[Decision], config: Config
) -> list[Decision]:
    """Add the signatures of the record that lies there now, and say of which decision they came."""
    path = config.evidence / name
    here = _digest(path)
    signatures = {
        key: one
        for offer in ranked
        if offer.candidate.digest == here
        for key, one in offer.signatures().items()
    }
    added = add_signatures(path, path.read_bytes(), signatures) if signatures else 0
    return [
        dataclasses.replace(one, why=f"{one.why}; {added} signature(s) added")
        if added and one.digest == here and one.what != "refused"
        else one
        for one in decisions
    ]


def _decide(
    name: str, ranked: Sequence[Offer], chooser: Chooser, config: Config
) -> tuple[list[Decision], Carried | None]:
    decisions: list[Decision] = []
    chosen: Carried | None = None
    best, here = _present(name, chooser, config)
    for offer in ranked:
        rank = chooser.rank(offer.candidate)
        digest = offer.candidate.digest
        if best is not None and rank <= best:
            why = "it is here already" if digest == here else _why_not(rank, best)
            decisions.append(Decision(name, digest, "left", why))
            continue
        try:
            carried = offer.fetch()
            stated = candidate_of(name, facts_of(check(carried, config.evidence), carried.digest))
            if stated != offer.candidate:
                raise EvidenceError(f"{name}: it was offered as another record than it is")
        except EvidenceError as error:
            decisions.append(Decision(name, digest, "refused", Refused.of(name, error).why))
            continue
        here = ""
        decisions.append(
            Decision(name, digest, "taken", _why(rank, best, there=_digest(config.evidence / name)))
        )
        best, chosen = rank, carried
    return decisions, chosen


def _present(name: str, chooser: Chooser, config: Config) -> tuple[Rank | None, str]:
    """Return rank and digest of the record that lies there; no rank where none does that verifies."""
    path = config.evidence / name
    if not path.exists():
        return None, ""
    try:
        carried = dataclasses.replace(carry(path), name=name)
        facts = facts_of(check(carried, config.evidence), carried.digest)
    except EvidenceError:
        return None, ""
    return chooser.rank(candidate_of(name, facts)), carried.digest


def _digest(path: Path) -> str:
    return hashlib.sha256(read_regular_file(path)).hexdigest() if path.is_file() else ""


def _why(rank: Rank, before: Rank | None, *, there: str) -> str:
    if before is None:
        return "what lay here does not verify" if there else "there was none"
    return _reason(rank, before)


def _why_not(rank: Rank, best: Rank) -> str:
    return f"the other {_reason(best, rank)}"


def _reason(better: Rank, worse: Rank) -> str:
    if better[0] != worse[0]:
        return {Agreement.FRESH: "is fresh", Agreement.SAME_CLAUSE: "is of the clause as it is now"}[
            better[0]
        ]
    return "began later" if better[1] != worse[1] else "has the larger digest"
