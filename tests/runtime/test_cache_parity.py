from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from pv_runtime.cache import Cache
from pv_runtime.cache_parity import TOLERANCE, cache_parity, random_tokens
from pv_runtime.errors import ModelError
from pv_runtime.formats import open_checkpoint
from pv_runtime.model import Decoder
from pv_runtime.weights import Weights, load_weights
from torch import Tensor

FOLDER = Path(__file__).resolve().parents[2] / "models/tiny-qwen2"
TOKENS = random_tokens(20, 4096)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def weights() -> Weights:
    loaded = load_weights(open_checkpoint(FOLDER))
    assert isinstance(loaded, Weights)
    return loaded


class LatePositions(Decoder):
    """Counts positions from 0 again where there is a cache."""

    def positions(self, attended: Tensor) -> Tensor:
        found = super().positions(attended)
        return found - (1 if attended.shape[1] > 4 and found.shape[0] and self.stepping else 0)

    stepping = False

    def forward(self, *arguments: Any, **named: Any) -> Tensor:
        self.stepping = named.get("cache") is not None
        return super().forward(*arguments, **named)


class NoMask(Decoder):
    def mask(self, *_: object) -> Tensor | None:
        return None


class StaleRow(Decoder):
    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        if q.shape[2] == 1 and k.shape[2] == 17:
            k = torch.cat([k[:, :, :5], k[:, :, 4:5], k[:, :, 6:]], dim=2)
        return super().attend(q, k, v, mask)


class ForgetsLongTexts(Decoder):
    """Loses its keys where the cache has to grow."""

    def cache(self, batch: int = 1, capacity: int = 256) -> Cache:
        cache = super().cache(batch, capacity)
        extend = cache.extend

        def losing(layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
            k, v = extend(layer, keys, values)
            return (k.clone().index_fill_(2, torch.tensor([0]), 0), v) if cache.length >= capacity else (k, v)

        cache.extend = losing  # type: ignore[method-assign]
        return cache


@pytest.mark.parametrize("dtype", list(TOLERANCE))
def test_a_sound_model_says_the_same_both_ways(dtype: torch.dtype) -> None:
    found = cache_parity(Decoder(load_weights(open_checkpoint(FOLDER), dtype=dtype)), TOKENS)
    assert found.holds
    assert (found.positions, found.tolerance) == (20, TOLERANCE[dtype])
    assert found.distance < TOLERANCE[dtype] / 3
    assert found.same_top > 0.8


@pytest.mark.parametrize("defect", [LatePositions, NoMask, StaleRow, ForgetsLongTexts])
def test_a_defect_of_the_cache_is_seen(weights: Weights, defect: type[Decoder]) -> None:
    found = cache_parity(defect(weights), TOKENS)
    assert not found.holds
    assert found.distance > 10 * found.tolerance
    assert f"at position {found.worst}" in found.sentence()


def test_logits_that_are_no_numbers_never_hold(weights: Weights) -> None:
    class Broken(Decoder):
        def embed(self, tokens: Tensor) -> Tensor:
            return super().embed(tokens) * torch.nan

    found = cache_parity(Broken(weights), TOKENS)
    assert not found.holds
    assert found.distance == float("inf")


def test_one_token_shows_nothing_and_is_refused(weights: Weights) -> None:
    with pytest.raises(ModelError, match="15 tokens do not show"):
        cache_parity(Decoder(weights), TOKENS[:15])
    assert cache_parity(Decoder(weights), TOKENS[:16]).positions == 16


def test_random_tokens_are_the_same_each_time() -> None:
    assert random_tokens(5, 4096) == TOKENS[:5]
    assert random_tokens(5, 4096, seed=1) != TOKENS[:5]
    assert set(random_tokens(100, 3)) == {0, 1, 2}
