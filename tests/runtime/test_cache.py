from __future__ import annotations

import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pv_runtime.cache import Cache
from pv_runtime.presets import PRESETS

SHAPE = dataclasses.replace(PRESETS["llama-370m"], layers=2, kv_heads=3, head_dim=4)


@given(steps=st.lists(st.integers(1, 7), min_size=1, max_size=8), capacity=st.integers(0, 9))
def test_it_returns_all_that_was_put_in_however_it_grows(steps: list[int], capacity: int) -> None:
    cache = Cache(SHAPE, 2, capacity=capacity)
    values = torch.randn(2, 3, sum(steps), 4)
    start = 0
    for step in steps:
        end = start + step
        for layer in range(2):
            keys, kept = cache.extend(layer, values[:, :, start:end] + layer, -values[:, :, start:end])
            assert torch.equal(keys, values[:, :, :end] + layer)
            assert torch.equal(kept, -values[:, :, :end])
        cache.advance(torch.ones(2, step, dtype=torch.bool))
        start = end
        assert cache.length == end


def test_padding_is_remembered() -> None:
    cache = Cache(SHAPE, 1)
    cache.advance(torch.tensor([[False, True]]))
    cache.advance(torch.tensor([[True]]))
    assert cache.attended.tolist() == [[False, True, True]]


def test_a_pass_that_broke_off_leaves_no_trace() -> None:
    """Rows of a block that was extended, without `advance`, are written over by the next pass."""
    cache = Cache(SHAPE)
    first, second = torch.ones(1, 3, 2, 4), torch.full((1, 3, 2, 4), 2.0)
    cache.extend(0, first, first)
    keys, _ = cache.extend(0, second, second)
    assert torch.equal(keys, second)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_it_keeps_the_dtype_of_the_computation(dtype: torch.dtype) -> None:
    cache = Cache(SHAPE, dtype=dtype, capacity=1)
    values = torch.ones(1, 3, 5, 4, dtype=dtype)
    keys, _ = cache.extend(0, values, values)
    assert keys.dtype == dtype
