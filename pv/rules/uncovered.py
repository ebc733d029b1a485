from __future__ import annotations

from collections.abc import Iterator

from pv.contract import Contract
from pv.errors import Location
from pv.rules.rule import rule


@rule(
    "PV-COVER-001",
    "error",
    elsewhere="silent",
    summary="no falsifier covers a proof obligation",
    remedy="Give it an id, and name that under `covers:` of the falsifier that would refute it.",
)
def uncovered(contract: Contract) -> Iterator[tuple[Location, str]]:
    """Find obligations that nothing could refute; what is proved, or not applicable, needs no falsifier.

    A falsifier that is excluded refutes nothing: nobody measures it.
    """
    covered: set[str] = set()
    excluded: dict[str, list[str]] = {}
    for falsifier in contract.falsifiers:
        for name in falsifier.covers:
            if falsifier.excluded:
                excluded.setdefault(name, []).append(falsifier.id)
            else:
                covered.add(name)
    for index, obligation in enumerate(contract.obligations):
        if obligation.proved or obligation.not_applicable:
            continue
        if not obligation.id:
            yield (
                obligation.where,
                f"proof obligation {index + 1} has no id, so that no falsifier can cover it",
            )
        elif obligation.id not in covered:
            names = excluded.get(obligation.id)
            but = f" but {', '.join(names)}, of which nothing is measured" if names else ""
            yield obligation.value_where("id"), f"no falsifier covers {obligation.id}{but}"
