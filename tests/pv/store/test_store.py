from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pv.errors import ConfigError, EvidenceError
from pv.evidence_import import take
from pv.evidence_transfer import Carried, carry
from pv.record_facts import Facts, Refused
from pv.store import Store, open_store
from pv.store.entry import entry_name, object_name, read_entry
from pv.store.objects import Objects, StoreError

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"
NAME = f"small-v1/{ID}/live-shipped-cpu.json"
Restamp = Callable[[bytes, Mapping[str, Any]], bytes]


@pytest.fixture(params=["file", "memory", "other"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A folder of files, one of objects, and one of a protocol of which is only known that it renames."""
    return {
        "file": f"file://{tmp_path}/store",
        "memory": f"memory://{uuid.uuid4().hex}/store",
        "other": f"dir::file://{tmp_path}/store",
    }[request.param]


def began(second: int) -> dict[str, Any]:
    return {"run.started_at": f"2030-01-01T00:00:{second:02}+00:00"}


def files(store: Path) -> dict[str, bytes]:
    return {p.relative_to(store).as_posix(): p.read_bytes() for p in store.rglob("*") if p.is_file()}


def test_what_was_pushed_is_offered_with_its_bytes(discharged: Project, url: str) -> None:
    store = Store(url)
    pushed = [carry(discharged.record(level)) for level in ("algorithm", "live")]
    assert [store.push(one) for one in pushed] == [True, True]
    assert [store.push(one) for one in pushed] == [False, False]
    offers, faults = Store(url).offers()
    assert faults == []
    assert sorted((one.fetch() for one in offers), key=lambda one: one.name) == pushed
    assert Store(url).offers([("small-v1", "FALSIFY-SMALL-002")]) == ([], [])
    assert len(Store(url).offers([("small-v1", ID)])[0]) == 2
    assert len([one for one in store.verified(store.entries()) if isinstance(one, Facts)]) == 2


def test_a_store_that_is_empty_offers_nothing(url: str) -> None:
    assert Store(url).offers() == ([], [])
    assert list(Store(url).entries([("small-v1", ID)])) == []


def test_every_version_is_kept_and_none_is_written_twice(
    discharged: Project, restamp: Restamp, tmp_path: Path
) -> None:
    store = Store(f"file://{tmp_path}/store")
    first = discharged.record().read_bytes()
    versions = [first, restamp(first, began(1)), restamp(first, began(2))]
    for data in versions:
        store.push(Carried(NAME, data, {}))
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*")}
    for data in versions:
        store.push(Carried(NAME, data, {}))
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*")} == before
    held = files(tmp_path / "store")
    assert len(held) == 6
    for name, data in held.items():
        if name.startswith("objects/"):
            assert name == object_name(hashlib.sha256(data).hexdigest())
        else:
            assert entry_name(read_entry(name, data).candidate) == name


def test_a_sidecar_goes_along(copied: Project, lengthen: Callable[..., Path], url: str) -> None:
    carried = carry(lengthen(copied))
    assert len(carried.sidecars) == 1
    store = Store(url)
    store.push(carried)
    ((offer,), _) = store.offers()
    assert offer.fetch() == carried


def test_what_does_not_verify_is_not_pushed(discharged: Project, url: str) -> None:
    carried = carry(discharged.record())
    broken = Carried(carried.name, carried.data.replace(b'"seed": 0', b'"seed": 1'), {})
    moved = Carried("small-v1/FALSIFY-SMALL-002/live-shipped-cpu.json", carried.data, {})
    for one, why in ((broken, "section run was altered"), (moved, "but it lies elsewhere")):
        with pytest.raises(EvidenceError, match=why):
            Store(url).push(one)
    assert Store(url).offers() == ([], [])


def corrupt(folder: Path, part: str, change: Callable[[bytes], bytes]) -> Path:
    (path,) = (path for path in folder.rglob("*") if path.is_file() and part in path.as_posix())
    path.chmod(0o644)
    path.write_bytes(change(path.read_bytes()))
    return path


@pytest.mark.parametrize(
    ("part", "change", "why"),
    [
        ("objects/", lambda data: data.replace(b'"seed": 0', b'"seed": 1'), "in the store was corrupted"),
        ("objects/", lambda data: data[:-100], "in the store was corrupted"),
        ("objects/", lambda _: b"", "in the store was corrupted"),
        ("records/", lambda _: b"", "in the store is no entry"),
        ("records/", lambda _: b"[" * 10_000, "in the store is no entry"),
        ("records/", lambda data: data.replace(b'"version": 1', b'"version": 2'), "it is of version 2"),
        ("records/", lambda data: data.replace(b"small-v1", b"other-v1"), "another one than its name says"),
        ("records/", lambda data: data.replace(b'"started_at": "2', b'"started_at": "3'), "another record"),
    ],
)
def test_what_was_corrupted_in_the_store_is_named_and_refused(
    copied: Project, tmp_path: Path, part: str, change: Callable[[bytes], bytes], why: str
) -> None:
    store = Store(f"file://{tmp_path}/store")
    store.push(carry(copied.record()))
    path = corrupt(tmp_path / "store", part, change)
    copied.record().unlink()
    before = copied.evidence()
    ended = copied.pv("evidence", "pull", store.shown, "--json")
    assert ended.code == 1, ended.said
    (refused,) = ended.json["refused"]
    assert why in refused["why"]
    assert refused["name"] in {NAME, path.relative_to(tmp_path / "store").as_posix()}
    assert copied.evidence() == before
    shown = copied.pv("evidence", "pull", store.shown)
    assert shown.code == 1
    assert f"REFUSED  {refused['name']}" in shown.out
    assert any(isinstance(one, Refused) for one in store.verified(store.entries())) == (
        "another record" not in why
    )


@pytest.mark.parametrize(
    "name",
    ["../../outside/x/live-shipped-cpu.json", "small-v1/FALSIFY-SMALL-002/x.json", "/etc/a/x.json", "x"],
)
def test_an_entry_that_leads_out_of_its_place_is_refused(copied: Project, tmp_path: Path, name: str) -> None:
    store = Store(f"file://{tmp_path}/store")
    store.push(carry(copied.record()))
    corrupt(tmp_path / "store", "records/", lambda data: data.replace(NAME.encode(), name.encode()))
    before = sorted(tmp_path.rglob("*"))
    ended = copied.pv("evidence", "pull", store.shown, "--foreign")
    assert ended.code == 1
    assert "its record would lie elsewhere" in ended.out
    assert sorted(tmp_path.rglob("*")) == before


def test_a_password_in_a_url_is_not_shown(discharged: Project) -> None:
    store = Store("memory://me:secret@host/evidence")
    assert store.shown == "memory://me:***@host/evidence"
    assert "secret" not in discharged.pv("evidence", "push", "memory://me:secret@host/evidence").said


def test_a_missing_object_is_named(copied: Project, tmp_path: Path) -> None:
    store = Store(f"file://{tmp_path}/store")
    carried = carry(copied.record())
    store.push(carried)
    (tmp_path / "store" / object_name(carried.digest)).unlink()
    copied.record().unlink()
    ended = copied.pv("evidence", "pull", store.shown)
    assert ended.code == 1
    assert f"the store has no object {carried.digest}" in ended.out


def test_a_push_says_where_the_store_holds_other_bytes(discharged: Project, tmp_path: Path) -> None:
    carried = carry(discharged.record())
    held = tmp_path / "store" / object_name(carried.digest)
    held.parent.mkdir(parents=True)
    held.write_bytes(b"something else")
    with pytest.raises(EvidenceError, match="in the store was corrupted"):
        Store(f"file://{tmp_path}/store").push(carried)
    assert held.read_bytes() == b"something else"


def test_an_object_is_written_once(tmp_path: Path, url: str) -> None:
    objects = Objects(url)
    assert objects.get("a/b") is None
    assert objects.put("a/b", b"1")
    assert not objects.put("a/b", b"2")
    assert objects.get("a/b") == b"1"
    assert objects.names("a") == ["a/b"]
    assert dict(objects.get_all(["a/b", "a/none"])) == {"a/b": b"1"}
    assert not [path for path in tmp_path.rglob(".partial-*") if path.is_file()]


@pytest.mark.parametrize(
    ("url", "error", "why"),
    [
        ("nothing://x/y", ConfigError, "cannot be opened"),
        ("file:///proc/none", StoreError, "cannot be written"),
    ],
)
def test_a_store_that_cannot_be_is_one_message(
    discharged: Project, url: str, error: type[Exception], why: str
) -> None:
    with pytest.raises(error, match=why):
        Store(url).push(carry(discharged.record()))


def test_without_a_url_there_is_no_store(copied: Project) -> None:
    with pytest.raises(ConfigError, match="no store was named"):
        open_store(None, copied.config())
    path = copied.root / "pv.toml"
    path.write_text('[store]\nurl = "memory://named"\n' + path.read_text("utf-8"), encoding="utf-8")
    assert open_store(None, copied.config()).shown == "memory://named"
    assert open_store("memory://other", copied.config()).shown == "memory://other"


def project_of(copied: Project, versions: Path, restamp: Restamp, count: int) -> Path:
    """Write `count` versions of the live record as an evidence folder has them, one project each."""
    first = copied.record().read_bytes()
    for number in range(count):
        path = versions / str(number) / NAME
        path.parent.mkdir(parents=True)
        path.write_bytes(restamp(first, began(number)))
    return versions


PUSHES = """
import sys
from pathlib import Path
from pv.evidence_transfer import carry
from pv.store import Store
store = Store(sys.argv[1])
print("ready", flush=True)
for path in sys.argv[2:]:
    store.push(carry(Path(path)))
"""


def pushing(url: str, paths: list[Path]) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", PUSHES, url, *map(str, paths)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def test_several_hosts_push_at_once_and_nothing_is_lost(
    copied: Project, restamp: Restamp, tmp_path: Path
) -> None:
    versions = project_of(copied, tmp_path / "versions", restamp, 8)
    paths = sorted(versions.rglob("*.json"))
    url = f"file://{tmp_path}/store"
    writers = [pushing(url, part) for part in (paths, paths[::-1], paths[::2])]
    for writer in writers:
        writer.communicate(timeout=60)
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    offers, faults = Store(url).offers()
    assert (len(offers), faults) == (8, [])
    decisions = take(offers, copied.config())
    assert [one.what for one in decisions] == ["taken", *["left"] * 7]
    assert copied.record().read_bytes() == (versions / "7" / NAME).read_bytes()
    assert not [path for path in (tmp_path / "store").rglob("*") if path.name.startswith(".")]


def test_a_killed_push_leaves_nothing_half_visible(copied: Project, restamp: Restamp, tmp_path: Path) -> None:
    versions = project_of(copied, tmp_path / "versions", restamp, 20)
    paths = sorted(versions.rglob("*.json"))
    url = f"file://{tmp_path}/store"
    for pause in (0.0, 0.03):
        writer = pushing(url, paths)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(pause)
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        found = list(Store(url).verified(Store(url).entries()))
        assert not [one for one in found if isinstance(one, Refused)]
    writer = pushing(url, paths)
    writer.communicate(timeout=60)
    assert len(list(Store(url).verified(Store(url).entries()))) == 20


def test_entries_hold_what_is_ranked_and_no_more(discharged: Project, tmp_path: Path) -> None:
    Store(f"file://{tmp_path}/store").push(carry(discharged.record()))
    (entry,) = (tmp_path / "store" / "records").rglob("*.json")
    assert set(json.loads(entry.read_bytes())) == {
        "version",
        "name",
        "digest",
        "contract",
        "identifier",
        "base_level",
        "clause",
        "inputs",
        "started_at",
        "sidecars",
    }
