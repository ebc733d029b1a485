from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from pv_runtime.errors import ModelError
from pv_runtime.formats import Overlay, open_checkpoint
from pv_runtime.formats.overlay import from_values
from pv_runtime.generate import Generation, cache_bytes, check_prompt, first_positions
from pv_runtime.model import Decoder
from pv_runtime.quickest import quickest
from pv_runtime.sampling import Sampling
from pv_runtime.tokenizer import tokenizer_in
from pv_runtime.weights import load_weights

MODELS = Path(__file__).resolve().parents[2] / "models"
FOLDER = MODELS / "tiny-qwen2"
PROMPT = "def fib(n):\n    if n"


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """A second thread waits longer for the first than so small a model takes."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    return Decoder(load_weights(open_checkpoint(FOLDER)))


@pytest.fixture(scope="module")
def prompt() -> list[int]:
    return tokenizer_in(FOLDER).encode(PROMPT)


def test_each_token_is_the_most_likely_one_of_the_whole_text(decoder: Decoder, prompt: list[int]) -> None:
    generation = Generation(decoder, prompt, limit=24)
    tokens = list(generation)
    assert tokens == generation.tokens
    logits = decoder.forward(torch.tensor([[*prompt, *tokens]]))[0]
    assert logits.argmax(-1).tolist()[len(prompt) - 1 : -1] == tokens
    assert generation.reason == "limit"
    assert len(generation.decode_seconds) == 23


def test_a_stop_token_ends_it_and_is_the_last_one(decoder: Decoder, prompt: list[int]) -> None:
    free = list(Generation(decoder, prompt, limit=8))
    stopped = Generation(decoder, prompt, limit=8, stop=[free[3]])
    assert list(stopped) == free[: free.index(free[3]) + 1]
    assert stopped.reason == "stop"


def test_it_ends_where_the_context_does(decoder: Decoder) -> None:
    generation = Generation(decoder, [5] * 510, limit=100)
    assert len(list(generation)) == 3  # the token after the last position is known, and takes none itself
    assert generation.reason == "context"


def test_a_prompt_in_pieces_is_a_prompt_at_once(
    decoder: Decoder, prompt: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = list(Generation(decoder, prompt * 3, limit=10))
    monkeypatch.setattr("pv_runtime.generate._CHUNK", 7)
    assert list(Generation(decoder, prompt * 3, limit=10)) == whole


def test_it_can_be_left_and_gone_on_with(decoder: Decoder, prompt: list[int]) -> None:
    whole = list(Generation(decoder, prompt, limit=8))
    generation = Generation(decoder, prompt, limit=8)
    assert [*itertools.islice(generation, 3), *generation] == whole


def test_drawn_tokens_are_the_seeds(decoder: Decoder, prompt: list[int]) -> None:
    def drawn(seed: int) -> list[int]:
        sampling = Sampling(temperature=1.0, top_p=0.95, seed=seed)
        return list(Generation(decoder, prompt, limit=12, sampling=sampling))

    assert drawn(7) == drawn(7)
    assert drawn(7) != drawn(8)


def test_timings_are_of_the_computation_and_not_of_the_caller(decoder: Decoder, prompt: list[int]) -> None:
    now: Iterator[int] = itertools.count()
    generation = Generation(decoder, prompt, limit=4, clock=lambda: float(next(now)))
    for _ in generation:
        next(now)  # the caller takes its time
    assert generation.prefill_seconds == 1
    assert generation.decode_seconds == [1, 1, 1]


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ([], "the prompt is empty"),
        ([0, 4096], "token id 4096 is out of range: the embedding has 4096 rows"),
        ([-1], "token id -1"),
        ([10**30], "out of range"),
        ([1] * 513, "has 513 tokens, and the model was made for a context of 512"),
    ],
)
def test_prompts_without_an_answer_are_refused(decoder: Decoder, prompt: list[int], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Generation(decoder, prompt, limit=1)


def test_one_token_and_a_full_context_are_prompts(decoder: Decoder) -> None:
    for prompt in ([0], [1] * 512):
        assert len(list(Generation(decoder, prompt, limit=1))) == 1
    check_prompt([0], 1, 1)


def test_no_token_at_all_is_no_limit(decoder: Decoder) -> None:
    with pytest.raises(ModelError, match="most new tokens cannot be 0"):
        Generation(decoder, [1], limit=0)


def test_broken_weights_end_it_with_the_step(prompt: list[int]) -> None:
    model = open_checkpoint(FOLDER)
    name = "model.layers.2.mlp.down_proj.weight"
    values = np.full(model.info(name).shape, np.nan, np.float32)
    broken = Overlay(model, replace={name: from_values(name, values.shape, lambda: values, "F16")})
    with pytest.raises(ModelError, match="step 1 after the prompt: 4096 of 4096 logits are NaN"):
        list(Generation(Decoder(load_weights(broken)), prompt, limit=2))


def test_room_is_made_for_the_beginning_of_a_long_text(decoder: Decoder) -> None:
    roomy = Decoder(decoder.weights)
    roomy.architecture = dataclasses.replace(decoder.architecture, max_positions=100_000)
    assert first_positions(roomy, 10, 50) == 60
    assert first_positions(roomy, 10, 10**9) == 1034
    assert first_positions(decoder, 10, 10**9) == 512


def test_the_size_of_keys_and_values(decoder: Decoder) -> None:
    assert cache_bytes(decoder, 10) == 2 * 5 * 64 * 10 * 4


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["tiny-qwen2", "tiny-qwen2-7to1"])
def test_transformers_generates_the_same_tokens(name: str) -> None:
    transformers = pytest.importorskip("transformers")
    folder = MODELS / name
    theirs = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    decoders = [Decoder(load_weights(open_checkpoint(folder))), quickest(open_checkpoint(folder))]
    tokenizer = tokenizer_in(folder)
    for text in (PROMPT, "import", "class Node:\n    def __init__(self", "    return self.", "#"):
        tokens = tokenizer.encode(text)
        expected = theirs.generate(torch.tensor([tokens]), max_new_tokens=64, do_sample=False)
        for decoder in decoders:
            ours = Generation(decoder, tokens, limit=64, stop=[4088, 4090])
            assert [*tokens, *ours] == expected[0].tolist()
