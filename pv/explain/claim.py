"""What is claimed: the words of the clause, what it covers, which rule decides, and what it rests on."""

from __future__ import annotations

from pv.contract import LEVELS
from pv.explain.section import Explained, Section

__all__ = ["blocking", "citations", "claim", "covers", "rule"]


def claim(of: Explained) -> Section:
    """Say what is claimed, and what it would mean if it were wrong."""
    falsifier = of.falsifier
    where = falsifier.where
    told = {
        "rule": falsifier.rule,
        "prediction": falsifier.prediction,
        "if_fails": falsifier.if_fails,
        "aliases": list(falsifier.aliases),
        "outcome": falsifier.outcome,
        "ship_blocking": falsifier.ship_blocking,
        "excluded": falsifier.excluded,
        "model": falsifier.model or of.contract.model,
        "where": f"{of.project.shown(where.path)}:{where.line}",
    }
    lines = [
        f"{name:<12} {text}"
        for name, text in (
            ("rule", falsifier.rule),
            ("prediction", falsifier.prediction),
            ("if it fails", falsifier.if_fails),
            ("known as", ", ".join(falsifier.aliases)),
            ("model", told["model"]),
            ("excluded", falsifier.excluded),
            ("written at", told["where"]),
        )
        if text
    ]
    if falsifier.ship_blocking:
        lines.append("ship-blocking: nothing ships while it is not borne out")
    if falsifier.outcome == "refuted":
        lines.append("refuted: it is known to be false, and must go on failing")
    return Section("claim", lines, told)


def covers(of: Explained) -> Section | None:
    """Give the obligations that it covers, in their words."""
    if not of.falsifier.covers:
        return None
    known = {obligation.id: obligation for obligation in of.contract.obligations}
    data = [
        {
            "id": name,
            "type": known[name].type if name in known else None,
            "property": known[name].property if name in known else None,
            "formal": known[name].formal if name in known else None,
        }
        for name in of.falsifier.covers
    ]
    lines = []
    for entry in data:
        if entry["property"] is None:
            lines.append(f"{entry['id']}: the contract has no such obligation")
            continue
        lines.append(f"{entry['id']} ({entry['type']}): {entry['property']}")
        if entry["formal"]:
            lines.append(f"    {entry['formal']}")
    return Section("covers", lines, data)


def rule(of: Explained) -> Section | None:
    """Give the lines that decide, and at which levels."""
    expect = of.falsifier.expect
    if not expect:
        return None
    lines = []
    for level, listed in expect.items():
        others = [name for name in LEVELS if name not in expect]
        where = ", ".join(others) if level == "*" and len(expect) > 1 else level
        lines.append("at every level:" if where == "*" else f"at {where} level:")
        lines += [f"    {line}" for line in listed]
    return Section("decided by", lines, {level: list(listed) for level, listed in expect.items()})


def blocking(of: Explained) -> Section | None:
    """Say what waits on it, and what it waits on."""
    # Imported late: it asks for every contract of the project.
    from pv.blocking import read_blocking

    contracts = list(of.project.contracts())
    joined = read_blocking(contracts)
    behind, before = joined.behind(of.address), joined.before(of.address)
    if not behind and not before:
        return None
    lines = [f"waits on {address}" for address in before] + joined.lines(of.address)
    return Section("waiting", lines, {"blocks": list(behind), "blocked_by": list(before)})


def citations(of: Explained) -> Section | None:
    """Give what the contract cites."""
    listed = list(of.contract.references)
    return Section("cites", listed, listed) if listed else None
