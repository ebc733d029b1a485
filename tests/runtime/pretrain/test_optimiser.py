from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pv_runtime.pretrain.optimiser import adamw, clip, learning_rate, lowest_rate
from torch import nn


@given(st.integers(0, 50), st.integers(1, 300), st.floats(1e-6, 1.0))
def test_the_rate_rises_to_its_peak_and_falls_to_a_hundredth(warm_up: int, more: int, peak: float) -> None:
    steps = warm_up + more
    rates = [learning_rate(step, peak=peak, warm_up=warm_up, steps=steps) for step in range(steps + 1)]
    assert max(rates) == pytest.approx(peak)
    assert rates[steps] == pytest.approx(lowest_rate(peak))
    assert rates[:warm_up] == sorted(rates[:warm_up])
    assert rates[warm_up:] == sorted(rates[warm_up:], reverse=True)
    assert all(lowest_rate(peak) * 0.999 <= rate for rate in rates[warm_up:])


def test_a_step_is_adamw_as_published() -> None:
    module = nn.Linear(3, 2)
    optimiser = adamw(module, weight_decay=0.1)
    assert optimiser.state == {}
    before = {name: value.detach().clone().double() for name, value in module.named_parameters()}
    moments = {name: (torch.zeros_like(value), torch.zeros_like(value)) for name, value in before.items()}
    generator = torch.Generator().manual_seed(4)
    for step in range(1, 4):
        for name, parameter in module.named_parameters():
            parameter.grad = torch.randn(parameter.shape, generator=generator)
            gradient, (first, second) = parameter.grad.double(), moments[name]
            first = 0.9 * first + 0.1 * gradient
            second = 0.95 * second + 0.05 * gradient**2
            moments[name] = first, second
            value = before[name] * (1 - 0.01 * (0.1 if parameter.ndim == 2 else 0.0))
            hat = (first / (1 - 0.9**step)) / ((second / (1 - 0.95**step)).sqrt() + 1e-8)
            before[name] = value - 0.01 * hat
        for group in optimiser.param_groups:
            group["lr"] = 0.01
        optimiser.step()
    for name, parameter in module.named_parameters():
        torch.testing.assert_close(parameter.detach().double(), before[name], atol=1e-6, rtol=1e-5)


def test_clipping_keeps_the_direction_and_returns_the_norm() -> None:
    module = nn.Linear(2, 1, bias=False)
    module.weight.grad = torch.tensor([[3.0, 4.0]])
    assert clip(module, 1.0).item() == pytest.approx(5.0)
    assert math.hypot(*module.weight.grad[0].tolist()) == pytest.approx(1.0, rel=1e-5)
