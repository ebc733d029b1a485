from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pv.canonical import digest_of
from pv.digests import SMALL_BYTES, DigestCache, digest_path, stamps_of

BIG = b"x" * SMALL_BYTES
HOUR = 3600 * 10**9


def later() -> int:
    """The time in an hour: whatever was written by now has settled."""
    return time.time_ns() + HOUR


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_file_is_digested_as_sha256sum_does(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(BIG * 3)
    assert digest_path(tmp_path / "a") == (sha256(BIG * 3), [tmp_path / "a"])


def test_a_folder_is_digested_by_the_lines_of_sha256sum(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name in ("z", "b/c", "a"):
        (tmp_path / name).write_bytes(name.encode() + BIG)
    command = ["sha256sum", "a", "b/c", "z"]
    lines = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True).stdout
    assert digest_path(tmp_path)[0] == sha256(lines)
    only = subprocess.run(["sha256sum", "a", "z"], cwd=tmp_path, capture_output=True, check=True).stdout
    assert digest_path(tmp_path, ("z", "a"))[0] == sha256(only)


def test_what_has_no_bytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name, why in (("empty", "an empty folder"), ("pipe", "neither a file nor a folder")):
        with pytest.raises(OSError, match=why):
            digest_path(tmp_path / name)
    with pytest.raises(OSError, match="pipe is no regular file"):
        digest_path(tmp_path, ("pipe",))


@pytest.fixture
def remembered(tmp_path: Path) -> tuple[Path, Path]:
    """A big file, and a cache that falsely says that its digest is all zeros: so belief can be seen."""
    (tmp_path / "big").write_bytes(BIG)
    path = tmp_path / ".pv" / "digests.json"
    cache = DigestCache(path, later)
    assert digest_path(tmp_path / "big", cache=cache)[0] == sha256(BIG)
    cache.save()
    document = json.loads(path.read_bytes())
    for entry in document["files"].values():
        entry[-1] = "0" * 64
    document["sha256"] = digest_of(document["files"])
    path.write_text(json.dumps(document), encoding="utf-8")
    return tmp_path / "big", path


def second_look(big: Path, path: Path) -> str:
    return digest_path(big, cache=DigestCache(path, later))[0]


def test_the_second_look_reads_nothing(remembered: tuple[Path, Path]) -> None:
    assert second_look(*remembered) == "0" * 64


def rewrite(big: Path) -> None:
    status = big.stat()
    big.write_bytes(BIG[:-1] + b"y")
    os.utime(big, ns=(status.st_atime_ns, status.st_mtime_ns))


def replace(big: Path) -> None:
    status = big.stat()
    other = big.with_name("other")
    other.write_bytes(BIG[:-1] + b"y")
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(big)


def turn_link(big: Path) -> None:
    big.rename(big.with_name("first"))
    big.with_name("second").write_bytes(BIG[:-1] + b"y")
    big.symlink_to("second")


@pytest.mark.parametrize("touch", [rewrite, replace, turn_link])
def test_what_was_touched_is_read_even_with_its_old_times(
    remembered: tuple[Path, Path], touch: Callable[[Path], None]
) -> None:
    touch(remembered[0])
    assert second_look(*remembered) == sha256(BIG[:-1] + b"y")


NO_FILES = json.dumps({"version": 1, "files": [], "sha256": digest_of([])})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (r".*", ""),
        (r"(.{50}).*", r"\1"),
        (r".*", "[" * 100_000),
        (r".*", "null"),
        (r".*", NO_FILES),
        ("0" * 64, "1" * 64),
        (r'"version": 1', '"version": 2'),
    ],
)
def test_a_damaged_cache_is_as_good_as_none(remembered: tuple[Path, Path], old: str, new: str) -> None:
    big, path = remembered
    text = path.read_text(encoding="utf-8")
    damaged = re.sub(old, new, text, count=1)
    assert damaged != text
    path.write_text(damaged, encoding="utf-8")
    assert second_look(big, path) == sha256(BIG)


@pytest.mark.parametrize("entry", [None, [], "x", 1, {}, [None], [1, 2, 3, 4, 5]])
def test_an_entry_of_another_shape_is_not_believed(remembered: tuple[Path, Path], entry: Any) -> None:
    big, path = remembered
    files = {str(big.resolve()): entry}
    path.write_text(json.dumps({"version": 1, "files": files, "sha256": digest_of(files)}), encoding="utf-8")
    assert second_look(big, path) == sha256(BIG)


@pytest.mark.parametrize(
    ("size", "now", "kept"),
    [
        (SMALL_BYTES, later, True),
        (SMALL_BYTES - 1, later, False),
        (SMALL_BYTES, time.time_ns, False),
        (SMALL_BYTES, lambda: time.time_ns() + 59 * 10**9, False),
        (SMALL_BYTES, lambda: time.time_ns() - HOUR, False),
    ],
)
def test_only_big_files_that_have_settled_are_remembered(
    tmp_path: Path, size: int, now: Callable[[], int], kept: bool
) -> None:
    (tmp_path / "file").write_bytes(b"x" * size)
    os.utime(tmp_path / "file", ns=(0, 0))
    cache = DigestCache(tmp_path / "cache.json", now)
    digest_path(tmp_path / "file", cache=cache)
    cache.save()
    assert (tmp_path / "cache.json").exists() == kept


def test_a_file_that_changes_while_it_is_read_is_not_remembered(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(BIG)
    before = file.stat()
    file.write_bytes(BIG + b"y")
    cache = DigestCache(tmp_path / "cache.json", later)
    cache.put(file, before, sha256(BIG))
    assert cache.get(file) is None


def test_writers_at_once_leave_a_whole_file(tmp_path: Path) -> None:
    files = [tmp_path / f"file-{number}" for number in range(8)]
    for number, file in enumerate(files):
        file.write_bytes(BIG + bytes([number]))

    def work(file: Path) -> None:
        cache = DigestCache(tmp_path / "cache.json", later)
        digest_path(file, cache=cache)
        cache.save()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, files))
    assert [path.name for path in tmp_path.glob(".cache.json.*")] == []
    known = DigestCache(tmp_path / "cache.json", later)
    found = [known.get(file) for file in files]
    assert any(found)
    assert all(digest in {None, sha256(BIG + bytes([n]))} for n, digest in enumerate(found))
    # What one lost, the next computes and adds.
    for file in files:
        work(file)
    known = DigestCache(tmp_path / "cache.json", later)
    assert [known.get(file) for file in files] == [sha256(BIG + bytes([n])) for n in range(8)]


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(BIG)
    (tmp_path / "in-the-way").write_bytes(b"")
    cache = DigestCache(tmp_path / "in-the-way" / "cache.json", later)
    assert digest_path(tmp_path / "file", cache=cache)[0] == sha256(BIG)
    cache.save()


def test_a_name_that_is_no_text_is_not_remembered(tmp_path: Path) -> None:
    file = tmp_path / os.fsdecode(b"\xff")
    file.write_bytes(BIG)
    cache = DigestCache(tmp_path / "cache.json", later)
    assert digest_path(file, cache=cache)[0] == sha256(BIG)
    cache.save()
    assert not (tmp_path / "cache.json").exists()


def test_a_stamp_tells_of_what_is_gone(tmp_path: Path) -> None:
    assert stamps_of([tmp_path / "gone"]) == ((str(tmp_path / "gone"), -1),)
