from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from pv.artefacts import judge_artefact
from pv.codes import ALIASES, Code, find_code, known_codes
from pv.contract import NotAContractError, ShapeError, load_contract
from pv.document import MAXIMUM_BYTES, load
from pv.errors import DocumentError
from pv.graph import build_graph
from pv.investigation_judgement import CODES as INVESTIGATION_CODES
from pv.investigation_judgement import judge_investigation
from pv.project import Project as Surroundings
from pv.rules import RULES, judge
from pv.rules.artefact_rules import ARTEFACT_RULES
from pv.rules.kind_rules import KIND_RULES
from pv.rules.project_rules import PROJECT_RULES, judge_in_project
from pv.selection import load_all
from pv.traceability_codes import CODES as CHAIN_CODES
from pv.waivers import WaiverError, lint_waivers, load_waivers

if TYPE_CHECKING:
    from tests.pv.conftest import Project

ROOT = Path(__file__).parents[2]
PRINTED = re.compile(
    r"(?<![\w-])(?:SCHEMA|PROVABILITY|YAML|WAIVER|EDIT|BUMP|AUDIT|BIND|BEAT|CRUX|KAIZEN|BINDING|PM-SHAPE|PV-[A-Z]+)"
    r"-\d{3}(?![\w-])"
)
RECORDED = {"PV-VERSION-001", "PV-STATUS-002", "PV-FINDING-010"}
"""Of changes since evidence was recorded."""

KERNEL: dict[str, Any] = {
    "metadata": {"version": "1.0.0", "description": "a kernel", "references": ["a book"]},
    "equations": {"identity": {"formula": "f(x) = x"}},
    "proof_obligations": [{"type": "invariant", "property": "f returns its argument"}],
    "falsification_tests": [{"id": "FALSIFY-ID-001", "rule": "r", "prediction": "p", "if_fails": "f"}],
    "kani_harnesses": [{"id": "KANI-ID-001", "obligation": "f returns its argument", "bound": 4}],
    "qa_gate": {"id": "F-ID", "name": "Identity gate"},
}
WHOLE: dict[str, Any] = {
    "metadata": {"version": "1.0.0", "description": "x", "references": ["a book"], "kind": "pattern"},
    "proof_obligations": [{"id": "WHOLE-001", "type": "bound", "property": "every number is nearly whole"}],
    "falsification_tests": [
        {
            "id": "FALSIFY-WHOLE-001",
            "rule": "r",
            "prediction": "p",
            "if_fails": "f",
            "covers": ["WHOLE-001"],
            "check": "small_checks.wholeness:wholeness",
            "subjects": {"live": {"numbers": "shipped"}},
            "expect": ["max(distance) <= 0.25", "count(distance) == expected"],
            "counter_examples": ["one_half", "one_missing"],
        }
    ],
}
WAIVER = {
    "id": "FALSIFY-WHOLE-001",
    "reason": "the second host is being repaired",
    "approver": "the owner",
    "created": "2020-01-01",
    "expires": "2999-01-01",
}
ENTRY = {"contract": "a.yaml", "equation": "e", "status": "partial"}
REGISTRY = {"version": "1.0.0", "target_crate": "small", "bindings": [ENTRY]}
MANIFEST = {
    "model_id": "small/model",
    "license": "MIT",
    "artifact_url": "https://example.org/model",
    "sha256": "0" * 64,
    "size_bytes": 4096,
    "provenance": {"recipe": "train.yaml"},
}
INVESTIGATION = {
    "id": "FINDING-BASE-001",
    "title": "t",
    "date": "2026-11-20",
    "status": "open",
    "falsifiers": ["base-v1#FALSIFY-WHOLE-001"],
    "evidence": ["base-v1#FALSIFY-WHOLE-001"],
    "interpretation": "i",
    "five_whys_omitted": "o",
}


def merged(base: Any, part: Any) -> Any:
    """Return `base` with `part` in it: mappings by key, lists of mappings by place; the empty replaces."""
    if isinstance(base, dict) and isinstance(part, dict) and part:
        return base | {key: merged(base.get(key), value) for key, value in part.items()}
    if isinstance(base, list) and isinstance(part, list) and part and isinstance(part[0], dict):
        longest = max(len(base), len(part))
        return [
            merged(base[i], part[i])
            if i < min(len(base), len(part))
            else (part if i < len(part) else base)[i]
            for i in range(longest)
        ]
    return part


