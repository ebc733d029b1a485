from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pv_runtime.formats.apr_metadata import ALIASES, parse_metadata, serialised, stated

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_what_is_written_is_read_and_the_order_of_keys_does_not_matter(metadata: dict[str, object]) -> None:
    text = serialised(metadata)
    assert parse_metadata(text, "x") == (metadata, ())
    assert serialised(dict(reversed(metadata.items()))) == text


def test_the_last_of_equal_keys_counts_and_is_told_of() -> None:
    assert parse_metadata(b'{"a":1,"a":2,"b":{"c":1,"c":2}}', "x") == ({"a": 2, "b": {"c": 2}}, ("a", "c"))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object()])
def test_what_json_cannot_hold_is_not_written(value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        serialised({"a": value})


def test_every_spelling_is_found() -> None:
    for key, names in ALIASES.items():
        for name in (key, *names):
            assert stated({name: 7}, key) == 7
    assert stated({"hidden_size": None, "n_embd": 5}, "hidden_size") == 5
    assert stated({}, "hidden_size") is None
