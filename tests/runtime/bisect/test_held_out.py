"""Defects with numbers that no list in the package has: what is fitted must be found, too."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pv_runtime.backends import ReferenceBackend
from pv_runtime.bisect.bisection import bisect
from pv_runtime.bisect.judge import StageResult
from pv_runtime.bisect.sides import Side
from pv_runtime.cache import Cache
from pv_runtime.defects.loading import AlteredWeights, changed, damaged_block
from pv_runtime.defects.models import square, stored_as
from pv_runtime.defects.planted import side
from pv_runtime.formats import Checkpoint
from pv_runtime.model import Decoder
from pv_runtime.weights import LayerWeights, load_weights
from torch import Tensor

TOKENS = torch.randint(0, 384, (20,), generator=torch.Generator().manual_seed(2))
FEW = settings(max_examples=6, deadline=None)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def first(candidate: Side, model: Checkpoint | None = None) -> StageResult:
    found = bisect(side(model or square()), candidate, TOKENS).culprits
    assert found
    assert found[0].explanation is not None
    return found[0]


def said(result: StageResult) -> tuple[str, int | None, str]:
    assert result.explanation is not None
    return result.stage, result.layer, result.explanation.signature


def loading(alter: Callable[[int, LayerWeights], LayerWeights]) -> Side:
    weights = load_weights(square())
    decoder = Decoder(AlteredWeights(weights, alter))  # type: ignore[arg-type]
    return dataclasses.replace(Side.of("x", ReferenceBackend(decoder), square()), weights=weights)


@FEW
@given(st.floats(1e3, 5e7).filter(lambda base: abs(math.log(base / 1e6)) > 0.01))
def test_any_rope_base(base: float) -> None:
    class Other(Decoder):
        def __init__(self, weights: object) -> None:
            super().__init__(weights)  # type: ignore[arg-type]
            self.theta = base

        def rotation(self, positions: Tensor) -> tuple[Tensor, Tensor]:
            usual = self.architecture
            self.architecture = dataclasses.replace(usual, rope_theta=self.theta)
            found = super().rotation(positions)
            self.architecture = usual
            return found

    result = first(side(square(), Other))
    assert said(result) == ("q_post_rope", 0, "wrong rope base")
    assert result.explanation is not None
    assert result.explanation.settled
    named = float(result.explanation.experiment.split()[-1])
    assert named == pytest.approx(base, rel=2e-3)


@FEW
@given(st.floats(2e-5, 5e-3))
def test_any_eps(epsilon: float) -> None:
    class Other(Decoder):
        def norm(self, x: Tensor, weight: Tensor) -> Tensor:
            return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + epsilon) * weight

    result = first(side(square(), Other))
    assert said(result) == ("attn_norm", 0, "wrong eps")
    assert result.explanation is not None
    assert float(result.explanation.experiment.split()[-1]) == pytest.approx(epsilon, rel=2e-2)


@FEW
@given(
    st.integers(0, 3),
    st.sampled_from(["gate", "up", "down", "o"]),
    st.floats(0.1, 8).filter(lambda x: abs(x - 1) > 1e-3),
)
def test_any_scaled_matrix(layer: int, which: str, factor: float) -> None:
    part = "self_attn.o_proj" if which == "o" else f"mlp.{which}_proj"
    name = f"model.layers.{layer}.{part}.weight"
    result = first(side(changed(square(), name, lambda w: w * np.float32(factor))))
    stage = {"gate": "ffn_gate", "up": "ffn_up", "down": "ffn_out", "o": "attn_out"}[which]
    assert said(result) == (stage, layer, "scaled")


@FEW
@given(st.permutations(range(4)).filter(lambda order: order != [0, 1, 2, 3]), st.sampled_from("kv"))
def test_any_order_of_key_heads(order: list[int], which: str) -> None:
    class Other(Decoder):
        def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
            return super().attend(
                q, k[:, order] if which == "k" else k, v[:, order] if which == "v" else v, mask
            )

    result = first(side(square(), Other))
    assert said(result) == ("attention", 0, "wrong head mapping")
    assert result.explanation is not None
    assert str(order) in result.explanation.experiment or "reversed" in result.explanation.experiment


@FEW
@given(st.integers(0, 3), st.integers(0, 255), st.sampled_from(["Q4_K", "Q6_K"]))
def test_any_block_of_any_row(layer: int, block: int, scheme: str) -> None:
    name = f"model.layers.{layer}.self_attn.o_proj.weight"
    model = stored_as(square(), name, scheme)
    result = first(side(damaged_block(model, name, block)), model)
    assert said(result) == ("attn_out", layer, "wrong block")
    assert result.explanation is not None
    assert f"row {block}, columns 0-255" in result.explanation.experiment


@FEW
@given(st.integers(0, 3), st.integers(0, 511), st.integers(0, 7), st.floats(1.2, 9))
def test_a_block_that_a_program_scales_is_found_without_its_weights(
    layer: int, row: int, block: int, factor: float
) -> None:
    def alter(index: int, weights: LayerWeights) -> LayerWeights:
        if index != layer:
            return weights
        up = weights.up.clone()
        up[row, 32 * block : 32 * (block + 1)] *= factor
        return dataclasses.replace(weights, up=up)

    result = first(loading(alter))
    assert said(result) == ("ffn_up", layer, "wrong block")
    assert result.explanation is not None
    assert f"row {row}, columns {32 * block}-{32 * block + 31}" in result.explanation.experiment


@FEW
@given(st.integers(0, 3), st.permutations(range(4)).filter(lambda order: order != [0, 1, 2, 3]))
def test_any_order_of_a_projections_heads(layer: int, order: list[int]) -> None:
    rows = torch.cat([torch.arange(64 * head, 64 * head + 64) for head in order])

    def alter(index: int, weights: LayerWeights) -> LayerWeights:
        if index != layer:
            return weights
        q, k, v = weights.qkv.chunk(3)
        return dataclasses.replace(weights, qkv=torch.cat([q, k, v[rows]]))

    result = first(loading(alter))
    assert (*said(result), result.part) == ("qkv_matmul", layer, "permuted rows", "v")


@FEW
@given(st.integers(1, 18))
def test_any_window(size: int) -> None:
    class Other(Decoder):
        def mask(self, attended: Tensor, count: int) -> Tensor | None:
            total = attended.shape[1]
            causal = torch.ones(count, total, dtype=torch.bool).tril(total - count)
            return (causal & ~causal.tril(total - count - size))[None, None]

    expected = "mask too narrow" if size == 1 else "sliding window"
    assert said(first(side(square(), Other))) == ("attention", 0, expected)


@FEW
@given(st.integers(0, 16))
def test_any_row_of_the_cache(row: int) -> None:
    class Stale(Cache):
        def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
            before = self.length
            k, v = super().extend(layer, keys, values)
            if before and layer == 2:
                k, v = k.clone(), v.clone()
                k[:, :, row] = 0
                v[:, :, row] = 0
            return k, v

    class Other(Decoder):
        def cache(self, batch: int = 1, capacity: int = 256) -> Cache:
            return Stale(self.architecture, batch, capacity=capacity)

    result = first(side(square(), Other))
    assert said(result) == ("attention", 2, "stale cache row")
    assert result.explanation is not None
    assert f"row {row} of the cache" in result.explanation.experiment


@FEW
@given(st.floats(-0.5, 2.5), st.floats(-0.5, 2.5))
def test_any_weighting_of_the_residual(stream: float, branch: float) -> None:
    if math.hypot(stream - 1, branch - 1) < 1e-2:
        return

    class Other(Decoder):
        def block(self, index, x, rotation, mask, cache, tap):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
            weights = self.weights.layer(index)
            mixed = self.attention(index, weights, x, rotation, mask, cache, tap)
            x = tap("post_attn_residual", index, stream * x + branch * mixed)
            return tap("layer_output", index, x + self.feed_forward(index, weights, x, tap))

    stage, layer, signature = said(first(side(square(), Other)))
    assert (stage, layer) == ("post_attn_residual", 0)
    assert signature in {
        "residual weighted",
        "residual dropped",
        "branch dropped",
        "scaled",
        "left out",
        "all zero",
    }


def test_another_models_weights_are_said_to_be_unrelated() -> None:
    result = first(side(square(seed=8)))
    assert (result.stage, result.layer) == ("embedding", None)
    assert result.explanation is not None
    assert result.explanation.signature == "random weight"


def test_noise_is_not_explained_away() -> None:
    """A defect that no guess reproduces is reported with its figures, and with nothing made up."""

    class Other(Decoder):
        def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
            out = super().attend(q, k, v, mask)
            return out + 1e-3 * torch.sin(1e3 * out)

    found = bisect(side(square()), side(square(), Other), TOKENS).culprits
    assert {each.stage for each in found} == {"attention"}
    assert found[0].explanation is None or not found[0].explanation.settled
