from __future__ import annotations

import dataclasses
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pv.recorded
import pv.runner
from pv.binding import bind
from pv.config import Config
from pv.jobs import Broken, Build, Job, Limits, Measured, Role
from pv.recorded import Samples
from pv.runner import Runner

RESOURCES = Path(__file__).parent / "resources" / "runner"
CONFIG = Config(RESOURCES, (), RESOURCES / "evidence", (RESOURCES,), {})


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    with Runner(tmp_path_factory.mktemp("runner")) as started:
        yield started


def job(function: str, *, memory: int = 1 << 28, timeout: float = 20, **changes: Any) -> Job:
    binding = bind(f"misbehaving:{function}", CONFIG)
    plain = Job(
        reference=binding.reference,
        metrics=tuple(binding.metrics.values()),
        arguments={},
        roles={},
        limits=Limits(memory, timeout),
        seed=7,
        device="cpu",
        level="live",
        project=str(RESOURCES),
        sources=(str(RESOURCES),),
        modules=("misbehaving",),
        preload=("json",),
    )
    return dataclasses.replace(plain, **changes)


def broken(runner: Runner, function: str, **changes: Any) -> Broken:
    outcome = runner.run(job(function, **changes))
    assert isinstance(outcome, Broken), outcome
    return outcome


def measured(runner: Runner, function: str, **changes: Any) -> Measured:
    outcome = runner.run(job(function, **changes))
    assert isinstance(outcome, Measured), outcome
    return outcome


def test_measures_and_reports_progress(runner: Runner) -> None:
    told: list[tuple[int, int | None]] = []
    outcome = runner.run(
        job("behaves", arguments={"how_many": 3}), lambda done, total: told.append((done, total))
    )
    assert isinstance(outcome, Measured)
    assert outcome.samples["value"] == ((0.0, "item 0"), (0.5, "item 1"), (1.0, "item 2"))
    assert outcome.samples["pieces"] == ((3, None),)
    assert outcome.samples["word"] == (("done", None),)
    assert outcome.output.head == "measured\n"
    assert told[0] == (0, 3)


def test_a_plant_damages_only_its_role(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"good")
    roles = {"text": Role("misbehaving:open_text", str(tmp_path / "text"))}
    whole = measured(runner, "damaged", roles=roles)
    assert (whole.samples["value"][0][0], whole.planted) == (4.0, False)
    hurt = measured(runner, "damaged", roles=roles, plant="longer")
    assert (hurt.samples["value"][0][0], hurt.planted) == (5.0, True)
    missed = measured(runner, "damaged", roles=roles, plant="never_reached")
    assert not missed.planted
    assert "not planted" in broken(runner, "damaged", roles=roles, plant="unknown").why


def test_raising_is_an_error_with_its_traceback(runner: Runner) -> None:
    outcome = broken(runner, "raises")
    assert outcome.kind == "raised"
    assert outcome.why == "RuntimeError: the tensor is\nupside down"
    assert "misbehaving.py" in outcome.traceback


def test_hanging_is_ended_at_the_timeout(runner: Runner) -> None:
    started = time.monotonic()
    outcome = broken(runner, "hangs", timeout=0.5)
    assert (outcome.kind, outcome.why) == ("timeout", "it did not end within 0.5 s")
    assert time.monotonic() - started < 10


def test_allocating_without_end_is_ended_at_the_limit(runner: Runner) -> None:
    outcome = broken(runner, "allocates")
    assert outcome.kind == "memory"
    assert "256 MiB" in outcome.why


