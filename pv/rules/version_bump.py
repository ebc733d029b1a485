from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pv.contract import Contract
from pv.evidence import SCHEMA_VERSION, records_of
from pv.freshness import clause_digest
from pv.regular_file import read_regular_file
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
        paths = records_of(project.config.evidence, contract.stem, falsifier.id)
        now = clause_digest(falsifier) if paths else ""
        before = next(filter(None, (other_clause(path, contract.version, now) for path in paths)), "")
        if before:
            what = f"its clause was {before[:12]} when evidence was recorded and is {now[:12]} now"
            yield Offence(
                contract.document.where("metadata", "version"),
                f"{falsifier.id}: {what}, both under version {contract.version}",
            )


def other_clause(path: Path, version: str, now: str) -> str:
    """Return the digest of another clause that a record saw under `version`; empty if it saw none.

    :mod:`pv.sync` asks it too: what this rule refuses, ``pv sync --bump`` mends.
    """
    try:
        data = read_regular_file(path)
        if now.encode() in data and b'"supersedes"' not in data:
            return ""  # the usual case, at a tenth of the time
        predicate = json.loads(data)["predicate"]
        falsifier, inputs = predicate["falsifier"], predicate["inputs"]
        if (predicate["schema_version"], inputs["semantics"]) != (SCHEMA_VERSION, SEMANTICS):
            return ""  # another engine may have digested clauses in another way
        seen = [(falsifier["version"], inputs["clause"])]
        if superseded := falsifier.get("supersedes"):
            seen.append((superseded["version"], superseded["clause"]))
        return next((str(clause) for stated, clause in seen if stated == version and clause != now), "")
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return ""  # not of the shape of a record, which its status says
