from __future__ import annotations

from benchmarks.trust.kills_store import kill


def test_what_a_killed_writer_had_acknowledged_is_there() -> None:
    done = kill(40, seed=3)
    assert done.wrong == []
    assert done.rounds == 40
    assert done.written
    assert done.looks > 40
