from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from pv.document import parse
from pv.spelling import block_lines, flow, key_text, scalar

TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
LITERALS = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**9), 10**9), st.floats(-1e6, 1e6).map(lambda x: round(x, 3))
)
VALUES = st.recursive(
    st.one_of(TEXTS, LITERALS),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3), st.dictionaries(TEXTS, inner, min_size=1, max_size=3)
    ),
    max_leaves=5,
)


@given(VALUES, st.sampled_from([None, '"', "'"]))
@example([0, None, {"a": [True, -1.5]}, [["x", None]]], None)
@example({"yes": ["no", "1.0", {"é\u2028\x85": "\x00'\"\\"}]}, None)
def test_both_styles_say_what_was_meant_to_readers_of_1_1_and_1_2(value: Any, quote: str | None) -> None:
    on_one_line = f"a: {flow(value, quote)}\n"
    nested = "\n".join(block_lines({"a": value}, "", quote)) + "\n"
    for text in (on_one_line, nested):
        assert parse(text, "x").value == {"a": value}
        assert yaml.safe_load(text) == {"a": value}


@pytest.mark.parametrize(("value", "style", "replaces", "spelled"), [
    ("DISCHARGED", None, False, "DISCHARGED"),
    ("DISCHARGED", "'", False, "'DISCHARGED'"),
    ("it's", "'", False, "'it''s'"),
    ("a\nb", "'", False, '"a\\nb"'),
    ("1.0.1", None, True, "1.0.1"),
    ("1.0.1", None, False, '"1.0.1"'),
    ("1.0", None, True, '"1.0"'),
    ("2026-11-20", None, True, "2026-11-20"),
    ("yes", None, False, '"yes"'),
])  # fmt: skip
def test_a_text_keeps_the_style_of_what_it_replaces_where_it_can(
    value: str, style: str | None, replaces: bool, spelled: str
) -> None:
    assert scalar(value, style, replaces=replaces) == spelled


def test_keys_are_quoted_as_their_siblings_are() -> None:
    assert key_text("1.0.1", None) == "1.0.1"
    assert key_text("1.0.1", "'") == "'1.0.1'"
    assert key_text("1.0", None) == '"1.0"'
