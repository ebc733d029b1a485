from __future__ import annotations

import dataclasses
import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv.contract import Runs
from pv.discharge import discharge
from pv.evidence import Record, seal
from pv.exits import Exit
from pv.expression import measurements_to_json
from pv.expression.values import Series
from pv.outcome import Discharge, Options
from pv.runner import Runner
from pv.runs import cited_runs, host_key, judged_measurements, missing_runs, run_key, union
from pv.subjects import Subjects
from pv.verdict import judge
from pv.verify import metrics_from_json

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"

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


CLAUSE: dict[str, Any] = {
    "id": ID,
    "rule": "The score does not hang on the seed",
    "prediction": "three seeds lie within two points",
    "if_fails": "the score is luck",
    "check": "small_checks.noise:score",
    "subjects": {"functional": {"numbers": "stand-in"}, "live": {"numbers": "shipped"}},
    "expect": ["max(score) - min(score) <= 2.5", "count(score) == 3", "median(score) >= 50.0"],
    "counter_examples": ["inflated"],
    "needs": {"memory": "256 MiB", "timeout": "20 s"},
    "ship_blocking": True,
    "runs": {"by": "seed", "seeds": [0, 1, 2]},
}


def names(project: Project) -> list[str]:
    return [Path(name).name for name in project.evidence()]


def test_a_claim_over_seeds_runs_each_and_judges_them_together(project: Project) -> None:
    project.contract(CLAUSE)
    ended = project.pv("discharge", ID)
    assert ended.code == Exit.ACCEPTED, ended.said
    assert names(project) == [
        "algorithm-stand-in-cpu.json",
        *(f"live-shipped-cpu-seed-{seed}.json" for seed in range(3)),
    ]
    assert "runs        seed-0, seed-1, seed-2" in ended.out
    last = json.loads(project.evidence()[f"small-v1/{ID}/live-shipped-cpu-seed-2.json"])["predicate"]
    assert last["measurements"]["score"]["values"] == [54.0]
    assert [cited["key"] for cited in last["runs"]["cites"]] == ["seed-0", "seed-1"]
    assert last["run"]["seed"] == 2
    assert project.pv("evidence", "verify").code == Exit.ACCEPTED
    assert project.status() == ("DISCHARGED", "judged live, over seed-0, seed-1, seed-2")
    again = project.pv("discharge", ID)
    assert again.code == Exit.ACCEPTED
    assert "fresh" in again.out


def test_each_run_is_needed_and_all_are_judged(project: Project) -> None:
    project.contract(CLAUSE)
    project.pv("discharge", ID)
    folder = project.root / "evidence" / "small-v1" / ID
    (folder / "live-shipped-cpu-seed-1.json").unlink()
    status, reason = project.status()
    assert status == "PARTIAL_ALGORITHM_LEVEL"
    assert "no run with seed 1" in reason
    assert project.pv("discharge", ID).code == Exit.ACCEPTED
    assert project.status()[0] == "DISCHARGED"
    project.contract(CLAUSE | {"with": {"spread": 2.0}})
    assert project.status()[0] == "STALE"
    ended = project.pv("discharge", ID)
    assert ended.code == Exit.REJECTED
    assert "a threshold of 4.0 would have passed" in ended.out


def test_a_rule_that_no_single_run_could_break_is_still_shown_able_to_fail(project: Project) -> None:
    # A shift that is within the spread of the seeds is not noticed, and that is said.
    project.contract(CLAUSE | {"counter_examples": ["inflated", "shifted"]})
    ended = project.pv("discharge", ID)
    assert ended.code == Exit.REJECTED
    assert ended.out.startswith("VACUOUS")
    assert "NOT CAUGHT  shifted" in ended.out


def test_a_claim_over_days_waits_for_the_second_and_reads_the_first(project: Project) -> None:
    project.contract(
        CLAUSE
        | {
            "runs": {"by": "day", "at_least": 2},
            "expect": ["max(score) - min(score) <= 1.2", "count(score) >= 2"],
        }
    )
    first = discharged_on(project, DAY)
    assert first.outcome == "Declined"
    assert first.message == "1 of 2 runs by day; discharge it again on another day"
    assert "live-shipped-cpu-day-2026-11-20.json" in names(project)
    assert project.status()[0] == "PARTIAL_ALGORITHM_LEVEL"
    assert project.pv("evidence", "verify").code == Exit.ACCEPTED
    # The same day again is the same run.
    assert discharged_on(project, DAY).outcome == "Declined"
    second = discharged_on(project, DAY + dt.timedelta(days=1))
    assert second.outcome == "Pass"
    record = json.loads(project.evidence()[f"small-v1/{ID}/live-shipped-cpu-day-2026-11-21.json"])
    (cited,) = record["predicate"]["runs"]["cites"]
    assert cited["record"] == f"small-v1/{ID}/live-shipped-cpu-day-2026-11-20.json"
    assert project.status() == ("DISCHARGED", "judged live, over day-2026-11-20, day-2026-11-21")


def test_a_later_run_that_differs_too_much_falsifies_the_claim(project: Project) -> None:
    project.contract(
        CLAUSE
        | {
            "runs": {"by": "day", "at_least": 2},
            "expect": ["max(score) - min(score) <= 1.2", "count(score) >= 2"],
        }
    )
    discharged_on(project, DAY)
    end = discharged_on(project, DAY + dt.timedelta(days=1), seed=5)
    assert end.outcome == "Fail"
    status, reason = project.status()
    assert status == "FALSIFIED"
    assert "max(score) - min(score) <= 1.2" in reason


