"""What a run that is watched looks at is noted, and seen to change; what cannot be watched is refused."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pv.result_cache.entry import Entry
from pv.result_cache.probes import BIG_BYTES, CONTENT, ENTRIES, LINK, PROBES, STATE
from pv.result_cache.recorder import Recorder, may_be_remembered


def watched(run: Callable[[], object]) -> Recorder:
    """Run something watched, as in `pv.result_cache.remembered`."""
    recorder = Recorder()
    recorder.begin()
    try:
        run()
    finally:
        recorder.end()
    return recorder


def _swap(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (CONTENT, lambda path: path.write_bytes(b"b")),
        (CONTENT, lambda path: path.chmod(0o755)),
        (CONTENT, lambda path: path.unlink()),
        (CONTENT, _swap),
        (STATE, lambda path: path.write_bytes(b"aa")),
        (STATE, lambda path: path.unlink()),
        (STATE, _swap),
        (LINK, lambda path: (path.rename(path.with_name("b")), path.symlink_to("b"))),
        (ENTRIES, lambda path: path.with_name("new").touch()),
        (ENTRIES, lambda path: path.unlink()),
        (ENTRIES, _swap),
    ],
)  # fmt: skip
def test_a_probe_sees_the_change(tmp_path: Path, kind: bytes, change: Callable[[Path], object]) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"a")
    name = os.fsencode(tmp_path if kind == ENTRIES else path)
    before = PROBES[kind](name)
    assert PROBES[kind](name) == before
    change(path)
    assert PROBES[kind](name) != before


def test_a_link_to_itself_hides_none_of_the_names_beside_it(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    before = PROBES[ENTRIES](os.fsencode(tmp_path))
    assert not before.startswith(b"errno")
    (tmp_path / "new.yaml").touch()
    assert PROBES[ENTRIES](os.fsencode(tmp_path)) != before


def test_a_link_is_known_by_where_it_leads_and_a_listed_one_by_what_is_there(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("one")
    name = os.fsencode(link)
    leads, listed = PROBES[LINK](name), PROBES[ENTRIES](os.fsencode(tmp_path))
    aside = tmp_path.with_name("aside")
    aside.mkdir()
    link.unlink()
    link.symlink_to(aside)
    assert PROBES[LINK](name) != leads
    assert PROBES[ENTRIES](os.fsencode(tmp_path)) != listed


def test_a_big_file_is_known_by_its_times(tmp_path: Path) -> None:
    path = tmp_path / "big"
    path.write_bytes(bytes(BIG_BYTES))
    before = [PROBES[kind](os.fsencode(path)) for kind in (CONTENT, STATE, LINK)]
    status = path.stat()
    time.sleep(0.02)
    path.write_bytes(b"1" + bytes(BIG_BYTES - 1))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    after = [PROBES[kind](os.fsencode(path)) for kind in (CONTENT, STATE, LINK)]
    assert all(one != other for one, other in zip(before, after, strict=True))


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file, a folder and a link, which is the working folder."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "in.txt").write_text("in", encoding="utf-8")
    (tmp_path / "a.txt").write_text("a", encoding="utf-8")
    (tmp_path / "copy.txt").write_text("a", encoding="utf-8")
    (tmp_path / "link").symlink_to("a.txt")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PV_TEST_VARIABLE", "a")
    return tmp_path


def _relink(path: Path) -> None:
    path.unlink()
    path.symlink_to("folder")


Call = Callable[[Path], object]


def _hard_link(root: Path) -> None:
    """Make one file of two that hold the same."""
    (root / "copy.txt").unlink()
    (root / "copy.txt").hardlink_to(root / "a.txt")


def _write(name: str) -> Call:
    return lambda root: (root / name).write_text("b", encoding="utf-8")


def _touch(name: str) -> Call:
    return lambda root: (root / name).touch()


def _set(name: str) -> Call:
    return lambda _root: os.environ.__setitem__(name, "b")


def _relink_it(root: Path) -> None:
    _relink(root / "link")


# Each way is spelled as somebody may: `os` as well as `pathlib`.
# ruff: noqa: PTH113, PTH116, PTH121, PTH123, PTH208
LOOKS: dict[str, tuple[Call, Call]] = {
    "open": (lambda _: open("a.txt").close(), _write("a.txt")),
    "os.open": (lambda _: os.close(os.open("a.txt", 0)), _write("a.txt")),
    "read_bytes": (lambda _: Path("a.txt").read_bytes(), _write("a.txt")),
    "through a link": (lambda _: Path("link").read_bytes(), _write("a.txt")),
    "exists": (lambda _: Path("a.txt").exists(), lambda root: (root / "a.txt").unlink()),
    "exists not": (lambda _: Path("b.txt").exists(), _touch("b.txt")),
    "in no folder": (lambda _: Path("x/y/b").exists(), lambda root: (root / "x/y/b").mkdir(parents=True)),
    "below a file": (lambda _: os.path.isfile("a.txt/b"), lambda root: _swap(root / "a.txt")),
    "open what is not there": (lambda _: _suppressed(open, "b.txt"), _touch("b.txt")),
    "is_symlink": (lambda _: Path("link").is_symlink(), lambda root: (root / "link").unlink()),
    "readlink": (lambda _: Path("link").readlink(), _relink_it),
    "resolve": (lambda _: Path("link").resolve(), _relink_it),
    "lstat": (lambda _: Path("link").lstat(), _relink_it),
    "stat without following": (lambda _: os.stat("link", follow_symlinks=False), _relink_it),
    "listdir": (lambda _: os.listdir(), _touch("new")),
    "scandir": (lambda _: [*os.scandir("folder")], _touch("folder/new")),
    "glob": (lambda _: [*Path().glob("*.txt")], _touch("b.txt")),
    "rglob": (lambda _: [*Path().rglob("*.txt")], _touch("folder/b.txt")),
    "walk": (lambda _: [*os.walk(".")], _touch("folder/b.txt")),
    "samefile": (lambda _: os.path.samefile("a.txt", "link"), _relink_it),
    "samefile of two": (lambda _: os.path.samefile("a.txt", "copy.txt"), _hard_link),
    "getenv": (lambda _: os.getenv("PV_TEST_VARIABLE"), _set("PV_TEST_VARIABLE")),
    "environ.get": (lambda _: os.environ.get("PV_TEST_NONE"), _set("PV_TEST_NONE")),
    "in environ": (lambda _: "PV_TEST_NONE" in os.environ, _set("PV_TEST_NONE")),
    "all of environ": (lambda _: {**os.environ}, _set("PV_TEST_NONE")),
    "copy of environ": (lambda _: os.environ.copy(), _set("PV_TEST_NONE")),
}


"""How something is looked at, and a change that whoever looked would see."""


def _suppressed(call: Callable[..., object], *arguments: object) -> None:
    try:
        call(*arguments)
    except OSError:
        return


@pytest.mark.parametrize("how", LOOKS)
def test_what_is_looked_at_is_noted(tree: Path, how: str) -> None:
    look, change = LOOKS[how]
    before = dict(os.environ)
    try:
        recorder = watched(lambda: look(tree))
        assert recorder.refused == ""
        entry = Entry(0, (), recorder.manifest())
        assert entry.holds()
        change(tree)
        assert not entry.holds()
    finally:
        os.environ.clear()
        os.environ.update(before)


def _fork() -> None:
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)


REFUSED: dict[str, Callable[[], object]] = {
    "a program": lambda: subprocess.run([sys.executable, "-c", "pass"], check=True),
    "a program without its event": lambda: _suppressed(__import__("_posixsubprocess").fork_exec, *[None] * 3),
    "a fork": _fork,
    "a shell": lambda: os.system("true"),  # noqa: S605
    "a socket": lambda: socket.socket().close(),
    "a name of the network": lambda: socket.getaddrinfo("127.0.0.1", 1),
    "a database": lambda: sqlite3.connect(":memory:").close(),
    "a library": lambda: ctypes.CDLL(None),
    "a file that is written": lambda: Path("new").write_text("new", encoding="utf-8"),
    "a folder that is made": lambda: Path("made").mkdir(),
    "a file taken away": lambda: Path("a.txt").unlink(),
    "another working folder": lambda: os.chdir("folder"),
    "a variable that is set": lambda: os.environ.__setitem__("PV_TEST_VARIABLE", "a"),
    "which of two files": lambda: Path("a.txt").samefile("copy.txt"),
    "access": lambda: os.access("a.txt", os.R_OK),
    "what the file system is": lambda: os.statvfs("."),
    "where a module would come from": lambda: importlib.util.find_spec("small"),
    "a folder by its descriptor": lambda: os.listdir(os.open(".", os.O_DIRECTORY)),
    "a path in a folder by its descriptor": lambda: os.stat("a.txt", dir_fd=os.open(".", os.O_DIRECTORY)),
    "a file in a folder by its descriptor": lambda: os.open("a.txt", 0, dir_fd=os.open(".", os.O_DIRECTORY)),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
@pytest.mark.usefixtures("tree")
def test_what_cannot_be_watched_is_not_remembered(what: str) -> None:
    def act() -> None:
        try:
            REFUSED[what]()
        except TypeError:
            assert what == "a program without its event"

    assert watched(act).refused != ""


def test_everything_is_as_it_was_afterwards(tree: Path) -> None:
    names = ("stat", "lstat", "readlink", "open", "access", "get_terminal_size")
    before = [getattr(os, name) for name in names], type(os.environ)
    watched(tree.exists)
    assert ([getattr(os, name) for name in names], type(os.environ)) == before


def test_a_big_file_that_changed_a_moment_ago_is_not_remembered(tree: Path) -> None:
    (tree / "big").write_bytes(bytes(BIG_BYTES))
    recorder = watched((tree / "big").exists)
    recorder.manifest()
    assert "changed a moment ago" in recorder.refused


def test_only_a_run_that_says_so_may_be_remembered() -> None:
    may_be_remembered()  # of nothing that is watched
    assert not watched(lambda: None).permitted
    assert watched(may_be_remembered).permitted
