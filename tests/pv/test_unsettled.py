from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from pv.contract import load_contract
from pv.unsettled import Unsettled, unsettled
from tests.pv.conftest import CLAUSE, Project

ID = "FALSIFY-SMALL-001"


def put_aside(project: Project) -> Path:
    """Return a copy of the contract as it stands."""
    path = project.root / "before" / "small-v1.yaml"
    path.parent.mkdir(exist_ok=True)
    shutil.copy(project.root / "contracts/small-v1.yaml", path)
    return path


def found(project: Project, before: Path) -> list[Unsettled]:
    after = project.root / "contracts/small-v1.yaml"
    pair = (load_contract(before), load_contract(after) if after.exists() else None)
    return [*unsettled([pair], project.config())]


def test_what_alters_no_clause_unsettles_nothing(copied: Project) -> None:
    before = put_aside(copied)
    copied.contract(covers=["A"], ship_blocking=None)
    assert found(copied, before) == []
    assert copied.status()[0] == "DISCHARGED"


def test_every_record_of_a_clause_that_changed_is_listed_and_its_status_is_stale(copied: Project) -> None:
    before = put_aside(copied)
    copied.contract(expect=["max(distance) <= 0.3", "count(distance) == expected"])
    records = sorted(path for path in copied.evidence() if path.endswith(".json"))
    assert [one.record for one in found(copied, before)] == [f"evidence/{name}" for name in records]
    assert {(one.address, one.why) for one in found(copied, before)} == {(f"small-v1#{ID}", "clause changed")}
    assert copied.status()[0] == "STALE"
    copied.contract()
    assert found(copied, before) == []
    assert copied.status()[0] == "DISCHARGED"


def test_a_falsifier_that_is_gone_leaves_its_records_without_a_claim(copied: Project) -> None:
    before = put_aside(copied)
    copied.contract(id="FALSIFY-SMALL-002")
    assert {one.why for one in found(copied, before)} == {"falsifier gone"}
    copied.contract(id="FALSIFY-SMALL-002", aliases=[ID])
    assert {one.why for one in found(copied, before)} == {"renamed"}
    (copied.root / "contracts/small-v1.yaml").unlink()
    assert {one.why for one in found(copied, before)} == {"falsifier gone"}


def test_a_record_that_was_stale_before_or_cannot_be_read_is_not_laid_to_the_change(copied: Project) -> None:
    copied.contract(expect=["max(distance) <= 0.3", "count(distance) == expected"])
    before = put_aside(copied)
    copied.contract(expect=["max(distance) <= 0.4", "count(distance) == expected"])
    assert found(copied, before) == []
    copied.contract()
    record = copied.record()
    record.write_text("[]", encoding="utf-8")
    before = put_aside(copied)
    copied.contract(expect=["max(distance) <= 0.4", "count(distance) == expected"])
    assert record.name not in {Path(one.record).name for one in found(copied, before)}


def test_a_gate_that_cites_such_a_record_is_unsettled_with_it(project: Project) -> None:
    gate = {
        "id": "GATE-SMALL-001",
        "rule": "the numbers are near enough",
        "prediction": "p",
        "if_fails": "f",
        "basis": {name: {"falsifier": f"small-v1#{ID}", "metric": name} for name in ("distance", "expected")},
        "expect": [*CLAUSE["expect"]],
    }
    path = project.contract(dict(CLAUSE), gate)
    assert project.pv("discharge", path).code == 0
    before = put_aside(project)
    document = yaml.safe_load(path.read_text())
    document["falsification_tests"][0]["expect"][0] = "max(distance) <= 0.26"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    told = {(one.address, one.why) for one in found(project, before)}
    assert told == {
        (f"small-v1#{ID}", "clause changed"),
        ("small-v1#GATE-SMALL-001", "rests on such a record"),
    }
    assert project.status("GATE-SMALL-001")[0] == "STALE"
