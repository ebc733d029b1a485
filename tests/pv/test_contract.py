from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pv.contract import Contract, NotAContractError, ShapeError, load_contract
from pv.document import load, parse
from pv.errors import Location, PvError
from pv.needs import Needs
from pv.rules import judge
from pv.shape import build

RESOURCES = Path(__file__).parent / "resources" / "contracts"
WHOLE = RESOURCES / "whole-v1.yaml"
CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="the outside corpus is not here")


def write(folder: Path, text: str) -> Path:
    path = folder / "small-v1.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_falsifier_with_everything() -> None:
    contract = load_contract(WHOLE)
    falsifier = contract.falsifiers[0]
    assert (contract.stem, contract.version, contract.kind) == ("whole-v1", "1.10", "kernel")
    assert falsifier.id == "FALSIFY-WHOLE-001"
    assert falsifier.check == "package.checks:round_trip"
    assert falsifier.arguments == {"scheme": "q4_k"}
    assert falsifier.subjects == {"functional": {"source": "tiny"}, "live": {"source": "large"}}
    assert falsifier.expectations("live") == ("min(cosine) >= 0.993", "count(cosine) == expected_tensors")
    assert falsifier.expectations("algorithm") == falsifier.expectations("live")
    assert falsifier.counter_examples == ("flipped_tile", "missing_tensor")
    assert falsifier.needs_at("live") == Needs(8 << 30, 600.0, ">=8.9")
    assert falsifier.covers == ("WHOLE-BOUND-1",)
    assert falsifier.aliases == ("FALSIFY-OLD-001",)
    assert falsifier.ship_blocking
    assert falsifier.discharge_status == "DISCHARGED"
    assert falsifier.outcome == "holds"
    assert falsifier.raw == contract.document.value["falsification_tests"][0]
    assert "unknown_key" in falsifier.raw


def test_expectations_and_needs_by_level() -> None:
    falsifier = load_contract(WHOLE).falsifiers[1]
    assert falsifier.expectations("functional") == ("max(error) <= 1e-3",)
    assert falsifier.expectations("live") == ("max(error) <= 1e-5", "count(error) == 3")
    assert falsifier.expectations("algorithm") == ()
    assert falsifier.needs_at("live") == Needs(timeout_seconds=30.0)
    assert falsifier.needs_at("functional") == Needs()
    assert falsifier.outcome == "refuted"
    assert falsifier.satisfying_example == {"with": {"scheme": "q6_k"}}
    assert falsifier.command == ("python", "-c", "pass")
    assert falsifier.counter_examples is None


def test_the_rust_tools_spellings() -> None:
    contract = load_contract(WHOLE)
    falsifier = contract.falsifiers[2]
    assert falsifier.rule == "the old spelling of rule"
    assert falsifier.prediction == "the old spelling of prediction"
    assert falsifier.if_fails == "the old spelling of if_fails"
    assert falsifier.test == "cargo test old"
    assert (falsifier.check, falsifier.pytest, falsifier.command) == (None, None, None)
    assert contract.obligations[0].property == "the old spelling of property"
    assert contract.obligations[0].formal == "the old spelling of formal"


def test_each_part_knows_where_it_stands() -> None:
    contract = load_contract(WHOLE)
    lines = WHOLE.read_text(encoding="utf-8").splitlines()

    def at(where: Location) -> str:
        return lines[where.line - 1][where.column - 1 :]

    first, second, third = contract.falsifiers
    assert at(first.where).startswith("id: FALSIFY-WHOLE-001")
    assert at(first.key_where("check")).startswith("check: package")
    assert at(first.value_where("check")).startswith("package.checks")
    assert at(first.value_where("with", "scheme")) == "q4_k}"
    assert at(first.expectation_where("*", 1)).startswith("count(cosine)")
    assert at(second.expectation_where("live", 1)).startswith("count(error)")
    assert at(third.key_where("prediction")).startswith("expected:")
    assert at(third.value_where("rule")).startswith("the old spelling of rule")
    assert third.key_where("check") == third.where
    assert at(contract.obligations[0].key_where("property")).startswith("statement:")
    assert at(contract.equations[0].value_where("formula")).startswith("f(x) = x")
    assert at(contract.kani[0].where).startswith("id: KANI")
    assert contract.qa_gate is not None
    assert at(contract.qa_gate.where).startswith("id: F-WHOLE")


