from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pv_runtime.formats import gguf_strings
from pv_runtime.formats.gguf_strings import step_over_strings


def packed(strings: list[bytes]) -> bytes:
    return b"".join(struct.pack("<Q", len(each)) + each for each in strings)


def one_by_one(data: bytes, position: int, count: int) -> int | None:
    for _ in range(count):
        if position + 8 > len(data):
            return None
        position += 8 + struct.unpack_from("<Q", data, position)[0]
    return position if position <= len(data) else None


def stepped(data: bytes, position: int, count: int) -> int | None:
    def copy(start: int, length: int) -> bytes:
        assert 0 <= start <= start + length <= len(data)  # never beyond the end
        return data[start : start + length]

    return step_over_strings(copy, len(data), position, count)


strings = st.lists(
    st.one_of(st.binary(max_size=12), st.text(max_size=8).map(str.encode), st.just(bytes(300)))
)


@settings(max_examples=300, deadline=None)
@given(each=strings, before=st.binary(max_size=9), after=st.binary(max_size=20), window=st.integers(1, 64))
def test_it_ends_where_a_loop_ends(each: list[bytes], before: bytes, after: bytes, window: int) -> None:
    data = before + packed(each) + after
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gguf_strings, "_WINDOW", window)
        for count in (len(each), len(each) + 1, max(0, len(each) - 1)):
            found = stepped(data, len(before), count)
            assert found == one_by_one(data, len(before), count)


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=200).map(lambda raw: bytes(b % 3 for b in raw)), count=st.integers(0, 30))
def test_on_bytes_that_are_no_strings_it_ends_as_a_loop_ends(data: bytes, count: int) -> None:
    assert stepped(data, 0, count) == one_by_one(data, 0, count)


@pytest.mark.parametrize("text", [b"", b"a", b"\0\0\0\0\0\0\0\0\0", b"a" * 256])
def test_over_many_windows(text: bytes) -> None:
    data = packed([text, b"some", b"words"] * 60_000)
    assert stepped(data, 0, 180_000) == len(data)
    assert stepped(data, 0, 180_001) is None
    assert stepped(data[:-1], 0, 180_000) is None