def test_memory_of_children_counts(runner: Runner) -> None:
    outcome = broken(runner, "allocates_in_children", memory=64 << 20)
    assert outcome.kind == "memory"


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        ("leaves", "no-result"),
        ("exits", "raised"),
        ("aborts", "crashed"),
        ("kills_its_parent", "crashed"),
        ("forks_without_end", "processes"),
        # On a busy machine it may reach its time before somebody comes to count it.
        ("forks_in_every_fork", "processes timeout"),
        ("records_undeclared", "raised"),
        ("records_wrong_kind", "raised"),
        ("records_without_end", "memory"),
        ("imports_in_hiding", "raised"),
        ("reads_in_hiding", "raised"),
        ("reads_code_in_hiding", "raised"),
        ("leaves_a_thread", "raised"),
        ("nests", "refused"),
    ],
)
def test_misbehaviour_ends_in_an_error_and_the_next_check_runs(
    runner: Runner, monkeypatch: pytest.MonkeyPatch, function: str, kind: str
) -> None:
    if function == "records_without_end":
        monkeypatch.setattr(
            pv.runner, "_RESULT_BYTES", 1 << 24
        )  # the more of it is read, the longer it takes
    assert broken(runner, function).kind in kind.split()
    assert measured(runner, "behaves", arguments={"how_many": 1}).samples["pieces"] == ((1, None),)


@pytest.mark.parametrize(
    "line",
    [
        "[1]",
        "{}",
        '{"end": {}}',
        '{"end": {"planted": 1, "seconds": 1.0, "peak_memory_bytes": 1}}',
        '{"end": {"planted": true, "seconds": "x", "peak_memory_bytes": 1}}',
        '{"end": {"planted": true, "seconds": 1.0, "peak_memory_bytes": 1}}',
        '{"error": 3}',
        '{"error": {}}',
        '{"progress": [1]}',
        '{"progress": ["a", [1]]}',
        '{"record": ["value", {"a": 1}, null]}',
        '{"record": ["value", 1.0, 5]}',
        '{"record": ["undeclared", 1.0, null]}',
        '{"record": ["value", 1.0, null], "progress": [1, 2]}',
    ],
)
def test_what_the_worker_would_not_send_is_refused(runner: Runner, line: str) -> None:
    assert broken(runner, "says", arguments={"line": line}).kind == "refused"


def test_a_check_that_stops_the_zygote_does_not_hang_the_engine(runner: Runner) -> None:
    started = time.monotonic()
    assert broken(runner, "stops_its_parent", timeout=0.5).kind == "timeout"
    assert time.monotonic() - started < 10
    assert measured(runner, "behaves", arguments={"how_many": 1}).samples["pieces"] == ((1, None),)


def test_no_sample_of_a_thread_is_lost(runner: Runner) -> None:
    assert len(measured(runner, "records_in_threads").samples["value"]) == 40_000


def test_a_folder_named_like_an_environment_hides_nothing(runner: Runner, tmp_path: Path) -> None:
    for name in ("misbehaving.py", "threshold.txt"):
        shutil.copy(RESOURCES / name, tmp_path)
    (tmp_path / "site-packages").mkdir()
    (tmp_path / "site-packages" / "value.txt").write_text("1")
    place = {"project": str(tmp_path), "sources": (str(tmp_path),)}
    assert "site-packages/value.txt" in broken(runner, "reads_what_looks_installed", **place).why


def test_of_a_narrowed_folder_only_what_is_digested_may_be_read(runner: Runner, tmp_path: Path) -> None:
    for name in ("misbehaving.py", "threshold.txt"):
        shutil.copy(RESOURCES / name, tmp_path)
    place = {"project": str(tmp_path), "sources": (str(tmp_path),)}
    path, files = str(tmp_path / "threshold.txt"), (str(tmp_path / "threshold.txt"),)
    narrowed = Role("misbehaving:open_text", path, files)
    assert measured(runner, "reads_beside", roles={"text": narrowed}, **place)
    (tmp_path / "other.txt").write_bytes(b"1")
    other = str(tmp_path / "other.txt")
    assert (
        "threshold.txt"
        in broken(
            runner, "reads_beside", roles={"text": Role("misbehaving:open_text", other, (other,))}, **place
        ).why
    )


