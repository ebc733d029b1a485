from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pv.canonical import canonical
from pv.contract import Falsifier, load_contract
from pv.normal_form import LEFT_OUT, clause_digest, normal_clause, normal_line, plain

CLAUSE: Mapping[str, Any] = {
    "id": "FALSIFY-A-001",
    "rule": "The numbers are nearly whole: none # far",
    "prediction": "none lies further than a quarter",
    "if_fails": "they were scaled",
    "check": "a.b:c",
    "with": {"scheme": "q4_k", "copies": 2, "limit": 1.0, "on": True, "off": None, "list": [1, "1"]},
    "subjects": {"functional": {"x": "small"}, "live": {"x": "large"}},
    "expect": ["max(distance) <= 0.25", "count(distance) == expected", "kind in {'a', 'b'}"],
    "counter_examples": ["one", "two"],
    "needs": {"memory": "1 GiB", "timeout": "1 min", "gpu": ">=8.9", "modules": ["a", "b"]},
    "statement_of_ours": "an unknown key",
}


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Falsifier]:
    path = tmp_path_factory.mktemp("clauses") / "a-v1.yaml"
    head = 'metadata: {version: "1.0.0", description: d, references: [a]}\nfalsification_tests:\n'

    def read(text: str) -> Falsifier:
        lines = "".join(
            f"{'- ' if index == 0 else '  '}{line}" for index, line in enumerate(text.splitlines(True))
        )
        path.write_text(head + lines, encoding="utf-8")
        return load_contract(path).falsifiers[0]

    return read


def written(clause: Mapping[str, Any], quote: str | None = None, **style: Any) -> str:
    """Write YAML whose texts are quoted as `quote` says, and are plain where they can be without."""

    class Dumper(yaml.SafeDumper):
        pass

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=quote)

    Dumper.add_representer(str, text)
    return str(yaml.dump(dict(clause), Dumper=Dumper, sort_keys=False, allow_unicode=True, **style))


SAME_LINES = {
    "max(distance) <= 0.25": [
        "max( distance )<=0.250",
        "(max(distance)) <= 25e-2",
        "max(distance)  <=  0.25",
    ],
    "count(distance) == expected": ["count(distance)==expected", "(count(distance) == expected)"],
    "kind in {'a', 'b'}": ['kind in {"a","b"}', "kind in { 'a', \"b\" }"],
}


