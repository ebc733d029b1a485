from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pv.claims import unsupported_claims
from pv.contract import load_contract
from pv.exits import Exit
from pv.project import Project as Surroundings
from pv.rules.status_unknown import status_unknown

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ID = "FALSIFY-SMALL-001"
PATH = "contracts/small-v1.yaml"


def claim(project: Project, word: str) -> str:
    """Claim a status; return the place of the word as ``path:line:column``."""
    project.edit(PATH, "  ship_blocking: true", f"  discharge_status: {word}\n  ship_blocking: true")
    lines = (project.root / PATH).read_text(encoding="utf-8").splitlines()
    line = next(number for number, text in enumerate(lines, 1) if "discharge_status" in text)
    return f"{PATH}:{line}:{lines[line - 1].index(word) + 1}"


def test_a_claim_that_evidence_bears_out_is_valid(copied: Project) -> None:
    claim(copied, "DISCHARGED")
    ended = copied.pv("validate", PATH)
    assert ended.code == Exit.ACCEPTED
    assert ended.out == "\n0 error(s), 0 warning(s)\nContract is valid.\n"


def test_a_claim_whose_evidence_is_deleted_is_an_error_at_its_place(copied: Project) -> None:
    where = claim(copied, "DISCHARGED")
    shutil.rmtree(copied.root / "evidence")
    ended = copied.pv("validate", PATH)
    assert ended.code == Exit.REJECTED
    assert f"{where}: error[PV-STATUS-001]: {ID} claims DISCHARGED, evidence supports UNBOUND" in ended.out
    assert f"Run `pv discharge small-v1#{ID}`" in ended.out


def test_a_claim_whose_evidence_went_stale_is_a_warning(copied: Project) -> None:
    copied.edit("small_checks/scale.py", "1.0", "2.0 - 1.0")
    where = claim(copied, "DISCHARGED")
    ended = copied.pv("validate", PATH)
    assert ended.code == Exit.ACCEPTED
    assert (
        f"{where}: warning[PV-STATUS-002]: {ID} claims DISCHARGED, but its evidence is stale: " in ended.out
    )
    assert "scale.py changed" in ended.out


def test_stale_evidence_for_less_is_no_excuse(project: Project) -> None:
    project.pv("discharge", ID, "--level", "functional")
    project.edit("small_checks/scale.py", "1.0", "2.0 - 1.0")
    where = claim(project, "DISCHARGED")
    ended = project.pv("validate", PATH)
    assert ended.code == Exit.REJECTED
    assert f"{where}: error[PV-STATUS-001]" in ended.out


@pytest.mark.parametrize("level", ["algorithm", "functional"])
def test_a_claim_above_the_level_reached_is_an_error(project: Project, level: str) -> None:
    project.pv("discharge", ID, "--level", level)
    claim(project, "DISCHARGED")
    assert "error[PV-STATUS-001]" in project.pv("validate", PATH).out


@pytest.mark.parametrize("word", ["DONE", "discharged", "D\u0406SCHARGED"])
def test_a_word_that_is_no_status_is_an_error(copied: Project, word: str) -> None:
    where = claim(copied, word)
    ended = copied.pv("validate", PATH)
    assert ended.code == Exit.REJECTED
    assert f"{where}: error[PV-STATUS-003]: {word!r} is no status" in ended.out


def test_in_a_contract_that_uses_none_of_our_fields_it_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "theirs-v1.yaml"
    path.write_text(
        'metadata: {version: "1", description: x, references: [y], kind: pattern}\n'
        "falsification_tests:\n"
        "- {id: A, rule: r, prediction: p, if_fails: f, discharge_status: ACTIVE_WITH_LIVE_EVIDENCE}\n",
        encoding="utf-8",
    )
    contract = load_contract(path)
    surroundings = Surroundings(tmp_path)
    (finding,) = status_unknown.check(contract, surroundings)
    assert [claim.kind for claim in unsupported_claims(contract, surroundings, "unknown")] == ["unknown"]
    assert (finding.code, finding.severity, finding.where.line) == ("PV-STATUS-003", "warning", 3)


@pytest.mark.parametrize("word", ["REFUTED", "EXCLUDED"])
def test_another_kind_of_end_is_not_borne_out(copied: Project, word: str) -> None:
    claim(copied, word)
    assert "error[PV-STATUS-001]" in copied.pv("validate", PATH).out


def test_an_excluded_falsifier_discharges_nothing(copied: Project) -> None:
    copied.contract(excluded="a rule about meetings")
    claim(copied, "DISCHARGED")
    assert "error[PV-STATUS-001]" in copied.pv("validate", PATH).out


def test_contracts_of_another_tool_are_only_warned(project: Project) -> None:
    project.contract(check=None, expect=None, subjects=None, counter_examples=None, needs=None)
    claim(project, "DISCHARGED")
    ended = project.pv("validate", PATH)
    assert ended.code == Exit.ACCEPTED
    assert "warning[PV-STATUS-001]" in ended.out
