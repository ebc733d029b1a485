from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pv.config import load_config
from pv.errors import EvidenceError, SelectionError
from pv.journal import Journal, Reading, ends, latest_journal, read_journal
from pv.outcome import Discharge
from pv.planning import Declined
from pv.sweep_run import new_journal_path

IDS = ("c#A", "c#B", "c#C")


def planned(*states: str) -> list[dict[str, Any]]:
    return [{"falsifier": a, "state": s, "gate": False} for a, s in zip(IDS, states, strict=False)]


def begun(path: Path, *states: str, ended: list[dict[str, Any]] | None = None) -> Journal:
    lines = planned(*states)
    return Journal.begin(path, {"at": "then", "options": {}, "falsifiers": len(lines)}, lines, ended or [])


def start(address: str) -> dict[str, Any]:
    return {"event": "start", "falsifier": address, "at": "now"}


def end(address: str, outcome: Any = "Pass", **more: Any) -> dict[str, Any]:
    shown = Discharge(address, "a rule", outcome).to_json()
    return {"event": "end", "at": "later", "end": shown | {"attempts": more.pop("attempts", [])}, **more}


def test_what_is_left_is_what_was_neither_begun_nor_has_an_end(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with begun(path, "run", "run", "fresh", ended=[end("c#C")]) as journal:
        journal.write(start("c#A"))
        reading = read_journal(path)
        assert (reading.running, reading.left) == (("c#A",), ("c#B",))
        journal.write(end("c#A", "Fail"), start("c#B"))
        journal.write({"event": "stopped", "falsifier": "c#B", "at": "now"})
    reading = read_journal(path)
    assert reading.outcomes == {"c#C": "Pass", "c#A": "Fail"}
    assert (reading.running, reading.left) == ((), ("c#B",))


def test_an_end_comes_back_as_it_was(tmp_path: Path) -> None:
    whole = Discharge(
        "c#A",
        "a rule\x1b[31m",
        "Declined",
        verdict={"lines": [1.5]},
        declined=(Declined("live", "no GPU", "buy one"),),
        records=("r",),
        runs=("seed-1",),
    )
    path = tmp_path / "a.jsonl"
    with begun(path, "run") as journal:
        journal.write({"event": "end", "at": "later", "end": whole.to_json()})
    assert list(ends(read_journal(path))) == [(whole, "later")]


def test_what_is_run_again_has_its_last_end_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with begun(path, "run", "run") as journal:
        journal.write(start("c#A"), end("c#A", "Error", stepped_over=True), start("c#B"), end("c#B"))
        assert read_journal(path).stepped_over == ("c#A",)
        journal.write(start("c#A"))
        assert read_journal(path).outcomes == {"c#B": "Pass"}
        journal.write(end("c#A"))
    reading = read_journal(path)
    assert [(one.address, one.outcome) for one, _ in ends(reading)] == [("c#B", "Pass"), ("c#A", "Pass")]
    assert reading.stepped_over == ()


def test_what_is_to_be_run_again_is_left_and_its_attempts_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with begun(path, "run", "run") as journal:
        journal.write(start("c#A"))
        journal.write({"event": "retry", "falsifier": "c#A", "at": "now", "why": "it broke"})
        reading = read_journal(path)
        assert (reading.running, reading.left) == ((), ("c#A", "c#B"))
        assert reading.attempts == {"c#A": ("it broke",)}
        journal.write(start("c#A"))
        assert read_journal(path).running == ("c#A",)
        journal.write({"event": "retry", "falsifier": "c#A", "at": "now", "why": "and again"})
        journal.write(start("c#A"), end("c#A", attempts=["it broke", "and again"]))
    reading = read_journal(path)
    assert reading.attempts == {"c#A": ("it broke", "and again")}
    assert [one.attempts for one, _ in ends(reading)] == [("it broke", "and again")]
    assert reading.left == ("c#B",)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.data())
