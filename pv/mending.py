"""What ``pv validate --fix`` does first: mends files, whole or not at all, and says what it mended."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

from pv.contract import NotAContractError
from pv.errors import DocumentError, Location
from pv.mends import mends
from pv.printable import printable
from pv.rewritten_file import rewrite_file

__all__ = ["Mended", "mend_files"]


@dataclasses.dataclass(frozen=True)
class Mended:
    """One thing that was mended, at the place where it stood."""

    where: Location
    what: str

    def to_json(self) -> dict[str, str | int]:
        """Return the plain form that reports hold."""
        where = self.where
        return {"file": where.path, "line": where.line, "column": where.column, "what": self.what}


def mend_files(paths: Sequence[Path], *, told: bool) -> list[Mended]:
    """Mend contracts and write them; what cannot be read is left to be judged.

    With `told`, what was mended is printed. Whose evidence goes stale by it, and what was left, is said on
    standard error in any case.

    Raises
    ------
    SelectionError, SyncError, ConfigError, OSError
        A file or its project cannot be read, or not be written.
    """
    mended: list[Mended] = []
    for path in paths:
        try:
            found = rewrite_file(path, mends)
        except (DocumentError, NotAContractError):
            continue
        if found.changed:
            found.write()
        here = [Mended(one.where, one.said) for one in found.rewritten.made]
        for one in here if told else ():
            print(printable(f"{one.where}: mended: {one.what}"))
        sys.stdout.flush()
        for note in found.notes:
            print(printable(note), file=sys.stderr)
        mended += here
    return mended
