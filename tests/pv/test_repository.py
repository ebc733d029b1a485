from __future__ import annotations

import os
from pathlib import Path

import pytest

from pv.errors import SelectionError
from pv.exits import Exit
from pv.repository import find_contracts


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.yaml", "a.yml", "deep/er/c.yaml", ".hidden/d.yaml", ".e.yaml", "notes.txt", "x.yaml.bak"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a: 1", encoding="utf-8")
    return tmp_path


def test_a_folder_is_searched_at_every_depth_in_order(folder: Path) -> None:
    names = [str(path.relative_to(folder)) for path in find_contracts([str(folder)])]
    assert names == ["a.yml", "b.yaml", "deep/er/c.yaml"]


def test_a_file_is_taken_as_it_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert find_contracts(["notes.txt", "./.e.yaml"]) == [Path("notes.txt"), Path(".e.yaml")]


def test_a_file_named_twice_is_taken_once(folder: Path) -> None:
    (folder / "link.yaml").symlink_to(folder / "b.yaml")
    b = str(folder / "b.yaml")
    assert [path.name for path in find_contracts([b, str(folder), b])] == ["b.yaml", "a.yml", "c.yaml"]


def test_a_folder_that_links_to_itself_ends(folder: Path) -> None:
    (folder / "deep" / "loop").symlink_to(folder)
    assert len(find_contracts([str(folder)])) == 3


@pytest.mark.parametrize("name", ["none.yaml", "empty", "fifo.yaml", "broken.yaml", "a\0b", "/dev/zero"])
def test_nothing_is_never_a_selection(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "fifo.yaml")
    (tmp_path / "broken.yaml").symlink_to("nowhere")
    with pytest.raises(SelectionError) as caught:
        find_contracts([os.path.join(tmp_path, name)])  # noqa: PTH118  (keeps /dev/zero)
    assert caught.value.exit is Exit.USAGE
    assert caught.value.remedy


def test_what_cannot_be_read_in_a_folder_is_not_passed_over(folder: Path) -> None:
    (folder / "broken.yaml").symlink_to("nowhere")
    with pytest.raises(SelectionError, match=r"broken\.yaml"):
        find_contracts([str(folder)])


def test_no_path_at_all() -> None:
    with pytest.raises(SelectionError, match="no path"):
        find_contracts([])
