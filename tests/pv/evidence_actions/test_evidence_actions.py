"""Actions of ``pv evidence`` as people and scripts see them; what they rest on is tested beside it."""

from __future__ import annotations

import json
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pv.evidence_transfer import carry
from pv.exits import Exit
from pv.store import Store

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"
NAME = f"small-v1/{ID}/live-shipped-cpu.json"
Restamp = Callable[[bytes, Mapping[str, Any]], bytes]


@pytest.fixture
def store(tmp_path: Path) -> str:
    return f"file://{tmp_path}/store"


def test_records_of_another_host_reach_the_repository(copied: Project, store: str) -> None:
    before = copied.evidence()
    ended = copied.pv("evidence", "push", store)
    assert (ended.code, ended.out) == (Exit.ACCEPTED, f"2 pushed, 0 there already: {store}\n")
    shutil.rmtree(copied.root / "evidence")
    assert copied.status()[0] == "UNBOUND"
    ended = copied.pv("evidence", "pull", store)
    assert ended.code == Exit.ACCEPTED
    assert "taken    small-v1/" in ended.out
    assert ended.out.endswith("2 taken, 0 left\n")
    assert copied.evidence() == before
    assert copied.status()[0] == "DISCHARGED"
    ended = copied.pv("evidence", "pull", "--store", store, ID)
    assert ended.out == "0 taken, 2 left (2 because it is here already)\n"


