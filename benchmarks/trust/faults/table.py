"""The figures of all operations: how many faults were injected, and how many left something half."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from benchmarks.trust.faults.engine_operations import ENGINE
from benchmarks.trust.faults.evidence_operations import EVIDENCE
from benchmarks.trust.faults.injection import Found, inject
from benchmarks.trust.faults.operations import Operation

__all__ = ["Row", "groups", "rows"]


@dataclasses.dataclass(frozen=True)
class Row:
    """One line: `points` faults at `calls` system calls, and `images` that losses of power left."""

    what: str
    operations: int
    calls: int
    points: int
    images: int
    found: Sequence[Found]


def rows(every: int = 1) -> Iterator[Row]:
    """Go through all operations, at each `every`-th point."""
    for what, operations in groups():
        done = [inject(operation, every=every) for operation in operations]
        yield Row(
            what,
            len(done),
            sum(one.calls for one in done),
            sum(one.points for one in done),
            sum(one.images for one in done),
            [found for one in done for found in one.found],
        )


def groups() -> Iterator[tuple[str, Sequence[Operation]]]:
    """Yield all operations, by what they are about."""
    yield "evidence", EVIDENCE
    yield "journals, contracts, stores, ledger, reports", ENGINE
    # Late: it imports torch.
    from benchmarks.trust.faults.runtime_operations import RUNTIME

    yield "model files, traces, training checkpoints", RUNTIME
