from __future__ import annotations

import itertools
import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pv.exits import Exit
from pv.forecast import longest_first, recorded_seconds
from pv.host import gpus
from pv.journal import read_journal
from tests.pv.commands.swept import (
    FAILS,
    FAR,
    IDS,
    ONCE,
    UNBOUND,
    journal_of,
    outcomes,
    started,
    write,
)

if TYPE_CHECKING:
    from tests.pv.conftest import Project


def test_the_plan_says_what_runs_and_what_does_not_and_how_elsewhere(project: Project) -> None:
    write(project, _2=UNBOUND, _3=FAR, _4={"excluded": "not ours"})
    ended = project.pv("sweep", "--dry-run")
    assert ended.code == Exit.ACCEPTED
    assert "plan  5 falsifier(s): 2 to run, 1 declined, 1 unbound, 1 excluded" in ended.out
    assert "run        2 at live level on cpu" in ended.out
    assert f"small-v1#{IDS[2]}: subject far-away is not on this host" in ended.out
    assert f"where it is: cp FAR data/far-away.txt && pv discharge {IDS[2]} --level functional" in ended.out
    assert f"unbound    small-v1#{IDS[1]}: no check is bound to it" in ended.out
    assert f"excluded   small-v1#{IDS[3]}: not ours" in ended.out
    assert project.evidence() == {}
    assert not (project.root / ".pv" / "sweeps").exists()


def test_a_sweep_ends_as_the_worst_of_what_it_ran_and_does_nothing_twice(project: Project) -> None:
    write(project, _2=FAILS, _5=UNBOUND)
    ended = project.pv("sweep", "--jobs", "2", "--json")
    assert ended.code == Exit.REJECTED
    assert outcomes(ended) == dict(zip(IDS, ("Pass", "Fail", "Pass", "Pass", "Unbound"), strict=True))
    assert "FAIL  small-v1#FALSIFY-SMALL-002: the numbers were scaled" in ended.err
    assert ended.json["exit"] == 1
    before = project.evidence()
    again = project.pv("sweep", "--json")
    assert again.json["planned"] == {"fresh": 4, "unbound": 1}
    assert started(journal_of(project)) == []
    assert outcomes(again) == outcomes(ended)
    assert project.evidence() == before
    forced = project.pv("sweep", "--force", "--no-record", "--json", IDS[0])
    assert forced.json["planned"] == {"run": 1}


def test_what_broke_is_run_again_where_the_contract_allows_it_and_shown(
    project: Project, tmp_path: Path
) -> None:
    once = {"with": {"marker": str(tmp_path / "one"), "value": 1.0}}
    never = {"with": {"marker": str(tmp_path / "two"), "value": 1.0}}
    write(project, _1=ONCE | once | {"retries": 1}, _2=ONCE | never, _3=FAILS | {"retries": 3})
    ended = project.pv("sweep", "--json")
    assert ended.code == Exit.ERROR
    assert outcomes(ended) == dict(zip(IDS, ("Pass", "Error", "Fail", "Pass", "Pass"), strict=True))
    attempts = {one["falsifier"].partition("#")[2]: one["attempts"] for one in ended.json["results"]}
    assert [len(attempts[one]) for one in IDS] == [1, 0, 0, 0, 0]
    assert "the device fell off the bus" in attempts[IDS[0]][0]
    assert "AGAIN  small-v1#FALSIFY-SMALL-001" in ended.err
    assert started(journal_of(project)) == [*IDS, IDS[0]]
    (tmp_path / "one").unlink()
    text = project.pv("sweep", "--force", IDS[0])
    assert text.code == Exit.ACCEPTED
    assert "attempt 1   live: RuntimeError: the device fell off the bus" in text.out
    assert "1 ended well after an attempt that broke" in text.out


SMI = """#!/bin/sh
for gpu in a b; do echo "H100, 9.0, 580.95, 81559, GPU-$gpu"; done
"""


def test_no_two_checks_have_one_gpu_and_each_sees_its_own(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "log").mkdir()
    (tmp_path / "bin/nvidia-smi").write_text(SMI)
    (tmp_path / "bin/nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("PV_LEASES", str(tmp_path / "leases"))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    gpus.cache_clear()
    held = {
        "check": "small_checks.devices:holds_a_device",
        "with": {"log": str(tmp_path / "log"), "seconds": 0.05, "value": 1.0},
        "subjects": None,
        "expect": ["min(x) >= 1", "count(visible) == 1"],
        "counter_examples": ["less"],
        "needs": {"memory": "64 MiB", "timeout": "60 s", "gpu": ">=8.9"},
    }
    write(project, _1=held, _2=held, _3=held, _4=held, _5=held)
    try:
        ended = project.pv("sweep", "--jobs", "4", "--json")
        assert ended.code == Exit.ACCEPTED, ended.said
        assert {one["device"] for one in ended.json["results"]} == {"cuda-sm90"}
        records = [json.loads(data)["predicate"] for data in project.evidence().values()]
        assert {record["place"]["gpu"] for record in records} == {"H100"}
        assert "GPU-" not in json.dumps([record["host"] for record in records])
    finally:
        gpus.cache_clear()
    lines = [path.read_text().split() for path in (tmp_path / "log").iterdir()]
    assert len(lines) == 10
    assert {(visible, device) for visible, _, _, device in lines} == {
        ("GPU-a", "cuda:0"),
        ("GPU-b", "cuda:0"),
    }
    for one in ("GPU-a", "GPU-b"):
        spans = sorted((int(began), int(done)) for visible, began, done, _ in lines if visible == one)
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))


