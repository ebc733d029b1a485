"""The schema with a project's names: our contracts are valid by it, and slips of names are refused."""

from __future__ import annotations

import copy
import functools
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator, Draft202012Validator

from pv.config import load_config
from pv.declared_checks import declared_checks
from pv.expression import parse
from pv.project_schema import project_schema

ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = sorted((ROOT / "contracts").glob("*.yaml"))


@functools.cache
def schema() -> dict[str, Any]:
    config = load_config(ROOT)
    return project_schema(declared_checks(config)[0], config.subjects)


@functools.cache
def validator() -> Draft202012Validator:
    Draft202012Validator.check_schema(schema())
    return Draft202012Validator(schema())


@functools.cache
def loaded(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)


@pytest.mark.parametrize("path", CONTRACTS, ids=lambda path: path.stem)
def test_our_contracts_are_valid(path: Path) -> None:
    assert list(validator().iter_errors(loaded(path))) == []


def bound() -> dict[str, Any]:
    """A falsifier of ours that says everything that the schema knows the names of."""
    for path in CONTRACTS:
        for clause in loaded(path)["falsification_tests"]:
            wanted = {"check", "with", "subjects", "counter_examples", "must_detect"}
            if wanted <= clause.keys() and isinstance(clause["expect"], list):
                found: dict[str, Any] = copy.deepcopy(clause)
                return found
    raise AssertionError("no falsifier of ours says it all")


def contract(clause: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"version": "1.0.0", "description": "x"}, "falsification_tests": [clause]}


def accepts(clause: dict[str, Any]) -> bool:
    return bool(validator().is_valid(contract(clause)))


@functools.cache
def seventh() -> Draft7Validator:
    """What reads draft 7 alone, as older language servers do, reads the schema alike."""
    return Draft7Validator({**schema(), "$schema": "http://json-schema.org/draft-07/schema#"})


def test_the_whole_one_is_valid() -> None:
    assert accepts(bound())
    Draft7Validator.check_schema(schema())
    assert seventh().is_valid(contract(bound()))


SLIPS: dict[str, dict[str, Callable[[Any], Any]]] = {
    "a check that is none": {"check": lambda old: f"{old}s"},
    "an argument that the check does not take": {"with": lambda old: {**old, "sceme": 1}},
    "a counter-example that is not planted": {"counter_examples": lambda old: [*old, "flipped_tyle"]},
    "a dose that the check does not have": {"must_detect": lambda old: {**old, "scal": 1}},
    "a dose of a metric that it does not record": {"must_detect": lambda old: {**old, "nothing.dropped": 1}},
    "a metric that it does not record": {"expect": lambda old: [*old, "min(cosinus) >= 0.9"]},
    "a metric at one level": {"expect": lambda _: {"*": ["min(cosinus) >= 0.9"]}},
    "a role that the check does not take": {
        "subjects": lambda old: {level: {**roles, "sauce": "tiny-qwen2"} for level, roles in old.items()}
    },
    "a subject that is in no pv.toml": {
        "subjects": lambda old: {level: dict.fromkeys(roles, "nobody") for level, roles in old.items()}
    },
    "a subject of the example": {"satisfying_example": lambda _: {"subjects": {"x": "nobody"}}},
    "an argument of the example": {"satisfying_example": lambda _: {"with": {"sceme": 1}}},
}  # fmt: skip


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_refused_and_only_by_the_schema_of_the_project(slip: str) -> None:
    clause = bound()
    ((key, change),) = SLIPS[slip].items()
    clause[key] = change(clause.get(key))
    shipped = json.loads((ROOT / "pv/contract.schema.json").read_text(encoding="utf-8"))
    assert Draft202012Validator(shipped).is_valid(contract(clause))
    assert not accepts(clause)
    assert not seventh().is_valid(contract(clause))