def test_the_working_folder_stands_for_no_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "random.py").write_text("raise SystemExit('the wrong one')\n")
    monkeypatch.chdir(tmp_path)
    with Runner(tmp_path / "runner") as fresh:
        assert measured(fresh, "behaves", arguments={"how_many": 1}).samples["pieces"] == ((1, None),)


def test_hidden_inputs_are_named(runner: Runner) -> None:
    assert "hidden_module" in broken(runner, "imports_in_hiding").why
    assert "threshold.txt" in broken(runner, "reads_in_hiding").why


def test_output_is_capped_but_counted(runner: Runner) -> None:
    outcome = measured(runner, "prints_a_gigabyte", timeout=60)
    assert outcome.output.total == (1 << 30) + len("\nthe last line\n")
    assert outcome.output.tail.endswith("the last line\n")
    assert len(outcome.output.head) + len(outcome.output.tail) < 1 << 16


def test_daemons_do_not_outlive_the_check(tmp_path: Path) -> None:
    with Runner(tmp_path) as own:
        ((daemon, _),) = measured(own, "forks_a_daemon").samples["value"]
    with pytest.raises(ProcessLookupError):
        os.kill(int(daemon), 0)


def test_a_check_that_returns_in_two_processes_records_once(runner: Runner) -> None:
    assert measured(runner, "comes_back_twice").samples["value"] == ((1.0, None),)


def test_the_seed_decides_the_generators(runner: Runner) -> None:
    first = measured(runner, "seeded").samples
    assert measured(runner, "seeded").samples == first
    assert measured(runner, "seeded", seed=8).samples != first


def test_a_difference_between_source_and_import_is_refused(runner: Runner) -> None:
    outcome = broken(runner, "seeded", metrics=())
    assert "differ" in outcome.why


def test_builders_write_or_fail(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"xy")
    build = Build(
        "misbehaving:build_twice",
        Role("", str(tmp_path / "a")),
        str(tmp_path / "b"),
        {"times": 2},
        Limits(1 << 28, 20),
        0,
        sources=(str(RESOURCES),),
    )
    assert isinstance(runner.run(build), Measured)
    assert (tmp_path / "b").read_bytes() == b"xyxy"
    nothing = dataclasses.replace(
        build, reference="misbehaving:build_nothing", output=str(tmp_path / "c"), arguments={}
    )
    outcome = runner.run(nothing)
    assert isinstance(outcome, Broken)
    assert "without writing" in outcome.why


def test_closing_ends_the_zygote_and_its_scratch(tmp_path: Path) -> None:
    with Runner(tmp_path) as own:
        measured(own, "behaves", arguments={"how_many": 1})
        zygote = own._zygote
        assert zygote is not None
    assert zygote.poll() is not None
    assert list(tmp_path.iterdir()) == []


def test_a_text_that_no_file_can_hold_is_refused(runner: Runner) -> None:
    outcome = broken(runner, "records_half_a_character")
    assert outcome.kind == "raised"
    assert "word" in outcome.why


def test_a_damaged_run_ends_once_what_it_recorded_is_enough(
    runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pv.recorded, "_FIRST_SECONDS", 0.1)
    (tmp_path / "text").write_bytes(b"good")
    roles = {"text": Role("misbehaving:open_text", str(tmp_path / "text"))}

    def enough(samples: Samples) -> bool:
        return len(samples.get("value", ())) >= 3

    cut = runner.run(job("unending", roles=roles, plant="longer", timeout=60), enough=enough)
    assert isinstance(cut, Measured), cut
    assert (cut.whole, cut.planted, cut.seconds < 30) == (False, True, True)
    assert [value for value, _ in cut.samples["value"]] == [5.0] * 3
    assert len(cut.samples["seconds"]) == 3
    undamaged = runner.run(job("unending", roles=roles, timeout=3), enough=enough)
    assert isinstance(undamaged, Broken)
    assert undamaged.kind == "timeout"
    assert measured(runner, "behaves", arguments={"how_many": 1}).whole
