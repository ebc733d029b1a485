"""How ceilings and what was judged by them look: text and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pv.config import Config
from pv.printable import printable
from pv.roofline.judgement import Judged
from pv.roofline.units import shown
from pv.selection import place

__all__ = ["as_json", "ceilings_text", "text"]


def ceilings_text(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield the ceilings that the numbers of a command line have, and where the hardware's are from."""
    for label, value in told.items():
        if isinstance(value, Mapping):
            yield printable(f"{label:<12} {shown(value['value'], value['unit'])}  {value['formula']}")
        else:
            yield printable(f"{label:<12} {value}")


def text(judged: Sequence[Judged], config: Config) -> Iterator[str]:
    """Yield one line a claim, what is wrong first, and a line of counts."""
    order = ("impossible", "unattainable", "not judged", "possible", "attainable")
    for one in sorted(judged, key=lambda one: order.index(one.outcome)):
        claim = one.claim
        bound = f" of at most {shown(one.ceiling, claim.kind)}" if one.ceiling is not None else ""
        verb = "measured" if claim.record else "demands"
        address = f"{claim.contract.stem}#{claim.falsifier.id}"
        said = f"{claim.metric} {shown(claim.value, claim.kind)}"
        yield printable(
            f"{_where(one, config)}: {one.outcome}: {address} at {claim.level} level"
            f" {verb} {said}{bound}: {one.reason}"
        )
    counts = {name: sum(one.outcome == name for one in judged) for name in order}
    yield ", ".join(f"{count} {name}" for name, count in counts.items() if count)


def as_json(judged: Sequence[Judged], config: Config) -> dict[str, Any]:
    """Return the stable form of ``--format json``; rates are in ``unit``, without a prefix."""
    return {
        "claims": [
            {
                "falsifier": f"{one.claim.contract.stem}#{one.claim.falsifier.id}",
                "where": _where(one, config),
                "level": one.claim.level,
                "metric": one.claim.metric,
                "said": one.claim.said,
                "unit": one.claim.kind,
                "value": one.claim.value,
                "ceiling": one.ceiling,
                "outcome": one.outcome,
                "reason": one.reason,
            }
            for one in judged
        ]
    }


def _where(one: Judged, config: Config) -> str:
    claim = one.claim
    if claim.index is None:
        return claim.said
    where = place(claim.falsifier.expectation_where(claim.level, claim.index), config)
    return f"{where.path}:{where.line}:{where.column}"
