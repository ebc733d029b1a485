"""That the figures of bad files are those of the fuzzers, and that an escape is among them."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.trust import hostile as figures
from benchmarks.trust.hostile import hostile
from benchmarks.trust.parts import PARTS, Scale

PLANTED = "tests.benchmarks.planted_formats"
FEW = Scale(fuzz_seconds=0.5, every=1, kills=1, signatures=1, trials=1, families=None)


@pytest.fixture(autouse=True)
def unguided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.fuzz.table.is_installed", lambda: False)


def test_each_input_ends_one_way(tmp_path: Path) -> None:
    found = hostile(0.3, 5, tmp_path, ["shard"])
    assert found.inputs == found.rejected + found.accepted > 0
    assert (found.escapes, found.finds) == (0, ())
    assert found.worst_seconds > 0


def test_an_escape_is_counted_and_named(tmp_path: Path) -> None:
    found = hostile(0.3, 1, tmp_path, [f"{PLANTED}:OTHER"])
    assert found.escapes > 0
    assert len(found.finds) == 1
    assert "KeyError: 'other'" in found.finds[0]


@pytest.mark.parametrize(("name", "right"), [("OTHER", False), ("shard", True)])
def test_the_table_of_trust_says_so(
    name: str, right: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = name if name == "shard" else f"{PLANTED}:{name}"
    monkeypatch.setattr(
        figures, "hostile", lambda seconds: hostile(seconds, 1, finds=tmp_path, formats=[place])
    )
    (line,) = PARTS["files"](FEW)
    assert (line.right, line.met, bool(line.details)) == (right, False, not right)
