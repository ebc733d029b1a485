from __future__ import annotations

from pathlib import Path

import pv_runtime.formats.whole_folder as module
import pytest
from pv_runtime.formats.whole_folder import replace_folder

Folders = tuple[Path, Path]


@pytest.fixture(params=["in one step", "in two steps"])
def folders(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folders:
    """What is fresh, and what is there; once as on a file system that cannot exchange two names."""
    for name in ("fresh", "target"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text(name)
    if request.param == "in two steps":
        monkeypatch.setattr(module, "_exchanged", lambda *_: False)
    return tmp_path / "fresh", tmp_path / "target"


def test_what_was_there_lies_where_the_fresh_one_lay(folders: Folders) -> None:
    fresh, target = folders
    replace_folder(fresh, target)
    assert (target / "x").read_text() == "fresh"
    assert (fresh / "x").read_text() == "target"
    assert sorted(path.name for path in target.parent.iterdir()) == ["fresh", "target"]


def test_where_nothing_was_the_fresh_one_is_moved(tmp_path: Path) -> None:
    (tmp_path / "fresh").mkdir()
    replace_folder(tmp_path / "fresh", tmp_path / "target")
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_one_that_fails_half_way_is_undone(folders: Folders) -> None:
    _, target = folders
    with pytest.raises(FileNotFoundError):
        module._in_two_steps(target.with_name("none"), target)
    assert (target / "x").read_text() == "target"
    assert not target.with_name("none.old").exists()
