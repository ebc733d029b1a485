"""A status cannot be typed: what a contract claims is compared with what its evidence supports."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pv.config import load_config
from pv.contract import Contract, Falsifier
from pv.finding import Finding, Severity
from pv.status import Status, derive, rank, supports

__all__ = ["ABOVE_EVIDENCE", "STALE_EVIDENCE", "UNKNOWN_STATUS", "judge_claims"]

ABOVE_EVIDENCE = "PV-STATUS-001"
STALE_EVIDENCE = "PV-STATUS-002"
UNKNOWN_STATUS = "PV-STATUS-003"


def judge_claims(contract: Contract, path: Path) -> Iterator[Finding]:
    """Yield a finding for each ``discharge_status`` that evidence does not support.

    Above the evidence, or no status at all, is an error where our fields are used; elsewhere it is a
    warning, for that was written for a tool that runs nothing. Stale support is a warning that says
    what changed.

    Raises
    ------
    ConfigError
        The project's ``pv.toml`` cannot be read.
    """
    ours = any(f.check or f.expect or f.subjects for f in contract.falsifiers)
    config = load_config(path.resolve().parent, required=False)
    for falsifier in contract.falsifiers:
        claimed = falsifier.discharge_status
        if claimed is None:
            continue
        if rank(claimed) is None:
            yield _finding(
                falsifier,
                UNKNOWN_STATUS,
                "error" if ours else "warning",
                f"{claimed!r} is no status",
                "Write one that `pv status` shows, or leave it out.",
            )
            continue
        derived = derive(contract, falsifier, config)
        if supports(derived.name, claimed):
            continue
        if derived.name == "STALE" and supports(derived.before, claimed):
            yield _finding(
                falsifier,
                STALE_EVIDENCE,
                "warning",
                f"{falsifier.id} claims {claimed}, but its evidence is stale: {derived.reason}",
                f"Run `pv discharge {contract.stem}#{falsifier.id}`.",
            )
        else:
            yield _finding(
                falsifier,
                ABOVE_EVIDENCE,
                "error" if ours else "warning",
                *_above(contract, falsifier, derived),
            )


def _above(contract: Contract, falsifier: Falsifier, derived: Status) -> tuple[str, str]:
    supported = f"evidence supports {derived.name}: {derived.reason}"
    return (
        f"{falsifier.id} claims {falsifier.discharge_status}, {supported}",
        f"Run `pv discharge {contract.stem}#{falsifier.id}`, or write the status that holds.",
    )


def _finding(falsifier: Falsifier, code: str, severity: Severity, message: str, remedy: str) -> Finding:
    return Finding(falsifier.value_where("discharge_status"), code, severity, message, remedy)