def test_what_ended_is_told_from_the_journal_in_text(project: Project) -> None:
    write(project, _2=FAILS)
    ended = project.pv("sweep")
    assert ended.code == Exit.REJECTED
    assert "FAIL  small-v1#FALSIFY-SMALL-002 at live level" in ended.out
    assert "FAILS       max(distance) <= 0.2" in ended.out
    assert "1 Fail, 4 Pass" in ended.out
    assert ended.out.rstrip().endswith(f"journal  .pv/sweeps/{journal_of(project).name}")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--select", 'id == "no such"'], "holds of none"),
        (["--stale-only"], "none is STALE"),
        (["--lf"], "there is no sweep on record"),
        (["--resume"], "there is no journal"),
        (["--retry"], "no use without --resume"),
        (["--resume", "--shuffle", "1"], "--shuffle would plan another"),
        (["--resume", "contracts"], "PATH would plan another"),
        (["--resume", "--level", "auto"], "--level would plan another"),
        (["--resume", "--executor", "local"], "--executor would plan another"),
        (["--resume", "--device", "auto"], "--device would plan another"),
        (["--jobs", "0"], "--jobs 0 is less than 1"),
        (["--max-fail", "-1"], "--max-fail -1 is less than 1"),
        (["--since", "HEAD"], "is no git revision here"),
        (["FALSIFY-NOWHERE-001"], "no falsifier"),
        (["--device", "tpu"], "is none of auto, cpu"),
    ],
)
def test_nothing_selected_and_what_contradicts_itself_are_usage_errors(
    project: Project, words: list[str], why: str
) -> None:
    ended = project.pv("sweep", *words)
    assert ended.code == Exit.USAGE
    assert why in ended.err
    assert project.evidence() == {}


def test_everything_excluded_is_no_success(project: Project) -> None:
    project.contract(excluded="not ours")
    assert project.pv("sweep").code == Exit.USAGE


def test_declined_is_no_success_unless_it_is_allowed_and_something_passed(project: Project) -> None:
    write(project, _2=FAR)
    assert project.pv("sweep").code == Exit.DECLINED
    ended = project.pv("sweep", "--allow-declined")
    assert ended.code == Exit.ACCEPTED
    assert "1 declined or unbound, allowed" in ended.err
    assert project.pv("sweep", "--allow-declined", IDS[1]).code == Exit.DECLINED


def test_a_waived_failure_is_shown_and_does_not_fail_the_command(project: Project) -> None:
    write(project, _2=FAILS)
    (project.root / "waivers.yaml").write_text(
        f"- id: {IDS[1]}\n  reason: known\n  approver: me\n  created: '2020-01-01'\n  expires: '2999-01-01'\n"
    )
    ended = project.pv("sweep", "-x")
    assert ended.code == Exit.ACCEPTED
    assert "(WAIVED until 2999-01-01: known)" in ended.out
    assert "1 failed and waived" in ended.err
    assert "1 Fail (WAIVED), 4 Pass" in ended.out


def test_it_stops_after_a_failure_and_goes_on_when_told(project: Project) -> None:
    write(project, _2=FAILS)
    ended = project.pv("sweep", "-x")
    assert ended.code == Exit.REJECTED
    assert "3 not begun: pv sweep --resume" in ended.out
    assert started(journal_of(project)) == [*IDS[:2]]
    ended = project.pv("sweep", "--resume", "--json")
    assert started(journal_of(project)) == [*IDS]
    assert ended.json["counts"] == {"Fail": 1, "Pass": 4}
    assert ended.code == Exit.REJECTED


def test_those_that_failed_last_are_run_alone(project: Project) -> None:
    write(project, _2=FAILS, _4=FAILS)
    project.pv("sweep")
    write(project, _4=FAILS)
    ended = project.pv("sweep", "--lf", "--json")
    assert outcomes(ended) == {IDS[1]: "Pass", IDS[3]: "Fail"}
    assert outcomes(project.pv("sweep", "--lf", "--json")) == {IDS[3]: "Fail"}


