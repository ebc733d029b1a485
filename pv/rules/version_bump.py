from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pv.contract import Contract
from pv.evidence import Record
from pv.freshness import clause_digest
from pv.rules.rule import Offence, project_rule
from pv.semantics import SEMANTICS

if TYPE_CHECKING:
    from pv.project import Project


@project_rule(
    "PV-VERSION-001",
    "error",
    summary="a clause was changed since its evidence was recorded, and the contract's version was not",
    remedy="Raise metadata.version: one version of a contract says one thing.",
)
def version_bump(contract: Contract, project: Project) -> Iterator[Offence]:
    """Find promises that were reworded under one version; evidence tells, so that no git is needed."""
    for falsifier in contract.falsifiers:
        now = ""
        for record in project.records(contract, falsifier):
            now = now or clause_digest(falsifier)
            if before := other_clause(record, contract.version, now):
                what = f"its clause was {before[:12]} when evidence was recorded and is {now[:12]} now"
                yield Offence(
                    contract.document.where("metadata", "version"),
                    f"{falsifier.id}: {what}, both under version {contract.version}",
                )
                break


def other_clause(record: Record, version: str, now: str) -> str:
    """Return the digest of another clause that `record` saw under `version`; empty if it saw none."""
    try:
        falsifier, inputs = record.predicate["falsifier"], record.predicate["inputs"]
        if inputs["semantics"] != SEMANTICS:
            return ""  # another engine digested clauses in another way
        seen = [(falsifier["version"], inputs["clause"])]
        if superseded := falsifier.get("supersedes"):
            seen.append((superseded["version"], superseded["clause"]))
        return next((str(clause) for stated, clause in seen if stated == version and clause != now), "")
    except (LookupError, TypeError, AttributeError):
        return ""  # not of the shape of a record, which its status says
