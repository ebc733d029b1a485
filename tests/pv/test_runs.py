from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv.contract import Runs
from pv.evidence import Record
from pv.expression import measurements_to_json
from pv.expression.values import Series
from pv.runs import cited_runs, host_key, judged_measurements, missing_runs, run_key, union

DAY = dt.date(2026, 11, 20)
SEEDS = Runs("seed", 3, (0, 2, 10))


def test_a_run_is_named_by_what_tells_it_apart() -> None:
    assert run_key("seed", seed=7, today=DAY) == "seed-7"
    assert run_key("day", seed=7, today=DAY) == "day-2026-11-20"
    assert run_key("host", seed=7, today=DAY) == host_key()


def test_a_host_is_told_apart_without_being_named() -> None:
    import socket

    assert host_key() == host_key()
    assert socket.gethostname() not in host_key()
    assert len(host_key()) == len("host-") + 12


def test_runs_are_joined_in_the_order_of_their_keys_and_labelled() -> None:
    parts = {
        "seed-10": {"loss": Series((3.0,))},
        "seed-2": {"loss": Series((2.0, 2.5), ("a", None)), "extra": Series((1,))},
    }
    joined = union(parts)
    assert joined["loss"] == Series((2.0, 2.5, 3.0), ("seed-2/a", "seed-2", "seed-10"))
    assert joined["extra"] == Series((1,), ("seed-2",))


@given(st.dictionaries(st.integers(0, 50), st.lists(st.floats(allow_nan=False)), max_size=6))
def test_joining_loses_and_invents_nothing(runs: dict[int, list[float]]) -> None:
    parts = {f"seed-{seed}": {"x": Series(tuple(values))} for seed, values in runs.items()}
    joined = union(parts).get("x", Series(()))
    assert list(joined.values) == [value for seed in sorted(runs) for value in runs[seed]]
    assert joined == union(dict(reversed(parts.items()))).get("x", Series(()))


def record(key: str, value: float) -> Record:
    measured = measurements_to_json({"loss": Series((value,))})
    predicate = {"place": {"run": key}, "measurements": measured}
    return Record(Path(f"/p/evidence/c/FALSIFY-A-1/live-x-cpu-{key}.json"), {"predicate": predicate})


def test_a_verdict_over_runs_rests_on_its_own_series_and_on_those_that_it_cites() -> None:
    cited = cited_runs(
        [record("seed-10", 3.0), record("seed-0", 1.0), record("seed-2", 9.0)], besides="seed-2"
    )
    assert [run.key for run in cited] == ["seed-0", "seed-10"]
    assert cited[0].record == "c/FALSIFY-A-1/live-x-cpu-seed-0.json"
    assert len({run.sha256 for run in cited}) == 2
    own = measurements_to_json({"loss": Series((2.0,))})
    cites = [{"key": run.key, "measurements": measurements_to_json(run.measurements)} for run in cited]
    predicate = {"measurements": own, "runs": {"key": "seed-2", "cites": cites}}
    assert judged_measurements(predicate)["loss"].values == (1.0, 2.0, 3.0)
    assert judged_measurements({"measurements": own})["loss"] == Series((2.0,))


@pytest.mark.parametrize(
    ("runs", "keys", "said"),
    [
        (SEEDS, ["seed-0", "seed-2", "seed-10"], ""),
        (SEEDS, ["seed-0", "seed-2", "seed-3"], "no run with seed 10"),
        (SEEDS, [], "no run with seed 0, 2, 10"),
        (Runs("day", 2, ()), ["day-2026-11-20"], "1 of 2 runs by day; discharge it again on another day"),
        (Runs("day", 2, ()), ["day-2026-11-20", "day-2026-11-21"], ""),
        (
            Runs("host", 2, ()),
            ["host-a", "host-a"],
            "1 of 2 runs by host; discharge it again on another host",
        ),
    ],
)
def test_missing_runs_are_named(runs: Runs, keys: list[str], said: str) -> None:
    assert missing_runs(runs, keys) == said
