"""Moments on which an answer depends: an expiry, say. What was remembered is not believed across one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from pv.result_cache.probes import MOMENT
from pv.result_cache.recorder import current

__all__ = ["note_moments"]

_EPOCH = dt.datetime.fromtimestamp(0, dt.UTC)


def note_moments(moments: Iterable[dt.datetime], now: dt.datetime) -> None:
    """Say of each of `moments` that it was asked, by the clock that said `now`, whether it is past."""
    recorder = current()
    if recorder is None:
        return
    for moment in moments:
        name = b"%d" % ((moment - _EPOCH) // dt.timedelta(microseconds=1))
        recorder.note((MOMENT, name), b"past" if now > moment else b"to come")
