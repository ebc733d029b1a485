from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pv_runtime.architecture import Architecture
from pv_runtime.bisect.budgets import UNIT, excess, sigma
from pv_runtime.bisect.mathematics import evaluate
from torch import Tensor

FEW = settings(max_examples=25, deadline=None)


def architecture(heads: int = 4, kv_heads: int = 2, width: int = 16) -> Architecture:
    return Architecture(
        "qwen2", heads * width, 96, 1, heads, kv_heads, width, 64, 4096, 1e6, 1e-6, qkv_bias=True, tied=False
    )


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def stage_inputs(stage: str, seed: int, count: int, scale: float) -> tuple[dict[str, Tensor], Tensor | None]:
    a = architecture()
    x = normal(seed, count, a.hidden_size) * scale
    if stage == "attention":
        return {
            "q": normal(seed, count, 64) * scale,
            "k": normal(seed + 1, count, 32),
            "v": normal(seed + 2, count, 32) * scale,
        }, None
    if stage == "ffn_swiglu":
        return {"x": x, "up": normal(seed + 1, count, a.hidden_size)}, None
    if stage == "layer_output":
        return {"x": x, "branch": normal(seed + 1, count, a.hidden_size)}, None
    weight = {
        "attn_norm": normal(seed + 3, a.hidden_size),
        "qkv_bias": normal(seed + 3, a.hidden_size),
        "ffn_gate": normal(seed + 3, 96, a.hidden_size),
    }.get(stage)
    return {"x": x}, weight


STAGES = [
    "attn_norm",
    "qkv_bias",
    "ffn_gate",
    "q_post_rope",
    "attention",
    "ffn_silu",
    "ffn_swiglu",
    "layer_output",
]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@FEW
@given(seed=st.integers(0, 10_000), count=st.integers(1, 12), scale=st.sampled_from([1e-2, 1.0, 8.0]))
def test_rounding_is_within_its_budget_and_one_percent_is_not(
    stage: str, dtype: torch.dtype, seed: int, count: int, scale: float
) -> None:
    """Float64 stands for the truth, and the dtype's own arithmetic for a correct implementation."""
    a = architecture()
    inputs, weight = stage_inputs(stage, seed, count, scale)
    exact = evaluate(
        stage, {name: each.double() for name, each in inputs.items()},
        None if weight is None else weight.double(), a,
    ).float()  # fmt: skip
    low = evaluate(
        stage, {name: each.to(dtype) for name, each in inputs.items()},
        None if weight is None else weight.to(dtype), a,
    ).float()  # fmt: skip
    deviation = sigma(stage, inputs, weight, exact, a, UNIT[dtype])
    assert excess(low - exact, deviation) <= 1
    if dtype == torch.float32:
        assert excess(exact * 0.01, deviation) > 100


@FEW
@given(st.integers(1, 6), st.integers(0, 1000))
def test_a_longer_sum_has_a_larger_budget(doublings: int, seed: int) -> None:
    a = architecture()
    found = []
    for width in (64, 64 << doublings):
        x, weight = normal(seed, 4, width), normal(seed + 1, 8, width) / math.sqrt(width)
        reference = x @ weight.T
        deviation = sigma("ffn_gate", {"x": x}, weight, reference, a, UNIT[torch.float32])
        found.append(float(deviation.norm() / reference.norm()))
    ratio = found[1] / found[0]
    assert 0.4 * 2 ** (doublings / 2) < ratio < 2.5 * 2 ** (doublings / 2)


def test_cancellation_widens_the_budget_of_a_sum() -> None:
    a = architecture()
    x = torch.ones(1, 64)
    weight = torch.cat([torch.full((1, 32), 100.0), torch.full((1, 32), -100.0)], dim=1)
    weight[0, 0] += 1e-3
    reference = x.double() @ weight.double().T
    deviation = sigma("ffn_gate", {"x": x}, weight, reference.float(), a, UNIT[torch.float32])
    assert float(deviation) > 1e-6 * 100  # of the terms, and not of the small result


def test_values_that_are_not_finite_exceed_any_budget() -> None:
    one = torch.ones(2, 2)
    assert excess(torch.tensor([[0.0, math.nan], [0.0, 0.0]]), one) == math.inf
    assert excess(torch.zeros(2, 2), one) == 0


def test_one_wrong_value_among_many_is_seen() -> None:
    difference, deviation = torch.zeros(4, 100_000), torch.full((4, 100_000), 1e-7)
    difference[2, 77] = 1e-5
    assert excess(difference, deviation) > 1
    difference[2, 77] = 7e-7
    assert excess(difference, deviation) < 1