def test_a_pull_that_was_killed_can_be_run_again(
    copied: Project, restamp: Restamp, store: str, tmp_path: Path
) -> None:
    first = copied.record().read_bytes()
    for number in range(25):
        path = tmp_path / "versions" / NAME.replace("shipped", f"s{number}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(restamp(first, {"place.subject": f"s{number}"}))
        Store(store).push(carry(path))
    folder = copied.root / "evidence"
    for _ in range(10):  # a busy machine may let it end before we see that it has begun
        shutil.rmtree(folder)
        pulling = copied.start("evidence", "pull", store)
        while pulling.poll() is None and not list(folder.rglob("*.json")):
            time.sleep(0.001)
        pulling.kill()
        pulling.communicate()
        if len(list(folder.rglob("*.json"))) < 25:
            break
    assert pulling.returncode == -signal.SIGKILL
    assert copied.pv("evidence", "verify").code == Exit.ACCEPTED
    ended = copied.pv("evidence", "pull", store)
    assert ended.code == Exit.ACCEPTED, ended.said
    assert ended.out.endswith("here already)\n")
    held = copied.evidence()
    assert len(held) == 25
    assert all(name.endswith(".json") and "/." not in name for name in held)


def test_the_store_of_the_settings_is_used(copied: Project, store: str) -> None:
    toml = copied.root / "pv.toml"
    toml.write_text(f'[store]\nurl = "{store}"\n' + toml.read_text("utf-8"), encoding="utf-8")
    live = f"evidence/{NAME}"
    assert copied.pv("evidence", "push", live, "--json").json == {
        "store": store,
        "pushed": [NAME],
        "there": [],
        "refused": [],
    }
    assert copied.pv("evidence", "push", ID, "--json").json["there"] == [NAME]
    (left, *_) = copied.pv("evidence", "pull", "--json", ID).json["left"]
    assert left["why"] == "it is here already"
    assert copied.pv("evidence", "push", "memory://a", "--store", "memory://b").code == Exit.USAGE


def test_an_altered_record_is_not_pushed_and_the_others_are(copied: Project, store: str) -> None:
    path = copied.record()
    path.write_bytes(path.read_bytes().replace(b'"seed": 0', b'"seed": 1'))
    ended = copied.pv("evidence", "push", store)
    assert ended.code == Exit.REJECTED
    assert f"REFUSED  evidence/{NAME}" in ended.out
    assert "1 pushed, 0 there already, 1 REFUSED" in ended.out
    assert len(copied.pv("evidence", "push", store, "--json").json["refused"]) == 1


@pytest.mark.parametrize("what", ["file", "folder", "project", "store"])
def test_import_takes_files_folders_and_stores(
    copied: Project, restamp: Restamp, tmp_path: Path, store: str, what: str
) -> None:
    later = restamp(copied.record().read_bytes(), {"run.started_at": "2030-01-01T00:00:00+00:00"})
    other = tmp_path / "other"
    shutil.copytree(copied.root, other)
    (other / "evidence" / NAME).write_bytes(later)
    if what == "store":
        before = copied.record().read_bytes()
        copied.record().write_bytes(later)
        copied.pv("evidence", "push", store)
        copied.record().write_bytes(before)
    words: dict[str, str | Path] = {
        "file": other / "evidence" / NAME,
        "folder": other / "evidence",
        "project": other / "evidence" / "small-v1",
        "store": store,
    }
    ended = copied.pv("evidence", "import", words[what], "--dry-run")
    assert ended.code == Exit.ACCEPTED, ended.said
    assert "1 would be taken" in ended.out
    assert copied.record().read_bytes() != later
    ended = copied.pv("evidence", "import", words[what], "--json")
    assert [one["name"] for one in ended.json["taken"]] == [NAME]
    assert copied.record().read_bytes() == later


def test_what_is_no_record_is_refused_by_name(copied: Project, tmp_path: Path) -> None:
    folder = tmp_path / "found"
    folder.mkdir()
    (folder / "a.json").write_text("{}", encoding="utf-8")
    (folder / "b.json").write_text("\x1b[2J", encoding="utf-8")
    shutil.copy(copied.record(), folder / "c.json")
    ended = copied.pv("evidence", "import", folder)
    assert ended.code == Exit.REJECTED
    assert "REFUSED" in ended.out
    assert "a.json" in ended.out
    assert "\x1b" not in ended.said
    assert ended.out.endswith("0 taken, 1 left (1 because it is here already), 2 REFUSED\n")


@pytest.mark.parametrize(
    "words",
    [
        ("pull", "memory://nothing-there"),
        ("pull",),
        ("push",),
        ("import", "memory://nothing-there"),
        ("import", "nowhere"),
        ("import", "data"),
        ("history", "FALSIFY-NOTHING"),
        ("history", ID, "--last", "0"),
        ("history", ID, "--last", "8", "--json"),
        ("history", "contracts/other-v1.yaml"),
    ],
)
def test_nothing_is_never_green(copied: Project, words: tuple[str, ...]) -> None:
    clause = {"id": "FALSIFY-OTHER-001", "rule": "r", "prediction": "p", "if_fails": "f"}
    copied.contract(clause, stem="other-v1")
    ended = copied.pv("evidence", *words)
    assert ended.code == Exit.USAGE, ended.said
    assert ended.out == ""


def test_the_history_shows_each_run_and_what_changed(copied: Project, restamp: Restamp, store: str) -> None:
    path = copied.record()
    first = path.read_bytes()
    verdict = json.loads(first)["predicate"]["verdict"]
    assert verdict["closest"]["text"] == "max(distance) <= 0.25"
    for number in range(12):
        measured = json.loads(first)["predicate"]["measurements"]
        step = 0.125 if number >= 6 else 0.0
        measured["distance"]["values"][0] = step + number % 3 / 1024
        measured["distance"]["values"][1:] = [0.0] * (len(measured["distance"]["values"]) - 1)
        started = {"run.started_at": f"2030-01-{number + 1:02}T00:00:00+00:00", "revision.commit": "c" * 40}
        path.write_bytes(judged(restamp(first, {"measurements": measured, **started}), restamp))
        copied.pv("evidence", "push", store, ID)
    toml = copied.root / "pv.toml"
    toml.write_text(f'[store]\nurl = "{store}"\n' + toml.read_text("utf-8"), encoding="utf-8")
    ended = copied.pv("evidence", "history", ID, "--last", "8")
    assert ended.code == Exit.ACCEPTED, ended.said
    assert ended.out.startswith(f"small-v1#{ID}  13 run(s) in 2 series, from folder, store\n")
    assert "▁▁▁▁▁▁█" in ended.out
    assert "max(distance), level since then" in ended.out
    assert "... 4 earlier" in ended.out
    lines = ended.out.splitlines()
    changed = next(number for number, line in enumerate(lines) if line.startswith("    changed  "))
    assert "0.000976562 → 0.125977" in lines[changed]
    assert lines[changed + 1].startswith("    2030-01-07 00:00:00  PASS  0.125 ")
    assert "cccccccccccc" in lines[changed + 1]
    (document,) = copied.pv("evidence", "history", ID, "--json", "--from", "store").json
    live = document["series"][1]
    assert document["sources"] == {"store": 13}
    assert (live["measured"], live["level"], live["trend"]["direction"]) == ("max(distance)", "live", "level")
    assert [change["at"] for change in live["changes"]] == ["2030-01-07T00:00:00+00:00"]
    assert len(live["points"]) == 12
    assert live["points"][0]["value"] == 0.0


def judged(data: bytes, restamp: Restamp) -> bytes:
    """Give a record the verdict that its measurements have."""
    from pv.expression import measurements_from_json
    from pv.verdict import judge
    from pv.verify import metrics_from_json

    predicate = json.loads(data)["predicate"]
    rule = predicate["rule"]
    verdict = judge(
        rule["lines"], measurements_from_json(predicate["measurements"]), metrics_from_json(rule["metrics"])
    )
    return restamp(data, {"verdict": verdict.to_json()})


def test_the_history_leaves_out_what_does_not_verify_and_says_so(copied: Project) -> None:
    path = copied.record()
    path.write_bytes(path.read_bytes().replace(b'"seed": 0', b'"seed": 1'))
    ended = copied.pv("evidence", "history", ID)
    assert ended.code == Exit.ACCEPTED
    assert "1 run(s) in 1 series" in ended.out
    assert f"1 left out, which do not verify; the first: {NAME}: section run was altered" in ended.err
    (document,) = copied.pv("evidence", "history", ID, "--json").json
    assert [one["name"] for one in document["refused"]] == [NAME]


def test_the_ledger_is_filled_and_read(copied: Project, tmp_path: Path) -> None:
    ended = copied.pv("evidence", "ledger")
    assert ended.code == Exit.ACCEPTED
    assert ended.out.startswith("2 entered, 0 there already: sqlite:///")
    assert copied.pv("evidence", "ledger", "--from", "folder", "--json").json == {
        "ledger": f"sqlite:///{copied.root}/.pv/ledger.sqlite",
        "from": ["folder"],
        "records": 2,
        "entered": 0,
        "refused": [],
    }
    shutil.rmtree(copied.root / "evidence")
    (document,) = copied.pv("evidence", "history", ID, "--json").json
    assert document["sources"] == {"ledger": 2}
    url = f"sqlite:///{tmp_path}/other.sqlite"
    assert copied.pv("evidence", "ledger", "--url", url).code == Exit.USAGE


def test_the_chain_of_the_ledger_is_verified_and_its_head_compared(copied: Project) -> None:
    ended = copied.pv("evidence", "ledger", "verify")
    assert (ended.code, "nothing was entered" in ended.err) == (Exit.USAGE, True)
    copied.pv("evidence", "ledger", "enter")
    shown = f"sqlite:///{copied.root}/.pv/ledger.sqlite"
    document = copied.pv("evidence", "ledger", "verify", "--json").json
    head = document.pop("head")
    assert document == {"ledger": shown, "entries": 2, "broken": None}
    told = f"2 entries, each chained to those before it: {shown}\nhead {head}\n"
    assert copied.pv("evidence", "ledger", "verify", "--head", head, "--url", shown).out == told
    ended = copied.pv("evidence", "ledger", "verify", "--head", "f" * 64)
    assert ended.code == Exit.REJECTED
    assert ended.out.startswith("BROKEN at entry 3: truncated: the chain ends after entry 2 without the head")
    broken = copied.pv("evidence", "ledger", "verify", "--head", "f" * 64, "--json").json["broken"]
    assert (broken["position"], broken["reason"]) == (3, "truncated")


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    "action",
    ["show", "verify", "push", "pull", "import", "ledger", "history", "keygen", "sign", "export"],
)
def test_every_action_has_both_forms(copied: Project, store: str, action: str, form: str) -> None:
    copied.pv("evidence", "push", store)
    copied.pv("evidence", "keygen", "key")
    where = {
        "push": [store], "pull": [store], "import": [store], "history": [ID], "keygen": ["another"],
        "sign": ["--key", "key"], "export": ["--output", "out.jsonl"],
    }.get(action, [])  # fmt: skip
    ended = copied.pv("evidence", action, *where, "--format", form)
    assert ended.code == Exit.ACCEPTED, ended.said
    assert ended.out
    if form == "json":
        assert ended.json
    else:
        assert not ended.out.startswith(("{", "["))


def test_what_would_be_pulled_is_told_and_not_taken(copied: Project, store: str) -> None:
    copied.pv("evidence", "push", store)
    shutil.rmtree(copied.root / "evidence")
    ended = copied.pv("evidence", "pull", store, "--dry-run")
    assert "2 would be taken" in ended.out
    assert copied.evidence() == {}


def test_records_of_another_project_are_imported_only_if_that_was_asked_for(
    copied: Project, tmp_path: Path
) -> None:
    other = tmp_path / "records"
    shutil.copytree(copied.root / "evidence", other)
    shutil.rmtree(copied.root / "evidence")
    usual = dict(copied.load().falsifiers[0].raw)
    copied.contract({**usual, "id": "FALSIFY-SMALL-009"})
    for words, count in (([], 0), (["--foreign"], 2)):
        ended = copied.pv("evidence", "import", other, *words, "--json")
        assert len(ended.json["taken"]) == count, ended.said
