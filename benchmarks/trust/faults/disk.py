"""What a loss of power may leave of a folder: only what was flushed is certain to be there.

A file has the bytes that it had when it was last flushed, or those that were written since, or a mixture.
A name stands for what it stood for when its folder was last flushed; of the changes since then, each is
there or is not. That is all that POSIX promises (fsync(2)); file systems promise more, each its own.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import itertools
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Self

from benchmarks.trust.faults.supervisor import Call

__all__ = ["Disk", "Image"]

_SECTOR = 512
_MOST_SUBSETS = 5
"""Of so many pending changes of names every subset is tried; of more, each alone and each alone missing."""
_HOW = ("flushed", "written", "zeros", "torn", "cut")
"""What may be there of bytes that were not flushed: nothing, all, their length, every other sector, half."""

Names = Mapping[int, Mapping[str, int]]
"""Number of a folder → name → number of what it stands for."""
_Change = Mapping[tuple[int, str], int | None]
"""(number of a folder, name) → what it stands for now; None where it is gone."""


@dataclasses.dataclass(frozen=True)
class Image:
    """A folder as the power left it: path → bytes; None for folders, text for where links point."""

    entries: Mapping[str, bytes | str | None]

    @property
    def digest(self) -> str:
        """Two that are the same have the same."""
        parts = [f"{path}\0{type(entry).__name__}\0{entry!r}" for path, entry in sorted(self.entries.items())]
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()

    def make(self, folder: Path) -> None:
        """Write it into the empty folder `folder`."""
        for path, entry in sorted(self.entries.items()):
            if entry is None:
                (folder / path).mkdir()
            elif isinstance(entry, str):
                (folder / path).symlink_to(entry)
            else:
                (folder / path).write_bytes(entry)


class Disk:
    """Follows what is certain of the folder `root`; everything in it is, when it begins."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._held: dict[int, int] = {}
        """File → descriptor: what is held keeps its number, and can be read without a name."""
        self._now: dict[int, dict[str, int]] = {}
        self._links: dict[int, str] = {}
        self._look()
        self._names = {folder: dict(names) for folder, names in self._now.items()}
        self._bytes = {number: self._read(number) for number in self._held}
        self._pending: list[_Change] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in self._held.values():
            os.close(descriptor)

    def before(self, call: Call | None) -> None:
        """Look at the folder before `call` is made; None after the last one."""
        was = {folder: dict(names) for folder, names in self._now.items()}
        self._look()
        change = {
            (folder, name): self._now.get(folder, {}).get(name)
            for folder in {*was, *self._now}
            for name in {*was.get(folder, {}), *self._now.get(folder, {})}
            if was.get(folder, {}).get(name) != self._now.get(folder, {}).get(name)
        }
        if change:
            self._pending.append(change)
        if call is not None and call.kind in {"flush", "write", "size"}:
            self._hold_unnamed(call)

    def flushed(self, call: Call) -> None:
        """Take down that the flush `call`, which waits, is going to be made."""
        with contextlib.suppress(OSError):
            number = Path(_descriptor(call)).stat().st_ino
            if call.what.name == "syncfs":
                self._names = {folder: dict(names) for folder, names in self._now.items()}
                self._bytes = {one: self._read(one) for one in self._held}
                self._pending = []
            elif number in self._now:
                self._flush_folder(number)
            elif number in self._held:
                self._bytes[number] = self._read(number)

    def _flush_folder(self, number: int) -> None:
        left: list[_Change] = []
        for change in self._pending:
            ours = {key: value for key, value in change.items() if key[0] == number}
            _apply(self._names, ours)
            if others := {key: value for key, value in change.items() if key[0] != number}:
                left.append(others)
        self._pending = left

    def images(self) -> Iterator[Image]:
        """Yield what a loss of power now may leave, each once."""
        seen = set()
        written = {number: self._read(number) for number in self._held}
        for kept in _subsets(self._pending):
            names = {folder: dict(entries) for folder, entries in self._names.items()}
            for change in kept:
                _apply(names, change)
            for how in _HOW:
                entries: dict[str, bytes | str | None] = {}
                self._fill(entries, names, self._root.stat().st_ino, "", written, how)
                image = Image(entries)
                if image.digest not in seen:
                    seen.add(image.digest)
                    yield image

    def _fill(
        self,
        entries: dict[str, bytes | str | None],
        names: Names,
        folder: int,
        path: str,
        written: Mapping[int, bytes],
        how: str,
    ) -> None:
        for name, number in names.get(folder, {}).items():
            where = f"{path}{name}"
            if number in self._links:
                entries[where] = self._links[number]
            elif number in self._held:
                entries[where] = _left(self._bytes.get(number, b""), written[number], how)
            else:
                entries[where] = None
                self._fill(entries, names, number, f"{where}/", written, how)

    def _look(self) -> None:
        self._now = {}
        for place, _, _ in os.walk(self._root):
            names = self._now.setdefault(Path(place).stat().st_ino, {})
            for entry in os.scandir(place):
                status = entry.stat(follow_symlinks=False)
                names[entry.name] = status.st_ino
                if stat.S_ISLNK(status.st_mode):
                    self._links[status.st_ino] = str(Path(entry.path).readlink())
                elif stat.S_ISREG(status.st_mode) and status.st_ino not in self._held:
                    self._held[status.st_ino] = os.open(entry.path, os.O_RDONLY)

    def _hold_unnamed(self, call: Call) -> None:
        with contextlib.suppress(OSError):
            status = Path(_descriptor(call)).stat()
            if stat.S_ISREG(status.st_mode) and status.st_ino not in self._held:
                self._held[status.st_ino] = os.open(_descriptor(call), os.O_RDONLY)

    def _read(self, number: int) -> bytes:
        descriptor = self._held[number]
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0)


def _descriptor(call: Call) -> str:
    place = call.what.places[0].descriptor
    return f"/proc/{call.thread}/fd/{call.arguments[place]}" if place is not None else call.paths[0]


def _apply(names: dict[int, dict[str, int]], change: _Change) -> None:
    for (folder, name), number in change.items():
        if number is None:
            names.setdefault(folder, {}).pop(name, None)
        else:
            names.setdefault(folder, {})[name] = number


def _subsets(pending: list[_Change]) -> Iterable[list[_Change]]:
    count = len(pending)
    if count <= _MOST_SUBSETS:
        return (list(itertools.compress(pending, bits)) for bits in itertools.product((0, 1), repeat=count))
    first = [pending[:length] for length in range(count + 1)]
    alone = [[one] for one in pending]
    without = [pending[:at] + pending[at + 1 :] for at in range(count)]
    return [*first, *alone, *without]


def _left(flushed: bytes, written: bytes, how: str) -> bytes:
    """Return what may be there of a file with the bytes `written`, of which `flushed` are certain."""
    if how == "written" or flushed == written:
        return written
    if how == "flushed":
        return flushed
    if how == "cut":
        return written[: max(len(flushed), (len(flushed) + len(written)) // 2)]
    # What was there before has its old bytes; what the file grew by, zeros.
    old = flushed[: len(written)].ljust(len(written), b"\0")
    if how == "zeros":
        return old
    parts = [
        (old, written)[at % 2][at * _SECTOR : (at + 1) * _SECTOR] for at in range(-(-len(written) // _SECTOR))
    ]
    return b"".join(parts)
