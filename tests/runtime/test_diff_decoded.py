from __future__ import annotations

import dataclasses
from pathlib import Path

import gguf
import numpy as np
import pytest
from pv_runtime import diff_decoded
from pv_runtime.convert import convert
from pv_runtime.diff import Comparison, compare, structure
from pv_runtime.diff_decoded import decodable, decoded_differences
from pv_runtime.diff_diagnosis import diagnosed
from pv_runtime.formats import LazyTensor, Overlay, TensorInfo, open_checkpoint
from pv_runtime.formats.overlay import from_values
from pv_runtime.quant import SCHEMES
from pv_runtime.quant.scheme import Bytes, Floats

ROOT = Path(__file__).parents[2]
PEERS = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "TQ1_0", "TQ2_0", "MXFP4"]


def values(rows: int = 70, columns: int = 256) -> Floats:
    return np.random.default_rng(5).standard_normal((rows, columns)).astype(np.float32)


def plain(array: Floats, dtype: str = "F32") -> LazyTensor:
    return from_values("t", array.shape, lambda: array, dtype)


def held(raw: Bytes, dtype: str, shape: tuple[int, ...]) -> LazyTensor:
    flat = np.ascontiguousarray(raw).reshape(-1).view(np.uint8)
    return LazyTensor(TensorInfo("t", dtype, shape, flat.nbytes), lambda: flat)


def in_peers(array: Floats, dtype: str) -> tuple[LazyTensor, Floats]:
    """A tensor that the `gguf` package has quantised, and its values as that package has them."""
    kind = gguf.GGMLQuantizationType[dtype]
    raw = gguf.quants.quantize(array, kind)
    return held(raw, dtype, array.shape), gguf.quants.dequantize(raw, kind).reshape(array.shape)


