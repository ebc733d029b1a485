"""How a discharge looks: one block a falsifier, one table for several, JSON for programs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pv.outcome import Discharge
from pv.printable import printable

__all__ = ["as_json", "margin", "print_one", "print_table", "told"]

_DETAIL_WIDTH = 160

_DOSE = re.compile(r".+=[0-9.e+-]+@[0-9]+")
"""What a dose at a place is called, such as ``scale=0.001@0``."""


def print_one(end: Discharge, waiting: Sequence[str] = (), waived: str = "") -> None:
    """Print what was judged, on what, how near it was, what it noticed, and where the record lies.

    `waiting` says who waits on a falsifier that failed (:func:`pv.blocking.blast_radius`), `waived` why
    and until when its failure is put up with (:attr:`pv.waivers.Waiver.note`).
    """
    print("\n".join(told(end, waiting, waived)) + "\n")


def told(end: Discharge, waiting: Sequence[str] = (), waived: str = "") -> list[str]:
    """Return the lines that :func:`print_one` prints."""
    head, *rest = _lines(end)
    lines = [f"{head} ({waived})" if waived else head, *rest]
    return [printable(line) for line in (*lines, *(f"  blocks      {line}" for line in waiting))]


def _lines(end: Discharge) -> list[str]:
    level = f" at {end.level} level" if end.level else ""
    lines = [f"{end.outcome.upper()}  {end.address}{level}", f"  {end.rule}"]
    if end.subject:
        lines.append(f"  judged on   {end.subject} ({end.device}, {end.seconds:.2f} s)")
    for number, why in enumerate(end.attempts, 1):
        head, *rest = why.splitlines() or [""]
        lines += [f"  attempt {number}   {head}", *(f"              {text}" for text in rest)]
    if end.runs:
        lines.append(f"  runs        {', '.join(end.runs)}")
    for line in (end.verdict or {}).get("lines", []):
        lines.append(f"  {'holds' if line['truth'] else 'FAILS'}       {line['text']}")
        lines += [f"              {text}" for text in _explained(line)]
    if end.plants:
        doses = [plant for plant in end.plants if _DOSE.fullmatch(plant.name)]
        listed = [plant for plant in end.plants if plant not in doses]
        caught = [plant.name for plant in listed if plant.caught]
        if listed:
            count = f"{len(caught)} of {len(listed)}"
            lines.append(f"  caught      {count} counter-examples: {', '.join(caught)}")
        if doses:
            noticed = sum(plant.caught for plant in doses)
            kinds = dict.fromkeys(plant.name.rpartition("@")[0] for plant in doses)
            lines.append(f"  detects     {noticed} of {len(doses)} doses: {', '.join(kinds)}")
        lines += [
            f"  NOT CAUGHT  {plant.name} (damages {plant.of})" for plant in end.plants if not plant.caught
        ]
    lines += [f"  note        {note}" for note in end.notes]
    if end.message and end.outcome != "Pass":
        head, *rest = end.message.splitlines()
        lines += [f"  because     {head}", *(f"              {text}" for text in rest)]
    if end.detail:
        lines += ["  detail", *(f"    {_cut(text)}" for text in end.detail.splitlines()[-20:])]
    for declined in end.declined:
        first, *more = [*declined.why.split("; "), *declined.command.split("  ")]
        lines.append(f"  declined    {declined.level} level: {first}")
        lines += [f"              {text}" for text in more]
    if end.fresh:
        lines.append("  fresh       nothing that decides it has changed since; --force runs it again")
    lines += [f"  record      {path}" for path in end.records]
    return lines


def _cut(text: str) -> str:
    return text if len(text) <= _DETAIL_WIDTH else f"{text[:_DETAIL_WIDTH]}... ({len(text)} characters)"


def _explained(line: Mapping[str, Any]) -> list[str]:
    told = []
    if line["reason"] and not line["comparisons"]:
        told.append(str(line["reason"]))
    for trace in line["comparisons"]:
        exact = trace["truth"] and trace.get("operator") == "=="
        parts = []
        if "left" in trace:
            name = "" if trace["text"] == line["text"] else f"{trace['text']}: "
            parts.append(f"{name}{trace['left']} against {trace['right']}")
        if "margin" in trace and not exact:
            parts.append(f"margin {trace['margin']:.3g}")
        if not trace["truth"] and "would_pass" in trace:
            parts.append(f"a threshold of {trace['would_pass']} would have passed")
        if parts:
            told.append(", ".join(parts))
        if not exact:
            told += [f"worst {_case(case)}" for case in trace.get("worst", ())]
    return told


def _case(case: Mapping[str, Any]) -> str:
    return f"{case['label'] or 'sample ' + str(case['index'])}: {case['value']}"


def margin(verdict: Mapping[str, Any] | None) -> str:
    """Return the nearest comparison of a verdict in a few words; ``exact`` where only equalities decide."""
    if verdict is None:
        return ""
    closest = verdict["closest"]
    if closest is None:
        return "exact" if verdict["outcome"] == "Pass" else ""
    return f"{closest['relative']:+.2%} of {closest['text']}"


def print_table(ends: Sequence[Discharge], waived: Collection[str] = ()) -> None:
    """Print one line a falsifier, and the count of each outcome; `waived` are addresses."""

    def outcome(end: Discharge) -> str:
        return f"{end.outcome} (WAIVED)" if end.address in waived else end.outcome

    rows = [("falsifier", "outcome", "level reached", "judged on", "margin")]
    rows += [
        (end.address, outcome(end), end.level or "-", end.subject or "-", margin(end.verdict) or "-")
        for end in ends
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for number, row in enumerate(rows):
        print(
            "  ".join(printable(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )
        if number == 0:
            print("  ".join("-" * width for width in widths))
    counts = Counter(map(outcome, ends))
    print("\n" + ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())))


def as_json(end: Discharge) -> dict[str, Any]:
    """Return the stable form of ``--format json``."""
    return {
        "falsifier": end.address,
        "rule": end.rule,
        "outcome": end.outcome,
        "level": end.level,
        "subject": end.subject,
        "device": end.device,
        "message": end.message,
        "detail": end.detail,
        "verdict": end.verdict,
        "counter_examples": [{"name": p.name, "of": p.of, "caught": p.caught} for p in end.plants],
        "declined": [{"level": d.level, "why": d.why, "command": d.command} for d in end.declined],
        "records": list(end.records),
        "fresh": end.fresh,
        "seconds": end.seconds,
        "attempts": list(end.attempts),
        "notes": list(end.notes),
    }
