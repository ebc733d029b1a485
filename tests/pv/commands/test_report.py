from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"


def test_what_is_named_has_a_page_and_nothing_else(project: Project) -> None:
    clause = {"rule": "r", "prediction": "p", "if_fails": "f"}
    project.contract({"id": "FALSIFY-A-001", **clause}, {"id": "FALSIFY-A-002", **clause}, stem="other-v1")
    ended = project.pv("report", "--html", "out", f"small-v1#{ID}", "other-v1#FALSIFY-A-002")
    assert (ended.code, ended.out, ended.err) == (0, "", "7 pages in out; begin with index.html\n")
    index = (project.root / "out/index.html").read_text(encoding="utf-8")
    assert ID in index
    assert "FALSIFY-A-002" in index
    assert "FALSIFY-A-001" not in index


def test_a_selection_of_nothing_writes_nothing(project: Project) -> None:
    ended = project.pv("report", "--html", "out", "FALSIFY-NONE-001")
    assert ended.code == 2
    assert not (project.root / "out").exists()


def test_a_folder_is_asked_for(project: Project) -> None:
    ended = project.pv("report")
    assert ended.code == 2
    assert "--html" in ended.err
