"""Two records are explained, section by section."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"


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
    ended = copied.pv("evidence", "diff", copied.record(), copied.record(), "--format", "json")
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
