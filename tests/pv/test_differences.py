from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv.differences import clause_differences, shorten


def rule(*lines: str) -> dict[str, Any]:
    return {"expect": {"*": sorted(lines)}}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (rule("min(a) >= 0.999"), rule("min(a) >= 0.99"), ["threshold min(a) 0.999 → 0.99"]),
        (rule("0.999 <= min(a)"), rule("0.99 <= min(a)"), ["threshold min(a) 0.999 → 0.99"]),
        (rule("min(a) >= -1"), rule("min(a) >= 1"), ["threshold min(a) -1 → 1"]),
        (rule("a == 1 and b == 2"), rule("a == 1 and b == 3"), ["threshold b 2 → 3"]),
        (
            rule("0 <= max(a) <= 1"),
            rule("-1 <= max(a) <= 2"),
            ["threshold max(a) 0 → -1", "threshold max(a) 1 → 2"],
        ),
        (rule("k in {'a'}"), rule("k in {'a', 'b'}"), ["threshold k {'a'} → {'a', 'b'}"]),
        (rule("k == 'a'"), rule("k == 'b'"), ["threshold k 'a' → 'b'"]),
        (rule("a == 1", "b == 1"), rule("a == 1", "b == 2"), ["threshold b 1 → 2"]),
        (rule("a == 1"), rule("a == 1.0"), ["threshold a 1 → 1.0"]),
        # Another operator, another metric, or a factor is not a threshold.
        (rule("a >= 1"), rule("a > 1"), ["expect line a >= 1 → a > 1"]),
        (rule("a >= 1"), rule("b >= 1"), ["expect line a >= 1 → b >= 1"]),
        (rule("a * 2 >= 1"), rule("a * 3 >= 1"), ["expect line a * 2 >= 1 → a * 3 >= 1"]),
        (rule("min(a) >= 1"), rule("max(a) >= 2"), ["expect line min(a) >= 1 → max(a) >= 2"]),
        (rule("a is"), rule("b is"), ["expect line a is → b is"]),
        (rule("a == 1"), rule("a == 1", "b == 1"), ["expect line added: b == 1"]),
        (rule("a == 1", "b == 1"), rule("a == 1"), ["expect line removed: b == 1"]),
        (
            {"expect": {"functional": ["a >= 1"], "live": ["a >= 2"]}},
            {"expect": {"functional": ["a >= 1"], "live": ["a >= 3"]}},
            ["threshold a 2 → 3 (live)"],
        ),
        (
            {"expect": {"*": ["a >= 1"]}},
            {"expect": {"live": ["a >= 1"]}},
            ["expect line removed: a >= 1", "expect line added: a >= 1 (live)"],
        ),
        ({"with": {"s": "q4_k"}}, {"with": {"s": "q6_k"}}, ["argument s q4_k → q6_k"]),
        ({"with": {"s": 1}}, {"with": {"s": 1.0}}, ["argument s 1 → 1.0"]),
        ({"with": {"s": 1}}, {"with": {"s": True}}, ["argument s 1 → true"]),
        ({"with": {"s": None}}, {}, ["argument s removed (was null)"]),
        ({}, {"with": {"s": [1]}}, ["argument s added: [1]"]),
        (
            {"counter_examples": ["a", "b"]},
            {"counter_examples": ["b", "c"]},
            ["counter-example a removed", "counter-example c added"],
        ),
        ({"counter_examples": []}, {}, ["counter-examples: none → all that the check plants"]),
        (
            {"counter_examples": {"a": {"environment": {"X": "1"}}}},
            {"counter_examples": {"a": {"environment": {"X": "2"}}}},
            ["counter-example a: environment.X 1 → 2"],
        ),
        (
            {"subjects": {"live": {"x": "tiny"}}},
            {"subjects": {"live": {"x": "other"}}},
            ["subject of role x: tiny → other"],
        ),
        (
            {"subjects": {"live": {"x": "tiny"}}},
            {"subjects": {"live": {"x": "tiny"}, "functional": {"x": "small"}}},
            ["subject of role x at functional level added: small"],
        ),
        (
            {"needs": {"*": {"memory": "1 GiB"}}},
            {"needs": {"*": {"memory": "2 GiB"}}},
            ["needs.memory 1 GiB → 2 GiB"],
        ),
        (
            {"needs": {"live": {"memory": "1 GiB"}}},
            {"needs": {"live": {"memory": "2 GiB"}}},
            ["needs.live.memory 1 GiB → 2 GiB"],
        ),
        ({"check": "a:b"}, {"check": "a:c"}, ["check a:b → a:c"]),
        ({"check": "a:b"}, {"pytest": "t.py::t"}, ["check removed (was a:b)", "pytest added: t.py::t"]),
        ({"rule": "it is so"}, {"rule": "it is not"}, ['rule "it is so" → "it is not"']),
        ({"rule": "it is so"}, {}, ["rule removed"]),
        ({"basis": {"p": {"metric": "m"}}}, {"basis": {"p": {"metric": "n"}}}, ["basis.p.metric m → n"]),
        ({"ours": {"a": 1, "b": 2}}, {"ours": {"a": 1}}, ["ours.b removed (was 2)"]),
    ],
)
def test_each_difference_is_named(before: dict[str, Any], after: dict[str, Any], said: list[str]) -> None:
    assert clause_differences(before, after) == said


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from([0.0, 1.0, "", "a", "min(x) >= 1"]),
    lambda part: st.lists(part, max_size=2) | st.dictionaries(st.sampled_from("abc"), part, max_size=2),
    max_leaves=5,
)
LINES = st.lists(st.sampled_from(["a >= 1", "a >= 2", "b == 1", "a is"]), max_size=3).map(sorted)
CLAUSES = st.fixed_dictionaries(
    {},
    optional={
        "expect": st.dictionaries(st.sampled_from(["*", "live"]), LINES, max_size=2),
        "with": st.dictionaries(st.sampled_from("abc"), VALUES, max_size=2),
        "counter_examples": st.lists(st.sampled_from("abc"), unique=True).map(sorted),
        "subjects": st.dictionaries(
            st.sampled_from(["functional", "live"]),
            st.dictionaries(st.sampled_from("xy"), st.sampled_from("st"), min_size=1),
            max_size=2,
        ),
        "rule": st.text("ab ", max_size=70),
        "ours": VALUES.filter(lambda value: value is not None),
    },
)


@given(CLAUSES, CLAUSES)
def test_nothing_is_said_of_equals_and_something_of_others(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    import json

    assert clause_differences(before, before) == []
    said = clause_differences(before, after)
    assert all("\n" not in line and len(line) < 400 for line in said)
    spelled = [
        json.dumps({key: value for key, value in clause.items() if value not in ({}, [])}, sort_keys=True)
        for clause in (before, after)
    ]
    if spelled[0] != spelled[1] and not _only_empty_parts_differ(before, after):
        assert said


def _only_empty_parts_differ(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """A level without a line, or a map without a key, says nothing."""

    def full(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: kept for key, part in value.items() if (kept := full(part)) not in ({}, [], None)}
        return value

    return repr(full(before)) == repr(full(after))


@given(st.text("ab", max_size=200), st.text("ab", max_size=200))
def test_texts_are_cut_to_where_they_differ(old: str, new: str) -> None:
    shown = shorten(old, new)
    assert max(map(len, shown)) <= 62
    assert (shown[0] == shown[1]) <= (old == new or max(len(old), len(new)) > 60)
    if len(old) == len(new) and old != new:
        assert shown[0] != shown[1]
