from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pv.exits import Exit

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"


def test_show_answers_what_on_what_by_what_and_could_it_fail(discharged: Project) -> None:
    ended = discharged.pv("evidence", "show", ID)
    assert ended.code == Exit.ACCEPTED
    pinned = discharged.config().subjects["shipped"].sha256
    for expected in (
        f"PASS  small-v1#{ID} at live level",
        f"numbers     shipped  sha256 {pinned}",
        "check       small_checks.wholeness:wholeness  closure ",
        "holds       max(distance) <= 0.25",
        "measured    distance: 4 samples",
        "caught      2 of 2: one_half, one_missing",
        "derived from shipped",
        "seed 0, commit no git",
    ):
        assert expected in ended.out
    assert ended.out.count("PASS") == 2


def test_show_json_is_the_statements(discharged: Project) -> None:
    shown = discharged.pv("evidence", "show", "--json").json
    assert shown == [json.loads(discharged.record(level).read_bytes()) for level in ("algorithm", "live")]
    assert {subject["name"].split(":")[0] for subject in shown[0]["subject"]} == {
        "clause",
        "check",
        "artefact",
    }


@pytest.mark.parametrize(
    "words", [[], [ID], [f"small-v1#{ID}"], ["contracts"], ["evidence"], [f"evidence/small-v1/{ID}"]]
)
def test_verify_takes_ids_contracts_folders_or_everything(discharged: Project, words: list[str]) -> None:
    ended = discharged.pv("evidence", "verify", *words)
    assert ended.code == Exit.ACCEPTED
    assert ended.out == "2 record(s) verified: every verdict follows from its measurements.\n"
    assert discharged.pv("evidence", "verify", *words, "--json").json == {"records": 2, "faults": []}


def test_no_record_is_never_green(project: Project) -> None:
    for words in ([], [ID], ["evidence/none.json"]):
        assert project.pv("evidence", "verify", *words).code == Exit.USAGE


def test_faults_are_in_the_json_too(copied: Project) -> None:
    path = copied.record()
    path.write_text(path.read_text(encoding="utf-8").replace('"seed": 0', '"seed": 1'), encoding="utf-8")
    ended = copied.pv("evidence", "verify", "--json")
    assert ended.code == Exit.REJECTED
    (fault,) = ended.json["faults"]
    assert fault["record"] == f"evidence/small-v1/{ID}/live-shipped-cpu.json"
    assert "section run was altered" in fault["fault"]


@pytest.mark.parametrize("section", ["falsifier", "measurements", "subjects", "host"])
def test_showing_what_has_not_the_shape_of_a_record_is_one_message(copied: Project, section: str) -> None:
    path = copied.record()
    whole = json.loads(path.read_bytes())
    whole["predicate"][section] = 7
    path.write_text(json.dumps(whole), encoding="utf-8")
    ended = copied.pv("evidence", "show", path)
    assert ended.code == Exit.REJECTED
    assert "has not the shape of a record" in ended.err
