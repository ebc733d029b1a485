from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pv.errors import Location
from pv.reports.gathering import moved

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"
FAILING = {"expect": ["max(distance) <= 0.2", "count(distance) == expected"]}


def report(project: Project, *arguments: str) -> tuple[int, Any]:
    """Run a command with a JSON report; return its exit code and the report."""
    file = project.root / "report.json"
    ended = project.pv(*arguments, "--report", f"json:{file}")
    assert file.exists(), ended.said
    return ended.code, json.loads(file.read_bytes())


def test_a_discharge_tells_all_that_there_is_to_say(project: Project) -> None:
    code, found = report(project, "discharge", ID)
    assert (code, found["exit"], found["command"], found["counts"]["passed"]) == (0, 0, "discharge", 1)
    (result,) = found["results"]
    assert result["address"] == f"small-v1#{ID}"
    assert (result["outcome"], result["status"], result["grade"]) == ("Pass", "DISCHARGED", "passed")
    assert (result["level"], result["subject"], result["device"]) == ("live", "shipped", "cpu")
    assert [line["holds"] for line in result["lines"]] == [True, True]
    assert "max(distance) <= 0.25: number 2.0: 0.25" in result["worst"]
    assert result["relative"] == 0
    assert len(result["records"]) == 2
    lines = (project.root / "contracts/small-v1.yaml").read_text(encoding="utf-8").splitlines()
    assert result["where"]["file"].endswith("contracts/small-v1.yaml")
    assert ID in lines[result["where"]["line"] - 1]


def test_the_command_to_reproduce_does(project: Project) -> None:
    project.contract(**FAILING)
    code, found = report(project, "discharge", ID, "--seed", "3")
    (result,) = found["results"]
    assert (code, result["grade"], result["status"]) == (1, "failed", "FALSIFIED")
    before = project.evidence()
    program, *words = shlex.split(result["reproduce"])
    assert program == "pv"
    assert words[-3:] == ["--seed", "3", "--no-record"]
    again = project.pv(*words, "--json")
    assert again.json[0]["outcome"] == result["outcome"]
    assert again.json[0]["verdict"]["lines"][0]["text"] == result["lines"][0]["text"]
    assert project.evidence() == before


def test_a_waived_failure_is_told_as_one(project: Project) -> None:
    project.contract(**FAILING)
    (project.root / "waivers.yaml").write_text(
        f"- {{id: {ID}, reason: known, approver: a, created: 2020-01-01, expires: 2100-01-01}}\n",
        encoding="utf-8",
    )
    code, found = report(project, "discharge", ID)
    assert (code, found["results"][0]["grade"]) == (0, "waived")
    assert found["results"][0]["waived"] == "WAIVED until 2100-01-01: known"
    _, found = report(project, "status")
    assert found["results"][0]["grade"] == "waived"


def test_what_is_declined_says_how_to_judge_it_elsewhere(project: Project) -> None:
    (project.root / "data/shipped.txt").unlink()
    _, found = report(project, "discharge", ID)
    (result,) = found["results"]
    assert result["level"] == "functional"
    (step,) = result["declined"]
    assert step["level"] == "live"
    assert "pv discharge" in step["command"]


def test_a_status_is_told_without_an_outcome(project: Project) -> None:
    _, found = report(project, "status")
    (result,) = found["results"]
    assert (result["outcome"], result["status"], result["grade"]) == ("", "UNBOUND", "declined")
    assert result["message"] == "never run: no evidence"


def test_a_status_after_a_discharge_is_that_of_the_discharge(copied: Project) -> None:
    _, found = report(copied, "status")
    (result,) = found["results"]
    assert (result["status"], result["grade"], result["fresh"]) == ("DISCHARGED", "passed", True)
    assert result["margin"]


def test_validate_tells_what_it_read_and_found(project: Project) -> None:
    (project.root / "contracts/bad-v1.yaml").write_text("metadata: 3\n", encoding="utf-8")
    code, found = report(project, "validate", "contracts")
    assert code == 1
    assert [Path(file).name for file in found["files"]] == ["bad-v1.yaml", "small-v1.yaml"]
    assert found["findings"][0]["file"] == found["files"][0]
    assert found["counts"]["errors"] == 1


def test_positions_are_those_of_the_repository_wherever_the_command_runs(
    project: Project,
) -> None:
    (project.root.parent / ".git").mkdir()
    _, found = report(project, "discharge", ID)
    assert found["results"][0]["where"]["file"] == "project/contracts/small-v1.yaml"
    _, found = report(project, "status")
    assert found["results"][0]["where"]["file"] == "project/contracts/small-v1.yaml"
    (project.root / "contracts/bad-v1.yaml").write_text("metadata: 3\n", encoding="utf-8")
    _, found = report(project, "validate", "contracts/bad-v1.yaml")
    assert found["findings"][0]["file"] == "project/contracts/bad-v1.yaml"


def test_a_place_outside_stays_as_it_is(tmp_path: Path) -> None:
    where = Location("/elsewhere/c.yaml", 3, 5)
    assert moved(where, tmp_path) == where
    inside = Location(str(tmp_path / "a" / ".." / "c.yaml"), 3, 5)
    assert moved(inside, tmp_path) == Location("c.yaml", 3, 5)


def test_a_real_failure_is_told_in_every_format(project: Project) -> None:
    project.contract(**FAILING)
    formats = ("junit", "sarif", "github", "markdown", "jsonl")
    asked = [word for name in formats for word in ("--report", f"{name}:{name}")]
    ended = project.pv("discharge", ID, *asked)
    assert ended.code == 1, ended.said
    for name in formats:
        text = (project.root / name).read_text(encoding="utf-8")
        assert ID in text, name
        assert "max(distance)" in text, name
        assert "pv discharge" in text, name
