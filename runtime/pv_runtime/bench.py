"""How fast a model is, the prompt and each token after it apart, and how near to what the memory allows.

To compute one more token, every weight is read once, and so are the keys and values kept. A copy of as
many bytes, measured in the same run, is the floor under that.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable

import torch

from pv_runtime.cache_parity import CacheParity, cache_parity, random_tokens
from pv_runtime.errors import ModelError
from pv_runtime.generate import Generation, cache_bytes
from pv_runtime.model import Decoder

__all__ = ["ParityError", "Speed", "bytes_per_token", "copy_bandwidth", "measure"]

_PARITY_POSITIONS = 32
_COPIES = 7


class ParityError(ModelError):
    """The model computes something else step by step: how fast it does that is of no interest."""


@dataclasses.dataclass(frozen=True, slots=True)
class Speed:
    """What was measured.

    Parameters
    ----------
    parity
        Why the speed may be printed.
    prompt_tokens, new_tokens
        In each iteration.
    prefill_seconds
        From the prompt to the first new token, of each iteration.
    decode_seconds
        For the ``new_tokens - 1`` tokens after it, of each iteration.
    token_seconds
        For each token after the first, of all iterations.
    bytes_per_token
        Bytes read to compute one more token at half of the new positions.
    copy_bandwidth
        Bytes a second that a copy of as many bytes moves, read and written.
    """

    parity: CacheParity
    prompt_tokens: int
    new_tokens: int
    prefill_seconds: tuple[float, ...]
    decode_seconds: tuple[float, ...]
    token_seconds: tuple[float, ...]
    bytes_per_token: int
    copy_bandwidth: float

    @property
    def prefill_rate(self) -> float:
        """Prompt tokens a second, of the median iteration."""
        return self.prompt_tokens / statistics.median(self.prefill_seconds)

    @property
    def decode_rates(self) -> tuple[float, ...]:
        """Tokens a second after the first, of each iteration."""
        return tuple((self.new_tokens - 1) / seconds for seconds in self.decode_seconds)

    @property
    def decode_rate(self) -> float:
        """Their median."""
        return statistics.median(self.decode_rates)

    @property
    def bandwidth(self) -> float:
        """Bytes a second that decoding reads, of the median iteration."""
        return self.bytes_per_token * self.decode_rate

    @property
    def share_of_copy(self) -> float:
        """That, over the bandwidth of the copy; it may pass 1, since a copy writes, too."""
        return self.bandwidth / self.copy_bandwidth


def measure(
    decoder: Decoder,
    *,
    prompt_tokens: int = 128,
    new_tokens: int = 32,
    iterations: int = 5,
    warmup: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> Speed:
    """Measure on random tokens, after the parity of cached decoding was seen to hold.

    Raises
    ------
    ParityError
        It does not hold.
    ModelError
        The numbers ask for nothing, or for more positions than the model was made for.
    """
    a = decoder.architecture
    if new_tokens < 2 or prompt_tokens < 1 or iterations < 1 or warmup < 0:
        raise ModelError("to measure, at least one prompt token, two new ones and one iteration are needed")
    if prompt_tokens + new_tokens > a.max_positions:
        raise ModelError(
            f"{prompt_tokens} prompt tokens and {new_tokens} new ones are more than the context of "
            f"{a.max_positions} that the model was made for"
        )
    parity = cache_parity(decoder, random_tokens(min(_PARITY_POSITIONS, a.max_positions), a.vocab_size))
    if not parity.holds:
        raise ParityError(f"no speed is given: {parity.sentence()}; apr trace and apr bisect show where")
    prompt = random_tokens(prompt_tokens, a.vocab_size, seed=1)
    taken = []
    for iteration in range(warmup + iterations):
        generation = Generation(decoder, prompt, limit=new_tokens, clock=clock)
        for _ in generation:
            pass
        if iteration >= warmup:
            taken.append(generation)
    moved = bytes_per_token(decoder, prompt_tokens + new_tokens // 2)
    return Speed(
        parity=parity,
        prompt_tokens=prompt_tokens,
        new_tokens=new_tokens,
        prefill_seconds=tuple(each.prefill_seconds for each in taken),
        decode_seconds=tuple(sum(each.decode_seconds) for each in taken),
        token_seconds=tuple(seconds for each in taken for seconds in each.decode_seconds),
        bytes_per_token=moved,
        copy_bandwidth=copy_bandwidth(moved, decoder.weights.device, clock),
    )


def bytes_per_token(decoder: Decoder, positions: int) -> int:
    """Return the bytes read to compute one more token behind `positions` others.

    Every weight in the type that it is kept in, of the embedding one row unless it is read as the head, too;
    and the keys and values.
    """
    a, weights = decoder.architecture, decoder.weights
    whole = weights.head.nbytes + weights.embedding[0].nbytes + weights.final_norm.nbytes
    for index in range(a.layers):
        parts = dataclasses.fields(layer := weights.layer(index))
        whole += sum(part.nbytes for each in parts if (part := getattr(layer, each.name)) is not None)
    return whole + cache_bytes(decoder, positions)


def copy_bandwidth(nbytes: int, device: str = "cpu", clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the bytes a second, read and written, of the fastest of some copies that move `nbytes`.

    Of the same size as what is compared with it, since a small model stays in the caches.
    """
    source = torch.ones(max(nbytes // 2, 1), dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    best = float("inf")
    for _ in range(_COPIES):
        started = clock()
        target.copy_(source)
        if device != "cpu":
            torch.cuda.synchronize()
        best = min(best, clock() - started)
    return 2 * source.numel() / best
