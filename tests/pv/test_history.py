from __future__ import annotations

import dataclasses
import json
import random
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pv.errors import SelectionError
from pv.evidence_import import take
from pv.evidence_transfer import Carried
from pv.history import Point, into_series, points, points_of
from pv.history_sources import SOURCES, configured, gather
from pv.ledger import open_ledger
from pv.record_facts import Compared, Facts
from pv.store import Store

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"
ADDRESS = f"small-v1#{ID}"
NAME = f"small-v1/{ID}/live-shipped-cpu.json"
Restamp = Callable[[bytes, Mapping[str, Any]], bytes]


def run(number: int, host: str = "a", **values: float) -> Facts:
    """One run of a falsifier; its decisive measurement is the first of `values`."""
    compared = tuple(Compared(name, value, 0.0, None, "1") for name, value in values.items())
    return Facts(
        digest=f"{number:064}",
        contract="c",
        identifier="F",
        level="live",
        base_level="live",
        subject="s",
        device="cpu",
        run="",
        host=host,
        outcome="Pass",
        started_at=f"2026-01-{1 + number // 24:02}T{number % 24:02}:00:00+00:00",
        seconds=1.0,
        commit=f"{number:040}",
        dirty=False,
        clause="0" * 64,
        inputs="0" * 64,
        compared=compared,
        decisive=next(iter(values), ""),
    )


def test_points_are_oldest_first_and_each_says_what_was_measured() -> None:
    found = points_of([run(2, x=2.0), run(0, x=0.5), run(1, x=1.0)])
    assert [(point.value, point.measured) for point in found] == [(0.5, "x"), (1.0, "x"), (2.0, "x")]
    assert found[0].at == "2026-01-01T00:00:00+00:00"
    assert found[0].series == ("live", "s", "cpu", "a")


def test_one_series_is_of_one_measurement_that_of_the_latest_run() -> None:
    found = points_of([run(0, x=1.0, y=9.0), run(1, x=1.0), run(2, y=8.0, x=1.0)])
    assert [point.value for point in found] == [9.0, None, 8.0]
    assert {point.measured for point in found} == {"y"}


def test_hosts_of_two_classes_are_never_one_series() -> None:
    slow = [run(2 * number, "slow", x=2.0 + number % 2 / 10) for number in range(12)]
    quick = [run(2 * number + 1, "quick", x=1.0 + number % 2 / 10) for number in range(12)]
    found = into_series(points_of([*slow, *quick]))
    assert [series.latest.host for series in found] == ["quick", "slow"]
    assert [series.changes for series in found] == [(), ()]
    (together,) = into_series(
        points_of(dataclasses.replace(one, host="x") for one in [*slow[:6], *quick[6:]])
    )
    assert len(together.changes) == 1


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 1000))
def test_the_order_in_which_hosts_are_told_of_does_not_matter(seed: int) -> None:
    chance = random.Random(seed)
    every = [
        run(number, chance.choice("ab"), x=chance.gauss(0, 1) + (number > 12) * 8) for number in range(24)
    ]
    shuffled = chance.sample(every, len(every))
    assert into_series(points_of(shuffled)) == into_series(points_of(every))
    assert into_series(reversed(points_of(every))) == into_series(points_of(every))


def test_a_change_is_told_with_the_run_that_was_the_first_after_it() -> None:
    every = [run(number, x=1.0 + number % 3 / 100) for number in range(8)]
    every.append(run(8))  # this one measured nothing
    every += [run(number, x=2.0 + number % 3 / 100) for number in range(9, 16)]
    (series,) = into_series(points_of(every))
    ((point, change),) = series.changes
    assert point.commit == every[9].commit
    assert (round(change.before, 1), round(change.after, 1)) == (1.0, 2.0)
    assert series.trend.direction == "level"
    assert len(series.points) == 16


