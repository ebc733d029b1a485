"""What `apr eval` says: pass@k, what came of each problem, and what was in force."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from pv_runtime.errors import printable
from pv_runtime.evaluation.estimate import Estimate, estimate
from pv_runtime.evaluation.judging import Judged, counts_of
from pv_runtime.evaluation.problems import Problem
from pv_runtime.evaluation.sandbox import Enforced, weakest

__all__ = ["kinds_of", "lines", "report"]


def kinds_of(problems: Sequence[Problem], found: Sequence[Judged]) -> dict[str, list[int]]:
    """Return (problems, those that some completion solves) by the part of their id before the slash."""
    kinds: dict[str, list[int]] = {}
    for problem, (_, right) in zip(problems, counts_of(problems, found), strict=True):
        of_kind = kinds.setdefault(problem.task_id.partition("/")[0], [0, 0])
        of_kind[0] += 1
        of_kind[1] += right > 0
    return kinds


def report(
    problems: Sequence[Problem],
    found: Sequence[Judged],
    ks: Sequence[int],
    *,
    asked: Mapping[str, Any],
    baselines: Mapping[str, Sequence[Judged]],
) -> dict[str, Any]:
    """Return the report as JSON has it.

    Parameters
    ----------
    problems, found
        What was judged, as many completions of each.
    ks
        Of pass@k.
    asked
        What was asked for, which comes first.
    baselines
        Name → what came of it, one completion a problem.
    """
    counts = counts_of(problems, found)
    ran = [each.enforced for each in found if each.enforced is not None]
    return {
        "schema_version": 1,
        **asked,
        "problems": len(problems),
        "samples": counts[0][0],
        "passed": sum(each.passed for each in found),
        "pass_at_k": [dataclasses.asdict(estimate(counts, k)) for k in ks],
        "kinds": {kind: {"problems": n, "solved": c} for kind, (n, c) in kinds_of(problems, found).items()},
        "outcomes": dict(sorted(collections.Counter(each.outcome for each in found).items())),
        "per_problem": [
            {"task_id": problem.task_id, "samples": n, "passed": c}
            for problem, (n, c) in zip(problems, counts, strict=True)
        ],
        "baselines": {
            name: sum(each.passed for each in judged) / len(problems) for name, judged in baselines.items()
        },
        "enforced": _enforced(weakest(ran)) if ran else None,
    }


def _enforced(found: Enforced) -> dict[str, Any]:
    return {"network": found.network, **dataclasses.asdict(found)}


def lines(found: Mapping[str, Any]) -> list[str]:
    """Return the report for people."""
    said = [f"{found['problems']} problems, {found['samples']} completions of each: {found['passed']} passed"]
    said += [_rate(Estimate(**each)) for each in found["pass_at_k"]]
    if len(found["kinds"]) < len(found["per_problem"]):
        kinds = [f"{kind} {each['solved']}/{each['problems']}" for kind, each in found["kinds"].items()]
        said.append(f"  solved      {', '.join(map(printable, kinds))}")
    outcomes = ", ".join(f"{printable(name)} {count}" for name, count in found["outcomes"].items())
    said.append(f"  outcomes    {outcomes}")
    if found["baselines"]:
        rates = sorted(found["baselines"].items(), key=lambda each: -each[1])
        said.append("  baselines   " + ", ".join(f"{name} {rate:.1%}" for name, rate in rates))
    return [*said, f"  sandbox     {_sandbox(found['enforced'])}"]


def _rate(found: Estimate) -> str:
    error = "" if found.standard_error is None else f", standard error {found.standard_error:.1%}"
    name = f"pass@{found.k}"
    return f"  {name:<11} {found.rate:.1%}{error}, 95 % from {found.low:.1%} to {found.high:.1%}"


def _sandbox(enforced: Mapping[str, Any] | None) -> str:
    if enforced is None:
        return "nothing was run"
    has = {
        "network": "no network" if enforced["network"] == "none" else "THE NETWORK WAS OPEN",
        "processes": "no new processes" if enforced["no_sockets"] else "new processes",
        "files": "writes to its own folder only"
        if enforced["writes_only_to_scratch"]
        else "writes wherever the user may",
    }
    return ", ".join(has.values())
