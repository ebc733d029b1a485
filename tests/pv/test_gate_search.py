from __future__ import annotations

import json
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from pv.gate_search import Search

NAMES = ["FALSIFY-A-1", "FALSIFY-A-10", "rope-v1", "naïve", "a/b", "x"]
TEXTS = st.one_of(st.sampled_from(NAMES), st.text("FALSIFY-10ax/ \\\"'\n", max_size=12))
DOCUMENTS = st.recursive(
    TEXTS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)
STYLES = st.sampled_from([None, "'", '"', "|", ">"])


def scalars(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for key, inner in value.items() for text in (*scalars(key), *scalars(inner))]
    if isinstance(value, list):
        return [text for inner in value for text in scalars(inner)]
    return [value]


@given(
    documents=st.lists(st.tuples(DOCUMENTS, STYLES, st.integers(10, 40), st.booleans()), max_size=4),
    name=st.sampled_from(NAMES),
)
def test_no_document_that_holds_a_name_is_missed_however_it_is_written(
    documents: list[tuple[Any, str | None, int, bool]], name: str
) -> None:
    texts = [
        yaml.dump(value, default_style=style, width=width, allow_unicode=unicode).encode()
        for value, style, width, unicode in documents
    ]
    paths = [f"{number}.yaml" for number in range(len(texts))]
    found = Search(paths, texts).naming([name])
    for path, (value, *_) in zip(paths, documents, strict=True):
        if name in scalars(value):
            assert path in found


@given(value=DOCUMENTS, name=st.sampled_from(NAMES))
def test_what_is_written_as_json_is_not_missed_either(value: Any, name: str) -> None:
    if name in scalars(value):
        assert Search(["one"], [json.dumps(value).encode()]).naming([name])


def test_a_name_is_a_whole_word_and_is_told() -> None:
    search = Search(
        ["a", "b", "c", "d"],
        [b"id: FALSIFY-A-10", b"see x#FALSIFY-A-1.", b"XFALSIFY-A-1 and FALSIFY-A-1-b", b"FALSIFY-A-1"],
    )
    assert search.naming(["FALSIFY-A-1"]) == {"b": "FALSIFY-A-1", "d": "FALSIFY-A-1"}
    assert search.naming(["nothing"]) == {}
    assert search.naming([]) == {}
    assert search.holding(["LSIFY-A-10"]) == {"a": "LSIFY-A-10"}


@given(texts=st.lists(TEXTS, min_size=1, max_size=4), names=st.sets(st.sampled_from(NAMES)))
def test_of_many_names_the_same_are_found_as_of_few(texts: list[str], names: set[str]) -> None:
    paths = [str(number) for number in range(len(texts))]
    search = Search(paths, [text.encode() for text in texts])
    others = [f"OTHER-{number}" for number in range(100)]
    assert search.naming([*sorted(names), *others]).keys() == search.naming(sorted(names)).keys()


def test_nothing_is_found_across_the_end_of_a_contract() -> None:
    search = Search(["a", "b", "c"], [b"FALSIFY-A", b"-1", b""])
    assert search.naming(["FALSIFY-A-1"]) == {}
    assert search.naming(["FALSIFY-A"]) == {"a": "FALSIFY-A"}


def test_an_escape_may_spell_anything() -> None:
    search = Search(
        ["a", "b", "c"], [rb'id: "FALSIFY\x2dA-1"', b'id: "FALSIFY-\\\n  A-1"', rb"formula: \alpha"]
    )
    assert search.naming(["FALSIFY-A-1"]) == {"a": "?", "b": "?"}
    assert search.checks()[""] == {"a", "b"}
    assert search.running() == search.citing() == search.blocking() == {"a", "b"}


def test_checks_are_found_in_every_way_of_writing_them() -> None:
    texts = [
        b"check: a.b:c",
        b"{check: 'a.b:c'}",
        b'"check" : "d:e"',
        b"check:\n    f.g:h",
        b"x: &y f:g\ncheck: *y",
        b"? check\n: i:j",
        b"*k : a.b:c",
        b"with: {spec: k.l:NAME, at: 'https://m:n'}",
    ]
    paths = [str(number) for number in range(len(texts))]
    checks = Search(paths, texts).checks()
    assert checks["a.b"] == {"0", "1", "6"}
    assert checks["d"] == {"2"}
    assert checks["f.g"] == {"3"}
    assert checks["i"] == {"5"}
    assert checks["k.l"] == {"7"}
    assert checks[""] == {"4", "6"}


def test_tests_gates_and_those_that_wait_are_found() -> None:
    search = Search(
        ["a", "b", "c", "d"], [b"pytest: x", b"{command: [a]}", b"'basis' : {}", b"blocked_by: [a]"]
    )
    assert search.running() == {"a", "b"}
    assert search.citing() == {"c"}
    assert search.blocking() == {"d"}
