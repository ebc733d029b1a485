from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pv.codes import known_codes
from pv.exits import Exit

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"


@pytest.mark.parametrize("name", known_codes())
def test_every_code_is_explained(project: Project, name: str) -> None:
    ended = project.pv("explain", name.lower())
    assert ended.code == Exit.ACCEPTED
    assert ended.out.startswith(f"{name} (")
    assert all(line.isprintable() for line in ended.out.splitlines())
    assert ended.err == ""


def test_a_code_in_json(project: Project) -> None:
    told = project.pv("explain", "SCHEMA-003", "--json").json
    assert (told["code"], told["severity"], told["elsewhere"]) == ("SCHEMA-003", "error", "error")
    assert set(told) == {
        *("code", "severity", "elsewhere", "summary", "remedy", "why", "bad", "good", "of"),
    }


def test_a_code_of_the_rust_tool_is_known(project: Project) -> None:
    assert project.pv("explain", "SCHEMA-020").out.startswith("YAML-002 (error)")


def test_a_code_needs_no_project(project: Project) -> None:
    (project.root / "pv.toml").write_text("[", encoding="utf-8")
    assert project.pv("explain", "PV-RULE-003").code == Exit.ACCEPTED
    assert project.pv("explain", ID).code == Exit.USAGE


@pytest.mark.parametrize("word", [ID, f"small-v1#{ID}"])
def test_a_falsifier(discharged: Project, word: str) -> None:
    ended = discharged.pv("explain", word)
    assert ended.code == Exit.ACCEPTED
    assert ended.out.startswith(f"small-v1#{ID}\n\nclaim\n  rule ")
    told = discharged.pv("explain", word, "--format", "json").json
    assert told["falsifier"] == f"small-v1#{ID}"
    assert told["status"]["status"] == "DISCHARGED"


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("PV-RULE-099", "did you mean PV-RULE-"),
        ("SCHEMA-03", "SCHEMA-003"),
        ("YAML", ""),
        ("FALSIFY-SMALL-002", f"did you mean small-v1#{ID}?"),
        ("nothing-like-it", "`pv status` lists them all"),
        ("contracts", "name one"),
    ],
)
def test_a_word_that_means_nothing(project: Project, word: str, near: str) -> None:
    ended = project.pv("explain", word)
    assert ended.code == Exit.USAGE
    assert ended.out == ""
    assert near in ended.err


def test_what_a_contract_says_cannot_steer_the_terminal(project: Project) -> None:
    project.contract(rule="\x1b[31mred\u202e", prediction="p\nFAKE")
    ended = project.pv("explain", ID)
    assert ended.code == Exit.ACCEPTED
    assert all(line.isprintable() for line in ended.out.splitlines())
