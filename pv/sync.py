"""Statuses written back: what evidence supports goes into ``discharge_status``, and nothing else changes.

Written is the derived status of every falsifier that has evidence, also one that fell (``STALE``,
``FALSIFIED``, ``VACUOUS``). ``UNBOUND`` and ``EXCLUDED`` are written only in the place of another word:
where nothing was measured and nothing is claimed, nothing is said. The status, the version and the
changelog are outside what evidence depends on, so that writing them makes nothing stale.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import os
import stat
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pv.changelog import bump_edits, next_version
from pv.config import Config
from pv.contract import Contract, Falsifier
from pv.document import parse
from pv.edit import Edit, Put, edit_text
from pv.errors import DocumentError, Location, PvError
from pv.evidence import records_of
from pv.exits import Exit
from pv.freshness import clause_digest
from pv.printable import printable
from pv.rules.version_bump import other_clause
from pv.status import Status, derive, rank

__all__ = ["Bump", "Change", "SyncError", "Synced", "plan_sync", "write_sync"]

_SAID_ONLY_IF_CLAIMED = frozenset({"UNBOUND", "EXCLUDED"})


class SyncError(PvError):
    """A contract cannot be written: it is not the one that was read, or lies in another repository."""

    exit = Exit.ERROR


@dataclasses.dataclass(frozen=True)
class Change:
    """One status to write; `before` is None where the contract states none. `evidence` names records."""

    falsifier: str
    before: str | None
    after: str
    reason: str
    evidence: tuple[str, ...]
    where: Location

    @property
    def direction(self) -> str:
        """Return ``stated``, ``promoted``, ``demoted`` or ``corrected``."""
        if self.before is None:
            return "stated"
        before, after = rank(self.before), rank(self.after)
        if before is None or after is None or before == after or "EXCLUDED" in {self.before, self.after}:
            return "corrected"
        return "promoted" if after > before else "demoted"

    def __str__(self) -> str:
        moved = f"as {self.after}" if self.before is None else f"from {self.before} to {self.after}"
        on = f" on {', '.join(self.evidence)}" if self.evidence else ""
        return f"{self.falsifier} {self.direction} {moved}{on}: {self.reason}"


@dataclasses.dataclass(frozen=True)
class Bump:
    """A version to raise, and what its changelog entry says; `untold`: why nobody can tell how far."""

    before: str
    after: str
    text: str
    where: Location
    untold: str = ""


@dataclasses.dataclass(frozen=True)
class Synced:
    """One contract's file as it is and as it should be; the same bytes where nothing is to be done."""

    path: Path
    shown: str
    before: bytes = dataclasses.field(repr=False)
    after: bytes = dataclasses.field(repr=False)
    changes: tuple[Change, ...]
    bump: Bump | None

    @property
    def changed(self) -> bool:
        """Whether there is anything to write."""
        return self.before != self.after


