from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pv_runtime.build import quantised_gguf, twin
from pv_runtime.diff import compare, structure
from pv_runtime.diff_diagnosis import diagnosis
from pv_runtime.diff_grid import four_bit
from pv_runtime.formats import Checkpoint, LazyTensor, Overlay, TensorInfo, open_checkpoint
from pv_runtime.formats.overlay import from_values
from pv_runtime.quant import SCHEMES

UP = "model.layers.0.mlp.up_proj.weight"


def said(a: Checkpoint, b: Checkpoint) -> tuple[dict[str, str], list[str]]:
    found = structure(a, b)
    results, whole = diagnosis(compare(found, values=True, transpose_aware=False, threshold=0), found)
    return {each.name: "; ".join(each.diagnosis) for each in results}, whole


@pytest.mark.parametrize("scheme", ["q4_k", "q6_k", "q8_0"])
def test_a_twin_is_no_source(model_folder: Path, scheme: str, tmp_path: Path) -> None:
    """The case of old evidence: cosines of 0.9999999 between a quantised model and its own values."""
    quantised_gguf(str(model_folder), str(tmp_path / "q.gguf"), scheme=scheme)
    twin(str(tmp_path / "q.gguf"), str(tmp_path / "twin.safetensors"))
    quantised, plain = open_checkpoint(tmp_path / "q.gguf"), open_checkpoint(tmp_path / "twin.safetensors")
    form = SCHEMES[scheme.upper()].name
    for a, b, side, other in ((plain, quantised, "a", "b"), (quantised, plain, "b", "a")):
        each, whole = said(a, b)
        assert f"{side}'s values lie on {other}'s {form} grid" in each[UP]
        (sentence,) = whole
        assert f"{side} was made from {other}, and this comparison cannot measure quantisation" in sentence
        assert "all 15 quantised tensors" in sentence


def test_a_true_source_is_one(model_folder: Path, tmp_path: Path) -> None:
    quantised_gguf(str(model_folder), str(tmp_path / "q.gguf"), scheme="q4_k")
    each, whole = said(open_checkpoint(model_folder), open_checkpoint(tmp_path / "q.gguf"))
    assert whole == []
    assert not any("grid" in text or "4-bit" in text for text in each.values())


def test_one_tensor_off_the_grid_is_enough_to_say_nothing_of_all(model_folder: Path, tmp_path: Path) -> None:
    quantised_gguf(str(model_folder), str(tmp_path / "q.gguf"), scheme="q4_k")
    twin(str(tmp_path / "q.gguf"), str(tmp_path / "twin.safetensors"))
    plain, source = open_checkpoint(tmp_path / "twin.safetensors"), open_checkpoint(model_folder)
    mixed = Overlay(plain, replace={UP: LazyTensor(source.info(UP), lambda: source.raw(UP))})
    each, whole = said(mixed, open_checkpoint(tmp_path / "q.gguf"))
    assert whole == []
    assert "grid" not in each[UP]


def test_values_of_another_four_bit_format(model_folder: Path, tmp_path: Path) -> None:
    """Values of a Q4_K file beside blocks of another format, which they do not equal."""
    quantised_gguf(str(model_folder), str(tmp_path / "q4.gguf"), scheme="q4_k")
    twin(str(tmp_path / "q4.gguf"), str(tmp_path / "twin.safetensors"))
    quantised_gguf(str(model_folder), str(tmp_path / "q6.gguf"), scheme="q6_k")
    each, _ = said(open_checkpoint(tmp_path / "twin.safetensors"), open_checkpoint(tmp_path / "q6.gguf"))
    assert "a's values take at most 16 different ones in each 32" in each[UP]
    each, _ = said(open_checkpoint(tmp_path / "q6.gguf"), open_checkpoint(tmp_path / "twin.safetensors"))
    assert "b's values take at most 16" in each[UP]


@pytest.mark.parametrize("dtype", ["F16", "F32"])
def test_which_values_look_quantised(dtype: str) -> None:
    generator = np.random.default_rng(1)
    values = generator.standard_normal((64, 256)).astype(np.float32) * np.float32(0.02)
    dequantised = SCHEMES["Q4_K"].dequantise(SCHEMES["Q4_K"].quantise(values.reshape(-1))).reshape(64, 256)
    sparse = np.where(generator.random((64, 256)) < 0.9, 0, values).astype(np.float32)
    for array, expected in (
        (dequantised, True), (values, False), (np.zeros((64, 256)), False), (np.sign(values), False),
        (sparse, False), (np.vstack([dequantised[:32], values[:32]]), False), (dequantised[:3], False),
        (dequantised.reshape(-1), False), (dequantised.reshape(-1, 16), False),
    ):  # fmt: skip
        tensor = from_values("t", array.shape, lambda array=array: np.asarray(array, np.float32), dtype)  # type: ignore[misc]
        assert four_bit(tensor) is expected
    raw = SCHEMES["Q4_K"].quantise(values.reshape(-1))
    assert not four_bit(LazyTensor(TensorInfo("t", "Q4_K", (64, 256), raw.nbytes), lambda: raw))