def test_other_bindings_may_name_what_they_like() -> None:
    clause = {
        "id": "A-1",
        "pytest": "t.py::t",
        "subjects": {"live": {"x": "a/path"}},
        "expect": ["any_name == 1"],
    }
    assert accepts(clause)
    assert accepts({"id": "A-1"})
    assert accepts({"id": "A-1", "check": None})


def test_an_editor_is_told_what_a_line_may_name() -> None:
    reference = bound()["check"]
    line = schema()["$defs"][f"{reference} lines"]["items"]
    assert line["patternErrorMessage"].startswith("This names something else than a metric: ")
    assert reference in line["description"]


def test_a_project_without_checks_or_subjects_has_a_schema_too() -> None:
    empty = project_schema({}, [])
    Draft202012Validator.check_schema(empty)
    assert Draft202012Validator(empty).is_valid(contract({"id": "A-1", "check": "a.b:c"}))
    assert empty["$id"] == "urn:pv:contract:with-checks"


def pattern() -> str:
    found: str = schema()["$defs"][f"{bound()['check']} lines"]["items"]["pattern"]
    return found


METRICS = sorted(declared_checks(load_config(ROOT))[0][bound()["check"]].metrics)
NUMBERS = st.sampled_from(["0", "1", "2.5e-3", "1e-9", ".5", "1_000", "0x1f", "-3", "1.", "7E+2"])
NAMES = st.sampled_from([*METRICS, *(f"{f}({m})" for m in METRICS for f in ("min", "p95", "count", "abs"))])
SIDES = st.recursive(
    NAMES | NUMBERS,
    lambda inner: st.builds(lambda a, o, b: f"({a} {o} {b})", inner, st.sampled_from("+-*/"), inner),
    max_leaves=4,
)
LINES = st.builds(
    lambda parts, joint: f" {joint} ".join(parts),
    st.lists(
        st.builds(
            lambda a, o, b: f"{a} {o} {b}", SIDES, st.sampled_from(["<", "<=", "==", "!=", ">", ">="]), SIDES
        )
        | st.builds(
            lambda a: f'not first({METRICS[0]}) in {{"{a}", \'b c\', "d\\"e"}}', st.sampled_from("xyz")
        )
        | st.builds(lambda a, n: f"all({a} > {n})", st.sampled_from(METRICS), NUMBERS),
        min_size=1,
        max_size=3,
    ),
    st.sampled_from(["and", "or"]),
)


@given(LINES)
def test_every_line_that_names_its_metrics_is_accepted(line: str) -> None:
    assert re.search(pattern(), line), line


@given(LINES, st.sampled_from(["cosin", "nothing", "Min", "minmax", "len", "é", "true"]))
def test_no_line_that_names_another_is(line: str, other: str) -> None:
    assert not re.search(pattern(), f"{line} and {other} > 1")
    assert not re.search(pattern(), f"{other} == 1 or {line}")


def test_every_line_of_our_contracts_is_one_of_the_language_and_of_the_pattern() -> None:
    assert re.search(pattern(), "") is not None  # what is empty is refused by `pv validate`
    for line in bound()["expect"]:
        assert parse(line).metrics <= set(METRICS)


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no ECMAScript here to read patterns with")
def test_ecmascript_reads_the_patterns_alike() -> None:
    lines = [
        *bound()["expect"],
        f"{METRICS[0]} == 1",
        "nothing == 1",
        "1 + " * 3000 + "nothing",
        'x in {"a"}',
    ]
    script = (
        "const [p, ls] = JSON.parse(require('fs').readFileSync(0));"
        "console.log(JSON.stringify(ls.map(l => new RegExp(p, 'u').test(l))))"
    )
    done = subprocess.run(
        ["node", "-e", script], input=json.dumps([pattern(), lines]), capture_output=True, text=True,
        check=True, timeout=60,
    )  # fmt: skip
    assert json.loads(done.stdout) == [re.search(pattern(), line) is not None for line in lines]
