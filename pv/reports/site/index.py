"""The first page: what holds, what broke in the last sweep, what got stale, every falsifier in a table."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pv.coverage import COUNTED
from pv.reports.site.ladder import bar, counted
from pv.reports.site.pages import contract_link, falsifier_link
from pv.reports.site.source import Source
from pv.status import contract_status, rank
from pv.tally import NO_MODEL, Readiness, Row, tally
from pv.waivers import Waiver

__all__ = ["index_context", "short_margin", "tags_of"]

SOON = dt.timedelta(days=14)
"""A waiver that expires within it is marked."""
_RULE = 100
"""Characters of a rule: its page has the rest, and this one is to stay small."""


def index_context(source: Source, days: Mapping[str, str]) -> dict[str, Any]:
    """Return what the first page shows; `days` is address → since when its status holds."""
    report = source.report
    rows = list(report.rows)
    counts = tally(rows)
    listed = [_row(row, source, days.get(row.address, "")) for row in rows]
    return {
        "total": sum(counts.values()),
        "excluded": sum(row.status.name == "EXCLUDED" for row in rows),
        "tally": list(counts.items()),
        "bar": bar(counts),
        "models": [_model(model, source) for model in report.models],
        "contracts": [_contract(stem, group, source) for stem, group in source.groups.items()],
        "rows": listed,
        "sweep": source.sweep,
        "stale": [row for row in rows if row.status.name == "STALE"],
        "days": days,
        "waivers": list(_waivers(source)),
        "statuses": list(dict.fromkeys(row["status"] for row in sorted(listed, key=lambda r: -r["rank"]))),
        "levels": [n for n in ("live", "functional", "algorithm") if any(r["level"] == n for r in listed)],
        "names": sorted({row["model"] for row in listed if row["model"]}),
        "tags": sorted({tag for row in rows for tag in tags_of(row)}),
    }


def tags_of(row: Row) -> list[str]:
    """Return the tags of a falsifier and of its contract, as ``--select`` knows them."""
    stated = (row.falsifier.raw.get("tags"), row.contract.metadata.get("tags"))
    listed = [value if isinstance(value, list) else [value] for value in stated]
    return list(dict.fromkeys(text for value in listed for text in value if isinstance(text, str)))


def short_margin(verdict: Mapping[str, Any]) -> str:
    """Return a margin in a column's width: a share in percent, or ``exact`` where only equalities decide."""
    closest = verdict["closest"]
    if not closest:
        return "exact" if verdict["outcome"] == "Pass" else ""
    relative = closest["relative"]
    if not isinstance(relative, (int, float)) or not -1e300 < relative < 1e300:
        return ""
    value = relative * 100
    return f"{value:+.3g} %" if abs(value) < 1e5 else f"{value:+.1e} %"


def _row(row: Row, source: Source, since: str) -> dict[str, Any]:
    rule = " ".join(row.falsifier.rule.split())
    last = row.status.records[-1].predicate if row.status.records else None
    relative = (last["verdict"]["closest"] or {}).get("relative") if last else None
    return {
        "id": row.falsifier.id,
        "href": falsifier_link(row.address),
        "contract": row.contract.stem,
        "status": row.status.name,
        "css": row.status.name.lower(),
        "rank": rank(row.status.name) or 0,
        "waived": row.address in source.report.waived,
        "level": last["place"]["level"] if last else "",
        "relative": relative if isinstance(relative, (int, float)) else "",
        "margin": short_margin(last["verdict"]) if last else "",
        "since": since,
        "model": row.model or "",
        "tags": " ".join(tags_of(row)),
        "ships": row.falsifier.ship_blocking,
        "rule": rule if len(rule) <= _RULE else f"{rule[:_RULE]}...",
    }


def _model(model: Readiness, source: Source) -> dict[str, Any]:
    rows = [row for row in source.report.rows if row.model == model.model]
    return {
        "name": model.model or NO_MODEL,
        "total": model.total,
        "discharged": model.discharged,
        "share": "NOT GATED" if model.percent is None else f"{model.percent} %",
        "bar": bar(tally(rows)),
        "counts": counted(tally(rows)),
        "blockers": [(blocker.row, blocker.step) for blocker in model.blockers[:_MOST]],
        "more": max(0, len(model.blockers) - _MOST),
    }


_MOST = 20
"""Blockers of a model; of more, the table of falsifiers tells."""


def _contract(stem: str, rows: Sequence[Row], source: Source) -> dict[str, Any]:
    counts = tally(rows)
    obligations = [one for one in source.coverage[stem].obligations if one.kind != "not applicable"]
    kinds = Counter(one.kind in COUNTED["functional"] for one in obligations)
    status = contract_status((row.falsifier, row.status) for row in rows)
    return {
        "stem": stem,
        "href": contract_link(stem),
        "model": rows[0].contract.model or "",
        "status": status,
        "css": status.lower().replace(" ", "-"),
        "rank": -1 if rank(status) is None else rank(status),
        "bar": bar(counts),
        "counts": counted(counts),
        "falsifiers": len(rows),
        "covered": f"{kinds[True]} of {len(obligations)}" if obligations else "none stated",
        "share": kinds[True] / len(obligations) if obligations else "",
    }


def _waivers(source: Source) -> Iterator[tuple[Waiver, str]]:
    """Yield the waivers, those that end first first, and how near that is."""
    for waiver in sorted(source.waivers, key=lambda one: (one.expires, one.address)):
        left = (waiver.expires - source.today).days
        if left <= 0:
            yield waiver, "expired"
        elif left <= SOON.days:
            yield waiver, f"in {left} day{'s' if left > 1 else ''}"
        else:
            yield waiver, ""
