from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pv_runtime.formats import open_bytes
from pv_runtime.formats.apr_header import FLAGS, Header, packed, read_header


def test_the_bytes_are_those_of_the_format() -> None:
    raw = packed(Header(b"APR\0", 0x0420, 3, 64, 100, 192, 256))
    assert len(raw) == 64
    assert raw[:12] == b"APR\0\x02\x00\x20\x04\x03\x00\x00\x00"
    assert struct.unpack("<QIQQ", raw[12:40]) == (64, 100, 192, 256)
    assert struct.unpack("<I", raw[40:44])[0] == zlib.crc32(raw[:40] + raw[44:])
    assert raw[44:] == bytes(20)


@settings(max_examples=30, deadline=None)
@given(flags=st.sampled_from([0, 0x20, 0x400, 0x620]), reserved=st.binary(min_size=20, max_size=20))
def test_what_is_packed_is_read(
    tmp_path_factory: pytest.TempPathFactory, flags: int, reserved: bytes
) -> None:
    header = Header(b"APR\0", flags, 0, 64, 2, 128, 128, reserved)
    path = tmp_path_factory.getbasetemp() / "header.apr"
    path.write_bytes(packed(header) + b"{}" + bytes(62))
    assert read_header(open_bytes(path)) == header


def test_flags_are_sixteen_bits_each_once() -> None:
    assert sum(FLAGS.values()) == 0x0FFF
    assert all(value & (value - 1) == 0 for value in FLAGS.values())