def written(path: Path, base: Any, part: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    stated = yaml.safe_load(part)
    document = base if stated is None else merged(base, stated)
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


RECORDS: dict[bytes, dict[str, bytes]] = {}
"""Contract → what is recorded of it: most examples are of the same, and evidence goes by what is in it."""


def discharge(project: Project, path: Path) -> None:
    """Discharge the contract, or take over what was recorded when the same was discharged before."""
    text = path.read_bytes()
    if text not in RECORDS:
        assert project.pv("discharge", path).code == 0
        RECORDS[text] = project.evidence()
    for name, record in RECORDS[text].items():
        file = project.root / "evidence" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(record)


def found_in_yaml(tmp_path: Path, part: str) -> set[str]:
    path = tmp_path / "a.yaml"
    path.write_text(
        part.replace("... more than 1,048,576 bytes", "x" * MAXIMUM_BYTES) + "\n", encoding="utf-8"
    )
    try:
        load(path)
    except DocumentError as error:
        return {error.code}
    return set()


def found_in_contract(project: Project, code: Code, part: str) -> set[str]:
    folder = project.root / "contracts"
    if code.code == "PV-ID-002":  # the parts are a comment with the two names
        for name in re.findall(r"contracts/\S+", part):
            written(project.root / name, WHOLE, "")
        path = folder / "a" / "softmax-v1.yaml"
    else:
        base = KERNEL if code.code.startswith(("SCHEMA", "PROV")) else WHOLE
        path = written(folder / "base-v1.yaml", base, "")
        if code.code in RECORDED:
            discharge(project, path)
        path = written(path, base, part)
    try:
        contract = load_contract(path)
    except ShapeError as error:
        return {finding.code for finding in error.findings}
    findings = [*judge(contract), *judge_in_project(contract, Surroundings(folder))]
    return {finding.code for finding in findings}


def found_in_artefact(project: Project, code: Code, part: str) -> set[str]:
    is_manifest = code.of == "manifest.yaml"
    if is_manifest and not part.startswith("# no "):
        listed = {"required_fields": ["license"], "provenance_required_fields": ["recipe"]}
        written(project.root / "publish-manifest-v1.yaml", {"schema": listed}, "")
    path = written(project.root / code.of, MANIFEST if is_manifest else REGISTRY, part)
    with pytest.raises(NotAContractError) as caught:
        load_contract(path)
    return {finding.code for finding in judge_artefact(caught.value) or ()}


def found_in_waivers(project: Project, code: Code, part: str) -> set[str]:
    second = {"id": "FALSIFY-WHOLE-002", "rule": "r", "prediction": "p", "ship_blocking": False}
    gating = {"falsification_tests": [{"ship_blocking": code.code != "WAIVER-008"}]}
    base = merged(WHOLE, gating)
    base["falsification_tests"].append(second | {"ship_blocking": code.code == "WAIVER-008"})
    written(project.root / "contracts" / "base-v1.yaml", base, "")
    if code.code == "WAIVER-004":
        written(project.root / "contracts" / "again-v1.yaml", WHOLE, "")
    stated = yaml.safe_load(part)
    written(project.root / "waivers.yaml", [WAIVER for _ in stated], part)
    try:
        config = project.config()
        return {finding.code for finding in lint_waivers(load_waivers(config), config)}
    except WaiverError as error:
        return {finding.code for finding in error.findings}


def found_in_graph(project: Project, _: Code, part: str) -> set[str]:
    written(project.root / "contracts" / "a-v1.yaml", WHOLE, part)
    written(project.root / "contracts" / "b-v1.yaml", WHOLE, "metadata: {depends_on: [a-v1]}")
    config = project.config()
    contracts = load_all(config)
    return {finding.code for finding in build_graph(contracts, contracts, config).findings}


def found_in_sync(project: Project, code: Code, part: str) -> set[str]:
    path = project.root / "contracts" / "base-v1.yaml"
    if code.code == "EDIT-001":  # of anchors, which only the text has
        path.write_text(f"metadata: {json.dumps(WHOLE['metadata'])}\n{part}", encoding="utf-8")
    else:
        # Claimed, never run: there is a status to write.
        base = merged(WHOLE, {"falsification_tests": [{"discharge_status": "DISCHARGED"}]})
        written(path, base, part)
    before = path.read_bytes()
    ended = project.pv("sync", "--all", "--bump")
    assert (path.read_bytes() == before) == bool(ended.code)
    return set(PRINTED.findall(ended.err))


def found_in_baseline(project: Project, _: Code, part: str) -> set[str]:
    written(project.root / "contracts" / "base-v1.yaml", WHOLE, "")
    (project.root / "known.json").write_text(part, encoding="utf-8")
    ended = project.pv("validate", "contracts", "--baseline", "known.json")
    assert ended.code == 0, ended.said
    return set(PRINTED.findall(ended.out))


def found_in_investigation(project: Project, code: Code, part: str) -> set[str]:
    base = written(project.root / "contracts" / "base-v1.yaml", WHOLE, "")
    discharge(project, base)
    folder = project.root / "findings"
    folder.mkdir(exist_ok=True)
    if "since" in part and code.code == "PV-FINDING-005":
        record = next((project.root / "evidence" / "base-v1").rglob("live-*.json"))
        record.write_text(record.read_text(encoding="utf-8").replace('"Pass"', '"Fail"'), encoding="utf-8")
    if "since" in part and code.code == "PV-FINDING-010":
        written(base, WHOLE, "falsification_tests: [{expect: [max(distance) <= 0.3]}]")
    stated = yaml.safe_load(part.strip("-\n"))
    if isinstance(stated, dict) or (stated is None and "title" not in part):
        front = {key: value for key, value in (INVESTIGATION | (stated or {})).items() if value is not None}
        text = f"---\n{json.dumps(front)}\n---\n\n# A title\n"
    else:
        text = f"{part}\n"
    (folder / "a.md").write_text(text, encoding="utf-8")
    twin = json.dumps(INVESTIGATION | {"id": "FINDING-TWICE-001"})
    (folder / "b.md").write_text(f"---\n{twin}\n---\n", encoding="utf-8")
    return {finding.code for finding in judge_investigation(folder / "a.md", project.config())}


def found_in_audit(project: Project, code: Code, part: str) -> set[str]:
    """Audit what is in order up to its evidence, but for `part`."""
    base = WHOLE | {"equations": {"identity": {"formula": "f(x) = x"}}}
    path = written(project.root / "contracts" / "base-v1.yaml", base, "")
    registry = written(project.root / "binding.yaml", REGISTRY | {"bindings": []}, "")
    stated = yaml.safe_load(part)
    if "nobody ran" not in part and code.code != "PV-CHAIN-009":
        discharge(project, path)
    if "edited" in part:
        record = next((project.root / "evidence" / "base-v1").rglob("live-*.json"))
        record.write_text(record.read_text(encoding="utf-8").replace('"Pass"', '"Fail"'), encoding="utf-8")
    if stated and "bindings" in stated:
        written(registry, REGISTRY, part)
    else:
        written(path, base, part)
    if code.code == "PV-CHAIN-009":
        project.pv("discharge", path)
    words = ("--binding", registry) if "bindings" in code.bad else ()
    ended = project.pv("audit", path, *words)
    assert ended.code == (1 if " error[" in ended.out else 0)
    return set(PRINTED.findall(ended.out))


def found(project: Project, tmp_path: Path, code: Code, part: str) -> set[str]:
    if code.code.startswith("YAML"):
        return found_in_yaml(tmp_path, part)
    (project.root / "contracts" / "small-v1.yaml").unlink(missing_ok=True)
    ways = {
        "contracts/*.yaml": found_in_contract,
        "waivers.yaml": found_in_waivers,
        "pv audit": found_in_audit,
        "binding.yaml": found_in_artefact,
        "manifest.yaml": found_in_artefact,
        "pv graph": found_in_graph,
        "findings/*.md": found_in_investigation,
        "pv sync": found_in_sync,
        "pv validate --baseline": found_in_baseline,
        "pv sync --bump": found_in_sync,
    }
    return ways[code.of](project, code, part)


def told(name: str) -> Code:
    code = find_code(name)
    assert code is not None
    return code


@pytest.mark.parametrize("name", known_codes())
def test_the_bad_example_breaks_the_rule(project: Project, tmp_path: Path, name: str) -> None:
    code = told(name)
    assert name in found(project, tmp_path, code, code.bad)


@pytest.mark.parametrize("name", known_codes())
def test_the_good_example_does_not(project: Project, tmp_path: Path, name: str) -> None:
    code = told(name)
    assert name not in found(project, tmp_path, code, code.good)


def test_every_code_that_can_be_printed_is_explained_and_no_other() -> None:
    printed = {
        name
        for path in (ROOT / "pv").rglob("*.py")
        for name in PRINTED.findall(path.read_text(encoding="utf-8"))
    }
    from_parts = {f"WAIVER-{number:03}" for number in range(1, 9)} | set(INVESTIGATION_CODES)
    from_parts |= set(CHAIN_CODES)
    assert {*RULES, *KIND_RULES, *PROJECT_RULES, *ARTEFACT_RULES} <= printed
    assert {*printed, *from_parts} - ALIASES.keys() == set(known_codes())


@pytest.mark.parametrize("name", known_codes())
def test_an_explanation_is_short_and_whole(name: str) -> None:
    code = told(name)
    assert code.severity in {"error", "warning"}
    assert code.elsewhere in {"error", "warning", "silent"}
    assert 1 <= len(re.findall(r"[.?](?= |$)", code.why)) <= 5
    assert len(code.why) <= 400
    assert all(text and text[0] != " " for text in (code.summary, code.remedy, code.bad, code.good))
    assert code.bad != code.good


def test_a_code_is_found_in_any_case_and_by_the_name_that_another_tool_gives_it() -> None:
    assert told("yaml-002") == told("SCHEMA-020") == told("YAML-002")
    assert find_code("SCHEMA-999") is None
    assert find_code("../config") is None
