from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pv.exits import Exit
from pv.processes import descendants

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"
OTHER_ID = "FALSIFY-SMALL-009"


def breaking(project: Project, how: str, timeout: str = "20 s", **changes: Any) -> None:
    project.contract(
        **{
            "id": OTHER_ID,
            "check": "small_checks.broken:breaks",
            "with": {"how": how},
            "subjects": None,
            "expect": ["min(x) >= 1"],
            "counter_examples": ["never"],
            "needs": {"memory": "64 MiB", "timeout": timeout},
            **changes,
        }
    )


def test_a_pass_records_the_algorithm_level_and_the_level_reached(project: Project) -> None:
    ended = project.pv("discharge", ID)
    assert ended.code == Exit.ACCEPTED
    assert ended.out.startswith(f"PASS  small-v1#{ID} at live level\n")
    assert "caught      2 of 2 counter-examples: one_half, one_missing" in ended.out
    assert "margin 0\n              worst number 2.0: 0.25\n" in ended.out
    assert sorted(project.evidence()) == [
        f"small-v1/{ID}/algorithm-stand-in-cpu.json",
        f"small-v1/{ID}/live-shipped-cpu.json",
    ]
    algorithm = json.loads(project.record("algorithm").read_bytes())["predicate"]
    assert {name: plant["caught"] for name, plant in algorithm["counter_examples"].items()} == {
        "one_half": True,
        "one_missing": True,
    }
    assert algorithm["survey"]["points"]
    live = project.record().read_text(encoding="utf-8")
    assert str(project.root) not in live
    assert os.uname().nodename not in json.loads(live)["predicate"]["host"].values()


def test_a_failure_is_rejected_and_recorded_with_what_would_have_passed(project: Project) -> None:
    project.contract(expect=["max(distance) <= 0.2", "count(distance) == expected"])
    ended = project.pv("discharge", ID)
    assert ended.code == Exit.REJECTED
    assert "FAILS       max(distance) <= 0.2" in ended.out
    assert "a threshold of 0.25 would have passed" in ended.out
    assert "because     the numbers were scaled" in ended.out
    assert project.status()[0] == "FALSIFIED"


@pytest.mark.parametrize(
    ("how", "why", "timeout"),
    [
        ("raises", r"RuntimeError: upside \x1b[31mdown", "20 s"),
        ("hangs", "it did not end within 0.5 s", "0.5 s"),
        ("allocates", "it ran out of its 64 MiB of memory", "20 s"),
        ("leaves", "it ended its process (exit code 0) without a result", "20 s"),
        ("forks", "it started more than 64 processes", "20 s"),
        ("prints", "RuntimeError: after a gigabyte of output", "30 s"),
        ("orphans", "RuntimeError: after it left a process", "20 s"),
        ("labels", "is no Unicode text", "20 s"),
        ("reads", "the check read contracts/small-v1.yaml, which evidence would not name", "20 s"),
    ],
)
def test_a_check_that_breaks_ends_in_error_without_evidence_or_orphans(
    copied: Project, how: str, why: str, timeout: str
) -> None:
    before = copied.evidence()
    breaking(copied, how, timeout)
    ended = copied.pv("discharge", OTHER_ID)
    assert ended.code == Exit.ERROR
    assert ended.out.startswith(f"ERROR  small-v1#{OTHER_ID}\n")
    assert ended.out.count("because") == 1
    assert why in ended.out
    assert all(line.isprintable() for line in ended.said.splitlines())
    assert len(ended.out) < 40_000
    assert copied.evidence() == before
    assert descendants(os.getpid()) == []
    assert list((copied.root / ".pv").iterdir()) == []
    sleeping = subprocess.run(["pgrep", "-f", "sleep 600.25"], capture_output=True, check=False).stdout
    assert sleeping == b""


def test_an_error_leaves_older_evidence_as_it_was(copied: Project) -> None:
    before = copied.evidence()
    copied.edit("small_checks/scale.py", "SCALE = 1.0", "SCALE = 1.0 / 0")
    ended = copied.pv("discharge", ID)
    assert ended.code == Exit.ERROR
    assert "ZeroDivisionError" in ended.out
    assert copied.evidence() == before