def test_equations_may_be_a_list(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        'metadata: {version: "1", description: x}\nequations:\n- {id: a, formula: f}\n- {formula: g}\n',
    )
    contract = load_contract(path)
    assert [(equation.name, equation.formula) for equation in contract.equations] == [
        ("a", "f"),
        ("equation_1", "g"),
    ]
    assert str(contract.equations[1].value_where("formula")) == f"{path}:4:13"
    assert (
        load_contract(write(tmp_path, 'metadata: {version: "1", description: x}\nequations:\n')).equations
        == ()
    )


def test_two_equations_of_a_list_cannot_have_one_id(tmp_path: Path) -> None:
    path = write(tmp_path, 'metadata: {version: "1", description: x}\nequations: [{id: a}, {id: a}]\n')
    with pytest.raises(ShapeError, match="two equations have one id"):
        load_contract(path)


@pytest.mark.parametrize(
    ("extra", "kind", "declared"),
    [
        ("", "kernel", False),
        (", kind: kernel", "kernel", True),
        (", registry: true", "registry", False),
        (", kind: pattern, registry: true", "pattern", True),
    ],
)
def test_the_kind(tmp_path: Path, extra: str, kind: str, declared: bool) -> None:
    contract = load_contract(write(tmp_path, f'metadata: {{version: "1", description: x{extra}}}'))
    assert (contract.kind, contract.kind_declared) == (kind, declared)
    assert contract.is_kernel == (kind == "kernel")


def test_every_problem_of_shape_is_told_at_its_place() -> None:
    path = RESOURCES / "misshapen.yaml"
    with pytest.raises(ShapeError) as caught:
        load_contract(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    expected = [
        (number, comment)
        for number, line in enumerate(lines, 1)
        for comment in line.partition("  # ")[2].split("; ")
        if comment
    ]
    found = [(finding.where.line, finding.message) for finding in caught.value.findings]
    assert len(found) == len(expected)
    for (line, message), (expected_line, fragment) in zip(found, expected, strict=True):
        assert (line, fragment in message) == (expected_line, True), (line, message, fragment)
    assert all(finding.code == "SCHEMA-000" and finding.remedy for finding in caught.value.findings)
    assert str(caught.value).count("error[SCHEMA-000]") == len(expected)


def test_a_version_without_quotes_is_told_to_take_them(tmp_path: Path) -> None:
    with pytest.raises(ShapeError) as caught:
        load_contract(write(tmp_path, "metadata:\n  version: 1.10\n  description: x\n"))
    (finding,) = caught.value.findings
    assert "quotes" in finding.remedy
    assert (finding.where.line, finding.where.column) == (2, 12)


@pytest.mark.parametrize("number", ["010", "1.10", "0x1F", "1e3"])
def test_an_id_that_is_a_number_is_told_to_take_quotes(tmp_path: Path, number: str) -> None:
    with pytest.raises(ShapeError) as caught:
        load_contract(
            write(tmp_path, f"metadata:\n  version: '1'\nfalsification_tests:\n- id: {number}\n  rule: x\n")
        )
    said = [each for each in caught.value.findings if (each.where.line, each.where.column) == (4, 7)]
    assert ["quotes" in each.remedy for each in said] == [True]


@pytest.mark.parametrize(
    ("text", "artefact"),
    [
        ("bindings: []\ntarget_crate: x\n", "binding registry"),
        ("model_id: x\nprovenance: {}\n", "publish manifest"),
    ],
)
def test_other_artefacts_are_recognised(tmp_path: Path, text: str, artefact: str) -> None:
    with pytest.raises(NotAContractError) as caught:
        load_contract(write(tmp_path, text))
    assert caught.value.artefact == artefact


@pytest.mark.parametrize(
    "text", ["a: 1", "[metadata]", "metadata", "bindings: []", "metadata:", "metadata: []"]
)
def test_what_is_no_contract(tmp_path: Path, text: str) -> None:
    with pytest.raises(ShapeError, match="metadata"):
        load_contract(write(tmp_path, text))


def test_parts_are_frozen() -> None:
    contract = load_contract(WHOLE)
    with pytest.raises(dataclasses.FrozenInstanceError):
        contract.falsifiers[0].outcome = "refuted"  # type: ignore[misc]


@needs_corpus
def test_the_corpus_has_the_shape_of_contracts() -> None:
    contracts: list[Contract] = []
    others = []
    for path in sorted(CORPUS.rglob("*.yaml")):
        try:
            contracts.append(load_contract(path))
        except NotAContractError as note:
            others.append((path.name, note.artefact))
    assert others == [("binding.yaml", "binding registry")]
    assert len(contracts) == 91
    assert sum(len(contract.equations) for contract in contracts) == 315
    assert sum(len(contract.obligations) for contract in contracts) == 472
    assert sum(len(contract.falsifiers) for contract in contracts) == 513
    assert sum(len(contract.kani) for contract in contracts) == 160
    # The four of the consuming project are no kernels and do not say so; 0.1.0 could not read them either.
    rejected = {
        contract.stem for contract in contracts if any(f.severity == "error" for f in judge(contract))
    }
    assert rejected == {"kernel-fusion-v1", "layer-parity-v1", "quantized-dot-product-v1", "tensor-layout-v1"}


leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
leaves |= st.sampled_from(["", "x", "live", "*", "8 GiB", "min(x) > 1", "a.b:c", "kernel", "refuted"])
junk = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "live", "lvie", "*", "with"]), inner)
    ),
    max_leaves=5,
)


