"""Text goes on: the prompt is computed once, and then one token at a time with its keys and values kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence

import torch
from torch import Tensor

from pv_runtime.errors import ModelError
from pv_runtime.model import Decoder
from pv_runtime.sampling import Sampler, Sampling

__all__ = ["GREEDY", "Generation", "cache_bytes", "check_prompt", "first_positions"]

GREEDY = Sampling()
_FIRST = 1024
_CHUNK = 512
"""Positions of the prompt computed together: the scores of attention take heads · chunk · length values."""


class Generation:
    """An iterator of new tokens, a stop token last if one comes.

    Parameters
    ----------
    decoder
        The model.
    prompt
        Token ids.
    limit
        Most new tokens.
    stop
        Tokens that end it.
    sampling
        How tokens are chosen.
    clock
        Seconds, for the timings.

    Attributes
    ----------
    tokens
        The new tokens so far.
    reason
        None while it goes on; then ``"stop"`` for a stop token, ``"limit"``, or ``"context"`` where the
        model was made for no more positions.
    prefill_seconds
        From the prompt to the first new token.
    decode_seconds
        For each further token; not what the caller does between them.

    Raises
    ------
    ModelError
        The prompt is empty, has ids out of range, or is longer than the model was made for; or `limit`
        is no positive number. While iterating: logits are NaN or infinite.
    """

    def __init__(
        self,
        decoder: Decoder,
        prompt: Sequence[int],
        *,
        limit: int,
        stop: Collection[int] = (),
        sampling: Sampling = GREEDY,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        check_prompt(prompt, decoder.architecture.max_positions, decoder.architecture.vocab_size)
        if limit < 1:
            raise ModelError(f"the most new tokens cannot be {limit}")
        self.decoder = decoder
        self.prompt = list(prompt)
        self.tokens: list[int] = []
        self.reason: str | None = None
        self.prefill_seconds = 0.0
        self.decode_seconds: list[float] = []
        self._limit = limit
        self._stop = frozenset(stop)
        self.sampling = sampling
        self._sampler = Sampler(sampling)
        self._clock = clock
        self._cache = decoder.cache(capacity=first_positions(decoder, len(prompt), limit))

    def __iter__(self) -> Iterator[int]:
        """Go on from where it was left."""
        while self.reason is None:
            yield self._next()

    def _next(self) -> int:
        started = self._clock()
        logits = self._forward(self.tokens[-1:] or self.prompt)
        try:
            token = self._sampler.choose(logits, [*self.prompt, *self.tokens])
        except ModelError as error:
            raise ModelError(f"step {len(self.tokens) + 1} after the prompt: {error}") from error
        seconds = self._clock() - started
        if self.tokens:
            self.decode_seconds.append(seconds)
        else:
            self.prefill_seconds = seconds
        self.tokens.append(token)
        if token in self._stop:
            self.reason = "stop"
        elif len(self.tokens) == self._limit:
            self.reason = "limit"
        elif len(self.prompt) + len(self.tokens) > self.decoder.architecture.max_positions:
            self.reason = "context"
        return token

    def _forward(self, tokens: Sequence[int]) -> Tensor:
        logits = torch.empty(0)
        for start in range(0, len(tokens), _CHUNK):
            some = torch.tensor([tokens[start : start + _CHUNK]], device=self.decoder.weights.device)
            logits = self.decoder.forward(some, cache=self._cache, last=True)
        return logits[0, -1]


def check_prompt(prompt: Sequence[int], positions: int, rows: int) -> None:
    """Refuse a prompt that a model of `positions` and an embedding of `rows` has no answer to.

    Raises
    ------
    ModelError
        It is empty, too long, or has ids out of range.
    """
    if not prompt:
        raise ModelError("the prompt is empty: there is nothing to go on from")
    if outside := [number for number in prompt if not 0 <= number < rows]:
        raise ModelError(f"token id {outside[0]} is out of range: the embedding has {rows} rows")
    if len(prompt) > positions:
        raise ModelError(
            f"the prompt has {len(prompt)} tokens, and the model was made for a context of {positions}"
        )


def first_positions(decoder: Decoder, prompt: int, limit: int) -> int:
    """Return the positions that there is room for at first: of a text that may become long, not of all."""
    return min(prompt + min(limit, _FIRST), decoder.architecture.max_positions)


def cache_bytes(decoder: Decoder, positions: int) -> int:
    """Return the size of the keys and values of one sequence of `positions`."""
    a = decoder.architecture
    return 2 * a.layers * a.kv_size * positions * decoder.weights.dtype.itemsize
