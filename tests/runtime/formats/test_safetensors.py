from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from pv_runtime.errors import LoadError
from pv_runtime.formats import open_checkpoint
from pv_runtime.formats.overlay import from_values
from pv_runtime.formats.safetensors import write_safetensors


def entry(dtype: str = "F32", shape: Any = (2,), offsets: Any = (0, 8)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def content(header: object, data: bytes = bytes(8)) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


VALID = content({"w": entry()})

HOSTILE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty"),
    "four bytes": (b"\x08\0\0\0", "4 bytes"),
    "header of no bytes": (struct.pack("<Q", 0) + VALID[8:], "length 0"),
    "header beyond a small file": (struct.pack("<Q", 1000) + VALID[8:], "length 1000"),
    "header of 2^63": (struct.pack("<Q", 2**63) + VALID[8:], "does not fit"),
    "bracket": (content(b"[1]"), "begin with"),
    "leading space": (content(b' {"w":0}'), "begin with"),
    "trailing junk in header": (content(b"{} {}", b""), "cannot be parsed"),
    "bad utf-8": (content(b'{"\xff":0}'), "cannot be parsed"),
    "deep": (content(b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}"), "nested too deeply"),
    "NaN": (content(b'{"w":NaN}'), "NaN"),
    "Infinity": (content(b'{"w":-Infinity}'), "Infinity"),
    "1e999": (content(b'{"w":{"dtype":"F32","shape":[1e999],"data_offsets":[0,8]}}'), "not finite"),
    "thousands of digits": (content(b'{"w":' + b"9" * 5000 + b"}"), "cannot be parsed"),
    "duplicate tensor": (content(b'{"w":0,"w":0}'), "occurs twice"),
    "duplicate field": (content(b'{"w":{"dtype":"F32","dtype":"F16"}}'), "occurs twice"),
    "missing field": (content({"w": {"dtype": "F32", "shape": [2]}}), "exactly"),
    "extra field": (content({"w": {**entry(), "x": 1}}), "exactly"),
    "entry is a list": (content({"w": []}), "exactly"),
    "unknown dtype": (content({"w": entry("F5")}), "dtype 'F5'"),
    "dtype is a list": (content({"w": entry(["F32"])}), "dtype"),  # type: ignore[arg-type]
    "negative size": (content({"w": entry(shape=[-2, -1])}), "shape"),
    "boolean size": (content({"w": entry(shape=[2, True])}), "shape"),
    "fraction": (content({"w": entry(shape=[2.0])}), "shape"),
    "wrapping product": (content({"w": entry(shape=[2**32, 2**32], offsets=[0, 0])}), "need"),
    "hundred dimensions": (content({"w": entry(shape=[1] * 100)}), "shape"),
    "reversed offsets": (content({"w": entry(offsets=[8, 0])}), "spans -8"),
    "negative offset": (content({"w": entry(offsets=[-8, 0])}), "data_offsets"),
    "three offsets": (content({"w": entry(offsets=[0, 4, 8])}), "data_offsets"),
    "size is not shape": (content({"w": entry(shape=[3])}), "need 12"),
    "overlap": (content({"a": entry(), "b": entry(offsets=[4, 12])}, bytes(12)), "overlaps"),
    "same bytes twice": (content({"a": entry(), "b": entry()}), "overlaps"),
    "hole": (content({"a": entry(), "b": entry(offsets=[12, 20])}, bytes(20)), "hole"),
    "hole at the start": (content({"a": entry(offsets=[4, 12])}, bytes(12)), "hole"),
    "data cut short": (VALID[:-1], "accounts for"),
    "something appended": (VALID + b"PK", "accounts for"),
    "metadata is a list": (content({"__metadata__": [], "w": entry()}), "__metadata__"),
    "half a surrogate pair": (content(b'{"\\ud800":0}'), "surrogate"),
    "half a surrogate pair in metadata": (
        content(b'{"__metadata__":{"k":"\\udfff"},"w":0}'),
        "surrogate",
    ),
    "metadata is no text": (content({"__metadata__": {"a": 1}, "w": entry()}), "__metadata__"),
    "pickle in a zip": (b"PK\x03\x04" + bytes(40), "pickle"),
    "pickle": (b"\x80\x02}q\x00." + bytes(40), "pickle"),
}


@pytest.mark.parametrize("shape", HOSTILE)
def test_hostile_files_end_in_a_named_error(tmp_path: Path, shape: str) -> None:
    data, message = HOSTILE[shape]
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(LoadError, match=message):
        open_checkpoint(tmp_path / "x")


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_mutated_files_load_or_end_in_our_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "mutated.safetensors"
    two = {"a": entry(), "b": entry("F16", [1, 2], [8, 12]), "__metadata__": {"k": "v"}}
    raw = bytearray(content(two, bytes(12)))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(raw) - 1))
        raw[place] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(raw[: data.draw(st.integers(len(raw) - 2, len(raw)))]))
    try:
        model = open_checkpoint(path)
        for name in model.names():
            assert model.tensor(name).shape == model.info(name).shape
    except LoadError as error:
        assert str(path) in str(error)  # noqa: PT017 - either ending is right, no other is


