"""Looks up how a run ended before; else runs it, watched, and remembers how it ended."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pv.result_cache.entry import Entry, read_entry
from pv.result_cache.key import changed_since, key_of
from pv.result_cache.place import find_place

if TYPE_CHECKING:
    from pv.result_cache.recorder import Recorder

__all__ = ["COMMANDS", "Known", "look_up", "run_watched"]

COMMANDS = frozenset({"coverage", "graph", "validate"})
"""The commands that mind the cache: see :func:`pv.result_cache.no_cache.minding_cache`."""
_ENDS = frozenset({0, 1})
"""Accepted and rejected: nothing else is remembered."""
_TICK_NS = 2 * 10**9


class Known(NamedTuple):
    """Where a run is remembered, under which key, and what is: None where that does not hold."""

    place: str
    key: str
    entry: Entry | None


def look_up(words: Sequence[str]) -> Known | None:
    """Return what is known of a run of `words`; None where it is not to be asked.

    The words are compared as they are: what parses them cannot think otherwise of the same ones.
    """
    if not words or words[0] not in COMMANDS or "--no-cache" in words:
        return None
    if sys.stdout is None or sys.stderr is None or (place := find_place()) is None:
        return None
    try:
        key = key_of(words)
        entry = read_entry(f"{place}/{key}")
        holds = entry is not None and entry.holds()
    except Exception:
        return None  # what is wrong with a look-up costs time, and nothing else
    return Known(place, key, entry if holds else None)


def run_watched(known: Known, words: Sequence[str], run: Callable[[], int]) -> int:
    """Return how `run` ends, and remember it if all that it looked at could be watched and did not change."""
    from pv.result_cache.recorder import Recorder
    from pv.result_cache.streams import Heard, joined

    began = time.time_ns()
    said: list[tuple[str, str]] = []
    recorder = Recorder()
    out, err = sys.stdout, sys.stderr
    heard: list[Any] = [Heard(n, s, said, recorder.refuse) for n, s in (("stdout", out), ("stderr", err))]
    recorder.begin()
    sys.stdout, sys.stderr = heard
    try:
        code = run()
    finally:
        sys.stdout, sys.stderr = out, err
        recorder.end()
    if recorder.permitted and not recorder.refused and code in _ENDS:
        with contextlib.suppress(Exception):  # the run has ended as it did, whatever becomes of this
            _remember(known, words, Entry(code, joined(said), recorder.manifest()), recorder, began)
    return code


def _remember(known: Known, words: Sequence[str], entry: Entry, recorder: Recorder, began: int) -> None:
    """Keep `entry`, unless something changed on the way: the last look is that of every later hit."""
    if recorder.refused or changed_since(began - _TICK_NS):
        return
    if key_of(words) == known.key and entry.holds():
        from pv.result_cache.store import keep

        keep(known.place, known.key, entry)
