from __future__ import annotations

import datetime as dt
import subprocess
from typing import TYPE_CHECKING

import pytest

from pv.exits import Exit
from pv.waivers import utc_today

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"
ADDRESS = f"small-v1#{ID}"
FAILING = ["max(distance) <= 0.01", "count(distance) == expected"]


def waive(project: Project, *, since: int = -1, until: int = 30, identifier: str = ID) -> dt.date:
    """Write a waiver that begins and ends so many days from today; return the day of its end."""
    today = utc_today()
    expires = today + dt.timedelta(until)
    (project.root / "waivers.yaml").write_text(
        f'- id: {identifier}\n  reason: known since "issue 12"\n  approver: R. Feynman\n'
        f"  created: {today + dt.timedelta(since)}\n  expires: {expires}\n",
        encoding="utf-8",
    )
    return expires


def test_list_and_lint_without_waivers(project: Project) -> None:
    for action in ("list", "lint"):
        ended = project.pv("waivers", action)
        assert (ended.code, ended.out) == (Exit.ACCEPTED, "nothing is waived\n")
    assert project.pv("waivers", "lint", "--json").json == {"findings": [], "waivers": 0}


def test_list_shows_the_status_and_what_is_beside_it(project: Project) -> None:
    expires = waive(project)
    ended = project.pv("waivers", "list")
    assert ended.code == Exit.ACCEPTED
    assert ended.out.startswith(f"{ADDRESS}: UNBOUND, in force\n  from ")
    assert 'approved by R. Feynman: known since "issue 12"' in ended.out
    shown = project.pv("waivers", "list", "--json", "--on", expires.isoformat()).json
    assert shown["today"] == expires.isoformat()
    assert [(w["falsifier"], w["state"], w["status"]) for w in shown["waivers"]] == [
        (ADDRESS, "expired", "UNBOUND")
    ]


def test_lint_rejects_at_the_place(project: Project) -> None:
    expires = waive(project)
    assert project.pv("waivers", "lint").out == "1 waiver(s) are in order\n"
    ended = project.pv("waivers", "lint", "--on", expires.isoformat())
    assert ended.code == Exit.REJECTED
    assert ended.out.startswith("waivers.yaml:1:7: error[WAIVER-006]: ")
    (finding,) = project.pv("waivers", "lint", "--json", "--on", expires.isoformat()).json["findings"]
    assert (finding["line"], finding["column"], finding["code"]) == (1, 7, "WAIVER-006")
    assert project.pv("waivers", "lint", "--on", "2026-1-1").code == Exit.USAGE
    assert project.pv("waivers", "lint", "--on", "20260101").code == Exit.USAGE


def test_lint_tells_a_file_that_cannot_be_used(project: Project) -> None:
    waive(project, identifier="NOPE")
    ended = project.pv("waivers", "lint")
    assert ended.code == Exit.REJECTED
    assert "waivers.yaml:1:7: error[WAIVER-003]: no falsifier is called 'NOPE'" in ended.out


@pytest.mark.parametrize("command", [("discharge", ID), ("status",), ("waivers", "list")])
def test_a_file_that_cannot_be_used_stops_before_anything_runs(
    project: Project, command: tuple[str, ...]
) -> None:
    waive(project, identifier="NOPE")
    ended = project.pv(*command)
    assert ended.code == Exit.USAGE
    assert "waivers.yaml:1:7: error[WAIVER-003]" in ended.err
    assert ended.out == ""
    assert not (project.root / "evidence").exists()


def test_a_failure_that_is_waived_is_measured_shown_and_let_pass(project: Project) -> None:
    project.contract(expect=FAILING)
    assert project.pv("discharge", ID).code == Exit.REJECTED
    expires = waive(project)
    note = f'(WAIVED until {expires}: known since "issue 12")'
    ended = project.pv("discharge", ID, "--force")
    assert ended.code == Exit.ACCEPTED
    assert ended.out.startswith(f"FAIL  {ADDRESS}")
    assert ended.out.splitlines()[0].endswith(note)
    assert "1 failed and waived" in ended.err
    (row,) = project.pv("discharge", ID, "--json").json
    assert row["outcome"] == "Fail"
    assert row["waived"]["expires"] == expires.isoformat()
    status = project.pv("status")
    assert "FALSIFIED" in status.out
    assert note[1:-1] in status.out


def test_one_that_expired_no_longer_waives_and_says_so(project: Project) -> None:
    project.contract(expect=FAILING)
    expires = waive(project, since=-9, until=0)
    ended = project.pv("discharge", ID)
    assert ended.code == Exit.REJECTED
    assert f"{ADDRESS}: its waiver expired on {expires}, so this fails the command" in ended.err
    assert "WAIVED" not in ended.out
    assert project.pv("discharge", ID, "--json").json[0]["waived"] is None
    assert "WAIVED" not in project.pv("status").out


def test_a_waiver_lets_no_error_and_nothing_declined_pass(project: Project) -> None:
    waive(project)
    project.edit("small_checks/wholeness.py", "from .distance", "raise SystemExit\nfrom .distance")
    assert project.pv("discharge", ID).code == Exit.ERROR
    (project.root / "data" / "shipped.txt").unlink()
    (project.root / "data" / "stand-in.txt").unlink()
    ended = project.pv("discharge", ID)
    assert ended.code == Exit.DECLINED
    assert project.pv("discharge", ID, "--allow-declined").code == Exit.DECLINED


def test_a_pass_has_nothing_to_waive(copied: Project) -> None:
    waive(copied)
    ended = copied.pv("discharge", ID)
    assert ended.code == Exit.ACCEPTED
    assert "WAIVED" not in ended.said
    assert "WAIVED" not in copied.pv("status").out
    assert "WAIVER-008" in copied.pv("waivers", "lint").out


def test_one_waived_failure_covers_no_other(project: Project) -> None:
    project.contract(expect=FAILING)
    project.contract(stem="other-v1", id="FALSIFY-OTHER-001", expect=FAILING)
    waive(project)
    ended = project.pv("discharge", "contracts")
    assert ended.code == Exit.REJECTED
    assert "1 Fail, 1 Fail (WAIVED)" in ended.out


def test_a_verdict_that_is_not_reproduced_is_not_waived(copied: Project) -> None:
    waive(copied)
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    for words in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "x")):
        subprocess.run(["git", *identity, *words], cwd=copied.root, check=True, capture_output=True)
    copied.contract(expect=["max(distance) <= 0.2", "count(distance) == expected"])
    ended = copied.pv("discharge", ID, "--against", "HEAD")
    assert ended.code == Exit.REJECTED
    assert "Fail here, Pass in evidence/" in ended.out
    assert "WAIVED" not in ended.out
    assert copied.pv("discharge", ID).code == Exit.ACCEPTED


def test_waivers_are_no_contract_where_a_whole_folder_is_read(project: Project) -> None:
    waive(project)
    project.edit("pv.toml", 'contracts = ["contracts"]', 'contracts = ["."]')
    ended = project.pv("validate", ".")
    assert ended.code == Exit.ACCEPTED, ended.said
    assert "waivers.yaml: note: this is a list of waivers, not a contract" in ended.err
    assert project.pv("waivers", "lint").code == Exit.ACCEPTED


@pytest.mark.parametrize("action", ["list", "lint"])
def test_both_forms_say_the_same(project: Project, action: str) -> None:
    assert project.pv("waivers", action, "--format", "json").json["waivers"] in ([], 0)
    assert "nothing is waived" in project.pv("waivers", action, "--format", "text").out
