from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pv.exits import Exit

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"


def names(project: Project, *words: str) -> list[str]:
    ended = project.pv("status", *words, "--json")
    assert ended.code == Exit.ACCEPTED, ended.said
    return [row["falsifier"] for row in ended.json["falsifiers"]]


def test_ids_addresses_aliases_files_and_folders_name_falsifiers(project: Project) -> None:
    project.contract(aliases=["FALSIFY-OLD-7"])
    for word in (
        ID,
        f"small-v1#{ID}",
        "FALSIFY-OLD-7",
        "small-v1#FALSIFY-OLD-7",
        "contracts",
        "contracts/small-v1.yaml",
    ):
        assert names(project, word) == [f"small-v1#{ID}"]
    assert names(project, "contracts", ID) == [f"small-v1#{ID}"]


@pytest.mark.parametrize("word", ["FALSIFY-SMALL-01", "falsify-small-001", "SMALL", "FALSIFY-SMAL-001"])
def test_an_unknown_id_is_a_usage_error_with_near_misses(project: Project, word: str) -> None:
    ended = project.pv("discharge", word)
    assert ended.code == Exit.USAGE
    assert f"no falsifier '{word}' in 1 contract(s)" in ended.err
    assert f"did you mean small-v1#{ID}?" in ended.err
    assert ended.out == ""


def test_an_id_like_nothing_has_no_near_misses(project: Project) -> None:
    ended = project.pv("discharge", "QWERTY")
    assert ended.code == Exit.USAGE
    assert "`pv status` lists them all" in ended.err


def test_an_ambiguous_id_is_a_usage_error_with_the_candidates(project: Project) -> None:
    project.contract(stem="other-v1")
    ended = project.pv("discharge", ID)
    assert ended.code == Exit.USAGE
    assert f"'{ID}' is not unique: other-v1#{ID}, small-v1#{ID}" in ended.err
    assert project.pv("discharge", f"other-v1#{ID}").code == Exit.ACCEPTED


def test_two_contracts_of_one_name_are_refused(project: Project) -> None:
    project.contract()
    (project.root / "contracts" / "more").mkdir()
    (project.root / "contracts" / "small-v1.yaml").rename(
        project.root / "contracts" / "more" / "small-v1.yaml"
    )
    project.contract()
    ended = project.pv("discharge", "contracts")
    assert ended.code == Exit.USAGE
    assert "are both named small-v1" in ended.err


def test_two_falsifiers_of_one_id_are_refused(project: Project) -> None:
    usual = dict(project.load().falsifiers[0].raw)
    project.contract(usual, {**usual, "expect": ["max(distance) <= 0.1"]})
    ended = project.pv("discharge", "contracts")
    assert ended.code == Exit.REJECTED
    assert f"error[SCHEMA-007]: two falsifiers are {ID}" in ended.err


def test_nothing_is_never_green(project: Project) -> None:
    (project.root / "empty").mkdir()
    for words in (["empty"], ["contracts/none.yaml"], ["#"], [""]):
        assert project.pv("discharge", *words).code == Exit.USAGE, words
    (project.root / "contracts" / "small-v1.yaml").write_text(
        "metadata: {version: '1', description: x}\nfalsification_tests: []\n", encoding="utf-8"
    )
    assert project.pv("discharge", "contracts").code == Exit.USAGE
    assert project.pv("status").code == Exit.USAGE


def test_an_escape_in_an_id_does_not_reach_the_terminal(project: Project) -> None:
    ended = project.pv("discharge", "\x1b[31mFALSIFY\u202e\n::error::x")
    assert ended.code == Exit.USAGE
    assert all(line.isprintable() for line in ended.said.splitlines())
