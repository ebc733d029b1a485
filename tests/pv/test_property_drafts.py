"""A drafted property covers its obligation, and is refused until somebody has written it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from pv.binding_property import stated_of
from pv.contract import load_contract
from pv.errors import BindingError
from pv.exits import Exit
from pv.properties.laws import LAWS
from pv.properties.mutants import MUTANTS
from pv.schema_property import TYPES

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pv.conftest import Project

GRID = """
raise SystemExit("imported")
def tiles(count: int, tile: int) -> int:
    return -(-count // tile)
def doubled(x: list[int]) -> list[int]:
    return [2 * one for one in x]
"""
METADATA = {"version": "1.0.0", "description": "grids", "references": ["a book"], "kind": "pattern"}


def contract(project: Project, *types: str, **more: Any) -> Path:
    """Write a contract of obligations that nothing covers."""
    obligations = [
        {"id": f"GRID-{index}", "type": kind, "property": f"it is: {kind}"}
        for index, kind in enumerate(types)
    ]
    path = project.root / "contracts" / "grid-v1.yaml"
    document = {"metadata": METADATA, "proof_obligations": obligations, **more}
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    (project.root / "grid.py").write_text(GRID, encoding="utf-8")
    return path


def falsifiers(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))["falsification_tests"]
    return found


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("subject", ["grid:tiles", "grid:doubled"])
def test_no_draft_can_be_bound_until_it_is_written(project: Project, kind: str, subject: str) -> None:
    path = contract(project, kind)
    ended = project.pv("scaffold", "contracts/grid-v1.yaml", "--properties", "--subject", subject, "--bind")
    assert ended.code == 0, ended.said
    (clause,) = falsifiers(path)
    assert clause["covers"] == ["GRID-0"]
    assert set(clause["counter_examples"]) <= set(MUTANTS)
    ended = project.pv("validate", "contracts/grid-v1.yaml")
    assert (ended.code, "predicts nothing" in ended.out or "SCHEMA-000" in ended.out) == (1, True), ended.said
    assert project.pv("discharge", "contracts/grid-v1.yaml").code != Exit.ACCEPTED
    assert project.evidence() == {}
    # With all words filled in, the expressions are still refused, one by one.
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    filled = document["falsification_tests"][0]
    filled["prediction"] = filled["if_fails"] = "said"
    stated = filled["property"]
    for key in ("reference", "inverse"):
        if key in stated:
            stated[key] = "grid:tiles"
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    ended = project.pv("validate", "contracts/grid-v1.yaml")
    assert (ended.code, "TODO" in ended.out) == (1, True), ended.said
    with pytest.raises(BindingError, match="TODO"):
        stated_of(load_contract(path).falsifiers[0])
    assert project.pv("discharge", "contracts/grid-v1.yaml").code != Exit.ACCEPTED
    assert project.evidence() == {}


def test_without_a_subject_both_are_left_and_validate_names_them(project: Project) -> None:
    contract(project, "bound")
    assert project.pv("scaffold", "contracts/grid-v1.yaml", "--properties", "--bind").code == 0
    ended = project.pv("validate", "contracts/grid-v1.yaml")
    assert ended.code == 1
    assert "property.subject: expected package.module:function" in ended.out
    assert "property.inputs: expected a mapping" in ended.out
    assert project.pv("discharge", "contracts/grid-v1.yaml").code == Exit.REJECTED
    assert project.evidence() == {}


def test_once_written_it_is_judged(project: Project) -> None:
    path = contract(project, "bound")
    (project.root / "grid.py").write_text(GRID.replace('raise SystemExit("imported")', ""), encoding="utf-8")
    line = ("scaffold", "contracts/grid-v1.yaml", "--properties", "--subject", "grid:tiles", "--bind")
    assert project.pv(*line).code == 0
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    clause = document["falsification_tests"][0]
    clause["prediction"] = clause["if_fails"] = "said"
    stated = clause["property"]
    assert stated["inputs"] == {"count": {"integers": [None, None]}, "tile": {"integers": [None, None]}}
    stated["inputs"] = {"count": {"integers": [1, 40]}, "tile": {"integers": [1, 4]}}
    del stated["requires"]
    stated["low"], stated["high"] = 1, 40
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    assert project.pv("validate", "contracts/grid-v1.yaml").code == 0
    ended = project.pv("discharge", clause["id"])
    assert ended.code == 0, ended.said
    assert "caught      2 of 2 counter-examples" in ended.out


def test_only_what_nothing_covers_and_has_a_law_is_drafted(project: Project) -> None:
    path = contract(project, "bound", "soundness", "idempotency", "invariant")
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    document["proof_obligations"][3]["applies_to"] = "not_applicable"
    document["proof_obligations"].append({"type": "symmetry", "property": "without an id"})
    small = yaml.safe_load(project.contract().read_text(encoding="utf-8"))["falsification_tests"][0]
    document["falsification_tests"] = [{**small, "id": "FALSIFY-GRID-07", "covers": ["GRID-0"]}]
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    text = path.read_text(encoding="utf-8")
    ended = project.pv("scaffold", "contracts/grid-v1.yaml", "--properties", "--json")
    assert ended.code == 0, ended.said
    found = ended.json
    assert [one["obligation"] for one in found["properties"]] == ["GRID-2"]
    assert found["properties"][0]["clause"]["id"] == "FALSIFY-GRID-08"
    assert (found["other_types"], found["without_id"], found["written"]) == (1, 1, False)
    assert path.read_text(encoding="utf-8") == text
    # Written in, it is the last falsifier, nothing before it changes, and a second time finds nothing.
    assert project.pv("scaffold", "contracts/grid-v1.yaml", "--properties", "--bind").code == 0
    assert path.read_text(encoding="utf-8").startswith(text)
    document["falsification_tests"].append(copy.deepcopy(found["properties"][0]["clause"]))
    assert yaml.safe_load(path.read_text(encoding="utf-8")) == document


def test_what_an_excluded_falsifier_alone_covers_is_drafted(project: Project) -> None:
    path = contract(project, "idempotency")
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    idle = {"rule": "r", "prediction": "p", "if_fails": "f", "covers": ["GRID-0"], "excluded": "nobody can"}
    document["falsification_tests"] = [{"id": "FALSIFY-GRID-07", **idle}]
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    ended = project.pv("scaffold", "contracts/grid-v1.yaml", "--properties", "--json")
    assert [one["obligation"] for one in ended.json["properties"]] == ["GRID-0"]


@pytest.mark.parametrize("there", [{}, {"falsification_tests": []}])
def test_a_contract_without_falsifiers_gets_its_first_ones(project: Project, there: dict[str, Any]) -> None:
    path = contract(project, "bound", "involution", **there)
    line = ("scaffold", "contracts/grid-v1.yaml", "--properties", "--subject", "grid:doubled")
    ended = project.pv(*line, "--bind", "--dry-run")
    assert (ended.code, "+" in ended.out) == (0, True), ended.said
    assert "falsification_tests: []" in path.read_text() or "falsification_tests" not in path.read_text()
    assert project.pv(*line, "--bind").code == 0
    assert [clause["id"] for clause in falsifiers(path)] == ["FALSIFY-GRID-001", "FALSIFY-GRID-002"]
    assert falsifiers(path)[1]["property"]["along"] == "x", "there is no choice"
    ended = project.pv(*line)
    assert ended.out == "no obligation of a standard type is uncovered\n"


def test_one_obligation_can_be_named(project: Project) -> None:
    contract(project, "bound", "monotonicity", "soundness")
    line = ("scaffold", "contracts/grid-v1.yaml", "--properties", "--obligation")
    found = project.pv(*line, "GRID-1", "--json").json["properties"]
    assert [one["obligation"] for one in found] == ["GRID-1"]
    for name, why in (("GRID-9", "uncovered are GRID-0, GRID-1"), ("GRID-2", "no standard one")):
        ended = project.pv(*line, name)
        assert (ended.code, why in ended.err) == (Exit.USAGE, True), ended.said
    project.pv(*line, "GRID-1", "--subject", "grid:doubled", "--bind")
    ended = project.pv(*line, "GRID-1")
    assert (ended.code, "is covered" in ended.err) == (Exit.USAGE, True), ended.said


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--subject", "grid:tiles"], "--subject says something of properties"),
        (["--obligation", "GRID-0"], "--obligation says something of properties"),
        (["--properties", "--into", "checks/"], "--into says something of checks"),
        (["--properties", "--tests", "tests"], "--tests says something of checks"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(project: Project, words: list[str], why: str) -> None:
    contract(project, "bound")
    ended = project.pv("scaffold", "contracts/grid-v1.yaml", *words)
    assert (ended.code, why in ended.err) == (Exit.USAGE, True), ended.said


def test_every_type_of_the_schema_has_a_law() -> None:
    assert set(TYPES) == set(LAWS)