def test_two_kinds_of_gpu_have_one_place_and_two_series(
    copied: Project, restamp: Restamp, tmp_path: Path
) -> None:
    first = copied.record().read_bytes()
    kinds = ["H100", "H200"]
    store = Store(f"file://{tmp_path}/store")
    name = NAME.replace("-cpu", "-cuda-sm90")
    for second, kind in enumerate(kinds):
        gpu = {"place.device": "cuda-sm90", "place.capability": "9.0", "place.gpu": kind}
        began = {"run.started_at": f"2030-01-01T00:00:0{second}+00:00"}
        store.push(Carried(name, restamp(first, gpu | began), {}))
    offers, _ = store.offers()
    assert [one.what for one in take(offers, copied.config())] == ["taken", "left"]
    assert json.loads((copied.root / "evidence" / name).read_bytes())["predicate"]["place"]["gpu"] == "H200"
    assert copied.record().read_bytes() == first  # what ran on a processor lies beside it
    found = into_series(points_of(one for one in store.verified(store.entries()) if isinstance(one, Facts)))
    assert [series.latest.host.rpartition(", ")[2] for series in found] == kinds


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True)


@pytest.fixture
def scattered(copied: Project, restamp: Restamp, tmp_path: Path) -> Project:
    """A project with a run in each source, and one that is in all."""
    first = copied.record().read_bytes()

    def version(second: int) -> bytes:
        return restamp(first, {"run.started_at": f"2030-01-01T00:00:{second:02}+00:00"})

    everywhere = version(0)
    path = copied.record()
    git(copied.root, "init", "-q")
    for data in (version(1), everywhere):
        path.write_bytes(data)
        git(copied.root, "add", "-A")
        git(copied.root, "commit", "-q", "-m", "x")
    toml = copied.root / "pv.toml"
    settings_ = f'[store]\nurl = "file://{tmp_path}/store"\n'
    toml.write_text(settings_ + toml.read_text("utf-8"), encoding="utf-8")
    store = Store(f"file://{tmp_path}/store")
    for data in (version(2), everywhere):
        store.push(Carried(NAME, data, {}))
    path.write_bytes(version(3))
    ledger = open_ledger(None, copied.config())
    ledger.enter(gather(("small-v1", ID), copied.config(), ["folder"]).facts)
    path.write_bytes(everywhere)
    return copied


def test_a_run_that_is_in_several_sources_is_one(scattered: Project) -> None:
    config = scattered.config()
    assert configured(config) == list(SOURCES) == ["ledger", "folder", "git", "store"]
    live = [point for point in points(ADDRESS, config) if point.level == "live"]
    assert [point.at[17:19] for point in live] == ["00", "01", "02", "03"]
    assert len({point.digest for point in live}) == 4
    for source, seconds in {
        "ledger": ["03"],
        "folder": ["00"],
        "git": ["00", "01"],
        "store": ["00", "02"],
    }.items():
        found = [point for point in points(ADDRESS, config, [source]) if point.level == "live"]
        assert [point.at[17:19] for point in found] == seconds, source


def test_what_does_not_verify_is_left_out_and_told(scattered: Project) -> None:
    path = scattered.record()
    path.write_bytes(path.read_bytes().replace(b'"seed": 0', b'"seed": 1'))
    found = gather(("small-v1", ID), scattered.config(), ["folder"])
    (refused,) = found.refused
    assert refused.name == NAME
    assert refused.why == "section run was altered after it was sealed"
    assert [one.level for one in found.facts] == ["algorithm"]


def test_what_was_never_run_has_no_points(scattered: Project) -> None:
    assert points("small-v1#FALSIFY-SMALL-002", scattered.config()) == []
    with pytest.raises(SelectionError, match="is no address"):
        points(ID, scattered.config())


def test_without_settings_the_folder_and_git_are_read(copied: Project) -> None:
    assert configured(copied.config()) == ["folder", "git"]
    found = points(ADDRESS, copied.config())
    assert {(point.level, point.outcome) for point in found} == {("algorithm", "Pass"), ("live", "Pass")}
    assert len(found) == 2
    assert all(isinstance(point, Point) and point.value is not None for point in found)
