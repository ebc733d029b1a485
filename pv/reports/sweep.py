"""How a sweep looks: its plan before anything runs, its end, and JSON for programs; by the journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pv.exits import Exit
from pv.journal import Reading, ends
from pv.outcome import EXITS, Discharge
from pv.printable import printable
from pv.reports.discharge import as_json, print_one, print_table
from pv.sweep import KILLED
from pv.waivers import Waiver

__all__ = ["plan_lines", "print_sweep", "sweep_json"]

_MOST = 20
"""Of more than these, the rest is counted: the journal has them all."""


def plan_lines(planned: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the plan: how many run and what does not; what cannot be judged here, and how elsewhere."""
    states = Counter(line["state"] for line in planned)
    told = [f"{states[state]} {word}" for state, word in _STATES.items() if states[state]]
    yield f"plan  {len(planned)} falsifier(s): {', '.join(told)}"
    running = [line for line in planned if line["state"] == "run"]
    where = Counter(f"{line['level']} level on {line['device']}" for line in running if line["level"])
    for place, count in sorted(where.items()):
        yield f"      run        {count} at {place}"
    gates = sum(bool(line["gate"]) for line in running)
    if gates:
        yield f"      run        {gates} gate(s), by the evidence of others, when all others have ended"
    other = [line for line in running if not line["level"] and not line["gate"]]
    yield from _few((f"      run        {line['falsifier']}: {line['why']}" for line in other), len(other))
    for state in ("declined", "unbound", "excluded"):
        found = [line for line in planned if line["state"] == state]
        shown = (text for line in found for text in _not_run(state, line))
        yield from _few(shown, len(found))
    higher = [line for line in planned if line["state"] != "declined" and line["declined"]]
    if higher:
        yield f"      a higher level of {len(higher)} is declined here:"
        yield from _few(
            (
                f"        {line['falsifier']}, {one['level']} level: {one['command']}"
                for line in higher
                for one in line["declined"]
            ),
            sum(len(line["declined"]) for line in higher),
        )


_STATES = {
    "run": "to run",
    "fresh": "fresh",
    "declined": "declined",
    "unbound": "unbound",
    "excluded": "excluded",
}


def _not_run(state: str, line: Mapping[str, Any]) -> Iterator[str]:
    yield f"      {state:<9}  {line['falsifier']}: {line['why']}"
    for one in line["declined"]:
        yield f"                 {one['level']} level, {one['command']}"


def _few(lines: Iterator[str], count: int) -> Iterator[str]:
    """Yield the first of `lines`, and how many there are besides."""
    for number, line in enumerate(lines):
        if number == _MOST:
            yield f"      ... {count} in all; the journal lists them"
            return
        yield printable(line)


def print_sweep(reading: Reading, journal: str, waived: Mapping[str, Waiver]) -> None:
    """Print what did not pass, one by one; all of it in a table if that is short; and what is left."""
    bad = bad_before = 0
    short: list[Discharge] = []
    for end, _ in ends(reading):
        if EXITS[end.outcome] in {Exit.REJECTED, Exit.ERROR}:
            bad += 1
            if bad <= _MOST:
                print_one(end, (), waived[end.address].note if end.address in waived else "")
        elif end.attempts:
            bad_before += 1
            if bad_before <= _MOST:
                print_one(end)
        if len(reading.planned) <= _MOST:
            short.append(end)
    if bad > _MOST:
        print(f"... {bad} in all that failed; the journal lists them\n")
    if bad_before:
        print(f"{bad_before} ended well after an attempt that broke, as above\n")
    if len(short) > 1:
        print_table(short, waived.keys())
    else:
        counts = Counter(reading.outcomes.values())
        print(", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())) or "nothing ended")
    for address in reading.stepped_over:
        print(printable(f"stepped over: {address} {KILLED} (--resume --retry runs it)"))
    if reading.left:
        print(f"{len(reading.left)} not begun: pv sweep --resume --journal {printable(journal)}")
    print(printable(f"journal  {journal}"))


def sweep_json(reading: Reading, journal: str, waived: Mapping[str, Waiver], ended: Exit) -> dict[str, Any]:
    """Return the stable form of ``--format json``."""
    results = []
    for end, at in ends(reading):
        waiver = waived[end.address].to_json() if end.address in waived else None
        results.append({**as_json(end), "ended_at": at, "waived": waiver})
    return {
        "journal": journal,
        "began_at": reading.sweep["at"],
        "planned": dict(Counter(line["state"] for line in reading.planned.values())),
        "counts": dict(sorted(Counter(reading.outcomes.values()).items())),
        "stepped_over": list(reading.stepped_over),
        "not_begun": list(reading.left),
        "exit": int(ended),
        "results": results,
    }
