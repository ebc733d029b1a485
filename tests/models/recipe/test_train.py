# ruff: noqa: E402 - what follows a skip needs what the skip looks for
from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the runtime extra is not installed")

from hypothesis import given
from hypothesis import strategies as st

from models.recipe.decoder import Decoder, Shape
from models.recipe.train import Schedule, evaluate, held_out_windows, train

SMALL = Shape(
    "small", hidden=32, layers=1, heads=4, key_value_heads=2, feed_forward=48, vocabulary=16, context=16
)
SHORT = Schedule(steps=30, batch=4, warm_up=3, report_every=10, threads=1)


def repeating_tokens(count: int) -> Any:
    return np.resize(np.array([1, 5, 2, 9, 3], dtype=np.int64), count)


def test_a_repeating_text_is_learnt_the_same_way_twice() -> None:
    tokens = repeating_tokens(4000)
    runs = [train(SMALL, tokens, tokens[:256], SHORT) for _ in range(2)]
    assert runs[0].curve[1:] == runs[1].curve[1:]
    assert [point.step for point in runs[0].curve] == [0, 10, 20, 30]
    assert runs[0].curve[0].held_out_loss == pytest.approx(math.log(16), abs=0.1)
    assert runs[0].curve[-1].held_out_loss < 1.2


def test_another_seed_learns_differently() -> None:
    tokens = repeating_tokens(4000)
    few = Schedule(steps=2, batch=2, warm_up=1, report_every=2, threads=1)
    other = Schedule(steps=2, batch=2, warm_up=1, report_every=2, threads=1, seed=few.seed + 1)
    assert (
        train(SMALL, tokens, tokens[:64], few).curve[-1] != train(SMALL, tokens, tokens[:64], other).curve[-1]
    )


def test_the_loss_is_the_mean_over_predicted_tokens() -> None:
    torch.manual_seed(3)
    decoder = Decoder(SMALL).eval()
    tokens = np.random.default_rng(0).integers(16, size=16 * 5 + 7)
    expected = []
    for window in tokens[: 16 * 5].reshape(5, 16):
        with torch.no_grad():
            chances = decoder(torch.from_numpy(window)[None]).softmax(-1)[0]
        expected += [-math.log(chances[at, window[at + 1]]) for at in range(15)]
    assert evaluate(decoder, tokens) == pytest.approx(np.mean(expected), abs=1e-5)


@given(count=st.integers(0, 200), context=st.integers(1, 32))
def test_windows_are_the_tokens_in_order_without_the_remainder(count: int, context: int) -> None:
    tokens = np.arange(count)
    windows = held_out_windows(tokens, context)
    assert windows.shape == (count // context, context)
    assert windows.ravel().tolist() == list(range(count - count % context))


@given(st.integers(40, 2000))
def test_the_rate_rises_stays_and_falls(steps: int) -> None:
    schedule = Schedule(steps=steps)
    factors = [schedule.factor(step) for step in range(steps)]
    peak = factors.index(max(factors))
    assert max(factors) <= 1.0
    assert factors[: peak + 1] == sorted(factors[: peak + 1])
    assert factors[peak:] == sorted(factors[peak:], reverse=True)
    assert 0 < factors[-1] <= 0.05


def test_a_loss_that_is_not_finite_stops_training() -> None:
    wild = Schedule(steps=20, batch=2, warm_up=1, report_every=20, threads=1, adam_rate=1e30)
    with pytest.raises(ArithmeticError, match="small: the loss is"):
        train(SMALL, repeating_tokens(2000), repeating_tokens(64), wild)
