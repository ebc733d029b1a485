from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from pv.finding import Finding
from pv.investigation_judgement import CODES, investigations_of, judge_investigation

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ROOT = Path(__file__).resolve().parents[2]
ID = "FALSIFY-SMALL-001"
LIVE = f"evidence/small-v1/{ID}/live-shipped-cpu.json"
GOOD: dict[str, Any] = {
    "id": "FINDING-1",
    "title": "A title",
    "date": "2026-11-20",
    "status": "standing",
    "falsifiers": [ID],
    "evidence": [LIVE],
    "interpretation": "What it means",
    "five_whys": [f"Why {number}?" for number in range(5)],
    "hypotheses": [{"statement": "It was the wind", "status": "refuted", "by": LIVE}],
}
WITHDRAWN = {"date": "2026-11-21", "refuted_by": ID, "reason": "It was not so"}


def write(project: Project, name: str = "one", **changes: object) -> Path:
    front = {key: value for key, value in (GOOD | changes).items() if value is not None}
    path = project.root / "findings" / f"{name}.md"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"---\n{yaml.safe_dump(front, sort_keys=False)}---\ntext\n")
    return path


def judge(project: Project, **changes: Any) -> list[tuple[str, str]]:
    """Return the code, and what stands at the place, of each finding."""
    path = write(project, **changes)
    lines = path.read_text().splitlines()
    found = judge_investigation(path, project.config())
    assert all(finding.severity == CODES[finding.code][0] for finding in found)
    return [(f.code[-3:], lines[f.where.line - 1][f.where.column - 1 :].strip("'")) for f in found]


def test_one_that_is_right_has_no_findings(copied: Project) -> None:
    assert judge(copied) == []
    assert judge(copied, evidence=[ID, f"small-v1#{ID}", LIVE]) == []
    assert judge(copied, status="withdrawn", withdrawn=WITHDRAWN) == []


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"falsifiers": [ID, "FALSIFY-NONE"]}, [("003", "FALSIFY-NONE")]),
        ({"falsifiers": ["other-v1#" + ID]}, [("003", f"other-v1#{ID}")]),
        ({"evidence": ["evidence/none.json"]}, [("004", "evidence/none.json")]),
        ({"evidence": ["FALSIFY-NONE"]}, [("004", "FALSIFY-NONE")]),
        ({"evidence": ["pv.toml"]}, [("004", "pv.toml")]),
        ({"evidence": [f"evidence/../{LIVE}"]}, [("004", f"evidence/../{LIVE}")]),
        ({"five_whys": None}, [("007", "id: FINDING-1")]),
        ({"five_whys": ["Why?"] * 4}, [("007", "- Why?")]),
        ({"five_whys": ["Why?"] * 6}, [("007", "- Why?")]),
        ({"five_whys": None, "five_whys_omitted": "it is plain"}, []),
        ({"five_whys_omitted": "it is plain"}, [("007", "it is plain")]),
        ({"hypotheses": [{"statement": "s", "status": "supported"}]}, [("008", "statement: s")]),
        ({"hypotheses": [{"statement": "s", "status": "proposed"}]}, []),
        ({"hypotheses": [{"statement": "s", "status": "refuted", "by": "hope"}]}, [("008", "hope")]),
        ({"status": "withdrawn"}, [("006", "withdrawn")]),
        ({"withdrawn": WITHDRAWN}, [("006", "standing")]),
        ({"status": "withdrawn", "withdrawn": {**WITHDRAWN, "date": "2026-11-19"}}, [("006", "2026-11-19")]),
        (
            {"status": "withdrawn", "withdrawn": {k: v for k, v in WITHDRAWN.items() if k != "refuted_by"}},
            [("006", "date: '2026-11-21")],
        ),
        ({"status": "withdrawn", "withdrawn": {**WITHDRAWN, "refuted_by": "NOTHING"}}, [("003", "NOTHING")]),
    ],
)  # fmt: skip
def test_each_fault_has_a_code_and_a_place(
    copied: Project, changes: dict[str, object], found: list[tuple[str, str]]
) -> None:
    assert judge(copied, **changes) == found


def test_evidence_that_was_altered_is_told(copied: Project) -> None:
    path = copied.root / LIVE
    path.write_text(path.read_text().replace('"outcome": "Pass"', '"outcome": "Fail"'))
    for evidence in ([LIVE], [ID]):
        assert ("005", evidence[0]) in judge(copied, evidence=evidence)


def test_what_went_stale_is_a_warning_unless_it_was_withdrawn(copied: Project) -> None:
    copied.edit("small_checks/scale.py", "1", "2")
    assert judge(copied) == [("010", ID)]
    assert CODES["PV-FINDING-010"][0] == "warning"
    withdrawn = judge(copied, status="withdrawn", withdrawn=WITHDRAWN)
    assert withdrawn == [("010", ID)]  # what refutes it is borne out by nothing any more


