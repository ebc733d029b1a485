from __future__ import annotations

from pathlib import Path

from pv.audit import Audit, Disagreement
from pv.commitment import leaves_of, opened
from pv.evidence import Record
from pv.reports.audit import audit_lines

MEASURED = {"cosine": {"values": [0.5, 1.0, 0.75], "labels": ["a", "b", "c"]}, "expected": {"values": [3]}}
RECORD = Record(Path("x.json"), {"predicate": {"place": {"level": "live", "device": "cuda-sm90"}}})


def test_what_was_drawn_what_differs_and_the_risk_are_said() -> None:
    leaves = leaves_of(MEASURED)
    found = Audit(
        root="ab", leaves=4, challenge="c", openings=(opened(leaves, 0), opened(leaves, 1)),
        disagreements=(Disagreement("b", "cosine", (1.0,), ()),),
        tolerance=0.0, seconds=0.5, recorded_seconds=60.0, drawable=3,
    )  # fmt: skip
    assert [*audit_lines(found, RECORD, "evidence/x.json", "x-v1#FALSIFY-X-001")] == [
        "DISAGREES  x-v1#FALSIFY-X-001 at live level, recorded on cuda-sm90",
        "  record      evidence/x.json",
        "  root        ab",
        "  challenge   c",
        "  drawn       2 of 3 labels, measured again in 0.50 s (all of them took 60.00 s)",
        "  agrees      a: cosine 0.5",
        "  DISAGREES   b: cosine 1.0 recorded, nothing measured again",
        "  survives    a lie about 1 label(s), 33.3 %, with probability 0.333",
        "  survives    a lie about 2 label(s), 66.7 %, with probability 0",
        "  survives    a lie about 3 label(s), 100 %, with probability 0",
    ]