def test_cut_anywhere_it_is_what_had_been_written_in_whole(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "whole.jsonl"
    path.unlink(missing_ok=True)
    with begun(path, "run", "run", "run") as journal:
        head = path.stat().st_size
        events = [start("c#A"), end("c#A"), start("c#B"), start("c#C"), end("c#C", "Fail"), end("c#B")]
        for event in events:
            journal.write(event)
    text = path.read_bytes()
    cut = data.draw(st.integers(0, len(text)))
    torn = tmp_path / "torn.jsonl"
    torn.write_bytes(text[:cut])
    if cut < head:
        with pytest.raises(SelectionError, match="killed before anything was run"):
            read_journal(torn)
        begun(torn, "run").close()  # nothing is lost by beginning again
        return
    whole = text[head:cut].count(b"\n")
    journal, reading = Journal.resume(torn)
    with journal:
        started = [e["falsifier"] for e in events[:whole] if e["event"] == "start"]
        done = {e["end"]["address"]: e["end"]["outcome"] for e in events[:whole] if e["event"] == "end"}
        assert reading.outcomes == done
        assert set(reading.running) == set(started) - set(done)
        assert set(reading.left) == set(IDS) - set(started)
        journal.write(end("c#A", "Error"))
    lines = torn.read_bytes().splitlines()
    assert all(json.loads(line) for line in lines)
    assert read_journal(torn).outcomes["c#A"] == "Error"


def test_a_last_line_whose_bytes_the_disk_lost_is_as_if_never_written(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    begun(path, "run").close()
    with path.open("ab") as file:
        file.write(b"\0" * 40 + b"\n")
    journal, reading = Journal.resume(path)
    journal.close()
    assert reading.left == ("c#A",)
    assert b"\0" not in path.read_bytes()


@pytest.mark.parametrize(
    "line",
    ["nonsense", "[]", '{"event": "end"}', '{"event": "end", "end": {"address": 1, "outcome": "Fine"}}'],
)
def test_a_line_in_the_middle_that_is_none_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "a.jsonl"
    begun(path, "run").close()
    path.write_text(path.read_text() + f"{line}\n" + json.dumps(start("c#A")) + "\n")
    with pytest.raises(EvidenceError, match="is no journal"):
        read_journal(path)


def test_another_file_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("my notes\nare dear to me\n")
    with pytest.raises(EvidenceError, match="is no journal"):
        begun(path, "run")
    assert path.read_text() == "my notes\nare dear to me\n"


def test_a_sweep_that_can_be_resumed_is_not_overwritten_and_a_finished_one_is(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    begun(path, "run").close()
    with pytest.raises(EvidenceError, match="was not finished"):
        begun(path, "run")
    journal, _ = Journal.resume(path)
    with journal:
        journal.write(start("c#A"), end("c#A"))
    begun(path, "run", "run").close()
    assert read_journal(path).left == ("c#A", "c#B")


def test_two_sweeps_do_not_write_one_journal(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with begun(path, "run"):
        with pytest.raises(EvidenceError, match="still runs"):
            Journal.resume(path)
        with pytest.raises(EvidenceError, match="still runs"):
            begun(path, "run")
    journal, reading = Journal.resume(path)
    journal.close()
    assert isinstance(reading, Reading)


def test_the_latest_is_the_one_that_began_last_and_is_not_empty(tmp_path: Path) -> None:
    assert latest_journal(tmp_path) is None
    for name in ("20260101T000000.000Z-9.jsonl", "20260102T000000.000Z-1.jsonl"):
        begun(tmp_path / name, "run").close()
    (tmp_path / "20270101T000000.000Z-1.jsonl").touch()
    found = latest_journal(tmp_path)
    assert found is not None
    assert found.name == "20260102T000000.000Z-1.jsonl"


def test_a_clock_that_was_set_back_does_not_hide_the_last_sweep(tmp_path: Path) -> None:
    (tmp_path / "pv.toml").write_text("[project]\n", encoding="utf-8")
    folder = tmp_path / ".pv" / "sweeps"
    folder.mkdir(parents=True)
    (folder / "20990101T000000.000Z-9.jsonl").write_text("{}\n", encoding="utf-8")
    (folder / "my-own.jsonl").write_text("{}\n", encoding="utf-8")
    path = new_journal_path(load_config(tmp_path))
    assert path.name.startswith("20990101T000000.001Z-")


def test_a_line_after_one_that_could_not_be_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with begun(path, "run") as journal:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "fsync", fails)
            patch.setattr(os, "ftruncate", fails)
            with pytest.raises(OSError, match="no more"):
                journal.write(start("c#A"))
        journal.write(start("c#A"), end("c#A"))
    assert path.read_bytes().count(b'"start"') == 1
    assert read_journal(path).outcomes == {"c#A": "Pass"}


def fails(*_: object) -> None:
    raise OSError(28, "no more")


def test_what_a_loss_of_power_left_as_zeros_was_never_said(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    begun(path, "run").close()
    whole = path.stat().st_size
    with path.open("ab") as file:
        file.write(bytes(300) + b'c#A"}\n' + json.dumps(end("c#A")).encode() + b"\n")
    journal, reading = Journal.resume(path)
    journal.close()
    assert reading.outcomes == {}
    assert path.stat().st_size == whole
