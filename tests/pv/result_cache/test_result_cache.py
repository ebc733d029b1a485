"""The parts of the cache, each alone: what is looked at, how it is kept, and what is refused."""

from __future__ import annotations

import ast
import ctypes
import importlib.util
import os
import socket
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv.digests import DigestCache
from pv.result_cache import place, store
from pv.result_cache.entry import Entry, pack, read_entry, unpack
from pv.result_cache.key import key_of
from pv.result_cache.no_cache import believes_nothing
from pv.result_cache.probes import BIG_BYTES, CONTENT, ENTRIES, LINK, PROBES, STATE
from pv.result_cache.recorder import Recorder, may_be_remembered
from pv.result_cache.streams import Heard, joined
from tests.pv.result_cache.conftest import ROOT

PROBE_KINDS = st.sampled_from([*PROBES])
PIECES = st.binary(max_size=20).map(lambda data: data.replace(b"\0", b""))
ENTRIES_OF_ALL_KINDS = st.builds(
    Entry,
    st.sampled_from([0, 1]),
    st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.text(st.characters(exclude_categories=())))),
    st.lists(st.tuples(st.tuples(PROBE_KINDS, PIECES), PIECES)),
)


def watched(run: Callable[[], object]) -> Recorder:
    """Run something watched, as in `pv.result_cache.remembered`."""
    recorder = Recorder()
    recorder.begin()
    try:
        run()
    finally:
        recorder.end()
    return recorder


@given(ENTRIES_OF_ALL_KINDS)
def test_an_entry_comes_back_as_it_was(entry: Entry) -> None:
    assert unpack(pack(entry)) == entry


def test_no_damaged_entry_is_believed(tmp_path: Path) -> None:
    data = pack(Entry(0, [("stdout", "valid\n")], [((STATE, b"/"), b"errno 2")]))
    assert unpack(data) is not None
    for index in range(len(data)):
        assert unpack(data[:index]) is None
        assert unpack(data[:index] + bytes([data[index] ^ 1]) + data[index + 1 :]) is None
    assert unpack(data + b"\n") is None
    path = tmp_path / "entry"
    path.write_bytes(pack(Entry(0, [("stdout", "valid\n")], ()), "entry"))
    path.chmod(0o600)
    tmp_path.chmod(0o700)
    assert read_entry(str(path)) is not None
    for mode in (0o640, 0o604, 0o620, 0o602):
        path.chmod(mode)
        assert read_entry(str(path)) is None, "others may have written it, or read what was printed"
    path.chmod(0o600)
    (tmp_path / "link").symlink_to(path)
    os.mkfifo(tmp_path / "pipe", 0o600)
    for other in ("link", "pipe", ".", "nothing"):
        assert read_entry(str(tmp_path / other)) is None
    for mode in (0o770, 0o707, 0o755):
        tmp_path.chmod(mode)
        assert read_entry(str(path)) is None, "others may have put it there"
    tmp_path.chmod(0o700)
    path.rename(tmp_path / "other")
    assert read_entry(str(tmp_path / "other")) is None, "it was remembered of another run"


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


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({"XDG_CACHE_HOME": "{top}/caches"}, True),
        ({"HOME": "{top}/home"}, True),
        ({"XDG_CACHE_HOME": "caches", "HOME": "{top}/home"}, True),
        ({"XDG_CACHE_HOME": "caches"}, False),
        ({}, False),
        ({"XDG_CACHE_HOME": "{top}/here/caches"}, False),
        ({"XDG_CACHE_HOME": "{top}/repository/caches"}, False),
        ({"XDG_CACHE_HOME": "{top}/link"}, False),
        ({"XDG_CACHE_HOME": "{top}/caches", "CI": "1"}, False),
        ({"XDG_CACHE_HOME": "{top}/caches", "PV_NO_CACHE": "1"}, False),
    ],
    ids=str,
)
def test_where_it_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], found: bool
) -> None:
    for name in ("CI", "PV_NO_CACHE", "HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "here").mkdir()
    (tmp_path / "repository" / ".git").mkdir(parents=True)
    (tmp_path / "link").symlink_to("repository")
    monkeypatch.chdir(tmp_path / "here")
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(top=tmp_path))
    assert (place.find_place() is not None) == found


def test_what_is_kept_is_the_owners_alone_and_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "caches" / "pv" / "results"
    monkeypatch.setattr(store, "MOST_ENTRIES", 3)
    keys = [f"{number:064x}" for number in range(9)]
    for index in range(5):
        assert store.keep(str(folder), keys[index], Entry(0, (), ()))
        os.utime(folder / keys[index], (index, index))
    (folder / "letter.txt").write_text("not ours", encoding="utf-8")
    os.utime(folder / "letter.txt", (0, 0))
    store.used(str(folder), keys[2])
    assert store.keep(str(folder), keys[5], Entry(0, (), ()))
    assert {path.name for path in folder.iterdir()} == {"letter.txt", keys[2], keys[4], keys[5]}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / keys[5]).stat().st_mode) == 0o600
    monkeypatch.setattr(store, "MOST_BYTES_TOGETHER", 100)
    assert store.keep(str(folder), keys[6], Entry(0, (), ()))
    assert len([*folder.iterdir()]) <= 2
    monkeypatch.setattr(store, "MOST_BYTES", 100)
    assert not store.keep(str(folder), keys[7], Entry(0, [("stdout", "x" * 100)], ()))
    folder.chmod(0o770)
    assert not store.keep(str(folder), keys[8], Entry(0, (), ()))


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert not store.keep(str(tmp_path / "file" / "results"), "key", Entry(0, (), ()))
    store.used(str(tmp_path / "nothing"), "key")


