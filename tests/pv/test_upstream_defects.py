"""Ten defects of the tool that this one follows, each made impossible here, or named by a rule.

The numbers are those of the list that this project started from; each test's docstring says what happened.
"""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from pv import freshness, semantics
from pv.evidence import seal
from pv.exits import Exit

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"
ROOT = Path(__file__).parents[2]

RUST: dict[str, Any] = {
    "metadata": {"version": "1.0.0", "description": "softmax", "references": ["a paper"]},
    "equations": {"softmax": {"formula": "exp(x) / sum(exp(x))"}},
    "proof_obligations": [{"type": "invariant", "property": "The result sums to one"}],
    "falsification_tests": [
        {
            "id": "FALSIFY-SM-001",
            "rule": "Sum",
            "prediction": "sum == 1",
            "if_fails": "wrong",
            "test": "prose",
        }
    ],
    "kani_harnesses": [{"id": "KANI-SM-001", "obligation": "SM-INV-001", "bound": 4}],
    "qa_gate": {"id": "F-SM-001", "name": "softmax"},
}
"""A contract as the Rust tool's authors write it; it says "0 error(s)" there."""


def written(folder: Path, contract: dict[str, Any], name: str = "softmax-v1.yaml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(yaml.safe_dump(contract, sort_keys=False), encoding="utf-8")
    return path


def found(project: Project, path: Path) -> dict[str, list[str]]:
    """Return what `pv validate` says of `path`: code → messages."""
    ended = project.pv("validate", path, "--format", "json")
    said: dict[str, list[str]] = {}
    for finding in ended.json["findings"]:
        said.setdefault(finding["code"], []).append(finding["message"])
    return said


def rust(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(RUST), **changes}


def test_01_a_prose_test_binds_to_nothing(project: Project) -> None:
    """A cited test was replaced by a name that nothing has, and the gate still passed."""
    path = written(project.root / "contracts", rust())
    assert project.status("FALSIFY-SM-001") == ("UNBOUND", "no check is bound to it")
    assert project.pv("discharge", "FALSIFY-SM-001").code == Exit.DECLINED
    named = rust()
    named["falsification_tests"][0]["test"] = "small_checks/wholeness.py::THIS_TEST_DOES_NOT_EXIST"
    written(project.root / "contracts", named)
    assert "PV-REF-001" in found(project, path)
    named["falsification_tests"][0]["test"] = "small_checks/wholeness.py::wholeness"
    written(project.root / "contracts", named)
    assert "PV-REF-001" not in found(project, path)
    # That the function is there still binds nothing to it.
    assert project.status("FALSIFY-SM-001")[0] == "UNBOUND"


@pytest.mark.parametrize(
    ("reference", "missing"),
    [
        ("tests/test_gone.py::test_x", "tests/test_gone.py"),
        ("small_checks/wholeness.py::test_gone", "test_gone"),
        ("small_checks/gone.py", "small_checks/gone.py"),
    ],
)
def test_02_a_reference_to_a_test_that_is_not_there_is_an_error(
    project: Project, reference: str, missing: str
) -> None:
    """Of 105 references to tests, 85 named functions that nobody had written."""
    path = project.contract(test=reference)
    (message,) = found(project, path)["PV-REF-001"]
    assert missing in message
    assert project.pv("validate", path).code == Exit.REJECTED


def test_03_an_obligation_without_a_name_is_covered_by_nothing(project: Project) -> None:
    """In 160 of 160 harnesses the obligation resolved to nothing, and the level was granted all the same."""
    path = written(project.root / "contracts", rust())
    assert "PV-HARNESS-001" in found(project, path)
    whole = yaml.safe_load(project.contract().read_text(encoding="utf-8"))
    for obligations, covers, code in (
        ([{"property": "nameless"}], [], "PV-COVER-001"),
        ([{"id": "SMALL-1", "property": "named"}], [], "PV-COVER-001"),
        ([{"id": "SMALL-1", "property": "named"}], ["SMALL-1", "SMALL-2"], "PV-COVER-002"),
    ):
        clause = {**whole["falsification_tests"][0], "covers": covers}
        changed = {**whole, "proof_obligations": obligations, "falsification_tests": [clause]}
        path = written(project.root / "contracts", changed, "small-v1.yaml")
        assert code in found(project, path)
        assert project.pv("validate", path).code == Exit.REJECTED


def test_04_a_test_that_did_not_run_earns_no_level(project: Project) -> None:
    """Ignored and empty tests counted; so did the mere number of tests: 3,573 ticks became 86."""
    tests = project.root / "tests"
    tests.mkdir()
    (tests / "test_small.py").write_text(
        "import pytest\n\n@pytest.mark.skip(reason='later')\ndef test_sum():\n    assert False\n",
        encoding="utf-8",
    )
    project.contract(
        check=None,
        subjects=None,
        pytest="tests/test_small.py::test_sum",
        expect=["min(passed) == 1"],
        counter_examples={"other": {"environment": {"SMALL": "1"}}},
        covers=["SMALL-1"],
    )
    ended = project.pv("discharge", ID)
    assert ended.code == Exit.DECLINED
    assert "later" in ended.said
    assert project.evidence() == {}
    assert project.status()[0] == "UNBOUND"


def test_05_a_declared_status_is_not_a_discharge(project: Project) -> None:
    """Of 639 cited theorems 8 resolved, and the gate passed, for its threshold was 0.00."""
    path = project.contract(discharge_status="DISCHARGED")
    (message,) = found(project, path)["PV-STATUS-001"]
    assert "claims DISCHARGED, evidence supports UNBOUND" in message
    assert project.pv("validate", path).code == Exit.REJECTED
    assert project.pv("discharge", ID).code == Exit.ACCEPTED
    assert project.pv("validate", path).code == Exit.ACCEPTED


def test_06_nothing_that_was_written_is_dropped_in_silence(project: Project) -> None:
    """`falsification:` in 397 contracts and `kind:` in 119 were read by nothing, a ship-blocking gate too."""
    tests = RUST["falsification_tests"]
    for contract, code in (
        (rust(falsification=tests), "PV-DROPPED-001"),
        (rust(gates=[{"id": "GATE-1", "ship_blocking": True}]), "PV-DROPPED-001"),
        (rust(kind="kernel"), "SCHEMA-018"),
        (rust(**{"falsification-tests": tests}), "SCHEMA-019"),
    ):
        path = written(project.root / "contracts", contract)
        ended = project.pv("validate", path)
        assert f"[{code}]" in ended.out, ended.said
        assert f"{path}:" in ended.out


def test_07_hand_typed_counts_are_compared_with_what_is_there(project: Project) -> None:
    """A contract of eight obligations said that nine were proved."""
    summary = {"total_obligations": 8, "l3_kani_proved": 9}
    path = written(project.root / "contracts", rust(verification_summary=summary))
    said = found(project, path)
    assert (len(said["SCHEMA-024"]), len(said["PV-COUNT-001"])) == (1, 1)
    path = written(project.root / "contracts", rust(verification_summary={"total_obligations": 1}))
    assert not {"SCHEMA-024", "PV-COUNT-001"} & found(project, path).keys()


@pytest.mark.parametrize(
    "command",
    [["validate", "empty"], ["coverage", "empty"], ["graph", "empty"], ["sync", "empty"], ["status"]],
)
def test_08_nothing_is_never_green(project: Project, command: list[str]) -> None:
    """`coverage` of an empty folder printed 100.0 % and exited with 0."""
    (project.root / "empty").mkdir()
    if command == ["status"]:
        (project.root / "contracts" / "small-v1.yaml").unlink()
    ended = project.pv(*command)
    assert ended.code == Exit.USAGE, ended.said
    assert "100" not in ended.out


def test_09_a_threshold_that_is_tested_without_the_model_discharges_nothing(project: Project) -> None:
    """A function ``x >= 30.0`` was tested on made-up numbers; the model was never run."""
    # The check looks at no subject, so no damage of one can be noticed.
    source = project.root / "small_checks" / "wholeness.py"
    text = source.read_text(encoding="utf-8")
    source.write_text(text.replace("distance(number)", "distance(2.0)"), encoding="utf-8")
    project.contract(counter_examples=["one_half"])
    ended = project.pv("discharge", ID)
    assert ended.code == Exit.REJECTED
    assert "NOT CAUGHT  one_half" in ended.out
    assert project.status()[0] == "VACUOUS"


def test_09_a_contract_that_contradicts_its_own_falsifiers_is_told_so(project: Project) -> None:
    """A contract was PROPOSED at its top while one of its gates was live, and ACTIVE elsewhere."""
    whole = yaml.safe_load(project.contract().read_text(encoding="utf-8"))
    whole["metadata"]["status"] = "DISCHARGED"
    path = written(project.root / "contracts", whole, "small-v1.yaml")
    (message,) = found(project, path)["PV-STATE-001"]
    assert "DISCHARGED" in message
    assert "UNBOUND" in message


def test_10_stale_reads_otherwise_than_forged(copied: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two versions of the tool gave opposite verdicts on one tree; freshness was a clock."""
    assert copied.status() == ("DISCHARGED", "judged live")
    monkeypatch.setattr(freshness, "SEMANTICS", semantics.SEMANTICS + 1)
    status, reason = copied.status()
    assert status == "STALE"
    assert f"the engine's semantics {semantics.SEMANTICS} → {semantics.SEMANTICS + 1}" in reason
    monkeypatch.undo()
    # Older than anything on this machine, it is as fresh as before: freshness is no clock.
    for path in (copied.root / "evidence").rglob("*.json"):
        os.utime(path, (0, 0))
    assert copied.status()[0] == "DISCHARGED"
    path = copied.record()
    whole = json.loads(path.read_bytes())
    whole["predicate"]["measurements"]["distance"]["values"][0] = 0.4
    whole["predicate"]["seal"] = seal(whole)
    path.write_text(json.dumps(whole), encoding="utf-8")
    status, reason = copied.status()
    assert status == "UNBOUND"
    assert "section verdict does not follow from the measurements" in reason


def test_10_a_record_says_which_tool_measured_what_on_what(discharged: Project) -> None:
    """An 18-fold "bug" was two sample sizes; evidence named neither the tool nor what it had read."""
    predicate = json.loads(discharged.record().read_bytes())["predicate"]
    assert predicate["engine"]["version"]
    assert predicate["subjects"]["numbers"]["sha256"]
    assert predicate["inputs"]["modules"]["small_checks.wholeness"]["sha256"]
    # Two series of different lengths are never compared.
    program = (
        "from pv.expression import series_of; from pv.verdict import judge; from pv.check import Metric;"
        "a = series_of([(1.0, 'x'), (2.0, 'y')]); b = series_of([(1.0, 'x')]);"
        "print(judge(['all(a == b)'], {'a': a, 'b': b}, {n: Metric(n) for n in 'ab'}).reasons[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "2" in done.stdout
    assert "1" in done.stdout
