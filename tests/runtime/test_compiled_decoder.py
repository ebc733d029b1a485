from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from pv_runtime import compiled_decoder
from pv_runtime.architecture import Architecture
from pv_runtime.compiled_block import decode_block
from pv_runtime.compiled_decoder import CompiledDecoder
from pv_runtime.formats import Overlay, open_checkpoint
from pv_runtime.formats.overlay import from_values
from pv_runtime.model import Decoder
from pv_runtime.presets import PRESETS
from pv_runtime.quickest import quickest
from pv_runtime.random_model import RandomModel
from pv_runtime.weights import load_weights
from torch import Tensor

MODELS = Path(__file__).resolve().parents[2] / "models"
QWEN2 = dataclasses.replace(
    PRESETS["qwen2.5-0.5b"], hidden_size=56, intermediate_size=72, layers=3, heads=14, kv_heads=2, head_dim=6,
    vocab_size=90, max_positions=60,
)  # fmt: skip
LLAMA = dataclasses.replace(
    QWEN2, family="llama", qkv_bias=False, tied=False, heads=4, kv_heads=4, rope_theta=1e4, rms_norm_eps=1e-5
)


def decoded(decoder: Decoder, tokens: Tensor, prefill: int) -> Tensor:
    """Return the logits of one pass over `prefill` tokens, and of one a token after it."""
    cache = decoder.cache(capacity=1)
    parts = [decoder.forward(tokens[:, :prefill], cache=cache)]
    parts += [
        decoder.forward(tokens[:, place : place + 1], cache=cache)
        for place in range(prefill, tokens.shape[1])
    ]
    return torch.cat(parts, dim=1)


def compiled_steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the blocks that are computed by compiled code."""
    calls: list[int] = []
    before = decode_block

    def counted(*arguments: Any) -> None:
        calls.append(1)
        before(*arguments)

    monkeypatch.setattr(compiled_decoder, "decode_block", counted)
    return calls


@pytest.mark.parametrize("shape", [QWEN2, LLAMA], ids=["qwen2", "llama"])
@pytest.mark.parametrize("prefill", [1, 2, 11])
def test_steps_are_those_of_the_decoder(
    shape: Architecture, prefill: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = RandomModel(shape, dtype="F16")
    calls = compiled_steps(monkeypatch)
    tokens = torch.randint(90, (1, 40), generator=torch.Generator().manual_seed(prefill))
    expected = Decoder(load_weights(model)).forward(tokens)
    assert (decoded(quickest(model), tokens, prefill) - expected).abs().max() < 5e-5
    # A prompt of one token is a step, too.
    assert len(calls) == 3 * (40 if prefill == 1 else 40 - prefill)


@pytest.mark.parametrize("name", ["tiny-qwen2", "tiny-qwen2-7to1"])
def test_the_shipped_models_are_decoded_alike(name: str) -> None:
    model = open_checkpoint(MODELS / name)
    tokens = torch.randint(4096, (1, 24), generator=torch.Generator().manual_seed(1))
    expected = Decoder(load_weights(model)).forward(tokens)
    assert (decoded(quickest(model), tokens, 5) - expected).abs().max() < 1e-4


def test_what_is_no_compiled_step_is_the_decoders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches, padding, taps, passes without a cache, and weights that are not float16."""
    model = RandomModel(QWEN2, dtype="F16")
    plain, quick = Decoder(load_weights(model)), quickest(model)
    calls = compiled_steps(monkeypatch)
    one, two = torch.tensor([[3]]), torch.tensor([[3], [4]])
    seen: list[str] = []

    def watch(stage: str, _layer: int | None, values: Tensor) -> Tensor:
        seen.append(stage)
        return values

    def padded(decoder: Decoder) -> Tensor:
        cache = decoder.cache()
        decoder.forward(torch.tensor([[1, 2]]), attended=torch.tensor([[False, True]]), cache=cache)
        return decoder.forward(one, cache=cache)

    for decoder in (plain, quick):
        seen.clear()
        decoder.forward(one, cache=decoder.cache(), tap=watch)
        assert len(seen) == 3 + 15 * 3
    assert torch.allclose(plain.forward(one), quick.forward(one), atol=5e-5)
    assert torch.allclose(
        plain.forward(two, cache=plain.cache(2)), quick.forward(two, cache=quick.cache(2)), atol=5e-5
    )
    assert torch.allclose(padded(plain), padded(quick), atol=5e-5)
    wide = CompiledDecoder(load_weights(RandomModel(QWEN2)))
    wide.forward(one, cache=wide.cache())
    assert not calls


def test_a_nan_reaches_the_logits() -> None:
    model = RandomModel(QWEN2, dtype="F16")
    name = "model.layers.1.self_attn.k_proj.weight"
    values = model.tensor(name).copy()
    values[0, 0] = float("nan")
    damaged = Overlay(model, replace={name: from_values(name, values.shape, lambda: values, "F16")})
    decoder = quickest(damaged)
    assert decoder.forward(torch.tensor([[3]]), cache=decoder.cache()).isnan().all()


def test_matrices_stay_as_stored_and_nothing_else_does() -> None:
    model = RandomModel(QWEN2, dtype="F16")
    kept = load_weights(model, as_stored=True)
    assert {kept.embedding.dtype, kept.layer(0).qkv.dtype, kept.layer(2).down.dtype} == {torch.float16}
    assert {kept.final_norm.dtype, kept.layer(0).attn_norm.dtype} == {torch.float32}
    assert kept.dtype == torch.float32
    assert load_weights(RandomModel(QWEN2), as_stored=True).embedding.dtype == torch.float32
    assert load_weights(model, as_stored=True, dtype=torch.bfloat16).embedding.dtype == torch.bfloat16
    large = dataclasses.replace(QWEN2, hidden_size=512, intermediate_size=3000, layers=1)
    assert load_weights(RandomModel(large, dtype="F16"), as_stored=True).embedding.dtype == torch.float32
    tokens = torch.tensor([[1, 2, 3, 4]])
    assert torch.equal(Decoder(kept).forward(tokens), Decoder(load_weights(model)).forward(tokens))


@pytest.mark.parametrize("streamed", [False, True])
def test_one_block_at_a_time_and_half_precision_are_plain(streamed: bool) -> None:
    model = RandomModel(QWEN2, dtype="F16")
    tokens = torch.tensor([[5, 6]])
    expected = Decoder(load_weights(model)).forward(tokens)
    assert torch.allclose(quickest(model, streamed=streamed).forward(tokens), expected, atol=5e-5)
    assert type(quickest(model, dtype=torch.bfloat16)) is Decoder
