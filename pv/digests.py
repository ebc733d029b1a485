"""Digests of files and folders; those of big files are remembered while nothing touched them.

A remembered digest is believed only if device, inode, size, modification time and change time are those of
the file when it was hashed. Nobody can set a change time back. Three cases remain, and none is remembered:
a file that changed within the last minute (a clock tick can hide a second change; and a page that was
written through a memory map changes the times no more until it was written back, which takes half of that),
a change time in the future, and a file that changed while it was read.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from pv.canonical import digest_of
from pv.regular_file import read_regular_file
from pv.result_cache.no_cache import believes_nothing

__all__ = ["SMALL_BYTES", "DigestCache", "Stamp", "covered_files", "digest_path", "stamps_of"]

SMALL_BYTES = 1 << 20
"""Smaller files are hashed every time: that takes a millisecond."""

_SETTLED_NS = 60 * 10**9
_VERSION = 1
_MOST_ENTRIES = 10_000
_WORKERS = 8

Stamp = tuple[str, *tuple[int, ...]]
"""Path; device, inode, size, modification and change time in ns; inode and change time of the link."""


def stamps_of(files: Iterable[Path]) -> tuple[Stamp, ...]:
    """Return what tells whether a file was touched; for one that cannot be found, its path and -1."""

    def one(path: Path) -> Stamp:
        try:
            link, status = path.lstat(), path.stat()
        except OSError:
            return str(path), -1
        return str(path), *_times(status), link.st_ino, link.st_ctime_ns

    return tuple(one(path) for path in files)


def _times(status: os.stat_result) -> tuple[int, int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


class DigestCache:
    """Digests of big files, kept in one file below the project.

    What cannot be read, or was damaged, is as good as empty: a digest is then computed, never guessed.
    Processes may use it at once; where two write, an entry of one may be lost, and is computed again.

    Parameters
    ----------
    path
        The file; None remembers nothing.
    now
        The time in ns, for tests.
    """

    def __init__(self, path: Path | None, now: Callable[[], int] = time.time_ns) -> None:
        self._path = path
        self._now = now
        self._lock = threading.Lock()
        self._known = self._read()

    def get(self, path: Path) -> str | None:
        """Return the digest of the file `path` if it is known and nothing touched the file since."""
        if believes_nothing():
            return None
        try:
            status = path.stat()
        except OSError:
            return None
        known = self._known.get(os.path.realpath(path))
        if known is None or status.st_size < SMALL_BYTES or known[:-1] != [*_times(status)]:
            return None
        return str(known[-1])

    def put(self, path: Path, before: os.stat_result, sha256: str) -> None:
        """Remember the digest of a file whose status was `before` when reading began."""
        if self._path is None or before.st_size < SMALL_BYTES:
            return
        settled = max(before.st_mtime_ns, before.st_ctime_ns) + _SETTLED_NS < self._now()
        with contextlib.suppress(OSError):
            if settled and _times(path.stat()) == _times(before):
                with self._lock:
                    self._known[os.path.realpath(path)] = [*_times(before), sha256]

    def save(self) -> None:
        """Write what is known, with what other processes have written since; failing to is no error."""
        if self._path is None or not self._known:
            return
        # A name may be no text, which JSON cannot hold.
        with contextlib.suppress(OSError, UnicodeEncodeError), self._lock:
            on_disk = self._read()
            if on_disk != self._known:
                merged = [*{**on_disk, **self._known}.items()][-_MOST_ENTRIES:]
                self._write(self._path, dict(merged))

    @staticmethod
    def _write(path: Path, files: Mapping[str, list[int | str]]) -> None:
        import tempfile  # late, as below: a status needs neither

        text = json.dumps({"version": _VERSION, "files": files, "sha256": digest_of(files)})
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, partial = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(text)
            Path(partial).replace(path)
        except BaseException:
            Path(partial).unlink(missing_ok=True)
            raise

    def _read(self) -> dict[str, list[int | str]]:
        if self._path is None:
            return {}
        try:
            document = json.loads(read_regular_file(self._path))
            files = document["files"]
            if document["version"] == _VERSION and document["sha256"] == digest_of(files):
                return {name: entry for name, entry in files.items() if _is_entry(entry)}
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            pass
        return {}


def _is_entry(entry: object) -> bool:
    return isinstance(entry, list) and len(entry) == 6 and isinstance(entry[-1], str) and len(entry[-1]) == 64


def digest_path(
    path: Path, only: tuple[str, ...] = (), cache: DigestCache | None = None
) -> tuple[str, list[Path]]:
    r"""Hash a file, or a folder by its files' digests and names.

    A folder's digest is the sha256 of the lines ``<sha256>  <relative name>\n`` in the order of
    names: what ``sha256sum`` prints for them. Links that lead outside the folder are followed as
    files; other kinds of files are refused. Several files are hashed at once.

    Returns
    -------
    tuple[str, list[Path]]
        The hexadecimal digest, and the files that it covers.

    Raises
    ------
    OSError
        Something cannot be read, or is neither file nor folder.
    """
    files = covered_files(path, only)
    digests = _digest_files(files, cache)
    if files == [path]:
        return digests[path], files
    names = sorted(only) or sorted(file.relative_to(path).as_posix() for file in files)
    lines = "".join(f"{digests[path / name]}  {name}\n" for name in names)
    return hashlib.sha256(lines.encode()).hexdigest(), files


def covered_files(path: Path, only: tuple[str, ...]) -> list[Path]:
    """List the files that a digest of `path` covers: itself, those in the folder, or those named in `only`.

    Raises
    ------
    OSError
        There is none, or one is no regular file.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise OSError(0, "neither a file nor a folder", str(path))
    files = [path / name for name in only] or sorted(f for f in path.rglob("*") if f.is_file())
    if not files:
        raise OSError(0, "an empty folder", str(path))
    for file in files:
        if file.exists() and not file.is_file():
            raise OSError(0, f"{file.name} is no regular file", str(path))
    return files


def _digest_files(files: Iterable[Path], cache: DigestCache | None) -> Mapping[Path, str]:
    wanted = list(dict.fromkeys(files))
    workers = min(len(wanted), _WORKERS, os.cpu_count() or 1)
    if workers < 2 or sum(file.stat().st_size for file in wanted) < SMALL_BYTES:
        return {file: _digest_file(file, cache) for file in wanted}
    from concurrent.futures import ThreadPoolExecutor

    # Threads: hashing does not hold the interpreter's lock. The biggest first, so that none is left alone.
    wanted.sort(key=lambda file: file.stat().st_size, reverse=True)
    with ThreadPoolExecutor(workers) as pool:
        return dict(zip(wanted, pool.map(lambda file: _digest_file(file, cache), wanted), strict=True))


def _digest_file(path: Path, cache: DigestCache | None) -> str:
    if cache is not None and (known := cache.get(path)):
        return known
    with path.open("rb") as file:
        before = os.fstat(file.fileno())
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if cache is not None:
        cache.put(path, before, sha256)
    return sha256
