"""Fuzzing: each format's inputs hold the property, and a planted fault of each kind is found."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pv_runtime.config import config_of, expected_tensors
from pv_runtime.errors import LoadError
from pv_runtime.formats import open_checkpoint

from benchmarks.fuzz import attempt as attempts
from benchmarks.fuzz import parent
from benchmarks.fuzz.attempt import attempt
from benchmarks.fuzz.board import Counts
from benchmarks.fuzz.byte_damage import damaged
from benchmarks.fuzz.finds import kept
from benchmarks.fuzz.guided import is_installed
from benchmarks.fuzz.registry import FORMATS, target_of
from benchmarks.fuzz.table import lines
from benchmarks.fuzz.target import Target


@pytest.mark.parametrize("name", FORMATS)
def test_every_seed_is_accepted(name: str, tmp_path: Path) -> None:
    target = target_of(name)
    seeds = target.seeds()
    assert seeds
    for data in seeds:
        ending = attempt(target, data, tmp_path)
        assert ending.kind == "accepted", ending.message


@pytest.mark.parametrize("name", ["gguf", "apr", "safetensors"])
def test_a_seed_of_each_kind_of_model_file_says_what_model_it_is(name: str, tmp_path: Path) -> None:
    """Else what is made of its numbers is never reached: reading one that says none ends before."""
    path = tmp_path / "m.safetensors"
    said = 0
    for data in target_of(name).seeds():
        path.write_bytes(data)
        with contextlib.suppress(LoadError):
            said += bool(expected_tensors(config_of(open_checkpoint(path))))
    assert said


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), built=st.booleans())
def test_a_damaged_file_is_accepted_or_ends_in_its_layers_error(
    name: str, tmp_path_factory: pytest.TempPathFactory, seed: int, built: bool
) -> None:
    target, chance = target_of(name), random.Random(seed)
    folder = tmp_path_factory.getbasetemp() / f"fuzz-{name}"
    folder.mkdir(exist_ok=True)
    seeds = target.seeds()
    data = (
        target.made(chance)
        if built
        else target.mended(damaged(chance.choice(seeds), chance, target.words), chance)
    )
    ending = attempt(target, data, folder)
    assert ending.kind != "escaped", ending.message


PLANTED = "tests.benchmarks.planted_formats"
GUIDED = pytest.param(
    "guided", marks=pytest.mark.skipif(not is_installed(), reason="the fuzz extra is not installed")
)
ENGINES = ["plain", GUIDED]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("OTHER", "KeyError: 'other'"),
        ("SIGNAL", "ended the process with -11 (seed 1)"),
        ("TWICE", "ended the process with -11, but not alone: it takes what was read before it (seed 1)"),
        ("SLEEP", "hung"),
    ],
)
def test_a_planted_fault_is_found_and_kept(
    name: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parent, "STILL", 1.0)
    found = parent.fuzz(f"{PLANTED}:{name}", "plain", 0.5, 1, tmp_path)
    assert found.escaped > 0
    finds = kept(tmp_path)
    assert any(str(find["message"]).startswith(says) for find in finds)
    assert all(b"!" in Path(str(find["input"])).read_bytes() for find in finds)


@pytest.mark.parametrize("engine", [GUIDED])
def test_a_signal_that_libfuzzer_catches_is_an_escape(engine: str, tmp_path: Path) -> None:
    """It ends the process with a number of its own, whatever the signal was."""
    found = parent.fuzz(f"{PLANTED}:TWICE", engine, 0.5, 1, tmp_path)
    assert found.escaped > 0
    assert {str(find["message"])[:38] for find in kept(tmp_path)} == {
        "ended the process with 77, but not alo"
    }


@pytest.mark.parametrize("engine", ENGINES)
def test_the_end_of_the_time_is_no_escape(engine: str, tmp_path: Path) -> None:
    """Not where an input is read across a full second either, when atheris looks at its clock."""
    found = parent.fuzz(f"{PLANTED}:SLOW", engine, 1.5, 1, tmp_path)
    assert found.tried == found.accepted > 0
    assert kept(tmp_path) == []


@pytest.mark.parametrize("engine", ENGINES)
def test_damage_that_fails_is_a_fault_of_ours(engine: str, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"the child ended with 1: (.|\n)*no such field"):
        parent.fuzz(f"{PLANTED}:UNMADE", engine, 9.0, 1, tmp_path)
    assert kept(tmp_path) == []


def test_what_costs_too_much_escapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "SECONDS", -1.0)
    target = Target(lambda: [b""], lambda _: b"", lambda *_: None, (ValueError,))
    ending = attempt(target, b"", tmp_path)
    assert (ending.kind, ending.key) == ("escaped", ("cost",))


def test_memory_escapes_whatever_the_process_had_before(tmp_path: Path) -> None:
    """Of a process that was large once, the greatest size ever says nothing: each input is measured anew."""
    kept = bytearray(300 << 20)
    del kept

    def read(data: bytes, _: Path) -> None:
        bytearray(len(data) << 20)

    target = Target(lambda: [b""], lambda _: b"", read, (ValueError,))
    for _ in range(2):
        ending = attempt(target, b"x" * 150, tmp_path)
        assert (ending.kind, ending.key) == ("escaped", ("cost",))
        assert 140 < ending.mebibytes < 160
    assert attempt(target, b"x" * 40, tmp_path).kind == "accepted"


def test_an_error_without_a_message_escapes(tmp_path: Path) -> None:
    def read(data: bytes, _: Path) -> None:
        raise ValueError(data.decode())

    target = Target(lambda: [b""], lambda _: b"", read, (ValueError,))
    assert attempt(target, b"", tmp_path).kind == "escaped"
    assert attempt(target, b"why", tmp_path).kind == "rejected"


def test_the_table_adds_up() -> None:
    one, two = Counts(3, 1, 1, 1, 0.5, 2.0), Counts(4, 0, 4, 0, 0.25, 3.0)
    whole = list(lines({"one": one, "two": two}))
    assert whole[-1].split() == ["all", "7", "5", "1", "1", "0.500", "3.0"]
