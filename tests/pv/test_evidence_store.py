"""The folder of records against a model of it: a dictionary; and against a writer that comes in between."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from pv import evidence
from pv.evidence import (
    read_record,
    record_path,
    records_of,
    remove_partial,
    sidecars_of,
    write_record,
    write_unchanged,
)
from pv.evidence_transfer import carry

ADDRESS = ("c-v1", "F-1")
LEVELS = ("algorithm", "live", "live-x")
"""One name is the beginning of another: tidying after one must not take away what is the other's."""
LONG = 1 << 18


def predicate(number: int, *, long: bool) -> dict[str, Any]:
    return {
        "falsifier": {"contract": ADDRESS[0], "id": ADDRESS[1]},
        "check": {"reference": "a:b"},
        "inputs": {"clause": "0" * 64, "check": "0" * 64},
        "subjects": {},
        "measurements": {"number": number, "note": "n" * (LONG if long else 3)},
    }


class EvidenceFolder(RuleBasedStateMachine):
    """Writes, imports and tidies up, in any order; a reader always finds what the dictionary has."""

    exported: Bundle[tuple[str, int, bool, bytes, dict[str, bytes]]] = Bundle("exported")

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.model: dict[Path, tuple[int, bool]] = {}

    def path(self, level: str) -> Path:
        return record_path(self.folder, *ADDRESS, level, "s", "cpu")

    @rule(level=st.sampled_from(LEVELS), number=st.integers(0, 3), long=st.booleans())
    def write(self, level: str, number: int, long: bool) -> None:
        write_record(self.path(level), predicate(number, long=long))
        self.model[self.path(level)] = (number, long)

    @rule(target=exported, level=st.sampled_from(LEVELS), number=st.integers(0, 3), long=st.booleans())
    def export(self, level: str, number: int, long: bool) -> tuple[str, int, bool, bytes, dict[str, bytes]]:
        with tempfile.TemporaryDirectory() as other:
            path = record_path(Path(other), *ADDRESS, level, "s", "cpu")
            write_record(path, predicate(number, long=long))
            carried = carry(path)
            return level, number, long, carried.data, dict(carried.sidecars)

    @rule(record=exported, wanted=st.booleans())
    def take(self, record: tuple[str, int, bool, bytes, dict[str, bytes]], wanted: bool) -> None:
        level, number, long, data, sidecars = record
        assert write_unchanged(self.path(level), data, sidecars, lambda: wanted) == wanted
        if wanted:
            self.model[self.path(level)] = (number, long)

    @rule(level=st.sampled_from(LEVELS), data=st.binary(max_size=3))
    def is_killed(self, level: str, data: bytes) -> None:
        """Leave what a writer leaves that is killed before it renames."""
        self.path(level).parent.mkdir(parents=True, exist_ok=True)
        self.path(level).with_name(f".{self.path(level).name}.abcdefgh").write_bytes(data)

    @rule()
    def tidy(self) -> None:
        remove_partial(self.folder, *ADDRESS)
        names = {path.name for path in (self.folder / ADDRESS[0] / ADDRESS[1]).glob("*")}
        wanted = {path.name for path in self.model}
        for path in self.model:
            wanted |= {*sidecars_of(path.name, path.read_bytes())}
        assert names == wanted

    @rule(level=st.sampled_from(LEVELS), first=st.booleans(), second=st.booleans())
    def two_at_once(self, level: str, first: bool, second: bool) -> None:
        """Have another replace the record after a reader took its bytes, and before it reads the sidecar."""
        path = self.path(level)
        write_record(path, predicate(4, long=first))
        found = read_between(path, lambda: write_record(path, predicate(5, long=second)))
        assert found in {4, 5}
        self.model[path] = (5, second)

    @invariant()
    def is_as_the_model(self) -> None:
        listed = records_of(self.folder, *ADDRESS)
        assert listed == sorted(self.model)
        for path in listed:
            number, long = self.model[path]
            assert read_record(path).predicate["measurements"] == predicate(number, long=long)["measurements"]

    def teardown(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def read_between(path: Path, between: Callable[[], None]) -> int:
    """Read the record at `path`; `between` happens once its bytes were read, but its sidecar was not."""
    read, waiting = evidence._read_bytes, [between]

    def reading(path: Path) -> bytes:
        data = read(path)
        while waiting:
            waiting.pop()()
        return data

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evidence, "_read_bytes", reading)
        return int(read_record(path).predicate["measurements"]["number"])


TestEvidenceFolder = EvidenceFolder.TestCase
TestEvidenceFolder.settings = settings(max_examples=15, stateful_step_count=12, deadline=None)


def test_a_reader_that_a_writer_overtakes_finds_the_new_record(tmp_path: Path) -> None:
    path = record_path(tmp_path, *ADDRESS, "live", "s", "cpu")
    write_record(path, predicate(1, long=True))
    assert read_between(path, lambda: write_record(path, predicate(2, long=True))) == 2
