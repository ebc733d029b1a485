"""What a change takes away that no status shows: what blocks no release any more, obligations gone."""

from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract

__all__ = ["weakened"]


def weakened(before: Contract, after: Contract) -> Iterator[str]:
    """Yield, a sentence each, what `after` asks no longer that `before` asked.

    None of it is part of a clause's digest, since it decides no verdict: evidence stays fresh, and the status
    of a falsifier the same. That a falsifier is gone is for the statuses to tell.
    """
    now = {falsifier.id: falsifier for falsifier in after.falsifiers}
    for then in before.falsifiers:
        if (kept := now.get(then.id)) is None:
            continue
        if then.ship_blocking and not kept.ship_blocking:
            yield f"{after.stem}#{then.id} blocks no release any more"
        lost = [name for name in then.covers if name not in kept.covers]
        if lost:
            yield f"{after.stem}#{then.id} covers {', '.join(lost)} no more"
    stated = {obligation.id for obligation in after.obligations}
    for obligation in before.obligations:
        if obligation.id and obligation.id not in stated:
            yield f"{after.stem}: the obligation {obligation.id} is gone"
