from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pv_runtime.architecture import Architecture, architecture_of
from pv_runtime.errors import ModelError
from pv_runtime.formats import Checkpoint, open_checkpoint
from pv_runtime.model import Decoder, check_tokens
from pv_runtime.random_model import RandomModel
from pv_runtime.stages import LAYER_STAGES, STAGES, WHOLE
from pv_runtime.weights import load_weights
from torch import Tensor

from tests.runtime.numpy_decoder import NumpyDecoder

MODELS = Path(__file__).resolve().parents[2] / "models"
SHAPES = [  # heads, kv heads, head_dim, family, tied
    (4, 4, 8, "qwen2", True),
    (4, 2, 8, "llama", False),
    (8, 2, 16, "qwen2", False),
    (6, 1, 8, "llama", True),
    (14, 2, 4, "qwen2", True),
    (8, 1, 6, "llama", False),
]


def shape_of(heads: int, kv_heads: int, head_dim: int, family: str, tied: bool) -> Architecture:
    return Architecture(
        family=family,
        hidden_size=48,
        intermediate_size=80,
        layers=2,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        vocab_size=61,
        max_positions=40,
        rope_theta=1e4,
        rms_norm_eps=1e-5,
        qkv_bias=family == "qwen2",
        tied=tied,
    )


@pytest.fixture(scope="module")
def model() -> RandomModel:
    return RandomModel(shape_of(*SHAPES[2]), seed=3)


