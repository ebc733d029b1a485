"""Waivers: failures that somebody took responsibility for, with a reason and until a day.

``waivers.yaml`` is a list of mappings with the keys ``id`` (an id, an alias or ``contract#ID``),
``reason``, ``approver``, ``created`` and ``expires``, all required and no others. Days are UTC dates
``YYYY-MM-DD``; ``expires`` is exclusive: on that day the waiver is no longer in force.

A waiver changes no status, runs nothing less and hides nothing: it is shown beside the status, and a
failure that it covers does not fail the command. Statuses depend on the tree alone, waivers on the day
too, so they never meet in one value. For a report or a command::

    waivers = load_waivers(config)               # before anything runs: refuses a file that is wrong
    waiver = waivers.of(contract, falsifier)     # the one in force today, or None
    waivers.beside(contract, falsifier, "FALSIFIED")
    # "FALSIFIED (WAIVED until 2026-12-01: …)", or "FALSIFIED" where none is in force

Codes: WAIVER-001 shape · 002 dates · 003 unknown id · 004 id that several contracts have · 005 two
waivers of one falsifier. These stop every command that reads waivers. What only time or evidence brings
about is for ``pv waivers lint`` to reject: 006 expired · 007 not yet in force · 008 waives nothing.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pv.config import Config
from pv.contract import Contract, Falsifier
from pv.document import Document, load
from pv.errors import ConfigError, DocumentError, Location, SelectionError
from pv.finding import Finding, FindingsError
from pv.selection import load_all
from pv.status import derive

__all__ = ["KEYS", "Waiver", "WaiverError", "Waivers", "lint_waivers", "load_waivers", "utc_today"]

KEYS = ("id", "reason", "approver", "created", "expires")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FAILED = frozenset({"VACUOUS", "FALSIFIED"})
_REACHED = frozenset({"DISCHARGED", "REFUTED", "EXCLUDED"})


class WaiverError(FindingsError, ConfigError):
    """The waivers cannot be used."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Waiver:
    """One waiver. `contract` and `identifier` are what its `id` means; `expires` is exclusive."""

    id: str
    contract: str
    identifier: str
    reason: str
    approver: str
    created: dt.date
    expires: dt.date
    where: Location

    @property
    def address(self) -> str:
        """The falsifier that it is about, as ``contract#ID``."""
        return f"{self.contract}#{self.identifier}"

    @property
    def note(self) -> str:
        """What is shown beside a status, while it is in force."""
        return f"WAIVED until {self.expires}: {self.reason}"

    def state(self, today: dt.date) -> str:
        """Return ``in force``, ``expired`` or ``not yet`` on the UTC day `today`."""
        if today >= self.expires:
            return "expired"
        return "in force" if self.created <= today else "not yet"

    def to_json(self) -> dict[str, str]:
        """Return the stable form that reports show."""
        return {
            "falsifier": self.address,
            "reason": self.reason,
            "approver": self.approver,
            "created": self.created.isoformat(),
            "expires": self.expires.isoformat(),
        }


@dataclasses.dataclass(frozen=True)
class Waivers:
    """The waivers of a project, each known to mean one falsifier, as they stand on the UTC day `today`."""

    waivers: tuple[Waiver, ...]
    today: dt.date

    def of(self, contract: Contract, falsifier: Falsifier) -> Waiver | None:
        """Return the waiver that is in force for `falsifier`; None where there is none."""
        return self._find(contract, falsifier, "in force")

    def expired(self, contract: Contract, falsifier: Falsifier) -> Waiver | None:
        """Return the waiver of `falsifier` that has run out, so that a report can say so."""
        return self._find(contract, falsifier, "expired")

    def beside(self, contract: Contract, falsifier: Falsifier, status: str) -> str:
        """Return `status`, with what waives it beside it; never anything instead of it."""
        waiver = self.of(contract, falsifier)
        return f"{status} ({waiver.note})" if waiver else status

    def _find(self, contract: Contract, falsifier: Falsifier, state: str) -> Waiver | None:
        wanted = (contract.stem, falsifier.id)
        return next(
            (
                w
                for w in self.waivers
                if (w.contract, w.identifier) == wanted and w.state(self.today) == state
            ),
            None,
        )