@settings(deadline=None)
@given(st.data())
def test_a_mutated_contract_is_judged_or_refused_but_never_breaks(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    value = json.loads(json.dumps(load(WHOLE).value))
    for _ in range(data.draw(st.integers(1, 3))):
        spot: Any = value
        while True:
            keys = list(spot) if isinstance(spot, dict) else range(len(spot))
            key = data.draw(st.sampled_from(keys))
            if isinstance(spot[key], (dict, list)) and spot[key] and data.draw(st.integers(0, 3)):
                spot = spot[key]
                continue
            spot[key] = data.draw(junk)
            break
    path = tmp_path_factory.getbasetemp() / "mutated.yaml"
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    try:
        judge(load_contract(path))
    except PvError as error:
        assert error.code  # noqa: PT017


@settings(deadline=None)
@given(st.integers(0, 10_000), st.binary(max_size=4), st.integers(0, 5))
def test_damaged_bytes_are_judged_or_refused_but_never_break(
    tmp_path_factory: pytest.TempPathFactory, at: int, patch: bytes, removed: int
) -> None:
    whole = WHOLE.read_bytes()
    at %= len(whole)
    path = tmp_path_factory.getbasetemp() / "damaged.yaml"
    path.write_bytes(whole[:at] + patch + whole[at + removed :])
    try:
        judge(load_contract(path))
    except PvError as error:
        assert error.code  # noqa: PT017


@pytest.mark.parametrize(
    ("written", "column", "remedy"),
    [
        ("needs: {memroy: 8 GiB}", 11, "Did you mean memory?"),
        ("needs: {live: {time_out: 1 min}}", 18, "Did you mean timeout?"),
        ("needs: {module: [json]}", 11, "Did you mean modules?"),
        ("needs: {lvie: {}}", 11, "Remove it, or correct its name."),
        ("needs: {funtional: {}}", 11, "Did you mean functional?"),
        ("subjects: {Live: {}}", 14, "Did you mean live?"),
        ("subjects: {nightly: {}}", 14, "Use one of them."),
        ("outcome: refutted", 12, "Did you mean refuted?"),
        ("outcome: unknown", 12, "Use one of them."),
        ("subjects: {algorihtm: {}}", 14, "Did you mean algorithm?"),
        ("runs: {by: day, at_least: 2, seed: [1]}", 32, "Did you mean seeds?"),
        ("basis: {m: {falsifer: A, falsifier: A, metric: m}}", 15, "Did you mean falsifier?"),
        ("counter_examples: {runs: {argument: [a]}}", 29, "Did you mean arguments?"),
        ("satisfying_example: {subject: {}}", 24, "Did you mean subjects?"),
        ("runs: {by: day, at_least: 2, colour: [1]}", 32, "Remove it, or correct its name."),
    ],
)
def test_a_slip_in_a_closed_mapping_is_told_what_was_meant(
    tmp_path: Path, written: str, column: int, remedy: str
) -> None:
    head = 'metadata: {version: "1", description: x}\nfalsification_tests:\n- id: A\n  '
    with pytest.raises(ShapeError) as caught:
        load_contract(write(tmp_path, f"{head}{written}\n"))
    (finding,) = caught.value.findings
    assert (finding.where.line, finding.where.column, finding.remedy) == (4, column, remedy)


@pytest.mark.parametrize(
    ("written", "column", "message"),
    [
        ("property: {type: bound, inputs: {}}", 13, "property: subject is missing"),
        ("counter_examples: {list: {subjects: [a]}, mapping: {}}", 39,
         "counter_examples.list.subjects: expected a mapping, found a list"),
        ("counter_examples: {mapping: {subjects: [a]}}", 42,
         "counter_examples.mapping.subjects: expected a mapping, found a list"),
        ("counter_examples: {mapping: {}, a: {subjects: [a]}}", 49,
         "counter_examples.a.subjects: expected a mapping, found a list"),
    ],
)  # fmt: skip
def test_a_value_of_two_forms_is_told_at_its_place_by_its_own_names(
    tmp_path: Path, written: str, column: int, message: str
) -> None:
    head = 'metadata: {version: "1", description: x}\nfalsification_tests:\n- id: A\n  '
    with pytest.raises(ShapeError) as caught:
        load_contract(write(tmp_path, f"{head}{written}\n"))
    finding = caught.value.findings[0]
    assert (finding.where.line, finding.where.column) == (4, column)
    assert finding.message == f"falsification_tests[0].{message}"


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        ("type_invariants: [{name: n, type: T, predicate: p, description: d, other: 1}]", None),
        ("type_invariants: {name: n}", "type_invariants: expected a list, found a mapping"),
        ("coq_spec: {module: M, imports: [a], definitions: [{a: 1}], obligations: [{links_to: O}]}", None),
        ("coq_spec: {obligations: [{status: 1}]}", "coq_spec.obligations[0].status: expected text"),
        ("beat: {pillar: 1, incumbent: x, beat_threshold: 0.9, direction: lower_is_better}", None),
        ("beat: {beat_threshold: fast}", "beat.beat_threshold: expected a number, found text"),
        ("stories: [{id: S, competitor: c, demand_score: 3, status: missing}]", None),
        ("stories: [{demand_score: '3'}]", "stories[0].demand_score: expected an integer, found text"),
        ("evidence: [anything, {level: L1}]", None),
        ("equations: {e: {assumes: {shape: [n]}, guarantees: [x]}}", None),
    ],
)
def test_the_blocks_of_the_rust_tool(tmp_path: Path, block: str, problem: str | None) -> None:
    path = write(tmp_path, f'metadata: {{version: "1", description: x}}\n{block}\n')
    if problem is None:
        assert load_contract(path).document.value.keys() == {"metadata", block.split(":", maxsplit=1)[0]}
        return
    with pytest.raises(ShapeError) as caught:
        load_contract(path)
    assert caught.value.findings[0].message.startswith(problem)
    assert caught.value.findings[0].where.line == 2


