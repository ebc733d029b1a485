"""What a record says was run is run again, and compared; no evidence is written."""

from __future__ import annotations

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
    ended = copied.pv("evidence", "reproduce", copied.record(), "--format", "json")
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
    (copied.root / "data" / "shipped.txt").rename(copied.root / "kept.txt")
    ended = copied.pv("evidence", "reproduce", record)
    assert ended.code == 3
    assert ended.out.startswith("NOT RUN")
    elsewhere = copied.root.parent / "shipped.txt"
    elsewhere.write_bytes((copied.root.parent / "copy" / "kept.txt").read_bytes())
    ended = copied.pv("evidence", "reproduce", record, "--subject", f"shipped={elsewhere}")
    assert ended.code == 0, ended.said