def plan_sync(
    contract: Contract,
    falsifiers: Sequence[Falsifier],
    config: Config,
    *,
    bump: bool = False,
    day: dt.date | None = None,
) -> Synced:
    """Derive the status of `falsifiers` and edit the text of their contract; writes nothing.

    Parameters
    ----------
    contract
        As it was loaded; its file is read again, and must still hold the same values.
    falsifiers
        Those of its falsifiers whose status is to be written.
    config
        The project.
    bump
        Whether to raise the version and to log it: to the next patch where statuses change, and where a
        clause was changed since the evidence for this version as far as its meaning asks
        (:mod:`pv.asked_version`); where that cannot be told, to the next minor one.
    day
        The date of the changelog entry; by default today, UTC.

    Raises
    ------
    EditError
        A status cannot be written without changing something else.
    VersionError
        The version cannot be raised, or the changelog has a form that we do not know.
    SyncError
        The file has changed since it was loaded; or it would be changed, and a link leads to it out of the
        repository: whoever put the link there chose a file, and this command's user did not.
    """
    path = Path(contract.document.path)
    data = path.read_bytes()
    _require_same(contract, data)
    changes: list[Change] = []
    edits: list[Edit] = []
    reworded: list[str] = []
    for falsifier in falsifiers:
        status = derive(contract, falsifier, config)
        if bump and _reworded(contract, falsifier, config):
            reworded.append(falsifier.id)
        before = falsifier.discharge_status
        if before == status.name or (before is None and status.name in _SAID_ONLY_IF_CLAIMED):
            continue
        changes.append(_change(contract, falsifier, status, config))
        edits.append(Put((*falsifier.path, "discharge_status"), status.name))
    raised = None
    if bump and (changes or reworded):
        from pv.asked_version import asked_version  # late: most runs raise nothing

        where = dataclasses.replace(contract.document.where("metadata", "version"), path=contract.path)
        number, untold = asked_version(contract, reworded) if reworded else ("patch", "")
        after = next_version(contract.version, where, number)
        parts = [f"clause changed: {', '.join(reworded)}"] if reworded else []
        parts += map(str, changes)
        raised = Bump(contract.version, after, printable("; ".join(parts)), where, untold)
        edits += bump_edits(
            dataclasses.replace(contract.document, path=contract.path),
            after,
            day or dt.datetime.now(dt.UTC).date(),
            raised.text,
        )
    text = data.decode("utf-8")
    edited = edit_text(text, edits, contract.path) if edits else text
    if edited != text and _leads_out(path, config.root):
        raise SyncError(
            f"a link leads out of the repository, to {os.path.realpath(path)}: nothing is written through it",
            where=Location(_stated(path, config.root), 1, 1),
            remedy="put the contract itself there, or run `pv sync` in the project that it belongs to",
        )
    return Synced(path, contract.path, data, edited.encode("utf-8"), tuple(changes), raised)


def write_sync(synced: Synced) -> None:
    """Replace the file atomically, with its mode and owner; of a link, the file that it points to.

    Raises
    ------
    SyncError
        The file is no longer the one that was read: nothing is written.
    OSError
        The folder cannot be written.
    """
    target = Path(os.path.realpath(synced.path))
    descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(synced.after)
            file.flush()
            was = target.stat()
            with contextlib.suppress(PermissionError):  # only root gives files away
                os.fchown(file.fileno(), was.st_uid, was.st_gid)
            os.fchmod(file.fileno(), stat.S_IMODE(was.st_mode))
            os.fsync(file.fileno())
        # As late as can be: an editor may have saved while statuses were derived.
        if target.read_bytes() != synced.before:
            raise _changed(synced.shown)
        Path(temporary).replace(target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _leads_out(path: Path, root: Path) -> bool:
    """Tell whether a link, the last step of `path` or another, leads out of the repository around `root`."""
    top = next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), root)
    stated, target = Path(os.path.abspath(path)), Path(os.path.realpath(path))  # noqa: PTH100 -- not resolved
    return not target.is_relative_to(top) and (stated.is_relative_to(top) or stated.is_symlink())


def _stated(path: Path, root: Path) -> str:
    """Return what the project calls `path`, a link by its own name; an absolute one of another place."""
    stated = os.path.abspath(path)  # noqa: PTH100 -- not resolved
    return stated.removeprefix(f"{root}/")


def _require_same(contract: Contract, data: bytes) -> None:
    try:
        same = bool(parse(data.decode("utf-8"), contract.path).value == contract.document.value)
    except (UnicodeDecodeError, DocumentError):
        same = False
    if not same:
        raise _changed(contract.path)


def _changed(shown: str) -> SyncError:
    return SyncError(
        "the contract was changed while its statuses were derived; it was not written",
        where=Location(shown, 1, 1),
        remedy="Run it again.",
    )


def _change(contract: Contract, falsifier: Falsifier, status: Status, config: Config) -> Change:
    stated = falsifier.discharge_status is not None
    where = falsifier.value_where("discharge_status") if stated else falsifier.where
    return Change(
        falsifier=falsifier.id,
        before=falsifier.discharge_status,
        after=status.name,
        reason=status.reason,
        evidence=tuple(config.relative(record.path) for record in status.records),
        where=dataclasses.replace(where, path=contract.path),
    )


def _reworded(contract: Contract, falsifier: Falsifier, config: Config) -> bool:
    """Tell whether evidence for this version of the contract is about another clause (PV-VERSION-001)."""
    now = clause_digest(falsifier)
    paths = records_of(config.evidence, contract.stem, falsifier.id)
    return any(other_clause(path, contract.version, now) for path in paths)
