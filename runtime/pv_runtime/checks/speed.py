"""How fast a model decodes: only after it was seen to compute the same with its cache as without."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from pv.check import Metric, Run, check
from pv_runtime.bench import ParityError, copy_bandwidth, measure
from pv_runtime.cache import Cache
from pv_runtime.formats import Checkpoint
from pv_runtime.model import Decoder
from pv_runtime.weights import load_weights

__all__ = ["decode_speed"]

Clock = Callable[[], float]


@check(
    metrics=[
        Metric("parity", unit="1", kind="count"),
        Metric("tokens_per_second", unit="1/s", low=0.0),
        Metric("new_tokens", unit="1", kind="count"),
        Metric("share_of_copy", unit="1", low=0.0),
    ]
)
def decode_speed(run: Run, *, model: Checkpoint, new_tokens: int, iterations: int, threads: int) -> None:
    """Decode `new_tokens` tokens `iterations` times, on `run.device`, in `threads` threads.

    `parity` is 1 where decoding with keys and values kept gives the logits of a whole pass; without it
    there is no speed. `tokens_per_second` has one sample an iteration; `share_of_copy` is the bytes that
    decoding reads a second over those that a copy of the same size moves.
    """
    # Threads that wait for each other on a processor that others use as well measure those others.
    torch.set_num_threads(threads)
    decoder: Decoder = run.role("decoder", Decoder(load_weights(model, device=run.device)))
    clock: Clock = run.role("clock", time.perf_counter)
    try:
        speed = measure(decoder, prompt_tokens=16, new_tokens=new_tokens, iterations=iterations, clock=clock)
    except ParityError:
        run.record("parity", 0)
        return
    run.record("parity", 1)
    run.record("new_tokens", new_tokens)
    for index, seconds in enumerate(speed.decode_seconds):
        run.record("tokens_per_second", (new_tokens - 1) / seconds, label=f"iteration {index}")
    run.record("share_of_copy", speed.bandwidth / copy_bandwidth(speed.bytes_per_token, run.device))


class _Stale(Decoder):
    def cache(self, batch: int = 1, capacity: int = 256) -> Cache:
        cache = super().cache(batch, capacity)
        extend = cache.extend

        def stale(layer: int, keys: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            kept_keys, kept_values = extend(layer, keys, values)
            if kept_keys.shape[2] > 4:
                kept_keys[:, :, 3] = 0
            return kept_keys, kept_values

        cache.extend = stale  # type: ignore[method-assign]
        return cache


@decode_speed.counter_example("stale_row_in_the_cache", of="decoder")
def stale_row_in_the_cache(decoder: Decoder) -> Decoder:
    """Lose one position's keys: as fast as before, and wrong."""
    return _Stale(decoder.weights)


@decode_speed.counter_example("a_hundred_times_slower", of="clock")
def a_hundred_times_slower(clock: Clock) -> Clock:
    """Let a hundred seconds pass for each."""
    return lambda: 100 * clock()


@decode_speed.counter_example("seconds_taken_for_minutes", of="clock")
def seconds_taken_for_minutes(clock: Clock) -> Clock:
    """Let a second pass for each minute: faster than memory can be read."""
    begun = clock()
    calls = 0

    def slow() -> float:
        nonlocal calls
        calls += 1
        return begun + calls * 1e-9

    return slow
