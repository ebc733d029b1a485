from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv.errors import Location
from pv.exits import Exit
from pv.selection import load_all
from pv.waivers import Waiver, WaiverError, lint_waivers, load_waivers, utc_today

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"
TODAY = dt.date(2026, 11, 20)
GOOD = f"""\
- id: {ID}
  reason: >-
    The format is being replaced;
    see issue 12
  approver: R. Feynman
  created: 2026-11-01
  expires: 2026-12-01
"""


def write(project: Project, text: str) -> None:
    (project.root / "waivers.yaml").write_text(text, encoding="utf-8")


def refused(project: Project) -> list[tuple[str, str]]:
    with pytest.raises(WaiverError) as caught:
        load_waivers(project.config(), TODAY)
    assert caught.value.exit == Exit.USAGE
    return [
        (f"{f.where.path}:{f.where.line}:{f.where.column}", f"{f.code} {f.message}")
        for f in caught.value.findings
    ]


def test_one_in_force_is_shown_beside_the_status(project: Project) -> None:
    write(project, GOOD)
    waivers = load_waivers(project.config(), TODAY)
    contract = project.load()
    (falsifier,) = contract.falsifiers
    waiver = waivers.of(contract, falsifier)
    assert waiver is not None
    assert waiver.approver == "R. Feynman"
    note = "WAIVED until 2026-12-01: The format is being replaced; see issue 12"
    assert waivers.beside(contract, falsifier, "FALSIFIED") == f"FALSIFIED ({note})"
    assert waiver.to_json()["falsifier"] == f"small-v1#{ID}"
    assert waivers.expired(contract, falsifier) is None


def test_no_file_is_no_waiver_but_a_named_one_must_be_there(project: Project) -> None:
    contract = project.load()
    waivers = load_waivers(project.config(), TODAY)
    assert waivers.waivers == ()
    assert waivers.beside(contract, contract.falsifiers[0], "FALSIFIED") == "FALSIFIED"
    project.edit("pv.toml", "[project]\n", '[project]\nwaivers = "ops/waived.yaml"\n')
    assert refused(project)[0][1].startswith("WAIVER-001 cannot read")
    (project.root / "ops").mkdir()
    (project.root / "ops" / "waived.yaml").write_text(GOOD, encoding="utf-8")
    assert len(load_waivers(project.config(), TODAY).waivers) == 1


@pytest.mark.parametrize(("day", "state"), [
    ("2026-10-31", "not yet"), ("2026-11-01", "in force"), ("2026-11-30", "in force"),
    ("2026-12-01", "expired"), ("2027-01-01", "expired"),
])  # fmt: skip
def test_the_first_day_counts_and_the_last_one_does_not(project: Project, day: str, state: str) -> None:
    write(project, GOOD)
    waivers = load_waivers(project.config(), dt.date.fromisoformat(day))
    assert waivers.waivers[0].state(waivers.today) == state
    contract = project.load()
    (falsifier,) = contract.falsifiers
    assert (waivers.of(contract, falsifier) is not None) == (state == "in force")
    assert (waivers.expired(contract, falsifier) is not None) == (state == "expired")


@given(created=st.dates(), length=st.integers(1, 10_000), offset=st.integers(-20_000, 20_000))
def test_it_is_in_force_on_as_many_days_as_lie_between(created: dt.date, length: int, offset: int) -> None:
    try:
        expires = created + dt.timedelta(length)
        today = created + dt.timedelta(offset)
    except OverflowError:
        return
    waiver = Waiver(
        id="X", contract="c", identifier="X", reason="r", approver="a", created=created, expires=expires,
        where=Location("w", 1, 1),
    )  # fmt: skip
    assert (waiver.state(today) == "in force") == (0 <= offset < length)


@pytest.mark.parametrize(("old", "new", "place", "said"), [
    (f"id: {ID}", "id: [a]", "1:7", "WAIVER-001 id is no text"),
    ("  approver: R. Feynman\n", "", "1:3", "WAIVER-001 the waiver has no approver"),
    ("R. Feynman", "", "5:12", "WAIVER-001 approver is empty"),
    ("R. Feynman", '" "', "5:13", "WAIVER-001 approver is empty"),
    ("R. Feynman", "7", "5:13", "WAIVER-001 approver is no text"),
    ("approver", "aprover", "1:3", "WAIVER-001 the waiver has no approver"),
    ("expires: 2026-12-01", "expires: 2026", "7:12", "WAIVER-001 expires is no text"),
    ("2026-12-01", "2026-12", "7:12", "WAIVER-002 expires '2026-12' is no date"),
    ("2026-12-01", "2026-02-30", "7:12", "WAIVER-002 expires '2026-02-30' is no date"),
    ("2026-12-01", "2026-12-01T00:00:00", "7:12", "WAIVER-002 expires"),
    ("2026-12-01", "20261201x", "7:12", "WAIVER-002 expires"),
    ("2026-12-01", "2026-11-01", "7:12", "WAIVER-002 it expires on 2026-11-01 and is created on 2026-11-01"),
    (ID, "FALSIFY-SMALL-002", "1:7", "WAIVER-003 no falsifier is called 'FALSIFY-SMALL-002'"),
    (ID, f"other-v1#{ID}", "1:7", "WAIVER-003"),
    (ID, '""', "1:7", "WAIVER-001 id is empty"),
    ("expires:", "expires: 2026-12-01\n  expires:", "8:3", "YAML-002"),
])  # fmt: skip
def test_what_is_wrong_is_named_at_its_place(
    project: Project, old: str, new: str, place: str, said: str
) -> None:
    assert GOOD.count(old) == 1
    write(project, GOOD.replace(old, new))
    found = refused(project)
    assert any(where == f"waivers.yaml:{place}" and message.startswith(said) for where, message in found), (
        found
    )


