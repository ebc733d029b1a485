"""A part of a record, drawn after it was fixed, is measured again; a lie is found where it is drawn."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pv.commitment import Leaf, Opening
from pv.evidence import write_record
from pv.survival import survival

if TYPE_CHECKING:
    from tests.pv.conftest import Project

APART = {
    "check": "small_checks.apart:apart",
    "expect": ["max(distance) <= 0.25", "count(distance) == expected"],
    "counter_examples": ["one_half"],
}


Edit = Callable[[dict[str, Any]], None]
Forge = Callable[[Path, Edit], None]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, discharged: Project) -> Project:
    made = type(discharged)(tmp_path_factory.mktemp("audited") / "project")
    made.contract(**APART)
    ended = made.pv("discharge", "FALSIFY-SMALL-001")
    assert ended.code == 0, ended.said
    return made


@pytest.fixture
def audited(original: Project, tmp_path: Path) -> Project:
    copy = type(original).__new__(type(original))
    copy.root = tmp_path / "copy"
    shutil.copytree(original.root, copy.root, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def stating(label: str, metric: str, value: Any) -> Edit:
    """Return what makes measurements state another value."""

    def edit(measurements: dict[str, Any]) -> None:
        series = measurements[metric]
        series["values"][series["labels"].index(label)] = value

    return edit


def test_what_was_drawn_agrees_and_the_risk_of_a_lie_is_stated(audited: Project) -> None:
    before = audited.evidence()
    ended = audited.pv("evidence", "audit", audited.record(), "--challenge", "a", "--share", "0.5")
    assert ended.code == 0, ended.said
    assert ended.out.startswith("AGREES  small-v1#FALSIFY-SMALL-001 at live level, recorded on cpu")
    assert "drawn       2 of 4 labels" in ended.out
    assert ended.out.count("  agrees      number ") == 2
    assert f"a lie about 1 label(s), 25 %, with probability {survival(4, 1, 2):.3g}" in ended.out
    assert audited.evidence() == before


def test_only_what_was_drawn_is_measured_again(audited: Project) -> None:
    ended = audited.pv("evidence", "audit", audited.record(), "--challenge", "a", "--format", "json")
    assert ended.code == 0, ended.said
    shown = ended.json
    (drawn,) = shown["drawn"]  # a share of 0.01 is one of four
    committed = json.loads(audited.record().read_bytes())["predicate"]["commitment"]
    assert (shown["root"], shown["leaves"]) == (committed["root"], committed["leaves"]) == (shown["root"], 5)
    leaf = Leaf(drawn["label"], {name: tuple(values) for name, values in drawn["samples"].items()})
    assert Opening(drawn["index"], leaf, tuple(drawn["path"])).leads_to(shown["root"], shown["leaves"])
    assert shown["survival"] == {"1": 0.75, "2": 0.5, "4": 0.0}


@pytest.mark.parametrize(
    ("label", "metric", "value"),
    [("number 1", "distance", 0.125), ("number 2", "distance", 0.0), ("number 3", "parity", "odd")],
)
def test_a_lie_is_found_where_it_is_drawn_and_only_there(
    audited: Project, forge: Forge, label: str, metric: str, value: Any
) -> None:
    path = audited.record()
    forge(path, stating(label, metric, value))
    assert audited.pv("evidence", "verify", path).code == 0  # as far as the record tells, it may be so
    found = 0
    for trial in range(6):
        ended = audited.pv("evidence", "audit", path, "--challenge", f"{trial}", "--share", "0.5", "--json")
        drawn = [each["label"] for each in ended.json["drawn"]]
        wrong = [(each["label"], each["metric"]) for each in ended.json["disagreements"]]
        assert wrong == ([(label, metric)] if label in drawn else [])
        assert ended.code == (1 if wrong else 0)
        found += bool(wrong)
    assert 0 < found < 6
    ended = audited.pv("evidence", "audit", path, "--share", "1")
    assert ended.code == 1
    assert f"  DISAGREES   {label}: {metric} {value} recorded, " in ended.out


def test_a_lie_about_samples_that_are_not_there_is_found(audited: Project, forge: Forge) -> None:
    def longer(measurements: dict[str, Any]) -> None:
        for metric, value in (("distance", 0.0), ("parity", "even")):
            measurements[metric]["values"].append(value)
            measurements[metric]["labels"].append("number 4")
        for name in ("expected", "measured"):
            measurements[name]["values"] = [5]

    path = audited.record()
    forge(path, longer)
    ended = audited.pv("evidence", "audit", path, "--share", "1")
    assert ended.code == 1
    assert "DISAGREES   number 4: distance 0.0 recorded, nothing measured again" in ended.out


def test_a_difference_within_the_tolerance_is_none(audited: Project, forge: Forge) -> None:
    path = audited.record()
    forge(path, stating("number 2", "distance", 0.25 * (1 - 1e-5)))
    assert audited.pv("evidence", "audit", path, "--share", "1").code == 1
    assert audited.pv("evidence", "audit", path, "--share", "1", "--tolerance", "1e-4").code == 0


def test_a_commitment_that_is_not_that_of_the_measurements_does_not_verify(audited: Project) -> None:
    path = audited.record()
    predicate = json.loads(path.read_bytes())["predicate"]
    del predicate["seal"]
    predicate["commitment"]["root"] = "0" * 64
    write_record(path, predicate)
    ended = audited.pv("evidence", "verify", path)
    assert ended.code == 1
    assert "section commitment is not that of the measurements" in ended.err
    assert audited.pv("evidence", "audit", path).code == 1


def test_a_record_of_other_sources_or_without_commitment_is_refused(audited: Project) -> None:
    audited.edit("small_checks/apart.py", "measured = 0", "measured = 0 + 0")
    ended = audited.pv("evidence", "audit", audited.record())
    assert ended.code == 1
    assert "is not of this tree: small_checks/apart.py changed" in ended.err
    audited.edit("small_checks/apart.py", "measured = 0 + 0", "measured = 0")
    path = audited.record()
    predicate = json.loads(path.read_bytes())["predicate"]
    del predicate["seal"], predicate["commitment"]
    write_record(path, predicate)
    ended = audited.pv("evidence", "audit", path)
    assert ended.code == 1
    assert "commits to nothing that could be drawn" in ended.err


def test_a_check_that_measures_all_at_once_says_so(project: Project) -> None:
    assert project.pv("discharge", "FALSIFY-SMALL-001").code == 0
    ended = project.pv("evidence", "audit", project.record())
    assert ended.code == 4
    assert "iterates without a label, so that no part of it can be run alone" in ended.err


@pytest.mark.parametrize(
    "words", [["--share", "0"], ["--share", "1.5"], ["--tolerance", "-1"], ["--subject", "shipped"]]
)
def test_options_that_cannot_be_meant_are_refused(audited: Project, words: list[str]) -> None:
    ended = audited.pv("evidence", "audit", audited.record(), *words)
    assert ended.code == 2
    assert words[0] in ended.err