WRITER = """
import sys
from pv.result_cache.entry import Entry
from pv.result_cache.store import keep
for count in range(200):
    assert keep(sys.argv[1], "key", Entry(0, [("stdout", sys.argv[2] * 5000)], ()))
"""


def test_writers_at_once_leave_one_or_the_other(tmp_path: Path) -> None:
    folder = str(tmp_path / "results")
    variables = os.environ | {"PYTHONPATH": str(ROOT)}
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, folder, letter], env=variables) for letter in "ab"
    ]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        if (tmp_path / "results" / "key").exists():
            entry = read_entry(f"{folder}/key")
            assert entry is not None
            seen.add(entry.printed[0][1])
    assert [writer.wait() for writer in writers] == [0, 0]
    assert seen <= {"a" * 5000, "b" * 5000} != set()
    assert [path.name for path in Path(folder).iterdir()] == ["key"]


def test_what_is_printed_is_heard_and_let_through(capsys: pytest.CaptureFixture[str]) -> None:
    said: list[tuple[str, str]] = []
    refused: list[str] = []
    out = Heard("stdout", sys.stdout, said, refused.append)
    err = Heard("stderr", sys.stderr, said, refused.append)
    for stream, text in ((out, "a"), (err, "b"), (err, "c"), (out, "d")):
        print(text, file=stream, flush=True)
    out.writelines(["e", "f"])
    assert capsys.readouterr() == ("a\nd\nef", "b\nc\n")
    assert joined(said) == [("stdout", "a\n"), ("stderr", "b\nc\n"), ("stdout", "d\nef")]
    assert (out.encoding, refused) == (sys.stdout.encoding, [])
    assert out.buffer is sys.stdout.buffer
    assert refused == ["stdout.buffer"]


def test_the_key_is_of_words_and_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = key_of(["validate", "a b"])
    assert key_of(["validate", "a b"]) == here != key_of(["validate", "a", "b"])
    monkeypatch.setattr(sys, "version", sys.version + "+")
    assert key_of(["validate", "a b"]) != here
    monkeypatch.undo()
    monkeypatch.setattr(sys, "path", [*sys.path, "nowhere"])
    assert key_of(["validate", "a b"]) != here
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert key_of(["validate", "a b"]) != here


CLOCK = frozenset({"now", "today", "utcnow", "time", "time_ns", "monotonic", "localtime", "gmtime"})
MODULES = """
import sys
from pv.cli import main
main(sys.argv[1:])
print(*(module.__file__ for name, module in sys.modules.items() if name.split(".")[0] == "pv"), sep="\\n")
"""


def readers_of_the_clock(path: Path) -> Iterator[int]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Attribute) and node.attr in CLOCK:
            owner = ast.unparse(node.value).rpartition(".")[2]
            if owner in {"time", "dt", "datetime", "date"}:
                yield node.lineno


@pytest.mark.parametrize(
    "words",
    [["validate", "findings", "tests/pv/rules/resources"], ["graph", "tests/pv/rules/resources"]],
    ids=" ".join,
)
def test_no_verdict_that_is_remembered_reads_the_clock(words: list[str]) -> None:
    """A day is nothing that a probe looks at: a waiver that runs out, say, must not be remembered."""
    done = subprocess.run(
        [sys.executable, "-c", MODULES, *words], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    files = {Path(line) for line in done.stdout.splitlines() if line.startswith(str(ROOT / "pv"))}
    assert ROOT / "pv/contract.py" in files, done.stderr
    reading = {path.relative_to(ROOT).as_posix() for path in files if [*readers_of_the_clock(path)]}
    # Digests of big files are remembered by it; the others are of the cache itself, one of them the probe by
    # which a policy of signatures, which is not loaded here, says on which moments an answer depends.
    own = {f"pv/result_cache/{name}.py" for name in ("probes", "recorder", "remembered")}
    assert reading <= {"pv/digests.py", *own}
    assert [*readers_of_the_clock(ROOT / "pv/waivers.py")]


def test_with_no_cache_a_remembered_digest_is_not_believed(tmp_path: Path) -> None:
    import argparse

    from pv.result_cache.no_cache import add_cache_argument, minding_cache

    path = tmp_path / "big"
    path.write_bytes(bytes(BIG_BYTES))
    cache = DigestCache(tmp_path / "digests.json", lambda: time.time_ns() + 10**12)
    cache.put(path, path.stat(), "0" * 64)
    parser = argparse.ArgumentParser()
    add_cache_argument(parser)
    with minding_cache(parser.parse_args([])):
        assert cache.get(path) == "0" * 64
    with minding_cache(parser.parse_args(["--no-cache"])):
        assert believes_nothing()
        assert cache.get(path) is None
    assert cache.get(path) == "0" * 64