def test_an_unknown_key_is_named_at_the_key(project: Project) -> None:
    write(project, GOOD + "  severity: low\n")
    assert refused(project) == [("waivers.yaml:8:3", "WAIVER-001 a waiver has no key 'severity'")]


@pytest.mark.parametrize("text", ["waivers: []\n", "just text\n"])
def test_other_shapes_are_refused(project: Project, text: str) -> None:
    write(project, text)
    assert refused(project) == [("waivers.yaml:1:1", "WAIVER-001 waivers are a list of mappings")]


def test_an_empty_list_waives_nothing(project: Project) -> None:
    write(project, "[]\n")
    assert load_waivers(project.config(), TODAY).waivers == ()


def test_all_problems_are_told_at_once(project: Project) -> None:
    write(project, f"- 3\n{GOOD.replace(ID, 'NOPE')}{GOOD.replace('reason', 'why')}")
    assert [message.split(" ")[0] for _, message in refused(project)] == ["WAIVER-001", "WAIVER-003"] + [
        "WAIVER-001"
    ] * 2


def test_an_id_of_two_contracts_needs_its_address(project: Project) -> None:
    project.contract(stem="other-v1")
    write(project, GOOD)
    ((place, message),) = refused(project)
    assert place == "waivers.yaml:1:7"
    assert message == f"WAIVER-004 '{ID}' is not unique: other-v1#{ID}, small-v1#{ID}"
    write(project, GOOD.replace(ID, f"other-v1#{ID}"))
    waivers = load_waivers(project.config(), TODAY)
    other, small = project.load("other-v1"), project.load()
    assert waivers.of(other, other.falsifiers[0])
    assert waivers.of(small, small.falsifiers[0]) is None


def test_an_alias_is_the_same_falsifier_so_two_waivers_are_one_too_many(project: Project) -> None:
    project.contract(aliases=["FALSIFY-OLD-1"])
    write(project, GOOD.replace(ID, "FALSIFY-OLD-1"))
    assert load_waivers(project.config(), TODAY).waivers[0].identifier == ID
    write(project, GOOD + GOOD.replace(ID, "FALSIFY-OLD-1"))
    assert refused(project) == [
        ("waivers.yaml:8:7", f"WAIVER-005 small-v1#{ID} is waived twice (first on line 1)")
    ]


def lint(project: Project, today: dt.date = TODAY) -> list[str]:
    config = project.config()
    found = lint_waivers(load_waivers(config, today), config)
    assert found == lint_waivers(load_waivers(config, today), config, load_all(config))
    return [f"{f.where}: {f.code} {f.message}" for f in found]


def test_lint_accepts_what_waives_something(project: Project) -> None:
    write(project, GOOD)
    assert lint(project) == []  # ship-blocking, and never run


def test_lint_rejects_what_time_brings_about(project: Project) -> None:
    write(project, GOOD)
    assert lint(project, dt.date(2026, 12, 1)) == [
        (
            f"waivers.yaml:1:7: WAIVER-006 the waiver of small-v1#{ID} expired on 2026-12-01 "
            "(today is 2026-12-01, UTC)"
        )
    ]
    assert lint(project, dt.date(2026, 10, 31))[0].startswith("waivers.yaml:1:7: WAIVER-007")


def test_lint_rejects_a_waiver_that_waives_nothing(copied: Project) -> None:
    write(copied, GOOD)
    assert lint(copied) == [
        (
            f"waivers.yaml:1:7: WAIVER-008 the waiver of small-v1#{ID} waives nothing: "
            "the falsifier is DISCHARGED"
        )
    ]
    copied.contract(excluded="a process rule")
    assert "waives nothing: the falsifier is EXCLUDED" in lint(copied)[0]
    copied.contract(ship_blocking=False, rule="reworded")
    assert "the falsifier is STALE, and not ship-blocking" in lint(copied)[0]
    copied.contract(rule="reworded")
    assert lint(copied) == []


def test_today_is_a_day_of_utc() -> None:
    before = dt.datetime.now(dt.UTC).date()
    assert before <= utc_today() <= dt.datetime.now(dt.UTC).date()


def test_a_file_that_is_no_file_is_refused(project: Project) -> None:
    (project.root / "waivers.yaml").symlink_to(Path("nowhere"))
    assert refused(project)[0][1].startswith("WAIVER-001 cannot read")
