from __future__ import annotations

from pathlib import Path

import pytest

from pv.exits import Exit
from tests.pv.conftest import Project
from tests.pv.staging import commit, git

CONTRACT = "contracts/small-v1.yaml"
PAST = f"HEAD:{CONTRACT}"
RULE = "max(distance) <= 0.25"


@pytest.fixture
def committed(copied: Project) -> Project:
    """A discharged project whose state is committed."""
    git(copied.root, "init", "-q")
    commit(copied)
    return copied


def test_the_same_is_accepted_and_unsettles_nothing(committed: Project) -> None:
    ended = committed.pv("diff", PAST, CONTRACT)
    assert ended.code == Exit.ACCEPTED
    assert ended.out == "1 contract(s) without a difference in meaning\nno record of evidence is unsettled\n"


def test_a_weaker_rule_asks_for_a_major_version_and_names_the_records(committed: Project) -> None:
    committed.edit(CONTRACT, RULE, "max(distance) <= 0.5")
    committed.edit(CONTRACT, "version: 1.0.0", "version: 1.1.0")
    ended = committed.pv("diff", PAST, CONTRACT)
    assert ended.code == Exit.REJECTED
    lines = ended.out.splitlines()
    assert lines[0] == "small-v1: 1.0.0 → 1.1.0"
    assert lines[1].split() == ["major", "weakened", "falsifier", "FALSIFY-SMALL-001:", "expect:", "weakened"]
    assert lines[2].strip() == "- max(distance) <= 0.25"
    assert lines[3].strip() == "+ max(distance) <= 0.5    (weaker)"
    assert lines[4].strip() == "asks for a major version; 1.0.0 → 1.1.0 is a minor one: not enough"
    assert "2 record(s) of evidence are of no clause any more" in ended.out
    assert "live-shipped-cpu.json: small-v1#FALSIFY-SMALL-001: clause changed" in ended.out
    assert ended.err == "error: small-v1: its changes ask for a major version\n"
    committed.edit(CONTRACT, "version: 1.1.0", "version: 2.0.0")
    assert committed.pv("diff", PAST, CONTRACT).code == Exit.ACCEPTED


def test_a_stronger_rule_asks_for_a_minor_version(committed: Project) -> None:
    committed.edit(CONTRACT, RULE, "max(distance) <= 0.2")
    assert committed.pv("diff", PAST, CONTRACT).code == Exit.REJECTED
    committed.edit(CONTRACT, "version: 1.0.0", "version: 1.1.0")
    ended = committed.pv("diff", PAST, CONTRACT)
    assert ended.code == Exit.ACCEPTED
    assert "(stronger)" in ended.out


def test_a_version_that_was_lowered_is_rejected(committed: Project) -> None:
    committed.edit(CONTRACT, "version: 1.0.0", "version: 0.9.0")
    ended = committed.pv("diff", PAST, CONTRACT)
    assert ended.code == Exit.REJECTED
    assert "asks for no other version; 1.0.0 → 0.9.0 raises none that pv can read: not enough" in ended.out
    assert "its version was lowered, or cannot be read" in ended.err


def test_folders_show_what_came_and_went(committed: Project) -> None:
    committed.contract(stem="other-v1")
    (committed.root / CONTRACT).unlink()
    ended = committed.pv("diff", "HEAD:contracts", "contracts")
    assert ended.code == Exit.ACCEPTED  # there is no version that could have been raised
    assert ended.out.splitlines()[:3] == ["other-v1: added (minor)", "small-v1: removed (major)", ""]
    assert "falsifier gone" in ended.out
    assert committed.pv("diff", "HEAD:contracts", "contracts", "--json").json["bump"] == "major"


def test_json_is_alone_and_says_the_same(committed: Project) -> None:
    committed.edit(CONTRACT, RULE, "max(distance) <= 0.5")
    ended = committed.pv("diff", PAST, CONTRACT, "--json")
    assert ended.code == Exit.REJECTED
    document = ended.json
    assert (document["bump"], document["suffices"]) == ("major", False)
    (contract,) = document["contracts"]
    assert contract["before"] == {"file": PAST, "version": "1.0.0"}
    assert contract["after"] == {"file": CONTRACT, "version": "1.0.0"}
    assert (contract["bump"], contract["raised"], contract["suffices"]) == ("major", "none", False)
    (change,) = contract["changes"]
    assert (change["part"], change["key"], change["effect"]) == (
        "falsifier FALSIFY-SMALL-001",
        "expect",
        "weakened",
    )
    assert change["lines"] == [
        {"before": "max(distance) <= 0.25", "after": "max(distance) <= 0.5", "relation": "weaker"}
    ]
    assert (change["file"], change["line"] > 1) == (CONTRACT, True)
    assert {one["why"] for one in document["unsettled"]} == {"clause changed"}
    assert committed.pv("diff", PAST, CONTRACT, "--format", "json").json == document


@pytest.mark.parametrize("words", [("gone.yaml", CONTRACT), ("nowhere:x", CONTRACT), ("contracts", CONTRACT)])
def test_what_names_nothing_judges_nothing(committed: Project, words: tuple[str, str]) -> None:
    ended = committed.pv("diff", *words)
    assert ended.code == Exit.USAGE
    assert ended.out == ""


def test_a_contract_that_cannot_be_read_is_rejected(committed: Project) -> None:
    Path(committed.root / CONTRACT).write_text("metadata: {version: 1}\n", encoding="utf-8")
    ended = committed.pv("diff", PAST, CONTRACT)
    assert ended.code == Exit.REJECTED
    assert f"{CONTRACT}:1:" in ended.err


def test_it_is_told_apart_from_the_comparison_of_records(committed: Project) -> None:
    assert "`pv evidence diff`" in committed.pv("diff", "--help").out.replace("\n", " ")
