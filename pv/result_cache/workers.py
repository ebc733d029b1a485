"""For commands that share their work among forked processes: what a worker looks at, the run looked at.

A run that forks is not remembered, since nobody saw what the other process looked at. Unless it forks within
:func:`workers`, every worker ends by sending what :func:`handed_over` says, and :func:`adopt` is told that. A
worker that was forked and of which nothing came (it was killed, say) leaves the run unremembered.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from pv.result_cache.entry import Entry, pack, unpack
from pv.result_cache.recorder import Noted, current

__all__ = ["adopt", "handed_over", "workers"]


@contextlib.contextmanager
def workers() -> Iterator[None]:
    """Say that what is forked within are workers, each of which will hand over what it noted."""
    recorder = current()
    if recorder is None:
        yield
        return
    recorder.workers += 1
    try:
        yield
    finally:
        recorder.workers -= 1


def handed_over() -> bytes:
    """Return, in a worker, what it noted since it was forked or asked last; nothing where nobody watches."""
    recorder = current()
    if recorder is None:
        return b""
    noted = recorder.hand_over()
    return pack(Entry(0, [("stdout", noted.refused)], noted.found))


def adopt(data: bytes) -> None:
    """Count, in the process that forked a worker, what that one handed over as it ended."""
    recorder = current()
    if recorder is None:
        return
    entry = unpack(data)
    if entry is None:
        recorder.refuse("a worker that was not watched")
        return
    recorder.adopt(Noted(entry.printed[0][1], entry.found))
