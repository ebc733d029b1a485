"""The JSON Schema and the loader agree: what loads is accepted, what is refused does not load."""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from pv.contract import LEVELS, SPELLINGS, Contract, NotAContractError, ShapeError, load_contract
from pv.document import parse
from pv.json_schema import json_schema
from pv.schema import FALSIFIER, KINDS, OBLIGATION_TYPES
from pv.shape import build

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT.parent / "shared" / "corpus"
CONTRACTS = sorted([*(ROOT / "contracts").glob("*.yaml"), *(ROOT / "pv/templates").glob("*.yaml")])


@functools.cache
def validator() -> Draft202012Validator:
    return Draft202012Validator(json_schema())


def loads(value: Any) -> bool:
    """Load a value as the YAML file would be."""
    try:
        # JSON is YAML 1.2.
        return isinstance(build(parse(json.dumps(value), "a.yaml")), Contract)
    except (ShapeError, NotAContractError):
        return False


def accepts(value: Any) -> bool:
    return bool(validator().is_valid(value))


def test_it_is_a_schema_of_2020_12() -> None:
    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"]
    assert schema["title"]


def test_the_shipped_file_is_the_one_that_is_made() -> None:
    made = json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
    shipped = (ROOT / "pv/contract.schema.json").read_text(encoding="utf-8")
    assert shipped == made, "write it again: python -m pv.json_schema > pv/contract.schema.json"


