from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pv.json_pointer import PointerError, look_up, read_json, steps

# The examples of RFC 6901, section 5.
DOCUMENT: Any = {
    "foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5,
    'k"l': 6, " ": 7, "m~n": 8,
}  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", DOCUMENT), ("/foo", ["bar", "baz"]), ("/foo/0", "bar"), ("/", 0), ("/a~1b", 1), ("/c%d", 2),
        ("/e^f", 3), ("/g|h", 4), ("/i\\j", 5), ('/k"l', 6), ("/ ", 7), ("/m~0n", 8),
    ],
)  # fmt: skip
def test_the_examples_of_the_standard(pointer: str, value: Any) -> None:
    assert look_up(DOCUMENT, pointer) == value


@pytest.mark.parametrize("pointer", ["foo", "/~", "/~2", "/a~"])
def test_what_is_no_pointer_is_refused(pointer: str) -> None:
    with pytest.raises(PointerError):
        steps(pointer)


@pytest.mark.parametrize(
    "pointer", ["/foo/2", "/foo/00", "/foo/-", "/foo/-1", "/foo/+1", "/foo/\u0660", "/nope", "/foo/0/x"]
)
def test_a_pointer_that_leads_nowhere_is_refused(pointer: str) -> None:
    with pytest.raises(PointerError, match="leads nowhere"):
        look_up(DOCUMENT, pointer)


@given(JSON)
def test_every_value_is_found_at_its_place_and_survives_reading(document: Any) -> None:
    assert read_json(json.dumps(document).encode()) == document

    def visit(value: Any, pointer: str) -> None:
        assert look_up(document, pointer) is value
        items = (
            value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        )
        for key, inner in items:
            visit(inner, f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}")

    visit(document, "")


@pytest.mark.parametrize(
    "text", ["", "{", "[1,]", "NaN", "[Infinity]", "-Infinity", "1e999", '{"a":1,"a":1}', "1 2"]
)
def test_what_is_no_strict_json_is_refused(text: str) -> None:
    with pytest.raises(PointerError):
        read_json(text.encode())
