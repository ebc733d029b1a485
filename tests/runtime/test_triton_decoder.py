"""The decoder of our kernels, by Triton's interpreter: small random models, held against the reference."""

from __future__ import annotations

import dataclasses
import functools

import pytest
import torch
from pv_runtime.architecture import Architecture
from pv_runtime.errors import LoadError, ModelError
from pv_runtime.formats.overlay import Overlay
from pv_runtime.formats.quantised import quantised_tensor
from pv_runtime.generate import Generation
from pv_runtime.launch_count import OWN_KERNELS
from pv_runtime.model import Decoder
from pv_runtime.quant import SCHEMES
from pv_runtime.quant.scheme import Bytes
from pv_runtime.random_model import RandomModel
from pv_runtime.stages import STAGES
from pv_runtime.triton_decoder import TritonDecoder
from pv_runtime.triton_matrix import PackedMatrix
from pv_runtime.triton_weights import load_triton_weights
from pv_runtime.weights import load_weights
from torch import Tensor

SMALL = Architecture(
    family="qwen2", hidden_size=64, intermediate_size=64, layers=2, heads=2, kv_heads=1, head_dim=32,
    vocab_size=32, max_positions=64, rope_theta=1e4, rms_norm_eps=1e-6, qkv_bias=True, tied=True,
)  # fmt: skip
TOKENS = torch.tensor([[1, 5, 9, 2, 7, 31]])


@functools.cache
def pair() -> tuple[Decoder, TritonDecoder]:
    model = RandomModel(SMALL)
    return Decoder(load_weights(model)), TritonDecoder(load_triton_weights(model))


def test_it_computes_what_the_reference_computes_in_one_pass_and_step_by_step() -> None:
    reference, ours = pair()
    expected = reference.forward(TOKENS)
    assert torch.allclose(ours.forward(TOKENS), expected, atol=1e-4)
    cache = ours.cache(capacity=4)  # it has to grow
    pieces = [ours.forward(piece, cache=cache) for piece in (TOKENS[:, :3], TOKENS[:, 3:4], TOKENS[:, 4:])]
    assert torch.allclose(torch.cat(pieces, dim=1), expected, atol=1e-4)
    assert (cache.length, cache.buffers.capacity) == (6, 8)
    assert {launch.kernel for launch in ours.launches} <= OWN_KERNELS


@pytest.mark.kernel
def test_who_watches_sees_every_stage_and_changes_no_bit() -> None:
    _, ours = pair()
    seen: set[tuple[str, int | None]] = set()

    def watch(stage: str, layer: int | None, values: Tensor) -> Tensor:
        seen.add((stage, layer))
        return values

    for watched, alone in ((ours.cache(), ours.cache()), (None, None)):
        for piece in (TOKENS[:, :3], TOKENS[:, 3:4]):
            shown = ours.forward(piece, cache=watched, tap=watch)
            assert torch.equal(shown, ours.forward(piece, cache=alone))
    assert {stage for stage, _ in seen} == set(STAGES)
    assert len(seen) == 3 + 15 * SMALL.layers


@pytest.mark.kernel
def test_what_is_shown_stays_as_it_was_shown() -> None:
    _, ours = pair()
    kept: list[tuple[Tensor, Tensor]] = []

    def keep(_stage: str, _layer: int | None, values: Tensor) -> Tensor:
        kept.append((values, values.clone()))
        return values

    ours.forward(TOKENS, tap=keep)
    assert all(torch.equal(now, then) for now, then in kept)


@pytest.mark.kernel
def test_several_sequences_are_computed_as_each_alone() -> None:
    _, ours = pair()
    both = torch.cat([TOKENS, TOKENS.flip(1)])
    cache = ours.cache(batch=2, capacity=8)
    together = [ours.forward(piece, cache=cache) for piece in (both[:, :5], both[:, 5:])]
    alone = ours.forward(both[1:])
    assert torch.allclose(torch.cat(together, dim=1)[1:], alone, atol=1e-5)


