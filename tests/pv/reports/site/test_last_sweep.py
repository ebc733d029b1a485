from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pv.journal import Journal
from pv.outcome import Discharge
from pv.reports.site.last_sweep import last_sweep
from tests.pv.reports.site.conftest import Page, make_site

if TYPE_CHECKING:
    from tests.pv.conftest import Project


def test_where_there_was_no_sweep_there_is_nothing_to_tell(project: Project) -> None:
    assert last_sweep(project.root / ".pv" / "sweeps") is None
    assert "No sweep is on record here." in Page(make_site(project) / "index.html").shown


def test_what_broke_what_was_declined_when_and_how_long(project: Project) -> None:
    from tests.pv.conftest import CLAUSE

    fails = {"expect": ["max(distance) <= 0.001", "count(distance) == expected"]}
    breaks = {
        "check": "small_checks.broken:breaks",
        "with": {"how": "raises"},
        "subjects": None,
        "expect": ["min(x) >= 1"],
        "counter_examples": ["never"],
    }
    project.contract(
        CLAUSE,
        {**CLAUSE, "id": "FALSIFY-SMALL-002", **fails},
        {**CLAUSE, "id": "FALSIFY-SMALL-003", **breaks},
        {**CLAUSE, "id": "FALSIFY-SMALL-004", "check": None},
        {**CLAUSE, "id": "FALSIFY-SMALL-005", "subjects": {"functional": {"numbers": "far-away"}}},
    )
    project.pv("sweep")
    found = last_sweep(project.root / ".pv" / "sweeps")
    assert found is not None
    assert [one.address for one in found.failed] == ["small-v1#FALSIFY-SMALL-002"]
    assert [one.address for one in found.errors] == ["small-v1#FALSIFY-SMALL-003"]
    assert sorted(one.outcome for one in found.declined) == ["Declined", "Unbound"]
    assert not found.left
    assert found.took.endswith(" s")
    page = Page(make_site(project) / "index.html").shown
    assert "Failed: 1 small-v1#FALSIFY-SMALL-002: max(distance) <= 0.001 (the numbers were scaled)" in page
    assert "Ended with an error: 1 small-v1#FALSIFY-SMALL-003" in page
    assert "2 could not be judged on that host" in page
    assert "Nothing broke." not in page


def written(path: Path, *ends: Discharge, finish: bool = True, **more: Any) -> None:
    planned = [
        {"falsifier": end.address, "path": "c.yaml", "state": "run", "why": "", "level": "live",
         "device": "cpu", "gate": False, "declined": []}
        for end in (*ends, Discharge("small-v1#LAST", "r", "Pass"))
    ]  # fmt: skip
    sweep = {"at": "2026-11-28T02:00:00.000+00:00", "argv": ["pv", "sweep"], "falsifiers": len(planned)}
    with Journal.begin(path, sweep, planned) as journal:
        for end in ends:
            journal.write({"event": "start", "falsifier": end.address, "at": "x"})
            journal.write({"event": "end", "at": "x", "end": end.to_json() | more})
        if finish:
            journal.write({"event": "finish", "at": "2026-11-28T03:05:00.000+00:00", "whole": True})


def test_a_sweep_that_went_well_says_so_and_one_that_did_not_end_says_how_far_it_came(tmp_path: Path) -> None:
    good = Discharge("small-v1#A", "r", "Pass")
    written(tmp_path / "1.jsonl", good)
    found = last_sweep(tmp_path)
    assert found is not None
    assert (found.took, found.failed, found.counts) == ("1 h 5 min", (), {"Pass": 1})
    written(tmp_path / "2.jsonl", good, dataclasses.replace(good, address="small-v1#B"), finish=False)
    found = last_sweep(tmp_path)
    assert found is not None
    assert found.journal == "2.jsonl"
    assert found.took == "not finished: 2 of 3 ended"
    assert found.left == ("small-v1#LAST",)


def test_a_journal_that_cannot_be_read_is_told(project: Project) -> None:
    folder = project.root / ".pv" / "sweeps"
    folder.mkdir(parents=True)
    (folder / "1.jsonl").write_text("no journal\nat all\n", encoding="utf-8")
    found = last_sweep(folder)
    assert found is not None
    assert "is no journal" in found.fault
    assert "Its journal 1.jsonl cannot be read" in Page(make_site(project) / "index.html").shown
