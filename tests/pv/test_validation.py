from __future__ import annotations

from pathlib import Path

import pytest

from pv.errors import SelectionError
from pv.repository import resolved_contracts
from pv.shared_work import FEW
from pv.validation import validate
from tests.pv.test_loading import program

ROOT = Path(__file__).parents[2]
RESOURCES = ROOT / "tests" / "pv" / "rules" / "resources"


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Examples of every rule, several times: twins, notes, and files that are no YAML among them."""
    top = tmp_path_factory.mktemp("many")
    examples = [path.read_bytes() for path in sorted(RESOURCES.glob("*.yaml"))]
    examples += [b"a: [", b"schema: ont-sigma-1\n", b"metadata: {version: &v '1', description: *v}"]
    for number in range(FEW + 40):
        path = top / f"f{number % 7}" / f"c{number % 150}-v1.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(examples[number % len(examples)])
    return top


@pytest.mark.parametrize("words", [[], ["--json"], ["--strict"]])
def test_several_processes_say_what_one_says(many: Path, words: list[str]) -> None:
    alone = program("validate", *words, str(many), processors=1)
    assert program("validate", *words, str(many), processors=2) == alone
    assert alone[0] == 1
    assert "PV-ID-002" in alone[1]
    assert "it was not checked" in alone[2]


def test_findings_and_files(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("[", encoding="utf-8")
    (tmp_path / "b.yaml").write_text("schema: ont-sigma-1\n", encoding="utf-8")
    (tmp_path / "c.yaml").write_bytes((RESOURCES / "SCHEMA-001.good.yaml").read_bytes())
    notes: list[str] = []
    validated = validate(resolved_contracts([str(tmp_path)]), notes.append)
    assert [finding.code for finding in validated.findings] == ["YAML-001"]
    assert validated.files == [tmp_path / "a.yaml", tmp_path / "c.yaml"]
    assert notes == [f"{tmp_path}/b.yaml: note: this is an ontology, not a contract; it was not checked"]


def test_a_file_that_goes_away_is_said_at_its_turn(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / f"{name}.yaml").write_text("schema: ont-sigma-1\n", encoding="utf-8")
    found = resolved_contracts([str(tmp_path)])
    (tmp_path / "b.yaml").unlink()
    notes: list[str] = []
    with pytest.raises(SelectionError, match=r"b\.yaml"):
        validate(found, notes.append)
    assert len(notes) == 1
