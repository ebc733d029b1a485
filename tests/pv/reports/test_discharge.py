from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pv.outcome import Discharge, Plant
from pv.planning import Declined
from pv.reports.discharge import as_json, margin, print_one, print_table, told

if TYPE_CHECKING:
    from tests.pv.conftest import Project

Captured = pytest.CaptureFixture[str]
NASTY = "\x1b]0;title\x07 \u202e \x9b2J"


def test_nothing_of_strangers_drives_the_terminal(capsys: Captured) -> None:
    end = Discharge(
        f"c#{NASTY}", NASTY, "Fail", "live", NASTY, "cpu", f"{NASTY}\n{NASTY}", None,
        (Plant(NASTY, NASTY, caught=False),), (Declined("live", NASTY, NASTY),), (NASTY,),
        detail=f"{NASTY}\n{NASTY}",
    )  # fmt: skip
    print_one(end)
    print_table([end, end])
    out = capsys.readouterr().out
    assert all(line.isprintable() for line in out.split("\n"))
    assert out.count("\\x1b]0;title") >= 10


def test_a_missed_counter_example_stands_out(capsys: Captured) -> None:
    plants = (Plant("found", "a", caught=True), Plant("missed", "b", caught=False))
    print_one(Discharge("c#X", "a rule", "Vacuous", "live", "s", "cpu", "because", None, plants))
    out = capsys.readouterr().out
    assert "  caught      1 of 2 counter-examples: found\n  NOT CAUGHT  missed (damages b)\n" in out
    assert "  because     because\n" in out


def test_the_table_has_level_and_margin_and_counts_outcomes(capsys: Captured) -> None:
    verdict: dict[str, Any] = {
        "outcome": "Pass",
        "lines": [],
        "closest": {"relative": 0.125, "text": "x >= 1"},
    }
    print_table(
        [
            Discharge("c#A", "r", "Pass", "live", "s", "cpu", verdict=verdict),
            Discharge("c#B", "r", "Pass", "live", "s", "cpu", verdict={**verdict, "closest": None}),
            Discharge("c#C", "r", "Declined"),
        ]
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split("  ")[0] == "falsifier"
    assert lines[2].endswith("+12.50% of x >= 1")
    assert lines[3].endswith("exact")
    assert lines[4].split() == ["c#C", "Declined", "-", "-", "-"]
    assert lines[-1] == "1 Declined, 2 Pass"


def test_margin_of_nothing() -> None:
    assert margin(None) == ""
    assert margin({"outcome": "Fail", "closest": None}) == ""


def test_a_long_line_that_a_check_printed_is_cut(project: Project) -> None:
    project.contract(
        **{
            "check": "small_checks.broken:breaks",
            "with": {"how": "prints"},
            "subjects": None,
            "expect": ["min(x) >= 1"],
        },
        counter_examples=["never"],
        needs={"memory": "64 MiB", "timeout": "0.4 s"},
    )
    ended = project.pv("discharge", "FALSIFY-SMALL-001")
    assert ended.code == 4
    assert "did not end within 0.4 s" in ended.out
    assert len(ended.out) < 4000


def test_the_json_form_is_stable() -> None:
    assert set(as_json(Discharge("c#A", "r", "Unbound"))) == {
        "falsifier", "rule", "outcome", "level", "subject", "device", "message", "detail", "verdict",
        "counter_examples", "declined", "records", "fresh", "seconds", "attempts", "notes",
    }  # fmt: skip


def test_what_a_reader_should_see_of_what_was_measured_is_told() -> None:
    end = Discharge(
        "c#A", "r", "Pass", notes=("x is counted, and 1 of its 2 labels stand more than once: a",)
    )
    assert "  note        x is counted, and 1 of its 2 labels stand more than once: a" in told(end)
    assert Discharge.from_json(end.to_json()) == end
