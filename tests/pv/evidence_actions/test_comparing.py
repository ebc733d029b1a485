"""Two records are explained, and a record is beside a run of today."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"


def test_what_was_run_is_run_again_and_nothing_is_recorded(copied: Project) -> None:
    before = copied.evidence()
    ended = copied.pv("evidence", "reproduce", ID)
    assert ended.code == 0, ended.said
    assert ended.out.count("REPRODUCED  evidence/small-v1/") == 2  # where it can fail, and where it holds
    assert "  agrees      distance: 4 sample(s), every one equal" in ended.out
    assert "  agrees      verdict: Pass" in ended.out
    assert copied.evidence() == before
    assert [path.name for path in (copied.root / ".pv").glob("reproduced-*")] == []


def test_an_edited_number_is_not_reproduced(copied: Project, forge: Callable[..., None]) -> None:
    path = copied.record()
    forge(path, lambda measured: measured["distance"]["values"].__setitem__(2, 0.0))
    assert copied.pv("evidence", "verify", path).code == 0  # as far as the record tells, it may be so
    ended = copied.pv("evidence", "reproduce", path)
    assert ended.code == 1
    assert ended.out.startswith("NOT REPRODUCED")
    assert "  DIFFERS     distance: " in ended.out


def test_what_differs_by_less_than_the_margin_is_said_to(copied: Project) -> None:
    copied.contract(expect=["max(distance) <= 0.375", "count(distance) == expected"])
    assert copied.pv("discharge", ID).code == 0
    copied.edit("small_checks/distance.py", "return ", "return 0.001 + ")
    ended = copied.pv("evidence", "reproduce", copied.record(), "--json")
    assert ended.code == 0, ended.said
    (only,) = ended.json
    series = {each["metric"]: each for each in only["differences"]["measurements"]}
    assert series["distance"]["kind"] == "within"
    assert series["distance"]["largest"] == pytest.approx(0.001)
    assert series["distance"]["margin"] == 0.125
    assert only["differences"]["sections"]["check"] == ["small_checks/distance.py changed"]


def test_a_verdict_that_turned_is_not_reproduced(copied: Project) -> None:
    copied.edit("small_checks/distance.py", "return ", "return 0.1 + ")
    ended = copied.pv("evidence", "reproduce", copied.record())
    assert ended.code == 1
    assert "NOT REPRODUCED" in ended.out


def test_what_cannot_be_run_here_is_declined(copied: Project) -> None:
    record = copied.record()
    (copied.root / "data" / "shipped.txt").unlink()
    ended = copied.pv("evidence", "reproduce", record)
    assert ended.code == 3
    assert ended.out.startswith("NOT RUN")


def test_two_records_are_explained_section_by_section(copied: Project) -> None:
    before = copied.root / "before"
    shutil.copytree(copied.root / "evidence", before)
    copied.contract(expect=["max(distance) <= 0.3", "count(distance) == expected"])
    (copied.root / "data" / "shipped.txt").write_text("1.0\n2.0\n3.125\n")
    copied.pin()
    assert copied.pv("discharge", ID).code == 0
    old = before / copied.record().relative_to(copied.root / "evidence")
    ended = copied.pv("evidence", "diff", old, copied.record())
    assert ended.code == 0, ended.said
    assert "  clause      threshold max(distance) 0.25 → 0.3" in ended.out
    assert "  artefacts   numbers shipped " in ended.out
    assert (
        "  DIFFERS     distance: 1 of 3 sample(s) differ, by 0.125 at most at number 2.0, 1 in the first only"
        in ended.out
    )


def test_a_record_agrees_with_itself(copied: Project) -> None:
    ended = copied.pv("evidence", "diff", copied.record(), copied.record(), "--json")
    assert ended.code == 0
    assert ended.json["agree"]
    assert ended.json["sections"] == {}
    assert {each["kind"] for each in ended.json["measurements"]} == {"equal"}
    text = copied.pv("evidence", "diff", copied.record(), copied.record()).out
    assert "  the same    clause, check" in text


def test_several_records_are_not_one(copied: Project) -> None:
    ended = copied.pv("evidence", "diff", ID, ID)
    assert ended.code == 2
    assert "has 2 records" in ended.err
