from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pv.evidence import superseded
from pv.project import Project as Surroundings
from pv.rules.version_bump import version_bump

if TYPE_CHECKING:
    from tests.pv.conftest import Project

PATH = "contracts/small-v1.yaml"


def messages(project: Project) -> list[str]:
    contract = project.load()
    return [finding.message for finding in version_bump.check(contract, Surroundings(project.root))]


def alter(project: Project, level: str, **changes: Any) -> None:
    path = project.record(level)
    document = json.loads(path.read_text(encoding="utf-8"))
    for section, values in changes.items():
        if isinstance(values, dict):
            document["predicate"][section] |= values
        else:
            document["predicate"][section] = values
    path.write_text(json.dumps(document), encoding="utf-8")


def test_what_is_as_recorded_is_no_change(copied: Project) -> None:
    assert messages(copied) == []
    copied.edit(PATH, "  ship_blocking: true", "  discharge_status: DISCHARGED\n  ship_blocking: true")
    assert messages(copied) == []


def test_a_changed_clause_needs_another_version(copied: Project) -> None:
    copied.edit(PATH, "0.25", "0.3")
    (message,) = messages(copied)
    assert "FALSIFY-SMALL-001: its clause was " in message
    assert message.endswith("both under version 1.0.0")
    copied.edit(PATH, "1.0.0", "1.0.1")
    assert messages(copied) == []


def test_discharging_again_does_not_make_it_unsaid(copied: Project) -> None:
    copied.edit(PATH, "0.25", "0.3")
    for _ in range(2):
        assert copied.pv("discharge", "FALSIFY-SMALL-001", "--force").code == 0
        assert len(messages(copied)) == 1
    copied.edit(PATH, "1.0.0", "1.0.1")
    assert messages(copied) == []


@pytest.mark.parametrize(
    "changes", [{"schema_version": 1}, {"inputs": {"semantics": 0}}, {"inputs": None}, {"falsifier": 3}]
)
def test_what_another_engine_recorded_cannot_be_compared(copied: Project, changes: dict[str, Any]) -> None:
    copied.edit(PATH, "0.25", "0.3")
    for level in ("algorithm", "live"):
        assert superseded(copied.record(level), "another clause") is not None
        alter(copied, level, **changes)
        assert superseded(copied.record(level), "another clause") is None
    assert messages(copied) == []
