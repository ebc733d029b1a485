"""Subjects from a real HTTP endpoint, through ``huggingface_hub`` itself."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pv.errors import ConfigError, SubjectError
from pv.fetch import Fetched, FetchError, fetch
from pv.hub import hub_path
from pv.subjects import Artefact, Missing, Subjects
from tests.pv.conftest import CLAUSE
from tests.pv.local_hub import COMMIT, LocalHub, local_hub

if TYPE_CHECKING:
    from tests.pv.conftest import Project

TOKEN = "hf_secretsecretsecret"  # noqa: S105  it is none
BIG = b"".join(f"{number}.0\n".encode() for number in range(200_000))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[LocalHub]:
    for name in [*os.environ]:
        if name.startswith(("HF_", "HUGGING")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    with local_hub() as served:
        served.files = {
            "numbers.txt": b"1.0\n2.0\n3.0\n",
            "big.bin": BIG,
            "deep/a.txt": b"a",
            "deep/b.txt": b"b",
        }
        served.large = {"big.bin"}
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
        monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield served


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Bench:
    """A project with one subject on the hub."""

    def __init__(self, project: Project, cache: Path) -> None:
        self.project = project
        self.cache = cache
        self.said: list[str] = []

    def subject(
        self, file: str, pin: str | None, *, revision: str = COMMIT, files: Any = (), more: str = ""
    ) -> None:
        self.project.pin()
        lines = ["[subjects.hub]", f'path = "hf://owner/repo@{revision}/{file}"']
        lines += [f'sha256 = "{pin}"'] if pin else []
        lines += [f"files = {list(files)}".replace("'", '"')] if files else []
        toml = self.project.root / "pv.toml"
        text = "\n".join(["", *lines, 'loader = "small_checks.loading:open_numbers"', more, ""])
        toml.write_text(toml.read_text() + text)

    def fetch(self) -> Fetched:
        config = self.project.config()
        return fetch(config.subjects["hub"], config, self.said.append)

    def resolve(self) -> Any:
        return Subjects(self.project.config()).resolve("hub")

    def left(self) -> list[str]:
        """Return the files and links of the cache, locks and marks apart."""
        found = (path for path in self.cache.rglob("*") if path.is_symlink() or path.is_file())
        names = (path.relative_to(self.cache).as_posix() for path in found)
        return sorted(n for n in names if "/" in n and not n.startswith(".locks") and "/refs/" not in n)


@pytest.fixture
def bench(project: Project, tmp_path: Path, hub: LocalHub) -> Bench:
    del hub
    return Bench(project, tmp_path / "cache")


def test_a_pinned_file_comes_once_and_is_then_there(bench: Bench, hub: LocalHub) -> None:
    bench.subject("numbers.txt", sha256(hub.files["numbers.txt"]))
    missing = bench.resolve()
    assert isinstance(missing, Missing)
    assert missing.remedy == "pv fetch hub"
    assert hub.asked == []
    assert bench.fetch() == Fetched("hub", 1, 12, sha256(b"1.0\n2.0\n3.0\n"), pinned=True)
    found = bench.resolve()
    assert isinstance(found, Artefact)
    assert found.path.read_bytes() == hub.files["numbers.txt"]
    count = len(hub.asked)
    assert bench.fetch().files == 0
    assert len(hub.asked) == count, "what is there is not asked for again"
    assert f"Bearer {TOKEN}" in hub.authorization
    assert not any(TOKEN in line for line in bench.said)


def test_judging_asks_for_nothing_and_says_what_to_type(
    project: Project, bench: Bench, hub: LocalHub
) -> None:
    bench.subject("numbers.txt", sha256(hub.files["numbers.txt"]))
    project.contract({**CLAUSE, "subjects": {"live": {"numbers": "hub"}}})
    ended = project.pv("discharge", "FALSIFY-SMALL-001")
    assert ended.code == 3
    assert "pv fetch hub && pv discharge FALSIFY-SMALL-001 --level live" in ended.out
    assert hub.asked == []
    assert project.pv("fetch", "hub").code == 0
    count = len(hub.asked)
    ended = project.pv("discharge", "FALSIFY-SMALL-001")
    assert ended.code == 0, ended.said
    assert len(hub.asked) == count
    assert project.status()[0] == "DISCHARGED"
    written = b"".join(project.evidence().values()).decode()
    for secret in (TOKEN, hub.url, str(bench.cache)):
        assert secret not in written


def test_a_connection_that_is_cut_is_taken_up_where_it_broke(bench: Bench, hub: LocalHub) -> None:
    data = BIG * 9
    hub.files["big.bin"] = data
    hub.cuts = [11 << 20]
    bench.subject("big.bin", sha256(data))
    assert bench.fetch().bytes == len(data)
    # huggingface_hub writes parts of ten million bytes.
    assert hub.downloads == [("big.bin", ""), ("big.bin", f"bytes={10 << 20}-")]


def test_wrong_bytes_are_refused_with_both_digests_and_do_not_stay(bench: Bench, hub: LocalHub) -> None:
    pin = "0" * 64
    bench.subject("numbers.txt", pin)
    with pytest.raises(SubjectError) as caught:
        bench.fetch()
    assert pin in str(caught.value)
    assert sha256(hub.files["numbers.txt"]) in str(caught.value)
    assert bench.left() == []
    assert isinstance(bench.resolve(), Missing)
    # A large file is refused by what the hub says of it, before it comes.
    bench.subject("big.bin", pin)
    hub.asked.clear()
    with pytest.raises(SubjectError, match="it was not fetched"):
        bench.fetch()
    assert hub.downloads == []


@pytest.mark.parametrize("file", ["numbers.txt", "big.bin"])
def test_what_comes_damaged_is_not_what_the_hub_says(bench: Bench, hub: LocalHub, file: str) -> None:
    data = hub.files[file]
    bench.subject(file, None)
    hub.served[file] = data[:-2] + b"9\n"
    with pytest.raises(FetchError, match="came damaged"):
        bench.fetch()
    assert bench.left() == []
    hub.served.clear()
    assert bench.fetch() == Fetched("hub", 1, len(data), sha256(data), pinned=False)
    # And what was damaged since is fetched anew.
    path = bench.resolve().path
    path.resolve().write_bytes(data[:-2] + b"8\n")
    assert bench.fetch().sha256 == sha256(data)
    assert any("is damaged" in line for line in bench.said)


def test_a_pin_of_other_bytes_does_not_remove_what_was_there(bench: Bench, hub: LocalHub) -> None:
    bench.subject("numbers.txt", None)
    bench.fetch()
    before = bench.left()
    bench.subject("numbers.txt", "0" * 64)
    with pytest.raises(SubjectError, match="is not the one"):
        bench.fetch()
    assert bench.left() == before
    assert len(hub.downloads) == 1


@pytest.mark.parametrize(
    ("status", "code", "why"),
    [
        (404, "EntryNotFound", "has no file numbers.txt"),
        (404, "RevisionNotFound", "has no revision"),
        (404, "RepoNotFound", "has no owner/repo@"),
        (401, "", "does not let us read"),
        (401, "RepoNotFound", "does not let us read"),
        (403, "GatedRepo", "is gated"),
        (503, "", "answered 503"),
    ],
)
def test_what_the_hub_refuses_is_said_in_a_sentence(
    bench: Bench, hub: LocalHub, status: int, code: str, why: str
) -> None:
    bench.subject("numbers.txt", None)
    hub.answers["numbers.txt"] = (status, code)
    with pytest.raises(FetchError, match=why) as caught:
        bench.fetch()
    assert caught.value.remedy
    assert hub.url not in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert bench.left() == []


def test_no_network_and_a_network_that_is_not_wanted(
    bench: Bench, hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.subject("numbers.txt", sha256(hub.files["numbers.txt"]))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(FetchError, match="HF_HUB_OFFLINE is set"):
        bench.fetch()
    assert hub.asked == []
    monkeypatch.delenv("HF_HUB_OFFLINE")
    bench.fetch()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert bench.fetch().files == 0
    monkeypatch.delenv("HF_HUB_OFFLINE")
    shutil.rmtree(bench.cache)
    monkeypatch.setenv("HF_ENDPOINT", "http://user:password@127.0.0.1:9")
    with pytest.raises(FetchError, match="cannot be reached") as caught:
        bench.fetch()
    assert "password" not in str(caught.value)


def test_what_answers_and_is_no_hub_is_refused(
    bench: Bench, hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.subject("numbers.txt", None)
    hub.headers = {"X-Repo-Commit": "f" * 40}
    with pytest.raises(FetchError, match="answered with commit ffff"):
        bench.fetch()
    hub.headers = {"ETag": "../../../outside"}
    with pytest.raises(FetchError, match="is no digest"):
        bench.fetch()
    hub.headers = {"X-Repo-Commit": ""}
    with pytest.raises(FetchError, match=r"is no hub|answered with commit"):
        bench.fetch()
    assert hub.downloads == []
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(FetchError, match="is not installed") as caught:
        bench.fetch()
    assert "pip install 'pv[hub]'" in caught.value.remedy


def test_a_revision_that_moves_needs_a_pin(bench: Bench, hub: LocalHub) -> None:
    bench.subject("numbers.txt", None, revision="main")
    with pytest.raises(ConfigError, match="can come to mean other bytes"):
        bench.fetch()
    assert hub.asked == []
    bench.subject("numbers.txt", sha256(hub.files["numbers.txt"]), revision="main")
    assert bench.fetch().files == 1
    assert isinstance(bench.resolve(), Artefact)
    hub.commit, hub.files["numbers.txt"] = "e" * 40, b"4.0\n"
    assert bench.fetch().files == 0, "what is pinned is there"
    bench.subject("numbers.txt", sha256(b"4.0\n"), revision="main")
    assert bench.fetch().files == 1
    assert bench.resolve().sha256 == sha256(b"4.0\n")


def test_of_a_folder_the_files_that_count_come(bench: Bench, hub: LocalHub) -> None:
    listing = f"{sha256(b'a')}  a.txt\n{sha256(b'b')}  b.txt\n".encode()
    bench.subject("deep/", sha256(listing), files=["a.txt", "b.txt"])
    hub.served["deep/b.txt"] = b"x"
    with pytest.raises(FetchError, match=r"deep/b\.txt of owner/repo came damaged"):
        bench.fetch()
    assert isinstance(bench.resolve(), Missing)
    hub.served.clear()
    assert bench.fetch() == Fetched("hub", 1, 1, sha256(listing), pinned=True), "a.txt is kept"
    bench.resolve().path.joinpath("b.txt").unlink()
    assert isinstance(bench.resolve(), Missing), "a part of it is not it"
    assert bench.fetch().files == 1
    bench.subject("", sha256(listing), files=["deep/a.txt", "numbers.txt"])
    with pytest.raises(SubjectError):
        bench.fetch()
    for file, files, why in [("deep/", (), "nothing says which"), ("deep/", ("../x",), "leaves")]:
        bench.subject(file, None, files=files)
        with pytest.raises(ConfigError, match=why):
            bench.fetch()


def test_a_disk_that_is_too_small_is_seen_before(
    bench: Bench, hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.subject("big.bin", sha256(BIG))
    usage = shutil.disk_usage(bench.project.root)
    small = usage._replace(free=len(BIG))
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: small)
    with pytest.raises(FetchError, match=r"needs 1\.\d MiB, and the cache's disk has 1\.\d MiB left"):
        bench.fetch()
    assert hub.downloads == []


def test_paths_of_the_hub_do_not_leave_it(bench: Bench) -> None:
    config = bench.project.config()
    spec = config.subjects["shipped"]
    for path in (
        "hf://a/b@../x",
        "hf://a/b@c",
        "hf://a@b/c",
        "hf://a/b@c/../x",
        "hf://a/b@c//x",
        "hf://a/b@c/x\n",
    ):
        with pytest.raises(ConfigError):
            hub_path(dataclasses.replace(spec, path=path))
    assert hub_path(dataclasses.replace(spec, path="hf://a/b@c/")).names == ("",)


def test_the_command_goes_on_and_ends_as_the_worst(project: Project, bench: Bench, hub: LocalHub) -> None:
    built = '\n[subjects.built]\npath = "x"\nbuilder = "a:b"\nderived_from = ["hub"]\n'
    other = f'\n[subjects.other]\npath = "hf://owner/repo@{COMMIT}/nothing.txt"\n'
    bench.subject("numbers.txt", None, more=built + other)
    ended = project.pv("fetch", "--all", "--format", "json")
    again = project.pv("fetch", "--all", "--json").json
    assert [entry["sha256"] for entry in again] == [entry["sha256"] for entry in ended.json]
    assert ended.code == 4
    assert [entry["name"] for entry in ended.json] == ["hub"]
    assert "has no file nothing.txt" in ended.err
    ended = project.pv("fetch", "built")
    assert ended.code == 0
    assert f'sha256 = "{sha256(hub.files["numbers.txt"])}"' in ended.out
    for arguments in (["shipped"], ["none"], [], ["hub", "--all"]):
        assert project.pv("fetch", *arguments).code == 2, arguments


@pytest.mark.parametrize(("ended_by", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_what_was_ended_in_the_middle_is_taken_up_there(
    project: Project, bench: Bench, hub: LocalHub, ended_by: signal.Signals, code: int
) -> None:
    data = BIG * 9
    hub.files["big.bin"] = data
    hub.stall_at = 11 << 20
    bench.subject("big.bin", sha256(data))
    process = project.start("fetch", "hub")
    while not any(path.stat().st_size for path in bench.cache.glob("*/blobs/*")) and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(ended_by)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "hub: fetching big.bin (14.5 MiB)" in err
    assert TOKEN not in err
    assert isinstance(bench.resolve(), Missing), "a part of it is not it"
    hub.stall_at = None
    hub.released.set()
    assert bench.fetch().sha256 == sha256(data)
    # SIGKILL may come within a write of ten million bytes.
    first, (_, second) = hub.downloads
    assert first == ("big.bin", "")
    assert 0 < int(second.removeprefix("bytes=").rstrip("-")) <= 10 << 20
    assert not any("partial" in name for name in bench.left())


@pytest.mark.parametrize("size", [5, len(BIG) + 5])
def test_a_part_of_other_bytes_is_fetched_from_its_beginning(bench: Bench, hub: LocalHub, size: int) -> None:
    bench.subject("big.bin", sha256(BIG))
    partial = bench.cache / "models--owner--repo" / "blobs" / f"{sha256(BIG)}.pv-partial"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(b"x" * size)
    assert bench.fetch().sha256 == sha256(BIG)
    assert hub.downloads[-1] == ("big.bin", "")
    assert not partial.exists()
