from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from pv_runtime.architecture import Architecture
from pv_runtime.errors import LoadError
from pv_runtime.formats import Overlay, open_checkpoint
from pv_runtime.formats.overlay import LazyTensor, from_values
from pv_runtime.random_model import RandomModel
from pv_runtime.weights import StreamedWeights, Weights, load_weights

MODELS = Path(__file__).resolve().parents[2] / "models"
SHAPE = Architecture(
    family="qwen2",
    hidden_size=32,
    intermediate_size=48,
    layers=2,
    heads=4,
    kv_heads=2,
    head_dim=8,
    vocab_size=30,
    max_positions=64,
    rope_theta=1e6,
    rms_norm_eps=1e-6,
    qkv_bias=True,
    tied=True,
)


def damaged(name: str, value: float, shape: Architecture = SHAPE) -> Overlay:
    """View a random model with one value of one tensor replaced."""
    model = RandomModel(shape)
    values = model.tensor(name).copy()
    values.reshape(-1)[7] = value
    return Overlay(model, replace={name: from_values(name, values.shape, lambda: values, "F32")})


@pytest.mark.parametrize("streamed", [False, True])
def test_every_tensor_is_where_it_belongs(streamed: bool) -> None:
    model = RandomModel(SHAPE)
    weights = load_weights(model, streamed=streamed)
    assert isinstance(weights, StreamedWeights if streamed else Weights)
    prefix = "model.layers.1."

    def same(values: torch.Tensor | None, *names: str) -> None:
        expected = np.concatenate([model.tensor(name) for name in names])
        assert values is not None
        assert np.array_equal(values.numpy(), expected)

    layer = weights.layer(1)
    same(layer.attn_norm, prefix + "input_layernorm.weight")
    same(layer.qkv, *(f"{prefix}self_attn.{part}_proj.weight" for part in "qkv"))
    same(layer.qkv_bias, *(f"{prefix}self_attn.{part}_proj.bias" for part in "qkv"))
    same(layer.attn_out, prefix + "self_attn.o_proj.weight")
    same(layer.ffn_norm, prefix + "post_attention_layernorm.weight")
    same(layer.gate, prefix + "mlp.gate_proj.weight")
    same(layer.up, prefix + "mlp.up_proj.weight")
    same(layer.down, prefix + "mlp.down_proj.weight")
    same(weights.embedding, "model.embed_tokens.weight")
    same(weights.final_norm, "model.norm.weight")


def test_a_tied_head_is_the_embedding_itself_and_another_one_is_not() -> None:
    tied = load_weights(RandomModel(SHAPE))
    assert tied.head is tied.embedding
    untied = load_weights(RandomModel(dataclasses.replace(SHAPE, tied=False)))
    assert not torch.equal(untied.head, untied.embedding)


def test_a_family_without_biases_has_none() -> None:
    llama = dataclasses.replace(SHAPE, family="llama", qkv_bias=False)
    assert load_weights(RandomModel(llama)).layer(0).qkv_bias is None


def test_a_tied_model_with_a_head_of_other_bytes_is_refused() -> None:
    model = RandomModel(SHAPE)
    other = from_values("lm_head.weight", (30, 32), lambda: np.zeros((30, 32), "f4"), "F32")
    with pytest.raises(LoadError, match="ties the head to the embedding, and it has an lm_head"):
        load_weights(Overlay(model, add={"lm_head.weight": other}))
    same = LazyTensor(
        dataclasses.replace(model.info("model.embed_tokens.weight"), name="lm_head.weight"),
        lambda: model.raw("model.embed_tokens.weight"),
    )
    kept = load_weights(Overlay(model, add={"lm_head.weight": same}))
    assert kept.head is kept.embedding


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_weights_are_rounded_to_the_dtype_of_the_computation(dtype: torch.dtype) -> None:
    model = RandomModel(SHAPE)
    weights = load_weights(model, dtype=dtype)
    expected = torch.from_numpy(model.tensor("model.norm.weight")).to(dtype)
    assert torch.equal(weights.final_norm, expected)
    assert weights.dtype == dtype


def test_block_formats_are_dequantised() -> None:
    model = open_checkpoint(MODELS / "tiny-qwen2-q4_k" / "model.gguf")
    name = "model.layers.2.mlp.down_proj.weight"
    assert model.info(name).dtype not in {"F32", "F16"}
    weights = load_weights(model)
    assert np.array_equal(weights.layer(2).down.numpy(), model.tensor(name))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", ["model.norm.weight", "model.layers.1.self_attn.k_proj.weight"])
def test_weights_that_are_no_numbers_are_named_where_that_is_asked_for(name: str, value: float) -> None:
    model = damaged(name, value)
    with pytest.raises(LoadError, match=rf"{name} has 1 value that is NaN or infinite"):
        load_weights(model, finite=True)
    load_weights(model)  # a trace is how to see what they do
    load_weights(RandomModel(SHAPE), finite=True)


def test_a_weight_beyond_float16_is_named() -> None:
    model = damaged("model.layers.0.mlp.up_proj.weight", 1e5)
    load_weights(model, finite=True, dtype=torch.bfloat16)
    with pytest.raises(LoadError, match=r"up_proj.weight has 1 value that is beyond torch.float16"):
        load_weights(model, finite=True, dtype=torch.float16)


def test_streamed_weights_are_checked_when_they_are_decoded() -> None:
    weights = load_weights(damaged("model.layers.1.mlp.up_proj.weight", np.nan), finite=True, streamed=True)
    weights.layer(0)
    with pytest.raises(LoadError, match=r"layers.1.mlp.up_proj.weight has 1 value"):
        weights.layer(1)
