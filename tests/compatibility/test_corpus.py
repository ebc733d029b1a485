"""Our verdicts over the outside corpus, those of the Rust tool's rules, and the page that tells of them."""

from __future__ import annotations

import copy
import functools
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pv.cli import main
from pv.contract import NotAContractError, load_contract
from pv.document import parse
from pv.errors import DocumentError
from pv.rules import judge
from tests.compatibility.rust import Judge
from tests.compatibility.verdicts import (
    BEGIN,
    CORPUS,
    END,
    PAGE,
    ROOT,
    UPSTREAM,
    our_verdict,
    rejects,
    row,
    table,
    without_ours,
)

RESOURCES = ROOT / "tests/pv/rules/resources"
OURS_ONLY = {"PV-HARNESS-001": 160, "PV-DROPPED-001": 1}
"""Findings that the Rust tool does not have, all of them warnings."""


def corpus() -> list[Path]:
    if not CORPUS.is_dir():
        pytest.skip("the outside corpus is not beside this checkout")
    files = sorted(CORPUS.rglob("*.yaml"))
    assert len(files) == 92
    return files


def test_finding_for_finding_we_say_what_the_newest_rules_say(rust: Judge) -> None:
    for path in corpus():
        text = path.read_text(encoding="utf-8")
        assert without_ours(our_verdict(text)) == rust(text, "newest"), path.name


def test_what_only_we_say_are_warnings_of_two_kinds() -> None:
    findings = []
    for path in corpus():
        try:
            findings += [f for f in judge(load_contract(path)) if f.code.startswith("PV-")]
        except NotAContractError:
            continue
    assert Counter(finding.code for finding in findings) == OURS_ONLY
    assert {finding.severity for finding in findings} == {"warning"}


def test_every_file_gets_an_answer(capsys: pytest.CaptureFixture[str], rust: Judge) -> None:
    for path in corpus():
        code = main(["validate", str(path), "--format", "json"])
        shown = capsys.readouterr()
        assert "Traceback" not in shown.err
        verdict = rust(path.read_text(encoding="utf-8"), "newest")
        assert code == int(rejects(verdict)), path.name
        report = json.loads(shown.out)
        assert report["contracts"] + report.get("binding_registries", 0) == 1


@pytest.mark.parametrize(
    ("arguments", "ends"),
    [
        (["status"], {0}),
        (["coverage", "--format", "json"], {0, 1}),
        (["graph", "--format", "json"], {0, 1}),
        # None says how it is measured, so that no status is compared with evidence.
        (["sync", "--check"], {2}),
        (["explain", "FALSIFY-SM-001"], {0}),
        # The id is in two contracts: it addresses neither.
        (["explain", "FALSIFY-AL-001"], {2}),
        # Nothing is bound to it, so nothing was measured.
        (["discharge", "FALSIFY-SM-001"], {3}),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_commands_take_a_project_of_such_contracts(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    ends: set[int],
) -> None:
    for path in corpus():
        target = tmp_path / "contracts" / path.relative_to(CORPUS)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(path)
    (tmp_path / "pv.toml").write_text('[project]\ncontracts = ["contracts"]\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert main(arguments) in ends
    assert "Traceback" not in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} <= {"contracts", "pv.toml", ".pv"}


def test_the_page_tells_what_was_measured(rust: Judge) -> None:
    page = PAGE.read_text(encoding="utf-8")
    texts = {path.relative_to(CORPUS).as_posix(): path.read_text(encoding="utf-8") for path in corpus()}
    verdicts = {
        name: (rust(text, "february"), rust(text, "newest"), our_verdict(text))
        for name, text in texts.items()
    }
    ends = [Counter(rejects(verdict[n]) for verdict in verdicts.values()) for n in range(3)]
    for label, rejected in (("accepted", False), ("rejected", True)):
        assert row(label, *(counts[rejected] for counts in ends)) in page
    for code in {code for v in verdicts.values() if isinstance(v[2], dict) for code in (*v[1], *v[2])}:
        files = [sum(isinstance(v[n], dict) and code in v[n] for v in verdicts.values()) for n in range(3)]
        found = sum(v[2][code] for v in verdicts.values() if isinstance(v[2], dict) and code in v[2])
        assert row(f"`{code}`", *files, found) in page, (code, files, found)


def test_the_page_tells_of_every_file() -> None:
    corpus()
    page = PAGE.read_text(encoding="utf-8")
    told = page.partition(BEGIN)[2].partition(END)[0]
    assert told.strip() == table().strip(), "write it again: python -m tests.compatibility.verdicts"


def test_the_page_names_every_rule_of_the_rust_tool() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert all(f"`{code}`" in page for code in {*UPSTREAM, "SCHEMA-020", "YAML-002"})


STRICTER = {
    # An alias of a falsifier, a key of ours, is an id as well.
    "SCHEMA-007": (2, 1),
    # Two of the five are slips of a letter, which the Rust tool does not look for.
    "SCHEMA-019": (5, 3),
}
"""Rules that find more with us → how often on their examples, and how often the Rust tool."""


@pytest.mark.parametrize("path", sorted(RESOURCES.glob("[!P]*.yaml")), ids=lambda path: path.stem)
def test_on_the_examples_of_the_rules_both_say_the_same(path: Path, rust: Judge) -> None:
    text = path.read_text(encoding="utf-8")
    ours, theirs = without_ours(our_verdict(text)), rust(text, "newest")
    for code, counts in STRICTER.items():
        if path.name == f"{code}.bad.yaml":
            assert isinstance(ours, dict)
            assert isinstance(theirs, dict)
            assert (ours.pop(code), theirs.pop(code)) == counts
    assert ours == theirs


@pytest.mark.parametrize("path", sorted(RESOURCES.glob("PM-*.yaml")), ids=lambda path: path.stem)
def test_on_the_examples_of_manifests_both_say_the_same(path: Path, rust: Judge, tmp_path: Path) -> None:
    owner = "schema: {required_fields: [license, artifact_url], provenance_required_fields: [pipeline]}"
    lone = path.stem == "PM-SHAPE-000.bad"
    if not lone:
        (tmp_path / "publish-manifest-v1.yaml").write_text(owner, encoding="utf-8")
    text = path.read_text(encoding="utf-8")
    ours = our_verdict(text, tmp_path / "manifest.yaml")
    assert ours == rust(text, "newest", owner=None if lone else owner)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("metadata:\n  version: '1'\n  version: '2'\n  description: x\n", (3, 3)),
        ("metadata: {version: '1', description: x, kind: pattern}\ncommands: [{a: 1, a: 2}]\n", (2, 19)),
    ],
)
def test_schema_020_is_a_key_that_occurs_twice(text: str, where: tuple[int, int], rust: Judge) -> None:
    with pytest.raises(DocumentError) as caught:
        parse(text, "a.yaml")
    assert caught.value.code == "YAML-002"
    assert caught.value.where is not None
    assert (caught.value.where.line, caught.value.where.column) == where
    assert our_verdict(text) == {"SCHEMA-020": 1}
    # In a block that it types, the Rust tool stops as at any misshapen value.
    assert rust(text, "newest") == ({"SCHEMA-020": 1} if "commands" in text else "does not parse")
    once = text.replace("a: 2", "b: 2").replace("version: '2'", "author: x")
    assert "SCHEMA-020" not in our_verdict(once)