def properties(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every property that the schema tells of, but not those of its restrictions."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        if key in {"allOf", "default"}:
            continue
        if key == "properties":
            yield from ((f"{path}/{name}", described) for name, described in value.items())
        if isinstance(value, (dict, list)):
            yield from properties(value, f"{path}/{key}")


def test_every_property_and_every_mapping_is_described() -> None:
    found = dict(properties(json_schema()))
    assert len(found) > 150
    for path, node in found.items():
        assert len(node["description"].split()) >= 2, path
    for name, node in json_schema()["$defs"].items():
        assert node["description"], name
    assert "#/$defs/falsifier" in json.dumps(json_schema()["properties"]["falsification_tests"])


def test_every_key_is_there_under_every_spelling() -> None:
    falsifier = json_schema()["$defs"]["falsifier"]["properties"]
    assert set(falsifier) == {
        spelling
        for key in FALSIFIER["fields"]
        for spelling in (SPELLINGS[key] if key in {"rule", "prediction", "if_fails"} else (key,))
    }
    assert falsifier["expected"]["description"] == "Same as `prediction`."
    metadata = json_schema()["$defs"]["metadata"]["properties"]
    assert {"enum": KINDS} in metadata["kind"]["anyOf"]
    assert json_schema()["$defs"]["obligation"]["properties"]["type"]["enum"] == OBLIGATION_TYPES
    assert len(KINDS) == 14
    assert len(OBLIGATION_TYPES) == 28


def test_unknown_keys_are_kept_where_the_loader_keeps_them() -> None:
    base: dict[str, Any] = {"metadata": {"version": "1", "description": "x"}}
    closed = set()
    for name, node in json_schema()["$defs"].items():
        if not node["additionalProperties"]:
            closed.add(name)
    ours = {"property", "property_input", "tolerance"}
    assert closed == {"needs", "satisfying_example", "replacement", "runs", "cited", "hypothesis"} | ours
    assert json_schema()["additionalProperties"]
    assert accepts(base | {"anything": {"at": ["all"]}})


@pytest.mark.parametrize("path", CONTRACTS, ids=lambda path: path.name)
def test_our_contracts_are_accepted(path: Path) -> None:
    value = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert list(validator().iter_errors(value)) == []


@pytest.mark.parametrize("path", sorted((ROOT / "contracts").glob("*.yaml")), ids=lambda path: path.name)
def test_the_first_line_of_our_contracts_names_the_schema(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]
    prefix = "# yaml-language-server: $schema="
    assert first.startswith(prefix)
    assert (path.parent / first.removeprefix(prefix)).resolve() == ROOT / "pv/contract.schema.json"


def test_what_loads_is_accepted_over_the_whole_corpus() -> None:
    if not CORPUS.is_dir():
        pytest.skip("the outside corpus is not beside this checkout")
    count = 0
    for path in sorted(CORPUS.rglob("*.yaml")):
        try:
            value = load_contract(path).document.value
        except NotAContractError:
            continue
        assert list(validator().iter_errors(value)) == [], path
        count += 1
    assert count == 91


GOOD: dict[str, Any] = {
    "metadata": {
        "version": "1.0.0",
        "description": "x",
        "references": ["y"],
        "changelog": [{"version": "1"}, "first"],
        "status": "ACTIVE",
        "kind": "pattern",
        "registry": False,
        "demand_score": 3,
    },
    "equations": {"e": {"formula": "x = x", "invariants": ["i"], "float_tolerance": 0.5}},
    "proof_obligations": [
        {
            "id": "O",
            "type": "bound",
            "statement": "p",
            "lean": {"theorem": "T", "status": "wip"},
            "tolerance": 0,
        }
    ],
    "falsification_tests": [
        {
            "id": "FALSIFY-A-1",
            "description": "r",
            "expected": "p",
            "check": "a.b:c",
            "with": {"n": 1},
            "subjects": {"live": {"source": "s"}},
            "expect": {"live": ["m == 1"], "*": ["m >= 0"]},
            "counter_examples": {"one": {"subjects": {"a": "b"}, "arguments": ["x"]}},
            "needs": {
                "live": {"memory": "8 GiB", "gpu": ">=8.9", "modules": ["json"]},
                "algorithm": {"timeout": "2 min"},
            },
            "runs": {"by": "seed", "seeds": [0, 1]},
            "outcome": "refuted",
            "satisfying_example": {"with": {"n": 2}},
        },
        {
            "id": "FALSIFY-A-2",
            "command": ["true"],
            "metrics": [{"name": "exit"}],
            "counter_examples": ["a"],
            "expect": ["exit == 0"],
            "needs": {"memory": "1 GiB"},
            "environment": {"A": "{source}"},
        },
        {"id": "FALSIFY-A-3", "basis": {"m": {"falsifier": "FALSIFY-A-1", "metric": "m", "level": "live"}}},
    ],
    "kani_harnesses": [{"id": "K", "obligation": "O", "strategy": "exhaustive", "bound": 1}],
    "qa_gate": {"id": "Q", "checks": ["c"]},
    "coq_spec": {"module": "M", "obligations": [{"coq_lemma": "l"}]},
    "stories": [{"id": "S", "demand_score": 1}],
}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    for step in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from places(value[step], (*path, step))


PLACES = list(places(GOOD))[1:]
KEYS_OF_GOOD = sorted({step for path in PLACES for step in path if isinstance(step, str)})
WORDS = "live holds refuted proved any seed kernel x 1.0 a.b:c".split()  # noqa: SIM905
PLAIN: list[Any] = [None, True, False, 0, 1, -1, 3, 0.5, -0.5, "", "a b", "8 GiB", "10 min", *WORDS]
NESTED: list[Any] = [[], {}, ["x"], [1], [{}], {"a": "b"}, {"x": {}}, {"live": ["m"]}, {"live": {"a": "b"}}]
SCALARS: st.SearchStrategy[Any] = st.sampled_from([*PLAIN, *NESTED])
VALUES = SCALARS | st.dictionaries(st.sampled_from([*KEYS_OF_GOOD, *LEVELS, "*", "x"]), SCALARS, max_size=3)


def edited(path: tuple[Any, ...], value: Any, *, remove: bool = False, add: str | None = None) -> Any:
    document = copy.deepcopy(GOOD)
    parent: Any = document
    for step in path[:-1]:
        parent = parent[step]
    if remove:
        del parent[path[-1]]
    elif add is not None and isinstance(parent[path[-1]], dict):
        parent[path[-1]][add] = value
    else:
        parent[path[-1]] = value
    return document


def said_only_by_the_loader(value: Any) -> bool:
    """Tell whether every problem of `value` is one that JSON Schema has no words for."""
    try:
        build(parse(json.dumps(value), "a.yaml"))
    except ShapeError as error:
        words = ("seeds", "at_least", "no positive number", "package.module:function", "two equations")
        return all(any(word in finding.message for word in words) for finding in error.findings)
    return False


def test_the_good_one_is_good() -> None:
    assert loads(GOOD)
    assert accepts(GOOD)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(PLACES), VALUES, st.booleans(), st.none() | st.sampled_from([*KEYS_OF_GOOD, "unheard_of"])
)
def test_after_an_edit_both_say_the_same(path: Any, value: Any, remove: bool, add: str | None) -> None:
    document = edited(path, value, remove=remove, add=add)
    if loads(document):
        assert accepts(document)
    elif not said_only_by_the_loader(document):
        assert not accepts(document)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("metadata", "version"), 1.0),
        (("metadata", "changelog"), "text"),
        (("metadata", "changelog"), [1]),
        (("metadata", "kind"), "kernels"),
        (("proof_obligations", 0, "type"), "test"),
        (("proof_obligations", 0, "property"), "also statement"),
        (("falsification_tests", 0, "rule"), "also description"),
        (("falsification_tests", 0, "pytest"), "t.py::t"),
        (("falsification_tests", 0, "satisfying_example"), None),
        (("falsification_tests", 0, "id"), "a b"),
        (("falsification_tests", 1, "expect"), []),
        (("falsification_tests", 1, "needs", "memori"), "1 GiB"),
        (("falsification_tests", 1, "needs"), {"*": {"memory": "1 GiB"}}),
        (("falsification_tests", 1, "needs", "timeout"), "10 minutes"),
        (("falsification_tests", 1, "needs", "modules"), ["llama-cpp-python"]),
        (("falsification_tests", 1, "needs", "modules"), "json"),
        (("falsification_tests", 1, "basis"), {"m": {"falsifier": "A", "metric": "m"}}),
        (("falsification_tests", 0, "subjects", "nightly"), {}),
        (("equations", "e"), None),
    ],
)
def test_both_refuse(path: tuple[Any, ...], value: Any) -> None:
    document = edited(path, value)
    assert not loads(document)
    assert not accepts(document)


@pytest.mark.parametrize(
    "changelog",
    [
        ["1.0: first"],
        [{"version": "1.0.0", "date": "2026-11-20"}],
        {"1.0.0": ["first"], "1.1.0": "second"},
        None,
    ],
)
def test_a_changelog_has_three_forms(changelog: Any) -> None:
    document = edited(("metadata", "changelog"), changelog)
    assert loads(document)
    assert accepts(document)


@pytest.mark.parametrize("equations", [None, {}, [], [{"id": "a"}, {"formula": "x"}], {"a": {}}])
def test_equations_are_a_map_or_a_list(equations: Any) -> None:
    document = edited(("equations",), equations)
    assert loads(document)
    assert accepts(document)
