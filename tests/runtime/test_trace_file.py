from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from pv_runtime.errors import LoadError
from pv_runtime.trace_file import SAVED, is_trace, open_trace
from pv_runtime.trace_origin import TraceOrigin, origin_from, origin_text

VALUES = {"layer-0/ffn_out": np.ones((2, 4), np.float32), "lm_head": np.zeros((2, 9), np.float32)}
METADATA = {"format": "pv-trace", "tokens": "[3,4]", "dtype": "float32"}


@given(
    tokens=st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=9),
    dtype=st.none() | st.sampled_from(["float32", "bfloat16"]),
    texts=st.lists(st.none() | st.text(), min_size=3, max_size=3),
    data=st.data(),
)
def test_an_origin_is_read_as_it_was_written(
    tokens: list[int], dtype: str | None, texts: list[str | None], data: st.DataObject
) -> None:
    positions = data.draw(st.sets(st.integers(0, len(tokens) - 1), min_size=1))
    origin = TraceOrigin(tuple(tokens), tuple(sorted(positions)), dtype, *texts)
    assert origin_from(origin_text(origin), "x") == origin
    assert TraceOrigin(tuple(tokens)).positions == tuple(range(len(tokens)))


def test_a_file_of_another_program_needs_its_tokens_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "theirs.safetensors"
    safetensors.numpy.save_file(VALUES, path)
    assert not is_trace(str(path))
    with pytest.raises(LoadError, match=r"write a trace\.json"):
        open_trace(str(path))
    (tmp_path / "trace.json").write_text(json.dumps({"tokens": [3, 4]}))
    safetensors.numpy.save_file({"model.norm.weight": np.ones(4)}, tmp_path / "model.safetensors")
    assert is_trace(str(path))
    assert not is_trace(str(tmp_path / "model.safetensors"))
    found = open_trace(str(path))
    assert found.stages() == (("ffn_out", 0), ("lm_head", None))
    np.testing.assert_array_equal(found.values("ffn_out", 0), VALUES["layer-0/ffn_out"])


def test_a_file_that_says_so_is_a_trace_and_stands_for_its_folder(tmp_path: Path) -> None:
    safetensors.numpy.save_file(VALUES, tmp_path / SAVED, METADATA)
    for path in (tmp_path / SAVED, tmp_path):
        assert is_trace(str(path))
        assert open_trace(str(path)).tokens == (3, 4)


@pytest.mark.parametrize(
    ("values", "metadata", "why"),
    [
        ({"layer-0/ffn_out": np.ones((2, 4), np.int32)}, METADATA, "I32"),
        ({"layer-0/ffn_outs": np.ones((2, 4), np.float32)}, METADATA, "is no stage"),
        ({"layer-0/ffn_out": np.ones((3, 4), np.float32)}, METADATA, "not a row for each of 2"),
        (VALUES, {"format": "pv-trace"}, "on which tokens"),
        ({}, METADATA, "without a stage"),
    ],
)
def test_what_is_no_trace_is_refused(
    tmp_path: Path, values: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]],
    metadata: dict[str, str], why: str,
) -> None:  # fmt: skip
    safetensors.numpy.save_file(values, tmp_path / "x", metadata)
    with pytest.raises(LoadError, match=why):
        open_trace(str(tmp_path / "x"))


def test_a_file_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    safetensors.numpy.save_file(VALUES, tmp_path / "x", METADATA)
    whole = (tmp_path / "x").read_bytes()
    for cut in (0, 7, 30, len(whole) - 1):
        (tmp_path / "x").write_bytes(whole[:cut])
        assert not is_trace(str(tmp_path / "x"))
        with pytest.raises(LoadError):
            open_trace(str(tmp_path / "x"))
    assert not is_trace(str(tmp_path / "missing"))
