"""What ``pv gate`` says: for a terminal, for programs, and for a comment beside a change."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pv.exits import Exit
from pv.finding import Finding
from pv.gate import Judged
from pv.gate_run import Ahead, Run
from pv.movement import Moved
from pv.needs import spell_duration
from pv.printable import printable
from pv.reports.formats import markdown as page
from pv.tally import SHIPPABLE, Row

__all__ = ["MARK", "GateReport", "as_json", "markdown", "nothing", "text"]

MARK = "<!-- pv gate -->"
"""The first line of the Markdown, by which a comment is found again."""
_ARROW = "→"
_MOST = 40
"""Rows of one table: a comment on GitHub holds 65,536 characters."""


@dataclasses.dataclass(frozen=True)
class GateReport:
    """What was judged, what it was held against, and how the gate ends."""

    judged: Judged
    against: str
    """What is judged and the base, in words."""
    project: str
    """The folder of the project, relative to the top of its repository; empty at the top."""
    top: Path
    ahead: Sequence[Ahead]
    runs: Sequence[Run]
    rejected: Sequence[str]
    """Why the change is rejected, in sentences; empty where it is accepted."""
    ended: Exit


def text(report: GateReport) -> Iterator[str]:
    """Yield the lines for a terminal."""
    judged = report.judged
    direct, indirect = len(judged.scope.direct), len(judged.scope.touched) - len(judged.scope.direct)
    more = f", {indirect} more touched" if indirect else ""
    where = f"{report.project}: " if report.project else ""
    yield printable(f"gate  {where}{report.against}: {direct} contract(s){more}")
    for note in judged.notes:
        yield printable(f"note: {note}")
    for one in judged.findings:
        place = f"{_shown(report, one)}:{one.where.line}:{one.where.column}"
        yield printable(f"{place}: {one.severity}[{one.code}]: {one.message}")
        yield printable(f"    {one.remedy}")
    ahead = {one.row.address: one for one in report.ahead}
    for row in judged.stale:
        yield printable(f"stale     {row.address}: {row.status.reason}{_was(judged, row)}")
        if row.address in ahead:
            yield printable(f"          {_step(ahead[row.address])}")
    for row in judged.broken:
        waived = judged.waived.get(row.address, "")
        yield printable(f"broken    {row.address}: {row.status.reason}{_was(judged, row)}")
        if waived:
            yield printable(f"          {waived}")
    for moved in _others(judged):
        yield printable(f"{moved.direction:<8}  {moved.address}: {_from_to(moved)}")
    if judged.stale_before:
        yield f"{judged.stale_before} more were stale before"
    for run in report.runs:
        yield from map(printable, _run(run))
    yield ""
    yield from (printable(f"rejected: {why}") for why in report.rejected)
    if not report.rejected:
        yield "accepted" if report.ended == Exit.ACCEPTED else f"ended in {report.ended.name.lower()}"


def _step(one: Ahead) -> str:
    took = f"  (took {spell_duration(one.seconds)})" if one.seconds is not None else ""
    if one.state == "can":
        return f"to run: {one.command}{took}"
    if one.state == "elsewhere":
        return f"not here: {one.why}; {one.command}"
    return f"{one.why}: {one.command}{took}"


def _run(run: Run) -> Iterator[str]:
    if run.end is None:
        yield f"not run   {run.address}: {run.why}"
        return
    end = run.end
    told = f": {end.message.partition(chr(10))[0]}" if end.message and end.outcome != "Pass" else ""
    yield f"ran       {run.address}: {end.outcome.upper()}{told}"
    if end.records:
        folders = sorted({_folder(record) for record in end.records})
        yield f"          recorded, to be staged: git add {' '.join(folders)}"


def _folder(record: str) -> str:
    return record.rpartition("/")[0] or record


def _others(judged: Judged) -> Iterator[Moved]:
    told = {row.address for row in (*judged.stale, *judged.broken)}
    yield from (one for one in judged.moved if one.address not in told)


def _from_to(moved: Moved) -> str:
    why = f": {moved.reason}" if moved.reason and moved.direction == "demoted" else ""
    return f"{moved.before or 'nothing'} {_ARROW} {moved.after or 'nothing'}{why}"


def _was(judged: Judged, row: Row) -> str:
    before = judged.before.get(row.address)
    return f" (was {before})" if before else ""


def _shown(report: GateReport, one: Finding) -> str:
    return os.path.relpath(report.top / one.where.path)


def as_json(report: GateReport) -> dict[str, Any]:
    """Return the stable form of ``--format json``; places are relative to the top of the repository."""
    judged = report.judged
    ahead = {one.row.address: one for one in report.ahead}
    return {
        "project": report.project,
        "against": report.against,
        "exit": int(report.ended),
        "rejected": list(report.rejected),
        "contracts": {
            "judged": list(judged.scope.direct),
            "touched": dict(judged.scope.indirect),
            "gone": list(judged.scope.gone),
        },
        "findings": [one.to_json() for one in judged.findings],
        "moved": [one.to_json() for one in judged.moved],
        "stale": [_stale(row, ahead.get(row.address)) for row in judged.stale],
        "stale_before": judged.stale_before,
        "waived": dict(judged.waived),
        "runs": [
            {
                "falsifier": run.address,
                "outcome": run.end.outcome if run.end else None,
                "message": run.end.message if run.end else run.why,
                "records": list(run.end.records) if run.end else [],
            }
            for run in report.runs
        ],
        "tally": _tally_json(judged),
        "notes": list(judged.notes),
    }


def _stale(row: Row, ahead: Ahead | None) -> dict[str, Any]:
    return {
        "falsifier": row.address,
        "reason": row.status.reason,
        "here": ahead.state if ahead else None,
        "why": ahead.why if ahead else "",
        "seconds": ahead.seconds if ahead else None,
        "command": ahead.command if ahead else f"pv discharge {row.address}",
    }


def _tally_json(judged: Judged) -> dict[str, dict[str, int]] | None:
    if judged.untouched is None:
        return None
    before, after = _tallies(judged)
    return {"before": before, "after": after}


def _tallies(judged: Judged) -> tuple[dict[str, int], dict[str, int]]:
    """Count the statuses before and after; those of what is not touched are the same at both ends."""
    rest = [row.status.name for row in judged.untouched or ()]

    def count(names: Iterable[str]) -> dict[str, int]:
        counts: dict[str, int] = {}
        for name in (*names, *rest):
            if name != "EXCLUDED":
                counts[name] = counts.get(name, 0) + 1
        return dict(sorted(counts.items()))

    return count(judged.before.values()), count(row.status.name for row in judged.rows)


def markdown(report: GateReport) -> Iterator[str]:
    """Yield the lines of a comment; no text of a contract becomes markup."""
    judged = report.judged
    yield MARK
    where = f" of {page.text(report.project)}" if report.project else ""
    yield f"### pv gate{where}: {'rejected' if report.rejected else report.ended.name.lower()}"
    yield ""
    yield from (f"- {page.text(why)}" for why in report.rejected)
    if report.rejected:
        yield ""
    if judged.untouched is not None:
        yield from _tally(judged)
    yield page.text(f"{report.against}: {len(judged.scope.touched)} contract(s) touched")
    yield ""
    broken = [(row.address, _change(judged, row), row.status.reason) for row in judged.broken]
    yield from _table("What broke", ("falsifier", "status", "why"), broken)
    ahead = {one.row.address: one for one in report.ahead}
    stale = [
        (
            row.address,
            _change(judged, row),
            row.status.reason,
            _step(ahead[row.address]) if row.address in ahead else "",
        )
        for row in judged.stale
    ]
    yield from _table("What got stale", ("falsifier", "status", "because", "next"), stale)
    places = [
        (f"{one.where.path}:{one.where.line}", one.code, one.severity, one.message, one.remedy)
        for one in sorted(judged.findings, key=lambda one: one.severity != "error")
    ]
    yield from _table("Findings", ("where", "code", "severity", "finding", "remedy"), places)
    rest = [(one.address, one.direction, _from_to(one)) for one in _others(judged)]
    yield from _table("What else moved", ("falsifier", "", "status"), rest)
    runs = [
        (run.address, run.end.outcome if run.end else "not run", run.end.message if run.end else run.why)
        for run in report.runs
    ]
    yield from _table("What was run", ("falsifier", "outcome", "why"), runs)
    if not (broken or stale or places or rest or runs):
        yield "No status moved, and there is nothing to say of the contracts."
        yield ""


def nothing(against: str) -> Iterator[str]:
    """Yield the lines of a comment where a change touches nothing."""
    yield from (MARK, "### pv gate: accepted", "", page.text(f"{against}: nothing of pv's was touched"), "")


def _tally(judged: Judged) -> Iterator[str]:
    before, after = _tallies(judged)

    def halves(counts: Mapping[str, int]) -> str:
        done = sum(count for name, count in counts.items() if name in SHIPPABLE)
        return f"{done} + {sum(counts.values()) - done}"

    yield f"**{halves(before)} {_ARROW} {halves(after)}** (discharged + not yet)"
    yield ""
    changes = {n: after.get(n, 0) - before.get(n, 0) for n in sorted({*before, *after})}
    told = [f"{count:+d} {name}".replace("-", "\N{MINUS SIGN}") for name, count in changes.items() if count]
    if told:
        yield page.text(", ".join(told))
        yield ""


def _change(judged: Judged, row: Row) -> str:
    return f"{judged.before.get(row.address, 'nothing')} {_ARROW} {row.status.name}"


def _table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if not rows:
        return
    yield f"#### {title}"
    yield ""
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    shorten: Callable[[str], str] = lambda cell: cell if len(cell) <= 400 else f"{cell[:400]}…"  # noqa: E731
    for row in rows[:_MOST]:
        yield f"| {' | '.join(page.text(shorten(' '.join(cell.split()))) for cell in row)} |"
    yield ""
    if len(rows) > _MOST:
        yield f"{len(rows) - _MOST} more are not shown here."
        yield ""
