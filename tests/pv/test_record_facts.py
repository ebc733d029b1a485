from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pv.check import Metric
from pv.errors import EvidenceError
from pv.evidence import parse_record
from pv.expression import measurements_from_json
from pv.record_facts import Facts, Refused, facts_of, host_class
from pv.verdict import judge

if TYPE_CHECKING:
    from tests.pv.conftest import Project

Restamp = Callable[[bytes, Mapping[str, Any]], bytes]
NAME = Path("evidence/small-v1/FALSIFY-SMALL-001/live-shipped-cpu.json")
METRICS = {name: Metric(name, unit="ms" if name == "time" else "1") for name in ("time", "x", "y")}


def facts(data: bytes) -> Facts:
    return facts_of(parse_record(NAME, data, lambda _name: None), "0" * 64)


def judged(data: bytes, restamp: Restamp, rule: list[str], **values: list[float]) -> Facts:
    """Return the facts of a record whose rule and measurements are these."""
    measurements = measurements_from_json({name: {"values": series} for name, series in values.items()})
    return facts(restamp(data, {"verdict": judge(rule, measurements, METRICS).to_json()}))


def test_the_facts_are_what_the_record_says(discharged: Project) -> None:
    found = facts(discharged.record().read_bytes())
    predicate = json.loads(discharged.record().read_bytes())["predicate"]
    assert found.address == "small-v1#FALSIFY-SMALL-001"
    assert (found.level, found.subject, found.device, found.run) == ("live", "shipped", "cpu", "")
    assert (found.outcome, found.commit, found.dirty) == ("Pass", "", False)
    assert found.started_at == predicate["run"]["started_at"]
    assert found.clause == predicate["inputs"]["clause"]
    assert found.series == ("live", "shipped", "cpu", found.host)
    assert found.decisive == "max(distance)"
    (compared,) = (one for one in found.compared if one.measured == "max(distance)")
    assert compared.value == max(predicate["measurements"]["distance"]["values"])
    assert compared.margin == 0.25 - compared.value
    assert compared.relative == compared.margin / 0.25


@pytest.mark.parametrize(
    ("rule", "values", "measured", "value", "relative"),
    [
        (["min(x) >= 2"], {"x": [3.0, 4.0]}, "min(x)", 3.0, 0.5),
        (["2 <= min(x)"], {"x": [3.0, 4.0]}, "min(x)", 3.0, 0.5),
        (["max(x) - min(x) < 4"], {"x": [1.0, 4.0]}, "max(x) - min(x)", 3.0, 0.25),
        (["all(x >= 2)"], {"x": [3.0, 4.0]}, "all(x)", 3.0, 0.5),
        (["min(x) >= 2", "max(y) <= 10"], {"x": [3.0], "y": [9.5]}, "max(y)", 9.5, 0.05),
        (["min(x) >= 2", "max(y) <= 10"], {"x": [2.1], "y": [5.0]}, "min(x)", 2.1, pytest.approx(0.05)),
        (["sum(x) == 0"], {"x": [0.0, 5.0]}, "sum(x)", 5.0, None),
        (["max(x) <= max(y)"], {"x": [3.0], "y": [4.0]}, "max(x) <= max(y)", 1.0, None),
        (["max(time) <= 40"], {"time": [30.0]}, "max(time)", 30.0, 0.25),
        (["max(x) <= 1 or min(x) >= 2"], {"x": [3.0]}, "", None, None),
    ],
)
def test_the_decisive_measurement_is_the_one_nearest_to_its_threshold(
    discharged: Project,
    restamp: Restamp,
    rule: list[str],
    values: dict[str, list[float]],
    measured: str,
    value: float | None,
    relative: Any,
) -> None:
    found = judged(discharged.record().read_bytes(), restamp, rule, **values)
    assert found.decisive == measured
    if value is not None:
        (compared,) = (one for one in found.compared if one.measured == measured)
        assert compared.value == value
        assert compared.relative == relative
        assert compared.unit == ("ms" if "time" in measured else None if "-" in measured else "1")


def test_what_could_not_be_judged_has_no_measurement(discharged: Project, restamp: Restamp) -> None:
    found = judged(discharged.record().read_bytes(), restamp, ["min(x) >= 2"], y=[1.0])
    assert (found.outcome, found.decisive, found.compared) == ("Fail", "", ())


HOST = {
    "class": "linux-x86_64",
    "cpu": "A",
    "cores": 8,
    "gpus": [
        {"name": "H100", "capability": "9.0"},
        {"name": "T4", "capability": "7.5"},
        {"name": "H200", "capability": "9.0"},
    ],
}


def test_the_class_of_a_host_is_told_without_its_name() -> None:
    cpu = {"device": "cpu", "capability": None}
    gpu = {"device": "cuda-sm90", "capability": "9.0"}
    assert host_class(HOST, cpu) == "linux-x86_64, A, 8 cores"
    assert host_class(HOST, gpu) == "linux-x86_64, A, 8 cores, H100 or H200"
    assert host_class(HOST, {**gpu, "gpu": "H200"}) == "linux-x86_64, A, 8 cores, H200"
    assert host_class({**HOST, "gpus": []}, gpu) == "linux-x86_64, A, 8 cores, cuda-sm90"
    others = [{**HOST, "cpu": "B"}, {**HOST, "cores": 4}, {**HOST, "class": "linux-aarch64"}]
    assert len({host_class(host, cpu) for host in [HOST, *others]}) == 4


@pytest.mark.parametrize(
    "changes",
    [
        {"run.started_at": "yesterday"},
        {"run.started_at": "2026-01-01T00:00:00"},
        {"run.started_at": 7},
        {"run": None},
        {"verdict": {"outcome": "Pass"}},
        {"host": {}},
        {"inputs.clause": []},
    ],
)
def test_what_has_not_the_shape_of_a_record_is_an_error(
    discharged: Project, restamp: Restamp, changes: Mapping[str, Any]
) -> None:
    data = discharged.record().read_bytes()
    if next(iter(changes)) == "inputs.clause":
        whole = json.loads(data)
        del whole["predicate"]["inputs"]["clause"]
        data = json.dumps(whole).encode()
    else:
        data = restamp(data, changes)
    with pytest.raises(EvidenceError, match="has not the shape of a record"):
        facts(data)


def test_the_digest_of_the_inputs_changes_with_each_of_them(discharged: Project, restamp: Restamp) -> None:
    data = discharged.record().read_bytes()
    first = facts(data)
    for changes in ({"inputs.semantics": 9}, {"inputs.artefacts": {"numbers": "1"}}, {"inputs.check": "2"}):
        assert facts(restamp(data, changes)).inputs != first.inputs
    assert facts(restamp(data, {"host.cpu": "another"})).inputs == first.inputs
    assert dataclasses.replace(first, digest="1") != first


def test_an_error_that_names_its_record_names_it_once() -> None:
    assert Refused.of("a/b", EvidenceError("a/b: it is broken")) == Refused("a/b", "it is broken")
    assert Refused.of("a/b", EvidenceError("a/b cannot be read")) == Refused("a/b", "cannot be read")
    assert Refused.of("a/b", EvidenceError("the store is gone")) == Refused("a/b", "the store is gone")
