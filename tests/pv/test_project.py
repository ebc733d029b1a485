from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pv.contract import load_contract
from pv.errors import BindingError, ConfigError
from pv.project import Project as Surroundings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pv.conftest import Project

THEIRS = 'metadata: {version: "1", description: x}\nfalsification_tests: [{id: %s}]\n'


def test_a_check_is_parsed_once(project: Project) -> None:
    surroundings = Surroundings(project.root / "contracts")
    falsifier = project.load().falsifiers[0]
    before = surroundings.binding(falsifier)
    project.edit("small_checks/wholeness.py", '"one_half"', '"another"')
    assert surroundings.binding(falsifier) is before
    assert "another" in Surroundings(project.root).binding(falsifier).counter_examples
    project.contract(check="small_checks.gone:gone")
    with pytest.raises(BindingError):
        surroundings.binding(project.load().falsifiers[0])
    assert surroundings.binding_if_readable(project.load().falsifiers[0]) is None


def test_the_metrics_of_a_gate_are_those_that_it_cites(project: Project) -> None:
    clauses = [
        {**project.load().falsifiers[0].raw, "aliases": ["FALSIFY-OLD-001"]},
        {"id": "GATE-001", "basis": {"d": {"falsifier": "FALSIFY-OLD-001", "metric": "distance"}}},
        {"id": "GATE-002", "basis": {"d": {"falsifier": "FALSIFY-OLD-001", "metric": "gone"}}},
        {"id": "GATE-003", "basis": {"d": {"falsifier": "small-v1#FALSIFY-GONE-001", "metric": "distance"}}},
    ]
    project.contract(*clauses)
    surroundings = Surroundings(project.root)
    _, whole, *broken = project.load().falsifiers
    metrics = surroundings.metrics_if_readable(whole)
    assert metrics is not None
    assert (metrics["d"].name, metrics["d"].high) == ("d", 0.5)
    assert [surroundings.metrics_if_readable(gate) for gate in broken] == [None, None]


def test_nothing_is_read_until_it_is_asked_for(project: Project) -> None:
    (project.root / "pv.toml").write_text("[", encoding="utf-8")
    surroundings = Surroundings(project.root)
    assert surroundings.root == project.root.resolve()
    with pytest.raises(ConfigError):
        _ = surroundings.config


def test_the_root_is_that_of_the_configuration_or_of_git(tmp_path: Path) -> None:
    folder = tmp_path / "repository" / "contracts"
    folder.mkdir(parents=True)
    assert Surroundings(folder).root is None
    (tmp_path / "repository" / ".git").mkdir()
    assert Surroundings(folder).root == tmp_path / "repository"
    (folder / "pv.toml").touch()
    assert Surroundings(folder).root == folder


@pytest.mark.parametrize("spelling", ["FALSIFY-A-001", '"FALSIFY\\x2dA-001"', '"FALSIFY-\\\n  A-001"'])
def test_another_contract_is_found_however_it_spells_an_id(project: Project, spelling: str) -> None:
    folder = project.root / "contracts"
    (folder / "theirs-v1.yaml").write_text(THEIRS % spelling, encoding="utf-8")
    (folder / "far-v1.yaml").write_text(THEIRS % "FALSIFY-A-0010", encoding="utf-8")
    (folder / "broken-v1.yaml").write_text("FALSIFY-A-001: [", encoding="utf-8")
    surroundings = Surroundings(folder)
    named = list(surroundings.others_naming(project.load(), ["FALSIFY-A-001"]))
    assert [contract.stem for contract in named] == ["theirs-v1"]
    assert {c.stem for c in surroundings.contracts()} == {"small-v1", "theirs-v1", "far-v1"}


def test_what_was_read_is_not_read_again(project: Project) -> None:
    read = project.load()
    surroundings = Surroundings(project.root, [read])
    assert next(iter(surroundings.contracts())) is read


def test_without_a_configuration_only_what_was_named_is_known(tmp_path: Path) -> None:
    (tmp_path / "contracts").mkdir()
    for name in ("a-v1", "contracts/b-v1"):
        (tmp_path / f"{name}.yaml").write_text(THEIRS % "A", encoding="utf-8")
    read = load_contract(tmp_path / "a-v1.yaml")
    assert list(Surroundings(tmp_path, [read]).contracts()) == [read]


def test_another_artefact_is_no_contract_and_a_misshapen_one_is(project: Project) -> None:
    folder = project.root / "contracts"
    (folder / "binding.yaml").write_text("bindings: []\ntarget_crate: x\n", encoding="utf-8")
    (folder / "broken.yaml").write_text("metadata: 3\n", encoding="utf-8")
    surroundings = Surroundings(folder)
    found = {path.name: surroundings.is_contract(path) for path in surroundings.contract_files}
    assert found == {"binding.yaml": False, "broken.yaml": True, "small-v1.yaml": True}


def test_records_that_cannot_be_read_are_passed_over(copied: Project) -> None:
    surroundings = Surroundings(copied.root)
    contract = copied.load()
    whole = list(surroundings.records(contract, contract.falsifiers[0]))
    assert len(whole) == 2
    copied.record("live").write_text("{", encoding="utf-8")
    left = list(surroundings.records(contract, contract.falsifiers[0]))
    assert [record.path for record in left] == [copied.record("algorithm")]
    assert surroundings.status(contract, contract.falsifiers[0]).name == "UNBOUND"
