from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pv.reports.sweep_results import results_of_sweep

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"


def clauses(project: Project) -> list[dict[str, Any]]:
    """One that passes, one that fails, one that is bound to nothing, one that is excluded."""
    usual = project.load().falsifiers[0].raw
    rule = ["max(distance) <= 0.2", "count(distance) == expected"]
    other: dict[str, Any] = {**usual, "id": "FALSIFY-SMALL-002", "expect": rule}
    bare = {key: usual[key] for key in ("rule", "prediction", "if_fails")}
    return [
        dict(usual),
        other,
        {"id": "FALSIFY-SMALL-003", **bare},
        {**usual, "id": "FALSIFY-SMALL-004", "excluded": "a rule of process"},
    ]


def swept(project: Project, *arguments: str) -> tuple[int, Any]:
    ended = project.pv("sweep", *arguments, "--report", "json:r.json")
    assert (project.root / "r.json").exists(), ended.said
    return ended.code, json.loads((project.root / "r.json").read_bytes())


def test_every_falsifier_of_the_plan_has_a_result_and_no_more(project: Project) -> None:
    project.contract(*clauses(project))
    code, report = swept(project)
    assert (code, report["exit"], report["command"]) == (1, 1, "sweep")
    found = {one["address"].partition("#")[2]: one for one in report["results"]}
    assert {name: one["grade"] for name, one in found.items()} == {
        ID: "passed",
        "FALSIFY-SMALL-002": "failed",
        "FALSIFY-SMALL-003": "declined",
        "FALSIFY-SMALL-004": "noted",
    }
    assert found["FALSIFY-SMALL-002"]["status"] == "FALSIFIED"
    lines = (project.root / "contracts/small-v1.yaml").read_text(encoding="utf-8").splitlines()
    for name, one in found.items():
        assert name in lines[one["where"]["line"] - 1]
    # What is fresh is not run again, and told all the same.
    _, again = swept(project)
    assert [one["grade"] for one in again["results"]] == [one["grade"] for one in report["results"]]
    assert found[ID]["fresh"] is False
    assert {one["address"].partition("#")[2] for one in again["results"] if one["fresh"]} >= {ID}


def test_what_was_not_begun_is_told_and_does_not_pass(project: Project) -> None:
    first, second, *_ = clauses(project)
    project.contract(second | {"id": "FALSIFY-SMALL-000"}, first)
    _, report = swept(project, "-x")
    failed, left = report["results"]
    assert (failed["grade"], failed["begun"]) == ("failed", True)
    assert (left["grade"], left["begun"], left["outcome"]) == ("declined", False, "")


def test_a_waived_failure_and_the_options_of_the_sweep(project: Project) -> None:
    project.contract(clauses(project)[1])
    (project.root / "waivers.yaml").write_text(
        "- {id: FALSIFY-SMALL-002, reason: known, approver: a, created: 2020-01-01, expires: 2100-01-01}\n",
        encoding="utf-8",
    )
    code, report = swept(project, "--seed", "3")
    (result,) = report["results"]
    assert (code, result["grade"], result["waived"]) == (0, "waived", "WAIVED until 2100-01-01: known")
    assert "--seed 3" in result["reproduce"]


def test_a_contract_that_went_away_leaves_what_the_journal_has(project: Project) -> None:
    from pv.journal import latest_journal, read_journal

    assert project.pv("sweep").code == 0
    (project.root / "contracts/small-v1.yaml").unlink()
    journal = latest_journal(project.root / ".pv" / "sweeps")
    assert journal is not None
    (result,) = results_of_sweep(read_journal(journal), project.config(), {})
    assert (result.outcome, result.message) == ("Pass", "its contract cannot be read any more")
    assert result.where.path.endswith("contracts/small-v1.yaml")


def test_a_selection_of_nothing_has_a_report_that_says_so(project: Project) -> None:
    code, report = swept(project, "--select", 'id == "NONE"')
    assert (code, report["ended"], report["results"]) == (2, "usage", [])
    assert report["error"]
