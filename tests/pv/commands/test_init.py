from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pv.exits import Exit

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-FIRST-001"


def empty(project: Project, folder: Path) -> None:
    folder.mkdir()
    project.root = folder


def test_an_empty_folder_becomes_a_project_that_can_be_discharged(project: Project, tmp_path: Path) -> None:
    empty(project, tmp_path / "empty")
    started = project.pv("init")
    assert started.code == Exit.ACCEPTED
    for command in ("pv validate contracts", f"pv discharge {ID}", "pv status"):
        assert command in started.out
    assert project.pv("validate", "contracts").out == (
        "\n0 error(s), 0 warning(s)\nContract is valid.\n\n1 artifact(s) under contracts, 0 failed\n"
    )
    ended = project.pv("discharge", ID)
    assert ended.code == Exit.ACCEPTED, ended.said
    assert ended.out.startswith(f"PASS  first-v1#{ID} at live level")
    assert "3 of 3 counter-examples" in ended.out
    assert project.pv("evidence", "verify").code == Exit.ACCEPTED
    assert project.status(ID)[0] == "DISCHARGED"


def test_nothing_that_exists_is_touched(project: Project, tmp_path: Path) -> None:
    empty(project, tmp_path / "begun")
    (project.root / "pv.toml").write_text("mine", encoding="utf-8")
    ended = project.pv("init")
    assert ended.code == Exit.USAGE
    assert "pv.toml exist(s) already; nothing was written" in ended.err
    assert [path.name for path in project.root.iterdir()] == ["pv.toml"]
    assert (project.root / "pv.toml").read_text(encoding="utf-8") == "mine"
    assert project.pv("init", "no-such-folder").code == Exit.USAGE