def test_a_missing_subject_is_declined_with_the_command_to_run(project: Project) -> None:
    project.contract(subjects={"functional": {"numbers": "far-away"}})
    ended = project.pv("discharge", ID)
    assert ended.code == Exit.DECLINED
    assert "subject far-away is not on this host" in ended.out
    assert f"where it is: cp FAR data/far-away.txt && pv discharge {ID}" in ended.out
    assert project.evidence() == {}


def test_a_missing_live_subject_leaves_the_functional_level(project: Project) -> None:
    project.contract(subjects={"functional": {"numbers": "stand-in"}, "live": {"numbers": "far-away"}})
    ended = project.pv("discharge", ID)
    assert ended.code == Exit.ACCEPTED
    assert f"PASS  small-v1#{ID} at functional level" in ended.out
    assert "declined    live level: subject far-away is not on this host" in ended.out
    assert f"pv discharge {ID} --level live" in ended.out
    assert project.status()[0] == "FUNCTIONAL"
    assert project.pv("discharge", ID, "--level", "live").code == Exit.DECLINED


def test_counter_examples_that_cannot_run_here_decline_with_the_command(project: Project) -> None:
    project.contract(subjects={"functional": {"numbers": "far-away"}, "live": {"numbers": "shipped"}})
    ended = project.pv("discharge", ID)
    assert ended.code == Exit.DECLINED
    assert "its counter-examples cannot be run here" in ended.out
    assert f"pv discharge {ID} --level algorithm" in ended.out


def test_a_gpu_that_is_not_here_is_declined(project: Project) -> None:
    project.contract(needs={"gpu": ">=99.0"})
    ended = project.pv("discharge", ID)
    assert ended.code == Exit.DECLINED
    assert "it needs a GPU of compute capability >=99.0" in ended.out
    assert f"pv discharge {ID} --level" in ended.out


def test_a_module_that_is_not_installed_is_declined(project: Project) -> None:
    project.contract(needs={"modules": ["no_such_module"]})
    ended = project.pv("discharge", ID)
    assert ended.code == Exit.DECLINED
    assert "it needs the module no_such_module, not installed beside pv" in ended.out
    assert f"once {sys.executable} can import it: pv discharge {ID} --level" in ended.out
    assert project.evidence() == {}


def test_what_is_installed_is_recorded_and_what_is_needed_belongs_to_the_claim(project: Project) -> None:
    project.contract(needs={"modules": ["hypothesis"]})
    assert project.pv("discharge", ID).code == Exit.ACCEPTED
    assert "hypothesis" in json.loads(project.record().read_bytes())["predicate"]["versions"]
    project.contract(needs={"modules": ["hypothesis", "no_such_module"]})
    assert project.status() == ("STALE", 'needs.modules ["hypothesis"] → ["hypothesis", "no_such_module"]')


def test_a_device_that_is_not_here_is_never_replaced_by_the_processor(project: Project) -> None:
    ended = project.pv("discharge", ID, "--device", "cuda:64")
    assert ended.code == Exit.DECLINED
    assert "--device cuda:64 was asked for" in ended.out
    assert project.pv("discharge", ID, "--device", "abacus").code == Exit.USAGE


def test_declined_can_be_allowed_only_beside_something_that_passed(project: Project) -> None:
    usual = project.load().falsifiers[0].raw
    project.contract(usual, {**usual, "id": OTHER_ID, "needs": {"gpu": ">=99.0"}})
    assert project.pv("discharge", "contracts").code == Exit.DECLINED
    allowed = project.pv("discharge", "contracts", "--allow-declined")
    assert allowed.code == Exit.ACCEPTED
    assert "1 declined or unbound" in allowed.err
    assert "1 Declined, 1 Pass" in allowed.out
    assert project.pv("discharge", OTHER_ID, "--allow-declined").code == Exit.DECLINED


def test_an_unbound_falsifier_is_said_so(project: Project) -> None:
    project.contract(check=None, expect=None, counter_examples=None)
    ended = project.pv("discharge", ID)
    assert ended.code == Exit.DECLINED
    assert "no check is bound to it" in ended.out


