from __future__ import annotations

import datetime as dt

from pv.result_cache.moments import note_moments
from pv.result_cache.probes import MOMENT, PROBES
from pv.result_cache.recorder import Recorder

NOW = dt.datetime.now(dt.UTC)
HOUR = dt.timedelta(hours=1)


def test_a_moment_is_noted_as_the_caller_judged_it_and_found_again_by_the_clock() -> None:
    recorder = Recorder()
    recorder.begin()
    try:
        note_moments([NOW - HOUR, NOW + HOUR], NOW)
    finally:
        recorder.end()
    noted = [(kind, name, then) for (kind, name), then in recorder.manifest() if kind == MOMENT]
    assert [then for _, _, then in noted] == [b"past", b"to come"]
    assert [PROBES[kind](name) for kind, name, _ in noted] == [b"past", b"to come"]


def test_what_passed_between_the_judgement_and_the_note_is_not_found_again() -> None:
    recorder = Recorder()
    recorder.begin()
    try:
        note_moments([NOW], NOW - HOUR)
    finally:
        recorder.end()
    ((probe, then),) = [(probe, then) for probe, then in recorder.manifest() if probe[0] == MOMENT]
    assert then == b"to come" != PROBES[MOMENT](probe[1])


def test_nobody_is_told_where_nobody_watches() -> None:
    note_moments([NOW], NOW)
