from __future__ import annotations

import json
import os
import stat
import sys
import threading
from pathlib import Path

import pytest

from pv.errors import ConfigError, SelectionError
from pv.exits import Exit
from pv.reports.destinations import FORMATS, Destination, destinations, reporting, write_atomically
from pv.reports.gathering import Gathered

Captured = pytest.CaptureFixture[str]


def fill(gathered: Gathered | None, ended: Exit = Exit.ACCEPTED) -> None:
    assert gathered is not None
    gathered.ended = ended


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["xml"], "there is no format 'xml'"),
        (["json:nowhere/a.json"], "there is no folder"),
        (["json:."], "it is a folder"),
        (["json", "junit"], "both want standard output"),
        (["json:a", "junit:./a"], "two reports want"),
    ],
)
def test_what_cannot_be_written_is_refused_before_anything_runs(
    words: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=told), reporting(words, "status"):
        pytest.fail("it ran")
    assert not list(tmp_path.iterdir())


def test_json_of_the_command_and_a_report_cannot_both_be_on_stdout() -> None:
    with pytest.raises(ConfigError, match="standard output"):
        destinations(["github"], json_on_stdout=True)
    assert destinations(["json:a:b"], json_on_stdout=True) == [Destination("json", Path("a:b").resolve())]


def test_without_a_report_nothing_is_gathered() -> None:
    with reporting([], "status") as gathered:
        assert gathered is None


def test_every_format_is_written_at_once(tmp_path: Path) -> None:
    with reporting([f"{name}:{tmp_path / name}" for name in FORMATS], "status") as gathered:
        fill(gathered)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FORMATS)
    assert all(path.stat().st_size for path in tmp_path.iterdir() if path.name != "github")
    assert stat.S_IMODE((tmp_path / "json").stat().st_mode) == 0o644


def test_a_report_has_stdout_for_itself(capsys: Captured) -> None:
    with reporting(["json"], "status") as gathered:
        print("for people")
        fill(gathered)
    out, err = capsys.readouterr()
    assert json.loads(out)["ended"] == "accepted"
    assert err == "for people\n"


def test_a_command_that_breaks_has_a_report_that_says_so(tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    file.write_text("of yesterday", encoding="utf-8")
    with pytest.raises(SelectionError), reporting([f"json:{file}"], "discharge"):
        raise SelectionError("nothing was selected", remedy="name something")
    report = json.loads(file.read_bytes())
    assert (report["exit"], report["ended"]) == (2, "usage")
    assert report["error"] == "error: nothing was selected\n    name something"


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [(KeyboardInterrupt(), 130, "interrupted"), (ValueError("odd"), 4, "ValueError: odd")],
)
def test_an_interrupt_and_a_defect_are_told_as_well(
    error: BaseException, code: int, told: str, tmp_path: Path
) -> None:
    file = tmp_path / "r.json"
    with pytest.raises(type(error)), reporting([f"json:{file}"], "discharge"):
        raise error
    report = json.loads(file.read_bytes())
    assert (report["exit"], report["error"]) == (code, told)


def test_a_command_that_says_no_end_is_no_success(tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    with reporting([f"json:{file}"], "discharge"):
        pass
    assert json.loads(file.read_bytes())["exit"] == 4


def test_the_error_of_the_command_is_raised_although_the_report_cannot_be_written(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()

    def broken() -> None:
        folder.rmdir()
        raise SelectionError("nothing")

    with pytest.raises(SelectionError), reporting([f"json:{folder}/r.json"], "discharge"):
        broken()


def test_one_report_that_cannot_be_written_does_not_keep_the_others_back(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    words = [f"json:{folder}/r.json", f"junit:{tmp_path}/r.xml"]
    with pytest.raises(FileNotFoundError), reporting(words, "discharge"):
        folder.rmdir()
    assert (tmp_path / "r.xml").exists()


def test_a_file_is_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    file = tmp_path / "r"
    texts = ["a" * 200_000, "b" * 300_000]
    write_atomically(file, texts[0])
    read: set[str] = set()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            read.add(file.read_text(encoding="utf-8"))

    reader = threading.Thread(target=look)
    reader.start()
    for turn in range(20):
        write_atomically(file, texts[turn % 2])
    done.set()
    reader.join()
    assert read <= set(texts)
    assert list(tmp_path.iterdir()) == [file]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "r"
    file.write_text("old", encoding="utf-8")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(file, "new")
    assert file.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_link_stays_a_link_and_a_pipe_a_pipe(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old", encoding="utf-8")
    (tmp_path / "link").symlink_to("real")
    (one,) = destinations([f"json:{tmp_path / 'link'}"], json_on_stdout=False)
    assert one.file is not None
    write_atomically(one.file, "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text(encoding="utf-8") == "new"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_text(encoding="utf-8")))
    reader.start()
    write_atomically(pipe, "through")
    reader.join()
    assert got == ["through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_asking_for_reports_imports_no_format_before_it_is_written() -> None:
    import subprocess

    program = (
        "import sys; from pv.reports.destinations import destinations;"
        "destinations(['junit:x'], json_on_stdout=True);"
        "print([n for n in sys.modules if n.startswith(('pv.reports.f', 'pv.reports.g', 'xml'))])"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
