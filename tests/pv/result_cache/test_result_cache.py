"""The parts of the cache, each alone: how an entry is kept and where, and what is not believed."""

from __future__ import annotations

import ast
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv.digests import DigestCache
from pv.result_cache import place, store
from pv.result_cache.entry import Entry, pack, read_entry, unpack
from pv.result_cache.key import key_of
from pv.result_cache.no_cache import believes_nothing
from pv.result_cache.probes import BIG_BYTES, PROBES, STATE
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
