from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from pv.exits import Exit
from pv.reports.coverage import shown_share

if TYPE_CHECKING:
    from tests.pv.conftest import Project

CORPUS = Path(__file__).resolve().parents[4] / "shared" / "corpus"
ID = "FALSIFY-SMALL-001"


def oblige(project: Project, *identifiers: str | None, **more: object) -> None:
    path = project.root / "contracts" / "small-v1.yaml"
    document = yaml.safe_load(path.read_text())
    document["proof_obligations"] = [
        {"type": "invariant", "property": "a property", **more, **({"id": name} if name else {})}
        for name in identifiers
    ]
    path.write_text(yaml.safe_dump(document, sort_keys=False))


def test_a_folder_without_obligations_is_not_wholly_covered(copied: Project) -> None:
    for arguments in ((), ("--minimum", "0"), ("--format", "json")):
        ended = copied.pv("coverage", *arguments)
        assert ended.code == Exit.USAGE
        assert ended.out == ""
        assert "no obligations that apply in 1 contract(s)" in ended.err
    oblige(copied, "A", not_applicable=True, na_reason="none", na_owner="me")
    assert copied.pv("coverage").code == Exit.USAGE


def test_an_empty_folder_is_nothing_selected(project: Project) -> None:
    (project.root / "empty").mkdir()
    ended = project.pv("coverage", "empty")
    assert ended.code == Exit.USAGE
    assert "%" not in ended.said


def test_the_table_and_what_is_open(project: Project) -> None:
    project.contract(covers=["A"])
    oblige(project, "A", "B", None)
    assert project.pv("discharge", ID).code == 0
    ended = project.pv("coverage")
    assert ended.code == Exit.ACCEPTED
    lines = ended.out.splitlines()
    assert lines[0].split("  ")[0] == "contract"
    assert lines[2].split() == ["small-v1", "1", "of", "3", "33.3", "%", "1", "2"]
    assert lines[4] == "2 not covered at functional level or above:"
    assert lines[5].endswith(": B: uncovered: no falsifier names it")
    assert lines[5].strip().startswith("contracts/small-v1.yaml:")
    assert lines[6].endswith(": 'a property': uncovered: it has no id, so that nothing can name it")


def test_json_is_alone_and_lists_every_obligation(project: Project) -> None:
    project.contract(covers=["A"])
    oblige(project, "A", "B")
    assert project.pv("discharge", ID).code == 0
    document = project.pv("coverage", "--json").json
    assert document["all"] == {
        "obligations": 2,
        "covered": 1,
        "percent": 50.0,
        "kinds": {"live": 1, "uncovered": 1},
    }
    (contract,) = document["contracts"]
    assert [one["id"] for one in contract["obligations"]] == ["A", "B"]
    assert contract["obligations"][0]["falsifiers"] == [ID]
    assert contract["obligations"][1]["covered"] is False


@pytest.mark.parametrize(
    ("minimum", "code"),
    [("50", Exit.ACCEPTED), ("0", Exit.ACCEPTED), ("50.000001", Exit.REJECTED), ("100", Exit.REJECTED)],
)
def test_a_minimum_is_compared_exactly(project: Project, minimum: str, code: Exit) -> None:
    project.contract(covers=["A"])
    oblige(project, "A", "B")
    assert project.pv("discharge", ID).code == 0
    assert project.pv("coverage", "--minimum", minimum).code == code


@pytest.mark.parametrize(
    "minimum", ["nan", "-1", "101", "1e1", "", "\N{ARABIC-INDIC DIGIT FIVE}0", "inf", "fifty"]
)
def test_what_is_no_percentage_is_refused(project: Project, minimum: str) -> None:
    oblige(project, "A")
    ended = project.pv("coverage", f"--minimum={minimum}")
    assert ended.code == Exit.USAGE
    assert "is no percentage" in ended.err


def test_a_level_that_must_be_reached(project: Project) -> None:
    project.contract(covers=["A"])
    oblige(project, "A")
    assert project.pv("discharge", ID, "--level", "functional").code == 0
    assert project.pv("coverage", "--minimum", "100").code == Exit.ACCEPTED
    ended = project.pv("coverage", "--minimum", "100", "--level", "live")
    assert ended.code == Exit.REJECTED
    assert "0.0 % is covered at live level or above, less than the minimum of 100 %" in ended.err


@pytest.mark.parametrize(
    ("part", "shown"),
    [
        (Fraction(1), "100.0 %"),
        (Fraction(1999, 2000), "99.9 %"),
        (Fraction(0), "0.0 %"),
        (Fraction(2, 3), "66.6 %"),
        (None, "no obligations"),
    ],
)
def test_a_share_is_rounded_down(part: Fraction | None, shown: str) -> None:
    assert shown_share(part) == shown


def test_text_of_a_contract_does_not_drive_the_terminal(project: Project) -> None:
    oblige(project, "A\x1b[31m\n", None)
    ended = project.pv("coverage")
    assert "\x1b" not in ended.said
    assert "A\\x1b[31m\\n: uncovered" in ended.out


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the outside corpus is not beside this checkout")
def test_contracts_whose_obligations_have_no_ids_are_covered_by_nothing(project: Project) -> None:
    ended = project.pv("coverage", "--format", "json", CORPUS)
    assert ended.code == Exit.ACCEPTED, ended.err
    total = ended.json["all"]
    assert total["covered"] == 0
    assert total["obligations"] >= 400
