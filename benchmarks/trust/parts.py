"""The parts of the table of trust: each runs something, and says what came of it beside what was wanted."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

__all__ = ["PARTS", "Line", "Scale"]


@dataclasses.dataclass(frozen=True)
class Scale:
    """How much of each part is run: `fuzz_seconds` a format, at each `every`-th fault point, and so on."""

    fuzz_seconds: float
    every: int
    kills: int
    signatures: int
    trials: int
    families: tuple[str, ...] | None
    """Of frauds; None for all."""


@dataclasses.dataclass(frozen=True)
class Line:
    """One figure. `right` says that nothing went wrong, `met` that it was also tried as often as wanted."""

    what: str
    came: str
    wanted: str
    right: bool
    met: bool
    details: tuple[str, ...] = ()


def hostile_files(scale: Scale) -> Iterator[Line]:
    """Read bad files of every format."""
    from benchmarks.trust.hostile import hostile

    found = hostile(scale.fuzz_seconds)
    worst = f"the worst took {found.worst_seconds:.2f} s and {found.worst_mebibytes:.0f} MiB"
    yield Line(
        "bad inputs over the formats",
        f"{found.inputs:,} read, {found.escapes} escaped; {worst}",
        "1,000,000, none escapes",
        found.escapes == 0,
        found.escapes == 0 and found.inputs >= 1_000_000,
        found.finds,
    )


def faults(scale: Scale) -> Iterator[Line]:
    """Let every system call of everything that writes fail in turn, and the power at any of them."""
    from benchmarks.trust.faults.table import rows

    for row in rows(scale.every):
        came = (
            f"{row.points:,} faults in {row.calls:,} calls, {row.images:,} losses of power,"
            f" {len(row.found)} half states"
        )
        yield Line(
            f"faults in what writes {row.what}",
            came,
            "every call, none half",
            not row.found,
            not row.found and scale.every == 1,
            tuple(map(str, row.found)),
        )


def kills(scale: Scale) -> Iterator[Line]:
    """Kill a process that writes, again and again."""
    from benchmarks.trust.kills_store import kill

    found = kill(scale.kills)
    yield Line(
        "kill -9 of writers",
        f"{found.rounds:,} rounds, {found.written:,} steps written, {len(found.wrong)} lost or half",
        "10,000 rounds, as many steps, nothing lost",
        not found.wrong,
        not found.wrong and found.rounds >= 10_000 and found.written >= 0.9 * found.rounds,
        tuple(found.wrong),
    )


def tampering(_scale: Scale) -> Iterator[Line]:
    """Tamper with signed evidence and with the ledger."""
    from benchmarks.trust.tamper import rows

    with tempfile.TemporaryDirectory() as folder:
        untouched, *tampered = rows(Path(folder))
    missed = [row.what for row in tampered if not row.named]
    yield Line(
        "tampered evidence",
        f"{len(tampered) - len(missed)} of {len(tampered)} ways named, {len(untouched.said)} alarms without",
        "40 or more, all named",
        not missed and untouched.named,
        not missed and untouched.named and len(tampered) >= 40,
        tuple(missed),
    )


def fraud(scale: Scale) -> Iterator[Line]:
    """Try to get greens that are not earned."""
    from benchmarks.fraud.registry import ATTEMPTS
    from benchmarks.fraud.room import Room
    from benchmarks.fraud.table import rows

    chosen = {
        name: attempt
        for name, attempt in ATTEMPTS.items()
        if scale.families is None or name.rpartition("-")[0] in scale.families
    }
    with tempfile.TemporaryDirectory(prefix="fraud-") as folder:
        found = [*rows(chosen, Room(Path(folder)))]
    words = [row.word for row in found]
    named, known = words.count("named"), words.count("open")
    wrong = tuple(f"{row.name}: {row.word}" for row in found if row.word not in {"named", "open"})
    yield Line(
        "greens that are not earned",
        f"{named} of {named + len(wrong)} named; {known} that are known to succeed are listed apart",
        "60 or more, all named",
        not wrong,
        not wrong and named >= 60,
        wrong,
    )


def signatures(scale: Scale) -> Iterator[Line]:
    """Verify signatures under a policy."""
    from benchmarks.trust.signatures import measure

    ours, alone = measure(scale.signatures, 3)
    yield Line(
        "signatures verified",
        f"{scale.signatures:,} in {ours:.2f} s, {ours / alone:.1f} times what cryptography takes alone",
        "1,000 in at most 2 s",
        ours <= 2.0 * scale.signatures / 1_000,
        ours <= 2.0 and scale.signatures >= 1_000,
    )


def audits(scale: Scale) -> Iterator[Line]:
    """Audit 1 % of the tensors of a pair, and lie about 1 % of them."""
    from benchmarks.trust.audit import measure

    found = measure(trials=scale.trials)
    yield Line(
        "lies about 1 % of 339 tensors, 1 % of them drawn",
        f"{found.found} of {found.trials} challenges found one,"
        f" {found.trials * found.stated:.1f} +- {found.deviation:.1f} were stated;"
        f" an audit took {found.audit_seconds / found.whole_seconds:.2f} of the sweep",
        "200 challenges, as often as stated",
        found.as_stated,
        found.as_stated and found.trials >= 200,
    )


PARTS: Mapping[str, Callable[[Scale], Iterator[Line]]] = {
    "signatures": signatures,
    "tamper": tampering,
    "fraud": fraud,
    "audit": audits,
    "kills": kills,
    "faults": faults,
    "files": hostile_files,
}
"""Name → what is run, the quickest first."""
