"""Whether a change may go in, by what was found of it and by the policy of its project."""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Sequence
from pathlib import Path

from pv.exits import Exit
from pv.gate import Judged
from pv.gate_policy import GatePolicy
from pv.gate_run import Ahead, Run

__all__ = ["ended", "only", "rejected"]


def rejected(
    judged: Judged, ahead: Sequence[Ahead], runs: Sequence[Run], policy: GatePolicy, waived: Container[str]
) -> list[str]:
    """Say why the change may not go in; a host fails on STALE only for what it could run again.

    `waived` are the addresses of what has a waiver in force.
    """
    found = [f"{len(judged.errors)} error(s) in contracts as they are staged"] if judged.errors else []
    gating = [row for row in judged.broken if row.falsifier.ship_blocking and row.address not in waived]
    if gating and policy.broken == "fail":
        found.append(f"{len(gating)} ship-blocking falsifier(s) broke")
    failed = [run.address for run in runs if run.end and run.end.outcome in {"Fail", "Vacuous"}]
    if left := [address for address in failed if address not in waived]:
        found.append(f"{len(left)} failed that the change made stale")
    can = [one.row.address for one in ahead if one.state == "can" and one.row.address not in failed]
    if can and policy.stale == "fail":
        passed = {run.address for run in runs if run.end and run.end.outcome in {"Pass", "Refuted"}}
        left = [address for address in can if address not in passed]
        if passed & {*can}:
            found.append(f"{len(passed & {*can})} falsifier(s) have new evidence that is not staged")
        if left:
            found.append(f"{len(left)} falsifier(s) became stale that could be run here")
    return found


def ended(runs: Sequence[Run]) -> Exit:
    """Return how what was run lets the gate end; what this host cannot judge is no fault of the change."""
    return Exit.ERROR if any(run.end and run.end.outcome == "Error" for run in runs) else Exit.ACCEPTED


def only(judged: Judged, named: Sequence[str]) -> Judged:
    """Return what is to be said of the contracts `named`, and of no other."""
    wanted = {*named}
    stems = {Path(path).stem for path in wanted}
    scope = dataclasses.replace(
        judged.scope,
        direct=tuple(path for path in judged.scope.direct if path in wanted),
        indirect={path: why for path, why in judged.scope.indirect.items() if path in wanted},
        gone=tuple(path for path in judged.scope.gone if path in wanted),
    )
    return dataclasses.replace(
        judged,
        scope=scope,
        findings=tuple(one for one in judged.findings if one.where.path in wanted),
        rows=tuple(row for row in judged.rows if row.contract.stem in stems),
        moved=tuple(one for one in judged.moved if one.address.rpartition("#")[0] in stems),
        before={a: name for a, name in judged.before.items() if a.rpartition("#")[0] in stems},
    )
