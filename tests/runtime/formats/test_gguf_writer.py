from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pv_runtime.formats import open_checkpoint
from pv_runtime.formats.gguf_writer import Typed, write_gguf
from pv_runtime.formats.overlay import from_values

SCALARS = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=20),
    st.booleans(),
    st.integers(-(2**31), 2**64 - 1),
    st.floats(width=32, allow_nan=False),
)
VALUES = st.one_of(
    SCALARS,
    st.lists(st.text(st.characters(codec="utf-8"), max_size=5), max_size=4),
    st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=4),
    st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=4),
    st.lists(st.booleans(), min_size=1, max_size=4),
)
METADATA = st.dictionaries(st.text(st.characters(codec="utf-8"), min_size=1, max_size=9), VALUES, max_size=5)


@settings(max_examples=60, deadline=None)
@given(metadata=METADATA.filter(lambda keys: "general.alignment" not in keys))
def test_metadata_come_back(tmp_path_factory: pytest.TempPathFactory, metadata: dict[str, Any]) -> None:
    path = str(tmp_path_factory.getbasetemp() / "written.gguf")
    write_gguf(path, [], metadata)
    read: Any = open_checkpoint(path).metadata
    assert list(read) == list(metadata)
    assert {key: list(v) if isinstance(metadata[key], list) else v for key, v in read.items()} == metadata


def test_the_package_reads_what_we_write(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    tensors = [
        from_values("model.embed_tokens.weight", (3, 4), lambda: values, "F16"),
        from_values("model.norm.weight", (4,), lambda: values[1], "F32"),
    ]
    metadata = {
        "general.architecture": "qwen2",
        "a": ["x", "y"],
        "n": [-1, 2],
        "f": 0.5,
        "b": True,
        "u": 2**40,
    }
    write_gguf(str(path), [(each.info, each.raw) for each in tensors], {**metadata, "t": Typed("UINT8", 7)})
    first = path.read_bytes()
    reader = gguf.GGUFReader(path)
    assert {field: reader.fields[field].contents() for field in metadata} == metadata
    assert reader.fields["t"].types == [gguf.GGUFValueType.UINT8]
    embedding, norm = reader.tensors
    assert (embedding.name, norm.name) == ("token_embd.weight", "output_norm.weight")
    assert embedding.shape.tolist() == [4, 3]
    assert np.array_equal(embedding.data, values)
    assert np.array_equal(norm.data, values[1])
    write_gguf(str(path), [(each.info, each.raw) for each in tensors], {**metadata, "t": Typed("UINT8", 7)})
    assert path.read_bytes() == first


@pytest.mark.parametrize("value", [None, {"a": 1}, [1, "a"], [1, 0.5], b"x"])
def test_values_without_a_type_are_refused(tmp_path: Path, value: object) -> None:
    with pytest.raises(ValueError, match="GGUF"):
        write_gguf(str(tmp_path / "x"), [], {"k": value})
    assert list(tmp_path.iterdir()) == []


def test_an_alignment_that_is_not_written_cannot_be_claimed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="aligns to 32"):
        write_gguf(str(tmp_path / "x"), [], {"general.alignment": 64})


def test_dtypes_and_sizes_are_checked(tmp_path: Path) -> None:
    tensor = from_values("w", (3,), lambda: np.zeros(2, np.float32), "F32")
    with pytest.raises(ValueError, match="announced"):
        write_gguf(str(tmp_path / "x"), [(tensor.info, tensor.raw)], {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "shape"), [("w", (0, 32)), ("w", (1, 1, 1, 1, 2)), ("w" * 64, (2,)), ("", (2,))]
)
def test_what_no_reader_takes_is_not_written(name: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    tensor = from_values(name, shape, lambda: np.zeros(shape, np.float32), "F32")
    with pytest.raises(ValueError, match="GGUF has names of 1 to 63 bytes and up to 4 dimensions"):
        write_gguf(str(tmp_path / "x"), [(tensor.info, tensor.raw)], {})
    assert list(tmp_path.iterdir()) == []