def test_everything_excluded_is_not_green(project: Project) -> None:
    project.contract(excluded="a rule about meetings")
    assert project.pv("discharge", ID).code == Exit.USAGE


def test_other_bytes_than_the_pinned_are_refused_with_both_digests(copied: Project) -> None:
    before = copied.evidence()
    pinned = copied.config().subjects["shipped"].sha256
    (copied.root / "data" / "shipped.txt").write_bytes(b"1.0\n")
    ended = copied.pv("discharge", ID)
    assert ended.code == Exit.ERROR
    actual = hashlib.sha256(b"1.0\n").hexdigest()
    assert f"sha256 {actual}, pinned {pinned}" in ended.out
    assert copied.evidence() == before


def test_other_bytes_given_are_judged_under_another_name(copied: Project) -> None:
    before = copied.evidence()
    other = copied.root / "other.txt"
    other.write_bytes(b"1.0\n2.5\n")
    ended = copied.pv("discharge", ID, "--subject", f"shipped={other}")
    assert ended.code == Exit.REJECTED
    assert "judged on   shipped@" in ended.out
    kept = copied.evidence()
    assert {name: kept[name] for name in before}[f"small-v1/{ID}/live-shipped-cpu.json"] == before[
        f"small-v1/{ID}/live-shipped-cpu.json"
    ]
    assert copied.status() == ("DISCHARGED", "judged live")


def test_other_bytes_never_support_a_status_until_they_are_pinned(project: Project) -> None:
    project.contract(subjects={"live": {"numbers": "shipped"}})
    other = project.root / "other.txt"
    other.write_bytes(b"1.0\n2.0\n")
    assert project.pv("discharge", ID, "--subject", f"shipped={other}").code == Exit.ACCEPTED
    assert project.status()[0] == "UNBOUND"
    (project.root / "data" / "shipped.txt").write_bytes(other.read_bytes())
    config = project.config().subjects["shipped"].sha256
    project.pin()
    assert project.config().subjects["shipped"].sha256 != config
    assert project.status()[0] == "DISCHARGED"


@pytest.mark.parametrize("word", ["shipped", "=x", "nothing=data/shipped.txt"])
def test_a_wrong_subject_argument_is_a_usage_error(project: Project, word: str) -> None:
    ended = project.pv("discharge", ID, "--subject", word)
    assert ended.code == Exit.USAGE
    assert "Traceback" not in ended.said


def test_other_bytes_for_what_is_not_looked_at_are_refused(project: Project) -> None:
    project.contract(subjects={"live": {"numbers": "shipped"}})
    ended = project.pv("discharge", ID, "--subject", "stand-in=data/shipped.txt")
    assert (ended.code, ended.out, project.evidence()) == (Exit.USAGE, "", {})
    assert "--subject stand-in" in ended.err


def test_no_record_writes_nothing(copied: Project, project: Project) -> None:
    assert project.pv("discharge", ID, "--no-record").code == Exit.ACCEPTED
    assert project.evidence() == {}
    before = copied.evidence()
    ended = copied.pv("discharge", ID, "--no-record")
    assert "fresh" not in ended.out
    assert copied.evidence() == before


def test_fresh_evidence_is_rewritten_only_by_force(copied: Project) -> None:
    paths = (copied.record(), copied.record("algorithm"))
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in paths}
    ended = copied.pv("discharge", ID)
    assert ended.code == Exit.ACCEPTED
    assert "fresh       nothing that decides it has changed" in ended.out
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in before} == before
    forced = copied.pv("discharge", ID, "--force")
    assert "fresh  " not in forced.out
    assert all(path.stat().st_mtime_ns != stamp for path, (stamp, _) in before.items())


def test_the_seed_is_recorded_and_another_one_runs_again(copied: Project) -> None:
    copied.pv("discharge", ID, "--seed", "7")
    assert json.loads(copied.record().read_bytes())["predicate"]["run"]["seed"] == 7
    assert "fresh  " in copied.pv("discharge", ID, "--seed", "7").out
    assert "fresh  " in copied.pv("discharge", ID).out


