from __future__ import annotations

import pytest

from pv.toml_text import parse_toml


def test_a_table_is_read() -> None:
    assert parse_toml(b'[a]\nb = ["x", 1.5]\n') == {"a": {"b": ["x", 1.5]}}


@pytest.mark.parametrize(
    ("shape", "data"),
    [
        ("nested lists", b"a = " + b"[" * 3000),
        ("nested tables", b"a = " + b"{a=" * 3000),
        ("a number of 5000 digits", b"a = " + b"9" * 5000),
        ("no TOML", b"a = = 1"),
        ("not UTF-8", b"a = '\xff'"),
        ("a key twice", b"a = 1\na = 2"),
    ],
)
def test_every_other_text_ends_in_one_kind_of_error(shape: str, data: bytes) -> None:
    with pytest.raises(ValueError) as caught:
        parse_toml(data)
    assert str(caught.value), shape
