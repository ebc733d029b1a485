"""The arithmetic of the roofline: ceilings from counts of operations and bytes. Pure; SI units throughout.

Source: Williams, Waterman and Patterson 2009, "Roofline: an insightful visual performance model for multicore
architectures", CACM 52(4), 65-76, https://doi.org/10.1145/1498765.1498785: what is attained is at most
``min(peak, intensity * bandwidth)``, with the intensity in operations a byte that is moved.

All numbers are finite; counts are not negative, rates are positive; functions raise ValueError otherwise.
"""

from __future__ import annotations

import math

__all__ = [
    "attainable",
    "decode_rate",
    "key_value_bytes",
    "least_seconds",
    "prefill_rate",
    "training_rate",
    "weight_bytes",
]


def attainable(operations: float, moved: float, *, peak: float, bandwidth: float) -> float:
    """Return the operations a second that cannot be exceeded: ``min(peak, operations / moved * bandwidth)``.

    `operations` are done for `moved` bytes to and from memory; `peak` is in FLOP/s, `bandwidth` in B/s. Where
    nothing is moved, the peak is all that bounds.
    """
    _counts(operations=operations, moved=moved)
    _rates(peak=peak, bandwidth=bandwidth)
    return peak if moved == 0 else min(peak, operations / moved * bandwidth)


def least_seconds(operations: float, moved: float, *, peak: float, bandwidth: float) -> float:
    """Return the shortest time, with both at once: ``max(operations / peak, moved / bandwidth)``."""
    _counts(operations=operations, moved=moved)
    _rates(peak=peak, bandwidth=bandwidth)
    return max(operations / peak, moved / bandwidth)


def weight_bytes(parameters: float, bits: float) -> float:
    """Return the bytes of `parameters` at `bits` each, scales of blocks included: their product over 8."""
    _counts(parameters=parameters, bits=bits)
    return parameters * bits / 8


def key_value_bytes(*, layers: int, kv_heads: int, head_dim: int, context: int, bits: float) -> float:
    """Return what a step of decoding reads of the cache of one sequence, in bytes.

    ``2 * layers * kv_heads * head_dim * context * bits / 8``: a key and a value for each
    position of the `context`, each layer and each head of keys.
    """
    _counts(layers=layers, kv_heads=kv_heads, head_dim=head_dim, context=context, bits=bits)
    return 2 * layers * kv_heads * head_dim * context * bits / 8


def decode_rate(
    *,
    weights: float,
    bandwidth: float,
    cache: float = 0.0,
    batch: int = 1,
    parameters: float = 0.0,
    peak: float | None = None,
) -> float:
    """Return the tokens a second that decoding cannot exceed, of all sequences together.

    A step reads the `weights` once, and the `cache` of each of `batch` sequences (bytes), and makes a token
    of each: ``batch * bandwidth / (weights + batch * cache)``; and a token takes two operations a parameter:
    ``peak / (2 * parameters)``. The lower one is the ceiling. Speculative decoding makes more tokens a step,
    and is bounded by the second alone.
    """
    _counts(weights=weights, cache=cache, parameters=parameters)
    _rates(bandwidth=bandwidth, batch=batch, **({} if peak is None else {"peak": peak}))
    moved = weights + batch * cache
    by_memory = batch * bandwidth / moved if moved else math.inf
    by_compute = peak / (2 * parameters) if peak is not None and parameters else math.inf
    return min(by_memory, by_compute)


def prefill_rate(*, parameters: float, peak: float) -> float:
    """Return the tokens a second that reading a prompt cannot exceed: ``peak / (2 * parameters)``.

    A multiplication and an addition a parameter and token; attention adds to that, so that this is a bound.
    """
    _rates(parameters=parameters, peak=peak)
    return peak / (2 * parameters)


def training_rate(*, parameters: float, peak: float) -> float:
    """Return the tokens a second that training cannot exceed: ``peak / (6 * parameters)``.

    The backward pass takes twice what the forward pass does (Kaplan et al. 2020, arXiv:2001.08361, table 1).
    """
    _rates(parameters=parameters, peak=peak)
    return peak / (6 * parameters)


def _counts(**numbers: float) -> None:
    for name, number in numbers.items():
        if not (math.isfinite(number) and number >= 0):
            raise ValueError(f"{name} is {number}: no count")


def _rates(**numbers: float) -> None:
    for name, number in numbers.items():
        if not (math.isfinite(number) and number > 0):
            raise ValueError(f"{name} is {number}: it must be more than 0")
