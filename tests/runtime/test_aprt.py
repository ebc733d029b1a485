from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from pv_runtime.aprt import read_aprt, write_aprt
from pv_runtime.errors import LoadError
from pv_runtime.formats.file_bytes import open_bytes

BITS = arrays.arrays(np.uint32, st.integers(0, 40))


@given(bits=BITS, layer=st.none() | st.integers(0, 2**32 - 2))
def test_every_bit_is_kept(
    tmp_path_factory: pytest.TempPathFactory, bits: NDArray[np.uint32], layer: int | None
) -> None:
    path = tmp_path_factory.mktemp("aprt") / "x.bin"
    write_aprt(path, layer, bits.view(np.float32))
    found, values = read_aprt(open_bytes(path))
    assert found == layer
    assert values.view(np.uint32).tobytes() == bits.tobytes()


def test_the_layout_is_that_of_the_format(tmp_path: Path) -> None:
    nan = np.array([0x7FC00000, 0x7F800001, 0xFFC12345, 0x3F800000], np.uint32)
    write_aprt(tmp_path / "a", 3, nan.view(np.float32).reshape(2, 2))
    assert (tmp_path / "a").read_bytes() == b"APRT" + struct.pack("<II4I", 3, 4, *nan.tolist())
    write_aprt(tmp_path / "a", None, np.zeros(0, np.float32))
    assert (tmp_path / "a").read_bytes() == b"APRT\xff\xff\xff\xff\0\0\0\0"


def test_what_is_read_is_mapped_and_not_to_be_changed(tmp_path: Path) -> None:
    write_aprt(tmp_path / "a", 0, np.ones(8, np.float32))
    _, values = read_aprt(open_bytes(tmp_path / "a"))
    assert not values.flags.writeable
    assert not values.flags.owndata


@given(data=st.data())
def test_any_damage_of_the_frame_is_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("aprt") / "x.bin"
    write_aprt(path, 1, np.arange(5, dtype=np.float32))
    whole = path.read_bytes()
    kind = data.draw(st.sampled_from(["short", "long", "count", "magic"]))
    if kind == "short":
        whole = whole[: data.draw(st.integers(0, len(whole) - 1))]
    elif kind == "long":
        whole += b"\0" * data.draw(st.integers(1, 9))
    elif kind == "count":
        count = data.draw(st.integers(0, 2**32 - 1).filter(lambda number: number != 5))
        whole = whole[:8] + struct.pack("<I", count) + whole[12:]
    else:
        whole = b"APRU" + whole[4:]
    path.write_bytes(whole)
    with pytest.raises(LoadError) as error:
        read_aprt(open_bytes(path))
    assert str(path) in str(error.value)


def test_a_layer_that_the_header_cannot_say_is_refused(tmp_path: Path) -> None:
    for layer in (-1, 0xFFFFFFFF):
        with pytest.raises(ValueError, match="no number"):
            write_aprt(tmp_path / "a", layer, np.zeros(1, np.float32))
    assert not list(tmp_path.iterdir())
    huge = np.broadcast_to(np.float32(0), (2**32,))
    with pytest.raises(ValueError, match="more than APRT can count"):
        write_aprt(tmp_path / "a", 0, huge)
