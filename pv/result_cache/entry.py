"""How a run ended, what it printed, and what it looked at: one file, which says whether it is whole."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Sequence
from typing import NamedTuple

from pv.result_cache.place import is_ours
from pv.result_cache.probes import PROBES, Probe, blake2b

__all__ = ["MOST_BYTES", "Entry", "pack", "read_entry", "unpack"]

MOST_BYTES = 64 << 20
_MAGIC = b"pv result 2\n"
_DIGEST = 64


class Entry(NamedTuple):
    """A run that was remembered.

    `printed` are the name of a stream and what was written to it, in order; `found` is what each probe found.
    """

    code: int
    printed: Sequence[tuple[str, str]]
    found: Sequence[tuple[Probe, bytes]]

    def holds(self) -> bool:
        """Tell whether each probe finds now what it found then."""
        return all(PROBES[kind](name) == then for (kind, name), then in self.found)

    def replay(self) -> int:
        """Print what was printed, and return how it ended.

        Raises
        ------
        OSError
            It cannot be written.
        """
        for name, text in self.printed:
            stream = sys.stdout if name == "stdout" else sys.stderr
            stream.write(text)
            stream.flush()
        return self.code


def pack(entry: Entry, key: str = "") -> bytes:
    """Return the bytes of the file that is called `key`: under another name it is not believed."""
    fields = [piece for (kind, name), then in entry.found for piece in (kind, name, then)]
    looked = b"\0".join(fields)
    texts = [(name, text.encode("utf-8", "surrogatepass")) for name, text in entry.printed]
    sizes = " ".join(f"{name}:{len(text)}" for name, text in texts)
    body = b"%d %d %b\n" % (entry.code, len(looked), sizes.encode())
    body += looked + b"".join(text for _, text in texts)
    return _MAGIC + _digest(body, key) + b"\n" + body


def _digest(body: bytes | memoryview, key: str) -> bytes:
    return blake2b(body, digest_size=_DIGEST // 2, key=os.fsencode(key)).hexdigest().encode()


def unpack(data: bytes, key: str = "") -> Entry | None:
    """Return what `pack` packed for the same `key`; None of anything else."""
    start = len(_MAGIC) + _DIGEST + 1
    body = memoryview(data)[start:]
    if data[:start] != _MAGIC + _digest(body, key) + b"\n":
        return None
    try:
        end = data.index(b"\n", start) + 1
        code, size, *sizes = data[start:end].decode("ascii").split()
        fields = data[end : end + int(size)].split(b"\0") if int(size) else []
        if len(fields) % 3 or not PROBES.keys() >= set(fields[::3]):
            return None
        found = [*zip(zip(fields[::3], fields[1::3], strict=True), fields[2::3], strict=True)]
        printed = []
        at = end + int(size)
        for stated in sizes:
            name, _, count = stated.partition(":")
            printed.append((name, data[at : at + int(count)].decode("utf-8", "surrogatepass")))
            at += int(count)
    except ValueError:
        return None
    return Entry(int(code), printed, found) if at == len(data) else None


def read_entry(path: str) -> Entry | None:
    """Return the entry in the file `path`; None if it is not there, damaged, or not this user's alone.

    Nor may others write to its folder: they could put what was remembered long ago back in its place.
    """
    folder, _, key = path.rpartition("/")
    try:
        if not is_ours(os.stat(folder)):  # noqa: PTH116
            return None
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or not is_ours(status) or status.st_size > MOST_BYTES:
            return None
        with open(descriptor, "rb", closefd=False) as file:
            return unpack(file.read(), key)
    except OSError:
        return None
    finally:
        os.close(descriptor)