def test_an_obligation_can_refute_if_what_covers_it_is_borne_out(copied: Project) -> None:
    path = copied.root / "contracts" / "small-v1.yaml"
    text = path.read_text()
    obligations = (
        "proof_obligations:\n- {id: OB-1, type: bound, property: p}\n- {id: OB-2, type: bound, property: q}\n"
    )
    path.write_text(f"{text}  covers: [OB-1]\n{obligations}")
    assert copied.pv("discharge", ID).code == 0
    for name, found in (("OB-1", []), ("small-v1#OB-1", []), ("OB-2", [("010", "OB-2")])):
        changes = {"status": "withdrawn", "withdrawn": {**WITHDRAWN, "refuted_by": name}}
        assert judge(copied, **changes) == found


def test_an_id_that_two_contracts_have_must_be_an_address(copied: Project) -> None:
    copied.contract(stem="twin-v1")
    assert judge(copied)[0] == ("003", ID)
    assert judge(copied, falsifiers=[f"small-v1#{ID}"]) == []


def test_two_of_one_id_are_told_with_the_other_file(copied: Project) -> None:
    write(copied, "two")
    path = write(copied, "one")
    (finding,) = judge_investigation(path, copied.config())
    assert finding.code == "PV-FINDING-009"
    assert finding.message == "findings/two.md has the id FINDING-1, too"
    assert str(finding.where) == "findings/one.md:2:5"


def test_a_broken_file_is_a_finding_and_hides_no_other(copied: Project) -> None:
    path = write(copied)
    (path.parent / "broken.md").write_text("no front matter")
    assert judge_investigation(path, copied.config()) == []
    (finding,) = judge_investigation(path.parent / "broken.md", copied.config())
    assert isinstance(finding, Finding)
    assert finding.code == "PV-FINDING-001"


def test_a_falsifier_finds_its_investigations_under_all_its_names(copied: Project) -> None:
    copied.contract(aliases=["OTHER-NAME"])
    for name, date, falsifier in (
        ("c", "2026-11-22", ID),
        ("a", "2026-11-21", "small-v1#OTHER-NAME"),
        ("b", "2026-11-20", "FALSIFY-NONE"),
    ):
        write(copied, name, id=f"FINDING-{name}", date=date, falsifiers=[falsifier])
    contract = copied.load()
    found = investigations_of(contract, contract.falsifiers[0], copied.config())
    assert [(one.id, one.path) for one in found] == [
        ("FINDING-a", "findings/a.md"),
        ("FINDING-c", "findings/c.md"),
    ]
    other = dataclasses.replace(contract.falsifiers[0], id="FALSIFY-OTHER", aliases=())
    assert investigations_of(contract, other, copied.config()) == []


def test_every_code_is_used_and_described() -> None:
    source = "".join(
        (ROOT / name).read_text() for name in ("pv/investigation.py", "pv/investigation_judgement.py")
    )
    assert set(re.findall(r"PV-FINDING-\d{3}", source)) == set(CODES)
    assert all(summary and remedy for _, summary, remedy in CODES.values())


def test_validate_takes_investigations_with_and_without_contracts(copied: Project) -> None:
    path = write(copied)
    alone = copied.pv("validate", path.relative_to(copied.root))
    assert (alone.code, alone.out) == (0, "\n0 error(s), 0 warning(s)\nInvestigation is valid.\n")
    both = copied.pv("validate", "findings", "contracts")
    assert both.code == 0
    assert "Contract is valid.\nInvestigation is valid.\n" in both.out
    write(copied, falsifiers=["FALSIFY-NONE"])
    wrong = copied.pv("validate", "contracts", "findings/")
    assert wrong.code == 1
    assert "findings/one.md:7:3: error[PV-FINDING-003]: FALSIFY-NONE is no falsifier" in wrong.out
    assert wrong.err == "error: 1 of 2 files are not valid\n"
    document = copied.pv("validate", "findings", "--format", "json").json
    assert (document["contracts"], document["investigations"], document["errors"]) == (0, 1, 1)
    assert document["findings"][0]["file"] == "findings/one.md"


def test_contracts_in_a_folder_of_investigations_are_not_passed_over(copied: Project) -> None:
    path = write(copied)
    (path.parent / "wrong.yaml").write_text("metadata: {}\n")
    ended = copied.pv("validate", "findings")
    assert ended.code == 1
    assert "findings/wrong.yaml" in ended.out


def test_validate_of_no_investigation_is_nothing_selected(copied: Project) -> None:
    (copied.root / "findings").mkdir()
    for word in ("findings", "findings/none.md", "none.md"):
        ended = copied.pv("validate", word)
        assert ended.code == 2, ended.said
        assert f"there is no investigation {word}" in ended.err
    (copied.root / "notes.md").write_text("# Notes\n")
    ended = copied.pv("validate", "notes.md")
    assert ended.code == 1
    assert "notes.md:1:1: error[PV-FINDING-001]: this is no investigation" in ended.out
