from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pv_runtime.cache_parity import random_tokens
from pv_runtime.errors import ModelError
from pv_runtime.formats import open_checkpoint
from pv_runtime.lockstep import Steps, compare_logits, fidelity, lockstep
from pv_runtime.model import Decoder
from pv_runtime.tokenizer import tokenizer_in
from pv_runtime.weights import load_weights
from torch import Tensor
from torch.nn import functional

MODELS = Path(__file__).resolve().parents[2] / "models"


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def decoder(name: str) -> Decoder:
    return Decoder(load_weights(open_checkpoint(MODELS / name)))


@pytest.fixture(scope="module")
def plain() -> Decoder:
    return decoder("tiny-qwen2")


@pytest.fixture(scope="module")
def quantised() -> Decoder:
    return decoder("tiny-qwen2-q4_k")


@pytest.fixture(scope="module")
def text() -> list[int]:
    held_out = (MODELS / "heldout.txt").read_text(encoding="utf-8")
    return tokenizer_in(MODELS / "tiny-qwen2").encode(held_out[:2000])[:301]


def logits(seed: int) -> Tensor:
    return torch.randn(4, 9, generator=torch.Generator().manual_seed(seed)) * 3


@given(st.integers(0, 500), st.integers(0, 500))
def test_the_divergence_is_torchs(one: int, other: int) -> None:
    found = compare_logits(logits(one), logits(other))
    expected = functional.kl_div(
        logits(other).double().log_softmax(-1), logits(one).double().log_softmax(-1),
        log_target=True, reduction="none",
    ).sum(-1)  # fmt: skip
    assert found.divergence == pytest.approx(expected.tolist(), abs=1e-12)
    assert min(found.divergence) >= (0 if one != other else -1e-12)
    assert found.reference_top == tuple(logits(one).argmax(-1).tolist())


def test_a_token_that_cannot_come_adds_nothing_and_one_that_the_candidate_excludes_is_infinite() -> None:
    never = torch.tensor([[0.0, 1.0, -math.inf]])
    assert compare_logits(never, torch.tensor([[0.0, 1.0, 0.0]])).divergence[0] == pytest.approx(
        math.log(1 + 1 / (1 + math.e))
    )
    assert compare_logits(torch.zeros(1, 3), never).divergence[0] == math.inf


def test_steps_where_others_are_most_likely_part_below_a_cosine() -> None:
    steps = Steps((1, 2, 3, 4), (1, 9, 9, 9), (0.1, 0.98, 0.97, math.nan), (0.0,) * 4)
    assert steps.parted(0.98) == [2, 3]
    assert steps.same_top == 0.25


def test_a_model_is_in_step_with_itself(plain: Decoder, text: list[int]) -> None:
    steps = lockstep(plain, plain, text[:5], 20)
    assert steps.same_top == 1
    assert max(steps.divergence) < 1e-12
    found = fidelity(plain, plain, text)
    assert (found.tokens, found.same_top) == (300, 1)
    assert found.greatest_divergence < 1e-12
    assert found.reference_perplexity == found.candidate_perplexity


def test_both_follow_the_reference(plain: Decoder, quantised: Decoder, text: list[int]) -> None:
    steps = lockstep(plain, quantised, text[:9], 64)
    tokens = [*text[:9], *steps.reference_top]
    whole = quantised.forward(torch.tensor([tokens]))[0].argmax(-1).tolist()
    assert list(steps.candidate_top) == whole[8:-1]
    assert not steps.parted(0.98)
    assert 0.9 <= steps.same_top <= 1


def test_another_model_parts_soon(plain: Decoder, text: list[int]) -> None:
    assert lockstep(plain, decoder("tiny-qwen2-7to1"), text[:9], 64).parted(0.98)


def test_a_wrong_rotation_is_seen_although_the_first_position_is_right(
    plain: Decoder, text: list[int]
) -> None:
    class Unturned(Decoder):
        def rotate(self, x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
            del rotation
            return x

    wrong = Unturned(plain.weights)
    assert not lockstep(plain, wrong, text[:1], 1).parted(0.98)
    # Nor where one token is said over and over: its values are the same wherever they come from.
    assert len(set(lockstep(plain, wrong, text[:1], 64).reference_top)) == 1
    assert not lockstep(plain, wrong, text[:1], 64).parted(0.98)
    assert lockstep(plain, wrong, text[:9], 64).parted(0.98)


def test_the_perplexity_is_that_of_the_text(plain: Decoder, quantised: Decoder, text: list[int]) -> None:
    found = fidelity(plain, quantised, text, window=300)
    log_p = plain.forward(torch.tensor([text[:-1]]))[0].double().log_softmax(-1)
    nats = -log_p[range(300), text[1:]].mean()
    assert found.reference_perplexity == pytest.approx(float(nats.exp()))
    assert found.candidate_perplexity > 1
    assert 0 <= found.median_divergence <= found.p99_divergence <= found.greatest_divergence
    assert 0 < found.mean_divergence < 0.1


@pytest.mark.parametrize("count", [2, 3, 7, 8, 9, 15])
def test_every_token_but_the_first_is_predicted_once(plain: Decoder, text: list[int], count: int) -> None:
    assert fidelity(plain, plain, text[:count], window=7).tokens == count - 1


def test_what_cannot_be_compared_is_refused(plain: Decoder, text: list[int]) -> None:
    weights = load_weights(open_checkpoint(MODELS / "tiny-qwen2"))
    smaller = Decoder(weights)
    smaller.architecture = dataclasses.replace(plain.architecture, vocab_size=4000)
    for compare in (lambda: lockstep(plain, smaller, text, 1), lambda: fidelity(plain, smaller, text)):
        with pytest.raises(ModelError, match="logits of 4096 tokens, and the model of 4000"):
            compare()
    with pytest.raises(ModelError, match="1 tokens predict nothing"):
        fidelity(plain, plain, text[:1])
    with pytest.raises(ModelError, match="a context of"):
        lockstep(plain, plain, random_tokens(450, 4096), 64)

    class Broken(Decoder):
        def embed(self, tokens: Tensor) -> Tensor:
            return super().embed(tokens) * torch.nan

    with pytest.raises(ModelError, match="NaN or infinite"):
        fidelity(plain, Broken(plain.weights), text[:20])


def test_a_perplexity_beyond_float64_is_infinite(plain: Decoder, text: list[int]) -> None:
    """A model whose every logit is a million times as sure has ln perplexity of thousands."""
    sure = copy.copy(plain)
    sure.forward = lambda *words, **named: plain.forward(*words, **named) * 1e6  # type: ignore[method-assign]
    found = fidelity(plain, sure, text[:16])
    assert found.candidate_perplexity == math.inf
    assert math.isfinite(found.mean_divergence)
