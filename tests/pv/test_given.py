from __future__ import annotations

import inspect
import os

from pv.check import Metric, Run
from pv.given import Given
from pv.worker import Channel, Recorder


def test_a_check_is_given_what_it_is_promised_and_nothing_beside() -> None:
    reading, writing = os.pipe()
    job = {"seed": 3, "device": "cpu", "level": "live", "scratch": "/empty", "drawn": None}
    recorder = Recorder(job, Channel(writing), {"error": Metric("error")})
    given = Given(recorder)
    promised = {*Run.__annotations__, *(name for name, _ in inspect.getmembers(Run, inspect.isfunction))}
    assert {name for name in dir(given) if not name.startswith("_")} == {
        name for name in promised if not name.startswith("_")
    }
    assert (given.seed, given.scratch()) == (3, "/empty")  # type: ignore[attr-defined]
    assert hasattr(recorder, "planted")
    os.close(reading)
    os.close(writing)