@functools.cache
def documents() -> list[Any]:
    stems = {"softmax-kernel-v1", "glm-v1", "tensor-layout-v1", "architecture-requirements-v1"}
    return [yaml.safe_load(path.read_text(encoding="utf-8")) for path in corpus() if path.stem in stems]


SECTIONS = ["metadata", "equations", "proof_obligations", "falsification_tests", "kani_harnesses", "qa_gate"]
ADDED: list[tuple[str, Any]] = [
    *((key, "a text") for key in ("requires", "applies_to_phase", "parent_contract")),
    *((key, "a text") for key in ("na_reason", "na_owner")),
    *(("type", word) for word in ("postcondition", "loop_variant", "subcontract", "frame", "test")),
    *(("applies_to", word) for word in ("not_applicable", "simd")),
    *(("demand_score", score) for score in (1, 6)),
    *(("competitor", word) for word in ("ollama", "nobody")),
    *(("contract", word) for word in ("C-1", "")),
    *(("kind", word) for word in ("kernel", "pattern", "kaizen", "beat-benchmark")),
    ("registry", True),
    ("depends_on", ["a text"]),
    ("references", []),
    ("version", 1),
    ("version", " "),
    ("bound", None),
    ("strategy", "guess"),
    *((key, "") for key in ("property", "prediction", "if_fails", "formula", "obligation")),
    *((key, "both") for key in ("statement", "expected", "fails_if", "description")),
]


@st.composite
def edits(draw: st.DrawFn) -> Any:
    """Return a contract of the corpus after one to three edits that the rules are about."""
    document = copy.deepcopy(draw(st.sampled_from(documents())))
    for _ in range(draw(st.integers(1, 3))):
        section = draw(st.sampled_from(SECTIONS))
        value = document.get(section)
        kind = draw(st.sampled_from(["add", "remove", "repeat", "drop", "rename"]))
        if kind == "drop":
            document.pop(section, None)
        elif kind == "rename":
            names = ["kind", "Equations", "qa-gate", "proof_obligation", "falsification", "notes"]
            names += ["falsifications", "kani_harness", "simd-dispatches", "coq_specs", "stories_"]
            document[draw(st.sampled_from(names))] = draw(st.sampled_from([[], {}, "text"]))
        elif value:
            item = value if section in {"metadata", "qa_gate"} else None
            if item is None:
                step = draw(st.sampled_from(sorted(value) if isinstance(value, dict) else range(len(value))))
                item = value[step]
            if kind == "repeat" and isinstance(value, list):
                value.append(copy.deepcopy(item))
            elif kind == "remove" and item:
                item.pop(draw(st.sampled_from(sorted(item))))
            elif kind == "add":
                key, added = draw(st.sampled_from(ADDED))
                item[key] = added
    return document


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_after_edits_both_say_the_same(rust: Judge, data: st.DataObject) -> None:
    corpus()
    document = data.draw(edits())
    text = json.dumps(document)
    ours, theirs = without_ours(our_verdict(text)), rust(text, "newest")
    if isinstance(ours, dict) and isinstance(theirs, dict) and proved_without_kani(document):
        # We take a proof in the place of what Kani would have shown.
        lacking = theirs.pop("PROVABILITY-001") - ours.pop("PROVABILITY-001", 0)
        assert lacking == 1
    assert ours == theirs


def proved_without_kani(document: Any) -> bool:
    metadata = document["metadata"]
    if metadata.get("kind", "kernel") != "kernel" or metadata.get("registry"):
        return False
    proofs = [item.get("lean") for item in document.get("proof_obligations", [])]
    proved = any(isinstance(proof, dict) and proof.get("status") == "proved" for proof in proofs)
    return proved and not document.get("kani_harnesses")
