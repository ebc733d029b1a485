from __future__ import annotations

from pathlib import Path

from pv.evidence import Record
from pv.reports.evidence import summary

PREDICATE = {
    "verdict": {"outcome": "Pass", "lines": [{"text": "min(x) >= 1", "truth": True}]},
    "falsifier": {"contract": "some-v1", "id": "A", "rule": "x is large"},
    "place": {"level": "algorithm"},
    "subjects": {
        "model": {"name": "m", "sha256": "ab" * 32, "derived_from": [{"name": "n", "sha256": None}]}
    },
    "check": {"reference": "m:f", "arguments": {"scheme": "q4_k"}},
    "inputs": {"check": "cd" * 32},
    "measurements": {"x": {"values": [2.0]}, "y": {"values": [1, 2, 3]}},
    "counter_examples": {"b": {"caught": True}, "a": {"caught": False}},
    "survey": {"points": [1, 2]},
    "revision": {"commit": "0123456789abcdef", "dirty": True},
    "run": {"started_at": "2026-01-01T00:00:00+00:00", "seconds": 1.5, "seed": 3},
    "host": {"cpu": "a cpu", "gpus": [{"name": "a gpu"}], "python": "3.11.7"},
}


def test_says_what_was_measured_on_what_by_which_code_and_whether_it_could_have_failed() -> None:
    lines = summary(Record(Path("x.json"), {"predicate": PREDICATE}), "evidence/x.json")
    assert lines == [
        "PASS  some-v1#A at algorithm level",
        "  x is large",
        "  record      evidence/x.json",
        f"  model       m  sha256 {'ab' * 32}",
        "              derived from n (None)",
        "  check       m:f  closure cdcdcdcdcdcd",
        "  with        {'scheme': 'q4_k'}",
        "  holds       min(x) >= 1",
        "  measured    x: 2.0",
        "  measured    y: 3 samples",
        "  caught      1 of 2: a, b",
        "  survey      2 points",
        "  run         2026-01-01T00:00:00+00:00, 1.5 s, seed 3, commit 0123456789ab (dirty)",
        "  host        a cpu, a gpu, Python 3.11.7",
    ]


def test_says_which_evidence_of_others_and_which_earlier_runs_it_rests_on() -> None:
    cited = {"record": "c/A/live-m-cpu-seed-0.json", "sha256": "ef" * 32}
    gate = {"falsifier": "some-v1#A", "metric": "loss", "level": "live", "records": [cited]}
    runs = {"by": "seed", "at_least": 2, "key": "seed-1", "cites": [{"key": "seed-0", **cited}]}
    whole = {**PREDICATE, "basis": {"quality": gate}, "runs": runs}
    lines = summary(Record(Path("x.json"), {"predicate": whole}), "evidence/x.json")
    assert lines[6:10] == [
        "  quality     loss of some-v1#A at live level",
        f"              {cited['record']}  sha256 {cited['sha256']}",
        "  run of      2 by seed: seed-1, judged together with 1 earlier",
        f"              seed-0: {cited['record']}  sha256 {cited['sha256']}",
    ]