@pytest.mark.parametrize(
    ("changelog", "problem"),
    [
        ("[first, second]", None),
        ("[{version: '1', date: 2026-11-20}]", None),
        ("{1.0.0: [first], 1.1.0: second, 1.2.0: {by: a}}", None),
        ("first", "metadata.changelog: expected a list, found text"),
        ("[1]", "metadata.changelog[0]: expected text, found a number"),
        ("{1.0.0: 1}", "metadata.changelog.1.0.0: expected text, found a number"),
    ],
)
def test_a_changelog_has_three_forms(tmp_path: Path, changelog: str, problem: str | None) -> None:
    words = f'version: "1", description: x, status: ACTIVE, updated: 2026-11-20, changelog: {changelog}'
    path = write(tmp_path, f"metadata: {{{words}}}\n")
    if problem is None:
        assert load_contract(path).metadata["updated"] == "2026-11-20"
        return
    with pytest.raises(ShapeError) as caught:
        load_contract(path)
    assert [finding.message for finding in caught.value.findings] == [problem]


def test_every_part_has_all_its_fields() -> None:
    text = (Path(__file__).parent / "rules/resources/SCHEMA-001.good.yaml").read_text(encoding="utf-8")
    document = parse(
        f"{text}hypotheses: [{{id: H, statement: s, predicts: {{F: Pass}}, then: t}}]\n", "a.yaml"
    )
    contract = build(document)
    parts = (
        *contract.equations,
        *contract.obligations,
        *contract.falsifiers,
        *contract.kani,
        *contract.hypotheses,
    )
    assert {type(part).__name__ for part in parts} >= {
        "Equation",
        "Obligation",
        "Falsifier",
        "Harness",
        "Hypothesis",
    }
    for part in parts:
        assert vars(part).keys() == {field.name for field in dataclasses.fields(part)}
