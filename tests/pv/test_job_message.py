from __future__ import annotations

import dataclasses
import json

from pv.check import Metric
from pv.job_message import spelled
from pv.jobs import Build, Job, Limits, Role

ROLE = Role("formats:open", "/project/model", ("/project/model/a",), "model", narrowed=True)
LIMITS = Limits(1 << 20, 2.5)


def test_everything_of_a_job_but_its_time_is_told() -> None:
    metrics = (Metric("error", low=0.0),)
    job = Job("checks:measures", metrics, {"n": 1}, {"model": ROLE}, LIMITS, 7, "cpu", "live", plant="torn")
    told = json.loads(json.dumps(spelled(job, "/scratch")))
    own = {field.name for field in dataclasses.fields(Job)} - {"limits"}
    assert own <= told.keys()
    assert (told["plant"], told["memory_bytes"], told["scratch"]) == ("torn", 1 << 20, "/scratch")
    assert told["metrics"] == [["error", "1", 0.0, None, 0.0, "real"]]
    assert told["roles"]["model"] == json.loads(json.dumps(dataclasses.asdict(ROLE)))


def test_a_build_is_told_by_its_kind() -> None:
    build = Build("builders:make", ROLE, "/out", {"type": "Q8_0"}, LIMITS, 0, project="/project")
    told = spelled(build, "/scratch")
    assert (told["kind"], told["output"], told["device"]) == ("build", "/out", "cpu")
    assert told["source"]["subject"] == "model"
