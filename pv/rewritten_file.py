"""A contract's file rewritten: as it is, as it would be, and what is to be said of the difference."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

from pv.document import load
from pv.result_cache.place import MARKS
from pv.rewrites import Left
from pv.rewriting import Plan, Rewritten, rewrite
from pv.sync import Synced, write_sync

__all__ = ["RewrittenFile", "rewrite_file"]


@dataclasses.dataclass(frozen=True)
class RewrittenFile:
    """One file; the same bytes where nothing is to be done.

    `stale` are the falsifiers whose clause a rewrite changed, and that have evidence of the clause as it was.
    """

    path: Path
    shown: str
    before: bytes = dataclasses.field(repr=False)
    after: bytes = dataclasses.field(repr=False)
    rewritten: Rewritten
    stale: tuple[str, ...]

    @property
    def changed(self) -> bool:
        """Whether there is anything to write."""
        return self.before != self.after

    @property
    def notes(self) -> Iterator[str]:
        """What was left and why, and whose evidence goes stale."""
        yield from map(str, self.rewritten.left)
        for name in self.stale:
            yield f"{self.shown}: note: the clause of {name} changes, and its evidence is stale"

    def write(self) -> None:
        """Replace the file atomically, with its mode and owner.

        Raises
        ------
        SyncError
            It is no longer the one that was read: nothing is written.
        OSError
            The folder cannot be written.
        """
        write_sync(Synced(self.path, self.shown, self.before, self.after, (), None))


def rewrite_file(path: Path, plan: Plan) -> RewrittenFile:
    """Rewrite the contract at `path` by `plan`; writes nothing.

    Where `path` is a link that leads out of its repository, nothing is rewritten: whoever put the link there
    chose a file, and this command's user did not.

    Raises
    ------
    DocumentError, NotAContractError, ConfigError
        See :func:`pv.rewriting.judged`.
    SelectionError
        It cannot be read.
    """
    shown = str(path)
    load(path)  # refuses what is too large, or not UTF-8, with its place
    before = path.read_bytes()
    rewritten = rewrite(before.decode("utf-8"), shown, plan)
    if rewritten.made and _leads_out(path):
        why = f"the file is a link that leads out of the repository, to {os.path.realpath(path)}; name that"
        left = (*rewritten.left, *(Left(one.where, one.said, why) for one in rewritten.made))
        return RewrittenFile(path, shown, before, before, Rewritten(before.decode("utf-8"), (), left, ()), ())
    stale = tuple(_with_evidence(path, rewritten.reworded)) if rewritten.reworded else ()
    return RewrittenFile(path, shown, before, rewritten.text.encode("utf-8"), rewritten, stale)


def _leads_out(path: Path) -> bool:
    """Tell whether the last step of `path` is a link out of the repository, or else the folder, it is in."""
    folder, target = Path(os.path.realpath(path.parent)), Path(os.path.realpath(path))
    above = (one for one in (folder, *folder.parents) if any((one / mark).exists() for mark in MARKS))
    return not target.is_relative_to(next(above, folder))


def _with_evidence(path: Path, names: tuple[str, ...]) -> Iterator[str]:
    # Imported late: rewriting an old spelling changes no clause.
    from pv.config import load_config
    from pv.evidence import records_of

    config = load_config(path.resolve().parent, required=False)
    for name in names:
        if any(True for _ in records_of(config.evidence, path.stem, name)):
            yield name
