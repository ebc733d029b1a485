"""A job as the worker is told of it: plain values, for JSON."""

from __future__ import annotations

import dataclasses
from typing import Any

from pv.jobs import Build, Job

__all__ = ["spelled"]


def spelled(job: Job | Build, scratch: str) -> dict[str, Any]:
    """Return `job` as plain values, with the path of the folder in which it may write."""
    common: dict[str, Any] = {
        "reference": job.reference,
        "arguments": dict(job.arguments),
        "seed": job.seed,
        "sources": list(job.sources),
        "preload": list(job.preload),
        "memory_bytes": job.limits.memory_bytes,
        "network": job.limits.network,
        "scratch": scratch,
    }
    if isinstance(job, Build):
        own = {
            "source": dataclasses.asdict(job.source),
            "output": job.output,
            "project": job.project,
            "modules": list(job.modules),
        }
        return {**common, **own, "kind": "build", "device": "cpu"}
    return {
        **common,
        "kind": job.kind,
        "metrics": [[m.name, m.unit, m.low, m.high, m.slack, m.kind] for m in job.metrics],
        "roles": {name: dataclasses.asdict(role) for name, role in job.roles.items()},
        "device": job.device,
        "visible": job.visible,
        "level": job.level,
        "plant": job.plant,
        "dose": job.dose,
        "drawn": job.drawn,
        "project": job.project,
        "modules": list(job.modules),
        "words": list(job.words),
        "environment": dict(job.environment),
        "search": list(job.search),
        "replaced_modules": dict(job.replaced_modules),
        "settings": job.settings,
        "stated_property": job.stated_property,
        "readings": [dataclasses.asdict(reading) for reading in job.readings],
    }
