from __future__ import annotations

import errno
import os
import threading
import types
from pathlib import Path

import pytest
from pv_runtime.formats import whole_folder as of_runtime

from pv import whole_folder


def filled(folder: Path, word: str) -> Path:
    folder.mkdir()
    (folder / "file").write_text(word, encoding="utf-8")
    return folder


# The runtime has one of its own, since it may not import the engine.
both = pytest.mark.parametrize("module", [whole_folder, of_runtime])


@both
def test_what_was_there_is_in_the_place_of_the_new(module: types.ModuleType, tmp_path: Path) -> None:
    fresh, target = filled(tmp_path / "fresh", "new"), filled(tmp_path / "target", "old")
    module.replace_folder(fresh, target)
    assert [(one / "file").read_text() for one in (fresh, target)] == ["old", "new"]
    module.replace_folder(fresh, tmp_path / "other")
    assert not fresh.exists()


@both
def test_a_reader_finds_a_folder_all_the_time(module: types.ModuleType, tmp_path: Path) -> None:
    fresh, target = filled(tmp_path / "fresh", "new"), filled(tmp_path / "target", "old")
    done = threading.Event()
    missed: list[str] = []

    def look() -> None:
        while not done.is_set():
            try:
                os.stat(target / "file")  # noqa: PTH116 -- the quickest
            except FileNotFoundError as error:
                missed.append(str(error))

    reader = threading.Thread(target=look)
    reader.start()
    for _ in range(50):
        module.replace_folder(fresh, target)
    done.set()
    reader.join()
    assert missed == []


@both
def test_a_file_system_that_cannot_exchange_takes_two_steps(
    module: types.ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh, target = filled(tmp_path / "fresh", "new"), filled(tmp_path / "target", "old")
    monkeypatch.setattr(module, "_exchanged", lambda *_: False)
    module.replace_folder(fresh, target)
    assert [(one / "file").read_text() for one in (fresh, target)] == ["old", "new"]
    assert {path.name for path in tmp_path.iterdir()} == {"fresh", "target"}


@both
def test_across_file_systems_nothing_is_touched(module: types.ModuleType, tmp_path: Path) -> None:
    target = filled(tmp_path / "target", "old")
    with pytest.raises(OSError, match=r".") as error:
        module.replace_folder(Path("/proc/self/task"), target)
    assert error.value.errno in {errno.EXDEV, errno.EINVAL, errno.EACCES, errno.EPERM, errno.EBUSY}
    assert (target / "file").read_text() == "old"


@both
def test_a_second_step_that_fails_undoes_the_first(module: types.ModuleType, tmp_path: Path) -> None:
    target = filled(tmp_path / "target", "old")
    with pytest.raises(FileNotFoundError):
        module._in_two_steps(tmp_path / "none", target)
    assert (target / "file").read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {"target"}