def utc_today() -> dt.date:
    """Return the day by UTC: the same day on every host, whatever zone it is set to."""
    return dt.datetime.now(dt.UTC).date()


def load_waivers(
    config: Config,
    today: dt.date | None = None,
    contracts: Sequence[Contract] | None = None,
) -> Waivers:
    """Read the project's waivers and find what each is about; no file, no waivers.

    Parameters
    ----------
    config
        The project; ``config.waivers`` is the file.
    today
        The UTC day to judge by; by default the present one.
    contracts
        Every contract of the project, where the caller has them already.

    Raises
    ------
    WaiverError
        The file is not there although ``pv.toml`` names it, or says what it may not say. Expired
        waivers are no error: they are just not in force.
    ContractError, DocumentError
        A contract of the project cannot be read, so that it is unknown what an id means.
    """
    today = utc_today() if today is None else today
    if config.waivers is None:
        return Waivers((), today)
    document, stated, findings = _read(config.waivers, config)
    if not stated:
        _refuse(findings)
        return Waivers((), today)
    everything = load_all(config) if contracts is None else contracts
    waivers: list[Waiver] = []
    first: dict[tuple[str, str], Waiver] = {}
    for index, entry in stated:
        where = document.where(index, "id")
        found = _meant(entry["id"], everything)
        if len(found) != 1:
            findings.append(_unclear(entry["id"], found, everything, where))
            continue
        waiver = Waiver(
            id=entry["id"],
            contract=found[0][0],
            identifier=found[0][1],
            reason=" ".join(entry["reason"].split()),
            approver=" ".join(entry["approver"].split()),
            created=dt.date.fromisoformat(entry["created"]),
            expires=dt.date.fromisoformat(entry["expires"]),
            where=where,
        )
        earlier = first.setdefault(found[0], waiver)
        if earlier is not waiver:
            what = f"{waiver.address} is waived twice (first on line {earlier.where.line})"
            findings.append(_finding(where, "005", what, "Keep one; git keeps what was before."))
        waivers.append(waiver)
    _refuse(findings)
    return Waivers(tuple(waivers), today)


def lint_waivers(
    waivers: Waivers, config: Config, contracts: Sequence[Contract] | None = None
) -> list[Finding]:
    """Return what is wrong with waivers that could be loaded: expired, not yet in force, waiving nothing."""
    if not waivers.waivers:
        return []
    everything = load_all(config) if contracts is None else contracts
    falsifiers = {(c.stem, f.id): (c, f) for c in everything for f in c.falsifiers}
    findings = []
    for waiver in waivers.waivers:
        state = waiver.state(waivers.today)
        if state == "expired":
            what = (
                f"the waiver of {waiver.address} expired on {waiver.expires} (today is {waivers.today}, UTC)"
            )
            remedy = "Mend what fails and remove it, or have it approved again with a later day."
            findings.append(_finding(waiver.where, "006", what, remedy))
        elif state == "not yet":
            what = (
                f"the waiver of {waiver.address} begins on {waiver.created}; today is {waivers.today} (UTC)"
            )
            findings.append(_finding(waiver.where, "007", what, "Write the day on which it was approved."))
        contract, falsifier = falsifiers[waiver.contract, waiver.identifier]
        status = derive(contract, falsifier, config).name
        blocked = falsifier.ship_blocking and status not in _REACHED
        if status not in _FAILED and not blocked:
            blocking = "" if falsifier.ship_blocking else ", and not ship-blocking"
            what = f"the waiver of {waiver.address} waives nothing: the falsifier is {status}{blocking}"
            findings.append(_finding(waiver.where, "008", what, "Remove it."))
    return findings


