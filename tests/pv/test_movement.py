from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv.movement import Change, Moved, Past, changes_since, past_statuses
from pv.selection import load_all
from pv.status import LADDER, Status, derive
from pv.tally import Row

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"


def commit(root: Path) -> None:
    names = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    for words in (("init", "-q"), ("add", "-A", "-f", "."), (*names, "commit", "-q", "-m", "state")):
        subprocess.run(["git", "-C", str(root), *words], check=True, capture_output=True)


def change(project: Project, *, whole: bool = True) -> Change:
    config = project.config()
    contracts = load_all(config)
    rows = [Row(c, f, derive(c, f, config)) for c in contracts for f in c.falsifiers]
    return changes_since(past_statuses(config, "HEAD"), rows, {c.stem for c in contracts}, whole=whole)


def test_nothing_moves_by_itself(copied: Project) -> None:
    commit(copied.root)
    found = change(copied)
    assert (found.tally, found.moved, found.added, found.removed) == ({}, (), (), ())
    assert found.past.statuses == {f"small-v1#{ID}": "DISCHARGED"}


def test_a_demotion_names_what_became_of_it_and_why(copied: Project) -> None:
    commit(copied.root)
    copied.edit("small_checks/scale.py", "1", "2")
    found = change(copied)
    assert found.tally == {"DISCHARGED": -1, "STALE": 1}
    assert found.by_contract == {"small-v1": {"DISCHARGED": -1, "STALE": 1}}
    (moved,) = found.moved
    assert (moved.before, moved.after, moved.direction) == ("DISCHARGED", "STALE", "demoted")
    assert moved.reason


def test_a_promotion_is_derived_from_the_old_tree_not_from_its_words(project: Project) -> None:
    # The old contract claims what nothing bears out: what it says does not count.
    project.contract(discharge_status="DISCHARGED")
    commit(project.root)
    assert project.pv("discharge", ID).code == 0
    (moved,) = change(project).moved
    assert (moved.before, moved.after, moved.direction) == ("UNBOUND", "DISCHARGED", "promoted")


def test_contracts_and_falsifiers_come_and_go(copied: Project) -> None:
    clause = {"rule": "r", "prediction": "p", "if_fails": "f"}
    copied.contract({"id": "FALSIFY-OLD-001", **clause}, stem="old-v1")
    commit(copied.root)
    (copied.root / "contracts" / "old-v1.yaml").unlink()
    copied.contract({"id": "FALSIFY-NEW-001", **clause}, stem="new-v1")
    found = change(copied)
    assert (found.added, found.removed) == (("new-v1",), ("old-v1",))
    assert {(m.address, m.before, m.after, m.direction) for m in found.moved} == {
        ("new-v1#FALSIFY-NEW-001", None, "UNBOUND", "new"),
        ("old-v1#FALSIFY-OLD-001", "UNBOUND", None, "gone"),
    }
    assert found.tally == {}
    assert found.by_contract == {"new-v1": {"UNBOUND": 1}, "old-v1": {"UNBOUND": -1}}
    selected = change(copied, whole=False)
    assert selected.removed == ()
    assert [moved.direction for moved in selected.moved] == ["new"]


def test_exclusion_is_outside_of_the_tally(copied: Project) -> None:
    commit(copied.root)
    copied.edit("contracts/small-v1.yaml", "  ship_blocking: true", "  excluded: a process rule")
    found = change(copied)
    assert found.tally == {"DISCHARGED": -1}
    assert [moved.direction for moved in found.moved] == ["changed"]


def test_a_contract_that_could_not_be_read_there_is_said_and_not_compared(copied: Project) -> None:
    path = copied.root / "contracts" / "small-v1.yaml"
    good = path.read_text()
    path.write_text(good.replace("metadata:", "metadata: []\nmetadata:"))
    commit(copied.root)
    path.write_text(good)
    found = change(copied)
    assert found.past.unreadable.keys() == {"small-v1"}
    assert (found.moved, found.added, found.removed) == ((), (), ())


def test_a_revision_without_contracts_has_no_statuses(copied: Project) -> None:
    path = copied.root / "contracts" / "small-v1.yaml"
    text = path.read_text()
    path.unlink()
    commit(copied.root)
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    assert change(copied).added == ("small-v1",)


statuses = st.dictionaries(
    st.sampled_from([f"{stem}#{name}" for stem in "ab" for name in "XYZ"]),
    st.sampled_from([*LADDER, "REFUTED", "EXCLUDED"]),
)


@given(statuses, statuses)
def test_the_change_is_the_difference_of_the_tallies(then: dict[str, str], now: dict[str, str]) -> None:
    rows = [
        cast(
            "Row",
            SimpleNamespace(
                address=address, contract=SimpleNamespace(stem=address[0]), status=Status(name, "")
            ),
        )
        for address, name in now.items()
    ]
    past = Past("HEAD", "0" * 40, then, frozenset(address[0] for address in then), {})
    found = changes_since(past, rows, {address[0] for address in now}, whole=True)
    difference = Counter(now.values())
    difference.subtract(Counter(then.values()))
    del difference["EXCLUDED"]
    assert found.tally == {name: count for name, count in difference.items() if count}
    assert {one.address for one in found.moved} == {a for a in {*then, *now} if then.get(a) != now.get(a)}
    summed: Counter[str] = Counter()
    for counts in found.by_contract.values():
        for name, count in counts.items():
            summed[name] += count
    assert {name: count for name, count in summed.items() if count} == found.tally


@pytest.mark.parametrize(
    ("before", "after", "direction"),
    [
        ("FUNCTIONAL", "DISCHARGED", "promoted"),
        ("DISCHARGED", "REFUTED", "changed"),
        ("REFUTED", "FALSIFIED", "demoted"),
        ("EXCLUDED", "DISCHARGED", "changed"),
        (None, "STALE", "new"),
        ("STALE", None, "gone"),
    ],
)
def test_directions(before: str | None, after: str | None, direction: str) -> None:
    assert Moved("c#A", before, after).direction == direction
