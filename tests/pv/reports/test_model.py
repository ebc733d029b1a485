from __future__ import annotations

import dataclasses
import importlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pv.errors import Location
from pv.exits import Exit
from pv.finding import Finding
from pv.outcome import EXITS, Outcome
from pv.reports.destinations import FORMATS
from pv.reports.model import GRADES, Report, Result, counts, top_of
from pv.status import LADDER

if TYPE_CHECKING:
    from pv.reports.destinations import Writer

RESULT = Result(address="c-v1#F-1", where=Location("contracts/c-v1.yaml", 3, 5), rule="it is so")


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_a_result_goes_to_json_and_back(results: SearchStrategy[Result], data: st.DataObject) -> None:
    result = data.draw(results)
    assert Result.from_json(json.loads(json.dumps(result.to_json(), allow_nan=False))) == result


@pytest.mark.parametrize("outcome", EXITS)
def test_a_grade_agrees_with_the_exit_code(outcome: Outcome) -> None:
    grade = dataclasses.replace(RESULT, outcome=outcome, status="STALE").grade
    meant = {
        Exit.ACCEPTED: "passed",
        Exit.REJECTED: "failed",
        Exit.DECLINED: "declined",
        Exit.ERROR: "broken",
    }
    assert grade == meant[EXITS[outcome]]


@pytest.mark.parametrize("status", [*LADDER, "REFUTED", "EXCLUDED"])
def test_without_an_outcome_the_status_grades(status: str) -> None:
    grade = dataclasses.replace(RESULT, status=status).grade
    assert grade == {
        "FALSIFIED": "failed",
        "VACUOUS": "failed",
        "STALE": "declined",
        "UNBOUND": "declined",
        "EXCLUDED": "noted",
    }.get(status, "passed")


def test_a_word_that_is_no_outcome_never_passes() -> None:
    assert dataclasses.replace(RESULT, outcome="Fine").grade == "broken"


@pytest.mark.parametrize(
    ("outcome", "grade"), [("Fail", "waived"), ("Vacuous", "waived"), ("Pass", "passed"), ("Error", "broken")]
)
def test_only_a_failure_is_waived(outcome: str, grade: str) -> None:
    assert dataclasses.replace(RESULT, outcome=outcome, waived="until 2100: known").grade == grade


def test_what_was_not_begun_never_passes() -> None:
    result = dataclasses.replace(RESULT, status="DISCHARGED", message="judged live", begun=False)
    assert (result.grade, result.summary) == ("declined", "NOT BEGUN: judged live")


def test_an_infinite_margin_is_told_in_words() -> None:
    result = dataclasses.replace(RESULT, margin="-inf% of x <= 0", relative=float("-inf"))
    assert json.loads(json.dumps(result.to_json(), allow_nan=False))["relative"] is None


def test_the_summary_says_which_line_fails() -> None:
    failed = dataclasses.replace(RESULT, outcome="Fail", lines=(("a > 1", True), ("b > 1", False)))
    assert failed.summary == "FAIL: b > 1"


def test_counts_have_every_grade() -> None:
    finding = Finding(RESULT.where, "SCHEMA-001", "warning", "m", "r")
    report = Report(
        command="status",
        version="1",
        ended=Exit.ACCEPTED,
        results=(dataclasses.replace(RESULT, outcome="Pass"), dataclasses.replace(RESULT, outcome="Pass")),
        findings=(finding,),
    )
    assert counts(report) == dict.fromkeys((*GRADES, "errors", "warnings"), 0) | {"passed": 2, "warnings": 1}


def test_the_top_is_where_git_is(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    (tmp_path / "a" / ".git").write_text("gitdir: elsewhere\n", encoding="utf-8")  # as in a worktree
    assert top_of(folder) == tmp_path / "a"
    assert top_of(tmp_path / "c") in {tmp_path / "c", *tmp_path.parents}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("outcome", ["Pass", "Fail", "Error", "Declined"])
def test_every_format_shows_that_something_was_tried_again(name: str, outcome: Outcome) -> None:
    """A retry that is not seen makes a flaky check look sound."""
    again = dataclasses.replace(RESULT, outcome=outcome, attempts=("out of memory", "killed by SIGKILL"))
    told = cast("Writer", importlib.import_module(FORMATS[name])).write(
        Report(command="sweep", version="0", ended=Exit.ACCEPTED, results=(again,))
    )
    assert "out of memory" in told
    assert "killed by SIGKILL" in told
    once = dataclasses.replace(RESULT, outcome=outcome)
    told = cast("Writer", importlib.import_module(FORMATS[name])).write(
        Report(command="sweep", version="0", ended=Exit.ACCEPTED, results=(once,))
    )
    assert "attempt 1" not in told
