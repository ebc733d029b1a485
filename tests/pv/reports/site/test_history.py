from __future__ import annotations

import dataclasses
import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from pv.ledger.place import DEFAULT
from pv.reports.site.history import Judged, points_of, records_on_file, since
from pv.status import derive
from pv.tally import Row
from tests.pv.reports.site.conftest import Page, make_site

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"


def row_of(project: Project) -> Row:
    contract = project.load()
    (falsifier,) = contract.falsifiers
    return Row(contract, falsifier, derive(contract, falsifier, project.config()))


def test_the_records_of_the_folder_are_the_history(copied: Project) -> None:
    row, config = row_of(copied), copied.config()
    points, changes, lacking = points_of(records_on_file(row, config), row, config)
    assert (changes, lacking) == ((), "")
    assert [(p.level, p.subject, p.device, p.outcome) for p in sorted(points, key=lambda p: p.level)] == [
        ("algorithm", "stand-in", "cpu", "Pass"),
        ("live", "shipped", "cpu", "Pass"),
    ]
    live = next(point for point in points if point.level == "live")
    stated = json.loads(copied.record().read_bytes())["predicate"]
    closest = stated["verdict"]["closest"]
    assert live.relative == closest["relative"]
    assert live.value is not None
    assert abs(0.25 - live.value) == closest["margin"]
    assert live.at == stated["run"]["started_at"]
    assert live.host.startswith(f"{stated['host']['class']}, ")


def test_a_record_that_the_status_does_not_rest_on_is_shown_if_it_verifies(copied: Project) -> None:
    assert copied.pv("discharge", ID, "--level", "functional").code == 0
    copied.edit("small_checks/wholeness.py", "return letters\n", "return 1 * letters\n")
    row, config = row_of(copied), copied.config()
    assert row.status.name == "STALE"
    assert len(row.status.records) == 1
    records = records_on_file(row, config)
    assert len(records) == 3
    other = next(r.path for r in records if r.path not in {one.path for one in row.status.records})
    text = other.read_text(encoding="utf-8")
    other.write_text(text.replace('"seconds": ', '"seconds": 1'), encoding="utf-8")
    assert other not in {record.path for record in records_on_file(row, config)}


def point(at: str, outcome: str = "Pass", **changes: str) -> Judged:
    made = Judged(at, outcome, 0.1, 0.5, "live", "shipped", "cpu", "linux-x86_64", "", 0.1, "")
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


def test_a_status_holds_since_the_unbroken_run_that_agrees_with_it(copied: Project) -> None:
    row = row_of(copied)
    day = json.loads(copied.record().read_bytes())["predicate"]["run"]["started_at"][:10]
    assert since(row, []) == day
    # Both of its records must say so: the algorithm level was judged on that day only.
    past = [point("2020-01-01T00:00:00+00:00"), point("2020-02-01T00:00:00+00:00")]
    assert since(row, past) == day
    live = dataclasses.replace(row.status, records=row.status.records[-1:])
    one = dataclasses.replace(row, status=live)
    assert since(one, past) == "2020-01-01"
    assert since(one, [*past, point("2020-01-15T00:00:00+00:00", "Fail")]) == "2020-02-01"
    assert since(one, [point("2020-01-01T00:00:00+00:00", device="cuda-sm90")]) == day
    assert since(dataclasses.replace(row, status=dataclasses.replace(live, records=())), past) == ""


def test_no_record_and_no_page_names_the_host(copied: Project, tmp_path: Path) -> None:
    import socket

    name = socket.gethostname()
    for path in make_site(copied).rglob("*"):
        if path.is_file() and len(name) > 3:
            text = path.read_text(encoding="utf-8")
            assert name not in text
            assert str(tmp_path) not in text


def test_what_git_and_the_ledger_have_is_part_of_the_history(copied: Project) -> None:
    def git(*words: str) -> None:
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *who, *words], cwd=copied.root, check=True, capture_output=True)

    git("init", "--quiet")
    for _ in range(2):
        git("add", ".")
        git("commit", "--quiet", "-m", "evidence")
        assert copied.pv("discharge", ID, "--force").code == 0
    row, config = row_of(copied), copied.config()
    points, _, lacking = points_of(records_on_file(row, config), row, config)
    assert lacking == ""
    assert len([point for point in points if point.level == "live"]) == 3
    assert [point.at for point in points] == sorted(point.at for point in points)
    folder = make_site(copied)
    page = Page(next((folder / "f").iterdir()))
    assert page.text.count('class="course"') == 2
    assert "6 judgement(s) in 2 line(s), 0 not as claimed" in page.shown
    (copied.root / ".pv").mkdir(exist_ok=True)
    (copied.root / DEFAULT).write_text("this is no ledger", encoding="utf-8")
    page = Page(next((make_site(copied) / "f").iterdir()))
    assert "Only the latest records are shown, since others could not be read" in page.shown
    assert "2 judgement(s) in 2 line(s)" in page.shown
