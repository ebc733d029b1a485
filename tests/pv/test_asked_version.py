"""`pv sync --bump` raises what `pv diff` asks for, where git has the contract as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pv.asked_version import asked_version
from pv.exits import Exit
from tests.pv.staging import claimed, commit

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"
LOOSE = ["max(distance) <= 0.3", "count(distance) == expected"]
STRICT = ["max(distance) <= 0.25", "max(distance) < 0.2", "count(distance) == expected"]


@pytest.mark.parametrize(
    ("changes", "version"),
    [
        ({"expect": LOOSE}, "2.0.0"),
        ({"expect": STRICT}, "1.1.0"),
        ({"prediction": "none lies further than that"}, "1.0.1"),
        ({"counter_examples": ["one_half"]}, "2.0.0"),
    ],
)
def test_what_was_changed_since_the_commit_asks_for_what_diff_says(
    copied: Project, changes: dict[str, Any], version: str
) -> None:
    claimed(copied)
    copied.contract(**{"discharge_status": "STALE"} | changes)
    refused = copied.pv("validate", "contracts")
    assert "PV-VERSION-001" in refused.out, refused.said
    ended = copied.pv("sync", "--bump")
    assert (ended.code, f"version 1.0.0 to {version}" in ended.out) == (Exit.ACCEPTED, True), ended.said
    assert "cannot be told" not in ended.out
    assert copied.pv("diff", "HEAD:contracts", "contracts").code == Exit.ACCEPTED
    assert "PV-VERSION-001" not in copied.pv("validate", "contracts").out
    assert copied.pv("sync", "--bump", "--check").code == Exit.ACCEPTED


def test_of_one_number_less_diff_is_not_content(copied: Project) -> None:
    claimed(copied)
    copied.contract(discharge_status="STALE", expect=LOOSE)
    copied.edit("contracts/small-v1.yaml", "version: 1.0.0", "version: 1.1.0")
    assert copied.pv("diff", "HEAD:contracts", "contracts").code == Exit.REJECTED


def test_before_the_first_version_a_minor_one_stands_for_a_major(copied: Project) -> None:
    copied.edit("contracts/small-v1.yaml", "version: 1.0.0", "version: 0.3.0")
    assert copied.pv("discharge", ID, "--force").code == 0
    path = copied.root / "contracts" / "small-v1.yaml"
    text = path.read_text()
    claimed(copied)
    path.write_text(text)
    commit(copied)
    path.write_text(text.replace("<= 0.25", "<= 0.3"))
    ended = copied.pv("sync", "--bump")
    assert "version 0.3.0 to 0.4.0" in ended.out, ended.said
    assert "cannot be told" not in ended.out


def test_where_git_does_not_tell_it_is_a_minor_version_and_says_so(copied: Project) -> None:
    said = "1.0.0 to 1.1.0"
    copied.contract(discharge_status="STALE", expect=LOOSE)
    ended = copied.pv("sync", "--bump", "--check")
    assert said in ended.out
    assert (
        "a major version may be due, which cannot be told: the contract before is not to be had" in ended.out
    )
    (changed,) = copied.pv("sync", "--bump", "--check", "--json").json["changed"]
    assert "git" in changed["version"]["untold"]
    # Committed with its new clause, the old one is further back than the last commit.
    claimed(copied)
    copied.contract(discharge_status="STALE", expect=LOOSE)
    commit(copied)
    ended = copied.pv("sync", "--bump", "--check")
    assert said in ended.out
    assert f"{ID} was changed before the last commit" in ended.out


def test_a_contract_of_another_version_is_no_measure(copied: Project) -> None:
    claimed(copied)
    copied.contract(discharge_status="STALE", expect=LOOSE)
    copied.edit("contracts/small-v1.yaml", "version: 1.0.0", "version: 1.0.7")
    assert asked_version(copied.load(), [ID]) == ("minor", "the last commit has version 1.0.0")
    (copied.root / "contracts" / "other-v1.yaml").write_bytes(
        (copied.root / "contracts" / "small-v1.yaml").read_bytes()
    )
    assert asked_version(copied.load("other-v1"), [ID]) == ("minor", "the contract was never committed")