def _read(path: Path, config: Config) -> tuple[Document, list[tuple[int, Mapping[str, str]]], list[Finding]]:
    """Return the document, its entries of the right shape by index, and what is wrong with the others."""
    shown = config.relative(path)
    try:
        document = dataclasses.replace(load(path), path=shown)
    except SelectionError as error:
        finding = _finding(Location(shown, 1, 1), "001", error.what, "Write it, or correct pv.toml.")
        raise WaiverError((finding,)) from None
    except DocumentError as error:
        place = error.where or Location(shown, 1, 1)
        where = Location(shown, place.line, place.column)
        raise WaiverError((Finding(where, error.code, "error", error.what, error.remedy),)) from None
    if not isinstance(document.value, list):
        what = "waivers are a list of mappings"
        remedy = f"Begin each with a dash: - id: ..., with {', '.join(KEYS[1:])}."
        raise WaiverError((_finding(document.where(), "001", what, remedy),))
    entries: list[tuple[int, Mapping[str, str]]] = []
    findings: list[Finding] = []
    for index, entry in enumerate(document.value):
        problems = list(_problems(document, index, entry))
        findings += problems
        if not problems:
            entries.append((index, entry))
    return document, entries, findings


def _problems(document: Document, index: int, entry: Any) -> Iterator[Finding]:
    """Yield what is wrong with the shape of one entry, each problem at its place."""
    if not isinstance(entry, dict):
        remedy = f"Write the keys {', '.join(KEYS)}."
        yield _finding(document.where(index), "001", "a waiver is a mapping", remedy)
        return
    for key in entry:
        if key not in KEYS:
            what, remedy = f"a waiver has no key {key!r}", f"It has {', '.join(KEYS)}."
            yield _finding(document.where_key(index, key), "001", what, remedy)
    for key in KEYS:
        value = entry.get(key)
        where = document.where(index, key)
        if key not in entry:
            yield _finding(where, "001", f"the waiver has no {key}", f"Add `{key}:`.")
        elif not isinstance(value, str) or not value.strip():
            what = f"{key} is empty" if value is None or isinstance(value, str) else f"{key} is no text"
            yield _finding(where, "001", what, f"Write the {key}; quote it if it looks like a number.")
        elif key in {"created", "expires"} and _date(value) is None:
            what = f"{key} {value!r} is no date"
            yield _finding(where, "002", what, "Write it as YYYY-MM-DD; it is taken as a day in UTC.")
    created, expires = _date(entry.get("created")), _date(entry.get("expires"))
    if created and expires and expires <= created:
        what = f"it expires on {expires} and is created on {created}: it would never be in force"
        remedy = "Write a later day; on the day of `expires` it is no longer in force."
        yield _finding(document.where(index, "expires"), "002", what, remedy)


def _date(value: Any) -> dt.date | None:
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        return None
    try:
        return dt.date.fromisoformat(value)
    except ValueError:
        return None


def _meant(word: str, contracts: Sequence[Contract]) -> list[tuple[str, str]]:
    stem, _, identifier = word.rpartition("#")
    return [
        (contract.stem, falsifier.id)
        for contract in contracts
        if stem in {"", contract.stem}
        for falsifier in contract.falsifiers
        if identifier in {falsifier.id, *falsifier.aliases}
    ]


def _unclear(
    word: str, found: Sequence[tuple[str, str]], contracts: Sequence[Contract], where: Location
) -> Finding:
    if found:
        candidates = ", ".join("#".join(pair) for pair in found)
        return _finding(where, "004", f"{word!r} is not unique: {candidates}", "Write contract#ID.")
    import difflib

    known = {f"{c.stem}#{f.id}": None for c in contracts for f in c.falsifiers}
    known |= {name: None for c in contracts for f in c.falsifiers for name in (f.id, *f.aliases)}
    near = difflib.get_close_matches(word, list(known), n=3, cutoff=0.7)
    remedy = f"Did you mean {', '.join(near)}?" if near else "`pv status` lists every falsifier."
    return _finding(where, "003", f"no falsifier is called {word!r}", remedy)


def _finding(where: Location, code: str, what: str, remedy: str) -> Finding:
    return Finding(where, f"WAIVER-{code}", "error", what, remedy)


def _refuse(findings: list[Finding]) -> None:
    if findings:
        raise WaiverError(tuple(sorted(findings, key=lambda finding: finding.where)))
