from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract
from pv.errors import Location
from pv.rules.rule import rule

LOWEST, HIGHEST = 1, 5


@rule(
    "CRUX-001",
    "error",
    summary=f"demand_score is not from {LOWEST} to {HIGHEST}",
    remedy=f"Write a whole number from {LOWEST} to {HIGHEST}: stories are ranked by it.",
)
def demand_score(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find scores out of range; a row of stories must have one, a contract need not."""
    document = contract.document
    score = contract.metadata.get("demand_score")
    if score is not None and not LOWEST <= score <= HIGHEST:
        yield document.where("metadata", "demand_score"), f"demand_score {score} is out of range"
    for index, story in enumerate(document.value.get("stories") or ()):
        score = story.get("demand_score")
        where = document.where("stories", index, "demand_score")
        if score is None:
            yield where, f"story {story.get('id') or index} has no demand_score"
        elif not LOWEST <= score <= HIGHEST:
            yield where, f"demand_score {score} of story {story.get('id') or index} is out of range"
