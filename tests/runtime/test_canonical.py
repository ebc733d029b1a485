from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from pv_runtime.architecture import Architecture
from pv_runtime.canonical import canonical
from pv_runtime.config import config_of
from pv_runtime.errors import LoadError
from pv_runtime.export import export
from pv_runtime.formats import Checkpoint, Overlay, open_checkpoint
from pv_runtime.formats.checkpoint import TensorInfo
from pv_runtime.formats.overlay import LazyTensor
from pv_runtime.model import Decoder
from pv_runtime.random_model import RandomModel
from pv_runtime.weights import load_weights

from tests.runtime.numpy_decoder import NumpyDecoder

LLAMA = Architecture(
    family="llama",
    hidden_size=48,
    intermediate_size=64,
    layers=2,
    heads=6,
    kv_heads=2,
    head_dim=12,
    vocab_size=40,
    max_positions=32,
    rope_theta=1e4,
    rms_norm_eps=1e-5,
    qkv_bias=False,
    tied=False,
)
QWEN2 = dataclasses.replace(LLAMA, family="qwen2", qkv_bias=True, head_dim=8)
QUERIES = "model.layers.1.self_attn.q_proj.weight"


@pytest.fixture(scope="module", params=[LLAMA, QWEN2], ids=["llama", "qwen2"])
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return RandomModel(request.param).save(tmp_path_factory.mktemp("source"))


@pytest.mark.parametrize("form", ["gguf", "apr"])
def test_every_format_is_seen_with_the_rows_of_the_source(
    source: Checkpoint, form: str, tmp_path: Path
) -> None:
    export(source, str(tmp_path / "model"), form)
    written = open_checkpoint(tmp_path / "model")
    view = canonical(written, config_of(written))
    assert all(np.array_equal(view.tensor(name), source.tensor(name)) for name in source.names())
    moved = not np.array_equal(written.tensor(QUERIES), source.tensor(QUERIES))
    assert moved == (form == "gguf" and config_of(source)["model_type"] == "llama")


def test_a_llama_in_gguf_computes_what_its_source_computes(tmp_path: Path) -> None:
    source = RandomModel(LLAMA).save(tmp_path)
    export(source, str(tmp_path / "model.gguf"), "gguf")
    written = open_checkpoint(tmp_path / "model.gguf")
    ids = [3, 1, 4, 1, 5, 9, 2, 6]
    expected = torch.from_numpy(NumpyDecoder(source, LLAMA).logits(ids))
    logits = Decoder(load_weights(written)).forward(torch.tensor([ids]))[0]
    assert (logits - expected).abs().max() < 1e-4
    # As they lie in the file, the same rows give something else.
    as_stored = torch.from_numpy(NumpyDecoder(written, LLAMA).logits(ids))
    assert (as_stored - expected).abs().max() > 1e-2


def test_projections_stored_as_one_are_seen_apart(source: Checkpoint) -> None:
    parts = [f"model.layers.0.self_attn.{part}_proj.weight" for part in "qkv"]
    rows = np.concatenate([source.tensor(name) for name in parts])
    info = TensorInfo("model.layers.0.self_attn.qkv_proj.weight", "F32", rows.shape, rows.nbytes)
    fused = LazyTensor(info, lambda: rows.reshape(-1).view(np.uint8))
    view = canonical(Overlay(source, drop=parts, add={info.name: fused}), config_of(source))
    assert all(np.array_equal(view.tensor(name), source.tensor(name)) for name in parts)
    assert info.name not in view.names()


def test_an_apr_llama_that_does_not_say_how_its_rows_lie_is_refused(tmp_path: Path) -> None:
    export(RandomModel(LLAMA).save(tmp_path), str(tmp_path / "model.apr"), "apr")
    written = open_checkpoint(tmp_path / "model.apr")
    for kind in (None, 1, "2"):
        metadata = {**written.metadata, "rope_type": kind}
        with pytest.raises(LoadError, match="do not say \\(rope_type\\)"):
            load_weights(Overlay(written, metadata=metadata))
