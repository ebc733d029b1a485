from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pv_runtime.errors import ModelError
from pv_runtime.sampling import Sampler, Sampling, distribution

LOGITS = torch.tensor([2.0, 1.0, 0.0, -1.0, 3.0])
SETTINGS = st.builds(
    Sampling,
    temperature=st.floats(0.05, 5),
    top_k=st.integers(0, 40),
    top_p=st.floats(0.01, 1),
    min_p=st.floats(0, 1),
    repetition_penalty=st.floats(0.5, 2),
)


def random_logits(seed: int, count: int = 32) -> torch.Tensor:
    return torch.randn(count, generator=torch.Generator().manual_seed(seed)) * 3


@given(st.integers(0, 1000), SETTINGS)
def test_what_is_left_is_a_distribution_that_keeps_the_most_likely_token(seed: int, chosen: Sampling) -> None:
    logits = random_logits(seed)
    probabilities = distribution(logits, chosen)
    assert probabilities.sum().item() == pytest.approx(1)
    assert probabilities.argmax() == logits.argmax()
    if 0 < chosen.top_k < 32:
        assert int((probabilities > 0).sum()) <= chosen.top_k
    kept = probabilities[probabilities > 0]
    assert kept.min() >= chosen.min_p * kept.max() * (1 - 1e-9)


@given(st.integers(0, 1000), st.floats(0.01, 0.99))
def test_top_p_keeps_the_fewest_tokens_that_reach_p(seed: int, p: float) -> None:
    plain = distribution(random_logits(seed), Sampling(temperature=1))
    kept = distribution(random_logits(seed), Sampling(temperature=1, top_p=p)) > 0
    mass = plain[kept].sum()
    assert mass >= p - 1e-9
    assert mass - plain[kept].min() < p + 1e-9


@given(st.integers(0, 1000), SETTINGS)
def test_a_colder_distribution_is_never_flatter(seed: int, chosen: Sampling) -> None:
    warm = distribution(random_logits(seed), Sampling(temperature=chosen.temperature))
    cold = distribution(random_logits(seed), Sampling(temperature=chosen.temperature / 2))
    assert cold.max() >= warm.max() - 1e-12


def test_the_penalty_makes_what_occurred_less_likely_on_both_sides_of_zero() -> None:
    penalised = distribution(LOGITS, Sampling(temperature=1, repetition_penalty=2), [0, 3, 3])
    expected = torch.tensor([1.0, 1.0, 0.0, -2.0, 3.0], dtype=torch.float64).softmax(0)
    assert torch.allclose(penalised, expected)
    greedy = Sampler(Sampling(repetition_penalty=4))
    assert greedy.choose(LOGITS, []) == 4
    assert greedy.choose(LOGITS, [4]) == 0


def test_the_most_likely_token_is_taken_where_nothing_is_said() -> None:
    sampler = Sampler(Sampling())
    assert {sampler.choose(LOGITS) for _ in range(5)} == {4}


def test_the_same_seed_draws_the_same() -> None:
    def drawn(seed: int) -> list[int]:
        sampler = Sampler(Sampling(temperature=2, seed=seed))
        return [sampler.choose(LOGITS) for _ in range(30)]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_tokens_are_drawn_as_often_as_they_are_likely() -> None:
    sampler = Sampler(Sampling(temperature=1, top_k=4))
    counts = Counter(sampler.choose(LOGITS) for _ in range(4000))
    expected = distribution(LOGITS, Sampling(temperature=1, top_k=4))
    assert 3 not in counts
    for token, probability in enumerate(expected.tolist()):
        # Five standard deviations of the binomial distribution.
        assert abs(counts[token] - 4000 * probability) <= 5 * math.sqrt(
            4000 * probability * (1 - probability)
        )


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_logits_that_are_no_numbers_are_refused(value: float, temperature: float) -> None:
    logits = LOGITS.clone()
    logits[1] = value
    with pytest.raises(ModelError, match="1 of 5 logits are NaN or infinite; apr trace"):
        Sampler(Sampling(temperature=temperature)).choose(logits)


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -1.0}, {"temperature": math.nan}, {"temperature": math.inf}, {"top_k": -1},
        {"top_p": 0.0}, {"top_p": 1.1}, {"min_p": -0.1}, {"min_p": math.nan}, {"repetition_penalty": 0.0},
        {"seed": -1}, {"seed": 2**63},
    ],
)  # fmt: skip
def test_a_value_out_of_its_range_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match=f"{next(iter(wrong))} cannot be"):
        Sampling(**wrong)


def test_half_precision_logits_are_widened_before_anything_is_cut() -> None:
    narrow = random_logits(3).bfloat16()
    chosen = Sampling(temperature=0.7, top_p=0.9)
    assert torch.equal(distribution(narrow, chosen), distribution(narrow.float(), chosen))


@pytest.mark.oracle
@settings(deadline=None, max_examples=50)
@given(st.integers(0, 1000), SETTINGS, st.lists(st.integers(0, 31), max_size=8))
def test_transformers_leaves_the_same_distribution(seed: int, chosen: Sampling, before: list[int]) -> None:
    generation = pytest.importorskip("transformers.generation.logits_process")
    steps = [
        generation.RepetitionPenaltyLogitsProcessor(chosen.repetition_penalty),
        generation.TemperatureLogitsWarper(chosen.temperature),
    ]
    steps += [generation.TopKLogitsWarper(chosen.top_k)] if chosen.top_k else []
    steps += [generation.TopPLogitsWarper(chosen.top_p)] if chosen.top_p < 1 else []
    steps += [generation.MinPLogitsWarper(chosen.min_p)] if chosen.min_p > 0 else []
    logits = random_logits(seed)
    theirs = logits.double()[None]
    for step in steps if before else steps[1:]:
        theirs = step(torch.tensor([before]), theirs)
    ours = distribution(logits, chosen, before)
    assert torch.allclose(ours, theirs[0].softmax(0), atol=1e-9)


@pytest.mark.parametrize("temperature", [5e-324, 1e-310, 1e-300])
def test_near_the_temperature_0_the_most_likely_token_is_all_that_is_left(temperature: float) -> None:
    found = distribution(LOGITS, Sampling(temperature=temperature, top_k=3, top_p=0.9, min_p=0.1))
    assert found.tolist() == [0, 0, 0, 0, 1]
    assert Sampler(Sampling(temperature=temperature)).choose(LOGITS) == 4


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("penalty", [5e-324, 1e308])
def test_a_penalty_that_leaves_no_numbers_is_named(temperature: float, penalty: float) -> None:
    logits = torch.tensor([2.0, -20.0, 3.0])
    with pytest.raises(ModelError, match=r"penalty of .* makes logits infinite"):
        Sampler(Sampling(temperature=temperature, repetition_penalty=penalty)).choose(logits, [0, 1])
