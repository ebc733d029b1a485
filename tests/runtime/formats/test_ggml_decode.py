from __future__ import annotations

import gguf
import numpy as np
import pytest
from pv_runtime.errors import LoadError
from pv_runtime.formats import TensorInfo
from pv_runtime.formats.checkpoint import decode
from pv_runtime.formats.ggml_decode import BORROWED, dequantise_by_gguf
from pv_runtime.formats.ggml_types import GGML_NUMBERS, GGML_TYPES
from pv_runtime.quant import SCHEMES


@pytest.mark.parametrize("dtype", sorted(BORROWED))
def test_values_are_the_packages_to_the_bit(dtype: str) -> None:
    _, elements, size = GGML_TYPES[GGML_NUMBERS[dtype]]
    raw = np.random.default_rng(5).integers(0, 256, (3, 70 * size), dtype=np.uint8)
    info = TensorInfo("w", dtype, (3, 70 * elements), raw.size)
    with np.errstate(all="ignore"):
        theirs = gguf.quants.dequantize(raw, gguf.GGMLQuantizationType[dtype])
    ours = decode(info, raw.reshape(-1), "x")
    assert ours.shape == theirs.shape
    assert ours.tobytes() == theirs.tobytes()


def test_chunks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = np.random.default_rng(5).integers(0, 60, 5 * 84, dtype=np.uint8)
    whole = dequantise_by_gguf("Q2_K", raw)
    monkeypatch.setattr("pv_runtime.formats.ggml_decode._CHUNK", 2)
    assert dequantise_by_gguf("Q2_K", raw).tobytes() == whole.tobytes()


def test_all_that_the_package_decodes_is_decoded_here_or_by_ours() -> None:
    traits = {kind.name for kind in gguf.quants._type_traits}
    assert traits <= BORROWED | set(SCHEMES) | {"BF16"}
    assert not BORROWED & set(SCHEMES)


def test_part_of_a_block_is_an_error() -> None:
    with pytest.raises(LoadError, match="83 bytes are no multiple of Q2_K's block of 84"):
        decode(TensorInfo("w", "Q2_K", (256,), 84), np.zeros(83, np.uint8), "x")