def test_what_took_longest_the_last_time_begins_first_unless_an_order_is_wanted(project: Project) -> None:
    write(project)
    addresses = [f"small-v1#{one}" for one in IDS]
    assert project.pv("sweep").code == Exit.ACCEPTED
    known = recorded_seconds(addresses, project.root / "evidence")
    assert sorted(known) == addresses
    longest = [address.partition("#")[2] for address in longest_first(addresses, known)]

    def order(*words: str) -> list[str]:
        assert project.pv("sweep", "--force", "--no-record", *words).code == Exit.ACCEPTED
        return started(journal_of(project))

    assert order("--jobs", "2") == longest
    assert order("--jobs", "1") == order("--jobs", "2", "--max-fail", "1") == list(IDS)
    shuffled = project.pv("sweep", "--shuffle", "7", "--no-record", "--force", "--dry-run", "--json").json
    wanted = [line["falsifier"].partition("#")[2] for line in shuffled]
    assert order("--jobs", "2", "--shuffle", "7") == wanted


def test_a_seed_shuffles_always_alike(project: Project) -> None:
    write(project)
    orders = []
    for seed in ("7", "7", "8"):
        ended = project.pv("sweep", "--shuffle", seed, "--no-record", "--dry-run", "--json")
        orders.append([line["falsifier"] for line in ended.json])
    assert orders[0] == orders[1]
    assert sorted(orders[0]) == sorted(orders[2])
    assert len({tuple(order) for order in (*orders, [f"small-v1#{one}" for one in IDS])}) == 3


def test_a_gate_is_judged_when_what_it_cites_has_ended(project: Project) -> None:
    from tests.pv.conftest import CLAUSE

    gate = {
        "id": "FALSIFY-SMALL-000",
        "rule": "it is as measured",
        "prediction": "near",
        "if_fails": "far",
        "basis": {"distance": {"falsifier": IDS[0], "metric": "distance"}},
        "expect": ["max(distance) <= 0.25"],
        "counter_examples": [f"{IDS[0]}.one_half"],
    }
    project.contract(gate, dict(CLAUSE))
    ended = project.pv("sweep", "--jobs", "2", "--json")
    found = outcomes(ended)
    assert list(found) == [IDS[0], "FALSIFY-SMALL-000"]
    assert found[IDS[0]] == "Pass"
    assert found["FALSIFY-SMALL-000"] != "Declined", ended.out


def test_a_journal_has_the_name_that_it_is_given(project: Project, tmp_path: Path) -> None:
    path = tmp_path / "night.jsonl"
    write(project, _2=FAILS)
    assert project.pv("sweep", "--journal", path, "-x").code == Exit.REJECTED
    ended = project.pv("sweep", "--journal", path)
    assert ended.code == Exit.REJECTED
    assert "night.jsonl has a sweep that was not finished" in ended.err
    assert project.pv("sweep", "--journal", path, "--resume").code == Exit.REJECTED
    assert project.pv("sweep", "--journal", path, "--lf").code == Exit.REJECTED
    assert [*read_journal(path).planned] == [f"small-v1#{IDS[1]}"]


def test_on_a_terminal_it_shows_what_runs_and_failures_as_they_come(project: Project) -> None:
    import pty
    import sys

    from tests.pv.conftest import ROOT

    write(project, _2=FAILS)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "pv", "sweep", "--jobs", "2"],
        cwd=project.root,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "160"},
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            data = os.read(ours, 1 << 16)
        except OSError:  # Linux says so when the other side has ended
            break
        if not data:
            break
        shown += data
    os.close(ours)
    assert process.wait() == Exit.REJECTED
    text = shown.decode()
    assert "sweep" in text
    assert "0 of 5" in text
    assert "small-v1#FALSIFY-SMALL-001" in text
    assert "FAIL  small-v1#FALSIFY-SMALL-002: the numbers were scaled" in text
    assert "to go" in text


def test_a_quiet_log_has_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    from pv import sweep_progress
    from pv.outcome import Discharge

    monkeypatch.setattr(sweep_progress, "_EVERY_SECONDS", 0.0)
    stream = io.StringIO()
    with sweep_progress.show_sweep(stream, ["c#A", "c#B", "c#C", "c#D"], {"c#C": 1.0}) as shown:
        shown.started("c#A")
        shown.told("c#A", "live", 1, 2)
        shown.ended(Discharge("c#A", "a rule", "Pass"))
        shown.ended(Discharge("c#B", "a rule", "Error", message="\x1b[31mboom\nmore"))
        shown.tick()
    first, second = stream.getvalue().splitlines()
    assert first == r"ERROR  c#B: \x1b[31mboom"
    assert second == "sweep  2 of 4, 1 failed; 0 s so far, about 1 s to go"


def test_the_seed_is_that_of_every_run(project: Project) -> None:
    ended = project.pv("sweep", "--seed", "5", "--format", "json")
    assert ended.code == Exit.ACCEPTED, ended.said
    assert ended.json
    recorded = json.loads(project.record().read_text(encoding="utf-8"))
    assert recorded["predicate"]["run"]["seed"] == 5
