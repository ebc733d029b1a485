from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import pv.recorded
from pv.check import Metric
from pv.enough import enough_of, is_cited
from pv.exits import Exit

if TYPE_CHECKING:
    from tests.pv.conftest import Project

METRICS = {"error": Metric("error", low=0.0)}
STRICT, LAX = ("max(error) <= 0.1",), ("max(error) <= 1", "count(error) == 9")
GATE: dict[str, Any] = {
    "id": "GATE-SMALL-001",
    "rule": "The numbers are whole",
    "prediction": "none lies far from a whole one",
    "if_fails": "do not ship",
    "basis": {"whole": {"falsifier": "FALSIFY-SMALL-001", "metric": "distance"}},
    "expect": ["max(whole) <= 0.25"],
    "counter_examples": ["whole.one_half"],
}
SLOWLY: dict[str, Any] = {
    "id": "FALSIFY-SMALL-001",
    "rule": "The numbers are nearly whole",
    "prediction": "none lies further than a quarter from a whole one",
    "if_fails": "they were scaled",
    "check": "small_checks.slowly:slowly",
    "subjects": {"functional": {"numbers": "stand-in"}},
    "expect": ["max(distance) <= 0.25"],
}
SLOW_CHECK = """
from pv.check import Metric, Run, check
import time

@check(metrics=[Metric("distance", low=0.0, high=0.5)])
def slowly(run: Run, *, numbers: list[float]) -> None:
    damaged = numbers[-1] == 0.5  # only then is there a run to cut short
    for index, number in enumerate([*reversed(numbers), 1.0, 2.0]):
        run.record("distance", abs(number - round(number)), label=str(index))
        time.sleep(0.6 if damaged else 0)

@slowly.counter_example("one_half", of="numbers")
def one_half(numbers: list[float]) -> list[float]:
    return [*numbers[:-1], 0.5]
"""


def never() -> bool:
    return False


def test_a_run_goes_on_until_the_rule_of_every_level_has_failed() -> None:
    samples = {"error": ((0.5, None),)}
    assert enough_of([STRICT], METRICS, never)(samples)
    assert not enough_of([STRICT, LAX], METRICS, never)(samples)
    assert enough_of([STRICT, LAX], METRICS, never)({"error": ((0.5, None), (2.0, None))})


def test_a_run_that_somebody_needs_whole_goes_on_and_that_is_asked_once() -> None:
    asked = []

    def needed() -> bool:
        asked.append(True)
        return True

    enough = enough_of([STRICT], METRICS, needed)
    assert not asked
    samples = {"error": ((0.5, None),)}
    assert not enough(samples)
    assert not enough(samples)
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("named", "cited"),
    [
        ("FALSIFY-SMALL-001", True),
        ("small-v1#FALSIFY-SMALL-001", True),
        ("FALSIFY-ALSO-001", True),
        ("other-v1#FALSIFY-SMALL-001", False),
        ("FALSIFY-SMALL-002", False),
    ],
)
def test_a_gate_of_any_contract_cites_it(project: Project, named: str, cited: bool) -> None:
    project.contract(SLOWLY | {"aliases": ["FALSIFY-ALSO-001"]})
    project.contract(GATE | {"basis": {"whole": {"falsifier": named, "metric": "distance"}}}, stem="gates-v1")
    contract = project.load()
    assert is_cited(contract, contract.falsifiers[0], project.config()) is cited


def test_where_the_project_cannot_be_read_a_gate_may_cite_it(project: Project) -> None:
    contract = project.load()
    (project.root / "contracts" / "broken-v1.yaml").write_text("metadata: [\n", encoding="utf-8")
    assert is_cited(contract, contract.falsifiers[0], project.config())


@pytest.mark.parametrize("cited", [False, True])
def test_what_a_gate_cites_is_measured_whole_however_long_it_takes(
    project: Project, monkeypatch: pytest.MonkeyPatch, cited: bool
) -> None:
    monkeypatch.setattr(pv.recorded, "_FIRST_SECONDS", 0.0)
    (project.root / "small_checks" / "slowly.py").write_text(SLOW_CHECK, encoding="utf-8")
    project.contract(SLOWLY, *([GATE] if cited else []))
    ended = project.pv("discharge", "FALSIFY-SMALL-001")
    assert ended.code == Exit.ACCEPTED, ended.said
    shown = json.loads(project.record("algorithm").read_bytes())["predicate"]["counter_examples"]["one_half"]
    assert shown.get("whole", True) is cited
    assert (len(shown["measurements"]["distance"]["values"]) == 5) is cited
    if cited:
        assert project.pv("discharge", "GATE-SMALL-001").code == Exit.ACCEPTED


def test_a_gate_that_came_later_asks_for_the_whole_run(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pv.recorded, "_FIRST_SECONDS", 0.0)
    (project.root / "small_checks" / "slowly.py").write_text(SLOW_CHECK, encoding="utf-8")
    project.contract(SLOWLY)
    assert project.pv("discharge", "FALSIFY-SMALL-001").code == Exit.ACCEPTED
    project.contract(SLOWLY, GATE)
    ended = project.pv("discharge", "GATE-SMALL-001")
    assert ended.code == Exit.DECLINED, ended.said
    assert "its counter-example one_half was cut short" in ended.said
    assert "pv discharge --force small-v1#FALSIFY-SMALL-001" in ended.said
    status, reason = project.status("GATE-SMALL-001")
    assert status == "UNBOUND"
    assert "cut short" in reason
    assert project.pv("discharge", "--force", "FALSIFY-SMALL-001").code == Exit.ACCEPTED
    assert project.pv("discharge", "GATE-SMALL-001").code == Exit.ACCEPTED


def test_what_an_investigation_rests_on_is_measured_whole(project: Project) -> None:
    contract = project.load()
    falsifier = contract.falsifiers[0]
    assert not is_cited(contract, falsifier, project.config())
    path = project.root / "findings" / "one.md"
    path.parent.mkdir()
    front = {
        "id": "FINDING-1",
        "title": "Numbers were taken for whole ones",
        "date": "2026-11-20",
        "status": "standing",
        "falsifiers": [f"small-v1#{falsifier.id}"],
        "evidence": [f"small-v1#{falsifier.id}"],
        "interpretation": "They are.",
    }
    path.write_text(f"---\n{yaml.safe_dump(front, sort_keys=False)}---\ntext\n", encoding="utf-8")
    assert is_cited(contract, falsifier, project.config())