def test_what_we_write_the_library_reads(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    tensors = [
        from_values("b", (2, 3), lambda: values, "F16"),
        from_values("ä", (3,), lambda: values[1], "F32"),
    ]
    write_safetensors(str(path), [(each.info, each.raw) for each in tensors], {"k": "v"})
    first = path.read_bytes()
    write_safetensors(str(path), [(each.info, each.raw) for each in tensors], {"k": "v"})
    assert path.read_bytes() == first
    read = safetensors.numpy.load_file(path)
    assert read["b"].dtype == np.float16
    assert np.array_equal(read["b"], values)
    assert np.array_equal(read["ä"], values[1])
    with safetensors.safe_open(path, "np") as opened:
        assert opened.metadata() == {"k": "v"}


def test_what_the_library_writes_we_read(tmp_path: Path) -> None:
    generator = np.random.default_rng(6)
    kinds = ["float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool"]
    arrays = {kind: (generator.standard_normal((3, 4)) * 9).astype(kind) for kind in kinds}
    arrays["scalar"] = np.array(2.5, np.float32)
    arrays["none"] = np.zeros((0, 4), np.float32)
    safetensors.numpy.save_file(arrays, tmp_path / "x", metadata={"a": "b"})
    model = open_checkpoint(tmp_path / "x")
    assert set(model.names()) == set(arrays)
    assert model.metadata == {"a": "b"}
    for name, array in arrays.items():
        assert np.array_equal(model.tensor(name), array.astype(np.float32))
        assert model.raw(name).tobytes() == array.tobytes()
    assert "scalar" not in model.matrices()


def test_bfloat16_widens_exactly(tmp_path: Path) -> None:
    words = np.array([0x3F80, 0xC000, 0x7F80, 0x0001], "<u2")
    (tmp_path / "x").write_bytes(content({"w": entry("BF16", [4])}, words.tobytes()))
    assert open_checkpoint(tmp_path / "x").tensor("w").tolist() == [1, -2, np.inf, 2.0**-133]


def test_dtypes_that_are_not_decoded_are_listed_and_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(content({"w": entry("F8_E4M3", [8])}))
    model = open_checkpoint(tmp_path / "x")
    assert model.raw("w").size == 8
    with pytest.raises(LoadError, match="F8_E4M3, which is not decoded"):
        model.tensor("w")


def test_the_config_of_a_folder_is_read_as_strictly(tmp_path: Path) -> None:
    path, config = tmp_path / "model.safetensors", tmp_path / "config.json"
    path.write_bytes(VALID)
    config.write_text('{"hidden_size": 8}\n')
    assert open_checkpoint(tmp_path).metadata["config"] == {"hidden_size": 8}
    assert "config" not in open_checkpoint(path).metadata
    config.write_text('{"hidden_size": 8, "hidden_size": 9}')
    with pytest.raises(LoadError, match=r"config\.json.*twice"):
        open_checkpoint(tmp_path)


def test_names_cannot_drive_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(content({"\x1b[2Jw": entry(shape=[9])}))
    with pytest.raises(LoadError) as caught:
        open_checkpoint(tmp_path / "x")
    assert "\x1b" not in str(caught.value)
    assert r"\x1b[2Jw" in str(caught.value)


def test_the_writer_refuses_what_does_not_fit_and_leaves_nothing(tmp_path: Path) -> None:
    good = from_values("w", (2,), lambda: np.zeros(2, np.float32), "F32")
    short = from_values("v", (3,), lambda: np.zeros(2, np.float32), "F32")
    with pytest.raises(ValueError, match="announced"):
        write_safetensors(str(tmp_path / "x"), [(good.info, good.raw), (short.info, short.raw)])
    assert list(tmp_path.iterdir()) == []