def in_aprs(array: Floats, dtype: str) -> tuple[LazyTensor, Floats]:
    """A tensor in one of APR's own formats, put together here as its description says."""
    shape = array.shape
    if dtype == "APR_Q8":
        scale = np.float32(np.abs(array).max() / 127)
        codes = np.rint(array / scale).astype(np.int8)
        raw = np.concatenate([np.array([scale]).view(np.uint8), codes.reshape(-1).view(np.uint8)])
        return held(raw, dtype, shape), codes.astype(np.float32) * scale
    if dtype == "APR_Q4":
        flat = np.zeros(-(-array.size // 32) * 32, np.float32)
        flat[: array.size] = array.reshape(-1)
        blocks = flat.reshape(-1, 32)
        scales = (np.abs(blocks).max(1, keepdims=True) / 7).astype(np.float16)
        codes = np.clip(np.rint(blocks / scales.astype(np.float32)), -8, 7) + 8
        nibbles = codes.astype(np.uint8)
        raw = np.concatenate([scales.view(np.uint8), nibbles[:, 0::2] | nibbles[:, 1::2] << 4], axis=1)
        decoded = (codes - 8).astype(np.float32) * scales.astype(np.float32)
        return held(raw, dtype, shape), decoded.reshape(-1)[: array.size].reshape(shape)
    scheme = SCHEMES["Q4_K"]
    filled = np.zeros((shape[0], -(-shape[1] // 256) * 256), np.float32)
    filled[:, : shape[1]] = array
    raw = scheme.quantise(filled.reshape(-1))
    return held(raw, dtype, shape), scheme.dequantise(raw).reshape(filled.shape)[:, : shape[1]]


@pytest.mark.parametrize("window", [1, 1 << 20])
@pytest.mark.parametrize("dtype", [*PEERS, "APR_Q4", "APR_Q8", "Q4_K_PADDED"])
def test_figures_are_those_of_the_decoded_values(
    dtype: str, window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diff_decoded, "_WINDOW", window)
    array = values(columns=256 if dtype in PEERS else 200)
    tensor, expected = (in_peers if dtype in PEERS else in_aprs)(array, dtype)
    assert decodable(tensor.info, plain(array).info)
    same = decoded_differences(plain(expected), tensor)
    assert same.equal == same.elements == array.size
    found = decoded_differences(plain(array), tensor)
    apart = array.astype(np.float64) - expected
    assert found.sum_dd == pytest.approx((apart**2).sum(), rel=1e-6)
    assert found.sum_d == pytest.approx(np.abs(apart).sum(), rel=1e-6)
    assert found.max_index == int(np.abs(apart).argmax())
    assert found.max_difference == pytest.approx(np.abs(apart).max(), rel=1e-6)
    assert found.first_difference == int((array != expected).argmax())
    assert 0 < found.relative_l2 < 0.9  # of ternary codes; others have far less
    back = decoded_differences(tensor, plain(array))
    assert (back.sum_dd, back.max_index) == (found.sum_dd, found.max_index)


def test_a_value_that_is_not_finite_is_found_in_any_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diff_decoded, "_WINDOW", 1)
    tensor, expected = in_peers(values(), "Q5_0")
    for row in (1, 40, 69):
        broken = expected.copy()
        broken[row, 3] = np.nan
        found = decoded_differences(plain(broken), tensor)
        assert (found.not_finite_a, found.not_finite_b, found.finite) == (1, 0, False)
        assert np.isnan(found.max_difference)


def test_sixteen_bits_beside_a_legacy_format_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diff_decoded, "_WINDOW", 1)
    tensor, expected = in_peers(values(), "Q4_1")
    found = decoded_differences(plain(expected, "F16"), tensor)
    assert found.equal < found.equal_rounded == found.elements


def test_what_is_not_decoded_is_left_to_the_bytes() -> None:
    for dtype, size in (("Q8_K", 292), ("F8_E4M3", 256)):
        assert not decodable(TensorInfo("t", dtype, (1, 256), size), plain(values(1)).info)
    assert not decodable(plain(values(2)).info, TensorInfo("t", "Q5_0", (256, 2), 352))


def results(a: Path, b: Path) -> dict[str, Comparison]:
    found = structure(open_checkpoint(a), open_checkpoint(b))
    return {each.name: each for each in compare(found, values=True, transpose_aware=False, threshold=0.15)}


def test_a_model_whose_rows_take_the_fall_back_is_compared_whole(tmp_path: Path) -> None:
    """As every published model with rows of 896: most of it is Q5_0."""
    folder = ROOT / "models/tiny-qwen2-7to1"
    convert(open_checkpoint(folder), str(tmp_path / "q.gguf"), "q4_k")
    found = results(folder, tmp_path / "q.gguf")
    assert {each.b.info.dtype for each in found.values()} == {"F32", "Q4_K", "Q5_0"}
    assert {each.status for each in found.values()} == {"identical", "within_threshold"}
    for each in found.values():
        if each.b.info.dtype == "Q5_0":
            assert each.figures is not None
            assert 0.01 < each.figures.relative_l2 < 0.06
    again = results(tmp_path / "q.gguf", tmp_path / "q.gguf")
    assert {each.status for each in again.values()} == {"identical"}


def test_damage_to_a_legacy_format_is_measured() -> None:
    tensor, _ = in_peers(values(), "Q5_0")
    raw = tensor.raw().copy()
    raw[22 * 9 + 10] ^= 0x10
    damaged = LazyTensor(tensor.info, lambda: raw)
    found = decoded_differences(tensor, damaged)
    assert (found.elements - found.equal, found.first_difference // 32) == (1, 9)


@pytest.mark.parametrize("dtype", [*PEERS, "APR_Q4", "APR_Q8", "Q4_K_PADDED"])
def test_whatever_differs_is_diagnosed_without_a_fault(dtype: str) -> None:
    """Two tensors far apart, of one shape: the search for a swap decodes samples."""
    generator = np.random.default_rng(8)
    base = open_checkpoint(ROOT / "models/tiny-qwen2")
    sides = []
    for _ in range(2):
        added = {}
        for name in ("one", "two"):
            array = generator.standard_normal((64, 256 if dtype in PEERS else 200)).astype(np.float32)
            tensor, _ = (in_peers if dtype in PEERS else in_aprs)(array, dtype)
            added[name] = LazyTensor(dataclasses.replace(tensor.info, name=name), tensor.raw)
        sides.append(Overlay(Overlay(base, drop=base.names()), add=added))
    found = structure(sides[0], sides[1])
    done = diagnosed(compare(found, values=True, transpose_aware=True, threshold=0.1), found)
    assert [each.status for each in done] == ["beyond_threshold"] * 2
