from __future__ import annotations

import copy
import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from pv_runtime.architecture import tensor_shapes
from pv_runtime.bench import ParityError, bytes_per_token, copy_bandwidth, measure
from pv_runtime.errors import ModelError
from pv_runtime.formats import open_checkpoint
from pv_runtime.generate import cache_bytes
from pv_runtime.model import Decoder
from pv_runtime.weights import load_weights
from torch import Tensor

FOLDER = Path(__file__).resolve().parents[2] / "models/tiny-qwen2"


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    return Decoder(load_weights(open_checkpoint(FOLDER)))


def ticking() -> Callable[[], float]:
    seconds = itertools.count()
    return lambda: float(next(seconds))


def test_rates_follow_from_the_samples(decoder: Decoder) -> None:
    found = measure(decoder, prompt_tokens=10, new_tokens=5, iterations=3, clock=ticking())
    assert list(found.prefill_seconds) == [1, 1, 1]
    assert list(found.decode_seconds) == [4, 4, 4]
    assert list(found.token_seconds) == [1] * 12
    assert [found.prefill_rate, found.decode_rate] == [10, 1]
    assert found.bandwidth == found.bytes_per_token
    assert found.share_of_copy == pytest.approx(found.bytes_per_token / (found.bytes_per_token // 2 * 2))


def test_the_median_is_of_iterations_and_the_warm_up_is_left_out(decoder: Decoder) -> None:
    found = measure(decoder, prompt_tokens=4, new_tokens=3, iterations=3, warmup=0)
    uneven = dataclasses.replace(found, decode_seconds=(1.0, 8.0, 2.0), prefill_seconds=(2.0, 1.0, 9.0))
    assert uneven.decode_rates == (2.0, 0.25, 1.0)
    assert (uneven.decode_rate, uneven.prefill_rate) == (1.0, 2.0)


def test_no_speed_of_a_model_that_computes_something_else(decoder: Decoder) -> None:
    class Fast(Decoder):
        def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
            return q if q.shape[2] == 1 else super().attend(q, k, v, mask)

    with pytest.raises(ParityError, match="no speed is given: cached decoding against one pass over 32"):
        measure(Fast(decoder.weights))


@pytest.mark.parametrize(
    "asked", [{"prompt_tokens": 0}, {"new_tokens": 1}, {"iterations": 0}, {"warmup": -1}, {"new_tokens": 400}]
)
def test_what_cannot_be_measured_is_refused(decoder: Decoder, asked: dict[str, int]) -> None:
    with pytest.raises(ModelError, match=r"at least one|more than the context"):
        measure(decoder, **asked)  # type: ignore[arg-type]


@pytest.mark.parametrize("as_stored", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_bytes_of_a_token_are_all_weights_as_they_are_kept(dtype: torch.dtype, as_stored: bool) -> None:
    decoder = Decoder(load_weights(open_checkpoint(FOLDER), dtype=dtype, as_stored=as_stored))
    kept_as_stored = decoder.weights.embedding.dtype == torch.float16
    a = decoder.architecture
    weights = sum(
        math.prod(shape) * (2 if kept_as_stored and len(shape) == 2 else dtype.itemsize)
        for _, shape in tensor_shapes(a)
    )
    row = a.hidden_size * (2 if kept_as_stored else dtype.itemsize)
    assert bytes_per_token(decoder, 7) == weights + row + cache_bytes(decoder, 7)


def test_an_embedding_that_is_not_the_head_is_read_by_the_row(decoder: Decoder) -> None:
    own = copy.copy(decoder.weights)
    own.head = decoder.weights.head[:1000].clone()  # type: ignore[misc]
    less = (4096 - 1000) * 256 * 4
    assert bytes_per_token(Decoder(own), 7) == bytes_per_token(decoder, 7) - less


def test_a_copy_reads_and_writes() -> None:
    assert copy_bandwidth(1000, clock=ticking()) == 1000
    assert copy_bandwidth(64 << 20) > 1e8
