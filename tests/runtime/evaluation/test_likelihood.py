from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pv_runtime.errors import ModelError
from pv_runtime.evaluation.likelihood import encode_pair, log_likelihood, rolling, windows
from pv_runtime.formats import open_checkpoint
from pv_runtime.model import Decoder
from pv_runtime.tokenizer import Tokenizer, tokenizer_in
from pv_runtime.weights import load_weights

from tests.runtime.numpy_decoder import NumpyDecoder

FOLDER = Path(__file__).resolve().parents[3] / "models" / "tiny-qwen2"
TEXT = "def read(self, size=-1):\n    data = self.file.read(size)\n    return data\n"


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    return Decoder(load_weights(open_checkpoint(FOLDER)))


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return tokenizer_in(FOLDER)


def log_p(decoder: Decoder, tokens: list[int]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """log p of each next token, ``[tokens, vocab]``, by a decoder that shares no code with ours."""
    logits = NumpyDecoder(open_checkpoint(FOLDER), decoder.architecture).logits(tokens)
    top = logits.max(axis=1, keepdims=True)
    found: np.ndarray[tuple[int, int], np.dtype[np.float64]] = (
        logits - top - np.log(np.exp(logits - top).sum(axis=1, keepdims=True))
    )
    return found


def test_it_is_the_sum_of_the_tokens_that_another_decoder_finds(
    decoder: Decoder, tokenizer: Tokenizer
) -> None:
    context, continuation = encode_pair(tokenizer, TEXT[:30], TEXT[30:])
    tokens = [*context, *continuation]
    assert len(context) > 3
    assert len(continuation) > 10
    expected = log_p(decoder, tokens)
    places = range(len(context) - 1, len(tokens) - 1)
    truth = sum(float(expected[place, tokens[place + 1]]) for place in places)
    found, likeliest = log_likelihood(decoder, context, continuation)
    assert found == pytest.approx(truth, abs=1e-3)
    assert likeliest is all(int(expected[place].argmax()) == tokens[place + 1] for place in places) is False


def test_what_greedy_decoding_gives_is_likeliest(decoder: Decoder, tokenizer: Tokenizer) -> None:
    context = tokenizer.encode("    def __init__(self, name):\n        self.")
    best = int(log_p(decoder, context)[-1].argmax())
    assert log_likelihood(decoder, context, [best])[1] is True
    assert log_likelihood(decoder, context, [best + 1])[1] is False
    assert log_likelihood(decoder, context, []) == (0.0, True)


def test_a_pair_is_divided_where_the_tokens_of_the_whole_are(tokenizer: Tokenizer) -> None:
    for context, continuation in (
        ("return", " self"),
        ("return ", "self"),
        ("x = [1,  \n", " 2]"),
        ("a", ""),
    ):
        before, after = encode_pair(tokenizer, context, continuation)
        assert [*before, *after] == tokenizer.encode(context + continuation)
        assert tokenizer.decode(before) == context.rstrip()
    # A token of the whole reaches over the end, and the context has its own in its place.
    before, after = encode_pair(tokenizer, "def f():\n", "    pass")
    assert before == tokenizer.encode("def f():")
    assert [*before, *after] != tokenizer.encode("def f():\n    pass")


def test_a_long_text_is_counted_once_each_token_with_as_much_before_as_there_is() -> None:
    pairs = list(windows(range(10), 99, 4))
    assert pairs == [
        ([99], [0, 1, 2, 3]),
        ([3], [4, 5, 6, 7]),
        ([5, 6, 7], [8, 9]),
    ]
    assert list(windows([], 99, 4)) == []
    for length in range(1, 30):
        found = list(windows(range(length), 99, 7))
        assert [token for _, after in found for token in after] == list(range(length))
        assert all(len(before) + len(after) - 1 <= 7 for before, after in found)


def test_a_rolling_likelihood_is_that_of_its_windows(decoder: Decoder, tokenizer: Tokenizer) -> None:
    text = (FOLDER.parent / "heldout.txt").read_text(encoding="utf-8")[3000:6000]
    tokens = tokenizer.encode(text)
    assert len(tokens) > 600
    parts = [log_likelihood(decoder, [4088], tokens[:512])[0]]
    # The last window is full, and counts the rest of the tokens.
    rest = len(tokens) - 512
    parts.append(log_likelihood(decoder, tokens[-513:-rest], tokens[-rest:])[0])
    assert rolling(decoder, tokens, 4088) == pytest.approx(sum(parts), abs=1e-6)
    assert 2 < -rolling(decoder, tokens, 4088) / len(tokens) < 4.5  # the card says 3.74 of all of it
    assert rolling(decoder, [], 4088) == 0


def test_a_context_that_is_too_long_loses_its_beginning(decoder: Decoder) -> None:
    long = [5, 6, 7] * 300
    assert log_likelihood(decoder, long, [8, 9]) == log_likelihood(decoder, long[-511:], [8, 9])


def test_what_cannot_be_computed_is_refused(decoder: Decoder) -> None:
    with pytest.raises(ModelError, match="no token that the first one"):
        log_likelihood(decoder, [], [1])
    with pytest.raises(ModelError, match="513 tokens"):
        log_likelihood(decoder, [1], [1] * 513)
