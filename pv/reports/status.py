"""How statuses look: text for people, JSON for programs, markdown for pages."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pv.blocking import Blocking
from pv.detection import Limit, limits_of
from pv.movement import Change, Moved
from pv.printable import printable
from pv.reports.discharge import margin
from pv.status import contract_status
from pv.tally import NO_MODEL, Readiness, Row, by_contract, tally

__all__ = ["StatusReport", "as_json", "markdown", "signed", "text"]

_MINUS = "\N{MINUS SIGN}"


@dataclasses.dataclass(frozen=True)
class StatusReport:
    """What `pv status` found: the rows, and what follows from them."""

    rows: Sequence[Row]
    models: Sequence[Readiness]
    blocking: Blocking
    waived: Mapping[str, str]
    """Address → what the waiver says; beside the status, never instead of it."""
    change: Change | None
    selected: bool
    """Whether the rows are a selection, so that shares are those of the selection."""

    def waiting(self, row: Row) -> list[str]:
        """Say who waits on a falsifier that is not settled."""
        return [] if row.settled or row.falsifier.excluded else self.blocking.lines(row.address)

    def waits_on(self, row: Row) -> list[Row]:
        """Return the rows, not settled, that this one waits on."""
        before = set(self.blocking.before(row.address))
        return [other for other in self.rows if other.address in before and not other.settled]


def text(report: StatusReport) -> Iterator[str]:
    """Yield the lines for a terminal."""
    rows = report.rows
    identifiers = max(len(row.falsifier.id) for row in rows)
    names = max(len(_shown(report, row)) for row in rows)
    for stem, group in by_contract(rows).items():
        yield printable(f"{stem}: {_worst(group)}")
        for row in group:
            blocking = "ship-blocking" if row.falsifier.ship_blocking else ""
            line = (
                f"  {row.falsifier.id:<{identifiers}}  {_shown(report, row):<{names}}"
                f"  {blocking:<13}  {row.status.reason}"
            )
            yield printable(line.rstrip())
            yield from (printable(f"  {'':<{identifiers}}  {line}") for line in report.waiting(row))
        change = report.change.by_contract.get(stem) if report.change else None
        yield f"  {_counted(tally(group))}{f' ({signed(change)})' if change else ''}"
        yield ""
    for line in _models(report):
        yield printable(line)
    if report.change:
        yield ""
        yield from (printable(line) for line in _moved(report.change))


def _models(report: StatusReport) -> Iterator[str]:
    of = " of what was selected" if report.selected else ""
    for model in report.models:
        name = f"model {model.model}" if model.model else NO_MODEL
        if model.percent is None:
            yield f"{name}: nothing ship-blocking{of}: NOT GATED"
            continue
        yield (
            f"{name}: {model.discharged} of {model.total} ship-blocking falsifiers{of} discharged"
            f" ({model.percent} %)"
        )
        if model.blockers:
            yield "  what blocks shipping, worst first:"
        for blocker in model.blockers:
            row = blocker.row
            yield f"  {_shown(report, row)}  {row.address}: {row.status.reason}"
            for other in report.waits_on(row):
                yield f"      waits on {other.address} ({other.status.name})"
            yield f"      {blocker.step}"


def _moved(change: Change) -> Iterator[str]:
    past = change.past
    yield f"against {past.revision} ({past.commit[:12]}): {signed(change.tally)}"
    for stem in change.added:
        yield f"  contract {stem} is new"
    for stem in change.removed:
        yield f"  contract {stem} is gone"
    for stem, why in past.unreadable.items():
        yield f"  contract {stem} could not be read there, and is not compared: {why}"
    for one in change.moved:
        yield f"  {_one(one)}"


def _one(one: Moved) -> str:
    why = f": {one.reason}" if one.reason and one.direction == "demoted" else ""
    return f"{one.direction:<8}  {one.address}: {one.before or 'nothing'} → {one.after or 'nothing'}{why}"


def markdown(report: StatusReport) -> Iterator[str]:
    """Yield the lines of a page; no text of a contract breaks its tables, links, loads or calls anybody."""
    from pv.reports.formats.markdown import text as cell  # of one format

    for stem, group in by_contract(report.rows).items():
        yield f"## {cell(stem)}: {_worst(group)}\n"
        yield "| falsifier | status | blocks | margin | limit of detection | reason |"
        yield "|---|---|---|---|---|---|"
        for row in group:
            blocks = "yes" if row.falsifier.ship_blocking else ""
            reason = "; ".join([row.status.reason, *report.waiting(row)])
            cells = (row.falsifier.id, _shown(report, row), blocks, _margin(row), _limits(row), reason)
            yield f"| {' | '.join(cell(words) for words in cells)} |"
        yield ""
    of = " (of what was selected)" if report.selected else ""
    yield f"## Models{of}\n"
    yield "| model | ship-blocking | discharged | share |\n|---|---|---|---|"
    for model in report.models:
        share = "NOT GATED" if model.percent is None else f"{model.percent} %"
        yield f"| {cell(model.model or NO_MODEL)} | {model.total} | {model.discharged} | {share} |"
    blockers = [blocker for model in report.models for blocker in model.blockers]
    if blockers:
        yield "\n## What blocks shipping\n"
        yield "| model | falsifier | status | reason | next |\n|---|---|---|---|---|"
        for blocker in blockers:
            row = blocker.row
            blocked = (
                row.model or NO_MODEL, row.address, _shown(report, row), row.status.reason, blocker.step
            )  # fmt: skip
            yield f"| {' | '.join(cell(words) for words in blocked)} |"
    if report.change:
        yield "\n## Change\n"
        yield from (cell(line) if number == 0 else f"- {cell(line.strip())}"
                    for number, line in enumerate(_spaced(_moved(report.change))))  # fmt: skip
    yield ""


def _spaced(lines: Iterator[str]) -> Iterator[str]:
    yield f"{next(lines)}\n"
    yield from lines


def as_json(report: StatusReport) -> dict[str, Any]:
    """Return the stable form of ``--format json``."""
    grouped = by_contract(report.rows)
    return {
        "contracts": {stem: _worst(group) for stem, group in grouped.items()},
        "tally": {
            "all": tally(report.rows),
            "contracts": {stem: tally(group) for stem, group in grouped.items()},
        },
        "falsifiers": [_row(report, row) for row in report.rows],
        "models": [
            {
                "model": model.model,
                "ship_blocking": model.total,
                "discharged": model.discharged,
                "percent": model.percent,
                "blockers": [
                    {
                        "falsifier": blocker.row.address,
                        "status": blocker.row.status.name,
                        "reason": blocker.row.status.reason,
                        "next": blocker.step,
                        "waits_on": [row.address for row in report.waits_on(blocker.row)],
                    }
                    for blocker in model.blockers
                ],
            }
            for model in report.models
        ],
        "against": _change(report.change) if report.change else None,
    }


def _row(report: StatusReport, row: Row) -> dict[str, Any]:
    return {
        "falsifier": row.address,
        "rule": row.falsifier.rule,
        "status": row.status.name,
        "claimed": row.falsifier.discharge_status,
        "model": row.model,
        "ship_blocking": row.falsifier.ship_blocking,
        "waived": report.waived.get(row.address),
        "waiting": list(report.blocking.behind(row.address)),
        "reason": row.status.reason,
        "margin": _margin(row),
        "limits": {limit.kind: limit.amount for limit in _measured(row)},
        "records": ["/".join(record.path.parts[-3:]) for record in row.status.records],
    }


def _measured(row: Row) -> list[Limit]:
    return [limit for record in row.status.records for limit in limits_of(record.predicate)]


def _limits(row: Row) -> str:
    """Return the limits of detection that were measured; of what must be detected, at least what must."""
    if found := _measured(row):
        return "; ".join(map(str, found))
    return "; ".join(f"{kind}: at most {amount:g}" for kind, amount in row.falsifier.must_detect.items())


def _change(change: Change) -> dict[str, Any]:
    return {
        "revision": change.past.revision,
        "commit": change.past.commit,
        "tally": dict(change.tally),
        "contracts": {stem: dict(counts) for stem, counts in change.by_contract.items()},
        "moved": [one.to_json() for one in change.moved],
        "contracts_added": list(change.added),
        "contracts_removed": list(change.removed),
        "contracts_unreadable": dict(change.past.unreadable),
    }


def signed(counts: Mapping[str, int]) -> str:
    """Return a change of the tally in a few words, such as ``+1 DISCHARGED``."""
    parts = [f"{'+' if count > 0 else _MINUS}{abs(count)} {name}" for name, count in counts.items()]
    return ", ".join(parts) or "the tally is the same"


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "nothing in the tally"


def _shown(report: StatusReport, row: Row) -> str:
    waiver = report.waived.get(row.address)
    return f"{row.status.name} ({waiver})" if waiver else row.status.name


def _worst(rows: Sequence[Row]) -> str:
    return contract_status((row.falsifier, row.status) for row in rows)


def _margin(row: Row) -> str:
    last = row.status.records[-1].predicate["verdict"] if row.status.records else None
    return margin(last)
