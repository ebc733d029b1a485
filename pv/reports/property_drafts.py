"""Drafted properties as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pv.property_drafts import Drafts
from pv.spelling import block_lines

__all__ = ["as_json", "text"]


def text(found: Drafts, *, written: bool) -> Iterator[str]:
    """Yield the clauses as they would stand in the contract, and what none was drafted for."""
    for draft in found.drafts:
        where = f"{draft.contract.path}:{draft.obligation.where.line}"
        verb = "wrote into" if written else "to add to"
        yield f"{verb} falsification_tests, for {draft.obligation.id} ({where}):"
        yield from block_lines([dict(draft.clause)], "  ", None)
    if not found.drafts:
        yield "no obligation of a standard type is uncovered"
    if found.other_types:
        yield f"{found.other_types} uncovered obligation(s) are of no standard type: write a check"
    if found.without_id:
        yield f"{found.without_id} uncovered obligation(s) have no id, by which one could cover them"


def as_json(found: Drafts, *, written: bool) -> dict[str, Any]:
    """Return the same for a program."""
    return {
        "written": written,
        "properties": [
            {
                "file": draft.contract.path,
                "line": draft.obligation.where.line,
                "column": draft.obligation.where.column,
                "obligation": draft.obligation.id,
                "clause": dict(draft.clause),
            }
            for draft in found.drafts
        ],
        "other_types": found.other_types,
        "without_id": found.without_id,
    }
