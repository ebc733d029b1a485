"""``pv validate --baseline``: what is known does not reject, what is new does, what is done is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pv.baseline import NEVER_KNOWN, Baseline, read_baseline, sort_out, write_baseline
from pv.clause_at import Clauses
from pv.contract import load_contract
from pv.errors import ConfigError, Location
from pv.exits import Exit
from pv.finding import Finding
from pv.rules import RULES
from pv.rules.project_rules import PROJECT_RULES

if TYPE_CHECKING:
    from tests.pv.conftest import Ended, Project

KERNEL = """\
metadata:
  version: "1.0.0"
  description: x
  references: []
proof_obligations:
- {id: O-1, type: invariant, property: p}
falsification_tests:
- {id: A-1, rule: r, prediction: p}
- {id: A-2, rule: r, prediction: p}
"""
Validate = Callable[..., "Ended"]


@pytest.fixture
def kernel(project: Project) -> Path:
    path = project.root / "contracts" / "old-v1.yaml"
    path.write_text(KERNEL, encoding="utf-8")
    return path


@pytest.fixture
def validate(project: Project, kernel: Path) -> Validate:
    assert kernel.is_file()

    def run(*words: str) -> Ended:
        return project.pv("validate", "contracts", "--baseline", "known.json", *words)

    return run


def entries(project: Project) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((project.root / "known.json").read_text())["findings"]
    return found


def test_what_is_written_down_is_known_and_rejects_no_more(project: Project, validate: Validate) -> None:
    plain = project.pv("validate", "contracts")
    assert plain.code == Exit.REJECTED
    written = validate("--write-baseline")
    assert written.code == Exit.ACCEPTED
    assert written.err == "known.json: 6 finding(s) are known from here on\n"
    ended = validate("--strict")
    assert (ended.code, ended.err) == (Exit.ACCEPTED, "")
    assert "contracts/old-v1.yaml:4:3: known error[SCHEMA-001]: metadata.references" in ended.out
    assert ended.out.endswith(
        "\n0 error(s), 0 warning(s), 6 known\nNothing is wrong that the baseline does not know.\n"
        "\n2 artifact(s) under contracts, 0 failed\n"
    )
    assert [(e["contract"], e["clause"], e["code"]) for e in entries(project)] == [
        ("contracts/old-v1.yaml", "A-1", "SCHEMA-009"),
        ("contracts/old-v1.yaml", "A-2", "SCHEMA-009"),
        ("contracts/old-v1.yaml", "metadata", "PROVABILITY-001"),
        ("contracts/old-v1.yaml", "metadata", "SCHEMA-001"),
        ("contracts/old-v1.yaml", "metadata", "SCHEMA-003"),
        ("contracts/old-v1.yaml", "metadata", "SCHEMA-013"),
    ]
    # Without the file, nothing is known.
    assert project.pv("validate", "contracts").code == Exit.REJECTED


def test_lines_that_move_leave_it_as_it_is_and_a_new_finding_is_new(
    project: Project, kernel: Path, validate: Validate
) -> None:
    validate("--write-baseline")
    before = (project.root / "known.json").read_bytes()
    first, second = "- {id: A-1, rule: r, prediction: p}\n", "- {id: A-2, rule: r, prediction: p}\n"
    moved = "# a comment\n\n" + KERNEL.replace(first + second, second + "\n" + first)
    kernel.write_text(moved, encoding="utf-8")
    assert validate("--strict").code == Exit.ACCEPTED
    assert validate("--strict", "--write-baseline").code == Exit.ACCEPTED
    assert (project.root / "known.json").read_bytes() == before
    kernel.write_text(moved + "- {id: A-3, rule: r, prediction: p}\n", encoding="utf-8")
    ended = validate()
    assert ended.code == Exit.ACCEPTED  # a warning
    assert "warning[SCHEMA-009]: A-3 does not say" in ended.out
    assert validate("--strict").code == Exit.REJECTED
    kernel.write_text(moved.replace("property: p", "property: ''"), encoding="utf-8")
    assert validate().code == Exit.REJECTED


def test_an_entry_that_no_longer_occurs_is_told_where_it_stands(
    project: Project, kernel: Path, validate: Validate
) -> None:
    validate("--write-baseline")
    kernel.write_text(KERNEL.replace("[]", "[a book]"), encoding="utf-8")
    ended = validate()
    assert ended.code == Exit.ACCEPTED
    place = next(
        number
        for number, line in enumerate((project.root / "known.json").read_text().splitlines(), 1)
        if "SCHEMA-001" in line
    )
    assert (
        f"known.json:{place - 2}:1: warning[PV-BASELINE-001]: SCHEMA-001 of contracts/old-v1.yaml "
        "(metadata) no longer occurs: metadata.references must not be empty" in ended.out
    )
    assert validate("--strict").code == Exit.REJECTED
    assert validate("--strict", "--write-baseline").code == Exit.ACCEPTED
    assert "SCHEMA-001" not in [entry["code"] for entry in entries(project)]
    # Of contracts that were not looked at nothing is said, unless they are gone.
    other = project.pv("validate", "contracts/small-v1.yaml", "--baseline", "known.json", "--strict")
    assert (other.code, "BASELINE" in other.said) == (Exit.ACCEPTED, False)
    kernel.unlink()
    assert validate("--strict").code == Exit.REJECTED


def test_what_is_written_for_some_contracts_keeps_what_is_known_of_others(
    project: Project, kernel: Path, validate: Validate
) -> None:
    other = project.root / "contracts" / "other-v1.yaml"
    other.write_text(KERNEL.replace("A-", "B-"), encoding="utf-8")
    validate("--write-baseline")
    assert len({entry["contract"] for entry in entries(project)}) == 2
    before = entries(project)
    kernel.write_text(KERNEL.replace("[]", "[a book]"), encoding="utf-8")
    project.pv("validate", kernel, "--baseline", "known.json", "--write-baseline")
    now = entries(project)
    assert [entry for entry in before if entry not in now] == [
        entry for entry in before if entry["code"] == "SCHEMA-001" and "old-v1" in entry["contract"]
    ]
    assert [entry for entry in now if entry not in before] == []
    other.unlink()
    project.pv("validate", kernel, "--baseline", "known.json", "--write-baseline")
    assert {entry["contract"] for entry in entries(project)} == {"contracts/old-v1.yaml"}


@pytest.mark.parametrize("change", ["kind: [", "version: 1\n", "metadata: {}\n"])
def test_what_makes_verdicts_false_is_never_known(
    project: Project, kernel: Path, validate: Validate, change: str
) -> None:
    kernel.write_text(
        KERNEL.replace('version: "1.0.0"\n', change) if change[0] == "v" else KERNEL + change,
        encoding="utf-8",
    )
    ended = validate("--write-baseline")
    assert ended.code == Exit.REJECTED
    assert "old-v1.yaml" not in str(entries(project))
    assert validate().code == Exit.REJECTED


def test_a_status_that_no_evidence_supports_is_never_known(project: Project) -> None:
    project.contract(discharge_status="DISCHARGED")
    words = ("validate", "contracts", "--baseline", "known.json")
    ended = project.pv(*words, "--write-baseline")
    assert ended.code == Exit.REJECTED
    assert "error[PV-STATUS-001]" in ended.out
    assert entries(project) == []


def test_the_codes_that_are_never_known() -> None:
    never = {code for code in [*RULES, *PROJECT_RULES] if NEVER_KNOWN.fullmatch(code)}
    assert {"SCHEMA-007", "PV-STATUS-001", "PV-RULE-003", "PV-ID-001", "PV-VERSION-001"} <= never
    assert not {"SCHEMA-001", "SCHEMA-019", "PV-CHECK-001", "PV-KEY-001", "PV-COVER-001"} & never
    for code in ("YAML-002", "SCHEMA-000", "PV-FINDING-003", "PV-BASELINE-001"):
        assert NEVER_KNOWN.fullmatch(code)


def test_json_and_reports_say_what_is_known(project: Project, validate: Validate) -> None:
    validate("--write-baseline")
    shown = validate("--format", "json", "--report", "json:report.json").json
    assert (shown["errors"], shown["warnings"], shown["findings"], len(shown["known"])) == (0, 0, [], 6)
    assert {"code", "file", "line", "severity"} <= shown["known"][0].keys()
    assert json.loads((project.root / "report.json").read_text())["findings"] == []
    assert "known" not in project.pv("validate", "contracts", "--json").json


WRONG = {
    "[]": "it does not say",
    '{"format": 2, "findings": []}': "it does not say",
    '{"format": 1}': "findings is no list",
    '{"format": 1, "findings": [1]}': "an entry does not have",
    '{"format": 1, "format": 1, "findings": []}': "a key stands twice",
    "nothing": "it is not JSON",
    "[" * 100_000: "it is not JSON",
    "\xff": "it is not JSON",
}
ENTRY = {"contract": "a", "clause": "b", "code": "SCHEMA-001", "message": "m", "digest": "d"}


@pytest.mark.parametrize("text", WRONG, ids=range(len(WRONG)))
def test_a_file_that_is_no_baseline_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "known.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=WRONG[text]):
        read_baseline(path)
    assert path.read_bytes() == text.encode("latin-1")
    with pytest.raises(ConfigError):
        write_baseline(path, [], lambda _: "", [])


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"count": 0}, "an entry does not have"),
        ({"count": True}, "an entry does not have"),
        ({"code": 1}, "an entry does not have"),
        ({"more": ""}, "an entry does not have"),
        ({"code": "YAML-002"}, "YAML-002 makes verdicts false"),
        ({"code": "PV-STATUS-001"}, "PV-STATUS-001 makes verdicts false"),
    ],
)
def test_an_entry_that_is_none_is_refused(tmp_path: Path, changes: dict[str, Any], why: str) -> None:
    path = tmp_path / "known.json"
    path.write_text(json.dumps({"format": 1, "findings": [ENTRY | changes]}), encoding="utf-8")
    with pytest.raises(ConfigError, match=why):
        read_baseline(path)
    path.write_text(json.dumps({"format": 1, "findings": [ENTRY, ENTRY]}), encoding="utf-8")
    with pytest.raises(ConfigError, match="an entry stands twice"):
        read_baseline(path)


def test_a_baseline_that_is_not_there_or_not_named_ends_with_usage(
    project: Project, validate: Validate
) -> None:
    ended = validate()
    assert ended.code == Exit.USAGE
    assert "known.json:1:1: error: it is no baseline: no such file or directory" in ended.err
    ended = project.pv("validate", "contracts", "--write-baseline")
    assert (ended.code, "--write-baseline" in ended.err) == (Exit.USAGE, True)


def test_mended_and_known_go_together(kernel: Path, validate: Validate) -> None:
    kernel.write_text(KERNEL.replace("rule", "description"), encoding="utf-8")
    validate("--write-baseline")
    ended = validate("--fix", "--strict")
    assert ended.code == Exit.ACCEPTED
    assert "contracts/old-v1.yaml:8:13: mended: description is now rule" in ended.out
    assert kernel.read_text(encoding="utf-8") == KERNEL


def test_a_number_that_is_no_place_tells_findings_apart(kernel: Path, validate: Validate) -> None:
    """An id may end in a colon and a number: another id is another finding."""
    covering = KERNEL.replace("{id: A-1,", "{id: A-1, covers: ['O:7'],")
    kernel.write_text(covering, encoding="utf-8")
    assert validate("--strict", "--write-baseline").code == Exit.ACCEPTED
    kernel.write_text(covering.replace("O:7", "O:8"), encoding="utf-8")
    ended = validate("--strict")
    assert ended.code == Exit.REJECTED
    assert "warning[PV-COVER-002]: A-1: the contract has no obligation O:8" in ended.out
    twice = KERNEL.replace("property: p}", "property: p, formal: f}\n- {id: O-2, property: q, formal: f}")
    kernel.write_text(twice, encoding="utf-8")
    assert "on line 6" in validate("--strict", "--write-baseline").out
    kernel.write_text(f"# moved\n{twice}", encoding="utf-8")
    assert validate("--strict").code == Exit.ACCEPTED


def test_a_place_lies_in_the_clause_that_begins_last_before_it(kernel: Path) -> None:
    contract = load_contract(kernel)
    clauses = Clauses(contract)
    found = {finding.message: clauses.at(finding.where) for finding in _all_places(contract.path)}
    assert found == {
        "1:1": "metadata", "4:3": "metadata", "5:1": "proof_obligations", "6:3": "O-1", "6:20": "O-1",
        "7:1": "falsification_tests", "8:3": "A-1", "9:3": "A-2", "9:30": "A-2",
    }  # fmt: skip
    assert Clauses(contract).at(Location(contract.path, 0, 0)) == ""


def _all_places(path: str) -> list[Finding]:
    places = [(1, 1), (4, 3), (5, 1), (6, 3), (6, 20), (7, 1), (8, 3), (9, 3), (9, 30)]
    return [Finding(Location(path, *place), "X", "error", f"{place[0]}:{place[1]}", "") for place in places]


CODES = st.sampled_from(["SCHEMA-001", "PV-KEY-001"])
FINDINGS = st.lists(
    st.builds(
        lambda path, line, code, message: Finding(Location(path, line, 1), code, "error", message, "r"),
        st.sampled_from(["a.yaml", "b/c.yaml"]),
        st.integers(1, 9),
        CODES,
        st.sampled_from(["m", "n", "m at x.py:3", "m at x.py:4:1", "first on line 7"]),
    ),
    max_size=12,
)


@settings(max_examples=30)  # each writes files
@given(FINDINGS, FINDINGS)
def test_known_and_new_are_all_and_a_second_writing_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, old: list[Finding], now: list[Finding]
) -> None:
    folder = tmp_path_factory.mktemp("baseline")
    path = folder / "known.json"
    judged = [folder / "a.yaml", folder / "b/c.yaml"]

    def placed(findings: list[Finding]) -> list[Finding]:
        return [
            Finding(
                Location(str(folder / f.where.path), f.where.line, 1), f.code, f.severity, f.message, f.remedy
            )
            for f in findings
        ]

    def clause_of(_: Finding) -> str:
        return "c"

    old, now = placed(old), placed(now)
    assert write_baseline(path, old, clause_of, judged) == len(old)
    written = path.read_bytes()
    baseline: Baseline = read_baseline(path)
    assert sum(baseline.counts.values()) == len(old)
    same = sort_out(baseline, old, clause_of, judged)
    assert (same.new, same.known, same.gone) == ([], old, [])
    found = sort_out(baseline, now, clause_of, judged)
    assert len(found.new) + len(found.known) == len(now)
    assert len(found.known) <= len(old)
    # What is new and what is gone is what a comparison without lines says.
    write_baseline(path, now, clause_of, judged)
    if not found.new and not found.gone:
        assert path.read_bytes() == written
    else:
        assert path.read_bytes() != written
    write_baseline(path, list(reversed(now)), clause_of, judged)
    again = read_baseline(path)
    assert sort_out(again, now, clause_of, judged).new == []