@pytest.fixture(scope="module")
def decoder(model: RandomModel) -> Decoder:
    return Decoder(load_weights(model))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def tokens_of(decoder: Decoder, batch: int, count: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(decoder.architecture.vocab_size, (batch, count), generator=generator)


def peer(model: Checkpoint, tokens: Tensor) -> Tensor:
    numpy = NumpyDecoder(model, architecture_of(model))
    return torch.stack([torch.from_numpy(numpy.logits(row.tolist())) for row in tokens])


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_logits_are_those_of_an_independent_decoder(shape: tuple[int, int, int, str, bool]) -> None:
    model = RandomModel(shape_of(*shape), seed=1)
    decoder = Decoder(load_weights(model))
    tokens = tokens_of(decoder, 2, 13)
    assert (decoder.forward(tokens) - peer(model, tokens)).abs().max() < 1e-4


@pytest.mark.parametrize("name", ["tiny-qwen2", "tiny-qwen2-7to1"])
def test_shipped_models_agree_with_an_independent_decoder_at_every_position(name: str) -> None:
    model = open_checkpoint(MODELS / name)
    decoder = Decoder(load_weights(model))
    tokens = tokens_of(decoder, 1, 24)
    assert (decoder.forward(tokens) - peer(model, tokens)).abs().max() < 1e-4


@settings(max_examples=15, deadline=None)
@given(cuts=st.sets(st.integers(1, 19)), seed=st.integers(0, 99))
def test_a_cache_changes_nothing_wherever_the_sequence_is_cut(cuts: set[int], seed: int) -> None:
    decoder = Decoder(load_weights(RandomModel(shape_of(*SHAPES[4]), seed=2)))
    tokens = tokens_of(decoder, 2, 20, seed)
    cache = decoder.cache(2, capacity=3)
    places = [0, *sorted(cuts), 20]
    parts = [decoder.forward(tokens[:, start:end], cache=cache) for start, end in itertools.pairwise(places)]
    assert (torch.cat(parts, 1) - decoder.forward(tokens)).abs().max() < 2e-5


@settings(max_examples=15, deadline=None)
@given(lengths=st.lists(st.integers(1, 12), min_size=1, max_size=4), left=st.booleans(), cached=st.booleans())
def test_padding_on_either_side_changes_nothing(lengths: list[int], left: bool, cached: bool) -> None:
    decoder = Decoder(load_weights(RandomModel(shape_of(*SHAPES[1]), seed=5)))
    width = max(lengths) + 2
    tokens = tokens_of(decoder, len(lengths), width)
    attended = torch.zeros(tokens.shape, dtype=torch.bool)
    for row, length in enumerate(lengths):
        attended[row, -length:] = True
        if not left:
            attended[row] = attended[row].flip(0)
    if cached and left:
        cache = decoder.cache(len(lengths))
        parts = [
            decoder.forward(tokens[:, part], attended=attended[:, part], cache=cache)
            for part in (slice(0, 2), slice(2, None))
        ]
        logits = torch.cat(parts, 1)
    else:
        logits = decoder.forward(tokens, attended=attended)
    for row in range(len(lengths)):
        alone = decoder.forward(tokens[row, attended[row]][None])
        assert (logits[row, attended[row]] - alone[0]).abs().max() < 2e-5


def test_a_padded_batch_decodes_on_from_its_cache(decoder: Decoder) -> None:
    tokens, attended = tokens_of(decoder, 2, 6), torch.ones(2, 6, dtype=torch.bool)
    attended[1, :4] = False
    cache = decoder.cache(2)
    decoder.forward(tokens, attended=attended, cache=cache)
    step = decoder.forward(torch.tensor([[7], [7]]), cache=cache)
    for row in range(2):
        whole = torch.cat([tokens[row, attended[row]], torch.tensor([7])])[None]
        assert (step[row, -1] - decoder.forward(whole)[0, -1]).abs().max() < 2e-5


def test_the_logits_of_the_last_position_alone_are_the_same(decoder: Decoder) -> None:
    tokens = tokens_of(decoder, 2, 9)
    assert torch.allclose(decoder.forward(tokens, last=True), decoder.forward(tokens)[:, -1:], atol=1e-5)


@pytest.mark.parametrize(("dtype", "bits"), [(torch.bfloat16, 8), (torch.float16, 11)])
def test_half_precision_stays_within_its_rounding(dtype: torch.dtype, bits: int) -> None:
    """A dozen roundings a block of half a unit in the last place each, adding up as a random walk."""
    model = RandomModel(shape_of(*SHAPES[2]), seed=3)
    decoder = Decoder(load_weights(model, dtype=dtype))
    tokens = tokens_of(decoder, 2, 20)
    logits, exact = decoder.forward(tokens), peer(model, tokens)
    assert logits.dtype == dtype
    relative = float((logits.double() - exact).norm() / exact.norm())
    budget = 2.0**-bits * math.sqrt(12 * decoder.architecture.layers + 3)
    assert budget / 30 < relative < budget


def test_every_stage_passes_the_tap_once_and_in_order(decoder: Decoder) -> None:
    seen: list[tuple[str, int | None]] = []

    def watch(stage: str, layer: int | None, values: Tensor) -> Tensor:
        seen.append((stage, layer))
        assert values.shape[:2] == (2, 5)
        return values

    plain = decoder.forward(tokens_of(decoder, 2, 5))
    assert torch.equal(decoder.forward(tokens_of(decoder, 2, 5), tap=watch), plain)
    layers = range(decoder.architecture.layers)
    assert seen == [
        ("embedding", None),
        *((stage, layer) for layer in layers for stage in LAYER_STAGES),
        ("final_norm", None),
        ("lm_head", None),
    ]
    assert {stage for stage, _ in seen} == set(STAGES)
    assert {stage for stage, layer in seen if layer is None} == WHOLE


@pytest.mark.parametrize("stage", STAGES)
def test_what_a_tap_returns_is_computed_on_with(decoder: Decoder, stage: str) -> None:
    """Values of another prompt at one stage change the logits; and at the last stages become them."""
    tokens, other = tokens_of(decoder, 1, 6, seed=1), tokens_of(decoder, 1, 6, seed=2)
    kept: dict[tuple[str, int | None], Tensor] = {}

    def keep(stage: str, layer: int | None, values: Tensor) -> Tensor:
        kept[stage, layer] = values.clone()
        return values

    def inject(at: str, layer: int | None, values: Tensor) -> Tensor:
        return kept[at, layer] if at == stage and layer in {None, 0} else values

    theirs = decoder.forward(other, tap=keep)
    plain, injected = decoder.forward(tokens), decoder.forward(tokens, tap=inject)
    assert not torch.allclose(injected, plain, atol=1e-3)
    if stage in WHOLE:
        assert torch.allclose(injected, theirs, atol=1e-5)


def test_weights_decoded_block_by_block_compute_the_same(model: RandomModel) -> None:
    whole, streamed = (Decoder(load_weights(model, streamed=streamed)) for streamed in (False, True))
    tokens = tokens_of(whole, 1, 7)
    assert torch.equal(whole.forward(tokens), streamed.forward(tokens))


def test_tokens_without_an_answer_are_refused(decoder: Decoder) -> None:
    for tokens, message in (
        (torch.zeros((1, 0), dtype=torch.long), "there are no tokens"),
        (torch.zeros((0, 4), dtype=torch.long), "there are no tokens"),
        (torch.zeros(4, dtype=torch.long), "there are no tokens"),
        (torch.tensor([[1, 61]]), "token id 61 is out of range: the embedding has 61 rows"),
        (torch.tensor([[1, -2]]), "token id -2 is out of range"),
        (torch.zeros((1, 41), dtype=torch.long), "41 positions are more than the 40"),
    ):
        with pytest.raises(ModelError, match=message):
            decoder.forward(tokens)


def test_a_cache_counts_towards_the_context(decoder: Decoder) -> None:
    cache = decoder.cache()
    decoder.forward(tokens_of(decoder, 1, 40), cache=cache)
    with pytest.raises(ModelError, match="41 positions are more than the 40"):
        decoder.forward(torch.tensor([[1]]), cache=cache)
    check_tokens(decoder.architecture, torch.tensor([[60]]), before=39)


def test_a_refused_call_leaves_the_cache_as_it_was(decoder: Decoder) -> None:
    cache = decoder.cache()
    tokens = tokens_of(decoder, 1, 8)
    decoder.forward(tokens[:, :5], cache=cache)
    with pytest.raises(ModelError, match="out of range"):
        decoder.forward(torch.tensor([[99]]), cache=cache)
    rest = decoder.forward(tokens[:, 5:], cache=cache)
    assert torch.allclose(rest, decoder.forward(tokens)[:, 5:], atol=2e-5)


def test_one_token_is_an_answerable_prompt(decoder: Decoder, model: RandomModel) -> None:
    tokens = torch.tensor([[5]])
    assert (decoder.forward(tokens) - peer(model, tokens)).abs().max() < 1e-4


@pytest.mark.parametrize("part", ["norm", "rotate", "attend", "positions"])
def test_a_part_done_otherwise_is_noticed_by_the_oracle(model: RandomModel, part: str) -> None:
    """The comparisons above can fail: each part matters to the logits by far more than their bound."""
    otherwise = {
        "norm": lambda _self, x, weight: x * weight,
        "rotate": lambda _self, x, _rotation: x,
        "attend": lambda _self, q, k, v, _mask: Decoder.attend(_self, q, k, v, None),
        "positions": lambda _self, attended: attended.cumsum(1) * 2,
    }
    damaged = type("Damaged", (Decoder,), {part: otherwise[part]})(load_weights(model))
    tokens = tokens_of(damaged, 1, 9)
    assert (damaged.forward(tokens) - peer(model, tokens)).abs().max() > 1e-2


def test_epsilon_matters_where_it_should(model: RandomModel) -> None:
    tokens = torch.tensor([[1, 2, 3]])
    weights = load_weights(model)
    weights.architecture = dataclasses.replace(weights.architecture, rms_norm_eps=1e-2)
    assert (Decoder(weights).forward(tokens) - peer(model, tokens)).abs().max() > 1e-4