@st.composite
def rewritten(draw: st.DrawFn) -> str:
    """The clause, as somebody else would have written it."""
    clause = dict(CLAUSE)
    for canonical_key, other in (
        ("rule", "description"),
        ("prediction", "expected"),
        ("if_fails", "fails_if"),
    ):
        if draw(st.booleans()):
            clause[other] = clause.pop(canonical_key)
    lines = [draw(st.sampled_from([line, *SAME_LINES[line]])) for line in clause["expect"]]
    lines = draw(st.permutations(lines))
    clause["expect"] = {"*": lines} if draw(st.booleans()) else lines
    clause["counter_examples"] = draw(st.permutations(clause["counter_examples"]))
    memory, timeout, gpu = (
        draw(st.sampled_from(same))
        for same in (["1 GiB", "1024 MiB", "1GiB"], ["60 s", "1 min", "1.0 min"], [">=8.9", ">= 8.9"])
    )
    modules = draw(st.permutations(["a", "b"]))
    clause["needs"] = {"memory": memory, "timeout": timeout, "gpu": gpu, "modules": modules}
    bookkeeping = {
        "discharge_status": draw(st.sampled_from(["DISCHARGED", "PARTIAL_ALGORITHM_LEVEL"])),
        "ship_blocking": draw(st.booleans()),
        "blocks": ["FALSIFY-A-002"],
        "blocked_by": ["FALSIFY-A-003"],
        "covers": ["OBLIGATION-1"],
        "aliases": ["FALSIFY-B-001"],
        "model": "tiny",
        "tags": ["a", "b"],
        "retries": 2,
        "environment": {},
        "sources": [],
        "bound_to": [],
        "outcome": "holds",
        "satisfying_example": None,
    }
    clause |= {key: value for key, value in bookkeeping.items() if draw(st.booleans())}
    keys = draw(st.permutations(list(clause)))
    return written(
        {key: clause[key] for key in keys},
        quote=draw(st.sampled_from([None, '"', "'"])),
        default_flow_style=draw(st.sampled_from([True, False, None])),
        width=draw(st.sampled_from([20, 80, 1000])),
        indent=draw(st.sampled_from([2, 4])),
    )


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_another_spelling_is_no_other_clause(load: Callable[[str], Falsifier], data: st.DataObject) -> None:
    text = data.draw(rewritten())
    assert normal_clause(load(text)) == normal_clause(load(written(CLAUSE)))
    assert clause_digest(load(f"# a comment\n\n{text}\n# another")) == clause_digest(load(written(CLAUSE)))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rule", "The numbers are whole"),
        ("prediction", "none lies further than a third"),
        ("if_fails", "they were not scaled"),
        ("check", "a.b:d"),
        ("with", {**CLAUSE["with"], "scheme": "q6_k"}),
        ("with", {**CLAUSE["with"], "copies": 2.0}),
        ("with", {**CLAUSE["with"], "limit": 1}),
        ("with", {**CLAUSE["with"], "on": 1}),
        ("with", {**CLAUSE["with"], "off": False}),
        ("with", {**CLAUSE["with"], "list": ["1", 1]}),
        ("with", {name: value for name, value in CLAUSE["with"].items() if name != "off"}),
        ("subjects", {"functional": {"x": "small"}}),
        ("subjects", {**CLAUSE["subjects"], "live": {"x": "other"}}),
        ("subjects", {**CLAUSE["subjects"], "live": {"y": "large"}}),
        ("expect", ["max(distance) <= 0.26", *CLAUSE["expect"][1:]]),
        ("expect", ["max(distance) < 0.25", *CLAUSE["expect"][1:]]),
        ("expect", CLAUSE["expect"][1:]),
        ("expect", {"live": CLAUSE["expect"]}),
        ("expect", [*CLAUSE["expect"][:2], "kind in {'a', 'b '}"]),
        ("counter_examples", ["one"]),
        ("counter_examples", []),
        ("counter_examples", None),
        ("needs", {**CLAUSE["needs"], "memory": "2 GiB"}),
        ("needs", {**CLAUSE["needs"], "timeout": "61 s"}),
        ("needs", {name: value for name, value in CLAUSE["needs"].items() if name != "gpu"}),
        ("needs", {**CLAUSE["needs"], "modules": ["a"]}),
        ("needs", {**CLAUSE["needs"], "modules": []}),
        ("satisfying_example", {"with": {"copies": 3}}),
        ("runs", {"by": "seed", "seeds": [1, 2, 3]}),
        ("statement_of_ours", "another"),
    ],
)
def test_another_claim_is(load: Callable[[str], Falsifier], key: str, value: Any) -> None:
    other = {**CLAUSE, key: value}
    if key == "satisfying_example":
        other["outcome"] = "refuted"
    assert clause_digest(load(written(other))) != clause_digest(load(written(CLAUSE)))


def test_each_key_that_is_left_out_has_a_reason() -> None:
    assert all(LEFT_OUT.values())
    # Nothing that is run or judged by may ever get there.
    assert not set(LEFT_OUT) & {
        "expect",
        "with",
        "check",
        "pytest",
        "command",
        "subjects",
        "counter_examples",
    }


def test_a_line_that_cannot_be_read_keeps_its_words() -> None:
    assert normal_line("max(  distance  ) is\nsmall") == "max( distance ) is small"


@given(
    st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda part: st.lists(part, max_size=3))
)
def test_what_json_cannot_spell_is_spelled_all_the_same(value: Any) -> None:
    try:
        spelled = canonical(plain(value))
    except UnicodeEncodeError:
        return  # half a character, which no document holds
    assert json.loads(spelled) == plain(value)
    if value != value:  # noqa: PLR0124  NaN
        assert plain(value) == {"float": "nan"}


def test_folding_prose_rewords_nothing(load: Callable[[str], Falsifier]) -> None:
    folded = written(CLAUSE).replace("prediction: none lies further", "prediction: >\n  none lies\n  further")
    assert "prediction: >" in folded
    assert clause_digest(load(folded)) == clause_digest(load(written(CLAUSE)))
