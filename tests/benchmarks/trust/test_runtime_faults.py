"""What the runtime once wrote half, or lost after it said that it was written."""

from __future__ import annotations

import pytest

from benchmarks.trust.faults.injection import inject
from benchmarks.trust.faults.runtime_operations import RUNTIME

MENDED = [
    ("safetensors file, replaced", "power"),
    ("folder of weights, replaced", "read-only"),
    ("folder of weights, replaced", "power"),
    ("model with random weights", "full"),
    ("trace, replaced", "power"),
    ("stage of a bisection", "ENOSPC"),
    ("stage of a bisection", "power"),
    ("checkpoint, the next", "power"),
    ("metrics, gone on with", "power"),
]


@pytest.mark.parametrize(("name", "fault"), MENDED)
def test_what_was_mended_stays_so(name: str, fault: str) -> None:
    [operation] = [one for one in RUNTIME if one.name == name]
    tally = inject(operation, [fault], every=2)
    assert not tally.found, "\n".join(map(str, tally.found))
