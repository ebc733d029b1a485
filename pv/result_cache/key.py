"""What is known before a run begins: its words, its place, the engine and the interpreter."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence

from pv.result_cache.probes import blake2b

__all__ = ["changed_since", "key_of"]

_VERSION = 2
"""Of what is remembered, and how: raised when either changes."""
_ENGINE = os.path.dirname(os.path.dirname(__file__))  # noqa: PTH120  `pathlib` takes longer than a look-up


def key_of(words: Sequence[str]) -> str:
    """Return the digest of all that decides a run of `words` beside what it looks at.

    The engine counts by the size, times and inode of each of its files: an editable one is another one after
    every edit. Where it is written to counts, as a stream's encoding may alter what is printed; so does the
    encoding of the names of files, which ``LC_CTYPE`` alone can alter.

    Raises
    ------
    OSError
        The working folder is gone, or the engine cannot be looked at.
    """
    streams = [
        (stream.encoding, stream.errors, stream.newlines, stream.isatty())
        for stream in (sys.stdout, sys.stderr)
    ]
    names = (sys.getfilesystemencoding(), sys.getfilesystemencodeerrors())
    options = (tuple(sys.flags), sys.warnoptions, sys._xoptions)  # noqa: SLF001  documented, if not public
    interpreter = (sys.version, sys.executable, sys.path, options, names)
    place = (os.getcwd(), os.geteuid(), os.getegid(), os.getgroups())  # noqa: PTH109
    parts = (_VERSION, list(words), place, streams, interpreter, _ENGINE, sorted(_engine()))
    return blake2b(repr(parts).encode("utf-8", "backslashreplace"), digest_size=32).hexdigest()


def changed_since(moment: int) -> bool:
    """Tell whether a file of the engine was changed at `moment` (in ns) or later."""
    return any(max(modified, changed) >= moment for _, _, modified, changed, _ in _engine())


def _engine() -> Iterator[tuple[str, int, int, int, int]]:
    """Yield path, size, times and inode of every file of `pv`, its bytecode apart."""
    waiting = [_ENGINE]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for each in entries:
                if each.is_dir():
                    if each.name != "__pycache__":
                        waiting.append(each.path)
                else:
                    status = each.stat()
                    yield each.path, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino
