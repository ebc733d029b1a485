"""``pv validate --fix``: what is mended, what is not, and that nothing is claimed by it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pv.contract import load_contract
from pv.document import parse
from pv.errors import DocumentError
from pv.exits import Exit
from pv.mends import mends
from pv.rewriting import judged, rewrite
from tests.pv.conftest import CLAUSE

if TYPE_CHECKING:
    from tests.pv.conftest import Project

HEAD = """\
metadata:
  version: "1.0.0"
  description: x
  references: [a book]
  kind: pattern
"""
CLAUSES = HEAD + "falsification_tests:\n- id: A-1\n  rule: r\n  prediction: p\n  if_fails: f\n"

MENDED = {
    "a number that is a text": (
        HEAD.replace('"1.0.0"', "1.10 # kept"),
        HEAD.replace('"1.0.0"', '"1.10" # kept'),
    ),
    "a truth that is a text": (
        CLAUSES.replace("rule: r", "rule: true"),
        CLAUSES.replace("rule: r", 'rule: "true"'),
    ),
    "a slip of a word": (HEAD.replace("pattern", "patern"), HEAD),
    "a slip of a key that is closed": (
        CLAUSES + "  needs: {memroy: 1 GiB}\n",
        CLAUSES + "  needs: {memory: 1 GiB}\n",
    ),
    "a slip of a level": (
        CLAUSES + "  subjects: {functionnal: {a: b}}\n",
        CLAUSES + "  subjects: {functional: {a: b}}\n",
    ),
    "a slip of a key of a falsifier": (
        CLAUSES + "  ship-blocking: true\n",
        CLAUSES + "  ship_blocking: true\n",
    ),
    "a slip of a key of the metadata": (
        HEAD.replace("references", "reference"),
        HEAD,
    ),
    "a slip of a key of an obligation": (
        HEAD + "proof_obligations:\n- {proprety: p}\n",
        HEAD + "proof_obligations:\n- {property: p}\n",
    ),
    "a slip of a block": (CLAUSES.replace("falsification_tests", "falsification-test"), CLAUSES),
    "what is read under metadata": (
        "depends_on: # why\n- other-v1\n" + HEAD,
        HEAD + "  depends_on: # why\n  - other-v1\n",
    ),
    "a sentence under both its names": (CLAUSES + "  description: r\n", CLAUSES),
    "an old spelling": (CLAUSES.replace("rule", "description"), CLAUSES),
    "a count of obligations": (
        HEAD + "proof_obligations:\n- {property: p}\nverification_summary: {total_obligations: 8 } # kept\n",
        HEAD + "proof_obligations:\n- {property: p}\nverification_summary: {total_obligations: 1 } # kept\n",
    ),
    "one after the other": (
        CLAUSES.replace('"1.0.0"', "1.0").replace("rule", "description").replace("pattern", "patern")
        + "  ship-blocking: true\nreferences: []\n".replace("references: []\n", ""),
        CLAUSES.replace("1.0.0", "1.0") + "  ship_blocking: true\n",
    ),
}


@pytest.mark.parametrize("case", MENDED)
def test_what_leaves_nothing_to_decide_is_mended(case: str, tmp_path: Path) -> None:
    before, after = MENDED[case]
    name = str(tmp_path / "x.yaml")
    assert judged(before, name).findings or case == "an old spelling"
    found = rewrite(before, name, mends)
    assert found.text == after
    assert found.left == ()
    assert not Counter(f.code for f in judged(after, name).findings) - Counter(
        f.code for f in judged(before, name).findings
    )
    assert rewrite(after, name, mends).made == ()


NOT_MENDED = {
    "another word": HEAD.replace("pattern", "thing"),
    "two sentences": CLAUSES + "  description: another\n",
    "a list that is no text": CLAUSES.replace("rule: r", "rule: [r]"),
    "a key that is missing": HEAD.replace('  version: "1.0.0"\n', ""),
    "a claim of what was shown": HEAD
    + "verification_summary: {total_obligations: 0, l2_property_tested: 3, l4_lean_proved: 2}\n",
    "a status": CLAUSES + "  discharge_status: DISCHARGED\n",
    "a word that is far from any": CLAUSES + "  importance: high\n",
    "a key that is there": CLAUSES + "  ship_blocking: true\n  ship-blocking: false\n",
    "references that are there": HEAD + "references: [another]\n",
    "a number that is read twice": HEAD + "a: &n 1\n" + "model: x\n".replace("model: x\n", "title: *n\n"),
    "a list": "- a\n",
    "no metadata": "a: 1\n",
    "metadata that are none": "metadata: [1]\n",
}


@pytest.mark.parametrize("case", NOT_MENDED)
def test_what_somebody_must_decide_is_not_mended(case: str, tmp_path: Path) -> None:
    text = NOT_MENDED[case]
    assert rewrite(text, str(tmp_path / "x.yaml"), mends).text == text


def test_an_expectation_that_nothing_reads_is_not_made_to_count_where_that_brings_findings(
    project: Project,
) -> None:
    path = project.contract(expect=["max(distance) <= 0.25"], expct=["max(nothing) <= 1"])
    before = path.read_text(encoding="utf-8")
    ended = project.pv("validate", "--fix", path)
    assert ended.code == Exit.REJECTED
    assert path.read_text(encoding="utf-8") == before
    assert (
        "note: left as it is (expct is now expect): there is expect already; keep one of the two" in ended.err
    )


def test_it_says_what_it_mended_and_judges_the_rest(project: Project) -> None:
    path = project.root / "contracts" / "other-v1.yaml"
    path.write_text(CLAUSES.replace('"1.0.0"', "1.0").replace("[a book]", "[]"), encoding="utf-8")
    assert project.pv("validate", path).code == Exit.REJECTED
    ended = project.pv("validate", "--fix", "contracts")
    assert ended.code == Exit.REJECTED
    assert ended.out.splitlines()[:2] == [
        "contracts/other-v1.yaml:2:12: mended: version is now the text '1.0'",
        "contracts/other-v1.yaml:4:3: error[SCHEMA-001]: metadata.references must not be empty",
    ]
    assert load_contract(path).version == "1.0"
    again = project.pv("validate", "--fix", "--json", "contracts").json
    assert (again["mended"], again["errors"]) == ([], 1)
    path.write_text(CLAUSES.replace("rule", "description"), encoding="utf-8")
    ended = project.pv("validate", "--fix", "--format", "json", path)
    assert ended.code == Exit.ACCEPTED
    assert ended.json["mended"] == [
        {"file": str(path), "line": 8, "column": 3, "what": "description is now rule"}
    ]


def test_what_cannot_be_read_is_judged_and_left(project: Project) -> None:
    folder = project.root / "contracts"
    texts = {
        "a.yaml": "a: [",
        "b.yaml": "bindings: []\ntarget_crate: x\n",
        "c.yaml": "metadata: 1\nmetadata: 2\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    ended = project.pv("validate", "--fix", "contracts")
    assert ended.code == Exit.REJECTED
    assert "error[YAML-001]" in ended.out
    assert "error[YAML-002]" in ended.out
    assert {name: (folder / name).read_text(encoding="utf-8") for name in texts} == texts


def test_whose_clause_changes_by_it_is_told(project: Project) -> None:
    path = project.contract(**{"ship_blocking": None, "ship-blocking": True})
    assert project.pv("discharge", str(CLAUSE["id"])).code == Exit.ACCEPTED
    # Under the same version the clause would be changed in silence, which is an error of its own.
    before = path.read_text(encoding="utf-8")
    assert "it would bring error[PV-VERSION-001]" in project.pv("validate", "--fix", path).err
    assert path.read_text(encoding="utf-8") == before
    project.edit("contracts/small-v1.yaml", "1.0.0", "1.1.0")
    ended = project.pv("validate", "--fix", path)
    assert ended.code == Exit.ACCEPTED, ended.said
    assert f"note: the clause of {CLAUSE['id']} changes, and its evidence is stale" in ended.err
    assert load_contract(path).falsifiers[0].ship_blocking
    assert project.status()[0] == "STALE"


def test_a_clause_whose_claim_would_become_stale_is_left(project: Project) -> None:
    path = project.contract(**{"ship_blocking": None, "ship-blocking": True})
    assert project.pv("discharge", str(CLAUSE["id"])).code == Exit.ACCEPTED
    assert project.pv("sync").code == Exit.ACCEPTED
    project.edit("contracts/small-v1.yaml", "1.0.0", "1.1.0")
    before = path.read_text(encoding="utf-8")
    ended = project.pv("validate", "--fix", path)
    assert "it would bring warning[PV-STATUS-002]" in ended.err
    assert path.read_text(encoding="utf-8") == before
    assert project.status()[0] == "DISCHARGED"


RESOURCES = sorted((Path(__file__).parent / "rules" / "resources").glob("*.bad.yaml"))
RESOURCES = [path for path in RESOURCES if not path.name.startswith(("BINDING-", "PM-SHAPE-"))]
"""Of contracts: other files have no old spellings."""


@pytest.mark.parametrize("path", RESOURCES, ids=lambda path: path.stem)
def test_no_mend_brings_a_finding_and_none_is_left_for_a_second_time(path: Path, tmp_path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    name = str(tmp_path / path.name)
    try:
        before = judged(text, name)
    except DocumentError:
        with pytest.raises(DocumentError):
            rewrite(text, name, mends)
        return
    found = rewrite(text, name, mends)
    after = judged(found.text, name)
    if before.contract is not None:
        said = [Counter((f.code, f.message) for f in one.findings) for one in (before, after)]
        assert not said[1] - said[0]
    assert rewrite(found.text, name, mends).made == ()
    assert parse(found.text, name)
