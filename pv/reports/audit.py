"""How an audit looks to people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pv.audit import Audit, lie_sizes
from pv.evidence import Record

__all__ = ["audit_lines"]


def audit_lines(found: Audit, record: Record, path: str, address: str) -> Iterator[str]:
    """Yield what was drawn, what came of it, and what a lie would have risked, line by line."""
    place = record.predicate["place"]
    word = "DISAGREES" if found.disagreements else "AGREES"
    yield f"{word}  {address} at {place['level']} level, recorded on {place['device']}"
    yield f"  record      {path}"
    yield f"  root        {found.root}"
    yield f"  challenge   {found.challenge}"
    drawn = len(found.openings)
    yield (
        f"  drawn       {drawn} of {found.drawable} labels, measured again in {found.seconds:.2f} s"
        f" (all of them took {found.recorded_seconds:.2f} s)"
    )
    wrong = {each.label for each in found.disagreements}
    for opening in found.openings:
        if opening.leaf.label not in wrong:
            samples = ", ".join(f"{n} {_values(v)}" for n, v in opening.leaf.samples.items())
            yield f"  agrees      {opening.leaf.label}: {samples}"
    for each in found.disagreements:
        yield (
            f"  DISAGREES   {each.label}: {each.metric} {_values(each.recorded)} recorded,"
            f" {_values(each.measured)} measured again"
        )
    for false in lie_sizes(found.drawable):
        share, survives = 100 * false / found.drawable, found.survival(false)
        yield f"  survives    a lie about {false} label(s), {share:.3g} %, with probability {survives:.3g}"


def _values(values: tuple[Any, ...]) -> str:
    return ", ".join(map(str, values)) or "nothing"
