"""Records that another host sends with the end of a task: those of the tree that is swept are taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pv.config import Config
from pv.errors import EvidenceError
from pv.evidence import Record
from pv.evidence_transfer import check, receive, unbundle
from pv.freshness import changes, current_inputs
from pv.selection import load_paths

__all__ = ["take_records"]

_OF_THE_TREE = ("clause", "check", "semantics")
"""What must agree. The bytes of subjects need not be here; where they are not the pinned ones, no status can
rest on them."""


def take_records(
    records: Mapping[str, str], planned: Mapping[str, Mapping[str, Any]], config: Config
) -> None:
    """Write the records of a bundle into the evidence folder; `planned` is address → its line of the plan.

    Raises
    ------
    EvidenceError
        One does not verify, or was measured by other sources or another clause than this tree has: the sweep
        would say Pass, and the status STALE.
    """
    for carried in unbundle(records):
        _refuse_another_tree(check(carried, config.evidence), planned, config)
    receive(records, config)


def _refuse_another_tree(record: Record, planned: Mapping[str, Mapping[str, Any]], config: Config) -> None:
    stated, recorded = record.predicate["falsifier"], record.predicate["inputs"]
    line = planned.get(f"{stated['contract']}#{stated['id']}")
    if line is None:
        raise EvidenceError(
            f"{record.path.name} is of {stated['contract']}#{stated['id']}, which is not swept",
            remedy="have that host sweep what was asked for",
        )
    contract = load_paths([str(config.root / line["path"])], config)[0]
    falsifier = next((one for one in contract.falsifiers if one.id == stated["id"]), None)
    if falsifier is None or falsifier.basis:
        return  # it left the contract meanwhile; of gates there are none elsewhere
    now = current_inputs(falsifier, record.predicate["place"]["base_level"], config)
    here = now.to_json()
    if any(recorded[key] != here[key] for key in _OF_THE_TREE):
        raise EvidenceError(
            f"that host has another tree than this one: {'; '.join(changes(recorded, now))}",
            remedy="bring its clone of the project to what is here, and sweep again",
        )