@pytest.mark.kernel
def test_it_generates_what_the_reference_generates() -> None:
    reference, ours = pair()
    texts = [list(Generation(each, [3, 1, 4], limit=5)) for each in (reference, ours)]
    assert texts[0] == texts[1]


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("dtype", "distance"), [(torch.bfloat16, 0.1), (torch.float16, 0.02)], ids=["bfloat16", "float16"]
)
def test_half_precision_stays_near(dtype: torch.dtype, distance: float) -> None:
    reference, _ = pair()
    ours = TritonDecoder(load_triton_weights(RandomModel(SMALL), dtype=dtype))
    logits, expected = ours.forward(TOKENS), reference.forward(TOKENS)
    assert logits.dtype == dtype
    assert (logits.float() - expected).norm() <= distance * expected.norm()


@pytest.mark.kernel
def test_padding_a_foreign_cache_and_ids_out_of_range_are_refused() -> None:
    reference, ours = pair()
    attended = torch.ones_like(TOKENS, dtype=torch.bool)
    assert torch.equal(ours.forward(TOKENS, attended=attended), ours.forward(TOKENS))
    attended[0, 0] = False
    with pytest.raises(ModelError, match="computes no padding"):
        ours.forward(TOKENS, attended=attended)
    with pytest.raises(ModelError, match="made by another decoder"):
        ours.forward(TOKENS, cache=reference.cache())
    with pytest.raises(ModelError, match="out of range"):
        ours.forward(TOKENS + 20)


def test_heads_that_no_kernel_is_written_for_are_refused_before_anything_is_loaded() -> None:
    class Unread(RandomModel):
        def raw(self, name: str) -> Bytes:
            raise AssertionError(f"{name} was read")

    with pytest.raises(LoadError, match=r"head_dim is 16, and .* written for 32, 64, 128"):
        load_triton_weights(Unread(dataclasses.replace(SMALL, head_dim=16)))


def quantised(kinds: dict[str, str], architecture: Architecture) -> Overlay:
    """Return a random model, matrices whose names end so in block formats."""
    model = RandomModel(architecture)
    chosen = {
        name: SCHEMES[kind]
        for name in model.matrices()
        for end, kind in kinds.items()
        if name.endswith(f"{end}.weight")
    }
    return Overlay(
        model, replace={name: quantised_tensor(model, name, each) for name, each in chosen.items()}
    )


@pytest.mark.kernel
def test_quantised_matrices_stay_as_stored_and_neighbours_of_one_format_are_one_launch() -> None:
    one_layer = dataclasses.replace(SMALL, layers=1, vocab_size=8)
    kinds = {"q_proj": "Q8_0", "k_proj": "Q8_0", "o_proj": "Q8_0", "embed_tokens": "Q8_0", "up_proj": "Q8_0"}
    model = quantised(kinds, one_layer)
    ours, reference = TritonDecoder(load_triton_weights(model)), Decoder(load_weights(model))
    layer, tokens = ours.weights.layer(0), TOKENS[:, :3] % 8
    assert [type(part) is PackedMatrix for part in layer.qkv.parts] == [True, False]
    assert [type(part) is PackedMatrix for part in layer.gate_up.parts] == [False, True]
    assert layer.attn_out.nbytes == 64 * 2 * 34
    expected = reference.forward(tokens)
    assert torch.allclose(ours.forward(tokens), expected, atol=1e-4)
    assert sum(launch.kernel == "q8_0_gemv_kernel" for launch in ours.launches) == 4
    cache = ours.cache()
    stepped = [ours.forward(piece, cache=cache) for piece in (tokens[:, :2], tokens[:, 2:])]
    assert torch.allclose(torch.cat(stepped, dim=1), expected, atol=1e-4)


@pytest.mark.kernel
def test_superblocks_and_a_mix_of_them_compute_what_the_reference_computes() -> None:
    wide = dataclasses.replace(SMALL, hidden_size=256, intermediate_size=256, heads=8, layers=1, vocab_size=8)
    kinds = dict.fromkeys(("q_proj", "k_proj", "o_proj", "gate_proj", "up_proj", "embed_tokens"), "Q4_K")
    model = quantised({**kinds, "v_proj": "Q6_K", "down_proj": "Q6_K"}, wide)
    ours, reference = TritonDecoder(load_triton_weights(model)), Decoder(load_weights(model))
    assert [part.form for part in ours.weights.layer(0).qkv.parts] == ["Q4_K", "Q6_K"]  # type: ignore[union-attr]
    tokens = TOKENS[:, :4] % 8
    assert torch.allclose(ours.forward(tokens), reference.forward(tokens), atol=1e-4)
