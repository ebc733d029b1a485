"""What there is to say of a contract as a whole: how its claims stand, and its explanations of a defect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pv.contract import Contract
from pv.hypotheses import weigh
from pv.project import Project

__all__ = ["as_json", "render"]


def as_json(contract: Contract, project: Project) -> dict[str, Any]:
    """Return the stable form for programs."""
    statuses = [(falsifier, project.status(contract, falsifier)) for falsifier in contract.falsifiers]
    return {
        "contract": contract.stem,
        "version": contract.version,
        "description": contract.metadata.get("description"),
        "falsifiers": [
            {"id": falsifier.id, "rule": falsifier.rule, "status": status.name, "reason": status.reason}
            for falsifier, status in statuses
        ],
        "hypotheses": [weigh(hypothesis, contract, project).to_json() for hypothesis in contract.hypotheses],
    }


def render(contract: Contract, project: Project) -> Iterator[str]:
    """Yield the lines for a terminal."""
    yield f"{contract.stem} {contract.version}"
    if description := contract.metadata.get("description"):
        yield f"  {description}"
    if contract.falsifiers:
        yield ""
        yield "claims"
    for falsifier in contract.falsifiers:
        yield f"  {falsifier.id}  {project.status(contract, falsifier).name}: {falsifier.rule}"
    if not contract.hypotheses:
        return
    yield ""
    yield "hypotheses"
    weighed = [weigh(each, contract, project) for each in contract.hypotheses]
    for each in weighed:
        yield from (f"  {line}" for line in each.lines())
    states = [each.state for each in weighed]
    counted = (f"{states.count(state)} {state}" for state in ("surviving", "open", "refuted"))
    yield f"  {', '.join(counted)}"
