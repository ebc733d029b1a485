from __future__ import annotations

import functools
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pv_runtime.formats import LazyTensor, TensorInfo, open_checkpoint
from pv_runtime.formats.apr import AprCheckpoint, footer_matches
from pv_runtime.formats.apr_header import FLAGS
from pv_runtime.formats.apr_writer import WRITTEN, write_apr
from pv_runtime.names import hf_name
from pv_runtime.quant.scheme import Bytes

BLOCKS = {
    "F32": (1, 4), "F16": (1, 2), "BF16": (1, 2), "Q4_K": (256, 144), "Q5_K": (256, 176),
    "Q6_K": (256, 210), "Q8_0": (32, 34), "APR_Q4": (32, 18),
}  # fmt: skip


def given_bytes(raw: Bytes) -> Bytes:
    return raw


def made(name: str, dtype: str, rows: int, blocks: int) -> LazyTensor:
    elements, size = BLOCKS[dtype]
    info = TensorInfo(name, dtype, (rows, blocks * elements), rows * blocks * size)
    raw = np.random.default_rng([rows, blocks, elements, size]).integers(0, 255, info.nbytes, dtype=np.uint8)
    return LazyTensor(info, functools.partial(given_bytes, raw))


TENSORS = st.dictionaries(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=40).filter(lambda name: hf_name(name) == name),
    st.tuples(st.sampled_from(sorted(BLOCKS)), st.integers(1, 3), st.integers(1, 2)),
    max_size=6,
).map(lambda found: [made(name, *kind) for name, kind in found.items()])


@settings(max_examples=60, deadline=None)
@given(tensors=TENSORS, data=st.data())
def test_what_is_written_is_read_whatever_the_order(
    tmp_path_factory: pytest.TempPathFactory, tensors: list[LazyTensor], data: st.DataObject
) -> None:
    first, second = (tmp_path_factory.getbasetemp() / name for name in ("first.apr", "second.apr"))
    metadata = {"b": [1, 2.5, None], "a": "ä"}
    write_apr(str(first), [(each.info, each.raw) for each in tensors], metadata)
    shuffled = data.draw(st.permutations(tensors))
    write_apr(str(second), [(each.info, each.raw) for each in shuffled], dict(reversed(metadata.items())))
    assert first.read_bytes() == second.read_bytes()
    model = open_checkpoint(first)
    assert isinstance(model, AprCheckpoint)
    assert sorted(model.names()) == sorted(each.info.name for each in tensors)
    for each in tensors:
        assert model.info(each.info.name) == each.info
        assert np.array_equal(model.raw(each.info.name), each.raw())
    assert {key: model.metadata[key] for key in metadata} == metadata
    assert footer_matches(model) is True
    assert model.notes == ()


def test_names_ascend_by_their_bytes_and_the_file_ends_in_its_checksum(tmp_path: Path) -> None:
    tensors = [made(name, "F32", 1, 1) for name in ("b", "ä", "Z", "a.b", "a")]
    write_apr(str(tmp_path / "x"), [(each.info, each.raw) for each in tensors], {})
    raw = (tmp_path / "x").read_bytes()
    assert open_checkpoint(tmp_path / "x").names() == ("Z", "a", "a.b", "b", "ä")
    assert struct.unpack("<I", raw[-4:])[0] == zlib.crc32(raw[:-4])
    assert raw[:4] == b"APR\0"


def test_flags_say_what_is_inside(tmp_path: Path) -> None:
    cases: list[tuple[str, dict[str, object], set[str]]] = [
        ("F16", {}, {"ROW_MAJOR"}),
        ("Q4_K", {}, {"ROW_MAJOR", "QUANTIZED"}),
        ("F32", {"tokenizer.vocabulary": ["a"]}, {"ROW_MAJOR", "HAS_VOCAB"}),
    ]
    for dtype, metadata, expected in cases:
        tensor = made("w", dtype, 1, 1)
        write_apr(str(tmp_path / "x"), [(tensor.info, tensor.raw)], metadata)
        model = open_checkpoint(tmp_path / "x")
        assert isinstance(model, AprCheckpoint)
        assert {flag for flag in FLAGS if model.header.has(flag)} == expected


def test_codes_with_two_meanings_are_explained(tmp_path: Path) -> None:
    tensors = [made("a", "Q5_K", 1, 1), made("b", "Q8_0", 1, 1), made("c", "Q4_K", 1, 1)]
    write_apr(str(tmp_path / "x"), [(each.info, each.raw) for each in tensors], {})
    assert open_checkpoint(tmp_path / "x").metadata == {"type_codes": {"13": "Q5_K", "8": "Q8_0"}}
    assert sorted(WRITTEN.values()) == [0, 1, 8, 12, 13, 14, 30, 128, 129]


@pytest.mark.parametrize(
    ("info", "message"),
    [
        (TensorInfo("w", "F64", (1,), 8), "no unambiguous code for F64"),
        (TensorInfo("w", "Q4_0", (32,), 18), "no unambiguous code for Q4_0"),
        (TensorInfo("w", "Q4_K_PADDED", (2, 128), 288), "no unambiguous code for Q4_K_PADDED"),
        (TensorInfo("w" * 257, "F32", (1,), 4), "names of 1 to 256 bytes"),
        (TensorInfo("", "F32", (1,), 4), "names of 1 to 256 bytes"),
        (TensorInfo("w", "F32", (1,) * 9, 4), "8 dimensions"),
        (TensorInfo("w", "F32", (0,), 0), "none of them 0"),
        (TensorInfo("w", "F32", (2,), 4), "4 bytes are no F32"),
        (TensorInfo("w", "Q4_K", (2, 128), 144), "144 bytes are no Q4_K"),
    ],
)
def test_what_cannot_be_written_leaves_nothing(tmp_path: Path, info: TensorInfo, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write_apr(str(tmp_path / "x"), [(info, lambda: np.zeros(info.nbytes, np.uint8))], {})
    assert list(tmp_path.iterdir()) == []


def test_faults_that_show_late_leave_nothing(tmp_path: Path) -> None:
    good, short = made("a", "F32", 2, 8), made("b", "F32", 2, 8)
    with pytest.raises(ValueError, match="63 bytes, announced were 64"):
        write_apr(
            str(tmp_path / "x"), [(good.info, good.raw), (short.info, lambda: np.zeros(63, np.uint8))], {}
        )
    with pytest.raises(ValueError, match="given twice"):
        write_apr(str(tmp_path / "x"), [(good.info, good.raw)] * 2, {})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_apr(str(tmp_path / "x"), [], {"a": float("nan")})
    assert list(tmp_path.iterdir()) == []