def test_editing_the_cited_run_is_found(project: Project) -> None:
    project.contract(CLAUSE)
    project.pv("discharge", ID)
    path = project.root / "evidence" / "small-v1" / ID / "live-shipped-cpu-seed-2.json"
    whole = json.loads(path.read_bytes())
    whole["predicate"]["runs"]["cites"][0]["measurements"]["score"]["values"] = [99.0]
    whole["predicate"]["seal"] = seal(whole)
    path.write_text(json.dumps(whole), encoding="utf-8")
    ended = project.pv("evidence", "verify")
    assert ended.code == Exit.REJECTED
    assert "section verdict does not follow from the measurements" in ended.err


def discharged_on(project: Project, day: dt.date, seed: int | None = None) -> Discharge:
    config = project.config()
    contract = dataclasses.replace(project.load(), path="contracts/small-v1.yaml")
    with Runner(config.root / ".pv") as runner:
        options = Options(today=day, seed=seed)
        return discharge(contract, contract.falsifiers[0], config, Subjects(config), runner, options)


def again(path: Path, name: str, **changes: Any) -> None:
    """Copy a record to another name with another place, and seal it as its author would."""
    whole = json.loads(path.read_bytes())
    whole["predicate"]["place"] |= changes.pop("place", {})
    whole["predicate"] |= changes
    whole["predicate"]["seal"] = seal(whole)
    path.with_name(name).write_text(json.dumps(whole), encoding="utf-8")


def test_one_run_under_two_keys_is_one_run(project: Project) -> None:
    by_day = {"runs": {"by": "day", "at_least": 2}, "expect": ["max(score) - min(score) <= 1.2"]}
    project.contract(CLAUSE | by_day)
    discharged_on(project, DAY)
    folder = project.root / "evidence" / "small-v1" / ID
    name = "live-shipped-cpu-day-2026-11-21.json"
    again(folder / "live-shipped-cpu-day-2026-11-20.json", name, place={"run": "day-2026-11-21"})
    assert project.pv("evidence", "verify").code == Exit.ACCEPTED
    status, reason = project.status()
    assert status == "UNBOUND"
    assert "names the run day-2026-11-21, and section run another" in reason
    # Nor does it count for the next discharge.
    assert discharged_on(project, DAY).outcome == "Declined"


def test_a_seed_is_the_one_that_the_run_had(project: Project) -> None:
    project.contract(CLAUSE)
    project.pv("discharge", ID)
    folder = project.root / "evidence" / "small-v1" / ID
    again(folder / "live-shipped-cpu-seed-0.json", "live-shipped-cpu-seed-1.json", place={"run": "seed-1"})
    assert project.status()[0] == "UNBOUND"


def test_runs_of_other_bytes_are_not_taken_together_with_those_of_the_pinned_ones(project: Project) -> None:
    by_day = {"runs": {"by": "day", "at_least": 2}, "expect": ["max(score) - min(score) <= 1.2"]}
    project.contract(CLAUSE | by_day)
    discharged_on(project, DAY)
    other = project.root / "data" / "other.txt"
    other.write_bytes((project.root / "data" / "shipped.txt").read_bytes() + b"2.0\n")
    ended = project.pv("discharge", ID, "--subject", f"shipped={other}", "--no-record")
    assert ended.code == Exit.DECLINED, ended.said
    assert "1 of 2 runs" in ended.said


def test_a_run_on_one_device_does_not_hide_that_on_another(project: Project) -> None:
    rules = {level: [f"max(score) - min(score) <= {n}"] for level, n in (("functional", 4.5), ("live", 2.5))}
    project.contract(CLAUSE | {"with": {"spread": 2.0}, "expect": rules})
    assert project.pv("discharge", ID).code == Exit.REJECTED
    folder = project.root / "evidence" / "small-v1" / ID
    assert project.status()[0] == "FALSIFIED"
    # A GPU would have given scores that agree: this machine need not have one.
    series = {"score": Series((52.0,)), "samples": Series((4,))}
    for seed in range(3):
        path = folder / f"live-shipped-cpu-seed-{seed}.json"
        predicate = json.loads(path.read_bytes())["predicate"]
        measured = {"measurements": measurements_to_json(series), "runs": predicate["runs"] | {"cites": []}}
        lines, listed = predicate["rule"]["lines"], predicate["rule"]["metrics"]
        verdict = judge(lines, series, metrics_from_json(listed)).to_json()
        place = {"device": "cuda-sm90", "capability": "9.0"}
        again(path, f"live-shipped-cuda-sm90-seed-{seed}.json", place=place, verdict=verdict, **measured)
    assert project.pv("evidence", "verify").code == Exit.ACCEPTED
    status, reason = project.status()
    assert status == "FALSIFIED", reason


def test_one_record_does_not_stand_for_two_hosts(project: Project) -> None:
    by_host = {"runs": {"by": "host", "at_least": 2}, "expect": ["max(score) - min(score) <= 1.2"]}
    project.contract(CLAUSE | by_host)
    assert project.pv("discharge", ID).code == Exit.DECLINED
    folder = project.root / "evidence" / "small-v1" / ID
    other = "host-0123456789ab"
    again(
        folder / f"live-shipped-cpu-{host_key()}.json", f"live-shipped-cpu-{other}.json", place={"run": other}
    )
    status, reason = project.status()
    assert status == "UNBOUND"
    assert f"{other} and {host_key()} are one" in reason or f"{host_key()} and {other} are one" in reason
    path = folder / f"live-shipped-cpu-{other}.json"
    run = json.loads(path.read_bytes())["predicate"]["run"]
    again(path, path.name, run=run | {"seconds": run["seconds"] + 1.0})
    assert project.status()[0] == "DISCHARGED"
