"""Everything there is to say about a falsifier. To say more, write a function and add it to `SECTIONS`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pv.contract import Contract, Falsifier
from pv.explain.claim import blocking, citations, claim, covers, rule
from pv.explain.measured import check, counter_examples, detection, subjects
from pv.explain.section import Explained, Section, SectionOf
from pv.explain.standing import hypotheses, investigations, next_level, status, verdict
from pv.project import Project

__all__ = ["SECTIONS", "as_json", "render", "sections"]

SECTIONS: dict[str, SectionOf] = {
    "claim": claim,
    "covers": covers,
    "check": check,
    "rule": rule,
    "subjects": subjects,
    "counter_examples": counter_examples,
    "detection": detection,
    "status": status,
    "verdict": verdict,
    "next": next_level,
    "waiting": blocking,
    "hypotheses": hypotheses,
    "investigations": investigations,
    "citations": citations,
}
"""Key in JSON → what says it; in this order."""


def sections(contract: Contract, falsifier: Falsifier, project: Project) -> dict[str, Section]:
    """Return the sections that have something to say, by key."""
    of = Explained(contract, falsifier, project, project.status(contract, falsifier))
    return {key: section for key, say in SECTIONS.items() if (section := say(of)) is not None}


def render(address: str, told: dict[str, Section]) -> Iterator[str]:
    """Yield the lines for a terminal."""
    yield address
    for section in told.values():
        yield ""
        yield section.title
        yield from (f"  {line}" for line in section.lines)


def as_json(address: str, told: dict[str, Section]) -> dict[str, Any]:
    """Return the stable form for programs."""
    return {"falsifier": address} | {key: section.data for key, section in told.items()}