@pytest.mark.parametrize(
    ("level", "status"),
    [("algorithm", "PARTIAL_ALGORITHM_LEVEL"), ("functional", "FUNCTIONAL"), ("live", "DISCHARGED")],
)
def test_each_level_gives_its_status(project: Project, level: str, status: str) -> None:
    ended = project.pv("discharge", ID, "--level", level)
    assert ended.code == Exit.ACCEPTED
    assert f"at {level} level" in ended.out
    assert project.status()[0] == status


def test_json_is_alone_on_standard_output_and_ascii(project: Project) -> None:
    project.contract(rule="numbers \x9b31m \u202e are whole")
    ended = project.pv("discharge", ID, "--json")
    (result,) = ended.json
    assert (result["outcome"], result["level"], result["subject"]) == ("Pass", "live", "shipped")
    assert [plant["caught"] for plant in result["counter_examples"]] == [True, True]
    assert ended.out.isascii()
    assert len(result["records"]) == 2


def git(project: Project, *arguments: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=project.root, check=True, capture_output=True)


def test_a_verdict_that_differs_from_the_committed_one_is_rejected(copied: Project) -> None:
    git(copied, "init", "-q")
    git(copied, "add", ".")
    git(copied, "commit", "-q", "-m", "x")
    assert copied.pv("discharge", ID, "--force", "--against", "HEAD").code == Exit.ACCEPTED
    assert copied.pv("discharge", ID, "--against", "no-such-thing").code == Exit.USAGE
    copied.contract(expect=["max(distance) <= 0.2", "count(distance) == expected"])
    failing = copied.pv("discharge", ID, "--force")
    assert failing.code == Exit.REJECTED
    git(copied, "add", ".")
    git(copied, "commit", "-q", "-m", "y")
    copied.contract()
    for option in ("--force", "--no-record"):
        ended = copied.pv("discharge", ID, option, "--level", "live", "--against", "HEAD~1")
        assert ended.code == Exit.ACCEPTED, ended.said
    # A claim that failed on its stand-in, committed, and passes now: not what was committed.
    copied.contract(expect=["max(distance) <= 0.1", "count(distance) == expected"])
    copied.pv("discharge", ID, "--level", "algorithm")
    git(copied, "add", ".")
    git(copied, "commit", "-q", "-m", "z")
    copied.contract()
    for option in ("--no-record", "--force"):
        ended = copied.pv("discharge", ID, option, "--level", "algorithm", "--against", "HEAD")
        assert ended.code == Exit.REJECTED
        assert "Pass here, Fail in evidence/" in ended.out


@pytest.mark.parametrize("level", ["algorithm", "live"])
def test_interrupting_leaves_no_half_written_evidence_and_no_orphan(copied: Project, level: str) -> None:
    before = copied.evidence()
    breaking(copied, "hangs")
    process = copied.start("discharge", OTHER_ID, "--level", level)
    deadline = time.monotonic() + 20
    family: list[int] = []
    while len(family) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
        family = descendants(process.pid)
    time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == Exit.INTERRUPTED
    assert "interrupted" in err
    assert "Traceback" not in err
    assert copied.evidence() == before
    assert [pid for pid in family if Path(f"/proc/{pid}").exists()] == []
    assert list((copied.root / ".pv").iterdir()) == []


def test_a_check_whose_source_changes_while_it_runs_is_an_error(project: Project) -> None:
    breaking(project, "edits")
    ended = project.pv("discharge", OTHER_ID)
    assert ended.code == Exit.ERROR
    assert "the source of the check changed while it ran" in ended.out
    assert project.evidence() == {}


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_ending_the_engine_itself_leaves_no_check_running(project: Project, how: signal.Signals) -> None:
    breaking(project, "hangs")
    process = project.start("discharge", OTHER_ID)
    deadline = time.monotonic() + 20
    family: list[int] = []
    while len(family) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
        family = descendants(process.pid)
    assert len(family) == 2
    process.send_signal(how)
    process.communicate(timeout=20)
    while any(Path(f"/proc/{pid}").exists() for pid in family) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [pid for pid in family if Path(f"/proc/{pid}").exists()] == []
    assert project.evidence() == {}
