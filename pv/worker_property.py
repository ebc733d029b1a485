"""One property, in the child: call what it names, and record what was found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pv.channel import Channel
from pv.properties.complete import completed
from pv.properties.measure import measure, missing
from pv.properties.metrics import METRICS
from pv.properties.stated import read
from pv.worker import Recorder, Unavailable, report, watched

__all__ = ["run_property"]

_EXTRAS = {"z3": "z3-solver", "hypothesis": "hypothesis", "numpy": "numpy", "torch": "torch"}
"""Module → what to install for it."""


def run_property(job: Mapping[str, Any], descriptor: int) -> None:
    """Measure the property of `job` and report on `descriptor`; never raises."""
    report(job, descriptor, _property)


def _property(job: Mapping[str, Any], channel: Channel) -> bool:
    stated = completed(read(job["stated_property"]))
    if lacking := missing(stated):
        named = ", ".join(_EXTRAS[name] for name in lacking)
        raise Unavailable(f"it needs {named}, not installed beside pv: pip install {named.replace(',', '')}")
    recorder = Recorder(job, channel, {metric.name: metric for metric in METRICS})
    with watched(job):
        measure(recorder, stated, job["plant"])
    if job["plant"] is not None:
        channel.send({"planted": True}, now=True)
    return job["plant"] is not None
