from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pv_runtime.errors import LoadError
from pv_runtime.formats import Checkpoint, LazyTensor, Overlay, TensorInfo, open_checkpoint
from pv_runtime.formats.overlay import from_values
from pv_runtime.formats.safetensors import write_safetensors
from pv_runtime.fused import with_split_projections
from pv_runtime.quant import SCHEMES
from pv_runtime.quant.scheme import Bytes

LAYER = "model.layers.0.self_attn."


def fused(model: Checkpoint, kind: str) -> Overlay:
    names = [f"{LAYER}{part}_proj.{kind}" for part in "qkv"]
    infos = [model.info(name) for name in names]
    rows = sum(info.shape[0] for info in infos)
    info = TensorInfo(
        f"{LAYER}qkv_proj.{kind}", infos[0].dtype, (rows, *infos[0].shape[1:]), sum(i.nbytes for i in infos)
    )

    def raw() -> Bytes:
        return np.concatenate([model.raw(name) for name in names])

    return Overlay(model, drop=names, add={info.name: LazyTensor(info, raw)})


def test_one_tensor_is_seen_as_three(model_folder: Path) -> None:
    model = open_checkpoint(model_folder)
    split = with_split_projections(fused(fused(model, "weight"), "bias"), 4, 2)
    assert sorted(split.names()) == sorted(model.names())
    for name in model.names():
        assert split.info(name) == model.info(name)
        assert np.array_equal(split.raw(name), model.raw(name))


def test_blocks_are_not_taken_apart(model_folder: Path) -> None:
    scheme = SCHEMES["Q4_K"]
    raw = np.arange(8 * 144, dtype=np.uint64).astype(np.uint8)
    info = TensorInfo(f"{LAYER}qkv_proj.weight", "Q4_K", (8, 256), raw.size)
    model = Overlay(
        open_checkpoint(model_folder),
        drop=open_checkpoint(model_folder).names(),
        add={info.name: LazyTensor(info, lambda: raw)},
    )
    split = with_split_projections(model, 2, 1)
    key = split.info(f"{LAYER}k_proj.weight")
    assert (key.dtype, key.shape, key.nbytes) == ("Q4_K", (2, 256), 2 * scheme.block_bytes)
    assert np.array_equal(split.raw(key.name), raw[4 * 144 : 6 * 144])


def test_a_model_without_them_stays_as_it_is(model_folder: Path) -> None:
    model = open_checkpoint(model_folder)
    assert with_split_projections(model, 4, 2) is model


@pytest.mark.parametrize(("heads", "kv_heads"), [(5, 2), (0, 1), (4, 0)])
def test_rows_that_are_no_heads_are_refused(model_folder: Path, heads: int, kv_heads: int) -> None:
    with pytest.raises(LoadError, match="does not divide into"):
        with_split_projections(fused(open_checkpoint(model_folder), "weight"), heads, kv_heads)


def test_a_fused_projection_without_rows_has_no_heads(tmp_path: Path) -> None:
    empty = from_values(
        "model.layers.0.self_attn.qkv_proj.weight", (0, 4), lambda: np.zeros((0, 4), np.float32), "F32"
    )
    write_safetensors(str(tmp_path / "x"), [(empty.info, empty.raw)])
    with pytest.raises(LoadError, match="does not divide"):
        with_split_projections(open_checkpoint(tmp_path / "x"), 2, 1)
